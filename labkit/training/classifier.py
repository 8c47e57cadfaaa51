"""The fine-tuned classifier: trained from the base model, or taken from elsewhere as it is."""

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import torch

from labkit.config import Recipe
from labkit.data.tokens import Tokens, id_rows, load_tokenizer
from labkit.model.checkpoints import WEIGHTS, Checkpoint, load_classifier
from labkit.model.encoding import classify, classify_tokens
from labkit.plumbing import processes
from labkit.plumbing.hardware import Hardware, torch_device
from labkit.plumbing.progress import Report
from labkit.plumbing.runner import Call
from labkit.training.fast.speed import speed_of
from labkit.training.fine_tune import fine_tune
from labkit.training.history import FineTuned, History, Start, Train
from labkit.training.plan import Plan

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def train(start: Start | None, plan: Plan | None, call: Call) -> FineTuned:
    """Train on the train posts and write the model to its folder; of several processes, the first."""
    assert start is not None
    assert plan is not None
    # On several machines nobody knows whether all can read the same checkpoint.
    here, tokens = processes.place(), start.tokens
    model, history = new_classifier(
        start,
        call.scratch,
        tokens.train,
        tokens.validation,
        plan.recipe,
        checkpoints=call.unfinished if here.one_machine else None,
        report_to=call.tracker.follow() if call.tracker else "none",
        report=call.report,
    )
    if here.rank:
        return FineTuned(call.folder, history, np.empty((0, len(tokens.labels))))
    logits = classify(model, id_rows(tokens.validation)).logits
    model.save_pretrained(call.folder)
    tokenizer = load_tokenizer(start.base.folder)
    tokenizer.model_max_length = plan.recipe.max_length  # the one that is measured
    tokenizer.save_pretrained(call.folder)
    return FineTuned(call.folder, history, logits)


def new_classifier(
    start: Start,
    scratch: Path,
    train: datasets.Dataset,
    validation: datasets.Dataset,
    recipe: Recipe,
    **options: Any,
) -> "tuple[PreTrainedModel, History]":
    """The base model with a new head, fine-tuned; `options` are those of `fine_tune`."""
    torch_device(start.hardware)
    speed = speed_of(start.hardware, recipe.batch_size)
    torch.manual_seed(recipe.seed)  # the new head is drawn here
    model = load_classifier(
        start.base.folder,
        start.tokens.labels,
        attn_implementation=speed.attention,
        attention_dropout=recipe.attention_dropout,
    )
    tokenizer = load_tokenizer(start.base.folder)
    with speed.around(model, train, validation):
        return fine_tune(model, tokenizer, train, validation, recipe, speed, scratch, **options)


def trainer(start: Start, call: Call, report: Report | None = None) -> Train:
    """A training of a new classifier, as a function of train and validation posts and recipe.

    How far it is goes to `report`, else to that of `call`.
    """
    return partial(new_classifier, start, call.scratch, report=report or call.report)


def take(given: Checkpoint, tokens: Tokens, hardware: Hardware, folder: Path) -> FineTuned:
    """The given model's config and weights as they are, with the tokenizer's files."""
    for name in ("config.json", WEIGHTS):
        shutil.copyfile(given.folder / name, folder / name)
    load_tokenizer(given.folder).save_pretrained(folder)
    logits = classify_tokens(given.folder, tokens.validation, hardware).logits
    return FineTuned(folder, None, logits)
