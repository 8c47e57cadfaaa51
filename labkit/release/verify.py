"""Whether a saved model is still the one that its lineage describes, and measures the same."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from labkit.config import DataSource, LabConfig
from labkit.data.files import locate
from labkit.errors import LabError
from labkit.plumbing import results
from labkit.plumbing.digests import file_digest
from labkit.release.lineage import FILE, Lineage


@dataclass(frozen=True)
class Finding:
    """One thing that was checked, in words, and whether it is as recorded."""

    holds: bool
    what: str


def verify(folder: Path, dataset: str | None, scratch: Path) -> Iterator[Finding]:
    """Check the files of `folder`, then the metrics on the recorded data, found at `dataset`.

    A model whose files differ is not opened. Raises LabError where there is no lineage, or where
    the data or base model cannot be found.
    """
    try:
        record = Lineage.load(folder)
        config = results.rebuild(LabConfig, record.config)
    except (OSError, ValueError, TypeError, KeyError):
        raise LabError(f"{folder}: has no {FILE} that can be read") from None
    files = list(check_files(folder, record))
    yield from files
    if all(finding.holds for finding in files):
        if dataset:
            config = replace(config, data=DataSource(dataset))
        yield from check_metrics(folder, record, config, scratch)


def check_files(folder: Path, record: Lineage) -> Iterator[Finding]:
    """Each recorded file against its digest; files that are not recorded count as differences."""
    for name, known in record.files.items():
        path = folder / name
        if not path.is_file():
            yield Finding(False, f"{name} is missing")
        else:
            same = file_digest(path) == known["sha256"]
            yield Finding(same, f"{name} {'has' if same else 'does not have'} its recorded digest")
    for path in sorted(folder.iterdir()):
        if path.name not in {*record.files, FILE}:
            yield Finding(False, f"{path.name} is not recorded")


def check_metrics(
    folder: Path, record: Lineage, config: LabConfig, scratch: Path
) -> Iterator[Finding]:
    """Accuracy and macro F1 of the model, read back, on the test posts, to the last digit."""
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
    logits = load_logits(folder, config.recipe.max_length, detect())(list(posts.test["text"]))
    measured = evaluate("fine_tuned", logits, posts.truth.test, config.recipe.seed)
    for name, value in (
        ("fine_tuned_accuracy", measured.accuracy.value),
        ("fine_tuned_macro_f1", measured.macro_f1.value),
    ):
        known = record.metrics[name]
        yield Finding(value == known, f"{name} {json.dumps(value)}, recorded {json.dumps(known)}")
