"""Whether a saved model is still the one that its lineage describes, and measures the same.

What stands in a lineage is held against whatever is at hand: the files of the folder, the
configuration that it records, the base model, the data, the checkout. What only the run itself knew
(machine, packages, seconds, the numbers of other methods) nobody can check afterwards.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labkit.config import DataSource, LabConfig, ModelSource
from labkit.data.files import locate
from labkit.errors import LabError
from labkit.plumbing import results
from labkit.plumbing.digests import file_digest
from labkit.release.lineage import FILE, Lineage, describe_base, describe_posts

UNCHECKED = "machine, packages, seconds, and the numbers of other methods than fine-tuning"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, in words: as recorded, or not, or None where nobody can say."""

    holds: bool | None
    what: str


def verify(folder: Path, dataset: str | None, scratch: Path) -> Iterator[Finding]:
    """Check the files of `folder`, then the record, then the metrics on the data at `dataset`.

    A model whose files differ is not opened. Raises LabError where there is no lineage, or where
    the data cannot be found.
    """
    try:
        record = Lineage.load(folder)
        config = results.rebuild(LabConfig, record.config)
        files = list(check_files(folder, record))
        yield from files
        if all(finding.holds for finding in files):
            yield from check_record(folder, record, config)
            if dataset:
                config = replace(config, data=DataSource(dataset))
            yield from check_data(folder, record, config, scratch)
            yield Finding(None, f"{UNCHECKED}: only the run knew")
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise LabError(f"{folder}: has no {FILE} that can be read") from None


def check_files(folder: Path, record: Lineage) -> Iterator[Finding]:
    """Each recorded file against its digest; files that are not recorded count as differences."""
    for name, known in record.files.items():
        path = folder / name
        if Path(name).name != name:
            yield Finding(False, f"{name!r} is no file of the folder")
        elif not path.is_file():
            yield Finding(False, f"{name} is missing")
        else:
            size, digest = path.stat().st_size, file_digest(path)
            same = {"bytes": size, "sha256": digest} == dict(known)
            yield Finding(same, f"{name} {'has' if same else 'does not have'} its recorded digest")
    for path in sorted(folder.iterdir()):
        if path.name not in {*record.files, FILE}:
            yield Finding(False, f"{path.name} is not recorded")


def check_record(folder: Path, record: Lineage, config: LabConfig) -> Iterator[Finding]:
    """What the lineage says twice, and what base model and checkout say of it."""
    elsewhere = config.trained_elsewhere
    # What was not given in the recipe followed from the posts, and is recorded there alone.
    given = {name: one for name, one in results.plain(config.recipe).items() if one is not None}
    twice = {
        "profile": (record.profile, config.profile),
        "recipe": (record.recipe, {} if elsewhere else record.recipe | given),
        "origin": (record.trained_elsewhere, elsewhere.source if elsewhere else None),
        "data": (
            [record.data[name] for name in ("source", "revision", "split_seed")],
            [config.data.name, config.data.revision, config.selection.split_seed],
        ),
        "labels": (record.data["labels"], _labels(folder)),
    }
    for name, (said, known) in twice.items():
        yield _compared(f"the {name}", said, known)
    yield check_base(record, config)
    yield check_commit(record.commit)


def check_base(record: Lineage, config: LabConfig) -> Finding:
    """The base model's name, revision, digest and size, where it is at hand."""
    from labkit.model.checkpoints import resolve

    try:
        base = resolve(config.base_model, at_hand=True)
    except LabError as error:
        return Finding(None, f"the base model cannot be looked at: {error}")
    known = describe_base(base)
    if base.is_bert:  # which was rewritten before it was measured
        known["bytes"] = record.base_model["bytes"]
    return _compared("the base model", record.base_model, known)


def check_commit(commit: str | None, folder: Path = Path(__file__).parent) -> Finding:
    """Whether the checkout that labkit runs from has the recorded commit."""
    if commit is None:
        return Finding(None, "no commit is recorded")
    if not re.fullmatch(r"\w[\w.-]*\+?", commit):
        return Finding(False, f"commit {commit!r:.80} is none")
    shallow = _git(folder, "rev-parse", "--is-shallow-repository")
    if shallow != "false":
        return Finding(None, f"commit {commit}: labkit runs from no checkout with all commits")
    there = _git(folder, "rev-parse", "--verify", f"{commit.rstrip('+')}^{{commit}}") is not None
    changed = ", with changes that no commit has" if commit.endswith("+") else ""
    return Finding(there, f"commit {commit} is {'' if there else 'not '}in this checkout{changed}")


def check_data(
    folder: Path, record: Lineage, config: LabConfig, scratch: Path
) -> Iterator[Finding]:
    """The data and its splits; accuracy and macro F1 of the model on them, to the last digit."""
    from labkit.data.posts import load_posts
    from labkit.evaluation.metrics import evaluate
    from labkit.model.encoding import load_logits
    from labkit.plumbing.hardware import detect

    files = locate(config.data)
    same = files.fingerprint == record.data["fingerprint"]
    yield Finding(same, f"the data {'has' if same else 'does not have'} its recorded fingerprint")
    if not same:
        return
    # The labels as recorded, so that the posts split as they did then.
    selection = replace(config.selection, labels=tuple(record.data["labels"]))
    posts = load_posts(files, selection, (), scratch)
    for name, value in describe_posts(posts).items():
        yield _compared(name.replace("_", " "), record.data[name], value)
    logits = load_logits(folder, config.recipe.max_length, detect())(list(posts.test["text"]))
    measured = evaluate("fine_tuned", logits, posts.truth.test, config.recipe.seed)
    for name, value in (
        ("fine_tuned_accuracy", measured.accuracy.value),
        ("fine_tuned_macro_f1", measured.macro_f1.value),
    ):
        known = record.metrics[name]
        yield Finding(value == known, f"{name} {json.dumps(value)}, recorded {json.dumps(known)}")


def _labels(folder: Path) -> list[str]:
    """The labels of the model itself, in the order of its outputs."""
    from labkit.model.given import label_order

    return list(label_order(folder, ModelSource(str(folder))))


def _compared(name: str, said: Any, known: Any) -> Finding:
    if said == known:
        return Finding(True, f"{name} as recorded")
    if isinstance(said, dict) and isinstance(known, dict):
        parts = sorted(key for key in {*said, *known} if said.get(key) != known.get(key))
        name = f"{name} ({', '.join(parts)})"
        said, known = ({key: one.get(key) for key in parts} for one in (said, known))
    return Finding(False, f"{name}: recorded {said!r:.200}, but it is {known!r:.200}")


def _git(folder: Path, *command: str) -> str | None:
    """What git says of the checkout around `folder`; None where it fails."""
    try:
        run = subprocess.run(
            ["git", "-C", str(folder), *command], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() if run.returncode == 0 else None
