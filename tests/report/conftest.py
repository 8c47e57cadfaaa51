"""Runs of the lab on tiny subjects, and a browser to look at what they leave."""

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.running import Finished, run_pytest
from tests.subjects import LABELS, make_post

HOSTILE = (
    "<script>window.hacked = true</script>",
    "<img src=x onerror='window.hacked = true'>",
    "</td></table></pre>",
    "R&D &amp; AT&T &lt;",
    "</script><!--",
)
EVERY_WAY = """
import pytest

pytestmark = pytest.mark.exercise("training_data")
HOSTILE = {hostile!r}


@pytest.mark.parametrize("text", HOSTILE, ids=HOSTILE)
def test_failed(text):
    print("printed", text)
    assert not text, "found " + text


@pytest.fixture
def answer(lab):  # asks the question, and leaves it without an answer
    pass


def test_passed(answer):
    pass


@pytest.mark.skip(reason="not here " + HOSTILE[0])
def test_skipped():
    pass


@pytest.fixture
def broken():
    raise ValueError(HOSTILE[1])


def test_error(broken):
    pass


@pytest.mark.xfail(reason="no reason")
def test_xfailed():
    raise ValueError("as expected")
"""


@dataclass(frozen=True)
class Run:
    """A finished run of the lab: what it printed, and the folder of its reports."""

    process: Finished
    reports: Path

    @cached_property
    def answers(self) -> dict[str, Any]:
        """The content of `answers.json`."""
        return json.loads((self.reports / "answers.json").read_text())

    @property
    def page(self) -> Path:
        return self.reports / "lab.html"


def run_lab(folder: Path, checkpoint: Path, posts: Path, *args: str) -> Run:
    """The six exercises on tiny subjects, with store and reports in `folder`."""
    process = run_pytest(
        *("--capture=fd", "--lab-profile=embedded"),
        *(f"--lab-base-model={checkpoint}", f"--lab-dataset={posts}"),
        *(
            "--lab-max-length=64",
            "--lab-batch-size=16",
            "--lab-learning-rate=3e-3",
            "--lab-epochs=3",
        ),
        *("--lab-gate=fine_tuned_accuracy=0.8", *args),  # on other posts it has no threshold
        folder=folder,
        COLUMNS="80",
        OMP_NUM_THREADS="1",  # another number of threads computes anew, and workers have one each
    )
    return Run(process, folder / "reports")


def write_posts(folder: Path, shuffled: bool = False) -> Path:
    """Tiny posts with markup: a little in each train post, much in a few test posts.

    Those few are labelled wrong, so that the report shows them as mistakes. `shuffled` gives the
    train posts labels that say nothing about their words.
    """
    folder.mkdir()
    rng = random.Random(0)
    for name, size in (("train", 320), ("test", 64)):
        rows = []
        for i in range(size):
            label = i % 2
            text = f"{make_post(LABELS[label], rng)} </td>&"
            if name == "test" and i < len(HOSTILE):
                text, label = f"{text} {HOSTILE[i]}", 1 - label
            if name == "train" and shuffled:
                label = (i // 2) % 2
            rows.append({"text": text, "label": label, "label_text": LABELS[label]})
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


@pytest.fixture(scope="session")
def hostile_posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_posts(tmp_path_factory.mktemp("hostile") / "posts")


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Store and reports that the parallel run fills and the warm run finds."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="session")
def parallel_run(lab_folder: Path, tiny_checkpoint: Path, hostile_posts: Path) -> Run:
    """Everything computed by two pytest-xdist workers, on posts full of markup."""
    xml = f"--junitxml={lab_folder / 'junit.xml'}"
    run = run_lab(lab_folder, tiny_checkpoint, hostile_posts, "-n2", xml)
    shutil.copytree(run.reports, lab_folder / "parallel", ignore=shutil.ignore_patterns("model"))
    return Run(run.process, lab_folder / "parallel")


@pytest.fixture(scope="session")
def warm_run(
    parallel_run: Run, lab_folder: Path, tiny_checkpoint: Path, hostile_posts: Path
) -> Run:
    """The same once more in one process, quietly."""
    return run_lab(lab_folder, tiny_checkpoint, hostile_posts, "-q")


@pytest.fixture(scope="session")
def sabotaged_run(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Run:
    """A run whose training labels say nothing about the posts."""
    folder = tmp_path_factory.mktemp("sabotaged")
    return run_lab(folder, tiny_checkpoint, write_posts(folder / "posts", shuffled=True))


@pytest.fixture(scope="session")
def every_way_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Tests of one exercise that end in every way, with markup in ids, messages and output."""
    folder = tmp_path_factory.mktemp("every-way")
    (folder / "test_it.py").write_text(EVERY_WAY.format(hostile=HOSTILE))
    process = run_pytest("--capture=fd", folder=folder, cwd=folder)
    return Run(process, folder / "reports")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium with its log of requests, or a skip that says what is missing."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium and chromedriver on this machine (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for switch in (
        "--headless=new",
        "--no-sandbox",  # a container's root has none
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    session = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield session
    session.quit()


def open_page(browser: Any, page: Path, width: int, dark: bool = False) -> None:
    """Load a page in a window of `width` pixels, in light or dark mode."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(page.as_uri())


def unfold(browser: Any) -> None:
    """Open every part of the page that a reader can open."""
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
