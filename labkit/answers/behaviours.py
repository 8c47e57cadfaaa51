"""What exercise 5 says of the fine-tuned model's behaviour."""

from collections.abc import Sequence

from labkit.evaluation.behaviour import Outcome, missing_topics
from labkit.report.blocks import Listing, Table
from labkit.report.wording import percent, percent_interval

RATED = {
    "minimum functionality": "minimum_functionality_high",
    "invariance": "invariance_high",
    "directional": "directional_high",
}
COUNTED = {"any text": "any_text_failures", "batch": "batch_failures"}
SHOWN_LENGTH = 600  # characters of a counter-example


def behaviour_values(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Every failure rate, and for each kind what its gate reads: the worst of its behaviours."""
    values = {f"{outcome.name}_failure_rate": outcome.rate.value for outcome in outcomes}
    for kind, gate in RATED.items():
        highs = [outcome.rate.high for outcome in outcomes if outcome.kind == kind]
        if highs:
            values[gate] = max(highs)
    for kind, gate in COUNTED.items():
        values[gate] = sum(outcome.failures for outcome in outcomes if outcome.kind == kind)
    return values


def not_applicable(labels: Sequence[str]) -> dict[str, str]:
    """Why the behaviours that need plain sentences cannot be tested for these classes."""
    missing = missing_topics(labels)
    if not missing:
        return {}
    reason = f"labkit has no grammar of plain sentences about {', '.join(missing)}"
    return dict.fromkeys(RATED.values(), reason)


def behaviour_table(outcomes: Sequence[Outcome]) -> Table:
    """Every behaviour with its claim, cases and failure rate."""
    return Table(
        "Behaviour of the fine-tuned model",
        ("kind", "claim", "cases", "failed (95 % interval)"),
        tuple(
            (outcome.kind, outcome.claim, str(outcome.cases), percent_interval(outcome.rate))
            for outcome in outcomes
        ),
        folded=True,
    )


def counter_examples(outcomes: Sequence[Outcome], labels: Sequence[str]) -> list[Listing]:
    """The smallest failure of each behaviour that failed, in one listing; none for none."""
    shown = []
    for outcome in outcomes:
        if case := outcome.counter_example:
            lines = [f"{outcome.kind}: {outcome.claim} ({percent(outcome.rate.value)} failed)"]
            lines += [f"  text:    {case.text[:SHOWN_LENGTH]!r}"]
            lines += [f"  against: {case.other[:SHOWN_LENGTH]!r}"] if case.other else []
            lines += [f"  about:   {labels[case.label]}"] if case.label >= 0 else []
            shown.append("\n".join(lines))
    return [Listing("Smallest counter-examples", "\n\n".join(shown))] if shown else []
