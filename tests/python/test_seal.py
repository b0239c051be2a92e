"""Image.seal() and unseal(): what is protected, what a write to it does, and that processes end."""

from __future__ import annotations

import inspect
import re
import signal
import subprocess
import sys
import textwrap
import unittest
from pathlib import Path

import tenure

from helpers import PACKAGE_FOLDER, FolderTest

MODULES = str(Path.cwd() / "tests/python")

FILES = {
    "app/__init__.py": '"""A docstring that nobody has hashed."""\nfrom .core import work, TABLE, TEXT, RAW\n',
    "app/core.py": textwrap.dedent(
        '''
        """The core's docstring."""
        TABLE = (1000, ("first text", ("second text", b"some raw bytes", 2.5)))
        SET = frozenset(("a", "b", ("c", 1)))
        TEXT = "\\xe9 text \\u20ac that is not ASCII \\U0001f40d"
        LONE = "a lone surrogate \\ud800"
        RAW = b"raw bytes of the core"
        class Node:
            """A class."""
            def __init__(self, name="node"):
                self.name, self.me = name, self
            def __repr__(self):
                return f"<{self.name}>"
        def work(n, sep=", "):
            "What it does: work."
            return sep.join(repr(Node(str(i))) for i in range(n) if i in {1, 2, 3, "red"})
        '''
    ),
    "app/late.py": "from .core import work, TEXT\nLATE = work(5), {TEXT: 'late text'}\n",
    "app/unused.py": "UNUSED = ('never', 'imported')\n",
}

START = f"""
import os, sys
sys.path[:0] = [{MODULES!r}]
import tenure
image = tenure.load("image.tenure")
"""

# What a program does with constants, again and again.
USE = """
import app, app.late, copy, gc, json, marshal, pickle, re
def use(value):
    try: {value: 1}[value], {value}, frozenset((value,)), hash(value)
    except TypeError: pass
    value == value, repr(value), f"{value!r:>10}", copy.deepcopy(value), pickle.loads(pickle.dumps(value))
    marshal.loads(marshal.dumps(value)), [value] * 3, (value,) + (value,), gc.is_tracked(value)
    for _ in range(200): kept = value; other = [kept, value]
    if isinstance(value, str):
        sys.intern(value), value.encode("utf-8", "surrogatepass"), value + value, value[1:], json.dumps(value)
        setattr(app, value, value), getattr(app, value), re.escape(value), vars(app).pop(value)
        class Holder: pass
        setattr(Holder, value, 1), setattr(Holder(), value, 2), vars(Holder).get(value)
        try: value.encode(), os.stat(value)
        except (OSError, ValueError): pass
    elif isinstance(value, tuple):
        for item in value: use(item)
def use_all():
    for value in app.TABLE, app.core.SET, app.TEXT, app.RAW, app.__doc__, app.core.LONE, app.core.work.__doc__, app.core.Node.__doc__:
        use(value)
    assert app.work(10) == "<1>, <2>, <3>", app.work(10)
    gc.collect()
use_all()
"""


DATA = {
    "countries": [{"name": f"L\xe4nd {i}", "code": f"C{i}", "area": i * 1.5, "tags": ["a b", i]} for i in range(10)],
    "sets": [{"red", "green"}, frozenset(("blue", ("c", 1)))],
    "text": "a text that is long enough to be one of its own",
    5: b"some bytes",
    "nothing": [None, True, (), {}, 10**30, 2.5j],
    "not a name": {"__len__": "\u20ac"},
}

USE_DATA = """
import copy, gc, json, pickle, sys
def use_data(value):
    repr(value), str(value), value == value, copy.copy(value), [value] * 3, bool(value)
    try: hash(value), {value: 1}, {value}
    except TypeError: pass
    for _ in range(100): kept = value; other = [kept, value]
    if isinstance(value, str):
        class Holder: pass
        setattr(Holder(), value, 1), value.encode(), value + value, sys.intern(value), json.dumps(value)
    elif hasattr(value, "keys"):
        for key in value: use_data(value[key]), use_data(key), value.get(key), key in value
        dict(value), value.get("missing"), value.get("".join(["coun", "tries"])), list(value.items()), value | {1: 2}
    elif isinstance(value, (tuple, list, set, frozenset)):
        for item in value: use_data(item)
    pickle.loads(pickle.dumps(value))
    gc.collect(0)
"""


class SealTest(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        self.write(FILES)
        self.freeze("app")

    def run_code(self, code: str, *options: str, **more: object) -> subprocess.CompletedProcess[str]:
        env = {"PYTHONPATH": f"{PACKAGE_FOLDER}:{self.folder}"}
        return self.python(*options, "-c", START + textwrap.dedent(code), env=env, **more)

    def check(self, code: str, *options: str) -> str:
        """Runs a program that must end well and say nothing on stderr. Returns what it printed."""
        result = self.run_code(code, *options)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        return result.stdout

    def dies(self, code: str, *options: str) -> str:
        """Runs a program that must end by SIGSEGV. Returns what it wrote to stderr."""
        result = self.run_code(code, *options)
        self.assertEqual(result.returncode, -signal.SIGSEGV, result.stdout + result.stderr)
        return result.stderr

    def test_sealed_images_are_used_like_others(self):
        for place in "before", "after", "twice":
            with self.subTest(place):
                first = "image.seal()" if place in ("before", "twice") else ""
                then = "image.seal(); image.seal()" if place in ("after", "twice") else ""
                self.assertEqual(
                    self.check(f"{first}\n{USE}\n{then}\nuse_all()\nprint(image.sealed, image.verify()['objects'] > 50)"),
                    "True True\n",
                )

    def test_all_modules_are_prepared(self):
        self.assertEqual(
            self.check(
                "before = image.stats()['groups_prepared']; image.seal()\n"
                "print(before, image.stats()['groups_prepared'])\n"
                "import app.unused; print(app.unused.UNUSED)"
            ),
            "0 5\n('never', 'imported')\n",
        )

    def test_unseal(self):
        # What is written to it then has to be something that does no harm.
        self.assertEqual(
            self.check(
                f"{USE}\n"
                "image.unseal(); print(image.sealed)\n"
                "import counts_immortals\n"
                "image.seal(); image.unseal(); image.unseal(); print(image.sealed)\n"
                "counts_immortals.count(app.TABLE); counts_immortals.overwrite(app.RAW)\n"
                "image.seal(); print(image.sealed)\n"
                "use_all()"
            ),
            "False\nFalse\nTrue\n",
        )

    def test_a_write_is_explained(self):
        for seal in "image.seal()", "tenure.load('image.tenure', seal=True)":
            said = self.dies(f"{seal}\nimport app, counts_immortals\nprint('alive', flush=True)\ncounts_immortals.count(app.TABLE[1][1])")
            self.assertRegex(
                said,
                r"\Atenure: image\.tenure is sealed, but something wrote to module 'app\.core': "
                r"code\.co_consts\[\d+\]\[1\]\[1\] \(tuple, offset 0x[0-9a-f]+\), field ob_refcnt; "
                r"the instruction is at 0x[0-9a-f]+ of /.*/counts_immortals\.[^ ]*so "
                r"\(tenure\.write_report\(\) tells more\)\n\Z",
            )

    def test_a_write_is_not_explained_unless_asked_for(self):
        self.assertEqual(self.dies("image.seal(explain=False)\nimport app, counts_immortals\ncounts_immortals.count(app.TABLE)"), "")

    def test_faulthandler_has_its_say_too(self):
        said = self.dies("image.seal()\nimport app, counts_immortals\ncounts_immortals.count(app.TABLE)", "-X", "faulthandler")
        self.assertRegex(said, r"(?s)\Atenure: image\.tenure is sealed, .*\nFatal Python error: Segmentation fault\n.*<module>")

    def test_other_faults_are_left_alone(self):
        for options in [], ["-X", "faulthandler"]:
            said = self.dies("image.seal()\nimport ctypes; ctypes.string_at(8)", *options)
            self.assertNotIn("tenure:", said)
            self.assertEqual("Fatal Python error" in said, bool(options))
        self.assertEqual(self.dies("image.seal()\nimport signal; signal.raise_signal(signal.SIGSEGV)"), "")

    def test_forked_children(self):
        self.check(
            f"""
            {textwrap.indent(USE, " " * 12).strip()}
            import counts_immortals, signal
            image.seal()
            def child(body):
                pid = os.fork()
                if pid == 0:
                    os.close(2)
                    try: body()
                    finally: os._exit(0)
                return os.waitpid(pid, 0)[1]
            assert child(use_all) == 0
            assert child(lambda: os._exit(not image.sealed)) == 0
            assert child(lambda: counts_immortals.count(app.TABLE)) == signal.SIGSEGV
            assert child(lambda: (image.unseal(), counts_immortals.count(app.TABLE))) == 0
            assert image.sealed
            if os.fork() == 0: sys.exit(0)  # which ends the interpreter
            assert os.wait()[1] == 0
            """.replace("\n            ", "\n")
        )

    def test_the_end(self):
        for name, code in {
            "nothing": "",
            "used": USE,
            "interned before": f"{USE}\nimage.unseal(); image.seal()",
            "sealed at exit": f"{USE}\nimage.unseal(); import atexit; atexit.register(image.seal)",
            "used at exit": f"{USE}\nimport atexit; atexit.register(use_all)",
            "kept": f"{USE}\nimport builtins; builtins.kept = app.TABLE, app.core.Node(), image",
            "dropped": f"{USE}\ndel sys.modules['tenure'], sys.modules['tenure._tenure'], tenure, image; gc.collect()",
            "cleared": f"{USE}\nsys.modules.clear(); gc.collect()",
            "exit": f"{USE}\nsys.exit()",
            "_exit": f"{USE}\nos._exit(0)",
            "thread": f"{USE}\nimport threading; threading.Thread(target=use_all).start()",
            "daemon": f"{USE}\nimport threading\ndef spin():\n  while True: use_all()\n"
            "for _ in range(2): threading.Thread(target=spin, daemon=True).start()",
            "special": "sys.intern('__len__'); import app; class_ = type('C', (), {'__doc__': app.__doc__})",
        }.items():
            for options in [], ["-X", "dev"]:
                with self.subTest(name, options=options):
                    self.assertEqual(self.check(f"image.seal()\n{code}", *options), "")

    def test_interned_before_it_is_sealed(self):
        # The interpreter writes to these at its end.
        if hasattr(sys, "gettotalrefcount"):
            return  # debug interpreters assert that nobody does it
        self.check("import app; sys.intern(app.core.__doc__), sys.intern(app.TEXT)\nimage.seal()\nsys.intern(app.TEXT)")

    def test_other_interpreters(self):
        use = f"""
            import sys; sys.path[:0] = {[str(self.folder), PACKAGE_FOLDER]!r}
            import tenure, os
            image = tenure.load({str(self.folder / "image.tenure")!r}); assert not image.sealed
            image.seal()
            """.replace("\n            ", "\n") + USE
        for config in "legacy", "isolated":
            for before in "", "image.seal()\nimport app":
                self.check(
                    f"{before}\nimport _interpreters as interpreters\n"
                    "for _ in range(3):\n"
                    f"    id = interpreters.create({config!r})\n"
                    f"    error = interpreters.exec(id, {use!r})\n"
                    "    assert error is None, error\n"
                    "    interpreters.destroy(id)\n"
                    f"assert image.sealed == {bool(before)}\n"
                )

    def test_errors(self):
        result = self.run_code(
            """
            from pathlib import Path
            data = bytearray(Path("image.tenure").read_bytes())
            name = b"raw bytes of the core"
            data[data.index(name)] ^= 1
            Path("damaged.tenure").write_bytes(data)
            damaged = tenure.load("damaged.tenure")
            try: damaged.seal()
            except tenure.ImageError as error: print(error.path, damaged.sealed)
            try: tenure.load("damaged.tenure", seal=True)
            except tenure.ImageError as error: print(error.path)
            for wrong in (lambda: image.seal(1), lambda: image.seal(more=1), lambda: image.unseal(1)):
                try: wrong()
                except TypeError: print("TypeError")
            try: image.sealed = True
            except AttributeError: print("AttributeError")
            """
        )
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.stdout, "damaged.tenure False\ndamaged.tenure\n" + "TypeError\n" * 3 + "AttributeError\n")

    def test_special_names_stay_special(self):
        self.write({"names.py": "NAMES = ('__len__', 'x' 'y z', '__iter__')\n"})
        self.tenure("freeze", "names", "-o", "names.tenure")
        self.assertEqual(
            self.check(
                "tenure.load('names.tenure', seal=True); import names\n"
                "class C: pass\n"
                "setattr(C, names.NAMES[0], lambda self: 7); print(len(C()), sys.intern('x' + names.NAMES[1][1:]) == 'xy z')"
            ),
            "7 True\n",
        )

    def freeze_data(self, **options: str) -> None:
        tenure.freeze_data(DATA, self.folder / "data.tenure", **options)

    def test_data(self):
        for options in {}, {"hash_policy": "sealed"}, {"lists": "list", "dicts": "builtin", "sets": "builtin"}:
            with self.subTest(**options):
                self.freeze_data(**options)
                self.assertEqual(
                    self.check(f"data = tenure.load('data.tenure')\n{USE}\nprint(data.sealed)\ndata.seal()\n{USE_DATA}\nuse_data(data.root)"),
                    f"{'hash_policy' in options}\n",
                )

    def test_a_write_to_data_is_explained(self):
        for options, path in (
            ({}, r"\$\.countries\[3\]\.name"),
            ({"lists": "list"}, r"\$\.countries\[3\]\.name"),
            ({"dicts": "builtin"}, r"\$\.countries\[3\]\.name"),
        ):
            with self.subTest(**options):
                self.freeze_data(**options)
                said = self.dies(
                    "data = tenure.load('data.tenure', seal=True)\nimport counts_immortals\n"
                    "counts_immortals.count(data.root['countries'][3]['name'])"
                )
                self.assertRegex(
                    said,
                    rf"\Atenure: data\.tenure is sealed, but something wrote to {path} \(str, offset 0x[0-9a-f]+\), "
                    r"field ob_refcnt; the instruction is at 0x[0-9a-f]+ of /.*/counts_immortals\.[^ ]*so",
                )

    def test_data_of_all_interpreters(self):
        # Sets are made anew by each interpreter, which then has an image of its own.
        shared = {key: value for key, value in DATA.items() if key != "sets"}
        tenure.freeze_data(shared, self.folder / "data.tenure")
        other = f"""
            import sys; sys.path[:0] = {[str(self.folder), PACKAGE_FOLDER]!r}
            import tenure
            data = tenure.load({str(self.folder / "data.tenure")!r})
            """.replace("\n            ", "\n") + USE_DATA + "\n"
        for config in "legacy", "isolated":
            for who in "main", "other":
                before = "use_data(data.root)\n" if not hasattr(sys, "gettotalrefcount") else ""
                self.assertEqual(
                    self.check(
                        f"data = tenure.load('data.tenure')\n{USE_DATA}\n{before}"
                        "import _interpreters as interpreters\n"
                        f"if {who == 'main'}: data.seal()\n"
                        f"id = interpreters.create({config!r})\n"
                        f"use = {other + ('data.seal()' if who == 'other' else 'assert data.sealed')!r} + '\\nuse_data(data.root)'\n"
                        "error = interpreters.exec(id, use); assert error is None, error.formatted\n"
                        "use_data(data.root); print(data.sealed)\n"
                        "interpreters.destroy(id); use_data(data.root); print(data.sealed)\n"
                    ),
                    "True\nTrue\n",
                )

    def test_signature(self):
        self.assertEqual(str(inspect.signature(tenure.Image.seal)), "(self, /, *, explain=True)")
        self.assertEqual(str(inspect.signature(tenure.Image.unseal)), "(self, /)")
        self.assertEqual(str(inspect.signature(tenure.load)), "(path, /, *, check='lazy', seal=False)")


if __name__ == "__main__":
    sys.exit(unittest.main())
