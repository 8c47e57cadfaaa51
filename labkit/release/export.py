"""The model in ONNX, which runs without PyTorch, held against PyTorch on real posts.

A graph is traced once and then fed batches of every size and length, so two things can go wrong and
neither is an error. A graph that was traced from token ids alone, as a plain first try does, has no
attention mask: every token counts, padding too. A single post then comes out right, and posts that are
padded to a longer one do not: on the lab's own posts by up to 1.05 of a logit, with the mask by less than 2e-6. And a size that is not
declared as one that may change is a constant of the graph. So both inputs are traced, both of their
axes may change, and what is written has been compared in batches that are mostly padding.
"""

import importlib.util
import json
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.config import DataSource, LabConfig
from labkit.errors import LabError
from labkit.model.checkpoints import CHECKPOINT_FILES, WEIGHTS
from labkit.plumbing import results
from labkit.plumbing.digests import file_digest
from labkit.plumbing.files import replace_folder
from labkit.plumbing.reading import read_json
from labkit.plumbing.store import library_versions
from labkit.release.lineage import FILE, Lineage, describe_files
from labkit.release.model_folder import copy_files, unaccounted

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel

MODEL, RECORD = "model.onnx", "export.json"
SCHEMA = 1  # of the record
LIBRARIES = ("onnx", "onnxscript", "onnxruntime")  # of the extra
INPUTS, OUTPUT = ("input_ids", "attention_mask"), "logits"
LIMIT = 1e-4  # of a logit: float32 adds in another order, as for another batch
POSTS = 64  # at most, from the shortest to the longest
BATCHES = (1, 2, 7, 32)  # posts


@dataclass(frozen=True)
class Compared:
    """The largest difference of a logit between PyTorch and ONNX in batches of one size."""

    batch: int
    posts: int
    shortest: int  # tokens
    longest: int
    difference: float

    @property
    def holds(self) -> bool:
        return self.difference <= LIMIT  # not where it is no number


def check_extra() -> None:
    """Raise LabError where a library of the extra is missing."""
    if missing := [name for name in LIBRARIES if importlib.util.find_spec(name) is None]:
        raise LabError(
            f"--onnx needs {', '.join(missing)}: pip install 'pytest-labkit[onnx]' brings them"
        )


def check_target(target: Path) -> None:
    """Raise LabError unless an export may be put at `target`: nothing there, or another export."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    try:
        known = read_json(target / RECORD)["files"] if target.is_dir() else {}
        stranger = unaccounted(target, known, RECORD) if target.is_dir() else "is no folder"
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        stranger = f"has no {RECORD} of an export"
    if stranger:
        raise LabError(
            f"{target}: would be replaced by the export, but {stranger}; "
            "move it away, or name another folder"
        )


def posts_of(folder: Path, dataset: str | None, scratch: Path) -> tuple[list[str], int]:
    """The test posts that a saved model was measured on, and its limit of tokens.

    Raises LabError where there is no lineage, or where the data cannot be found.
    """
    from labkit.data.files import locate
    from labkit.data.posts import load_posts

    try:
        record = Lineage.load(folder)
        config = results.rebuild(LabConfig, record.config)
        labels = tuple(record.data["labels"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise LabError(f"{folder}: has no {FILE} that can be read") from None
    files = locate(DataSource(dataset) if dataset else config.data)
    posts = load_posts(files, replace(config.selection, labels=labels), (), scratch)
    return list(posts.test["text"]), config.recipe.max_length


def export(folder: Path, texts: Sequence[str], max_length: int, scratch: Path) -> list[Compared]:
    """Write the model in `folder` as ONNX to `scratch`, compared on `texts` with PyTorch.

    The folder has the graph, configuration, tokenizer, and a record of the comparison.
    """
    from labkit.data.tokens import encode, load_tokenizer
    from labkit.model.checkpoints import load_classifier

    model, tokenizer = load_classifier(folder), load_tokenizer(folder)
    ids = sorted(encode(tokenizer, texts, max_length), key=len)
    step = (len(ids) - 1) / (POSTS - 1)
    ids = ids if len(ids) <= POSTS else [ids[round(step * place)] for place in range(POSTS)]
    write(model, scratch / MODEL)
    for name in CHECKPOINT_FILES:
        if name != WEIGHTS and (folder / name).exists():
            shutil.copyfile(folder / name, scratch / name)
    found = list(compare(model, scratch / MODEL, ids))
    record = {
        "schema": SCHEMA,
        "weights_sha256": file_digest(folder / WEIGHTS),
        "limit": LIMIT,
        "compared": results.plain(found),
        "packages": library_versions(("torch", "transformers", *LIBRARIES)),
        "files": describe_files(scratch),
    }
    (scratch / RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    return found


def write(model: "PreTrainedModel", file: Path) -> None:
    """Trace a classifier's logits with both inputs, whose batch and length may change."""
    import torch

    from labkit.model.batches import pad

    axes = {0: "batch", 1: "tokens"}
    example = dict(zip(INPUTS, pad([[1, 2, 3], [1, 2]], 0), strict=True))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it names every library that is absent
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own calls
        torch.onnx.export(
            model,
            (),
            file,
            kwargs=example,
            input_names=INPUTS,
            output_names=[OUTPUT],
            dynamic_shapes=dict.fromkeys(INPUTS, axes),
            dynamo=True,  # the other exporter is deprecated
            external_data=False,
            verbose=False,
        )


def compare(
    model: "PreTrainedModel", file: Path, ids: Sequence[Sequence[int]]
) -> Iterator[Compared]:
    """Token ids, sorted by length, through both in batches of several sizes.

    A batch takes posts from all over the lengths, so that most of it is padding.
    """
    import torch

    from labkit.model.batches import pad

    run = runner(file)
    for size in BATCHES:
        batches = max(1, len(ids) // size)
        worst = 0.0
        for start in range(batches):
            tokens, mask = pad(ids[start::batches], model.config.pad_token_id or 0)
            with torch.inference_mode():
                logits = model(tokens, attention_mask=mask).logits.numpy()
            difference = float(abs(run(tokens.numpy(), mask.numpy()) - logits).max())
            worst = difference if not difference <= worst else worst  # also where it is no number
        yield Compared(size, len(ids), len(ids[0]), len(ids[-1]), worst)


def runner(file: Path) -> "Callable[[np.ndarray, np.ndarray], np.ndarray]":
    """An ONNX file as a function of token ids and mask, (batch, tokens) both, to logits."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def run(ids: "np.ndarray", mask: "np.ndarray") -> "np.ndarray":
        (logits,) = session.run([OUTPUT], dict(zip(INPUTS, (ids, mask), strict=True)))
        return logits

    return run


def publish(source: Path, target: Path) -> None:
    """Make `target` a copy of an export: whole, or as it was before."""
    check_target(target)
    replace_folder(target, lambda fresh: copy_files(source, fresh))
