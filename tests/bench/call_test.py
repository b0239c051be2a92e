"""The subjects call, call_compile and handles: from what their programs say to rows."""

import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

from measured import Measured  # first: puts what follows on the path
import bench_path
import call
import call_compile
import handles
from harness import binding_source, child, context, instructions, programs, schema
from harness.errors import BenchError


class Call(Measured):
    NS = {"call_tenure": 12.0, "call_c": 12.0, "call_pyo3": 22.0}

    def setUp(self):
        super().setUp()
        self.enterContext(unittest.mock.patch.object(self.ctx, "run_sample", self.run_sample))
        self.enterContext(unittest.mock.patch.object(instructions, "count", self.count))
        self.enterContext(unittest.mock.patch.object(instructions, "counter", lambda: "counter"))
        self.calls = []

    def run_sample(self, script, module, mode, iterations, chunks, seed, *, env):
        self.assertEqual((script, mode), ("call.py", "time"))
        self.assertIn(str(programs.folder()), env["PYTHONPATH"])
        self.calls.append(module)
        kinds = [*call.KINDS, "construct-pooled", "one-o", "one-fastcall", "one-keywords"]
        ns = dict.fromkeys(kinds, self.NS.get(module, 32.0))
        version = None if module == "call_c" else f"{module.removeprefix('call_')} 9"
        return {"version": version, "ns": {**ns, "empty": 2.0}}

    def count(self, argv, env):
        module, mode, iterations, chunks, kind = argv[-5:]
        self.assertEqual((mode, argv[1]), ("count", "-S"))
        self.calls.append((module, kind))
        each = {"empty": 10, "one": {"call_tenure": 101, "call_c": 100}.get(module, 210)}[kind]
        return 5_000_000 + each * int(iterations) * int(chunks)

    def test_times_are_less_the_empty_loop(self):
        row, _ = self.measure("call/one")
        self.assertEqual((row.tenure, row.unit, row.n), (10.0, "ns", 3))
        self.assertEqual(row.peers[f"C API, {self.ctx.python}"], 10.0)
        self.assertEqual(row.speedup[f"pyo3 9, {self.ctx.python}"], 2.0)
        self.assertEqual(len(row.peers), 5)

    def test_all_times_are_of_the_same_rounds(self):
        for name in ("call/construct", "call/method/than-bindings", "call/convention/one"):
            self.measure(name)
        rounds = 3 + 2
        self.assertEqual(len(self.calls), 6 * rounds)

    def test_other_bindings_are_without_c(self):
        row, target = self.measure("call/construct/than-bindings")
        self.assertEqual(len(row.peers), 4)
        self.assertIn("holds", target.verdict(row))

    def test_instructions_are_of_one_call(self):
        row, target = self.measure("call/one/instructions")
        self.assertEqual((row.tenure, row.peers[f"C API, {self.ctx.python}"]), (91.0, 90.0))
        self.assertIn("holds", target.verdict(row))
        counted = [each for each in self.calls if isinstance(each, tuple)]
        self.assertEqual(len(counted), 6 * 2 + 1, "a base of each side, and the empty loop's")

    def test_conventions_and_pools_have_labels(self):
        row, _ = self.measure("call/convention/one")
        self.assertIn(f"METH_O, {self.ctx.python}", row.peers)
        row, _ = self.measure("call/construct/pooled")
        self.assertEqual(list(row.peers), [f"cython 9, {self.ctx.python}, freelist"])


class Script(unittest.TestCase):
    """bench/samples/call.py, with a module in Python in place of a binding."""

    MODULE = """
version = "Python"

def nothing(): pass
def one(x, /): pass
def three(x, y, z): pass

def number(value):
    if isinstance(value, str): raise TypeError
    return float(value)

def add(x, y, z): return number(x) + number(y) + number(z)

class Vector:
    def __init__(self, x, y): self.x, self.y = number(x), number(y)
    def length2(self):
        if not isinstance(self, Vector): raise TypeError
        return self.x * self.x + self.y * self.y
    def scale(self, f):
        self.x *= number(f)
        self.y *= number(f)
"""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def run_script(self, text, *args):
        (self.folder / "binding.py").write_text(text)
        argv = context.python_argv(context.SAMPLES / "call.py", "binding", *args)
        return child.run_json(argv, {"PYTHONPATH": str(self.folder)})

    def test_every_kind_that_the_module_has_is_measured(self):
        result = self.run_script(self.MODULE, "time", 20, 2, 1)
        self.assertEqual(result["version"], "Python")
        self.assertEqual(set(result["ns"]), {"empty", *call.KINDS})
        self.assertTrue(all(ns > 0 for ns in result["ns"].values()))

    def test_counting_prints_nothing(self):
        (self.folder / "binding.py").write_text(self.MODULE)
        arguments = ("binding", "count", 20, 2, "construct")
        argv = context.python_argv("-S", context.SAMPLES / "call.py", *arguments)
        env = {"PYTHONPATH": str(self.folder)}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "")

    def test_a_side_that_does_less_is_no_measurement(self):
        lax = self.MODULE.replace("def nothing()", "def nothing(*_)")
        with self.assertRaisesRegex(BenchError, "binding does not do what it is to do"):
            self.run_script(lax, "time", 20, 2, 1)


class Handles(Measured):
    def test_instructions_are_those_of_an_iteration(self):
        row = schema.make_row(
            "handles/len", "ns", "lower", self.ctx.python, [2], {"C API": [2], "x 1.2": [3]}, "m"
        )
        seen = []

        def count(argv, env):
            _, library, name, batches = argv
            self.assertEqual(library, str(programs.pyo3("handles")))
            seen.append(name)
            return 1_000_000 + (30 if name == "len@x 1.2" else 20) * 1000 * int(batches)

        with (
            unittest.mock.patch.object(handles, "_rows", lambda ctx: {row.name: row}),
            unittest.mock.patch.object(instructions, "count", count),
            unittest.mock.patch.object(instructions, "counter", lambda: "counter"),
        ):
            made, target = self.measure("handles/len/instructions")
        self.assertEqual((made.tenure, dict(made.peers)), (20.0, {"C API": 20.0, "x 1.2": 30.0}))
        self.assertIn("holds", target.verdict(made))
        self.assertEqual(set(seen), {"len", "len@C API", "len@x 1.2"})

    def test_growth_of_temporaries(self):
        def run_json(argv, env):
            own = argv[1] == "tenure"
            resident = [1024, 1024, 1024] if own else [1024, 2048, 3072]
            return {"label": "" if own else "PyO3 9", "resident": resident}

        with unittest.mock.patch.object(child, "run_json", run_json):
            row, target = self.measure("handles/temporaries")
        self.assertEqual(list(row.peers.values()), [2.0])
        self.assertIn("holds", target.verdict(row))


class Generated(unittest.TestCase):
    def test_the_same_every_time_and_all_of_it(self):
        for library in ("tenure", "nanobind", "pybind11"):
            text = binding_source.source(library)
            self.assertEqual(text, binding_source.source(library))
            for number in (1, binding_source.FUNCTIONS):
                self.assertIn(f'"function{number}"', text)
            self.assertIn(f'"Class{binding_source.CLASSES}"', text)
            empty = binding_source.source(library, empty=True)
            self.assertNotIn("Class", empty)
            self.assertLess(len(empty), 400)

    def test_every_library_is_given_the_same_code(self):
        def defined(library):
            text = binding_source.source(library)
            return text[text.index("namespace {") : text.index("}  // namespace")]

        self.assertEqual(defined("tenure"), defined("nanobind"))
        self.assertEqual(defined("tenure"), defined("pybind11"))

    def test_no_two_bodies_are_the_same(self):
        bodies = [f.body for f in binding_source.functions(binding_source.FUNCTIONS, "f")]
        self.assertEqual(len(bodies), len(set(bodies)))


class Compile(Measured):
    def test_rows(self):
        sizes = {"tenure": (3072, 1024), "nanobind": (5120, 2048), "pybind11": (9216, 1024)}
        times = {"tenure": [1.0] * 3, "nanobind": [2.0] * 3, "pybind11": [8.0] * 3}
        versions = {"nanobind": "nanobind 9", "pybind11": "pybind11 9"}
        with (
            unittest.mock.patch.object(call_compile, "_sizes", lambda ctx: sizes),
            unittest.mock.patch.object(call_compile, "_times", lambda ctx: times),
            unittest.mock.patch.object(call_compile, "_versions", lambda ctx: versions),
            unittest.mock.patch.object(call_compile, "_compiler", lambda: "g++ 9"),
        ):
            row, _ = self.measure("call/compile")
            self.assertEqual((row.tenure, sorted(row.speedup.values())), (1.0, [2.0, 8.0]))
            row, _ = self.measure("call/compile/size")
            self.assertIn("tenure 1, nanobind 2, pybind11 1", row.method)
            row, _ = self.measure("call/compile/size-of-bindings")
            self.assertEqual((row.tenure, sorted(row.peers.values())), (2.0, [3.0, 8.0]))


class Subjects(unittest.TestCase):
    def test_every_kind_is_in_the_script(self):
        script = (bench_path.BENCH / "samples" / "call.py").read_text()
        kinds = [*call.KINDS, *(k for kinds in call.CONVENTIONS.values() for k in kinds.values())]
        for kind in kinds:
            self.assertIn(f'"{kind}": (', script)
        self.assertEqual(sys.modules["call"], call)


if __name__ == "__main__":
    unittest.main()
