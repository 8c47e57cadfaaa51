"""`labkit predict`: texts to labels with probabilities, as JSON lines."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.commands.output import write_json
from labkit.config import ModelSource
from labkit.errors import LabError


def run(args: argparse.Namespace) -> int:
    """Print one JSON object for each text."""
    from labkit.model.given import resolve

    folder = resolve(ModelSource(args.model), "MODEL").folder
    texts = list(args.texts or read_lines(args.file))
    for number, text in enumerate(texts, start=1):
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise LabError(f"text {number}: is not UTF-8")
    for line in predictions(folder, texts):
        write_json(line)
    return 0


def read_lines(file: Path | None) -> Iterator[str]:
    """The lines of a file, or of standard input."""
    try:
        if file is None and sys.stdin is None:
            raise LabError("standard input is closed; name texts, or a --file of them")
        raw = sys.stdin.buffer.read() if file is None else file.read_bytes()
        content = raw.decode("utf-8-sig")
    except OSError as error:
        where = "standard input" if file is None else f"--file {file}"
        raise LabError(f"{where}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LabError(f"{file or 'standard input'}: is not UTF-8") from None
    # Not `splitlines`, which ends a line also at form feeds and at separators inside a text.
    yield from content.removesuffix("\n").replace("\r\n", "\n").split("\n") if content else ()


def predictions(folder: Path, texts: list[str]) -> Iterator[dict[str, Any]]:
    """Text, label and the probability of every label, for each text."""
    if not texts:
        return
    from labkit.data.tokens import encode, load_tokenizer
    from labkit.model.checkpoints import load_classifier
    from labkit.model.encoding import classify
    from labkit.model.predictions import probabilities

    model = load_classifier(folder)
    tokenizer = load_tokenizer(folder)
    labels: dict[Any, str] = model.config.id2label or {}
    limit = min(tokenizer.model_max_length, model.config.max_position_embeddings)
    logits = classify(model, encode(tokenizer, texts, limit)).logits
    for text, row in zip(texts, probabilities(logits), strict=True):
        named = {labels[i]: float(p) for i, p in enumerate(row)}
        yield {"text": text, "label": max(named, key=named.__getitem__), "probabilities": named}
