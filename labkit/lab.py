"""The map of the lab: every stage from raw posts to a saved model, one function each.

A parameter's name says what a stage takes: another stage, a setting of `labkit.config`, or
`call`, the run itself (`labkit.plumbing.runner.Call`), which changes no result. What is `stored` is
computed once and found again while nothing that it takes has changed; a `stage` is computed in
every run. Where it starts: `labkit.sources`. Call `run`, or use the fixture of a stage's name.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import sources
from labkit.config import LabConfig, Recipe, Selection
from labkit.plumbing.runner import Call, Run, graph_of, stage, stored
from labkit.plumbing.store import Store

if TYPE_CHECKING:
    from labkit.data.files import DataFiles
    from labkit.data.posts import Embeddings, Posts
    from labkit.data.probes import Probes
    from labkit.data.tokens import Tokens
    from labkit.evaluation.findings import DataChecks, Mistaken
    from labkit.evaluation.metrics import Evaluations
    from labkit.evaluation.outcomes import Outcome
    from labkit.evaluation.scores import BaselineScores, ZeroShotScores
    from labkit.evaluation.separation import Separations
    from labkit.evaluation.suite import Suite
    from labkit.model.checkpoints import Checkpoint
    from labkit.model.predictions import Predictions, Reseeded
    from labkit.plumbing.hardware import Hardware
    from labkit.training.history import FineTuned, LearningCurve, Repeatability, Start, Sweep
    from labkit.training.plan import Plan


@stored
def posts(
    data_files: DataFiles, selection: Selection, given: Checkpoint | None, call: Call
) -> Posts:
    """Clean train, validation and test posts with their classes."""
    from labkit.data.posts import load_posts

    return load_posts(data_files, selection, given.labels if given else (), call.scratch)


@stored
def base_tokens(posts: Posts, base: Checkpoint, max_length: int, call: Call) -> Tokens:
    """Token ids of all posts, by the base model's tokenizer."""
    from labkit.data.tokens import tokenize

    return tokenize(posts, base.folder, max_length, call.scratch)


@stage
def tokens(posts: Posts, base_tokens: Tokens, given: Checkpoint | None, max_length: int) -> Tokens:
    """The same as the fine-tuned model reads them: one trained elsewhere has its own tokenizer."""
    from labkit.data.tokens import tokenize

    return tokenize(posts, given.folder, max_length) if given else base_tokens


@stored
def probes(
    posts: Posts, base: Checkpoint, max_length: int, split_seed: int, hardware: Hardware
) -> Probes:
    """Sentences to compare in pairs, with their embeddings by the base model."""
    from labkit.data.probes import choose_sentences
    from labkit.model.encoding import embed_texts

    sentences = choose_sentences(posts, split_seed)
    return sentences.with_embeddings(embed_texts(base, sentences.texts, max_length, hardware))


@stored
def base_embeddings(
    base_tokens: Tokens, base: Checkpoint, hardware: Hardware, call: Call
) -> Embeddings:
    """Unit embeddings (posts, dim) of every split by the pre-trained encoder."""
    from labkit.model.encoding import embed_splits

    return embed_splits(base, base_tokens, hardware, call.report)


@stored
def data_checks(posts: Posts, base_embeddings: Embeddings, split_seed: int) -> DataChecks:
    """Labels that look wrong, and posts that are nearly the same."""
    from labkit.evaluation.data_checks import check

    return check(posts, base_embeddings, split_seed)


@stored
def zero_shot(
    posts: Posts,
    base_embeddings: Embeddings,
    base: Checkpoint,
    nli: Checkpoint | None,
    label_texts: Mapping[str, str],
    max_length: int,
    split_seed: int,
    hardware: Hardware,
    call: Call,
) -> ZeroShotScores:
    """Scores of each zero-shot method on the test posts."""
    from labkit.evaluation.zero_shot import score

    settings = label_texts, max_length, split_seed, hardware
    return score(posts, base_embeddings.test, base, nli, *settings, call.report)


@stored
def baselines(posts: Posts, base_embeddings: Embeddings) -> BaselineScores:
    """Scores on the test posts of the methods that train no network."""
    from labkit.evaluation.baselines import score

    return score(posts, base_embeddings)


@stage
def start(
    given: Checkpoint | None, base: Checkpoint, tokens: Tokens, hardware: Hardware
) -> Start | None:
    """What every training starts from; None where the model was trained elsewhere."""
    from labkit.training.history import Start

    return None if given else Start(base, tokens, hardware)


@stored
def plan(start: Start | None, recipe: Recipe, call: Call) -> Plan | None:
    """The recipe with the numbers that nobody gave, by rule or by validation loss."""
    from labkit.training.classifier import trainer
    from labkit.training.plan import choose

    return choose(start, recipe, trainer(start, call)) if start else None


@stored
def fine_tuned(
    given: Checkpoint | None,
    tokens: Tokens,
    start: Start | None,
    plan: Plan | None,
    hardware: Hardware,
    call: Call,
) -> FineTuned:
    """The fine-tuned model with its history; one that was trained elsewhere is taken as it is."""
    from labkit.training.classifier import take, train

    return take(given, tokens, hardware, call.folder) if given else train(start, plan, call)


@stored
def reseeded(
    start: Start | None, plan: Plan | None, seeds: int | None, call: Call
) -> Reseeded | None:
    """The fine-tune again with other seeds: what the luck of a training does to its result."""
    from labkit.training.reseed import reseed

    return reseed(start, plan, seeds, call) if start and plan else None


@stored
def sweep(start: Start | None, plan: Plan | None, split_seed: int, call: Call) -> Sweep | None:
    """Small fine-tunes over learning rates, epochs and seeds."""
    from labkit.training.sweep import sweep

    return sweep(start, plan, split_seed, call) if start and plan else None


@stored
def learning_curve(
    start: Start | None, plan: Plan | None, sweep: Sweep | None, split_seed: int, call: Call
) -> LearningCurve | None:
    """Small fine-tunes on fewer and on more posts, beside what trains no network."""
    from labkit.evaluation.learning_curve import learning_curve

    return learning_curve(start, plan, sweep, split_seed, call)


@stored
def repeatability(
    start: Start | None, plan: Plan | None, split_seed: int, call: Call
) -> Repeatability | None:
    """Whether the same seed gives the same weights here, bit for bit; None where not checked."""
    from labkit.training.sweep import repeat

    return repeat(start, plan, split_seed, call) if start and plan else None


@stored
def predictions(
    fine_tuned: FineTuned, tokens: Tokens, hardware: Hardware, call: Call
) -> Predictions:
    """Logits and embeddings of every split by the fine-tuned model."""
    from labkit.model.encoding import classify_splits

    return classify_splits(fine_tuned.folder, tokens, hardware, call.report)


@stage
def evaluations(
    posts: Posts,
    zero_shot: ZeroShotScores,
    baselines: BaselineScores,
    predictions: Predictions,
    reseeded: Reseeded | None,
    seed: int,
) -> Evaluations:
    """Every method on the test posts, with intervals."""
    from labkit.evaluation.metrics import evaluate_all

    return evaluate_all(posts, seed, baselines, zero_shot, predictions, reseeded)


@stored
def behaviours(
    fine_tuned: FineTuned,
    posts: Posts,
    behaviour_suite: Suite,
    max_length: int,
    seed: int,
    hardware: Hardware,
    call: Call,
) -> tuple[Outcome, ...]:
    """How the fine-tuned model does on every behaviour, with cases made from the test posts."""
    from labkit.evaluation.search import examine_folder

    suite = behaviour_suite.of(posts.labels)
    return examine_folder(suite, fine_tuned.folder, posts, max_length, seed, hardware, call.report)


@stored
def mistakes(
    fine_tuned: FineTuned,
    posts: Posts,
    predictions: Predictions,
    max_length: int,
    seed: int,
    hardware: Hardware,
) -> Mistaken:
    """Where the fine-tuned model goes wrong: its surest mistakes explained, its weak slices."""
    from labkit.evaluation.mistakes import explain
    from labkit.model.encoding import load_logits

    return explain(posts, predictions, load_logits(fine_tuned.folder, max_length, hardware), seed)


@stored
def separation(
    posts: Posts, base_embeddings: Embeddings, predictions: Predictions, seed: int
) -> Separations:
    """How far the classes stand apart before and after the fine-tune, with t-SNE planes."""
    from labkit.evaluation.separation import compare

    return compare(base_embeddings.test, predictions.embeddings.test, posts.truth.test, seed)


@stored
def saved_model(
    config: LabConfig,
    data_files: DataFiles,
    base: Checkpoint,
    posts: Posts,
    plan: Plan | None,
    fine_tuned: FineTuned,
    evaluations: Evaluations,
    repeatability: Repeatability | None,
    hardware: Hardware,
    commit: str | None,
    call: Call,
) -> Path:
    """The model as a folder for others: weights, tokenizer, lineage, model card."""
    from labkit.release import model_folder
    from labkit.release.lineage import Ingredients

    found = config, data_files, base, posts, plan
    made_of = Ingredients(*found, fine_tuned, evaluations, repeatability, hardware, commit)
    return model_folder.assemble(made_of, call)


@stored
def reload_difference(
    saved_model: Path, fine_tuned: FineTuned, posts: Posts, max_length: int, hardware: Hardware
) -> float:
    """Largest difference of a validation logit, before saving against read with the files on disk."""
    from labkit.model.encoding import drift

    return drift(saved_model, posts.validation, fine_tuned.validation_logits, max_length, hardware)


GRAPH = graph_of(sources) | graph_of(sys.modules[__name__])


def run(config: LabConfig, store: Store, **options: Any) -> Run:
    """A run of the lab, of which nothing is computed before it is asked for; `options` as of `Run`."""
    return Run(GRAPH, config.values(), store, **options)
