"""Sentence embeddings from a DistilBERT: mean pooling, then L2 normalisation.

Mean pooling over the tokens that the mask keeps is the pooling of Sentence-BERT (Reimers and
Gurevych 2019, https://arxiv.org/abs/1908.10084, section 3).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from labkit.inference import run_batches
from labkit.progress import ignore

if TYPE_CHECKING:
    from transformers import DistilBertModel


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean of `hidden` (batch, tokens, dim) over the tokens where `mask` (batch, tokens) is 1."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def embed(
    encoder: "DistilBertModel",
    sequences: Sequence[Sequence[int]],
    report: Callable[[float], None] = ignore,
) -> np.ndarray:
    """Unit-length embeddings (sequences, dim), float32, of token id sequences."""

    def forward(ids: Tensor, mask: Tensor) -> tuple[Tensor]:
        pooled = mean_pool(encoder(ids, attention_mask=mask).last_hidden_state, mask)
        return (torch.nn.functional.normalize(pooled, dim=1),)

    pad_id = encoder.config.pad_token_id or 0
    (embeddings,) = run_batches(forward, sequences, pad_id, encoder.device, report)
    return embeddings
