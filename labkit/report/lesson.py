"""What a test module teaches: its docstring in parts, and the source of what it does by hand.

Read from the file that ran, never from a copy, so that the report shows what was run.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

BY_HAND = "by_hand"  # in the name of a function that shows how it is done
SEE, PREDICT, QUESTION = "What you see: ", "Predict first: ", "Question: "
LOOK = "Then look:"


@dataclass(frozen=True)
class Excerpt:
    """A function of the module: its first line's number, and its source."""

    line: int
    source: str


@dataclass(frozen=True)
class Lesson:
    """The teaching part of an exercise's module; what the module lacks is empty.

    `see` are paragraphs, `predict` a question with the `command` that answers it.
    """

    path: str
    see: tuple[str, ...] = ()
    predict: str = ""
    command: str = ""
    excerpts: tuple[Excerpt, ...] = ()


def read_lesson(file: Path, root: Path) -> Lesson:
    """The lesson of the module in `file`, whose path is shown as seen from `root`."""
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    paragraphs = (ast.get_docstring(tree) or "").split("\n\n")
    see, predict, command = [], "", ""
    part = ""
    for paragraph in paragraphs:
        words = " ".join(paragraph.split())
        part = next((name for name in (SEE, PREDICT, QUESTION) if words.startswith(name)), part)
        if paragraph.startswith("    ") and part == PREDICT:
            command = words
        elif part == PREDICT:
            predict = words.removeprefix(PREDICT).removesuffix(LOOK).rstrip()
        elif part == SEE:
            see.append(words.removeprefix(SEE))
    lines = text.splitlines()
    excerpts = tuple(
        Excerpt(node.lineno, "\n".join(lines[node.lineno - 1 : node.end_lineno]))
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and BY_HAND in node.name
    )
    shown = file.relative_to(root) if file.is_relative_to(root) else file
    return Lesson(shown.as_posix(), tuple(see), predict, command, excerpts)
