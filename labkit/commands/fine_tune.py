"""`labkit fine-tune`: train, measure and save, in one process or in several that share each batch."""

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit import profiles
from labkit.commands.output import Lines, write_json
from labkit.config import LabConfig
from labkit.errors import LabError
from labkit.plugin import options, settings_file
from labkit.plumbing import processes
from labkit.runs import tracking
from labkit.runs.history import new_run_name

TOGETHER = "fine_tuned"  # the stage in which the processes of a launcher work together


def read_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Every option's value of a `fine-tune` command line, by name: typed, else of a TOML file."""
    typed = {}
    for option in options.RUN_OPTIONS:
        value = getattr(args, option.key, None)
        typed[option.name] = dict(value) if option.repeats and value else value
    file = settings_file.find(Path.cwd(), args.config)
    return options.merge(typed, settings_file.read(file) if file else {})


def configure(settings: Mapping[str, Any]) -> LabConfig:
    """The configuration that the settings make; one training, where they don't ask for more."""
    choice = profiles.choose(settings["profile"] or "auto")
    one = {"fine-tuned": None, "seeds": settings["seeds"] or 1}
    return options.apply(choice.profile, {**settings, **one})


class Leading(Lines):
    """Progress of the first of several processes: when it trains, it tells the others with what."""

    def __init__(self) -> None:
        self.key = ""

    def begin(self, stage: str) -> None:
        super().begin(stage)
        if stage == TOGETHER:
            processes.tell(self.key)


def run(args: argparse.Namespace) -> int:
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
