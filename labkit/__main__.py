"""`labkit` on the command line: fine-tune, predict, try, puzzle, verify.

The options of `fine-tune` are those of the pytest plugin, `--train-size` for `--lab-train-size`;
either spelling works. Heavy libraries are imported when a command starts its work.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit import profiles
from labkit.config import LabConfig, ModelSource
from labkit.errors import LabError
from labkit.exercises import stage_words
from labkit.plugin import options, settings_file
from labkit.plumbing import processes
from labkit.runs import tracking
from labkit.runs.history import new_run_name

STORE = Path(".pytest_cache", "d", "labkit")  # where the pytest plugin keeps its stages
NOT_HERE = ("fine-tuned",)
TOGETHER = "fine_tuned"  # the stage in which the processes of a launcher work together


class Lines:
    """Progress as plain lines on standard error."""

    def begin(self, stage: str) -> None:
        self.say(f"{stage_words(stage)} ...")

    def advance(self, done: float, note: str = "") -> None: ...

    def end(self, note: str = "") -> None: ...

    def say(self, line: str) -> None:
        print(f"labkit: {line}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The commands with their options."""
    top = argparse.ArgumentParser("labkit", description="Fine-tune, use and check a classifier.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser(
        "fine-tune",
        help="train with the lab's recipe and save the model to a folder",
        description="Train with the lab's recipe, measure the model, and save it with lineage and "
        "model card. Started again after an interruption, it goes on from the last whole epoch.",
    )
    train.add_argument("output", type=Path, metavar="FOLDER", help="takes the model")
    train.add_argument("--store", type=Path, default=STORE, metavar="DIR", help="keeps stages")
    train.add_argument("--config", metavar="FILE.toml", help="settings in place of pyproject.toml")
    for option in options.RUN_OPTIONS:
        if option.name not in NOT_HERE:
            option.declare(train.add_argument, f"--{option.name}")
    predict = commands.add_parser(
        "predict",
        help="texts to labels with probabilities, as JSON lines",
        description="Classify texts given as arguments, or the lines of a file or of standard "
        "input; one JSON object a text.",
    )
    predict.add_argument("model", metavar="MODEL", help="a model's folder or Hub id")
    predict.add_argument("texts", nargs="*", metavar="TEXT")
    predict.add_argument("--file", type=Path, help="one text a line, in UTF-8")
    trying = commands.add_parser(
        "try",
        help="read sentences one by one: labels, words that mattered, nearest train posts",
        description="Read sentences from standard input, one a line, until an empty one. For each: "
        "the probability of every label, the words that mattered most (the answer loses so many "
        "points without each), and the train posts nearest to it.",
    )
    trying.add_argument("model", metavar="MODEL", help="a model's folder or Hub id")
    trying.add_argument("--dataset", metavar="PATH", help="where the train posts lie now")
    puzzle = commands.add_parser(
        "puzzle",
        help="find the fault that is hidden in a small run",
        description="Small runs of the lab, each with one fault in it, to be found from what its "
        "report shows. `puzzle` lists them; `start N`, `hint N`, `answer N NAME`.",
    )
    actions = ("list", "start", "hint", "answer")
    puzzle.add_argument("action", nargs="?", default="list", choices=actions)
    puzzle.add_argument("number", nargs="?", type=int, metavar="N")
    puzzle.add_argument("more", nargs="?", help="the step of a hint, or the name of a fault")
    verify = commands.add_parser(
        "verify",
        help="check a model against its lineage.json",
        description="Digest every file, read the model back, evaluate it on the same test posts, "
        "and compare with lineage.json to the last digit. Exits with 1 where anything differs.",
    )
    verify.add_argument("model", type=Path, metavar="FOLDER", help="a model that the lab saved")
    verify.add_argument("--dataset", metavar="PATH", help="where the data lies now")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code. A user's mistake ends with one line and code 2."""
    top = parser()
    args = top.parse_args(argv)
    run = {
        "fine-tune": run_fine_tune,
        "predict": run_predict,
        "puzzle": run_puzzle,
        "try": run_try,
        "verify": run_verify,
    }
    try:
        return run[args.command](args)
    except LabError as error:
        print(f"labkit {args.command}: {error}", file=sys.stderr)
        return 2


def read_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Every option's value of a `fine-tune` command line, by name: typed, else of a TOML file."""
    typed = {}
    for option in options.RUN_OPTIONS:
        value = getattr(args, option.key, None)
        typed[option.name] = dict(value) if option.repeats and value else value
    file = settings_file.find(Path.cwd(), args.config)
    return options.merge(typed, settings_file.read(file) if file else {})


def configure(settings: Mapping[str, Any]) -> LabConfig:
    """The configuration that the settings make."""
    choice = profiles.choose(settings["profile"] or "auto")
    return options.apply(choice.profile, {**settings, "fine-tuned": None})


class Leading(Lines):
    """Progress of the first of several processes: when it trains, it tells the others with what."""

    def __init__(self) -> None:
        self.key = ""

    def begin(self, stage: str) -> None:
        super().begin(stage)
        if stage == TOGETHER:
            processes.tell(self.key)


def run_fine_tune(args: argparse.Namespace) -> int:
    """Train, measure and save; prints the folder with what was measured."""
    if processes.place().rank:
        return train_along(args)
    settings = read_settings(args)
    tracker = tracking.run_in(settings["report-to"], Path("reports"), new_run_name(time.time()))
    config = configure(settings)
    from labkit import lab
    from labkit.plumbing.store import Store
    from labkit.release.lineage import Lineage
    from labkit.release.model_folder import check_target, publish

    progress = Leading()
    if processes.left_alone():
        progress.say(
            "accelerate launch --cpu starts one process; --multi_gpu, also without GPUs, "
            "or torchrun starts several"
        )
    store = Store(args.store, progress=progress)
    run = lab.run(config, store, progress=progress, resumable=True, tracker=tracker)
    lab.check_inputs(run)
    check_target(args.output)
    if tracker:
        tracker.begin()
    progress.key = run.own_key(TOGETHER)  # prepared before the other processes are let in
    with processes.together(run.hardware.device):
        run.key(TOGETHER)
        if run.entries[TOGETHER].reused:
            processes.tell(None)
    publish(run.saved_model, args.output)
    accuracy = run.evaluations["fine_tuned"].accuracy
    measured = {"accuracy": accuracy.value, "low": accuracy.low, "high": accuracy.high}
    if tracker:
        record = Lineage.load(args.output)
        values = {f"lab/{name}": value for name, value in record.metrics.items()}
        tracker.finish(config, run.fine_tuned.history, values, [args.output])
    print(json.dumps({"model": str(args.output), **measured}))
    return 0


def train_along(args: argparse.Namespace) -> int:
    """The part of every process but the first: be there when it trains, and save nothing.

    It joins before it reads anything: what is wrong with the command line or the posts is then
    told once, by the first process, whose end is the end of all.
    """
    from labkit.plumbing.hardware import detect

    with processes.together(detect().device):
        from labkit import lab
        from labkit.plumbing.store import Store

        run = lab.run(configure(read_settings(args)), Store(args.store), resumable=True)
        told = processes.tell(None)
        if told is None:
            return 0  # the first process found the model in its store
        if told != run.own_key(TOGETHER):
            raise LabError(
                f"process {processes.place().rank} would not train with what process 0 does: its "
                "posts, base model, options, versions or kind of processor are others"
            )
        with tempfile.TemporaryDirectory() as scratch:
            run.compute(TOGETHER, Path(scratch))
    return 0


def run_predict(args: argparse.Namespace) -> int:
    """Print one JSON object for each text."""
    from labkit.model.given import resolve

    folder = resolve(ModelSource(args.model), "MODEL").folder
    texts = list(args.texts or read_lines(args.file))
    for line in predictions(folder, texts):
        print(json.dumps(line, ensure_ascii=False, allow_nan=False))
    return 0


def read_lines(file: Path | None) -> Iterator[str]:
    """The lines of a file, or of standard input."""
    try:
        raw = sys.stdin.buffer.read() if file is None else file.read_bytes()
        content = raw.decode("utf-8-sig")
    except OSError as error:
        raise LabError(f"--file {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LabError(f"{file or 'standard input'}: is not UTF-8") from None
    # Not `splitlines`, which ends a line also at form feeds and at separators inside a text.
    yield from content.removesuffix("\n").replace("\r\n", "\n").split("\n") if content else ()


def predictions(folder: Path, texts: list[str]) -> Iterator[dict[str, Any]]:
    """Text, label and the probability of every label, for each text."""
    if not texts:
        return
    import numpy as np
    from scipy.special import softmax

    from labkit.data.tokens import encode, load_tokenizer
    from labkit.model.checkpoints import load_classifier
    from labkit.model.encoding import classify

    model = load_classifier(folder)
    tokenizer = load_tokenizer(folder)
    labels: dict[Any, str] = model.config.id2label or {}
    limit = min(tokenizer.model_max_length, model.config.max_position_embeddings)
    logits = classify(model, encode(tokenizer, texts, limit)).logits
    for text, row in zip(texts, softmax(logits.astype(np.float64), axis=-1), strict=True):
        named = {labels[i]: float(p) for i, p in enumerate(row)}
        yield {"text": text, "label": max(named, key=named.__getitem__), "probabilities": named}


def run_try(args: argparse.Namespace) -> int:
    """Answer each sentence that is typed."""
    from labkit.interactive import converse, typed_lines
    from labkit.model.given import resolve

    folder = resolve(ModelSource(args.model), "MODEL").folder
    for line in converse(folder, args.dataset, typed_lines(), Lines().say):
        print(line, flush=True)
    return 0


def run_puzzle(args: argparse.Namespace) -> int:
    """Print what a command about a puzzle comes to."""
    from labkit.puzzles import game

    for line in game.lines_of(args.action, args.number, args.more, Path("reports"), STORE):
        print(line, flush=True)
    return 0


def run_verify(args: argparse.Namespace) -> int:
    """Print what holds and what differs."""
    from labkit.release.verify import verify

    with tempfile.TemporaryDirectory(prefix="labkit-verify-") as scratch:
        findings = list(verify(args.model, args.dataset, Path(scratch)))
    for finding in findings:
        print(f"{'ok  ' if finding.holds else 'FAIL'} {finding.what}")
    return 0 if all(finding.holds for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
