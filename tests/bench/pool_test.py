"""The subject pool: from what its samples say to rows."""

import unittest
import unittest.mock

from measured import Measured  # first: puts what follows on the path
import pool
from harness import instructions, programs


class Pool(Measured):
    NS = {"pool_tenure": 12.0, "pool_c": 18.0, "pool_pyo3": 22.0}

    def setUp(self):
        super().setUp()
        self.enterContext(unittest.mock.patch.object(self.ctx, "run_sample", self.run_sample))
        self.enterContext(unittest.mock.patch.object(instructions, "count", self.count))
        self.enterContext(unittest.mock.patch.object(instructions, "counter", lambda: "counter"))

    def run_sample(self, script, module, mode, *arguments, env):
        self.assertEqual(script, "pool.py")
        self.assertIn(str(programs.folder()), env["PYTHONPATH"])
        if mode == "alloc":
            ns = {"default": 9.0, "slots": 6.0, "inlined": 3.0}
            return {
                f"{kind} {side} {alive}": ns[side]
                for kind in pool.WHAT
                for side in ns
                for alive in pool.ALIVE_AT_ONCE
            }
        if mode == "grow":
            return {"point": [100, 300, 105], "node": [200, 500, 230]}
        kinds = dict.fromkeys(pool.KINDS, self.NS.get(module, 32.0))
        kinds |= {f"unpooled-{kind}": 17.0 for kind in pool.KINDS}
        version = None if module in ("pool_c", "pool_tenure") else f"{module[5:]} 9"
        return {"version": version, "ns": {**kinds, "empty": 2.0}}

    def count(self, argv, env):
        module, mode, iterations, chunks, kind = argv[-5:]
        self.assertEqual(mode, "count")
        each = {"empty": 10, "node": 110 if module == "pool_tenure" else 310}.get(kind, 210)
        return 5_000_000 + each * int(iterations) * int(chunks)

    def test_creating_is_less_the_empty_loop(self):
        row, target = self.measure("pool/create/point")
        self.assertEqual((row.tenure, row.unit, row.n), (10.0, "ns", 3))
        self.assertEqual(row.peers[f"the same without the pool, {self.ctx.python}"], 15.0)
        self.assertEqual(row.peers[f"pyo3 9, freelist, {self.ctx.python}"], 20.0)
        self.assertEqual(len(row.peers), 5)
        self.assertIn("holds", target.verdict(row))

    def test_what_has_no_freelist_says_so(self):
        row, _ = self.measure("pool/create/node")
        self.assertIn(f"pyo3 9, {self.ctx.python}", row.peers)
        self.assertIn(f"cython 9, freelist, {self.ctx.python}", row.peers)

    def test_instructions(self):
        row, _ = self.measure("pool/create/node/instructions")
        self.assertEqual(row.tenure, 100)
        self.assertEqual(row.speedup[f"the same without the pool, {self.ctx.python}"], 2.0)

    def test_memory_alone(self):
        row, target = self.measure("pool/alloc/node")
        self.assertEqual(list(row.speedup.values()), [3.0])
        self.assertIn("holds", target.verdict(row))
        row, target = self.measure("pool/alloc/node/slots")
        self.assertEqual(list(row.speedup.values()), [1.5])
        self.assertIsNone(target)

    def test_what_is_left_after_trimming(self):
        row, target = self.measure("pool/trim")
        self.assertEqual(row.tenure, 1.15)
        self.assertIn("holds", target.verdict(row))


if __name__ == "__main__":
    unittest.main()
