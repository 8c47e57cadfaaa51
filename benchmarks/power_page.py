"""The page about what the gates can see: every sentence and number is made from the runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas
from scipy import stats

from benchmarks.faults import FAULTS
from benchmarks.power_subject import LIMITS
from labkit.evaluation.gates import GATES
from labkit.report.plots.style import GRID, INK, STYLE, VERMILION

CONFIDENCE = 0.95
CAUGHT, ALARMS = 0.95, 0.05  # aims: of full doses at least, of healthy runs at most
DOSES = ("mild", "middle", "full")
SHADES = ("#0b3c5d", "#4c8fbf", "#bcd7ea")  # of a mild dose that is seen, a middle one, a full one
REFUSED = "refused"  # a run that ended with an error and not with a number


@dataclass(frozen=True)
class Seen:
    """What was seen of one run: the gates that failed, and whether an exercise was refused.

    `errors` are those that are none of the lab's own, which speak for a mistake in this measurement.
    """

    fault: str | None
    dose: int
    failing: frozenset[str]
    errors: tuple[str, ...] = ()

    @property
    def red(self) -> bool:
        return bool(self.failing)


def seen(run: dict[str, Any]) -> Seen:
    """The gates that a line of `runs.jsonl` fails; one without a number fails, as in the lab."""
    gates = {gate.name: gate for gate in GATES if gate.name in LIMITS}
    failing = {
        name
        for name, number in run["measured"].items()
        if number is None or not gates[name].allows(number)
    }
    foreign = (error for error in run["refused"].values() if not error.startswith("LabError"))
    refused = {REFUSED} if run["refused"] else set()
    return Seen(run["fault"], run["dose"], frozenset(failing | refused), tuple(foreign))


def upper_end(hits: int, of: int) -> float:
    """The upper end of a share, one-sided, 95 % (Clopper and Pearson 1934, exact)."""
    test = stats.binomtest(hits, of, alternative="less")
    return float(test.proportion_ci(CONFIDENCE, method="exact").high)


@dataclass(frozen=True)
class Power:
    """What all runs together say; `gates` are those of the lab in order, and the refusals."""

    runs: tuple[Seen, ...]

    @cached_property
    def gates(self) -> tuple[str, ...]:
        return (*LIMITS, REFUSED)

    @cached_property
    def healthy(self) -> tuple[Seen, ...]:
        return tuple(run for run in self.runs if run.fault is None)

    @cached_property
    def faulty(self) -> tuple[Seen, ...]:
        return tuple(run for run in self.runs if run.fault is not None)

    def at(self, dose: int, fault: str | None = None) -> tuple[Seen, ...]:
        """The runs of one dose, of one fault where one is named."""
        return tuple(run for run in self.faulty if run.dose == dose and fault in (None, run.fault))

    def alarms(self, gate: str) -> int:
        return sum(gate in run.failing for run in self.healthy)

    def alone(self, gate: str) -> int:
        """Faulty runs that nothing but this gate saw."""
        return sum(run.failing == {gate} for run in self.faulty)

    def smallest(self, fault: str, gate: str | None = None) -> int | None:
        """The smallest dose seen in half of its runs or more, by a gate or by any; None for none."""
        for dose in range(len(DOSES)):
            runs = self.at(dose, fault)
            hits = [gate in run.failing if gate else run.red for run in runs]
            if runs and np.mean(hits) >= 0.5:
                return dose
        return None


def share(runs: Sequence[Seen], gate: str | None = None) -> str:
    """How many of the runs a gate saw, or any."""
    if not runs:
        return "–"
    hits = sum(gate in run.failing if gate else run.red for run in runs)
    return f"{100 * hits / len(runs):.0f} %"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def write(lines: Sequence[dict[str, Any]], planned: int, docs: Path) -> None:
    """`power.md` and `power.svg` in the folder `docs`."""
    power = Power(tuple(seen(line) for line in lines))
    (docs / "power.md").write_text(page(power, planned))
    plot(power, docs / "power.svg")


def page(power: Power, planned: int) -> str:
    there = len(power.runs)
    kinds = len({run.fault for run in power.faulty})
    part = "" if there == planned else f" **{planned - there} runs are still missing.**"
    return f"""# What the gates can see

A gate that was seen to fail once can fail; how often it does when something is wrong, and how often
when nothing is, has to be measured. `make power` does: faults in three doses are put into small
trainings on made-up posts (the world of the puzzles), beside runs in which nothing is wrong. Each seed
has its own posts, splits, head and batches. The faults follow the mutation operators that DeepCrime took
from real faults in deep learning ([Humbatova and others 2021](https://doi.org/10.1145/3460319.3464825)),
and go on to inference and files.

This page is written by the command, from {len(power.healthy)} healthy runs and {len(power.faulty)} runs
with one of {kinds} faults.{part} It says what the gates see in *this* small world, where a healthy model
is right on nearly every post. Where a task is harder the numbers lie nearer to their thresholds.

```console
$ make power    # goes on where it was cut off; results are kept in build/power
```

## All gates together

{together(power)}

## By gate

{by_gate(power)}

{verdicts(power)}

## By fault

![Faults by gate: from which dose on each gate sees each fault](power.svg)

{by_fault(power)}

{errors(power)}A number is how many runs of that dose were red, by any gate or because an exercise was refused: a
number that is none, or a file that cannot be read, ends in an error that names it, not in a gate. The
last columns are the smallest dose that was seen in at least half of its runs, and what saw the full one
in at least half of its runs.
"""


def together(power: Power) -> str:
    healthy, full = power.healthy, power.at(len(DOSES) - 1)
    rows = [
        (f"faults seen, {name} dose", f"{share(power.at(dose))} of {len(power.at(dose))} runs")
        for dose, name in enumerate(DOSES)
    ]
    if not healthy or not full:
        return table(("what", "measured"), rows)
    alarms = sum(run.red for run in healthy)
    upper = upper_end(alarms, len(healthy))
    caught = float(np.mean([run.red for run in full]))
    rows.append(
        (
            "healthy runs that alarm",
            f"{alarms} of {len(healthy)}; upper end {100 * upper:.1f} % (one-sided, 95 %, exact)",
        )
    )
    missed = sorted({str(run.fault) for run in full if not run.red})
    return f"""{table(("what", "measured"), rows)}

The aim is to see {100 * CAUGHT:.0f} % of the full doses: {"met" if caught >= CAUGHT else "not met"}\
{f" (not in every run: {', '.join(missed)})" if missed else ""}. The other is that at most {100 * ALARMS:.0f} % of \
healthy runs alarm, by the upper end, all gates together: {"met" if upper <= ALARMS else "not met"}."""


def by_gate(power: Power) -> str:
    rows = []
    for gate in power.gates:
        alarms, healthy = power.alarms(gate), len(power.healthy)
        first = [power.smallest(fault, gate) for fault in FAULTS]
        rows.append(
            (
                f"`{gate}`" if gate in LIMITS else "an exercise is refused",
                *(share(power.at(dose), gate) for dose in range(len(DOSES))),
                f"{power.alone(gate)} of {len(power.faulty)}",
                ", ".join(str(first.count(dose)) for dose in range(len(DOSES))),
                f"{alarms} of {healthy}, to {100 * upper_end(alarms, healthy):.1f} %"
                if healthy
                else "–",
            )
        )
    head = ("gate", *(f"{name} dose" for name in DOSES), "it alone", "from", "false alarms")
    return (
        table(head, rows)
        + "\n\n*Doses* are the share of all faulty runs that the gate saw. *It alone*: runs that nothing "
        "else saw. *From*: how many faults it sees from the mild, the middle, the full dose on, in at "
        "least half of the runs. *False alarms*: healthy runs, with the upper end of the share."
    )


def verdicts(power: Power) -> str:
    """What is to be said of gates that add nothing, and of those that alarm."""
    if not power.faulty:
        return ""
    idle = [gate for gate in LIMITS if not any(gate in run.failing for run in power.faulty)]
    doubled = [gate for gate in LIMITS if gate not in idle and not power.alone(gate)]
    alarming = [gate for gate in LIMITS if power.alarms(gate)]
    said = [
        (idle, "saw none of these faults", "Every gate saw one of these faults"),
        (
            doubled,
            "saw no run that nothing else saw, so here another gate would do in its place",
            "Each of the others saw a run that nothing else saw",
        ),
        (alarming, "alarmed in a healthy run", "No gate alarmed in a healthy run"),
    ]
    return "\n".join(
        f"- {', '.join(f'`{gate}`' for gate in names)} {words}." if names else f"- {otherwise}."
        for names, words, otherwise in said
    )


def by_fault(power: Power) -> str:
    rows = []
    for name, fault in FAULTS.items():
        cells = []
        for dose, words in enumerate(fault.doses):
            runs = power.at(dose, name)
            cells.append(f"{words}: {sum(run.red for run in runs)} of {len(runs)}")
        first = power.smallest(name)
        full = [gate for gate in power.gates if sees(power, name, gate, len(DOSES) - 1)]
        rows.append(
            (
                fault.area,
                fault.what,
                *cells,
                "none" if first is None else DOSES[first],
                ", ".join(f"`{gate}`" if gate in LIMITS else gate for gate in full) or "nothing",
            )
        )
    return table(("where", "fault", *DOSES, "seen from", "by"), rows)


def errors(power: Power) -> str:
    """Runs that ended with an error which is none of the lab's own; nothing where there are none."""
    found = {(run.fault or "healthy", error) for run in power.runs for error in run.errors}
    if not found:
        return ""
    lines = "".join(f"- {fault}: `{error}`\n" for fault, error in sorted(found))
    return f"Some runs ended with an error that is none of the lab's own:\n\n{lines}\n"


def sees(power: Power, fault: str, gate: str, dose: int) -> bool:
    runs = power.at(dose, fault)
    return bool(runs) and sum(gate in run.failing for run in runs) >= len(runs) / 2


@matplotlib.rc_context({**STYLE, "figure.facecolor": "white", "svg.fonttype": "path"})
def plot(power: Power, file: Path) -> None:
    """Faults by gate, each cell as dark as the dose is mild from which on the gate sees the fault."""
    faults, gates = list(FAULTS), power.gates
    canvas = Canvas(figsize=(9.5, 0.26 * len(faults) + 2.6))
    axes = canvas.subplots()
    for row, fault in enumerate(faults):
        for column, gate in enumerate((None, *gates)):
            dose = power.smallest(fault, gate)
            if dose is not None:
                axes.plot(column, row, "s", color=SHADES[dose], ms=11)
    for column, gate in enumerate((None, *gates)):
        alarms = power.alarms(gate) if gate else sum(run.red for run in power.healthy)
        if alarms:
            axes.text(column, len(faults), str(alarms), color=VERMILION, ha="center", va="center")
    names = ["all together", *(gate.replace("_", " ") for gate in gates)]
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set_yticks(range(len(faults) + 1), [*faults, "false alarms"])
    axes.axvline(0.5, color=INK, lw=0.8)
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(faults) + 0.6, -0.6))
    axes.grid(color=GRID, lw=0.5)
    axes.set_axisbelow(True)
    for shade, name in zip(SHADES, DOSES, strict=True):
        axes.plot([], [], "s", color=shade, ms=9, label=f"seen from the {name} dose on")
    canvas.legend(loc="outside upper center", ncols=len(DOSES))
    canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
