"""Run a model over many token sequences: sorted by length, batched by tokens, each exactly once.

A batch holds as many sequences as fit a budget of tokens, padding counted, so short posts go
through hundreds at a time and long ones a few, and little is spent on padding.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from labkit.plumbing.progress import Report, ignore

TOKEN_BUDGET = 2048
Ids = Sequence[int] | np.ndarray  # token ids of a text


def budget_batches(lengths: Sequence[int], budget: int = TOKEN_BUDGET) -> Iterator[list[int]]:
    """Index lists that cover `lengths` once, longest first, each within `budget` padded tokens.

    A single sequence longer than the budget makes a batch of its own.
    """
    batch: list[int] = []
    width = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        width = max(width, lengths[index])
        if batch and width * (len(batch) + 1) > budget:
            yield batch
            batch, width = [], lengths[index]
        batch.append(index)
    if batch:
        yield batch


def pad(sequences: Sequence[Ids], pad_id: int) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both int64 of shape (batch, longest)."""
    width = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), width), pad_id)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.as_tensor(sequence)
        mask[row, : len(sequence)] = 1
    return ids, mask


def run_batches(
    forward: Callable[[Tensor, Tensor], tuple[Tensor, ...]],
    sequences: Sequence[Ids],
    pad_id: int,
    device: torch.device,
    report: Report = ignore,
) -> tuple[np.ndarray, ...]:
    """Apply `forward(ids, mask)` to all sequences and put the rows back in their order.

    `forward` returns tensors whose first axis is the batch; the result holds one float32 array
    for each, with as many rows as there are sequences.
    """
    arrays: tuple[np.ndarray, ...] = ()
    done = 0
    with torch.inference_mode():
        for batch in budget_batches([len(sequence) for sequence in sequences]):
            ids, mask = pad([sequences[i] for i in batch], pad_id)
            outputs = forward(ids.to(device), mask.to(device))
            # Written into arrays of their own: a slice would keep the whole output in memory.
            arrays = arrays or tuple(
                np.empty((len(sequences), *output.shape[1:]), np.float32) for output in outputs
            )
            for array, output in zip(arrays, outputs, strict=True):
                array[batch] = output.float().cpu().numpy()
            done += len(batch)
            report(done / len(sequences))
    return arrays
