"""Processes with an image end as cleanly as others, however they end, and leave nothing behind."""

from __future__ import annotations

import re
import sys
import textwrap
import unittest

from support import ImportTest, freeze

FILES = {
    "app/__init__.py": '''
        """A docstring that is not an identifier."""
        from . import core
        import json
        ''',
    "app/core.py": '''
        import atexit, threading, weakref
        SET = frozenset(("a", "b", ("c", 1)))
        TEXT = "a text, for somebody to intern"
        OTHER = "é text that is not ASCII, likewise"
        class Node:
            """A class with a cycle in it."""
            def __init__(self, name="some_node_name"):
                self.me, self.name = self, name
            def __del__(self):
                self.name.upper(), TEXT[:3] if TEXT else None
            def __repr__(self):
                return f"<{self.name}>"
        nodes = [Node(str(i)) for i in range(20)]
        cache = weakref.WeakValueDictionary(enumerate(nodes))
        local = threading.local()
        local.value = Node()
        def generator():
            try:
                while True:
                    yield Node()
            finally:
                len(TEXT or "")
        running = generator()
        next(running)
        def spin():
            while True:
                sum(x * 2 for x in range(100)), Node("spinning")
        async def coroutine():
            return Node()
        ''',
    "app/late.py": "from .core import Node, SET\nprint('late', len(SET), Node('x'))\n",
    "app/unused.py": "def f(): return 'never imported'\n",
}

USES = {
    "nothing": "",
    "imported": "import app",
    "everything": "import app.late; tenure.load('image.tenure').verify()",
    "preloaded": "tenure.load('image.tenure').preload()",
    "sys.exit": "import app; sys.exit()",
    "raised": "import app\ntry: 1 / 0\nexcept ZeroDivisionError: sys.exit(0)",
    "os._exit": "import app, os; os._exit(0)",
    "atexit": "import app, atexit; atexit.register(lambda: __import__('app.late'))",
    "atexit alone": "import atexit; atexit.register(lambda: (__import__('app.late'), sys.intern(app.core.TEXT)))"
    "\nimport app",
    "load at exit": "import atexit; atexit.register(lambda: (tenure.load('second.tenure'), __import__('app.late')))",
    "daemon": "import app, threading\nfor _ in range(3): threading.Thread(target=app.core.spin, daemon=True).start()",
    "thread": "import app, threading\nt = threading.Thread(target=lambda: [next(app.core.running) for _ in range(1000)])\nt.start()",
    "interned docstring": "import app; sys.intern(app.__doc__), sys.intern(app.core.TEXT), sys.intern(app.core.OTHER),"
    " sys.intern(app.core.Node.__doc__)",
    "interned equal": "import app; kept = [sys.intern(x[:1] + x[1:]) for x in (app.__doc__, app.core.TEXT, app.core.OTHER)];"
    " sys.intern(app.core.TEXT)",
    "interned before": "kept = sys.intern('a text, for somebody' + str(' to intern')); import app;"
    " print(sys.intern(app.core.TEXT) is kept)",
    "interned then import": "sys.intern('a text, for somebody' + str(' to intern')); import app, gc; gc.collect();"
    " sys.intern(app.core.TEXT)",
    "attributes": "import app; setattr(app, app.core.TEXT, 1), setattr(app.core.Node, app.core.OTHER, 2),"
    " vars(app).update({app.core.TEXT: 3})",
    "cleared modules": "import app, gc; core = app.core; sys.modules.clear(); del app; gc.collect()",
    "kept in builtins": "import app, builtins; builtins.kept = app.core.Node('kept'), app.core.running, app.core.SET",
    "kept in sys": "import app; sys.excepthook = sys.displayhook = app.core.spin; sys.kept = app.core.coroutine().close()",
    "uncollected": "import app, gc; gc.disable(); gc.freeze(); x = [app.core.Node() for _ in range(100)]",
    "finder removed": "import app; sys.meta_path.clear(); sys.modules.pop('tenure'); sys.modules.pop('tenure._tenure')",
    "module dropped": "import app, gc; del sys.modules['tenure'], sys.modules['tenure._tenure'], tenure; gc.collect();"
    " import app.late",
    "traced": "import app; sys.settrace(lambda *a: None); sys.setprofile(lambda *a: None); app.core.Node()",
    "monitored": "import app; m = sys.monitoring; m.use_tool_id(2, 'x'); m.set_events(2, m.events.LINE | m.events.PY_START);"
    "\napp.core.Node()",
    "hash and weakrefs": "import app, weakref; c = app.core.Node.__init__.__code__; r = weakref.ref(c, print);"
    " d = weakref.WeakKeyDictionary({c: 1}); hash(app.core.SET)",
    "instrumented": "import app, cProfile; p = cProfile.Profile(); p.enable(); app.core.Node()",
    "pickled": "import app, pickle; x = pickle.loads(pickle.dumps(app.core.SET))",
    "tracemalloc": "import tracemalloc; tracemalloc.start(); import app; tracemalloc.take_snapshot()",
}  # fmt: skip

PRINTED = {
    "everything": "late 3 <x>\n", "atexit": "late 3 <x>\n", "atexit alone": "late 3 <x>\n",
    "load at exit": "late 3 <x>\n", "interned before": "True\n", "module dropped": "late 3 <x>\n",
}  # fmt: skip


class ExitTest(ImportTest):
    FILES = FILES
    NAMES = ["app"]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        (cls.folder / "second.tenure").write_bytes(cls.image.read_bytes())

    def ends_well(self, **more: object) -> None:
        for name, code in USES.items():
            with self.subTest(name):
                self.assertEqual(self.frozen(code, **more), PRINTED.get(name, ""))

    def test_usual(self):
        self.ends_well()

    def test_development_mode(self):
        # Warns, and fills what is freed. With its hooks, malloc finds what is freed and is not its own.
        self.ends_well(options=["-X", "dev"])

    def test_malloc_debug(self):
        self.ends_well(env={"PYTHONMALLOC": "malloc_debug"})

    def test_status(self):
        for code, status, words in (
            ("import app; sys.exit(3)", 3, ""),
            ("import app; sys.exit('so')", 1, "so"),
            ("import app; raise ValueError(app.core.TEXT)", 1, "ValueError: a text, for"),
            ("import app, atexit; atexit.register(lambda: 1 / 0)", 0, "ZeroDivisionError"),
            ("import app.none", 1, "No module named 'app.none'"),
        ):
            with self.subTest(code):
                result = self.run_code(code, image=self.image)
                self.assertEqual(result.returncode, status)
                self.assertIn(words, result.stderr)

    def test_import_time(self):
        for name in "everything", "atexit", "nothing":
            result = self.run_code(USES[name], image=self.image, options=["-X", "importtime"])
            self.assertEqual((result.returncode, result.stdout), (0, PRINTED.get(name, "")))
            self.assertEqual([], [line for line in result.stderr.splitlines() if "import time:" not in line])

    def test_subinterpreters_that_are_left(self):
        use = "import sys; sys.path[:0] = %r; import tenure; tenure.load(%r); import app, app.late" % (
            [str(self.folder)], str(self.image))  # fmt: skip
        for config in "legacy", "isolated":
            result = self.run_code(
                f"""
                import _interpreters as interpreters, app
                for _ in range(3):
                    id = interpreters.create({config!r})
                    assert interpreters.exec(id, {use!r}) is None
                """,
                image=self.image,
            )
            self.assertEqual(result.returncode, 0, result.stderr)
            # From 3.14 on the interpreter complains that they are left, and nobody else may.
            expected = r"<sys>:0: RuntimeWarning: remaining subinterpreters.*\n" if sys.version_info >= (3, 14) else ""
            self.assertRegex(result.stderr, rf"\A{expected}\Z")

    def test_damaged_image(self):
        damaged = self.folder / "damaged.tenure"
        data = bytearray(self.image.read_bytes())
        data[len(data) // 3] ^= 1
        damaged.write_bytes(data)
        self.check(
            """
            for path in "damaged.tenure", "/", "image.tenure":
                try:
                    tenure.load(path, check="full")
                except tenure.ImageError:
                    pass
            import app
            """
        )


class LeakTest(ImportTest):
    FILES = FILES
    NAMES = ["app"]

    COUNT = textwrap.dedent(
        """
        import gc
        total = getattr(sys, "gettotalrefcount", lambda: 0)
        def grows(work, turns):
            # The change in one turn. Caches and free lists fill and empty now and then; what leaks, always.
            work()
            least = [1 << 60, 1 << 60]
            for _ in range(15):
                gc.collect()
                before = total(), sys.getallocatedblocks()
                for _ in range(turns): work()
                gc.collect()
                after = total(), sys.getallocatedblocks()
                least = [min(x, (a - b) / turns) for x, a, b in zip(least, after, before)]
                if max(least) <= 0.5: break
            return least
        def check(name, work, turns=60):
            grown = grows(work, turns)
            if max(grown) > 0.5:
                print(name, grown)
        """
    )

    PROGRAM = textwrap.dedent(
        """
        import os, app.core, importlib, importlib.util
        from tenure import _tenure
        from tenure._collect import Collector
        image = tenure.load("image.tenure")
        with open("image.tenure", "rb") as file: good = file.read()
        for name, data in {"empty": b"", "short": good[:5000], "header": b"x" + good[1:],
                "table": good[:-5000] + bytes(5000), "code": good[:9000] + b"\\1" * 64 + good[9064:]}.items():
            with open(name, "wb") as file: file.write(data)
            def refused():
                try: tenure.load(name, check="full")
                except tenure.ImageError as error: assert error.path == name
                else: raise AssertionError(name)
            check("refused " + name, refused)
            def uninspected():
                try: _tenure.inspect(name)
                except tenure.ImageError: pass
            check("inspect " + name, uninspected)
        def missing():
            try: tenure.load("missing")
            except tenure.ImageError: pass
        check("missing", missing)
        check("load", lambda: tenure.load("image.tenure"))
        check("attributes", lambda: (image.modules, image.path, image.stats(), image.prelinked, repr(image)))
        check("preload", image.preload)
        check("verify", image.verify)
        check("inspect", lambda: _tenure.inspect("image.tenure"))
        check("checksum", lambda: _tenure.checksum(good))
        check("find_spec", lambda: [importlib.util.find_spec(n) for n in ("app.core", "app.unused", "none")])
        check("reload", lambda: importlib.reload(app), 200)
        def again():
            del sys.modules["app.unused"]
            importlib.import_module("app.unused").f()
        import app.unused
        check("import", again, 200)
        modules = Collector()
        modules.add_name("app")
        modules = [tuple(m) for m in modules.read()]
        check("write", lambda: _tenure.write_image("out", modules, lambda *a: None, {"a"}))
        def unwritable():
            try: _tenure.write_image("/nothing/out", modules)
            except OSError: pass
        check("unwritable", unwritable)
        name, code, *rest = modules[0]
        odd = (name, code.replace(co_consts=(*code.co_consts, [])), *rest)
        def refused_module():
            for given in [modules[0], odd], [modules[0], modules[0]], [3], [("x",)], 5:
                try: _tenure.write_image("out", given)
                except (TypeError, ValueError): pass
                else: raise AssertionError(given)
        check("refused module", refused_module)
        """
    )

    def test_nothing_grows(self):
        # Blocks are counted everywhere, references by debug interpreters alone.
        folder = self.new_folder(FILES)
        image = freeze(folder, self.NAMES)
        self.assertEqual(self.check(self.COUNT + self.PROGRAM, image=image, folder=folder), "")

    def test_references_at_exit(self):
        # What an image holds is immortal and not counted; what is left over at exit may be the few
        # strings that it shares with the interpreter, and must not depend on how much is imported.
        if not hasattr(sys, "gettotalrefcount"):
            return self.assertEqual(self.left("import app.late", image=self.image), [])
        usual = self.left("import app.late")
        for code in "import app.late", "import app.late; sys.intern(app.core.TEXT)":
            frozen = self.left(code, image=self.image)
            self.assertEqual((len(usual), len(frozen)), (2, 2))
            for with_image, without in zip(frozen, usual):
                self.assertLess(with_image - without, 400)

    def left(self, code: str, **more: object) -> list[int]:
        """References and blocks that the interpreter says are left at its end."""
        result = self.run_code(code, options=["-X", "showrefcount"], **more)
        self.assertEqual((result.returncode, result.stdout), (0, "late 3 <x>\n"))
        found = re.search(r"\[(-?\d+) refs, (-?\d+) blocks\]", result.stderr)
        self.assertEqual(re.sub(r"\[.*\]\n", "", result.stderr), "")
        return [int(number) for number in found.groups()] if found else []


if __name__ == "__main__":
    sys.exit(unittest.main())
