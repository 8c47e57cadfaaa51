"""What the gates can see: `make power`, or

    python benchmarks/power.py [--healthy 60] [--seeds 3] [--processes 2] [--minutes 40]

puts every fault of `benchmarks/faults` at three doses into small trainings, makes healthy ones, and
writes what each gate saw to `docs/power.md` and `docs/power.svg`. Every run leaves a line in
`build/power/runs.jsonl`; a command that was cut off goes on from there. Lines of other code are left
out; what of their runs has not changed comes from the store. Nothing here passes or fails.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MEASURING = ("labkit/**/*.py", "benchmarks/power_subject.py", "benchmarks/faults/*.py")


@dataclass(frozen=True)
class Task:
    """One run: a healthy one where there is no fault; `dose` counts from 0, the mildest."""

    fault: str | None
    dose: int
    seed: int


def main() -> None:
    parser = argparse.ArgumentParser(description="measure what the gates can see")
    parser.add_argument("--healthy", type=int, default=60, help="runs without a fault")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each fault at each dose")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, help="start no run later than that")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "power")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    tasks = all_tasks(args.healthy, args.seeds)
    lines, code = args.folder / "runs.jsonl", code_digest()
    done = finished(lines, code)
    todo = [task for task in tasks if task not in done]
    print(f"{len(tasks) - len(todo)} of {len(tasks)} runs are there", file=sys.stderr, flush=True)
    with lines.open("a") as file:
        until = time.monotonic() + 60 * args.minutes if args.minutes else float("inf")
        for task, found in runs(todo, args.folder, args.processes, until):
            done[task] = {**vars(task), "code": code, **found}
            file.write(f"{json.dumps(done[task])}\n")
            file.flush()
            name = f"{task.fault}, dose {task.dose + 1}" if task.fault else "healthy"
            seconds = found["seconds"]
            print(f"{len(done)}: {name}, seed {task.seed}, {seconds:.0f} s", file=sys.stderr)
    from benchmarks.power_page import write

    write([done[task] for task in tasks if task in done], len(tasks), args.docs)


def all_tasks(healthy: int, seeds: int) -> list[Task]:
    """All runs, so mixed that a part of them is like the whole; faults share the first seeds."""
    from benchmarks.faults import FAULTS

    faulty = [
        Task(name, dose, seed)
        for seed in range(1, seeds + 1)
        for name, fault in FAULTS.items()
        for dose in range(len(fault.doses))
    ]
    sound = [Task(None, 0, seed) for seed in range(1, healthy + 1)]
    placed = [(at / len(part), task) for part in (sound, faulty) for at, task in enumerate(part)]
    return [task for _, task in sorted(placed, key=lambda pair: pair[0])]


def code_digest() -> str:
    """Of all code that what a run measures may depend on; thresholds are applied afterwards."""
    digest = hashlib.sha256()
    for file in sorted(file for pattern in MEASURING for file in ROOT.glob(pattern)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def finished(lines: Path, code: str) -> dict[Task, dict[str, Any]]:
    """The runs of this code that are there; a line that was cut off counts for none."""
    done = {}
    for line in lines.read_text().splitlines() if lines.is_file() else ():
        try:
            run = json.loads(line)
        except ValueError:
            continue
        if run["code"] == code:
            done[Task(run["fault"], run["dose"], run["seed"])] = run
    return done


def runs(
    todo: list[Task], folder: Path, processes: int, until: float
) -> Iterator[tuple[Task, dict[str, Any]]]:
    """The runs with what was measured, as they are finished; none is started after `until`."""
    waiting = iter(todo)
    pending: dict[Future[dict[str, Any]], Task] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, prepare, (processes,)) as pool:
        while True:
            while len(pending) < processes and time.monotonic() < until:
                task = next(waiting, None)
                if task is None:
                    break
                pending[pool.submit(one_run, task, folder)] = task
            if not pending:
                return
            ended, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in ended:
                yield pending.pop(future), future.result()


def prepare(processes: int) -> None:
    """What a process needs before it imports torch."""
    from labkit.plumbing.hardware import share_cpus

    share_cpus(processes)
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"


def one_run(task: Task, folder: Path) -> dict[str, Any]:
    """What the gates read in a run."""
    from benchmarks.faults import FAULTS
    from benchmarks.power_subject import measure, run_of, world

    started = time.perf_counter()
    store, config = folder / "store", world(folder / "store", task.seed)
    run = run_of(config, store)
    with tempfile.TemporaryDirectory(prefix="labkit-power-") as work:
        if task.fault:
            fault = FAULTS[task.fault]
            dose = list(fault.doses.values())[task.dose]
            run = run_of(config, store, fault.plant(dose, run, Path(work)))
        found = measure(run)
    return {**found, "seconds": round(time.perf_counter() - started, 1)}


if __name__ == "__main__":
    main()
