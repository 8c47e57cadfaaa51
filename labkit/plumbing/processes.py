"""Data-parallel training: which of a launcher's processes this is, and how they start together.

`torchrun` and `accelerate launch` start the same command several times and number the processes in
the environment. The first runs the lab; the others wait until it trains, train along on their
share of every batch, and are done. What imports this imports no torch.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from labkit.errors import LabError

PATIENCE = timedelta(hours=2)  # for the first process to prepare posts, or to wait for another run
NOTHING = bytes(16)  # as long as a key of the store


@dataclass(frozen=True)
class Place:
    """The place of this process among all, and among those on its machine."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1

    @property
    def one_machine(self) -> bool:
        """Whether all processes see the same files for certain."""
        return self.local_count == self.count


def place() -> Place:
    """As the launcher's environment says; alone where there is no launcher.

    Raises LabError where no launcher can have said so.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    values = [os.environ.get(name, "") for name in names]
    if not all(value.isdecimal() and len(value) < 10 for value in values):
        return Place()
    here = Place(*map(int, values))
    if not (here.rank < here.count and here.local_rank < here.local_count <= here.count):
        said = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        raise LabError(f"{said}: no launcher numbers its processes so; unset these variables")
    return here


def left_alone() -> bool:
    """Whether several processes were asked for and one was started.

    So does `accelerate launch --cpu --num_processes 2` where MPI does not help it.
    """
    asked = os.environ.get("ACCELERATE_USE_CPU") == "True" and "MASTER_PORT" in os.environ
    return asked and place() == Place() and "WORLD_SIZE" not in os.environ


@contextmanager
def together(device: str) -> Iterator[None]:
    """The processes as one group, entered and left by all; alone, nothing.

    Gloo carries what lies in memory, NCCL what lies on GPUs. Raises LabError where a machine has
    more processes than GPUs. A process that dies inside is noticed by the launcher, which ends
    the others.
    """
    here = place()
    if here.count == 1:
        yield
        return
    import torch

    if device == "cuda" and not here.local_rank and here.local_count > torch.cuda.device_count():
        raise LabError(
            f"{here.local_count} processes for {torch.cuda.device_count()} GPU(s): start one for "
            'each GPU, or train on the CPU with CUDA_VISIBLE_DEVICES=""'
        )
    backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, timeout=PATIENCE)
    if device == "cuda":
        torch.cuda.set_device(here.local_rank)
    yield
    torch.distributed.destroy_process_group()


def wait_for_all() -> None:
    """Wait until every process has come here; alone, go on."""
    if place().count > 1:
        import torch

        torch.distributed.barrier()


def tell(key: str | None) -> str | None:
    """What the first process tells all: a key of the store, or None. The others' own is ignored.

    Alone it comes straight back.
    """
    if place().count == 1:
        return key
    import torch

    message = torch.frombuffer(bytearray.fromhex(key or NOTHING.hex()), dtype=torch.uint8)
    torch.distributed.broadcast(message, src=0)
    told = bytes(message.tolist())
    return None if told == NOTHING else told.hex()
