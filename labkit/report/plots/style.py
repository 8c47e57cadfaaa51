"""One style for all plots, each of which is a `Figure` with its text alternative.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), told apart with every kind
of colour vision. A class keeps its colour and marker in all plots; what is not a class is blue,
vermilion or grey. A plot is as wide as one of the report's two columns, and fits a phone.
"""

import base64
import io
import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no screen; pyplot's windows are never opened

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from labkit.report.blocks import Figure

INK, MUTED, GREY = "#222222", "#595959", "#8a8a8a"
BLUE, VERMILION = "#0072B2", "#D55E00"
CLASS_COLOURS = ("#5B4B8A", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#8C6D31", "#B0A400")
MARKERS = "os^DvP*"
COLUMN = 4.1  # inches
LABEL_LENGTH = 18  # characters of a class's name; more would leave its plot no room
STYLE: Any = {
    "figure.dpi": 220,
    "figure.facecolor": "white",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def class_colour(index: int) -> str:
    """The colour of a class, the same in every plot; beyond seven classes they repeat."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def class_marker(index: int) -> str:
    """The marker of a class; past seven classes one meets a colour once more, not both."""
    return MARKERS[(index + index // len(MARKERS)) % len(MARKERS)]


def name_classes(axes: Axes, labels: Sequence[str], at: Sequence[float]) -> None:
    """The classes as ticks on both axes: upright where they are few and short, else slanted."""
    names = [short(label) for label in labels]
    axes.set_xticks(at, names, color=INK)
    axes.set_yticks(at, names, color=INK)
    if len(names) > 2 or sum(map(len, names)) > 1.7 * LABEL_LENGTH:
        axes.set_xticks(at, names, rotation=40, ha="right", rotation_mode="anchor")
        axes.tick_params(labelsize=8)
    else:
        axes.set_yticks(at, names, rotation=90, va="center")
    axes.tick_params(length=0)


def short(label: str) -> str:
    """The label, or its beginning and end: labels that differ late can still be told apart.

    What stands between two dollar signs would be set as a formula.
    """
    half = LABEL_LENGTH // 2
    shown = label if len(label) <= LABEL_LENGTH else f"{label[: half - 1]}…{label[-half:]}"
    return shown.replace("$", r"\$")


def figure_of(canvas: Canvas, title: str, alt: str) -> Figure:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box in the plot, text elsewhere
        canvas.draw_without_rendering()  # the layout's first round; it is right after the second
        # No software version or date inside, so that the same run draws the same bytes.
        canvas.savefig(buffer, format="png", metadata={"Software": None})
    return Figure(title, alt, base64.b64encode(buffer.getvalue()).decode("ascii"))
