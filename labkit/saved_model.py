"""The fine-tuned model as a folder that someone else can use: weights, tokenizer, lineage, card."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from jinja2 import Environment, StrictUndefined

from labkit import lineage
from labkit.answers.model import percent_interval
from labkit.profiles import PROFILES
from labkit.store import MANIFEST

if TYPE_CHECKING:
    from labkit.lab import Lab

NOT_PART = {MANIFEST, "history.json", "in_memory.safetensors"}
CARD = "README.md"
MODEL_CARD = Path(__file__).parent / "templates" / "model_card.md.jinja"
OWN_DATA = {profile.data.source for profile in PROFILES.values()}  # all in English


def assemble(lab: "Lab", folder: Path) -> None:
    """Write everything that makes up the lab's fine-tuned model into `folder`."""
    for file in lab.fine_tuned_folder.iterdir():
        if file.is_file() and file.name not in NOT_PART:
            shutil.copyfile(file, folder / file.name)
    record = lineage.record(lab, folder)
    (folder / CARD).write_text(model_card(lab, record), encoding="utf-8")
    replace(record, files=lineage.describe_files(folder)).save(folder)  # the card is one of them


def publish(source: Path, target: Path) -> None:
    """Make `target` a copy of the entry `source`: whole, or as it was before."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f".{target.name}.lock"):
        if target.exists() and _same(source, target):
            return
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            fresh, old = folder / "new", folder / "old"
            shutil.copytree(source, fresh, ignore=lambda _, names: NOT_PART.intersection(names))
            fresh.chmod(0o755)  # temporary folders are closed to others, a report is not
            if target.exists():
                target.rename(old)
            fresh.rename(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def model_card(lab: "Lab", record: lineage.Lineage) -> str:
    """The model card in Markdown with the front matter that the Hub reads.

    https://huggingface.co/docs/hub/model-cards
    """
    from huggingface_hub import EvalResult, ModelCardData

    best = lab.evaluations["fine_tuned"]
    base = lab.config.base_model.source
    front = ModelCardData(
        model_name=f"{'-vs-'.join(lab.splits.labels)} classifier",
        language="en" if lab.config.data.source in OWN_DATA else None,
        library_name="transformers",
        pipeline_tag="text-classification",
        base_model=None if base.startswith("wheel:") else base,
        tags=["text-classification", *(["distilbert"] if lab.trains else [])],
        eval_results=[
            EvalResult(
                task_type="text-classification",
                dataset_type=record.data["fingerprint"][:12],
                dataset_name=record.data["source"],
                metric_type=metric,
                metric_value=value,
            )
            for metric, value in (
                ("accuracy", best.accuracy.value),
                ("f1", best.macro_f1.value),
            )
        ],
    )
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    page = environment.from_string(MODEL_CARD.read_text(encoding="utf-8"))
    rows = [
        (evaluation.name, percent_interval(evaluation.accuracy), f"{evaluation.macro_f1.value:.3f}")
        for evaluation in lab.evaluations.values()
    ]
    return page.render(front=front.to_yaml(), record=record, rows=rows)


def _same(source: Path, target: Path) -> bool:
    wanted = [path for path in source.iterdir() if path.name not in NOT_PART]
    return {path.name for path in wanted} == {path.name for path in target.iterdir()} and all(
        lineage.file_digest(path) == lineage.file_digest(target / path.name) for path in wanted
    )
