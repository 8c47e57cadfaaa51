"""What can go wrong with a fine-tune: each fault as changes of settings and of stages.

Which of them is in which puzzle is sealed (`labkit.puzzles.sealed`). A fault that changes weights
writes them into the folder `work`.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.lab import GRAPH
from labkit.puzzles.subject import LABELS, USUAL_RATE

if TYPE_CHECKING:
    import datasets
    import torch

    from labkit.data.posts import Posts
    from labkit.model.checkpoints import Checkpoint
    from labkit.training.history import FineTuned

Tensors = dict[str, "torch.Tensor"]  # by name
Stage = Callable[..., Any]


@dataclass(frozen=True)
class Fault:
    """Settings of the recipe and the selection, and what stands in the place of stages."""

    recipe: Mapping[str, Any] = field(default_factory=dict)
    selection: Mapping[str, Any] = field(default_factory=dict)
    label_texts: Mapping[str, str] | None = None
    stages: Mapping[str, Any] = field(default_factory=dict)


def relabelled(split: "datasets.Dataset", labels: np.ndarray) -> "datasets.Dataset":
    """The same texts with other labels."""
    features = split.features
    return split.remove_columns("label").add_column("label", labels.tolist()).cast(features)


def instead(name: str, change: Callable[[Stage, dict[str, Any]], Any]) -> dict[str, Stage]:
    """A function in the place of a stage, with its parameters.

    `change` takes what computes the stage, and its inputs by name.
    """
    stage = GRAPH[name].function

    @wraps(stage)
    def changed(**inputs: Any) -> Any:
        return change(stage, inputs)

    return {name: changed}


def of_posts(change: Callable[["Posts"], "Posts"]) -> Fault:
    """The posts, changed after they were split."""
    return Fault(stages=instead("posts", lambda stage, inputs: change(stage(**inputs))))


def shuffled_labels(_: Path) -> Fault:
    """The train and validation posts have somebody else's labels."""

    def change(posts: "Posts") -> "Posts":
        rng = np.random.default_rng(0)
        return replace(
            posts,
            train=relabelled(posts.train, rng.permutation(posts.truth.train)),
            validation=relabelled(posts.validation, rng.permutation(posts.truth.validation)),
        )

    return of_posts(change)


def leaked_test_posts(_: Path) -> Fault:
    """A part of the test posts stands among the train posts."""

    def change(posts: "Posts") -> "Posts":
        import datasets

        leaked = posts.test.select(range(len(posts.test) // 2))
        return replace(posts, train=datasets.concatenate_datasets([posts.train, leaked]))

    return of_posts(change)


def one_class_in_training(_: Path) -> Fault:
    """All train posts but two are of the first class."""

    def change(posts: "Posts") -> "Posts":
        first, second = (np.flatnonzero(posts.truth.train == label) for label in (0, 1))
        rows = np.concatenate([first, second[:2]])
        return replace(posts, train=posts.train.select(rows))

    return of_posts(change)


def wrong_test_labels(_: Path) -> Fault:
    """A third of the test posts has the other label."""

    def change(posts: "Posts") -> "Posts":
        truth = posts.truth.test.copy()
        rows = np.random.default_rng(0).permutation(len(truth))[: len(truth) // 3]
        truth[rows] = 1 - truth[rows]
        return replace(posts, test=relabelled(posts.test, truth))

    return of_posts(change)


def usual_sweep(stage: Stage, inputs: dict[str, Any]) -> Any:
    """The small trainings of the usual recipe, whatever the recipe is."""
    plan = inputs["plan"]
    usual = replace(plan, recipe=replace(plan.recipe, learning_rate=USUAL_RATE, epochs=3))
    return stage(**{**inputs, "plan": usual})


USUAL_SWEEP = instead("sweep", usual_sweep)


def rate_too_large(_: Path) -> Fault:
    """The learning rate is two hundred times too large."""
    return Fault(recipe={"learning_rate": 0.6}, stages=USUAL_SWEEP)


def rate_too_small(_: Path) -> Fault:
    """The learning rate is ten thousand times too small."""
    return Fault(recipe={"learning_rate": 3e-7})


def too_few_posts(_: Path) -> Fault:
    """There is next to nothing to learn from."""
    return Fault(selection={"train_size": 8})


def posts_cut_short(_: Path) -> Fault:
    """The model reads the first words of a post and no more."""
    return Fault(recipe={"max_length": 10})


def swapped_label_texts(_: Path) -> Fault:
    """Each class is described by the name of the other."""
    return Fault(label_texts=dict(zip(LABELS, reversed(LABELS), strict=True)))


def learned_by_heart(_: Path) -> Fault:
    """Few posts, some with a wrong label, over and over again."""

    def change(posts: "Posts") -> "Posts":
        train = posts.train.select(range(40))
        labels = np.asarray(train["label"])
        labels[:12] = 1 - labels[:12]
        return replace(posts, train=relabelled(train, labels))

    fault = of_posts(change)
    return replace(fault, recipe={"epochs": 40}, stages={**fault.stages, **USUAL_SWEEP})


def rewritten(folder: Path, to: Path, change: Callable[[Tensors], None]) -> Path:
    """A copy of a checkpoint with its tensors changed."""
    from safetensors.torch import load_file, save_file

    from labkit.model.checkpoints import WEIGHTS

    shutil.copytree(folder, to, dirs_exist_ok=True)
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, to / WEIGHTS, metadata={"format": "pt"})
    return to


def base_model_not_pretrained(work: Path) -> Fault:
    """The base model has random weights."""

    def change(tensors: Tensors) -> None:
        import torch

        name = next(name for name in tensors if name.endswith("word_embeddings.weight"))
        noise = torch.Generator().manual_seed(1)
        tensors[name] = 0.02 * torch.randn(tensors[name].shape, generator=noise)

    def base(stage: Stage, inputs: dict[str, Any]) -> "Checkpoint":
        from labkit.model.checkpoints import digest_files

        published = stage(**inputs)
        folder = rewritten(published.folder, work / "base", change)
        return replace(published, folder=folder, files=digest_files(folder))

    return Fault(stages=instead("base", base))


def of_model(work: Path, change: Callable[[Tensors], None]) -> Fault:
    """The fine-tuned model, its tensors changed once it is trained."""

    def fine_tuned(stage: Stage, inputs: dict[str, Any]) -> "FineTuned":
        (work / "trained").mkdir(exist_ok=True)
        own = replace(inputs["call"], folder=work / "trained")
        trained = stage(**{**inputs, "call": own})
        return replace(trained, folder=rewritten(trained.folder, work / "changed", change))

    return Fault(stages=instead("fine_tuned", fine_tuned))


def swapped_outputs(work: Path) -> Fault:
    """The model's two outputs have changed places after training."""

    def change(tensors: Tensors) -> None:
        for name in ("classifier.weight", "classifier.bias"):
            tensors[name] = tensors[name].flip(0).contiguous()

    return of_model(work, change)


def encoder_not_trained(work: Path) -> Fault:
    """Only the head was kept of the training; the encoder is the base model's."""

    def change(tensors: Tensors) -> None:
        from safetensors.torch import load_file

        from labkit.model.checkpoints import WEIGHTS

        original = load_file(found[-1].folder / WEIGHTS)
        for name in tensors:
            if name.startswith("distilbert."):
                tensors[name] = original[name.removeprefix("distilbert.")]

    def base(stage: Stage, inputs: dict[str, Any]) -> "Checkpoint":
        found.append(stage(**inputs))
        return found[-1]

    found: list[Checkpoint] = []
    fault = of_model(work, change)
    return replace(fault, stages={**fault.stages, **instead("base", base)})


def damaged_weights(work: Path) -> Fault:
    """What is read back from disk is not what was trained."""

    def change(tensors: Tensors) -> None:
        tensors["pre_classifier.weight"] *= 1.1

    def reload_difference(stage: Stage, inputs: dict[str, Any]) -> float:
        damaged = rewritten(inputs["saved_model"], work / "damaged", change)
        return stage(**{**inputs, "saved_model": damaged})

    return Fault(stages=instead("reload_difference", reload_difference))


def mask_ignored(_: Path) -> Fault:
    """The model looks at padding as if it were text."""

    def behaviours(_: Stage, inputs: dict[str, Any]) -> Any:
        import torch

        from labkit.data.tokens import encode, load_tokenizer
        from labkit.evaluation.behaviour import behaviours_of
        from labkit.evaluation.search import beginnings_of, examine_all
        from labkit.model.batches import pad
        from labkit.model.checkpoints import load_classifier

        folder, posts = inputs["fine_tuned"].folder, inputs["posts"]
        limit, seed = inputs["max_length"], inputs["seed"]
        model: Any = load_classifier(folder)
        tokenizer = load_tokenizer(folder)

        def without_mask(texts: list[str]) -> np.ndarray:
            ids, mask = pad(encode(tokenizer, texts, limit), 0)
            with torch.inference_mode():
                return np.asarray(model(ids, attention_mask=torch.ones_like(mask)).logits.numpy())

        sample = beginnings_of(posts, folder, limit, without_mask, seed)
        return examine_all(behaviours_of(posts.labels), without_mask, sample, seed)

    return Fault(stages=instead("behaviours", behaviours))


FAULTS: dict[str, Callable[[Path], Fault]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        base_model_not_pretrained,
        damaged_weights,
        encoder_not_trained,
        leaked_test_posts,
        learned_by_heart,
        mask_ignored,
        one_class_in_training,
        posts_cut_short,
        rate_too_large,
        rate_too_small,
        shuffled_labels,
        swapped_label_texts,
        swapped_outputs,
        too_few_posts,
        wrong_test_labels,
    )
}
