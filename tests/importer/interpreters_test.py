"""Images in other interpreters of the process, in its threads, its children and its successor."""

from __future__ import annotations

import sys
import unittest

from support import INTERPRETERS, PACKAGE_FOLDER, ImportTest, write

FILES = {
    "app/__init__.py": "from .core import work, TEXT\n",
    "app/core.py": """
        import builtins
        TEXT = "a text of the application"
        NAMES = {"app_name", "other_app_name"}
        class Worker:
            def __init__(self, n):
                self.n = n
            def __call__(self, x):
                return x * self.n
        def work(n):
            worker = Worker(n)
            return sum(worker(i) for i in range(100)), "app_name" in NAMES, n in (1, 2, frozenset((3,)))
        """,
    "app/late.py": "from .core import work\nvalue = work(2)\ndef f(): return value[1:]\n",
    **{f"app/m{i}.py": f"from . import core\nvalue = core.work({i})[0]\n" for i in range(20)},
    **{f"lib{i}.py": f"import app.m{i}\nvalue = 'lib_value_{i}', app.m{i}.value\n" for i in range(20)},
}

# Run in another interpreter.
USE = """
import sys
sys.path[:0] = {path!r}
import tenure
image = tenure.load({image!r})
import app, app.late, json
assert type(app.core.__loader__).__name__ == "ImageLoader"
assert app.work(3)[:2] == (14850, True), app.work(3)
for n in range(300):
    app.work(n), app.late.f()
assert image.verify()["objects"] > 100
sys.intern(app.TEXT)
assert sys.intern("app" + "_name") in app.core.NAMES
"""


class InterpretersTest(ImportTest):
    FILES = FILES
    NAMES = ["app", *(f"lib{i}" for i in range(20))]

    def use(self) -> str:
        return USE.format(path=[str(self.folder), PACKAGE_FOLDER], image=str(self.image))

    def test_subinterpreters(self):
        for config in "legacy", "isolated":
            for before in "", self.use():
                with self.subTest(config=config, in_main_before=bool(before)):
                    shown = self.check(
                        f"{INTERPRETERS}\nuse = {self.use()!r}\nexec({before!r})\n"
                        f"for turn in range(5): run(use, {config!r})\n"
                        "exec(use)\nprint(image.stats()['prelinked'])\n"
                    )
                    # The first to map it gets the address.
                    self.assertEqual(shown, f"{bool(before)}\n")

    def test_interpreters_of_the_standard_library(self):
        # concurrent.interpreters is new in 3.14; before, what is below it.
        if sys.version_info >= (3, 14):
            code = f"""
                from concurrent import interpreters
                for turn in range(3):
                    interpreter = interpreters.create()
                    interpreter.exec({self.use()!r})
                    interpreter.exec("assert app.work(4)[0] == 19800")
                    interpreter.close()
                """
        else:
            code = f"""
                import _interpreters
                for turn in range(3):
                    id = _interpreters.create()
                    assert _interpreters.exec(id, {self.use()!r}) is None
                    assert _interpreters.exec(id, "assert app.work(4)[0] == 19800") is None
                    _interpreters.destroy(id)
                """
        self.assertEqual(self.check(code), "")

    def test_first_interpreter_to_load_is_prelinked(self):
        code = self.use() + "print(image.prelinked)\n"
        shown = self.check(
            f"{INTERPRETERS}\nfor config in ('isolated', 'legacy'): run({code!r}, config)\n"
        )
        self.assertEqual(shown, "True\nFalse\n")

    def test_subinterpreters_that_live_at_once(self):
        shown = self.check(
            f"""
            {INTERPRETERS.replace(chr(10), chr(10) + " " * 12)}
            use = {self.use()!r}
            ids = [interpreters.create(config) for config in ("isolated", "legacy", "isolated")]
            for id in ids:
                error = interpreters.exec(id, use)
                if error: print(error.formatted)
            exec(use)
            for id in ids:
                error = interpreters.exec(id, "app.work(4), app.late.f()\\nimport app.m3, lib4")
                if error: print(error.formatted)
            for id in ids:
                interpreters.destroy(id)
                __import__(f"app.m{{id}}")
            import app.m5
            print(app.m5.value, image.verify()["objects"] > 100)
            """
        )
        self.assertEqual(shown, "24750 True\n")

    def test_interpreters_with_own_locks_at_once(self):
        shown = self.check(
            f"""
            {INTERPRETERS.replace(chr(10), chr(10) + " " * 12)}
            import threading
            use = {self.use()!r}
            threads = [threading.Thread(target=run, args=(use, "isolated")) for _ in range(4)]
            for t in threads: t.start()
            for t in threads: t.join()
            print("done")
            """
        )
        self.assertEqual(shown, "done\n")

    def test_failed_load_in_a_subinterpreter(self):
        code = """
import sys, tenure
before = list(sys.meta_path)
for path in ("/", sys.executable):
    try:
        tenure.load(path)
    except tenure.ImageError:
        pass
assert sys.meta_path == before
"""
        self.check(f"{INTERPRETERS}\nfor c in ('legacy', 'isolated') * 2: run({code!r}, c)\n")

    def test_fork(self):
        shown = self.frozen(
            """
            import os, app
            for turn in range(4):
                pid = os.fork()
                if pid == 0:
                    import app.late, lib3
                    assert app.late.f() == (True, True) and lib3.value == ("lib_value_3", 14850)
                    image = tenure.load("image.tenure")
                    assert image.verify()["objects"] > 100
                    os._exit(7) if turn % 2 else sys.exit(7)
                print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), end=" ", flush=True)
            import app.late, lib4
            print(app.late.f(), "lib3" in sys.modules, lib4.value)
            """
        )
        self.assertEqual(shown, "7 7 7 7 (True, True) False ('lib_value_4', 19800)\n")

    def test_fork_of_a_fork_and_exit(self):
        shown = self.frozen(
            """
            import os, lib1
            def child(depth):
                pid = os.fork()
                if pid == 0:
                    __import__(f"lib{depth + 2}")
                    if depth < 3:
                        child(depth + 1)
                    sys.exit(depth)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == depth
            child(0)
            print("done")
            """
        )
        self.assertEqual(shown, "done\n")

    def test_multiprocessing(self):
        folder = self.new_folder()
        write(
            folder,
            {
                "main.py": f"""
                    import multiprocessing, sys
                    sys.path.insert(0, {str(self.folder)!r})
                    import tenure
                    image = tenure.load({str(self.image)!r})
                    import app.late
                    def work(n):
                        import lib5
                        return n * 2, lib5.value, type(app.__loader__).__name__, image.prelinked
                    if __name__ == "__main__":
                        for method in {["spawn", "forkserver", "fork"]!r}:
                            context = multiprocessing.get_context(method)
                            with context.Pool(1) as pool:
                                print(method, pool.map(work, [1]), pool.apply(app.late.f))
                    """
            },
        )
        result = self.execute([folder / "main.py"])
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        answer = "[(2, ('lib_value_5', 24750), 'ImageLoader', True)] (True, True)"
        self.assertEqual(
            result.stdout,
            "".join(f"{method} {answer}\n" for method in ("spawn", "forkserver", "fork")),
        )

    def test_exec(self):
        code = (
            f"import sys; sys.path[:0] = [{str(self.folder)!r}]; import tenure;"
            f" i = tenure.load({str(self.image)!r}); import app.late; print(i.prelinked, app.late.f())"
        )
        shown = self.frozen(
            f"""
            import os, app.late
            print("before", flush=True)
            os.execv(sys.executable, [sys.executable, "-c", {code!r}])
            """
        )
        self.assertEqual(shown, "before\nTrue (True, True)\n")

    def test_threads_importing_while_others_load(self):
        folder = self.new_folder()
        for i in range(8):
            (folder / f"copy{i}").write_bytes(self.image.read_bytes())
        shown = self.frozen(
            f"""
            import threading, importlib
            barrier, errors = threading.Barrier(4), []
            def guarded(f):
                def work():
                    barrier.wait()
                    try:
                        f()
                    except BaseException as error:
                        errors.append(repr(error))
                return threading.Thread(target=work)
            def load():
                for i in range(8):
                    image = tenure.load({str(folder)!r} + f"/copy{{i}}", check="full" if i % 2 else "lazy")
                    image.preload()
            def use(part):
                for i in range(part, 20, 2):
                    module = importlib.import_module(f"lib{{i}}")
                    if module.value != (f"lib_value_{{i}}", i * 4950):
                        errors.append(module.value)
                    import app.late
            sys.setswitchinterval(1e-5)
            threads = [guarded(load), guarded(load), guarded(lambda: use(0)), guarded(lambda: use(1))]
            for t in threads: t.start()
            for t in threads: t.join()
            print(errors, len(sys.meta_path))
            """
        )
        self.assertEqual(shown, "[] 4\n")


if __name__ == "__main__":
    sys.exit(unittest.main())
