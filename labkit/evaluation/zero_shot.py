"""Classification without a single training example: three methods behind one interface.

Each takes posts as token ids or texts and the wording of the labels, and returns scores
(posts, labels) whose largest entry is the prediction.

* `label_similarity`: the label whose description lies nearest to the post in embedding space.
* `untrained_nli`: the entailment method of Yin et al. 2019 (https://arxiv.org/abs/1909.00161), as
  transformers' `zero-shot-classification` pipeline runs it, on a checkpoint whose NLI head was
  never trained. Its answer depends on the random draw of the head, so it is drawn many times.
* `trained_nli`: the same method on a checkpoint with a trained NLI head.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from labkit.data.posts import Posts
from labkit.data.tokens import encode, load_tokenizer
from labkit.errors import LabError
from labkit.evaluation.scores import ZeroShotScores
from labkit.evaluation.similarity import cosine_similarity
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

HYPOTHESIS = "This example is about {}."
RANDOM_HEADS = 20


def score(
    posts: Posts,
    embeddings: np.ndarray,
    base: Checkpoint,
    nli: Checkpoint | None,
    label_texts: Mapping[str, str],
    max_length: int,
    hardware: Hardware,
    report: Report = ignore,
) -> ZeroShotScores:
    """Every method on the test posts; `embeddings` (posts, dim) are theirs by the base model."""
    device = torch_device(hardware)
    texts = list(posts.test["text"])
    names = [wording(label, label_texts) for label in posts.labels]
    tokenizer = load_tokenizer(base.folder)
    similarity = label_similarity(
        embeddings, on_device(load_encoder(base.folder), device), tokenizer, names
    )
    model: Any = on_device(load_classifier(base.folder, ("0", "1")), device)
    heads = untrained_nli(model, tokenizer, texts, names, max_length, report=report)
    if nli is None:
        return ZeroShotScores(similarity, heads)
    model = on_device(load_classifier(nli.folder), device)
    tokenizer = load_tokenizer(nli.folder)
    trained = trained_nli(model, tokenizer, texts, names, max_length, report)
    return ZeroShotScores(similarity, heads, trained)


def wording(label: str, given: Mapping[str, str]) -> str:
    """The label as zero-shot methods read it: as given, else its name made readable.

    `sci.space` becomes `sci space`, `creditCard_lost` becomes `credit Card lost`.
    """
    if label in given:
        return given[label]
    return " ".join(re.sub(r"[\W_]+|(?<=[a-z])(?=[A-Z])", " ", label).split()) or label


def hypotheses(label_texts: Sequence[str]) -> list[str]:
    """One sentence for each label that claims the label of a post."""
    return [HYPOTHESIS.format(text) for text in label_texts]


def label_similarity(
    post_embeddings: np.ndarray,
    encoder: "DistilBertModel",
    tokenizer: "PreTrainedTokenizerFast",
    label_texts: Sequence[str],
) -> np.ndarray:
    """Cosine similarity (posts, labels) of each post and each label's hypothesis."""
    max_length = encoder.config.max_position_embeddings
    described = embed(encoder, encode(tokenizer, hypotheses(label_texts), max_length))
    return cosine_similarity(post_embeddings, described)


def untrained_nli(
    model: "DistilBertForSequenceClassification",
    tokenizer: "PreTrainedTokenizerFast",
    texts: Sequence[str],
    label_texts: Sequence[str],
    max_length: int,
    heads: int = RANDOM_HEADS,
    report: Report = ignore,
) -> np.ndarray:
    """Softmax scores (heads, posts, labels) of an NLI head drawn anew from seeds 0, 1, 2, ...

    Each post-hypothesis pair is encoded once; only the head on top changes. `model` ends up with
    the head of the last seed.
    """
    states = encode_pairs(model, tokenizer, texts, label_texts, max_length, report)
    # Without an "entailment" label the pipeline falls back to the last output; so does this.
    return np.stack(
        [score_pairs(draw_head(model, seed), states, entailment=-1) for seed in range(heads)]
    )


def trained_nli(
    model: "DistilBertForSequenceClassification",
    tokenizer: "PreTrainedTokenizerFast",
    texts: Sequence[str],
    label_texts: Sequence[str],
    max_length: int,
    report: Report = ignore,
) -> np.ndarray:
    """Softmax scores (posts, labels) of the entailment logits of a trained NLI checkpoint."""
    states = encode_pairs(model, tokenizer, texts, label_texts, max_length, report)
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
    label_texts: Sequence[str],
    max_length: int,
    report: Report = ignore,
) -> np.ndarray:
    """The encoder's [CLS] states (posts, labels, dim) for every post-hypothesis pair.

    Raises LabError where `max_length` leaves no room for a post beside a hypothesis.
    """
    claims = hypotheses(label_texts)
    whole = encode(tokenizer, claims, model.config.max_position_embeddings)
    for claim, ids in zip(claims, whole, strict=True):
        if len(ids) + 2 > max_length:  # the post's own [SEP], and one token of it
            raise LabError(
                f"--lab-max-length {max_length}: no room for a post beside the {len(ids)} tokens "
                f"of {claim!r}; raise it, or word the label shorter with --lab-label-text"
            )
    sequences = encode(
        tokenizer,
        [text for text in texts for _ in claims],
        max_length,
        pairs=[claim for _ in texts for claim in claims],
    )

    def forward(ids: Tensor, mask: Tensor) -> tuple[Tensor]:
        return (model.distilbert(ids, attention_mask=mask).last_hidden_state[:, 0],)

    pad_id = tokenizer.pad_token_id
    (states,) = run_batches(forward, sequences, pad_id, model.device, report)
    return states.reshape(len(texts), len(claims), -1)


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
