"""The Hugging Face Hub: asked once and briefly, and its cache where it does not answer."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabError

PATIENCE = 10.0  # seconds for the first answer; a download takes as long as it takes


@dataclass(frozen=True)
class Repository:
    """A `model` or `dataset` on the Hub, at a revision or at its newest."""

    name: str
    kind: str
    revision: str | None = None


def ask(repository: Repository, patience: float = PATIENCE) -> Callable[[], Exception | None]:
    """Ask the Hub about a repository; what is returned waits for what keeps it from telling.

    None where it tells in time, which runs from now. In a thread of its own: a name look-up, or
    one try after another, can outlast any time-out.
    """
    outcome: list[Exception | None] = [TimeoutError()]
    asked = time.monotonic()

    def request() -> None:
        from huggingface_hub import HfApi

        try:
            HfApi().repo_info(
                repository.name,
                repo_type=repository.kind,
                revision=repository.revision,
                timeout=patience,
            )
            outcome.append(None)
        except Exception as error:  # of many kinds; who asks says what it means
            outcome.append(error)

    thread = threading.Thread(target=request, daemon=True)
    thread.start()

    def wait() -> Exception | None:
        thread.join(max(0.0, asked + patience - time.monotonic()))
        return outcome[-1]

    return wait


def fetch(
    repository: Repository,
    patterns: Sequence[str],
    where: str,
    *,
    go_offline: bool = False,
    at_hand: bool = False,
) -> Path:
    """The folder of a repository's files in the Hub's cache, fetched where the Hub answers.

    Nothing is fetched with `at_hand`. Raises LabError, which begins with `where`, and says how to
    `go_offline` where that would help.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    problem = None if at_hand else ask(repository)()
    try:
        if isinstance(problem, (RepositoryNotFoundError, RevisionNotFoundError)):
            raise problem
        return Path(
            snapshot_download(
                repository.name,
                repo_type=repository.kind,
                revision=repository.revision,
                allow_patterns=list(patterns),
                local_files_only=at_hand or problem is not None,
            )
        )
    except Exception as error:
        hint = ", or go offline with --lab-profile embedded" if go_offline else ""
        raise LabError(
            f"{where}: not a file or folder, and the Hub does not give it "
            f"({type(problem or error).__name__}); check the name{hint}"
        ) from error
