"""tenure.write_report(): who writes to images, and where."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import unittest

import tenure

from helpers import PACKAGE_FOLDER, FolderTest
from test_seal import DATA, FILES, START, USE, USE_DATA


class WriteReportTest(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        self.write(FILES)
        self.freeze("app")

    def run_code(self, code: str, *options: str) -> subprocess.CompletedProcess[str]:
        env = {"PYTHONPATH": f"{PACKAGE_FOLDER}:{self.folder}"}
        program = START + "import app, counts_immortals\n" + textwrap.dedent(code)
        return self.python(*options, "-c", program, env=env)

    def check(self, code: str, *options: str) -> str:
        result = self.run_code(code, *options)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        return result.stdout

    def test_who_counts_immortal_objects_is_named(self):
        self.assertRegex(
            self.check(
                """
                report = tenure.write_report(counts_immortals.count, app.TABLE[1][1])
                for write in report.writes:
                    assert write.object is app.TABLE[1][1], write
                    assert write.image == "image.tenure" and write.shape == "tuple", write
                    assert write.field == "ob_refcnt" and write.count == 1, write
                    assert len(write.before) == len(write.after) == 8 and write.before != write.after, write
                    print(write.path, write.binary)
                assert report.writes[0].before == report.writes[1].after
                assert report.result is None and report.unrecorded == 0 and not image.sealed
                print(report.binaries)
                """
            ),
            r"\A(module 'app\.core': code\.co_consts\[\d+\]\[1\]\[1\] /\S*/counts_immortals\.\S*so\n){2}"
            r"\{'/\S*/counts_immortals\.\S*so': 2\}\n\Z",
        )

    def test_the_text_says_all_of_it(self):
        self.assertRegex(
            self.check("print(tenure.write_report(lambda: [counts_immortals.count(app.TABLE[1]) for _ in range(3)]))"),
            r"\A6 writes to images, by\n +6 /\S*/counts_immortals\.\S*so\nimage\.tenure:\n"
            r"(  module 'app\.core': code\.co_consts\[\d+\]\[1\]: tuple \('first text', .*\), field ob_refcnt: "
            r"0x[0-9a-f]+ -> 0x[0-9a-f]+, 3 times, by counts_immortals\.\S*so at 0x[0-9a-f]+.*\n){2}\Z",
        )
        self.assertEqual(self.check("print(tenure.write_report(int))"), "nothing was written to an image\n")
        self.assertEqual(self.check("print(repr(tenure.write_report(int)))"), "<tenure.WriteReport: 0 places written>\n")

    def test_bytes_that_are_overwritten_are_one_write(self):
        self.assertEqual(
            self.check(
                """
                report = tenure.write_report(counts_immortals.overwrite, app.RAW)
                (write,) = report.writes
                print(write.field, write.count, write.before, write.object)
                """
            ),
            "contents 21 b'raw bytes of the' b'raw bytes of the core'\n",
        )

    def test_without_filling_the_interpreter_is_seen(self):
        self.assertEqual(
            self.check(
                """
                def hashes(): hash(app.RAW)
                report = tenure.write_report(hashes, fill=False)
                for write in report.writes:
                    print(write.field, write.object is app.RAW, write.count, write.before == b"\\xff" * 8)
                    assert int.from_bytes(write.after, "little", signed=True) == hash(write.object)
                    assert os.path.realpath(write.binary) == os.path.realpath(sys.executable), write
                print(tenure.write_report(hashes, fill=False))
                """
            ),
            "ob_shash True 1 True\nnothing was written to an image\n",
        )

    def test_after_filling_it_writes_nothing(self):
        self.assertEqual(self.check(f"{USE}\nprint(tenure.write_report(use_all))"), "nothing was written to an image\n")

    def test_seals_are_as_they_were(self):
        self.assertEqual(
            self.check(
                f"""
                {textwrap.indent(USE, " " * 16).strip()}
                for sealed in False, True:
                    image.seal() if sealed else image.unseal()
                    for fill in False, True:
                        tenure.write_report(use_all, fill=fill)
                        assert image.sealed == sealed
                pid = os.fork()
                if pid == 0:
                    os.close(2)
                    counts_immortals.count(app.TABLE)
                    os._exit(0)
                print(os.waitpid(pid, 0)[1])
                image.unseal()
                counts_immortals.count(app.TABLE)
                """.replace("\n                ", "\n")
            ),
            "11\n",
        )

    def test_arguments_and_result(self):
        self.assertEqual(
            self.check("print(tenure.write_report(lambda *a, **k: (a, k), 1, 2, fill=True, x=3, callable=4).result)"),
            "((1, 2), {'x': 3, 'callable': 4})\n",
        )

    def test_exceptions_are_raised_with_the_report(self):
        self.assertEqual(
            self.check(
                """
                def fails():
                    counts_immortals.count(app.TABLE)
                    raise KeyError("so")
                try: tenure.write_report(fails)
                except KeyError as error: print(error, len(error.write_report.writes), error.write_report.result)
                try: tenure.write_report(sys.exit, 3)
                except SystemExit as error: print(error.code, error.write_report)
                print(image.sealed); counts_immortals.count(app.TABLE)
                try: tenure.write_report(None)
                except TypeError as error: print(error)
                """
            ),
            "'so' 2 None\n3 nothing was written to an image\nFalse\n'NoneType' object is not callable\n",
        )

    def test_what_cannot_be_done_is_refused(self):
        self.assertEqual(
            self.check(
                """
                def nested():
                    try: tenure.write_report(int)
                    except RuntimeError as error: print(error)
                    counts_immortals.count(app.TABLE)
                print(len(tenure.write_report(nested).writes))
                """
            ),
            "a write report is being made already; one at a time\n2\n",
        )
        result = self.python("-c", "import tenure\ntry: tenure.write_report(int)\nexcept RuntimeError as e: print(e)")
        self.assertEqual(result.stdout, "no image is loaded, so there is nothing to report on; tenure.load() one\n")

    def test_threads(self):
        self.assertEqual(
            self.check(
                """
                import threading
                def work():
                    def count():
                        for _ in range(300): counts_immortals.count(app.TABLE)
                    threads = [threading.Thread(target=count) for _ in range(4)]
                    for thread in threads: thread.start()
                    for thread in threads: thread.join()
                print([write.count for write in tenure.write_report(work).writes])
                """
            ),
            "[1200, 1200]\n",
        )

    def test_forked_children_report_for_themselves(self):
        self.assertEqual(
            self.check(
                """
                def work():
                    counts_immortals.count(app.TABLE)
                    if pid := os.fork():
                        os.waitpid(pid, 0)
                    else:
                        counts_immortals.count(app.TABLE[1])
                report = tenure.write_report(work)
                print(len(report.writes), flush=True)
                """
            ),
            "4\n2\n",
        )

    def test_other_handlers(self):
        # One that was there before, and one that comes while a report is made.
        for before in "", "import faulthandler; faulthandler.enable()\n":
            result = self.run_code(
                before + "print(len(tenure.write_report(counts_immortals.count, app.TABLE).writes), flush=True)\n"
                "import ctypes; tenure.write_report(ctypes.string_at, 8)"
            )
            self.assertEqual((result.returncode, result.stdout), (-11, "2\n"), result.stderr)
            self.assertEqual("Fatal Python error: Segmentation fault" in result.stderr, bool(before))
        self.assertEqual(
            self.check(
                """
                import faulthandler
                tenure.write_report(faulthandler.enable)
                print(len(tenure.write_report(counts_immortals.count, app.TABLE).writes))
                faulthandler.disable()
                print(len(tenure.write_report(counts_immortals.count, app.TABLE).writes))
                """
            ),
            "2\n2\n",
        )

    def test_data(self):
        tenure.freeze_data(DATA, self.folder / "data.tenure")
        tenure.freeze_data({"a": DATA, "b": [{"x y": (1.5, [2.5])}]}, self.folder / "roots.tenure", roots=True)
        self.assertEqual(
            self.check(
                f"""
                {textwrap.indent(USE_DATA, " " * 16).strip()}
                data, roots = tenure.load("data.tenure"), tenure.load("roots.tenure")
                def count():
                    for value in (
                        data.root, data.root["countries"], data.root["countries"][3], data.root["countries"][3]["name"],
                        data.root["countries"][9]["tags"], data.root[5], data.root["not a name"]["__len__"],
                        roots.roots["b"][0]["x y"][1][0], roots.roots["a"]["text"],
                    ):
                        counts_immortals.count(value)
                for write in tenure.write_report(count).writes[::2]: print(write.path, write.shape)
                print(tenure.write_report(use_data, data.root))
                seen = tenure.write_report(use_data, roots.roots["a"], fill=False)
                print(seen)
                """.replace("\n                ", "\n")
            ),
            "$ FrozenDict\n$.countries tuple\n$.countries[3] FrozenDict\n$.countries[3].name str\n"
            "$.countries[9].tags tuple\n$[5] bytes\n$['not a name'].__len__ str\n"
            "roots['b'][0]['x y'][1][0] float\nroots['a'].text str (ASCII)\n"
            "nothing was written to an image\nnothing was written to an image\n",
        )

    def test_sealing_inside(self):
        self.assertEqual(
            self.check(
                """
                def work():
                    image.seal()
                    counts_immortals.count(app.TABLE)
                print(len(tenure.write_report(work).writes))
                """
            ),
            "2\n",
        )

    def test_many_writes(self):
        self.write({"many.py": f"MANY = ({', '.join(f'{i}.5' for i in range(40000))})\n"})
        self.tenure("freeze", "many", "-o", "many.tenure")
        self.assertEqual(
            self.check(
                """
                tenure.load("many.tenure"); import many
                report = tenure.write_report(lambda: [counts_immortals.count(x) for x in many.MANY])
                print(len(report.writes) + report.unrecorded, report.unrecorded > 0, "more were not recorded" in str(report))
                """
            ),
            "80000 True True\n",
        )


if __name__ == "__main__":
    sys.exit(unittest.main())
