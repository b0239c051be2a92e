"""The module collector, for named packages: what it finds, reads, refuses and leaves alone."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import marshal
import os
import py_compile
import sys
import unittest
import warnings
import zipfile
from types import CodeType

from tenure import _tenure
from tenure._collect import Collector, CollectError, Module

from helpers import FolderTest

EXTENSION_SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]


def canonical(value: object) -> object:
    """What a code object says, without how its parts are shared."""
    if isinstance(value, CodeType):
        names = [name for name in dir(value) if name.startswith("co_") and name != "co_lnotab"]
        parts = ((name, getattr(value, name)) for name in names)
        return [
            (name, canonical(part)) for name, part in parts if not callable(part)
        ]
    if isinstance(value, tuple):
        return tuple(map(canonical, value))
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    return type(value).__name__, repr(value)


class CollectTest(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(setattr, sys, "dont_write_bytecode", sys.dont_write_bytecode)
        sys.dont_write_bytecode = False  # the collector must see to it by itself

    def collect(self, *names: str, errors: str = "skip") -> Collector:
        collector = Collector(errors)
        for name in names:
            collector.add_name(name)
        collector.read()
        return collector

    def names(self, collector: Collector) -> list[str]:
        return [module.name for module in collector.modules]

    def only(self, name: str) -> Module:
        collector = self.collect(name, errors="stop")
        self.assertEqual(self.names(collector), [name])
        return collector.modules[0]

    def skip(self, collector: Collector, name: str):
        found = [skip for skip in collector.skipped if skip.name == name]
        self.assertEqual(len(found), 1, f"{name} in {collector.skipped}")
        return found[0]


class FindingTest(CollectTest):
    def test_package_with_everything_below_it_in_order(self):
        self.write(
            {
                "p/__init__.py": "x = 1\n",
                "p/b.py": "",
                "p/a/__init__.py": "",
                "p/a/z.py": "",
                "p/a/__main__.py": "",
                "p/0001_first.py": "",
                "p/tests/__init__.py": "",
                "p/tests/test_b.py": "",
                "p/not.a.module.py": "",
                "p/data.txt": "",
                "p/__pycache__/gone.cpython-399.pyc": b"",
            }
        )
        collector = self.collect("p")
        self.assertEqual(
            self.names(collector),
            ["p", "p.0001_first", "p.a", "p.a.__main__", "p.a.z", "p.b"]
            + ["p.tests", "p.tests.test_b"],
        )
        self.assertEqual(collector.skipped, [])

    def test_record_of_a_module(self):
        source = "text = 'é'\n".encode()
        self.write({"p/__init__.py": b"", "p/m.py": source})
        package, module = self.collect("p").modules
        self.assertTrue(package.is_package)
        self.assertFalse(module.is_package)
        path = str(self.folder / "p" / "m.py")
        self.assertEqual(module.origin, path)
        self.assertEqual(module.code.co_filename, path)
        self.assertEqual(module.cached, importlib.util.cache_from_source(path))
        self.assertEqual(module.source_bytes, len(source))
        self.assertEqual(module.source_checksum, _tenure.checksum(source))
        self.assertEqual(package.source_bytes, 0)
        self.assertEqual(package.source_checksum, _tenure.checksum(b""))

    def test_nothing_of_a_named_package_is_run(self):
        marker = self.folder / "marker"
        body = f"open({str(marker)!r}, 'w')\nraise RuntimeError('was run')\n"
        self.write({"p/__init__.py": body, "p/q/__init__.py": body, "p/q/m.py": body})
        before = set(sys.modules)
        self.assertEqual(self.names(self.collect("p")), ["p", "p.q", "p.q.m"])
        self.assertEqual(self.names(self.collect("p.q.m")), ["p.q.m"])
        self.assertFalse(marker.exists())
        self.assertEqual({name for name in set(sys.modules) - before if name[0] == "p"}, set())

    def test_dotted_name_is_frozen_without_its_parents(self):
        self.write({"p/__init__.py": "", "p/q/__init__.py": "", "p/q/m.py": "", "p/r.py": ""})
        self.assertEqual(self.names(self.collect("p.q")), ["p.q", "p.q.m"])

    def test_named_twice_is_frozen_once(self):
        self.write({"p/__init__.py": "", "p/m.py": ""})
        self.assertEqual(self.names(self.collect("p.m", "p", "p")), ["p.m", "p"])

    def test_namespace_package_in_several_places(self):
        for portion in ("one", "two"):
            sys.path.append(str(self.folder / portion))
            self.write({f"{portion}/space/{portion}.py": "", f"{portion}/space/data/x.txt": ""})
        self.write({"two/space/inner/deep.py": ""})
        collector = self.collect("space", errors="stop")
        self.assertEqual(
            self.names(collector), ["space.inner.deep", "space.one", "space.two"]
        )
        self.assertIn("namespace", self.skip(collector, "space").reason)
        self.assertIn("namespace", self.skip(collector, "space.inner").reason)
        self.assertEqual(len(collector.skipped), 2)

    def test_namespace_inside_a_package_that_is_not_imported(self):
        self.write({"p/__init__.py": "", "p/space/m.py": "", "p/static/js/x.js": ""})
        collector = self.collect("p", errors="stop")
        self.assertEqual(self.names(collector), ["p", "p.space.m"])
        self.assertEqual([skip.name for skip in collector.skipped], ["p.space"])
        self.assertEqual(self.names(self.collect("p.space.m")), ["p.space.m"])

    def test_extension_is_noted_and_wins_over_a_source_of_its_name(self):
        self.write({"p/__init__.py": "", f"p/fast{EXTENSION_SUFFIX}": b"", "p/fast.py": ""})
        collector = self.collect("p", errors="stop")
        self.assertEqual(self.names(collector), ["p"])
        skip = self.skip(collector, "p.fast")
        self.assertIn("C extension", skip.reason)
        self.assertTrue(skip.path.endswith(EXTENSION_SUFFIX))

    def test_zip_archive_is_noted(self):
        archive = self.folder / "lib.zip"
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("zipped/__init__.py", "")
            file.writestr("zipped/m.py", "")
        sys.path.append(str(archive))
        collector = self.collect("zipped", errors="stop")
        self.assertEqual(collector.modules, [])
        self.assertIn("zip", self.skip(collector, "zipped").reason)

    def test_what_the_interpreter_holds_itself_is_noted(self):
        collector = self.collect("sys", "zipimport", errors="stop")
        self.assertEqual(collector.modules, [])
        self.assertIn("built into the interpreter", self.skip(collector, "sys").reason)
        self.assertIn("frozen into the interpreter", self.skip(collector, "zipimport").reason)

    def test_package_that_is_only_partly_in_the_interpreter(self):
        # Debug builds do not use the code that is frozen into them unless they are told to.
        image = "importlib.tenure"
        command = ["-X", "frozen_modules=on", "-m", "tenure", "freeze", "importlib", "os"]
        result = self.python(*command, "-o", image)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"skipped .*\bimportlib\.util, os: frozen into the interp")
        names = [module["name"] for module in _tenure.inspect(self.folder / image)["modules"]]
        self.assertIn("importlib.resources", names)
        self.assertNotIn("importlib.util", names)

    def test_names_that_are_not_there(self):
        self.write({"p/__init__.py": "", "p/m.py": "", "bad.py": ""})
        for name, reason in (
            ("absent", "no module absent in sys.path"),
            ("absent.m", "no module absent in sys.path"),
            ("p.absent", "no module p.absent in the package p"),
            ("p.m.x", "p.m is not a package"),
            ("./bad.py", "not a module's name"),
            ("p..m", "not a module's name"),
            ("", "not a module's name"),
        ):
            with self.subTest(name):
                skip = self.skip(self.collect(name), name)
                self.assertIn(reason, skip.reason)
                self.assertTrue(skip.is_error)
                with self.assertRaisesRegex(CollectError, reason.replace(".", r"\.")):
                    self.collect(name, errors="stop")

    def test_link_to_an_enclosing_folder_ends(self):
        self.write({"p/__init__.py": "", "p/m.py": "", "p/q/__init__.py": ""})
        os.symlink("..", self.folder / "p" / "q" / "again")
        collector = self.collect("p", errors="stop")
        self.assertEqual(self.names(collector)[:1], ["p"])
        self.assertIn("p.m", self.names(collector))
        self.assertIn("link", self.skip(collector, "p.q.again").reason)

    def test_unicode_names_and_undecodable_folders(self):
        folder = os.fsdecode(os.fsencode(self.folder) + b"/caf\xe9 \xff")
        sys.path.append(folder)
        os.makedirs(folder + "/paquet_été")
        for name in ("__init__", "données", "日本"):
            with open(f"{folder}/paquet_été/{name}.py", "w"):
                pass
        collector = self.collect("paquet_été", errors="stop")
        self.assertEqual(
            self.names(collector), ["paquet_été", "paquet_été.données", "paquet_été.日本"]
        )
        self.assertTrue(collector.modules[0].origin.startswith(folder))

    def test_relative_entry_of_sys_path(self):
        self.write({"lib/m.py": ""})
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        for entry in ("lib", "./lib"):
            sys.path.insert(0, entry)
            self.assertEqual(self.only("m").origin, str(self.folder / "lib" / "m.py"))
            sys.path.remove(entry)
        sys.path.insert(0, "")
        os.chdir(self.folder / "lib")
        self.assertEqual(self.only("m").origin, str(self.folder / "lib" / "m.py"))

    def test_finders_of_other_packages_are_asked_last(self):
        self.write({"elsewhere/editable.py": "", "m.py": ""})

        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                where = str(self.folder / "elsewhere" / "editable.py")
                return importlib.util.spec_from_file_location(name, where)

        sys.meta_path.insert(0, Finder)
        self.addCleanup(sys.meta_path.remove, Finder)
        self.assertIn("elsewhere", self.only("editable").origin)
        self.assertNotIn("elsewhere", self.only("m").origin)


class ReadingTest(CollectTest):
    def write_pyc(self, says: str, mode: py_compile.PycInvalidationMode | None = None) -> None:
        """Makes m.py with other contents of the same size and time as its .pyc claims."""
        path = self.folder / "m.py"
        path.write_text(says)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        py_compile.compile(
            str(path),
            doraise=True,
            invalidation_mode=mode or py_compile.PycInvalidationMode.TIMESTAMP,
        )

    def source(self, says: str, time: int = 1_000_000_000) -> None:
        path = self.folder / "m.py"
        path.write_text(says)
        os.utime(path, (time, time))

    def value(self) -> object:
        namespace: dict[str, object] = {}
        exec(self.only("m").code, namespace)
        return namespace["x"]

    def test_bytecode_that_is_up_to_date_is_taken(self):
        self.write_pyc("x = 1\n")
        self.source("x = 2\n")
        self.assertEqual(self.value(), 1)

    def test_bytecode_of_another_time_or_size_is_stale(self):
        self.write_pyc("x = 1\n")
        self.source("x = 2\n", 1_000_000_001)
        self.assertEqual(self.value(), 2)
        self.source("x = 22\n")
        self.assertEqual(self.value(), 22)

    def test_checked_hash(self):
        self.write_pyc("x = 1\n", py_compile.PycInvalidationMode.CHECKED_HASH)
        self.source("x = 1\n", 1_500_000_000)
        self.assertEqual(self.value(), 1)
        self.source("x = 2\n")
        self.assertEqual(self.value(), 2)

    def test_unchecked_hash_is_taken_though_the_source_has_changed(self):
        self.write_pyc("x = 1\n", py_compile.PycInvalidationMode.UNCHECKED_HASH)
        self.source("x = 2222\n")
        self.assertEqual(self.value(), 1)
        self.assertEqual(self.only("m").source_bytes, len("x = 2222\n"))

    def test_bytecode_of_another_version_is_ignored(self):
        self.write_pyc("x = 1\n")
        self.source("x = 2\n")
        path = importlib.util.cache_from_source(str(self.folder / "m.py"))
        with open(path, "r+b") as file:
            file.write(b"\0\0\r\n")
        self.assertEqual(self.value(), 2)

    def test_nothing_is_written(self):
        self.write({"p/__init__.py": "", "p/m.py": "x = 1\n"})
        self.write_pyc("x = 1\n")
        self.source("x = 2\n", 1_600_000_000)
        before = {name: (self.folder / name).stat().st_mtime_ns for name in self.files()}
        self.collect("p", "m", errors="stop")
        after = {name: (self.folder / name).stat().st_mtime_ns for name in self.files()}
        self.assertEqual(before, after)

    def test_code_is_the_same_from_bytecode_and_from_source(self):
        source = (
            '"""Doc."""\nclass A:\n    class B:\n        def f(self, x, *, y=(1, 2.5, "s")):\n'
            "            return x in {'a', 'b', 3}, [i for i in y], x[1:2], 1e400, -0.0, 3j, ...\n"
            "lambda: (yield)\nx = 'no identifier', b'bytes', 10**30, '\\ud800'\n"
        )
        self.write_pyc(source)
        from_bytecode = self.only("m")
        os.unlink(importlib.util.cache_from_source(str(self.folder / "m.py")))
        from_source = self.only("m")
        self.assertEqual(canonical(from_bytecode.code), canonical(from_source.code))
        self.assertEqual(from_bytecode[2:], from_source[2:])

    def test_bytecode_of_a_package_that_was_moved_names_the_new_place(self):
        self.write({"old/m.py": "def f():\n    pass\nx = 1\n"})
        py_compile.compile(str(self.folder / "old" / "m.py"), doraise=True)
        os.rename(self.folder / "old", self.folder / "new")
        sys.path.append(str(self.folder / "new"))
        code = self.only("m").code
        self.assertEqual(code.co_filename, str(self.folder / "new" / "m.py"))
        inner = [part for part in code.co_consts if isinstance(part, CodeType)]
        self.assertEqual([part.co_filename for part in inner], [code.co_filename])

    def test_warnings_of_the_compiler_are_no_errors(self):
        self.write({"m.py": "x = '\\d'\n"})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual(self.value(), "\\d")

    def test_sources_that_do_not_compile(self):
        self.write(
            {
                "p/__init__.py": "",
                "p/bad.py": "x = 1\ndef f(:\n",
                "p/coding.py": b"# coding: no-such-codec\n",
                "p/latin.py": b"x = '\xe9'\n",
                "p/null.py": b"x = 1\0\n",
                "p/deep.py": "x = " + "(" * 300 + ")" * 300 + "\n",
                "p/good.py": "",
            }
        )
        collector = self.collect("p")
        self.assertEqual(self.names(collector), ["p", "p.good"])
        self.assertRegex(self.skip(collector, "p.bad").reason, "^syntax error in line 2: .*syntax")
        self.assertIn("no-such-codec", self.skip(collector, "p.coding").reason)
        self.assertRegex(self.skip(collector, "p.latin").reason, "(?i)utf-8")
        self.assertIn("null", self.skip(collector, "p.null").reason)
        self.assertIn("nested", self.skip(collector, "p.deep").reason)
        self.assertTrue(all(skip.is_error and skip.path for skip in collector.skipped))
        with self.assertRaises(CollectError) as caught:
            self.collect("p", errors="stop")
        self.assertEqual(caught.exception.skip.name, "p.bad")

    def test_unreadable_source(self):
        self.write({"p/__init__.py": ""})
        os.symlink("/proc/self/mem", self.folder / "p" / "m.py")  # fails to read, even for root
        skip = self.skip(self.collect("p"), "p.m")
        self.assertRegex(skip.reason, "^cannot be read: .+")
        self.assertTrue(skip.is_error)

    def test_corrupt_bytecode_that_claims_to_be_up_to_date(self):
        self.write_pyc("x = 1\n")
        path = importlib.util.cache_from_source(str(self.folder / "m.py"))
        with open(path, "r+b") as file:
            file.truncate(24)
        skip = self.skip(self.collect("m"), "m")
        self.assertIn(f"{path} is corrupt", skip.reason)
        self.assertTrue(skip.is_error)

    def write_sourceless(self, name: str, data: bytes) -> None:
        self.write({name: importlib.util.MAGIC_NUMBER + bytes(12) + data})

    def test_sourceless_module(self):
        code = compile("x = 5, 'five', 5.0, {5, 6}\n", "gone.py", "exec")
        self.write_sourceless("m.pyc", marshal.dumps(code))
        module = self.only("m")
        self.assertEqual(self.value(), (5, "five", 5.0, {5, 6}))
        self.assertEqual(module.origin, str(self.folder / "m.pyc"))
        self.assertEqual((module.source_bytes, module.source_checksum), (0, 0))

    def test_sourceless_modules_that_no_compiler_made(self):
        code = compile("x = 1\n", "gone.py", "exec")
        self.write_sourceless("odd.pyc", marshal.dumps(code.replace(co_consts=(1, ((), [])))))
        self.write_sourceless("short.pyc", marshal.dumps(code)[:-9])
        self.write_sourceless("none.pyc", marshal.dumps([1]))
        self.write({"foreign.pyc": b"\1\2\r\n" + bytes(12) + marshal.dumps(code)})
        collector = self.collect("odd", "short", "none", "foreign")
        self.assertEqual(collector.modules, [])
        self.assertIn("type list", self.skip(collector, "odd").reason)
        for name in ("short", "none", "foreign"):
            self.assertIn("not a .pyc", self.skip(collector, name).reason)

    def test_progress(self):
        self.write({"p/__init__.py": "", "p/a.py": "", "p/b.py": ""})
        collector = Collector()
        collector.add_name("p")
        calls: list[tuple[int, int]] = []
        collector.read(lambda done, total: calls.append((done, total)))
        self.assertEqual(calls, [(0, 3), (1, 3), (2, 3)])


if __name__ == "__main__":
    unittest.main()
