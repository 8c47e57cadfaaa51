"""Train with the rows of the word table that occur, and put them back among the others.

A few hundred posts use a sixth of BERT's 30,522 word pieces, and that table is half of a small
model. A row that never occurs has no gradient: AdamW (Loshchilov and Hutter 2019,
https://arxiv.org/abs/1711.05101, algorithm 2) only shrinks it, in every step by the same factor as
any other. So one more row, of ones, stands for all of them, and the result is the same to rounding.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import datasets
import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class RowsInUse(torch.nn.Module):
    """A part of a word table: `weight` (rows + 1, dim), its last row for all that is left out.

    `rows` are the token ids (rows,) that it keeps, ascending.
    """

    row_of: Tensor  # (vocabulary,): the row of each token id

    def __init__(self, table: torch.nn.Embedding, rows: Tensor) -> None:
        super().__init__()
        row_of = torch.full((table.num_embeddings,), len(rows))
        row_of[rows] = torch.arange(len(rows))
        self.register_buffer("row_of", row_of, persistent=False)
        kept = table.weight.detach()[rows]
        self.weight = torch.nn.Parameter(torch.cat([kept, torch.ones_like(kept[:1])]))
        pad = table.padding_idx
        self.padding_row = None if pad is None else int(row_of[pad])

    def forward(self, ids: Tensor) -> Tensor:
        """Embeddings (batch, tokens, dim) of token ids (batch, tokens)."""
        return torch.nn.functional.embedding(self.row_of[ids], self.weight, self.padding_row)


@contextmanager
def rows_in_use(model: "PreTrainedModel", *posts: datasets.Dataset) -> Iterator[None]:
    """Inside, `model` can read these tokenized posts and padding, and its table is that small."""
    table = model.get_input_embeddings()
    assert isinstance(table, torch.nn.Embedding)
    pad = [] if table.padding_idx is None else [table.padding_idx]
    ids = [np.asarray(row) for split in posts for row in split["input_ids"]]
    rows = torch.from_numpy(np.unique(np.concatenate([*ids, pad]).astype(np.int64)))
    part = RowsInUse(table, rows)
    model.set_input_embeddings(part)
    yield
    with torch.no_grad():
        trained = part.weight.cpu()
        table.weight *= trained[-1]
        table.weight[rows] = trained[:-1]
    model.set_input_embeddings(table.to(part.weight.device))
