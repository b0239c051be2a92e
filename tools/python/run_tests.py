"""Runs the unittest cases of one file and reports them to Bazel as JUnit XML.

Usage: run_tests.py FILE [unittest options]
"""

import importlib.util
import os
import pathlib
import sys
import time
import unittest
from xml.etree import ElementTree

# What XML 1.0 cannot hold, and a test's message may.
_CONTROL = {c: "?" for c in range(32) if c not in (9, 10, 13)}


class _Result(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.cases = {}
        self._started = time.perf_counter()

    def startTest(self, test):
        super().startTest(test)
        self._started = time.perf_counter()
        self.cases[test.id()] = ElementTree.Element(
            "testcase", name=test.id().rpartition(".")[2], classname=test.id().rpartition(".")[0])

    def stopTest(self, test):
        super().stopTest(test)
        self.cases[test.id()].set("time", f"{time.perf_counter() - self._started:.3f}")

    def _note(self, test, tag, text):
        # A failing setUpClass or setUpModule comes without a startTest, a subtest with an id of its own.
        test = getattr(test, "test_case", test)
        case = self.cases.setdefault(test.id(), ElementTree.Element("testcase", name=test.id()))
        if case.find(tag) is None:
            ElementTree.SubElement(case, tag).text = text.translate(_CONTROL)

    def addError(self, test, err):
        super().addError(test, err)
        self._note(test, "error", self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test, "failure", self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(test, "failure", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._note(test, "failure", "succeeded, but is marked as an expected failure")


def _write_report(path, name, result):
    suite = ElementTree.Element("testsuite", name=name, tests=str(len(result.cases)))
    suite.extend(result.cases.values())
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def main():
    path = pathlib.Path(sys.argv.pop(1))
    # The file's own folder stands where it would if the file were run directly.
    sys.path[0] = str(path.parent)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)

    argv = [str(path), "-v", *sys.argv[1:]]
    if only := os.environ.get("TESTBRIDGE_TEST_ONLY"):
        argv += ["-k", only]
    program = unittest.main(
        module=module, argv=argv, exit=False,
        testRunner=unittest.TextTestRunner(resultclass=_Result, verbosity=2))
    if report := os.environ.get("XML_OUTPUT_FILE"):
        _write_report(report, path.stem, program.result)
    if not program.result.cases and not os.environ.get("TESTBRIDGE_TEST_ONLY"):
        print(f"{path}: no test in it", file=sys.stderr)
        return 1
    return 0 if program.result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
