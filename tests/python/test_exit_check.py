"""`run --fast-exit=check`: what it finds, what it does not count, and that it leaves no traces."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest

from helpers import FolderTest, environment


class CheckTest(FolderTest):
    def check(self, code: str, given: str = "", *arguments: str, **changes: str):
        """Checks a program in the folder, which must be as before afterwards."""
        self.write({"program.py": code})
        before = {name: self.content(name) for name in self.files()}
        result = subprocess.run(
            [sys.executable, "-m", "tenure", "run", "--fast-exit=check", "-", "program.py", *arguments],
            input=given,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=environment(PYTHONWARNINGS="ignore", **changes),
            timeout=120,
        )
        self.assertEqual({name: self.content(name) for name in self.files()}, before)
        self.assertEqual(result.stderr, "")
        return result

    def content(self, name: str) -> object:
        path = self.folder / name
        if path.is_symlink():
            return os.readlink(path)
        return path.read_bytes() if path.is_file() else None

    def same(self, code: str, *arguments: str, **changes: str) -> str:
        result = self.check(code, *arguments, **changes)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("the same with --fast-exit and with a full finalization", result.stdout)
        return result.stdout

    def differs(self, code: str, *lines: str, **changes: str) -> None:
        result = self.check(code, **changes)
        self.assertEqual(result.returncode, 1, result.stdout)
        for line in lines:
            self.assertIn(line + "\n", result.stdout)
        self.assertIn("a full finalization does more than --fast-exit (", result.stdout)


class FindsTest(CheckTest):
    def test_output(self):
        code = "class Last:\n    def __del__(self): print('del')\nlast = Last()\nprint('end')\n"
        self.differs(
            code,
            "output differs (- only after a full end):\n  -del",
            "left out: __del__ of Last (1)",
        )

    def test_error_output(self):
        self.differs(
            "import sys\nclass Last:\n    def __del__(self, say=sys.stderr.write): say('x\\ny\\n')\n"
            "last = Last()\n",
            "error output differs (- only after a full end):\n  -x\n  -y",
        )

    def test_exit_status(self):
        self.differs(
            "import os\nclass Last:\n    def __del__(self, end=os._exit): end(7)\nlast = Last()\n",
            "exit status: 7 after a full end, 0 now",
        )

    def test_files(self):
        last = "class Last:\n    def __del__(self, os=__import__('os')): {}\nlast = Last()\n"
        self.write({"old": "abc", "folder/in": "x"})
        os.symlink("old", self.folder / "link")
        create = "os.O_CREAT | os.O_WRONLY"
        for action, line in (
            (
                f"os.write(os.open('new', {create}), b'abc')",
                "new: 3 bytes (ba7816bf) after a full end, not there now",
            ),
            ("os.unlink('old')", "old: not there after a full end, 3 bytes (ba7816bf) now"),
            ("os.rename('old', 'renamed')", "renamed: 3 bytes (ba7816bf) after a full end, not there now"),
            ("os.mkdir('made')", "made: a folder after a full end, not there now"),
            ("os.symlink('old', 'other')", "other: a link to old after a full end, not there now"),
            ("os.unlink('link')", "link: not there after a full end, a link to old now"),
            ("os.truncate('old', 1)", "old: 1 bytes (ca978112) after a full end, 3 bytes (ba7816bf) now"),
        ):
            with self.subTest(action):
                self.differs(last.format(action), line)

    def test_where_the_program_has_been_before(self):
        self.differs(
            "import os\nos.mkdir('sub'); os.chdir('sub')\n"
            "class Last:\n    def __del__(self, mkdir=os.mkdir): mkdir('made')\nlast = Last()\n",
            "sub/made: a folder after a full end, not there now",
        )


class SameTest(CheckTest):
    def test_programs(self):
        for code in (
            "print('end')",
            "f = open('f', 'w'); f.write('abc')",
            "open('old', 'a').write('more'); print(open('old').read())",
            "import sys; print(sys.argv, sys.stdin.read()); sys.exit(3)",
            "1 / 0",
            "import tempfile; t = tempfile.NamedTemporaryFile(dir='.'); t.write(b'x')",
            "import tempfile; t = tempfile.mkdtemp(dir='.'); open(t + '/f', 'w').write('abc')",
            "import sqlite3; c = sqlite3.connect('d'); c.execute('create table t (x)'); c.commit()",
            "import os; os.makedirs('a/b'); os.rename('a', 'c'); os.unlink('old')",
            "import os; os.rmdir('empty'); os.mkdir('empty/'); open('empty/f', 'w')",
            "print({'a', 'b', 'c', 'd'})",
            "import os\nif os.fork(): os.wait()\nelse: open('child', 'w').write('x')",
        ):
            with self.subTest(code):
                self.write({"old": "abc"})
                (self.folder / "empty").mkdir(exist_ok=True)
                self.same(code, "given", "an argument")

    def test_each_run_gets_the_same_input(self):
        # Or the second would find none.
        self.differs(
            "import sys\ntext = sys.stdin.read()\nclass Last:\n"
            "    def __del__(self, print=print, text=text): print('read', text)\nlast = Last()\n",
            "  -read ",
        )
        self.same("import sys; assert sys.stdin.read() == 'given'", "given")

    def test_each_run_finds_the_files_as_they_were(self):
        self.write({"count": "0"})
        code = "n = int(open('count').read()) + 1; open('count', 'w').write(str(n)); print(n)"
        self.same(code + "; assert n == 1")

    def test_exit_status_is_told(self):
        self.assertIn("; exit status 3)", self.same("import sys; sys.exit(3)"))


class UnsteadyTest(CheckTest):
    """Programs that never do the same twice."""

    def test_numbers_in_the_output(self):
        said = self.same("import os, time\nprint(os.getpid(), time.time_ns(), object())\n")
        self.assertNotIn("not compared", said)
        self.differs(
            "import time\nprint(time.time_ns())\nclass Last:\n"
            "    def __del__(self, print=print): print('del')\nlast = Last()\n",
            "  -del",
        )

    def test_what_differs_between_full_runs_is_not_counted(self):
        said = self.same(
            "import os\nopen('f', 'wb').write(os.urandom(20))\n"
            "print(''.join(chr(97 + byte % 26) for byte in os.urandom(40)))\n"
        )
        self.assertIn("f: not compared, because two full runs differ in it as well\n", said)
        self.assertIn("output: not compared, because two full runs differ in it as well\n", said)


class UsageTest(FolderTest):
    def test_wrong_usage(self):
        for arguments, status in (
            (["--fast-exit=check"], 2),
            (["--fast-exit=check", "-"], 2),
            (["--fast-exit=check", "-", "-c"], 2),
            (["--fast-exit=check", "-", "-x"], 2),
            (["--fast-exit=chuck", "-", "-c", "pass"], 2),
            (["--fast-exit="], 2),
            (["--fast-exit"], 2),
            (["--fast-exit", "absent.tenure", "-c", "pass"], 1),
            (["--fast-exit=check", "absent.tenure", "-c", "pass"], 1),
            (["-", "-c", "pass"], 2),
            (["-c", "pass"], 2),
        ):
            with self.subTest(arguments):
                result = self.tenure("run", *arguments)
                self.assertEqual(result.returncode, status, result.stderr)
                self.assertNotIn("Traceback", result.stderr)
                self.assertNotEqual(result.stderr, "")

    def test_scripts_where_the_image_is_to_be(self):
        self.write({"app.py": "print('was run')"})
        for arguments, status in ((["app.py"], 2), (["app.py", "argument"], 1)):
            for option in "--fast-exit", "--fast-exit=check":
                result = self.tenure("run", option, *arguments)
                self.assertEqual((result.returncode, result.stdout), (status, ""))
                self.assertIn("; without an image, write - before app.py\n", result.stderr)
        self.assertNotIn("write -", self.tenure("run", "app.py", "argument").stderr)

    def test_code_and_modules(self):
        self.write({"mod.py": "print('mod')"})
        for command in (["-c", "print('code')"], ["-m", "mod"], ["-", "-m", "mod"]):
            with self.subTest(command):
                result = self.tenure("run", "--fast-exit=check", *command)
                self.assertEqual((result.returncode, result.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
