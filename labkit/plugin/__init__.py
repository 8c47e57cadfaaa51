"""The pytest plugin: options, fixtures, and what happens when the tests are over.

It is installed beside tests of every kind, and does nothing until it is asked: until a test that
was collected takes a fixture of the lab or answers one of its exercises, or an option of the lab is
typed. So the hooks here are thin, and import the work (`labkit.plugin.setup`,
`labkit.plugin.session`, `labkit.lab`, `labkit.report`) when they need it.
"""

import time
from collections.abc import Generator
from typing import Literal

import pytest

from labkit.errors import LabError
from labkit.plugin import items, options
from labkit.plugin.hookspecs import HOOKS, SUITE_HOOKS
from labkit.plugin.stash import (
    EXERCISE,
    NOT_PINNED,
    NOT_WRITTEN,
    REPORTS,
    SESSION,
    STARTED,
    Reports,
)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from labkit.plugin import builtin, fixtures, hookspecs, html, workers

    pluginmanager.add_hookspecs(hookspecs)
    # Not as `pytest_plugins`: for each name there pytest reads every installed package's metadata.
    for module in (fixtures, builtin, workers, html):
        pluginmanager.register(module, module.__name__)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lab", "fine-tuning lab")
    for option in options.OPTIONS:
        option.declare(group.addoption)
        kind: Literal["linelist", "string"] = "linelist" if option.repeats else "string"
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
    if not options.typed(config.option):
        return None
    from labkit.plugin import setup

    setup.refuse_lost_root(config)
    return setup.show_gates(config) if config.option.lab_gates else None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "exercise(id): the tests answer this exercise's question")
    worker = getattr(config, "workerinput", {})
    config.stash[STARTED] = worker.get("lab_started", time.time())
    config.stash[REPORTS] = reports = Reports()
    config.pluginmanager.register(reports, "labkit-reports")
    hooks = (getattr(config.hook, name) for name in (*HOOKS, *SUITE_HOOKS))
    if any(len(hook.get_hookimpls()) > 1 for hook in hooks) and not config.option.help:
        from labkit.plugin.registry import check_own

        check_own(config)
    if options.typed(config.option) and not config.option.help:
        from labkit.plugin import setup

        setup.check_options(config)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Check what can be checked before the first test, if any test will need it."""
    option = session.config.option
    planned = option.collectonly or getattr(option, "setupplan", False)
    if planned or not any(map(items.is_labs, session.items)):
        return
    if session.testsfailed and not option.continue_on_collection_errors:
        return
    from labkit.plugin import setup

    items.check_exercises(session.items)
    setup.begin(session.config)


def pytest_runtest_setup(item: pytest.Item) -> None:
    session, exercise = item.config.stash.get(SESSION, None), items.exercise_of(item)
    if session is None or exercise is None:
        return
    if items.is_answer(item):
        session.asked.add(exercise)
        session.modules[exercise] = item.path
    gate = items.gate_of(item)
    if gate and gate not in session.limits:
        from labkit.evaluation.gates import why_without

        pytest.skip(why_without(gate, session.registry.gates))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes an exercise's `answer` and a `gate` once for each of its gates."""
    asks = {"answer", "gate", items.ROOT} <= set(metafunc.fixturenames)
    if asks and (exercise := items.exercise_of(metafunc.definition)):
        from labkit.evaluation.gates import gates_of
        from labkit.plugin.registry import registry_of

        found = gates_of(exercise, registry_of(metafunc.config).gates)
        metafunc.parametrize("gate", [gate.name for gate in found])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give a gate's test the measured values as properties, which `--junitxml` writes.

    With `--lab-report-only` a failed claim of the lab is shown and does not fail the run; a stage
    that could not be computed, or a test of something else, fails as ever.
    """
    session, exercise = item.config.stash.get(SESSION, None), items.exercise_of(item)
    if session is None or exercise is None:
        return (yield)
    gate, answer = items.gate_of(item), session.answers.get(exercise)
    if call.when == "call" and gate and answer is not None:
        item.user_properties.extend(answer.properties(gate))
    report = yield
    if items.is_answer(item):
        setattr(report, EXERCISE, exercise)
    failure = call.excinfo if call.when == "call" else None
    claim_failed = failure and failure.errisinstance(AssertionError)
    if claim_failed and item.config.option.lab_report_only:
        report.outcome, report.wasxfail = "skipped", options.REPORT_ONLY  # pytest's "xfailed"
    return report


@pytest.hookimpl(wrapper=True, trylast=True)  # inside the terminal's own, which closes the run
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    config = session.config
    lab_session = config.stash.get(SESSION, None)
    if lab_session is None:
        return (yield)
    if hasattr(config, "workeroutput"):
        from labkit.plugin import outcome

        config.workeroutput["lab"] = lab_session.pack()
        config.workeroutput["predictions"] = outcome.send_predictions(lab_session)
        return (yield)
    from labkit.plugin import outcome

    lab_session.tests = outcome.results(config)
    lab_session.asked |= outcome.asked(config)
    result = yield
    if not lab_session.asked:
        return result
    lab_session.interrupted = session.exitstatus == pytest.ExitCode.INTERRUPTED
    try:
        config.stash[NOT_PINNED] = outcome.finish(config, lab_session)
    except (OSError, LabError) as error:  # a full disk, a lock: the answers are shown still
        config.stash[NOT_WRITTEN] = str(error)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
    if session.exitstatus == pytest.ExitCode.OK and not config.option.lab_report_only:
        all_held = lab_session.holds and not config.stash.get(NOT_PINNED, "")
        session.exitstatus = pytest.ExitCode(0 if all_held else 1)
    return result


def pytest_terminal_summary(
    terminalreporter: "pytest.TerminalReporter", config: pytest.Config
) -> None:
    session, typed = config.stash.get(SESSION, None), options.typed(config.option)
    if session is None and not typed:
        return
    from labkit.plugin import terminal

    if session is not None and session.asked:
        reasons = (config.stash.get(key, "") for key in (NOT_PINNED, NOT_WRITTEN))
        terminal.write_outcome(terminalreporter, session, *reasons)
    elif session is None and config.stash[REPORTS].seen:
        terminalreporter.write_line(terminal.nothing_asked(typed), yellow=True)
