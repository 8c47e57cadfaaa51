"""Plots of the small trainings: by learning rate, over many epochs, and by number of posts."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from labkit.report.blocks import Figure, Panels
from labkit.report.plots.style import BLUE, COLUMN, GREY, MUTED, STYLE, VERMILION, figure_of
from labkit.training.history import LearningCurve, Sweep

RATE_STYLES = (":", "--", "-", "-", "--", ":")  # below and above the recipe's rate alike


@matplotlib.rc_context(STYLE)
def learning_rates(sweep: Sweep) -> Panels:
    """Loss by learning rate with every seed as a dot, and how training went at each rate."""
    title = f"Learning rate, on {sweep.posts} posts cut at {sweep.tokens} tokens"
    return Panels(title, (_by_rate(sweep), _by_epoch(sweep)))


def _by_rate(sweep: Sweep) -> Figure:
    canvas = Canvas(figsize=(COLUMN, 3.0))
    axes = canvas.subplots()
    top = 1.6 * sweep.guessing
    means = [np.mean([trial.loss for trial in sweep.at(rate)]) for rate in sweep.rates]
    axes.plot(sweep.rates, np.minimum(means, top), color=BLUE, lw=1.5, zorder=1)
    for rate in sweep.rates:
        losses = [min(trial.loss, top) for trial in sweep.at(rate)]
        colour = VERMILION if rate == sweep.rate else BLUE
        axes.plot([rate] * len(losses), losses, "o", color=colour, ms=5, clip_on=False)
    axes.axvline(sweep.rate, color=VERMILION, lw=1, ls="--", zorder=0)
    axes.text(sweep.rate, 0, " the recipe's", color=VERMILION, va="bottom", ha="left")
    _guessing(axes, sweep)
    axes.set(xscale="log", xlabel="learning rate", ylabel="validation loss (nats)")
    axes.set_ylim(0, top * 1.02)
    axes.set_xticks(sweep.rates, [f"{rate:.1g}" for rate in sweep.rates], fontsize=8)
    axes.minorticks_off()
    values = "; ".join(
        f"{rate:.2g}: {mean:.2f}" for rate, mean in zip(sweep.rates, means, strict=True)
    )
    return figure_of(
        canvas,
        "Validation loss by learning rate",
        f"Validation loss at the kept epoch by learning rate, mean over the seeds: {values}. The "
        f"recipe's rate is {sweep.rate:.2g}; guessing has {sweep.guessing:.2f}.",
        "Each dot is one training; lower is better. Too small a rate stays at guessing, too large a one leaves what was learned; the best lies between.",
    )


def _by_epoch(sweep: Sweep) -> Figure:
    canvas = Canvas(figsize=(COLUMN, 3.0))
    axes = canvas.subplots()
    top = 1.6 * sweep.guessing
    ends = []
    for rate, line in zip(sweep.rates, RATE_STYLES, strict=True):
        history = sweep.at(rate)[0].history
        losses = [epoch.train_loss for epoch in history.epochs]
        own, below = rate == sweep.rate, rate < sweep.rate
        colour = VERMILION if own else GREY if below else BLUE
        shown = np.minimum(np.nan_to_num(losses, nan=top), top)
        axes.plot(range(1, len(losses) + 1), shown, line, color=colour, lw=2.2 if own else 1.4)
        ends.append((float(shown[-1]), f"{rate:.1g}", colour))
    _name_ends(axes, ends, len(losses), top)
    _guessing(axes, sweep)
    axes.set(xlabel="epoch", ylabel="training loss (nats)", ylim=(0, top * 1.02))
    axes.set_xticks(range(1, len(losses) + 1))
    axes.set_xlim(0.9, len(losses) + 0.22 * len(losses))
    values = "; ".join(
        f"{rate:.2g}: {sweep.at(rate)[0].history.epochs[-1].train_loss:.2f}" for rate in sweep.rates
    )
    return figure_of(
        canvas,
        "Training loss by epoch",
        f"Mean training loss of each epoch, one line for each learning rate; in the last: {values}.",
        "One line for each learning rate; the thick one is the recipe. A line that stays at the dashed one has learned nothing.",
    )


def _name_ends(axes: Axes, ends: list[tuple[float, str, str]], last: int, top: float) -> None:
    """Each line's name at its end, moved up where it would cover the one below."""
    place = -1.0
    for y, name, colour in sorted(ends):
        place = max(y, place + 0.075 * top)
        axes.annotate(
            name,
            (last, place),
            (5, 0),
            textcoords="offset points",
            color=colour,
            va="center",
            fontsize=9,
        )


def _guessing(axes: Axes, sweep: Sweep) -> None:
    axes.axhline(sweep.guessing, color=MUTED, lw=1, ls="--", zorder=0)
    axes.annotate(
        "guessing",
        (0, sweep.guessing),
        (3, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        color=MUTED,
        fontsize=9,
    )


@matplotlib.rc_context(STYLE)
def many_epochs(sweep: Sweep) -> Panels:
    """Training and validation loss of the long training, with the epoch that would be kept."""
    long = sweep.long
    epochs = [epoch.epoch for epoch in long.history.epochs]
    training = [epoch.train_loss for epoch in long.history.epochs]
    validation = [epoch.validation_loss for epoch in long.history.epochs]
    accuracy = [100 * epoch.validation_accuracy for epoch in long.history.epochs]
    kept = long.history.best_epoch
    first, second = Canvas(figsize=(COLUMN, 3.0)), Canvas(figsize=(COLUMN, 3.0))
    axes = first.subplots()
    for losses, name, colour in (
        (training, "training", BLUE),
        (validation, "validation", VERMILION),
    ):
        axes.plot(epochs, losses, marker="o", ms=4, color=colour, lw=2)
        axes.annotate(
            name,
            (epochs[-1], losses[-1]),
            (-4, 7),
            textcoords="offset points",
            ha="right",
            color=colour,
        )
    other = second.subplots()
    other.plot(epochs, accuracy, marker="o", ms=4, color=VERMILION, lw=2)
    for each in (axes, other):
        each.axvline(kept, color=MUTED, lw=1, ls="--", zorder=0)
        each.annotate(
            "kept",
            (kept, 0.02),
            (3, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=MUTED,
        )
        each.set_xlabel("epoch")
    axes.set(ylabel="cross-entropy (nats)", ylim=(0, None))
    other.set(ylabel="validation accuracy (%)")
    title = f"{len(epochs)} epochs at {long.learning_rate:.2g}, on {long.posts} posts cut at {sweep.tokens} tokens"
    return Panels(
        title,
        (
            figure_of(
                first,
                "Too many epochs: training and validation loss",
                f"Training loss falls from {training[0]:.2f} to {training[-1]:.2f}. Validation loss "
                f"is lowest in epoch {kept} with {min(validation):.2f} and ends at "
                f"{validation[-1]:.2f}.",
                "From where validation loss rises while training loss still falls, the model learns "
                "its train posts by heart.",
            ),
            figure_of(
                second,
                "Too many epochs: validation accuracy",
                f"Validation accuracy by epoch: {', '.join(f'{value:.1f} %' for value in accuracy)}.",
                "Accuracy may stay where it is while the loss rises: the model is as often right, "
                "but too sure where it is wrong.",
            ),
        ),
    )


@matplotlib.rc_context(STYLE)
def posts_needed(curve: LearningCurve, tokens: int, posts: int, whole: Sequence[float]) -> Figure:
    """Accuracy by number of train posts, for fine-tuning and for what trains no network.

    `whole` are the validation accuracies of the recipe itself, by seed, on all `posts`, uncut.
    """
    canvas = Canvas(figsize=(COLUMN, 3.2))
    axes = canvas.subplots()
    lines = (
        (100 * curve.probe, "base embeddings, logistic", BLUE, "s--"),
        (100 * curve.tfidf, "TF-IDF, logistic", GREY, "^:"),
        (100 * curve.fine_tuned, "fine-tuned", VERMILION, "o-"),
    )
    for values, name, colour, line in lines:
        axes.plot(curve.posts, values, line, color=colour, lw=2, ms=5, label=name)
    for amount in curve.posts:
        seeds = curve.at(amount)
        axes.plot(
            [amount] * len(seeds), 100 * np.array(seeds), "o", color=VERMILION, ms=3, alpha=0.6
        )
    axes.plot(
        [posts] * len(whole),
        100 * np.array(whole),
        "*",
        color=VERMILION,
        ms=8,
        label="fine-tuned, whole posts",
    )
    axes.set(xscale="log", xlabel="train posts", ylabel="validation accuracy (%)")
    ticks = sorted({*curve.posts, posts})
    axes.set_xticks(ticks, [str(amount) for amount in ticks])
    axes.minorticks_off()
    axes.legend(loc="best", fontsize=9)
    each = "; ".join(
        f"{amount} posts: {tuned:.0f}, {probe:.0f} and {words:.0f} %"
        for amount, tuned, probe, words in zip(
            curve.posts, 100 * curve.fine_tuned, 100 * curve.probe, 100 * curve.tfidf, strict=True
        )
    )
    return figure_of(
        canvas,
        f"How much data: accuracy by train posts, each cut at {tokens} tokens",
        f"Accuracy on {curve.validation} validation posts of the fine-tuned model, of logistic "
        f"regression on base embeddings, and on TF-IDF. {each}. The recipe itself, on all {posts} "
        f"posts and uncut: {', '.join(f'{100 * value:.0f} %' for value in whole)}.",
        "Where the thick line is above the others, training the network pays. Small dots are single "
        "trainings; their spread is the seed's. Stars are the recipe itself, one for each seed: all "
        "posts, at full length and with its own epochs, so they are no part of the lines.",
    )
