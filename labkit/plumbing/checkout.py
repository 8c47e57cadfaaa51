"""The checkout that the lab runs from, if it runs from one."""

import subprocess
from pathlib import Path


def commit(folder: Path = Path(__file__).parent) -> str | None:
    """The commit of the checkout around `folder`, `+` for local changes; None outside git.

    Without a folder, of the one that labkit runs from.
    """
    try:
        head = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--dirty=+"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return head.stdout.strip() or None
