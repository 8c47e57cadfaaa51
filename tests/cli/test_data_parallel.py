"""Several processes train one model: the same recipe, one writer, and no one left behind.

The processes are real, started by the lines of docs/command-line.md on this machine.
"""

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from labkit.__main__ import main
from labkit.model.checkpoints import WEIGHTS
from labkit.plumbing import hardware, results
from labkit.plumbing.digests import file_digest
from labkit.plumbing.processes import Place, left_alone, place
from labkit.training.classifier import FineTuned
from labkit.training.fast.sampler import ByLengthTrainer, SameOrder
from labkit.training.history import History
from tests.running import ROOT, answers_in, environment, run_pytest
from tests.subjects import write_dataset, write_tickets

PAGE = (ROOT / "docs" / "command-line.md").read_text()
SECTION = PAGE.partition("## In several processes\n")[2].partition("\n## ")[0]
LAUNCHER = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "OMP_NUM_THREADS")
LONGEST = 240  # seconds: far more than it takes, so that what hangs is found


def documented(launcher):
    """The commands of the page's section that start with `launcher`."""
    return re.findall(rf"^\$ ({launcher} .*)$", SECTION, re.M)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the posts of the page's examples."""
    folder = tmp_path_factory.mktemp("desk")
    posts = write_dataset(folder / "posts", train=176)
    write_tickets(folder / "tickets.csv", posts)
    return folder


@pytest.fixture(scope="module")
def options(tiny_checkpoint):
    """What makes the page's examples small."""
    return [
        *("--profile", "embedded", "--base-model", str(tiny_checkpoint), "--max-length", "64"),
        *("--batch-size", "8", "--learning-rate", "5e-3", "--epochs", "3"),
        *("--train-size", "80", "--validation-size", "30"),
    ]


def start(line, options, folder, store="store", port=None):
    """One of the page's commands with the options behind it, in `folder`."""
    program, *words = shlex.split(line)
    port = ["--main_process_port" if program == "accelerate" else "--master-port", port]
    at = words.index("-m")
    words = [*words[:at], *(port if port[1] else []), *words[at:], *options, "--store", store]
    alone = {name: value for name, value in environment().items() if name not in LAUNCHER}
    return subprocess.Popen(
        [str(Path(sys.executable).with_name(program)), *words],
        cwd=folder,
        # One thread each, as torchrun itself has it for several: what is added up in another
        # order is rounded otherwise, and here all "machines" are one.
        env={**alone, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(run):
    """Exit code, standard output and standard error of what `start` started."""
    out, err = run.communicate(timeout=LONGEST)
    return run.returncode, out, err


def history_of(store):
    (manifest,) = store.glob("fine_tuned/*/manifest.json")
    return results.load(FineTuned, manifest.parent).history


@dataclass(frozen=True)
class Outcome:
    """What a run printed and left behind."""

    out: str
    record: dict
    weights: str  # their digest
    history: History


@pytest.fixture(scope="module")
def two(desk, options):
    """A run of two processes."""
    (line,) = documented("torchrun --nproc-per-node")
    code, out, err = finish(start(line, options, desk))
    assert code == 0, err
    model = desk / "models" / "tickets"
    record = json.loads((model / "lineage.json").read_text())
    return Outcome(out, record, file_digest(model / WEIGHTS), history_of(desk / "store"))


@pytest.fixture
def one(desk, options, tmp_path, monkeypatch, capsys):
    """Runs the same in this process; gives what it prints, and its history."""
    monkeypatch.chdir(desk)

    def run():
        words = shlex.split(documented("torchrun --nproc-per-node")[0])
        words = words[words.index("fine-tune") :]
        words[1] = str(tmp_path / "model")
        assert main([*words, *options, "--store", str(tmp_path / "store")]) == 0
        return json.loads(capsys.readouterr().out), history_of(tmp_path / "store")

    return run


def test_one_process_writes(desk, two):
    (line,) = two.out.splitlines()
    assert json.loads(line)["model"] == "models/tickets"
    assert two.record["hardware"]["processes"] == 2
    assert two.record["bit_for_bit"] == {"checked": False}
    assert two.record["recipe"]["batch_size"] == 8
    entries = [path.parent for path in (desk / "store").glob("*/*/manifest.json")]
    assert len({path.parent for path in entries}) == len(entries)  # each stage once
    assert not list((desk / "store").glob("*/building-*"))
    assert not list((desk / "store").glob("*/*/tmp*"))  # no scratch left within an entry
    assert not list((desk / "store").glob("unfinished/*"))


def test_what_two_processes_trained_is_verified(desk, two, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    assert main(["verify", "models/tickets"]) == 0, capsys.readouterr().out


def test_the_lab_measures_what_two_processes_trained(desk, two, options, tmp_path):
    model = desk / "models" / "tickets"
    data = [f"--lab-dataset={desk / 'tickets.csv'}", "--lab-text-column=body"]
    pairs = zip(options[::2], options[1::2], strict=True)
    same = [f"{flag.replace('--', '--lab-', 1)}={value}" for flag, value in pairs]
    run = run_pytest(
        *(f"--lab-fine-tuned={model}", *data, "--lab-label-column=team", *same),
        *("-k", "fine_tune or save"),
        folder=tmp_path,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    answers = answers_in(tmp_path)
    values = {name: value for answer in answers for name, value in answer["values"].items()}
    assert values["fine_tuned_accuracy"] == json.loads(two.out)["accuracy"]


def test_it_is_as_good_as_that_of_one_process(two, one):
    """The same posts and recipe in another order: as far apart as two seeds, not more."""
    printed, history = one()
    ours = json.loads(two.out)
    assert ours["low"] <= printed["accuracy"] <= ours["high"]
    assert printed["low"] <= ours["accuracy"] <= printed["high"]
    assert history.steps == 3 * 80 / 8


def test_in_the_same_order_every_step_has_the_same_loss(desk, two, one, monkeypatch):
    """One process that is made to go in the order of several: rounding is all that differs.

    It pads a batch of eight to its longest post, two processes pad two of four, and in bf16, which
    has eight bits, the sums are rounded otherwise. With another order or another share of a batch
    the losses would be as far apart as those of neighbouring batches.
    """

    def same_order(trainer, train_dataset):
        return SameOrder(train_dataset, 8, trainer.args.seed)

    monkeypatch.setattr(ByLengthTrainer, "_get_train_sampler", same_order)
    _, alone = one()
    losses = [np.array(history.step_losses)[:, 1] for history in (alone, two.history)]
    neighbours = np.abs(np.diff(losses[0])).max()
    np.testing.assert_allclose(losses[1], losses[0], rtol=0, atol=neighbours / 4)


def test_accelerate_starts_them_too(desk, two, options):
    (line,) = documented("accelerate")
    again = ["--epochs", "1"]
    code, out, err = finish(start(line, [*options, *again], desk, port=free_port()))
    assert code == 0, err
    (printed,) = out.splitlines()
    record = json.loads((desk / json.loads(printed)["model"] / "lineage.json").read_text())
    assert record["hardware"]["processes"] == 2
    assert record["recipe"]["epochs"] == 1


def test_what_is_in_the_store_is_not_trained_again(desk, two, options):
    (line,) = documented("torchrun --nproc-per-node")
    code, out, err = finish(start(line, options, desk))
    assert code == 0, err
    assert out == two.out
    assert "fine tuned ..." not in err


def test_machines_with_their_own_disks_train_together(desk, two, options):
    """Both are this one, each with a store of its own."""
    lines = documented("torchrun --nnodes")
    port = free_port()
    runs = [
        start(line.replace("first.example.org", "127.0.0.1"), options, desk, store, port)
        for line, store in zip(lines, ("first", "second"), strict=True)
    ]
    (code, out, err), (other_code, other_out, other_err) = map(finish, runs)
    assert (code, other_code) == (0, 0), err + other_err
    assert len(out.splitlines()) == 1
    assert other_out == ""
    assert not list((desk / "second").glob("fine_tuned/*"))
    assert history_of(desk / "first").step_losses == two.history.step_losses


def test_one_that_dies_ends_all_and_the_next_run_goes_on(desk, two, options):
    folder = desk / "cut"
    folder.mkdir()
    shutil.copyfile(desk / "tickets.csv", folder / "tickets.csv")
    (line,) = documented("torchrun --nproc-per-node")
    run = start(line, options, folder)
    deadline = time.monotonic() + LONGEST
    while not list(folder.glob("store/unfinished/*/*/trainer_state.json")):
        assert time.monotonic() < deadline
        assert run.poll() is None, finish(run)
        time.sleep(0.02)
    (second,) = (p for p in psutil.Process(run.pid).children() if p.environ()["RANK"] == "1")
    second.send_signal(signal.SIGKILL)
    code, out, _ = finish(run)
    assert code != 0
    assert out == ""
    assert not (folder / "models" / "tickets").exists()
    assert not list(folder.glob("store/fine_tuned/*/manifest.json"))

    code, _, err = finish(start(line, options, folder))
    assert code == 0, err
    assert file_digest(folder / "models" / "tickets" / WEIGHTS) == two.weights


@pytest.fixture
def launched(monkeypatch):
    """Makes this process one of several, by the launcher's variables."""

    def launch(rank, count, local_rank=None, local_count=None):
        values = (rank, count, rank if local_rank is None else local_rank, local_count or count)
        for name, value in zip(LAUNCHER, values, strict=False):
            monkeypatch.setenv(name, str(value))

    for name in LAUNCHER:
        monkeypatch.delenv(name, raising=False)
    return launch


def test_the_place_is_that_of_the_environment(launched):
    assert place() == Place(0, 1, 0, 1)
    launched(3, 4, 1, 2)
    assert place() == Place(3, 4, 1, 2)
    assert not place().one_machine


def test_processes_share_the_threads_of_their_machine(launched, monkeypatch):
    monkeypatch.setattr(hardware, "_affinity", lambda: 16)
    monkeypatch.setattr(hardware, "_cgroup_quota", lambda: 12.0)
    launched(0, 4, 0, 2)
    assert hardware.available_cpus() == 6
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert hardware.available_cpus() == 4


def test_a_batch_that_cannot_be_shared_is_one_line(launched, desk, options, tmp_path, capsys):
    launched(0, 3)
    store = ["--store", str(tmp_path / "store")]
    data = ["--dataset", str(desk / "posts")]
    assert main(["fine-tune", str(tmp_path / "model"), *data, *store, *options]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "labkit fine-tune" in line]
    assert "--lab-batch-size 8: 3 processes share a batch; ask for a multiple of 3" in line


def test_pytest_is_not_started_several_times(tmp_path):
    variables: dict[str, Any] = {name: "3" if "SIZE" in name else "2" for name in LAUNCHER}
    run = run_pytest(folder=tmp_path, **variables)
    assert run.returncode == 4
    assert "train with `labkit fine-tune FOLDER` under the launcher" in run.stderr
    assert "Traceback" not in run.stderr


def test_accelerate_on_the_cpu_keeps_a_gpu_out_and_says_that_it_starts_one(launched, monkeypatch):
    monkeypatch.setattr(hardware, "GPU_FILES", (str(Path(__file__)),))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    monkeypatch.delenv("MASTER_PORT", raising=False)
    assert not hardware._may_have_gpu()
    assert not left_alone()
    monkeypatch.setenv("MASTER_PORT", "29500")
    assert left_alone()
    launched(0, 2)
    assert not left_alone()
