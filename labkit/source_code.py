"""Which source a stage's result comes from, as a digest that goes into its key.

A stage names the labkit modules that it calls. What these import is followed, since a change
there changes the result just as well.
"""

import ast
import hashlib
import importlib.util
import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

# What these modules hold reaches a stage through its inputs, only describes the result, or judges
# it; to follow them would train anew for the wording of a message or the threshold of a gate.
WITHOUT_EFFECT = frozenset(
    {"config", "errors", "exercises", "gates", "progress", "source_code", "store"}
)


def code_digest(modules: Iterable[str]) -> str:
    """SHA-256 (hex) over the source of labkit modules, by their short names, and their imports."""
    found: set[str] = set()
    pending = list(modules)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += imports_of(name) - WITHOUT_EFFECT
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + b"\0" + source_file(name).read_bytes() + b"\0")
    return digest.hexdigest()


def function_digest(function: Callable[..., Any]) -> str:
    """SHA-256 (hex) of a function's own source."""
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()


@cache
def source_file(name: str) -> Path:
    """The file of a labkit module; raises ModuleNotFoundError where there is none."""
    spec = importlib.util.find_spec(f"labkit.{name}")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no labkit module {name!r}")
    return Path(spec.origin)


@cache
def imports_of(name: str) -> frozenset[str]:
    """Short names of the labkit modules that one imports, wherever in it, types aside."""
    tree = ast.parse(source_file(name).read_bytes())
    return frozenset(found for node in _run_at_all(tree) for found in _imported(node))


def _run_at_all(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _run_at_all(node)


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.module == "labkit":
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("labkit."):
        yield str(node.module).removeprefix("labkit.")
    elif isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
        yield from (name.removeprefix("labkit.") for name in names if name.startswith("labkit."))
