"""The files that a run leaves in `reports/`: `lab.html`, `answers.json`, `summary.md`.

Everything goes through Jinja: in HTML every value is escaped, in Markdown by the filter `md`, so
text from data never becomes markup.
"""

import base64
import datetime
import hashlib
import json
import re
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from labkit.exercises import Exercise, stage_words
from labkit.plumbing.files import write_files
from labkit.plumbing.hardware import describe_machine
from labkit.plumbing.progress import duration
from labkit.profiles import PROFILES
from labkit.report.blocks import MOST_NAMED, Listing
from labkit.report.glossary import marked, terms
from labkit.report.highlight import highlighted
from labkit.report.lesson import Lesson, read_lesson
from labkit.report.markdown import markdown
from labkit.report.story import story

if TYPE_CHECKING:
    from labkit.plugin.session import LabSession
    from labkit.report.blocks import Table

PAGE = "lab.html"
TITLE = "ML Lab 09: Fine-Tune a Model"
LONGEST = 4000  # characters of a post or listing that the page shows
SHOWN_TOKENS = 28
MARKS = 7  # shapes of the t-SNE planes; past seven classes one meets a colour once more, not both
ZOOM = 1.18  # pixels of the page for one point of a plot
SCRIPT = (Path(__file__).parent / "templates" / "report.js").read_text("utf-8")


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
        "width": svg_width,
        "characters": characters,
        "breakable": breakable,
        "code": code,
        "marked": marked,
        "highlighted": highlighted,
        "drawn": Markup,  # a plot is made of this package's code alone; its text is escaped
        "stage_words": stage_words,
        "zip": zip,
        "mark": lambda index: (index + index // MARKS) % MARKS,
    }
    templates.tests |= {
        "listing": lambda block: isinstance(block, Listing),
        "folded": lambda block: isinstance(block, Listing) or getattr(block, "folded", False),
    }
    templates.globals |= {"new_set": set, "SHOWN_TOKENS": SHOWN_TOKENS, "MOST_NAMED": MOST_NAMED}
    return templates


def shorten(text: str, longest: int = LONGEST) -> str:
    """The beginning of a long text, and how much is left out."""
    left_out = len(text) - longest
    return text if left_out <= 0 else f"{text[:longest]} … ({left_out:,} characters more)"


def svg_width(svg: str) -> int:
    """Width in pixels of the page of a plot, from its view box."""
    found = re.search(r'viewBox="0 0 ([\d.]+)', svg)
    return round(ZOOM * float(found[1])) if found else 0


def breakable(label: str) -> Markup:
    """A name that may go on in the next line after a full stop, a dash or the like."""
    return Markup("<wbr>").join(re.split(r"(?<=[._/-])(?=[A-Za-z])", label))


def code(text: Markup) -> Markup:
    """Escaped text, in which what stands between backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(text)))


def characters(table: "Table") -> int:
    """The width of a table: the longest cells of its columns together."""
    columns = zip(table.header, *table.rows, strict=True)
    return sum(max(map(len, column)) for column in columns)


def facts(session: "LabSession") -> dict[str, str]:
    """What was run, by the words that the page's top and `summary.md` have for it."""
    return {
        "profile": f"{session.config.profile} ({session.why})",
        "base model": session.config.base_model.source,
        "data": session.config.data.name,
        "date": moment(time.time()),
        "commit": session.commit or "not in a checkout",
        "machine": machine(),
        "numbers": computed(session),
    }


def machine() -> str:
    """The machine that wrote the report."""
    found = describe_machine()
    return f"{found['cores']} × {found['processor']}, {found['memory_gib']:.0f} GiB"


def moment(seconds: float) -> str:
    """A point in time as a person reads it."""
    return f"{datetime.datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M %Z}"


def computed(session: "LabSession") -> str:
    """When the numbers were computed: now, or in which earlier runs."""
    took = duration(time.time() - session.started)
    old = [stage.created for stage in session.stages.values() if stage.reused]
    new = len(session.stages) - len(old)
    if not old:
        return f"all computed in this run, in {took}"
    first, last = moment(min(old)), moment(max(old))
    when = first if first == last else f"between {first} and {last}"
    if not new:
        return f"from the store, computed {when}; this run took {took}"
    return (
        f"{new} stages computed in this run, in {took}; {len(old)} from the store, computed {when}"
    )


def lessons(session: "LabSession") -> dict[str, Lesson]:
    """What the modules of the exercises teach, by exercise; none for a file that is gone."""
    return {
        exercise: read_lesson(file, Path.cwd())
        for exercise, file in session.modules.items()
        if file.is_file()
    }


def labels(session: "LabSession") -> tuple[str, ...]:
    """The classes of the run; none where it measured nothing."""
    asked_for = session.config.selection.labels
    return asked_for or (session.lab.posts.labels if session.answers else ())


def tries(
    exercise: Exercise, labels: tuple[str, ...], model: Path = Path("reports/model")
) -> list[tuple[str, str, str]]:
    """Commands to try with what to predict and where to look; of those that name classes, none
    where the classes are not known. `model` is the folder of the fine-tuned model."""
    named = dict(zip(("first", "second"), map(shlex.quote, labels), strict=False))
    return [
        (one.command.format(**named, model=shlex.quote(shown(model))), one.predict, one.look)
        for one in exercise.tries
        if "{first}" not in one.command or len(named) == 2
    ]


def next_command(session: "LabSession") -> str:
    """The command that asks the saved model; empty where this run saved none."""
    if "save_and_track" not in session.answers:
        return ""
    return f'labkit predict {shlex.quote(shown(session.model))} "your sentence"'


def shown(path: Path) -> str:
    """The path as seen from here, or in full where it lies elsewhere."""
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else path)


def own_options(session: "LabSession") -> bool:
    """Whether the run has other posts or models than its profile, so that commands need options."""
    config, usual = session.config, PROFILES[session.config.profile]
    return (config.data, config.base_model, config.trained_elsewhere) != (
        (usual.data, usual.base_model, None)
    )


def page(session: "LabSession", facts: Mapping[str, str]) -> str:
    """The report."""
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    return (
        environment()
        .get_template("lab.html.jinja")
        .render(
            title=TITLE,
            session=session,
            facts=facts,
            exercises=session.registry.exercises,
            story=story(session.values),
            lessons=lessons(session),
            tries=lambda exercise: tries(exercise, labels(session), session.model),
            computing=duration(sum(stage.seconds for stage in session.stages.values())),
            page=shown(session.page),
            terms=terms(),
            next_command=next_command(session),
            own_options=own_options(session),
            script=Markup(SCRIPT),
            script_digest=digest,
        )
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
