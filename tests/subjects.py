"""Small subjects for the tests of labkit: a DistilBERT of 60,000 weights and a few dozen posts."""

import csv
import json
import random
from pathlib import Path

from labkit.puzzles.subject import small_model, write_tokenizer

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
    words = [*COMMON_WORDS, *(word for group in TOPIC_WORDS.values() for word in group)]
    small_model(len(write_tokenizer(folder, words)), seed).save_pretrained(folder)
    return folder
