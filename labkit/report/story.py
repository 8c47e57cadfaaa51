"""The run in two numbers: what the model got right before, what after, and what that cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.plumbing.progress import duration
from labkit.report.wording import percent

MEGABYTE = 1e6
BEFORE = {"majority": "always guessing the most frequent class"}  # where no zero-shot beats it


@dataclass(frozen=True)
class Story:
    """Two accuracies as text, and in sentences: what they are, the gain, whom it was won against,
    and what it cost."""

    before: str
    after: str
    ends: str
    gain: str
    rivals: str
    cost: str


def story(values: Mapping[str, Mapping[str, Any]]) -> Story | None:
    """The story of a run's measured values by exercise; None where it did not measure both."""
    after = values.get("fine_tune")
    if not values.get("zero_shot") or not after:
        return None
    over = after.get("margin_over", "")
    margin, low, high = (100 * after[f"margin{end}"] for end in ("", "_low", "_high"))
    more = "more" if margin >= 0 else "fewer"
    ends = sorted((abs(low), abs(high))) if low * high > 0 else (low, high)
    gain = f"{abs(margin):.1f} points {more} ({ends[0]:.1f} to {ends[1]:.1f})."
    return Story(
        percent(after["fine_tuned_accuracy"] - after["margin"]),  # of the best without examples
        percent(after["fine_tuned_accuracy"]),
        f"of the test posts are right: {BEFORE.get(over, 'best zero-shot')}, then fine-tuned",
        gain,
        chosen_wording(values["zero_shot"], over) + without_training(values),
        cost(values.get("training_data", {}), after, values.get("save_and_track", {})),
    )


def chosen_wording(zero_shot: Mapping[str, Any], over: str) -> str:
    """How generous the opponent is, where it is the best of many wordings; else empty."""
    if over != "best_wording" or "label_similarity_accuracy" not in zero_shot:
        return ""
    return (
        f"{percent(zero_shot['best_wording_accuracy'])} is the best of {zero_shot['wordings']} "
        "wordings, picked on these same posts; the default wording gets "
        f"{percent(zero_shot['label_similarity_accuracy'])}. "
    )


def without_training(values: Mapping[str, Mapping[str, Any]]) -> str:
    """What the same labels give where no network is trained, as far as that was measured."""
    compared = values.get("compare", {})
    if not {"embedding_logistic_accuracy", "probe_margin"} <= compared.keys():
        return ""
    posts = values.get("training_data", {}).get("train_posts")
    labels = f"The same {posts} labels" if posts else "The same labels"
    margin, low, high = (100 * compared[f"probe_margin{end}"] for end in ("", "_low", "_high"))
    if low > 0:
        more = f"fine-tuning adds {margin:.1f} points"
    elif high < 0:
        more = f"fine-tuning loses {-margin:.1f} points"
    else:
        more = f"fine-tuning differs by {margin:+.1f} points, no more than chance explains"
    return (
        f"{labels} without training the network (logistic regression): "
        f"{percent(compared['embedding_logistic_accuracy'])}; {more}. "
    )


def cost(data: Mapping[str, Any], training: Mapping[str, Any], saved: Mapping[str, Any]) -> str:
    """Posts, time and size, as far as they were measured."""
    said = ""
    if "train_seconds" in training:
        posts = f"{data['train_posts']} labelled posts and " if "train_posts" in data else ""
        said = f"It took {posts}{duration(training['train_seconds'])} of training. "
    if "weights_bytes" in saved:
        size = f"{saved['weights_bytes'] / MEGABYTE:.0f} MB"
        said += f"The model is a file of {size}, {saved['size_ratio']:.3f} times the base model's."
    return said.strip()
