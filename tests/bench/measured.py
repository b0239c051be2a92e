"""A test case whose benchmarks find their programs and folders empty."""

import io
import os
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import bench_path  # noqa: F401  puts what follows on the path
from harness import context, registry, schema
from harness.progress import Progress


class Measured(unittest.TestCase):
    RUNS = 3

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(unittest.mock.patch.object(context, "OUT", self.folder))
        places = dict.fromkeys(("TENURE_BENCH_PROGRAMS", "TENURE_BENCH_PYO3"), str(self.folder))
        self.enterContext(unittest.mock.patch.dict(os.environ, places))
        progress = Progress(io.StringIO())
        self.ctx = self.enterContext(context.Context(progress, runs=self.RUNS, seed=1))

    def measure(self, name):
        """The row of a benchmark, and its target."""
        (found,) = (b for b in registry.all_benchmarks() if b.name == name)
        row = found.measure(self.ctx)
        schema.dumps([row])
        return row, found.target
