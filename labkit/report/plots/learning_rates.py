"""Plots of the small trainings: by learning rate, over many epochs, and by number of posts."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from labkit.report.blocks import Figure, Panels
from labkit.report.plots.style import (
    BLUE,
    COLUMN,
    GREY,
    MUTED,
    STYLE,
    VERMILION,
    figure_of,
    legend_below,
)
from labkit.training.history import NO_BETTER, LearningCurve, Sweep

RISEN = 0.05  # nats above its lowest: a loss that rises again
RATE_STYLES = {-3: ":", -2: "--", -1: "-", 0: "-", 1: "--", 2: ":"}  # by steps from the recipe's


@matplotlib.rc_context(STYLE)
def learning_rates(sweep: Sweep) -> Panels:
    """Loss by learning rate with every seed as a dot, and how training went at each rate."""
    title = f"Learning rate, on {sweep.posts} posts cut at {sweep.tokens} tokens"
    return Panels(title, (_by_rate(sweep), _by_epoch(sweep)))


def _by_rate(sweep: Sweep) -> Figure:
    canvas = Canvas(figsize=(COLUMN, 2.7))
    axes = canvas.subplots()
    top = 1.6 * sweep.guessing
    means = [float(np.mean([trial.loss for trial in sweep.at(rate)])) for rate in sweep.rates]
    axes.plot(sweep.rates, np.minimum(means, top), color=BLUE, lw=1.5, zorder=1)
    for rate in sweep.rates:
        losses = [min(trial.loss, top) for trial in sweep.at(rate)]
        colour = VERMILION if rate == sweep.rate else BLUE
        axes.plot([rate] * len(losses), losses, "o", color=colour, ms=5, clip_on=False)
    axes.axvline(sweep.rate, color=VERMILION, lw=1, ls=":", zorder=0, label="the rule's rate")
    _guessing(axes, sweep)
    axes.set(xscale="log", xlabel="learning rate", ylabel="validation loss (nats)")
    axes.set_ylim(0, top * 1.02)
    axes.set_xticks(sweep.rates, [f"{rate:.2g}" for rate in sweep.rates], fontsize=8)
    axes.minorticks_off()
    legend_below(canvas, axes)
    values = "; ".join(
        f"{rate:.2g}: {mean:.2f}" for rate, mean in zip(sweep.rates, means, strict=True)
    )
    return figure_of(
        canvas,
        "Validation loss by learning rate",
        f"Validation loss at the kept epoch by learning rate, mean over the seeds: {values}. The "
        f"rule's rate for so few steps is {sweep.rate:.2g}; guessing has {sweep.guessing:.2f}.",
        f"Each dot is one training; lower is better. {_both_ends(sweep, means)}",
    )


def _by_epoch(sweep: Sweep) -> Figure:
    canvas = Canvas(figsize=(COLUMN, 2.7))
    axes = canvas.subplots()
    top = 1.6 * sweep.guessing
    for place, rate in enumerate(sweep.rates):
        line = RATE_STYLES.get(place - sweep.rates.index(sweep.rate), "-.")
        history = sweep.at(rate)[0].history
        losses = [epoch.train_loss for epoch in history.epochs]
        own, below = rate == sweep.rate, rate < sweep.rate
        colour = VERMILION if own else GREY if below else BLUE
        shown = np.minimum(np.nan_to_num(losses, nan=top), top)
        width, epochs = 2.2 if own else 1.4, range(1, len(losses) + 1)
        axes.plot(epochs, shown, line, color=colour, lw=width, label=f"{rate:.2g}")
    _guessing(axes, sweep)
    legend_below(canvas, axes, columns=4)
    axes.set(xlabel="epoch", ylabel="training loss (nats)", ylim=(0, top * 1.02))
    axes.set_xticks(range(1, len(losses) + 1))
    values = "; ".join(
        f"{rate:.2g}: {sweep.at(rate)[0].history.epochs[-1].train_loss:.2f}" for rate in sweep.rates
    )
    return figure_of(
        canvas,
        "Training loss by epoch",
        f"Mean training loss of each epoch, one line for each learning rate; in the last: {values}.",
        "One line for each learning rate; the thick one is the rule's for so few steps. A line that stays at the dashed one has learned nothing.",
    )


def _guessing(axes: Axes, sweep: Sweep) -> None:
    axes.axhline(sweep.guessing, color=MUTED, lw=1, ls="--", zorder=0, label="guessing")


def _both_ends(sweep: Sweep, means: Sequence[float]) -> str:
    """What the smallest and the largest rate came to here: near guessing, or not."""
    small, large = (not mean < NO_BETTER * sweep.guessing for mean in (means[0], means[-1]))
    if small and large:
        return (
            f"Here both ends are hardly better than guessing ({sweep.guessing:.2f}): too small a rate hardly "
            "moves, too large a one destroys what the model knew."
        )
    if small:
        return "The smallest rate hardly moves from guessing; the largest still learns here."
    if large:
        return "The largest rate destroys what the model knew; the smallest already learns here."
    return "Here neither the smallest nor the largest rate is as bad as guessing."


@matplotlib.rc_context(STYLE)
def many_epochs(sweep: Sweep) -> Figure:
    """Training and validation loss of the long training, with the epoch that would be kept."""
    long = sweep.long
    epochs = [epoch.epoch for epoch in long.history.epochs]
    training = [epoch.train_loss for epoch in long.history.epochs]
    validation = [epoch.validation_loss for epoch in long.history.epochs]
    accuracy = [100 * epoch.validation_accuracy for epoch in long.history.epochs]
    kept = long.history.best_epoch
    canvas = Canvas(figsize=(COLUMN, 2.7))
    axes = canvas.subplots()
    for losses, name, colour in (
        (training, "training", BLUE),
        (validation, "validation", VERMILION),
    ):
        axes.plot(epochs, losses, marker="o", ms=4, color=colour, lw=2, label=name)
    axes.axvline(kept, color=MUTED, lw=1, ls="--", zorder=0, label="epoch kept")
    axes.set(xlabel="epoch", ylabel="cross-entropy (nats)", ylim=(0, None))
    legend_below(canvas, axes)
    return figure_of(
        canvas,
        f"Too many epochs: {len(epochs)} at {long.learning_rate:.2g}, on {long.posts} posts cut at "
        f"{sweep.tokens} tokens",
        f"Training loss falls from {training[0]:.2f} to {training[-1]:.2f}. Validation loss is lowest "
        f"in epoch {kept} with {min(validation):.2f} and ends at {validation[-1]:.2f}. Validation "
        f"accuracy by epoch: {', '.join(f'{value:.1f} %' for value in accuracy)}.",
        f"{_by_heart(training, validation, kept)} {_accuracy_then(accuracy, validation, kept)}",
    )


def _rises(losses: Sequence[float]) -> bool:
    return losses[-1] > min(losses) + RISEN


def _by_heart(training: Sequence[float], validation: Sequence[float], kept: int) -> str:
    """Whether the long training overfits, and from which epoch on."""
    if _rises(validation) and training[-1] < training[0]:
        return (
            f"Validation loss is lowest in epoch {kept} ({min(validation):.2f}) and rises to "
            f"{validation[-1]:.2f} while training loss falls to {training[-1]:.2f}: from epoch {kept} on "
            "the model learns its train posts by heart."
        )
    return (
        f"Validation loss ends at {validation[-1]:.2f} (lowest: {min(validation):.2f}), training loss at "
        f"{training[-1]:.2f} (first: {training[0]:.2f}): it is not seen here that one rises while the "
        "other falls, which would be learning by heart."
    )


def _accuracy_then(accuracy: Sequence[float], validation: Sequence[float], kept: int) -> str:
    """What became of the accuracy (%) from the kept epoch to the last."""
    then, end = accuracy[kept - 1], accuracy[-1]
    said = f"Validation accuracy is {then:.1f} % in the epoch that is kept and {end:.1f} % in the last."
    if _rises(validation) and end >= then:
        said += " The loss rises all the same: the model is as often right, but too sure where it is wrong."
    return said


@matplotlib.rc_context(STYLE)
def posts_needed(curve: LearningCurve, tokens: int, posts: int, whole: Sequence[float]) -> Figure:
    """Accuracy by number of train posts, for fine-tuning and for what trains no network.

    `whole` are the validation accuracies of the recipe itself, by seed, on all `posts`, uncut.
    """
    canvas = Canvas(figsize=(COLUMN, 2.9))
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
    legend_below(canvas, axes, columns=2)
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
