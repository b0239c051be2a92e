"""Horizontal bar charts as SVG, by themselves or inside a page: light and dark, self-contained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 720
_MARGIN = 16
_BARS_LEFT = 132
_BARS_RIGHT = 560
_BAR_HEIGHT = 20
_TITLE_BASELINE = 16
_FIRST_BAR = 28
_BAR_STEP = 26
_GROUP_GAP = 22
_SMALLEST_WHISKER = 2

# Both palettes keep text at a contrast of at least 4.5 and bars of at least 3 to the ground.
STYLE = """
.chart { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  --ink: #1b1f24; --quiet: #57606a; --ground: #ffffff; --own: #0f766e; --peer: #87909b; }
@media (prefers-color-scheme: dark) {
  .chart { --ink: #e6e9ed; --quiet: #a0a9b4; --ground: #14181c; --own: #2bb3a3; --peer: #6d7783; }
}
.chart text { fill: var(--ink); }
.chart .quiet { fill: var(--quiet); }
.chart .title, .chart .note { font-weight: 600; }
.chart .good { fill: var(--own); }
.chart .ground { fill: var(--ground); }
.chart .own { fill: var(--own); }
.chart .peer { fill: var(--peer); }
.chart .whisker { stroke: var(--ink); stroke-width: 1.25; fill: none; }
"""


@dataclass(frozen=True)
class Bar:
    label: str
    value: float
    text: str  # the value with its unit
    low: float
    high: float  # the whisker's ends; none is drawn when they are as good as equal
    own: bool  # in the colour that stands for Tenure


@dataclass(frozen=True)
class Group:
    """Bars to be compared with each other."""

    title: str
    bars: Sequence[Bar]
    note: str = ""
    good: bool = True  # whether the note is to be shown as good news


@dataclass(frozen=True)
class Panel:
    """Groups of one unit, drawn on one scale that starts at nothing."""

    groups: Sequence[Group]


def render(title: str, description: str, panels: Sequence[Panel], *, standalone: bool) -> str:
    """The chart as an <svg> element; `standalone`: with style, ground and heading, as a file."""
    top = 40 if standalone else 4
    parts: list[str] = []
    y = top
    for panel in panels:
        scale = _scale(panel)
        for group in panel.groups:
            parts += _group(group, y, scale)
            y += _FIRST_BAR + _BAR_STEP * len(group.bars) + _GROUP_GAP
    height = y - _GROUP_GAP + 8

    left, width = (
        (0, WIDTH) if standalone else (_MARGIN, WIDTH - 2 * _MARGIN)
    )  # a page has margins of its own
    head = [
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="{left} 0 {width} {height}" '
        f'role="img" aria-labelledby="chart-title chart-description">',
        f'<title id="chart-title">{escape(title)}</title>',
        f'<desc id="chart-description">{escape(description)}</desc>',
    ]
    if standalone:
        head.append(f"<style>{STYLE}</style>")
        head.append(f'<rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>')
        head.append(
            f'<text class="title" x="{_MARGIN}" y="26" font-size="15">{escape(title)}</text>'
        )
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


def describe(panels: Sequence[Panel]) -> str:
    """What the chart shows, in words, for those who do not see it."""
    sentences = []
    for panel in panels:
        for group in panel.groups:
            bars = ", ".join(f"{bar.label} {bar.text}" for bar in group.bars)
            sentences.append(
                f"{group.title}: {bars}" + (f" ({group.note})." if group.note else ".")
            )
    return " ".join(sentences)


def _scale(panel: Panel) -> float:
    largest = max(max(bar.value, bar.high) for group in panel.groups for bar in group.bars)
    return (_BARS_RIGHT - _BARS_LEFT) / (largest or 1)


def _group(group: Group, y: float, scale: float) -> list[str]:
    parts = [
        f'<text class="title" x="{_MARGIN}" y="{y + _TITLE_BASELINE}">{escape(group.title)}</text>'
    ]
    if group.note:
        parts.append(
            f'<text class="{"note good" if group.good else "note"}" x="{WIDTH - _MARGIN}" '
            f'y="{y + _TITLE_BASELINE}" text-anchor="end">{escape(group.note)}</text>'
        )
    for i, bar in enumerate(group.bars):
        parts += _bar(bar, y + _FIRST_BAR + i * _BAR_STEP, scale)
    return parts


def _bar(bar: Bar, y: float, scale: float) -> list[str]:
    middle = y + _BAR_HEIGHT / 2
    baseline = middle + 4.5
    end = _BARS_LEFT + max(bar.value * scale, 1)
    low, high = (_BARS_LEFT + bound * scale for bound in (bar.low, bar.high))
    kind = "own" if bar.own else "peer"
    parts = [
        f'<text class="quiet" x="{_BARS_LEFT - 10}" y="{baseline:g}" text-anchor="end">'
        f"{escape(bar.label)}</text>",
        f'<rect class="{kind}" x="{_BARS_LEFT}" y="{y:g}" width="{end - _BARS_LEFT:.1f}" '
        f'height="{_BAR_HEIGHT}" rx="2"/>',
    ]
    if high - low >= _SMALLEST_WHISKER:
        parts.append(
            f'<path class="whisker" d="M{low:.1f} {middle - 4:g}v8m0-4H{high:.1f}m0-4v8"/>'
        )
    parts.append(f'<text x="{max(end, high) + 9:.1f}" y="{baseline:g}">{escape(bar.text)}</text>')
    return parts
