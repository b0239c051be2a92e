"""Fresh processes, interleaving, .pyc files, smaps and instruction counts."""

import io
import json
import os
import py_compile
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import bench_path  # noqa: F401  puts what follows on the path
from harness import child, context, instructions, pyc, smaps
from harness.errors import BenchError, Skip
from harness.interleave import interleave
from harness.progress import Progress
from harness.waiting import waiting


def quiet():
    return Progress(io.StringIO())


def python(code):
    return [sys.executable, "-I", "-S", "-c", code]


class Child(unittest.TestCase):
    def test_output_and_time(self):
        wall, output = child.run(python("print('out')"), {})
        self.assertEqual(output, "out\n")
        self.assertGreater(wall, 0)

    def test_last_line_is_the_result(self):
        self.assertEqual(
            child.run_json(python("print('noise'); print('{\"x\": 1}')"), {}), {"x": 1}
        )
        with self.assertRaisesRegex(BenchError, "printed no result"):
            child.run_json(python("print('noise')"), {})

    def test_failure_says_how_and_why(self):
        with self.assertRaisesRegex(BenchError, r"exited with 3\n    the reason"):
            child.run(python("import sys; print('the reason', file=sys.stderr); sys.exit(3)"), {})
        with self.assertRaisesRegex(BenchError, "ended by SIGSEGV"):
            child.run(python("import os; os.kill(os.getpid(), 11)"), {})

    def test_what_hangs_is_ended(self):
        with self.assertRaisesRegex(BenchError, "ended by SIGKILL"):
            child.run(python("import time; time.sleep(60)"), {}, timeout=0.2)


class Waiting(unittest.TestCase):
    def test_all_live_at_once_and_are_let_go(self):
        with waiting(python("import sys; print(1, flush=True); sys.stdin.read()"), {}, 2) as pids:
            self.assertEqual(len(set(pids)), 2)
            for pid in pids:
                self.assertGreater(smaps.of_process(pid).resident, 0)
        for pid in pids:
            self.assertFalse(Path(f"/proc/{pid}").exists())

    def test_a_program_that_dies(self):
        with (
            self.assertRaisesRegex(BenchError, "exited with 5"),
            waiting(python("import sys; sys.exit(5)"), {}, 2),
        ):
            self.fail("came through")

    def test_a_program_that_fails_at_its_exit(self):
        code = "import sys; print(1, flush=True); sys.stdin.read(); sys.exit(6)"
        with self.assertRaisesRegex(BenchError, "exited with 6"), waiting(python(code), {}, 1):
            pass


class Interleave(unittest.TestCase):
    def test_every_round_has_every_side_in_a_seeded_order(self):
        def orders(seed):
            calls = []
            sides = {name: lambda s, name=name: calls.append((name, s)) for name in "ab"}
            options = {"rounds": 20, "warmup": 2, "progress": quiet(), "what": "x"}
            samples = interleave(sides, seed=seed, **options)
            self.assertEqual([len(samples["a"]), len(samples["b"])], [20, 20])
            return calls

        first = orders(1)
        self.assertEqual(first, orders(1))
        self.assertNotEqual(first, orders(2))
        rounds = [first[i : i + 2] for i in range(0, len(first), 2)]
        self.assertEqual(len(rounds), 22)
        for one, other in rounds:
            self.assertEqual({one[0], other[0]}, {"a", "b"})
            self.assertEqual(one[1], other[1], "one hash seed a round")
        self.assertEqual({one[0] for one, _ in rounds}, {"a", "b"}, "either may be first")


class Environment(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(unittest.mock.patch.object(context, "OUT", Path(folder)))

    def test_the_callers_settings_stay_out_and_tenure_is_on_one_side_only(self):
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "tenure"
            package.mkdir()
            (package / "__init__.py").touch()
            path = os.pathsep.join([folder, "/elsewhere"])
            changes = {"PYTHONPATH": path, "PYTHONOPTIMIZE": "2", "PYTHONHASHSEED": "0"}
            with (
                unittest.mock.patch.dict(os.environ, changes),
                unittest.mock.patch.object(context, "tenure_folder", lambda: Path(folder)),
                context.Context(quiet()) as ctx,
            ):
                with_image = ctx.env(tenure=True, hash_seed=5)
                without = ctx.env(tenure=False)
        self.assertEqual(without["PYTHONPATH"], "/elsewhere")
        self.assertEqual(with_image["PYTHONPATH"], os.pathsep.join(["/elsewhere", folder]))
        self.assertNotIn("PYTHONOPTIMIZE", with_image)
        self.assertEqual((with_image["PYTHONHASHSEED"], without["PYTHONHASHSEED"]), ("5", "random"))

    def test_a_rebuilt_package_is_noticed(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        module = folder / "tenure" / "__init__.py"
        module.parent.mkdir()
        module.touch()
        with (
            unittest.mock.patch.object(context, "tenure_folder", lambda: folder),
            context.Context(quiet()) as ctx,
        ):
            self.assertEqual(ctx.package_changed(), "")
            module.write_text("x = 1")
            self.assertIn("rebuilt", ctx.package_changed())

    def test_rounds(self):
        for options, rounds in (({}, 20), ({"quick": True}, 5), ({"runs": 7, "quick": True}, 7)):
            with context.Context(quiet(), **options) as ctx:
                self.assertEqual(ctx.rounds(20), rounds)
            self.assertFalse(ctx.folder.exists())

    def test_once_remembers_failures_too(self):
        made = []

        def fail():
            made.append(1)
            raise Skip("never")

        with context.Context(quiet()) as ctx:
            for _ in range(2):
                with self.assertRaises(Skip):
                    ctx.once("key", fail)
            self.assertEqual(ctx.once("other", lambda: 3), 3)
        self.assertEqual(made, [1])


class Pyc(unittest.TestCase):
    def test_what_the_interpreter_would_not_use_is_not_current(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        source, cached = folder / "m.py", folder / "m.pyc"
        source.write_text("x = 1\n")
        self.assertFalse(pyc.is_current(source, cached), "missing")
        py_compile.compile(str(source), str(cached))
        self.assertTrue(pyc.is_current(source, cached))

        good = cached.read_bytes()
        cached.write_bytes(b"\0\0\0\0" + good[4:])
        self.assertFalse(pyc.is_current(source, cached), "of another version")
        cached.write_bytes(good[:12])
        self.assertFalse(pyc.is_current(source, cached), "cut short")
        cached.write_bytes(good)
        source.write_text("x = 10\n")
        self.assertFalse(pyc.is_current(source, cached), "of another source")

        by_hash = py_compile.PycInvalidationMode.CHECKED_HASH
        py_compile.compile(str(source), str(cached), invalidation_mode=by_hash)
        self.assertTrue(pyc.is_current(source, cached))
        source.write_text("x = 11\n")
        self.assertFalse(pyc.is_current(source, cached), "of another source, by hash")


SMAPS = """\
700000000000-700000003000 r--p 00000000 08:01 77                         /images/x y.tenure
Size:                 12 kB
KernelPageSize:        4 kB
Rss:                   8 kB
Pss:                   4 kB
Shared_Clean:          8 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         0 kB
Anonymous:             0 kB
VmFlags: rd mr mw me sd
700000003000-700000005000 rw-p 00003000 08:01 77                         /images/x y.tenure
Size:                  8 kB
Rss:                   8 kB
Shared_Clean:          0 kB
Private_Clean:         4 kB
Private_Dirty:         4 kB
Anonymous:             4 kB
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
Size:                132 kB
Rss:                  20 kB
Private_Dirty:        20 kB
Anonymous:            20 kB
"""


class Smaps(unittest.TestCase):
    def test_mappings_of_one_file(self):
        pages = smaps.parse(SMAPS.splitlines(), "/images/x y.tenure")
        self.assertEqual(pages, smaps.Pages(20, 16, 8, 4, 4, 4))

    def test_whole_process(self):
        self.assertEqual(smaps.parse(SMAPS.splitlines()).private_dirty, 24)

    def test_no_such_mapping(self):
        self.assertEqual(smaps.parse(SMAPS.splitlines(), "/images/other"), smaps.Pages())


class Instructions(unittest.TestCase):
    def test_reports(self):
        log = "==1== Cachegrind\n==1== I refs:        35,626,065\n"
        self.assertEqual(instructions.valgrind_count(log), 35_626_065)
        self.assertIsNone(instructions.valgrind_count("==1== Killed"))
        line = "12345,,instructions:u,100,100.00,,\n"
        self.assertEqual(instructions.perf_count(line), 12345)
        self.assertIsNone(instructions.perf_count("<not supported>,,instructions:u,0,100.00,,\n"))


class Samples(unittest.TestCase):
    def test_imports_from_pyc_files(self):
        argv = context.python_argv(context.SAMPLES / "import_modules.py", "-", "json", "csv")
        result = child.run_json(argv, {})
        self.assertGreater(result["ms"], 0)
        self.assertGreaterEqual(result["sources"], 2)
        self.assertEqual(result["image"], 0)

    def test_list_of_modules(self):
        argv = context.python_argv(context.SAMPLES / "list_modules.py", "import", "json")
        names = {name for name, _, _ in child.run_json(argv, {})["modules"]}
        self.assertLessEqual({"json", "json.decoder"}, names)

    def test_unmarshalling(self):
        import marshal

        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        blobs = [marshal.dumps(compile("x = 1", "m", "exec"))] * 3
        (folder / "b").write_bytes(marshal.dumps(blobs))
        argv = context.python_argv(context.SAMPLES / "load_code.py", "marshal", folder / "b")
        self.assertEqual(child.run_json(argv, {})["modules"], 3)

    def test_loops_give_the_same_every_time(self):
        for path in sorted((bench_path.BENCH / "steady_pkg").glob("[a-z]*.py")):
            name = f"steady_pkg.{path.stem}"
            argv = context.python_argv(context.SAMPLES / "steady.py", "-", name, 20, 2)
            env = {"PYTHONPATH": str(bench_path.BENCH), "PYTHONDONTWRITEBYTECODE": "1"}
            result = child.run_json(argv, env)
            self.assertFalse(result["image"])
            self.assertGreater(result["ns"], 0)
            self.assertTrue(json.dumps(result))


if __name__ == "__main__":
    unittest.main()
