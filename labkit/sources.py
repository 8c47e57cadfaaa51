"""What a run finds: the machine, the files of the posts, the checkpoints, the commit.

Looked at anew in every run, but for a packaged model, which is rewritten once. What is computed
from them is in `labkit.lab`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.errors import LabError
from labkit.plumbing import processes
from labkit.plumbing.runner import Run, stage, stored

if TYPE_CHECKING:
    from labkit.config import DataSource, ModelSource
    from labkit.data.files import DataFiles
    from labkit.evaluation.suite import Suite
    from labkit.model.checkpoints import Checkpoint
    from labkit.plumbing.hardware import Hardware
    from labkit.plumbing.runner import Call, Run


@stage
def hardware() -> Hardware:
    """Where tensors are computed, and in which precision training multiplies."""
    from labkit.plumbing.hardware import detect

    return detect()


@stage
def data_files(data: DataSource) -> DataFiles:
    """The files of the data set, found or fetched, each with its digest."""
    from labkit.data.files import locate

    return locate(data)


@stage
def pretrained(base_model: ModelSource) -> Checkpoint:
    """The pre-trained checkpoint as it was published, checked."""
    from labkit.model.checkpoints import resolve

    return resolve(base_model)


@stored
def converted(pretrained: Checkpoint, call: Call) -> Checkpoint | None:
    """A packaged BERT rewritten as the DistilBERT that it is; None for what is one already."""
    from labkit.model.checkpoints import as_distilbert

    return as_distilbert(pretrained, call.folder) if pretrained.is_bert else None


@stage
def base(pretrained: Checkpoint, converted: Checkpoint | None) -> Checkpoint:
    """The base model: the DistilBERT that the lab starts from."""
    return converted or pretrained


@stage
def nli(nli_model: ModelSource | None) -> Checkpoint | None:
    """A checkpoint with a trained entailment head, where the profile has one."""
    from labkit.model.checkpoints import resolve

    return resolve(nli_model) if nli_model else None


@stage
def given(trained_elsewhere: ModelSource | None) -> Checkpoint | None:
    """The classifier that was trained elsewhere, checked; None where the lab trains its own."""
    from labkit.model.given import resolve

    return resolve(trained_elsewhere) if trained_elsewhere else None


@stage
def commit() -> str | None:
    """The commit of the checkout that labkit runs from; None outside git."""
    from labkit.plumbing.checkout import commit

    return commit()


@stage
def behaviour_suite() -> Suite:
    """What the behaviour of a model is examined on: the lab's own, and what a project adds."""
    from labkit.evaluation.suite import BUILT_IN

    return BUILT_IN


def check_inputs(lab: Run) -> None:
    """Look at what can be checked without torch: the posts and the checkpoints' files.

    Raises LabError for anything a user can mend.
    """
    from labkit.evaluation.wordings import wordings
    from labkit.profiles import check_label_texts

    recipe, count = lab.settings["recipe"], processes.place().count
    if recipe.max_length > lab.base.max_length:
        raise LabError(
            f"--lab-max-length {recipe.max_length}: base model {lab.base.name} has positions "
            f"for {lab.base.max_length} tokens; ask for at most that many"
        )
    if recipe.batch_size % count:
        raise LabError(
            f"--lab-batch-size {recipe.batch_size}: {count} processes share a batch; "
            f"ask for a multiple of {count}"
        )
    if recipe.choice == "fit" and count > 1:
        raise LabError(f"--lab-recipe fit: it tries recipes in one process, and here are {count}")
    check_label_texts(lab.settings["config"], lab.posts.labels)
    wordings(lab.posts.labels, lab.settings["label_texts"])
    _ = lab.nli
