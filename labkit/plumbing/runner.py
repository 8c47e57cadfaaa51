"""Runs a graph of plain functions, each result computed once and found again.

As with pytest's fixtures, the name of a parameter says what a function takes: another stage, a
setting, or `call`, the run itself. From that follows a stage's key: content of inputs, settings,
code it may reach, versions of libraries. What a stage does not name it cannot use or forget.
"""

import gc
import inspect
import platform
import shutil
import tempfile
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from labkit.plumbing import results
from labkit.plumbing.code import code_of, type_imports
from labkit.plumbing.hardware import free_memory
from labkit.plumbing.progress import Progress, Report, Silent, Tracker
from labkit.plumbing.store import LIBRARIES, Entry, Store, key_of, library_versions

RESOURCES = ("call",)
STORED = "labkit_stored"

Function = Callable[..., Any]


@dataclass(frozen=True)
class Call:
    """What a stage can ask of the run itself, as `call`; none of it counts for the stage's key.

    `folder` takes a stored stage's files, `scratch` is there for the time of the call. In a
    resumable run `unfinished` is the folder that a call which was cut off goes on from. `report`
    takes the share that is done, with a note. `durations` are the seconds of the stages so far,
    and `tracker` follows a training.
    """

    folder: Path
    scratch: Path
    unfinished: Path | None
    report: Report
    durations: Mapping[str, float]
    tracker: Tracker | None


def stage(function: Function) -> Function:
    """Mark a stage that is computed in every run, and counts for others by what it holds."""
    setattr(function, STORED, False)
    return function


def stored(function: Function) -> Function:
    """Mark a stage whose result is kept in the store."""
    setattr(function, STORED, True)
    return function


@dataclass(frozen=True)
class Stage:
    """A function of the graph; `inputs` are its parameters by name."""

    name: str
    function: Function
    stored: bool

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        code = self.function.__code__  # a signature takes longer
        return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @cached_property
    def returns(self) -> Any:
        """The type of its result, whose import may take long."""
        module = typing.cast(ModuleType, inspect.getmodule(self.function))
        annotation = inspect.signature(self.function).return_annotation
        only = SimpleNamespace(__annotations__={"return": annotation})
        names = _Imported(type_imports(module))
        return typing.get_type_hints(only, vars(module), names)["return"]


class _Imported(dict[str, Any]):
    """Names that are imported when an annotation is read."""

    def __init__(self, imports: Mapping[str, tuple[str, str]]) -> None:
        super().__init__()
        self.imports = imports

    def __missing__(self, name: str) -> Any:
        module, attribute = self.imports[name]
        return getattr(__import__(module, fromlist=[attribute]), attribute)


def graph_of(module: ModuleType) -> dict[str, Stage]:
    """The stages of a module by name, in their order there."""
    return {
        name: Stage(name, value, getattr(value, STORED))
        for name, value in vars(module).items()
        if inspect.isfunction(value) and hasattr(value, STORED)
    }


class Run:
    """One run of a graph: the values of its stages, each computed when it is first asked for.

    `run.posts` and `run["posts"]` are the value of the stage `posts`. `settings` are values by
    name. `replace` puts a value, or a function with parameters of the same kind, in the place of a
    stage. A stage that failed raises what it raised, and is not tried again. `entries` are what
    the stages so far took from the store, by stage.

    Raises TypeError where a parameter is no stage, no setting and no resource.
    """

    def __init__(
        self,
        graph: Mapping[str, Stage],
        settings: Mapping[str, Any],
        store: Store,
        *,
        replace: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
        resumable: bool = False,
        tracker: Tracker | None = None,
    ) -> None:
        self.graph = dict(graph)
        self.settings = settings
        self.store = store
        self.progress = progress or Silent()
        self.resumable = resumable
        self.tracker = tracker
        self.entries: dict[str, Entry] = {}
        self._values: dict[str, Any] = {}
        self._keys: dict[str, str] = {}
        self._failed: dict[str, Exception] = {}
        for name, value in (replace or {}).items():
            self._put(name, value)
        self._check()

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            if name not in self.graph:
                raise KeyError(f"there is no stage {name!r}; there are {', '.join(self.graph)}")
            with self._once(name):
                stage = self.graph[name]
                if stage.stored:
                    self._values[name] = results.load(stage.returns, self._entry(name).path)
                else:
                    self._values[name] = self.call(stage.function)
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self.graph:
            raise AttributeError(name)
        return self[name]

    def key(self, name: str) -> str:
        """What stands for a stage's result in the keys of those that take it."""
        if name not in self._keys:
            with self._once(name):
                self._keys[name] = self._find_key(name)
        return self._keys[name]

    def adopt(self, name: str, value: Any) -> None:
        """Take a stage's value from outside, unless it is the run's own; what depends on it goes.

        This is how a fixture that somebody overrides reaches the stages behind it.
        """
        if name in self._values and self._values[name] is value:
            return
        for behind in self._behind(name):
            for known in (self._values, self._keys, self.entries, self._failed):
                known.pop(behind, None)
        self._put(name, value)

    def own_key(self, name: str) -> str:
        """The key under which the store has, or will have, a stored stage's entry."""
        return key_of(name, self._inputs(self.graph[name]))

    def compute(self, name: str, scratch: Path) -> Any:
        """A stored stage's value, computed here and now with its files in `scratch`; not kept."""
        return self.call(self.graph[name].function, scratch, self._unfinished(self.own_key(name)))

    def _check(self) -> None:
        for stage in self.graph.values():
            for name in stage.inputs:
                if name not in self.graph and name not in self.settings and name not in RESOURCES:
                    raise TypeError(f"stage {stage.name}: nothing is called {name!r}")

    def _put(self, name: str, value: Any) -> None:
        if name not in self.graph:
            raise TypeError(f"there is no stage {name!r}; there are {', '.join(self.graph)}")
        if inspect.isfunction(value):
            self.graph[name] = Stage(name, value, stored=False)
        else:
            self._values[name] = value
            self._keys[name] = results.content_digest(value)

    def _behind(self, name: str) -> list[str]:
        """A stage and all that depend on it."""
        found = [name]
        for stage in self.graph.values():  # in order, so that one pass finds all
            if stage.name not in found and set(found) & set(stage.inputs):
                found.append(stage.name)
        return found

    def _find_key(self, name: str) -> str:
        stage = self.graph[name]
        if stage.stored:
            return self._entry(name).content
        value = self[name]
        for other in stage.inputs:  # what only hands on another's result is that result
            if other in self.graph and self._values.get(other) is value is not None:
                return self.key(other)
        return results.content_digest(value)

    def _inputs(self, stage: Stage) -> dict[str, Any]:
        """All that a stage's result depends on, JSON-able."""
        code = code_of(stage.function)
        taken = [name for name in stage.inputs if name not in RESOURCES]
        return {
            "stages": {name: self.key(name) for name in taken if name in self.graph},
            "settings": {
                name: results.plain(self.settings[name]) for name in taken if name not in self.graph
            },
            "code": code.digest,
            "libraries": library_versions((*LIBRARIES, *code.libraries)),
            "python": platform.python_version_tuple()[:2],
            "format": results.FORMAT,
        }

    def _entry(self, name: str) -> Entry:
        if name not in self.entries:
            stage = self.graph[name]
            inputs = self._inputs(stage)
            unfinished = self._unfinished(key_of(name, inputs))

            def build(folder: Path) -> None:
                self.progress.begin(name)
                results.save(self.call(stage.function, folder, unfinished), folder)
                shutil.rmtree(unfinished, ignore_errors=True)
                free_memory()  # what is left is frozen and would stay
                self.progress.end()

            self.entries[name] = self.store.get(name, inputs, build)
            gc.freeze()  # the libraries' half a million objects stay; later collections skip them
        return self.entries[name]

    def _unfinished(self, key: str) -> Path:
        return self.store.root / "unfinished" / key

    def call(
        self, function: Function, folder: Path | None = None, unfinished: Path | None = None
    ) -> Any:
        """What a function gives for the values that its parameters name."""
        names = list(inspect.signature(function).parameters)
        known = {name: self[name] for name in names if name in self.graph}
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            call = Call(
                folder=folder or Path(scratch),
                scratch=Path(scratch),
                unfinished=unfinished if self.resumable else None,
                report=self.progress.advance,
                durations={name: entry.seconds for name, entry in self.entries.items()},
                tracker=self.tracker,
            )
            arguments = {**self.settings, "call": call, **known}
            return function(**{name: arguments[name] for name in names})

    @contextmanager
    def _once(self, name: str) -> Iterator[None]:
        """Remember that a stage failed; the first traceback was long enough."""
        if name in self._failed:
            raise self._failed[name].with_traceback(None)
        try:
            yield
        except Exception as error:
            self._failed.setdefault(name, error)
            raise
