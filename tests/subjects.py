"""Small subjects for the tests of labkit: a DistilBERT of 60,000 weights and a few dozen posts."""

import csv
import json
import random
from pathlib import Path

LABELS = ("rec.sport.baseball", "sci.space")
TOPIC_WORDS = {
    "rec.sport.baseball": [
        "pitcher",
        "inning",
        "shortstop",
        "bat",
        "umpire",
        "catcher",
        "glove",
        "homer",
    ],
    "sci.space": ["orbit", "rocket", "probe", "lunar", "shuttle", "payload", "comet", "thruster"],
}
COMMON_WORDS = [
    "the",
    "a",
    "of",
    "and",
    "was",
    "is",
    "it",
    "in",
    "on",
    "that",
    "we",
    "they",
    "said",
    "new",
    "old",
    "very",
    "last",
    "next",
]


def make_post(label: str, rng: random.Random) -> str:
    """A dozen words, a third of them of the label's topic."""
    words = [rng.choice(TOPIC_WORDS[label]) for _ in range(4)]
    words += [rng.choice(COMMON_WORDS) for _ in range(8)]
    rng.shuffle(words)
    return " ".join(words)


def write_dataset(folder: Path, train: int = 48, test: int = 24, seed: int = 0) -> Path:
    """A data set in the Hub's layout: `train.jsonl` and `test.jsonl`, classes in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    for name, size in (("train", train), ("test", test)):
        rows = []
        for i in range(size):
            label = LABELS[i % 2]
            rows.append({"text": make_post(label, rng), "label": i % 2, "label_text": label})
        lines = [json.dumps(row) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def write_tickets(path: Path, posts: Path) -> None:
    """The train posts of a data set as the CSV file of the docs' examples."""
    rows = [json.loads(line) for line in (posts / "train.jsonl").read_text().splitlines()]
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["body", "team"])
        table.writerows([row["text"], row["label_text"]] for row in rows)


def write_checkpoint(folder: Path, seed: int = 0) -> Path:
    """A DistilBERT checkpoint with random weights and a word-level vocabulary of its own."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import DistilBertConfig, DistilBertModel

    folder.mkdir(parents=True, exist_ok=True)
    words = [*COMMON_WORDS, *(word for group in TOPIC_WORDS.values() for word in group)]
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789.,!?'-"]
    pieces = [f"##{letter}" for letter in letters]
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = list(dict.fromkeys([*specials, *letters, *pieces, *words]))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True).save(
        str(folder / "tokenizer.json")
    )
    settings = {
        "tokenizer_class": "DistilBertTokenizer",
        "do_lower_case": True,
        "model_max_length": 64,
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    torch.manual_seed(seed)
    config = DistilBertConfig(
        vocab_size=len(vocabulary),
        max_position_embeddings=64,
        dim=48,
        hidden_dim=96,
        n_layers=2,
        n_heads=4,
        dropout=0.0,
        attention_dropout=0.0,
        seq_classif_dropout=0.0,
        pad_token_id=0,
    )
    DistilBertModel(config).save_pretrained(folder)
    return folder
