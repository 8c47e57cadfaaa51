"""The page in a real browser: whole, silent, readable, and safe with any text."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from labkit.exercises import EXERCISES
from tests.report.conftest import HOSTILE, open_page, unfold
from tests.running import ROOT

WIDTHS = (360, 1440)
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


def serious_problems(browser):
    """What axe finds to keep somebody from reading the page, with the first places of each."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed (npm install --no-save axe-core)")
    browser.execute_script(AXE.read_text())
    found = browser.execute_async_script(
        "const done = arguments[arguments.length - 1]; axe.run().then(r => done(r.violations))"
    )
    return [
        (violation["id"], [node["html"][:120] for node in violation["nodes"][:3]])
        for violation in found
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.fixture
def page(browser, parallel_run):
    """The page of the run on hostile posts, as wide as a desk."""
    browser.get_log("browser")  # forget what earlier pages left
    browser.get_log("performance")
    open_page(browser, parallel_run.page, 1440)
    return browser


def test_it_shows_six_answers_with_their_numbers(page, parallel_run):
    sections = page.find_elements("css selector", "main .answer:not(.next)")
    assert [section.get_attribute("id") for section in sections] == [e.id for e in EXERCISES]
    for section, answer in zip(sections, parallel_run.answers["answers"], strict=True):
        assert answer["question"] in section.text
        shown = [line.text for line in section.find_elements("css selector", ".sentence")]
        assert "\n\n".join(shown) == answer["answer"]
        failing = [gate["name"] for gate in answer["gates"] if not gate["holds"]]
        shown = section.find_elements("css selector", ".gates code")
        assert [name.text for name in shown] == failing


def test_every_gate_stands_at_the_end_with_its_numbers(page, parallel_run):
    unfold(page)
    gates = page.find_element("css selector", ".all-gates")
    assert gates.location["y"] > page.find_element("tag name", "main").location["y"]
    for answer in parallel_run.answers["answers"]:
        for gate in answer["gates"]:
            assert f"{gate['name']} measured" in gates.text


def test_the_top_says_what_was_run(page, parallel_run):
    top = page.find_element("css selector", "header.top").text
    for fact in ("profile", "base_model", "data", "verdict"):
        assert parallel_run.answers[fact] in top
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d", top)
    assert page.find_element("css selector", ".overview").location["y"] < 900


def test_the_story_comes_first_in_two_numbers(page, parallel_run):
    values = {answer["id"]: answer["values"] for answer in parallel_run.answers["answers"]}
    story = page.find_element("id", "story")
    assert story.location["y"] < page.find_element("id", "verdict").location["y"]
    tuned, margin = (values["fine_tune"][name] for name in ("fine_tuned_accuracy", "margin"))
    assert f"{100 * (tuned - margin):.1f} %" in story.text
    assert f"{100 * values['fine_tune']['fine_tuned_accuracy']:.1f} %" in story.text
    assert f"{values['training_data']['train_posts']} labelled posts" in story.text


def test_every_plot_is_drawn_and_described_and_says_how_to_read_it(page):
    plots = page.execute_script(
        "return [...document.querySelectorAll('main .drawing')].map(d => ({alt: d.ariaLabel,"
        "shapes: d.querySelectorAll('path, image, use').length, drawn: d.innerHTML,"
        "how: d.closest('figure').querySelector('.how')?.textContent ?? ''}))"
    )
    assert len(plots) >= 8
    assert all(plot["shapes"] >= 3 for plot in plots)
    assert all(len(plot["alt"]) > 40 for plot in plots)
    assert all(plot["how"].endswith(".") for plot in plots)
    assert len({plot["drawn"] for plot in plots}) == len(plots)  # none is shown twice
    assert (
        page.execute_script(
            "const ids = [...document.querySelectorAll('[id]')].map(e => e.id);"
            "return ids.filter((id, i) => ids.indexOf(id) !== i)"
        )
        == []
    )


def test_plots_are_dark_in_dark_mode(browser, parallel_run):
    """Lines and texts take the page's colours, and nothing white lies behind them."""
    inks = {}
    for dark in (False, True):
        open_page(browser, parallel_run.page, 1440, dark)
        inks[dark] = browser.execute_script(
            "return [...document.querySelectorAll('main .drawing text')].map("
            "t => getComputedStyle(t).fill)"
        )
        grounds = browser.execute_script(
            "return [...document.querySelectorAll('main .drawing [id$=patch_1] path')].map("
            "p => getComputedStyle(p).fill)"
        )
        assert set(grounds) <= {"none"}
    changed = [a != b for a, b in zip(inks[False], inks[True], strict=True)]
    assert sum(changed) > 0.9 * len(changed)  # all but the numbers on a heat map's cells


def test_nothing_is_requested_and_nothing_is_wrong(page, parallel_run):
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    own = parallel_run.page.as_uri()
    assert own in urls
    assert {url for url in urls if not url.startswith((own, "data:"))} == set()
    assert page.get_log("browser") == []
    assert parallel_run.page.stat().st_size < 3 * 2**20


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overflows_sideways(browser, parallel_run, width, dark):
    open_page(browser, parallel_run.page, width, dark)
    unfold(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def results(page):
    """The page's tests: id, outcome, whether it can be seen as the page opens, and its message."""
    return page.execute_script(
        "return [...document.querySelectorAll('.results > table > tbody > tr')].map(row => ({"
        "test: row.querySelector('code').textContent,"
        "outcome: row.closest('.results').className.replace('results ', ''),"
        "seen: row.checkVisibility(),"
        "message: row.querySelector('td > pre, .reason')?.textContent ?? ''}))"
    )


def outcome(case):
    """The outcome of a test case of JUnit XML, in pytest's words."""
    words = {"failure": "failed", "error": "error", "skipped": "skipped"}
    return next((words[part.tag] for part in case if part.tag in words), "passed")


def test_every_test_stands_under_the_answers_with_its_outcome(page, lab_folder):
    order = page.execute_script(
        "return ['#story', '#verdict', 'main', '.all-gates', '.tests', '.stages'].map("
        "s => document.querySelector(s).getBoundingClientRect().top)"
    )
    assert order == sorted(order)
    cases = list(ElementTree.parse(lab_folder / "junit.xml").getroot().iter("testcase"))
    assert len(cases) > 60
    names = [
        f"{case.attrib['classname'].replace('.', '/')}.py::{case.attrib['name']}" for case in cases
    ]
    shown = [(result["test"], result["outcome"]) for result in results(page)]
    assert sorted(shown) == sorted(zip(names, map(outcome, cases), strict=True))


def test_what_failed_stands_open_with_its_message_and_the_rest_is_folded(browser, every_way_run):
    open_page(browser, every_way_run.page, 1440)
    found = {result["test"]: result for result in results(browser)}
    failed = [f"test_it.py::test_failed[{text}]" for text in HOSTILE]
    others = ("passed", "skipped", "error", "xfailed")
    assert found.keys() == {*failed, *(f"test_it.py::test_{other}" for other in others)}
    for text, test in zip(HOSTILE, failed, strict=True):
        assert (found[test]["outcome"], found[test]["seen"]) == ("failed", True)
        assert found[test]["message"].startswith(f"found {text}\n")
    for other in others:
        result = found[f"test_it.py::test_{other}"]
        assert (result["outcome"], result["seen"]) == (other, other == "error")
    assert found["test_it.py::test_error"]["message"] == f"ValueError: {HOSTILE[1]}"
    assert found["test_it.py::test_skipped"]["message"] == f"not here {HOSTILE[0]}"
    shown = browser.find_element("css selector", ".counts").text
    assert shown == "1 error, 5 failed, 1 passed, 1 skipped, 1 xfailed"


def test_text_of_tests_stays_text(browser, every_way_run):
    """In ids, messages and captured output."""
    open_page(browser, every_way_run.page, 1440)
    unfold(browser)
    details = browser.execute_script(
        "return [...document.querySelectorAll('.results details pre')].map(p => p.textContent)"
    )
    for text in HOSTILE:
        assert any(f"printed {text}\n" in detail for detail in details)
    assert browser.execute_script("return window.hacked") is None
    assert browser.execute_script("return document.images.length") == 0
    assert browser.execute_script("return document.scripts.length") == 1  # the page's own


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_tests_of_every_outcome_fit_a_phone_and_can_be_read(browser, every_way_run, dark):
    open_page(browser, every_way_run.page, 360, dark)
    unfold(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    assert browser.execute_script(CONTRAST, 4.5) == []
    assert serious_problems(browser) == []


def test_text_from_data_stays_text(page):
    """The few posts that are labelled wrong are all among the mistakes."""
    unfold(page)
    posts = page.execute_script(
        "return [...document.querySelectorAll('#compare .mistakes pre')].map(p => p.textContent)"
    )
    for text in HOSTILE:
        assert any(text in post for post in posts)
    assert "</td>&" in page.find_element("css selector", ".tokenized pre").text
    assert page.execute_script("return window.hacked") is None
    assert page.execute_script("return document.scripts.length") == 1
    assert page.execute_script("return document.querySelectorAll('main img[onerror]').length") == 0


def test_a_script_that_got_in_would_not_run(page, parallel_run, tmp_path):
    """The page's policy runs its own script, by its digest, and no other."""
    policy = page.find_element("css selector", "meta[http-equiv=Content-Security-Policy]")
    rules = policy.get_attribute("content").split("; ")
    assert rules[0] == "default-src 'none'"
    assert re.fullmatch(r"script-src 'sha256-[\w+/]{43}='", rules[-1])
    copy = tmp_path / "lab.html"
    copy.write_text(parallel_run.page.read_text().replace("</main>", f"{''.join(HOSTILE)}</main>"))
    open_page(page, copy, 1440)
    assert page.execute_script("return window.hacked") is None
    assert any("Content Security Policy" in entry["message"] for entry in page.get_log("browser"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_stands_out_from_its_background(browser, parallel_run, dark):
    """At least 4.5 : 1, the AA level of WCAG 2.2 (success criterion 1.4.3)."""
    open_page(browser, parallel_run.page, 1440, dark)
    unfold(browser)
    assert browser.execute_script(CONTRAST, 4.5) == []
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", paper)[:3])) / 3
    assert brightness < 60 if dark else brightness > 200


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_no_serious_problem(browser, parallel_run, width, dark):
    open_page(browser, parallel_run.page, width, dark)
    unfold(browser)
    assert serious_problems(browser) == []


def test_a_sabotaged_run_says_so_at_the_top(browser, parallel_run, sabotaged_run):
    """Shuffled training labels fail the gate that the same posts with true labels hold."""
    held = [gate for a in parallel_run.answers["answers"] for gate in a["gates"] if gate["holds"]]
    assert "fine_tuned_accuracy" in [gate["name"] for gate in held]
    assert sabotaged_run.process.returncode == 1
    open_page(browser, sabotaged_run.page, 1440)
    verdict = browser.find_element("id", "verdict")
    assert re.match(r"✗ \d+ of \d+ gates do not hold: .*fine_tuned_accuracy", verdict.text)
    assert verdict.location["y"] < 200
    red, green, blue = map(int, re.findall(r"\d+", verdict.value_of_css_property("color"))[:3])
    assert red > 150
    assert max(green, blue) < 80
    failures = browser.find_element("css selector", "section.failures").text
    assert "The fine-tuned model is right on most of the posts" in failures
