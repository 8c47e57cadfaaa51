"""A record of a run, as the history keeps them, and what the run of now is described by."""

from typing import Any

from labkit.runs.history import METRICS, Record

VALUES: dict[str, dict[str, Any]] = {metric.exercise: {} for metric in METRICS}
for _metric in METRICS:
    VALUES[_metric.exercise] |= {_metric.name: 0.5}
NOW = {"profile": "embedded", "labels": ["a", "b"]}
BASELINE = Record(
    run="20260101T000000Z",
    when="2026-01-01T00:00:00+00:00",
    commit="abc",
    profile="embedded",
    base_model="m",
    data="d",
    data_fingerprint="f",
    labels=["a", "b"],
    recipe={},
    passed=True,
    values=VALUES,
)
