"""Text to token ids with a model's own tokenizer.

Truncated at the recipe's limit, never padded here: the collator pads each batch to its longest
post. One segment throughout, as DistilBERT knows no other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import datasets
import numpy as np

from labkit.data.posts import SPLITS, Posts
from labkit.errors import LabError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")


@dataclass(frozen=True)
class Tokens:
    """The posts as a model reads them, row for row.

    Every split has the columns `input_ids`, `label`, and `length`, the tokens before truncation.
    """

    train: datasets.Dataset
    validation: datasets.Dataset
    test: datasets.Dataset
    labels: tuple[str, ...]

    def items(self) -> Iterator[tuple[str, datasets.Dataset]]:
        """The splits by name, in the order of their use."""
        yield from ((name, getattr(self, name)) for name in SPLITS)


def load_tokenizer(checkpoint: Path) -> "PreTrainedTokenizerFast":
    """The fast tokenizer saved beside a checkpoint.

    Raises LabError where there is none: transformers would make one that knows no word.
    """
    from transformers import AutoTokenizer

    if not any((checkpoint / name).is_file() for name in VOCABULARIES):
        raise LabError(f"{checkpoint}: has no tokenizer, which is one of {', '.join(VOCABULARIES)}")
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(checkpoint), use_fast=True, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # of many kinds, as many as there are files of a tokenizer
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise LabError(f"{checkpoint}: its tokenizer cannot be opened: {reason}") from error
    return cast("PreTrainedTokenizerFast", tokenizer)


def encode(
    tokenizer: "PreTrainedTokenizerFast",
    texts: Sequence[str],
    max_length: int,
    pairs: Sequence[str] | None = None,
) -> list[list[int]]:
    """Token ids of each text, [CLS] first and [SEP] last, at most `max_length` of them.

    With `pairs`, each second text follows behind the first [SEP] and only the first is cut.
    """
    ids: list[list[int]] = tokenizer(
        list(texts),
        None if pairs is None else list(pairs),
        truncation="only_first" if pairs else True,
        max_length=max_length,
        return_token_type_ids=False,
        return_attention_mask=False,
    )["input_ids"]
    return ids


def id_rows(posts: datasets.Dataset) -> list[np.ndarray]:
    """The token ids of each post (tokens,), all in one array: ten times leaner than lists."""
    column = posts.with_format("arrow")[:]["input_ids"].combine_chunks()
    ends = np.cumsum(column.value_lengths().to_numpy())
    return np.split(np.array(column.flatten()), ends[:-1])


def beginnings(tokenizer: "PreTrainedTokenizerFast", texts: Sequence[str], limit: int) -> list[str]:
    """Each text up to `limit` tokens of its own, without a word that would be cut in two."""
    spans = tokenizer(
        list(texts),
        add_special_tokens=False,
        truncation=True,
        max_length=limit,
        return_offsets_mapping=True,
    )["offset_mapping"]
    return [
        _up_to(text, ends[-1][1]) if ends else "" for text, ends in zip(texts, spans, strict=True)
    ]


def _up_to(text: str, end: int) -> str:
    if end < len(text) and not text[end].isspace() and " " in text[:end].strip():
        return text[:end].rpartition(" ")[0]
    return text[:end]


def cut(ids: list[int], max_length: int) -> list[int]:
    """At most `max_length` ids of a single text, the last of them [SEP] as before."""
    return ids if len(ids) <= max_length else [*ids[: max_length - 1], ids[-1]]


def tokenize(
    posts: Posts, checkpoint: Path, max_length: int, scratch: Path | None = None
) -> Tokens:
    """Token ids of all posts by the tokenizer in `checkpoint`.

    `scratch` takes the Arrow files on the way, so that memory stays bounded; without it they stay
    in memory.
    """
    tokenizer = load_tokenizer(checkpoint)

    def add_tokens(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        whole = tokenizer(batch["text"], return_token_type_ids=False, verbose=False)["input_ids"]
        return {
            "input_ids": [cut(ids, max_length) for ids in whole],
            "length": [len(ids) for ids in whole],
        }

    def encoded(name: str, split: datasets.Dataset) -> datasets.Dataset:
        where: dict[str, Any] = {"keep_in_memory": True}
        if scratch:
            where = {"cache_file_name": str(scratch / f"{name}.arrow")}
        unused = [column for column in split.column_names if column != "label"]
        return split.map(add_tokens, batched=True, remove_columns=unused, **where)

    return Tokens(
        **{name: encoded(name, split) for name, split in posts.items()}, labels=posts.labels
    )
