"""The run in two numbers: what the model got right before, what after, and what that cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.plumbing.progress import duration
from labkit.report.wording import percent

MEGABYTE = 1e6


@dataclass(frozen=True)
class Story:
    """Two accuracies as text, `gain` in a sentence, and what it cost in another."""

    before: str
    after: str
    gain: str
    cost: str


def story(values: Mapping[str, Mapping[str, Any]]) -> Story | None:
    """The story of a run's measured values by exercise; None where it did not measure both."""
    after = values.get("fine_tune")
    if not values.get("zero_shot") or not after:
        return None
    margin, low, high = (100 * after[f"margin{end}"] for end in ("", "_low", "_high"))
    more = "more" if margin >= 0 else "fewer"
    ends = sorted((abs(low), abs(high))) if low * high > 0 else (low, high)
    gain = f"{abs(margin):.1f} points {more} ({ends[0]:.1f} to {ends[1]:.1f})."
    return Story(
        percent(after["fine_tuned_accuracy"] - after["margin"]),  # of the best without examples
        percent(after["fine_tuned_accuracy"]),
        gain,
        cost(values.get("training_data", {}), after, values.get("save_and_track", {})),
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
