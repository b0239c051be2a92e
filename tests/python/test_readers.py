"""Reading files of data: what they hold, and how what is wrong with them is said."""

from __future__ import annotations

import ast
import csv
import datetime
import io
import json
import math
import os
import pickle
import random
import sys
import threading
import time
import unittest
import warnings
from typing import Any

from tenure import _deep_json, _literals
from tenure._readers import ENDINGS, Options, ReadError, read

from helpers import FolderTest

MILLION = 1_000_000
# Deeper than any interpreter recurses.
DEEP = 100_000


def depth_of(value: Any) -> int:
    """Of containers with one item each, the innermost empty."""
    depth = 0
    while isinstance(value, (list, dict, tuple)):
        depth += 1
        value = next(iter(value.values() if isinstance(value, dict) else value), None)
    return depth


class ReaderTest(FolderTest):
    def read(self, name: str, content: str | bytes, format: str | None = None, **options: Any) -> Any:
        self.write({name: content})
        return read(str(self.folder / name), format, Options(**options))

    def same(self, found: Any, wanted: Any) -> None:
        """Equal, of the same types, with the same signs and the same nans."""
        self.assertEqual(repr(found), repr(wanted))

    def refused(self, name: str, content: str | bytes, says: str, **options: Any) -> None:
        with self.subTest(name=name, content=content[:40], says=says):
            with self.assertRaises(ReadError) as caught:
                self.read(name, content, **options)
            text = str(caught.exception)
            self.assertTrue(text.startswith(f"{self.folder / name}: "), text)
            self.assertRegex(text.removeprefix(f"{self.folder / name}: "), f"^(?:{says})$")
            self.assertNotIn("\n", text)


class FileTest(ReaderTest):
    def test_ending_says_the_format(self):
        contents = {
            "json": "[1]",
            "jsonl": "1\n",
            "csv": "a\n1\n",
            "tsv": "a\n1\n",
            "toml": "a = 1",
            "literal": "(1,)",
            "pickle": pickle.dumps([1]),
        }
        self.assertEqual(contents.keys(), ENDINGS.keys())
        for format, content in contents.items():
            options = {"unsafe_pickle": format == "pickle"}
            wanted = self.read("any", content, format, **options)
            for ending in ENDINGS[format]:
                self.same(self.read("x" + ending, content, **options), wanted)
                self.same(self.read("X" + ending.upper(), content, **options), wanted)

    def test_endings_that_say_nothing(self):
        for name in ("x", "x.gz", ".json", "x.json.bak", "x."):
            self.refused(name, "[1]", says=r"its name has none of the endings \.json .*--format")
            self.same(self.read(name, "[1]", "json"), [1])

    def test_format_wins_over_the_ending(self):
        self.same(self.read("x.toml", '{"a": 1}', "json"), {"a": 1})

    def test_files_that_are_none(self):
        path = str(self.folder / "x.json")
        with self.assertRaisesRegex(ReadError, r"cannot read .*x\.json: No such file or directory$"):
            read(path)
        os.mkdir(path)
        with self.assertRaisesRegex(ReadError, r"cannot read .*x\.json: Is a directory$"):
            read(path)
        for device in ("/dev/zero", "/dev/null"):
            with self.assertRaisesRegex(ReadError, rf"^{device}: it is a device, not a file$"):
                read(device, "json")

    def test_pipe(self):
        path = self.folder / "pipe.json"
        os.mkfifo(path)
        document = list(range(100_000))
        writer = threading.Thread(target=lambda: path.write_text(json.dumps(document)))
        writer.start()
        self.assertEqual(read(str(path)), document)
        writer.join()

    def test_file_that_changes_meanwhile(self):
        path = self.folder / "x.json"
        path.write_text("[" + "1," * 10_000_000 + "1]")
        stop = threading.Event()

        def write() -> None:
            with open(path, "ab") as file:
                while not stop.is_set():
                    file.write(b" ")
                    file.flush()
                    time.sleep(0.0001)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            with self.assertRaisesRegex(ReadError, "written to while it was read; try again"):
                read(str(path))
        finally:
            stop.set()
            writer.join()

    def test_standard_input(self):
        code = (
            "import sys; from tenure._readers import ReadError, read\n"
            "try: print(read('-', *sys.argv[1:]))\n"
            "except ReadError as error: print(error)\n"
        )

        def said(*arguments: str, **options: object) -> str:
            result = self.python("-c", code, *arguments, **options)
            self.assertEqual(result.returncode, 0, result.stderr)
            return result.stdout.rstrip("\n")

        self.assertEqual(said("json", input='{"a": [1, "é"]}'), "{'a': [1, 'é']}")
        self.assertEqual(said("json", input="{"), "standard input: line 1, column 2: " + self.no_key())
        self.assertEqual(said(input="1"), "standard input: name the format with --format")
        closed = said("json", stdin=None, preexec_fn=lambda: os.close(0))
        self.assertRegex(closed, "^(standard input: it is closed|cannot read standard input: .*)$")

    @staticmethod
    def no_key() -> str:
        try:
            json.loads("{")
        except json.JSONDecodeError as error:
            return error.msg
        raise AssertionError

    def test_encodings(self):
        mark = b"\xef\xbb\xbf"
        for name, content, wanted in (
            ("x.json", '["é", "\U0001f600"]', ["é", "\U0001f600"]),
            ("x.jsonl", '"é"\n', ["é"]),
            ("x.csv", "é\nü\n", [{"é": "ü"}]),
            ("x.tsv", "é\nü\n", [{"é": "ü"}]),
            ("x.toml", 'a = "é"', {"a": "é"}),
            ("x.py", "'é'", "é"),
        ):
            self.same(self.read(name, content), wanted)
            self.same(self.read(name, mark + content.encode()), wanted)
            convert = "convert it.*iconv"
            self.refused(name, content.encode("utf-16"), says=f"it is UTF-16; {convert}")
            for before in (b"", mark):
                bad = before + b"\n  \xc3\xa9 \xff"
                says = rf"line 2, column 5: not UTF-8 \(byte 0xff at offset {len(bad) - 1}\); {convert}"
                self.refused(name, bad, says=says)
            # A surrogate, an overlong form, and one that is cut off.
            for bad in (b"\xed\xa0\x80", b"\xc0\xaf", b"\xf0\x9f\x98"):
                says = rf"line 1, column 2: not UTF-8 \(byte 0x{bad[0]:02x} at offset 1\).*"
                self.refused(name, b'"' + bad, says=says)

    def test_only_one_mark_is_skipped(self):
        self.refused("x.json", b"\xef\xbb\xbf" * 2 + b"1", says="line 1, column 1: .*")


class JsonTest(ReaderTest):
    def test_what_json_loads_reads(self):
        for text in (
            "null",
            " [true,\tfalse\r\n] ",
            "[0, -0, -0.0, 1e999, -1e999, 1E+2, 1.5e-7, 123456789012345678901234567890]",
            "[NaN, Infinity, -Infinity]",
            r'["\ud800", "\udc00\ud800", "\ud83d\ude00", "\u0000", "a\/b\\", ""]',
            '{"": {}, "a": [], "b": [[], {}]}',
            '{"a": 1, "b": 2, "a": 3}',
        ):
            with self.subTest(text):
                wanted = json.loads(text)
                self.same(self.read("x.json", text), wanted)
                self.same(_deep_json.loads(text), wanted)

    def test_deep(self):
        lists = "[" * MILLION + "]" * MILLION
        self.assertEqual(depth_of(self.read("x.json", lists)), MILLION)
        dicts = '{"a":' * MILLION + "0" + "}" * MILLION
        self.assertEqual(depth_of(self.read("x.json", dicts)), MILLION)
        mixed = '[{"k": ' * DEEP + "[]" + "}]" * DEEP
        self.assertEqual(depth_of(self.read("x.json", mixed)), 2 * DEEP + 1)

    def test_deep_and_wrong(self):
        self.refused("x.json", "[" * DEEP, says=f"line 1, column {DEEP + 1}: Expecting value")
        self.refused("x.json", '{"a":' * DEEP, says=f"line 1, column {5 * DEEP + 1}: Expecting value")
        self.refused("x.json", "[\n" * DEEP + "}", says=f"line {DEEP + 1}, column 1: Expecting value")
        closed = "[" * DEEP + "]" * DEEP
        says = f"line 1, column {2 * DEEP + 1}: "
        self.refused("x.json", closed + "]", says=says + "Extra data")
        self.refused("x.json", "[" + closed + "}", says="line 1, .*: Expecting ',' or ']'")

    def test_deep_in_a_thread(self):
        self.write({"x.json": "[" * DEEP + "]" * DEEP, "x.py": "(" * DEEP + "1" + ",)" * DEEP})
        found: list[int] = []

        def run() -> None:
            found.extend(depth_of(read(str(self.folder / name))) for name in ("x.json", "x.py"))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        self.assertEqual(found, [DEEP, DEEP])

    def test_duplicate_keys(self):
        text = '{"a": 1,\n "b": [{"c": 1, "d": 2,\n  "c": 3}]}'
        self.same(self.read("x.json", text), {"a": 1, "b": [{"c": 3, "d": 2}]})
        says = "line 3, column 3: Key 'c' for the second time"
        self.refused("x.json", text, says=says, duplicate_keys="refuse")
        self.same(self.read("x.json", '{"a": {"a": 1}}', duplicate_keys="refuse"), {"a": {"a": 1}})
        line = text.replace("\n", "")
        self.refused("x.jsonl", f"1\n{line}\n", says="line 2, .*'c'.*", duplicate_keys="refuse")
        deep = '{"a": 1, "a":' * DEEP + "0" + "}" * DEEP
        self.refused("x.json", deep, says="line 1, column 10: Key 'a' .*", duplicate_keys="refuse")
        key = "k" * 1000
        says = "line 1, column 1007: Key 'k{56}[.]{3} for the second time"
        pair = f'"{key}":0'
        self.refused("x.json", f"{{{pair},{pair}}}", says=says, duplicate_keys="refuse")

    def test_huge_ints(self):
        for digits in (4300, 4301, 100_000):
            text = "-" + "123456789" * (digits // 9 + 1)
            (found,) = self.read("x.json", f"[{text}]")
            self.assertEqual(hex(found), hex(self.by_hand(text)))
            found = self.read("x.jsonl", f"0\n{text}\n")[1]
            self.assertEqual(hex(found), hex(self.by_hand(text)))
        # In time that does not grow with the square of it: int() would take minutes.
        self.assertGreater(self.read("x.json", "9" * 2_000_000).bit_length(), 6_000_000)

    @staticmethod
    def by_hand(text: str) -> int:
        before = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)
        try:
            return int(text)
        finally:
            sys.set_int_max_str_digits(before)

    def test_huge_ints_under_the_strictest_limit(self):
        before = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(640)
        try:
            found = self.read("x.json", "[" + "7" * 5000 + "]")
            self.assertEqual(sys.get_int_max_str_digits(), 640)
        finally:
            sys.set_int_max_str_digits(before)
        self.assertEqual(found[0] % 10**9, 777777777)

    def test_wrong(self):
        for text, says in (
            ("", "it is empty, which JSON cannot be"),
            (" \n\t", "it is empty, which JSON cannot be"),
            ("{", "line 1, column 2: .*"),
            ('{"a": [1, 2', "line 1, column 12: .*"),
            ('["abc', "line 1, column 2: Unterminated string.*"),
            ("[1] [2]", "line 1, column 5: Extra data"),
            ("[1,\n 2,\n]", "line [23], column .*"),
            ("{'a': 1}", "line 1, column 2: .*"),
            ('{"a" 1}', "line 1, column 6: Expecting ':' delimiter"),
            ('["a\nb"]', "line 1, column 4: Invalid control character.*"),
            ('["a\0b"]', "line 1, column 4: Invalid control character.*"),
            ("\0", "line 1, column 1: Expecting value"),
            (r'["\x"]', r"line 1, column 3: Invalid \\escape.*"),
            (r'["\u12"]', r"line 1, column \d: Invalid \\uXXXX escape"),
            ("[01]", "line 1, column 3: .*"),
            ("[1.]", "line 1, column 3: .*"),
            ("[.5]", "line 1, column 2: Expecting value"),
            ("[+1]", "line 1, column 2: Expecting value"),
            ("[nan]", "line 1, column 2: Expecting value"),
            ("// c\n1", "line 1, column 1: Expecting value"),
            ("\x0b1", "line 1, column 1: Expecting value"),
            ("\xa0", "line 1, column 1: Expecting value"),
        ):
            self.refused("x.json", text, says=says)
            if text.strip():
                with self.assertRaises(json.JSONDecodeError, msg=text):
                    _deep_json.loads(text)

    def test_two_readers_agree(self):
        rng = random.Random(20)
        tokens = ["[", "]", "{", "}", ",", ":", '"a"', '"b"', "1", "-2.5", "1e3", "null", "true", " ", "x"]
        tokens += ['"\\u00e9\\n"', "[1]", '{"a":1}', '{"a":[', "]}", ",1]", "NaN", "-Infinity", "-", "\n"]
        agreed = 0
        for _ in range(20_000):
            text = "".join(rng.choices(tokens, k=rng.randrange(1, 9)))
            try:
                wanted = json.loads(text)
            except json.JSONDecodeError:
                with self.assertRaises(json.JSONDecodeError, msg=text):
                    _deep_json.loads(text)
            else:
                self.assertEqual(repr(_deep_json.loads(text)), repr(wanted), text)
                agreed += 1
        self.assertGreater(agreed, 500)


class JsonLinesTest(ReaderTest):
    def test_values(self):
        text = '{"a": 1}\r\n\n  \t\n[2]\n"\u2028\x85"\n3'
        self.same(self.read("x.jsonl", text), [{"a": 1}, [2], "\u2028\x85", 3])
        self.same(self.read("x.jsonl", ""), [])
        self.same(self.read("x.ndjson", "\n\n"), [])

    def test_deep_lines(self):
        text = "1\n" + "[" * DEEP + "]" * DEEP + "\n2"
        one, deep, two = self.read("x.jsonl", text)
        self.assertEqual((one, depth_of(deep), two), (1, DEEP, 2))

    def test_wrong_line_is_named(self):
        self.refused("x.jsonl", "1\n\n[1,\n2]\n", says="line 3, column 4: Expecting value")
        self.refused("x.jsonl", "1\n\xa0\n2", says="line 2, column 1: Expecting value")
        self.refused("x.jsonl", "1\n2 3\n", says="line 2, column 3: Extra data")
        self.refused("x.jsonl", "1\n" + "[" * DEEP, says=f"line 2, column {DEEP + 1}: Expecting value")


class TableTest(ReaderTest):
    def test_rows_are_dicts(self):
        text = 'name,size\n"Smith, J.",1\n"say ""hi""",\r\n\n"two\nlines",\u00a0\n'
        wanted = [
            {"name": "Smith, J.", "size": "1"},
            {"name": 'say "hi"', "size": ""},
            {"name": "two\nlines", "size": "\u00a0"},
        ]
        self.same(self.read("x.csv", text), wanted)
        self.same(self.read("x.tsv", "a\tb,c\n1\t\n"), [{"a": "1", "b,c": ""}])
        self.same(self.read("x.csv", "a;b\n1;2\n", delimiter=";"), [{"a": "1", "b": "2"}])
        self.same(self.read("x.csv", "a,b\n"), [])
        self.same(self.read("x.csv", "\n\na,b\r1,2\r"), [{"a": "1", "b": "2"}])

    def test_without_a_header(self):
        text = "1,2\n3\n\n,\n"
        self.same(self.read("x.csv", text, header=False), [["1", "2"], ["3"], ["", ""]])
        self.same(self.read("x.csv", "", header=False), [])

    def test_nul(self):
        self.same(self.read("x.csv", "a\nx\0y\n"), [{"a": "x\0y"}])

    def test_long_fields(self):
        before = csv.field_size_limit()
        long = "x" * (before + 10)
        self.same(self.read("x.csv", f'a,b\n"{long}",{long}\n'), [{"a": long, "b": long}])
        self.assertEqual(csv.field_size_limit(), before)
        self.refused("x.csv", f"a\n{long},{long}\n", says="line 2: the row has 2 .*")
        self.assertEqual(csv.field_size_limit(), before)

    def test_long_fields_in_threads(self):
        before = csv.field_size_limit()
        self.write({"x.csv": "a\n" + "x" * 200_000 + "\n"})
        failures: list[BaseException] = []

        def run() -> None:
            try:
                for _ in range(20):
                    read(str(self.folder / "x.csv"))
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((failures, csv.field_size_limit()), ([], before))

    def test_wrong(self):
        header = "a,b\n"
        for text, says in (
            ("", "it is empty: .*--no-header.*"),
            ("\n\r\n", "it is empty: .*"),
            ("a,b,a\n", r"line 1: two columns are called 'a'; rename one \(or see --no-header\)"),
            (header + "1\n", "line 2: the row has 1 columns where the header has 2"),
            (header + "\n1,2\n1,2,3\n", "line 4: the row has 3 columns where the header has 2"),
            (header + '"1\n\n",2\n3\n', "line 5: the row has 1 columns where the header has 2"),
            (header + '1,"2\n', "line 2: unexpected end of data"),
            (header + '1,"2"x\n', "line 2: ',' expected after '\"'"),
        ):
            self.refused("x.csv", text, says=says)
        for delimiter in ("", "ab", '"', "\n"):
            says = "columns cannot be told apart by .*, but by one other character"
            self.refused("x.csv", "a\n1\n", says=says, delimiter=delimiter)

    def test_what_the_csv_module_writes(self):
        rng = random.Random(3)
        characters = 'ab,"\n\r\t é\0;\\'
        rows = [
            ["".join(rng.choices(characters, k=rng.randrange(6))) for _ in range(3)] for _ in range(500)
        ]
        for name, dialect in (("x.csv", "excel"), ("x.tsv", "excel-tab")):
            file = io.StringIO(newline="")
            csv.writer(file, dialect).writerows(rows)
            self.same(self.read(name, file.getvalue(), header=False), rows)


class TomlTest(ReaderTest):
    def test_values(self):
        text = (
            "a = 1979-05-27T07:32:00-08:00\nb = 1979-05-27\nc = 07:32:00.5\n"
            "[t]\nx = [1, 2.5, inf, -0.0, true]\n[[t.u]]\n'k.l' = ''\n"
        )
        zone = datetime.timezone(datetime.timedelta(hours=-8))
        wanted = {
            "a": datetime.datetime(1979, 5, 27, 7, 32, tzinfo=zone),
            "b": datetime.date(1979, 5, 27),
            "c": datetime.time(7, 32, 0, 500000),
            "t": {"x": [1, 2.5, math.inf, -0.0, True], "u": [{"k.l": ""}]},
        }
        self.same(self.read("x.toml", text), wanted)
        self.same(self.read("x.toml", ""), {})

    def test_wrong(self):
        for text, says in (
            ("a = ", ".*line 1, column 5.*|.*at end of document.*"),
            ("a = 1\na = 2\n", "Cannot overwrite a value .*line 2.*"),
            ("a = 1979-13-01\n", ".*"),
            ("a = '\0'", ".*line 1.*"),
            ("a = " + "[" * DEEP, ".*nested.*"),
            ("a = " + "9" * 5000, ".*digits.*"),
        ):
            self.refused("x.toml", text, says=says)


class LiteralTest(ReaderTest):
    def test_values(self):
        text = (
            "# a table\n\n{\n  'a': (1, -2.5, 3j, 1-2j),  # here\n  b'k': [None, True, ...],\n"
            "  (1, 'x'): {1, 2}, 'e': set(), 0x_ff: 'one' \"two\"\n  '''three''',\n}\n\n# end\n"
        )
        self.same(self.read("x.py", text), ast.literal_eval(text.split("\n", 2)[2]))
        self.same(self.read("x.txt", "1, 2"), (1, 2))
        self.same(self.read("x.txt", "1,\r\n\r\n"), (1,))
        self.same(self.read("x.txt", "'''a\r\nb\rc'''"), "a\nb\nc")

    def test_deep(self):
        lists = "[" * MILLION + "]" * MILLION
        self.assertEqual(depth_of(self.read("x.py", lists)), MILLION)
        self.assertEqual(depth_of(self.read("x.py", "(" * DEEP + "0" + ",)" * DEEP)), DEEP)
        self.same(self.read("x.py", "(" * DEEP + "-1" + ")" * DEEP), -1)
        self.assertEqual(depth_of(self.read("x.py", "{0:" * DEEP + "{}" + "}" * DEEP)), DEEP + 1)

    def test_deep_and_wrong(self):
        self.refused("x.py", "-" * DEEP + "1", says="line 1, column 2: one sign too many")
        self.refused("x.py", "1" + "+1j" * DEEP, says="line 1, column 5: '\\+' has no place here")
        self.refused("x.py", "1" + "+1" * DEEP, says="line 1, column 3: only an imaginary number .*")
        self.refused("x.py", "[" * DEEP, says=f"line 1, column {DEEP}: '\\[' is never closed")
        # The interpreter hashes tuples in tuples recursively, and would crash.
        key = "(" * DEEP + "1" + ",)" * DEEP
        for text in ("{" + key + ": 1}", "{" + key + "}"):
            self.refused("x.py", text, says=".*a key of tuples nested more than 500 deep")
        key = "(" * 500 + "1" + ",)" * 500
        self.assertEqual(len(self.read("x.py", "{" + key + ": 1}")), 1)

    def test_many_strings_are_one(self):
        pieces = 200_000
        self.assertEqual(self.read("x.py", "(" + "'ab'\n" * pieces + ")"), "ab" * pieces)

    def test_huge_ints(self):
        self.assertEqual(self.read("x.py", "-" + "1" * 5000), -(10**5000 // 9))

    def test_duplicate_keys(self):
        self.same(self.read("x.py", "{1: 'a', True: 'b'}"), {1: "b"})
        says = "line 2, column 1: key 'a' for the second time"
        self.refused("x.py", "{'a': 1,\n'a': 2}", says=says, duplicate_keys="refuse")

    def test_wrong(self):
        for text, says in (
            ("", "line 1, column 1: no literal here"),
            ("# nothing\n", "line 2, column 1: no literal here"),
            ("x = 1", "line 1, column 1: 'x' is no literal"),
            ("import os", "line 1, column 1: 'import' is no literal"),
            ("__import__('os').system('true')", "line 1, column 1: '__import__' is no literal"),
            ("[x for x in y]", "line 1, column 2: 'x' is no literal"),
            ("f'{1}'", "line 1, column 1: an f-string with the prefix f is no literal"),
            ("b'é'", "line 1, column 1: bytes with a character that is not ASCII"),
            ("'a' b'b'", "line 1, column 5: bytes and str side by side"),
            ("'abc", "line 1, column 1: a string that does not end"),
            ("'''abc", "line 1, column 1: a string that does not end"),
            (r"'\x1'", "line 1, column 1: .*truncated.*"),
            ("[1 2]", "line 1, column 4: a comma is missing before this"),
            ("[1,\n 2", "line 1, column 1: '\\[' is never closed"),
            ("[1)", "line 1, column 3: '\\)' closes '\\['"),
            ("1]", "line 1, column 2: '\\]' closes nothing"),
            ("[,]", "line 1, column 2: a value is missing before this"),
            ("{1: 2, 3}", "line 1, column 9: a key without a value"),
            ("{1, 2: 3}", "line 1, column 6: ':' has no place here"),
            ("{**{}}", "line 1, column 2: '\\*' has no place in a literal"),
            ("{[]: 1}", "line 1, column 2: .*unhashable.*"),
            ("{1, {}}", "line 1, column 5: .*unhashable.*"),
            ("1\n2", "line 2, column 1: something behind the literal"),
            ("1 # c\n  x", "line 2, column 3: something behind the literal"),
            ("012", "line 1, column 1: not a number as Python writes them"),
            ("1__0", "line 1, column 1: not a number as Python writes them"),
            ("'a\0b'", "line 1, column 3: a NUL byte, .*"),
            ("-'a'", "line 1, column 2: '-' is only for a number"),
        ):
            self.refused("x.py", text, says=says)

    def test_agrees_with_the_interpreter(self):
        rng = random.Random(5)
        atoms = "1 -1 +2 0 00 012 1_0 1__0 0x1F 0b2 1.5 1. -.5 1e3 1e 2j -0j 1+2j -1-2j 1+(2j) (-1)+2j"
        atoms += " -(1) -(-1) 1+2 True -True None ... '' 'a' \"b\" r'\\d' b'x' b'\\xff' u'x' b'b' '\\x1'"
        atoms += " f'x' ur'x' set() () [] {} x *a # 1if é 'é' b'é' '''''' '\\N{BULLET}' 'open"
        choices = [*atoms.split(" "), "'a' 'b'", "'a' b'b'", "'''x\ny'''", "1 2", "\n", " ", "\\\n"]

        def text_of(depth: int) -> str:
            if depth <= 0 or rng.random() < 0.45:
                return rng.choice(choices)
            items = [text_of(depth - 1) for _ in range(rng.randrange(4))]
            comma = rng.choice([",", ", ", ",\n"])
            end = rng.choice(["", "", ","])
            kind = rng.choice(["()", "[]", "{}", "dict", "sign"])
            if kind == "dict":
                return "{" + comma.join(f"{text_of(depth - 1)}:{item}" for item in items) + end + "}"
            if kind == "sign":
                return "-" + text_of(depth - 1)
            return kind[0] + comma.join(items) + end + kind[1]

        agreed = 0
        for _ in range(20_000):
            text = text_of(rng.randrange(1, 4))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    wanted = ast.literal_eval(text)
                except (ValueError, SyntaxError, TypeError):
                    with self.assertRaises(_literals.LiteralError, msg=text):
                        _literals.loads(text)
                    continue
                self.assertEqual(repr(_literals.loads(text)), repr(wanted), text)
            agreed += 1
        self.assertGreater(agreed, 500)


class Bomb:
    def __reduce__(self) -> Any:
        return os.mkdir, ("exploded",)


class Quits:
    def __reduce__(self) -> Any:
        return sys.exit, (0,)


class PickleTest(ReaderTest):
    def test_is_refused_unless_asked_for(self):
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)
        bomb = pickle.dumps(Bomb())
        says = "reading a pickle may run any code; .*--unsafe-pickle"
        self.refused("x.pickle", bomb, says=says)
        self.refused("x.pkl", b"", says=says)
        self.refused("x.json", bomb, says="line 1, column 1: not UTF-8 .*")
        self.assertFalse((self.folder / "exploded").exists())
        self.read("x.pickle", bomb, unsafe_pickle=True)
        self.assertTrue((self.folder / "exploded").exists())

    def test_values_of_all_protocols(self):
        shared = ["shared"]
        value = {"a": (shared, shared), b"b": {1, 2.5}, 3: range(4), None: ...}
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            found = self.read("x.pkl", pickle.dumps(value, protocol), unsafe_pickle=True)
            self.assertEqual(found, value)
            self.assertIs(found["a"][0], found["a"][1])

    def test_wrong(self):
        whole = pickle.dumps(list(range(1000)))
        for content, says in (
            (b"", "it cannot be unpickled: EOFError: .*"),
            (whole[:-10], "it cannot be unpickled: .*"),
            (b"\x80\xff", "it cannot be unpickled: ValueError: .*"),
            (b"cabsent\nname\n.", "it cannot be unpickled: ModuleNotFoundError: .*"),
            (pickle.dumps(Quits()), "it cannot be unpickled: SystemExit: 0"),
            (whole + whole, "there is something behind the pickle; .*"),
            (whole + b"\0", "there is something behind the pickle; .*"),
        ):
            self.refused("x.pkl", content, says=says, unsafe_pickle=True)


class CheapTest(FolderTest):
    def test_importing_tenure_imports_no_reader(self):
        code = "import sys, tenure; print(sorted(n for n in sys.modules if n.startswith('tenure')))"
        result = self.python("-c", code)
        self.assertEqual(result.stdout.strip(), "['tenure', 'tenure._tenure']")


if __name__ == "__main__":
    unittest.main()
