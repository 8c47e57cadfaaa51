"""Threads follow what a run may use; the rest follows what the processor can do."""

import math
import os
import platform
from pathlib import Path

import pytest
import torch

from labkit.plumbing import hardware
from tests.running import run_python


@pytest.fixture
def eight_cpus(monkeypatch):
    monkeypatch.setattr(hardware, "_affinity", lambda: 8)
    monkeypatch.setattr(hardware, "_cgroup_quota", lambda: math.inf)
    for variable in hardware.THREAD_VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def test_without_a_limit_all_are_used(eight_cpus):
    assert hardware.available_cpus() == 8


@pytest.mark.parametrize(
    ("value", "threads"),
    [("3", 3), ("64", 8), ("4,2", 4), ("0", 8), ("many", 8), ("", 8)],
    ids=["fewer", "more-than-there-are", "nested", "zero", "no-number", "empty"],
)
def test_omp_num_threads_is_respected(eight_cpus, monkeypatch, value, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert hardware.available_cpus() == threads


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ({}, math.inf),
    ],
    ids=["v2", "v2-unlimited", "v1", "v1-unlimited", "no-cgroup"],
)
def test_a_container_grants_what_its_control_group_says(tmp_path, files, quota):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert hardware._cgroup_quota(tmp_path) == quota


@pytest.mark.parametrize(("quota", "threads"), [(1.5, 1), (0.5, 1), (3.0, 3)])
def test_a_share_of_a_cpu_is_no_thread(eight_cpus, monkeypatch, quota, threads):
    monkeypatch.setattr(hardware, "_cgroup_quota", lambda: quota)
    assert hardware.available_cpus() == threads


@pytest.mark.parametrize(("workers", "threads"), [(1, "8"), (2, "4"), (3, "2"), (16, "1")])
def test_workers_share_the_threads(eight_cpus, monkeypatch, workers, threads):
    hardware.share_cpus(workers)
    assert [os.environ[variable] for variable in hardware.THREAD_VARIABLES] == [threads] * 2


def test_workers_of_a_limited_run_share_its_limit(eight_cpus, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    hardware.share_cpus(2)
    assert os.environ["OMP_NUM_THREADS"] == "2"


def test_it_agrees_with_torch():
    """Found without torch; the device and bf16 are those that torch itself would name."""
    detected = hardware.detect()
    assert detected.device == ("cuda" if torch.cuda.is_available() else "cpu")
    if detected.device == "cpu":
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        assert detected.bf16 == native


def test_without_proc_cpuinfo_torch_and_platform_know(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "Path", lambda name: tmp_path / name.lstrip("/"))
    assert hardware.describe_machine()["processor"] in (platform.processor(), platform.machine())
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    assert hardware.detect().bf16 == native


def test_an_empty_cuda_visible_devices_keeps_a_gpu_out(monkeypatch):
    monkeypatch.setattr(hardware, "GPU_FILES", (str(Path(__file__)),))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert hardware._may_have_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not hardware._may_have_gpu()


def test_it_is_found_without_torch():
    if hardware._may_have_gpu():
        pytest.skip("only torch knows whether a GPU that may be there can be used")
    code = (
        "import sys; from labkit.plumbing.hardware import detect; "
        "detect(); print('torch' in sys.modules)"
    )
    run = run_python("-c", code)
    assert run.stdout.strip() == "False", run.stderr


MEMORY = """
import ctypes, resource
from labkit.plumbing.hardware import return_memory, set_up_memory

C = ctypes.CDLL("libc.so.6")
C.malloc.restype = ctypes.c_void_p
LAYERS, ONE = 8, 16 * 2**20  # blocks, bytes
PAGES = LAYERS * ONE / resource.getpagesize()

def work():
    blocks = [ctypes.c_void_p(C.malloc(ctypes.c_size_t(ONE))) for _ in range(LAYERS)]
    for block in blocks:
        C.memset(block, 1, ctypes.c_size_t(ONE))
    for block in reversed(blocks):
        C.free(block)

def resident():
    return int(open("/proc/self/statm").read().split()[1])

set_up_memory()
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
new = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
kept = resident()
return_memory()
print(new / PAGES, (kept - resident()) / PAGES)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_activations_are_used_again_until_they_are_given_back():
    run = run_python("-c", MEMORY)
    mapped_anew, given_back = map(float, run.stdout.split())
    assert mapped_anew < 0.1, run.stderr
    assert given_back > 0.9
