"""The small world of the puzzles: a DistilBERT of 50,000 weights and posts about two topics.

It is made in a second and trained in a few. What stands for pre-training: words of one topic have
embeddings that lean in one direction, so that the model knows something before it is trained.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import DistilBertModel

LABELS = ("garden", "harbour")
TOPICS = {
    "garden": "garden soil rose hedge seed tulip spade compost lawn orchard bee watering pot weed",
    "harbour": "harbour ship anchor tide sailor pier crane cargo rope mast ferry dock wave buoy",
}
COMMON = (
    "the a of and was is it in on that we they said new old very last next this example about i "
    "you he she at by for with from near after before again never often early late small large"
)
TRAIN, TEST, LONGEST = 360, 120, 64
USUAL_RATE = 6e-3  # learns in three epochs what there is
LEAN = 0.12  # of a topic word's embedding, against noise of 1


def write_posts(folder: Path, seed: int = 0) -> Path:
    """`train.jsonl` and `test.jsonl`, classes in turn; one word in three is of the topic."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    for name, size in (("train", TRAIN), ("test", TEST)):
        rows = [
            {"text": _post(rng, LABELS[i % 2]), "label": i % 2, "label_text": LABELS[i % 2]}
            for i in range(size)
        ]
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def _post(rng: random.Random, label: str) -> str:
    other = next(one for one in LABELS if one != label)
    words = rng.choices(TOPICS[label].split(), k=4) + rng.choices(TOPICS[other].split(), k=1)
    words += rng.choices(COMMON.split(), k=rng.randint(6, 14))
    rng.shuffle(words)
    return " ".join(words)


def write_tokenizer(folder: Path, words: Sequence[str]) -> list[str]:
    """The tokenizer of a DistilBERT that knows these words and letters; returns its vocabulary."""
    from tokenizers import BertWordPieceTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789.,!?'-"]
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [f"##{letter}" for letter in letters]
    vocabulary = list(dict.fromkeys([*specials, *letters, *pieces, *words]))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True).save(
        str(folder / "tokenizer.json")
    )
    names = {kind: f"[{kind.upper()}]" for kind in ("unk", "sep", "pad", "cls", "mask")}
    settings = {
        "tokenizer_class": "DistilBertTokenizer",
        "do_lower_case": True,
        "model_max_length": LONGEST,
        **{f"{kind}_token": token for kind, token in names.items()},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return vocabulary


def small_model(words: int, seed: int) -> "DistilBertModel":
    """A DistilBERT of 50,000 random weights for so many words."""
    import torch
    from transformers import DistilBertConfig, DistilBertModel

    torch.manual_seed(seed)
    config = DistilBertConfig(
        vocab_size=words,
        max_position_embeddings=LONGEST,
        dim=48,
        hidden_dim=96,
        n_layers=2,
        n_heads=4,
        dropout=0.0,
        attention_dropout=0.0,
        seq_classif_dropout=0.0,
        pad_token_id=0,
    )
    return DistilBertModel(config)


def write_checkpoint(folder: Path) -> Path:
    """A DistilBERT checkpoint that knows which words belong together, and its tokenizer."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    topics = {label: text.split() for label, text in TOPICS.items()}
    words = [*COMMON.split(), *(word for group in topics.values() for word in group)]
    vocabulary = write_tokenizer(folder, words)
    model = small_model(len(vocabulary), seed=0)
    embeddings = model.embeddings.word_embeddings.weight
    with torch.no_grad():
        for group in topics.values():
            direction = torch.randn(model.config.dim) * model.config.initializer_range
            for word in group:
                embeddings[vocabulary.index(word)] += LEAN * 4 * direction
    model.save_pretrained(folder)
    return folder
