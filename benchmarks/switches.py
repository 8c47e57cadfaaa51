"""What each switch of `labkit/training/fast` is worth on this machine:

    python benchmarks/switches.py [--lab-dataset FOLDER] [--posts 160] [--epochs 2] [--rounds 3]

trains with all of them, and with all but one, in turns; every training has a process of its own. A
time is that of the training without the switch over that with all, the median over the rounds. Then
four small trainings of the sweep, side by side and one after the other. Leave the machine alone
meanwhile; on a busy one only the processor times say something.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FEW_KERNELS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32", "LRU_CACHE_CAPACITY": "32"}


def whole_batch(speed: Any) -> Any:
    """All posts of a batch at once."""
    from labkit.training.fast.sampler import ByLengthTrainer

    return replace(speed, trainer=ByLengthTrainer)


def whole_table(speed: Any) -> Any:
    from labkit.training.fast import speed as module

    setattr(module, "rows_in_use", lambda *_: nullcontext())  # noqa: B010
    return speed


# Each switch turned off, in the settings of a training.
OFF: dict[str, Callable[[Any], Any]] = {
    "all on": lambda speed: speed,
    "parts": whole_batch,
    "dropout": lambda speed: replace(speed, bits=False),
    "few widths": lambda speed: replace(speed, few=False),
    "many kernels": lambda speed: speed,
    "vocabulary": whole_table,
    "attention": lambda speed: replace(speed, attention="sdpa"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="measure the switches of a training")
    parser.add_argument("--lab-dataset", default="labkit:corpus")
    parser.add_argument("--posts", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--switches", nargs="+", choices=OFF, default=list(OFF))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(small(args) if args.one.startswith("small") else one(args)))
        return
    print("| without | time | processor time | peak | validation loss |\n|---|---|---|---|---|")
    names = list(dict.fromkeys(["all on", *args.switches]))
    runs = [{name: apart(args, name) for name in names} for _ in range(args.rounds)]
    for name in names:
        wall, cpu = (
            statistics.median(run[name][key] / run["all on"][key] for run in runs)
            for key in ("seconds", "processor")
        )
        peak = max(run[name]["peak_mib"] for run in runs)
        print(f"| {name} | {wall:.3f} | {cpu:.3f} | {peak} MiB | {runs[0][name]['loss']:.4f} |")
    pairs = [(apart(args, "small 2"), apart(args, "small 1")) for _ in range(args.rounds)]
    ratio = statistics.median(one["seconds"] / two["seconds"] for two, one in pairs)
    print(f"\nOne after the other, four small trainings take {ratio:.2f} times what they take side")
    print(f"by side; each of these has at most {max(two['own_mib'] for two, _ in pairs)} MiB.")


def apart(args: argparse.Namespace, name: str) -> dict[str, Any]:
    command = [sys.executable, __file__, f"--lab-dataset={args.lab_dataset}", f"--one={name}"]
    command += [f"--posts={args.posts}", f"--epochs={args.epochs}"]
    kernels = FEW_KERNELS if name == "many kernels" else {}
    env = {**os.environ, **kernels, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def start_of(args: argparse.Namespace, folder: str) -> tuple[Any, Any]:
    """What a training starts from, and the plan."""
    from benchmarks.run import run_of, subject
    from benchmarks.training import as_in_a_lab

    as_in_a_lab()
    run = run_of(subject(args), Path(folder))
    return run.start, run.plan


def one(args: argparse.Namespace) -> dict[str, Any]:
    """A training with one switch off."""
    from labkit.training import classifier

    with tempfile.TemporaryDirectory() as folder:
        start, plan = start_of(args, folder)
        posts = start.tokens.train
        posts = posts.select(range(min(args.posts, len(posts))))
        validation = start.tokens.validation.select(range(16))
        speed_of = classifier.speed_of
        setattr(classifier, "speed_of", lambda *given: OFF[args.one](speed_of(*given)))  # noqa: B010
        recipe = replace(plan.recipe, epochs=args.epochs)
        before = resource.getrusage(resource.RUSAGE_SELF)
        _, history = classifier.new_classifier(start, Path(folder), posts, validation, recipe)
        after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": history.seconds,
        "processor": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_mib": after.ru_maxrss // 2**10,
        "loss": history.epochs[-1].validation_loss,
    }


def small(args: argparse.Namespace) -> dict[str, Any]:
    """Four small trainings, side by side or each with all threads."""
    import psutil

    from labkit.plumbing.progress import ignore
    from labkit.training.classifier import new_classifier
    from labkit.training.fast.side_by_side import alone, side_by_side
    from labkit.training.sweep import POSTS, part, trial
    from labkit.training.sweep import small as small_recipe

    with tempfile.TemporaryDirectory() as folder:
        start, plan = start_of(args, folder)
        posts = part(start.tokens.train, POSTS, 0)
        validation = part(start.tokens.validation, POSTS, 0)
        recipe = small_recipe(start, plan, len(posts))
        together = args.one == "small 2"
        own = replace(start, hardware=alone(start.hardware)) if together else start

        def work(seed: int) -> int:
            train = lambda *given: new_classifier(own, Path(folder), *given)  # noqa: E731
            trial(train, posts, validation, replace(recipe, seed=seed))
            return int(psutil.Process().memory_full_info().uss) >> 20

        many = start.hardware if together else replace(start.hardware, threads=1)
        started = time.perf_counter()
        sizes = side_by_side(work, range(4), many, ignore)
        return {"seconds": time.perf_counter() - started, "own_mib": max(sizes)}


if __name__ == "__main__":
    main()
