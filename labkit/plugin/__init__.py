"""The pytest plugin: options, header, fixtures, and what happens when the tests are over.

Hooks here are thin; the work is in `labkit.plugin.session`, `labkit.lab` and `labkit.report`.
Nothing at the top of this module imports torch, so `pytest --help` and `--collect-only` stay quick.
"""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import LabError
from labkit.evaluation import gates
from labkit.exercises import BY_ID
from labkit.plugin import options
from labkit.plugin.outcome import (
    NOT_PINNED,
    NOT_WRITTEN,
    REPORT_ONLY,
    Results,
    finish,
    send_predictions,
    take_predictions,
)
from labkit.plugin.session import SESSION
from labkit.plugin.setup import new_session, refuse_lost_root, show_gates
from labkit.plugin.terminal import (
    answer_table,
    closing_lines,
    comparison_lines,
    header,
    skip_lines,
    verdict_lines,
)
from labkit.plumbing.files import check_writable
from labkit.plumbing.hardware import share_cpus
from labkit.plumbing.processes import place
from labkit.runs import history

REPORT = ("answers.json", "summary.md", "lab.html")

pytest_plugins = ("labkit.plugin.fixtures", "labkit.plugin.html")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lab", "fine-tuning lab")
    for option in options.OPTIONS:
        option.declare(group.addoption)
        kind: Any = "linelist" if option.repeats else "string"
        parser.addini(option.key, f"default of {option.flag}", type=kind, default=None)
    group.addoption(
        "--lab-config",
        metavar="FILE.toml",
        help="settings in place of the [tool.labkit] table of pyproject.toml",
    )
    for name, (metavar, meaning) in options.BASELINE_OPTIONS.items():
        group.addoption(f"--lab-{name}", metavar=metavar, nargs="?", const="", help=meaning)
    for name, meaning in options.FLAGS.items():
        group.addoption(f"--lab-{name}", action="store_true", help=meaning)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    refuse_lost_root(config)
    return show_gates(config) if config.option.lab_gates else None


def pytest_configure(config: pytest.Config) -> None:
    for library in ("HF_DATASETS", "HF_HUB"):  # their bars would run through pytest's dots
        os.environ.setdefault(f"{library}_DISABLE_PROGRESS_BARS", "1")
    config.addinivalue_line("markers", "exercise(id): the tests answer this exercise's question")
    if config.option.help:
        return
    worker = getattr(config, "workerinput", {})
    try:
        share_cpus(worker.get("workercount", 1))
        if place().count > 1:
            raise LabError(
                "a launcher started several processes, and pytest is one; train with `labkit "
                "fine-tune FOLDER` under the launcher, then measure with --lab-fine-tuned FOLDER"
            )
        config.stash[SESSION] = new_session(config, worker)
    except LabError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(Results(config.stash[SESSION]), "labkit-results")
    # Hypothesis writes tables and found examples; here they do not litter the current folder.
    cache = config.stash[SESSION].cache
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache / "hypothesis"))


def pytest_report_header(config: pytest.Config) -> list[str]:
    return header(config.stash[SESSION])


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Check what can be checked before the first test, if any test will need it."""
    if session.config.option.collectonly:
        return
    if any("lab" in getattr(item, "fixturenames", ()) for item in session.items):
        check_inputs(session.config)


def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """The same under xdist, in the controller, which collects no items of its own."""
    if any("exercises" in nodeid for nodeid in ids):
        check_inputs(node.config)


def check_inputs(config: pytest.Config) -> None:
    """Turn bad input into a usage error, and begin the run in the tracker."""
    from labkit import sources
    from labkit.release.model_folder import check_target

    session = config.stash[SESSION]
    try:
        check_outputs(config)
        sources.check_inputs(session.lab)
        if not session.measures_its_own:
            check_target(session.model)
        if session.tracker:
            session.tracker.begin()
    except LabError as error:
        raise pytest.UsageError(str(error)) from None


def check_outputs(config: pytest.Config) -> None:
    """Raise LabError for a folder or file that the run could not write in the end."""
    session = config.stash[SESSION]
    check_writable(session.cache)
    if config.cache is not None:
        config.cache.mkdir("labkit")  # with the files that keep it out of git and of backups
    check_writable(session.reports, (*REPORT, history.FILE, history.BASELINE))
    check_writable(session.reports / "partial", REPORT)
    if page := config.getoption("htmlpath", None):  # pytest-html's
        check_writable(Path(page).absolute().parent, (Path(page).name,))


def pytest_configure_node(node: Any) -> None:
    """All xdist workers share the controller's profile, and its start: `--lab-fresh` acts once."""
    session = node.config.stash[SESSION]
    node.workerinput["lab_started"] = session.started
    node.workerinput["lab_profile"] = (session.config.profile, session.why)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("exercise"):
        (exercise,) = marker.args
        if exercise not in BY_ID:
            raise pytest.UsageError(f"{item.nodeid}: no exercise {exercise!r}")
        session = item.config.stash[SESSION]
        if "answer" in getattr(item, "fixturenames", ()):
            session.asked.add(exercise)
            session.modules[exercise] = item.path
        parameters = getattr(item, "callspec", None)
        gate = parameters and parameters.params.get("gate")
        if gate and gate not in session.limits:
            pytest.skip(gates.why_without(gate))


def gate_names(exercise: str) -> list[str]:
    """Names of an exercise's gates, to parametrize its gate test over."""
    return [gate.name for gate in gates.gates_of(exercise)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    """Give a gate's test the measured values as properties, which `--junitxml` writes.

    With `--lab-report-only` a failed claim of the lab is shown and does not fail the run; a stage
    that could not be computed, or a test of something else, fails as ever.
    """
    marker, gate = item.get_closest_marker("exercise"), getattr(item, "funcargs", {}).get("gate")
    if call.when == "call" and marker and gate:
        answer = item.config.stash[SESSION].answers.get(marker.args[0])
        if answer is not None and gate not in answer.not_applicable:
            item.user_properties.extend(answer.properties(gate))
    report = yield
    claim_failed = (
        call.when == "call" and call.excinfo and call.excinfo.errisinstance(AssertionError)
    )
    if marker and claim_failed and item.config.option.lab_report_only:
        report.outcome, report.wasxfail = "skipped", REPORT_ONLY  # pytest's "xfailed"
    return report


@pytest.hookimpl(wrapper=True, trylast=True)  # inside the terminal's own, which closes the run
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, Any]:
    config = session.config
    lab_session = config.stash.get(SESSION, None)
    if lab_session is not None and hasattr(config, "workeroutput"):
        config.workeroutput["lab"] = lab_session.pack()
        config.workeroutput["predictions"] = send_predictions(lab_session)
    result = yield
    if lab_session is None or config.option.collectonly or hasattr(config, "workeroutput"):
        return result
    if not lab_session.asked:
        return result
    lab_session.interrupted = session.exitstatus == pytest.ExitCode.INTERRUPTED
    try:
        config.stash[NOT_PINNED] = finish(config, lab_session)
    except (
        OSError
    ) as error:  # the disk is full, or was taken away: the answers are shown all the same
        config.stash[NOT_WRITTEN] = str(error)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
    if session.exitstatus == pytest.ExitCode.OK and not config.option.lab_report_only:
        session.exitstatus = pytest.ExitCode(0 if lab_session.holds else 1)
    return result


def pytest_testnodedown(node: Any, error: Any) -> None:
    """Take in what a finished xdist worker measured."""
    packed = getattr(node, "workeroutput", {}).get("lab")
    if packed:
        node.config.stash[SESSION].absorb(packed)
        take_predictions(node.config.stash[SESSION], node.workeroutput["predictions"])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    session = config.stash.get(SESSION, None)
    if session is None or not session.asked:
        return
    count = len(session.asked)
    terminalreporter.section(f"{count} question{'s' * (count != 1)}, measured")
    for line, markup in (
        *answer_table(session, config.option.verbose),
        *verdict_lines(session),
        *skip_lines(session),
        *comparison_lines(session),
    ):
        terminalreporter.write_line(line, **markup)
    if reason := config.stash.get(NOT_PINNED, ""):
        terminalreporter.write_line(f"not pinned as the baseline: {reason}", red=True)
    if reason := config.stash.get(NOT_WRITTEN, ""):
        terminalreporter.write_line(f"no report was written: {reason}", red=True)
        return
    for line, markup in closing_lines(session):
        terminalreporter.write_line(line, **markup)
