"""Faults in doses, mild to full: in data, labels, training, inference and files.

After the mutation operators that DeepCrime took from real faults (Humbatova, Jahangirova and Tonella
2021, https://doi.org/10.1145/3460319.3464825): labels changed, data removed, unbalanced, noisy or
overlapping, learning rate, batches, decay and initial weights; beyond them, what goes wrong when a
model is asked and when it is written to disk. Each function's docstring says what is wrong.
"""

from benchmarks.faults import data, labels, training  # noqa: F401, I001  in the order of the table
from benchmarks.faults import inference, files  # noqa: F401
from benchmarks.faults.planted import FAULTS, Planted

__all__ = ["FAULTS", "Planted"]
