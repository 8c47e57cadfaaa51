"""The embedded model on real posts: what the lab promises of 20 Newsgroups."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labkit import lab
from labkit.config import DataSource
from labkit.profiles import EMBEDDED

pytestmark = pytest.mark.long
NEWSGROUPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "20_newsgroups"


@pytest.fixture(scope="module")
def newsgroups_lab(_labkit):
    """The embedded profile on the real posts, its stages in the same store as the lab's."""
    if not NEWSGROUPS.exists():
        pytest.skip("../shared/data/20_newsgroups is not there")
    store = _labkit.lab.store
    return lab.run(replace(EMBEDDED, data=DataSource(str(NEWSGROUPS))), store)


def test_fine_tuned_accuracy_on_the_whole_test_split(newsgroups_lab):
    predicted = newsgroups_lab.predictions.logits.test.argmax(axis=1)
    assert len(predicted) == 761
    assert np.mean(predicted == newsgroups_lab.posts.truth.test) >= 0.96
