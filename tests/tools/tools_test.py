"""The scripts around the build: what they count, copy and refuse."""

import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, "tools")

import stage
import test_summary


class SummaryTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.events = []

    def add(self, label, status, cases, attempt=1):
        report = self.folder / f"{len(self.events)}.xml"
        report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
        self.events.append({
            "id": {"testResult": {"label": label, "run": 1, "shard": 1, "attempt": attempt}},
            "testResult": {"status": status, "testActionOutput": [{"name": "test.xml", "uri": report.as_uri()}]},
        })

    def summarize(self, status):
        path = self.folder / "events.json"
        path.write_text("\n".join(map(json.dumps, self.events)))
        with (contextlib.redirect_stdout(io.StringIO()) as output,
              mock.patch.object(sys, "argv", ["", str(path), str(status)])):
            code = test_summary.main()
        return code, output.getvalue().splitlines()

    def test_cases_are_counted(self):
        self.add("//a:b", "PASSED", '<testcase name="x" status="run" result="completed"/>'
                                    '<testcase name="y" status="run" result="skipped"/>'
                                    '<testcase name="z" status="notrun" result="suppressed"/>')
        self.add("//a:c", "PASSED", '<testcase name="x"/><testcase name="y"><skipped/></testcase>')
        code, lines = self.summarize(0)
        self.assertEqual((code, lines[-1]), (0, "2 passed, 0 failed"))
        self.assertIn("2 skipped", lines)

    def test_a_failed_case_is_named(self):
        self.add("//a:b", "FAILED", '<testcase name="x"/><testcase classname="C" name="y"><failure/></testcase>')
        code, lines = self.summarize(3)
        self.assertEqual((code, lines[-1]), (1, "1 passed, 1 failed"))
        self.assertIn("FAILED: //a:b C.y", lines)

    def test_a_test_that_fails_without_a_failed_case(self):
        self.add("//a:b", "TIMEOUT", '<testcase name="x"/>')
        self.assertEqual(self.summarize(3)[1][-1], "1 passed, 1 failed")

    def test_the_last_attempt_counts(self):
        self.add("//a:b", "FAILED", '<testcase name="x"><failure/></testcase>')
        self.add("//a:b", "PASSED", '<testcase name="x"/>', attempt=2)
        self.assertEqual(self.summarize(0)[1][-1], "1 passed, 0 failed")

    def test_what_does_not_build_has_failed_once(self):
        self.add("//a:b", "PASSED", '<testcase name="x"/>')
        broken = {"id": {"targetCompleted": {"label": "//a:c"}}, "completed": {}}
        self.events += [broken, broken]
        code, lines = self.summarize(1)
        self.assertEqual((code, lines[-1]), (1, "1 passed, 1 failed"))
        self.assertIn("FAILED: //a:c (does not build)", lines)

    def test_a_build_that_fails_before_any_target(self):
        self.assertEqual(self.summarize(1)[1][-1], "0 passed, 1 failed")

    def test_what_is_not_for_this_interpreter_is_left_out(self):
        self.add("//a:b", "PASSED", '<testcase name="x"/>')
        for label, configured in [("//a:c", {"testSize": "SMALL"}), ("//a:d", {})]:
            self.events += [
                {"id": {"targetConfigured": {"label": label}}, "configured": configured},
                {"id": {"targetCompleted": {"label": label}}, "aborted": {"reason": "SKIPPED"}},
            ]
        code, lines = self.summarize(0)
        self.assertEqual((code, lines[-1]), (0, "1 passed, 0 failed"))
        self.assertTrue(lines[-2].startswith("1 test programs left out"), lines)

    def test_no_test_is_an_error(self):
        self.assertEqual(self.summarize(0)[0], 1)
        self.assertEqual(self.summarize(4)[1][-1], "0 passed, 0 failed")


class StageTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source = pathlib.Path(folder.name, "built")
        self.target = pathlib.Path(folder.name, "out")
        for name in ("p/a.py", "p/sub/b.py", "p/x.cpython-314.so"):
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            (self.source / name).write_text(name)
        stage.stage(self.source, self.target)

    def test_same_is_left_alone(self):
        before = (self.target / "p/a.py").stat()
        stage.stage(self.source, self.target)
        after = (self.target / "p/a.py").stat()
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))

    def test_changed_is_replaced_and_removed_goes(self):
        before = (self.target / "p/x.cpython-314.so").stat().st_ino
        with (self.target / "p/x.cpython-314.so").open() as mapped:
            (self.source / "p/x.cpython-314.so").write_text("new")
            (self.source / "p/a.py").unlink()
            stage.stage(self.source, self.target)
            self.assertEqual(mapped.read(), "p/x.cpython-314.so")
        self.assertEqual((self.target / "p/x.cpython-314.so").read_text(), "new")
        self.assertNotEqual((self.target / "p/x.cpython-314.so").stat().st_ino, before)
        self.assertEqual([path.name for path in self.target.rglob("*.py")], ["b.py"])

    def test_other_interpreters_extensions_stay(self):
        (self.source / "p/x.cpython-314.so").rename(self.source / "p/x.cpython-313.so")
        stage.stage(self.source, self.target)
        self.assertEqual({path.name for path in (self.target / "p").glob("*.so")},
                         {"x.cpython-313.so", "x.cpython-314.so"})


class DevTest(unittest.TestCase):
    def dev(self, *args):
        return subprocess.run(["bash", "./dev", *args], capture_output=True, text=True)

    def test_help(self):
        for args in ([], ["help"], ["--help"]):
            result = self.dev(*args)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn("Usage: ./dev", result.stdout)

    def test_refusals_are_one_line(self):
        for args, expected in [
            (["test", "--python", "3.12"], "--python is"),
            (["test", "--python"], "needs a value"),
            (["test", "--config", "fast"], "--config is"),
            (["run", "--config", "asan", "true"], "asan is for test"),
            (["test", "--python", "3.13t", "--config", "debug"], "needs a debug interpreter"),
            (["demo", "--python", "3.13t"], "no images of code"),
        ]:
            result = self.dev(*args)
            self.assertNotEqual(result.returncode, 0)
            self.assertEqual(len(result.stderr.splitlines()), 1)
            self.assertIn(expected, result.stderr)

    def test_a_foreign_folder_is_never_taken_over(self):
        with tempfile.TemporaryDirectory() as folder:
            kept = pathlib.Path(folder, "env/kept")
            kept.parent.mkdir()
            kept.touch()
            result = subprocess.run(["bash", "./dev", "run", "true"], capture_output=True, text=True, env={
                "PATH": "/usr/bin:/bin", "TENURE_ENV": str(kept.parent), "XDG_CACHE_HOME": folder})
            self.assertNotEqual(result.returncode, 0)
            self.assertTrue(kept.exists())
            self.assertRegex(result.stderr.splitlines()[-1], "no environment of ours|needs root")


if __name__ == "__main__":
    unittest.main()
