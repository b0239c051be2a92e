"""What the import system does around a frozen module's body: errors, cycles, threads, sys.modules."""

from __future__ import annotations

import sys
import unittest

from support import ImportTest

FILES = {
    "bad/__init__.py": "",
    "bad/raises.py": """
        import builtins
        builtins.count = getattr(builtins, "count", 0) + 1
        before = "kept"
        def inner():
            raise ValueError(f"number {builtins.count}")
        def outer():
            inner()
        if builtins.count < 3:
            outer()
        after = "reached"
        """,
    "bad/chained.py": """
        try:
            from . import raises
        except ValueError as error:
            raise RuntimeError("chained") from error
        """,
    "bad/through.py": "from .deeper import value\n",
    "bad/deeper.py": "from .raises import after as value\n",
    "bad/nothing.py": "import bad.not_there\n",
    "bad/noname.py": "from .fine import no_such_name\n",
    "bad/fine.py": "value = 1\n",
    "bad/exits.py": "import sys\nsys.exit('enough')\n",
    "bad/interrupted.py": "raise KeyboardInterrupt\n",
    "bad/group.py": """
        def fail():
            raise ExceptionGroup("several", [ValueError(1), TypeError(2)])
        fail()
        """,
    "bad/recursive.py": "def f(): f()\nf()\n",
    "bad/noted.py": """
        error = KeyError("key")
        error.add_note("a note")
        raise error
        """,
    "badpackage/__init__.py": "from . import child\nraise ValueError('parent')\n",
    "badpackage/child.py": "",
    "circle/__init__.py": "from . import a\n",
    "circle/a.py": "from . import b\nvalue = 1\nfrom .b import late\n",
    "circle/b.py": "import circle.a\nfrom circle import a\nseen = hasattr(a, 'value')\nlate = 2\n",
    "circle/wrong.py": "from .wrong2 import x\ny = 1\n",
    "circle/wrong2.py": "from .wrong import y\n",
    "circle/wrong3.py": "import circle.wrong3\ncirele = circle.wrong3.z\n",
    "odd/__init__.py": "",
    "odd/deletes.py": "import sys\ndel sys.modules[__name__]\nvalue = 1\n",
    "odd/replaces.py": "import sys\nclass Other:\n    value = 'other'\nsys.modules[__name__] = Other()\n",
    "odd/isnone.py": "",
    "odd/renames.py": "__name__ = 'another'\nclass Made: pass\n",
    "odd/classes.py": """
        import sys, types
        class Module(types.ModuleType):
            @property
            def computed(self):
                return self.base + 1
        base = 1
        sys.modules[__name__].__class__ = Module
        """,
    "odd/slow.py": """
        import time, builtins
        builtins.runs.append(__name__)
        time.sleep(0.05)
        value = 1
        """,
    "warns/__init__.py": "import warnings\nwarnings.warn('from the body')\n"
    "def call():\n    warnings.warn('from a call', stacklevel=2)\n"
    "def here():\n    warnings.warn('here', DeprecationWarning)\n",
    "warns/user.py": "import warns\nwarns.call()\nwarns.here()\n",
    **{
        # Without a circle, which threads may run into from two sides.
        f"many/m{i}.py": f"import builtins\nfrom . import m{i // 2}\nbuiltins.runs.append({i})\n"
        for i in range(12)
    },
    "many/__init__.py": "",
}


class ImportingTest(ImportTest):
    FILES = FILES
    NAMES = ["bad", "badpackage", "circle", "odd", "warns", "many"]

    def test_tracebacks(self):
        for name, expected in {
            "raises": "ValueError: number 1",
            "chained": "RuntimeError: chained",
            "through": "ValueError: number 1",
            "nothing": "No module named 'bad.not_there'",
            "noname": "cannot import name 'no_such_name' from 'bad.fine'",
            "group": "several (2 sub-exceptions)",
            "noted": "a note",
        }.items():
            with self.subTest(name):
                shown = self.both(f"import bad.{name}", status=1)
                self.assertIn(expected, shown)
                self.assertIn("/bad/", shown)
                self.assertNotIn("importlib", shown)

    def test_recursion_without_end(self):
        # The number of calls differs: between import statement and body there are fewer frames.
        shown = self.run_code("import bad.recursive", image=self.image).stderr
        self.assertRegex(shown, r"repeated 9\d\d more times\]\nRecursionError: maximum rec")

    def test_exit_while_importing(self):
        self.assertIn("enough\n", self.both("import bad.exits", status=1))
        shown = self.both(
            """
            for name in "bad.exits", "bad.interrupted":
                try:
                    __import__(name)
                except BaseException as error:
                    print(repr(error), name in sys.modules)
            """
        )
        self.assertEqual(shown, "SystemExit('enough') False\nKeyboardInterrupt() False\n")

    def test_frames_of_an_error(self):
        self.both(
            """
            import traceback
            def frames(error):
                return [(f.name, f.lineno, f.end_lineno, f.colno, f.end_colno, f.line, f.filename)
                        for f in traceback.extract_tb(error.__traceback__)]
            for name in "bad.raises", "bad.through", "bad.chained":
                try:
                    __import__(name)
                except (ValueError, RuntimeError) as error:
                    print(type(error).__name__, frames(error))
                    print(error.__cause__ and frames(error.__cause__))
            """
        )

    def test_retry_after_an_error(self):
        self.both(
            """
            import bad
            for attempt in range(4):
                try:
                    import bad.through
                    print(bad.through.value, count)
                except ValueError as error:
                    print(error, sorted(n for n in sys.modules if n.startswith("bad")), vars(bad).keys() & {
                        "raises", "deeper", "through"})
            """,
            """
            number 1 ['bad'] set()
            number 2 ['bad'] set()
            reached 3
            reached 3
            """,
        )

    def test_package_that_fails(self):
        self.both(
            """
            for attempt in range(2):
                try:
                    import badpackage.child
                except ValueError as error:
                    print(error, sorted(n for n in sys.modules if n.startswith("badp")))
            """,
            "parent ['badpackage.child']\nparent ['badpackage.child']",
        )

    def test_circles(self):
        shown = self.both(
            """
            import circle
            print(circle.a.late, circle.b.seen, circle.b.a is circle.a)
            for name in "circle.wrong", "circle.wrong3":
                try:
                    __import__(name)
                except (ImportError, AttributeError) as error:
                    print(type(error).__name__, error, name in sys.modules)
            """
        )
        self.assertIn("2 False True", shown)
        self.assertIn("cannot import name 'y' from partially initialized module", shown)
        self.assertIn("cannot access submodule 'wrong3' of module 'circle'", shown)

    def test_sys_modules(self):
        self.both(
            """
            import odd
            try:
                import odd.deletes
            except KeyError as error:
                print(repr(error))
            import odd.replaces
            print(odd.replaces.value, odd.replaces is sys.modules["odd.replaces"])
            sys.modules["odd.isnone"] = None
            try:
                import odd.isnone
            except ImportError as error:
                print(type(error).__name__, error)
            import odd.renames
            print(odd.renames.Made.__module__, odd.renames.__spec__.name)
            import odd.classes
            print(odd.classes.computed)
            """
        )

    def test_warnings(self):
        self.both(
            """
            import warnings
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                import warns.user
            for w in caught:
                print(w.message, w.category.__name__, w.filename, w.lineno)
            """
        )
        # As the user sees them: with the line of the source, and once only.
        shown = [
            self.run_code("import warns.user; import warns.user", image=image).stderr
            for image in (None, self.image)
        ]
        self.assertEqual(*shown)
        self.assertIn("UserWarning: from a call\n  warns.call()", shown[0])

    def test_threads_importing_the_same_module(self):
        self.both(
            """
            import builtins, threading
            builtins.runs = []
            barrier, got = threading.Barrier(8), []
            def work():
                barrier.wait()
                import odd.slow
                got.append(odd.slow.value)
            threads = [threading.Thread(target=work) for _ in range(8)]
            for t in threads: t.start()
            for t in threads: t.join()
            print(runs, got)
            """,
            "['odd.slow'] [1, 1, 1, 1, 1, 1, 1, 1]",
        )

    def test_threads_importing_different_modules(self):
        self.both(
            """
            import builtins, importlib, threading
            builtins.runs = []
            barrier = threading.Barrier(12)
            errors = []
            def work(i):
                barrier.wait()
                try:
                    importlib.import_module(f"many.m{i}")
                except BaseException as error:
                    errors.append(error)
            threads = [threading.Thread(target=work, args=(i,)) for i in range(12)]
            for t in threads: t.start()
            for t in threads: t.join()
            print(sorted(runs), errors)
            """,
            "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] []",
        )

    def test_other_finders_keep_their_place(self):
        # One that was put in front later sees every import first, as ever.
        self.assertEqual(
            self.frozen(
                """
                import importlib.machinery as machinery
                class First:
                    @staticmethod
                    def find_spec(name, path=None, target=None):
                        print("asked for", name)
                        if name == "bad.fine":
                            return machinery.PathFinder.find_spec(name, path)
                sys.meta_path.insert(0, First)
                import bad.fine, circle.b
                print(type(bad.fine.__loader__).__name__, type(circle.b.__loader__).__name__)
                """
            ).splitlines(),
            [*(f"asked for {n}" for n in ("bad", "bad.fine", "circle", "circle.a", "circle.b")),
             "SourceFileLoader ImageLoader"],
        )  # fmt: skip

    def test_import_hook_and_audit(self):
        self.both(
            """
            import builtins
            names, real = [], __import__
            def hook(name, *rest, **more):
                if name != "_io":  # importlib's own, to read the source
                    names.append(name)
                return real(name, *rest, **more)
            builtins.__import__ = hook
            import circle.b
            print(names)
            """
        )
        # "exec" is raised for the body of every module, "import" for the module.
        self.both(
            """
            events = []
            sys.addaudithook(lambda event, args: events.append((event, str(args[0])))
                             if event in ("import", "exec") else None)
            import bad.fine
            for event, first in events:
                print(event, first.split(" at 0x")[0], first.partition(", file ")[2])
            """
        )


if __name__ == "__main__":
    sys.exit(unittest.main())
