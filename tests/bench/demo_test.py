"""The demo's check of the output, its chart and its page."""

import contextlib
import html.parser
import io
import tempfile
import unittest
import unittest.mock
from pathlib import Path
from xml.etree import ElementTree

import bench_path  # noqa: F401  puts what follows on the path
import demo
import demo_measure
import demo_page
from harness import barchart, context
from harness.barchart import Bar, Group, Panel
from harness.errors import BenchError
from harness.schema import make_row

SVG = "{http://www.w3.org/2000/svg}"


def run(output):
    return demo_measure.Run(output, 300.0, 160.0, 2.0, 0.5)


def result():
    def row(name, unit, own, other, better="lower"):
        peers = {} if other is None else {".pyc, CPython 3.14.8": [other, other * 1.1]}
        return make_row(
            f"demo/{name}", unit, better, "CPython", [own, own * 1.2], peers, "a < b & c"
        )

    rows = [
        row("import", "ms", 100.0, 167.0),
        row("process", "ms", 200.0, 290.0),
        row("process-fast", "ms", 160.0, 290.0),
        row("load", "ms", 0.4, None),
        row("private", "KiB", 20000, 30000),
        row("image-mapped", "KiB", 10000, None),
        row("image-shared-clean", "KiB", 6000, None, "higher"),
        row("image-private", "KiB", 2000, None),
        row("size", "bytes", 9_000_000, 7_000_000),
    ]
    return demo_page.Demo(
        rows, 436, "5.2", "CPython 3.14.8", "A & B", "0.1", "<b>output</b> & more"
    )


class SameOutput(unittest.TestCase):
    def test_the_same(self):
        runs = {"from the image": [run("a\n")] * 2, demo_measure.PEER: [run("a\n")] * 2}
        self.assertEqual(demo_measure.check_same(runs), "a\n")

    def test_a_difference_fails_and_is_shown(self):
        runs = {
            "from the image": [run("one\ntwo\n"), run("one\n2\n")],
            demo_measure.PEER: [run("one\ntwo\n")] * 2,
        }
        with self.assertRaises(BenchError) as caught:
            demo_measure.check_same(runs)
        message = str(caught.exception)
        self.assertIn("does not print the same", message)
        self.assertIn("\n-two\n+2", message)
        self.assertIn("+++ from the image", message)

    def test_the_same_lines_with_other_ends_are_different_too(self):
        runs = {"from the image": [run("one")], demo_measure.PEER: [run("one\n")]}
        with self.assertRaisesRegex(BenchError, "does not print the same"):
            demo_measure.check_same(runs)

    def test_no_output_proves_nothing(self):
        runs = {"from the image": [run("")], demo_measure.PEER: [run("")]}
        with self.assertRaisesRegex(BenchError, "printed nothing"):
            demo_measure.check_same(runs)


class Chart(unittest.TestCase):
    def chart(self, standalone):
        group = Group(
            "Imports & <more>",
            [
                Bar("from .pyc", 160.0, "160 ms", 150.0, 170.0, own=False),
                Bar("from the image", 80.0, "80 ms", 80.0, 80.0, own=True),
            ],
            "2 times faster",
        )
        panels = [Panel([group])]
        text = barchart.render(
            'A "title"', barchart.describe(panels), panels, standalone=standalone
        )
        return ElementTree.fromstring(text)

    def test_bars_have_the_lengths_of_their_values(self):
        root = self.chart(standalone=False)
        widths = {rect.get("class"): float(rect.get("width")) for rect in root.iter(f"{SVG}rect")}
        self.assertAlmostEqual(widths["peer"], 2 * widths["own"], delta=0.2)
        self.assertEqual(len(list(root.iter(f"{SVG}path"))), 1, "a whisker where there is a spread")

    def test_it_can_be_read_without_being_seen(self):
        root = self.chart(standalone=True)
        self.assertEqual(root.get("role"), "img")
        labels = root.get("aria-labelledby").split()
        texts = {element.get("id"): element.text for element in root.iter() if element.get("id")}
        self.assertEqual(texts[labels[0]], 'A "title"')
        self.assertIn("from .pyc 160 ms, from the image 80 ms (2 times faster)", texts[labels[1]])

    def test_alone_it_has_style_and_ground(self):
        root = self.chart(standalone=True)
        style = root.find(f"{SVG}style").text
        self.assertIn("prefers-color-scheme: dark", style)
        self.assertIsNotNone(root.find(f"{SVG}rect[@class='ground']"))
        self.assertIsNone(self.chart(standalone=False).find(f"{SVG}style"))

    def test_nothing_to_show_is_no_error(self):
        panels = [Panel([Group("none", [Bar("b", 0, "0", 0, 0, own=True)])])]
        ElementTree.fromstring(barchart.render("t", "d", panels, standalone=True))


class _Page(html.parser.HTMLParser):
    """Checks that elements are closed in order, and notes what a page fetches."""

    EMPTY = {"meta", "rect", "path"}

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.EMPTY and self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing")


class Page(unittest.TestCase):
    def test_well_formed_self_contained_and_escaped(self):
        text = demo_page.html(result())
        page = _Page()
        page.feed(text)
        page.close()
        self.assertEqual((page.open, page.fetched), ([], []))
        self.assertNotIn("script", page.tags)
        self.assertNotIn("url(", text)
        self.assertIn("&lt;b&gt;output&lt;/b&gt; &amp; more", text)
        self.assertIn("1.60 times faster", text)

    def test_chart_alone_is_xml(self):
        ElementTree.fromstring(demo_page.svg(result(), standalone=True))

    def test_table_has_a_line_for_each_number(self):
        text = demo.table(result())
        for part in ("110 ms (105 to 115)", "loading the image", "60 % of it", "pages)"):
            self.assertIn(part, text)
        self.assertEqual(len(text.splitlines()), 2 + 9)

    def test_slower_is_not_called_faster(self):
        rows = [
            make_row("demo/import", "ms", "lower", "C", [200.0], {"p": [100.0]}, "m"),
            *result().rows[1:],
        ]
        self.assertEqual(demo_page.lines(rows)[0].note, "2.00 times slower")


class Main(unittest.TestCase):
    def test_a_failure_is_one_sentence_and_a_status(self):
        errors = io.StringIO()
        with (
            tempfile.TemporaryDirectory() as folder,
            unittest.mock.patch.object(context, "OUT", Path(folder)),
            unittest.mock.patch.object(demo, "measure", side_effect=BenchError("no Django")),
            contextlib.redirect_stderr(errors),
        ):
            self.assertEqual(demo.main([]), 1)
        self.assertEqual(errors.getvalue().splitlines()[-1], "demo: no Django")


if __name__ == "__main__":
    unittest.main()
