"""Checks of any text classifier that need no training and no labelled data, as pytest cases.

After scikit-learn's estimator checks (https://scikit-learn.org/stable/developers/develop.html): a
function that runs all, and a decorator that makes each a test of its own.

    @parametrize_with_checks([Path("models/tickets"), pipeline, predict_proba])
    def test_classifier(classifier, check):
        check(classifier)

A classifier is a folder with a checkpoint, a `pipeline` of transformers, or any callable that takes a
list of texts and returns probabilities (texts, classes).
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labkit.config import ModelSource

Predict = Callable[[list[str]], np.ndarray]
Classifier = str | Path | Callable[..., Any]
TOLERANCE = 1e-4  # of a probability: float32 adds in another order for another batch
PLAIN = (
    "The parcel came on Monday.",
    "Please send me the invoice again.",
    "no",
    "A question about the size of the blue jacket, which I would like to return next week. " * 4,
)
TEXTS = {  # that nobody wrote, and that come nonetheless
    "empty": "",
    "white space": " \t\n ",
    "one letter": "x",
    "digits": "0123456789" * 3,
    "punctuation": "?!...;--()[]{}",
    "emoji": "👍🏽🎉👩‍👩‍👧",
    "Chinese": "请再把发票寄给我",
    "Arabic": "أين طردي؟",
    "combining accents": "e\u0301" * 20,
    "control characters": "a\x00b\x07c\x1b[31m",
    "special tokens": "[CLS] [SEP] [PAD] [MASK] <s> </s>",
    "markup": "<b>&amp;</b> <script>",
    "a word without end": "a" * 5000,
    "very long": "where is my parcel " * 2000,
}


def check_any_text(classifier: Classifier) -> None:
    """Any text at all has finite probabilities that sum to 1."""
    predict = predictor(classifier)
    classes = _probabilities(predict, list(PLAIN), "plain sentences").shape[1]
    for name, text in TEXTS.items():
        found = _probabilities(predict, [text], f"a text of {name}")
        _claim(found.shape[1] == classes, f"a text of {name} has {found.shape[1]} classes")


def check_batch(classifier: Classifier) -> None:
    """A text has the same probabilities alone as in a batch, where others pad it."""
    predict = predictor(classifier)
    together = _probabilities(predict, list(PLAIN), "a batch")
    alone = np.concatenate([_probabilities(predict, [text], "a text alone") for text in PLAIN])
    _same(together, alone, "in a batch and alone")


def check_order(classifier: Classifier) -> None:
    """The order of the texts does not matter."""
    predict = predictor(classifier)
    forth = _probabilities(predict, list(PLAIN), "a batch")
    back = _probabilities(predict, list(PLAIN[::-1]), "a batch")[::-1]
    _same(forth, back, "in one order and in the other")


def check_determinism(classifier: Classifier) -> None:
    """The same texts have the same probabilities each time; dropout is off."""
    predict = predictor(classifier)
    first, second = (_probabilities(predict, list(PLAIN), "a batch") for _ in range(2))
    _same(first, second, "the first time and the second", tolerance=0)


def check_white_space(classifier: Classifier) -> None:
    """White space around a text does not change it."""
    predict = predictor(classifier)
    bare = _probabilities(predict, [text.strip() for text in PLAIN], "a batch")
    around = _probabilities(predict, [f"  {text.strip()} \n" for text in PLAIN], "a batch")
    _same(bare, around, "with white space around it and without")


def check_round_trip(classifier: Classifier) -> None:
    """Saved and read back, a model gives the same probabilities; skipped for a plain callable."""
    before = _probabilities(predictor(classifier), list(PLAIN), "a batch")
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(classifier, str | Path):
            from labkit.data.tokens import load_tokenizer
            from labkit.model.checkpoints import load_classifier

            source = _folder(classifier)
            load_classifier(source).save_pretrained(folder)
            load_tokenizer(source).save_pretrained(folder)
        elif hasattr(classifier, "save_pretrained"):
            classifier.save_pretrained(folder)
        else:
            pytest.skip("a plain callable cannot be saved")
        after = _probabilities(predictor(Path(folder)), list(PLAIN), "a batch, read back")
    _same(before, after, "before it was saved and after")


CHECKS = (
    check_any_text,
    check_batch,
    check_order,
    check_determinism,
    check_white_space,
    check_round_trip,
)


def check_classifier(classifier: Classifier) -> None:
    """Run every check; raises AssertionError at the first that fails."""
    __tracebackhide__ = True
    for check in CHECKS:
        try:
            check(classifier)
        except pytest.skip.Exception:
            continue


def parametrize_with_checks(classifiers: Iterable[Classifier]) -> pytest.MarkDecorator:
    """A decorator for a test that takes `classifier` and `check`: one case for each pair."""
    cases = [
        pytest.param(classifier, check, id=f"{_name(classifier, number)}-{check.__name__}")
        for number, classifier in enumerate(classifiers)
        for check in CHECKS
    ]
    return pytest.mark.parametrize(("classifier", "check"), cases)


def predictor(classifier: Classifier) -> Predict:
    """A classifier as a function of texts to probabilities (texts, classes)."""
    if isinstance(classifier, str | Path):
        return _of_folder(_folder(classifier))
    if hasattr(classifier, "model") and hasattr(classifier, "tokenizer"):
        return partial(_of_pipeline, classifier)
    if not callable(classifier):
        raise TypeError(
            f"{classifier!r:.80} is no classifier: give a folder, a pipeline, or a callable that "
            "takes texts and returns probabilities"
        )
    return lambda texts: np.asarray(classifier(texts))


def _folder(source: str | Path) -> Path:
    """The folder of a checkpoint, checked; raises LabError for what cannot be used."""
    from labkit.model.given import resolve

    return resolve(ModelSource(str(source)), "classifier").folder


def _of_folder(folder: Path) -> Predict:
    from labkit.data.tokens import encode, load_tokenizer
    from labkit.model.checkpoints import load_classifier
    from labkit.model.encoding import classify
    from labkit.model.predictions import probabilities

    model, tokenizer = load_classifier(folder), load_tokenizer(folder)
    limit = min(tokenizer.model_max_length, model.config.max_position_embeddings)

    def predict(texts: list[str]) -> np.ndarray:
        logits = classify(model, encode(tokenizer, texts, limit)).logits
        return probabilities(logits)

    return predict


def _of_pipeline(pipeline: Any, texts: Sequence[str]) -> np.ndarray:
    """Columns in the order of the labels' names; without `truncation` a long text is an error."""
    found = pipeline(list(texts), top_k=None, truncation=True)
    rows = [sorted(row, key=lambda one: one["label"]) for row in found]
    return np.array([[one["score"] for one in row] for row in rows])


def _probabilities(predict: Predict, texts: list[str], what: str) -> np.ndarray:
    """What a classifier gives for some texts, checked."""
    found = predict(texts)
    shaped = found.ndim == 2 and len(found) == len(texts)
    _claim(shaped, f"{what}: {len(texts)} texts gave an array of shape {found.shape}")
    finite = bool(np.isfinite(found).all())
    _claim(finite, f"{what}: a probability is not finite: {found.tolist()}")
    inside = bool((found >= 0).all() and (found <= 1 + TOLERANCE).all())
    _claim(inside, f"{what}: a probability is not between 0 and 1: {found.tolist()}")
    sums = found.sum(axis=1)
    _claim(bool(np.abs(sums - 1).max() < TOLERANCE), f"{what}: they sum to {sums.tolist()}, not 1")
    return found


def _same(first: np.ndarray, second: np.ndarray, what: str, tolerance: float = TOLERANCE) -> None:
    worst = np.abs(first - second).max(axis=1)
    row = int(worst.argmax())
    _claim(
        bool(worst[row] <= tolerance),
        f"a text's probabilities differ by {worst[row]:.2g} {what}: {PLAIN[row]!r:.80}",
    )


def _claim(holds: bool, said: str) -> None:
    __tracebackhide__ = True
    if not holds:
        raise AssertionError(said)


def _name(classifier: Classifier, number: int) -> str:
    """A name for pytest's ids, which shows where it came from."""
    if isinstance(classifier, str | Path):
        return Path(classifier).name
    return str(getattr(classifier, "__name__", f"{type(classifier).__name__.lower()}-{number}"))
