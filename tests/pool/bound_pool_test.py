"""Bound classes with pools: what class_ makes of them."""

import copy
import gc
import os
import sysconfig
import threading
import unittest
import weakref

import bound_pool_sample as sample

HAS_POOLS = not sysconfig.get_config_var("Py_GIL_DISABLED")


def live():
    gc.collect()
    return sample.counts()[0]


class BoundPoolTest(unittest.TestCase):
    def setUp(self):
        gc.collect()
        sample.trim()
        self.before = live()

    def tearDown(self):
        self.assertEqual(live(), self.before)

    def made(self, count):
        """How many instances of the pools that is."""
        return count if HAS_POOLS else 0

    def test_they_are_counted(self):
        kept = [sample.Node(None), sample.Animal(4), sample.Seen(1)]
        self.assertEqual(live() - self.before, self.made(3))
        kept.clear()
        self.assertEqual(sample.counts()[1], self.made(3))
        self.assertGreaterEqual(sample.trim(), self.made(3) * 24)
        self.assertEqual(sample.counts()[1], 0)

    def test_memory_is_used_again(self):
        for make in (lambda: sample.Node(None), lambda: sample.Animal(4)):
            place = id(make())
            if HAS_POOLS:
                self.assertEqual(id(make()), place)

    def test_answers_are_from_the_pool(self):
        kept = [sample.node_of([]), sample.animal_with(6)]
        self.assertEqual([kept[0].held, kept[1].legs], [[], 6])
        self.assertEqual(live() - self.before, self.made(2))

    def test_the_collector_knows_nodes(self):
        node = sample.Node([])
        node.held.append(node)
        self.assertTrue(gc.is_tracked(node))
        self.assertFalse(gc.is_tracked(sample.Animal(4)))
        del node
        self.assertGreaterEqual(gc.collect(), 2)

    def test_what_fails_gives_its_memory_back(self):
        for _ in range(100):
            self.assertRaises(ValueError, sample.Node, "text")
            self.assertRaises(TypeError, sample.Node)
            self.assertRaises(ValueError, sample.animal_with, -1)
            self.assertRaises(TypeError, sample.Animal, "four")

    def test_without_init(self):
        node = sample.Node.__new__(sample.Node)
        self.assertRaises(TypeError, lambda: node.held)
        node.__init__([1])
        self.assertEqual(node.held, [1])
        animal = sample.Animal.__new__(sample.Animal)
        self.assertEqual(animal.legs, 4)
        self.assertEqual(live() - self.before, self.made(2))

    def test_classes_in_python(self):
        class Sub(sample.Node):
            def __del__(self):
                gone.append(self.held)

        class Pet(sample.Animal):
            def __init__(self, name):
                super().__init__(4)
                self.name = name

        class Both(Pet):
            __slots__ = ("more",)

        gone = []
        kept = [Sub(1), Pet("a"), Both("b")]
        kept[2].more = kept
        self.assertEqual(live(), self.before)
        del kept
        gc.collect()
        self.assertEqual(gone, [1])
        for one, other in ((Sub(1), sample.Node), (sample.Node(1), Sub)):
            with self.assertRaises(TypeError):
                one.__class__ = other

    def test_bound_classes_that_derive(self):
        dogs = [sample.Dog() for _ in range(10)]
        self.assertEqual((dogs[0].legs, dogs[0].speed), (4, 1.0))
        self.assertEqual(live(), self.before)
        dogs.clear()

        class Poodle(sample.Dog):
            pass

        poodle = Poodle()
        poodle.me = poodle
        del poodle
        self.assertEqual(live(), self.before)

    def test_weak_references(self):
        for number in range(20):
            seen = sample.Seen(number)
            reference = weakref.ref(seen)
            self.assertEqual(weakref.getweakrefcount(seen), 1)
            self.assertIs(reference(), seen)
            del seen
            self.assertIsNone(reference())
        self.assertEqual(sample.counts()[1], self.made(1))

    def test_long_chains(self):
        head = None
        # ThreadSanitizer has room for 65,536 calls within each other.
        for _ in range(5_000 if "libtsan" in os.environ.get("LD_PRELOAD", "") else 100_000):
            head = sample.Node(head)
        del head
        self.assertRaises(TypeError, copy.copy, sample.Node(None))

    def test_threads(self):
        def work():
            own = []
            for number in range(3000):
                own.append(sample.Node(own if number % 100 == 0 else None))
                sample.Animal(number)
                if number % 500 == 0:
                    own.clear()
                    sample.trim()
            own.clear()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    unittest.main()
