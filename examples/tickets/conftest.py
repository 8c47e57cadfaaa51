"""What this project adds to the lab: a metric, gates, an exercise, a behaviour, topics, a stage."""

import re
from dataclasses import replace

import numpy as np
import pytest

from labkit import own

# Euros that a ticket costs which a team (row) gets back from another (column), in the order of the
# classes: billing, delivery, returns.
COSTS = np.array([[0, 4, 4], [6, 0, 3], [6, 3, 0]])


@pytest.fixture(scope="session")
def posts(posts):
    """The tickets without their numbers: no team should be known by an order or an amount."""
    masked = {
        name: split.map(lambda ticket: {"text": re.sub(r"\d+", "0", ticket["text"])})
        for name, split in posts.items()
    }
    return replace(posts, **masked)


def cost(truth, probabilities):
    """Euros that a ticket costs on average when it goes to the most probable team."""
    return COSTS[truth, probabilities.argmax(axis=1)].mean()


def mixed_up(posts, predictions):
    """The answer to this project's own exercise, from two stages of the lab."""
    truth, predicted = posts.truth.test, predictions.logits.test.argmax(axis=1)
    counts = np.zeros((len(posts.labels), len(posts.labels)), dtype=int)
    np.add.at(counts, (truth, predicted), 1)
    between = counts + counts.T
    np.fill_diagonal(between, 0)
    one, other = np.unravel_index(between.argmax(), between.shape)
    share = float(between[one, other] / len(truth))
    pair = f"{posts.labels[one]} and {posts.labels[other]}"
    return own.Answer(
        "mixed_up",
        f"{pair}, {own.percent(share)} of the tickets",
        f"The two teams that are mixed up most are {pair}: {own.percent(share)} of the tickets.",
        {"pair": pair, "mixed_up_share": share},
        (
            own.Table(
                "Tickets by team and predicted team",
                ("team", *posts.labels),
                tuple(
                    (label, *map(str, row))
                    for label, row in zip(posts.labels, counts.tolist(), strict=True)
                ),
            ),
        ),
    )


def pytest_labkit_exercises():
    question = "Which two teams are mixed up most?"
    return [own.exercise("mixed_up", "Mixed-up teams", question, mixed_up)]


def pytest_labkit_metrics():
    title = "Euros that a wrong team costs, for each ticket"
    return [own.metric("cost", cost, title=title, higher_is_better=False, tolerance=0.2)]


def pytest_labkit_gates():
    return [
        own.gate(
            "cost_high",
            "fine_tune",
            at_most=2.5,
            low=0,
            high=6,
            unit="euros a ticket",
            claim="A wrong team costs little (upper end of the interval).",
            hint="Tickets about money may go to the wrong team; look at the confusion matrix.",
        ),
        own.gate(
            "mixed_up_share",
            "mixed_up",
            at_most=0.25,
            low=0,
            high=1,
            unit="of the tickets",
            claim="No two teams are mixed up often.",
            hint="Their tickets may be about the same; look at the table by team.",
        ),
    ]


def greeted(text, pick):
    """A ticket with a greeting in front; `pick(n)` gives a whole number below n."""
    return f"{('Hello,', 'Dear team,', 'Good morning!')[pick(3)]} {text}"


def pytest_labkit_behaviours():
    return [own.invariance("greeting", "The team stays the same: a greeting in front.", greeted)]


def pytest_labkit_topics():
    parts = {
        "billing": (("the invoice", "my refund"), ("is wrong", "shows another amount")),
        "delivery": (("the parcel", "my package"), ("is late", "has not arrived")),
        "returns": (("the jacket", "this pair of shoes"), ("does not fit", "has to go back")),
    }
    endings = ("again", "since Monday", "and I need help")
    return {team: own.Topic(*two, endings) for team, two in parts.items()}
