"""What a run was made of, for its record in the history, and what of it is not as it was."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from labkit.config import LabConfig

if TYPE_CHECKING:
    from labkit.plumbing.runner import Run


def describe(config: LabConfig, run: "Run") -> dict[str, Any]:
    """The fields of a `Record` that say what the run was made of; all JSON-able."""
    from labkit.plumbing.hardware import describe_machine
    from labkit.plumbing.results import plain
    from labkit.plumbing.store import library_versions

    elsewhere = config.trained_elsewhere
    return {
        "profile": config.profile,
        "base_model": config.base_model.source,
        "trained_elsewhere": elsewhere.source if elsewhere else "no",
        "data_fingerprint": run.data_files.fingerprint,
        "labels": list(run.posts.labels),
        "posts": {name: len(split) for name, split in run.posts.items()},
        "selection": {
            name: one for name, one in plain(config.selection).items() if name != "labels"
        },
        "recipe": plain(config.recipe),
        "libraries": library_versions(),
        "machine": describe_machine() | plain(run.hardware),
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What is not the same in two descriptions, one line each: `recipe: epochs 3 then, 4 now`.

    What the earlier run did not record, as one of an older labkit, is left out.
    """
    for name, value in now.items():
        before, words = then.get(name), name.replace("_", " ")
        if not before or before == value:
            continue
        if not (isinstance(value, Mapping) and isinstance(before, Mapping)):
            yield f"{words}: {before} then, {value} now"
            continue
        for key in sorted(before.keys() | value.keys()):
            was, is_now = before.get(key), value.get(key)
            if was != is_now:
                yield f"{words}: {key.replace('_', ' ')} {was} then, {is_now} now"
