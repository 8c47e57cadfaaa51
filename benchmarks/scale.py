"""What the lab itself takes as posts and classes grow: `make bench` has a part of it, or

    python benchmarks/scale.py [--posts 3125 12500 50000] [--classes 2 20 150] [--json FILE]

Synthetic posts of some hundred words, a model of a few hundred thousand weights and one training of
one epoch, so that what grows is what the lab does around the model. Every size has a process of its
own; numbers of posts grow at the middle number of classes, and classes at the fewest posts. As many
posts as the test split has are there to learn from, of which the lab takes its 600. Prints the processor's
seconds, peak memory and the size of the page. Nothing here passes or fails.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
POSTS, CLASSES = (3125, 12_500, 50_000), (2, 20, 150)
WORDS, TOPIC, LENGTH = 5000, 8, 100  # of the language, of a topic, of a post
MAX_LENGTH = 64  # tokens; the small model has no more places


def main() -> None:
    parser = argparse.ArgumentParser(description="measure what grows with posts and classes")
    parser.add_argument("--posts", type=int, nargs="+", default=list(POSTS))
    parser.add_argument("--classes", type=int, nargs="+", default=list(CLASSES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=int, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(*args.one)))
        return
    found = measure_all(args.posts, args.classes)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))


def sizes(posts: Sequence[int], classes: Sequence[int]) -> list[tuple[int, int]]:
    """Posts at the middle number of classes, then classes at the fewest posts; none twice."""
    middle, fewest = sorted(classes)[(len(classes) - 1) // 2], min(posts)
    grown = [(each, middle) for each in sorted(posts)]
    return list(dict.fromkeys([*grown, *((fewest, each) for each in sorted(classes))]))


def measure_all(posts: Sequence[int], classes: Sequence[int]) -> list[dict[str, Any]]:
    """Every size in a process of its own."""
    found = []
    for size in sizes(posts, classes):
        print("scale: {} test posts, {} classes ...".format(*size), file=sys.stderr, flush=True)
        run = subprocess.run(
            [sys.executable, __file__, "--one", *map(str, size)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found.append(json.loads(run.stdout.splitlines()[-1]))
    return found


def measure(posts: int, classes: int) -> dict[str, Any]:
    """The whole lab on so many test posts of so many classes, page included.

    `stages` are processor seconds and peak memory (MiB) by stage, by `answer: ...`, and of the `page`.
    """
    from benchmarks.memory import Watched
    from labkit.exercises import EXERCISES
    from labkit.plugin.session import LabSession
    from labkit.plumbing.hardware import set_up_memory
    from labkit.report import page

    set_up_memory()
    shorten_small_trainings()
    watched = Watched()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_posts(folder / "posts", posts, classes)
        write_checkpoint(folder / "model", classes)
        started = time.process_time()
        session = LabSession(
            config=configuration(folder),
            why="measured",
            reports=folder / "reports",
            cache=folder / "store",
            started=time.time(),
            fresh=False,
            progress=watched,
        )
        for exercise in EXERCISES:
            session.asked.add(exercise.id)
            _ = [session.lab[stage] for stage in session.stages_of(exercise.id)]
            watched.begin(f"answer: {exercise.id}")
            session.answer(exercise.id)
            watched.end()
        watched.begin("page")
        page.write(session, folder / "reports")
        watched.end()
        sizes = {
            file: (folder / "reports" / file).stat().st_size for file in (page.PAGE, "answers.json")
        }
    longest = max(len(answer.sentence) for answer in session.answers.values())
    return {
        "posts": posts,
        "classes": classes,
        "seconds": time.process_time() - started,
        "peak_mib": max(watched.peaks.values()),
        "page_bytes": sizes[page.PAGE],
        "answers_bytes": sizes["answers.json"],
        "longest_answer": longest,
        "stages": {
            stage: [round(watched.seconds[stage], 2), watched.peaks[stage]]
            for stage in watched.peaks
        },
    }


def shorten_small_trainings() -> None:
    """Sweep and learning curve take the same whatever the posts; here only that they are there."""
    from labkit.training import sweep

    sweep.EPOCHS, sweep.LONG = 1, 2


def configuration(folder: Path) -> Any:
    """The lab's settings for the posts and the model in `folder`."""
    from labkit.config import DataSource, LabConfig, ModelSource, Recipe

    recipe = Recipe(epochs=1, learning_rate=3e-3, max_length=MAX_LENGTH)
    model, data = ModelSource(str(folder / "model")), DataSource(str(folder / "posts"))
    return LabConfig(profile="embedded", base_model=model, data=data, recipe=recipe)


def language(classes: int) -> tuple[list[str], list[list[str]]]:
    """Words that all posts use, and those of each class's topic."""
    topics = [[f"topic{label}x{i}" for i in range(TOPIC)] for label in range(classes)]
    return [f"word{number}" for number in range(WORDS)], topics


def texts(count: int, classes: int, seed: str) -> Iterator[tuple[str, int]]:
    """Posts with their classes in turn; words are as frequent as in any language (Zipf)."""
    rng = random.Random(seed)
    common, topics = language(classes)
    weights = list(accumulate(1 / (rank + 3) for rank in range(WORDS)))
    for number in range(count):
        label = number % classes
        words = rng.choices(
            common, cum_weights=weights, k=rng.randint(LENGTH // 2, LENGTH * 3 // 2)
        )
        words[:6] = rng.choices(topics[label], k=6)
        rng.shuffle(words)
        yield " ".join(words), label


def write_posts(folder: Path, posts: int, classes: int) -> None:
    """`train.jsonl` and `test.jsonl` of so many posts each, enough of every class to learn from."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in (("train", max(posts, 8 * classes)), ("test", posts)):
        with (folder / f"{name}.jsonl").open("w") as file:
            for text, label in texts(count, classes, name):
                row = {"text": text, "label": label, "label_text": f"class {label}"}
                file.write(json.dumps(row) + "\n")


def write_checkpoint(folder: Path, classes: int) -> None:
    """A DistilBERT with random weights that knows the language."""
    from transformers.utils import logging

    from labkit.puzzles.subject import small_model, write_tokenizer

    logging.disable_progress_bar()
    common, topics = language(classes)
    vocabulary = write_tokenizer(folder, [*common, *(word for topic in topics for word in topic)])
    small_model(len(vocabulary), seed=0).save_pretrained(folder)


def table(found: Sequence[dict[str, Any]]) -> str:
    """The sizes side by side as Markdown: seconds and peak memory in MiB of every stage."""
    heads = [f"{run['posts']:,} posts, {run['classes']} classes" for run in found]
    lines = ["| seconds, MiB | " + " | ".join(heads) + " |", "|---" * (len(found) + 1) + "|"]
    names = dict.fromkeys(stage for run in found for stage in run["stages"])
    for name in names:
        cells = ["{:.1f}, {}".format(*run["stages"].get(name, (0, 0))) for run in found]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for name, value in (
        ("all", lambda run: f"{run['seconds']:.0f}, {run['peak_mib']}"),
        ("page, kB", lambda run: f"{run['page_bytes'] / 1000:.0f}"),
        ("answers.json, kB", lambda run: f"{run['answers_bytes'] / 1000:.0f}"),
        ("longest answer, characters", lambda run: str(run["longest_answer"])),
    ):
        lines.append(f"| {name} | " + " | ".join(value(run) for run in found) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
