"""One style for all plots, each of which is a `Figure`: SVG with its text alternative.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), told apart with every kind
of colour vision. A class keeps its colour and marker in all plots; what is not a class is blue,
vermilion or grey. In the page these become CSS variables, so that a plot is dark in dark mode; a
colour that must not change, as on a heat map's cell, is `ON_LIGHT` or `ON_DARK`. A plot is as wide
as one of the report's two columns, and fits a phone.
"""

import io
import re
import warnings
import zlib
from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no screen; pyplot's windows are never opened

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from labkit.report.blocks import Figure

INK, MUTED, GREY, GRID, PAPER = "#222222", "#595959", "#8a8a8a", "#e3e3e3", "#fffffe"
BLUE, VERMILION = "#0072b2", "#d55e00"
ON_LIGHT, ON_DARK = "#1a1a1a", "#fafafa"
CLASS_COLOURS = ("#5b4b8a", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8c6d31", "#b0a400")
VARIABLES = {  # of report.css, by the colour that stands for each while a plot is drawn
    INK: "ink",
    MUTED: "muted",
    GREY: "grey",
    GRID: "line",
    PAPER: "card",
    BLUE: "blue",
    VERMILION: "vermilion",
}
COLUMN = 4.1  # inches
LABEL_LENGTH = 18  # characters of a class's name; more would leave its plot no room
STYLE: Any = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "text.color": INK,
    "text.parse_math": False,  # a class may be called $x$
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",  # text stays text, in the page's own typeface
    "svg.hashsalt": "labkit",  # the same run draws the same bytes
}


def name_classes(axes: Axes, labels: Sequence[str], at: Sequence[float]) -> None:
    """The classes as ticks on both axes: upright where they are few and short, else slanted."""
    names = short_names(labels)
    axes.set_xticks(at, names, color=INK)
    axes.set_yticks(at, names, color=INK)
    if len(names) > 2 or sum(map(len, names)) > 1.7 * LABEL_LENGTH:
        axes.set_xticks(at, names, rotation=40, ha="right", rotation_mode="anchor")
        axes.tick_params(labelsize=8 if len(names) <= 10 else 6)
    else:
        axes.set_yticks(at, names, rotation=90, va="center")
    axes.tick_params(length=0)


def legend_below(canvas: Canvas, axes: Axes, columns: int = 3) -> None:
    """The names of the lines under the plot, where they cover none of them."""
    handles, names = axes.get_legend_handles_labels()
    canvas.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=columns,
        fontsize=9,
        handlelength=1.7,
        columnspacing=1.2,
    )


def short_names(labels: Sequence[str]) -> list[str]:
    """The labels in at most `LABEL_LENGTH` characters, all different.

    A long one loses its middle, at the place nearest to it that still tells all of them apart;
    where no place does, they are numbered.
    """
    places = sorted(range(1, LABEL_LENGTH), key=lambda head: abs(head - (LABEL_LENGTH // 2 - 1)))
    for head in places:
        names = [_without_middle(label, head) for label in labels]
        if len(set(names)) == len(set(labels)):
            return names
    return [f"{number}: {label[: LABEL_LENGTH - 6]}…" for number, label in enumerate(labels, 1)]


def _without_middle(label: str, head: int) -> str:
    if len(label) <= LABEL_LENGTH:
        return label
    tail = LABEL_LENGTH - 1 - head
    return f"{label[:head]}…{label[len(label) - tail :]}"


def figure_of(canvas: Canvas, title: str, alt: str, how: str = "") -> Figure:
    """The plot as a block; `how` is one sentence on how to read it."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the browser has one
        canvas.draw_without_rendering()  # the layout's first round; it is right after the second
        # No software version or date inside, so that the same run draws the same bytes.
        canvas.savefig(buffer, format="svg", metadata={"Creator": None, "Date": None})
    return Figure(title, alt, inline(buffer.getvalue(), title), how)


def inline(svg: str, title: str) -> str:
    """Matplotlib's SVG as part of a page: ids of its own, the page's typeface and colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style .*?</style>|<!--.*?-->", "", svg, flags=re.S)
    width, height = re.findall(r"viewBox=\"0 0 ([\d.]+) ([\d.]+)\"", svg)[0]
    opening = f'<svg class="drawn" viewBox="0 0 {width} {height}" aria-hidden="true">'
    svg = opening + svg[svg.index(">") + 1 :]
    own = f"{zlib.crc32(title.encode()):x}"
    svg = re.sub(r'\bid="([^"]+)"', rf'id="p{own}-\1"', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\1p{own}-", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    for colour, name in VARIABLES.items():
        svg = svg.replace(colour, f"var(--{name})")
    for index, colour in enumerate(CLASS_COLOURS):
        svg = svg.replace(colour, f"var(--class-{index})")
    return re.sub(r"\n\s*", "\n", svg).replace("\n<", "<").strip()
