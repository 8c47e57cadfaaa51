"""The behaviours that a run examines a model on, the lab's and a project's own."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.evaluation.behaviour import BEHAVIOURS, KINDS, Behaviour, behaviours_of
from labkit.evaluation.grammar import TOPICS, Topic
from labkit.plumbing.digests import file_digest


@dataclass(frozen=True)
class Suite:
    """Behaviours, and the topics, by label, that plain sentences are made of."""

    behaviours: tuple[Behaviour, ...]
    topics: Mapping[str, Topic]

    def of(self, labels: Sequence[str]) -> tuple[Behaviour, ...]:
        """Those that can be tested for these classes."""
        return behaviours_of(labels, self.topics, self.behaviours)

    @property
    def content(self) -> dict[str, Any]:
        """What counts of it for the stages that take it, JSON-able.

        Of a project's own behaviour the files that define its functions; the lab's own code is
        followed from where it is used.
        """
        return {
            "behaviours": [
                [one.name, one.kind, one.claim, one.posts, one.most, one.classes, *_code(one)]
                for one in self.behaviours
            ],
            "topics": {label: asdict(topic) for label, topic in self.topics.items()},
        }


BUILT_IN = Suite(BEHAVIOURS, TOPICS)


def build(behaviours: Sequence[object], topics: Sequence[Mapping[str, Topic]]) -> Suite:
    """A suite; raises LabError for a name that is taken and for what is no behaviour or topic."""
    names: set[str] = set()
    kept: list[Behaviour] = []
    for one in behaviours:
        if not isinstance(one, Behaviour):
            raise LabError(
                f"a hook gave {one!r:.80}, which is no behaviour; labkit.own.invariance makes one"
            )
        if not one.name.isidentifier() or one.name in names | {"plain_sentences"}:
            raise LabError(f"behaviour {one.name!r:.80}: is taken, or is no name in letters and _")
        if one.kind not in KINDS:
            raise LabError(f"behaviour {one.name}: {one.kind!r:.80} is none of {', '.join(KINDS)}")
        names.add(one.name)
        kept.append(one)
    found: dict[str, Topic] = {}
    for given in topics:
        for label, topic in given.items():
            if not isinstance(topic, Topic):
                raise LabError(f"topic {label}: {topic!r:.80} is none; labkit.own.Topic makes one")
            if not (topic.subjects and topic.predicates and topic.endings):
                raise LabError(f"topic {label}: each of its three parts needs a choice at least")
            if label in found:
                raise LabError(f"topic {label}: there are two of this label")
            found[label] = topic
    return Suite(tuple(kept), found)


def _code(behaviour: Behaviour) -> list[str]:
    """Digests of the files that a behaviour's functions stand in, those of the lab left out."""
    functions = {*_functions(behaviour.draw), *_functions(behaviour.failed)}
    files = {
        file
        for function in functions
        if not function.__module__.startswith("labkit.")
        and (file := inspect.getsourcefile(inspect.unwrap(function)))
    }
    return [file_digest(Path(file)) for file in sorted(files)]


def _functions(given: object) -> Iterator[Callable[..., Any]]:
    """A function; of a partial one, what it calls and what it is given as well."""
    if isinstance(given, partial):
        for one in (given.func, *given.args, *given.keywords.values()):
            yield from _functions(one)
    elif inspect.isroutine(given):
        yield given
