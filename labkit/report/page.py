"""The files that a run leaves in `reports/`: `lab.html`, `answers.json`, `summary.md`.

Everything goes through Jinja: in HTML every value is escaped, in Markdown by the filter `md`, so
text from data never becomes markup.
"""

import base64
import datetime
import html
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from labkit.plumbing.files import write_files
from labkit.plumbing.progress import duration

if TYPE_CHECKING:
    from labkit.plugin.session import LabSession
    from labkit.report.blocks import Table

PAGE = "lab.html"
TITLE = "ML Lab 09: Fine-Tune a Model"
LONGEST = 4000  # characters of a post or listing that the page shows
CSS_PIXEL = 2  # pixels of a plot for one of the page, so that it is crisp on dense screens


def environment() -> Environment:
    """The templates of the lab; every name must be defined, every value is escaped in HTML."""
    templates = Environment(
        loader=PackageLoader("labkit.report"),
        autoescape=select_autoescape(["html", "html.jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "shorten": shorten,
        "md": markdown,
        "duration": duration,
        "size": png_size,
        "characters": characters,
    }
    return templates


def shorten(text: str, longest: int = LONGEST) -> str:
    """The beginning of a long text, and how much is left out."""
    left_out = len(text) - longest
    return text if left_out <= 0 else f"{text[:longest]} … ({left_out:,} characters more)"


def markdown(text: str) -> str:
    """Text for one cell of a Markdown table, without any markup of its own."""
    line = html.escape(" ".join(text.split()), quote=False)
    return "".join(f"\\{c}" if c in "\\`*_[]|#~" else c for c in line)


def png_size(png: str) -> tuple[int, int]:
    """Width and height, in pixels of the page, of a PNG in base64 (from its IHDR chunk)."""
    head = base64.b64decode(png[:32])
    width, height = (int.from_bytes(head[at : at + 4], "big") for at in (16, 20))
    return width // CSS_PIXEL, height // CSS_PIXEL


def characters(table: "Table") -> int:
    """The width of a table: the longest cells of its columns together."""
    columns = zip(table.header, *table.rows, strict=True)
    return sum(max(map(len, column)) for column in columns)


def facts(session: "LabSession") -> dict[str, str]:
    """What was run, by the words that the page's top and `summary.md` have for it."""
    computed = [stage.seconds for stage in session.stages.values() if not stage.reused]
    reused = len(session.stages) - len(computed)
    return {
        "profile": f"{session.config.profile} ({session.why})",
        "base model": session.config.base_model.source,
        "data": session.config.data.name,
        "date": f"{datetime.datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        "commit": session.commit or "not in a checkout",
        "duration": f"{duration(time.time() - session.started)}; {len(computed)} stages computed, "
        f"{reused} reused",
    }


def page(session: "LabSession", facts: Mapping[str, str]) -> str:
    """The report."""
    return (
        environment()
        .get_template("lab.html.jinja")
        .render(title=TITLE, session=session, facts=facts, exercises=session.registry.exercises)
    )


def summary(session: "LabSession", facts: Mapping[str, str]) -> str:
    """The answers as Markdown, for a pull-request comment or a job summary."""
    template = environment().get_template("summary.md.jinja")
    return template.render(
        title=TITLE, session=session, facts=facts, exercises=session.registry.exercises
    )


def answers_dict(session: "LabSession") -> dict[str, Any]:
    """The content of `answers.json`, as `answers.schema.json` describes it."""
    now = datetime.datetime.now(datetime.UTC)
    return {
        "schema": 1,
        "profile": session.config.profile,
        "base_model": session.config.base_model.source,
        "data": session.config.data.name,
        "date": now.isoformat(timespec="seconds"),
        "commit": session.commit,
        "seconds": round(time.time() - session.started, 3),
        "holds": session.holds,
        "verdict": session.verdict,
        "unanswered": session.unanswered,
        "failed_tests": [failure.test for failure in session.failures],
        "stages": {
            name: {"reused": stage.reused, "seconds": round(stage.seconds, 3)}
            for name, stage in session.stages.items()
        },
        "compared_with": session.comparison.baseline.run if session.comparison else None,
        "regressions": [change.metric.name for change in session.regressions],
        "answers": [answer.to_dict(session.registry.exercises) for answer in session.in_order()],
    }


def write(session: "LabSession", folder: Path) -> None:
    """Write page, `answers.json` and `summary.md` into `folder`, all of this run or none."""
    answers = json.dumps(answers_dict(session), indent=2, allow_nan=False)
    top = facts(session)
    contents = {
        "answers.json": answers + "\n",
        "summary.md": summary(session, top),
        PAGE: page(session, top),
    }
    write_files(folder, contents)
