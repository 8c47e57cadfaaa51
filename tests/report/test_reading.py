"""What a learner does with the page: open, look up, point, tap, walk through it by keyboard, print."""

import base64
import re

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from labkit.exercises import BY_ID, EXERCISES
from labkit.report.glossary import terms
from labkit.report.lesson import read_lesson
from tests.report.conftest import open_page
from tests.running import ROOT


@pytest.fixture
def page(browser, parallel_run):
    open_page(browser, parallel_run.page, 1280)
    return browser


def text_of(page, selector):
    return page.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector
    )


@pytest.mark.parametrize("exercise", [e.id for e in EXERCISES])
def test_the_source_shown_is_that_of_the_module_that_ran(page, exercise):
    """With its path and line; so a copy that somebody forgot to renew would be found here."""
    (file,) = (ROOT / "tests" / "exercises").glob(f"test_*_{exercise}.py")
    places = text_of(page, f"#{exercise} .source .place")
    shown = text_of(page, f"#{exercise} .source pre")
    lines = file.read_text().splitlines()
    assert places
    for place, source in zip(places, shown, strict=True):
        found = re.fullmatch(r"(\S+), line (\d+)", place)
        assert found
        path, line = found.groups()
        assert path == f"tests/exercises/{file.name}"
        start, several = int(line) - 1, source.split("\n")
        assert lines[start : start + len(several)] == several
        assert "by_hand" in several[0]


@pytest.mark.parametrize("exercise", [e.id for e in EXERCISES])
def test_an_answer_asks_for_a_prediction_and_has_commands_to_try(page, exercise):
    (predict,) = text_of(page, f"#{exercise} .predict")
    assert predict.startswith("Predict first: ")
    assert f"pytest -k {exercise.split('_')[0]}" in predict
    commands = text_of(page, f"#{exercise} .try pre")
    assert len(commands) == len(BY_ID[exercise].tries) >= 2
    assert not [command for command in commands if "{" in command]


def test_everything_but_the_answers_is_folded_where_all_is_well(page, parallel_run):
    opened = page.execute_script(
        "return [...document.querySelectorAll('details[open]')].map(d => d.className)"
    )
    failing = [g for a in parallel_run.answers["answers"] for g in a["gates"] if not g["holds"]]
    assert opened == ([""] if failing else []) + ["results failed"] * bool(
        parallel_run.answers["failed_tests"]
    )


def test_a_term_is_explained_where_it_stands(page):
    """By click, by keyboard, and without any script of the page's own."""
    term = page.find_element("css selector", "#compare .sentence .term")
    meaning = page.find_element("id", term.get_attribute("popovertarget"))
    is_open = "return arguments[0].matches(':popover-open')"
    assert not page.execute_script(is_open, meaning)
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", term)
    term.click()
    assert page.execute_script(is_open, meaning)
    box = page.execute_script("return arguments[0].getBoundingClientRect().toJSON()", meaning)
    assert 0 <= box["top"] < box["bottom"] <= 900  # in sight, wherever the page stands
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    assert not page.execute_script(is_open, meaning)
    term.send_keys(Keys.ENTER)
    assert page.execute_script(is_open, meaning)
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    decoration = term.value_of_css_property("text-decoration-style")
    assert decoration == "dotted"


def test_every_marked_term_is_in_the_glossary(page):
    targets = page.execute_script(
        "return [...document.querySelectorAll('.term')].map(t => t.getAttribute('popovertarget'))"
    )
    terms = page.execute_script(
        "return [...document.querySelectorAll('.terms > p')].map(t => [t.id, t.textContent])"
    )
    assert len(set(targets)) > 15
    assert set(targets) <= {id for id, _ in terms}
    assert all(len(text) > 40 for _, text in terms)


def middle(page, mark):
    return page.execute_script(
        "arguments[0].scrollIntoView({block: 'center'});"
        "const b = arguments[0].getBoundingClientRect();"
        "return [b.left + b.width / 2, b.top + b.height / 2]",
        mark,
    )


def halos(page):
    """Where the rings of the post that is looked at stand, of both planes; none for none."""
    return page.execute_script(
        "return [...document.querySelectorAll('.halo.on')].map("
        "h => [h.cx.baseVal.value, h.cy.baseVal.value])"
    )


def places(page, row):
    """Where the marks of a post stand in both planes."""
    return page.execute_script(
        "return [...document.querySelectorAll('svg.plane')].map(s => {"
        "const m = s.querySelectorAll('.mark')[arguments[0]];"
        "return [m.x.baseVal.value, m.y.baseVal.value]})",
        row,
    )


def shown(page):
    return page.find_element("css selector", ".planes .shown").text


@pytest.mark.parametrize("plane", [0, 1], ids=["before", "after"])
def test_pointing_at_a_mark_shows_its_post_in_both_planes(page, plane):
    svg = page.find_elements("css selector", "svg.plane")[plane]
    mark = svg.find_elements("css selector", ".mark")[7]
    x, y = middle(page, mark)
    page.execute_cdp_cmd(
        "Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y, "pointerType": "mouse"}
    )
    (row,) = (i for i in range(64) if places(page, i) == halos(page))
    (post,) = text_of(page, f".planes .posts li:nth-child({row + 1}) p:last-child")
    assert post in shown(page)
    assert "the model says" in shown(page)
    assert places(page, row)[plane] == pytest.approx(places(page, 7)[plane], abs=8)


def test_a_tap_does_it_on_a_phone(browser, parallel_run):
    open_page(browser, parallel_run.page, 360)
    mark = browser.find_elements("css selector", "svg.plane .mark")[3]
    x, y = middle(browser, mark)
    touch = {"touchPoints": [{"x": x, "y": y}]}
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchStart", **touch})
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert len(halos(browser)) == 2
    assert "the model says" in shown(browser)


def test_the_keyboard_walks_from_mark_to_mark(page):
    """One stop of Tab for a plane, arrow keys from there, Escape to leave."""
    stops = page.find_elements("css selector", "svg.plane [tabindex='0']")
    assert len(stops) == 2
    page.execute_script("arguments[0].focus()", stops[0])
    first = shown(page)
    assert "the model says" in first
    keys = (Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ARROW_DOWN, Keys.ARROW_UP)
    seen = {first}
    for key in keys:
        ActionChains(page).send_keys(key).perform()
        seen.add(shown(page))
    assert len(seen) > 1
    assert len(page.find_elements("css selector", "svg.plane [tabindex='0']")) == 2
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    assert halos(page) == []


def test_a_filter_leaves_the_posts_that_were_got_wrong(page):
    wrong = page.execute_script("return document.querySelectorAll('.posts [data-wrong]').length")
    assert wrong > 0  # the hostile posts are labelled wrong
    page.execute_script(
        "const s = document.querySelector('.planes select'); s.value = '*wrong';"
        "s.dispatchEvent(new Event('change'))"
    )
    left = page.execute_script(
        "return [...document.querySelectorAll('svg.plane')].map(s => "
        "[...s.querySelectorAll('.mark')].filter(m => getComputedStyle(m).visibility === 'visible').length)"
    )
    assert left == [wrong, wrong]
    rings = page.execute_script("return document.querySelectorAll('svg.plane .ring').length")
    assert rings == 2 * wrong


def test_without_script_it_is_still_a_picture_with_names(browser, parallel_run, tmp_path):
    copy = tmp_path / "lab.html"
    source = parallel_run.page.read_text()
    copy.write_text(source[: source.index("<script>")] + "</body></html>")
    open_page(browser, copy, 1280)
    planes = browser.find_elements("css selector", "svg.plane")
    assert [plane.get_attribute("role") for plane in planes] == ["img", "img"]
    for plane in planes:
        marks = plane.find_elements("css selector", ".mark")
        titles = plane.find_elements("css selector", ".mark title")
        assert len(marks) == len(titles) == 64
        assert all(mark.size["width"] > 3 for mark in marks[:5])
    assert not browser.find_element("css selector", ".filter").is_displayed()


def test_print_opens_what_is_folded(page):
    printed = page.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"]
    assert base64.b64decode(printed).startswith(b"%PDF")
    page.execute_script(
        "dispatchEvent(new Event('beforeprint'));"
        "window.folded = document.querySelectorAll('details:not([open])').length;"
        "dispatchEvent(new Event('afterprint'))"
    )
    assert page.execute_script("return window.folded") == 0
    assert page.execute_script("return document.querySelectorAll('details:not([open])').length") > 5


@pytest.mark.parametrize("width", [360, 1280])
def test_no_column_and_no_plot_is_clipped(browser, parallel_run, width):
    open_page(browser, parallel_run.page, width)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    clipped = browser.execute_script(
        "return [...document.querySelectorAll('.scroll, .drawing, .plane, .panels')].filter("
        "e => e.scrollWidth > e.clientWidth + 1).map(e => e.ariaLabel || e.className)"
    )
    assert clipped == []


def test_a_wide_table_is_cards_on_a_phone_and_a_table_on_a_desk(browser, parallel_run):
    """Each cell with the name of its column, since the header is gone."""
    shown = {}
    for width in (360, 1280):
        open_page(browser, parallel_run.page, width)
        shown[width] = browser.execute_script(
            "const cell = document.querySelector('.wide .lab-table tbody td');"
            "return [getComputedStyle(cell.closest('tr')).display,"
            "getComputedStyle(cell, '::before').content.includes(cell.dataset.name)]"
        )
    assert shown == {360: ["block", True], 1280: ["table-row", False]}


def test_the_glossary_is_folded_and_opens_whole(page):
    seen = (
        "return [...document.querySelectorAll('.terms > p')].filter("
        "p => p.checkVisibility({visibilityProperty: true})).length"
    )
    assert page.execute_script(seen) == 0
    page.find_element("css selector", ".all-terms > summary").click()
    assert page.execute_script(seen) == len(terms())
    box = page.find_element("css selector", ".terms")
    assert page.execute_script("return arguments[0].scrollWidth <= arguments[0].clientWidth", box)


def test_a_warm_page_says_when_its_numbers_were_computed(browser, warm_run):
    open_page(browser, warm_run.page, 1280)
    facts = browser.find_element("css selector", ".facts").text
    assert re.search(r"from the store, computed (between )?\d{4}-\d\d-\d\d \d\d:\d\d", facts)


def test_the_page_ends_with_the_command_for_a_sentence_of_ones_own(page, parallel_run):
    (command,) = text_of(page, ".next pre")
    assert re.fullmatch(r'labkit predict \S+/model "your sentence"', command)
    assert command in parallel_run.process.stdout


def test_a_module_without_a_lesson_shows_none(tmp_path):
    file = tmp_path / "test_own.py"
    file.write_text('"""Our own exercise."""\n\n\ndef test_something():\n    pass\n')
    lesson = read_lesson(file, tmp_path)
    assert (lesson.path, lesson.see, lesson.predict) == ("test_own.py", (), "")
    assert lesson.excerpts == ()
