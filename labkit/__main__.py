"""`labkit` on the command line: init, fine-tune, predict, try, puzzle, verify, reproduce.

The options of `fine-tune` are those of the pytest plugin, `--train-size` for `--lab-train-size`;
either spelling works. Heavy libraries are imported when a command starts its work.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit import __version__, profiles, project
from labkit.config import LabConfig, ModelSource
from labkit.errors import UNSEEN, LabError, visible
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
        print(f"labkit: {visible(line)}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """The commands with their options."""
    top = argparse.ArgumentParser("labkit", description="Fine-tune, use and check a classifier.")
    top.add_argument("--version", action="version", version=f"labkit {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    project.declare(commands)
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
    again = commands.add_parser(
        "reproduce",
        help="train a model anew from its lineage.json, and compare",
        description="Train anew from lineage.json alone: same data by fingerprint, same base model by "
        "digest, same recipe. Exits with 0 where the weights are identical to the bit, with 3 where "
        "every test post has the same answer, with 1 where the model differs or cannot be made of "
        "the same. What is not as it was then is listed.",
    )
    again.add_argument("model", type=Path, metavar="FOLDER", help="a model that the lab saved")
    again.add_argument("--dataset", metavar="PATH", help="where the data lies now")
    again.add_argument("--base-model", metavar="PATH", help="where the base model lies now")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code. A user's mistake ends with one line and code 2.

    So does a disk that is full; Ctrl-C ends with one line and 130, a reader that went away with
    141 and none, as a shell has it.
    """
    top = parser()
    args = top.parse_args(argv)
    run = {
        "init": project.run,
        "fine-tune": run_fine_tune,
        "predict": run_predict,
        "puzzle": run_puzzle,
        "try": run_try,
        "verify": run_verify,
        "reproduce": run_reproduce,
    }
    code = 2
    try:
        if sys.stdout is None:
            raise LabError("standard output is closed")
        code = run[args.command](args)
        sys.stdout.flush()
        return code
    except LabError as error:
        line = str(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's last flush
        return 141
    except OSError as error:
        line = visible(f"{error.filename or 'a file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        code = 130
        line = "stopped"
        if args.command == "fine-tune":
            line += "; with the same options it goes on from the last whole epoch"
    print(f"labkit {args.command}: {line}", file=sys.stderr)
    return code


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
    from labkit import lab, sources
    from labkit.plumbing.files import check_writable
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
    check_writable(args.store)
    check_writable(args.output.parent)
    sources.check_inputs(run)
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
    write_json({"model": str(args.output), **measured})
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
    for number, text in enumerate(texts, start=1):
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise LabError(f"text {number}: is not UTF-8")
    for line in predictions(folder, texts):
        write_json(line)
    return 0


def write_json(value: Any) -> None:
    """Print a value as one line of JSON, in ASCII where the output has no more than that.

    Controls beyond ASCII are written as escapes as well: a terminal may obey them.
    """
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)
    print(UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def read_lines(file: Path | None) -> Iterator[str]:
    """The lines of a file, or of standard input."""
    try:
        if file is None and sys.stdin is None:
            raise LabError("standard input is closed; name texts, or a --file of them")
        raw = sys.stdin.buffer.read() if file is None else file.read_bytes()
        content = raw.decode("utf-8-sig")
    except OSError as error:
        where = "standard input" if file is None else f"--file {file}"
        raise LabError(f"{where}: {error.strerror}") from None
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
    marks = {True: "ok  ", False: "FAIL", None: "?   "}
    for finding in findings:
        line = visible(f"{marks[finding.holds]} {finding.what}")
        encoding = sys.stdout.encoding or "ascii"
        print(line.encode(encoding, "backslashreplace").decode(encoding))
    return 1 if any(finding.holds is False for finding in findings) else 0


def run_reproduce(args: argparse.Namespace) -> int:
    """Print what came out, and what is not as it was."""
    from labkit.runs.reproduce import reproduce

    with tempfile.TemporaryDirectory(prefix="labkit-reproduce-") as scratch:
        found = reproduce(args.model, args.dataset, args.base_model, Path(scratch), Lines())
    print(found.verdict)
    for difference in found.differences:
        print(f"not as it was: {difference}")
    return found.code


if __name__ == "__main__":
    sys.exit(main())
