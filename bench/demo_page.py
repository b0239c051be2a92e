"""The demo's result as a page and as a chart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from harness import barchart, report
from harness.barchart import Bar, Group, Panel
from harness.schema import Row

_PAGE_BYTES = os.sysconf("SC_PAGESIZE")
FROM_PYC, FROM_IMAGE = "from .pyc files", "from the image"


@dataclass(frozen=True)
class Demo:
    """All that was found out; `rows` are demo_measure.rows."""

    rows: Sequence[Row]
    modules: int
    django: str
    python: str
    machine: str
    load: str
    output: str


@dataclass(frozen=True)
class Line:
    """One line of the table: a number from .pyc files, from the image, and what that means."""

    title: str
    peer: str
    own: str
    note: str


_TITLES = {
    "import": "Imports of the program",
    "load": "of it, loading the image",
    "process": "Whole process, wall time",
    "process-fast": "the same, left by fast_exit()",
    "private": "Private memory of the process",
    "image-mapped": "Image, mapped",
    "image-shared-clean": "of it, shared and clean",
    "image-private": "of it, private",
    "size": "Files",
}


def lines(rows: Sequence[Row]) -> list[Line]:
    by_name = {_short(row): row for row in rows}
    return [_line(by_name[name], title, by_name) for name, title in _TITLES.items()]


def _short(row: Row) -> str:
    return row.name.removeprefix("demo/")


def _line(row: Row, title: str, by_name: dict[str, Row]) -> Line:
    name = _short(row)
    peer = "".join(_value(row, label) for label in row.peers)
    note = _comparison(row)
    if name in ("image-shared-clean", "image-private"):
        mapped = by_name["image-mapped"].tenure
        note = f"{100 * row.tenure / mapped:.0f} % of it" if mapped else ""
    own = _value(row, "tenure")
    if name.startswith("image-"):
        own += f" ({1024 * row.tenure / _PAGE_BYTES:,.0f} pages)"
    return Line(title, peer, own, note)


def amount(value: float, unit: str) -> str:
    if unit in ("KiB", "bytes"):
        mib = value / 1024 / (1 if unit == "KiB" else 1024)
        return f"{mib:.1f} MiB"
    return f"{report.number(value)} {unit}"


def _value(row: Row, label: str) -> str:
    middle = row.tenure if label == "tenure" else row.peers[label]
    low, high = row.spread[label]
    text = amount(middle, row.unit)
    if low == high or row.unit != "ms":
        return text
    return f"{text} ({report.number(low)} to {report.number(high)})"


def _comparison(row: Row) -> str:
    for times in row.speedup.values():
        better, worse = ("faster", "slower") if row.unit == "ms" else ("less", "more")
        if round(times, 2) == 1:
            return "the same"
        return f"{times:.2f} times {better}" if times > 1 else f"{1 / times:.2f} times {worse}"
    return ""


def svg(demo: Demo, *, standalone: bool) -> str:
    """The bars: times on one scale, memory on another."""
    by_name = {_short(row): row for row in demo.rows}
    times = Panel([_group(by_name["import"]), _group(by_name["process"])])
    memory = Panel([_group(by_name["private"])])
    title = f"A Django {demo.django} program with and without its image ({demo.python})"
    panels = [times, memory]
    return barchart.render(title, barchart.describe(panels), panels, standalone=standalone)


def _group(row: Row) -> Group:
    (label,) = row.peers
    bars = [
        Bar(
            FROM_PYC,
            row.peers[label],
            amount(row.peers[label], row.unit),
            *row.spread[label],
            own=False,
        ),
        Bar(FROM_IMAGE, row.tenure, amount(row.tenure, row.unit), *row.spread["tenure"], own=True),
    ]
    ahead = row.speedup[label] > 1
    return Group(_TITLES[_short(row)], bars, _comparison(row), ahead)


def html(demo: Demo) -> str:
    """The page: self-contained, light and dark."""
    body = "\n".join(
        f"<tr><th scope=row{' class=part' if line.title.startswith('of it') else ''}>"
        f"{escape(line.title)}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in (line.peer, line.own, line.note))
        + "</tr>"
        for line in lines(demo.rows)
    )
    methods = "\n".join(
        f"<dt>{escape(row.name)}, n = {row.n}</dt><dd>{escape(method)}</dd>"
        for row in demo.rows
        for method in [row.method.removesuffix(f"; {demo.machine}")]
    )
    imports = next(row for row in demo.rows if _short(row) == "import")
    return _PAGE.format(
        style=barchart.STYLE + _STYLE,
        headline=escape(f"The same Django program: imports {_comparison(imports)} from an image"),
        facts=escape(
            f"{demo.modules} modules of Django {demo.django} and the standard library, frozen "
            f"once, on {demo.python}. With the image and without it the program printed the same "
            f"{len(demo.output.encode())} bytes in every run."
        ),
        chart=svg(demo, standalone=False),
        table=body,
        methods=methods,
        output=escape(demo.output),
        machine=escape(f"{demo.machine}; load {demo.load}"),
    )


_STYLE = """
:root { color-scheme: light dark;
  --ink: #1b1f24; --quiet: #57606a; --ground: #ffffff; --rule: #d5dae0; --code: #f4f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --quiet: #a0a9b4; --ground: #14181c; --rule: #333b44; --code: #1c2228; }
}
body { margin: 0 auto; max-width: 760px; padding: 40px 20px 64px;
  background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 28px; line-height: 1.25; margin: 0 0 12px; text-wrap: balance; }
h2 { font-size: 18px; margin: 40px 0 8px; }
p { margin: 0 0 16px; max-width: 66ch; }
.quiet { color: var(--quiet); }
.wide { overflow-x: auto; }
.wide svg { display: block; width: 100%; min-width: 560px; height: auto; margin: 16px 0; }
table { border-collapse: collapse; width: 100%; font-size: 14px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 7px 0 7px 16px; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--rule); }
td:last-child { white-space: normal; min-width: 9em; }
th:first-child { text-align: left; padding-left: 0; }
tbody th { font-weight: 400; }
tbody th.part { padding-left: 16px; color: var(--quiet); }
thead th { font-weight: 600; vertical-align: bottom; }
summary { cursor: pointer; margin-top: 24px; }
pre { background: var(--code); padding: 12px 14px; overflow-x: auto; font-size: 13px;
  border-radius: 6px; }
dt { font-weight: 600; font-size: 14px; margin-top: 10px; } dd { margin: 0; font-size: 14px; }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tenure: the demo</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{headline}</h1>
<p>{facts}</p>
<div class="wide">
{chart}</div>
<p class="quiet">Bars are medians of runs in fresh processes, with and without the image in turn;
the lines at their ends show between what the middle half of the runs lies.</p>
<h2>All numbers</h2>
<div class="wide"><table>
<thead><tr><th scope="col">Median (middle half of the runs)</th><th scope="col">From .pyc files</th>
<th scope="col">From the image</th><th scope="col">Difference</th></tr></thead>
<tbody>
{table}
</tbody>
</table></div>
<details><summary>How each number was measured</summary><dl>
{methods}
</dl></details>
<details><summary>What the program printed</summary><pre>{output}</pre></details>
<p class="quiet" style="margin-top: 32px">{machine}</p>
</main>
</body>
</html>
"""
