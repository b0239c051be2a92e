"""Counts the test cases of a Bazel run, names the failed ones, and ends with "N passed, N failed".

Usage: test_summary.py BUILD_EVENTS_JSON BAZEL_EXIT_STATUS
"""

import json
import pathlib
import sys
import urllib.parse
from xml.etree import ElementTree


class Summary:
    def __init__(self):
        self.passed = 0
        self.skipped = 0
        self.left_out = 0
        self.failed = []

    def add_case(self, label, case):
        # GoogleTest writes the result as an attribute, others by what the element holds.
        if case.get("status") == "notrun":
            return
        if case.find("failure") is not None or case.find("error") is not None:
            names = filter(None, (case.get("classname"), case.get("name")))
            self.failed.append(f"{label} {'.'.join(names)}")
        elif case.get("result") == "skipped" or case.find("skipped") is not None:
            self.skipped += 1
        else:
            self.passed += 1

    def add_test(self, label, result):
        failed_before = len(self.failed)
        for output in result.get("testActionOutput", []):
            if output["name"] != "test.xml":
                continue
            path = pathlib.Path(urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path))
            try:
                cases = list(ElementTree.parse(path).iter("testcase"))
            except (OSError, ElementTree.ParseError) as error:
                self.failed.append(f"{label} (its report cannot be read: {error})")
                continue
            for case in cases:
                self.add_case(label, case)
        if result.get("status") != "PASSED" and len(self.failed) == failed_before:
            self.failed.append(f"{label} ({result.get('status', 'no status').lower()})")


def summarize(lines):
    summary = Summary()
    last_attempt = {}
    broken = []
    tests = set()
    for line in lines:
        event = json.loads(line)
        identity = event["id"]
        if "testSize" in event.get("configured", {}):
            tests.add(identity["targetConfigured"]["label"])
        elif "testResult" in event:
            key = identity["testResult"]
            # A later attempt of a flaky test stands for the earlier ones.
            last_attempt[key["label"], key.get("run"), key.get("shard")] = event["testResult"]
        elif "completed" in event and not event["completed"].get("success"):
            label = identity["targetCompleted"]["label"]
            broken.append(f"{label} (does not build)")
        elif event.get("aborted", {}).get("reason") == "SKIPPED":
            summary.left_out += identity.get("targetCompleted", {}).get("label") in tests
        elif "aborted" in event and event["aborted"].get("reason") != "NO_BUILD":
            what = next((value["label"] for value in identity.values() if "label" in value), None)
            if what:
                broken.append(f"{what} ({event['aborted'].get('description', 'not run').splitlines()[0]})")
    for (label, _, _), result in last_attempt.items():
        summary.add_test(label, result)
    ran = {label for label, _, _ in last_attempt}
    # One fault can be reported for a target and again for its configurations and tests.
    for entry in dict.fromkeys(broken):
        label = entry.split(" ", 1)[0]
        if label not in ran:
            ran.add(label)
            summary.failed.append(entry)
    return summary


def main():
    events, status = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    summary = summarize(events.read_text().splitlines() if events.exists() else [])
    if status not in (0, 3, 4) and not summary.failed:
        summary.failed.append(f"the build (Bazel ended with {status}: see above)")
    print()
    for entry in summary.failed:
        print(f"FAILED: {entry}")
    if summary.skipped:
        print(f"{summary.skipped} skipped")
    if summary.left_out:
        print(f"{summary.left_out} test programs left out: they need what this interpreter does not have")
    elif not summary.passed and not summary.failed:
        print("No test was run; is that target or filter right?")
    print(f"{summary.passed} passed, {len(summary.failed)} failed")
    return 0 if summary.passed and not summary.failed and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
