"""From pytest's options, ini and TOML files to the state of a run."""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labkit import profiles
from labkit.config import LabConfig, local_path
from labkit.errors import LabError
from labkit.evaluation import gates
from labkit.plugin import options, settings_file
from labkit.plugin.outcome import pin_file
from labkit.plugin.session import LabSession
from labkit.plugin.terminal import TerminalProgress
from labkit.runs import history, tracking

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

INI_FILES = ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")


def new_session(config: pytest.Config, worker: Mapping[str, Any]) -> LabSession:
    """The state of this run, from the options; raises LabError for one that cannot be."""
    settings = read_settings(config)
    choice = choose_profile(config, settings["profile"] or "auto")
    lab_config = options.apply(choice.profile, settings)
    check_paths(lab_config)
    history.with_tolerances(settings["tolerance"])
    reports = Path(config.invocation_params.dir, settings["reports"] or "reports")
    compared, baseline = config.option.lab_compare, None
    remarks: tuple[str, ...] = ()
    if compared is not None:
        baseline, remarks = history.find(compared, reports)
    if config.option.lab_pin is not None and (path := pin_file(config, reports)).exists():
        history.load(path, "--lab-pin")  # only a baseline is ever replaced
    started = worker.get("lab_started", time.time())
    # The controller of xdist's workers logs for all of them.
    asked = None if worker or config.option.collectonly else settings["report-to"]
    return LabSession(
        config=lab_config,
        limits=thresholds(lab_config, settings),
        baseline=baseline,
        remarks=remarks,
        tolerances=settings["tolerance"],
        why=choice.why,
        reports=reports,
        cache=cache_folder(config),
        started=started,
        fresh=config.option.lab_fresh,
        progress=TerminalProgress(
            lambda: terminal_reporter(config), lambda: uncaptured(config), config.option.verbose
        ),
        tracker=tracking.run_in(asked, reports, history.new_run_name(started)),
    )


def thresholds(config: LabConfig, settings: dict[str, Any]) -> dict[str, float]:
    """The thresholds of the gates by name."""
    labs_posts = config.data == profiles.PROFILES[config.profile].data
    trains = config.trained_elsewhere is None
    return gates.thresholds(config.profile, settings["gate"], trains, labs_posts)


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
    if config.trained_elsewhere:
        local_path("--lab-fine-tuned", config.trained_elsewhere.source)


def cache_folder(config: pytest.Config) -> Path:
    """The store's folder inside pytest's cache, so that `--cache-clear` empties it."""
    try:
        return Path(config.rootpath, config.getini("cache_dir"), "d", "labkit")
    except ValueError:
        raise pytest.UsageError(
            "the lab keeps its results in pytest's cache; leave out -p no:cacheprovider"
        ) from None


def show_gates(config: pytest.Config) -> int:
    """Print the run's gates, as `--markers` prints markers; returns the exit code."""
    try:
        settings = read_settings(config)
        choice = choose_profile(config, settings["profile"] or "auto")
        limits = thresholds(options.apply(choice.profile, settings), settings)
    except LabError as error:
        raise pytest.UsageError(str(error)) from None
    # There is no terminal reporter yet, and nothing is captured.
    print(f"Gates of profile {choice.profile.profile} ({choice.why})")
    print("\n".join(gates.table_lines(limits)))
    return 0


def refuse_lost_root(config: pytest.Config) -> None:
    """Raise UsageError where pytest took the value of a lab option for a path to tests.

    pytest looks for its ini file before it knows a plugin's options, so in `--lab-dataset ../data`
    it reads `../data` as a place where tests are and settles on the wrong root folder.
    """
    here = config.invocation_params.dir
    near = next(
        (d for d in (here, *here.parents) if any((d / f).is_file() for f in INI_FILES)), None
    )
    if near is None or (config.inipath and config.inipath.parent == near):
        return
    for flag, path in options.separate_paths(config.invocation_params.args):
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
