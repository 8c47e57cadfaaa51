"""Classification without a single training example: three methods behind one interface.

Each takes posts as token ids or texts and the wording of the labels, and returns scores
(posts, labels) whose largest entry is the prediction.

* `label_similarity`: the label whose description lies nearest to the post in embedding space, for
  every wording of the labels that `labkit.evaluation.wordings` has.
* `untrained_nli`: the entailment method of Yin et al. 2019 (https://arxiv.org/abs/1909.00161), as
  transformers' `zero-shot-classification` pipeline runs it, on a checkpoint whose NLI head was
  never trained. Its answer depends on the random draw of the head, so it is drawn many times.
* `trained_nli`: the same method on a checkpoint with a trained NLI head.

The entailment methods read every pair of a post and a label, which takes long for many of both; they
are asked about at most `PAIRS` of them, of test posts drawn by class share, or about `LEAST_POSTS`
posts where there are very many labels.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from labkit.data.posts import Posts
from labkit.data.stratified import stratified_sample
from labkit.data.tokens import encode, load_tokenizer
from labkit.errors import LabError
from labkit.evaluation.finite import check_finite
from labkit.evaluation.scores import ZeroShotScores
from labkit.evaluation.similarity import cosine_similarity
from labkit.evaluation.wordings import wordings
from labkit.model.batches import run_batches
from labkit.model.checkpoints import Checkpoint, load_classifier, load_encoder, on_device
from labkit.model.encoding import embed
from labkit.plumbing.hardware import Hardware, torch_device
from labkit.plumbing.progress import Report, ignore

if TYPE_CHECKING:
    from transformers import (
        DistilBertForSequenceClassification,
        DistilBertModel,
        PreTrainedTokenizerFast,
    )

RANDOM_HEADS = 20
PAIRS = 4000  # of a post and a label; two to three minutes on two cores for posts of 256 tokens
LEAST_POSTS = 50  # whatever the number of labels
CHUNK = 1024  # pairs that are tokenized at a time
BLOCK = 4096  # posts that are compared with the labels at a time
CELLS = 40_000_000  # scores of all wordings together, 160 MB; those beyond it are left out


def score(
    posts: Posts,
    embeddings: np.ndarray,
    base: Checkpoint,
    nli: Checkpoint | None,
    label_texts: Mapping[str, str],
    max_length: int,
    seed: int,
    hardware: Hardware,
    report: Report = ignore,
) -> ZeroShotScores:
    """Every method on the test posts; `embeddings` (posts, dim) are theirs by the base model.

    `seed` draws the posts of the entailment methods where there are too many for them. Raises
    LabError for embeddings that are no numbers.
    """
    check_finite(embeddings, "embeddings of the test posts", "base_embeddings")
    device = torch_device(hardware)
    rows = asked(posts.truth.test, len(posts.labels), seed)
    texts = list(posts.test.select(rows)["text"])
    scores_each = len(posts.test) * len(posts.labels)
    worded = wordings(posts.labels, label_texts)[: max(1, CELLS // scores_each)]
    tokenizer = load_tokenizer(base.folder)
    similarity = label_similarity(
        embeddings, on_device(load_encoder(base.folder), device), tokenizer, worded
    )
    model: Any = on_device(load_classifier(base.folder, ("0", "1")), device)
    heads = untrained_nli(model, tokenizer, texts, worded[0], max_length, report=report)
    if nli is None:
        return ZeroShotScores(worded, similarity, rows, heads)
    model = on_device(load_classifier(nli.folder), device)
    tokenizer = load_tokenizer(nli.folder)
    trained = trained_nli(model, tokenizer, texts, worded[0], max_length, report)
    return ZeroShotScores(worded, similarity, rows, heads, trained)


def asked(truth: np.ndarray, labels: int, seed: int) -> np.ndarray:
    """Sorted rows of the posts, with class indices `truth`, that the entailment methods read."""
    size = min(len(truth), max(PAIRS // labels, LEAST_POSTS))
    (rows,) = stratified_sample(truth, (size,), seed)
    return np.sort(rows)


def label_similarity(
    post_embeddings: np.ndarray,
    encoder: "DistilBertModel",
    tokenizer: "PreTrainedTokenizerFast",
    worded: Sequence[Sequence[str]],
) -> np.ndarray:
    """Cosine similarity (wordings, posts, labels) of each post and each label's sentence."""
    max_length = encoder.config.max_position_embeddings
    sentences = sorted({sentence for wording in worded for sentence in wording})
    described = embed(encoder, encode(tokenizer, sentences, max_length))
    columns = {sentence: column for column, sentence in enumerate(sentences)}
    chosen = np.array([[columns[text] for text in wording] for wording in worded])
    scores = np.empty((len(worded), len(post_embeddings), len(worded[0])), np.float32)
    for start in range(0, len(post_embeddings), BLOCK):
        similarity = cosine_similarity(post_embeddings[start : start + BLOCK], described)
        scores[:, start : start + BLOCK] = np.moveaxis(similarity[:, chosen], 1, 0)
    return scores


def untrained_nli(
    model: "DistilBertForSequenceClassification",
    tokenizer: "PreTrainedTokenizerFast",
    texts: Sequence[str],
    claims: Sequence[str],
    max_length: int,
    heads: int = RANDOM_HEADS,
    report: Report = ignore,
) -> np.ndarray:
    """Softmax scores (heads, posts, labels) of an NLI head drawn anew from seeds 0, 1, 2, ...

    Each pair of a post and a label's claim is encoded once; only the head on top changes. `model`
    ends up with the head of the last seed.
    """
    states = encode_pairs(model, tokenizer, texts, claims, max_length, report)
    # Without an "entailment" label the pipeline falls back to the last output; so does this.
    return np.stack(
        [score_pairs(draw_head(model, seed), states, entailment=-1) for seed in range(heads)]
    )


def trained_nli(
    model: "DistilBertForSequenceClassification",
    tokenizer: "PreTrainedTokenizerFast",
    texts: Sequence[str],
    claims: Sequence[str],
    max_length: int,
    report: Report = ignore,
) -> np.ndarray:
    """Softmax scores (posts, labels) of the entailment logits of a trained NLI checkpoint."""
    states = encode_pairs(model, tokenizer, texts, claims, max_length, report)
    return score_pairs(model, states, entailment_index(model.config.label2id))


def entailment_index(label2id: Any) -> int:
    """The output that means entailment, by the names in a checkpoint's config."""
    for label, index in label2id.items():
        if label.lower().startswith("entail"):
            return int(index)
    raise ValueError(f"no entailment label among {', '.join(label2id)}")


def encode_pairs(
    model: "DistilBertForSequenceClassification",
    tokenizer: "PreTrainedTokenizerFast",
    texts: Sequence[str],
    claims: Sequence[str],
    max_length: int,
    report: Report = ignore,
) -> np.ndarray:
    """The encoder's [CLS] states (posts, labels, dim) for every post with every claim.

    They are all that a head reads, and all that is kept.

    Raises LabError where `max_length` leaves no room for a post beside a hypothesis.
    """
    whole = encode(tokenizer, claims, model.config.max_position_embeddings)
    for claim, ids in zip(claims, whole, strict=True):
        if len(ids) + 2 > max_length:  # the post's own [SEP], and one token of it
            raise LabError(
                f"--lab-max-length {max_length}: no room for a post beside the {len(ids)} tokens "
                f"of {claim!r}; raise it, or word the label shorter with --lab-label-text"
            )

    def forward(ids: Tensor, mask: Tensor) -> tuple[Tensor]:
        return (model.distilbert(ids, attention_mask=mask).last_hidden_state[:, 0],)

    pad_id, parts = tokenizer.pad_token_id, []
    at_a_time = max(1, CHUNK // len(claims))
    for start in range(0, len(texts), at_a_time):
        chunk = texts[start : start + at_a_time]
        sequences = encode(
            tokenizer,
            [text for text in chunk for _ in claims],
            max_length,
            pairs=[claim for _ in chunk for claim in claims],
        )
        (states,) = run_batches(forward, sequences, pad_id, model.device)
        parts.append(states.reshape(len(chunk), len(claims), -1))
        report(min(1.0, (start + at_a_time) / len(texts)))
    return np.concatenate(parts)


def draw_head(
    model: "DistilBertForSequenceClassification", seed: int
) -> "DistilBertForSequenceClassification":
    """Draw the classification head anew, as `from_pretrained` does under the same seed."""
    torch.manual_seed(seed)
    for layer in (model.pre_classifier, model.classifier):
        torch.nn.init.normal_(layer.weight, std=model.config.initializer_range)
        torch.nn.init.zeros_(layer.bias)
    return model


def score_pairs(
    model: "DistilBertForSequenceClassification", states: np.ndarray, entailment: int
) -> np.ndarray:
    """Softmax over the labels of the `entailment` logit, (posts, labels), from [CLS] states."""
    with torch.inference_mode():
        hidden = torch.from_numpy(states).to(model.device)
        logits = model.classifier(torch.relu(model.pre_classifier(hidden)))[..., entailment]
        return torch.softmax(logits, dim=-1).cpu().numpy()
