"""Rows for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .registry import Target
from .schema import Row


def number(value: float) -> str:
    """Three or four digits that matter, and thousands apart."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def spread(row: Row, label: str) -> str:
    """ "12.1..12.9", or nothing for a value that was counted once."""
    low, high = row.spread[label]
    return f"{number(low)}..{number(high)}" if low != high else ""


def times(row: Row, label: str) -> str:
    """ "1.62x (1.58..1.66)"."""
    low, high = row.spread[f"speedup {label}"]
    text = f"{row.speedup[label]:.3g}x"
    if abs(row.speedup[label] - 1) < 0.1:
        text = f"{row.speedup[label]:.3f}x"
        return text if low == high else f"{text} ({low:.3f}..{high:.3f})"
    return text if low == high else f"{text} ({low:.3g}..{high:.3g})"


def table(lines: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Columns in line, the first line being the heading; all but those numbered in `left` stand to
    the right.
    """
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]

    def text(line: Sequence[str]) -> str:
        cells = []
        for i, (cell, width) in enumerate(zip(line, widths, strict=True)):
            cells.append(cell.ljust(width) if i in left else cell.rjust(width))
        return "  ".join(cells).rstrip()

    heading = text(lines[0])
    return "\n".join([heading, "-" * len(heading), *map(text, lines[1:])])


def rows_table(rows: Iterable[Row]) -> str:
    """One line for each row and peer."""
    lines = [
        (
            "benchmark",
            "tenure",
            "middle half",
            "peer's",
            "middle half",
            "peer",
            "speedup (95 %)",
            "n",
        )
    ]
    for row in rows:
        own = (row.name, f"{number(row.tenure)} {row.unit}", spread(row, "tenure"))
        for label, value in row.peers.items():
            short = label.removesuffix(f", {row.python}")
            lines.append(
                (*own, number(value), spread(row, label), short, times(row, label), str(row.n))
            )
        if not row.peers:
            lines.append((*own, "", "", "", "", str(row.n)))
    return table(lines)


def verdicts(rows: Iterable[Row], targets: Mapping[str, Target]) -> str:
    """One line for each measured number that something was promised about; else nothing."""
    lines = [("benchmark", "measured", "wanted", "")]
    for row in rows:
        if target := targets.get(row.name):
            value = f"{target.value(row):.4g}"
            lines.append((row.name, value, target.wanted(row), target.verdict(row)))
    return table(lines, left=(0, 3)) if len(lines) > 1 else ""
