"""tenure.load() and the Image that it returns."""

from __future__ import annotations

import os
import sys
import unittest

from support import ImageFile, ImportTest, freeze, write
from tenure import _tenure

FILES = {
    "first/__init__.py": "from . import part\nname = __name__\n",
    "first/part.py": "from .more import SET\ndef f(x): return x in {'a', 'b'}, x[1:], SET == {1, 'x'}\n",
    "first/more.py": "SET = frozenset(('x', 1))\nTEXT = 'a text that nobody else has'\n",
    "second.py": "import first\nvalue = first.name + '2'\n",
    "busy0.py": """
        import sys
        factor = sum(map(ord, __name__))
        def leaf(x):
            return x * factor
        def branch(x, y=1, *, z=2):
            return leaf(x) + y + z
        class Thing:
            def __init__(self, x):
                self.x = x
            def method(self, y):
                return branch(self.x, y) + leaf(y)
            @property
            def twice(self):
                return self.x * 2 * factor
            def __add__(self, other):
                return Thing(self.x + other.x)
        def generate(n):
            for i in range(n):
                yield leaf(i)
        """,
}


class LoadTest(ImportTest):
    FILES = FILES
    NAMES = ["first", "second", "busy0"]

    def test_image(self):
        shown = self.check(
            f"""
            before = list(sys.meta_path)
            image = tenure.load({str(self.image)!r})
            print(image.modules, image.path == {str(self.image)!r}, image.prelinked)
            print(len(sys.meta_path) - len(before), sys.meta_path[1:] == before)
            stats = image.stats()
            print(stats["bytes"] == {self.image.stat().st_size}, stats["modules"], stats["groups_prepared"])
            print(stats["prelinked"] is image.prelinked, stats["slots_relocated"], stats["load_ns"] > 0)
            import first
            after = image.stats()
            print(after["groups_prepared"], stats["groups_prepared"], after["objects_rebuilt"] > 0)
            print(after["strings_interned"] > 0, after["prepare_ns"] > 0, first.part.f("abc"))
            print(image.preload(), image.stats()["groups_prepared"], "second" in sys.modules)
            print(image.preload(), image.stats()["groups_prepared"])
            one, two = image.verify(), image.verify()
            print(one == two, one["objects"] > 50, one["references"] > one["objects"], one["bytes"] > 1000)
            import second
            print(second.value, image.verify() == one, repr(image) == f"<tenure.Image {{image.path!r}}: 5 modules>")
            """
        )
        self.assertEqual(
            shown.splitlines(),
            ["('busy0', 'first', 'first.more', 'first.part', 'second') True True",
             "1 True", "True 5 0", "True 0 True", "4 0 True",
             "True True (False, 'bc', True)",
             "None 6 False", "None 6", "True True True True", "first2 True True"],
        )  # fmt: skip

    def test_type(self):
        self.assertEqual(
            self.frozen(
                f"""
                image = tenure.load({str(self.image)!r})
                for wrong in (
                    lambda: tenure.Image(), lambda: setattr(image, "path", 1), lambda: setattr(tenure.Image, "x", 1),
                    lambda: image.preload(1), lambda: image.verify(full=True),
                    lambda: type("Mine", (tenure.Image,), {{}}),
                    lambda: tenure.load(), lambda: tenure.load(3), lambda: tenure.load(None),
                    lambda: tenure.load(image.path, "full"), lambda: tenure.load(image.path, unknown=1),
                    lambda: tenure.load(image.path, check="some"), lambda: tenure.load(image.path, check=None),
                    lambda: tenure.load("a\\0b"), lambda: tenure.load(b"a\\0b"),
                ):
                    try:
                        print("no error", wrong())
                    except Exception as error:
                        print(type(error).__name__, end=" ")
                """
            ).split(),
            ["TypeError", "AttributeError", *["TypeError"] * 9, *["ValueError"] * 4],
        )

    def test_the_same_file_is_the_same_image(self):
        folder = self.new_folder()
        link = folder / "link"
        link.symlink_to(self.image)
        hard = self.folder / "hard"
        os.link(self.image, hard)
        self.addCleanup(os.unlink, hard)
        shown = self.check(
            f"""
            import os, pathlib, gc
            path = {str(self.image)!r}
            image = tenure.load(path)
            for other in (path, os.fsencode(path), pathlib.Path(path), "image.tenure", "./image.tenure",
                          {str(link)!r}, {str(hard)!r}):
                print(tenure.load(other) is image, end=" ")
            print(tenure.load(path, check="full") is image, len(sys.meta_path))
            name = id(image)
            del image
            gc.collect()
            import first
            print(first.part.f("a")[0], id(tenure.load(path)) == name)
            """
        )
        self.assertEqual(shown, "True " * 8 + "4\nTrue True\n")

    def test_path_of_the_image(self):
        shown = self.check(
            """
            import os, pathlib
            image = tenure.load(pathlib.Path("image.tenure"))
            print(image.path, tenure.load(os.path.abspath(image.path)).path)
            """
        )
        self.assertEqual(shown, "image.tenure image.tenure\n")

    def test_threads_loading_the_same_file(self):
        shown = self.check(
            f"""
            import threading
            barrier, got = threading.Barrier(8), []
            def work():
                barrier.wait()
                got.append(tenure.load({str(self.image)!r}, check="full"))
            threads = [threading.Thread(target=work) for _ in range(8)]
            for t in threads: t.start()
            for t in threads: t.join()
            print(len(got), len(set(map(id, got))))
            import second
            """
        )
        self.assertEqual(shown, "8 1\n")

    def test_no_file_stays_open(self):
        self.assertEqual(
            self.check(
                f"""
                import os
                count = lambda: len(os.listdir("/proc/self/fd"))
                before = count()
                tenure.load({str(self.image)!r}).verify()
                tenure._tenure.inspect({str(self.image)!r})
                for bad in ("/", "/dev/null", sys.executable):
                    try:
                        tenure.load(bad)
                    except tenure.ImageError:
                        pass
                print(count() - before)
                """
            ),
            "0\n",
        )

    def test_two_images(self):
        folder = self.new_folder()
        one = freeze(self.folder, ["first"], folder / "one")
        two = freeze(self.folder, ["second"], folder / "two")
        shown = self.check(
            f"""
            one, two = tenure.load({str(one)!r}), tenure.load({str(two)!r})
            print(one is two, one.modules, two.modules, one.prelinked, two.prelinked)
            import second
            print(second.value, one.stats()["groups_prepared"], two.stats()["groups_prepared"])
            print(one.verify()["objects"] > 0, two.verify()["objects"] > 0)
            print(sum(type(f).__name__ == "ImageFinder" for f in sys.meta_path))
            """
        )
        self.assertEqual(
            shown,
            "False ('first', 'first.more', 'first.part') ('second',) True True\n"
            "first2 4 2\nTrue True\n1\n",
        )

    def test_the_first_image_with_a_module_has_it(self):
        folder = self.new_folder({"both.py": "which = 'old'\n", "extra.py": "import both\n"})
        old = freeze(folder, ["both"], "old")
        write(folder, {"both.py": "which = 'newer'\n"})
        new = freeze(folder, ["both", "extra"], "new")
        for first, then, which in (old, new, "old"), (new, old, "newer"):
            shown = self.check(
                f"""
                tenure.load({str(first)!r}), tenure.load({str(then)!r})
                import extra, both
                print(both.which, type(extra.__loader__).__name__)
                """,
                folder=folder,
            )
            self.assertEqual(shown, f"{which} ImageLoader\n")

    def test_modules_that_are_already_imported_stay(self):
        shown = self.check(
            f"""
            import first.more
            loaded = tenure.load({str(self.image)!r})
            import first.part, first.more, second
            print(type(first.more.__loader__).__name__, type(second.__loader__).__name__)
            """
        )
        self.assertEqual(shown, "SourceFileLoader ImageLoader\n")

    def test_empty_image(self):
        path = self.new_folder() / "empty"
        _tenure.write_image(str(path), [])
        shown = self.check(
            f"""
            before = list(sys.meta_path)
            image = tenure.load({str(path)!r}, check="full")
            print(image.modules, image.verify()["objects"], sys.meta_path == before)
            """
        )
        self.assertEqual(shown, "() 0 True\n")

    def busy(self, *names: str) -> str:
        """A program that calls the functions of modules from the same places, often."""
        return f"""
            import importlib, json
            modules = [importlib.import_module(n) for n in {names!r}]
            def call(m, i):
                t = m.Thing(i)
                return (m.leaf(i), m.branch(i), m.branch(i, 2, z=3), t.method(3), t.twice, (t + t).x,
                        sum(m.generate(5)))
            for n in range(3000):
                for m in modules:
                    f = m.factor
                    got = call(m, n)
                    right = n * f, n * f + 3, n * f + 5, n * f + 5 + 3 * f, n * 2 * f, 2 * n, 10 * f
                    assert got == right, (m, n, got)
            print("right", [type(m.__loader__).__name__ for m in modules])
            """

    def test_two_images_for_the_same_address(self):
        # The same content under another module name: same preferred address, same code versions.
        file = ImageFile(self.image)
        position = file.data.index(b"busy0", file["file_bytes"] // 2)
        self.assertTrue(any(kind == 1 and start <= position < start + size
                            for kind, _, start, size, _ in file.directory()))  # fmt: skip
        file.data[position : position + 5] = b"busy1"
        copy = file.seal().save(self.new_folder() / "copy")
        shown = self.check(
            f"""
            one, two = tenure.load({str(self.image)!r}), tenure.load({str(copy)!r})
            print(one.prelinked, two.prelinked, two.modules[0])
            """
            + self.busy("busy0", "busy1")
            + """
            print(two.stats()["slots_relocated"] > 0, one.verify() == two.verify())
            """
        )
        self.assertEqual(
            shown, "True False busy1\nright ['ImageLoader', 'ImageLoader']\nTrue True\n"
        )

    def test_exact_copy(self):
        copy = self.new_folder() / "copy"
        copy.write_bytes(self.image.read_bytes())
        shown = self.check(
            f"""
            one, two = tenure.load({str(self.image)!r}), tenure.load({str(copy)!r}, check="full")
            print(one is two, two.prelinked, one.modules == two.modules)
            two.preload()
            import second
            print(second.value, two.verify() == one.verify(), two.stats()["slots_relocated"] > 0)
            """
        )
        self.assertEqual(shown, "False False True\nfirst2 True True\n")

    def test_address_taken_by_another_mapping(self):
        base = ImageFile(self.image)["preferred_base"]
        shown = self.check(
            f"""
            import ctypes, mmap
            map = ctypes.CDLL(None).mmap
            map.argtypes = ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long
            map.restype = ctypes.c_void_p
            assert map({base}, 4096, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x100000, -1, 0) == {base}
            image = tenure.load({str(self.image)!r})
            print(image.prelinked)
            import second, first
            print(second.value, first.part.f("b")[0], image.stats()["slots_relocated"] > 0)
            """
            + self.busy("busy0")
            + """
            print(image.verify()["objects"] > 0)
            """
        )
        self.assertEqual(shown, "False\nfirst2 True True\nright ['ImageLoader']\nTrue\n")

    def test_file_replaced_while_loaded(self):
        folder = self.new_folder(FILES)
        path = freeze(folder, ["first", "second", "busy0"])
        write(folder, {"second.py": "value = 'replaced'\n"})
        other = freeze(folder, ["second"], "other")
        shown = self.check(
            f"""
            import os
            one = tenure.load({str(path)!r})
            import first
            os.rename({str(other)!r}, {str(path)!r})
            import second
            two = tenure.load({str(path)!r})
            print(second.value, two is one, two.modules, two.prelinked, one.verify()["objects"] > 0)
            os.unlink({str(path)!r})
            import busy0
            print(busy0.leaf(1), one.verify()["objects"] > two.verify()["objects"])
            """,
            folder=folder,
        )
        self.assertRegex(shown, r"first2 False \('second',\) True True\n\d+ True\n")

    def test_path_that_is_no_file(self):
        folder = self.new_folder()
        os.mkfifo(folder / "fifo")
        (folder / "closed").write_bytes(self.image.read_bytes())
        os.chmod(folder / "closed", 0)
        os.chmod(folder, 0o755)
        shown = self.check(
            f"""
            import os
            before = list(sys.meta_path)
            def refused(path):
                for call in tenure.load, tenure._tenure.inspect:
                    try:
                        print("no error", call(path))
                    except tenure.ImageError as error:
                        assert error.path == path and path in str(error) and error.where == "file", vars(error)
                        print(str(error).removeprefix(path))
            folder = {str(folder)!r}
            refused(folder + "/nothing")
            refused(folder)
            refused(folder + "/" + "x" * 300)
            refused("/x" * 5000)
            refused(folder + "/fifo")
            refused("/dev/null")
            refused("")
            refused("\\udcff")
            if os.geteuid() == 0:
                os.seteuid(65534)
            refused(folder + "/closed")
            print(sys.meta_path == before)
            """,
            timeout=30,
        )
        expected = [
            ": the file cannot be opened: No such file or directory",
            ": the file is not a regular file",
            ": the file cannot be opened: File name too long",
            ": the file cannot be opened: File name too long",
            ": the file is not a regular file",
            ": the file is not a regular file",
            ": the file cannot be opened: No such file or directory",
            ": the file cannot be opened: No such file or directory",
            ": the file cannot be opened: Permission denied",
        ]
        self.assertEqual(shown.splitlines(), [m for m in expected for _ in range(2)] + ["True"])

    def test_audit(self):
        shown = self.check(
            f"""
            events, refuse = [], []
            def hook(event, args):
                if event.startswith("tenure"):
                    events.append((event, args))
                    if refuse:
                        raise PermissionError("not here")
            sys.addaudithook(hook)
            before = list(sys.meta_path)
            refuse.append(1)
            try:
                tenure.load({str(self.image)!r})
            except PermissionError as error:
                print(error, sys.meta_path == before)
            refuse.clear()
            tenure.load("image.tenure")
            tenure.load(b"image.tenure", check="full")
            print([(name, *args) for name, args in events[1:]])
            """
        )
        self.assertEqual(
            shown,
            "not here True\n[('tenure.load', 'image.tenure'), ('tenure.load', b'image.tenure')]\n",
        )

    def test_bare_interpreter(self):
        shown = self.frozen(
            "import second; print(second.value, sys.flags.isolated)", options=["-I", "-S", "-E"]
        )
        self.assertEqual(shown, "first2 1\n")

    def test_meta_path(self):
        shown = self.check(
            f"""
            path = {str(self.image)!r}
            real = sys.meta_path
            for odd in tuple(real), None:
                sys.meta_path = odd
                try:
                    tenure.load(path)
                except RuntimeError as error:
                    print(error)
            del sys.meta_path
            try:
                tenure.load(path)
            except RuntimeError as error:
                print("deleted:", error)
            sys.meta_path = []
            image = tenure.load(path)
            import second
            print(second.value, len(sys.meta_path))
            """
        )
        message = "sys.meta_path is not a list, so nothing can be imported\n"
        self.assertEqual(shown, f"{message}{message}deleted: {message}first2 1\n")

    def test_meta_path_that_was_restored(self):
        shown = self.check(
            f"""
            before = list(sys.meta_path)
            tenure.load({str(self.image)!r})
            sys.meta_path[:] = before
            tenure.load({str(self.image)!r})
            import second
            print(type(second.__loader__).__name__, len(sys.meta_path) - len(before))
            """
        )
        self.assertEqual(shown, "ImageLoader 1\n")


if __name__ == "__main__":
    sys.exit(unittest.main())
