"""`labkit puzzle`: list them, start one, ask for a hint, name the fault."""

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.config import DataSource, LabConfig, ModelSource, Recipe, Selection
from labkit.errors import LabError
from labkit.evaluation import gates
from labkit.exercises import EXERCISES
from labkit.plugin.session import LabSession
from labkit.plugin.terminal import answer_table, verdict_lines
from labkit.plumbing.progress import Progress, Silent
from labkit.puzzles.sealed import Puzzle, load
from labkit.puzzles.subject import LABELS, LONGEST, USUAL_RATE

if TYPE_CHECKING:
    from labkit.puzzles.faults import Fault

WHY = "a puzzle: posts and model are small and made up"


def lines_of(
    action: str, number: int | None, more: str | None, reports: Path, store: Path
) -> Iterator[str]:
    """What a command of `labkit puzzle` prints.

    Raises LabError for a number, a step or a name that there is not.
    """
    if action == "list":
        yield from overview()
        return
    puzzle = find(number)
    if action == "start":
        yield from start(puzzle, reports / "puzzles" / str(puzzle.number), store)
    elif action == "hint":
        yield from hint(puzzle, more or "1")
    else:
        yield from answer(puzzle, more)


def find(number: int | None) -> Puzzle:
    """The puzzle of that number."""
    puzzles = load()
    if number is None or not 1 <= number <= len(puzzles):
        raise LabError(f"there are puzzles 1 to {len(puzzles)}; name one by its number")
    return puzzles[number - 1]


def overview() -> Iterator[str]:
    """All puzzles with their grade, and what to do with them."""
    yield "Each puzzle is a small run of the lab with one fault in it. Find it from what the page shows."
    for puzzle in load():
        yield f"{puzzle.number:4}  {puzzle.grade:<6}  {len(puzzle.hints)} hints"
    yield "labkit puzzle start N      run it, and see its page"
    yield "labkit puzzle hint N       a hint; `hint N 2` is the next one"
    yield "labkit puzzle answer N     the faults that it could be; `answer N NAME` to say which"


def hint(puzzle: Puzzle, typed: str) -> Iterator[str]:
    """One hint, and how to get the next."""
    known = {str(step): step for step in range(1, len(puzzle.hints) + 1)}
    step = known.get(typed)
    if step is None:
        raise LabError(f"puzzle {puzzle.number} has hints 1 to {len(known)}")
    yield f"hint {step} of {len(known)}: {puzzle.hint(step)}"
    if step < len(known):
        yield f"the next one: labkit puzzle hint {puzzle.number} {step + 1}"


def answer(puzzle: Puzzle, name: str | None) -> Iterator[str]:
    """Right or wrong, and why; without a name, those that it could be."""
    from labkit.puzzles.faults import FAULTS

    if name is None:
        yield "It is one of these:"
        yield from (f"  {name}" for name in sorted(FAULTS))
        return
    if name not in FAULTS:
        raise LabError(f"{name!r} is none of {', '.join(sorted(FAULTS))}")
    if puzzle.is_answer(name):
        yield f"Right. {puzzle.explain(name)}"
    else:
        yield "No, that is not it. Look again, or ask for a hint."


def start(puzzle: Puzzle, folder: Path, store: Path) -> Iterator[str]:
    """Run the puzzle, write its page into `folder`, and print what a run of the lab would."""
    from labkit.puzzles.faults import FAULTS

    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    (name,) = (name for name in FAULTS if puzzle.is_answer(name))
    session = play(name, folder, store)
    yield f"puzzle {puzzle.number} ({puzzle.grade}), in {time.time() - session.started:.0f} s"
    yield from (line for line, _ in answer_table(session, 0))
    yield from (line for line, _ in verdict_lines(session))
    yield f"report: {session.page}"
    yield f"say what it is: labkit puzzle answer {puzzle.number}"


def play(
    fault: str | None, folder: Path, store: Path, progress: Progress | None = None
) -> LabSession:
    """A run of the small world with a fault, or none, and its page in `folder`."""
    from labkit import lab
    from labkit.answers import answer as measure
    from labkit.plumbing.store import Store
    from labkit.puzzles.faults import FAULTS, Fault
    from labkit.report import page

    started = time.time()
    with tempfile.TemporaryDirectory(prefix="labkit-puzzle-") as work:
        fault_in_it = FAULTS[fault](Path(work)) if fault else Fault()
        config = with_fault(small_config(store), fault_in_it)
        run = lab.run(config, Store(store), replace=fault_in_it.stages)
        limits = gates.thresholds(config.profile, {})
        session = LabSession(
            config, WHY, folder, store, started, False, progress or Silent(), limits=limits
        )
        vars(session)["lab"] = run
        for exercise in EXERCISES:
            session.asked.add(exercise.id)
            session.answers[exercise.id] = measure(exercise.id, run, limits)
        page.write(session, folder)
        return session


def with_fault(config: LabConfig, fault: "Fault") -> LabConfig:
    """The settings of a run with a fault; its stages are not in them."""
    return replace(
        config,
        recipe=replace(config.recipe, **fault.recipe),
        selection=replace(config.selection, **fault.selection),
        label_texts=fault.label_texts or config.label_texts,
    )


def small_config(store: Path, seed: int = 0) -> LabConfig:
    """The configuration of the small world, whose posts and model are made where they are not.

    Another seed draws other posts.
    """
    from labkit.puzzles import subject

    world = store / "puzzles"
    posts = world / (f"posts-{seed}" if seed else "posts")
    if not (world / "checkpoint" / "tokenizer.json").is_file():
        subject.write_checkpoint(world / "checkpoint")
    if not (posts / "test.jsonl").is_file():
        subject.write_posts(posts, seed)
    settings: dict[str, Any] = {
        "base_model": ModelSource(str(world / "checkpoint")),
        "data": DataSource(str(posts)),
    }
    return LabConfig(
        profile="embedded",
        selection=Selection(labels=LABELS),
        label_texts=dict(zip(LABELS, LABELS, strict=True)),
        recipe=Recipe(learning_rate=USUAL_RATE, epochs=3, max_length=LONGEST, batch_size=16),
        seeds=1,
        **settings,
    )
