"""Nothing stale is served: runs that share a store give what runs with stores of their own give.

For every setting, from the settings themselves, and for every file that goes in. And nothing is
computed for nothing: what a change does not reach is read from the store.
"""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from labkit import lab, sources
from labkit.config import DataSource, LabConfig, ModelSource, Recipe, Selection, settings_of
from labkit.model.encoding import load_logits
from labkit.plugin.options import SETTINGS, apply
from labkit.plumbing.code import PIPELINE
from labkit.plumbing.digests import file_digest
from labkit.plumbing.results import content_digest
from labkit.plumbing.store import MANIFEST, Store
from labkit.training.classifier import trainer
from labkit.training.sweep import POSTS, part, small, trial
from tests.running import ROOT, environment
from tests.subjects import LABELS, make_post, write_checkpoint, write_dataset

# The value of each setting that differs from the one below. A setting without one fails the test.
CHANGED: dict[str, Any] = {
    "base-model": "other-checkpoint",
    "dataset": "other-posts",
    "label-text": {LABELS[0]: "shuttle", LABELS[1]: "umpire"},
    "fine-tuned": "given",
    "text-column": "other",
    "label-column": "label",
    "labels": LABELS[::-1],
    "train-size": 20,
    "validation-size": 5,
    "test-size": 8,
    "seed": 7,
    "recipe": "fit",
    "epochs": 2,
    "batch-size": 4,
    "learning-rate": 1e-3,
    "warmup": 0.9,
    "weight-decay": 0.9,
    "attention-dropout": 0.5,
    "max-length": 40,
    "seeds": 2,
}


def few_behaviours(fine_tuned, posts, max_length, seed, hardware) -> np.ndarray:
    """Stands for the behaviours, which take as much and ten times as long: logits of some texts."""
    model = load_logits(fine_tuned.folder, max_length, hardware)
    return model([f"{text} {seed} {posts.labels[0]}" for text in posts.test[:4]["text"]])


def one_small_training(start, plan, split_seed, call) -> np.ndarray | None:
    """Stands for the sweep, which takes as much and a dozen times as long: losses of one of it."""
    if start is None:
        return None
    posts, validation = (
        part(split, POSTS, split_seed) for split in (start.tokens.train, start.tokens.validation)
    )
    recipe = small(start, plan, len(posts))
    return trial(trainer(start, call), posts, validation, recipe).losses


def no_curve(sweep) -> None:
    """Stands for the learning curve, which is more of the same."""


def measured(config: LabConfig, store: Path) -> dict[str, str]:
    """A digest of what each stage of a run measured: of all numbers but times."""
    run = lab.run(config, Store(store), replace=FEW)
    sources.check_inputs(run)
    found = {name: content_digest(run[name]) for name in lab.GRAPH if name not in VOLATILE}
    history = run.fine_tuned.history
    trained = history and replace(history, seconds=0.0)
    weights = file_digest(run.fine_tuned.folder / "model.safetensors")
    return found | {"fine_tuned": content_digest((trained, weights))}


FEW = {"behaviours": few_behaviours, "sweep": one_small_training, "learning_curve": no_curve}
VOLATILE = ("fine_tuned", "saved_model", "commit")  # have seconds or the date in them


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with everything that the settings name; tests run inside it."""
    folder = tmp_path_factory.mktemp("reuse")
    write_checkpoint(folder / "checkpoint")
    write_checkpoint(folder / "other-checkpoint", seed=1)
    for name, seed in (("posts", 0), ("other-posts", 1)):
        write_dataset(folder / name, train=32, test=12, seed=seed)
        for file in (folder / name).iterdir():
            rows = [json.loads(line) for line in file.read_text().splitlines()]
            for number, row in enumerate(rows):
                row["text"] = " ".join([row["text"], *map(make_words, range(number, number + 3))])
                row["other"] = f"{row['text']} {make_words(number)}"
            file.write_text("\n".join(map(json.dumps, rows)) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        config = plain_config()
        shutil.copytree(lab.run(config, Store(folder / "store")).saved_model, folder / "given")
        yield folder


def make_words(number: int) -> str:
    """A post of a dozen words, of either class in turn."""
    return make_post(LABELS[number % 2], random.Random(number))


def plain_config() -> LabConfig:
    return LabConfig(
        profile="embedded",
        base_model=ModelSource("checkpoint"),
        data=DataSource("posts"),
        selection=Selection(train_size=16, validation_size=8),
        recipe=Recipe(epochs=1, learning_rate=5e-3, max_length=64, batch_size=8),
        seeds=1,
    )


@pytest.fixture(scope="module")
def plain(subject: Path, one_thread: None) -> dict[str, str]:
    """What the unchanged run measures; it fills the store that the others share."""
    return measured(plain_config(), subject / "shared")


def test_every_setting_has_another_value_here():
    names = {name for part in (LabConfig, Selection, Recipe) for name in settings_of(part)}
    assert names == set(CHANGED) == set(SETTINGS)


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_setting_is_served_nothing_stale(subject, plain, tmp_path, name):
    config = apply(plain_config(), {name: CHANGED[name]})
    if name == "recipe":  # there must be something to find
        config = replace(config, recipe=replace(config.recipe, learning_rate=None))
    if name == "dataset":  # other data come with the defaults of a selection
        config = replace(config, selection=plain_config().selection)
    after = measured(config, subject / "shared")
    assert after == measured(config, tmp_path / "fresh")
    assert after != plain, f"{name} changes no number here, so the comparison says nothing"


def edit_json(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def edit(file: Path) -> None:
        plain = json.loads(file.read_text())
        change(plain)
        file.write_text(json.dumps(plain))

    return edit


def scale(file: Path) -> None:
    weights = load_file(file)
    save_file({name: 1.5 * array for name, array in weights.items()}, file, {"format": "pt"})


def forget_a_word(tokenizer: dict[str, Any]) -> None:
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["pitcher"], vocabulary["orbit"] = vocabulary["orbit"], vocabulary["pitcher"]


def one_post_more(file: Path) -> None:
    with file.open("a") as lines:
        for number, label in enumerate(LABELS):
            text = f"{make_words(100 + number)} again"
            lines.write(json.dumps({"text": text, "label": number, "label_text": label}) + "\n")


FILES: dict[str, Callable[[Path], None]] = {
    "checkpoint/model.safetensors": scale,
    "checkpoint/tokenizer.json": edit_json(forget_a_word),
    "checkpoint/config.json": edit_json(lambda config: config.update(dropout=0.5)),
    "posts/train.jsonl": one_post_more,
    "posts/test.jsonl": one_post_more,
    "given/model.safetensors": scale,
    "given/tokenizer.json": edit_json(forget_a_word),
    "given/config.json": edit_json(
        lambda config: config.update(id2label={"0": LABELS[1], "1": LABELS[0]})
    ),
}


@pytest.mark.parametrize("file", FILES)
def test_a_changed_file_is_served_nothing_stale(subject, plain, tmp_path, file):
    config = plain_config()
    if file.startswith("given"):
        config = replace(config, trained_elsewhere=ModelSource("given"))
    before = measured(config, subject / "shared")
    original = (subject / file).read_bytes()
    FILES[file](subject / file)
    try:
        after = measured(config, subject / "shared")
        assert after == measured(config, tmp_path / "fresh")
        assert after != before, f"{file} changes no number here, so the comparison says nothing"
    finally:
        (subject / file).write_bytes(original)


def computed(config: LabConfig, store: Path) -> set[str]:
    """The stages that a run of everything computes."""
    run = lab.run(config, Store(store), replace=FEW)
    _ = run.reload_difference, run.separation, run.sweep
    return {name for name, entry in run.entries.items() if not entry.reused}


def test_with_nothing_changed_nothing_is_computed(subject, plain):
    assert computed(plain_config(), subject / "shared") == set()


def test_another_learning_rate_keeps_what_does_not_depend_on_it(subject, plain):
    config = apply(plain_config(), {"learning-rate": 4e-3})
    assert computed(config, subject / "shared") == {
        *("plan", "fine_tuned", "reseeded", "repeatability", "predictions", "separation"),
        *("saved_model", "reload_difference"),
    }


def test_other_label_texts_train_nothing(subject, plain):
    config = apply(plain_config(), {"label-text": {LABELS[0]: "a ball game"}})
    assert computed(config, subject / "shared") == {"zero_shot", "saved_model", "reload_difference"}


DIGESTS = (
    "import json; from labkit.lab import GRAPH; from labkit.plumbing.code import code_of; "
    "print(json.dumps({n: code_of(s.function).digest for n, s in GRAPH.items()}))"
)
# Of every package of the pipeline a file, stages that can reach it, and stages above that cannot.
EDITS = {
    "data/posts.py": ({"posts", "base_tokens", "zero_shot"}, {"hardware", "pretrained"}),
    "data/probes.toml": ({"probes", "posts"}, {"pretrained", "commit"}),
    "data/tokens.py": ({"base_tokens", "fine_tuned"}, {"posts"}),
    "model/encoding.py": (
        {"base_embeddings", "fine_tuned", "predictions"},
        {"posts", "base_tokens"},
    ),
    "training/fast/parts.py": ({"fine_tuned", "sweep"}, {"base_embeddings", "zero_shot"}),
    "evaluation/similarity.py": ({"zero_shot"}, {"fine_tuned", "predictions"}),
    "evaluation/separation.py": ({"separation"}, {"fine_tuned", "zero_shot"}),
    "report/wording.py": ({"saved_model"}, {"fine_tuned", "behaviours", "separation"}),
    "release/card.py": ({"saved_model"}, {"fine_tuned", "predictions", "behaviours"}),
    "release/model_card.md.jinja": ({"saved_model"}, {"fine_tuned", "behaviours"}),
}
HARMLESS = {  # a time-out, a threshold, what a setting's help says, a message
    *("profiles.py", "exercises.toml", "config.py", "errors.py", "plugin/terminal.py"),
    *("report/page.py", "answers/compare.py", "plumbing/progress.py", "runs/history.py"),
}


@pytest.fixture(scope="module")
def digests(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str | None], dict[str, str]]:
    """The digest of each stage's code in a copy of labkit, one of its files edited."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "labkit", copy / "labkit", ignore=shutil.ignore_patterns("__pycache__"))

    def of(edited: str | None) -> dict[str, str]:
        original = None
        if edited:
            file = copy / "labkit" / edited
            original = file.read_bytes()
            file.write_bytes(original + b"\n# edited\n")
        try:
            run = subprocess.run(
                [sys.executable, "-c", DIGESTS],
                cwd=copy,
                env=environment(PYTHONPATH=str(copy)),
                capture_output=True,
                text=True,
                check=True,
            )
        finally:
            if original is not None:
                file.write_bytes(original)
        found: dict[str, str] = json.loads(run.stdout)
        return found

    return of


@pytest.fixture(scope="module")
def unedited(digests: Callable[[str | None], dict[str, str]]) -> dict[str, str]:
    return digests(None)


def test_every_package_of_the_pipeline_is_edited_here():
    assert {file.partition("/")[0] for file in EDITS} == set(PIPELINE)


@pytest.mark.parametrize("file", EDITS)
def test_an_edit_is_noticed_by_the_stages_that_reach_it(digests, unedited, file):
    after = digests(file)
    changed = {name for name, digest in after.items() if digest != unedited[name]}
    noticed, above = EDITS[file]
    assert noticed <= changed
    assert not above & changed


@pytest.mark.parametrize("file", sorted(HARMLESS))
def test_what_only_carries_or_shows_values_computes_nothing(digests, unedited, file):
    assert digests(file) == unedited


def test_an_edit_of_the_map_is_noticed_by_the_stage_it_is_in(digests, unedited, tmp_path):
    changed = {name for name, digest in digests("lab.py").items() if digest != unedited[name]}
    assert changed == set()  # the line is behind the last function; each is known by its own text


def test_runs_side_by_side_train_once(tmp_path, tiny_checkpoint, tiny_dataset):
    """Two `pytest -n 2` in one checkout: both pass, and every stage was built once."""
    command = [
        *(sys.executable, "-m", "pytest", "-v", "-n", "2"),
        *("tests/exercises/test_4_fine_tune.py", "-k", "trained_for_all or finite_loss"),
        *("-o", f"cache_dir={tmp_path / 'cache'}", f"--lab-reports={tmp_path / 'reports'}"),
        *("--lab-profile=embedded", f"--lab-base-model={tiny_checkpoint}"),
        *(f"--lab-dataset={tiny_dataset}", "--lab-max-length=64"),
    ]
    runs = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(2)
    ]
    output = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], output
    built = [line for text in output for line in text.splitlines() if "fine-tuning done in" in line]
    assert len(built) == 1, output
    assert len(list((tmp_path / "cache/d/labkit/fine_tuned").glob(f"*/{MANIFEST}"))) == 1
