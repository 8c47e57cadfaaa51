"""The bounds of settings hold wherever a setting comes from: code, records, files, command line."""

import math
from argparse import ArgumentTypeError
from dataclasses import replace

import pytest

from labkit.config import LabConfig, Recipe, Selection, settings_of
from labkit.errors import LabError
from labkit.plugin import options, settings_file
from labkit.plumbing.results import plain, rebuild
from labkit.profiles import EMBEDDED

BOUNDED = [
    (part, name, field, about)
    for part in (LabConfig, Selection, Recipe)
    for name, (field, about) in settings_of(part).items()
    if about.low is not None
]


def outside(field, about):
    """The numbers next to the bounds that are not within; of a real setting those that are none."""
    real = field.type is float
    below = math.nextafter(about.low, -math.inf) if real else about.low - 1
    found = [about.low if about.open else below]
    if about.high is not None:
        found.append(math.nextafter(about.high, math.inf) if real else about.high + 1)
    return found + [math.nan, math.inf, -math.inf] * real


def inside(field, about):
    """The bounds themselves, or the number next to one that does not count."""
    low = math.nextafter(about.low, math.inf) if about.open else about.low
    return [low] if about.high is None else [low, about.high]


def cases(numbers):
    return [
        pytest.param(part, name, field.name, value, id=f"{part.__name__}-{name}-{value}")
        for part, name, field, about in BOUNDED
        for value in numbers(field, about)
    ]


OUTSIDE = pytest.mark.parametrize(("part", "name", "field", "value"), cases(outside))
INSIDE = pytest.mark.parametrize(("part", "name", "field", "value"), cases(inside))


def test_the_numbers_among_the_settings_have_bounds():
    numbers = {int, float, int | None, float | None}
    of_numbers = {
        (part, name)
        for part in (LabConfig, Selection, Recipe)
        for name, (field, _) in settings_of(part).items()
        if field.type in numbers
    }
    assert of_numbers == {(part, name) for part, name, _, _ in BOUNDED}


def default(part):
    return EMBEDDED if part is LabConfig else part()


@OUTSIDE
def test_no_object_is_made_with_a_number_out_of_bounds(part, name, field, value):
    message = f"^--lab-{name}: .* is out of range, it takes "
    with pytest.raises(LabError, match=message):
        replace(default(part), **{field: value})


@OUTSIDE
def test_no_object_is_read_from_a_record_with_a_number_out_of_bounds(part, name, field, value):
    with pytest.raises(LabError, match=f"^--lab-{name}: .* is out of range"):
        rebuild(part, plain(default(part)) | {field: value})
    config = plain(EMBEDDED)
    place = {LabConfig: config, Selection: config["selection"], Recipe: config["recipe"]}[part]
    place[field] = value
    with pytest.raises(LabError, match=f"^--lab-{name}: .* is out of range"):
        rebuild(LabConfig, config)


@OUTSIDE
def test_no_profile_takes_a_number_out_of_bounds(part, name, field, value):
    with pytest.raises(LabError, match=f"^--lab-{name}: .* is out of range"):
        options.apply(EMBEDDED, {name: value})


@OUTSIDE
def test_no_option_takes_a_number_out_of_bounds(part, name, field, value):
    option = options.SETTINGS[name]
    with pytest.raises(ArgumentTypeError, match="is out of range, it takes "):
        option.parse(str(value))
    with pytest.raises(LabError, match=f"^{option.key} in the ini file: .* is out of range"):
        options.parse_ini(option, [str(value)])


@OUTSIDE
def test_no_file_of_settings_has_a_number_out_of_bounds(part, name, field, value, tmp_path):
    file = tmp_path / "lab.toml"
    file.write_text(f"{name} = {value!r}\n")
    with pytest.raises(LabError, match=rf"lab\.toml: {name}: .* is out of range"):
        settings_file.read(file)


@INSIDE
def test_the_bounds_themselves_are_taken(part, name, field, value, tmp_path):
    made = replace(default(part), **{field: value})
    assert getattr(made, field) == value
    assert rebuild(part, plain(made)) == made
    assert options.SETTINGS[name].parse(str(value)) == value
    file = tmp_path / "lab.toml"
    file.write_text(f"{name} = {value!r}\n")
    config = options.apply(EMBEDDED, options.merge(settings_file.read(file)))
    parts = [config, config.selection, config.recipe]
    assert [getattr(one, field) for one in parts if isinstance(one, part)] == [value]


@pytest.mark.parametrize("text", ["", " ", "\n"])
@pytest.mark.parametrize("field", ["text_column", "label_column"])
def test_no_column_is_called_nothing(field, text):
    with pytest.raises(LabError, match=r"-column: it must not be empty"):
        Selection(**{field: text})
