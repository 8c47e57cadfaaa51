"""What exercise 3 says of labels that look wrong and of posts that are nearly the same."""

import numpy as np

from labkit.data.posts import Posts
from labkit.evaluation.findings import LEARNED, DataChecks, NearCopies
from labkit.report.blocks import Table
from labkit.report.wording import percent

SHOWN = 6  # labels, and pairs of posts
EXCERPT = 160  # characters of a post


def check_values(checks: DataChecks) -> dict[str, float]:
    """How many labels look wrong, also as a share of those that are learned from, and near copies."""
    suspects = sum(int(split.sum()) for _, split in checks.suspect.items())
    learned = np.concatenate([checks.suspect.train, checks.suspect.validation])
    return {
        "suspect_labels": suspects,
        "suspect_share": float(learned.mean()),
        "near_copies": checks.copied,
        "near_copies_across_splits": checks.across,
    }


def check_tables(posts: Posts, checks: DataChecks) -> list[Table]:
    """The most suspicious labels and the nearest copies, each with advice; none for none."""
    found = []
    ranked = sorted(
        (-float(getattr(checks.suspicion, name)[row]), name, int(row))
        for name, suspect in checks.suspect.items()
        for row in np.flatnonzero(suspect)
    )
    if ranked:
        rows = []
        for suspicion, name, row in ranked[:SHOWN]:
            post = getattr(posts, name)[row]
            likely = posts.labels[getattr(checks.likely, name)[row]]
            label = posts.labels[post["label"]]
            rows.append((name, label, likely, percent(-suspicion), excerpt(post["text"])))
        found.append(
            Table(
                f"{suspects(len(ranked))}. Read them: mend a wrong label, and keep a right one, since "
                "such posts are the hard ones",
                ("split", "label", "looks like", "suspicion", "post"),
                tuple(rows),
                how="Suspected by logistic regression on the base model's embeddings and on words, "
                f"trained on at most {LEARNED:,} of the other posts. Suspicion: 0 % where it is certain "
                "of the label, 100 % where it is certain of another class.",
                folded=True,
            )
        )
    if checks.copies:
        found.append(
            Table(
                f"Near copies: {checks.copied} pairs, {checks.across} of them between two splits. "
                "Between splits they make a test easier than it is; keep one of each pair",
                ("splits", "labels", "runs of words shared", "post"),
                tuple(copy_row(posts, pair) for pair in checks.copies[:SHOWN]),
                folded=True,
            )
        )
    return found


def looked_at(checks: DataChecks) -> str:
    """How many labels look wrong and how many posts are nearly the same, with where to read them."""
    count = sum(int(split.sum()) for _, split in checks.suspect.items())
    found = [look_wrong(count)] if count else []
    if checks.copied:
        pairs = "pair of posts is" if checks.copied == 1 else "pairs of posts are"
        found.append(f"{checks.copied} {pairs} nearly the same")
    return f" {' and '.join(found)}, listed under More numbers in the report." if found else ""


def suspects(count: int) -> str:
    """How many labels look wrong, and how many of them are shown."""
    looks = look_wrong(count)
    return looks if count <= SHOWN else f"{looks}; the {SHOWN} most suspicious"


def look_wrong(count: int) -> str:
    return "1 label looks wrong" if count == 1 else f"{count} labels look wrong"


def copy_row(posts: Posts, pair: NearCopies) -> tuple[str, ...]:
    one, other = (
        getattr(posts, split)[row] for split, row in zip(pair.splits, pair.rows, strict=True)
    )
    labels = dict.fromkeys(posts.labels[post["label"]] for post in (one, other))
    return (
        ", ".join(dict.fromkeys(pair.splits)),
        " and ".join(labels),
        percent(pair.shared),
        excerpt(one["text"]),
    )


def excerpt(text: str, length: int = EXCERPT) -> str:
    """The beginning of a text in one line."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[:length]} …"
