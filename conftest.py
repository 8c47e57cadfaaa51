"""Small subjects that all tests share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from labkit import lab
from labkit.config import DataSource, LabConfig, ModelSource, Recipe, Selection
from labkit.plumbing.hardware import THREAD_VARIABLES
from labkit.plumbing.runner import Run
from labkit.plumbing.store import Store
from tests.subjects import LABELS, write_checkpoint, write_dataset

# Deadlines are off: where a model runs, the first example loads it. `lab` always searches the same
# examples, so that a red run stays red; `explore` looks further, elsewhere each time.
QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile(
    "lab",
    derandomize=True,
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=QUIET,
)
settings.register_profile("explore", max_examples=2000, deadline=None, suppress_health_check=QUIET)
settings.load_profile("lab")


LONGEST = ("tests/exercises/", "tests/report/")  # begun first, so that no worker is left to wait


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))  # stable: the rest as it was


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Under xdist's `--dist loadfile` the exercises stay in one worker, as each module does.

    Each of them would wait for another's training. What comes first is begun first, since the
    modules with the most tests are not those that take longest.
    """
    if config.option.dist != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ExercisesTogether(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "exercises" if "/exercises/" in nodeid else super()._split_scope(nodeid)

    config.option.loadscopereorder = False
    return ExercisesTogether(config, log)


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Threads wait for each other longer than a model this small computes, the more so in company."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(THREAD_VARIABLES[0], "1")
        yield


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DistilBERT that trains in a second."""
    return write_checkpoint(tmp_path_factory.mktemp("tiny") / "checkpoint")


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set that it learns within three epochs."""
    return write_dataset(tmp_path_factory.mktemp("tiny-data") / "posts")


@pytest.fixture(scope="session")
def tiny_config(tiny_checkpoint: Path, tiny_dataset: Path) -> LabConfig:
    """The lab's configuration for the two."""
    return LabConfig(
        profile="embedded",
        base_model=ModelSource(str(tiny_checkpoint)),
        data=DataSource(str(tiny_dataset)),
        selection=Selection(labels=LABELS),
        label_texts=dict(zip(LABELS, ("baseball", "space"), strict=True)),
        recipe=Recipe(epochs=3, learning_rate=5e-3, max_length=64, batch_size=8),
    )


@pytest.fixture(scope="session")
def tiny_lab(tiny_config: LabConfig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A lab on the tiny subjects, all of whose stages take a few seconds together."""
    return lab.run(tiny_config, Store(tmp_path_factory.mktemp("tiny-lab") / "store"))
