"""The document, the graph and the table of the data benchmarks, without Tenure."""

import json
import marshal
import pickle
import sys
import tempfile
import time
import types
import unittest
import unittest.mock
from pathlib import Path

import bench_path  # noqa: F401  puts what follows on the path
import data
import data_document
from harness import child
from harness.context import SAMPLES
from harness.errors import BenchError, Skip

DOCUMENT = {"a": [{"b": 1}, [], "x"], "c": {}, "d": None, "e": {"f": [2.5, True]}}


def sample(script, *arguments):
    return child.run_json([sys.executable, "-P", str(SAMPLES / script), *map(str, arguments)], {})


class Document(unittest.TestCase):
    def test_paths_lead_to_scalars_and_are_the_same_each_time(self):
        paths = data_document.random_paths(DOCUMENT, 200, seed=3)
        self.assertEqual(paths, data_document.random_paths(DOCUMENT, 200, seed=3))
        self.assertNotEqual(paths, data_document.random_paths(DOCUMENT, 200, seed=4))
        wanted = {("a", 0, "b"), ("a", 2), ("d",), ("e", "f", 0), ("e", "f", 1)}
        self.assertEqual(set(paths), wanted)

    def test_packages_that_are_not_there(self):
        with (
            unittest.mock.patch.object(data_document, "ISO_CODES", Path("/nowhere")),
            self.assertRaisesRegex(BenchError, "iso-codes: install it"),
        ):
            data_document.join()
        with self.assertRaisesRegex(BenchError, "no model of the service absent|no botocore"):
            data_document._service("absent")

    def test_ways_find_the_same(self):
        paths = data_document.random_paths(DOCUMENT, 20, seed=1)
        with tempfile.TemporaryDirectory() as folder:
            found = set()
            (Path(folder) / "paths").write_bytes(marshal.dumps(paths))
            for way, module in (("json", json), ("marshal", marshal), ("pickle", pickle)):
                file = Path(folder) / way
                written = module.dumps(DOCUMENT)
                file.write_bytes(written.encode() if isinstance(written, str) else written)
                result = sample("data_document.py", way, file, Path(folder) / "paths")
                self.assertGreater(result["ms"], 0)
                found.add(result["found"])
            other = Path(folder) / "other"
            other.write_text(json.dumps({**DOCUMENT, "d": 5}))
            found.add(sample("data_document.py", "json", other, Path(folder) / "paths")["found"])
        self.assertEqual(len(found), 2)

    def test_relocated_image_does_not_count(self):
        data_document.is_prelinked({"prelinked": True})
        with self.assertRaisesRegex(BenchError, "relocated"):
            data_document.is_prelinked({"prelinked": False})

    def test_sides_that_find_something_else(self):
        answers = {"tenure": 1, "json": 2}

        def run_sample(script, way, *arguments, env):
            return {"found": answers[way], "prelinked": True, "ms": 1.0}

        ctx = types.SimpleNamespace(
            env=lambda **options: {},
            run_sample=run_sample,
            interleave=lambda what, sides, rounds: {name: [side(1)] for name, side in sides.items()},
        )
        with self.assertRaisesRegex(BenchError, "not what was found in the parsed"):
            data._measure(ctx, "x", "image", {"json": ("json", "file")})
        answers["json"] = 1
        self.assertEqual(len(data._measure(ctx, "x", "image", {"json": ("json", "file")})), 2)

    def test_peers_that_are_not_there(self):
        with (
            unittest.mock.patch.object(data, "_sides", lambda ctx: {"json": ("json", "file")}),
            self.assertRaisesRegex(Skip, "none of orjson, ujson"),
        ):
            data._ready(None, "data/ready/peers", ("orjson", "ujson"))


class Graph(unittest.TestCase):
    def run_sample(self, *arguments):
        return sample("data_graph.py", *arguments)

    def test_objects_of_a_record(self):
        source = (SAMPLES / "data_graph.py").read_text().partition("action, first, *rest")[0]
        module = {}
        exec(source, module)
        record = module["make_record"](5)
        seen, stack = set(), [record]
        while stack:
            value = stack.pop()
            seen.add(id(value))
            if isinstance(value, dict):
                stack.extend(value.values())  # the keys are constants that all records share
            elif isinstance(value, (list, tuple)):
                stack.extend(value)
        self.assertEqual(len(seen), module["OBJECTS_OF_A_RECORD"])
        other = module["make_record"](6)
        self.assertFalse({value for value in map(repr, record.values())} & set(map(repr, other.values())))
        self.assertEqual(len(module["make_graph"](1000)), 100)

    def test_growth_is_measured(self):
        result = self.run_sample("pickle", 200_000)
        self.assertEqual(result["objects"], 200_000)
        self.assertGreater(result["graph_kib"], 5000)
        self.assertGreater(result["growth_kib"], 2000)
        self.assertGreater(result["seconds"], 0)

    def test_clock_is_the_parents(self):
        before = time.perf_counter_ns()
        end = self.run_sample("hold-heap", 1000)["end_ns"]
        self.assertTrue(before < end < time.perf_counter_ns())


if __name__ == "__main__":
    unittest.main()
