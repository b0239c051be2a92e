"""Files that are damaged, foreign or made for something else: ImageError, and nothing worse."""

from __future__ import annotations

import importlib.util
import json
import random
import struct
import sys
import unittest
from pathlib import Path

from support import ImageFile, ImportTest
from tenure import _tenure

NAMES = ["one", "pack", "pack.two", "three"]
FILES = {
    "one.py": """
        SET, TEXT = frozenset((1, "a")), "a text of one"
        class C:
            attribute_of_one = (1, 2.5, b"bytes of one", 3j, 1 << 70)
            def method(self, argument): return argument in {"x", "shared_name"}, argument[1:2]
        def check(): return C().method("x") == (True, "") and C.attribute_of_one[2][:5] == b"bytes"
        """,
    "pack/__init__.py": "shared_name = 'shared_name'\ndef check(): return shared_name == 'shared' + '_name'\n",
    "pack/two.py": """
        shared_name, other = "shared_name", ("a tuple", (1.5, None, ...))
        def check(): return [x for x in other][1] == (1.5, None, ...) and "é" + shared_name == "éshared_name"
        """,
    "three.py": "def check():\n    def inner(a, *, shared_name=1): return a + shared_name\n    return inner(1) == 2\n",
}

# What is loaded stays loaded, so each attempt has a process of its own. Answers are lists:
# ["killed", status], ["other", exception], ["refused", where, message], or
# ["loaded", prelinked, {module: where it is wrong}].
DRIVER = """
import importlib, json, os
def in_child(work):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = work()
        except BaseException as error:
            answer = ["other", repr(error)]
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        data = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return ["killed", status] if status else json.loads(data)
def check_error(error, path):
    assert type(error) is tenure.ImageError and error.path == path, vars(error)
    start = f"{path}: the {error.where} "
    assert str(error).startswith(start) and len(str(error)) > len(start) + 5, str(error)
def use(path, check):
    before = list(sys.meta_path), sorted(sys.modules)
    try:
        image = tenure.load(path, check=check)
    except tenure.ImageError as error:
        check_error(error, path)
        assert (list(sys.meta_path), sorted(sys.modules)) == before
        import one  # from its source
        return ["refused", error.where, str(error)]
    wrong = {}
    assert len(image.modules) == image.stats()["modules"]
    for name in NAMES:
        try:
            module = importlib.import_module(name)
        except tenure.ImageError as error:
            check_error(error, path)
            assert name not in sys.modules
            wrong[name] = error.where
            try:
                importlib.import_module(name)
            except tenure.ImageError as again:
                assert str(again) == str(error)
        except ModuleNotFoundError as error:
            wrong[name] = "not found"  # what the tables call it is not checked otherwise
        else:
            assert module.check() is True, name
            if type(module.__loader__).__name__ != "ImageLoader":
                wrong[name] = "not frozen"
    try:
        image.verify()
    except tenure.ImageError as error:
        check_error(error, path)
        wrong["verify"] = error.where
    return ["loaded", image.prelinked, wrong]
def load(path, check):
    # For what says where the interpreter's objects are: nobody can know that it is not right.
    try:
        tenure.load(path, check=check).modules
        return ["loaded"]
    except tenure.ImageError as error:
        check_error(error, path)
        return ["refused", error.where, str(error)]
def verify(path):
    try:
        return ["verified", tenure.load(path).verify()["objects"] > 50]
    except tenure.ImageError as error:
        check_error(error, path)
        return ["refused", error.where, str(error)]
def inspect(path):
    try:
        return [tenure._tenure.inspect(path)["usable"]]
    except tenure.ImageError as error:
        check_error(error, path)
        return ["refused", error.where, str(error)]
"""
START = f"NAMES = {NAMES!r}\n{DRIVER}\n"

FLIPS = """
with open(image_path, "rb") as file:
    good = bytearray(file.read())
for position, bit in json.loads(positions):
    good[position] ^= 1 << bit
    with open("damaged", "wb") as file:
        file.write(good)
    good[position] ^= 1 << bit
    answers = [in_child(lambda: use("damaged", check)) for check in ("lazy", "full")]
    answers += [in_child(lambda: verify("damaged")), in_child(lambda: inspect("damaged"))]
    print(json.dumps([position, *answers]))
"""


class HostileTest(ImportTest):
    FILES = FILES
    NAMES = ["one", "pack", "three"]

    def attempt(
        self, files: dict[str, ImageFile | bytes], check: str = "lazy", work: str = "use"
    ) -> dict[str, list]:
        """Uses each of these files, or only loads them."""
        folder = self.new_folder()
        for name, content in files.items():
            (folder / name).write_bytes(getattr(content, "data", content))
        shown = self.check(
            START
            + f"os.chdir({str(folder)!r})\n"
            + f"for name in {list(files)!r}:\n"
            + f"    print(json.dumps([name, in_child(lambda: {work}(name, {check!r})),"
            + " in_child(lambda: inspect(name))]))\n"
        )
        answers = {}
        for line in shown.splitlines():
            name, used, inspected = json.loads(line)
            answers[name] = used
            self.assertNotIn("killed", (used[0], inspected[0]), name)
            self.assertNotIn("other", (used[0], inspected[0]), f"{name}: {used} {inspected}")
        self.assertEqual(list(answers), list(files))
        return answers

    def edited(self, seal: bool = True, **fields: object) -> ImageFile:
        file = ImageFile(self.image)
        for name, value in fields.items():
            file[name] = value
        return file.seal() if seal else file

    def assert_works(self, answer: list, prelinked: bool, message: str = "") -> None:
        self.assertEqual(answer, ["loaded", prelinked, {}], message)

    def assert_refused(self, answer: list, where: str, *words: str) -> None:
        self.assertEqual(answer[:2], ["refused", where], answer)
        for word in words:
            self.assertIn(word, answer[2])

    def test_undamaged(self):
        for check in "lazy", "full":
            answers = self.attempt({"same": ImageFile(self.image), "sealed": self.edited()}, check)
            for name, answer in answers.items():
                self.assert_works(answer, True, name)
        self.assertEqual(self.edited().data, ImageFile(self.image).data)

    def flips(self, damaged_where, per_part: int) -> None:
        file = ImageFile(self.image)
        parts = {part[0]: range(part[2], part[2] + part[3]) for part in file.directory()}
        parts[0] = range(ImageFile.PAGE)
        chosen = random.Random(1)
        positions = {}
        for kind, span in sorted(parts.items()):
            picked = {span[0], span[-1], *chosen.choices(span, k=per_part)}
            positions.update(dict.fromkeys(sorted(picked), kind))
        work = json.dumps([(p, chosen.randrange(8)) for p in positions])
        shown = self.check(
            START + f"image_path = {str(damaged_where)!r}\npositions = {work!r}\n" + FLIPS,
            folder=self.new_folder(FILES),
        )
        answers = [json.loads(line) for line in shown.splitlines()]
        self.assertEqual([answer[0] for answer in answers], list(positions))
        prelinked = damaged_where == self.image
        for position, lazy, full, verified, inspected in answers:
            kind = positions[position]
            with self.subTest(position=position, kind=kind):
                self.check_flip(file, position, kind, lazy, full, prelinked)
                good = ["verified", True]
                self.assertEqual(verified, full if file.is_checked(position) else good)
                if kind == 0 or not file.is_bulk(kind):
                    self.assertEqual(inspected[0], "refused")
                else:
                    self.assertEqual(inspected, [True])

    def check_flip(self, file, position, kind, lazy, full, prelinked) -> None:
        if not file.is_checked(position):  # the few bytes between objects of two modules
            self.assert_works(lazy, prelinked)
            self.assert_works(full, prelinked)
            return
        self.assertEqual(full[0], "refused", full)
        if kind == 0 or not file.is_bulk(kind):
            self.assertEqual(lazy, full)
            return
        self.assertEqual(lazy[:2], ["loaded", prelinked], lazy)
        wrong = lazy[2]
        if prelinked and kind in (12, 13, 14):  # only relocating and verify() read these
            self.assertEqual(list(wrong), ["verify"])
        elif wrong["verify"] == "common group":
            self.assertEqual(wrong, dict.fromkeys([*NAMES, "verify"], "common group"))
        else:
            name = wrong["verify"].removeprefix("module ").strip("'")
            affected = [name, "pack.two", "verify"] if name == "pack" else [name, "verify"]
            self.assertEqual(wrong, dict.fromkeys(affected, f"module '{name}'"))

    def test_bit_flips(self):
        self.flips(self.image, per_part=10)

    def test_bit_flips_in_an_image_to_relocate(self):
        other = self.edited(build_id=bytes(32)).save(self.new_folder() / "other")
        self.flips(other, per_part=4)

    def test_truncated(self):
        good = self.image.read_bytes()
        file = ImageFile(self.image)
        lengths = {0, 1, 7, 8, 9, 71, 151, 152, 4095, 4096, 4097, len(good) - 4096, len(good) - 1}
        for _, _, offset, size, _ in file.directory():
            lengths |= {offset, offset + size // 2, offset + size}
        lengths.discard(len(good))
        files = {f"cut{n}": good[:n] for n in sorted(lengths)}
        files |= {f"long{n}": good + bytes(n) for n in (1, 4095, 4096, 1 << 20)}
        answers = self.attempt(files)
        for name, answer in answers.items():
            words = "empty" if name == "cut0" else "trunca" if name.startswith("cut") else "too long"
            self.assert_refused(answer, "file", words)
        self.assertEqual(self.attempt(files, "full"), answers)

    def test_foreign_files(self):
        good = self.image.read_bytes()
        files = {
            "elf": Path(sys.executable).read_bytes()[:100000],
            "zip": b"PK\3\4" + bytes(5000),
            "text": b"import this\n" * 1000,
            "pyc": importlib.util.MAGIC_NUMBER + bytes(12) + b"\xe3" * 5000,
            "zeros": bytes(16384),
            "ones": b"\xff" * 16384,
            "magic_alone": good[:8] + bytes(16376),
            "as_text": good.replace(b"\r\n", b"\n"),
            "doubled": good + good,
            "short": b"TENU",
        }
        for name, answer in self.attempt(files).items():
            if name in ("elf", "zip", "text", "pyc", "zeros", "ones", "as_text"):
                self.assert_refused(answer, "header", "is not that of a Tenure image")
            elif name == "magic_alone":
                self.assert_refused(answer, "header", "format 0")
            else:
                self.assertEqual(answer[:2], ["refused", "file"])

    def test_made_for_another_interpreter(self):
        version = ImageFile(self.image)["python_version"]
        file = ImageFile(self.image)
        refused = {
            "older": (dict(python_version=version - (1 << 16)), f"CPython 3.{sys.version_info[1] - 1}."),
            "newer": (dict(python_version=version + (1 << 16)), f"CPython 3.{sys.version_info[1] + 1}."),
            "python4": (dict(python_version=0x04000000), "CPython 4.0.0"),
            "magic": (dict(bytecode_magic=file["bytecode_magic"] + 1), "freeze it again"),
            "nogil": (dict(free_threaded=1), "without a GIL"),
            "layout": (dict(layout_fingerprint=file["layout_fingerprint"] ^ 1), "laid out differently"),
            "format": (dict(format_version=3), "format 3"),
            "format0": (dict(format_version=0), "format 0"),
            "hash": (dict(hash_policy=3), "hash policy 3"),
            "optimised": (dict(optimization=1), "was made with -O, this interpreter runs without -O"),
            "optimised_more": (dict(optimization=2), "-OO"),
            "long_id": (dict(build_id_bytes=33), "build id"),
        }  # fmt: skip
        files = {name: self.edited(**fields) for name, (fields, _) in refused.items()}
        files["format_unsealed"] = self.edited(seal=False, format_version=7)
        for check in "lazy", "full":
            answers = self.attempt(files, check)
            for name, (_, words) in refused.items():
                self.assert_refused(answers[name], "header", words)
            self.assert_refused(answers["format_unsealed"], "header", "format 7")

    def test_made_by_another_build(self):
        file = ImageFile(self.image)
        files = {
            "patch": self.edited(python_version=file["python_version"] ^ 0x100),
            "id": self.edited(build_id=bytes(range(32))),
            "no_id": self.edited(build_id_bytes=0, build_id=bytes(32)),
            "bias": self.edited(load_bias=file["load_bias"] + 4096),
            "witness": self.edited(witness=file["witness"] ^ 1),
        }
        for check in "lazy", "full":
            for name, answer in self.attempt(files, check).items():
                self.assert_works(answer, False, name)

    def test_headers_that_make_no_sense(self):
        cases = {
            "header_bytes": 168, "file_bytes": 1 << 62, "directory_count": 10000, "preferred_base": 4096,
            "first_code_version": 1,
        }  # fmt: skip
        files = {name: self.edited(**{name: value}) for name, value in cases.items() if name != "header_bytes"}
        file = ImageFile(self.image)
        file["header_bytes"], file["header_checksum"] = 168, 0
        file["header_checksum"] = _tenure.checksum(file.data[:4096])
        files["header_bytes"] = file
        for base in 0, 1 << 47, (1 << 64) - 4096, file["preferred_base"] + 8:
            files[f"base{base}"] = self.edited(preferred_base=base)
        for name, answer in self.attempt(files).items():
            self.assertEqual(answer[:2], ["refused", "header"], f"{name}: {answer}")

    def test_directories_that_make_no_sense(self):
        entries = ImageFile(self.image).directory()
        index = {entry[0]: place for place, entry in enumerate(entries)}

        def changed(part: int, **change: int) -> ImageFile:
            file = ImageFile(self.image)
            kind, flags, offset, size, checksum = entries[index[part]]
            values = dict(kind=kind, flags=flags, offset=offset, size=size, checksum=checksum)
            file.set_entry(index[part], list((values | change).values()))
            return file.seal()

        huge, end = (1 << 64) - 16, ImageFile(self.image)["file_bytes"]
        code = entries[index[69]]
        files = {
            "outside": changed(1, offset=end), "wrapping": changed(69, offset=huge - 4080),
            "too_long": changed(69, size=huge), "into_header": changed(69, offset=0),
            "unaligned": changed(69, offset=code[2] + 8), "twice": changed(69, kind=68),
            "overlap": changed(69, size=code[3] + 4096 * 4), "odd_table": changed(2, size=entries[index[2]][3] - 4),
            "no_groups": changed(2, size=0), "unknown": changed(2, kind=40),
            "no_segment": changed(69, kind=99, flags=2), "not_bulk": changed(69, flags=1),
        }  # fmt: skip
        for check in "lazy", "full":
            for name, answer in self.attempt(files, check).items():
                self.assertEqual(answer[0], "refused", f"{name}: {answer}")

    def test_tables_that_this_version_does_not_know(self):
        count = len(ImageFile(self.image).directory())
        files = {}
        for name, flags in ("ignored", 0), ("needed", ImageFile.MUST_UNDERSTAND):
            file = ImageFile(self.image)
            file["directory_count"] = count + 1
            file.set_entry(count, (40, flags, file["file_bytes"] - 8, 0, 0))
            files[name] = file.seal()
        answers = self.attempt(files)
        self.assert_works(answers["ignored"], True)
        self.assert_refused(answers["needed"], "unknown part (kind 40)", "not known to this Tenure")

    def damaged_tables(self, kinds: set[int], count: int) -> dict[str, ImageFile]:
        tables = [entry for entry in ImageFile(self.image).directory() if entry[0] in kinds]
        chosen, files = random.Random(2), {}
        for number in range(count):
            file = ImageFile(self.image)
            kind, _, offset, size, _ = chosen.choice(tables)
            place = offset + chosen.randrange(size // 4) * 4
            (old,) = struct.unpack_from("<I", file.data, place)
            value = chosen.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, chosen.getrandbits(32), old + 16, old + 8,
                                   old + 16 * chosen.randrange(-64, 64), old ^ 1 << chosen.randrange(32)])  # fmt: skip
            struct.pack_into("<I", file.data, place, value & 0xFFFFFFFF)
            if number % 3 == 0:
                file["build_id"] = bytes(32)  # to be relocated
            files[f"{number}_kind{kind}_at{place - offset}_is{value & 0xFFFFFFFF}"] = file.seal()
        return files

    def test_damaged_tables_with_right_checksums(self):
        # Whatever text, groups, extents, modules and roots say, it is refused or does no harm.
        self.attempt(self.damaged_tables({1, 2, 3, 4, 5}, 200))

    def test_damaged_externals_with_right_checksums(self):
        files = self.damaged_tables({6, 7}, 100)
        for check in "lazy", "full":
            answers = self.attempt(files, check, work="load")
            self.assertEqual({answer[0] for answer in answers.values()}, {"loaded", "refused"})

    def test_modules_made_of_other_objects(self):
        entries = {entry[0]: entry for entry in ImageFile(self.image).directory()}
        modules, tuples = entries[4][2], entries[67][2]
        files = {}
        for field, place in ("code", 24), ("origin", 32), ("cached", 40):
            for number in range(12):
                file = ImageFile(self.image)
                struct.pack_into("<Q", file.data, modules + place, tuples + number * 8)
                files[f"{field}{number}"] = file.seal()
        for name, answer in self.attempt(files).items():
            what = "code" if name.startswith("code") else "path"
            self.assertEqual(answer[0], "loaded", name)
            self.assertEqual(answer[2]["one"], "module 'one'", f"{name}: no {what}")


if __name__ == "__main__":
    sys.exit(unittest.main())
