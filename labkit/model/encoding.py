"""Texts through a model: unit embeddings, and a classifier's logits.

Mean pooling over the tokens that the mask keeps is the pooling of Sentence-BERT (Reimers and
Gurevych 2019, https://arxiv.org/abs/1908.10084, section 3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import datasets
import numpy as np
import torch
from torch import Tensor

from labkit.data.posts import BySplit
from labkit.data.tokens import Tokens, encode, id_rows, load_tokenizer
from labkit.model.batches import Ids, run_batches
from labkit.model.checkpoints import Checkpoint, load_classifier, load_encoder, on_device
from labkit.model.predictions import Classified, Predictions
from labkit.plumbing.hardware import Hardware, torch_device
from labkit.plumbing.progress import Report, ignore

if TYPE_CHECKING:
    from transformers import DistilBertModel, PreTrainedModel

T = TypeVar("T")


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean of `hidden` (batch, tokens, dim) over the tokens where `mask` (batch, tokens) is 1."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def embed(
    encoder: "DistilBertModel", sequences: Sequence[Ids], report: Report = ignore
) -> np.ndarray:
    """Unit-length embeddings (sequences, dim), float32, of token id sequences."""

    def forward(ids: Tensor, mask: Tensor) -> tuple[Tensor]:
        pooled = mean_pool(encoder(ids, attention_mask=mask).last_hidden_state, mask)
        return (torch.nn.functional.normalize(pooled, dim=1),)

    pad_id = encoder.config.pad_token_id or 0
    (embeddings,) = run_batches(forward, sequences, pad_id, encoder.device, report)
    return embeddings


def classify(
    model: "PreTrainedModel", sequences: Sequence[Ids], report: Report = ignore
) -> Classified:
    """Logits and mean-pooled embeddings of token id sequences, in one pass.

    `model` is any sequence classifier of transformers; the embeddings are those of its last layer.
    """

    def forward(ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        output = model(ids, attention_mask=mask, output_hidden_states=True)
        hidden = output.hidden_states[-1]
        return output.logits, torch.nn.functional.normalize(mean_pool(hidden, mask), dim=1)

    pad_id = model.config.pad_token_id or 0
    return Classified(*run_batches(forward, sequences, pad_id, model.device, report))


def embed_texts(
    base: Checkpoint, texts: Sequence[str], max_length: int, hardware: Hardware
) -> np.ndarray:
    """Unit embeddings (texts, dim) by the base model."""
    encoder = on_device(load_encoder(base.folder), torch_device(hardware))
    return embed(encoder, encode(load_tokenizer(base.folder), texts, max_length))


@dataclass(frozen=True)
class Reader:
    """Token ids as text, and as unit embeddings (sequences, dim) by the base model."""

    texts: Callable[[list[list[int]]], list[str]]
    embed: Callable[[list[list[int]]], np.ndarray]


def reader(base: Checkpoint, hardware: Hardware) -> Reader:
    """What the base model and its tokenizer make of token ids."""
    tokenizer = load_tokenizer(base.folder)
    encoder = on_device(load_encoder(base.folder), torch_device(hardware))
    return Reader(
        lambda ids: tokenizer.batch_decode(ids, skip_special_tokens=True),
        lambda ids: embed(encoder, ids),
    )


def embed_splits(
    base: Checkpoint, tokens: Tokens, hardware: Hardware, report: Report = ignore
) -> BySplit[np.ndarray]:
    """Unit embeddings (posts, dim) of every split by the base model."""
    encoder = on_device(load_encoder(base.folder), torch_device(hardware))
    return per_split(tokens, lambda ids: (embed(encoder, ids, report),))[0]


def classify_tokens(folder: Path, posts: datasets.Dataset, hardware: Hardware) -> Classified:
    """The classifier in `folder` on tokenized posts."""
    model = on_device(load_classifier(folder), torch_device(hardware))
    return classify(model, id_rows(posts))


def drift(
    folder: Path, posts: datasets.Dataset, logits: np.ndarray, max_length: int, hardware: Hardware
) -> float:
    """The largest difference from `logits` (posts, classes) of what the files in `folder` say."""
    read_back = load_logits(folder, max_length, hardware)(list(posts["text"]))
    return float(abs(read_back - logits).max())


def classify_splits(
    folder: Path, tokens: Tokens, hardware: Hardware, report: Report = ignore
) -> Predictions:
    """The classifier in `folder` on every split."""
    model = on_device(load_classifier(folder), torch_device(hardware))

    def run(ids: list[np.ndarray]) -> tuple[np.ndarray, ...]:
        found = classify(model, ids, report)
        return found.logits, found.embeddings

    return Predictions(*per_split(tokens, run))


def load_logits(
    folder: Path, max_length: int, hardware: Hardware
) -> Callable[[Sequence[str]], np.ndarray]:
    """The classifier in `folder` as a function of texts to logits (texts, classes)."""
    model = on_device(load_classifier(folder), torch_device(hardware))
    tokenizer = load_tokenizer(folder)
    return lambda texts: classify(model, encode(tokenizer, texts, max_length)).logits


def per_split(
    tokens: Tokens, run: Callable[[list[np.ndarray]], tuple[np.ndarray, ...]]
) -> tuple[BySplit[np.ndarray], ...]:
    """`run` over the token ids of all splits in one go, each of its arrays cut apart again."""
    ids = [id_rows(split) for _, split in tokens.items()]
    arrays = run([row for rows in ids for row in rows])
    ends = np.cumsum([len(rows) for rows in ids])[:-1]
    return tuple(BySplit(*map(np.ascontiguousarray, np.split(array, ends))) for array in arrays)
