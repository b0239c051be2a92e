"""FrozenDict in other processes, other interpreters of a process, its children, and at its end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

from tenure import _tenure

from helpers import PACKAGE_FOLDER, environment

# Where the type is in every process in which the place is free: core/abi/places.h.
PAGE = 0x00F0_0000_0000 if "libtsan" in os.environ.get("LD_PRELOAD", "") else 0x10F0_0000_0000
ADDRESS = PAGE + 0x40

# Uses what there is of FrozenDict: its types, its fallback, the collector.
USE = """
import collections.abc, gc, sys, weakref
from decimal import Decimal
from tenure import FrozenDict
def use():
    items = {"a": 1, "b": [1], **{f"k{i}": i for i in range(50)}}
    frozen = FrozenDict(items)
    assert isinstance(frozen, collections.abc.Mapping)
    assert isinstance(frozen.keys(), collections.abc.KeysView)
    assert frozen == items and list(frozen.items()) == list(items.items())
    assert list(reversed(frozen.values()))[-2:] == [[1], 1]
    assert Decimal(1) not in frozen and frozen["k7"] == 7 and frozen | {"z": 1} == {**items, "z": 1}
    assert repr(frozen) == repr(items)
    around = []
    around.append(FrozenDict(a=around))
    del around
    gc.collect()
    assert any(sub is FrozenDict for sub in object.__subclasses__())
    assert weakref.ref(FrozenDict)() is FrozenDict
use()
"""

INTERPRETERS = """
import sys
import _interpreters as interpreters
PATH = {path!r}
def start(config):
    id = interpreters.create(config)
    run(id, "import sys; sys.path[:0] = " + repr(PATH))
    return id
def run(id, code):
    error = interpreters.exec(id, code)
    if error is not None:
        print(getattr(error, "formatted", error))
USE = {use!r}
"""


class ProcessTest(unittest.TestCase):
    def python(self, code: str, *options: str, status: int = 0, **variables: str) -> str:
        """What a new process writes that runs the code."""
        result = subprocess.run(
            [sys.executable, *options, "-c", textwrap.dedent(code)],
            capture_output=True,
            text=True,
            timeout=120,
            env=environment(**variables),
        )
        self.assertEqual((result.returncode, result.stderr), (status, ""))
        return result.stdout


class Processes(ProcessTest):
    def test_pickles_of_other_seeds(self) -> None:
        make = """
import pickle
from tenure import FrozenDict
frozen = FrozenDict({"a": 1, ("b", 2): FrozenDict(c=frozenset("xyz")), b"d": 4, **{str(i): i for i in range(100)}})
"""
        pickled = self.python(make + "print(pickle.dumps(frozen).hex())", PYTHONHASHSEED="1")
        check = f"assert pickle.loads(bytes.fromhex({pickled.strip()!r})) == frozen; print(repr(frozen['50']))"
        for seed in "0", "2", "random":
            self.assertEqual(self.python(make + check, PYTHONHASHSEED=seed), "50\n")

    def test_same_address_in_every_process(self) -> None:
        code = "from tenure import FrozenDict; print(id(FrozenDict))"
        self.assertEqual({self.python(code) for _ in range(3)}, {f"{ADDRESS}\n"})

    def test_address_taken(self) -> None:
        take = """
            import ctypes, mmap
            libc = ctypes.CDLL(None, use_errno=True)
            libc.mmap.restype = ctypes.c_void_p
            libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
            def take(address, protection, text=b""):
                got = libc.mmap(address, 4096, 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x100000, -1, 0)
                assert got == address
                ctypes.memmove(address, text, len(text))
                assert libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(4096), protection) == 0
            step = 1 << 32
            """
        ends = [
            # Unreadable; somebody's text; zeros: the next address is it.
            ("take(first, 0)", ADDRESS + (1 << 32)),
            ("take(first, 3, b'somebody else')", ADDRESS + (1 << 32)),
            ("take(first, 3)", ADDRESS + (1 << 32)),
            ("take(first, 1, b'tenure types 1\\n\\0' + bytes([99, 0, 0, 0]))", ADDRESS + (1 << 32)),
            ("[take(first + i * step, 0) for i in range(4)]", None),
        ]
        for taken, address in ends:
            with self.subTest(taken=taken):
                code = f"first = {PAGE}\n" + textwrap.dedent(take) + taken + "\n" + USE + "print(id(FrozenDict))\n"
                got = int(self.python(code))
                if address is None:
                    self.assertFalse(PAGE <= got < PAGE + (1 << 36))
                else:
                    self.assertEqual(got, address)

    def test_two_copies_have_one_type(self) -> None:
        with tempfile.TemporaryDirectory(prefix="tenure-test-") as folder:
            copy = Path(folder) / Path(_tenure.__file__).name
            shutil.copy(_tenure.__file__, copy)
            load = f"""
                import importlib.util
                def other():
                    spec = importlib.util.spec_from_file_location("other._tenure", {str(copy)!r})
                    module = importlib.util.module_from_spec(spec)
                    spec.loader.exec_module(module)
                    return module.FrozenDict
                """
            for first, second in ("ours", "other"), ("other", "ours"):
                code = textwrap.dedent(load) + textwrap.dedent(
                    """
                    def ours():
                        import tenure
                        return tenure.FrozenDict
                    """
                )
                code += f"first, second = {first}(), {second}()\nassert first is second\n{USE}\nassert first is FrozenDict\n"
                self.assertEqual(self.python(code), "")

    def test_fork(self) -> None:
        code = f"""{USE}
import os
before = FrozenDict(a=[1], **{{str(i): i for i in range(100)}})
child = os.fork()
if child == 0:
    use()
    assert before["a"] == [1] and Decimal(7) not in before and id(FrozenDict) == {ADDRESS}
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
use()
"""
        self.assertEqual(self.python(code), "")

    def test_exit(self) -> None:
        code = f"""{USE}
import atexit, builtins
builtins.kept = FrozenDict(a=[FrozenDict()])
kept.__getitem__("a").append(kept)
class AtEnd:
    def __del__(self, FrozenDict=FrozenDict, kept=kept, print=print):
        print(FrozenDict(x=1)["x"], list(kept), "a" in kept)
builtins.at_end = AtEnd()
sys.modules["kept"] = iter(kept.items())
atexit.register(use)
"""
        self.assertEqual(self.python(code), "1 ['a'] True\n")
        self.assertEqual(self.python(code, "-X", "dev"), "1 ['a'] True\n")

    def test_import_stays_cheap(self) -> None:
        loaded = self.python("import sys; before = set(sys.modules); import tenure; print(sorted(set(sys.modules) - before))")
        self.assertLessEqual(set(eval(loaded)), {"tenure", "tenure._tenure"})


class Interpreters(ProcessTest):
    def interpreters(self, code: str, *options: str) -> str:
        return self.python(
            INTERPRETERS.format(path=[PACKAGE_FOLDER], use=USE) + textwrap.dedent(code), *options
        )

    def test_one_after_the_other(self) -> None:
        for before in "", "exec(USE)":
            # Whose types are such as FrozenDict's, and in 3.13 made ready only when they are imported.
            for datetime in "pass", "import datetime; datetime.date(2000, 1, 1)":
                code = f"""
                    {before}
                    for config in ("isolated", "legacy") * 2:
                        id = start(config)
                        run(id, {datetime!r})
                        run(id, USE)
                        interpreters.destroy(id)
                    exec(USE)
                    id = start("isolated")
                    run(id, USE)
                    interpreters.destroy(id)
                    use()
                    """
                with self.subTest(before=before, datetime=datetime):
                    self.assertEqual(self.interpreters(code), "")
                    self.assertEqual(self.interpreters(code, "-X", "dev"), "")

    def test_at_once(self) -> None:
        code = """
            ids = [start(config) for config in ("isolated", "legacy", "isolated")]
            for id in ids:
                run(id, USE)
            exec(USE)
            for turn in range(3):
                for id in ids:
                    run(id, "use()")
                use()
                interpreters.destroy(ids.pop())
            use()
            """
        self.assertEqual(self.interpreters(code), "")

    def test_they_share_the_type(self) -> None:
        code = """
            id = start("isolated")
            run(id, USE + "print(FrozenDict.__class__, hex(__builtins__.id(FrozenDict)))")
            exec(USE)
            print(hex(__builtins__.id(FrozenDict)))
            interpreters.destroy(id)
            """
        self.assertEqual(self.interpreters(code), f"<class 'type'> {ADDRESS:#x}\n{ADDRESS:#x}\n")

    def test_threads_with_own_locks(self) -> None:
        code = """
            import threading
            def work():
                id = start("isolated")
                run(id, USE + "for turn in range(20): use()")
                interpreters.destroy(id)
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            exec(USE)
            """
        for _ in range(3):
            self.assertEqual(self.interpreters(code), "")

    def test_left_open_at_exit(self) -> None:
        code = "id = start('isolated'); run(id, USE)\nexec(USE)"
        if sys.version_info >= (3, 14):
            code += "\nimport warnings; warnings.simplefilter('ignore')"
        self.assertEqual(self.interpreters(code), "")


if __name__ == "__main__":
    unittest.main()
