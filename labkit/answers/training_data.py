"""Exercise 3: the posts that are trained on, and what the tokenizer makes of them."""

from typing import TYPE_CHECKING

import numpy as np

from labkit.answers.data_checks import check_tables, check_values, looked_at
from labkit.data.posts import SPLITS, Cleaning, Posts, column
from labkit.data.texts import Known
from labkit.data.tokens import Tokens, load_tokenizer
from labkit.evaluation.findings import DataChecks
from labkit.model.checkpoints import Checkpoint
from labkit.report.answer import Answer
from labkit.report.blocks import Table, Tokenized
from labkit.report.plots import posts as plots
from labkit.report.plots.methods import MOST_CLASSES
from labkit.report.wording import percent

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def answer(
    posts: Posts,
    tokens: Tokens,
    base: Checkpoint,
    given: Checkpoint | None,
    data_checks: DataChecks,
    max_length: int,
) -> Answer:
    limit = max_length
    lengths = np.concatenate([column(split, "length") for _, split in tokens.items()])
    median = np.median(lengths)
    high = np.percentile(lengths, 95, method="inverted_cdf")  # a length that posts have
    truncated = float(np.mean(lengths > limit))
    words = sum(len(text.split()) for _, split in posts.items() for text in split["text"])
    sizes = {name: len(split) for name, split in posts.items()}
    cleaning = posts.cleaning
    set_aside = (
        f" The data brings no test split; {cleaning.set_aside} posts, stratified, were set aside."
        if cleaning.set_aside
        else ""
    )
    shown, ids, pieces = example(posts, tokens, load_tokenizer((given or base).folder))
    return Answer(
        "training_data",
        f"{median:.0f} tokens in a typical post, {percent(truncated)} cut at {limit}",
        f"A typical post has {median:.0f} tokens; 95 % have at most {high:.0f}, and "
        f"{percent(truncated)} are cut off at {limit}. 100 words make about "
        f"{100 * lengths.sum() / words:.0f} tokens. Tokenized text starts with [CLS], ends with "
        f"[SEP], and has rare words in pieces marked ##. {sizes['train']} posts train, "
        f"{sizes['validation']} validate, {sizes['test']} test; {sum(cleaning.empty.values())} "
        f"empty posts and {cleaning.repeated + cleaning.also_in_test} repeated ones were dropped."
        f"{set_aside}{left_unused(cleaning)}{looked_at(data_checks)}",
        {
            "median_tokens": float(median),
            "p95_tokens": float(high),
            "max_tokens": int(lengths.max()),
            "truncated_share": truncated,
            "split_overlap": overlap(posts),
            **{f"{name}_posts": size for name, size in sizes.items()},
            **{f"empty_{name}_posts": count for name, count in cleaning.empty.items()},
            "repeated_posts": cleaning.repeated,
            "train_posts_also_in_test": cleaning.also_in_test,
            "posts_set_aside_for_test": cleaning.set_aside,
            **{f"unused_{name}_posts": count for name, count in cleaning.unused.items()},
            **check_values(data_checks),
        },
        (
            plots.token_histogram(lengths.tolist(), limit),
            balance_table(posts),
            Tokenized("A post of median length", shown, tuple(pieces), tuple(ids)),
            *check_tables(posts, data_checks),
        ),
    )


def overlap(posts: Posts) -> int:
    """Posts whose text stands, or nearly, in another split too, counted for each pair of splits."""
    earlier: list[Known] = []
    found = 0
    for _, split in posts.items():
        texts = list(split["text"])
        found += sum(text in known for text in texts for known in earlier)
        earlier.append(Known(texts))
    return found


def left_unused(cleaning: Cleaning) -> str:
    """How many posts were there and not taken, and what takes more; empty where there are none."""
    if not cleaning.unused:
        return ""
    counts = " and ".join(f"{count} {name}" for name, count in cleaning.unused.items())
    sizes = " or ".join(f"--lab-{name}-size" for name in cleaning.unused)
    return (
        f" Another {counts} posts are there and not used: what is used was drawn by class share, and "
        f"{sizes} takes more."
    )


def balance_table(posts: Posts) -> Table:
    """Posts by split and class; of many classes one a row, to be opened."""
    title = "Posts by split and class"
    counts = [np.bincount(truth, minlength=len(posts.labels)) for _, truth in posts.truth.items()]
    cells = [(*map(str, count), str(count.sum())) for count in counts]
    names = (*posts.labels, "together")
    if len(posts.labels) <= MOST_CLASSES:
        rows = tuple((split, *cell) for split, cell in zip(SPLITS, cells, strict=True))
        return Table(title, ("split", *names), rows)
    rows = tuple(zip(names, *cells, strict=True))
    return Table(title, ("class", *SPLITS), rows, folded=True)


def example(
    posts: Posts, tokens: Tokens, tokenizer: "PreTrainedTokenizerFast"
) -> tuple[str, list[int], list[str]]:
    """The first tokens of a train post of median length: text, ids and tokens."""
    lengths = column(tokens.train, "length")
    row = int(np.argsort(lengths, kind="stable")[len(lengths) // 2])
    ids = tokens.train[row]["input_ids"]
    return posts.train[row]["text"], ids, list(tokenizer.convert_ids_to_tokens(ids))
