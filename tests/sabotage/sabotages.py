"""What can be wrong with a model, its data or its files, each as a stage put in a run's place."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from safetensors.numpy import load_file, save_file

from labkit import lab
from labkit.config import LabConfig
from labkit.data.posts import Posts
from labkit.evaluation.grammar import Topic
from labkit.plumbing.runner import Run
from labkit.plumbing.store import Store
from tests.subjects import TOPIC_WORDS

SEED = 1
TOPICS = {  # plain sentences of words that the tiny model knows
    label: Topic(
        tuple(f"the {word}" for word in words[:4]),
        tuple(f"was on the {word} of" for word in words[2:6]),
        tuple(
            f"the {word} and that {other}" for word, other in zip(words, words[3:], strict=False)
        ),
    )
    for label, words in TOPIC_WORDS.items()
}


@dataclass(frozen=True)
class Subject:
    """A run that is yet to be made: its configuration, its store, and the stages put in place."""

    config: LabConfig
    store: Store
    stages: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def run(self) -> Run:
        return lab.run(self.config, self.store, replace=self.stages)

    def but(self, **stages: Any) -> "Subject":
        """The same with other stages, and all that depends on them."""
        return replace(self, stages={**self.stages, **stages})

    def but_recipe(self, **settings: Any) -> "Subject":
        """The same with another recipe."""
        recipe = replace(self.config.recipe, **settings)
        return replace(self, config=replace(self.config, recipe=recipe))


def know_nothing(subject: Subject, folder: Path) -> Subject:
    """An encoder whose embeddings have nothing to do with the sentences."""
    shape = subject.run.probes.embeddings.shape
    return with_probes(subject, np.random.default_rng(0).normal(size=shape))


def know_no_number(subject: Subject, folder: Path) -> Subject:
    """An encoder whose embeddings are NaN."""
    return with_probes(subject, np.full_like(subject.run.probes.embeddings, np.nan))


def know_one_thing(subject: Subject, folder: Path) -> Subject:
    """An encoder that gives every sentence the same embedding."""
    embeddings = subject.run.probes.embeddings
    return with_probes(subject, np.broadcast_to(embeddings[0], embeddings.shape))


def know_all_apart(subject: Subject, folder: Path) -> Subject:
    """An encoder to which any two sentences are equally unlike: their cosine is 0."""
    return with_probes(subject, np.eye(len(subject.run.probes.texts)))


def mix_up_the_rows(subject: Subject, folder: Path) -> Subject:
    """Embeddings of the right sentences in the order of the batches: longest first."""
    probes = subject.run.probes
    order = np.argsort([-len(text) for text in probes.texts], kind="stable")
    return with_probes(subject, probes.embeddings[order])


def with_probes(subject: Subject, embeddings: np.ndarray) -> Subject:
    return subject.but(probes=replace(subject.run.probes, embeddings=embeddings))


def with_zero_shot(subject: Subject, scores: np.ndarray) -> Subject:
    """Label similarity with these scores; the untrained heads favour one class."""
    heads = np.zeros_like(subject.run.zero_shot.untrained_nli)
    heads[..., 0] = 1
    zero_shot = replace(subject.run.zero_shot, label_similarity=scores, untrained_nli=heads)
    return subject.but(zero_shot=zero_shot)


def score_nothing(subject: Subject, folder: Path) -> Subject:
    """Label similarity whose scores are NaN: the largest of them is class 0."""
    return with_zero_shot(subject, np.full_like(subject.run.zero_shot.label_similarity, np.nan))


def score_one_post_nothing(subject: Subject, folder: Path) -> Subject:
    """Label similarity with one NaN among its scores."""
    scores = subject.run.zero_shot.label_similarity.copy()
    scores[0, 7, 0] = np.nan
    return with_zero_shot(subject, scores)


def score_all_the_same(subject: Subject, folder: Path) -> Subject:
    """Label texts that are the same: every post is as near to one as to the other."""
    scores = subject.run.zero_shot.label_similarity
    return with_zero_shot(subject, np.repeat(scores[..., :1], scores.shape[-1], axis=-1))


def favour_one_class(subject: Subject, folder: Path) -> Subject:
    """Label similarity that says the second class of every post."""
    scores = np.zeros_like(subject.run.zero_shot.label_similarity)
    scores[..., 1] = 1
    return with_zero_shot(subject, scores)


def describe_nothing(subject: Subject, folder: Path) -> Subject:
    """Label texts that have nothing to do with the classes."""
    shape = subject.run.zero_shot.label_similarity.shape
    return with_zero_shot(subject, np.random.default_rng(0).random(shape))


def swap_label_texts(subject: Subject, folder: Path) -> Subject:
    """A zero-shot method that knows the topics, with the label texts in the wrong order."""
    scores = subject.run.zero_shot
    return subject.but(
        zero_shot=replace(
            scores,
            label_similarity=scores.label_similarity[..., ::-1],
            untrained_nli=scores.untrained_nli[..., ::-1],
        )
    )


def cut_short(subject: Subject, folder: Path) -> Subject:
    """The smallest token limit, which cuts most posts."""
    return subject.but_recipe(max_length=8)


def leak(posts: Posts, change: Callable[[str], str] = str) -> Posts:
    """One test post among the train posts, changed a little."""
    row = posts.test.select([0]).map(lambda post: {"text": change(post["text"])})
    return replace(posts, train=datasets.concatenate_datasets([posts.train, row]))


def cut_three_in_ten(subject: Subject, folder: Path) -> Subject:
    """The token limit that cuts three posts in ten."""
    lengths = [n for _, split in subject.run.tokens.items() for n in split["length"]]
    return subject.but_recipe(max_length=int(np.quantile(lengths, 0.7, method="lower")) - 1)


def leak_a_test_post(change: Callable[[str], str] = str) -> "Callable[[Subject, Path], Subject]":
    """One test post among the train posts, changed a little."""
    return lambda subject, folder: subject.but(posts=leak(subject.run.posts, change))


def reword(text: str) -> str:
    """Five copies of a text, one word of one of them replaced."""
    words = (text.split() * 5)[1:]
    return " ".join(["otherwise", *words])


def leak_a_long_post(subject: Subject, folder: Path) -> Subject:
    """One test post of sixty words among the train posts, one of them replaced."""
    posts = subject.run.posts
    longer = posts.test.map(lambda post: {"text": " ".join([post["text"]] * 5)})
    found = leak(replace(posts, test=posts.test), reword)
    return subject.but(posts=replace(found, test=longer))


def relabel(
    subject: Subject, change: Callable[[np.ndarray, np.random.Generator], np.ndarray]
) -> Subject:
    """Other labels of the train and validation posts."""
    posts, rng = subject.run.posts, np.random.default_rng(0)
    splits = {}
    for name in ("train", "validation"):
        split = getattr(posts, name)
        labels = change(np.array(split["label"]), rng).tolist()
        features = split.features
        splits[name] = split.remove_columns("label").add_column("label", labels).cast(features)
    return subject.but(posts=replace(posts, **splits))


def mix_up_the_labels(subject: Subject, folder: Path) -> Subject:
    """Train and validation posts with each other's labels."""
    return relabel(subject, lambda labels, rng: rng.permutation(labels))


def flip(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A fifth of the labels is the other one."""
    rows = rng.permutation(len(labels))[: len(labels) // 5]
    labels[rows] = 1 - labels[rows]
    return labels


def flip_a_fifth(subject: Subject, folder: Path) -> Subject:
    """One label in five is the other one; the corpus, which is hard, is seen with one in ten."""
    return relabel(subject, flip)


def with_base_embeddings(subject: Subject, change: Callable[[np.ndarray], np.ndarray]) -> Subject:
    """Other embeddings of all posts by the base model."""
    known = subject.run.base_embeddings
    changed = {name: change(rows) for name, rows in known.items()}
    return subject.but(base_embeddings=replace(known, **changed))


def know_no_post(subject: Subject, folder: Path) -> Subject:
    """A base model whose embeddings of the posts are NaN."""
    return with_base_embeddings(subject, lambda rows: np.full_like(rows, np.nan))


def shuffle_labels(subject: Subject, folder: Path) -> Subject:
    """A fine-tune on labels that were shuffled."""
    tokens = subject.run.tokens
    labels = np.asarray(tokens.train["label"])
    shuffled = labels[np.random.default_rng(0).permutation(len(labels))]
    train = tokens.train.remove_columns("label").add_column("label", shuffled)
    other = subject.but(tokens=replace(tokens, train=train))
    return subject.but(fine_tuned=other.run.fine_tuned)


def swap_label_order(subject: Subject, folder: Path) -> Subject:
    """The fine-tuned model with its two outputs exchanged."""
    predictions = subject.run.predictions
    logits = replace(predictions.logits, test=predictions.logits.test[:, ::-1])
    return subject.but(predictions=replace(predictions, logits=logits))


def with_logits(subject: Subject, test: np.ndarray) -> Subject:
    """The fine-tuned model with other logits of the test posts."""
    predictions = subject.run.predictions
    return subject.but(
        predictions=replace(predictions, logits=replace(predictions.logits, test=test))
    )


def predict_nothing(subject: Subject, folder: Path) -> Subject:
    """A fine-tuned model whose logits are NaN."""
    return with_logits(subject, np.full_like(subject.run.predictions.logits.test, np.nan))


def predict_one_class(subject: Subject, folder: Path) -> Subject:
    """A fine-tuned model that says the first class of every post."""
    logits = np.zeros_like(subject.run.predictions.logits.test)
    logits[:, 0] = 1
    return with_logits(subject, logits)


def predict_one_class_beside_a_dead_rival(subject: Subject, folder: Path) -> Subject:
    """A model that says one class of every post, where label similarity is wrong throughout."""
    wrong = np.eye(2)[1 - subject.run.posts.truth.test][np.newaxis]
    return with_zero_shot(predict_one_class(subject, folder), wrong)


def predict_as_zero_shot(subject: Subject, folder: Path) -> Subject:
    """Nothing was fine-tuned: the logits are label similarity's scores."""
    return with_logits(subject, subject.run.zero_shot.label_similarity[0])


def hardly_better_than_zero_shot(subject: Subject, folder: Path) -> Subject:
    """Right on two posts more than label similarity, which luck can do."""
    logits = subject.run.zero_shot.label_similarity[0].copy()
    truth = subject.run.posts.truth.test
    wrong = np.flatnonzero(logits.argmax(axis=1) != truth)[:2]
    logits[wrong] = np.eye(2)[truth[wrong]]
    return with_logits(subject, logits)


def err_on_every_fourth(subject: Subject, folder: Path) -> Subject:
    """A model that is wrong on a fourth of the posts, whatever they are."""
    logits = subject.run.predictions.logits.test.copy()
    logits[::4] = logits[::4, ::-1]
    return with_logits(subject, logits)


def with_train_losses(subject: Subject, losses: Callable[[float, float], float]) -> Subject:
    """Another training loss of each epoch, made of the first epoch's and its own."""
    trained = subject.run.fine_tuned
    epochs = trained.history.epochs
    first = epochs[0].train_loss
    changed = tuple(replace(e, train_loss=losses(first, e.train_loss)) for e in epochs)
    return subject.but(
        fine_tuned=replace(trained, history=replace(trained.history, epochs=changed))
    )


def lose_the_losses(subject: Subject, folder: Path) -> Subject:
    """A training that diverged: its losses are NaN."""
    return with_train_losses(subject, lambda first, own: float("nan"))


def repeat_the_first_loss(subject: Subject, folder: Path) -> Subject:
    """A training whose loss stays where it was."""
    return with_train_losses(subject, lambda first, own: first)


def learn_too_slowly(subject: Subject, folder: Path) -> Subject:
    """A training that gets a tenth of its loss away."""
    return with_train_losses(subject, lambda first, own: max(own, 0.9 * first))


def leave_untrained(subject: Subject, folder: Path) -> Subject:
    """A fine-tune whose learning rate is as good as none."""
    return subject.but(fine_tuned=subject.but_recipe(learning_rate=1e-12).run.fine_tuned)


def pick_a_rate_nine_times_too_small(subject: Subject, folder: Path) -> Subject:
    """The small trainings of a recipe that hardly learns."""
    sweep = subject.run.sweep
    return subject.but(sweep=replace(sweep, rate=sweep.rates[sweep.rates.index(sweep.rate) - 2]))


def lose_the_small_losses(subject: Subject, folder: Path) -> Subject:
    """Small trainings of which none at the recipe's rate has a loss that is a number."""
    sweep = subject.run.sweep
    trials = tuple(
        replace(one, losses=np.full_like(one.losses, np.nan))
        if one.learning_rate == sweep.rate
        else one
        for one in sweep.trials
    )
    return subject.but(sweep=replace(sweep, trials=trials))


def pick_a_bad_rate(subject: Subject, folder: Path) -> Subject:
    """The small trainings of a recipe whose learning rate is a third of what it should be."""
    sweep = subject.run.sweep
    return subject.but(sweep=replace(sweep, rate=sweep.neighbours[0]))


def train_the_head_only(subject: Subject, folder: Path) -> Subject:
    """An encoder that is after the fine-tune what it was before."""
    before = subject.run.base_embeddings
    return subject.but(predictions=replace(subject.run.predictions, embeddings=before))


def with_embeddings(subject: Subject, change: Callable[[np.ndarray], np.ndarray]) -> Subject:
    """The fine-tuned model with other embeddings of the test posts."""
    predictions = subject.run.predictions
    test = change(predictions.embeddings.test)
    embeddings = replace(predictions.embeddings, test=test)
    return subject.but(predictions=replace(predictions, embeddings=embeddings))


def embed_nothing(subject: Subject, folder: Path) -> Subject:
    """A fine-tuned encoder whose embeddings are NaN."""
    return with_embeddings(subject, lambda rows: np.full_like(rows, np.nan))


def embed_all_the_same(subject: Subject, folder: Path) -> Subject:
    """A fine-tuned encoder that gives every post the same embedding."""
    return with_embeddings(subject, lambda rows: np.repeat(rows[:1], len(rows), axis=0))


def move_the_encoder_by_noise(subject: Subject, folder: Path) -> Subject:
    """An encoder that is what it was, but for a little noise."""
    before = subject.run.base_embeddings.test
    noise = np.random.default_rng(0).normal(scale=0.01, size=before.shape)
    moved = (before + noise).astype(np.float32)
    return with_embeddings(subject, lambda rows: moved)


def rewritten(model: Path, folder: Path, change: Callable[[np.ndarray], Any]) -> Path:
    """A copy, in `folder`, of a saved model whose weights are changed."""
    copy = shutil.copytree(model, folder / "model")
    weights = load_file(copy / "model.safetensors")
    changed = {name: change(array) for name, array in weights.items()}
    save_file(changed, copy / "model.safetensors", {"format": "pt"})
    return copy


def damaged(model: Path, folder: Path) -> Path:
    """A copy of a saved model with weights a tenth too large."""
    return rewritten(model, folder, lambda array: array * np.float32(1.1))


def save_in_a_wide_format(subject: Subject, folder: Path) -> Subject:
    """Weights in 64 bits."""
    model = rewritten(subject.run.saved_model, folder, lambda array: array.astype(np.float64))
    return subject.but(saved_model=model)


def save_a_layer_twice(subject: Subject, folder: Path) -> Subject:
    """Weights with one layer's saved a second time, under another name."""
    model = rewritten(subject.run.saved_model, folder, lambda array: array)
    weights = load_file(model / "model.safetensors")
    twice = {f"copy.{name}": array for name, array in weights.items() if ".layer.0." in name}
    save_file(weights | twice, model / "model.safetensors", {"format": "pt"})
    return subject.but(saved_model=model)


def save_nothing(subject: Subject, folder: Path) -> Subject:
    """Weights of NaN."""
    model = rewritten(subject.run.saved_model, folder, lambda array: array * np.float32("nan"))
    return subject.but(saved_model=model)


def save_zeros(subject: Subject, folder: Path) -> Subject:
    """Weights of 0."""
    model = rewritten(subject.run.saved_model, folder, np.zeros_like)
    return subject.but(saved_model=model)


def save_in_half_precision(subject: Subject, folder: Path) -> Subject:
    """Weights that were rounded to 16 bits on the way."""

    def rounded(array: np.ndarray) -> np.ndarray:
        return array.astype(np.float16).astype(np.float32)

    model = rewritten(subject.run.saved_model, folder, rounded)
    return subject.but(saved_model=model)


def damage_the_weights(subject: Subject, folder: Path) -> Subject:
    """Weights a tenth too large."""
    return subject.but(saved_model=damaged(subject.run.saved_model, folder))


def save_another_tokenizer(subject: Subject, folder: Path) -> Subject:
    """Beside sound weights a tokenizer in which two words have each other's ids."""
    copy = shutil.copytree(subject.run.saved_model, folder / "model")
    file = copy / "tokenizer.json"
    saved = json.loads(file.read_text())
    words = saved["model"]["vocab"]
    words["pitcher"], words["orbit"] = words["orbit"], words["pitcher"]
    file.write_text(json.dumps(saved))
    return subject.but(saved_model=copy)


def not_a_number(texts: list[str]) -> np.ndarray:
    """The logits of a model whose weights are NaN."""
    return np.full((len(texts), 2), np.nan)


Sabotage = Callable[[Subject, Path], Subject]
# By gate: what is broken, NaN in place of numbers, the same number everywhere, a tie with what is to
# be beaten, and the mildest damage of everyday life that must be seen. Where there is no such thing,
# a sentence says why.
KINDS = ("broken", "nan", "constant", "tie", "mild")
COUNTED = "counts and sizes are whole numbers; a missing one fails any gate"
SABOTAGE: dict[str, dict[str, Sabotage | str]] = {
    "topic_gap_low": {
        "broken": know_nothing,
        "nan": know_no_number,
        "constant": know_one_thing,
        "tie": know_all_apart,
        "mild": mix_up_the_rows,
    },
    "above_chance_low": {
        "broken": swap_label_texts,
        "nan": score_nothing,
        "constant": favour_one_class,
        "tie": score_all_the_same,
        "mild": describe_nothing,
    },
    "truncated_share": {
        "broken": cut_short,
        "nan": COUNTED,
        "constant": COUNTED,
        "tie": "as many as are allowed are allowed",
        "mild": cut_three_in_ten,
    },
    "split_overlap": {
        "broken": leak_a_test_post(),
        "nan": COUNTED,
        "constant": leak_a_long_post,
        "tie": leak_a_test_post(str.upper),
        "mild": leak_a_test_post(lambda text: f"{text}. "),
    },
    "suspect_share": {
        "broken": mix_up_the_labels,
        "nan": know_no_post,
        "constant": "words tell wrong labels as well; embeddings that are all alike fail topic_gap_low",
        "tie": "as many as are allowed are allowed",
        "mild": flip_a_fifth,
    },
    "fine_tuned_accuracy": {
        "broken": shuffle_labels,
        "nan": predict_nothing,
        "constant": predict_one_class,
        "tie": "no rival: a threshold that is met is met",
        "mild": err_on_every_fourth,
    },
    "margin_low": {
        "broken": swap_label_order,
        "nan": score_one_post_nothing,
        "constant": predict_one_class_beside_a_dead_rival,
        "tie": predict_as_zero_shot,
        "mild": hardly_better_than_zero_shot,
    },
    "loss_ratio": {
        "broken": leave_untrained,
        "nan": lose_the_losses,
        "constant": repeat_the_first_loss,
        "tie": repeat_the_first_loss,
        "mild": learn_too_slowly,
    },
    "neighbour_gain_low": {
        "broken": pick_a_rate_nine_times_too_small,
        "nan": lose_the_small_losses,
        "constant": "a grid in which all rates do alike has no better one",
        "tie": "a grid in which all rates do alike has no better one",
        "mild": pick_a_bad_rate,
    },
    "silhouette_gain_low": {
        "broken": train_the_head_only,
        "nan": embed_nothing,
        "constant": embed_all_the_same,
        "tie": train_the_head_only,
        "mild": move_the_encoder_by_noise,
    },
    "probe_margin_high": {
        "broken": swap_label_order,
        "nan": predict_nothing,
        "constant": predict_one_class,
        "tie": "not to be worse is all that is claimed",
        "mild": err_on_every_fourth,
    },
    "size_ratio": {
        "broken": save_in_a_wide_format,
        "nan": COUNTED,
        "constant": COUNTED,
        "tie": "as large as is allowed is allowed",
        "mild": save_a_layer_twice,
    },
    "reload_difference": {
        "broken": damage_the_weights,
        "nan": save_nothing,
        "constant": save_zeros,
        "tie": "as different as is allowed is allowed",
        "mild": save_in_half_precision,
    },
}
