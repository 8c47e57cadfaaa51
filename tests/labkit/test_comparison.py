"""Two methods on the same posts, also where one was asked about a part of them."""

import numpy as np
import pytest

from labkit.evaluation import intervals
from labkit.evaluation.comparison import against, all_against
from labkit.evaluation.metrics import best_without_examples, evaluate, evaluate_draws

TRUTH = np.arange(100) % 2


def scores(wrong, truth=TRUTH):
    said = truth.copy()
    said[list(wrong)] = 1 - said[list(wrong)]
    return np.eye(2)[said]


def method(name, wrong, rows=None, other_seeds=None):
    truth = TRUTH if rows is None else TRUTH[rows]
    others = None if other_seeds is None else np.stack([scores(one) for one in other_seeds])
    return evaluate(name, scores(wrong, truth), truth, 0, rows, others)


def test_it_is_the_paired_difference_with_mcnemars_test():
    first, second = method("fine_tuned", range(10)), method("embedding_logistic", range(5, 35))
    found = against(first, second, 0)
    assert found.difference == intervals.paired_difference(first.correct, second.correct, 0)
    assert (found.only_first, found.only_second, found.posts) == (25, 5, 100)
    assert found.p_value == intervals.mcnemar(first.correct, second.correct)
    assert found.verdict == "better"
    assert against(second, first, 0).verdict == "worse"
    assert against(first, first, 0).verdict == "alike"


def test_a_lead_that_only_one_seed_has_is_no_lead():
    """The kept model is right on 15 posts more than the probe; other seeds on 3, and on 1."""
    probe = method("embedding_logistic", range(20))
    lucky = method("fine_tuned", range(5), other_seeds=[range(17), range(19)])
    steady = method("fine_tuned", range(5), other_seeds=[range(6), range(4)])
    alone = method("fine_tuned", range(5))
    assert [against(one, probe, 0).verdict for one in (alone, steady, lucky)] == [
        *("better", "better", "alike")
    ]
    assert against(probe, lucky, 0).verdict == "alike"
    assert lucky.accuracy.low < steady.accuracy.low < lucky.accuracy.value == 0.95
    assert lucky.macro_f1.low < steady.macro_f1.low


@pytest.mark.parametrize("turned", [False, True])
def test_only_posts_that_both_were_asked_about_count(turned):
    """On the forty posts that the second read, the first is right on all and the other on thirty."""
    rows = np.arange(60, 100)
    whole, part = method("fine_tuned", range(50)), method("trained_nli", range(10), rows)
    pair = (part, whole) if turned else (whole, part)
    found = against(*pair, 0)
    assert found.posts == 40
    assert found.difference.value == pytest.approx(-0.25 if turned else 0.25)


def test_what_was_drawn_several_times_is_in_no_paired_table():
    evaluations = {
        "fine_tuned": method("fine_tuned", range(10)),
        "embedding_logistic": method("embedding_logistic", range(20)),
        "tfidf_logistic": method("tfidf_logistic", range(5)),
        "untrained_nli": evaluate_draws("untrained_nli", np.random.rand(3, 100, 2), TRUTH),
    }
    pairs = all_against(evaluations, "embedding_logistic", 0)
    assert [pair.first for pair in pairs] == ["TF-IDF + logistic regression", "fine-tuned"]


def test_the_rival_is_the_best_of_all_that_read_no_label():
    evaluations = {
        "label_similarity": method("label_similarity", range(40)),
        "best_wording": method("best_wording", range(30)),
        "majority": method("majority", range(50)),
        "fine_tuned": method("fine_tuned", range(10)),
    }
    assert best_without_examples(evaluations).method == "best_wording"
    upside_down = {name: method(name, range(90)) for name in ("label_similarity", "best_wording")}
    assert best_without_examples(evaluations | upside_down).method == "majority"
