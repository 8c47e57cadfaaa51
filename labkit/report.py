"""The files that a run leaves in `reports/`: the page's answers, `answers.json`, `summary.md`.

Everything goes through Jinja with auto-escaping: text from data never becomes markup.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from labkit.exercises import BY_ID

if TYPE_CHECKING:
    from labkit.session import LabSession


def environment() -> Environment:
    """The templates of the lab; every name must be defined, every value is escaped in HTML."""
    return Environment(
        loader=PackageLoader("labkit"),
        autoescape=select_autoescape(["html", "html.jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def answers_html(session: "LabSession") -> str:
    """The answers as a fragment of HTML, for the top of pytest-html's page."""
    page = environment().get_template("answers.html.jinja")
    return page.render(session=session, exercises=BY_ID)


def answers_dict(session: "LabSession") -> dict[str, Any]:
    """The content of `answers.json`."""
    return {
        "schema": 1,
        "profile": session.config.profile,
        "base_model": session.config.base_model.source,
        "data": session.config.data.name,
        "holds": session.holds,
        "unanswered": session.unanswered,
        "answers": [answer.to_dict() for answer in session.in_order()],
    }


def write_atomically(path: Path, content: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        os.chmod(name, 0o644)  # mkstemp's 0600 would keep a web server out
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def write_answers(session: "LabSession") -> Path:
    """Write `answers.json`; returns its path."""
    path = session.reports / "answers.json"
    write_atomically(path, json.dumps(answers_dict(session), indent=2, allow_nan=False) + "\n")
    return path


def finish_page(draft: Path, path: Path) -> None:
    """Put pytest-html's page in its place, with what its template leaves out.

    Its `<html>` tag names no language, which screen readers need, and without a viewport a phone
    shows the page as wide as a desk.
    """
    html = draft.read_text(encoding="utf-8")
    html = html.replace("<html>", '<html lang="en">', 1).replace(
        '<meta charset="utf-8"/>',
        '<meta charset="utf-8"/>\n    '
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        1,
    )
    write_atomically(path, html)
