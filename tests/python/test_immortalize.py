"""tenure.immortalize(): what becomes immortal, what is refused and how, and that the process still ends well.

Programs of their own, since nothing of it can be undone.
"""

from __future__ import annotations

import inspect
import sys
import unittest

import tenure

from helpers import ProgramTest

PRELUDE = """
import gc
import sys
import types
import weakref

import tenure

DEBUG = hasattr(sys, "gettotalrefcount")

def is_immortal(obj):
    return sys.getrefcount(obj) >= 1 << 31

def must_be_immortal(obj):
    # Debug builds assert that these are not.
    if DEBUG and (isinstance(obj, str) or sys.version_info >= (3, 15) and isinstance(obj, dict)):
        return
    assert is_immortal(obj), (type(obj), obj)

def refusal(obj, **options):
    try:
        tenure.immortalize(obj, **options)
    except TypeError as error:
        return str(error)
    return "immortal"
"""


class ImmortalizeTest(ProgramTest):
    PRELUDE = PRELUDE


class SurfaceTest(ImmortalizeTest):
    def test_costs_nothing_before_it_is_used(self):
        self.check("assert 'tenure._live' not in sys.modules; tenure.immortalize; tenure._live")

    def test_names_and_signature(self):
        self.assertIs(tenure.Immortalized, type(tenure.immortalize(12345678901)))
        parameters = inspect.signature(tenure.immortalize).parameters.values()
        self.assertEqual([p.name for p in parameters], ["obj", "types", "modules", "finalizers"])
        self.assertEqual([p.default for p in parameters][1:], [False] * 3)
        self.assertIn("TypeError", tenure.immortalize.__doc__)
        with self.assertRaises(AttributeError):
            tenure.immortalise
        with self.assertRaises(TypeError):
            tenure.immortalize()
        with self.assertRaises(TypeError):
            tenure.immortalize([], True)

    def test_counts(self):
        self.check(
            """
            done = tenure.immortalize([10**20, 10**21, (1.5, [])])
            assert done.objects == 6, done
            assert 200 < done.bytes < 1000, done
            assert done.left_alone == {"types": 0, "modules": 0, "foreign": 0}, done
            assert repr(done).startswith("Immortalized(objects=6, bytes="), done
            """
        )

    def test_counts_the_bytes_that_are_there(self):
        self.check(
            """
            def size(obj):
                return tenure.immortalize(obj).bytes
            for obj in (10**100, 1.5, b"x" * 999, tuple([None] * 77), [None] * 1001, {i: i for i in range(200)} if not DEBUG else 0.5,
                        set(range(200)), frozenset(range(100)), 3j):
                expected = sys.getsizeof(obj)
                got = size(obj)
                # Numbers above 256 in them are objects too.
                assert expected <= got <= expected + 200 * 32, (type(obj), got, expected)
            assert size(bytearray(5000)) > 5000
            """
        )


class OwnedTest(ImmortalizeTest):
    def test_all_that_is_owned(self):
        self.check(
            """
            import collections, datetime, fractions, functools

            class Plain:
                pass

            class Slots:
                __slots__ = ("slot",)

            class WithDict(dict):
                pass

            def made(number):
                # Not a constant: nobody else refers to it.
                return 10**20 + number

            plain, slots, with_dict = Plain(), Slots(), WithDict(k=made(1))
            plain.attribute = made(2)
            slots.slot = made(3)
            with_dict.extra = made(4)
            moment = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
            ordered = collections.OrderedDict(a=made(5))
            deque = collections.deque([made(6)])
            default = collections.defaultdict(list, {"x" * 50: [made(7)]})
            partial = functools.partial(print, made(8), key=made(9))
            cell = types.CellType(made(10))
            namespace = types.SimpleNamespace(inner=made(11))
            span = range(made(12), made(13), made(14))
            part = slice(made(15), made(16))
            proxy = types.MappingProxyType({"p": made(17)})
            counted = frozenset([(made(18),)])
            parts = [
                plain.attribute, slots.slot, with_dict["k"], with_dict.extra, moment.tzinfo, ordered["a"], deque[0],
                default["x" * 50], default["x" * 50][0], partial.args[0], partial.keywords["key"], cell.cell_contents,
                namespace.inner, span.start, span.stop, span.step, part.start, part.stop, proxy["p"],
                next(iter(counted)), next(iter(counted))[0], *default,
            ]
            graph = [plain, slots, with_dict, moment, ordered, deque, default, partial, cell, namespace, span, part,
                     proxy, counted]
            tenure.immortalize(graph)
            for obj in graph + parts:
                must_be_immortal(obj)
            assert not is_immortal(parts)
            """
        )

    def test_functions_and_their_code(self):
        self.check(
            """
            namespace = {}
            exec('''
            def outer(n):
                big = {"a": (10**30, 1.25, b"bytes of it"), "b": "text, not a name"}
                def inner(x=10**31, *, y=[n]):
                    return big, n, 10**32
                return inner
            '''.replace("\\n            ", "\\n"), namespace)
            inner = namespace["outer"]([])
            assert inner()[1] == []
            done = tenure.immortalize(inner)
            assert done.left_alone["modules"] >= 1
            for obj in (inner, inner.__code__, inner.__code__.co_consts, inner.__code__.co_linetable, inner.__closure__,
                        inner.__closure__[0].cell_contents, inner.__defaults__, inner.__defaults__[0],
                        inner.__kwdefaults__["y"], *inner.__code__.co_consts, *inner.__code__.co_names):
                if obj is not None:
                    must_be_immortal(obj)
            assert not is_immortal(namespace)
            assert not is_immortal(namespace["outer"])
            for i in range(2000):
                assert inner()[2] == 10**32
            """
        )

    def test_types_and_modules_are_left_alone(self):
        self.check(
            """
            class Base: pass
            class Derived(Base): table = {1: [10**25]}
            import textwrap
            graph = [Derived(), textwrap, Base]
            done = tenure.immortalize(graph)
            assert done.left_alone["types"] == 2 and done.left_alone["modules"] == 1, done
            assert not any(map(is_immortal, (Derived, Base, textwrap, textwrap.dedent, Derived.table)))
            assert is_immortal(graph[0])
            """
        )

    def test_unless_told(self):
        self.check(
            """
            class Base: pass
            class Derived(Base):
                table = {1: [10**25]}
                def method(self): return 10**26
            tenure.immortalize(Derived())
            tenure.immortalize([Derived()], types=True)
            for obj in (Derived, Base, Derived.table, Derived.table[1], Derived.method, Derived.method.__code__):
                must_be_immortal(obj)
            for i in range(5000):
                assert Derived().method() == 10**26
            Derived.table = 1
            Derived.other = []
            class Later(Derived): pass
            assert Later in Derived.__subclasses__()
            del Later; gc.collect()
            assert not Derived.__subclasses__()
            module = types.ModuleType("module")
            exec("class Class: pass\\ndef function(): return 10**27\\ntable = [10**28]", module.__dict__)
            tenure.immortalize([module.function])
            assert not is_immortal(module.table)
            tenure.immortalize([module], modules=True)
            for obj in (module, module.__dict__, module.table, module.function):
                must_be_immortal(obj)
            assert not is_immortal(module.Class)
            # By their globals, modules lead to all others.
            import textwrap
            assert refusal(textwrap, modules=True).startswith("$.")
            """
        )

    def test_what_it_is_given_is_not_left_alone(self):
        self.check(
            """
            class Given: attribute = [10**25]
            class Base: pass
            class Other(Base): pass
            tenure.immortalize(Given)
            assert is_immortal(Given) and is_immortal(Given.attribute)
            assert tenure.immortalize(Other).left_alone["types"] == 1
            assert is_immortal(Other) and not is_immortal(Base)
            import textwrap
            tenure.immortalize(textwrap)
            assert is_immortal(textwrap) and is_immortal(textwrap.dedent)
            """
        )

    def test_again_and_singletons(self):
        self.check(
            """
            graph = [[10**20], {"k": 1.5}]
            first = tenure.immortalize(graph)
            assert tenure.immortalize(graph).objects <= 2 * DEBUG
            for obj in (None, True, ..., 5, "", b"", (), int, "a"):
                assert tenure.immortalize(obj).objects == 0, obj
            graph.append(new := [10**22])
            assert tenure.immortalize(graph).objects == 0, "an immortal object is not looked into"
            assert tenure.immortalize(new).objects == 2
            """
        )


class RefusedTest(ImmortalizeTest):
    def test_what_must_end_with_the_path_to_it(self):
        self.check(
            """
            import asyncio, contextvars, io, os, socket, tempfile, threading

            async def coroutine(): pass
            async def agen(): yield
            def generator(): yield
            class Finalized:
                def __del__(self): pass
            class Holder:
                __slots__ = ("slot",)
            held = threading.Lock(); held.acquire()
            again = threading.RLock(); again.acquire()
            try:
                1 / 0
            except ZeroDivisionError as error:
                caught = error
            holder = Holder(); holder.slot = {"k": [sys._getframe()]}
            space = types.SimpleNamespace(a=[0, 1, 2, types.SimpleNamespace(b=generator())])
            a = coroutine()
            file, sock = open(os.devnull), socket.socket()
            text, raw = io.StringIO(), io.BytesIO()
            ends = "has a finalizer, which would never run"
            call = "keeps the variables of a call"
            use = "is in use: it is a lock that is held or a thread that runs"
            for obj, expected in (
                (space, f"$.a[3].b: object of type generator {call}"),
                (holder, f'$.slot["k"][0]: object of type frame {call}'),
                ((a,), f"$[0]: object of type coroutine {call}"),
                ([agen()], f"$[0]: object of type async_generator {call}"),
                (caught, f"$.__traceback__: object of type traceback {call}"),
                ({"f": {1.5: file}}, f'$["f"][1.5]: object of type _io.TextIOWrapper {ends}'),
                ({sock}, None),
                ({b"x": {(1, 2): Finalized()}}, f"$[b'x'][<tuple>]: object of type Finalized {ends}"),
                (text, f"$: object of type _io.StringIO {ends}"),
                ({None: raw}, f"$[None]: object of type _io.BytesIO {ends}"),
                ({True: held}, f"$[True]: object of type _thread.lock {use}"),
                ([again], f"$[0]: object of type _thread.RLock {use}"),
                ([memoryview(b"")], "$[0]: object of type memoryview keeps the object that it shows from changing its "
                                    "size: release it first"),
                ({'with "quotes" \\\\': generator()},
                 f'$["with \\\\"quotes\\\\" \\\\\\\\"]: object of type generator {call}'),
                ({"é" * 100: generator()}, f'$["{"é" * 29}...]: object of type generator {call}'),
                ((lambda v: lambda: v)(space), f"$.__closure__[0].cell_contents.a[3].b: object of type generator {call}"),
                (lambda x=[file]: x, f"$.__defaults__[0][0]: object of type _io.TextIOWrapper {ends}"),
                (space.a.append.__self__, f"$[3].b: object of type generator {call}"),
                (types.MethodType(print, [file]), f"$.__self__[0]: object of type _io.TextIOWrapper {ends}"),
            ):
                said = refusal(obj)
                if expected is None:
                    assert said.startswith("$"), said
                else:
                    assert said == expected, (said, expected)
            said = refusal(threading.current_thread())
            assert use in said and said.startswith("$._"), said
            file.close(); sock.close(); a.close(); held.release(); again.release()
            assert refusal([held, again]) == "immortal"
            """
        )

    def test_nothing_changes(self):
        self.check(
            """
            def snapshot(objects):
                return [(sys.getrefcount(o), gc.is_tracked(o)) for o in objects]
            text = "a text that is not a name " * 2
            interned = sys.intern("a name that is interned " * 2)
            parts = [[10**20], {text: interned}, (text, [1.5]), {1000000007}, text, interned]
            graph = [*parts, (x for x in ())]
            before = snapshot(parts + [graph])
            assert "generator" in refusal(graph)
            assert snapshot(parts + [graph]) == before
            graph.pop()
            tenure.immortalize(graph)
            assert snapshot(parts + [graph]) != before
            """
        )

    def test_finalizers_if_told(self):
        self.check(
            """
            import io
            ended = []
            class Finalized:
                def __del__(self): ended.append(1)
            graph = [Finalized(), io.StringIO("text")]
            assert tenure.immortalize(graph, finalizers=True).objects >= 3
            assert refusal([(x for x in ())], finalizers=True).startswith("$[0]: object of type generator")
            assert graph[1].read() == "text"
            graph.clear()
            assert not ended
            """
        )


class HostileTest(ImmortalizeTest):
    def test_cycles_and_what_contains_itself(self):
        self.check(
            """
            itself = []; itself.append(itself)
            table = {}; table["t"] = table
            pair = ([],); pair[0].append(pair)
            class Node: pass
            a, b = Node(), Node(); a.b, b.a = b, a; a.a = a
            for obj in (itself, table, pair, a):
                tenure.immortalize(obj)
                must_be_immortal(obj)
            assert itself[0] is itself and a.b.a is a
            gc.collect()
            """
        )

    def test_a_million_deep(self):
        self.check(
            """
            for make in (lambda x: [x], lambda x: (x,), lambda x: {"k": x}, lambda x: {1: x}):
                deep = []
                for i in range(1_000_000):
                    deep = make(deep)
                done = tenure.immortalize(deep)
                assert DEBUG or done.objects >= 1_000_000, done
            class Node: __slots__ = ("next",)
            node = None
            for i in range(1_000_000):
                node, node.next = Node(), node
            """.replace("node, node.next = Node(), node", "new = Node(); new.next = node; node = new")
            + """
            assert tenure.immortalize(node).objects >= 1_000_000
            deep = generator = (x for x in ())
            for i in range(1_000_000):
                deep = [deep]
            said = refusal(deep)
            assert said == "$" + "[0]" * 20 + "..." + "[0]" * 20 + ": object of type generator keeps the variables of a call"
            while deep is not generator:
                deep = deep[0]
            """
        )

    def test_no_code_of_the_objects_runs(self):
        self.check(
            """
            def never(*args, **kwargs): raise SystemExit("ran")
            class Meta(type):
                __instancecheck__ = __subclasscheck__ = never
            class Hostile(metaclass=Meta):
                __eq__ = __hash__ = __repr__ = __str__ = __sizeof__ = __len__ = __iter__ = __bool__ = never
                __getattr__ = __getattribute__ = __setattr__ = __reduce__ = __class_getitem__ = never
                __dict__ = property(never)
            class HostileDict(dict):
                __iter__ = __len__ = __getitem__ = keys = items = values = __contains__ = __eq__ = __sizeof__ = never
            class HostileStr(str):
                __hash__ = str.__hash__
                __len__ = __repr__ = __str__ = __iter__ = __sizeof__ = never
            graph = [Hostile(), HostileDict({HostileStr("k"): Hostile()}), (Hostile(),)]
            tenure.immortalize(graph)
            for obj in (graph[0], graph[2][0]):
                assert is_immortal(obj)
            graph = [Hostile(), HostileDict({HostileStr("k"): (x for x in ())})]
            assert refusal(graph) == "$[1][<HostileStr>]: object of type generator keeps the variables of a call"
            """
        )

    def test_objects_in_use_in_deep_calls(self):
        self.check(
            """
            shared = [10**25]
            many = [shared] * 1000
            def deeper(obj, n):
                local = obj
                if n == 0:
                    tenure.immortalize(obj)
                    return obj
                return deeper(local, n - 1)
            assert deeper(shared, 400) is shared
            del many
            for i in range(2000):
                x = shared; y = [x] * 50; del x, y
            assert is_immortal(shared) and shared == [10**25]
            low = sys.getrefcount(shared)
            keep = [shared] * 100
            assert sys.getrefcount(shared) == low, "counting writes nothing"
            """
        )


class AfterwardsTest(ImmortalizeTest):
    def test_containers_can_be_changed(self):
        self.check(
            """
            class Node: pass
            graph = {"list": [1], "dict": {}, "set": set(), "node": Node()}
            tenure.immortalize(graph, types=True)
            for i in range(300):
                graph["list"].append([i]); graph["dict"][f"k{i}"] = [i]; graph["set"].add((i, str(i)))
                setattr(graph["node"], f"a{i}", [i]); graph[f"new{i}"] = {}
            graph["dict"].update({f"u{i}": [] for i in range(100)})
            graph["dict"] |= {"or": []}
            for i in range(3):
                gc.collect()
            assert graph["list"][1:] == [[i] for i in range(300)]
            assert graph["dict"]["k299"] == [299] and (5, "5") in graph["set"] and graph["node"].a7 == [7]
            graph["list"].sort(key=str); del graph["list"][5:]; graph["set"].clear(); graph["dict"].clear()
            graph["node"].__dict__.clear()
            """
        )

    def test_the_collector_leaves_what_they_hold_and_takes_what_they_let_go(self):
        self.check(
            """
            class Node: pass
            holder = [None]
            tenure.immortalize(holder)
            assert not gc.is_tracked(holder)
            node = Node(); node.itself = node; node.holder = holder
            holder[0] = node
            gone = weakref.ref(node)
            del node
            for i in range(3):
                gc.collect()
            assert gone() is holder[0]
            holder[0] = None
            gc.collect()
            assert gone() is None
            """
        )

    def test_weak_references(self):
        self.check(
            """
            class Node: pass
            called = []
            node, other = Node(), Node()
            graph = [weakref.ref(other, called.append), weakref.WeakValueDictionary(k=other), weakref.proxy(other)]
            watched = weakref.ref(node, called.append)
            tenure.immortalize(node)
            tenure.immortalize(graph[0]); tenure.immortalize(graph[1])
            assert not is_immortal(other), "a weak reference owns nothing"
            del node
            gc.collect()
            assert watched() is not None and not called
            del other
            gc.collect()
            assert called == [graph[0]] and len(graph[1]) == 0
            """
        )

    def test_strings(self):
        self.check(
            """
            class Target: pass
            name = "".join(["some", "_", "name"])
            mortal = sys.intern("".join(["mortal", "_", "name"]))
            unicode = "".join(["ключ", "и"])
            latin = "".join(["caf", "é"])
            done = tenure.immortalize([name, mortal, unicode, latin])
            assert is_immortal(mortal) and sys.intern("mortal" + "_name"[:]) is mortal
            for text in (name, unicode, latin):
                must_be_immortal(text)
                assert sys.intern(text) is text
                assert sys.intern("".join(list(text))) is text
                setattr(Target, text, 1)
                assert getattr(Target, "".join(list(text))) == 1
            before = sys.intern("".join(["was", "_before"]))
            equal = "".join(["was_", "before"])
            tenure.immortalize(equal)
            assert sys.intern(equal) is before
            del before
            assert sys.intern("was_before"[:]) == equal
            """
        )

    def test_the_reference_total_of_debug_builds(self):
        self.check(
            """
            def make():
                tenure.immortalize([[10**20 + i, (1.5 * i,), {i: [i]}, {-i}] for i in range(1000)], types=True)
            if DEBUG:
                make(); make()
                totals = []
                for i in range(5):
                    make()
                    gc.collect()
                    totals.append(sys.gettotalrefcount())
                # The table of each dict counts as a reference and lives on, and so do dicts that have to stay as
                # they are. Without any care it would be more than 8,000.
                lost = 1000 * (3 if sys.version_info >= (3, 15) else 1)
                assert all(0 <= b - a <= lost + 50 for a, b in zip(totals, totals[1:])), totals
            """
        )


class EndTest(ImmortalizeTest):
    EVERYTHING = """
        import asyncio, collections, datetime, decimal, email.message, enum, functools, json, logging, re, threading
        class Color(enum.Enum):
            RED = 1
        class Node: pass
        node = Node(); node.node = node; node.color = Color.RED
        everything = [node, Color, json, logging, re, functools, datetime, collections, decimal, email.message, {}]
        done = 0
        for module in list(sys.modules.values()):
            try:
                tenure.immortalize(module, types=True, finalizers=True)
                done += 1
            except TypeError as error:
                # Threads and locks, and what leads to them.
                assert "_thread." in str(error), error
        assert done > len(sys.modules) / 2, done
        tenure.immortalize(everything, types=True, finalizers=True)
        assert is_immortal(json) and is_immortal(Color)
        """

    def test_exit_with_all_modules_immortal(self):
        self.check(self.EVERYTHING)

    def test_exit_is_watched(self):
        self.check(self.EVERYTHING, "-X", "dev")
        self.check(self.EVERYTHING, PYTHONMALLOC="debug")
        self.check(self.EVERYTHING, PYTHONMALLOC="malloc")

    def test_exit_with_threads_and_new_objects(self):
        self.check(
            self.EVERYTHING
            + """
        import atexit, time
        atexit.register(lambda: print(json.dumps({"at": "exit"})))
        running = threading.Event()
        def run():
            running.set()
            while True:
                node.later = [node, json.loads('{"a": [1, 2]}')]
                time.sleep(0.001)
        threading.Thread(target=run, daemon=True).start()
        running.wait()
        everything[-1]["cycle"] = cycle = [everything]; cycle.append(cycle)
        """
        )

    def test_forked_child(self):
        self.check(
            """
            import os
            graph = [[10**20 + i, str(i) * 20] for i in range(1000)]
            tenure.immortalize(graph)
            child = os.fork()
            if child == 0:
                graph.append(sum(number for number, text in graph))
                assert is_immortal(graph)
                sys.exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            assert len(graph) == 1000
            """
        )

    def test_children_that_only_read_copy_nothing(self):
        self.check(
            """
            import os
            def private():
                with open("/proc/self/smaps_rollup") as lines:
                    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
            def copied_by(graph):
                read, write = os.pipe()
                if os.fork() == 0:
                    before = private()
                    keep = [(row, *row) for row in graph]; del keep
                    after = [row for row in graph for part in row if part is None]
                    os.write(write, str(private() - before).encode()); os._exit(0)
                os.wait()
                return int(os.read(read, 100))
            graph = [[10**20 + i, i * 1.5, (i, b"bytes")] for i in range(40_000)]
            gc.freeze()
            without = copied_by(graph)
            tenure.immortalize(graph)
            with_it = copied_by(graph)
            assert without > with_it + 5000, (without, with_it)
            """
        )

    def test_other_interpreters(self):
        self.check(
            """
            import _interpreters
            mine = [[10**20]]
            tenure.immortalize(mine)
            for config in ("isolated", "legacy"):
                other = _interpreters.create(config)
                error = _interpreters.exec(other, '''if True:
                    import gc, sys, tenure
                    class Node: pass
                    node = Node(); node.itself = node; node.table = {"k": [10**20]}
                    done = tenure.immortalize(node, types=True)
                    assert done.objects > 3 and done.left_alone["foreign"] == 0, done
                    assert sys.getrefcount(Node) > 1 << 31
                    import json
                    tenure.immortalize(json, types=True, modules=True, finalizers=True)
                    node.more = json.loads("[1, 2, [3]]")
                    gc.collect()
                ''')
                assert error is None, error.formatted
                _interpreters.destroy(other)
            gc.collect()
            assert mine == [[10**20]]
            """
        )


if __name__ == "__main__":
    unittest.main()
