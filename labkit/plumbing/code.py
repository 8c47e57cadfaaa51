"""Which code a stage may reach, read from its source.

A function's own text counts, and that of every module of labkit's pipeline that it imports in its
body, and that these import, wherever in them, with the files that lie beside a module. What lies
outside the pipeline (settings, plumbing, the words of the exercises) only carries values, which
reach a stage as arguments.
"""

import ast
import hashlib
import importlib.util
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

# In the order of the path: each imports only those before it, and what is no part of it.
PIPELINE = ("data", "model", "training", "evaluation", "report", "release")


@dataclass(frozen=True)
class Code:
    """What a function may reach: modules of the pipeline, and the libraries that they import."""

    digest: str
    modules: tuple[str, ...]
    libraries: tuple[str, ...]


@cache
def code_of(function: Callable[..., Any]) -> Code:
    """The code that `function` may reach."""
    text = inspect.getsource(function)
    pending = list(_imported(ast.parse(textwrap.dedent(text))))
    modules: set[str] = set()
    libraries: set[str] = set()
    while pending:
        name = pending.pop()
        root = name.partition(".")[0]
        if root != "labkit":
            libraries.add(root)
        elif name not in modules and in_pipeline(name):
            modules.add(name)
            pending += imports_of(name)
    digest = hashlib.sha256(text.encode())
    for name in sorted(modules):
        digest.update(f"\0{name}\0".encode() + source_file(name).read_bytes())
    for file in sorted({file for name in modules for file in files_beside(name)}):
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return Code(digest.hexdigest(), tuple(sorted(modules)), tuple(sorted(libraries)))


def in_pipeline(name: str) -> bool:
    """Whether a module, by its full name, is part of a package of the pipeline."""
    return name.split(".")[1:2] != [] and name.split(".")[1] in PIPELINE


@cache
def source_file(name: str) -> Path:
    """The file of a module; raises ModuleNotFoundError where there is none."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module {name!r}")
    return Path(spec.origin)


def files_beside(name: str) -> list[Path]:
    """The files of a module's folder that are no source: templates and tables it may read."""
    folder = source_file(name).parent
    return [path for path in folder.iterdir() if path.is_file() and path.suffix != ".py"]


@cache
def imports_of(name: str) -> frozenset[str]:
    """Modules that one of labkit's imports, wherever in it, types aside."""
    return frozenset(_imported(ast.parse(source_file(name).read_bytes())))


def type_imports(module: ModuleType) -> dict[str, tuple[str, str]]:
    """The names that a module imports for its annotations alone: module and name of each."""
    tree = ast.parse(inspect.getsource(module))
    guarded = [node for node in tree.body if isinstance(node, ast.If) and _is_for_types(node)]
    return {
        alias.asname or alias.name: (str(node.module), alias.name)
        for block in guarded
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _imported(tree: ast.AST) -> Iterator[str]:
    """Full names of the modules imported below a node, those for types alone left out."""
    for node in [tree, *_run(tree)]:
        if isinstance(node, ast.ImportFrom) and not node.level:
            package = str(node.module)
            yield package
            if package.partition(".")[0] == "labkit":  # a name of it can be a module, too
                for alias in node.names:
                    if _is_module(f"{package}.{alias.name}"):
                        yield f"{package}.{alias.name}"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes below one, but those under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if not _is_for_types(node):
            yield node
            yield from _run(node)


@cache
def _is_module(name: str) -> bool:
    """Found in the package's folder: to look for it with importlib would import the package."""
    package, _, last = name.rpartition(".")
    file = source_file(package)
    beside = file.parent / f"{last}.py", file.parent / last / "__init__.py"
    return file.name == "__init__.py" and any(path.is_file() for path in beside)
