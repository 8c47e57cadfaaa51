"""Numbers that are none are refused where they are evaluated: the largest of NaN is class 0."""

import numpy as np

from labkit.errors import LabError


def check_finite(rows: np.ndarray, what: str, stage: str) -> None:
    """Raise LabError, which names the stage, unless all numbers of `rows` (..., rows, n) are finite."""
    wrong = ~np.isfinite(rows).all(axis=-1)
    if wrong.any():
        raise LabError(
            f"{what}: {np.count_nonzero(wrong)} of {wrong.size} rows hold NaN or infinity, which "
            f"cannot be evaluated; look at the stage {stage} and the weights that it runs"
        )
