"""From text to what the model sees: tokens, padding, pooling, batches."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import DataCollatorWithPadding

from labkit.data.tokens import encode
from labkit.model.batches import budget_batches, pad, run_batches
from labkit.model.encoding import mean_pool
from tests.strategies import any_text, posts, vectors

TEXTS = st.one_of(any_text(), posts())
SEQUENCES = st.lists(st.lists(st.integers(5, 90), min_size=1, max_size=20), min_size=1, max_size=8)


@given(TEXTS, st.integers(2, 64))
def test_any_text_becomes_a_framed_sequence_within_the_limit(tokenizer, text, limit):
    (ids,) = encode(tokenizer, [text], limit)
    assert ids[0] == tokenizer.cls_token_id
    assert ids[-1] == tokenizer.sep_token_id
    assert 2 <= len(ids) <= limit
    assert all(0 <= index < len(tokenizer) for index in ids)


@given(TEXTS)
def test_the_mask_is_as_long_as_the_ids_and_all_ones(tokenizer, text):
    encoded = tokenizer(text, truncation=True, max_length=64)
    assert encoded["attention_mask"] == [1] * len(encoded["input_ids"])


@given(TEXTS, st.integers(2, 64))
def test_encode_decode_encode_is_stable(tokenizer, text, limit):
    (ids,) = encode(tokenizer, [text], limit)
    decoded = tokenizer.decode(ids[1:-1])
    (again,) = encode(tokenizer, [decoded], limit)
    assert again == ids


@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_a_text_has_the_same_tokens_alone_and_in_company(tokenizer, texts):
    alone = [encode(tokenizer, [text], 32)[0] for text in texts]
    assert encode(tokenizer, texts, 32) == alone


@given(TEXTS, TEXTS)
def test_of_a_pair_only_the_first_is_cut(tokenizer, text, hypothesis):
    (short,) = encode(tokenizer, [hypothesis], 24)
    (ids,) = encode(tokenizer, [text], 64, [tokenizer.decode(short[1:-1])])
    assert ids[-len(short) + 1 :] == short[1:]
    assert len(ids) <= 64


@given(SEQUENCES)
def test_the_collator_pads_to_the_longest_of_the_batch_only(tokenizer, sequences):
    batch = DataCollatorWithPadding(tokenizer)([{"input_ids": ids} for ids in sequences])
    longest = max(map(len, sequences))
    assert batch["input_ids"].shape == (len(sequences), longest)
    for ids, mask, sequence in zip(
        batch["input_ids"], batch["attention_mask"], sequences, strict=True
    ):
        assert ids[: len(sequence)].tolist() == sequence
        assert mask.tolist() == [1] * len(sequence) + [0] * (longest - len(sequence))


@given(SEQUENCES)
def test_our_padding_is_the_collators(tokenizer, sequences):
    batch = DataCollatorWithPadding(tokenizer)([{"input_ids": ids} for ids in sequences])
    ids, mask = pad(sequences, tokenizer.pad_token_id)
    assert torch.equal(ids, batch["input_ids"])
    assert torch.equal(mask, batch["attention_mask"])


@given(st.integers(1, 6).flatmap(lambda n: vectors(n, 3)), vectors(4, 3), st.integers(0, 4))
def test_mean_pooling_ignores_padding(tokens, padding, width):
    tokens, padding = np.clip(tokens, -1e6, 1e6), padding[:width]
    hidden = torch.from_numpy(np.concatenate([tokens, padding]))[None]
    mask = torch.tensor([[1] * len(tokens) + [0] * width])
    np.testing.assert_allclose(mean_pool(hidden, mask)[0], tokens.mean(axis=0), atol=1e-6)


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 600))
def test_batches_cover_every_sequence_once_within_the_budget(lengths, budget):
    batches = list(budget_batches(lengths, budget))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget


@given(SEQUENCES)
def test_results_come_back_in_the_order_of_the_sequences(sequences):
    def forward(ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor]:
        return ((ids * mask).sum(dim=1),)

    (sums,) = run_batches(forward, sequences, 0, torch.device("cpu"))
    assert sums.tolist() == [sum(sequence) for sequence in sequences]
