"""How hard the lab's own corpus is, and how much its posts look like real ones.

    PYTHONPATH=. python benchmarks/corpus_baselines.py [--posts FOLDER] [--before FOLDER] [--only realism]

prints the Markdown tables of the corpus's data card, with the digest of the posts that they hold for:
every baseline's accuracy on the test split by slice, and how often what is frequent in newsgroups
stands in the posts. FOLDER of `--posts` holds 20 Newsgroups; with it real posts have a column, and
what a linear probe that learned on the corpus gets right of them is printed. FOLDER of `--before` holds
an older state of the corpus. The fine-tune runs once for each seed, some minutes in all on two cores;
its stages go to the lab's own store, so a second run is quick.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from labkit import lab
from labkit.config import DataSource
from labkit.data.files import CORPUS
from labkit.data.tokens import load_tokenizer
from labkit.evaluation.baselines import embedding_logistic
from labkit.evaluation.metrics import METHODS
from labkit.evaluation.wordings import wordings
from labkit.evaluation.zero_shot import label_similarity
from labkit.model.checkpoints import load_encoder
from labkit.model.encoding import embed_texts
from labkit.plumbing.hardware import detect
from labkit.plumbing.runner import Run
from labkit.plumbing.store import Store
from labkit.profiles import EMBEDDED
from tests.corpus import SLICES, Post, digest, read_posts

SEEDS = (42, 43, 44)
SHOWN = ("majority", "tfidf_logistic", "label_similarity", "embedding_logistic")
MARKS = {  # by name, a pattern that is searched in each post
    "kin word": re.compile(
        r"\b(?:mother|father|mom|mum|dad|daddy|wife|husband|son|daughter|brother|sister|uncle|aunt"
        r"|cousin|grand(?:mother|father|ma|pa|son|daughter)|niece|nephew|in-law)s?\b",
        re.I,
    ),
    "`--`": re.compile("--"),
    "address or link": re.compile(r"\w@\w|https?:|ftp[:.]|www\.", re.I),
    "quotes somebody": re.compile(r"^ *(?:[>|:}\]] ?\S|.*\b(?:writes|wrote):)", re.M),
    "a row of figures": re.compile(r"^.*\S {2,}\S*\d\S* {2,}\S*\d", re.M),
    "a question": re.compile(r"\?"),
    "words in capitals": re.compile(r"\b[A-Z]{4,}\b"),
    "starts in lower case": re.compile(r"\A\W*[a-z]"),
}
SHE, HE = (
    re.compile(rf"\b(?:{words})\b", re.I)
    for words in ("she|her|hers|herself", "he|him|his|himself")
)


def corpus_run(seed: int, store: Store) -> Run:
    """The lab on its own corpus; the seed draws the head, the batches and the dropout."""
    config = replace(EMBEDDED, recipe=replace(EMBEDDED.recipe, seed=seed), seeds=1)
    return lab.run(config, store)


def measure(runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """By method, whether each test post is classified right: booleans (draws, posts)."""
    first = runs[0].evaluations
    tuned = [run.evaluations["fine_tuned"].correct for run in runs]
    shown = {method: first[method].correct[np.newaxis] for method in SHOWN}
    return {**shown, "fine_tuned": np.vstack(tuned)}


def table(correct: dict[str, np.ndarray], slices: np.ndarray) -> str:
    """Markdown: a row for each method, a column for all test posts and for each slice."""
    rows_of = {"all": np.ones(len(slices), bool), **{name: slices == name for name in SLICES}}
    head = ["method", *(f"{name} ({int(rows.sum())})" for name, rows in rows_of.items())]
    lines = [head, ["---", *("--:" for _ in rows_of)]]
    for method, draws in correct.items():
        shares = [100 * draws[:, rows].mean(axis=1) for rows in rows_of.values()]
        lines.append([METHODS[method], *map(cell, shares)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(percentages: np.ndarray) -> str:
    """One draw as it is; several as their mean with their lowest and highest."""
    if len(percentages) == 1:
        return f"{percentages[0]:.1f}"
    return f"{percentages.mean():.1f} ({percentages.min():.1f} to {percentages.max():.1f})"


def realism(texts: Sequence[str]) -> dict[str, float]:
    """Percentages of the posts, or of the pronouns, and numbers of words: what a reader would notice."""
    words = [len(text.split()) for text in texts]
    she, he = (sum(len(pattern.findall(text)) for text in texts) for pattern in (SHE, HE))
    return {
        **{
            name: 100 * float(np.mean([bool(pattern.search(text)) for text in texts]))
            for name, pattern in MARKS.items()
        },
        "she or her, of gendered pronouns": 100 * she / max(1, she + he),
        "words, mean": float(np.mean(words)),
        "words, 5th percentile": float(np.percentile(words, 5)),
        "words, 95th percentile": float(np.percentile(words, 95)),
    }


def realism_table(columns: Mapping[str, Sequence[str]]) -> str:
    """Markdown: a row for each thing that is counted, a column for each set of posts."""
    counted = {f"{name} ({len(texts):,})": realism(texts) for name, texts in columns.items()}
    lines = [["", *counted], ["---", *("--:" for _ in counted)]]
    for name in next(iter(counted.values())):
        lines.append([name, *(f"{column[name]:.1f}" for column in counted.values())])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def texts_of(posts: Sequence[Post]) -> list[str]:
    return [post.text for post in posts]


def run_on(folder: Path, store: Store) -> Run:
    """The lab on the two groups in the posts of `folder`."""
    return lab.run(replace(EMBEDDED, data=DataSource(str(folder))), store)


def transfer(corpora: dict[str, Run], real: Run) -> dict[str, float]:
    """Accuracy on the real test posts, in per cent: a linear probe by the corpus that it learned on,
    and label similarity, which learned on none."""
    embeddings = embed_texts(
        real.base, list(real.posts.test["text"]), EMBEDDED.recipe.max_length, detect()
    )
    scores = {
        f"probe trained on {name}": embedding_logistic(
            run.base_embeddings.train, run.posts.truth.train, embeddings
        )
        for name, run in corpora.items()
    }
    folder = real.base.folder
    worded = wordings(real.posts.labels, EMBEDDED.label_texts)[:1]
    scores["zero-shot"] = label_similarity(
        embeddings, load_encoder(folder), load_tokenizer(folder), worded
    )[0]
    truth = real.posts.truth.test
    return {name: 100 * float((s.argmax(axis=1) == truth).mean()) for name, s in scores.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, default=Path(".pytest_cache/d/labkit"))
    parser.add_argument("--posts", type=Path, help="a folder with posts of 20 Newsgroups")
    parser.add_argument("--before", type=Path, help="a folder with an older state of the corpus")
    parser.add_argument("--only", choices=("baselines", "realism"), help="one of the two parts")
    options = parser.parse_args()
    store = Store(options.store)
    if options.only != "realism":
        runs = [corpus_run(seed, store) for seed in SEEDS]
        print(table(measure(runs), np.asarray(runs[0].posts.test["slice"])))
        seeds = ", ".join(map(str, SEEDS))
        print(f"\nMeasured on the posts with digest `{digest(read_posts())}`, seeds {seeds}.\n")
    if options.only != "baselines":
        folders = {"before": options.before, "now": CORPUS}
        corpora = {name: folder for name, folder in folders.items() if folder}
        columns = {name: texts_of(read_posts(folder)) for name, folder in corpora.items()}
        if options.posts:
            real = run_on(options.posts, store)
            columns["real posts"] = [
                text for _, split in real.posts.items() for text in split["text"]
            ]
        print(realism_table(columns))
        if options.posts:
            learned = {name: run_on(folder, store) for name, folder in corpora.items()}
            for name, accuracy in transfer(learned, real).items():
                print(f"{name}: {accuracy:.1f} % of {len(real.posts.test)} real test posts")


if __name__ == "__main__":
    main()
