"""Faults that show when the trained model is asked: all of it is sound but the way to it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.planted import planted
from labkit.model.predictions import Classified
from labkit.plumbing.runner import Run
from labkit.puzzles.faults import Fault

Ids = Sequence[Sequence[int]]
SPECIAL = 5  # ids of [PAD], [UNK], [CLS], [SEP] and [MASK], which come first


def model_of(healthy: Run) -> Any:
    """The fine-tuned classifier."""
    from labkit.model.checkpoints import load_classifier

    return load_classifier(healthy.fine_tuned.folder)


def asked(healthy: Run, ask: Callable[[Ids], Classified]) -> Fault:
    """Another way to ask the model: of the test posts, and of the texts that behaviours make."""
    from labkit.data.tokens import encode, load_tokenizer
    from labkit.evaluation.behaviour import behaviours_of
    from labkit.evaluation.search import beginnings_of, examine_all

    folder, posts = healthy.fine_tuned.folder, healthy.posts
    limit, seed = healthy.settings["max_length"], healthy.settings["seed"]
    tokenizer = load_tokenizer(folder)

    def model(texts: Sequence[str]) -> np.ndarray:
        return ask(encode(tokenizer, texts, limit)).logits

    sample = beginnings_of(posts, folder, limit, model, seed)
    outcomes = examine_all(behaviours_of(posts.labels), model, sample, seed, search=False)
    return Fault(
        stages={
            "predictions": answered(healthy, ask(list(healthy.tokens.test["input_ids"]))),
            "behaviours": outcomes,
        }
    )


def answered(healthy: Run, test: Classified) -> Any:
    """The model's answers, with others to the test posts."""
    found = healthy.predictions
    return replace(
        found,
        logits=replace(found.logits, test=test.logits),
        embeddings=replace(found.embeddings, test=test.embeddings),
    )


def reads(healthy: Run, change: Callable[[list[int]], list[int]]) -> Fault:
    """The model reads other token ids than those of the text."""
    from labkit.model.encoding import classify

    model = model_of(healthy)
    return asked(healthy, lambda ids: classify(model, [change(list(row)) for row in ids]))


@planted("inference", {"10 %": 0.1, "30 %": 0.3, "all": 1.0})
def answers_mixed_up(dose: float, healthy: Run, work: Path) -> Fault:
    """Test posts get the answers to others: the rows came back in another order."""
    found = healthy.predictions
    logits, embeddings = found.logits.test.copy(), found.embeddings.test.copy()
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(logits))[: round(dose * len(logits))]
    other = rng.permutation(rows)
    logits[rows], embeddings[rows] = logits[other], embeddings[other]
    return Fault(stages={"predictions": answered(healthy, Classified(logits, embeddings))})


@planted("inference", {"2 logits": 2.0, "5": 5.0, "20": 20.0})
def one_class_favoured(dose: float, healthy: Run, work: Path) -> Fault:
    """One class has logits that are too high."""
    from labkit.model.encoding import classify

    model, more = model_of(healthy), np.array([dose, 0.0], np.float32)

    def ask(ids: Ids) -> Classified:
        found = classify(model, ids)
        return replace(found, logits=found.logits + more)

    return asked(healthy, ask)


@planted("inference", {"1 token": 1, "4 tokens": 4, "all": 10_000})
def padding_read(dose: int, healthy: Run, work: Path) -> Fault:
    """The model takes padding for text."""
    import torch

    from labkit.model.batches import run_batches
    from labkit.model.encoding import mean_pool

    model = model_of(healthy)

    def forward(ids: Any, mask: Any) -> tuple[Any, Any]:
        seen = mask | ((1 - mask).cumsum(dim=1) <= dose).long()
        output = model(ids, attention_mask=seen, output_hidden_states=True)
        pooled = mean_pool(output.hidden_states[-1], seen)
        return output.logits, torch.nn.functional.normalize(pooled, dim=1)

    return asked(healthy, lambda ids: Classified(*run_batches(forward, ids, 0, model.device)))


@planted("inference", {"at 12 tokens": 12, "at 8": 8, "at 4": 4})
def texts_cut_when_asked(dose: int, healthy: Run, work: Path) -> Fault:
    """The model is asked about the first words of a text, though it learned from whole ones."""
    from labkit.data.tokens import cut

    return reads(healthy, lambda ids: cut(ids, dose))


@planted("inference", {"10 % of the words": 0.1, "30 %": 0.3, "all": 1.0})
def vocabulary_mixed_up(dose: float, healthy: Run, work: Path) -> Fault:
    """Words have the token ids of others, as by the tokenizer of another model."""
    words = healthy.base.folder.joinpath("vocab.txt").read_text().count("\n")
    rng = np.random.default_rng(0)
    table = np.arange(words)
    rows = SPECIAL + rng.permutation(words - SPECIAL)[: round(dose * (words - SPECIAL))]
    table[rows] = rng.permutation(rows)
    return reads(healthy, lambda ids: table[ids].tolist())


@planted("inference", {"0.00001 logits": 1e-5, "0.001": 1e-3, "1": 1.0})
def answers_with_chance(dose: float, healthy: Run, work: Path) -> Fault:
    """The same text gets other logits each time, as with dropout left on."""
    from labkit.model.encoding import classify

    model, rng = model_of(healthy), np.random.default_rng(0)

    def ask(ids: Ids) -> Classified:
        found = classify(model, ids)
        noise = rng.normal(scale=dose, size=found.logits.shape).astype(np.float32)
        return replace(found, logits=found.logits + noise)

    return asked(healthy, ask)
