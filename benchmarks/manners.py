"""What the installed plugin costs a project that does not ask for it: `python benchmarks/manners.py`.

One trivial test, run in turn with the plugin and without it; medians of the whole process. The goal is
less than 50 ms between them. Modules are compiled before, as they are on anyone's machine.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 30
WAYS = {"with the plugin": (), "without it": ("-p", "no:labkit")}


def seconds(folder: Path, args: tuple[str, ...]) -> float:
    """How long `pytest` takes."""
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", *args]
    done = subprocess.run(command, cwd=folder, env=settings, stdout=subprocess.DEVNULL)
    assert done.returncode == 0
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_it.py").write_text("def test_it(): pass\n")
        for args in WAYS.values():  # once for the compiled modules
            seconds(folder, args)
        taken: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way, args in WAYS.items():
                taken[way].append(seconds(folder, args))
    medians = [statistics.median(times) for times in taken.values()]
    for way, median in zip(WAYS, medians, strict=True):
        print(f"{way:<16} {1000 * median:.0f} ms")
    print(f"{'difference':<16} {1000 * (medians[0] - medians[1]):.0f} ms")


if __name__ == "__main__":
    main()
