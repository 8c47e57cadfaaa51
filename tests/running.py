"""The one way in which tests start pytest and `labkit`: as a person does, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
Finished = subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    """This process's environment with labkit on the path and the Hub out of reach."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **more}


def run_pytest(*args: str, folder: Path, cwd: Path = ROOT, **more: str) -> Finished:
    """`pytest`, with its cache and reports in `folder`; `more` joins the environment.

    Uncaptured, or what is imported early would be reported to nobody.
    """
    keep = ["-o", f"cache_dir={folder / 'cache'}", f"--lab-reports={folder / 'reports'}"]
    keep += ["-p", "no:randomly"]  # one order also where the folder has no settings
    return run_python("-m", "pytest", "-s", *keep, *args, cwd=cwd, **more)


def run_labkit(*args: str, cwd: Path = ROOT, **more: str) -> Finished:
    """`labkit`."""
    return run_python("-m", "labkit", *args, cwd=cwd, **more)


def run_python(*args: str, cwd: Path = ROOT, input: str | None = None, **more: str) -> Finished:
    return subprocess.run(
        [sys.executable, *args],
        cwd=cwd,
        env=environment(**more),
        input=input,
        capture_output=True,
        text=True,
    )


def answers_in(folder: Path) -> list[dict[str, Any]]:
    """The answers of a run that kept its reports in `folder`."""
    answers: list[dict[str, Any]] = json.loads((folder / "reports" / "answers.json").read_text())[
        "answers"
    ]
    return answers
