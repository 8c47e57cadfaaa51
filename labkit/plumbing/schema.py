"""Schema numbers of the records that labkit writes: an older one is read, a newer one refused."""

from collections.abc import Mapping
from typing import Any

from labkit.errors import LabError


def check(document: Any, newest: int, what: str) -> None:
    """Raise LabError where a record is of a schema that nobody here knows.

    One without a number was written before there were numbers, and is of schema 1. Within a number
    keys are added, never renamed or removed, so what a reader does not know it leaves out.
    """
    found = document.get("schema", 1) if isinstance(document, Mapping) else 1
    if not isinstance(found, int) or not 1 <= found <= newest:
        raise LabError(
            f"{what} is of schema {found!r:.40}, and this labkit reads up to {newest}: "
            "take a newer labkit, or move the file away"
        )
