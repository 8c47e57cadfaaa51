"""The metrics of a comparison over the runs so far: one small plot each, in one figure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from labkit.report.blocks import Figure
from labkit.report.plots.style import BLUE, COLUMN, MUTED, STYLE, VERMILION, figure_of

COLUMNS = 2


@dataclass(frozen=True)
class Course:
    """A metric over runs, oldest first and this one last; None where it was not measured.

    `worst` is the last number that is no regression against `baseline`; `regressed` is this run's.
    """

    name: str
    values: tuple[float | None, ...]
    baseline: float | None
    worst: float | None
    regressed: bool


@matplotlib.rc_context(STYLE)
def trend(courses: Sequence[Course], passed: Sequence[bool]) -> Figure:
    """The courses side by side; runs that did not pass (`passed`, one a run) are hollow."""
    rows = math.ceil(len(courses) / COLUMNS)
    canvas = Canvas(figsize=(COLUMN, 0.35 + 0.95 * rows))
    grid = canvas.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, course in zip(grid, courses, strict=False):
        _course(axes, course, passed)
    for axes in grid[len(courses) :]:
        axes.set_axis_off()
    shown = "; ".join(
        f"{course.name} {_shown(course.values[0])} at first, {_shown(course.values[-1])} now"
        for course in courses
    )
    return figure_of(
        canvas,
        f"The last {len(passed)} runs on these posts",
        f"Each compared metric over the last {len(passed)} runs on the same posts: {shown}.",
        "From left to right the runs, this one last; hollow is one that did not pass. The dashed line is "
        "the baseline, the dotted one where a regression begins.",
    )


def _course(axes: Axes, course: Course, passed: Sequence[bool]) -> None:
    runs = [run for run, value in enumerate(course.values) if value is not None]
    values = [value for value in course.values if value is not None]
    axes.plot(runs, values, color=BLUE, lw=1, zorder=1)
    for run, value in zip(runs, values, strict=True):
        last = run == len(passed) - 1
        colour = VERMILION if last and course.regressed else BLUE
        face = colour if passed[run] else "none"
        axes.plot([run], [value], "o", ms=4.5 if last else 3, mec=colour, mfc=face)
    for level, style in ((course.baseline, "--"), (course.worst, ":")):
        if level is not None:
            axes.axhline(level, color=MUTED, lw=0.8, ls=style, zorder=0)
    axes.set_title(course.name, fontsize=8, fontweight="normal")
    axes.set_xlim(-0.5, len(passed) - 0.5)
    axes.set_xticks([])
    axes.margins(y=0.2)
    axes.locator_params(axis="y", nbins=3)
    axes.tick_params(labelsize=7)


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.4g}"
