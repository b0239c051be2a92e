"""The subjects decref_*: from what their scripts print to rows."""

import os
import unittest
import unittest.mock

from measured import Measured  # first: puts what follows on the path
import decref_common
import decref_drop
import decref_memory
import decref_push
import decref_release  # noqa: F401  registers
from harness import programs, registry, schema
from harness.errors import BenchError, Skip

MIB = 1024


class Scripts(Measured):
    """Answers for the scripts of bench/samples what they would print."""

    def setUp(self):
        super().setUp()
        self.enterContext(unittest.mock.patch.object(self.ctx, "run_sample", self.run_sample))
        self.calls = []

    def run_sample(self, script, *args, env):
        self.assertEqual(env["PYTHONPATH"].split(os.pathsep)[0], str(programs.folder()))
        self.calls.append((script, *map(str, args)))
        return self.answer(script, *map(str, args))


class Push(Scripts):
    disturbed = 2
    NS = {"sendable": 5.0, "pyo3": 20.0, "mutex-vector": 25.0, "defer": 4.0, "gil": 80.0}

    def answer(self, script, library, sides, threads, count, rounds, seed):
        names = [side.partition("=")[0] for side in sides.split(",")]
        samples = {
            name: {"wall": [self.NS.get(name, 10.0)] * 3, "cpu": [1.0] * 3, "drain": [2.0] * 3}
            for name in names
        }
        versions = {"version": "PyO3 9", "boost": "Boost 1"}
        return {**versions, "disturbed": self.disturbed, "sides": samples}

    def test_every_process_has_its_samples_in_the_row(self):
        row = decref_push.push_row(self.ctx, "decref/push/1", "wall", "walls", 1)
        schema.dumps([row])
        self.assertEqual(row.n, 3 * decref_common.PROCESSES)
        self.assertEqual((row.tenure, row.unit), (5.0, "ns"))
        self.assertEqual(sorted(row.speedup.values()), [4.0, 5.0])
        self.assertTrue(any(label.startswith("PyO3 9") for label in row.peers))
        self.assertIn("10 of 45 in vain", row.method)
        self.assertEqual(len({call[-1] for call in self.calls}), decref_common.PROCESSES, "seeds")

    def test_clocks_of_the_same_rounds_are_measured_once(self):
        decref_push.push_row(self.ctx, "decref/push/1", "wall", "walls", 1)
        row = decref_push.push_row(self.ctx, "decref/push/1/cpu", "cpu", "processors", 1)
        self.assertEqual(row.tenure, 1.0)
        self.assertEqual(decref_push.drain(self.ctx).tenure, 2.0)
        self.assertEqual(len(self.calls), decref_common.PROCESSES)
        decref_push.push_row(self.ctx, "decref/push/2", "wall", "walls", 2)
        self.assertEqual(len(self.calls), 2 * decref_common.PROCESSES)

    def test_a_busy_machine_measures_nothing(self):
        self.disturbed = 8
        with self.assertRaisesRegex(Skip, "40 of 45 samples .* when the machine is idle"):
            decref_push.push_row(self.ctx, "decref/push/2", "wall", "walls", 2)

    def test_all_candidates_are_peers_of_defer(self):
        row = measure("decref/alternatives/2", self.ctx)
        self.assertEqual(row.tenure, 4.0)
        self.assertEqual(len(row.peers), len(decref_push._CANDIDATES))
        self.assertEqual(row.peers["Boost 1 queue"], 10.0)
        self.assertIn("gil=2500", self.calls[0][2], "a push that takes the GIL takes long")
        self.assertEqual(self.calls[0][1], "-", "without PyO3's library")


class Drop(Scripts):
    def answer(self, script, library, sides, count, rounds, seed):
        ns = {"sendable": 4.0, "c": 1.5, "pyo3": 3.0}
        samples = {name: {"apart": [ns[name]] * 3, "in_loop": [1.0] * 3} for name in ns}
        return {"version": "PyO3 9", "sides": samples}

    def test_rows(self):
        row = decref_drop.attached(self.ctx)
        self.assertEqual((row.tenure, sorted(row.peers.values())), (4.0, [1.5, 3.0]))
        self.assertEqual(decref_drop.attached_in_loop(self.ctx).tenure, 1.0)
        self.assertEqual(decref_drop.more_than_c(self.ctx).tenure, 2.5)
        self.assertEqual(list(decref_drop.than_pyo3(self.ctx).peers.values()), [3.0])


class Memory(Scripts):
    def answer(self, script, library, side, threads, pushes, pace, consumer):
        grown = {"sendable": [60, 61, 62, 61, 60], "pyo3": [60, 260, 460, 660, 860]}[side]
        return {
            "version": "PyO3 9",
            "seconds": 5.0,
            "pushes": int(pushes),
            "resident": [mib * MIB for mib in grown],
            "stats": {"high_water": 20_000},
        }

    def test_growth_is_the_most_less_the_start(self):
        row = decref_memory.memory_row(self.ctx, "decref/memory/paced", 1, 20_000_000, "main")
        schema.dumps([row])
        self.assertEqual((row.tenure, list(row.peers.values())), (2.0, [800.0]))
        for part in ("60 61 62 61 60", "60 260 460 660 860", "at most 20,000,000 a second"):
            self.assertIn(part, row.method)

    def test_no_growth_is_nothing_to_divide_by(self):
        self.assertGreater(decref_memory.growth_mib({"resident": [5, 5, 5]}), 0)


class Release(Scripts):
    def answer(self, script, kind, count, budget):
        taken_apart = budget != "0"
        times = {"wall": 130.0, "cpu": 125.0} if taken_apart else {"wall": 105.0, "cpu": 100.0}
        longest = 1.1 if taken_apart else 105.0
        return {**times, "longest_wall": longest, "longest": longest, "steps": 1}

    def test_rows_of_one_measurement(self):
        total = measure("decref/release/set", self.ctx)
        pause = measure("decref/release/set/pause", self.ctx)
        self.assertEqual((total.tenure, pause.tenure), (125.0, 1.1))
        self.assertEqual(list(total.speedup.values()), [0.8])
        self.assertIn("2,000,000", total.method)
        self.assertEqual(len(self.calls), 2 * (3 + 1), "both sides in each round and one before")


class Programs(unittest.TestCase):
    def test_what_is_not_built_says_so(self):
        with (
            unittest.mock.patch.dict(os.environ, clear=True),
            self.assertRaisesRegex(BenchError, "crates of bench/pyo3 .*not built; run this by ./dev bench"),
        ):
            programs.pyo3("decref")


def measure(name, ctx):
    (found,) = (b for b in registry.all_benchmarks() if b.name == name)
    return found.measure(ctx)


if __name__ == "__main__":
    unittest.main()
