"""Measured numbers as text, and by name."""

from labkit.evaluation.intervals import Estimate
from labkit.evaluation.metrics import Range


def with_interval(name: str, estimate: Estimate | Range) -> dict[str, float]:
    """The three values that an estimate adds to an answer: of draws, the ends of their range."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def percent(share: float) -> str:
    """A share as a person reads it: 0.9646 becomes `96.5 %`."""
    return f"{100 * share:.1f} %"


def percent_interval(estimate: Estimate | Range) -> str:
    """An estimate with its interval: `96.5 % (95.0 to 97.6)`; of draws, from which to which."""
    ends = f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"
    draws = "draws from " if isinstance(estimate, Range) else ""
    return f"{percent(estimate.value)} ({draws}{ends})"


def paragraphs(*parts: str) -> str:
    """An answer of several paragraphs, with a blank line between two; empty ones are left out."""
    return "\n\n".join(part.strip() for part in parts if part.strip())
