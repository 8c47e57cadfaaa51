"""The small run in which faults are put: the world of the puzzles, and what the gates read of it.

Stages that cost much and that no gate reads are short here: no search for the smallest failure, no
t-SNE, no learning curve, and only the small trainings that a gate compares.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import lab
from labkit.answers import answer
from labkit.config import LabConfig
from labkit.evaluation import gates
from labkit.evaluation.findings import Mistaken
from labkit.exercises import EXERCISES
from labkit.plumbing.runner import Run, graph_of, stored
from labkit.plumbing.store import Store
from labkit.puzzles.faults import Fault
from labkit.puzzles.game import small_config, with_fault
from labkit.puzzles.subject import USUAL_RATE

if TYPE_CHECKING:
    from labkit.data.posts import Embeddings, Posts
    from labkit.evaluation.outcomes import Outcome
    from labkit.evaluation.separation import Separations
    from labkit.model.predictions import Predictions
    from labkit.plumbing.hardware import Hardware
    from labkit.plumbing.runner import Call
    from labkit.training.history import FineTuned, LearningCurve, Start, Sweep
    from labkit.training.plan import Plan

LIMITS = gates.thresholds("embedded", {})
# A quarter of the puzzles' rate, for twice as long: at half of it one healthy training in sixty stayed
# at guessing, and what is seen then is the rate; at an eighth a three times larger one is better.
STEADY: dict[str, Any] = {"learning_rate": USUAL_RATE / 4, "epochs": 6}


@stored
def sweep(start: Start | None, plan: Plan | None, split_seed: int, call: Call) -> Sweep | None:
    """The recipe's rate and its neighbours, with two seeds: what a gate compares."""
    from labkit.training.sweep import sweep

    assert start is not None
    assert plan is not None
    read = {1 / 3: 2, 1.0: 2, 3.0: 2}
    return sweep(start, plan, split_seed, call, read, long=1)


@stored
def learning_curve(sweep: Sweep | None) -> LearningCurve | None:
    """The one amount of posts that the small trainings had; no gate reads it."""
    import numpy as np

    from labkit.training.history import LearningCurve

    assert sweep is not None
    nothing = np.zeros(1)
    return LearningCurve(sweep.at(sweep.rate), (sweep.posts,), nothing, nothing, 0)


@stored
def behaviours(
    fine_tuned: FineTuned, posts: Posts, max_length: int, seed: int, hardware: Hardware
) -> tuple[Outcome, ...]:
    """The rates of all behaviours, without a search for the smallest failure."""
    from labkit.evaluation.behaviour import behaviours_of
    from labkit.evaluation.search import beginnings_of, examine_all
    from labkit.model.encoding import load_logits

    model = load_logits(fine_tuned.folder, max_length, hardware)
    sample = beginnings_of(posts, fine_tuned.folder, max_length, model, seed)
    return examine_all(behaviours_of(posts.labels), model, sample, seed, search=False)


@stored
def separation(
    posts: Posts, base_embeddings: Embeddings, predictions: Predictions, seed: int
) -> Separations:
    """The silhouettes; the planes show two coordinates and no t-SNE."""
    from labkit.evaluation.separation import compare

    before, after = base_embeddings.test, predictions.embeddings.test
    return compare(before, after, posts.truth.test, seed, lambda rows, _: rows[:, :2])


GRAPH = lab.GRAPH | graph_of(sys.modules[__name__])
UNREAD: dict[str, Any] = {"repeatability": None, "mistakes": Mistaken((), ())}


def world(folder: Path, seed: int) -> LabConfig:
    """The settings of a healthy run: each seed draws posts, splits, head and batches."""
    config = small_config(folder, seed)
    return replace(
        config,
        selection=replace(config.selection, split_seed=seed),
        recipe=replace(config.recipe, seed=seed, **STEADY),
    )


def run_of(config: LabConfig, folder: Path, fault: Fault | None = None) -> Run:
    """A run of the small world, with a fault where one is given."""
    fault = fault or Fault()
    settings = with_fault(config, fault).values()
    return Run(GRAPH, settings, Store(folder), replace={**UNREAD, **fault.stages})


def measure(run: Run) -> dict[str, Any]:
    """What the gates read, None for no number, and the exercises that were refused, with why."""
    measured: dict[str, float | None] = {}
    refused: dict[str, str] = {}
    for exercise in EXERCISES:
        try:
            found = answer(exercise.id, run, LIMITS)
        except Exception as error:  # whatever it is, the run is red
            refused[exercise.id] = f"{type(error).__name__}: {error}".partition("\n")[0]
            continue
        for result in found.gates:
            number = result.measured
            finite = number is not None and math.isfinite(number)
            measured[result.gate.name] = number if finite else None
    return {"measured": measured, "refused": refused}
