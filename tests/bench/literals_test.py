"""The subject literals: from what its modules say to rows."""

import unittest
import unittest.mock

from measured import Measured  # first: puts what follows on the path
import literals
from harness.errors import BenchError


class Literals(Measured):
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
