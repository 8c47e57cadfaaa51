"""`labkit` on the command line: init, fine-tune, predict, try, puzzle, verify, reproduce, export.

The options of `fine-tune` are those of the pytest plugin, `--train-size` for `--lab-train-size`;
either spelling works. Heavy libraries are imported when a command starts its work.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labkit import __version__, project
from labkit.commands import export, fine_tune, predict
from labkit.commands.output import Lines
from labkit.config import ModelSource
from labkit.errors import LabError, visible
from labkit.plugin import options

STORE = Path(".pytest_cache", "d", "labkit")  # where the pytest plugin keeps its stages
NOT_HERE = ("fine-tuned",)


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
    export.declare(commands)
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
        "fine-tune": fine_tune.run,
        "predict": predict.run,
        "puzzle": run_puzzle,
        "try": run_try,
        "verify": run_verify,
        "reproduce": run_reproduce,
        "export": export.run,
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
