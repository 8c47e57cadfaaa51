"""Every sequence goes through the model once, within the budget, and comes back in its place."""

import itertools

import numpy as np
import pytest
import torch

from labkit.model.batches import budget_batches, run_batches

LENGTHS = [5, 3, 100, 7, 7, 1, 64, 30, 2, 2]


def test_batches_cover_every_sequence_once():
    batches = list(budget_batches(LENGTHS, budget=64))
    assert sorted(index for batch in batches for index in batch) == list(range(len(LENGTHS)))


def test_batches_stay_within_the_budget_padding_counted():
    for batch in budget_batches(LENGTHS, budget=64):
        width = max(LENGTHS[index] for index in batch)
        assert len(batch) == 1 or width * len(batch) <= 64


def test_a_batch_holds_sequences_of_like_length():
    spans = [[LENGTHS[index] for index in batch] for batch in budget_batches(LENGTHS, budget=64)]
    for longer, shorter in itertools.pairwise(spans):
        assert min(longer) >= max(shorter)


def run(sequences, forward):
    return run_batches(forward, sequences, pad_id=0, device=torch.device("cpu"))


def test_rows_come_back_in_order_without_padding():
    rng = np.random.default_rng(0)
    sequences = [rng.integers(1, 9, length).tolist() for length in rng.integers(1, 900, 60)]
    sums, counts = run(sequences, lambda ids, mask: (ids.sum(dim=1), mask.sum(dim=1)))
    assert sums.tolist() == [sum(sequence) for sequence in sequences]
    assert counts.tolist() == [len(sequence) for sequence in sequences]
    assert sums.dtype == np.float32


def test_each_sequence_is_seen_once_and_without_gradients():
    seen: list[list[int]] = []

    def forward(ids, mask):
        assert torch.is_inference_mode_enabled()
        seen.extend(row[kept.bool()].tolist() for row, kept in zip(ids, mask, strict=True))
        return (ids[:, :1],)

    sequences = [[number + 1] * (number % 7 + 1) for number in range(50)]
    run(sequences, forward)
    assert sorted(seen) == sorted(sequences)


def test_a_model_that_mixes_rows_would_show():
    """The order is put right by the rows' own numbers: a forward pass that turns a batch round fails."""
    sequences = [[number] for number in range(1, 6)]
    (turned,) = run(sequences, lambda ids, mask: (ids[:, 0].flip(0),))
    assert turned.tolist() != [1, 2, 3, 4, 5]


def test_padding_does_not_touch_a_models_result(tiny_checkpoint):
    from labkit.model.checkpoints import load_classifier
    from labkit.model.encoding import classify

    torch.manual_seed(0)
    model = load_classifier(tiny_checkpoint, ("0", "1"))
    sequences = [[7, 8, 9], [10] * 40, [11, 12]]
    together = classify(model, sequences)
    for row, sequence in enumerate(sequences):
        alone = classify(model, [sequence])
        assert together.logits[row] == pytest.approx(alone.logits[0], abs=1e-5)
        assert together.embeddings[row] == pytest.approx(alone.embeddings[0], abs=1e-5)


def test_no_more_is_kept_than_what_is_read():
    """A model's first column is a view of all that it put out, and would keep that in memory."""
    kept = []

    def forward(ids, mask):
        whole = torch.zeros(len(ids), 50, 8)
        kept.append(whole.nbytes)
        return (whole[:, 0],)

    (states,) = run([[1] * 50 for _ in range(300)], forward)
    assert len(kept) > 1
    assert states.nbytes == sum(kept) / 50
    assert states.shape == (300, 8)
    assert states.base is None
    assert states.flags.owndata
