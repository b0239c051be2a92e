"""Where the objects of bound classes are, what they hold, and when they go."""

from __future__ import annotations

import gc
import threading
import unittest
import weakref

import storage_sample as sample
from support import BindCase, once
from storage_sample import (Car, DerivedDict, Error, Everything, Group, Holder, Made, Node, Private, Stack,
                            Table, Tree, Watcher, Wheel, WithDict, WithWeakrefs)


class Payload:
    """Something that tells when it goes."""


class Derived(Watcher):
    """With a __dict__."""


class CollectorTest(BindCase):
    def gone(self, make):
        """Whether what is made, with a payload in it, goes."""
        payload = Payload()
        ref = weakref.ref(payload)
        make(payload)
        del payload
        gc.collect()
        self.assertIsNone(ref(), make)

    def test_cycles(self):
        def of_itself(payload):
            watcher = Watcher(payload)
            watcher.callback = [watcher, payload]

        def through_list(payload):
            items = [payload]
            items.append(Watcher(items))

        def of_derived(payload):
            one = Derived(payload)
            one.me, one.callback = one, [one, payload]

        def of_two(payload):
            one, other = Watcher(payload), Everything(payload, None)
            other.add(one)
            one.callback = [other, payload]

        def of_all(payload):
            for place in range(4):
                one = Everything(None, payload)
                items = [one, payload]
                if place == 0:
                    one.add(items)
                elif place == 1:
                    one.set_last(items)
                else:
                    one.__init__(items, None) if place == 2 else one.__init__(None, items)

        def of_private(payload):
            one = Private(payload)
            one.item = [one, payload]

        def of_tree(payload):
            items = [payload]
            items.append(Tree(None, items))

        def of_dict(payload):
            for kind in (WithDict, DerivedDict):
                one = kind()
                one.payload, one.me = payload, one

        def of_holder(payload):
            items = [payload]
            items.append(Holder(items))

        def of_stack(payload):
            for place in range(2):
                one = Stack(None)
                if place:
                    one.push(one).push(payload)
                else:
                    one.extra = [one, payload]

        def of_table(payload):
            one = Table()
            one["me"], one["payload"] = one, payload

        def of_error(payload):
            one = Error(1)
            one.me, one.args = one, (payload,)

        def of_closure(payload):
            class Local(Watcher):
                def method(self):
                    return payload

            Local(Local)

        for make in (of_itself, through_list, of_derived, of_two, of_all, of_private, of_tree, of_dict, of_holder,
                     of_stack, of_table, of_error, of_closure):
            with self.subTest(make.__name__):
                self.gone(make)

    def test_calls_after_clear(self):
        # What is called while a cycle is taken apart finds the object, or is told that it is gone.
        seen = []

        class Last:
            __slots__ = ("watcher",)

            def __del__(self):
                try:
                    seen.append(self.watcher.callback is not None)
                except TypeError as error:
                    seen.append("not initialised" in str(error))

        for _ in range(10):
            last = Last()
            last.watcher = Watcher(None)
            last.watcher.callback = [last, last.watcher]
            del last
            gc.collect()
        self.assertEqual(seen, [True] * 10)

    def test_resurrection(self):
        kept = []

        class Phoenix(Watcher):
            def __del__(self):
                kept.append(self)

        for _ in range(3):
            bird = Phoenix(None)
            bird.callback = [bird, 5]
            del bird
            gc.collect()
            self.assertEqual(kept.pop().callback[1], 5)
        gc.collect()
        kept.clear()

    @once
    def test_long_chains(self):
        for make in (Watcher, lambda one: Everything(one, None), Private, Derived, Stack, Holder):
            chain = None
            for _ in range(200_000 if make is not Watcher else 1_000_000):
                chain = make(chain)
            del chain
            gc.collect()

    def test_not_initialised(self):
        for kind in (Watcher, Holder, Node, Stack, Error, Everything):
            class Forgets(kind):
                def __init__(self):
                    pass

            one = Forgets()
            gc.collect()
            for name in ("callback", "item", "number", "extra", "code", "size"):
                if hasattr(kind, name):
                    self.assertRaises(TypeError, lambda: getattr(one, name)() if name == "size" else getattr(one, name))
            del one
        one = Watcher.__new__(Watcher)
        self.assertRaises(TypeError, one.call)
        one.__init__(lambda: 5)
        self.assertEqual(one.call(), 5)
        one.__init__(lambda: 6)
        self.assertEqual(one.call(), 6)

    def test_change_while_it_is_called(self):
        watcher = Watcher(None)

        def change():
            watcher.callback = lambda: None
            watcher.__init__(len)
            gc.collect()
            return "still here"

        watcher.callback = change
        del change
        self.assertEqual(watcher.call(), "still here")
        self.assertIs(watcher.callback, len)


class WeakrefTest(BindCase):
    def test_weakrefs(self):
        called = []
        one = WithWeakrefs()
        ref = weakref.ref(one, called.append)
        self.assertIs(ref(), one)
        del one
        gc.collect()
        self.assertIsNone(ref())
        self.assertEqual(called, [ref])
        self.assertRaises(TypeError, weakref.ref, Watcher(None))

        class Mine(WithWeakrefs):
            def __init__(self):
                super().__init__()
                self.me = self

        ref = weakref.ref(Mine())
        gc.collect()
        self.assertIsNone(ref())

    def test_dicts(self):
        one = WithDict()
        one.name = "x"
        self.assertEqual((one.__dict__, one.number), ({"name": "x"}, 1))
        one.__dict__ = {"other": 1}
        self.assertEqual(one.other, 1)
        derived = DerivedDict()
        derived.name = [derived]
        self.assertEqual((derived.number, derived.more), (1, 3))
        self.assertRaises(AttributeError, setattr, WithWeakrefs(), "name", 1)


class ElsewhereTest(BindCase):
    def test_kept(self):
        before = sample.cars_dropped()
        car = Car()
        wheel = car.wheel(2)
        wheel.turn()
        self.assertEqual((car.wheel(2).turns, car.wheel(1).turns), (1, 0))
        self.assertRaises(IndexError, car.wheel, 4)
        del car
        gc.collect()
        wheel.turn()
        self.assertEqual((wheel.turns, sample.cars_dropped() - before), (2, 0))
        del wheel
        gc.collect()
        self.assertEqual(sample.cars_dropped() - before, 1)
        own = Wheel()
        own.turn()
        self.assertEqual(own.turns, 1)
        car = Car()
        wheel = car.wheel(0)
        wheel.__init__()  # Another wheel now, and its own.
        del car
        gc.collect()
        self.assertEqual((wheel.turns, sample.cars_dropped() - before), (0, 2))

    def test_own(self):
        before = sample.holders_dropped()
        holder = Holder(1)
        holder.__init__(2)
        self.assertEqual((holder.item, sample.holders_dropped() - before), (2, 1))
        del holder
        self.assertEqual(sample.holders_dropped() - before, 2)

    def test_shared(self):
        before = sample.nodes_dropped()
        node = Node(5)
        sample.keep(node)
        one, other = sample.give(), sample.give()
        self.assertIsNot(one, other)  # Two objects of Python, one of C++.
        one.add()
        self.assertEqual((node.number, other.number, sample.number_of(node)), (6, 6, 6))
        del node, one, other
        self.assertEqual((sample.give().number, sample.nodes_dropped() - before), (6, 0))
        sample.drop()
        self.assertEqual(sample.nodes_dropped() - before, 1)
        self.assertIsNone(sample.give())
        self.assertRaises(TypeError, sample.keep, 5)
        node = Node(1)
        node.__init__(2)
        self.assertEqual((node.number, sample.nodes_dropped() - before), (2, 2))

    def test_factory_of_nothing(self):
        self.assertEqual(Made(True).number, 1)
        self.assertIn("nothing was made", self.message(TypeError, Made, False))
        made = Made(True)
        self.assertRaises(TypeError, made.__init__, False)
        self.assertEqual(made.number, 1)
        made = Made.__new__(Made)
        self.assertRaises(TypeError, made.__init__, False)
        self.assertRaises(TypeError, lambda: made.number)


class BuiltinBaseTest(BindCase):
    def test_list(self):
        stack = Stack("more")
        self.assertIs(stack.push(1), stack)
        stack.append(2)
        self.assertEqual((stack, len(stack), stack[0], stack.extra), ([1, 2], 2, 1, "more"))
        self.assertIsInstance(stack, list)
        self.assertRaises(TypeError, list.__new__, Stack)
        self.assertRaises(TypeError, Stack.push, [], 1)

        class Mine(Stack):
            def __init__(self):
                super().__init__("mine")
                self.extend("ab")

        self.assertEqual((Mine(), Mine().extra), (["a", "b"], "mine"))
        stack.sort(key=lambda n: -n)
        self.assertEqual((list(stack), stack + [1]), ([2, 1], [2, 1, 1]))

    def test_dict(self):
        table = Table()
        table["a"] = 1
        self.assertEqual((table, dict(table), table.number, {**table}), ({"a": 1}, {"a": 1}, 5, {"a": 1}))

    def test_set(self):
        group = Group()
        group.add(1)
        group |= {2}
        self.assertEqual((group, group.number, 1 in group), ({1, 2}, 6, True))

    def test_exception(self):
        self.assertTrue(issubclass(Error, Exception))
        try:
            raise Error(7)
        except Error as error:
            self.assertEqual((error.code, error.args), (7, ()))
            self.assertIsNotNone(error.__traceback__)
        try:
            try:
                raise Error(1)
            except Error:
                raise Error(2) from Error(3)
        except Exception as error:
            self.assertEqual((error.code, error.__cause__.code, error.__context__.code), (2, 3, 1))


class ThreadsTest(BindCase):
    def test_threads(self):
        def work():
            for i in range(300):
                one = Watcher(i)
                one.callback = [one]
                Stack(one).push(i)
                WithDict().x = i
                Node(i).add()
                Car().wheel(i % 4).turn()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        gc.collect()


if __name__ == "__main__":
    unittest.main()
