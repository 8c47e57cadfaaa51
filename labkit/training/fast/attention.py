"""The attention kernel by length and precision, under a name that transformers knows.

PyTorch's fused kernel never holds the scores of all pairs of tokens, which pays for long posts. For
short ones on a CPU in bf16 two plain matrix products are quicker, most of all backwards. Both
compute softmax(QK'/sqrt(d))V (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, equation 1).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention, softmax
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

BY_LENGTH = "labkit_by_length"
SHORT = 256  # tokens; measured, see docs/performance.md


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention (batch, tokens, heads, dim) from query, key and value (batch, heads, tokens, dim).

    `attention_mask` is true where a query (axis 2) may look at a key (axis 3), the same for all
    queries. No weights are returned.
    """
    short = query.shape[2] <= SHORT and query.dtype == torch.bfloat16 and not query.is_cuda
    if short and not dropout:
        attended = _plain(query, key, value, attention_mask, scaling or query.shape[3] ** -0.5)
    else:
        attended = scaled_dot_product_attention(
            query, key, value, attention_mask, dropout_p=dropout, scale=scaling
        )
    return attended.transpose(1, 2).contiguous(), None


def _plain(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    scores = query * scale @ key.transpose(2, 3)
    if mask is not None:
        # One row of the mask stands for all queries: padding hides a key from every one of them.
        hidden = ~mask[:, :, :1]
        scores += torch.zeros_like(hidden, dtype=scores.dtype).masked_fill(
            hidden, torch.finfo(scores.dtype).min
        )
    # The softmax adds up in float32 inside; autocast would also store its result so, at twice the
    # memory, only to cast it back for the next product.
    with torch.autocast(query.device.type, enabled=False):
        weights = softmax(scores, dim=-1)
    return weights @ value


AttentionInterface.register(BY_LENGTH, attend)
AttentionMaskInterface.register(BY_LENGTH, sdpa_mask)
