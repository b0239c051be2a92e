"""`tenure run` against the interpreter itself: the same program must not see a difference."""

from __future__ import annotations

import importlib.util
import marshal
import os
import signal
import subprocess
import sys
import unittest
import zipfile

from helpers import FolderTest, environment

# Tells all a program can see of how it was started. What differs by nature is left out: addresses,
# and on 3.13 and 3.14 the finder that the image adds.
PROBE = """
import sys
import probed
def clean(value):
    return type(value).__name__ if '0x' in repr(value) else value
print(sys.argv, sys.path, __name__)
print(sorted((name, clean(value)) for name, value in list(globals().items())
             if name not in ('__builtins__', 'probed', 'sys', 'clean', '__loader__', '__spec__')))
print(sorted(name for name in sys.modules if name.startswith('tenure.') or name == 'argparse'))
print(__import__('__main__').__dict__ is globals(), type(__builtins__).__name__)
print(__spec__ and (__spec__.name, __spec__.origin, __spec__.cached, __spec__.parent))
"""


class RunTest(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        self.write({"probed.py": ""})

    def image(self, *names: str) -> str:
        return str(self.freeze("probed", *names))

    def both(self, *command: object, image: str | None = None, **options: object):
        """Runs a program with and without us; they must do the same."""
        usual = self.python(*command, **options)
        ours = self.tenure("run", image or self.image(), *command, **options)
        self.assertEqual(usual.returncode, ours.returncode, ours.stderr)
        self.assertEqual(usual.stderr, ours.stderr)
        modules = "['tenure._run', 'tenure._tenure']"
        self.assertEqual(usual.stdout, ours.stdout.replace(modules, "[]"))
        return ours

    def test_module(self):
        self.write({"app/__init__.py": "", "app/tool.py": PROBE, "app/__main__.py": PROBE})
        image = self.image("app")
        for command in (["-m", "app.tool", "a", "-b", "--", "c"], ["-m", "app"]):
            with self.subTest(command):
                result = self.both(*command, image=image)
                self.assertIn("probed", result.stdout + "probed")
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_module_that_is_not_frozen(self):
        self.write({"other.py": PROBE})
        self.assertEqual(self.both("-m", "other", "x").returncode, 0)

    def test_script(self):
        self.write({"sub/app.py": PROBE, "sub/probed.py": ""})
        os.symlink("sub/app.py", self.folder / "link.py")
        image = self.image()
        for script in ("sub/app.py", "./sub/../sub/app.py", self.folder / "sub/app.py", "link.py"):
            with self.subTest(script):
                result = self.both(script, "a", "-m", "-c", image=image)
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_code(self):
        result = self.both("-c", PROBE, "a", "-c")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_folder_and_zip_archive(self):
        self.write({"program/__main__.py": PROBE, "program/probed.py": ""})
        with zipfile.ZipFile(self.folder / "program.zip", "w") as file:
            file.writestr("__main__.py", PROBE)
            file.writestr("probed.py", "")
        image = self.image()
        for program in ("program", "./program", self.folder / "program", "program.zip"):
            with self.subTest(program):
                result = self.both(program, "x", image=image)
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_compiled_script(self):
        code = compile("import sys\nprint(sys.argv, __name__)\n", "gone.py", "exec")
        data = importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code)
        self.write({"script.pyc": data})
        self.assertIn("__main__", self.both("script.pyc", "x").stdout)

    def test_without_the_unsafe_path(self):
        self.write({"app.py": "import sys\nprint(sys.path, sys.argv)\n"})
        image, env = self.image(), {"PYTHONSAFEPATH": "1"}
        for command in (["app.py", "x"], ["-c", "import sys; print(sys.path)"], ["-m", "json"]):
            with self.subTest(command):
                self.both(*command, image=image, env=env)

    def test_exit_codes(self):
        image = self.image()
        for ending, status in (
            ("pass", 0),
            ("sys.exit()", 0),
            ("sys.exit(7)", 7),
            ("sys.exit('a message')", 1),
            ("raise SystemExit(True)", 1),
            ("sys.exit(2.5)", 1),
            ("import os; os._exit(9)", 9),
            ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ):
            self.write({"app.py": f"import sys\n{ending}\n"})
            for command in (["app.py"], ["-m", "app"], ["-c", f"import sys\n{ending}"]):
                with self.subTest(ending=ending, command=command[0]):
                    self.assertEqual(self.both(*command, image=image).returncode, status)

    def test_tracebacks(self):
        self.write(
            {
                "deep.py": "def fail(x):\n    return 1 / x  # the line that fails\n",
                "app.py": "import deep\ntry:\n    deep.fail(0)\n"
                "except ArithmeticError as error:\n    raise ValueError('no') from error\n",
                "group.py": "raise ExceptionGroup('g', [ValueError(1), KeyError(2)])\n",
                "syntax.py": "x = 1\nif x:\ny = 2\n",
                "hooked.py": "import sys\nsys.excepthook = lambda *a: print('hook', a[1], "
                "a[2].tb_frame.f_code.co_name, a[2] is a[1].__traceback__)\n1 / 0\n",
                "late.py": "import atexit, sys\n"
                "atexit.register(lambda: print(sys.last_value, sys.last_traceback.tb_lineno))\n"
                "1 / 0\n",
                "odd.py": "class Odd(BaseException): pass\nraise Odd('odd')\n",
            }
        )
        image = self.image("deep", "app")
        for name in ("app", "group", "syntax", "hooked", "late", "odd"):
            for command in ([f"{name}.py"], ["-m", name]):
                with self.subTest(command):
                    result = self.both(*command, image=image)
                    self.assertEqual(result.returncode, 1)
                    if name == "app":
                        self.assertIn("# the line that fails", result.stderr)
        result = self.both("-c", "def f():\n    1 / 0\nf()", image=image)
        self.assertIn("ZeroDivisionError", result.stderr)

    def test_interrupt(self):
        self.write({"app.py": "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"})
        for command in (["app.py"], ["-m", "app"]):
            with self.subTest(command):
                result = self.both(*command)
                self.assertEqual(result.returncode, -signal.SIGINT)
                self.assertIn("KeyboardInterrupt", result.stderr)

    def test_exit_handlers_and_output_at_the_end(self):
        self.write(
            {
                "app.py": "import atexit, threading, time\natexit.register(print, 'exit')\n"
                "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\n"
                "class Last:\n    def __del__(self): print('del')\nlast = Last()\nprint('end')\n"
            }
        )
        result = self.both("app.py")
        self.assertEqual(result.stdout.split(), ["end", "thread", "exit", "del"])

    def test_program_uses_the_image(self):
        self.write({"shown.py": "x = 'as frozen'\n", "app.py": "import shown\nprint(shown.x)\n"})
        image = self.image("shown")
        self.write({"shown.py": "x = 'changed'\n"})
        self.assertEqual(self.tenure("run", image, "app.py").stdout, "as frozen\n")
        self.assertEqual(self.python("app.py").stdout, "changed\n")

    def test_programs_that_are_not_there(self):
        image = self.image()
        for command in (["-m", "absent"], ["-m", "absent.sub"], ["-m", "probed.sub"]):
            with self.subTest(command):
                self.assertEqual(self.both(*command, image=image).returncode, 1)
        result = self.tenure("run", image, "absent.py")
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, r"^tenure: can't open file '.*absent\.py': .*\n$")

    def test_wrong_usage(self):
        image = self.image()
        for arguments, status in (
            (["run"], 2),
            (["run", image], 2),
            (["run", image, "-m"], 2),
            (["run", image, "-c"], 2),
            (["run", image, "-x", "app.py"], 2),
            (["run", "absent.tenure", "-c", "pass"], 1),
            (["run", str(self.folder), "-c", "pass"], 1),
        ):
            with self.subTest(arguments):
                result = self.tenure(*arguments)
                self.assertEqual(result.returncode, status, result.stderr)
                self.assertNotIn("Traceback", result.stderr)
                self.assertNotEqual(result.stderr, "")
        self.assertEqual(self.tenure("run", "--help").returncode, 0)

    def test_image_that_is_damaged(self):
        self.write({"bad.tenure": b"not an image at all" * 1000})
        result = self.tenure("run", "bad.tenure", "-c", "print('was run')")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, r"^tenure: .*bad\.tenure.*\n$")

    def test_standard_input_is_the_programs(self):
        code = "import sys; print(sys.stdin.read().upper())"
        result = subprocess.run(
            [sys.executable, "-m", "tenure", "run", self.image(), "-c", code],
            input="text",
            capture_output=True,
            text=True,
            env=environment(),
            cwd=self.folder,
            timeout=60,
        )
        self.assertEqual(result.stdout, "TEXT\n")

    def test_little_is_imported_on_the_way(self):
        self.write({"shown.py": "import sys\nprint(*sys.modules)\n"})
        usual = set(self.python("-m", "shown").stdout.split())
        ours = set(self.tenure("run", self.image(), "-m", "shown").stdout.split())
        self.assertEqual(ours - usual, {"tenure", "tenure._run", "tenure._tenure"})


if __name__ == "__main__":
    unittest.main()
