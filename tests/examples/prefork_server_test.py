"""examples/prefork_server: serves right under gunicorn however its master prepared, and shares more with tenure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

FOLDER = Path.cwd() / "examples" / "prefork_server"
IS_DEBUG = hasattr(sys, "gettotalrefcount")


def measure(way: str, *options: str) -> dict[str, object]:
    """The load checks each answer, and the server has to end well."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / "measure.py"), way, "--requests", "60", *options],
        capture_output=True,
        text=True,
        timeout=250,
        # Debug builds show warnings of what gunicorn does not close.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"},
    )
    if done.returncode or done.stderr:
        raise AssertionError(f"{way}: {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


class PreforkServerTest(unittest.TestCase):
    def test_serves_and_shares(self):
        private = {}
        for way in ("nothing", "freeze", "tenure"):
            result = measure(way)
            self.assertEqual(len(result["answered"]), 2)
            self.assertGreaterEqual(min(result["answered"].values()), 60)
            self.assertEqual("made immortal" in result["report"], way == "tenure", result["report"])
            private[way] = max(memory["private"] for memory in result["workers"].values())
        # Debug builds leave more as it is.
        self.assertLess(private["tenure"], private["freeze"] * (1 if IS_DEBUG else 0.6), private)

    def test_warm(self):
        result = measure("tenure", "--warm", "--workers", "1")
        self.assertEqual(len(result["workers"]), 1)

    def test_says_what_is_wrong(self):
        done = subprocess.run(
            [sys.executable, str(FOLDER / "load.py"), "1", "1", "1"], capture_output=True, text=True
        )
        self.assertIn("ConnectionRefusedError", done.stderr)
        done = subprocess.run(
            [sys.executable, str(FOLDER / "measure.py"), "otherwise"], capture_output=True, text=True
        )
        self.assertIn("invalid choice: 'otherwise'", done.stderr)


if __name__ == "__main__":
    unittest.main()
