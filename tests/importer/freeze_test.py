"""Writing images: equal input gives equal bytes, what cannot be held is refused, files are whole."""

from __future__ import annotations

import compileall
import enum
import os
import py_compile
import shutil
import sys
import unittest
from pathlib import Path

from support import ImportTest, collect, write
from tenure import _tenure

FILES = {
    "app/__init__.py": "from .a import *\nSET = {'x', 'y', 'z', 1, 2.5}\n",
    "app/a.py": """
        import os
        def f(x, *y, key=frozenset()):
            return x in {"one", "two", "three", ("four", 5), b"six", None, 1 << 80, frozenset}, x[1:2], x[::3]
        class C:
            names = "one", "two", ("three", (1.5, -0.0, 2j, ...))
            @property
            def p(self): return lambda: [self.names for _ in ()]
        """,
    "app/b.py": "TEXT = 'é 漢 🎉 \\0 \\ud800'\nBYTES = b'\\0' * 100\ndef g(): return f'{TEXT!r:>10}', {1, (2, (3, 'x'))} and 7 in {7, 8, 'x'}\n",
    "app/sub/__init__.py": "",
    "app/sub/c.py": "from ..a import C\nassert C.names, 'never'\n",
}  # fmt: skip


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    pass


class FreezeTest(ImportTest):
    FILES = FILES

    def code(self, source: str = "x = 1\n"):
        return compile(source, "/nowhere/m.py", "exec", dont_inherit=True)

    def module(self, name: object = "m", code: object = None, package: object = False, **more) -> tuple:
        values = {"origin": f"/nowhere/{name}.py", "cached": None, "size": 0, "checksum": 0, **more}
        return (name, self.code() if code is None else code, package, *values.values())

    def with_const(self, value: object, source: str = "x = 1\n"):
        code = self.code(source)
        return code.replace(co_consts=(*code.co_consts, value))

    def test_equal_input_gives_equal_bytes(self):
        folder = self.new_folder()
        _tenure.write_image(folder / "one", collect(self.folder, ["app"]))
        _tenure.write_image(os.fsencode(folder / "two"), collect(self.folder, ["app"]))
        _tenure.write_image(str(folder / "three"), tuple(collect(self.folder, ["app"])))
        one = (folder / "one").read_bytes()
        self.assertEqual(one, (folder / "two").read_bytes())
        self.assertEqual(one, (folder / "three").read_bytes())
        write(folder, FILES)
        (folder / "app/sub/c.py").write_text("changed = 1\n")
        _tenure.write_image(folder / "other", collect(folder, ["app"]))
        self.assertNotEqual(one, (folder / "other").read_bytes())

    def test_environment_makes_no_difference(self):
        tree = self.new_folder(FILES)
        elsewhere = self.new_folder()
        made = {}

        def freeze(name: str, folder: Path = tree, options: tuple = (), **env: str) -> None:
            path = [str(Path(_tenure.__file__).parent.parent), str(tree)]
            result = self.execute(
                [*options, "-m", "tenure", "freeze", "app", "-o", elsewhere / name],
                folder=folder,
                env={"PYTHONPATH": os.pathsep.join(path), **env},
            )
            self.assertEqual(result.returncode, 0, result.stderr)
            made[name] = (elsewhere / name).read_bytes()

        freeze("plain")
        freeze("seed1", PYTHONHASHSEED="1")
        freeze("seed2", PYTHONHASHSEED="2", SOURCE_DATE_EPOCH="1000000000", TZ="Asia/Tokyo")
        freeze("elsewhere", folder=elsewhere, options=("-X", "utf8", "-W", "ignore"))
        for file in tree.rglob("*.py"):
            os.utime(file, (0, 1_000_000_000))
        freeze("older")
        self.assertTrue(compileall.compile_dir(tree, quiet=1))
        freeze("from_pyc", PYTHONHASHSEED="3")
        hashed = py_compile.PycInvalidationMode.CHECKED_HASH
        self.assertTrue(compileall.compile_dir(tree, quiet=1, force=True, invalidation_mode=hashed))
        freeze("from_hashed_pyc")
        shutil.rmtree(tree / "app" / "__pycache__")
        freeze("half_pyc")
        for name, content in made.items():
            self.assertEqual(content, made["plain"], name)

    def test_what_is_returned_and_told(self):
        modules = collect(self.folder, ["app"])
        told = []
        path = self.new_folder() / "out"

        def progress(done: int, total: int) -> None:
            told.append((done, total))
            modules.clear()  # changes nothing any more

        counts = _tenure.write_image(path, modules, progress=progress)
        self.assertEqual(told, [(n, 5) for n in range(1, 6)])
        self.assertEqual(counts["modules"], 5)
        self.assertEqual(counts["bytes"], path.stat().st_size)
        self.assertGreater(counts["objects"], 50)
        self.assertGreater(counts["rebuilt"], 1)
        found = _tenure.inspect(path)
        self.assertEqual([m["name"] for m in found["modules"]], ["app", "app.a", "app.b", "app.sub", "app.sub.c"])
        self.assertEqual([m["is_package"] for m in found["modules"]], [True, False, False, True, False])
        for module in found["modules"]:
            source = Path(module["origin"]).read_bytes()
            self.assertEqual(
                (module["source_bytes"], module["source_checksum"]), (len(source), _tenure.checksum(source))
            )  # fmt: skip
        self.assertEqual(found["bytes"], counts["bytes"])
        self.assertTrue(found["usable"])

    def test_progress_that_raises(self):
        folder = self.new_folder({"out": "as it was"})
        for last in 1, 2:

            def progress(done: int, total: int) -> None:
                if done == last:
                    raise KeyError("stop", done)

            with self.assertRaisesRegex(KeyError, f"'stop', {last}"):
                _tenure.write_image(folder / "out", [self.module("a"), self.module("b")], progress)
            self.assertEqual(os.listdir(folder), ["out"])
            self.assertEqual((folder / "out").read_text(), "as it was")
        with self.assertRaises(TypeError):
            _tenure.write_image(folder / "out", [self.module()], 3)
        self.assertEqual((folder / "out").read_text(), "as it was")

    def test_arguments(self):
        folder = self.new_folder()
        good = self.module()
        cases = [
            (TypeError, "a list of tuples, not of list", [list(good)]),
            (TypeError, "a list of tuples, not of str", ["m"]),
            (TypeError, "a module is", [good[:6]]),
            (TypeError, "a module is", [(*good, 1)]),
            (TypeError, "", 5),
            (TypeError, "", None),
            (TypeError, "", [self.module(name=3)]),
            (TypeError, "", [self.module(name=None)]),
            (TypeError, "code", [self.module(code="x = 1")]),
            (TypeError, "code", [self.module(code=self.code)]),
            (TypeError, "", [self.module(origin=b"/nowhere/m.py")]),
            (TypeError, "", [self.module(origin=None)]),
            (TypeError, "cached must be a str or None", [self.module(cached=3)]),
            (TypeError, "cached must be a str or None", [self.module(cached=Text("/x/m.pyc"))]),
            (TypeError, "", [self.module(origin=Text("/nowhere/m.py"))]),
            (TypeError, "", [self.module(size="1")]),
            (TypeError, "", [self.module(checksum=1.5)]),
            (ValueError, "must not be empty", [self.module(name="", origin="/x/y.py")]),
            (ValueError, "must not be empty", [self.module(origin="")]),
            (ValueError, "surrogates not allowed", [self.module(name="\udc80")]),
            (ValueError, "module 'm' is given twice", [good, self.module()]),
            (ValueError, "module 'm' is given twice", [good, self.module("n"), self.module(code=self.code("y = 2"))]),
        ]  # fmt: skip
        for kind, message, modules in cases:
            with self.subTest(modules):
                with self.assertRaisesRegex(kind, message):
                    _tenure.write_image(folder / "out", modules)
                self.assertEqual(os.listdir(folder), [])
        for wrong in (3, None, 1.5), ("a\0b",), ([],):
            for path in wrong:
                with self.assertRaises((TypeError, ValueError)):
                    _tenure.write_image(path, [good])
        with self.assertRaisesRegex(TypeError, "familiar must be a set"):
            _tenure.write_image(folder / "out", [good], None, ["a"])
        with self.assertRaises(TypeError):
            _tenure.write_image(folder / "out")
        with self.assertRaises(TypeError):
            _tenure.write_image(folder / "out", [good], unknown=1)
        self.assertEqual(os.listdir(folder), [])
        _tenure.write_image(folder / "out", [good], None, {"x", 3, None})

    def test_constants_that_an_image_cannot_hold(self):
        folder = self.new_folder()
        nested = "def f():\n    class C:\n        def g(self): return 1, 'two'\n"
        for value in ([], {}, {1}, bytearray(b"x"), object(), Text("x"), Number.ONE, range(3), len, Exception, sys,
                      lambda: 0, memoryview(b""), 1 .__add__):  # fmt: skip
            kind = type(value).__name__
            for wrap in (lambda v: v, lambda v: (1, (v, 2)), lambda v: ("x", ((v,),))):
                with self.assertRaisesRegex(TypeError, rf"^module 'm': code\.co_consts\[\d+\].*{kind}"):
                    code = self.with_const(wrap(value))
                    _tenure.write_image(folder / "out", [self.module("a"), self.module(code=code)])
            inner = self.code(nested)
            inner = self.replace_inner(inner, value)
            with self.assertRaisesRegex(
                TypeError, r"^module 'm': code(\.co_consts\[\d\]){4}: .*" + kind
            ):
                _tenure.write_image(folder / "out", [self.module(code=inner)])
        self.assertEqual(os.listdir(folder), [])

    def replace_inner(self, code, value):
        """The code with the value as a last constant of the innermost function."""
        consts = list(code.co_consts)
        for i, const in enumerate(consts):
            if hasattr(const, "co_consts"):
                consts[i] = self.replace_inner(const, value)
                return code.replace(co_consts=tuple(consts))
        return code.replace(co_consts=(*consts, value))

    def test_odd_constants_that_it_can_hold(self):
        folder = self.new_folder()
        deep = ()
        for _ in range(20000):
            deep = (deep, "deep")
        values = {
            "deep": deep, "wide": tuple(range(100000)), "long": "x" * (1 << 20), "bytes": bytes(range(256)) * 9,
            "set": frozenset({frozenset({1, "a"}), frozenset(), (frozenset((2,)),)}), "same": (1, 1.0, True, 1, "1", b"1"),
            "zero": (0.0, -0.0, 0j, -0j), "empty": ((), "", b"", frozenset()), "types": (None, ..., False),
        }  # fmt: skip
        modules = [self.module("odd_" + n, self.holding(v)) for n, v in values.items()]
        _tenure.write_image(folder / "out", modules)
        self.assertEqual(
            self.check(
                f"""
                image = tenure.load({str(folder / 'out')!r}, check="full")
                import odd_deep as deep, odd_wide as wide, odd_long as long, odd_bytes as b
                import odd_set as s, odd_same as same, odd_zero as zero, odd_empty as empty, odd_types
                n, c = 0, deep.c
                while c: n, c = n + 1, c[0]
                print(n, sum(wide.c) == sum(range(100000)), len(long.c), len(b.c))
                print(s.c == frozenset({{frozenset({{1, "a"}}), frozenset(), (frozenset((2,)),)}}), same.c, zero.c)
                print(odd_types.c, empty.c, empty.c[0] is tuple(), empty.c[1] is str(), image.verify()["objects"] > 40000)
                """
            ),
            "20000 True 1048576 2304\nTrue (1, 1.0, True, 1, '1', b'1') (0.0, -0.0, 0j, (-0-0j))\n"
            "(None, Ellipsis, False) ((), '', b'', frozenset()) True True True\n".replace("(-0-0j)", str(-0j)),
        )

    def holding(self, value):
        """The code of a module that has the value as its `c`."""
        code = self.code("c = 'replaced'\n")
        consts = tuple(value if const == "replaced" else const for const in code.co_consts)
        self.assertNotEqual(consts, code.co_consts)
        return code.replace(co_consts=consts)

    def test_code_that_has_run(self):
        folder = self.new_folder()
        code = self.code("def f(x):\n    return x + 1\nfor i in range(200): f(i)\n")
        exec(code, {})
        with self.assertRaisesRegex(TypeError, "module 'm': code.*compile it\\s+again"):
            _tenure.write_image(folder / "out", [self.module(code=code)])
        self.assertEqual(os.listdir(folder), [])

    def test_output_is_whole_or_not_there(self):
        folder = self.new_folder({"file": "", "folder/inside": "", "out": "as it was"})
        modules = [self.module()]
        os.mkfifo(folder / "fifo")
        before = sorted(os.listdir(folder))
        for name, kind in {
            "folder": IsADirectoryError, "missing/out": FileNotFoundError, "file/out": NotADirectoryError,
            "fifo": FileExistsError, "x" * 300: OSError, "": OSError,
        }.items():  # fmt: skip
            with self.subTest(name), self.assertRaises(kind) as caught:
                _tenure.write_image(os.path.join(folder, name) if name else "", modules)
            self.assertTrue(str(caught.exception.filename).endswith(name))
            self.assertEqual(sorted(os.listdir(folder)), before)
        with self.assertRaises(OSError):
            _tenure.write_image("/dev/null", modules)
        # A disk that is full, as far as a process can make itself one.
        shown = self.check(
            """
            import os, resource
            modules = [("m", compile("x = 1", "m.py", "exec"), False, "/nowhere/m.py", None, 0, 0)]
            resource.setrlimit(resource.RLIMIT_FSIZE, (6000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            try:
                tenure._tenure.write_image("out", modules)
            except OSError as error:
                print(error.strerror, error.filename)
            print(sorted(os.listdir()), open(0, closefd=False).closed)
            """,
            folder=folder,
            stdin=-3,
        )
        self.assertEqual(shown, f"File too large out\n{before} False\n")
        self.assertEqual((folder / "out").read_text(), "as it was")
        _tenure.write_image(folder / "out", modules)
        self.assertEqual(_tenure.inspect(folder / "out")["modules"][0]["name"], "m")
        self.assertEqual(sorted(os.listdir(folder)), before)

    def test_checksum(self):
        for data in b"", b"x", bytes(1000), bytearray(b"x"), memoryview(b"abc")[1:]:
            self.assertEqual(_tenure.checksum(data), _tenure.checksum(bytes(data)))
        self.assertEqual(_tenure.checksum(b""), 0x2D06800538D394C2)  # XXH3, 64 bits
        self.assertNotEqual(_tenure.checksum(bytes(1000)), _tenure.checksum(bytes(1001)))
        for wrong in "x", 3, None, memoryview(bytes(10))[::2]:
            with self.assertRaises((TypeError, BufferError)):
                _tenure.checksum(wrong)


if __name__ == "__main__":
    sys.exit(unittest.main())
