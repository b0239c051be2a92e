"""The subject literals: from what its modules say to rows."""

import io
import os
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import bench_path  # noqa: F401
import literals
from harness import context, registry, schema
from harness.errors import BenchError
from harness.progress import Progress


class Literals(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(unittest.mock.patch.object(context, "OUT", self.folder))
        places = {"TENURE_BENCH_PROGRAMS": str(self.folder)}
        self.enterContext(unittest.mock.patch.dict(os.environ, places))
        self.ctx = self.enterContext(context.Context(Progress(io.StringIO()), runs=3, seed=1))

    def measure(self, name):
        (found,) = (b for b in registry.all_benchmarks() if b.name == name)
        row = found.measure(self.ctx)
        schema.dumps([row])
        return row, found.target

    def sample(self, script, file, *, env):
        self.assertEqual((script, file.parent), ("literals.py", self.folder))
        times = {"literals_tenure": 2.0, "literals_made": 2.0, "literals_static": 3.0}
        time = times[file.name.partition(".")[0]]
        keys = ("import_us", "ready_us", "private_kib", "text_ns", "name_ns")
        return dict.fromkeys(keys, time) | {"name_by_text_ns": 4.0}

    def test_rows(self):
        for module in ("literals_tenure", *literals.PEERS):
            (self.folder / f"{module}.cpython-314-x86_64-linux-gnu.so").touch()
        with unittest.mock.patch.object(self.ctx, "run_sample", self.sample):
            for what in ("import", "ready", "private", "text", "name"):
                row, target = self.measure(f"literals/{what}")
                self.assertEqual(row.tenure, 2.0)
                peers = [2.0, 3.0, 4.0] if what == "name" else [2.0, 3.0]
                self.assertEqual(list(row.peers.values()), peers)
                if target:
                    self.assertIn("holds", target.verdict(row))

    def test_modules_that_are_not_built(self):
        with self.assertRaisesRegex(BenchError, "literals_tenure is not among the programs"):
            self.measure("literals/text")


if __name__ == "__main__":
    unittest.main()
