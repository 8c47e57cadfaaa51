"""Text to token ids with the base model's own tokenizer.

Truncated at the recipe's limit, never padded here: the collator pads each batch to its longest
post. One segment throughout, as DistilBERT knows no other.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from labkit.data import Splits


def load_tokenizer(checkpoint: Path) -> Any:
    """The fast tokenizer saved beside a checkpoint."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(checkpoint), use_fast=True, trust_remote_code=False)


def encode(
    tokenizer: Any,
    texts: list[str],
    max_length: int,
    pairs: list[str] | None = None,
) -> list[list[int]]:
    """Token ids of each text, [CLS] first and [SEP] last, at most `max_length` of them.

    With `pairs`, each second text follows behind the first [SEP] and only the first is cut.
    """
    encoded: dict[str, Any] = tokenizer(
        texts,
        pairs,
        truncation="only_first" if pairs else True,
        max_length=max_length,
        return_token_type_ids=False,
        return_attention_mask=False,
    )
    return encoded["input_ids"]


def cut(ids: list[int], max_length: int) -> list[int]:
    """At most `max_length` ids of a single text, the last of them [SEP] as before."""
    return ids if len(ids) <= max_length else [*ids[: max_length - 1], ids[-1]]


def tokenize_splits(splits: Splits, tokenizer: Any, max_length: int, scratch: Path) -> Splits:
    """The splits with two more columns: `input_ids`, and `length`, the tokens before truncation.

    `scratch` takes the Arrow files on the way, so that memory stays bounded.
    """

    def add_tokens(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        whole = tokenizer(batch["text"], return_token_type_ids=False, verbose=False)["input_ids"]
        return {
            "input_ids": [cut(ids, max_length) for ids in whole],
            "length": [len(ids) for ids in whole],
        }

    return replace(
        splits,
        **{
            name: split.map(
                add_tokens, batched=True, cache_file_name=str(scratch / f"{name}.arrow")
            )
            for name, split in splits.items()
        },
    )
