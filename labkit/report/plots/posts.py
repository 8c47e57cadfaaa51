"""Plots of the posts."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from labkit.report.blocks import Figure
from labkit.report.plots.style import BLUE, COLUMN, GREY, INK, STYLE, figure_of


@matplotlib.rc_context(STYLE)
def token_histogram(lengths: Sequence[int], limit: int) -> Figure:
    """Tokens per post before truncation, on a logarithmic axis, with the limit."""
    canvas = Canvas(figsize=(COLUMN, 2.6))
    axes = canvas.subplots()
    bins = np.geomspace(max(1, min(lengths)), max(max(lengths), limit) * 1.05, 40)
    kept = [length for length in lengths if length <= limit]
    cut_off = [length for length in lengths if length > limit]
    counts, _, _ = axes.hist([kept, cut_off], list(bins), stacked=True, color=(BLUE, GREY))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    median, top = float(np.median(lengths)), float(np.max(counts))
    axes.set_ylim(0, 1.22 * top)
    axes.plot([median, median], [0, 1.05 * top], color=INK, lw=1)
    axes.plot([limit, limit], [0, 1.05 * top], color=INK, lw=1, ls="--")
    left, right = axes.get_xlim()
    axes.set_xticks([x for n in range(6) for x in (10**n, 3 * 10**n) if left <= x <= right])
    early, late = sorted(((median, f"median {median:.0f}"), (limit, f"limit {limit}")))
    for (x, text), outward in ((early, "right"), (late, "left")):
        place = np.log(x / left) / np.log(right / left)  # a name near a side goes inwards
        side = "left" if place < 0.3 else "right" if place > 0.7 else outward
        axes.text(x, 1.08 * top, text, ha=side)
    axes.set_xlabel("tokens per post (log scale)")
    axes.set_ylabel("posts")
    return figure_of(
        canvas,
        "Tokens per post; grey: cut off at the limit",
        f"Histogram of the tokens per post: median {median:.0f}, longest {max(lengths)}; "
        f"posts beyond {limit} tokens are cut off there.",
        "The higher a bar, the more posts have that many tokens. What is right of the dashed line "
        "is cut off: the model never reads the end of those posts.",
    )
