"""`[tool.labkit]` and `--lab-config`: every setting of the command line, checked as strictly."""

from pathlib import Path

import pytest

from labkit import profiles
from labkit.errors import LabError
from labkit.plugin import options, settings_file

EVERYTHING = """
profile = "embedded"
dataset = "data/posts.csv"
text-column = "body"
label-column = "topic"
labels = ["a, b", "c"]
train-size = 100
epochs = 2
learning-rate = 1e-4
[label-texts]
c = "the letter c"
[gates]
fine_tuned_accuracy = 0.9
split_overlap = 0
"""


def write(folder, text, name="lab.toml"):
    (folder / name).write_text(text)
    return folder / name


def test_every_kind_of_setting_is_read(tmp_path):
    (tmp_path / "data").mkdir()
    settings = settings_file.read(write(tmp_path, EVERYTHING))
    assert settings["gate"] == {"fine_tuned_accuracy": 0.9, "split_overlap": 0.0}
    config = options.apply(profiles.EMBEDDED, options.merge(settings))
    assert Path(config.data.source).resolve() == tmp_path / "data" / "posts.csv"
    assert not Path(config.data.source).is_absolute()  # as it was written
    assert config.selection.text_column == "body"
    assert config.selection.labels == ("a, b", "c")
    assert config.label_texts["c"] == "the letter c"
    assert (config.recipe.epochs, config.recipe.learning_rate) == (2, 1e-4)


def test_a_hub_id_stays_one(tmp_path):
    settings = settings_file.read(write(tmp_path, 'dataset = "owner/name"'))
    assert settings["dataset"] == "owner/name"


def test_the_table_of_a_pyproject_is_found_and_only_that(tmp_path):
    assert settings_file.find(tmp_path, None) is None
    path = write(tmp_path, "[tool.other]\nprofile = 1\n", "pyproject.toml")
    assert settings_file.find(tmp_path, None) is None
    write(tmp_path, "[tool.labkit]\nepochs = 5\n", "pyproject.toml")
    assert settings_file.find(tmp_path, None) == path
    assert settings_file.read(path) == {"epochs": 5}
    own = write(tmp_path, "epochs = 7\n")
    assert settings_file.find(tmp_path, str(own)) == own


def test_the_first_layer_wins_and_tables_are_joined():
    typed = {"epochs": 1, "gate": {"size_ratio": 2.0}}
    file = {"epochs": 2, "seed": 3, "gate": {"size_ratio": 3.0, "loss_ratio": 0.5}}
    merged = options.merge(typed, file, {"seed": 4, "batch-size": 8})
    assert (merged["epochs"], merged["seed"], merged["batch-size"]) == (1, 3, 8)
    assert merged["gate"] == {"size_ratio": 2.0, "loss_ratio": 0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "no setting 'epoch'; did you mean epochs? the settings are profile,"),
        ('epochs = "3"', "epochs takes a whole number, not '3'"),
        ("epochs = true", "epochs takes a whole number, not True"),
        ("epochs = 0", "epochs: 0 is out of range, it takes 1 or more"),
        ("epochs = 2.5", "epochs takes a whole number, not 2.5"),
        ("learning-rate = 7", "learning-rate: 7 is out of range"),
        ("profile = 3", "profile takes text in quotes, not 3"),
        ('profile = "gpt"', "profile: 'gpt' is not one of auto, embedded, distilbert"),
        ('labels = "a,b"', "labels takes a list, not 'a,b'"),
        ('labels = ["a"]', "labels: 'a' is not two or more different names"),
        ('labels = ["a", "a"]', "is not two or more different names"),
        ("gates = 3", "gates takes a table, not 3"),
        ('[gates]\nsize_ratio = "x"', "gates: size_ratio: 'x' is not a number"),
        ("epochs = ", "is not valid TOML"),
    ],
)
def test_a_wrong_setting_names_file_and_remedy(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(LabError) as caught:
        settings_file.read(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LabError, match=r"--lab-config no\.toml: there is no such file"):
        settings_file.find(tmp_path, "no.toml")


def test_wording_for_a_label_that_is_not_asked_for_is_an_error():
    settings = options.merge({"labels": ("a", "b"), "label-text": {"c": "x"}})
    with pytest.raises(LabError, match="no such label; the labels are a, b"):
        options.apply(profiles.EMBEDDED, settings)
