"""The list of the faults, and how one is entered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.plumbing.runner import Run
from labkit.puzzles.faults import Fault

Plant = Callable[[Any, Run, Path], Fault]  # of a dose, the healthy run, and a folder to write in


@dataclass(frozen=True)
class Planted:
    """A fault: where it is, what is wrong in a sentence, and its doses by name, the full one last."""

    area: str
    what: str
    doses: Mapping[str, Any]
    plant: Plant


FAULTS: dict[str, Planted] = {}


def planted(area: str, doses: Mapping[str, Any]) -> Callable[[Plant], Plant]:
    """Enter a fault in the list, under the name of its function."""

    def enter(plant: Plant) -> Plant:
        name = plant.__name__.replace("_", " ")
        FAULTS[name] = Planted(area, (plant.__doc__ or "").strip(), doses, plant)
        return plant

    return enter
