"""The runner of Python tests: what it reports and when it fails."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from xml.etree import ElementTree

CASES = """
import unittest

class T(unittest.TestCase):
    def test_good(self): pass
    def test_bad(self): self.fail("on purpose \\x01")
    @unittest.skip("later")
    def test_skipped(self): pass
    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i):
                self.assertNotEqual(i, 1)

class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError("no set-up")
    def test_never(self): pass
"""


class RunnerTest(unittest.TestCase):
    def run_file(self, text, **environment):
        with tempfile.TemporaryDirectory() as folder:
            file, report = pathlib.Path(folder, "cases.py"), pathlib.Path(folder, "report.xml")
            file.write_text(text)
            clean = {name: value for name, value in os.environ.items() if not name.startswith("TESTBRIDGE_")}
            result = subprocess.run(
                [sys.executable, "-B", "tools/python/run_tests.py", file], capture_output=True, text=True,
                env=clean | {"XML_OUTPUT_FILE": str(report)} | environment)
            cases = {case.get("name"): case for case in ElementTree.parse(report).iter("testcase")}
        return result.returncode, cases

    def test_report(self):
        status, cases = self.run_file(CASES)
        self.assertEqual(status, 1)
        outcomes = {name.split(" ")[0]: [child.tag for child in case] for name, case in cases.items()}
        self.assertEqual(outcomes, {
            "test_good": [], "test_bad": ["failure"], "test_skipped": ["skipped"], "test_sub": ["failure"],
            "setUpClass": ["error"]})

    def test_filter(self):
        status, cases = self.run_file(CASES, TESTBRIDGE_TEST_ONLY="test_good")
        self.assertEqual((status, list(cases)), (0, ["test_good"]))

    def test_no_case_is_an_error(self):
        self.assertEqual(self.run_file("")[0], 1)


if __name__ == "__main__":
    unittest.main()
