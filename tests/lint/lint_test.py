"""Each lint check lets good input pass and can fail."""

import contextlib
import io
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest

sys.path.insert(0, "tools/lint")

import exports
import formatting
import layering
import run
import shell
import tidy

ROOT = pathlib.Path.cwd()


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        for name in (".clang-format", ".clang-tidy"):
            shutil.copyfile(ROOT / name, self.root / name)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)


class FormatTest(Tree):
    def test_formatted(self):
        self.write("core/a.cc", "int f() { return 1; }\n")
        self.assertEqual(formatting.check(self.root), [])

    def test_unformatted(self):
        self.write("core/a.cc", "int f() { return 1; }\nint  g( ) {return 1;}\n")
        self.write("out/generated.cc", "int  g( ) {return 1;}\n")
        self.assertEqual(formatting.check(self.root), ["core/a.cc:2: run clang-format -i on this file"])


class TidyTest(Tree):
    def check(self):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            return tidy.check(self.root), output.getvalue()

    def test_clean_is_remembered_until_a_header_changes(self):
        self.write("core/a.h", "#pragma once\ninline int f() { return 1; }\n")
        self.write("core/a.cc", '#include "tenure/core/a.h"\nint g() { return f(); }\n')
        problems, output = self.check()
        self.assertEqual(problems, [])
        self.assertIn("core/a.cc", output)
        self.assertEqual(self.check(), ([], ""))
        self.write("core/a.h", "#pragma once\ninline int* f() { return 0; }\n")
        self.write("core/a.cc", '#include "tenure/core/a.h"\nint* g() { return f(); }\n')
        problems, _ = self.check()
        self.assertTrue(any(line.startswith("core/a.h:2") and "use-nullptr" in line for line in problems), problems)
        self.assertNotEqual(self.check()[0], [])

    def test_does_not_compile(self):
        self.write("core/a.cc", "int g() { return nothing; }\n")
        self.assertIn("core/a.cc:1", "\n".join(self.check()[0]))


class LayeringTest(unittest.TestCase):
    def test_allowed(self):
        for path, text in [
            ("core/a.cc", '#include "tenure/core/abi/x.h"'),
            ("core/abi/a.h", "#if PY_VERSION_HEX >= 0\n#include <internal/pycore_code.h>\n#endif"),
            ("handles/a.h", '#include <Python.h>\n#include "tenure/core/a.h"'),
            ("python/a.cc", '#include "tenure/immortal/image/a.h"\n#include "tenure/handles/a.h"'),
            ("tests/a.cc", '#include "tenure/tests/support/a.h"\nauto x = code->co_version;'),
            ("bench/a.cc", '#include "tenure/handles/a.h"'),
            ("core/a.cc", '// ob_refcnt\n/* PY_VERSION_HEX */ auto x = "ob_shash", y = R"(_PyObject)";'),
            ("core/a.cc", "int my_ob_item = 1, noob_refcnt = 2;"),
        ]:
            with self.subTest(path=path, text=text):
                self.assertEqual(layering.check_file(path, text), [])

    def test_direction(self):
        for path, included in [
            ("core/abi/a.h", "core/a.h"),
            ("core/a.h", "handles/a.h"),
            ("handles/a.h", "immortal/a.h"),
            ("handles/a.h", "pool/a.h"),
            ("immortal/image/a.h", "handles/a.h"),
            ("pool/a.h", "immortal/a.h"),
            ("immortal/a.h", "python/a.h"),
            ("python/a.cc", "examples/a.h"),
            ("python/a.cc", "tests/support/a.h"),
            ("handles/a.cc", "bench/a.h"),
        ]:
            with self.subTest(path=path, included=included):
                problems = layering.check_file(path, f'#pragma once\n#include "tenure/{included}"\n')
                self.assertEqual(len(problems), 1)
                self.assertTrue(problems[0].startswith(f"{path}:2: "), problems)

    def test_whole_names(self):
        for included in ("a.h", "core/a.h", "../core/a.h"):
            with self.subTest(included=included):
                self.assertEqual(len(layering.check_file("core/a.cc", f'#include "{included}"')), 1)

    def test_layout_tokens(self):
        for code in [
            "#if PY_VERSION_HEX >= 0x030E0000", "#ifdef Py_GIL_DISABLED", "#define Py_BUILD_CORE 1",
            "#include <internal/pycore_object.h>", '#include "internal/pycore_object.h"',
            "op->ob_refcnt = 1;", "x = code->co_flags;", "x = code . co_consts;", "memcpy(co_code_adaptive);",
            "b->ob_shash = -1;", "_PyObject_GC_UNTRACK(x);", "_Py_NoneStruct", "offsetof(PyCodeObject, x)",
        ]:
            with self.subTest(code=code):
                problems = layering.check_file("immortal/a.cc", "\n\n" + code)
                self.assertTrue(problems and problems[0].startswith("immortal/a.cc:3: "), problems)


class ExportsTest(Tree):
    def build(self, code, *options):
        library = self.root / "out/python/tenure" / ("_tenure" + sysconfig.get_config_var("EXT_SUFFIX"))
        library.parent.mkdir(parents=True)
        self.write("a.cc", code)
        command = ["g++", "-shared", "-fPIC", "-o", library, self.root / "a.cc", *options]
        subprocess.run(command, check=True)

    def test_only_ours(self):
        self.build('extern "C" void PyInit__tenure() {} extern "C" void tenure_x() {} static void f() {}')
        self.assertEqual(exports.check(self.root), [])

    def test_others(self):
        self.build('extern "C" void PyInit__tenure() {} void helper() {}')
        problems = exports.check(self.root)
        self.assertEqual(len(problems), 1)
        self.assertIn("helper", problems[0])

    def test_mimalloc(self):
        self.build('extern "C" void* mi_malloc(unsigned long); extern "C" void* PyInit__tenure() { return mi_malloc(1); }')
        problems = exports.check(self.root)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn("wants mi_malloc", problems[0])

    def test_linked_with_mimalloc(self):
        self.build('extern "C" void PyInit__tenure() {}', "-Wl,--no-as-needed", "-lmimalloc")
        problems = exports.check(self.root)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn("linked with libmimalloc.so.3", problems[0])

    def test_its_own_mimalloc(self):
        self.build('extern "C" void PyInit__tenure() {} extern "C" void* mi_malloc(unsigned long) { return 0; }')
        problems = exports.check(self.root)
        self.assertEqual(len(problems), 1, problems)
        self.assertIn("exports mi_malloc", problems[0])

    def test_no_entry_point(self):
        self.build("static int x;")
        self.assertIn("PyInit_", exports.check(self.root)[0])

    def test_nothing_built(self):
        self.assertIn("not there", exports.check(self.root)[0])


class ShellTest(Tree):
    def test_good(self):
        self.write("dev", "#!/bin/bash\necho good\n")
        self.assertEqual(shell.check(self.root), [])

    def test_syntax(self):
        self.write("tools/a.sh", "#!/bin/bash\nif true; then\n")
        self.assertIn("tools/a.sh", shell.check(self.root)[0])

    def test_shellcheck(self):
        self.write(".ci/run", "#!/bin/bash\ncd somewhere\n")
        self.assertIn(".ci/run:2", shell.check(self.root)[0])


class RunTest(unittest.TestCase):
    def run_with(self, checks, names):
        saved = dict(run.CHECKS)
        self.addCleanup(run.CHECKS.update, saved)
        self.addCleanup(run.CHECKS.clear)
        run.CHECKS.clear()
        run.CHECKS.update(checks)
        with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(output):
            return run.main(names), output.getvalue().splitlines()

    def test_counts(self):
        checks = {"good": lambda root: [], "bad": lambda root: ["a.cc:1: mend it"]}
        status, lines = self.run_with(checks, [])
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed"))
        self.assertIn("a.cc:1: mend it", lines)
        self.assertEqual(self.run_with(checks, ["good"])[0], 0)
        self.assertEqual(self.run_with(checks, ["nonesuch"])[0], 2)


if __name__ == "__main__":
    unittest.main()
