"""What a checkpoint says of itself, held against the files that it consists of.

Reads no tensor and imports no torch: the sizes in `config.json` stand in the header of the
safetensors file as well, so that nobody has to believe a configuration of a hundred thousand layers.
"""

import json
import math
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.plumbing.reading import LARGEST, check_regular, parse_json, read_json, read_text

CONFIG, WEIGHTS, TOKENIZER, VOCABULARY = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "vocab.txt",
)
LAYER = "transformer.layer."  # of a DistilBERT's tensors
WHOLE_WORDS = ("WordLevel", "WordPiece")  # which need a token for the words that they do not know
Shapes = dict[str, tuple[int, ...]]
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}  # of a weight; whole numbers are no weights
DISTILBERT = {  # what transformers takes for a size that a configuration leaves out
    "vocab_size": 30522,
    "max_position_embeddings": 512,
    "dim": 768,
    "hidden_dim": 3072,
    "n_layers": 6,
    "n_heads": 12,
}
LAYERS, HEADS = ("n_layers", "num_hidden_layers"), ("n_heads", "num_attention_heads")
WIDTHS = ("dim", "hidden_size")
SIZES = ("vocab_size", "max_position_embeddings", *WIDTHS, "hidden_dim", "intermediate_size")
SHARES = (
    "dropout",
    "attention_dropout",
    "seq_classif_dropout",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
)


def check(folder: Path) -> None:
    """Raise LabError, with the file's name, where the files of a checkpoint contradict each other."""
    try:
        config = read_json(folder / CONFIG)
        model_type = config["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise LabError(f"{folder / CONFIG}: cannot be read, or has no model_type") from None
    shapes = read_shapes(folder / WEIGHTS)
    if model_type == "distilbert":
        config = {**DISTILBERT, **config}
    if wrong := wrong_in_config(config, shapes):
        raise LabError(f"{folder / CONFIG}: {wrong}")
    if model_type == "distilbert" and (wrong := wrong_in_shapes(config, shapes)):
        raise LabError(f"{folder / WEIGHTS}: {wrong}")
    check_vocabulary(folder, config.get("vocab_size"))


def read_shapes(weights: Path) -> Shapes:
    """The shape of every tensor of a safetensors file, from its header.

    https://huggingface.co/docs/safetensors; raises LabError where the file is none, or cut off.
    """
    try:
        check_regular(weights)
        size = weights.stat().st_size
        with weights.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(LARGEST, size - 8):
                raise ValueError
            header = parse_json(file.read(length).decode("utf-8"))
        tensors = {name: about for name, about in header.items() if name != "__metadata__"}
        ends = [int(about["data_offsets"][1]) for about in tensors.values()]
        shapes = {name: tuple(map(int, about["shape"])) for name, about in tensors.items()}
        kinds = {name: str(about["dtype"]) for name, about in tensors.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise LabError(f"{weights}: has no header that can be read; fetch the file again") from None
    if 8 + length + max(ends, default=0) != size:
        raise LabError(
            f"{weights}: has {size:,} bytes, its header speaks of "
            f"{8 + length + max(ends, default=0):,}; fetch the file again"
        )
    for name, kind in kinds.items():
        if name.endswith(".weight") and kind not in BYTES:
            raise LabError(f"{weights}: {name} holds {kind}, not fractions; it may be quantized")
    return shapes


def wrong_in_config(config: dict[str, Any], shapes: Shapes) -> str | None:
    """What in a configuration cannot be, in words, given the shapes of the weights."""
    if config.get("quantization_config"):
        return "is that of quantized weights, which the lab does not read; save them in float32"
    largest = max((size for shape in shapes.values() for size in shape), default=0)
    bounds = dict.fromkeys((*SIZES, *HEADS), largest) | dict.fromkeys(LAYERS, len(shapes))
    for name, bound in bounds.items():
        value = config.get(name)
        if name in config and not _is_count(value):
            return f"{name} is {_shown(value)}, it takes a whole number from 1"
        if value is not None and value > bound:
            return f"{name} is {_shown(value)}, but the weights have room for {bound} at most"
    for width in WIDTHS:
        for heads in HEADS:
            if config.get(width) and config.get(heads) and config[width] % config[heads]:
                return f"{width} {config[width]} is no multiple of {heads} {config[heads]}"
    padding, words = config.get("pad_token_id"), config.get("vocab_size")
    if padding is not None and not (_is_count(padding, 0) and (words is None or padding < words)):
        return f"pad_token_id is {_shown(padding)}, no id of a vocabulary of {words}"
    for name in SHARES:
        value = config.get(name, 0)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (number and math.isfinite(value) and 0 <= value <= 1):
            return f"{name} is {_shown(value)}, it takes a share from 0 to 1"
    return None


def wrong_in_shapes(config: dict[str, Any], shapes: Shapes) -> str | None:
    """What a DistilBERT's weights lack or have in another shape than its configuration says."""
    bare = {name.removeprefix("distilbert."): shape for name, shape in shapes.items()}
    expected = distilbert_shapes(config)
    missing = [name for name in expected if name not in bare]
    if missing:
        return f"lacks {len(missing)} tensors of its model, such as {missing[0]}"
    if more := [name for name in bare if name.startswith(LAYER) and name not in expected]:
        return f"has layers that {CONFIG} does not speak of, such as {more[0]}"
    for name, shape in expected.items():
        if bare[name] != shape:
            return f"{name} has the shape {bare[name]}, {shape} by {CONFIG}"
    return None


def distilbert_shapes(config: dict[str, Any]) -> Shapes:
    """The tensors of a DistilBERT encoder."""
    dim, hidden = config["dim"], config["hidden_dim"]
    shapes: Shapes = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], dim),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], dim),
        "embeddings.LayerNorm.weight": (dim,),
        "embeddings.LayerNorm.bias": (dim,),
    }
    parts: Shapes = {
        **{f"attention.{name}_lin": (dim, dim) for name in ("q", "k", "v", "out")},
        "sa_layer_norm": (dim,),
        "ffn.lin1": (hidden, dim),
        "ffn.lin2": (dim, hidden),
        "output_layer_norm": (dim,),
    }
    for layer in range(config["n_layers"]):
        for name, shape in parts.items():
            shapes[f"{LAYER}{layer}.{name}.weight"] = shape
            shapes[f"{LAYER}{layer}.{name}.bias"] = shape[:1]
    return shapes


def check_vocabulary(folder: Path, words: int | None) -> None:
    """Raise LabError where a tokenizer gives ids that the embeddings have no row for."""
    path = folder / TOKENIZER if (folder / TOKENIZER).exists() else folder / VOCABULARY
    if not path.exists():
        return  # of another kind, which is seen when it is opened
    try:
        ids = vocabulary_ids(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise LabError(f"{path}: is no tokenizer that can be read") from None
    if not ids or min(ids) < 0:
        raise LabError(f"{path}: is no tokenizer that can be read")
    if words is not None and max(ids) >= words:
        raise LabError(f"{path}: has the id {max(ids)}, {CONFIG} has a vocab_size of {words}")


def vocabulary_ids(path: Path) -> list[int]:
    """The token ids of a tokenizer's file."""
    if path.name == VOCABULARY:
        return list(range(len(read_text(path).splitlines())))
    document = read_json(path)
    entries = document["model"]["vocab"]
    ids = list(entries.values()) if isinstance(entries, dict) else list(range(len(entries)))
    ids += [token["id"] for token in document.get("added_tokens") or ()]
    if not all(_is_count(one, 0) for one in ids):
        raise ValueError
    if (
        document["model"].get("type") in WHOLE_WORDS
        and document["model"]["unk_token"] not in entries
    ):
        raise ValueError
    return ids


def _is_count(value: Any, low: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value < 2**53


def _shown(value: Any) -> str:
    return json.dumps(value)[:40]
