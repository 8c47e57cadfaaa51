"""`--lab-fine-tuned`: a classifier that was trained elsewhere is measured, and nothing is trained."""

import json
import shutil
from dataclasses import replace

import pytest

from labkit import lab, sources
from labkit.answers import answer
from labkit.config import DataSource, ModelSource, Selection
from labkit.errors import LabError
from labkit.evaluation.gates import gates_of, thresholds
from labkit.exercises import EXERCISES
from labkit.model.given import resolve
from labkit.plumbing.store import Store
from tests.running import answers_in, run_pytest
from tests.subjects import LABELS, write_dataset

LIMITS = thresholds("embedded", {}, trains=False)


@pytest.fixture(scope="module")
def trained(tiny_config, tmp_path_factory):
    """A run with posts enough for its tiny model to learn them."""
    folder = tmp_path_factory.mktemp("trained")
    data = DataSource(str(write_dataset(folder / "posts", train=240)))
    return lab.run(replace(tiny_config, data=data), Store(folder / "store"))


@pytest.fixture(scope="module")
def model(trained):
    """The lab's own model, as it would come from elsewhere."""
    return trained.saved_model


@pytest.fixture
def given(trained, tmp_path):
    """A run that measures the model in a folder."""

    def build(folder, **changes):
        config = replace(trained.settings["config"], trained_elsewhere=ModelSource(str(folder)))
        return lab.run(replace(config, **changes), Store(tmp_path / "store"))

    return build


def changed(model, folder, **settings):
    """A copy of the model with other settings in its config."""
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | settings))
    return folder


def test_the_labs_own_model_measures_the_same_when_given(trained, model, given):
    run = given(model)
    own, same = trained.evaluations["fine_tuned"], run.evaluations["fine_tuned"]
    assert same.accuracy == own.accuracy
    assert run.reload_difference == 0
    for exercise in EXERCISES:
        measured = answer(exercise.id, run, LIMITS)
        expected = {gate.name for gate in gates_of(exercise.id)} & set(LIMITS)
        assert {result.gate.name for result in measured.gates} == expected
        assert all(result.measured is not None for result in measured.gates)
    assert "loss_ratio" not in LIMITS
    assert "trained elsewhere" in answer("fine_tune", run, LIMITS).sentence


def test_nothing_is_trained(model, given):
    run = given(model)
    assert run.fine_tuned.history is None
    assert run.sweep is None
    assert run.repeatability is None
    weights = (path / "model.safetensors" for path in (run.fine_tuned.folder, model))
    assert len({path.read_bytes() for path in weights}) == 1


def test_the_label_order_is_that_of_the_models_config(trained, model, given, tmp_path):
    turned = changed(model, tmp_path / "turned", id2label={"0": LABELS[1], "1": LABELS[0]})
    run = given(turned)
    assert run.posts.labels == LABELS[::-1]
    own = trained.evaluations["fine_tuned"].accuracy.value
    assert own > 0.9
    assert run.evaluations["fine_tuned"].accuracy.value == pytest.approx(1 - own)


def test_another_architecture_with_another_tokenizer_goes_all_the_way(
    given, tiny_checkpoint, tmp_path
):
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tmp_path / "bert"
    tokenizer = AutoTokenizer.from_pretrained(str(tiny_checkpoint))
    tokenizer.add_tokens(["inning"])
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    run = given(folder)
    for exercise in EXERCISES:
        assert answer(exercise.id, run, LIMITS).sentence
    assert run.predictions.embeddings.test.shape == (len(run.posts.test), 24)
    assert run.evaluations["fine_tuned"].accuracy.value < 0.9


def test_labels_that_differ_are_named(model, given, tmp_path):
    other = changed(model, tmp_path / "m", id2label={"0": LABELS[0], "1": "sci.med"})
    with pytest.raises(LabError) as caught:
        sources.check_inputs(given(other))
    assert "only the model has 'sci.med'; only the data has 'sci.space'" in str(caught.value)


def test_a_model_of_fewer_labels_than_the_data_is_an_error(model, given, tmp_path):
    rows = [{"text": f"words {i}", "label": "abc"[i % 3]} for i in range(30)]
    path = tmp_path / "posts.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    two = changed(model, tmp_path / "m", id2label={"0": "a", "1": "b"})
    with pytest.raises(
        LabError, match="only the data has 'c'; choose the data's with --lab-labels"
    ):
        sources.check_inputs(
            given(two, data=DataSource(str(path)), selection=Selection(), label_texts={})
        )
    run = given(
        two, data=DataSource(str(path)), selection=Selection(labels=("b", "a")), label_texts={}
    )
    sources.check_inputs(run)
    assert run.posts.labels == ("a", "b")  # as the model numbers them


MISTAKES = {
    "pickle-only": (
        lambda m: (m / "model.safetensors").rename(m / "pytorch_model.bin"),
        "has no model.safetensors, only pytorch_model.bin; a pickle can run code",
    ),
    "no-weights": (lambda m: (m / "model.safetensors").unlink(), "has no model.safetensors"),
    "no-config": (lambda m: (m / "config.json").unlink(), "has no config.json that can be read"),
    "broken-config": (
        lambda m: (m / "config.json").write_text("{"),
        "has no config.json that can be read",
    ),
    "no-classifier": (
        lambda m: (m / "config.json").write_text('{"architectures": ["DistilBertModel"]}'),
        "is DistilBertModel, not a model for sequence classification",
    ),
    "labels-not-from-0": (
        lambda m: (m / "config.json").write_text(
            '{"architectures": ["XForSequenceClassification"], "id2label": {"1": "a", "2": "b"}}'
        ),
        "does not number two or more labels from 0",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_measured_is_told_in_one_line(model, tmp_path, mistake):
    spoil, message = MISTAKES[mistake]
    folder = tmp_path / "m"
    shutil.copytree(model, folder)
    spoil(folder)
    with pytest.raises(LabError) as caught:
        resolve(ModelSource(str(folder)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_exercises_run_on_a_given_model(model, trained, tmp_path):
    config = trained.settings["config"]
    run = run_pytest(
        *("--lab-profile=embedded", "--lab-max-length=64", f"--lab-fine-tuned={model}"),
        f"--lab-base-model={config.base_model.source}",
        f"--lab-dataset={config.data.source}",
        *("-k", "fine_tune or save", "-rs"),
        folder=tmp_path,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "a gate of training; this model was trained elsewhere" in run.stdout
    names = {gate["name"] for answer in answers_in(tmp_path) for gate in answer["gates"]}
    assert {"probe_margin_high", "margin_low", "size_ratio"} & names == {"margin_low", "size_ratio"}
    assert "loss_ratio" not in names
