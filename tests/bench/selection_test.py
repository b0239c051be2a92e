"""Registering, choosing and running benchmarks, and the verdict on their numbers."""

import contextlib
import io
import types
import unittest
import unittest.mock

import bench_path
import run
from harness import registry, report
from harness.errors import BenchError, Skip
from harness.registry import Benchmark, Target
from harness.schema import make_row


def named(*names):
    return [Benchmark(name, lambda ctx: None, None) for name in names]


def row(tenure, peer, name="a/b"):
    return make_row(name, "ms", "lower", "CPython", tenure, {"p": peer}, "m")


class Select(unittest.TestCase):
    ALL = named(
        "import/django", "load/django/all", "load/django/prelinked", "steady/a", "steady/a/i"
    )

    def chosen(self, *names):
        return [benchmark.name for benchmark in registry.select(self.ALL, names)]

    def test_names_and_groups(self):
        self.assertEqual(self.chosen(), [benchmark.name for benchmark in self.ALL])
        self.assertEqual(self.chosen("import/django"), ["import/django"])
        self.assertEqual(self.chosen("load"), ["load/django/all", "load/django/prelinked"])
        self.assertEqual(self.chosen("load/django/"), ["load/django/all", "load/django/prelinked"])
        self.assertEqual(self.chosen("import", "import/django"), ["import/django"])

    def test_a_name_stands_for_itself_before_its_group(self):
        self.assertEqual(self.chosen("steady/a"), ["steady/a"])
        self.assertEqual(self.chosen("steady/a/"), ["steady/a/i"])

    def test_part_of_a_word_is_no_group(self):
        with self.assertRaises(BenchError):
            self.chosen("imp")

    def test_unknown_name_lists_what_there_is_in_one_line(self):
        with self.assertRaisesRegex(BenchError, r"'nothing'.*import/django, .*steady/a") as caught:
            self.chosen("load", "nothing")
        self.assertNotIn("\n", str(caught.exception))


class Registry(unittest.TestCase):
    def test_two_of_one_name(self):
        with unittest.mock.patch.dict(registry._benchmarks, clear=True):
            registry.benchmark("x")(lambda ctx: None)
            with self.assertRaisesRegex(ValueError, "two benchmarks are called x"):
                registry.benchmark("x")(lambda ctx: None)

    def test_the_subjects_are_found_and_say_what_they_measure(self):
        registry.discover(bench_path.BENCH)
        found = {benchmark.name: benchmark for benchmark in registry.all_benchmarks()}
        wanted = {"import/django", "load/django/all", "load/django/prelinked", "size/django"}
        wanted |= {"call/one/instructions", "call/construct/than-bindings", "call/compile/size"}
        wanted |= {"handles/owned", "handles/lookup/instructions", "handles/temporaries"}
        wanted |= {"literals/import", "literals/private", "literals/name"}
        wanted |= {"decref/push/1", "decref/memory/paced", "decref/release/list/pause"}
        wanted |= {"data/ready/json", "data/sharing/fixed", "data/iterate/items", "data/exit"}
        wanted |= {"process/django", "sharing/django/of-image", "steady/calls/instructions"}
        self.assertLessEqual(wanted, found.keys())
        for benchmark in found.values():
            self.assertTrue(benchmark.summary, benchmark.name)


class Verdict(unittest.TestCase):
    def test_holds(self):
        verdict = Target(1.5, "is fast").verdict(row([10, 10], [16, 16]))
        self.assertEqual(verdict, "holds: is fast")

    def test_misses(self):
        verdict = Target(2, "is fast").verdict(row([10, 10], [16, 16]))
        self.assertEqual(verdict, "misses by 0.4: is fast")

    def test_what_may_be_noise_says_so(self):
        noisy = row([100, 100, 100, 100, 100], [97.9, 97.0, 99.5, 96.0, 101.0])
        miss, hold = (Target(least, "the same").verdict(noisy) for least in (0.98, 0.975))
        self.assertRegex(miss, r"^misses by 0\.001 \(this run's noise: 0\.96 to 1\.01\): the same")
        self.assertRegex(hold, r"^holds \(this run's noise: 0\.96 to 1\.01\): the same")

    def test_target_for_a_value(self):
        shares = make_row("s", "fraction", "higher", "CPython", [0.4], {}, "m")
        self.assertIn("misses by 0.1", Target(0.5, "shared", of="value").verdict(shares))

    def test_target_against_some_peers_only(self):
        peers = {"C API, CPython": [1.0], "other 2": [0.5]}
        two = make_row("s", "ns", "lower", "CPython", [1.0], peers, "m")
        self.assertEqual(Target(1, "as C", against="C API").verdict(two), "holds: as C")
        self.assertIn("misses by 0.5", Target(1, "as all").verdict(two))

    def test_where_less_is_better_a_value_has_a_ceiling(self):
        pause = make_row("s", "ms", "lower", "CPython", [2.5], {}, "m")
        self.assertEqual(
            Target(2, "short", of="value").verdict(pause), "misses by 0.5: short"
        )
        self.assertEqual(Target(3, "short", of="value").verdict(pause), "holds: short")
        text = report.verdicts([pause], {"s": Target(3, "short", of="value")})
        self.assertIn("<= 3", text)

    def test_one_line_for_each_target(self):
        target = Target(1.5, "is fast")
        text = report.verdicts([row([1], [2]), row([1], [2], name="other")], {"a/b": target})
        self.assertEqual(len(text.splitlines()), 3)
        self.assertEqual(report.verdicts([], {"a/b": target}), "")


class Run(unittest.TestCase):
    def test_one_that_fails_does_not_stop_the_others(self):
        def fail(ctx):
            raise BenchError("broken")

        def skip(ctx):
            raise Skip("no valgrind")

        made = row([1], [2])
        measures = {"bad": fail, "none": skip, "good": lambda ctx: made, "worse": fail}
        chosen = [Benchmark(name, measure, None) for name, measure in measures.items()]
        ctx = types.SimpleNamespace(progress=unittest.mock.Mock())
        rows, notes, failed = run.run(ctx, chosen)
        self.assertEqual(rows, [made])
        wanted = ["bad: failed: broken", "none: not measured: no valgrind", "worse: failed: as bad"]
        self.assertEqual(notes, wanted)
        self.assertTrue(failed)

    def test_wrong_usage_is_one_line_on_standard_error(self):
        errors, output = io.StringIO(), io.StringIO()
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(output):
            self.assertEqual(run.main(["nothing"]), 2)
            self.assertEqual(run.main(["--list", "load"]), 0)
            self.assertEqual(run.main(["load", "--json", "/"]), 2)
        unknown, unwritable = errors.getvalue().splitlines()
        self.assertIn("'nothing'", unknown)
        self.assertIn("cannot be written", unwritable)
        self.assertEqual(len(output.getvalue().splitlines()), 2)


if __name__ == "__main__":
    unittest.main()
