"""The pytest plugin: options, header, fixtures, and what happens when the tests are over.

Hooks here are thin; the work is in `labkit.session`, `labkit.lab` and `labkit.report`. Nothing at
the top of this module imports torch, so `pytest --help` and `--collect-only` stay quick.
"""

import json
import os
import time
from collections.abc import Generator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labkit import gates, history, options, profiles, settings_file, tracking
from labkit.config import LabConfig, local_path
from labkit.errors import LabError
from labkit.exercises import BY_ID
from labkit.hardware import share_cpus
from labkit.processes import place
from labkit.session import Failure, LabSession
from labkit.terminal import TerminalProgress, answer_table, comparison_lines, header, verdict_lines

if TYPE_CHECKING:
    from labkit.answers.model import Answer
    from labkit.lab import Lab

REPORT_ONLY = "--lab-report-only"
# What pytest says of every plugin when it is started again in the same process.
IMPORTED_BEFORE = (
    "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning"
)
SESSION = pytest.StashKey[LabSession]()
PROGRESS = pytest.StashKey[TerminalProgress]()
PAGE = pytest.StashKey[Path]()  # where the report goes
DRAFT = pytest.StashKey[Path]()  # where pytest-html writes its part of it


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
    """Start again where pytest took the value of a lab option for a path to tests.

    pytest looks for its ini file before it knows a plugin's options, so in `--lab-dataset ../data`
    it reads `../data` as a place where tests are and settles on the wrong root folder.
    """
    args = [str(arg) for arg in config.invocation_params.args]
    joined = options.join_paths(args)
    if joined != args:
        return pytest.main([*joined, "-W", IMPORTED_BEFORE], config.invocation_params.plugins)
    return show_gates(config) if config.option.lab_gates else None


def show_gates(config: pytest.Config) -> int:
    """Print the run's gates, as `--markers` prints markers; returns the exit code."""
    config._do_configure()
    session = config.stash[SESSION]
    terminal = config.get_terminal_writer()
    terminal.line(f"Gates of profile {session.config.profile} ({session.why})")
    for line in gates.table_lines(session.limits):
        terminal.line(line)
    config._ensure_unconfigure()
    return 0


@pytest.hookimpl(tryfirst=True)  # before pytest-html reads the path that is set here
def pytest_configure(config: pytest.Config) -> None:
    for library in ("HF_DATASETS", "HF_HUB"):  # their bars would run through pytest's dots
        os.environ.setdefault(f"{library}_DISABLE_PROGRESS_BARS", "1")
    config.addinivalue_line("markers", "exercise(id): the tests answer this exercise's question")
    if config.option.help:
        return
    worker = getattr(config, "workerinput", {})
    share_cpus(worker.get("workercount", 1))
    if place().count > 1:
        raise pytest.UsageError(
            "a launcher started several processes, and pytest is one; train with `labkit "
            "fine-tune FOLDER` under the launcher, then measure with --lab-fine-tuned FOLDER"
        )
    try:
        settings = read_settings(config)
        choice = choose_profile(config, settings["profile"] or "auto")
        lab_config = options.apply(choice.profile, settings)
        check_paths(lab_config)
        trains = lab_config.fine_tuned is None
        limits = gates.thresholds(lab_config.profile, settings["gate"], trains)
        history.with_tolerances(settings["tolerance"])
        reports = Path(config.invocation_params.dir, settings["reports"] or "reports")
        compared = config.option.lab_compare
        baseline = None if compared is None else history.find(compared, reports)
        started = worker.get("lab_started", time.time())
        # The controller of xdist's workers logs for all of them.
        asked = None if worker or config.option.collectonly else settings["report-to"]
        tracker = tracking.run_in(asked, reports, history.new_run_name(started))
    except LabError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[PROGRESS] = TerminalProgress(
        lambda: terminal_reporter(config), lambda: uncaptured(config), config.option.verbose
    )
    config.stash[SESSION] = LabSession(
        config=lab_config,
        limits=limits,
        baseline=baseline,
        tolerances=settings["tolerance"],
        why=choice.why,
        reports=reports,
        cache=cache_folder(config),
        started=started,
        fresh=config.option.lab_fresh,
        progress=config.stash[PROGRESS],
        tracker=tracker,
    )
    # Hypothesis writes tables and found examples; here they do not litter the current folder.
    cache = config.stash[SESSION].cache
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache / "hypothesis"))
    draw_page(config)


def choose_profile(config: pytest.Config, name: str) -> profiles.Choice:
    """The profile that runs; an xdist worker takes the controller's."""
    if config.option.collectonly:
        return profiles.Choice(profiles.EMBEDDED, "not needed to collect")
    if hasattr(config, "workerinput"):
        profile, why = config.workerinput["lab_profile"]
        return profiles.Choice(profiles.PROFILES[profile], why)
    return profiles.choose(name)


def read_settings(config: pytest.Config) -> dict[str, Any]:
    """Every option's value by name: command line, else TOML file, else ini file, else None."""
    typed, ini = {}, {}
    for option in options.OPTIONS:
        value = config.getoption(option.key)
        typed[option.name] = dict(value) if option.repeats and value else value
        if lines := config.getini(option.key):
            ini[option.name] = options.parse_ini(option, lines if option.repeats else [lines])
    file = settings_file.find(config.rootpath, config.option.lab_config)
    return options.merge(typed, settings_file.read(file) if file else {}, ini)


def check_paths(config: LabConfig) -> None:
    """Raise LabError for a path that is not there, before anything is imported or collected."""
    local_path("--lab-dataset", config.data.source)
    local_path("--lab-base-model", config.base_model.source)
    if config.fine_tuned:
        local_path("--lab-fine-tuned", config.fine_tuned.source)


def cache_folder(config: pytest.Config) -> Path:
    """The store's folder inside pytest's cache, so that `--cache-clear` empties it."""
    try:
        return Path(config.rootpath, config.getini("cache_dir"), "d", "labkit")
    except ValueError:
        raise pytest.UsageError(
            "the lab keeps its results in pytest's cache; leave out -p no:cacheprovider"
        ) from None


def draw_page(config: pytest.Config) -> None:
    """Have pytest-html write its table of tests to a draft, which becomes a part of the report.

    `--html PATH` names the place of the report.
    """
    if config.option.collectonly or hasattr(config, "workerinput"):
        return
    session = config.stash[SESSION]
    path = getattr(config.option, "htmlpath", None)
    config.stash[PAGE] = Path(path) if path else session.reports / "lab.html"
    if config.pluginmanager.hasplugin("html"):
        config.stash[DRAFT] = session.cache / f"draft-{os.getpid()}.html"
        config.option.htmlpath = str(config.stash[DRAFT])
        config.option.self_contained_html = True


def terminal_reporter(config: pytest.Config) -> Any:
    """pytest's terminal; None in an xdist worker, whose own nobody sees."""
    if hasattr(config, "workerinput"):
        return None
    return config.pluginmanager.get_plugin("terminalreporter")


def uncaptured(config: pytest.Config) -> Any:
    """A context in which pytest's output capture is off."""
    manager = config.pluginmanager.get_plugin("capturemanager")
    return manager.global_and_fixture_disabled() if manager else nullcontext()


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
    session = config.stash[SESSION]
    try:
        session.lab.check_inputs()
        if session.tracker:
            session.tracker.begin()
    except LabError as error:
        raise pytest.UsageError(str(error)) from None
    finally:
        config.stash[PROGRESS].settle()


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
        session.asked.add(exercise)
        parameters = getattr(item, "callspec", None)
        gate = parameters and parameters.params.get("gate")
        if gate and gate not in session.limits:
            pytest.skip("a gate of training; this model was trained elsewhere")


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> "Lab":
    """The stages of this run, each built when first asked for."""
    return pytestconfig.stash[SESSION].lab


@pytest.fixture(scope="module")
def answer(request: pytest.FixtureRequest, lab: "Lab") -> "Answer":
    """The measured answer to the exercise that the test module is marked with."""
    marker = request.node.get_closest_marker("exercise")
    return request.config.stash[SESSION].answer(marker.args[0])


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
    item.config.stash[PROGRESS].settle()  # before the dot of this test
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
    result = yield
    if lab_session is not None and PAGE in config.stash:
        write_report(config, lab_session)
        if lab_session.regressions and not config.option.lab_report_only:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        if lab_session.answers:
            keep_record(config, lab_session, lab_session.holds and not session.exitstatus)
            others = [lab_session.reports / name for name in ("answers.json", "summary.md")]
            lab_session.track([config.stash[PAGE], *others])
    retire_html_plugin(config)
    return result


def write_report(config: pytest.Config, session: LabSession) -> None:
    """Write what the run leaves in its reports folder, if it has asked any exercise."""
    draft = config.stash.get(DRAFT, None)
    tests = draft.read_text(encoding="utf-8") if draft and draft.exists() else None
    if tests:  # a report is passed on: its paths start at the project, not at somebody's home
        tests = tests.replace(f"{config.rootpath}{os.sep}", "")
    if draft:
        draft.unlink(missing_ok=True)
    if session.asked:
        from labkit import report

        session.failures = failures(config)
        report.write(session, tests, config.stash[PAGE])


def keep_record(config: pytest.Config, session: LabSession, passed: bool) -> None:
    """Add the run to the history, and make it the baseline where that was asked for."""
    from labkit.lineage import commit
    from labkit.report import write_atomically

    record = session.record(passed, commit(config.invocation_params.dir))
    record.append(session.reports)
    pin = config.option.lab_pin
    if pin is not None and passed:
        path = Path(config.invocation_params.dir, pin or session.reports / history.BASELINE)
        write_atomically(path, json.dumps(asdict(record), indent=2) + "\n")


def failures(config: pytest.Config) -> list[Failure]:
    """The tests that failed or broke, each with what its exception says."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    stats = reporter.stats if reporter else {}
    found = []
    tolerated = [r for r in stats.get("xfailed", ()) if r.wasxfail == REPORT_ONLY]
    for report in (*stats.get("failed", ()), *stats.get("error", ()), *tolerated):
        crash = getattr(report.longrepr, "reprcrash", None)
        message = crash.message if crash else report.longreprtext
        found.append(Failure(report.nodeid, message.removeprefix("AssertionError: ")))
    return found


def retire_html_plugin(config: pytest.Config) -> None:
    """pytest-html has written the draft; its closing line would name a path that is none."""
    if DRAFT in config.stash:
        for plugin in list(config.pluginmanager.get_plugins()):
            if type(plugin).__name__ == "SelfContainedReport":
                config.pluginmanager.unregister(plugin)


def pytest_testnodedown(node: Any, error: Any) -> None:
    """Take in what a finished xdist worker measured."""
    packed = getattr(node, "workeroutput", {}).get("lab")
    if packed:
        node.config.stash[SESSION].absorb(packed)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    session = config.stash.get(SESSION, None)
    if session is None or not session.asked:
        return
    terminalreporter.section(f"{len(session.asked)} questions, measured")
    for line, markup in (*answer_table(session, config.option.verbose), *verdict_lines(session)):
        terminalreporter.write_line(line, **markup)
    for line, markup in comparison_lines(session):
        terminalreporter.write_line(line, **markup)
    if config.option.lab_pin is not None and not session.holds:
        terminalreporter.write_line("not pinned as the baseline: the run failed", red=True)
    terminalreporter.write_line(f"report: {shortest(config.stash[PAGE])}")


def shortest(path: Path) -> str:
    """The path as seen from here, or in full where it lies elsewhere."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
