"""The property tests fail on a kit that is wrong: each is run once on a sabotaged part."""

import re
import xml.etree.ElementTree as ET

import pytest

from tests.running import run_pytest

PROPERTIES = {  # by the part that is broken, with what each says of it
    "pooling": {
        "test_model_input_properties.py::test_mean_pooling_ignores_padding": "Not equal to"
    },
    "similarity": {"test_similarity_properties.py::test_it_is_symmetric_and_bounded": "<= 1"},
    "split": {
        "test_splits_properties.py::test_each_class_has_its_share_within_one_post": "assert",
        "test_splits_properties.py::test_another_seed_draws_other_posts": "assert",
    },
    "macro-f1": {
        "test_metrics_properties.py::test_confusion_and_macro_f1_are_those_of_scikit_learn": "±"
    },
    "store": {"test_store_properties.py::TestStoredModels::runTest": r"weights\.bin|Error"},
}


def run_properties(folder, ids, *args):
    """Run property tests; their failures by name, None for one that passes."""
    xml = folder / "junit.xml"
    done = run_pytest(
        *("-p", "tests.sabotage.saboteur", "--hypothesis-profile=hasty", f"--junitxml={xml}"),
        *args,
        *(f"tests/properties/{test}" for test in ids),
        folder=folder,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = {}
    for case in ET.parse(xml).iter("testcase"):
        failure = case.find("failure")
        found[case.attrib["name"]] = None if failure is None else failure.attrib["message"]
    return found


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """All of them on the kit as it is."""
    every = [test for tests in PROPERTIES.values() for test in tests]
    return run_properties(tmp_path_factory.mktemp("sound"), every)


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """All of them on a kit with every part broken; a property looks at one of the parts only."""
    every = [test for tests in PROPERTIES.values() for test in tests]
    parts = [f"--break={part}" for part in PROPERTIES]
    return run_properties(tmp_path_factory.mktemp("broken"), every, *parts)


@pytest.mark.parametrize("part", PROPERTIES)
def test_the_properties_hold_on_the_kit_as_it_is_and_fail_on_a_broken_part(sound, broken, part):
    for test, message in PROPERTIES[part].items():
        name = test.rpartition("::")[2]
        assert sound[name] is None
        assert re.search(message, broken[name] or "nothing failed")
