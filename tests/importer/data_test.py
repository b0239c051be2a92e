"""Images of data in the interpreters of a process, in its threads, its children and at its end; and
damaged ones.
"""

from __future__ import annotations

import os
import random
import unittest
from pathlib import Path

import tenure
from tenure import _tenure

from support import INTERPRETERS, PACKAGE_FOLDER, ImageFile, ImportTest, is_at_one_address

# Everything that somebody does with data, and that writes to it.
USE = """
import sys
sys.path[:0] = [{package!r}]
import tenure, json
image = tenure.load({image!r})
root = image.root
def walk(value):
    if isinstance(value, tenure.FrozenDict):
        return sum(walk(key) + walk(value[key]) for key in value)
    if isinstance(value, (tuple, frozenset)):
        return sum(map(walk, value))
    hash(value), str(value), [value]
    if isinstance(value, str):
        sys.intern(value), value.encode()
    return 1
assert walk(root) == {leaves}
assert root["names"]["n\\xe9 5"][0] == 5 and root["texts"][3] == "text 3"
assert json.loads(json.dumps(root, default=tenure.json_default))["pi"] == 3.25
hash(root), repr(root), root == root
"""

DATA = {
    "names": {f"n\xe9 {i}": [i, i * 1.5, f"value {i}"] for i in range(500)},
    "texts": [f"text {i}" for i in range(2000)],
    "big": {i: 10**20 + i for i in range(1000)},
    "pi": 3.25,
}
LEAVES = 4 + 500 * 4 + 2000 + 2000 + 1


class DataTest(ImportTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.image = cls.folder / "data.tenure"
        _tenure.write_data(cls.image, {"data": DATA})
        cls.kept = cls.folder / "kept.tenure"
        _tenure.write_data(cls.kept, {"data": {**DATA, "set": {1, "two"}}}, lists="list", dicts="builtin")

    def use(self, image: Path | None = None) -> str:
        return USE.format(package=PACKAGE_FOLDER, image=str(image or self.image), leaves=LEAVES)


class InterpretersTest(DataTest):
    def test_all_of_them_use_the_same_objects(self):
        say = self.use() + "print(image.prelinked, id(root), id(root['texts']))\n"
        shown = self.check(
            f"{INTERPRETERS}\nexec({say!r})\n"
            f"for config in ('isolated', 'legacy'): run({say!r}, config)\nexec({say!r})\n"
        ).splitlines()
        self.assertEqual(len(shown), 4)
        self.assertEqual(len(set(shown)), 1, shown)
        self.assertTrue(shown[0].startswith(str(is_at_one_address())))

    def test_the_one_that_loaded_it_may_end_first(self):
        shown = self.check(
            f"{INTERPRETERS}\nfor turn in range(3):\n"
            f"    for config in ('isolated', 'legacy'): run({self.use()!r}, config)\n"
            f"exec({self.use()!r})\nprint(image.verify()['objects'] > 5000)\n"
        )
        self.assertEqual(shown, "True\n")

    def test_with_own_locks_at_once(self):
        shown = self.check(
            f"""
            {INTERPRETERS.replace(chr(10), chr(10) + " " * 12)}
            import threading
            use = {self.use()!r}
            threads = [threading.Thread(target=run, args=(use, "isolated")) for _ in range(4)]
            for t in threads: t.start()
            for t in threads: t.join()
            exec(use)
            print("done")
            """
        )
        self.assertEqual(shown, "done\n")

    def test_what_was_made_anew_is_each_ones_own(self):
        say = f"import sys; sys.path[:0] = [{PACKAGE_FOLDER!r}]; import tenure\n"
        say += f"root = tenure.load({str(self.kept)!r}).root\nroot['texts'].append(1)\nprint(len(root['texts']))\n"
        shown = self.check(
            f"{INTERPRETERS}\nexec({say!r})\n"
            f"for config in ('isolated', 'legacy'): run({say!r}, config)\nexec({say!r})\n"
        )
        self.assertEqual(shown, "2001\n2001\n2001\n2002\n")


class ProcessTest(DataTest):
    def test_use_and_exit(self):
        for image in self.image, self.kept:
            with self.subTest(image=image.name):
                use = self.use().replace(str(self.image), str(image))
                if image == self.kept:
                    use = "import tenure\nroot = tenure.load(%r).root\nroot['big'][5] += 1\nhash(root['set'] and 1)" % str(image)
                self.assertEqual(self.check(use), "")

    def test_fork(self):
        self.check(
            self.use()
            + "import os\n"
            + "for n in range(3):\n"
            + "    pid = os.fork()\n"
            + "    if pid == 0:\n"
            + "        assert walk(root) and tenure.load(image.path) is image\n"
            + "        os._exit(7)\n"
            + "    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7\n"
        )

    def test_threads(self):
        shown = self.check(
            self.use()
            + "import threading\nfound = []\n"
            + "def work():\n    for n in range(10): found.append(walk(tenure.load(image.path).root))\n"
            + "threads = [threading.Thread(target=work) for _ in range(8)]\n"
            + "for t in threads: t.start()\n"
            + "for t in threads: t.join()\n"
            + "print(len(found), set(found))\n"
        )
        self.assertEqual(shown, f"80 {{{LEAVES}}}\n")

    def test_collector_knows_nothing_of_it(self):
        self.check(
            self.use()
            + "import gc\n"
            + "assert not gc.is_tracked(root) and not gc.is_tracked(root['texts'])\n"
            + "gc.collect(); gc.freeze(); gc.collect(); gc.get_referrers(root); gc.get_referents(root)\n"
        )

    def test_is_loaded_once(self):
        link = self.new_folder() / "link.tenure"
        os.link(self.image, link)
        self.check(
            self.use() + f"other = tenure.load({str(link)!r})\nassert other is image and other.root is root\n"
        )

    def test_two_that_want_the_same_place(self):
        folder = self.new_folder()
        (folder / "copy.tenure").write_bytes(self.image.read_bytes())
        shown = self.check(
            self.use()
            + f"copy = tenure.load({str(folder / 'copy.tenure')!r})\n"
            + "assert walk(copy.root) == walk(root) and copy.root == root and copy.root is not root\n"
            + "copy.verify()\nprint(copy.prelinked, image.prelinked)\n"
        )
        self.assertEqual(shown, f"False {is_at_one_address()}\n")

    def test_sealed_at_load(self):
        image = self.new_folder() / "sealed.tenure"
        _tenure.write_data(image, {"data": DATA}, hash_policy="sealed")
        self.check(self.use(image) + "assert image.sealed\nimage.unseal()\nassert not tenure.load(image.path).sealed\n")


class DamageTest(DataTest):
    def answers(self, files: dict[str, bytes | ImageFile]) -> dict[str, str]:
        """What loading says of each, in one process."""
        folder = self.new_folder()
        for name, file in files.items():
            (folder / name).write_bytes(file.data if isinstance(file, ImageFile) else file)
        shown = self.check(
            "import os\n"
            f"for name in sorted(os.listdir({str(folder)!r})):\n"
            "    try:\n"
            f"        print(name, 'loaded', len(repr(tenure.load({str(folder)!r} + '/' + name).root)))\n"
            "    except tenure.ImageError as error:\n"
            "        print(name, error)\n"
        )
        return dict(line.split(" ", 1) for line in shown.splitlines())

    def test_flipped_bits_are_found_at_load(self):
        file = ImageFile(self.image)
        positions = [p for p in range(0, len(file.data), 997) if file.is_checked(p)]
        choose = random.Random(5)
        files = {}
        for position in positions:
            damaged = bytearray(file.data)
            damaged[position] ^= 1 << choose.randrange(8)
            files[f"at{position}"] = bytes(damaged)
        self.assertGreater(len(files), 200)
        for name, said in self.answers(files).items():
            self.assertRegex(said, "damaged|is not that of|format|truncated|too long", name)

    def test_flipped_bits_in_place(self):
        folder = self.new_folder()
        path = folder / "image"
        path.write_bytes(self.image.read_bytes())
        self.assertIsInstance(tenure.load(path).root, tenure.FrozenDict)
        with open(path, "r+b") as file:
            file.seek(6000)
            byte = file.read(1)
            file.seek(6000)
            file.write(bytes([byte[0] ^ 1]))
        # This process has it mapped; another one finds out.
        said = self.run_code(f"tenure.load({str(path)!r})").stderr
        self.assertIn("ImageError", said)
        self.assertIn("damaged", said)

    def test_cut_off(self):
        data = self.image.read_bytes()
        files = {f"at{n}": data[:n] for n in (0, 7, 100, 4095, 4096, 4097, 9000, len(data) - 1)}
        for name, said in self.answers(files).items():
            self.assertRegex(said, "empty|truncated|not that of", name)

    def test_roots_that_are_none(self):
        file = ImageFile(self.image)
        files: dict[str, bytes | ImageFile] = {}
        for kind, _, offset, size, _ in file.directory():
            if kind != 5:
                continue
            for change in (16, 8, 1, 1 << 40, -(1 << 40)):
                damaged = ImageFile(self.image)
                place = int.from_bytes(damaged.data[offset + 16 : offset + 24], "little") + change
                damaged.data[offset + 16 : offset + 24] = (place % (1 << 64)).to_bytes(8, "little")
                files[f"by{change}"] = damaged.seal()
        self.assertEqual(len(files), 5)
        for name, said in self.answers(files).items():
            self.assertNotIn("loaded", said, name)

    def test_other_hash_secret(self):
        folder = self.new_folder()
        code = (
            "from tenure import _tenure\n"
            f"_tenure.write_data({str(folder / 'fixed')!r}, {{'r': {{'a': ['b', frozenset({{'c'}})]}}}}, hash_policy='fixed')\n"
        )
        self.check(code, env={"PYTHONHASHSEED": "7"})
        load = f"print(tenure.load({str(folder / 'fixed')!r}).root)"
        self.assertEqual(
            self.check(load, env={"PYTHONHASHSEED": "7"}), "{'a': ('b', frozenset({'c'}))}\n"
        )
        for seed in "8", "0", None:
            said = self.run_code(load, env={"PYTHONHASHSEED": seed}).stderr
            self.assertIn("has the hashes of another PYTHONHASHSEED", said)
        said = self.run_code(code).stderr
        self.assertIn("needs a hash secret that other processes can have too", said)


if __name__ == "__main__":
    unittest.main()
