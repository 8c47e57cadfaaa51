"""The run in two numbers, for better and for worse, whole and in part."""

from typing import Any

import pytest

from labkit.report.story import story

VALUES: dict[str, dict[str, Any]] = {
    "zero_shot": {"zero_shot_accuracy": 0.72},
    "training_data": {"train_posts": 480},
    "fine_tune": {
        "fine_tuned_accuracy": 0.86,
        "margin": 0.14,
        "margin_low": 0.09,
        "margin_high": 0.188,
        "train_seconds": 36.0,
    },
    "save_and_track": {"weights_bytes": 90_900_000, "size_ratio": 1.007},
}


def test_it_tells_gain_and_cost():
    told = story(VALUES)
    assert told is not None
    assert (told.before, told.after) == ("72.0 %", "86.0 %")
    assert told.gain == "14.0 points more (9.0 to 18.8)."
    assert told.ends == "of the test posts are right: best zero-shot, then fine-tuned"
    assert told.rivals == ""
    assert told.cost == (
        "It took 480 labelled posts and 36 s of training. "
        "The model is a file of 91 MB, 1.007 times the base model's."
    )


def test_a_chosen_wording_is_a_generous_rival():
    wordings = {"wordings": 75, "best_wording_accuracy": 0.792, "label_similarity_accuracy": 0.72}
    told = story(
        {
            **VALUES,
            "zero_shot": wordings,
            "fine_tune": VALUES["fine_tune"] | {"margin_over": "best_wording"},
        }
    )
    assert told is not None
    assert told.rivals == (
        "79.2 % is the best of 75 wordings, picked on these same posts; the default wording gets "
        "72.0 %. "
    )


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((0.035, 0.072, 0.113), "fine-tuning adds 7.2 points. "),
        ((-0.02, 0.01, 0.04), "fine-tuning differs by +1.0 points, no more than chance explains. "),
        ((-0.09, -0.05, -0.01), "fine-tuning loses 5.0 points. "),
    ],
)
def test_the_same_labels_without_training_are_the_fair_rival(ends, words):
    low, margin, high = ends
    compared = {
        "embedding_logistic_accuracy": 0.79,
        "probe_margin": margin,
        "probe_margin_low": low,
        "probe_margin_high": high,
    }
    told = story({**VALUES, "compare": compared})
    assert told is not None
    assert told.rivals == (
        f"The same 480 labels without training the network (logistic regression): 79.0 %; {words}"
    )


def test_where_zero_shot_is_no_better_than_guessing_the_top_says_so():
    told = story({**VALUES, "fine_tune": VALUES["fine_tune"] | {"margin_over": "majority"}})
    assert told is not None
    assert told.ends.startswith("of the test posts are right: always guessing the most frequent")


def test_a_loss_is_told_as_one():
    worse = {"margin": -0.03, "margin_low": -0.05, "margin_high": -0.01}
    told = story({**VALUES, "fine_tune": VALUES["fine_tune"] | worse})
    assert told is not None
    assert told.gain == "3.0 points fewer (1.0 to 5.0)."


def test_a_model_trained_elsewhere_has_no_time_of_training_here():
    tuned = {name: value for name, value in VALUES["fine_tune"].items() if name != "train_seconds"}
    told = story({**VALUES, "fine_tune": tuned})
    assert told is not None
    assert told.cost == "The model is a file of 91 MB, 1.007 times the base model's."


def test_half_of_the_lab_has_no_story():
    assert story({"zero_shot": VALUES["zero_shot"]}) is None
    assert story({"fine_tune": {}, "zero_shot": VALUES["zero_shot"]}) is None
