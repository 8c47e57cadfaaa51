"""The compared metrics over the history, for the report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.report.blocks import Figure
from labkit.report.plots.trend import Course, trend
from labkit.runs.history import FILE, Comparison, read

RUNS = 20  # at most, the last ones before this


def of(comparison: Comparison, now: Mapping[str, Any], passed: bool, folder: Path) -> Figure | None:
    """This run's metrics behind those of the runs in `folder` on the same posts.

    `now` describes this run (`labkit.runs.description`).
    None where no run was before this one, or nothing is compared.
    """
    same = now["data_fingerprint"], now["labels"]
    known = [
        record
        for record in read(folder / FILE)[0]
        if (record.data_fingerprint, record.labels) == same
    ][-RUNS:]
    if not known or not comparison.changes:
        return None
    courses = []
    for change in comparison.changes:
        metric, before = change.metric, change.before
        sign = -1 if metric.higher_is_better else 1
        past = [metric.in_values(record.values) for record in known]
        worst = None if before is None else before + sign * metric.tolerance
        courses.append(Course(metric.name, (*past, change.after), before, worst, change.regressed))
    return trend(courses, [*(record.passed for record in known), passed])
