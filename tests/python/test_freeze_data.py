"""`python3 -m tenure freeze-data` and tenure.freeze_data(): what comes back, and how they say no."""

from __future__ import annotations

import datetime
import json
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path
from typing import Any

import tenure

from helpers import FolderTest, environment

MILLION = 1_000_000


def thawed(value: Any) -> Any:
    """Tuples as lists and mappings as dicts, to be compared with what was frozen."""
    if isinstance(value, (tuple, list)):
        return [thawed(item) for item in value]
    if hasattr(value, "keys"):
        return {key: thawed(item) for key, item in value.items()}
    return value


class CommandTest(FolderTest):
    def frozen(self, *arguments: object, **options: Any) -> Any:
        """Freezes with these arguments and loads what was made."""
        path = self.folder / f"{len(self.files())}.tenure"
        result = self.tenure("freeze-data", *arguments, "-o", path, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return tenure.load(path)

    def refused(self, *arguments: object, says: str, status: int = 1, **options: Any) -> None:
        """Runs the command, which must fail with one clear message and write nothing."""
        before = self.files()
        result = self.tenure("freeze-data", *arguments, **options)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        self.assertNotIn("Traceback (most recent call last)", result.stderr)
        pattern = rf"(?s)^(reading data \.\.\.\n)?(writing the image \.\.\.\n)?tenure: {says}\n$"
        self.assertRegex(result.stderr, pattern if status == 1 else says)
        self.assertEqual(self.files(), before)


class OneFileTest(CommandTest):
    def test_first_use(self):
        document = {"name": "Curaçao", "codes": ["CW", 531, None], "at": {"lat": 12.2, "east": False}}
        self.write({"country.json": json.dumps(document)})
        result = self.tenure("freeze-data", "country.json", "-o", "country.tenure")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "reading data ...\nwriting the image ...\n")
        size = (self.folder / "country.tenure").stat().st_size
        says = rf"^country\.tenure: 1 root, \d+ objects, {size:,} bytes, \d+\.\d s\n$"
        self.assertRegex(result.stdout, says)
        image = tenure.load(self.folder / "country.tenure")
        self.assertEqual(thawed(image.root), document)
        self.assertEqual(image.root["codes"], ("CW", 531, None))
        self.assertEqual(type(image.root).__name__, "FrozenDict")
        self.assertIs(image.roots["country"], image.root)
        self.assertEqual(list(image.roots), ["country"])
        self.assertEqual(image.modules, ())

    def test_each_format(self):
        zone = datetime.timezone(datetime.timedelta(hours=1))
        when = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone)
        for name, content, wanted in (
            ("a.json", "[1, [2.5]]", (1, (2.5,))),
            ("b.jsonl", '1\n"x"\n', (1, "x")),
            ("c.csv", "x,y\n1,2\n", ({"x": "1", "y": "2"},)),
            ("d.tsv", "x\n1\n", ({"x": "1"},)),
            ("e.toml", "t = 2026-01-02T03:04:05+01:00", {"t": when}),
            ("f.py", "{1: (b'x', 2j, {3}, ...)}", {1: (b"x", 2j, {3}, ...)}),
        ):
            with self.subTest(name):
                self.write({name: content})
                self.assertEqual(self.frozen(name).root, wanted)

    def test_options_of_reading(self):
        self.write({"x.csv": "a;b\n1;2\n", "d.json": '{"a": 1, "a": 2}'})
        rows = self.frozen("x.csv", "--no-header", "--delimiter", ";").root
        self.assertEqual(rows, (("a", "b"), ("1", "2")))
        self.assertEqual(dict(self.frozen("d.json").root), {"a": 2})
        says = r"d\.json: line 1, column 10: Key 'a' for the second time"
        self.refused("d.json", "--duplicate-keys", "refuse", "-o", "o", says=says)

    def test_lists_dicts_and_sets_that_stay(self):
        self.write({"x.py": "{'a': [1, {2}], 'b': {}}"})
        root = self.frozen("x.py", "--lists", "list", "--dict", "builtin", "--sets", "builtin").root
        self.assertEqual(root, {"a": [1, {2}], "b": {}})
        kinds = type(root), type(root["a"]), type(root["a"][1]), type(root["b"])
        self.assertEqual(kinds, (dict, list, set, dict))
        root["a"].append("here only")
        self.assertEqual(root["a"][2], "here only")

    def test_standard_input(self):
        image = self.frozen("-", "--format", "json", input="[1, 2]")
        self.assertEqual((image.root, list(image.roots)), ((1, 2), ["stdin"]))
        image = self.frozen("table=-", "--format", "json", input="[1, 2]")
        self.assertEqual(list(image.roots), ["table"])

    def test_pipe(self):
        os.mkfifo(self.folder / "pipe")
        writer = threading.Thread(target=(self.folder / "pipe").write_text, args=("[1]",))
        writer.start()
        self.assertEqual(self.frozen("x=pipe", "--format", "json").root, (1,))
        writer.join()

    def test_pickle_only_when_asked_for(self):
        self.write({"x.pickle": pickle.dumps({"a": (1, {2})})})
        says = r"x\.pickle: reading a pickle may run any code; .*--unsafe-pickle"
        self.refused("x.pickle", "-o", "o", says=says)
        self.refused("x.pickle", "--format", "pickle", "-o", "o", says=says)
        self.assertEqual(dict(self.frozen("x.pickle", "--unsafe-pickle").root), {"a": (1, {2})})

    def test_a_million_deep(self):
        self.write({"x.json": "[" * MILLION + "]" * MILLION})
        value, depth = self.frozen("x.json").root, 0
        while value:
            (value,) = value
            depth += 1
        self.assertEqual(depth, MILLION - 1)
        self.write({"y.json": '{"a":' * MILLION + "0" + "}" * MILLION})
        value, depth = self.frozen("y.json").root, 0
        while value:
            value = value["a"]
            depth += 1
        self.assertEqual(depth, MILLION)

    def test_numbers_and_strings_at_the_edge(self):
        text = (
            '[-0.0, 1e999, -1e999, NaN, 5e-324, 123456789012345678901234567890, "\\ud800", "\\u0000",'
            f' "\\ud83d\\ude00", {"9" * 5000}, -{"8" * 5000}, ""]'
        )
        self.write({"x.json": text})
        root = self.frozen("x.json").root
        self.assertEqual(math.copysign(1, root[0]), -1)
        self.assertEqual(root[1:3], (math.inf, -math.inf))
        self.assertTrue(math.isnan(root[3]))
        self.assertEqual(root[4:6], (5e-324, 123456789012345678901234567890))
        self.assertEqual(root[6:9], ("\ud800", "\0", "\U0001f600"))
        self.assertEqual(root[9] + 1, 10**5000)
        self.assertEqual(-root[10] * 9, 8 * (10**5000 - 1))
        self.assertEqual(root[11], "")


class ManyFilesTest(CommandTest):
    def test_roots_are_called_like_files(self):
        self.write({"b.json": "[1]", "sub/a.b.csv": "x\n1\n", "c d.toml": "x = 1"})
        image = self.frozen("b.json", "sub/a.b.csv", "c d.toml")
        self.assertEqual(list(image.roots), ["b", "a.b", "c d"])
        self.assertEqual(image.roots["b"], (1,))
        self.assertEqual(image.roots["c d"], {"x": 1})
        with self.assertRaisesRegex(Exception, "b.*a\\.b.*c d"):
            image.root
        with self.assertRaises(TypeError):
            image.roots["new"] = 1

    def test_names(self):
        self.write({"x=y.json": "[1]", "a.json": "[2]", "sub/a.json": "[3]"})
        image = self.frozen("x=y.json", "x=a.json", "y=./x=y.json", "a.json", "b=sub/a.json")
        self.assertEqual({k: v for k, v in image.roots.items()}, {
            "x=y": (1,), "x": (2,), "y": (1,), "a": (2,), "b": (3,),
        })
        says = "a.json and sub/a.json would both be the root 'a'; name one of them otherwise: .*"
        self.refused("a.json", "sub/a.json", "-o", "o", says=says)
        self.refused("x=a.json", "x=sub/a.json", "-o", "o", says=".*would both be the root 'x'.*")
        self.refused("-", "x=-", "--format", "json", "-o", "o", says="standard input .* only once")

    def test_behind_two_hyphens(self):
        self.write({"-a.json": "[1]", "b.json": "[2]"})
        result = self.tenure("freeze-data", "-o", "o.tenure", "b.json", "--", "-a.json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(list(tenure.load(self.folder / "o.tenure").roots), ["b", "-a"])

    def test_one_that_cannot_be_read(self):
        self.write({"a.json": "[1]", "b.json": "[1", "o": "as it was"})
        self.refused("a.json", "b.json", "-o", "o", says=r"b\.json: line 1, column 3: .*")
        self.refused("a.json", "absent.json", "-o", "o", says="cannot read absent.json: No such .*")
        self.refused("a.json", ".", "-o", "o", says=r"\.: its name has none of the endings .*")
        self.refused("--format", "json", ".", "-o", "o", says=r"cannot read \.: Is a directory")
        self.assertEqual((self.folder / "o").read_text(), "as it was")

    def test_many(self):
        self.write({f"f{number}.json": str(number * 1000) for number in range(300)})
        image = self.frozen(*(f"f{number}.json" for number in range(300)))
        self.assertEqual(image.roots["f299"], 299_000)
        self.assertEqual(len(image.roots), 300)

    def test_name_that_is_not_utf8(self):
        path = os.fsdecode(os.fsencode(self.folder) + b"/\xff.json")
        Path(path).write_text("[1]")
        self.refused(path, "-o", "o", says=r".*\\udcff\.json is not UTF-8; name the root: NAME=.*")
        self.assertEqual(self.frozen("x=" + path).root, (1,))


class OutputTest(CommandTest):
    def test_output_that_cannot_be(self):
        self.write({"x.json": "[1]", "sub/y": "", "file": ""})
        for output, says in (
            ("absent/o", "there is no folder .*absent to write the image to; make it first"),
            ("sub", "sub is a folder; name a file with -o"),
            ("x.json", "the image would replace x.json, which it is made of; name another -o"),
            ("./sub/../x.json", "the image would replace x.json, .*"),
        ):
            self.refused("x.json", "-o", output, says=says)
        self.assertEqual((self.folder / "x.json").read_text(), "[1]")

    def test_full_disk(self):
        import resource

        self.write({"x.json": json.dumps(list(range(100_000))), "o": "as it was"})

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        says = "cannot write o: File too large"
        self.refused("x.json", "-o", "o", says=says, preexec_fn=limit)
        self.assertEqual((self.folder / "o").read_text(), "as it was")

    def test_image_in_use_is_replaced_not_changed(self):
        self.write({"x.json": '["old"]'})
        self.frozen("x.json")
        result = self.tenure("freeze-data", "x.json", "-o", "o.tenure")
        old = tenure.load(self.folder / "o.tenure")
        self.write({"x.json": '["new"]'})
        result = self.tenure("freeze-data", "x.json", "-o", "o.tenure")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(old.root, ("old",))
        self.assertEqual(tenure.load(self.folder / "o.tenure").root, ("new",))

    def test_interrupt(self):
        os.mkfifo(self.folder / "pipe")
        process = subprocess.Popen(
            [sys.executable, "-m", "tenure", "freeze-data", "x=pipe", "--format=json", "-o", "o"],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            cwd=self.folder,
        )
        assert process.stderr
        self.assertEqual(process.stderr.readline(), "reading data ...\n")
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=60)[1], "tenure: interrupted; nothing was written\n")
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.files(), {"pipe"})

    def test_wrong_usage(self):
        self.write({"x.json": "[1]"})
        for arguments in (
            ["x.json"],
            ["x.json", "-o"],
            ["x.json", "-o", "o", "--format", "xml"],
            ["x.json", "-o", "o", "--lists", "set"],
            ["x.json", "-o", "o", "--hash", "maybe"],
            ["x.json", "-o", "o", "--hash", "fixed", "--hash-seed", "-1"],
            ["x.json", "-o", "o", "--hash", "fixed", "--hash-seed", str(2**32)],
            ["x.json", "-o", "o", "--hash", "fixed", "--hash-seed", "٣"],
        ):
            with self.subTest(arguments):
                self.refused(*arguments, status=2, says="^usage: ")
        self.refused("-o", "o", says="say what to freeze: one file or several")


class SameBytesTest(CommandTest):
    DOCUMENT = {
        "words": [f"word {number}" for number in range(500)],
        "nested": {f"k{number}": {"a": number, "b": [number, "x"]} for number in range(200)},
        "same": ["x", "x", "a", 1.5, 1.5, None],
    }

    def test_same_input_gives_the_same_bytes(self):
        text = json.dumps(self.DOCUMENT)
        literal = "{'s': {'a', 'b', 'c', 'd', 1, 2.5}, 't': {(1, 'x'), (2, 'y'), b'z'}}"
        self.write({"x.json": text, "y.py": literal})
        for options in ([], ["--lists=list", "--dict=builtin", "--sets=builtin"], ["--hash=sealed"]):
            images = set()
            for seed in ("0", "1", "2", "random"):
                arguments = ["freeze-data", "x.json", "y.py", *options, "-o", "o"]
                result = self.tenure(*arguments, env={"PYTHONHASHSEED": seed}, same_addresses=True)
                self.assertEqual(result.returncode, 0, result.stderr)
                images.add((self.folder / "o").read_bytes())
            self.assertEqual(len(images), 1, options)

    def test_same_bytes_from_different_formats(self):
        document = [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
        self.write(
            {
                "one/x.json": json.dumps(document, indent=3),
                "two/x.jsonl": "\n".join(map(json.dumps, document)),
                "three/x.csv": "a,b\n1,2\n3,4\n",
                "four/x.py": repr(document),
            }
        )
        images = set()
        for name in ("one/x.json", "two/x.jsonl", "three/x.csv", "four/x.py"):
            result = self.tenure("freeze-data", name, "-o", "o", same_addresses=True)
            self.assertEqual(result.returncode, 0, result.stderr)
            images.add((self.folder / "o").read_bytes())
        self.assertEqual(len(images), 1)


class HashTest(CommandTest):
    CODE = (
        "import sys, tenure; root = tenure.load(sys.argv[1]).root\n"
        "print(root['a']['b'], hash('a') == hash(next(iter(root))))"
    )

    def setUp(self) -> None:
        super().setUp()
        self.write({"x.json": '{"a": {"b": "found"}}'})

    def shown(self, seed: str) -> str:
        result = self.python("-c", self.CODE, "o.tenure", env={"PYTHONHASHSEED": seed})
        return result.stdout + result.stderr

    def test_fixed_hashes_are_for_their_seed(self):
        arguments = ["freeze-data", "x.json", "-o", "o.tenure", "--hash", "fixed"]
        images = set()
        for seed, options in (("random", ["--hash-seed", "7"]), ("7", []), ("3", ["--hash-seed=7"])):
            seed_alone = {"PYTHONHASHSEED": seed}
            result = self.tenure(*arguments, *options, env=seed_alone, same_addresses=True)
            self.assertEqual(result.returncode, 0, result.stderr)
            images.add((self.folder / "o.tenure").read_bytes())
            self.assertEqual(self.shown("7"), "found True\n")
        self.assertEqual(len(images), 1)

    def test_seed_zero(self):
        arguments = ["freeze-data", "x.json", "-o", "o.tenure", "--hash=fixed", "--hash-seed=0"]
        result = self.tenure(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.shown("0"), "found True\n")

    def test_everything_else_is_kept(self):
        options = ["--format", "json", "--hash", "fixed", "--hash-seed", "7", "--lists", "list"]
        arguments = ["freeze-data", "y=-", *options, "-o", "o.tenure"]
        result = self.python("-X", "utf8", "-m", "tenure", *arguments, input='{"a": {"b": ["é"]}}')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.shown("7"), "['é'] True\n")

    def test_function_in_a_process_with_a_random_seed(self):
        code = (
            "import tenure\n"
            "try: tenure.freeze_data(['a'], 'new.tenure', hash_policy='fixed')\n"
            "except ValueError as error: print(error)\n"
        )
        result = self.python("-c", code)
        self.assertRegex(result.stdout, "PYTHONHASHSEED", result.stderr)
        self.assertFalse((self.folder / "new.tenure").exists())
        result = self.python("-c", code, env={"PYTHONHASHSEED": "5"})
        self.assertEqual((result.stdout, result.stderr), ("", ""))
        self.assertTrue((self.folder / "new.tenure").exists())

    def test_image_for_another_seed_is_refused(self):
        options = ["--hash", "fixed", "--hash-seed", "7"]
        result = self.tenure("freeze-data", "x.json", "-o", "o.tenure", *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        for seed in ("8", "0", "random"):
            self.assertRegex(self.shown(seed), r"ImageError: o\.tenure: .*(seed|SEED|hash)")

    def test_wrong(self):
        self.refused(
            *["x.json", "-o", "o", "--hash", "fixed"],
            says="--hash fixed needs a seed that programs will run with: --hash-seed N",
        )
        says = "--hash-seed is for --hash fixed, which is not given"
        self.refused("x.json", "-o", "o", "--hash-seed", "1", says=says)
        arguments = ["freeze-data", "x.json", "-o", "o", "--hash=fixed", "--hash-seed=1"]
        code = (
            f"import sys; sys.path.insert(0, {str(Path(tenure.__file__).parents[1])!r});"
            f" from tenure._cli import main; sys.exit(main({arguments!r}))"
        )
        result = self.python("-I", "-c", code)
        self.assertEqual(result.returncode, 1)
        self.assertIn("-I and -E do not look at", result.stderr)


class LookingTest(CommandTest):
    def setUp(self) -> None:
        super().setUp()
        self.write({"x.json": "[1.5]", "y.json": '{"a": "b"}'})
        result = self.tenure("freeze-data", "x.json", "y.json", "-o", "o.tenure")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_inspect(self):
        result = self.tenure("inspect", "o.tenure")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"(?m)^roots: x, y$")
        self.assertNotRegex(result.stdout, "(?m)^modules")
        found = json.loads(self.tenure("inspect", "--json", "o.tenure").stdout)
        self.assertEqual(len(found["roots"]), 2)
        self.assertEqual(found["modules"], [])

    def test_verify(self):
        result = self.tenure("verify", "o.tenure")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(result.stdout.endswith("o.tenure: 2 roots, nothing wrong\n"), result.stdout)


class FunctionTest(FolderTest):
    def back(self, obj: Any, **options: Any) -> Any:
        path = self.folder / f"{len(self.files())}.tenure"
        tenure.freeze_data(obj, path, **options)
        image = tenure.load(path)
        return image.roots if options.get("roots") else image.root

    def test_what_it_returns_and_takes(self):
        path = self.folder / "o.tenure"
        counts = tenure.freeze_data(["a", 10**6], path)
        self.assertEqual(counts["bytes"], path.stat().st_size)
        self.assertEqual(counts["roots"], 1)
        self.assertGreaterEqual(counts["objects"], 2)
        for other in (str(path), os.fsencode(path)):
            tenure.freeze_data(["a"], other)
        self.assertEqual(list(tenure.load(path).roots), ["root"])
        self.assertEqual(list(self.back({"x": 1, "y": 2}, roots=True)), ["x", "y"])
        tenure.freeze_data([1], self.folder / "n", name="table")
        self.assertEqual(list(tenure.load(self.folder / "n").roots), ["table"])

    def test_progress(self):
        seen: list[tuple[int, int]] = []
        tenure.freeze_data(
            [str(number) for number in range(50_000)],
            self.folder / "o",
            progress=lambda done, total: seen.append((done, total)),
        )
        self.assertTrue(all(0 <= done <= total for done, total in seen), seen[:5])
        self.assertEqual([done for done, _ in seen], sorted(done for done, _ in seen))
        self.assertTrue(seen)

    def test_progress_that_raises(self):
        def interrupt(done: int, total: int) -> None:
            raise KeyboardInterrupt

        (self.folder / "o").write_text("as it was")
        with self.assertRaises(KeyboardInterrupt):
            tenure.freeze_data([str(n) for n in range(50_000)], self.folder / "o", progress=interrupt)
        self.assertEqual(self.files(), {"o"})
        self.assertEqual((self.folder / "o").read_text(), "as it was")

    def test_object_is_not_changed(self):
        value = {"a": [1, {2}, {"b": ()}]}
        before = repr(value)
        self.back(value)
        self.assertEqual(repr(value), before)
        value["a"].append(3)

    def test_what_is_refused(self):
        class Own:
            pass

        cases = [
            (Own(), TypeError, r"\$.*Own"),
            ({"a": [1, 2, 3, {"b": Own()}]}, TypeError, r"\$\.a\[3\]\.b: object of type .*Own"),
            ([lambda: None], TypeError, r"\$\[0\]: .*function"),
            ([sys], TypeError, r"\$\[0\]: .*module"),
            ([bytearray(b"x")], TypeError, r"\$\[0\]: .*bytearray"),
        ]
        for value, error, says in cases:
            with self.subTest(says), self.assertRaisesRegex(error, says):
                tenure.freeze_data(value, self.folder / "o")
        self.assertEqual(self.files(), set())

    def test_wrong_arguments(self):
        for options, error, says in (
            ({"roots": True}, TypeError, "with roots=True obj is a dict .* not list"),
            ({"lists": "set"}, ValueError, "lists"),
            ({"dicts": 1}, TypeError, "dicts is a str, not int"),
            ({"sets": "x"}, ValueError, "sets"),
            ({"hash_policy": "x"}, ValueError, "hash_policy"),
            ({"name": 1}, TypeError, "the name of a root is a str, not int"),
        ):
            with self.subTest(options), self.assertRaisesRegex(error, says):
                tenure.freeze_data([1], self.folder / "o", **options)
        for obj, options, error in (
            ({}, {"roots": True}, ValueError),
            ({1: 2}, {"roots": True}, TypeError),
            ({"a": 2}, {"roots": True, "name": "b"}, ValueError),
        ):
            with self.subTest(obj), self.assertRaises(error):
                tenure.freeze_data(obj, self.folder / "o", **options)
        with self.assertRaises(OSError):
            tenure.freeze_data([1], self.folder / "absent" / "o")
        with self.assertRaises(OSError):
            tenure.freeze_data([1], self.folder)
        self.assertEqual(self.files(), set())

    def test_help(self):
        self.assertIn("freeze_data", tenure.__all__)
        self.assertIn("FrozenDict", tenure.freeze_data.__doc__)


if __name__ == "__main__":
    unittest.main()
