"""Training runs: what the child process imports is reported, and nothing else."""

from __future__ import annotations

import importlib.machinery
import os
import signal
import sys
import unittest

from tenure._collect import Collector, Record, TrainingError, train

from helpers import FolderTest, environment


class TraceTest(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        known = dict(os.environ)
        self.addCleanup(os.environ.update, known)
        self.addCleanup(os.environ.clear)
        path = environment()["PYTHONPATH"]
        os.environ["PYTHONPATH"] = os.pathsep.join([str(self.folder), path])

    def train(self, code: str, *args: str, kind: str = "-c") -> list[Record]:
        records, end, _ = train(kind, code, args)
        self.assertIsNone(end)
        return records

    def names(self, records: list[Record]) -> list[str]:
        return [record.name for record in records]

    def test_import_order_and_records(self):
        self.write({"p/__init__.py": "import zz\n", "p/m.py": "", "zz.py": "", "aa.py": ""})
        records = self.train("import p.m, aa")
        self.assertEqual(self.names(records), ["zz", "p", "p.m", "aa"])
        package = records[1]
        self.assertEqual(package.kind, "source")
        self.assertEqual(package.origin, str(self.folder / "p" / "__init__.py"))
        self.assertEqual(package.is_package, True)
        self.assertEqual(os.path.dirname(package.cached), str(self.folder / "p" / "__pycache__"))
        collector = Collector()
        collector.add_traced(records)
        modules = collector.read()
        self.assertEqual([module.name for module in modules], ["zz", "p", "p.m", "aa"])
        self.assertEqual(modules[0].origin, str(self.folder / "zz.py"))

    def test_nothing_is_reported_of_a_program_that_imports_nothing(self):
        self.assertEqual(self.train("pass"), [])
        self.write({"empty.py": ""})
        self.assertEqual(self.train(str(self.folder / "empty.py"), kind=""), [])

    def test_program_sees_the_modules_it_would_see_without_us(self):
        program = (
            "import sys\nwith open(sys.argv[1], 'w') as file:\n"
            "    print(sorted(set(sys.modules) - {'atexit', 'linecache'}),\n"
            "          'linecache' in sys.modules and sys.argv[0] != '-c', sys.path,\n"
            "          sorted(globals()), sys.argv, file=file)\n"
        )
        self.write({"program.py": program})
        script, out = str(self.folder / "program.py"), str(self.folder / "out")
        for kind, target, command in (
            ("", script, [script]),
            ("-c", program, ["-c", program]),
            ("-m", "program", ["-m", "program"]),
        ):
            with self.subTest(kind):
                self.train(target, out, kind=kind)
                ours = (self.folder / "out").read_text()
                result = self.python(
                    *command, out, cwd=os.getcwd(), env={"PYTHONPATH": os.environ["PYTHONPATH"]}
                )
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(ours, (self.folder / "out").read_text())

    def test_module_as_a_program(self):
        self.write({"app/__init__.py": "", "app/__main__.py": "import helper\n", "helper.py": ""})
        records = self.train("app", kind="-m")
        self.assertEqual(self.names(records), ["app.__main__", "app", "helper"])
        self.assertEqual(records[0].origin, str(self.folder / "app" / "__main__.py"))

    def test_directory_as_a_program(self):
        self.write({"folder/__main__.py": "import beside\n", "folder/beside.py": ""})
        records = self.train(str(self.folder / "folder"), kind="")
        self.assertIn("beside", self.names(records))

    def test_relative_path_and_folder_of_the_script(self):
        self.write({"sub/s.py": "import near\n", "sub/near.py": ""})
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        records = self.train("./sub/../sub/s.py", kind="")
        self.assertEqual(self.names(records), ["near"])
        self.assertEqual(records[0].origin, str(self.folder / "sub" / "near.py"))

    def test_module_that_fails_at_import_is_not_reported(self):
        self.write({"broken.py": "import fine\nraise ValueError('no')\n", "fine.py": ""})
        code = "try:\n    import broken\nexcept ValueError:\n    pass\n"
        self.assertEqual(self.names(self.train(code)), ["fine"])

    def test_program_that_fails(self):
        self.write({"before.py": "", "after.py": ""})
        for code, status in (
            ("raise SystemExit(3)", 3),
            ("raise SystemExit(True)", 1),
            ("1 / 0", 1),
            ("raise BaseException", 1),
        ):
            with self.subTest(code):
                records, end, _ = train("-c", f"import sys, before\nsys.stderr = None\n{code}\n", [])
                self.assertEqual(end, f"ended with exit code {status}")
                self.assertEqual(self.names(records)[:1], ["before"])

    def test_program_that_exits_well(self):
        self.write({"before.py": ""})
        for code in ("raise SystemExit", "raise SystemExit(0)", "import sys; sys.exit()"):
            self.assertEqual(self.names(self.train(f"import before\n{code}")), ["before"])

    def test_program_that_leaves_without_exit_handlers(self):
        with self.assertRaisesRegex(TrainingError, "exit handlers.*not known"):
            train("-c", "import os; os._exit(0)", [])
        with self.assertRaisesRegex(TrainingError, "exit code 4.*not known"):
            train("-c", "import os; os._exit(4)", [])
        with self.assertRaisesRegex(TrainingError, f"signal {signal.SIGKILL}.*not known"):
            train("-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", [])

    def test_program_that_is_not_there(self):
        with self.assertRaisesRegex(TrainingError, "no such file"):
            train("", str(self.folder / "absent.py"), [])

    def test_imports_of_threads_and_exit_handlers(self):
        self.write({"late.py": "", "later.py": ""})
        code = (
            "import _thread, atexit, threading, time\n"
            "def late():\n    time.sleep(0.2)\n    import late\n"
            "def later():\n    import later\n"
            "threading.Thread(target=late).start()\natexit.register(later)\n"
        )
        self.assertEqual(self.names(self.train(code))[-2:], ["late", "later"])

    def test_thread_that_never_stops_importing(self):
        code = (
            "import sys, threading, time, types\n"
            "def work():\n"
            "    number = 0\n"
            "    while True:\n"
            "        sys.modules[f'made_{number % 1000}'] = types.ModuleType('made')\n"
            "        sys.modules.pop(f'made_{(number - 500) % 1000}', None)\n"
            "        number += 1\n"
            "threading.Thread(target=work, daemon=True).start()\ntime.sleep(0.1)\nimport late\n"
        )
        self.write({"late.py": ""})
        self.assertEqual(self.names(self.train(code))[-1:], ["late"])

    def test_forked_children_do_not_report(self):
        self.write({"parent.py": "", "child.py": ""})
        code = (
            "import os, sys\n"
            "if os.fork() == 0:\n    import child\n    sys.exit()\n"
            "os.wait()\nimport parent\n"
        )
        self.assertEqual(self.names(self.train(code)), ["parent"])

    def test_program_that_tampers_with_its_process(self):
        self.write({"m.py": ""})
        code = (
            "import builtins, os, m\nos.chdir('/')\nos.closerange(3, 100)\n"
            "builtins.open = builtins.ascii = None\nos.getpid = None\n"
        )
        self.assertEqual(self.names(self.train(code)), ["m"])

    def test_what_is_not_a_plain_import_is_left_out(self):
        self.write({"m.py": "", "renamed.py": "", "lazy.py": "open('was run', 'w')\n"})
        code = (
            "import os, sys, types, m\nimport renamed\n"
            "sys.modules['alias'] = sys.modules.pop('renamed')\n"
            "sys.modules['made'] = types.ModuleType('made')\n"
            "class Trap:\n"
            "    def __getattr__(self, name): raise RuntimeError(name)\n"
            "sys.modules['trap'] = Trap()\nos.chdir(sys.argv[1])\nsys.modules['nothing'] = None\n"
            "from importlib import util\nspec = util.find_spec('lazy')\n"
            "spec.loader = util.LazyLoader(spec.loader)\n"
            "lazy = util.module_from_spec(spec)\nsys.modules['lazy'] = lazy\n"
            "spec.loader.exec_module(lazy)\n"
        )
        records = {record.name: record.kind for record in self.train(code, str(self.folder))}
        self.assertEqual(records.pop("m"), "source")
        self.assertEqual(records.pop("lazy"), "source")
        self.assertFalse((self.folder / "was run").exists())
        for name in ("alias", "renamed", "made", "trap", "nothing"):
            self.assertNotIn(name, records)

    def test_loader_that_may_change_the_code_is_noted(self):
        self.write({"m.py": "", "n.py": ""})
        code = (
            "import sys\nfrom importlib import machinery, util\n"
            "class Same(machinery.SourceFileLoader): pass\n"
            "class Rewriting(machinery.SourceFileLoader):\n"
            "    def source_to_code(self, data, path, *rest, **options):\n"
            "        return super().source_to_code(b'x = 1', path, *rest, **options)\n"
            "def load(name, loader):\n"
            f"    path = {str(self.folder)!r} + '/' + name + '.py'\n"
            "    spec = util.spec_from_file_location(name, path, loader=loader(name, path))\n"
            "    module = sys.modules[name] = util.module_from_spec(spec)\n"
            "    spec.loader.exec_module(module)\n"
            "load('m', Same)\nload('n', Rewriting)\n"
        )
        records = {record.name: record for record in self.train(code)}
        self.assertEqual(records["m"].kind, "source")
        self.assertEqual(records["n"].kind, "other")
        collector = Collector()
        collector.add_traced([records["n"]])
        self.assertEqual(collector.read(), [])
        self.assertIn("__main__.Rewriting", collector.skipped[0].reason)
        self.assertFalse(collector.skipped[0].is_error)

    def test_extensions_and_namespaces_are_noted(self):
        self.write({"space/m.py": ""})
        suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
        records = self.train("import space.m, _json, sys, os")
        kinds = {record.name: record.kind for record in records}
        self.assertEqual(kinds["space"], "namespace")
        self.assertEqual(kinds["space.m"], "source")
        if "_json" not in sys.builtin_module_names:
            self.assertEqual(kinds["_json"], "extension")
            origin = next(record.origin for record in records if record.name == "_json")
            self.assertTrue(origin.endswith(suffix))
        self.assertNotIn("os", kinds)

    def test_odd_names_and_paths_come_through(self):
        folder = os.fsdecode(os.fsencode(self.folder) + b"/new\nline \xff \xc3\xa9")
        os.mkdir(folder)
        with open(folder + "/été.py", "w"):
            pass
        records = self.train("import sys; sys.path.append(sys.argv[1]); import été", folder)
        self.assertEqual(records[-1].name, "été")
        self.assertEqual(records[-1].origin, folder + "/été.py")

    def test_two_runs_with_modules_of_one_name(self):
        self.write({"a/config.py": "", "b/config.py": "", "s.py": ""})
        collector = Collector()
        for folder in ("a", "b"):
            collector.add_traced(
                self.train(
                    "import sys; sys.path.insert(0, sys.argv[1]); import config",
                    str(self.folder / folder),
                )
            )
        (module,) = collector.read()
        self.assertEqual(module.origin, str(self.folder / "a" / "config.py"))
        (skip,) = collector.skipped
        self.assertEqual(skip.path, str(self.folder / "b" / "config.py"))
        self.assertIn(module.origin, skip.reason)

    def test_child_has_the_flags_of_this_interpreter(self):
        self.write(
            {
                "show.py": "import sys, _imp\nprint(sys.flags, sys._xoptions, sys.warnoptions,"
                " _imp.check_hash_based_pycs, file=open(sys.argv[1], 'w'))\n",
                "parent.py": "import sys\nfrom tenure._collect import train\n"
                "import show\nsys.argv[1] += '.child'\ntrain('', sys.argv[2], sys.argv[1:2])\n",
            }
        )
        for flags in (
            ["-O"],
            ["-OO", "-B", "-s", "-X", "dev", "-X", "custom=1", "-X", "other"],
            ["-W", "error::UserWarning", "--check-hash-based-pycs", "always", "-b", "-q"],
            ["-X", "frozen_modules=off", "-X", "utf8=0", "-P"],
        ):
            with self.subTest(flags):
                path = os.environ["PYTHONPATH"]
                result = self.python(
                    *flags, "parent.py", "out", "show.py", env={"PYTHONPATH": path}
                )
                self.assertEqual(result.returncode, 0, result.stderr)
                ours = (self.folder / "out").read_text()
                self.assertEqual(ours, (self.folder / "out.child").read_text())

    def test_interrupt_ends_the_child(self):
        self.write(
            {
                "parent.py": "from tenure._collect import train\n"
                "train('-c', 'import os, signal, sys, time\\n"
                'open("child", "w").write(str(os.getpid()))\\n'
                "os.kill(os.getppid(), signal.SIGINT)\\ntime.sleep(300)', [])\n"
            }
        )
        result = self.python("parent.py")
        self.assertEqual(result.returncode, -signal.SIGINT, result.stderr)
        with self.assertRaises(ProcessLookupError):
            os.kill(int((self.folder / "child").read_text()), 0)


if __name__ == "__main__":
    unittest.main()
