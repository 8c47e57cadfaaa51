"""Faults of the files that a run leaves for others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.faults.inference import SPECIAL
from benchmarks.faults.planted import planted
from labkit.model.checkpoints import WEIGHTS
from labkit.plumbing.runner import Run
from labkit.puzzles.faults import Fault, Tensors, rewritten


def saved(healthy: Run, work: Path, change: Callable[[Tensors], None]) -> Fault:
    """Other weights in the file than those that were trained."""
    return Fault(stages={"saved_model": rewritten(healthy.saved_model, work / "model", change)})


@planted("files", {"to float16": "float16", "to bfloat16": "bfloat16", "to 8 bits": "int8"})
def weights_rounded(dose: str, healthy: Run, work: Path) -> Fault:
    """The weights were rounded on the way to the file."""

    def change(tensors: Tensors) -> None:
        import torch

        for name, tensor in tensors.items():
            if dose == "int8":
                step = tensor.abs().max().clamp(min=1e-12) / 127
                tensors[name] = (tensor / step).round() * step
            else:
                tensors[name] = tensor.to(getattr(torch, dose)).float()

    return saved(healthy, work, change)


@planted("files", {"by 0.01 %": 1.0001, "by 1 %": 1.01, "by 10 %": 1.1})
def weights_changed(dose: float, healthy: Run, work: Path) -> Fault:
    """One layer's weights in the file are a little larger."""

    def change(tensors: Tensors) -> None:
        tensors["pre_classifier.weight"] *= dose

    return saved(healthy, work, change)


@planted("files", {"2 % more": 0.02, "10 % more": 0.1, "twice as large": 1.0})
def ballast_saved(dose: float, healthy: Run, work: Path) -> Fault:
    """The file holds more than the model."""

    def change(tensors: Tensors) -> None:
        import torch

        tensors["ballast"] = torch.zeros(round(dose * sum(one.numel() for one in tensors.values())))

    return saved(healthy, work, change)


@planted("files", {"the last byte": 1, "a tenth": 0.1, "half": 0.5})
def file_cut_off(dose: float, healthy: Run, work: Path) -> Fault:
    """The end of the file with the weights is missing."""
    folder = shutil.copytree(healthy.saved_model, work / "model")
    whole = (folder / WEIGHTS).read_bytes()
    lost = int(dose) if dose >= 1 else round(dose * len(whole))
    (folder / WEIGHTS).write_bytes(whole[:-lost])
    return Fault(stages={"saved_model": folder})


@planted("files", {"of 2 words": 2, "of 8 words": 8, "of all": None})
def vocabulary_saved_wrong(dose: int | None, healthy: Run, work: Path) -> Fault:
    """In the tokenizer that is saved beside the model, words have the ids of others."""
    folder = shutil.copytree(healthy.saved_model, work / "model")
    file = folder / "tokenizer.json"
    saved = json.loads(file.read_text())
    vocabulary = saved["model"]["vocab"]
    words = sorted(vocabulary, key=vocabulary.__getitem__)[SPECIAL:][::-1][:dose]  # topics' words
    ids = np.roll([vocabulary[word] for word in words], 1).tolist()
    vocabulary |= dict(zip(words, ids, strict=True))
    file.write_text(json.dumps(saved))
    return Fault(stages={"saved_model": folder})
