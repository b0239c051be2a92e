"""Bound classes whose objects are values: making them, deriving from them, and what they can do."""

from __future__ import annotations

import _thread
import copy
import gc
import inspect
import itertools
import math
import operator
import pickle
import threading
import unittest
import weakref

import classes_sample as sample
from support import BindCase
from classes_sample import Animal, Cat, Dog, Key, Label, Numbers, Ops, Row, Vector

LARGE = 10**30


class PointWithSuper(Vector):
    def __init__(self, x, y, name):
        super().__init__(x, y)
        self.name = name

    def __reduce__(self):
        return PointWithSuper, (self.x, self.y, self.name)


class Forgetful(Vector):
    def __init__(self, *arguments):
        self.arguments = arguments


class Plain(Vector):
    """Nothing of its own but a __dict__."""


class Slotted(Vector):
    __slots__ = ("z",)


class MakingTest(BindCase):
    def test_init(self):
        self.assertEqual((Vector().x, Vector(1).x, Vector(1, 2).y, Vector(y=3).y), (0, 1, 2, 3))
        self.assertEqual(self.message(TypeError, Vector, 1, 2, 3),
                         "Vector() takes from 0 to 2 positional arguments but 3 were given")
        self.assertEqual(self.message(TypeError, lambda: Vector(z=1)),
                         "Vector() got an unexpected keyword argument 'z'")
        self.assertEqual(self.message(TypeError, Vector, "1"), "must be real number, not str")
        self.assertEqual(self.message(IndexError, Key, -1), "no such key")
        self.assertEqual(self.message(TypeError, Key), "Key() missing 1 required positional argument: 'number'")
        self.assertRaises(TypeError, sample.Statics)
        self.assertRaises(TypeError, object.__new__, sample.Statics)

    def test_by_hand(self):
        self.assertEqual(type.__call__(Vector, 1, 2), Vector(1, 2))
        self.assertEqual(type.__call__(Vector, 1, y=2), Vector(1, 2))
        self.assertEqual(type.__call__(Key, 5).number, 5)
        self.assertEqual(Vector.__new__(Vector), Vector(0, 0))
        empty = Key.__new__(Key, 5)
        self.assertRaises(TypeError, lambda: empty.number)
        empty.__init__(6)
        self.assertEqual(empty.number, 6)
        self.assertEqual(self.message(TypeError, empty.__init__, 7), "this 'classes_sample.Key' object is initialised already")
        self.assertRaises(TypeError, object.__new__, Vector)
        self.assertRaises(TypeError, Vector.__new__, Key)
        self.assertRaises(TypeError, Vector.__new__, int)
        self.assertRaises(TypeError, Vector.__new__)
        self.assertRaises(TypeError, Vector.__init__, 5)
        for _ in range(100):  # What is made by hand goes where all go.
            Vector.__new__(Vector), Vector(), Key.__new__(Key)

    def test_init_again(self):
        vector = Vector(1, 2)
        vector.__init__(3, 4)
        self.assertEqual(vector, Vector(3, 4))
        self.assertRaises(TypeError, vector.__init__, "x")
        self.assertEqual(vector, Vector(3, 4))

        class Again:
            def __float__(self):
                vector.__init__(10, 20)
                return 2.0

        vector.scale(Again())
        self.assertEqual(vector, Vector(20, 40))
        vector.__init__(Again(), 5)
        self.assertEqual(vector, Vector(2, 5))
        label = Label("a" * 100)
        self.assertEqual(label.during(lambda: label.__init__("b" * 100)), None)
        self.assertEqual(label.text, "b" * 100 + "!")

    def test_init_while_it_is_made(self):
        class Mine(Row):
            pass

        row = Mine.__new__(Mine)
        messages = []

        class Again:
            def __float__(self):
                try:
                    row.__init__(*range(100))
                except TypeError as error:
                    messages.append(str(error))
                messages.append(self_of(row))
                return 2.0

        def self_of(row):
            try:
                return len(row)
            except TypeError:
                return "nothing there"

        row.__init__(1, Again(), 3)
        self.assertEqual(list(row), [1, 2, 3])
        self.assertIn("being initialised", messages[0])
        self.assertEqual(messages[1], "nothing there")
        messages.clear()
        row.__init__(Again(), 5)
        self.assertEqual(list(row), [2, 5])
        other = Mine.__new__(Mine)
        self.assertRaises(TypeError, other.__init__, "x")
        other.__init__(4)
        self.assertEqual(list(other), [4])

    def test_what_goes(self):
        before = sample.keys_dropped()
        key = Key(1)
        del key
        self.assertRaises(IndexError, Key, -1)
        gc.collect()
        self.assertEqual(sample.keys_dropped() - before, 1)

    def test_memory_that_is_kept(self):
        from classes_sample import Pooled

        class Mine(Pooled):
            """From the allocator."""

        for _ in range(3):
            many = [make(n) for n in range(20) for make in (Pooled, Mine)]
            many += [Pooled.__new__(Pooled) for _ in range(20)]
            for one in many[40:]:
                self.assertRaises(TypeError, lambda: one.number)
            many[45].__init__(5)
            self.assertRaises(ValueError, Pooled, -1)
            self.assertRaises(ValueError, many[46].__init__, -1)
            self.assertEqual([one.number for one in many[:40]], [n // 2 for n in range(40)])
            del many, one
            gc.collect()

    def test_handles(self):
        self.assertIs(Vector(1, 2).of_handle(), Vector)
        self.assertIs(Plain(1, 2).of_handle(), Plain)
        self.assertEqual(sample.maybe(Vector(1, 2)), Vector(1, 2))
        self.assertIsNone(sample.maybe())
        self.assertEqual(self.message(TypeError, sample.maybe, 1),
                         "maybe() argument 'given' must be Vector or None, not int")
        self.assertRaises(TypeError, sample.of_unbound, 1)

    def test_statics(self):
        self.assertEqual(sample.Statics.twice(4), 8)
        self.assertEqual(sample.Statics.twice(x=4), 8)
        self.assertIs(sample.Statics.itself(), sample.Statics)

        class Mine(sample.Statics):
            pass

        self.assertIs(Mine.itself(), Mine)
        self.assertRaises(TypeError, Mine)

    def test_types_are_closed(self):
        for change in (lambda: setattr(Vector, "x", 1), lambda: delattr(Vector, "scale"),
                       lambda: setattr(Vector(1, 2), "z", 1)):
            self.assertRaises((TypeError, AttributeError), change)
        self.assertRaises(TypeError, type, "Mine", (sample.Final,), {})

    def test_patched(self):
        from classes_sample import Patched

        saved = Patched.get
        Patched.get = lambda self: "patched"
        try:
            self.assertEqual(Patched().get(), "patched")
        finally:
            Patched.get = saved
        self.assertEqual(Patched().get(), 1)

        def init(self, value=5):
            self.value = value

        saved = Patched.__init__
        Patched.__init__ = init
        try:
            self.assertEqual(Patched(7).value, 7)
        finally:
            Patched.__init__ = saved
        self.assertEqual(Patched().value, 1)


class DerivedTest(BindCase):
    def test_derived(self):
        point = PointWithSuper(1, 2, "p")
        self.assertEqual((point.x, point.name, point.length), (1, "p", math.hypot(1, 2)))
        self.assertEqual(point + Vector(1, 1), Vector(2, 3))
        self.assertEqual(Forgetful(1, 2), Vector(0, 0))
        self.assertEqual(Plain(1, 2), Vector(1, 2))
        self.assertRaises(TypeError, Plain, 1, 2, 3)
        slotted = Slotted(1, 2)
        slotted.z = [slotted]
        self.assertEqual(slotted, Vector(1, 2))
        self.assertIs(weakref.ref(point)(), point)

    def test_without_super_where_it_cannot_be(self):
        class Bad(Key):
            def __init__(self):
                pass

        for use in (lambda bad: bad.number, lambda bad: repr(bad), lambda bad: bad[0], lambda bad: 1 in bad):
            self.assertIn("super().__init__()", self.message(TypeError, use, Bad()))

        class Worse(Label):
            def __init__(self):
                self.text

        self.assertRaises(TypeError, Worse)

    def test_several_bases(self):
        class Mixin:
            def both(self):
                return self.x, self.name

        class Both(Mixin, Vector):
            def __init__(self):
                super().__init__()
                Vector.__init__(self, 1, 2)
                self.name = "n"

        class Diamond(Both, PointWithSuper):
            pass

        self.assertEqual(Both().both(), (1, "n"))
        for bases in ((Vector, Key), (Dog, Cat), (Vector, list), (Plain, Label)):
            self.assertRaises(TypeError, type, "Mine", bases, {})
        Dog_, Cat_ = type("Dog_", (Dog,), {"__slots__": ()}), type("Cat_", (Cat,), {"__slots__": ()})
        Animal_ = type("Animal_", (Animal,), {"__slots__": ()})
        for wrong, one in itertools.permutations((Dog_, Cat_, Animal_), 2):
            with self.assertRaises(TypeError):
                one().__class__ = wrong
        self.assertRaises(TypeError, type, "Mine", (Dog_, Cat_), {})

    def test_methods_of_others(self):
        self.assertRaises(TypeError, Vector.scale, Key(1), 2)
        self.assertRaises(TypeError, Vector.length.__get__, 5)
        self.assertRaises(TypeError, Vector.__add__, 1, 2)
        self.assertRaises(TypeError, Dog.paws, Animal())

    def test_cpp_inheritance(self):
        dog, cat = Dog(3), Cat()
        self.assertIsInstance(dog, Animal)
        self.assertEqual((dog.count(), dog.paws(), dog.legs, cat.count(), cat.lives), (3, 3, 3, 4, 9))
        self.assertEqual((sample.legs_of(dog), sample.legs_of(cat), sample.paws_of(dog)), (3, 4, 3))
        for wrong in (Animal(), cat, 5):
            self.assertIn("must be Dog", self.message(TypeError, sample.paws_of, wrong))
        dog.legs = 5
        self.assertEqual(dog.paws(), 5)
        # What Dog compares itself, and what Animal does.
        self.assertTrue(Dog(1) < Dog(2))
        self.assertTrue(Dog(1) == Dog(1) and Dog(1) != Dog(2) and Dog(4) == Animal())

        class Puppy(Dog):
            pass

        self.assertEqual(sample.legs_of(Puppy(2)) + sample.paws_of(Puppy(2)), 4)
        self.assertRaises(TypeError, Animal.__new__, Dog)
        self.assertRaises(TypeError, Animal.__new__, Puppy)

    def test_resurrection(self):
        kept = []

        class Phoenix(Vector):
            def __del__(self):
                kept.append(self)

        for base in (Phoenix,):
            bird = base(1, 2)
            del bird
            gc.collect()
            self.assertEqual(kept.pop().x, 1)
            gc.collect()
        kept.clear()

    def test_cycles_through_dicts(self):
        refs = []
        for kind in (Plain, PointWithSuper):
            one = kind(*([1, 2] + ["n"] * (kind is PointWithSuper)))
            one.me = [one]
            refs.append(weakref.ref(one))
            del one
        gc.collect()
        self.assertEqual([ref() for ref in refs], [None, None])

    def test_arguments_whose_dict_changes(self):
        class Drops:
            def __float__(self):
                arguments.clear()
                gc.collect()
                return 1.0

        class Number:
            def __float__(self):
                return 2.0

        done = threading.Lock()
        done.acquire()
        made = []

        class Mine(Vector):
            def __del__(self):
                made.append((self.x, self.y))
                done.release()

        arguments = {"x": Drops(), "y": Number()}
        _thread.start_new_thread(Mine, (), arguments)
        self.assertTrue(done.acquire(timeout=60))
        self.assertEqual(made, [(1.0, 2.0)])


class AttributesTest(BindCase):
    def test_members(self):
        vector = Vector(3, 4)
        vector.y = 5
        self.assertEqual(vector.y, 5)
        with self.assertRaises(AttributeError):
            vector.x = 1
        with self.assertRaises(TypeError):
            vector.y = "1"
        self.assertIn("cannot delete attribute 'y'", self.message(TypeError, delattr, vector, "y"))
        self.assertRaises(AttributeError, delattr, vector, "x")
        self.assertEqual(Vector.x.__doc__, "To the right.")
        vector = Vector(3, 4)
        vector.length = 10
        self.assertEqual(vector, Vector(6, 8))
        self.assertIn("not below zero", self.message(ValueError, setattr, vector, "length", -1))
        label = Label("a")
        label.text = "b"
        self.assertEqual(label.text, "b")
        self.assertIn("attribute 'text' must be str, not None", self.message(TypeError, setattr, label, "text", None))

    def test_names(self):
        self.assertEqual((Vector.__name__, Vector.__qualname__, Vector.__module__), ("Vector", "Vector", "classes_sample"))
        self.assertEqual(Vector.scale.__doc__, "Longer.")
        self.assertEqual(str(inspect.signature(Vector.scale)), "(self, /, factor)")
        self.assertEqual(str(inspect.signature(Vector(1, 2).scale)), "(factor)")
        self.assertEqual(str(inspect.signature(sample.Statics.twice)), "(x)")
        self.assertEqual(Vector.__doc__, "In the plane.")
        self.assertEqual(str(inspect.signature(Vector)), "(x=0.0, y=0.0)")
        self.assertEqual(str(inspect.signature(Ops)), "()")
        self.assertEqual(str(inspect.signature(Numbers)), "(*args, **kwargs)")
        self.assertIn("scale() missing 1 required positional argument: 'factor'",
                      self.message(TypeError, Vector(1, 2).scale))


class OperatorsTest(BindCase):
    def test_arithmetic(self):
        a, b = Vector(1, 2), Vector(3, 5)
        self.assertEqual((a + b, b - a, a * 2, 2 * a, -a), (Vector(4, 7), Vector(2, 3), Vector(2, 4), Vector(2, 4), Vector(-1, -2)))
        kept = a
        a += b
        self.assertIs(a, kept)
        self.assertEqual(a, Vector(4, 7))
        for wrong in (lambda: a + 1, lambda: 1 - a, lambda: a * "x", lambda: a @ a, lambda: +a, lambda: a * a):
            self.assertRaises(TypeError, wrong)
        with self.assertRaises(TypeError):
            a += 1

        class Other:
            def __radd__(self, other):
                return "radd"

            def __eq__(self, other):
                return "eq"

        self.assertEqual(a + Other(), "radd")
        self.assertEqual(a == Other(), "eq")

    def test_all(self):
        one, other = Ops(), object()
        table = [("-", operator.sub), ("/", operator.truediv), ("//", operator.floordiv), ("%", operator.mod),
                 ("divmod", divmod), ("<<", operator.lshift), (">>", operator.rshift), ("&", operator.and_),
                 ("|", operator.or_), ("^", operator.xor), ("@", operator.matmul), ("**", operator.pow)]
        for name, function in table:
            self.assertEqual(function(one, other), (name, one, other))
            self.assertEqual(function(other, one), (name, other, one))
        self.assertEqual(one < other, ("<", one, other))
        self.assertRaises(TypeError, operator.gt, one, other)
        self.assertEqual(other <= one, (">=", one, other))
        self.assertRaises(TypeError, pow, one, 2, 3)
        self.assertEqual((int(one), float(one), operator.index(one), str(one), [0, 1, 2, 3][one]), (7, 7.5, 3, "ops", 3))
        self.assertIn(">= 0", self.message(ValueError, len, one))

    def test_comparisons(self):
        self.assertTrue(Vector(1, 2) == Vector(1, 2) and Vector(1, 2) != Vector(1, 3))
        self.assertFalse(Vector(1, 2) == 5 or Vector(1, 2) == None)  # noqa: E711
        self.assertEqual(hash(Vector(1, 2)), hash(Vector(1, 2)))
        self.assertEqual(len({Vector(1, 2), Vector(1, 2), Vector(2, 1)}), 2)
        self.assertEqual(hash(Vector(0, -1)), -2)
        self.assertRaises(TypeError, hash, Animal())
        self.assertRaises(TypeError, operator.lt, Vector(), Vector())

    def test_items(self):
        vector = Vector(1, 2)
        vector[0] = 5
        self.assertEqual((vector[0], vector[1], 5 in vector, 6 in vector, "x" in vector), (5, 2, True, False, False))
        del vector[1]
        self.assertEqual(vector, Vector(5, 0))
        self.assertRaises(IndexError, lambda: vector[2])
        self.assertRaises(TypeError, lambda: vector["x"])
        self.assertRaises(TypeError, vector.__setitem__, 0, "x")
        self.assertEqual((repr(vector), str(vector), bool(vector), bool(Vector())), ("Vector(5.0, 0.0)", "Vector(5.0, 0.0)", True, False))

    def test_sequence(self):
        row = Row(1, 2, 3)
        self.assertEqual((len(row), row[0], row[-1], list(row), 2.0 in row, 9 in row), (3, 1, 3, [1, 2, 3], True, False))
        for index in (3, -4, 10**9):
            self.assertRaises(IndexError, lambda: row[index])
        self.assertRaises((IndexError, OverflowError), lambda: row[LARGE])
        self.assertRaises(TypeError, lambda: row["a"])
        steps = iter(row)
        self.assertIs(iter(steps), steps)
        next(steps)
        row.cut(), row.cut()
        self.assertEqual(list(steps), [])
        for _ in range(5):
            row.add(7)
        self.assertEqual(list(steps), [])  # It has ended.
        growing = []
        for value in row:
            growing.append(value)
            if len(growing) < 50:
                row.add(8)
        self.assertEqual(len(growing), 6 + 49)
        self.assertRaises(TypeError, type(steps))
        self.assertEqual(list(Row()), [])

    def test_call(self):
        numbers = Numbers(1, 2)
        self.assertEqual((numbers(1), numbers(1, 2), numbers(y=2, x=1), numbers(1, y=4)), (3, 4, 4, 6))
        self.assertRaises(TypeError, numbers)
        self.assertRaises(TypeError, numbers, 1, 2, 3)
        self.assertRaises(TypeError, lambda: numbers(1, z=2))

    def test_buffers(self):
        numbers = Numbers(1, 2, 3)
        view = memoryview(numbers)
        self.assertEqual((view.format, view.shape, view.readonly, list(view)), ("d", (3,), False, [1, 2, 3]))
        view[0] = 9
        self.assertEqual(numbers[0], 9)
        # The memory is lent: it stays.
        self.assertIn("is lent", self.message(BufferError, numbers.__init__, *range(1000)))
        Numbers(4).__init__(5)
        self.assertEqual(list(view), [9, 2, 3])
        del numbers
        gc.collect()
        self.assertEqual(list(view), [9, 2, 3])
        numbers = view.obj
        view.release()
        numbers.__init__(4)
        self.assertEqual(list(memoryview(numbers)), [4])
        grid = memoryview(sample.Grid())
        self.assertEqual((grid.shape, grid.readonly, grid.tolist()), ((2, 3), True, [[1, 2, 3], [4, 5, 6]]))
        with self.assertRaises(TypeError):
            grid[0, 0] = 1
        self.assertEqual(len(memoryview(Numbers())), 0)
        self.assertEqual(len(bytes(sample.Grid())), 24)
        self.assertRaises(TypeError, memoryview, Vector())

        class Mine(Numbers):
            pass

        self.assertEqual(list(memoryview(Mine(4))), [4])
        self.assertEqual(list(memoryview(Mine.__new__(Mine))), [])

    def test_copies(self):
        point = PointWithSuper(1, 2, "p")
        plain = Plain(1, 2)
        plain.items = [1]
        for value in (Vector(1, 2), point, plain):
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                again = pickle.loads(pickle.dumps(value, protocol))
                self.assertEqual((again, type(again), getattr(again, "__dict__", None)),
                                 (value, type(value), getattr(value, "__dict__", None)))
            for copied in (copy.copy(value), copy.deepcopy(value)):
                self.assertEqual((copied, type(copied)), (value, type(value)))
                self.assertIsNot(copied, value)
        self.assertIs(copy.copy(plain).items, plain.items)
        self.assertIsNot(copy.deepcopy(plain).items, plain.items)
        self.assertRaises(TypeError, pickle.dumps, Label("x"))


if __name__ == "__main__":
    unittest.main()
