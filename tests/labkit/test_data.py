"""From a data set to three clean splits, with every drop counted."""

import json
from pathlib import Path

import numpy as np
import pytest

from labkit.config import DataSource, Selection
from labkit.data import files
from labkit.data.posts import Cleaning, Posts, load_posts
from labkit.errors import LabError
from labkit.plumbing import results

NEWSGROUPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "20_newsgroups"
LABELS = ("rec.sport.baseball", "sci.space")


def write_posts(folder, **splits):
    folder.mkdir(exist_ok=True)
    for name, posts in splits.items():
        lines = [json.dumps({"text": text, "label_text": label}) for text, label in posts]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def posts(count, prefix):
    return [(f"{prefix} {i} {LABELS[i % 2]}", LABELS[i % 2]) for i in range(count)]


def load(folder, tmp_path, **selection):
    """The posts of a data folder, of both labels unless `selection` says otherwise."""
    chosen = Selection(**{"labels": LABELS, **selection})
    return load_posts(files.locate(DataSource(str(folder))), chosen, (), tmp_path / "cache")


def test_empty_and_repeated_posts_are_dropped_and_counted(tmp_path):
    train = [
        *posts(40, "train"),
        (" \n", LABELS[0]),
        ("train 1  sci.space", LABELS[1]),  # repeats but for white space
        ("train 3\tsci.space", LABELS[1]),
        ("test 3 sci.space", LABELS[1]),  # leaks from the test split
        ("test 5 sci.space", LABELS[1]),
        ("test 7 sci.space", LABELS[1]),
        ("other", "sci.med"),
    ]
    test = [*posts(10, "test"), ("", LABELS[1])]
    splits = load(write_posts(tmp_path / "d", train=train, test=test), tmp_path)
    assert splits.cleaning == Cleaning(
        loaded={"train": 46, "test": 11}, empty={"train": 1, "test": 1}, repeated=2, also_in_test=3
    )
    assert len(splits.train) + len(splits.validation) == 40
    assert len(splits.test) == 10


def test_files_made_on_the_way_lie_in_the_cache(tmp_path):
    load(write_posts(tmp_path / "d", train=posts(40, "a"), test=posts(8, "b")), tmp_path)
    assert list((tmp_path / "cache").rglob("*.arrow"))
    assert {path.name for path in tmp_path.iterdir()} == {"d", "cache"}
    assert {path.name for path in (tmp_path / "d").iterdir()} == {"train.jsonl", "test.jsonl"}


def test_a_validation_split_of_the_data_set_is_used_whole(tmp_path):
    parts = {
        name: posts(size, name) for name, size in [("train", 30), ("validation", 8), ("test", 6)]
    }
    splits = load(write_posts(tmp_path / "d", **parts), tmp_path)
    assert [len(split) for _, split in splits.items()] == [30, 8, 6]
    assert all(text.startswith("validation") for text in splits.validation["text"])


def test_a_validation_split_of_the_data_set_loses_what_stands_in_train_or_test(tmp_path):
    train, test = posts(30, "train"), posts(6, "test")
    validation = [*posts(8, "validation"), train[3], test[2]]
    splits = load(
        write_posts(tmp_path / "d", train=train, validation=validation, test=test), tmp_path
    )
    assert sorted(splits.validation["text"]) == sorted(text for text, _ in validation[:8])


def test_a_part_of_each_split_of_the_data_set_follows_the_seed(tmp_path):
    parts = {name: posts(40, name) for name in ("train", "validation", "test")}
    folder = write_posts(tmp_path / "d", **parts)
    first, again, other = (
        load(folder, tmp_path, train_size=20, validation_size=10, split_seed=seed)
        for seed in (1, 1, 2)
    )
    assert [len(split) for _, split in first.items()] == [20, 10, 40]
    for name in ("train", "validation"):
        assert getattr(first, name)["text"] == getattr(again, name)["text"]
        assert getattr(first, name)["text"] != getattr(other, name)["text"]
        assert sum(getattr(first, name)["label"]) == len(getattr(first, name)) / 2


@pytest.mark.parametrize(("name", "size"), [("train_size", 31), ("validation_size", 9)])
def test_more_posts_than_a_split_of_the_data_set_has_is_an_error(tmp_path, name, size):
    parts = {part: posts(n, part) for part, n in [("train", 30), ("validation", 8), ("test", 6)]}
    folder = write_posts(tmp_path / "d", **parts)
    split = name.removesuffix("_size")
    with pytest.raises(LabError, match=f"{size} {split} posts asked for, {size - 1} are there"):
        load(folder, tmp_path, **{name: size})


def test_splits_come_back_as_they_were_saved(tmp_path):
    splits = load(write_posts(tmp_path / "d", train=posts(40, "a"), test=posts(8, "b")), tmp_path)
    (tmp_path / "saved").mkdir()
    results.save(splits, tmp_path / "saved")
    again = results.load(Posts, tmp_path / "saved")
    assert again.labels == splits.labels
    assert again.cleaning == splits.cleaning
    for (_, one), (_, other) in zip(splits.items(), again.items(), strict=True):
        assert one.to_list() == other.to_list()


def test_label_is_the_index_into_the_labels_asked_for(tmp_path):
    folder = write_posts(tmp_path / "d", train=posts(40, "a"), test=posts(8, "b"))
    turned = load(folder, tmp_path, labels=LABELS[::-1])
    for post in turned.test:
        assert post["text"].endswith(turned.labels[post["label"]])


def test_sizes_asked_for_are_the_sizes_got(tmp_path):
    folder = write_posts(tmp_path / "d", train=posts(60, "a"), test=posts(8, "b"))
    splits = load(folder, tmp_path, train_size=31, validation_size=9)
    assert (len(splits.train), len(splits.validation)) == (31, 9)


def test_more_posts_than_there_are_is_an_error(tmp_path):
    folder = write_posts(tmp_path / "d", train=posts(60, "a"), test=posts(8, "b"))
    with pytest.raises(LabError, match="60 are there after cleaning; ask for fewer"):
        load(folder, tmp_path, train_size=60, validation_size=9)


def test_a_missing_column_lists_those_there_are(tmp_path):
    folder = write_posts(tmp_path / "d", train=posts(40, "a"), test=posts(8, "b"))
    with pytest.raises(LabError, match="no column 'body'; it has text, label_text"):
        load(folder, tmp_path, text_column="body")


def test_a_missing_group_lists_those_there_are(tmp_path):
    folder = write_posts(tmp_path / "d", train=posts(40, "a"), test=posts(8, "b"))
    with pytest.raises(LabError, match=r"no posts of 'talk\.politics'; its groups are rec"):
        load(folder, tmp_path, labels=("talk.politics", LABELS[0]))


def test_a_folder_without_data_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabError, match=r"holds no .*\.jsonl"):
        load(tmp_path / "empty", tmp_path)


def test_the_fingerprint_follows_the_content(tmp_path):
    write_posts(tmp_path / "d", train=posts(4, "a"))
    before = files.content_digests(tmp_path / "d")
    write_posts(tmp_path / "d", train=posts(5, "a"))
    assert files.content_digests(tmp_path / "d") != before


@pytest.mark.skipif(not NEWSGROUPS.exists(), reason="../shared/data/20_newsgroups is not there")
def test_the_real_posts_lose_what_their_card_says(tmp_path):
    splits = load(NEWSGROUPS, tmp_path)
    assert splits.cleaning.loaded == {"train": 597 + 593, "test": 397 + 394}
    assert splits.cleaning.empty == {"train": 33, "test": 30}
    assert [len(split) for _, split in splits.items()] == [600, 150, 761]
    shares = [np.mean(split["label"]) for _, split in splits.items()][:2]
    assert shares[0] == pytest.approx(shares[1], abs=1 / 150)


def test_a_part_of_the_test_split_is_drawn_by_class_share(tmp_path):
    parts = {"train": posts(60, "train"), "test": posts(40, "test")}
    folder = write_posts(tmp_path / "d", **parts)
    whole, part, again, other = (
        load(folder, tmp_path / str(i), train_size=20, validation_size=10, **more)
        for i, more in enumerate(
            ({}, {"test_size": 10}, {"test_size": 10}, {"test_size": 10, "split_seed": 7})
        )
    )
    assert (len(part.test), sum(part.test["label"])) == (10, 5)
    assert set(part.test["text"]) < set(whole.test["text"])
    assert list(part.test["text"]) == list(again.test["text"]) != list(other.test["text"])
    assert list(part.train["text"]) == list(whole.train["text"])
    assert whole.cleaning.unused == {"train": 30}
    assert part.cleaning.unused == {"train": 30, "test": 30}
    with pytest.raises(LabError, match="41 test posts asked for, 40 are there; ask for fewer"):
        load(folder, tmp_path / "4", test_size=41)


def test_no_post_of_the_test_split_is_learned_from_where_a_part_is_tested_on(tmp_path):
    test = posts(40, "test")
    folder = write_posts(tmp_path / "d", train=[*posts(60, "train"), *test], test=test)
    part = load(folder, tmp_path, test_size=10)
    assert part.cleaning.also_in_test == 40
    learned = {*part.train["text"], *part.validation["text"]}
    assert not learned & {text for text, _ in test}
