"""The tokenizer of the tiny checkpoint, for all properties that need one."""

from pathlib import Path
from typing import Any

import pytest

from labkit.data.tokens import load_tokenizer


@pytest.fixture(scope="session")
def tokenizer(tiny_checkpoint: Path) -> Any:
    return load_tokenizer(tiny_checkpoint)
