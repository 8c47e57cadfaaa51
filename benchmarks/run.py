"""How fast the lab is, and what it takes: `make bench`, or

    python benchmarks/run.py [--lab-dataset FOLDER] [--posts 240] [--epochs 3] [--seeds 42]

prints a table and writes `reports/bench.json`; with `--against FILE`, an earlier one of these, it
compares the ratios of both runs. Every measurement has a process of its own, so that
its peak memory is its own; the two recipes run right after each other, seed by seed. On two cores
the plain recipe takes minutes: leave the machine alone meanwhile. Nothing here passes or fails.
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
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import against, scale  # noqa: E402

SHARES = (8, 4, 2)  # of the posts; the training part has all of them
TEST_POSTS, CLASSES = (1000, 4000, 16_000), (20, 150)  # of `scale`; its own command has more
IMPORTS = "import torch, transformers, datasets, sklearn"


def main() -> None:
    parser = argparse.ArgumentParser(description="measure the lab's speed and memory")
    parser.add_argument("--lab-dataset", default="labkit:corpus")
    parser.add_argument("--lab-base-model", help="the profile's own where it is left out")
    parser.add_argument("--posts", type=int, default=240)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    parser.add_argument("--rows", type=int, default=40_000, help="posts of the data path")
    parser.add_argument("--test-posts", type=int, nargs="+", default=list(TEST_POSTS))
    parser.add_argument("--classes", type=int, nargs="+", default=list(CLASSES))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--json", type=Path, default=Path("reports/bench.json"))
    parser.add_argument("--against", type=Path, help="the JSON of an earlier run")
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        result = STEPS[args.step[0]](args, *args.step[1:])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(json.dumps({**result, "peak_mib": round(peak)}))
        return
    before = json.loads(args.against.read_text()) if args.against else None
    results: dict[str, Any] = {"about": about(args), "seconds": {}}
    for part in args.parts:
        print(f"{part} ...", file=sys.stderr, flush=True)
        started = time.perf_counter()
        results[part] = PARTS[part](args)
        results["seconds"][part] = round(time.perf_counter() - started, 1)
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))
    if before:
        print("\n" + against.comparison(results, before))


def about(args: argparse.Namespace) -> dict[str, Any]:
    """What a reader needs to judge the numbers: machine, versions, commit, how busy it was."""
    from labkit.plumbing.checkout import commit
    from labkit.plumbing.hardware import describe_machine, detect
    from labkit.plumbing.store import library_versions

    return {
        "machine": describe_machine(),
        "hardware": vars(detect()),
        "load_average": os.getloadavg(),
        "packages": library_versions(),
        "commit": commit(),
        "data": args.lab_dataset,
        "posts": args.posts,
        "epochs": args.epochs,
    }


def apart(args: argparse.Namespace, *step: str) -> dict[str, Any]:
    """One step in a process of its own."""
    again = [f"--lab-dataset={args.lab_dataset}", f"--posts={args.posts}"]
    again += [f"--lab-base-model={args.lab_base_model}"] if args.lab_base_model else []
    again += [f"--epochs={args.epochs}", f"--rows={args.rows}", "--step", *step]
    run = subprocess.run(
        [sys.executable, __file__, *again],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def subject(args: argparse.Namespace) -> Any:
    """The lab's configuration for the posts and the model asked for."""
    from labkit.plugin.options import apply
    from labkit.profiles import EMBEDDED

    chosen = {} if args.lab_dataset == "labkit:corpus" else {"dataset": args.lab_dataset}
    return apply(EMBEDDED, chosen | {"base-model": getattr(args, "lab_base_model", None)})


def run_of(config: Any, folder: Path, progress: Any = None) -> Any:
    """A run of the lab, its store in `folder`; `progress` listens to it."""
    from labkit import lab
    from labkit.plumbing.store import Store

    return lab.run(config, Store(folder / "store"), progress=progress)


def gemm_step(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from benchmarks.training import gemm_speed

    return {"fp32": gemm_speed(torch.float32), "bf16": gemm_speed(torch.bfloat16)}


def train_step(args: argparse.Namespace, recipe: str, seed: str, posts: str) -> dict[str, Any]:
    """One training by the plain recipe or by the lab's, both at the rate of the lab's rule."""
    from benchmarks import training
    from labkit.training.plan import by_rule

    with tempfile.TemporaryDirectory() as name:
        config, folder = subject(args), Path(name) / "out"
        folder.mkdir()
        run = run_of(config, Path(name))
        chosen = training.subset(run.posts, int(posts))
        given = replace(config.recipe, epochs=args.epochs, seed=int(seed))
        plan = by_rule(given, run.base.width, len(chosen.train), len(chosen.labels))
        method = {"plain": training.plain, "lab": training.lab}[recipe]
        return method(run.base, chosen, plan, folder)


def inference_step(args: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.training import inference

    with tempfile.TemporaryDirectory() as name:
        config = subject(args)
        run = run_of(config, Path(name))
        return inference(run.base, run.posts, config.recipe)


def data_step(args: argparse.Namespace, rows: str) -> dict[str, Any]:
    """Load, clean, split and tokenize synthetic posts, nearly all of them as train posts."""
    from labkit.config import DataSource
    from labkit.profiles import EMBEDDED

    with tempfile.TemporaryDirectory() as name:
        folder, count = Path(name), int(rows)
        test_size = max(20, count // 10)
        for split, size in (("train", count - test_size), ("test", test_size)):
            write_posts(folder / "posts" / f"{split}.jsonl", size)
        selection = replace(
            EMBEDDED.selection,
            train_size=(count - test_size) * 9 // 10,
            validation_size=(count - test_size) // 20,
        )
        data = DataSource(str(folder / "posts"))
        run = run_of(replace(EMBEDDED, data=data, selection=selection), folder)
        started = time.perf_counter()
        tokens = run.tokens
        seconds = time.perf_counter() - started
        return {"rows": count, "seconds": seconds, "kept": sum(len(s) for _, s in tokens.items())}


def write_posts(path: Path, size: int) -> None:
    """Posts of some hundred words in a language of `scale`, none twice, both classes in turn."""
    path.parent.mkdir(exist_ok=True)
    labels = ("rec.sport.baseball", "sci.space")
    with path.open("w") as file:
        for text, label in scale.texts(size, len(labels), path.stem):
            row = {"text": text, "label": label, "label_text": labels[label]}
            file.write(json.dumps(row) + "\n")


def measure_gemm(args: argparse.Namespace) -> dict[str, Any]:
    return apart(args, "gemm")


def measure_training(args: argparse.Namespace) -> dict[str, Any]:
    """Both recipes, seed by seed; `speedup` is the median over the seeds."""
    runs = [
        {name: apart(args, "train", name, str(seed), str(args.posts)) for name in ("plain", "lab")}
        for seed in args.seeds
    ]
    return {
        "runs": runs,
        "speedup": statistics.median(r["plain"]["seconds"] / r["lab"]["seconds"] for r in runs),
        "accuracy_difference": statistics.mean(
            r["lab"]["test_accuracy"] - r["plain"]["test_accuracy"] for r in runs
        ),
    }


def measure_lab(args: argparse.Namespace) -> dict[str, Any]:
    """The whole lab from an empty store and again, against the bare imports; seconds and MiB.

    `peaks` are the MiB of the first of these by stage, `stages` its seconds.
    """
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "pytest", "-q", "-o", f"cache_dir={name}/cache"]
        command += [f"--lab-reports={name}/reports", "--lab-profile=embedded"]
        if args.lab_dataset != "labkit:corpus":
            command.append(f"--lab-dataset={args.lab_dataset}")
        if args.lab_base_model:
            command.append(f"--lab-base-model={args.lab_base_model}")
        imports = [timed([sys.executable, "-c", IMPORTS]) for _ in range(3)]
        watched, file = [*command, "-p", "benchmarks.memory"], Path(name, "peaks.json")
        cold = timed(watched, LAB_PEAKS=str(file))
        peaks = json.loads(file.read_text())
        cold["peak_mib"] = max(peaks.values())
        warm = [timed(command) for _ in range(3)]
        stages = {}
        for manifest in Path(name, "cache").rglob("manifest.json"):
            stage = json.loads(manifest.read_text())
            stages[stage["stage"]] = round(stage["seconds"], 1)
    bare, again = (statistics.median(run["seconds"] for run in runs) for runs in (imports, warm))
    return {
        "cold": cold,
        "warm_seconds": again,
        "import_seconds": bare,
        "stages": stages,
        "peaks": peaks,
    }


def timed(command: list[str], **variables: str) -> dict[str, Any]:
    """Seconds, peak memory in MiB and exit status of a command; a red lab still has a time.

    Its modules are compiled once and kept, as they are on anyone's machine.
    """
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**settings, **variables, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    return {
        "seconds": time.perf_counter() - started,
        "peak_mib": round(usage.ru_maxrss / 2**10),
        "status": os.waitstatus_to_exitcode(status),
    }


def measure_scaling(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The lab's fine-tune on an eighth, a quarter and a half of the posts."""
    return [
        {"posts": count, **apart(args, "train", "lab", "42", str(count))}
        for count in (args.posts // share for share in SHARES)
    ]


def measure_data(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The data path at an eighth, a half and all of the rows."""
    return [apart(args, "data", str(args.rows // share)) for share in (8, 2, 1)]


def measure_scale(args: argparse.Namespace) -> list[dict[str, Any]]:
    """What the lab takes around a tiny model, by test posts and by classes."""
    return scale.measure_all(args.test_posts, args.classes)


def measure_inference(args: argparse.Namespace) -> dict[str, Any]:
    return apart(args, "inference")


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    "gemm": gemm_step,
    "train": train_step,
    "inference": inference_step,
    "data": data_step,
}
PARTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "gemm": measure_gemm,
    "training": measure_training,
    "inference": measure_inference,
    "scaling": measure_scaling,
    "data": measure_data,
    "lab": measure_lab,
    "scale": measure_scale,
}


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    about, lines = results["about"], ["| measured | value |", "|---|---|"]

    def row(name: str, value: str) -> None:
        lines.append(f"| {name} | {value} |")

    row("machine", f"{about['machine']['processor']}, {about['hardware']['threads']} threads")
    row("load average before", ", ".join(f"{load:.1f}" for load in about["load_average"]))
    row("commit", str(about["commit"]))
    gemm = results.get("gemm")
    if gemm:
        row("GEMM", f"{gemm['fp32'] / 1e9:.0f} GFLOP/s fp32, {gemm['bf16'] / 1e9:.0f} bf16")
    if training := results.get("training"):
        for name in ("plain", "lab"):
            runs = [run[name] for run in training["runs"]]
            seconds, speed, flops = (
                statistics.median(run[key] for run in runs)
                for key in ("seconds", "tokens_per_second", "flops_per_second")
            )
            bf16 = name == "lab" and about["hardware"]["bf16"]
            limit = gemm["bf16" if bf16 else "fp32"] if gemm else None
            share = f", steps at {100 * flops / limit:.0f} % of GEMM" if limit else ""
            peak = max(run["peak_mib"] for run in runs)
            accuracy = ", ".join(f"{100 * run['test_accuracy']:.1f}" for run in runs)
            row(
                f"training, {name} recipe",
                f"{seconds:.1f} s, {speed:.0f} tokens/s{share}, {peak} MiB, "
                f"test accuracy {accuracy} %",
            )
        difference = 100 * training["accuracy_difference"]
        row("speed-up", f"{training['speedup']:.1f} times, accuracy {difference:+.2f} points")
    if run := results.get("inference"):
        row("inference", f"{run['tokens_per_second']:.0f} tokens/s, padding {run['padding']:.1%}")
    for run in results.get("scaling", ()):
        row(f"fine-tune, {run['posts']} posts", f"{run['seconds']:.1f} s, {run['peak_mib']} MiB")
    for run in results.get("data", ()):
        row(f"data path, {run['rows']:,} posts", f"{run['seconds']:.1f} s, {run['peak_mib']} MiB")
    if lab := results.get("lab"):
        row("cold lab", f"{lab['cold']['seconds']:.0f} s, {lab['cold']['peak_mib']} MiB")
        ratio = lab["warm_seconds"] / lab["import_seconds"]
        for what, unit in (("peaks", "MiB"), ("stages", "s")):
            largest = sorted(lab[what].items(), key=lambda stage: -stage[1])
            row(f"{what} of it, {unit}", ", ".join(f"{name} {value}" for name, value in largest))
        row("warm lab", f"{lab['warm_seconds']:.1f} s, {ratio:.1f} times the bare imports")
    if took := results.get("seconds"):
        each = ", ".join(f"{part} {seconds:.0f}" for part, seconds in took.items())
        row("this benchmark", f"{sum(took.values()) / 60:.1f} minutes; seconds: {each}")
    if found := results.get("scale"):
        lines += ["", scale.table(found)]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
