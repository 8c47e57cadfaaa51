"""Where a method goes wrong: by slice of the corpus, and post by post."""

from collections.abc import Collection, Sequence

import numpy as np

from labkit.answers.data_checks import excerpt
from labkit.data.posts import Posts
from labkit.evaluation.findings import DataChecks, Explained, Neighbour, WeakSlice
from labkit.evaluation.intervals import Estimate, accuracy
from labkit.evaluation.metrics import Draws, Evaluation
from labkit.model.predictions import probabilities
from labkit.report.blocks import Mistake, Mistakes, Table
from labkit.report.wording import percent, percent_interval

SHOWN = 5
SLICES = {  # of the lab's own corpus
    "plain": "a usual post",
    "jargon": "no word by which outsiders know the topic",
    "crossover": "a post about one topic in the words of the other",
    "short": "one or two sentences",
    "noisy": "signatures and quotations",
}


def slice_accuracies(
    posts: Posts, evaluation: Evaluation | Draws
) -> dict[str, tuple[int, Estimate]]:
    """Posts and accuracy by slice of the test split; empty where the corpus has no slices."""
    if posts.slices is None:
        return {}
    slices = evaluation.of(posts.slices)
    return {
        str(name): (int((slices == name).sum()), accuracy(evaluation.correct[slices == name]))
        for name in np.unique(slices)
    }


def slice_table(evaluation: Evaluation | Draws, slices: dict[str, tuple[int, Estimate]]) -> Table:
    """Accuracy by slice, worst first."""
    ranked = sorted(slices.items(), key=lambda item: item[1][1].value)
    return Table(
        f"Accuracy by slice: {evaluation.name}",
        ("slice", "posts", "accuracy (95 % interval)"),
        tuple((name, str(n), percent_interval(estimate)) for name, (n, estimate) in ranked),
        how=about_slices(slices),
    )


def about_slices(names: Collection[str]) -> str:
    """What slices are, and what each of the lab's own is, where these are they."""
    own = "; ".join(f"{name}: {SLICES[name]}" for name in SLICES if name in names)
    known = f" ({own})" if set(names) <= set(SLICES) else ""
    return (
        f"A slice is a part of the corpus by how a post is written{known}. The interval is wide, "
        "since a slice has few posts."
    )


def confident_mistakes(
    posts: Posts, evaluation: Evaluation | Draws, scores: np.ndarray
) -> Mistakes:
    """The posts that a method got wrong with the highest confidence.

    Of a method that was drawn several times, the first draw's.
    """
    if scores.ndim == 3:
        scores = scores[0]
    if evaluation.method == "fine_tuned":
        scores = probabilities(scores)
    labels, truth = posts.labels, evaluation.of(posts.truth.test)
    numbers = evaluation.of(np.arange(len(posts.test)))
    predicted = evaluation.predicted
    cosines = evaluation.method == "label_similarity"  # no probabilities: what counts is the gap
    own = scores[np.arange(len(truth)), truth]
    top = scores.max(axis=1)
    confidence = top - own if cosines else top
    wrong = np.flatnonzero(predicted != truth)
    rows = wrong[np.argsort(-confidence[wrong], kind="stable")][:SHOWN]
    return Mistakes(
        f"Most confident mistakes: {evaluation.name}",
        tuple(
            Mistake(
                posts.test[int(numbers[row])]["text"],
                labels[truth[row]],
                labels[predicted[row]],
                float(confidence[row]),
                f"cosine {top[row]:.2f}, with its own label {own[row]:.2f}" if cosines else "",
            )
            for row in rows
        ),
    )


def explained_table(
    posts: Posts, mistakes: tuple[Explained, ...], checks: DataChecks
) -> list[Table]:
    """Why the surest mistakes may be wrong, one a row; none for none."""
    suspicion = np.concatenate([split for _, split in checks.suspicion.items()])
    rows = []
    for one in mistakes:
        post = posts.test[one.row]
        rank = 1 + int(np.count_nonzero(suspicion > checks.suspicion.test[one.row]))
        rows.append(
            (
                excerpt(post["text"], 80),
                f"{posts.labels[post['label']]} → {posts.labels[one.answer]} {percent(one.confidence)}",
                excerpt(one.shortest, 120),
                neighbour(posts, one.alike),
                neighbour(posts, one.against),
                f"{rank} of {len(suspicion)}",
            )
        )
    header = (
        *("post", "is → taken for", "shortest text still wrong"),
        *("nearest train post of its class", "of the other", "rank of its label by suspicion"),
    )
    title = "Why may they be wrong? The surest mistakes"
    how = (
        "Shortest text still wrong: what is left when words are deleted as long as the answer stays "
        "wrong. The number before a train post is its cosine with this post. Rank 1 is the most "
        "suspicious label of all posts (exercise 3)."
    )
    return [Table(title, header, tuple(rows), how=how, folded=True)] if rows else []


def neighbour(posts: Posts, found: Neighbour | None) -> str:
    """A train post in one line, with its cosine similarity."""
    if found is None:
        return "none"
    return f"{found.similarity:.2f}: {excerpt(posts.train[found.row]['text'], 80)}"


def weak_table(slices: Sequence[WeakSlice]) -> list[Table]:
    """The slices in which the model is clearly worse; none for none."""
    rows = tuple(
        (one.rule, str(one.posts), percent_interval(one.errors), percent(one.elsewhere))
        for one in slices
    )
    header = ("posts that", "posts", "wrong (interval for all rules together)", "wrong elsewhere")
    return [Table("Weak slices, found by a search over simple rules", header, rows)] if rows else []
