"""Small trainings side by side: the same results in the same order, and nothing left behind."""

import os
import signal
import sys
import time

import datasets
import numpy as np
import psutil
import pytest
import torch

from labkit.config import ModelSource, Recipe
from labkit.data.tokens import Tokens
from labkit.errors import LabError
from labkit.model.checkpoints import resolve
from labkit.plumbing.hardware import Hardware
from labkit.plumbing.progress import ignore
from labkit.plumbing.runner import Call
from labkit.training.fast.side_by_side import alone, side_by_side
from labkit.training.history import Start
from labkit.training.sweep import trials

TWO, ONE = (Hardware("cpu", bf16=False, threads=n) for n in (2, 1))
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")


def test_each_has_one_thread_and_a_process_and_the_order_stays():
    told = []
    work = lambda n: (n, os.getpid(), torch.get_num_threads())  # noqa: E731
    found = side_by_side(work, range(5), TWO, lambda done, note: told.append(done))
    assert [n for n, _, _ in found] == [0, 1, 2, 3, 4]
    pids = {pid for _, pid, _ in found}
    assert len(pids) <= 2
    assert os.getpid() not in pids
    assert {threads for _, _, threads in found} == {1}
    assert told == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert not any(map(psutil.pid_exists, pids))


def test_with_one_thread_or_a_gpu_they_run_here():
    for hardware in (ONE, Hardware("cuda", bf16=True, threads=2)):
        assert set(side_by_side(lambda _: os.getpid(), range(3), hardware, ignore)) == {os.getpid()}
    assert alone(Hardware("cuda", bf16=True, threads=2)).threads == 2
    assert alone(TWO).threads == 1


def test_what_is_trained_does_not_depend_on_how_many_run_at_once(tiny_checkpoint, tmp_path):
    ids = [[2, *(5 + (7 * i + j) % 40 for j in range(i % 4 + 1)), 3] for i in range(12)]
    posts = datasets.Dataset.from_dict({"input_ids": ids, "label": [i % 2 for i in range(12)]})
    base, tokens = (
        resolve(ModelSource(str(tiny_checkpoint))),
        Tokens(posts, posts, posts, ("a", "b")),
    )
    recipes = [Recipe(epochs=1, batch_size=4, learning_rate=5e-3, seed=seed) for seed in (1, 2, 3)]
    asked = [(posts, recipe) for recipe in recipes]
    call, found = Call(tmp_path, tmp_path, None, ignore, {}, None), {}
    for hardware in (ONE, TWO):
        made = trials(Start(base, tokens, hardware), asked, posts, call)
        found[hardware] = [trial.losses for trial in made]
    assert all(map(np.array_equal, found[ONE], found[TWO]))
    assert not np.array_equal(found[ONE][0], found[ONE][1])  # so the comparison can fail


def test_an_error_comes_through():
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda n: 1 / n, [1, 0], TWO, ignore)


def test_one_that_is_killed_is_told_in_a_line():
    with pytest.raises(LabError, match="ended from outside"):
        side_by_side(lambda _: os.kill(os.getpid(), signal.SIGKILL), range(2), TWO, ignore)


def test_they_do_not_outlive_a_lab_that_is_killed(tmp_path):
    def work(n):
        (tmp_path / str(n)).write_text(str(os.getpid()))
        time.sleep(60)

    lab = os.fork()
    if not lab:
        side_by_side(work, range(2), TWO, ignore)
        os._exit(0)
    files = [tmp_path / "0", tmp_path / "1"]
    deadline = time.monotonic() + 60
    while not all(file.exists() and file.read_text() for file in files):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pids = [int(file.read_text()) for file in files]
    os.kill(lab, signal.SIGKILL)
    os.waitpid(lab, 0)
    while any(
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        for pid in pids
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
