"""The example of an extension module with a table in it.

Each test is a program in a fresh interpreter, which has the module to import and nothing else of ours.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

import tenure

FOLDER = Path.cwd() / "examples" / "countries"
PACKAGE_FOLDER = str(Path(tenure.__file__).parent.parent)
TABLES = Path("/usr/share/iso-codes/json")

PRELUDE = """
import json
import os
import sys
from pathlib import Path

def area():
    '''The module's own mapping of the table: (address, KiB that are not the file's), or nothing.'''
    found = None
    for line in Path("/proc/self/smaps").read_text().splitlines():
        begin, dash, rest = line.partition("-")
        # Images are mapped below libraries.
        if dash and begin.isalnum() and ".so" in rest and "countries" in rest:
            found = int(begin, 16) if int(begin, 16) < 0x500000000000 else None
        elif found and line.startswith("Anonymous:"):
            return found, int(line.split()[1])

# Debug interpreters want every str marked. The free-threaded one is a shared library, which lies elsewhere each time.
IS_WRITTEN = hasattr(sys, "gettotalrefcount") or not sys._is_gil_enabled()
"""

INTERPRETERS = """
import _interpreters
def run(code, config):
    interpreter = _interpreters.create(config)
    try:
        error = _interpreters.exec(interpreter, code)
        assert error is None, error.formatted
    finally:
        _interpreters.destroy(interpreter)
"""


class CountriesTest(unittest.TestCase):
    def check(
        self,
        code: str,
        *,
        folders: tuple[str | Path, ...] = (FOLDER,),
        options: tuple[str, ...] = (),
    ) -> str:
        """Runs a program that must end well and say nothing on stderr. Returns what it printed."""
        result = subprocess.run(
            [sys.executable, "-B", "-W", "ignore::DeprecationWarning", *options, "-c",
             PRELUDE + textwrap.dedent(code)],
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
            timeout=120,
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        return result.stdout

    def test_the_tables_are_whole(self):
        self.check(
            f"""
            import countries
            expected = json.loads(Path("{TABLES}/iso_3166-1.json").read_text())["3166-1"]
            assert len(expected) > 200
            for country in expected:
                assert countries.by_alpha2(country["alpha_2"]) == country
                assert countries.by_alpha3(country["alpha_3"]) is (
                    countries.by_alpha2(country["alpha_2"]))
            expected = json.loads(Path("{TABLES}/iso_639-3.json").read_text())["639-3"]
            assert len(expected) > 7000
            for language in expected:
                assert countries.language(language["alpha_3"]) == language
            assert countries.languages("") == expected
            """
        )

    def test_what_it_shows(self):
        self.check(
            """
            import countries
            assert countries.by_alpha2("DE")["name"] == "Germany"
            assert countries.by_alpha3("DEU")["flag"] == "\\U0001f1e9\\U0001f1ea"
            assert countries.language("de")["alpha_3"] == "deu"
            assert [one["alpha_3"] for one in countries.languages("Saxon")] == ["osx", "sxu"]
            for wrong in "XX", "", "de", "\\U0001f1e9":
                try:
                    countries.by_alpha2(wrong)
                except KeyError as error:
                    assert error.args == (wrong,), error.args
                else:
                    raise AssertionError(wrong)
            try:
                countries.by_alpha2(b"DE")
            except TypeError:
                pass
            else:
                raise AssertionError("bytes")
            """
        )

    def test_nothing_is_relocated_or_copied(self):
        self.check(
            """
            import countries
            assert area() is None, "before the first use"
            for i in range(26 * 26):
                code = chr(65 + i // 26) + chr(65 + i % 26)
                try:
                    country = countries.by_alpha2(code)
                except KeyError:
                    continue
                assert len(country["name"]) > 2 and country["alpha_2"] == code
            address, own = area()
            assert address <= id(countries.by_alpha2("DE")) < address + 4_000_000
            assert (own == 0) != IS_WRITTEN, own
            # Somebody asks for the hash of what is in it.
            {countries.by_alpha2("DE")["name"]}
            assert area()[1] > 0
            """
        )

    def test_with_the_package(self):
        for first, second in ("countries", "tenure"), ("tenure", "countries"):
            with self.subTest(first):
                self.check(
                    f"""
                    import {first}, {second}
                    assert type(countries.by_alpha2("DE")) is tenure.FrozenDict
                    assert area()[1] == 0 or IS_WRITTEN
                    merged = countries.by_alpha2("DE") | {{"eu": True}}
                    assert type(merged) is tenure.FrozenDict and merged["eu"]
                    """,
                    folders=(FOLDER, PACKAGE_FOLDER),
                )

    def test_optimization_levels(self):
        for option in "-O", "-OO":
            with self.subTest(option):
                shown = self.check(
                    'import countries\nprint(countries.by_alpha2("DE")["name"])', options=(option,)
                )
                self.assertEqual(shown, "Germany\n")

    def test_where_the_address_is_taken(self):
        address, _ = self.check("import countries\ncountries.by_alpha2('DE')\nprint(*area())").split()
        self.check(
            f"""
            import ctypes
            libc = ctypes.CDLL(None)
            libc.mmap.restype = ctypes.c_void_p
            libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
            taken = libc.mmap({address} + 8192, 4096, 0, 0x100022, -1, 0)
            assert taken == {address} + 8192
            import countries
            assert countries.by_alpha2("DE")["name"] == "Germany"
            assert countries.by_alpha3("DEU") is countries.by_alpha2("DE")
            assert not {address} <= id(countries.by_alpha2("DE")) < {address} + 4_000_000
            """
        )

    def test_the_file_is_replaced_while_it_runs(self):
        (path,) = FOLDER.glob("countries.*.so")
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(path, folder)
            self.check(
                f"""
                import countries
                with open(countries.__file__ + ".new", "wb") as file:
                    file.write(bytes(os.path.getsize(countries.__file__)))
                os.replace(file.name, countries.__file__)
                assert countries.by_alpha2("DE")["name"] == "Germany"
                assert area()[1] == 0 or IS_WRITTEN, "mapped all the same"
                os.remove(countries.__file__)
                assert len(countries.languages("Saxon")) == 2
                """,
                folders=(folder,),
            )

    def test_subinterpreters_share_it(self):
        inside = PRELUDE + textwrap.dedent(
            """
            import countries
            germany = countries.by_alpha2("DE")
            assert germany["name"] == "Germany" and isinstance(germany, __import__("collections").abc.Mapping)
            with open({!r}, "a") as file: file.write(f"{{id(germany)}}\\n")
            """
        )
        for first in True, False:
            with self.subTest(first=first), tempfile.NamedTemporaryFile("r") as answers:
                self.check(
                    INTERPRETERS
                    + f"inside = {inside.format(answers.name)!r}\n"
                    + ("exec(inside)\n" if first else "")
                    + "for config in 'isolated', 'legacy', 'isolated': run(inside, config)\n"
                    + ("" if first else "exec(inside)\n")
                )
                shown = answers.read().split()
                self.assertEqual((len(shown), len(set(shown))), (4, 1))

    def test_interpreters_at_once(self):
        inside = "import countries\nassert countries.by_alpha2('DE')['name'] == 'Germany'\n"
        self.check(
            INTERPRETERS
            + f"""
import threading
threads = [threading.Thread(target=run, args=({inside!r}, "isolated")) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
{inside}
"""
        )

    def test_fork(self):
        self.check(
            """
            import countries
            for turn in range(2):
                child = os.fork()
                if child == 0:
                    assert countries.by_alpha2("DE")["name"] == "Germany"
                    sys.exit()
                assert os.waitpid(child, 0)[1] == 0
                # The second child finds it loaded.
                assert countries.by_alpha2("FR")["name"] == "France"
            """
        )

    def test_what_is_kept_until_the_end(self):
        self.check(
            """
            import atexit, countries
            keep = sys.keep = [countries.by_alpha2("DE"), countries.languages("Saxon")]
            names = {sys.intern(str(one["name"])) for one in keep[1]}
            atexit.register(lambda: countries.by_alpha2("FR"))
            class Late:
                def __del__(self, find=countries.by_alpha2):
                    find("CI")["name"]
            late = Late()
            """
        )


if __name__ == "__main__":
    unittest.main()
