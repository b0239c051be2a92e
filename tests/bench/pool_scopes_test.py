"""The subjects arena and references: from what their programs print to rows."""

import unittest
import unittest.mock
from pathlib import Path

from measured import Measured  # first: puts what follows on the path
import arena
import references
from harness import registry, schema

_SIDES = {"arena": 2.0, "reset": 2.5, "inline": 1.5, "malloc": 20.0, "monotonic": 8.0, "buffer": 3.0}
_SIDES |= {"heap": 4.0, "own-heap": 5.0}


class PoolScopes(Measured):
    RUNS = 4

    def rows(self, group):
        for benchmark in registry.all_benchmarks():
            if benchmark.name.startswith(group):
                row = benchmark.measure(self.ctx)
                schema.dumps([row])
                self.assertEqual(row.name, benchmark.name)
                yield row, benchmark.target

    def arena_program(self, argv, _):
        program, mode, *arguments = argv
        self.assertEqual(Path(program), self.folder / "pool_arena")
        if mode == "versions":
            return {"libc": "glibc 2", "compiler": "GCC 1", "mimalloc": "mimalloc 3"}
        if mode == "first":
            return {"fill": _SIDES[arguments[0]], "drop": 1.0}
        self.assertEqual(arguments[0], "4")
        kinds = ("turn",) if mode == "scope" else ("fill", "drop")
        return {"sides": {side: dict.fromkeys(kinds, [ns] * 4) for side, ns in _SIDES.items()}}

    def test_arena(self):
        with unittest.mock.patch.object(arena.child, "run_json", self.arena_program):
            found = {row.name: (row, target) for row, target in self.rows("pool/arena/")}
        row, target = found["pool/arena/fill"]
        self.assertEqual((row.tenure, min(row.speedup.values())), (2.0, 2.0))
        # Of malloc() alone.
        self.assertEqual(target.value(row), 10.0)
        self.assertEqual(found["pool/arena/refill"][0].tenure, 2.5)
        self.assertEqual(found["pool/arena/scope/inline"][0].tenure, 1.5)
        self.assertEqual(list(found["pool/arena/alternatives/scope"][0].peers.values()), [5.0])
        row, _ = found["pool/arena/fill/first"]
        self.assertEqual((row.n, sorted(row.peers.values())), (4, [4.0, 8.0, 20.0]))
        row, target = found["pool/arena/teardown"]
        self.assertIn("holds", target.verdict(row))

    def references_sample(self, script, count, rounds, seed, kind, *, env):
        self.assertEqual(script, "pool_references.py")
        self.assertIn(str(self.folder), env["PYTHONPATH"])
        self.assertIn(kind, ("rows", "floats", "shared"))
        sides = {
            "pool": {"fill": 2.0, "drain": 3.0},
            "gil-pool": {"fill": 2.0, "drain": 6.0},
            "owned": {"turn": 4.0},
            "pool-turn": {"turn": 5.0},
            "gil-pool-turn": {"turn": 8.0},
        }
        return {"sides": {side: {what: [ns] * rounds for what, ns in kinds.items()}
                          for side, kinds in sides.items()}}

    def test_references(self):
        with unittest.mock.patch.object(self.ctx, "run_sample", self.references_sample):
            found = {row.name: (row, target) for row, target in self.rows("pool/references/")}
        for name, speedup in (("fill", 1.0), ("drain", 2.0), ("owned", 1.25)):
            row, target = found[f"pool/references/{name}/1000"]
            self.assertEqual(min(row.speedup.values()), speedup)
            self.assertEqual(row.n, 4 * references.PROCESSES)
            self.assertIn("holds", target.verdict(row))
            self.assertIn(f"pool/references/{name}/100000/floats", found)
        self.assertIn("pool/references/owned/10", found)
        self.assertNotIn("pool/references/fill/10", found)


if __name__ == "__main__":
    unittest.main()
