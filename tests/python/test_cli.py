"""`python3 -m tenure freeze`, `inspect` and `verify`: what they do, and how they say no."""

from __future__ import annotations

import json
import os
import py_compile
import resource
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from types import CodeType

from tenure import _tenure

from helpers import FolderTest, environment


class CommandTest(FolderTest):
    def refused(self, *arguments: object, status: int = 1, says: str, **options: object) -> str:
        """Runs a command that must fail with one clear message; returns it."""
        result = self.tenure(*arguments, **options)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        self.assertNotIn("Traceback (most recent call last)", result.stderr)
        self.assertRegex(result.stderr, says)
        return result.stderr


class FreezeTest(CommandTest):
    def test_package(self):
        self.write({"p/__init__.py": "", "p/m.py": "x = 1\n"})
        result = self.tenure("freeze", "p", "-o", "out.tenure")
        self.assertEqual(result.returncode, 0, result.stderr)
        size = (self.folder / "out.tenure").stat().st_size
        self.assertRegex(
            result.stdout,
            rf"^out\.tenure: 2 modules frozen, 0 skipped, {size:,} bytes, \d+\.\d s\n$",
        )
        self.assertEqual(_tenure.load(self.folder / "out.tenure").modules, ("p", "p.m"))
        self.assertNotRegex(self.tenure("inspect", "out.tenure").stdout, "(?m)^roots")

    def test_image_cannot_be_linked_in(self):
        self.write({"m.py": "x = 1\n"})
        self.freeze("m")
        self.refused(
            *["embed", "image.tenure", "--name", "m"],
            says="holds modules, and only data can be linked in",
        )
        self.assertEqual(self.files(), {"m.py", "image.tenure"})

    def test_training_runs_and_packages_together(self):
        self.write(
            {
                "s.py": "import a, sys\nprint('out of s', sys.argv[1:])\n",
                "a.py": "",
                "b.py": "",
                "c.py": "",
                "m.py": "import c\n",
            }
        )
        command = ["freeze", "--trace", "s.py", "-c", "import b", "-m", "m", "a"]
        result = self.tenure(*command, "-o", "image.tenure", "--", "-x", "--", "y")
        self.assertEqual(result.returncode, 0, result.stderr)
        image = _tenure.load(self.folder / "image.tenure")
        self.assertEqual(image.modules, ("a", "b", "c", "m"))
        self.assertIn("running s.py to see what it imports\n", result.stderr)
        self.assertIn("out of s ['-x', '--', 'y']", result.stderr)
        self.assertNotIn("out of s", result.stdout)

    def test_program_that_loads_an_image_itself(self):
        self.write({"m.py": "x = 1\n", "new.py": ""})
        image = self.freeze("m")
        self.write({"m.py": "x = 22\n"})
        code = "import tenure; tenure.load('image.tenure'); import m, new; print(m.x)"
        result = self.tenure("freeze", "-c", code, "-o", "again")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(_tenure.load(self.folder / "again").modules, ("m", "new"))
        self.assertIn("\n1\n", result.stderr)
        result = self.tenure("run", "again", "-c", "import m; print(m.x)")
        self.assertEqual(result.stdout, "22\n")
        self.assertTrue(image.exists())

    def test_skipped_modules_are_listed_with_their_reasons(self):
        self.write({"p/__init__.py": "", "p/bad.py": "(\n", "space/m.py": ""})
        names = ["p", "space", "zipimport", "_frozen_importlib"]
        result = self.tenure("freeze", *names, "--errors", "skip", "-o", "i.tenure")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        path = self.folder / "p" / "bad.py"
        self.assertRegex(lines[0], rf"^skipped p\.bad \({path}\): syntax error in line 1: ")
        self.assertRegex(lines[1], r"^skipped space: namespace package")
        self.assertRegex(lines[2], r"^skipped zipimport, _frozen_importlib: frozen into ")
        self.assertRegex(lines[3], r"^i\.tenure: 2 modules frozen, 4 skipped, ")

    def test_stops_at_the_first_error(self):
        self.write({"p/__init__.py": "", "p/bad.py": "(\n", "i.tenure": "as it was"})
        message = self.refused("freeze", "p", "-o", "i.tenure", says="p.bad .*syntax error")
        self.assertIn("--errors skip", message)
        self.refused("freeze", "absent", "-o", "i.tenure", says="no module absent")
        self.assertEqual((self.folder / "i.tenure").read_text(), "as it was")

    def test_training_run_that_fails(self):
        self.write({"a.py": "", "s.py": "import a\nraise SystemExit(5)\n"})
        self.write({"t.py": "import a\n1/0\n"})
        for script, end, text in (
            ("s.py", "exit code 5", ""),
            ("t.py", "exit code 1", "ZeroDivisionError"),
        ):
            result = self.tenure("freeze", "--trace", script, "-o", "i")
            self.assertEqual(result.returncode, 1)
            self.assertIn(text, result.stderr)
            self.assertRegex(result.stderr, rf"tenure: .* {end}\n.*--errors skip.*\n$")
            self.assertFalse((self.folder / "i").exists())
            result = self.tenure("freeze", "--trace", script, "-o", "i", "--errors", "skip")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn(end, result.stderr)
            self.assertIn("a", _tenure.inspect(self.folder / "i")["modules"][0]["name"])
            os.unlink(self.folder / "i")

    def test_same_input_gives_the_same_bytes(self):
        self.write(
            {
                "p/__init__.py": "class A:\n    class B:\n        x = {'a', 'b', 'c'}\n",
                "p/m.py": "def f(x):\n    return x in {'a', 'b', 2.5, (1, 'b')}, 'no name', b'b'\n",
                "t.py": "import p.m, json, difflib\n",
            }
        )
        images = []
        for seed in ("1", "2", "3"):
            image = self.freeze("p", "--trace", "t.py", env={"PYTHONHASHSEED": seed})
            images.append(image.read_bytes())
        self.assertEqual(images[0], images[1])
        self.assertEqual(images[0], images[2])

    def test_same_bytes_from_bytecode_and_from_source(self):
        source = "class A:\n    class B:\n        def f(x):\n            return x in {'a', 'b'}\n"
        self.write({"m.py": source})
        from_source = self.freeze("m").read_bytes()
        # Whether the compiler interns the constant 'A.B' depends on what else lives in the process.
        for before in ("pass", "names = [sys.intern('A' + '.B'), sys.intern('A.B' + '.f')]"):
            code = f"import py_compile, sys\n{before}\npy_compile.compile('m.py', doraise=True)\n"
            self.assertEqual(self.python("-c", code).returncode, 0)
            self.assertEqual(self.freeze("m").read_bytes(), from_source, before)

    def test_freezing_writes_nothing_but_the_image(self):
        self.write({"p/__init__.py": "", "p/m.py": ""})
        before = self.files()
        self.freeze("p", env={"PYTHONDONTWRITEBYTECODE": ""})
        self.assertEqual(self.files() - before, {"image.tenure"})

    def test_optimised(self):
        self.write({"m.py": '"""Doc."""\nassert False\ndef f():\n    """Doc."""\n'})
        result = self.python("-OO", "-m", "tenure", "freeze", "m", "-o", "i.tenure")
        self.assertEqual(result.returncode, 0, result.stderr)
        code = "import m; print(m.__doc__, m.f.__doc__, m.__spec__.cached)"
        result = self.python("-OO", "-m", "tenure", "run", "i.tenure", "-c", code)
        self.assertRegex(result.stdout, r"^None None .*opt-2.*\.pyc\n$", result.stderr)

    def test_output_elsewhere(self):
        self.write({"m.py": "", "out/readme": ""})
        for path in ("out/a.tenure", "./out/../out/b.tenure", self.folder / "out" / "é ü.tenure"):
            result = self.tenure("freeze", "m", "-o", path)
            self.assertEqual(result.returncode, 0, result.stderr)
        names = {"a.tenure", "b.tenure", "é ü.tenure", "readme"}
        self.assertEqual(set(os.listdir(self.folder / "out")), names)

    def test_output_that_cannot_be(self):
        self.write({"m.py": "", "folder/x": "", "file": ""})
        marker = "import pathlib; pathlib.Path('was-run').touch()"
        for path, says in (
            ("absent/i.tenure", "no folder .*absent"),
            ("folder", "is a folder"),
            ("file/i.tenure", "no folder .*file"),
        ):
            with self.subTest(path):
                self.refused("freeze", "m", "-c", marker, "-o", path, says=says)
        self.assertFalse((self.folder / "was-run").exists())  # known before any work

    @staticmethod
    def limit_file_size() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    def test_output_that_cannot_be_finished(self):
        self.write({"m.py": "", "i.tenure": "as it was"})
        before = self.files()
        # As on a full disk: the write that goes past the limit fails.
        self.refused(
            "freeze",
            "json",
            "-o",
            "i.tenure",
            says=r"^(.*\n)*tenure: cannot write i\.tenure: File too large\n$",
            preexec_fn=self.limit_file_size,
        )
        self.assertEqual(self.files(), before)
        self.assertEqual((self.folder / "i.tenure").read_text(), "as it was")

    def test_existing_image_in_use_is_replaced_not_changed(self):
        self.write({"m.py": "x = 1\n", "n.py": "import m\nprint(m.x)\n"})
        image = self.freeze("m")
        with open(image, "rb") as old:
            self.write({"m.py": "x = 2\n"})
            self.freeze("m")
            old.seek(0)
            before = old.read()
        self.assertNotEqual(before, image.read_bytes())
        self.assertEqual(self.tenure("run", image, "n.py").stdout, "2\n")

    def test_nothing_to_freeze(self):
        self.refused("freeze", "sys", "-o", "i", says="nothing to freeze")
        self.refused("freeze", "-c", "pass", "-o", "i", says="nothing to freeze")
        self.refused("freeze", "-o", "i", says="say what to freeze")
        self.assertFalse((self.folder / "i").exists())

    def test_wrong_usage(self):
        for arguments in (
            [],
            ["thaw"],
            ["freeze", "json"],
            ["freeze", "json", "-o"],
            ["freeze", "json", "-o", "i", "--errors", "maybe"],
            ["freeze", "--trace", "-o", "i"],
            ["inspect"],
            ["verify", "a", "b"],
        ):
            with self.subTest(arguments):
                self.refused(*arguments, status=2, says="^usage: ")
        self.assertEqual(self.tenure("--help").returncode, 0)
        self.assertRegex(self.tenure("--version").stdout, r"^tenure \d+\.\d+\.\d+\n$")

    def interrupted(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Sends an interrupt to the freezer as soon as the file `now` exists."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tenure", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            cwd=self.folder,
        )
        limit = time.monotonic() + 60
        while not (self.folder / "now").exists() and time.monotonic() < limit:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def test_interrupt_in_a_training_run(self):
        self.write({"s.py": "import time\nopen('now', 'w')\ntime.sleep(300)\n", "i": "as it was"})
        before = self.files()
        result = self.interrupted("freeze", "--trace", "s.py", "-o", "i")
        self.assertEqual(result.returncode, 130, result.stderr)
        self.assertTrue(result.stderr.endswith("tenure: interrupted; nothing was written\n"))
        self.assertEqual(self.files() - before, {"now"})
        self.assertEqual((self.folder / "i").read_text(), "as it was")

    def test_progress_on_a_terminal(self):
        self.write({"m.py": ""})
        leader, follower = os.openpty()
        result = subprocess.run(
            [sys.executable, "-m", "tenure", "freeze", "m", "-o", "i"],
            stderr=follower,
            stdout=subprocess.PIPE,
            env=environment(TERM="xterm"),
            cwd=self.folder,
            timeout=60,
        )
        os.close(follower)
        shown = b""
        try:
            while chunk := os.read(leader, 65536):
                shown += chunk
        except OSError:  # the other side is closed
            pass
        os.close(leader)
        self.assertEqual(result.returncode, 0)
        self.assertRegex(shown.decode(), r"\rreading modules \[\.{30}\] +0%  0 of 1\x1b\[K")
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown)

    def test_progress_elsewhere(self):
        self.write({"m.py": ""})
        result = self.tenure("freeze", "m", "-o", "i")
        self.assertEqual(result.stderr, "reading modules ...\nwriting the image ...\n")


class WritingTest(FolderTest):
    """write_image() leaves either a whole image or what was there before."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.folder / "i.tenure"
        self.path.write_text("as it was")

    def module(self, name: str, code: CodeType) -> tuple[object, ...]:
        return (name, code, False, f"/nowhere/{name}.py", None, 0, 0)

    def check_untouched(self) -> None:
        self.assertEqual(self.files(), {"i.tenure"})
        self.assertEqual(self.path.read_text(), "as it was")

    def test_interrupted(self):
        def interrupt(done: int, total: int) -> None:
            if done == total:
                raise KeyboardInterrupt

        modules = [self.module(name, compile("x = 1", name, "exec")) for name in "abc"]
        with self.assertRaises(KeyboardInterrupt):
            _tenure.write_image(self.path, modules, interrupt)
        self.check_untouched()

    def test_object_that_an_image_cannot_hold(self):
        inner = compile("def f():\n    return 'here'\n", "a", "exec")
        function = next(part for part in inner.co_consts if isinstance(part, CodeType))
        constants = tuple([1] if part == "here" else part for part in function.co_consts)
        changed = function.replace(co_consts=constants)
        consts = tuple(changed if part is function else part for part in inner.co_consts)
        modules = [self.module("a.b", inner.replace(co_consts=consts))]
        with self.assertRaisesRegex(TypeError, r"a\.b.*co_consts\[\d+\].*type list"):
            _tenure.write_image(self.path, modules)
        self.check_untouched()

    def test_code_that_has_run(self):
        # The interpreter rewrites it, and leaves addresses of this process in it.
        code = compile("for i in range(2000):\n    'text'.upper()\n", "a", "exec")
        exec(code, {})
        with self.assertRaisesRegex(TypeError, "'a'.*run"):
            _tenure.write_image(self.path, [self.module("a", code)])
        self.check_untouched()


class LookingTest(CommandTest):
    def test_inspect(self):
        self.write({"p/__init__.py": "", "p/m.py": "x = 1\n", "bad.py": "raise RuntimeError\n"})
        image = self.freeze("p", "bad")
        result = self.tenure("inspect", image)
        self.assertEqual(result.returncode, 0, result.stderr)
        for text in ("modules (3)", "p.m", str(self.folder / "p" / "m.py")):
            self.assertIn(text, result.stdout)
        result = self.tenure("inspect", "--json", image)
        found = json.loads(result.stdout)
        self.assertEqual([module["name"] for module in found["modules"]], ["bad", "p", "p.m"])
        self.assertEqual(found["modules"][2]["source_bytes"], 6)

    def test_verify(self):
        self.write({"p/__init__.py": "raise RuntimeError('was run')\n", "p/m.py": "x = 1\n"})
        result = self.tenure("verify", self.freeze("p"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"(?m)^objects: [1-9]\d*$")
        self.assertRegex(result.stdout, r"image\.tenure: 2 modules, nothing wrong\n$")

    def test_verify_sources(self):
        self.write({"p/__init__.py": "", "p/same.py": "", "p/other.py": "x = 1\n", "p/gone.py": ""})
        image = self.freeze("p")
        self.assertEqual(self.tenure("verify", "--sources", image).returncode, 0)
        os.utime(self.folder / "p" / "same.py", (1, 1))
        self.write({"p/other.py": "x = 2\n"})
        os.unlink(self.folder / "p" / "gone.py")
        self.assertEqual(self.tenure("verify", image).returncode, 0)
        result = self.tenure("verify", "--sources", image)
        self.assertEqual(result.returncode, 1, result.stderr)
        lines = result.stdout.splitlines()
        self.assertIn(f"changed: p.other ({self.folder}/p/other.py)", lines)
        self.assertIn(f"missing: p.gone ({self.folder}/p/gone.py)", lines)
        self.assertNotIn("p.same", result.stdout)
        self.assertRegex(lines[-1], "^2 modules .*freeze again")

    def test_verify_sources_of_a_sourceless_module(self):
        self.write({"m.py": "x = 1\n"})
        py_compile.compile(str(self.folder / "m.py"), cfile=str(self.folder / "n.pyc"))
        image = self.freeze("n")
        result = self.tenure("verify", "--sources", image)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_images_that_are_none(self):
        self.write({"m.py": "", "empty": b"", "text": "not an image\n" * 500})
        good = self.freeze("m").read_bytes()
        self.write({"short": good[: len(good) // 2], "head": good[:100]})
        for command in (["inspect"], ["inspect", "--json"], ["verify"], ["verify", "--sources"]):
            for name in ("empty", "text", "short", "head", "absent", "."):
                with self.subTest(command=command, name=name):
                    message = self.refused(*command, name, says=r"^tenure: .*\n$")
                    if name != ".":
                        self.assertIn(name, message)

    def test_verify_finds_a_changed_byte(self):
        self.write({"m.py": "def f():\n    return 'a text that is easy to find'\n"})
        image = self.freeze("m")
        data = bytearray(image.read_bytes())
        position = data.index(b"a text that is easy to find")
        data[position] ^= 1
        self.write({"bad": bytes(data)})
        self.refused("verify", "bad", says=r"^tenure: bad|^tenure: .*/bad")

    def test_reader_that_stops_early(self):
        self.write({f"p/m{number}.py": "" for number in range(300)})
        image = self.freeze("p")
        command = f"'{sys.executable}' -m tenure inspect '{image}' | head -1"
        result = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, env=environment(), timeout=60
        )
        self.assertEqual(result.stderr, "")
        self.assertEqual(len(result.stdout.splitlines()), 1)


class ImportTest(CommandTest):
    """What a frozen module is to those who use it."""

    def check(self, image: Path, code: str) -> None:
        self.write({"check.py": code})
        result = self.tenure("run", image, "check.py")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_source_can_be_looked_at(self):
        self.write({"m.py": "def f():\n    # a comment\n    return 1\n"})
        self.check(
            self.freeze("m"),
            "import inspect, m, linecache\n"
            "assert '# a comment' in inspect.getsource(m.f)\n"
            "assert inspect.getsource(m) == open(m.__file__).read()\n"
            "assert m.__loader__.get_source('m') == open(m.__file__).read()\n",
        )

    def test_module_has_what_it_has_without_an_image(self):
        show = (
            "import sys, p, p.m, importlib.resources\n"
            "for module in (p, p.m):\n"
            "    names = {'__builtins__', '__spec__', '__loader__'}\n"
            "    print(sorted((k, str(v).partition(' at 0x')[0]) for k, v in vars(module).items()\n"
            "                 if k not in names))\n"
            "    spec = module.__spec__\n"
            "    print(spec.name, spec.origin, spec.cached, spec.parent, spec.has_location,\n"
            "          spec.submodule_search_locations)\n"
            "print(importlib.resources.files('p').joinpath('data.txt').read_text())\n"
        )
        self.write({"p/__init__.py": "'''Doc'''\n", "p/m.py": "x: int = 1\n", "p/data.txt": "data"})
        self.write({"show.py": show})
        ours = self.tenure("run", self.freeze("p"), "show.py")
        self.assertEqual(ours.returncode, 0, ours.stderr)
        self.assertEqual(ours.stdout, self.python("show.py").stdout)

    def test_module_without_a_source(self):
        source = "def f():\n    return 1 / 0\n"
        self.write({"src.py": source})
        py_compile.compile(str(self.folder / "src.py"), cfile=str(self.folder / "n.pyc"))
        os.unlink(self.folder / "src.py")
        self.check(
            self.freeze("n"),
            "import n, inspect, traceback\nassert n.__file__.endswith('n.pyc')\n"
            "try:\n    n.f()\nexcept ZeroDivisionError:\n    traceback.format_exc()\n"
            "assert n.__loader__.get_source('n') is None\n",
        )

    def test_package_with_undecodable_path(self):
        folder = os.fsdecode(os.fsencode(self.folder) + b"/caf\xe9\xff")
        os.mkdir(folder)
        with open(folder + "/été.py", "w", encoding="utf-8") as file:
            file.write("x = 5\n")
        env = {"PYTHONPATH": os.pathsep.join([environment()["PYTHONPATH"], folder])}
        image = self.freeze("été", env=env)
        self.write({"show.py": "import été\nprint(ascii(été.__file__), été.x)\n"})
        result = self.tenure("run", image, "show.py")
        self.assertEqual(result.stdout, f"{ascii(folder + '/été.py')} 5\n", result.stderr)
        result = self.tenure("inspect", image)
        self.assertEqual(result.returncode, 0, result.stderr)
        result = self.tenure("verify", "--sources", image)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
