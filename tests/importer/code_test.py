"""Frozen code and constants: they run, compare, are traced and interned like any other."""

from __future__ import annotations

import sys
import unittest

from support import ImportTest

LANGUAGE = r'''
"""Every kind of code."""
import asyncio, contextlib, dataclasses, enum, functools, typing
out = []
def generator(n):
    for i in range(n):
        got = yield i
        if got: yield got * 2
    return "done"
def delegating():
    result = yield from generator(2)
    yield result
g = generator(3)
out.append([next(g), g.send(5), next(g), *delegating()])
def counter():
    count = 0
    def step(by=1, /, *, twice=False):
        nonlocal count
        count += by * (2 if twice else 1)
        return count
    return step
step = counter()
out.append((step(), step(5), step(2, twice=True), step.__code__.co_freevars))
class Base:
    registry = []
    def __init_subclass__(cls, tag=None, **more):
        cls.registry.append((cls.__name__, tag))
class Derived(Base, tag="t"):
    squares = [i * i for i in range(4)]
    total = sum(squares)
    def __class_getitem__(cls, item): return (cls.__name__, item)
    def who(self): return super().__str__()[:1], __class__.__name__
    @functools.cached_property
    def cached(self): return [self.total]
out.append((Base.registry, Derived.squares, Derived.total, Derived[3], Derived().who(), Derived().cached))
@dataclasses.dataclass(order=True, frozen=True)
class Point:
    x: int
    y: "float" = 0.5
    def dist(self) -> float: return (self.x ** 2 + self.y ** 2) ** 0.5
out.append((Point(3, 4.0).dist(), Point(1) < Point(2), repr(Point(1))))
class Color(enum.Flag):
    RED = enum.auto(); GREEN = enum.auto()
out.append((Color.RED | Color.GREEN).value)
def matching(value):
    match value:
        case 0 | 1.5 | -2: return "number"
        case [first, *rest] if rest: return first, rest
        case {"key": str(text), **others}: return text, others
        case Point(x=1, y=y): return "point", y
        case None | True: return "singleton"
        case "text" | b"bytes": return "literal"
        case _: return "other"
out.append([matching(v) for v in (0, 1.5, -2, [1, 2], [1], {"key": "t", 2: 3}, Point(1), None, "text", b"bytes")])
async def agen(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i
@contextlib.asynccontextmanager
async def managed():
    yield "managed"
async def main():
    async with managed() as m:
        found = [i async for i in agen(3) if i]
        return m, found, await asyncio.gather(*(asyncio.sleep(0, i) for i in range(3)))
out.append(asyncio.run(main()))
out.append(([x for x in "ab"], {x: y for x, y in zip("ab", (1, 2))}, sorted({x % 2 for x in range(5)}),
    list(x for x in range(3)), [[(i, j) for j in range(i)] for i in range(3)],
    (lambda a, *b, c=3, **d: (a, b, c, d))(1, 2, e=5)))
def handled():
    trail = []
    try:
        try: raise ExceptionGroup("g", [ValueError(1), KeyError(2)])
        except* ValueError as group: trail.append(len(group.exceptions))
        except* KeyError: trail.append("key")
        else: trail.append("never")
        finally: trail.append("finally")
        1 / 0
    except ZeroDivisionError as error: trail.append(error.__traceback__.tb_lineno > 0)
    with contextlib.suppress(KeyError): {}["k"]
    for i in range(3):
        if i == 1: continue
        while True: break
        else: trail.append("never")
    else: trail.append("else")
    del i
    trail.append("i" in locals())
    return trail
out.append(handled())
def defaults(a, b=[], *, c={}, d=frozenset({1})): b.append(a); return b, c, d
out.append((defaults(1), defaults(2), defaults.__defaults__, defaults.__kwdefaults__))
def formatted(x, w=8): return f"{x!r:>{w}} {x=} {x:.2f}" + "%s-%d" % ("s", 3) + "{}".format(x)
out.append(formatted(1.5))
type Alias[T] = list[T] | None
def generic[T: int, *Ts, **P](x: T) -> T: return x
class Generic[T]:
    def get(self) -> T: return None
out.append((Alias.__name__, str(Alias.__value__), generic(3), str(generic.__type_params__), Generic[int].__args__))
if (n := 10) > 5: out.append(n)
a, (b, *c), d = 1, (2, 3, 4), 5
out.append([a, b, c, d, *[1, 2][::-1], {**{"x": 1}, "y": 2}])
assert out, "never"
global_list = out
def big(x):
    if x in {1, 2, 3}: return "set"
    if x in [4, 5]: return "list"
    return x[1:3], x[::2], x[..., 1:2] if isinstance(x, dict) else x[-2:]
out.append([big(1), big(4), big("abcdef")])
'''

ANNOTATED = '''
from typing import ClassVar
value: int = 3
later: Undefined.attribute | None
class A:
    field: "B" = None
    other: ClassVar[dict[str, list[int]]]
    def method(self, x: A, *args: tuple[int, ...], k: Missing = 1) -> "C": ...
def function(a: int, b: value = 2) -> str: ...
'''
STRINGS = r"""
NAME = "some_identifier"
EMPTY, ONE, LATIN = "", "x", "é"
TEXT = "not an identifier, and long enough to be nobody's"
WORD = "an" "other_identifier"
BYTES = (b"", b"x", b"a\0b", b"\xff" * 40)
ODD = ("nul\0inside", "\ud800 lone", "\udcff", "a\udc80b", "é\0ü", "漢字\0", "🎉", "\x7f\x80", "\U0010ffff")
class some_class_name:
    some_attribute_name = "some_attribute_value"
    def some_method(self, some_argument=None): return some_argument
TUPLE = ("some_identifier", "in_a_tuple", ("nested_tuple", "with spaces"))
"""
NUMBERS = """
import sys
INTS = (0, 1, -1, -5, 256, 257, -6, 2**30 - 1, 2**30, 2**31, 2**62, 2**63, -2**63, 2**64, 10**100, -(10**100), 1 << 500)
FLOATS = (0.0, -0.0, 1.5, 1e308, 1e400, -1e400, 5e-324, 0.1)
COMPLEX = (0j, -0j, 1j, 1e400j, 1.5 + 2j, -0.0 - 0j)
SAME = (1, 1.0, True, 1 + 0j, 0, 0.0, -0.0, False, "1", b"1")
NAN = 1e400 - 1e400
OTHERS = (None, ..., True, False, NotImplemented, __debug__, ())
def f(x):
    return x in {1, 2.5, "three", b"four", None, (5, frozenset())}, x in {(1, (2, (3,)))}
def consts(): return (-0.0, 0.0), (1, (2.0, (3j, ("four", b"five", (None, (True, ...)))))), 10**50
def s(x): return x[1:2], x[:-1], x[::2], x[None:5]
"""


class RunningTest(ImportTest):
    FILES = {
        "language.py": LANGUAGE.lstrip(),
        "annotated.py": "from __future__ import annotations\n" * (sys.version_info < (3, 14)) + ANNOTATED,
        "strings.py": STRINGS,
        "numbers_.py": NUMBERS,
        "traced/__init__.py": "",
        "traced/work.py": """
            def fib(n):
                if n < 2:
                    return n
                return fib(n - 1) + fib(n - 2)
            def gen():
                for i in range(3):
                    yield fib(i)
            class C:
                x = [fib(i) for i in range(2)]
                def m(self):
                    try:
                        raise ValueError
                    except ValueError:
                        return [*gen()]
            value = C().m()
            """,
    }  # fmt: skip
    NAMES = ["language", "annotated", "strings", "numbers_", "traced"]

    def test_language(self):
        shown = self.both("import language, pprint; pprint.pp(language.out, width=100)")
        for part in ("[0, 10, 1, 0, 1, 'done']", "(1, 6, 10, ('count',))", "('managed', [1, 2]",
                     "[1, 'key', 'finally', True, 'else', False]", "('point', 0.5)"):  # fmt: skip
            self.assertIn(part, shown)

    def test_annotations(self):
        shown = self.both(
            """
            import annotated as a, inspect
            if sys.version_info >= (3, 14):
                import annotationlib as lib
                for thing in a, a.A, a.A.method, a.function:
                    print(lib.get_annotations(thing, format=lib.Format.FORWARDREF).keys())
                    print(lib.get_annotations(thing, format=lib.Format.STRING))
                    print(thing.__annotate__)if isinstance(thing, type(0)) else None
                print(a.function.__annotations__, a.function.__annotate__(1))
                for thing in a.A.method, a:
                    try:
                        thing.__annotations__
                    except NameError as error:
                        print(error)
                a.Missing = int
                print(a.A.method.__annotations__)
                print(lib.call_annotate_function(a.A.__annotate__, lib.Format.STRING))
            else:
                for thing in a, a.A, a.A.method, a.function:
                    print(thing.__annotations__, inspect.get_annotations(thing))
            print(inspect.signature(a.function))
            """
        )
        self.assertIn("ClassVar[dict[str, list[int]]]", shown)

    def test_numbers(self):
        self.both(
            """
            import struct, math, numbers_ as n
            bits = lambda x: struct.pack("d", x).hex()
            print([(i, i.bit_length(), -i, i + 1) for i in n.INTS])
            print([bits(x) for x in n.FLOATS], [(bits(z.real), bits(z.imag)) for z in n.COMPLEX])
            print([(type(x).__name__, x) for x in n.SAME], math.isnan(n.NAN), n.OTHERS)
            print([n.f(x) for x in (1, 2.5, "three", b"four", None, (5, frozenset()), (1, (2, (3,))), 7)])
            print(n.consts(), [bits(x) for x in n.consts()[0]], n.consts()[0] is n.consts()[0])
            print(n.s("abcdef"), n.INTS[1] is len("x"), n.INTS[4] is 2 ** int("8"))
            print([c for c in n.s.__code__.co_consts if c is not None],
                  [type(c).__name__ for c in n.f.__code__.co_consts])
            print(sorted(map(str, next(c for c in n.f.__code__.co_consts if isinstance(c, frozenset)))))
            print(hash(n.INTS), hash(n.COMPLEX[1:]), hash(n.consts()[1][1][0]), {n.INTS: 1}[n.INTS])
            """
        )

    def test_strings(self):
        self.both(
            r"""
            import strings as s
            print(ascii(s.ODD), s.BYTES, [len(x) for x in s.ODD], [x.isidentifier() for x in s.ODD])
            print([ascii(x.encode("utf-8", "surrogatepass")) for x in s.ODD], s.ODD[0] == "nul\0inside")
            print([hash(x) == hash(x[:1] + x[1:]) for x in (*s.ODD, *s.BYTES, s.TEXT)])
            # Where it is one object in the usual case, it is here.
            print(s.NAME is "".join(["some_", "identifier"]), sys.intern("some_" + s.NAME[5:]) is s.NAME)
            some = str("aéxb")
            print(s.EMPTY is some[:0], s.ONE is some[2], s.LATIN is some[1], s.BYTES[0] is bytes(0))
            print(s.WORD is sys.intern("another_" + "identifier"), s.TUPLE[0] is s.NAME)
            names = vars(s.some_class_name)
            print([k is sys.intern("some_" + k[5:]) for k in sorted(names) if k.startswith("some_")])
            print(s.some_class_name.__name__ is sys.intern("some_" + "class_name"))
            print([x is sys.intern("in_a" + x[4:]) for x in s.TUPLE[1:2]], s.TUPLE[2][0] is sys.intern(
                "nested" + "_tuple"))
            print([sys._is_interned(x) for x in (s.NAME, s.ONE, s.WORD, s.some_class_name.__name__)])
            print(s.some_class_name().some_method(some_argument=3), getattr(s.some_class_name,
                "some_" + "attribute_name"))
            print(s.TEXT.upper().lower() == s.TEXT.lower(), s.TEXT + "!", s.TEXT[:3], {s.TEXT: 1}[str(s.TEXT)])
            print(type(sys.intern(s.TEXT)), sys.intern(s.TEXT) == s.TEXT)
            """
        )

    def test_identity_with_modules_that_are_not_frozen(self):
        # Either may be first to intern a name.
        for first in "usual", "frozen":
            names = 'import strings\nused = strings.NAME, strings.some_class_name\n'
            code = f"""
                import types
                source = 'NAME = "some_identifier"\\nclass some_class_name: some_attribute_name = 1\\n'
                def usual():
                    module = types.ModuleType("usual")
                    exec(source, vars(module))
                    return module
                def frozen():
                    import strings
                    return strings
                one, two = {'usual(), frozen()' if first == 'usual' else 'frozen(), usual()'}
                print(one.NAME is two.NAME, one.some_class_name.__name__ is two.some_class_name.__name__)
                keys = [next(k for k in vars(m.some_class_name) if "attribute" in k) for m in (one, two)]
                print(keys[0] is keys[1], {names!r} != "")
                """
            self.both(code, "True True\nTrue True")

    def test_code_objects(self):
        self.both(
            """
            import importlib.util, marshal, types
            def walk(code):
                yield code
                for const in code.co_consts:
                    if isinstance(const, types.CodeType):
                        yield from walk(const)
            def attributes(code):
                return [(n, getattr(code, n)) for n in dir(code) if n.startswith("co_") and n not in (
                    "co_lnotab", "co_consts")]
            for name in "language", "annotated", "strings", "numbers_", "traced.work":
                spec = importlib.util.find_spec(name)
                code = spec.loader.get_code(name)
                plain = compile(spec.loader.get_data(spec.origin), spec.origin, "exec", dont_inherit=True)
                print(code == plain, hash(code) == hash(plain), marshal.loads(marshal.dumps(code)) == plain)
                if name not in ("language", "numbers_"):  # slices need version 5
                    print(marshal.dumps(code, 2) == marshal.dumps(plain, 2), len({code, plain}))
                print(code.replace(co_name="other").co_name, code.replace() == plain, code.co_filename == spec.origin)
                both = list(zip(walk(code), walk(plain), strict=True))
                print(len(both), all(attributes(a) == attributes(b) for a, b in both))
                print(all(list(a.co_lines()) == list(b.co_lines()) for a, b in both))
                print(all(list(a.co_positions()) == list(b.co_positions()) for a, b in both))
                __import__(name)  # and after they have run
                print(all(a == b and a.co_code == b.co_code and hash(a) == hash(b) for a, b in both))
            """
        )

    def test_functions_made_of_frozen_code(self):
        self.both(
            """
            import copy, dis, types, weakref, gc
            from traced import work
            f = types.FunctionType(work.fib.__code__, {"fib": lambda n: n, "__builtins__": {}})
            print(f(5), work.fib(10), weakref.ref(work.fib.__code__)() is work.fib.__code__)
            work.fib.extra, work.fib.__doc__ = 1, "new"
            print(work.fib.extra, work.fib.__doc__, copy.copy(work.fib) is work.fib)
            work.fib.__code__ = work.fib.__code__.replace(co_consts=tuple(
                c + 1 if type(c) is int else c for c in work.fib.__code__.co_consts))
            try:
                print(work.fib(1))
            except RecursionError:
                print("RecursionError")
            import io
            text = io.StringIO()
            dis.dis(work, file=text)
            print(text.getvalue().replace(hex(id(work)), ""))
            print(gc.collect() >= 0, any(o is work.fib.__code__ for o in gc.get_objects()))
            """
        )

    def test_settrace(self):
        shown = self.both(
            """
            events = []
            def trace(frame, event, arg):
                if "work" in frame.f_code.co_filename:
                    frame.f_trace_opcodes = event == "call" and frame.f_code.co_name == "gen"
                    events.append((event, frame.f_code.co_qualname, frame.f_lineno, frame.f_lasti))
                    return trace
            import traced
            sys.settrace(trace)
            import traced.work
            sys.settrace(None)
            count = len(events)
            traced.work.fib(5)
            print(events, len(events) == count)
            sys.setprofile(lambda frame, event, arg: events.append((event, frame.f_code.co_name)))
            traced.work.fib(3)
            sys.setprofile(None)
            print(events[count:])
            """
        )
        self.assertIn("('exception', 'C.m',", shown)

    def test_monitoring(self):
        shown = self.both(
            """
            mon = sys.monitoring
            E, tool, seen = mon.events, 3, []
            mon.use_tool_id(tool, "test")
            def note(name, answer=None):
                def callback(code, *args):
                    if "work" in code.co_filename:
                        seen.append((name, code.co_qualname, *(a for a in args if isinstance(a, int))))
                        return answer
                return callback
            for name in "PY_START", "PY_RETURN", "LINE", "INSTRUCTION", "JUMP", "CALL", "RAISE", "PY_YIELD":
                mon.register_callback(tool, getattr(E, name), note(name))
            mon.set_events(tool, E.PY_START | E.PY_RETURN | E.LINE | E.JUMP | E.CALL | E.RAISE | E.PY_YIELD)
            import traced.work as work
            mon.set_events(tool, 0)
            print(len(seen), seen); seen.clear()
            mon.set_local_events(tool, work.fib.__code__, E.INSTRUCTION | E.LINE)
            work.fib(3); print(seen, mon.get_local_events(tool, work.fib.__code__)); seen.clear()
            mon.set_local_events(tool, work.fib.__code__, 0)
            # As coverage does: every line once.
            mon.register_callback(tool, E.LINE, note("LINE", mon.DISABLE))
            for turn in range(2):
                mon.set_events(tool, E.LINE)
                work.fib(5), work.C().m(), work.fib(6)
                mon.set_events(tool, 0)
                print(sorted(seen)); seen.clear()
                mon.restart_events()
            mon.free_tool_id(tool)
            print(work.fib(12), seen)
            """
        )
        self.assertIn("('RAISE', 'C.m'", shown)

    def test_profile(self):
        self.both(
            """
            import cProfile, pstats
            profile = cProfile.Profile()
            profile.enable()
            import traced.work as work
            work.fib(8)
            profile.disable()
            stats = pstats.Stats(profile).stats
            print(sorted((f, c[0], c[1]) for f, c in stats.items() if "traced" in f[0]))
            """
        )


if __name__ == "__main__":
    sys.exit(unittest.main())
