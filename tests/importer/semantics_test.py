"""A frozen module cannot be told from one that was imported from its source."""

from __future__ import annotations

import importlib.util
import os
import sys
import unittest
from pathlib import Path

from support import ImportTest, collect, freeze, write
from tenure import _tenure

SHOP = {
    "shop/__init__.py": '''
        """A shop."""
        from . import config
        from .config import RATE as rate
        __version__ = "1.0"
        def lazily():
            from . import late
            return late.value
        def __getattr__(name):
            if name == "dynamic":
                import importlib
                return importlib.import_module(".late", __name__)
            raise AttributeError(name)
        ''',
    "shop/config.py": '''
        """Settings,
        in two lines."""
        RATE = 7
        class Money:
            """Some money."""
            def __init__(self, amount):
                self.amount = amount
            def __eq__(self, other):
                return self.amount == other.amount
            class Inner:
                pass
        def add(a, b=2, *c, d=4, **e):
            # A comment that only the source has.
            return a + b
        ''',
    "shop/late.py": "value = 'late'\n",
    "shop/empty/__init__.py": "",
    "shop/deep/__init__.py": "from .. import config as above\n",
    "shop/deep/leaf.py": "from ..config import RATE\nfrom . import above\nfrom .leaf2 import two\n",
    "shop/deep/leaf2.py": "two = 2\n",
    "shop/tool.py": """
        import sys
        print(__name__, __file__, __package__, __spec__.name, sys.argv[0] == __file__)
        from .config import RATE
        print(RATE, __doc__, sys.modules["__main__"].__dict__ is globals())
        """,
    "shop/__main__.py": "print('main of', __package__, __spec__.name, __name__)\n",
    "shop/data.txt": "the data\n",
    "shop/deep/more.txt": "more\n",
    "shop-1.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: shop\nVersion: 1.5\n",
    "shop-1.5.dist-info/RECORD": "shop/__init__.py,,\n",
    "plain.py": "import shop.config\nvalue = 3\n",
}

SHOW = """
from importlib.machinery import SourceFileLoader
def show(module):
    print(list(vars(module)))
    for name in "__name__", "__doc__", "__file__", "__cached__", "__package__", "__path__":
        print(name, repr(getattr(module, name, "none")))
    spec = module.__spec__
    print(type(spec).__name__, sorted(vars(spec)), repr(module) == repr(module))
    for name in ("name", "origin", "cached", "has_location", "parent", "loader_state",
                 "submodule_search_locations"):
        print(name, repr(getattr(spec, name)))
    loader = module.__loader__
    print(spec.loader is loader, isinstance(loader, SourceFileLoader), vars(loader))
    print(type(module.__builtins__), type(module), repr(module))
"""


class ModuleTest(ImportTest):
    FILES = SHOP
    NAMES = ["shop", "plain"]

    def test_attributes(self):
        shown = self.both(
            SHOW + "import plain, shop.deep.leaf, shop.empty\n"
            "for name in sorted(sys.modules):\n"
            "    if name.startswith(('shop', 'plain')): show(sys.modules[name])\n"
        )
        self.assertIn("__doc__ 'Settings,\\nin two lines.'", shown.replace("\\n        ", "\\n"))
        self.assertIn(f"__path__ [{str(self.folder / 'shop' / 'deep')!r}]", shown)
        self.assertIn("parent 'shop.deep'", shown)
        self.assertEqual(shown.count("has_location True"), 7)

    def test_the_loader_is_ours(self):
        self.assertEqual(
            self.frozen("""
                import shop.config
                from importlib.machinery import SourceFileLoader
                loader = shop.config.__loader__
                print(type(loader).__name__, type(loader).__mro__[1] is SourceFileLoader)
                print(sys.meta_path[0], len(sys.meta_path))
                """).splitlines()[0],
            "ImageLoader True",
        )

    def test_loader_methods(self):
        shown = self.both("""
            import os, types
            import shop.config
            for module in shop, shop.config:
                loader, name, path = module.__loader__, module.__name__, module.__file__
                print(repr(loader.get_source(name)), loader.get_filename(name))
                print(loader.get_filename(), loader.name, loader.path, loader.is_package(name))
                print(loader.get_data(path), loader.path_stats(path))
                print(loader.create_module(module.__spec__))
                code = loader.get_code(name)
                print(type(code), code.co_filename, code.co_name)
                print(loader.source_to_code(loader.get_data(path), path) == code)
                reader = loader.get_resource_reader(name)
                print(type(reader).__name__, sorted(reader.contents()), reader.is_resource("data.txt"))
                with reader.open_resource("data.txt") as file:
                    print(file.read())
                try:
                    print(loader.get_filename("another"))
                except ImportError as error:
                    print(repr(error))
                print(hash(loader) == hash(type(loader)(name, path)), loader == type(loader)(name, path))
            """)
        self.assertIn("A comment that only the source has", shown)
        self.assertIn("b'the data\\n'", shown)

    def test_calls_of_the_loader_that_are_wrong(self):
        self.assertEqual(
            self.frozen("""
                import shop.config
                loader, finder = shop.config.__loader__, sys.meta_path[0]
                for call in (
                    lambda: loader.get_code(), lambda: loader.get_code("shop", "x"),
                    lambda: loader.exec_module(), lambda: loader.exec_module(1, 2),
                    lambda: finder.find_spec(), lambda: finder.find_spec(3),
                    lambda: finder.find_spec("a", None, None, None),
                ):
                    try:
                        print("no error:", call())
                    except TypeError:
                        print("TypeError")
                try:
                    loader.exec_module(5)
                except AttributeError as error:
                    print(error)
                print(finder.find_spec("shop.\\udc80"), finder.find_spec(fullname="nothing"))
                print(finder.find_spec("shop", path=None, target=shop).name)
                print(finder.invalidate_caches())
                """).splitlines(),
            [*["TypeError"] * 7, "'int' object has no attribute '__name__'",
             "None None", "shop", "None"],
        )  # fmt: skip

    def test_source_is_found(self):
        shown = self.both("""
            import inspect, linecache
            import shop.config as config
            print(inspect.getsource(config.add), inspect.getsource(config.Money))
            print(inspect.getsourcefile(config), inspect.getfile(config.Money))
            print(inspect.getsourcelines(config.Money.__init__), inspect.getmodule(config.add))
            print(inspect.signature(config.add), inspect.getdoc(config), inspect.getcomments(config.add))
            print(linecache.getlines(config.__file__, vars(config))[:3])
            print(config.add.__code__.co_positions is not None, list(config.add.__code__.co_lines()))
            print(list(config.add.__code__.co_positions()))
            """)
        self.assertIn("# A comment that only the source has.", shown)

    def test_a_source_that_is_gone_is_as_gone(self):
        folder = self.new_folder(SHOP)
        image = freeze(folder, ["shop", "plain"])
        (folder / "shop" / "config.py").unlink()
        shown = self.check(
            """
            import shop.config as config, inspect, traceback
            print(config.add(1))
            try:
                inspect.getsource(config.add)
            except OSError as error:
                print(error)
            try:
                config.add("x")
            except TypeError:
                print(traceback.format_exc().splitlines()[-2].strip())
            """,
            image=image,
            folder=folder,
        )
        path = folder / "shop" / "config.py"
        self.assertEqual(shown, f'3\ncould not get source code\nFile "{path}", line 15, in add\n')

    def test_resources_and_metadata(self):
        self.both(
            """
            import importlib.metadata, importlib.resources, pkgutil
            import shop.deep
            files = importlib.resources.files("shop")
            print(files.joinpath("data.txt").read_text(), end="")
            print(files.joinpath("deep", "more.txt").read_text(), end="")
            print(importlib.resources.files(shop.deep) / "more.txt" == files / "deep" / "more.txt")
            with importlib.resources.as_file(files / "data.txt") as path:
                print(path.name, sorted(entry.name for entry in files.iterdir())[-2:])
            print(pkgutil.get_data("shop", "data.txt"))
            print(importlib.metadata.version("shop"), importlib.metadata.files("shop"))
            print({d.name for d in importlib.metadata.distributions() if d.name == "shop"})
            """,
            """
            the data
            more
            True
            data.txt ['late.py', 'tool.py']
            b'the data\\n'
            1.5 [PackagePath('shop/__init__.py')]
            {'shop'}
            """,
        )

    def test_listing_of_modules(self):
        self.both(
            """
            import pkgutil
            import shop
            print([(m.name, m.ispkg) for m in pkgutil.iter_modules(shop.__path__)])
            print([m.name for m in pkgutil.walk_packages(shop.__path__, "shop.")])
            print([m.name for m in pkgutil.iter_modules() if m.name in ("shop", "plain")])
            print(sorted(name for name in sys.modules if name.startswith("shop")))
            print(pkgutil.resolve_name("shop.config:Money.Inner"))
            """,
            """
            [('__main__', False), ('config', False), ('deep', True), ('empty', True), """
            """('late', False), ('tool', False)]
            ['shop.__main__', 'shop.config', 'shop.deep', 'shop.deep.leaf', 'shop.deep.leaf2', """
            """'shop.empty', 'shop.late', 'shop.tool']
            ['plain', 'shop']
            ['shop', 'shop.config', 'shop.deep', 'shop.empty']
            <class 'shop.config.Money.Inner'>
            """,
        )

    def test_find_spec(self):
        self.both(
            """
            import importlib.util as util
            print(util.find_spec("shop").origin, "shop" in sys.modules)
            print(util.find_spec("shop.config").origin, util.find_spec("shop.missing"))
            spec = util.find_spec("plain")
            module = util.module_from_spec(spec)
            print("plain" in sys.modules, hasattr(module, "value"), module.__file__)
            spec.loader.exec_module(module)
            print(module.value, "plain" in sys.modules)
            import shop.config
            print(util.find_spec("shop.config") is shop.config.__spec__)
            print(util.find_spec(".config", "shop").name, shop.config.__spec__ == util.spec_from_loader(
                "shop.config", shop.config.__loader__))
            """
        )

    def test_reload(self):
        self.both(
            """
            import importlib, shop.config as config
            before, money = config.__spec__, config.Money
            config.RATE, config.extra = 8, 9
            print(importlib.reload(config) is config, config.RATE, config.extra)
            print(config.__spec__ is before, config.__spec__ == before, config.Money is money)
            print(config.add(1), importlib.reload(sys.modules["shop"]).rate, config.add.__globals__ is vars(config))
            del sys.modules["shop.config"]
            import shop.config
            print(shop.config is config, shop.config.RATE)
            """,
            "True 7 9\nFalse True False\n3 7 True\nFalse 7",
        )

    def test_pickle(self):
        self.both(
            """
            import copy, pickle, shop.config as config
            for value in config.add, config.Money, config.Money.Inner, config.Money(5):
                data = pickle.dumps(value)
                print(data, pickle.loads(data) == value)
            print(copy.deepcopy(config.Money(5)).amount, copy.copy(config.add) is config.add)
            """
        )

    def test_run_as_main(self):
        shown = self.both(
            """
            import runpy
            runpy.run_module("shop.tool", run_name="__main__", alter_sys=True)
            print(sorted(runpy.run_module("shop"))[:3], runpy.run_module("plain")["value"])
            """
        )
        self.assertIn("__main__ ", shown)
        self.assertIn("main of shop shop.__main__ shop.__main__", shown)

    def test_lazy_submodules(self):
        self.both(
            """
            import shop
            print("shop.late" in sys.modules, hasattr(shop, "late"))
            print(shop.dynamic.value, shop.lazily(), shop.late is sys.modules["shop.late"])
            try:
                shop.nothing
            except AttributeError as error:
                print(error)
            from importlib.util import LazyLoader, find_spec, module_from_spec
            spec = find_spec("shop.deep.leaf2")
            spec.loader = LazyLoader(spec.loader)
            module = sys.modules[spec.name] = module_from_spec(spec)
            spec.loader.exec_module(module)
            print(type(module).__name__, module.two, type(module).__name__)
            """,
            "False False\nlate late True\nnothing\n_LazyModule 2 module",
        )

    def test_import_statements(self):
        self.both(
            """
            from shop import *
            print(sorted(name for name in globals() if not name.startswith("_")))
            from shop.deep.leaf import RATE as r, above, two
            import shop.deep.leaf as leaf
            print(r, two, above is sys.modules["shop.config"], leaf.__name__)
            for code in "import shop.none", "from shop import none", "from shop.deep.leaf import none":
                try:
                    exec(code)
                except ImportError as error:
                    print(type(error).__name__, error, error.name, error.path)
            """
        )

    def test_verbose_lines_and_import_time(self):
        for options in (["-v"], ["-X", "importtime"]):
            result = self.run_code("import plain", image=self.image, options=options)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stderr, r"import (time:.*\|.*plain|'plain' # <tenure)")

    def test_optimised(self):
        files = {"asserts.py": '"""Doc."""\nassert __debug__\ndef f():\n    """D."""\n    assert 0, 1\n'}
        for option, doc in ("-O", "Doc."), ("-OO", "None"):
            folder = self.new_folder(files)
            made = self.execute(
                [option, "-m", "tenure", "freeze", "asserts", "-o", "image.tenure"],
                env={"PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(folder)])},
                folder=folder,
            )
            self.assertEqual(made.returncode, 0, made.stderr)
            shown = self.both(
                """
                import asserts
                print(asserts.__doc__, asserts.f(), asserts.f.__doc__, asserts.__spec__.cached[-9:])
                """,
                image=folder / "image.tenure",
                folder=folder,
                options=[option],
            )
            self.assertTrue(shown.startswith(f"{doc} None "), shown)
            for other in {"", "-O", "-OO"} - {option}:
                options = [other] if other else []
                refused = self.run_code("", image=folder / "image.tenure", options=options)
                self.assertEqual(refused.returncode, 1)
                self.assertIn(f"ImageError: {folder / 'image.tenure'}: the header was made with", refused.stderr)
            self.assertIn(f"opt-{len(option) - 1}.pyc", shown)


class AroundTest(ImportTest):
    """What an image does not hold is found where it always was."""

    FILES = {
        "ns/part/__init__.py": "from . import one\n",
        "ns/part/one.py": "import ns\nname = __name__\n",
        "half/__init__.py": "",
        "half/frozen.py": "from . import notfrozen\n",
        "half/notfrozen.py": "where = 'source'\n",
        "naïve/maße.py": "größe = 'ß'\nclass Ünï:\n    maß = 'é'\n    def prüfe(self, ö=1): return self.maß\n",
        "naïve/__init__.py": "from .maße import *\n",
        "naïve/Ωδ漢.py": "astral = '𝔘🎉'\n",
    }

    def test_extension_in_a_frozen_package(self):
        source = Path(importlib.util.find_spec("_queue").origin)
        folder = self.new_folder(
            {
                "mixed/__init__.py": "from . import _queue\nfrom .pure import data\n",
                "mixed/pure.py": """
                    import os
                    with open(os.path.join(os.path.dirname(__file__), "data.bin"), "rb") as file:
                        data = file.read()
                    """,
                "mixed/data.bin": b"\0data",
                f"mixed/{source.name}": source.read_bytes(),
            }
        )
        image = freeze(folder, ["mixed"])
        self.both(
            """
            import mixed
            print(mixed._queue.SimpleQueue().empty(), mixed._queue.__name__, mixed.data)
            print(mixed._queue.__file__, type(mixed._queue.__loader__).__name__)
            """,
            image=image,
            folder=folder,
        )

    def test_namespace_package_around(self):
        other = self.new_folder({"ns/other.py": "value = 'other'\n"})
        image = freeze(self.folder, ["ns"])
        code = f"""
            sys.path.append({str(other)!r})
            import ns.part.one, ns.other
            print(list(ns.__path__), ns.__spec__.origin, ns.__file__ if hasattr(ns, "__file__") else None)
            print(ns.part.one.name, ns.other.value, ns.part.one.ns is ns)
            """
        self.both(code, image=image)

    def test_half_frozen_package(self):
        modules = [m for m in collect(self.folder, ["half"]) if m[0] != "half.notfrozen"]
        image = self.new_folder() / "half.tenure"
        _tenure.write_image(str(image), modules)
        self.both(
            """
            import half.frozen
            print(half.frozen.notfrozen.where, half.notfrozen.__spec__.origin)
            print(sys.modules["half.notfrozen"].__cached__ if sys.version_info < (3, 15) else "")
            """,
            image=image,
        )
        for part, loader in ("frozen", "ImageLoader"), ("notfrozen", "SourceFileLoader"):
            shown = self.check(
                f"import half.{part}; print(type(half.{part}.__loader__).__name__)", image=image
            )
            self.assertEqual(shown, loader + "\n")

    def test_names_that_are_not_ascii(self):
        parent = self.new_folder()
        folder = parent / "ördner ☃ 𝔘"
        os.mkdir(folder)
        write(folder, self.FILES)
        image = freeze(folder, ["naïve"], "bild ☃.tenure")
        shown = self.both(
            """
            import naïve.maße, naïve.Ωδ漢
            from naïve import Ünï
            print(naïve.__name__, naïve.maße.__file__, naïve.maße.größe, Ünï().prüfe(ö=3))
            print(naïve.Ωδ漢.astral, Ünï.prüfe.__code__.co_varnames)
            print(Ünï.__qualname__, ascii(naïve.__path__), sorted(vars(Ünï)))
            """,
            image=image,
            folder=folder,
        )
        self.assertIn("ördner ☃ 𝔘", shown)

    def test_path_that_is_not_text(self):
        parent = self.new_folder()
        folder = Path(os.fsdecode(os.fsencode(parent) + b"/\xff\xfe"))
        os.mkdir(folder)
        (folder / "odd.py").write_text("value = 1\ndef f(): raise ValueError\n")
        image = freeze(folder, ["odd"])
        self.both(
            """
            import odd, traceback
            print(odd.value, ascii(odd.__file__), ascii(odd.__spec__.cached))
            try:
                odd.f()
            except ValueError:
                print(ascii(traceback.format_exc()))
            """,
            image=image,
            folder=folder,
        )


if __name__ == "__main__":
    sys.exit(unittest.main())
