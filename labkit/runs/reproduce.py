"""A saved model trained anew from its `lineage.json` alone, and compared with what was saved.

Same data by fingerprint, same base model by digest, same recipe; where one of them is not to be had,
nothing is trained. Then the answer is one of three, each with an exit code of its own, and what is
not as it was when the model was made is named, since that is where a difference comes from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.config import DataSource, LabConfig, ModelSource
from labkit.errors import LabError
from labkit.model.checkpoints import WEIGHTS
from labkit.plumbing import results
from labkit.plumbing.digests import file_digest
from labkit.plumbing.progress import Progress
from labkit.release.lineage import FILE, Lineage
from labkit.release.verify import check_files

if TYPE_CHECKING:
    from labkit.plumbing.runner import Run

IDENTICAL, DIFFERS, SAME_DECISIONS = 0, 1, 3  # exit codes; 2 is a usage error


@dataclass(frozen=True)
class Reproduced:
    """What came out: an exit code, a sentence, and what is not as it was, in words."""

    code: int
    verdict: str
    differences: tuple[str, ...]


def reproduce(
    folder: Path,
    dataset: str | None,
    base_model: str | None,
    scratch: Path,
    progress: Progress | None = None,
) -> Reproduced:
    """Train the model in `folder` anew, with data and base model found where they lie now.

    Raises LabError where there is no lineage, or nothing to train.
    """
    from labkit import lab
    from labkit.plumbing.store import Store

    record, config = read(folder)
    damaged = [finding.what for finding in check_files(folder, record) if not finding.holds]
    if damaged:
        return Reproduced(DIFFERS, "The saved model is not the recorded one.", tuple(damaged))
    if dataset:
        config = replace(config, data=DataSource(dataset))
    if base_model:
        config = replace(config, base_model=ModelSource(base_model))
    run = lab.run(config, Store(scratch / "store"), progress=progress)
    wanting = ingredients(record, run)
    if wanting:
        said = "Nothing was trained: it would not be made of the same."
        return Reproduced(DIFFERS, said, tuple(wanting))
    around = surroundings(record, results.plain(run.hardware))
    trained = run.fine_tuned.folder
    if file_digest(trained / WEIGHTS) == record.files.get(WEIGHTS, {}).get("sha256"):
        return Reproduced(IDENTICAL, "Identical to the bit.", tuple(around))
    return Reproduced(*judge(folder, run), tuple(around))


def read(folder: Path) -> tuple[Lineage, LabConfig]:
    """The lineage in a model folder, and the configuration that it was made with."""
    try:
        record = Lineage.load(folder)
        config = results.rebuild(LabConfig, record.config)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise LabError(f"{folder}: has no {FILE} that can be read") from None
    if record.trained_elsewhere:
        raise LabError(f"{folder}: was trained elsewhere, so its {FILE} does not say how")
    return record, config


def ingredients(record: Lineage, run: "Run") -> list[str]:
    """What the model would be made of that is not what it was made of, in words."""
    found = []
    if run.data_files.fingerprint != record.data.get("fingerprint"):
        found.append(f"data: {run.data_files.name} has another fingerprint")
    elif list(run.posts.labels) != list(record.data.get("labels", ())):
        found.append("data: the classes are others")
    if run.base.sha256 != record.base_model.get("sha256"):
        found.append(f"base model: {run.base.name} has other weights")
    recipe = results.plain(run.plan.recipe)
    found += [f"recipe: {line}" for line in changed(record.recipe, recipe)]
    return found


def surroundings(record: Lineage, hardware: Mapping[str, Any]) -> list[str]:
    """What around the training is not as it was, in words: versions, processor, threads."""
    from labkit.plumbing.hardware import describe_machine
    from labkit.plumbing.store import library_versions

    return [
        *(f"library: {line}" for line in changed(record.packages, library_versions())),
        *(f"hardware: {line}" for line in changed(record.hardware, hardware)),
        *(f"machine: {line}" for line in changed(record.machine, describe_machine())),
    ]


def changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The entries that differ, in words."""
    return [
        f"{name} {then.get(name)} then, {now.get(name)} now"
        for name in dict.fromkeys([*then, *now])
        if then.get(name) != now.get(name)
    ]


def judge(folder: Path, run: "Run") -> tuple[int, str]:
    """Whether two models of other weights give the test posts the same answers."""
    from labkit.model.encoding import classify_tokens

    before, after = (
        classify_tokens(model, run.tokens.test, run.hardware).logits
        for model in (folder, run.fine_tuned.folder)
    )
    turned = int((before.argmax(axis=1) != after.argmax(axis=1)).sum())
    apart = float(abs(before - after).max())
    if turned == 0:
        return SAME_DECISIONS, f"The same decisions: logits differ by at most {apart:.2g}."
    return DIFFERS, f"Differs: {turned} of {len(before)} test posts have another answer now."
