"""Plots of behaviours."""

from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure as Canvas

from labkit.evaluation.behaviour import Outcome
from labkit.report.blocks import Figure
from labkit.report.plots.style import BLUE, COLUMN, STYLE, VERMILION, figure_of


@matplotlib.rc_context(STYLE)
def failure_rates(outcomes: Sequence[Outcome]) -> Figure:
    """The failure rate of every behaviour with its 95 % interval."""
    canvas = Canvas(figsize=(COLUMN, 0.42 * len(outcomes) + 0.8))
    axes = canvas.subplots()
    for row, outcome in enumerate(reversed(outcomes)):
        rate = outcome.rate
        colour = VERMILION if outcome.counter_example else BLUE
        axes.plot([100 * rate.low, 100 * rate.high], [row, row], color=colour, lw=2.5)
        axes.plot(100 * rate.value, row, "o", color=colour)
        axes.text(0, row + 0.2, outcome.name.replace("_", " "), color=colour, va="bottom")
    axes.set(xlim=(-0.5, None), ylim=(-0.5, len(outcomes) - 0.2), yticks=[])
    axes.spines.left.set_visible(False)
    axes.set_xlabel("cases that fail (%), 95 % interval")
    axes.grid(axis="x", color="#e3e3e3", lw=0.6)
    axes.set_axisbelow(True)
    words = "; ".join(f"{o.name} {100 * o.rate.value:.1f} % of {o.cases}" for o in outcomes)
    return figure_of(canvas, "How often a behaviour fails", f"Failure rates: {words}.")
