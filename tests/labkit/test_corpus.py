"""The offline corpus keeps its promises, and a corpus that breaks one is found out."""

import shutil
from collections import Counter
from dataclasses import asdict, replace
from itertools import combinations

import datasets
import numpy as np
import pytest

from labkit.data import files
from labkit.data.files import CORPUS
from labkit.data.posts import load_posts
from labkit.data.probes import PER_TOPIC, choose_sentences
from labkit.profiles import EMBEDDED
from tests import corpus
from tests.corpus import CHECKS, LABELS, LEAST, SLICES

CARD = (CORPUS / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def posts():
    return corpus.read_posts()


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """The corpus as the lab loads it."""
    found = files.locate(EMBEDDED.data)
    return load_posts(found, EMBEDDED.selection, (), tmp_path_factory.mktemp("c"))


def changed(posts, change, rows):
    """A copy of `posts` with `change` applied to those that `rows` is true of."""
    return [change(post) if rows(post) else post for post in posts]


def text_added(posts, text, share, label=LABELS[0]):
    """`text` at the end of the first `share` of one class's posts."""
    of_class = [post.id for post in posts if post.label_text == label]
    chosen = set(of_class[: round(share * len(of_class))])
    return changed(
        posts, lambda post: replace(post, text=post.text + text), lambda post: post.id in chosen
    )


def first(posts, split="train", slice="plain", label=LABELS[0]):
    return next(p for p in posts if (p.split, p.slice, p.label_text) == (split, slice, label))


def with_first(posts, **fields):
    return [replace(posts[0], **fields), *posts[1:]]


def copied_across(posts):
    """A train post stands in the test split as well, two of its words changed."""
    words = first(posts).text.split()
    words[0], words[-1] = "Otherwise", "elsewhere"
    return [*posts, replace(first(posts, "test"), id="copy", text=" ".join(words))]


def without(posts, split, slice, keep):
    """`slice` of `split` cut down to `keep` posts of each class."""
    left = Counter[int]()
    kept = []
    for post in posts:
        if (post.split, post.slice) == (split, slice):
            left[post.label] += 1
            if left[post.label] > keep:
                continue
        kept.append(post)
    return kept


def mark_in_a_slice(posts):
    """Two in five of one class's short posts end in a mark: three posts in a hundred of all."""
    of_class = [post.id for post in posts if (post.slice, post.label) == ("short", 0)]
    chosen = set(of_class[: round(0.4 * len(of_class))])
    return changed(
        posts, lambda post: replace(post, text=f"{post.text} ~"), lambda post: post.id in chosen
    )


def test_a_mark_in_one_slice_is_none_of_all_posts_rules(posts):
    """It is there that it tells the class; over all posts no rule sees it."""
    assert CHECKS["surface_rules"](mark_in_a_slice(posts)) == []


SABOTAGES = {
    "another-slice": ("declared", lambda posts: with_first(posts, slice="easy")),
    "another-group": ("declared", lambda posts: with_first(posts, label_text="sci.med")),
    "turned-label": ("declared", lambda posts: with_first(posts, label=1 - posts[0].label)),
    "an-id-twice": ("unique_ids", lambda posts: with_first(posts, id=posts[-1].id)),
    "white-space": ("clean_text", lambda posts: with_first(posts, text=" \n ")),
    "no-text": ("clean_text", lambda posts: with_first(posts, text="")),
    "a-bell": ("clean_text", lambda posts: with_first(posts, text="Out\a at first.")),
    "half-a-character": ("clean_text", lambda posts: with_first(posts, text="Out \udc80.")),
    "a-copy": ("near_duplicates", lambda posts: [*posts, replace(posts[0], id="copy")]),
    "a-near-copy-across-splits": ("near_duplicates", copied_across),
    "a-telling-word": ("give_away", lambda posts: text_added(posts, " zyzzyva", 0.31)),
    "a-telling-mark": ("surface_rules", lambda posts: text_added(posts, " ~", 0.3)),
    "a-telling-length": ("surface_rules", lambda posts: text_added(posts, "\n" * 300, 0.3)),
    "a-mark-that-tells-in-one-slice": ("surface_rules_by_slice", mark_in_a_slice),
    "one-post-less": ("balance", lambda posts: posts[1:]),
    "a-small-split": ("sizes", lambda posts: without(posts, "validation", "plain", 17)),
    "a-small-slice": ("sizes", lambda posts: without(posts, "train", "noisy", 5)),
    "long-winded": ("mean_length", lambda posts: text_added(posts, " and so on" * 10, 0.7)),
    "an-outsiders-word": (
        "jargon",
        lambda posts: changed(
            posts,
            lambda p: replace(p, text=p.text + " Innings!"),
            first(posts, slice="jargon").__eq__,
        ),
    ),
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_corpus_keeps_its_promise(posts, check):
    assert CHECKS[check](posts) == []


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_a_broken_promise_is_found(posts, sabotage):
    check, spoil = SABOTAGES[sabotage]
    assert CHECKS[check](spoil(posts))


def test_every_check_has_a_sabotage():
    assert {check for check, _ in SABOTAGES.values()} == set(CHECKS)


def test_findings_name_the_check(posts):
    assert corpus.findings(with_first(posts, text="\n"))[0].startswith("clean_text: ")


def test_bytes_that_are_not_utf8_are_found(tmp_path):
    for split in LEAST:
        shutil.copy(CORPUS / f"{split}.jsonl", tmp_path)
    with (tmp_path / "test.jsonl").open("ab") as file:
        file.write(b'{"text": "caf\xe9"}\n')
    with pytest.raises(UnicodeDecodeError):
        corpus.read_posts(tmp_path)


def test_what_stays_below_a_threshold_is_no_finding(posts):
    assert CHECKS["give_away"](text_added(posts, " zyzzyva", 0.29)) == []
    assert CHECKS["surface_rules"](text_added(posts, " ~", 0.15)) == []


def test_near_duplicates_are_those_of_the_definition(posts):
    """The index of shared 5-grams finds what comparing every pair finds."""
    sample = copied_across([*posts[:60], first(posts), first(posts, "test")])
    grams = [corpus._shingles(post.text) for post in sample]
    pairs = {
        frozenset((sample[a].id, sample[b].id))
        for a, b in combinations(range(len(sample)), 2)
        if len(grams[a] & grams[b]) / len(grams[a] | grams[b]) >= corpus.JACCARD
    }
    lines = CHECKS["near_duplicates"](sample)
    assert {frozenset(line.split(":")[0].split(" and ")) for line in lines} == pairs
    assert pairs


@pytest.mark.parametrize("seed", range(5))
def test_the_best_threshold_is_that_of_trying_all(seed):
    rng = np.random.default_rng(seed)
    values, labels = rng.integers(0, 6, 40).astype(float), rng.integers(0, 2, 40)
    tried = [np.mean((values > cut) == labels) for cut in np.arange(-0.5, 6)]
    best = max(*tried, 1 - min(tried))
    assert corpus.best_threshold_accuracy(values, labels) == pytest.approx(best)


def test_datasets_loads_the_folder_as_it_is(posts, tmp_path):
    """Its data card tells `load_dataset` the splits; no code of labkit is in the way."""
    loaded = datasets.load_dataset(str(CORPUS), cache_dir=str(tmp_path))
    assert set(loaded) == set(LEAST)
    rows = [{"split": name, **row} for name in LEAST for row in loaded[name]]
    assert rows == [asdict(post) for post in posts]


def test_the_lab_takes_every_post(posts, splits):
    assert {name: len(split) for name, split in splits.items()} == Counter(p.split for p in posts)
    assert splits.cleaning.repeated == splits.cleaning.also_in_test == 0
    assert not any(splits.cleaning.empty.values())
    for name, split in splits.items():
        own = {post.id: post for post in posts if post.split == name}
        for row in split:
            post = own[row["id"]]
            assert (row["text"], row["slice"]) == (post.text, post.slice)
            assert splits.labels[row["label"]] == post.label_text


def test_probes_are_pairs_and_no_posts(posts, splits):
    probes = choose_sentences(splits, seed=0)
    assert probes.curated
    counts = Counter(probes.topics)
    assert all(counts[topic] >= PER_TOPIC and counts[topic] % 2 == 0 for topic in range(2))
    sentences = [replace(posts[0], id=f"probe {i}", text=t) for i, t in enumerate(probes.texts)]
    assert CHECKS["near_duplicates"]([*posts, *sentences]) == []


def test_probes_are_no_part_of_the_data():
    assert set(files.content_digests(CORPUS)) == {f"{split}.jsonl" for split in LEAST}


def test_the_card_counts_the_posts(posts):
    counts = Counter((post.slice, post.split) for post in posts)
    for name in SLICES:
        row = " | ".join(str(counts[name, split]) for split in LEAST)
        assert f"| `{name}` | {row} |" in CARD


def test_the_cards_numbers_were_measured_on_these_posts(posts):
    """A changed post makes the published baselines stale: run benchmarks/corpus_baselines.py."""
    assert f"digest `{corpus.digest(posts)}`" in CARD
