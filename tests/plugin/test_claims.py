"""The claims for a project's own tests hold where they should, and fail where they should."""

from types import SimpleNamespace

import numpy as np
import pytest

from labkit import claims
from labkit.evaluation.intervals import Estimate


def method(name: str, right: int, posts: int = 200) -> SimpleNamespace:
    """A method that is right on the first posts."""
    return SimpleNamespace(name=name, hit_rate=(np.arange(posts) < right).astype(float))


def test_a_claim_counts_by_the_end_that_speaks_against_it():
    estimate = Estimate(0.85, 0.8, 0.9)
    claims.at_least(estimate, 0.8)
    claims.at_most(estimate, 0.9)
    with pytest.raises(AssertionError, match=r"the accuracy is not .* 0.85 \(0.8 to 0.9\)"):
        claims.at_least(estimate, 0.81, "the accuracy")
    with pytest.raises(AssertionError, match=r"at most 0\.89"):
        claims.at_most(estimate, 0.89)


def test_not_a_number_holds_no_claim():
    nothing = Estimate(np.nan, np.nan, np.nan)
    for claim in (claims.at_least, claims.at_most):
        with pytest.raises(AssertionError):
            claim(nothing, 0)


def test_a_method_is_better_only_beyond_luck():
    assert claims.better(method("new", 180), method("old", 150)).value == pytest.approx(0.15)
    for right in (149, 150, 151):  # one post more is luck
        with pytest.raises(AssertionError, match="new is no more often right than old"):
            claims.better(method("new", right), method("old", 150))


def test_a_small_method_may_be_worse_by_the_margin_and_no_more():
    claims.no_worse(method("small", 148), method("large", 150), margin=0.05)
    with pytest.raises(AssertionError, match=r"perhaps worse by more than 5.0 % than large"):
        claims.no_worse(method("small", 140), method("large", 150), margin=0.05)
