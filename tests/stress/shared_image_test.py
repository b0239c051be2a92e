"""Threads that load, read, hash, look up in and freeze the same data at the same time: without a GIL, in parallel."""

from __future__ import annotations

import datetime
import gc
import random
import sys
import tempfile
import threading
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tenure

THREADS = 8
KEYS = 2000

DOCUMENT = {
    "names": {f"name {number}": number for number in range(KEYS)},
    "texts": [f"é{number}" for number in range(200)],
    "bytes": [b"%d" % number for number in range(1000, 1200)],
    "tuples": [(number, str(number), (number / 3,)) for number in range(300)],
    "numbers": {number * 7: 10**number for number in range(100)},
    # Keys that only the process can hash: found by a dict that the first lookup makes.
    "days": {datetime.date(2000 + number // 365, 1, 1) + datetime.timedelta(number % 365): number for number in range(50)},
    "sets": [{1, 2, "x", (3, 4)}, {"y"}],
    "times": [datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc), range(10), slice(1, 2)],
}


class SubStr(str):
    """Looked up by Python's hash."""

    __slots__ = ()

    def __hash__(self) -> int:
        return super().__hash__()


class ThreadsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="tenure-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-5)

    def together(self, work: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
        """What the threads answer that do the same work, begun at the same moment."""
        barrier = threading.Barrier(threads)
        answers: list[Any] = [None] * threads
        errors: list[BaseException] = []

        def run(number: int) -> None:
            try:
                barrier.wait(60)
                answers[number] = work(number)
            except BaseException as error:
                errors.append(error)

        started = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join(120)
            self.assertFalse(thread.is_alive(), "a thread hangs")
        if errors:
            raise errors[0]
        return answers

    def freeze(self, name: str, obj: Any = DOCUMENT, **options: Any) -> Path:
        path = self.folder / name
        tenure.freeze_data(obj, path, **options)
        return path


class LoadingTest(ThreadsTest):
    def test_all_get_the_same_image(self):
        for round in range(20):
            for options in ({}, {"lists": "list", "dicts": "builtin", "sets": "builtin"}):
                path = self.freeze(f"{round}-{len(options)}.tenure", **options)
                images = self.together(lambda number: tenure.load(path))
                self.assertEqual(len({id(image) for image in images}), 1)
                self.assertEqual(len({id(image.root) for image in images}), 1)
                self.assertEqual(self.mappings(path), 1, "one mapping, whoever was first")
                self.assertEqual(images[0].root["names"]["name 7"], 7)

    def mappings(self, path: Path) -> int:
        """How often the start of the file is mapped."""
        lines = Path("/proc/self/maps").read_text().splitlines()
        return sum(line.endswith(str(path)) and line.split()[2] == "00000000" for line in lines)

    def test_many_images_at_once(self):
        paths = [self.freeze(f"{number}.tenure", {"own": number, **DOCUMENT}) for number in range(40)]

        def load_all(number: int) -> list[tenure.Image]:
            order = list(paths)
            random.Random(number).shuffle(order)
            for path in order:
                tenure.load(path)
            return [tenure.load(path) for path in paths]

        for images in self.together(load_all):
            self.assertEqual([image.root["own"] for image in images], list(range(40)))

    def test_sealed_images(self):
        for round in range(10):
            path = self.freeze(f"{round}.tenure", hash_policy="sealed")
            images = self.together(lambda number: tenure.load(path))
            self.assertTrue(all(image is images[0] and image.sealed for image in images))
            self.together(lambda number: [hash(text) for text in images[0].root["texts"]])

    def test_damaged_images(self):
        for round in range(10):
            path = self.freeze(f"{round}.tenure")
            data = bytearray(path.read_bytes())
            data[5000] ^= 1
            path.write_bytes(data)

            def refused(number: int) -> str:
                with self.assertRaises(tenure.ImageError) as caught:
                    tenure.load(path)
                return str(caught.exception)

            self.assertEqual(len(set(self.together(refused))), 1)


class ReadingTest(ThreadsTest):
    def test_lookups_hashes_and_iteration(self):
        for round in range(5):
            root = tenure.load(self.freeze(f"{round}.tenure")).root
            days = DOCUMENT["days"]

            def read(number: int) -> int:
                choice = random.Random(number)
                found = 0
                for _ in range(3000):
                    key = choice.randrange(2 * KEYS)
                    name = f"name {key}"
                    answer = root["names"].get(SubStr(name) if key % 3 == 0 else name)
                    if answer != (key if key < KEYS else None):
                        return -1
                    found += answer is not None
                # Each is hashed for the first time by whoever comes first.
                parts = [*root["texts"], *root["bytes"], *root["tuples"], root["names"], *root["sets"]]
                choice.shuffle(parts)
                hashes = {id(part): hash(part) for part in parts}
                if any(hash(part) != hashes[id(part)] for part in parts):
                    return -2
                if any(root["days"][day] != index for day, index in days.items()):
                    return -3
                if datetime.date(1, 1, 1) in root["days"]:
                    return -4
                if [*root["names"].items()] != [*DOCUMENT["names"].items()]:
                    return -5
                if dict(root["numbers"]) != DOCUMENT["numbers"]:
                    return -6
                return found

            for answer in self.together(read):
                self.assertGreater(answer, 0)

    def test_objects_come_and_go_while_the_collector_runs(self):
        image = tenure.load(self.freeze("x.tenure", lists="list"))
        root = image.root
        done = threading.Event()

        def collect() -> None:
            # Without a GIL each collection stops all threads: one straight after another leaves them next to no time.
            while not done.wait(0.001):
                gc.collect()

        collector = threading.Thread(target=collect)
        collector.start()

        def use(number: int) -> int:
            kept: list[Any] = []
            for index in range(2000):
                kept.append((root["names"], root["texts"][index % 200], [root["tuples"]], {"x": root["bytes"]}))
                setattr(SubStr, root["texts"][index % 200], None)
                if len(kept) > 50:
                    kept.clear()
            return len(root["names"])

        try:
            self.assertEqual(set(self.together(use)), {KEYS})
        finally:
            done.set()
            collector.join(60)
        self.assertEqual(image.verify()["objects"], tenure.load(self.folder / "x.tenure").verify()["objects"])


class FreezingTest(ThreadsTest):
    def test_at_once(self):
        def freeze_and_read(number: int) -> bool:
            path = self.freeze(f"{number}.tenure", {"own": number, **DOCUMENT})
            root = tenure.load(path).root
            return root["own"] == number and root["names"] == DOCUMENT["names"]

        self.assertEqual(self.together(freeze_and_read), [True] * THREADS)

    def test_what_changes_meanwhile_gives_some_state_of_it(self):
        live: dict[str, Any] = {"list": [], "dict": {}, "set": set()}
        done = threading.Event()

        def change() -> None:
            number = 0
            while not done.is_set():
                number += 1000
                live["list"][:] = [f"item {number + index}" for index in range(1000)]
                live["dict"].update({f"key {index}": [f"item {number + index}"] for index in range(1000)})
                live["set"].update(range(number, number + 10))
                if number % 20_000 == 0:
                    live["list"].clear()
                    live["dict"].clear()
                    live["set"].clear()

        changers = [threading.Thread(target=change) for _ in range(3)]
        for changer in changers:
            changer.start()
        loaded = 0
        try:
            for index in range(100):
                options = {} if index % 2 else {"lists": "list", "dicts": "builtin", "sets": "builtin"}
                try:
                    path = self.freeze(f"{index}.tenure", live, **options)
                except RuntimeError as error:
                    # What a dict or set says that is gone through by its own iterator.
                    self.assertRegex(str(error), "changed size during iteration")
                    continue
                root = tenure.load(path).root
                loaded += 1
                self.assertTrue(all(text.startswith("item ") for text in root["list"]))
                self.assertTrue(all(key.startswith("key ") for key in root["dict"]))
                self.assertTrue(all(item.startswith("item ") for [item] in root["dict"].values()))
                self.assertTrue(all(type(number) is int for number in root["set"]))
        finally:
            done.set()
            for changer in changers:
                changer.join(60)
        self.assertGreater(loaded, 0)


if __name__ == "__main__":
    unittest.main()
