"""From pytest's options, ini and TOML files to the state of a run."""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

from labkit import profiles
from labkit.config import LabConfig, local_path
from labkit.errors import LabError
from labkit.evaluation import gates
from labkit.plugin import options, settings_file
from labkit.plugin.html import EscapedIds
from labkit.plugin.outcome import pin_file
from labkit.plugin.registry import Registry, registry_of, suite_of
from labkit.plugin.session import LabSession
from labkit.plugin.stash import SESSION, STARTED, speaks_for_all, tell
from labkit.plugin.terminal import TerminalProgress, header
from labkit.plumbing.files import LOCK, check_writable, lock_of, settle
from labkit.plumbing.hardware import share_cpus
from labkit.plumbing.locks import locked
from labkit.plumbing.processes import place
from labkit.runs import history, tracking

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

REPORT = ("answers.json", "summary.md", "lab.html")
ESCAPED_IDS = "labkit-escaped-ids"
INI_FILES = ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")


def lab_session(config: pytest.Config) -> LabSession:
    """The state of this run, made when it is first asked for; raises LabError where it cannot be."""
    if SESSION not in config.stash:
        config.stash[SESSION] = new_session(config, getattr(config, "workerinput", {}))
    return config.stash[SESSION]


def begin(config: pytest.Config) -> None:
    """Make the state, say what will run, and look at the input before the first test does.

    Raises UsageError for what a user can mend; in a worker the controller is told as well.
    """
    from labkit import sources
    from labkit.release.model_folder import check_target

    try:
        session = lab_session(config)
        if config.option.verbose >= 0 and speaks_for_all(config):
            for line in header(session):
                session.progress.say(line)
        check_outputs(config, session)
        sources.check_inputs(session.lab)
        if not session.measures_its_own:
            check_target(session.model)
        if session.tracker:
            session.tracker.begin()
    except LabError as error:
        tell(config, str(error))
        raise pytest.UsageError(str(error)) from None


def check_outputs(config: pytest.Config, session: LabSession) -> None:
    """Raise LabError for a folder or file that the run could not write in the end."""
    check_writable(session.cache)
    model = lock_of(session.model).name
    pinned = pin_file(config, session.reports)
    for folder, names in (
        (session.reports, (*REPORT, history.FILE, history.BASELINE, model)),
        (session.reports / "partial", REPORT),
        (session.reports / history.PREDICTIONS, ()),
        (pinned.parent, (pinned.name,)),
        (pinned.parent / history.PREDICTIONS, ()),
    ):
        check_writable(folder, (*names, LOCK))
        settle(folder)
    if page := config.getoption("htmlpath", None):  # pytest-html's
        check_writable(Path(page).absolute().parent, (Path(page).name,))


def follow(config: pytest.Config) -> None:
    """Begin the run in the tracker, where there is one; raises UsageError where it cannot."""
    try:
        if tracker := lab_session(config).tracker:
            tracker.begin()
    except LabError as error:
        raise pytest.UsageError(str(error)) from None


def new_session(config: pytest.Config, worker: Mapping[str, Any]) -> LabSession:
    """The state of this run, from the options; raises LabError for one that cannot be."""
    if place().count > 1:
        raise LabError(
            "a launcher started several processes, and pytest is one; train with `labkit "
            "fine-tune FOLDER` under the launcher, then measure with --lab-fine-tuned FOLDER"
        )
    if not config.pluginmanager.has_plugin(ESCAPED_IDS):
        config.pluginmanager.register(EscapedIds(), ESCAPED_IDS)
    cache = cache_folder(config)
    prepare_process(cache, worker.get("workercount", 1))
    settings = read_settings(config)
    started = config.stash[STARTED]
    choice = choose_profile(settings["profile"] or "auto", cache, started)
    lab_config = options.apply(choice.profile, settings)
    check_paths(settings)
    registry = registry_of(config)
    history.with_tolerances(settings["tolerance"], registry.metrics)
    reports = Path(config.invocation_params.dir, settings["reports"] or "reports")
    compared, baseline = config.option.lab_compare, None
    remarks: tuple[str, ...] = ()
    if compared is not None:
        baseline, remarks = history.find(compared, reports)
    if config.option.lab_pin is not None and (path := pin_file(config, reports)).exists():
        history.load(path, "--lab-pin")  # only a baseline is ever replaced
    # The controller of xdist's workers logs for all of them.
    asked = None if worker else settings["report-to"]
    return LabSession(
        config=lab_config,
        registry=registry,
        suite=lambda: suite_of(config),
        limits=thresholds(lab_config, settings, registry),
        baseline=baseline,
        remarks=remarks,
        tolerances=settings["tolerance"],
        why=choice.why,
        reports=reports,
        cache=cache,
        started=started,
        fresh=config.option.lab_fresh,
        progress=TerminalProgress(
            lambda: terminal_reporter(config), lambda: uncaptured(config), config.option.verbose
        ),
        tracker=tracking.run_in(asked, reports, history.new_run_name(started)),
    )


def prepare_process(cache: Path, workers: int) -> None:
    """Have the lab's libraries share the cores, and be quiet and tidy in this process.

    Hypothesis writes tables and found examples; here they do not litter the current folder. The
    bars of the Hub's libraries would run through pytest's dots.
    """
    share_cpus(workers)
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache / "hypothesis"))
    for library, variable in (("datasets", "HF_DATASETS"), ("huggingface_hub.utils", "HF_HUB")):
        os.environ.setdefault(f"{variable}_DISABLE_PROGRESS_BARS", "1")
        if library in sys.modules:  # which have read the variable already
            sys.modules[library].disable_progress_bars()


def check_options(config: pytest.Config) -> None:
    """Raise UsageError for settings that cannot be, before anything is imported or collected."""
    try:
        check_paths(read_settings(config))
    except LabError as error:
        raise pytest.UsageError(str(error)) from None


def thresholds(config: LabConfig, settings: dict[str, Any], registry: Registry) -> dict[str, float]:
    """The thresholds of the gates by name."""
    labs_posts = config.data == profiles.PROFILES[config.profile].data
    trains = config.trained_elsewhere is None
    return gates.thresholds(config.profile, settings["gate"], trains, labs_posts, registry.gates)


def choose_profile(name: str, cache: Path, started: float) -> profiles.Choice:
    """The profile that runs; what `auto` means is found out once for all processes of a run."""
    if name != "auto":
        return profiles.choose(name)
    chosen = cache / "profile.json"
    with locked(chosen.with_name(f"{chosen.name}.lock")):
        try:
            before = json.loads(chosen.read_text("utf-8"))
            if before["started"] == started:
                return profiles.Choice(profiles.PROFILES[before["profile"]], before["why"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # the first run, or a damaged file: it is written anew
        choice = profiles.choose(name)
        record = {"started": started, "profile": choice.profile.profile, "why": choice.why}
        chosen.write_text(json.dumps(record), "utf-8")
    return choice


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


def check_paths(settings: Mapping[str, Any]) -> None:
    """Raise LabError for a path that is not there."""
    for name in ("dataset", "base-model", "fine-tuned"):
        if settings[name]:
            local_path(f"--lab-{name}", settings[name])


def cache_folder(config: pytest.Config) -> Path:
    """The store's folder inside pytest's cache, so that `--cache-clear` empties it."""
    cache = getattr(config, "cache", None)
    if cache is None:
        raise LabError("the lab keeps its results in pytest's cache; leave out -p no:cacheprovider")
    try:
        folder: Path = cache.mkdir("labkit")
        with FileLock(folder / "writable.lock"):
            return folder
    except OSError as error:
        raise LabError(
            f"the lab keeps its results in pytest's cache, which cannot be written: {error}"
        ) from None


def show_gates(config: pytest.Config) -> int:
    """Print the run's gates, as `--markers` prints markers; returns the exit code."""
    try:
        settings = read_settings(config)
        choice = profiles.choose(settings["profile"] or "auto")
        registry = registry_of(config)
        limits = thresholds(options.apply(choice.profile, settings), settings, registry)
    except LabError as error:
        raise pytest.UsageError(str(error)) from None
    # There is no terminal reporter yet, and nothing is captured.
    print(f"Gates of profile {choice.profile.profile} ({choice.why})")
    print("\n".join(gates.table_lines(limits, registry.gates, registry.exercises)))
    return 0


def refuse_lost_root(config: pytest.Config) -> None:
    """Raise UsageError where pytest took the value of a lab option for a path to tests.

    pytest looks for its ini file before it knows a plugin's options, so in `--lab-dataset ../data`
    it reads `../data` as a place where tests are and settles on the wrong root folder.
    """
    paths = options.separate_paths(config.invocation_params.args)
    here = config.invocation_params.dir
    near = next(
        (d for d in (here, *here.parents) if any((d / f).is_file() for f in INI_FILES)), None
    )
    if near is None or (config.inipath and config.inipath.parent == near):
        return
    for flag, path in paths:
        raise pytest.UsageError(
            f"{flag} {path}: pytest took the path for one to tests; write {flag}={path}"
        )


def terminal_reporter(config: pytest.Config) -> "pytest.TerminalReporter | None":
    """pytest's terminal; None in an xdist worker, whose own nobody sees."""
    if hasattr(config, "workerinput"):
        return None
    return config.pluginmanager.get_plugin("terminalreporter")


def uncaptured(config: pytest.Config) -> "AbstractContextManager[None]":
    """A context in which pytest's output capture is off."""
    manager = config.pluginmanager.get_plugin("capturemanager")
    return manager.global_and_fixture_disabled() if manager else nullcontext()
