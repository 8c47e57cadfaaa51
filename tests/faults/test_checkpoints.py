"""Checkpoints that contradict themselves: one line that names the file, and no weight is read."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from labkit.config import ModelSource
from labkit.data.tokens import load_tokenizer
from labkit.errors import LabError
from labkit.model import checkpoints, given
from labkit.model.checkpoints import load_classifier
from labkit.model.soundness import read_shapes
from labkit.training.checkpoints import last_whole, mark_whole

Spoil = Callable[[Path], Any]
LONGEST = 600
WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
GONE = object()


def setting(**changes: Any) -> Spoil:
    """Other values in `config.json`."""

    def spoil(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text()) | changes
        config = {name: value for name, value in config.items() if value is not GONE}
        (folder / CONFIG).write_text(json.dumps(config))

    return spoil


def tensors(change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> Spoil:
    """Other weights."""

    def spoil(folder: Path) -> None:
        save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS, {"format": "pt"})

    return spoil


def content(name: str, change: Callable[[bytes], bytes]) -> Spoil:
    """Other bytes."""
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def instead(name: str, make: Callable[[Path], Any]) -> Spoil:
    """Something else in the place of a file."""

    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return spoil


def header(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    """Another header before the same weights."""

    def spoil(folder: Path) -> None:
        raw = (folder / WEIGHTS).read_bytes()
        length = int.from_bytes(raw[:8], "little")
        spoiled = json.dumps(change(json.loads(raw[8 : 8 + length]))).encode()
        (folder / WEIGHTS).write_bytes(
            len(spoiled).to_bytes(8, "little") + spoiled + raw[8 + length :]
        )

    return spoil


def tokenizer(change: Callable[[dict[str, Any]], Any]) -> Spoil:
    def spoil(folder: Path) -> None:
        document = json.loads((folder / TOKENIZER).read_text())
        (folder / TOKENIZER).write_text(json.dumps(change(document)))

    return spoil


def larger_id(document: dict[str, Any]) -> dict[str, Any]:
    vocabulary = document["model"]["vocab"]
    vocabulary["pitcher"] = 10**6
    return document


def embeddings(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Another entry for the word embeddings."""
    return lambda found: found | {EMBEDDINGS: found[EMBEDDINGS] | changes}


EMBEDDINGS = "embeddings.word_embeddings.weight"
SPOILED: dict[str, tuple[Spoil, str, str]] = {
    # files that are none
    **{
        f"{name}-is-{what}": (instead(name, make), name, words)
        for name in (WEIGHTS, CONFIG, TOKENIZER, "vocab.txt", "tokenizer_config.json")
        for what, make, words in (
            ("a-pipe", os.mkfifo, "is no regular file"),
            ("a-device", lambda path: path.symlink_to("/dev/zero"), "is no regular file"),
            ("a-broken-link", lambda path: path.symlink_to("gone"), "leads nowhere"),
            ("a-folder", lambda path: path.mkdir(), "is no regular file"),
        )
    },
    # the header of the weights
    "weights-empty": (content(WEIGHTS, lambda raw: b""), WEIGHTS, "no header"),
    "weights-cut-in-the-length": (content(WEIGHTS, lambda raw: raw[:5]), WEIGHTS, "no header"),
    "weights-cut-in-the-header": (content(WEIGHTS, lambda raw: raw[:50]), WEIGHTS, "no header"),
    "weights-cut-by-a-byte": (content(WEIGHTS, lambda raw: raw[:-1]), WEIGHTS, "speaks of"),
    "weights-cut-by-half": (
        content(WEIGHTS, lambda raw: raw[: len(raw) // 2]),
        WEIGHTS,
        "speaks of",
    ),
    "weights-with-a-tail": (content(WEIGHTS, lambda raw: raw + b"x" * 9), WEIGHTS, "speaks of"),
    "a-header-of-exabytes": (
        content(WEIGHTS, lambda raw: b"\xff" * 8 + raw[8:]),
        WEIGHTS,
        "no header",
    ),
    "a-header-of-nothing": (content(WEIGHTS, lambda raw: bytes(8) + raw[8:]), WEIGHTS, "no header"),
    "a-pickle": (content(WEIGHTS, lambda raw: b"\x80\x04." + raw), WEIGHTS, "no header"),
    "a-page-of-the-hub": (content(WEIGHTS, lambda raw: b"<!doctype html>"), WEIGHTS, "no header"),
    "a-pointer-of-git-lfs": (
        content(WEIGHTS, lambda raw: b"version https://git-lfs.github.com/spec/v1\n"),
        WEIGHTS,
        "no header",
    ),
    "a-header-nested-deeply": (
        content(
            WEIGHTS, lambda raw: (200_000).to_bytes(8, "little") + b"[" * 100_000 + b"]" * 100_000
        ),
        WEIGHTS,
        "no header",
    ),
    "a-header-that-is-a-list": (header(list), WEIGHTS, "no header"),
    "a-tensor-without-a-shape": (
        header(lambda found: found | {"x": {"dtype": "F32", "data_offsets": [0, 4]}}),
        WEIGHTS,
        "no header",
    ),
    "a-tensor-of-words": (header(embeddings(shape=["many"])), WEIGHTS, "no header"),
    "a-tensor-beyond-the-file": (
        header(embeddings(data_offsets=[0, 10**15])),
        WEIGHTS,
        "speaks of",
    ),
    "a-tensor-of-whole-numbers": (header(embeddings(dtype="I8")), WEIGHTS, "may be quantized"),
    # sizes
    "a-hundred-thousand-layers": (setting(n_layers=100_000), CONFIG, "n_layers is 100000"),
    "one-layer-too-many": (setting(n_layers=3), WEIGHTS, "lacks 16 tensors"),
    "one-layer-too-few": (setting(n_layers=1), WEIGHTS, "has layers that config.json does not"),
    "no-layer": (setting(n_layers=0), CONFIG, "it takes a whole number from 1"),
    "layers-below-nothing": (setting(n_layers=-1), CONFIG, "it takes a whole number from 1"),
    "layers-in-words": (setting(n_layers="two"), CONFIG, "it takes a whole number from 1"),
    "layers-of-5000-digits": (
        content(CONFIG, lambda raw: raw.replace(b'"n_layers": 2', b'"n_layers": ' + b"9" * 5000)),
        CONFIG,
        "config.json",
    ),
    "half-a-layer": (setting(n_layers=1.5), CONFIG, "it takes a whole number from 1"),
    "true-layers": (setting(n_layers=True), CONFIG, "it takes a whole number from 1"),
    "no-heads": (setting(n_heads=0), CONFIG, "n_heads is 0"),
    "heads-that-do-not-divide": (setting(n_heads=7), CONFIG, "dim 48 is no multiple of n_heads 7"),
    "a-thousand-heads": (setting(n_heads=100_000), CONFIG, "n_heads is 100000"),
    "no-width": (setting(dim=0), CONFIG, "dim is 0"),
    "another-width": (setting(dim=96), WEIGHTS, "(122, 48), (122, 96) by"),
    "a-wide-width": (setting(dim=10**12), CONFIG, "dim is 1000000000000"),
    "another-hidden-width": (setting(hidden_dim=48), WEIGHTS, "ffn.lin1.weight has the shape"),
    "a-vocabulary-of-billions": (setting(vocab_size=10**12), CONFIG, "vocab_size is"),
    "one-word-too-many": (setting(vocab_size=1), WEIGHTS, f"{EMBEDDINGS} has the shape"),
    "no-positions": (setting(max_position_embeddings=0), CONFIG, "max_position_embeddings is 0"),
    "positions-of-null": (
        setting(max_position_embeddings=None),
        CONFIG,
        "max_position_embeddings is null",
    ),
    "fewer-positions": (setting(max_position_embeddings=32), WEIGHTS, "has the shape"),
    "a-size-left-out": (setting(dim=GONE), CONFIG, "dim is 768"),
    # other settings
    "quantized": (
        setting(quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True}),
        CONFIG,
        "is that of quantized weights",
    ),
    "padding-beyond-the-vocabulary": (setting(pad_token_id=10**6), CONFIG, "pad_token_id is"),
    "padding-below-nothing": (setting(pad_token_id=-1), CONFIG, "pad_token_id is -1"),
    "padding-in-words": (setting(pad_token_id="[PAD]"), CONFIG, "pad_token_id is"),
    "dropout-of-seven": (setting(dropout=7), CONFIG, "it takes a share from 0 to 1"),
    "dropout-that-is-none": (setting(attention_dropout=None), CONFIG, "it takes a share"),
    "dropout-not-a-number": (
        content(CONFIG, lambda raw: raw.replace(b'"dropout": 0.0', b'"dropout": NaN')),
        CONFIG,
        "it takes a share from 0 to 1",
    ),
    "config-nested-deeply": (
        content(CONFIG, lambda raw: b"[" * 100_000 + b"]" * 100_000),
        CONFIG,
        "config.json",
    ),
    "config-not-utf-8": (content(CONFIG, lambda raw: b"\xff" + raw), CONFIG, "config.json"),
    "config-empty": (content(CONFIG, lambda raw: b""), CONFIG, "config.json"),
    "config-of-another-model": (setting(model_type="gpt2"), "gpt2", "fine-tunes a distilbert"),
    # tensors
    "a-layer-is-missing": (
        tensors(lambda w: {n: t for n, t in w.items() if "layer.1" not in n}),
        WEIGHTS,
        "lacks 16 tensors",
    ),
    "other-prefixes": (
        tensors(lambda w: {f"model.{n}": t for n, t in w.items()}),
        WEIGHTS,
        "lacks",
    ),
    "no-tensor-at-all": (tensors(lambda w: {"x": np.zeros((1, 1), np.float32)}), "", ""),
    "one-row-less": (tensors(lambda w: w | {EMBEDDINGS: w[EMBEDDINGS][:-1].copy()}), "", ""),
    # tokenizers
    "tokenizer-empty": (content(TOKENIZER, lambda raw: b""), TOKENIZER, "no tokenizer that can"),
    "tokenizer-cut": (content(TOKENIZER, lambda raw: raw[:99]), TOKENIZER, "no tokenizer that can"),
    "tokenizer-of-nothing": (content(TOKENIZER, lambda raw: b"{}"), TOKENIZER, "no tokenizer"),
    "tokenizer-of-a-list": (content(TOKENIZER, lambda raw: b"[1]"), TOKENIZER, "no tokenizer"),
    "tokenizer-not-utf-8": (content(TOKENIZER, lambda raw: b"\xff"), TOKENIZER, "no tokenizer"),
    "tokenizer-nested-deeply": (
        content(TOKENIZER, lambda raw: b"[" * 100_000),
        TOKENIZER,
        "no tokenizer",
    ),
    "an-id-beyond-the-embeddings": (tokenizer(larger_id), TOKENIZER, "has the id 1000000"),
    "an-added-id-beyond-the-embeddings": (
        tokenizer(lambda found: found | {"added_tokens": [{"id": 9999, "content": "x"}]}),
        TOKENIZER,
        "has the id 9999",
    ),
    "ids-in-words": (
        tokenizer(lambda found: found | {"model": found["model"] | {"vocab": {"a": "one"}}}),
        TOKENIZER,
        "no tokenizer",
    ),
    "an-id-below-nothing": (
        tokenizer(lambda found: found | {"model": found["model"] | {"vocab": {"a": -1}}}),
        TOKENIZER,
        "no tokenizer",
    ),
    "a-vocabulary-of-no-word": (
        tokenizer(
            lambda found: found | {"model": found["model"] | {"vocab": {}}, "added_tokens": []}
        ),
        TOKENIZER,
        "no tokenizer",
    ),
    "an-unknown-word-that-is-no-word": (
        tokenizer(lambda found: found | {"model": found["model"] | {"unk_token": "[NONE]"}}),
        TOKENIZER,
        "no tokenizer",
    ),
    "vocab.txt-beyond-the-embeddings": (
        lambda folder: (
            (folder / TOKENIZER).unlink(),
            content("vocab.txt", lambda raw: raw + b"word\n" * 9)(folder),
        ),
        "vocab.txt",
        "config.json has a vocab_size of",
    ),
}


@pytest.fixture
def copy(tiny_checkpoint, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint"))


@pytest.mark.parametrize("attack", SPOILED)
def test_a_base_model_is_refused_in_one_line(copy, attack):
    spoil, name, words = SPOILED[attack]
    spoil(copy)
    with pytest.raises(LabError) as caught:
        checkpoints.resolve(ModelSource(str(copy)))
    line = str(caught.value)
    assert name in line
    assert words in line
    assert "\n" not in line
    assert len(line) < LONGEST


@pytest.fixture(scope="module")
def classifier(tiny_checkpoint, tmp_path_factory) -> Path:
    """A BERT that classifies, which only `--lab-fine-tuned` and `predict` take."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("given") / "bert"
    words = len((tiny_checkpoint / "vocab.txt").read_text().splitlines())
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=words,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        pad_token_id=0,
        id2label={0: "a", 1: "b"},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    for file in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"):
        shutil.copyfile(tiny_checkpoint / file, folder / file)
    return folder


GIVEN: dict[str, tuple[Spoil, str, str]] = {
    "a-hundred-thousand-layers": (setting(num_hidden_layers=100_000), CONFIG, "num_hidden_layers"),
    "no-heads": (setting(num_attention_heads=0), CONFIG, "num_attention_heads is 0"),
    "heads-that-do-not-divide": (setting(num_attention_heads=7), CONFIG, "no multiple"),
    "a-wide-width": (setting(hidden_size=10**12), CONFIG, "hidden_size is"),
    "a-vocabulary-of-billions": (setting(vocab_size=10**12), CONFIG, "vocab_size is"),
    "quantized": (setting(quantization_config={"quant_method": "gptq"}), CONFIG, "quantized"),
    "padding-beyond-the-vocabulary": (setting(pad_token_id=10**6), CONFIG, "pad_token_id is"),
    "no-label": (setting(id2label={}), "config.json", ""),
    "labels-in-a-list": (setting(id2label=["a", "b"]), "config.json", ""),
    "a-label-twice": (setting(id2label={"0": "a", "1": "a"}), "config.json", "id2label"),
    "labels-from-1": (setting(id2label={"1": "a", "2": "b"}), "config.json", "from 0"),
    "weights-cut-by-half": (
        content(WEIGHTS, lambda raw: raw[: len(raw) // 2]),
        WEIGHTS,
        "speaks of",
    ),
    "weights-are-a-pipe": (instead(WEIGHTS, os.mkfifo), WEIGHTS, "is no regular file"),
    "config-is-a-pipe": (instead(CONFIG, os.mkfifo), CONFIG, "is no regular file"),
    "tokenizer-cut": (content(TOKENIZER, lambda raw: raw[:99]), TOKENIZER, "no tokenizer that can"),
    "an-id-beyond-the-embeddings": (tokenizer(larger_id), TOKENIZER, "has the id 1000000"),
}


@pytest.mark.parametrize("attack", GIVEN)
def test_a_model_from_elsewhere_is_refused_in_one_line(classifier, tmp_path, attack):
    spoil, name, words = GIVEN[attack]
    copy = Path(shutil.copytree(classifier, tmp_path / "model"))
    spoil(copy)
    with pytest.raises(LabError) as caught:
        given.resolve(ModelSource(str(copy)))
    line = str(caught.value)
    assert name in line
    assert words in line
    assert "\n" not in line
    assert len(line) < LONGEST


def test_sound_ones_are_taken(copy, classifier):
    assert checkpoints.resolve(ModelSource(str(copy))).max_length == 64
    assert given.resolve(ModelSource(str(classifier))).labels == ("a", "b")


LOADED: dict[str, tuple[Spoil, str]] = {
    "another-number-of-labels": (
        setting(id2label={str(i): f"c{i}" for i in range(3)}),
        "has tensors of other shapes",
    ),
    "an-activation-that-is-none": (setting(hidden_act="magic"), "model.safetensors: "),
    "a-layer-less": (setting(num_hidden_layers=3), "lacks 16 tensors"),
    "a-layer-more": (setting(num_hidden_layers=1), "has layers that its config.json does not"),
    "another-class": (setting(model_type="bart"), "model.safetensors: "),
    "a-class-of-nobody": (setting(model_type="nobody"), "model.safetensors: "),
    "code-of-its-own": (
        setting(model_type="x", auto_map={"AutoModelForSequenceClassification": "evil.Evil"}),
        "model.safetensors: ",
    ),
}


@pytest.mark.parametrize("attack", LOADED)
def test_what_only_shows_when_it_is_opened_is_one_line_too(classifier, tmp_path, attack):
    spoil, words = LOADED[attack]
    copy = Path(shutil.copytree(classifier, tmp_path / "model"))
    (copy / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    spoil(copy)
    with pytest.raises(LabError) as caught:
        load_classifier(copy)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


TOKENIZERS: dict[str, Spoil] = {
    "of-another-kind": tokenizer(lambda found: found | {"model": {"type": "Magic", "vocab": {}}}),
    "of-numbers": content(TOKENIZER, lambda raw: b"5"),
    "with-a-normalizer-that-is-none": tokenizer(
        lambda found: found | {"normalizer": {"type": "x"}}
    ),
    "settings-that-are-no-json": content("tokenizer_config.json", lambda raw: b"{"),
}


@pytest.mark.parametrize("attack", TOKENIZERS)
def test_a_tokenizer_that_cannot_be_opened_is_named(copy, attack):
    TOKENIZERS[attack](copy)
    with pytest.raises(LabError, match="its tokenizer cannot be opened") as caught:
        load_tokenizer(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 50, 1000])
def test_a_header_is_believed_as_far_as_the_file_goes(copy, size):
    raw = (copy / WEIGHTS).read_bytes()
    (copy / WEIGHTS).write_bytes(raw[:size])
    with pytest.raises(LabError, match=r"model\.safetensors"):
        read_shapes(copy / WEIGHTS)


@pytest.fixture
def unfinished(tmp_path) -> Path:
    """Three checkpoints of a training, the second of them the best."""
    for step in (3, 6, 12):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        best = tmp_path / f"checkpoint-{min(step, 6)}"
        (folder / "model.safetensors").write_bytes(b"weights" * step)
        (folder / "trainer_state.json").write_text(json.dumps({"best_model_checkpoint": str(best)}))
        mark_whole(folder)
    return tmp_path


TRUNCATED: dict[str, tuple[Callable[[Path], Any], str | None]] = {
    "nothing": (lambda folder: None, "checkpoint-12"),
    "the-last-ones-weights": (
        content("checkpoint-12/model.safetensors", lambda raw: raw[:-1]),
        "checkpoint-6",
    ),
    "the-last-ones-state": (
        content("checkpoint-12/trainer_state.json", lambda raw: raw[:9]),
        "checkpoint-6",
    ),
    "the-last-ones-mark": (
        lambda folder: (folder / "checkpoint-12/whole.json").unlink(),
        "checkpoint-6",
    ),
    "half-of-the-last-ones-mark": (
        content("checkpoint-12/whole.json", lambda raw: raw[: len(raw) // 2]),
        "checkpoint-6",
    ),
    "a-file-of-the-last-one": (
        lambda folder: (folder / "checkpoint-12/model.safetensors").unlink(),
        "checkpoint-6",
    ),
    "a-bit-of-the-best-one": (
        content("checkpoint-6/model.safetensors", lambda raw: b"W" + raw[1:]),
        "checkpoint-3",
    ),
    "the-best-one": (lambda folder: shutil.rmtree(folder / "checkpoint-6"), "checkpoint-3"),
    "the-first-two": (
        lambda folder: [shutil.rmtree(folder / f"checkpoint-{n}") for n in (3, 6)],
        None,
    ),
    "all-marks": (lambda folder: [mark.unlink() for mark in folder.glob("*/whole.json")], None),
    "names-that-are-none": (
        lambda folder: (folder / "checkpoint-12").rename(folder / "checkpoint-last"),
        "checkpoint-6",
    ),
}


@pytest.mark.parametrize("attack", TRUNCATED)
def test_training_goes_on_from_the_newest_checkpoint_that_is_whole(unfinished, attack):
    damage, expected = TRUNCATED[attack]
    damage(unfinished)
    found = last_whole(unfinished)
    assert (found and Path(found).name) == expected
