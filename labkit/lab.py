"""The lab itself: the stages from raw posts to a saved model, each computed once.

Every attribute is a stage. A stage is built when it is first asked for, goes through the artifact
store, and is read back from there, so a warm run sees the very numbers of the cold one. This is
the one path through the data; the exercises only ask.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file, save_file

from labkit import base_model, data, data_files, given_model, tokenization
from labkit.config import LabConfig, Recipe, fingerprint
from labkit.errors import LabError
from labkit.lineage import commit
from labkit.probes import Probes, choose_probes
from labkit.progress import Progress, Silent
from labkit.saved_model import assemble, publish
from labkit.source_code import function_digest
from labkit.store import Entry, Store, file_digest, library_versions

if TYPE_CHECKING:
    import datasets

    from labkit.behaviour import Outcome
    from labkit.evaluation import Evaluation
    from labkit.hardware import Hardware
    from labkit.sweep import Sweep
    from labkit.training_history import History

SPLITS = ("train", "validation", "test")
Arrays = Mapping[str, np.ndarray]


class Lab:
    """The stages of one configuration. Cheap to make; nothing is loaded before it is asked for.

    `output` is the folder that takes the saved model. A `resumable` lab keeps the state of every
    epoch in the store until training is done. `entries` holds what the stages so far
    took from the store, by stage.
    """

    def __init__(
        self,
        config: LabConfig,
        store: Store,
        output: Path,
        progress: Progress | None = None,
        resumable: bool = False,
    ) -> None:
        self.config = config
        self.store = store
        self.output = output
        self.resumable = resumable
        self.progress = progress or Silent()
        self.entries: dict[str, Entry] = {}

    def check_inputs(self) -> None:
        """Load what can be checked without torch: the posts and the base model's files.

        Raises LabError for anything a user can mend.
        """
        if self._max_length > self.base.max_length:
            raise LabError(
                f"--lab-max-length {self._max_length}: base model {self.base.name} has positions "
                f"for {self.base.max_length} tokens; ask for at most that many"
            )
        _ = self.splits, self.nli

    @cached_property
    def base(self) -> base_model.BaseModel:
        """The pre-trained checkpoint, checked."""
        return base_model.resolve(self.config.base_model, self.store)

    @property
    def trains(self) -> bool:
        """Whether the lab trains the model itself, or measures one that was trained elsewhere."""
        return self.config.fine_tuned is None

    @cached_property
    def given(self) -> Path | None:
        """The checkpoint that was trained elsewhere, checked; None where the lab trains its own."""
        source = self.config.fine_tuned
        return given_model.resolve(source) if source else None

    @cached_property
    def data_folder(self) -> Path:
        return data_files.locate(self.config.data)

    @cached_property
    def data_digests(self) -> dict[str, str]:
        """SHA-256 of every data file."""
        return data_files.content_digests(self.data_folder)

    @cached_property
    def _posts(self) -> Entry:
        def build(folder: Path) -> None:
            with tempfile.TemporaryDirectory(dir=folder) as cache:
                splits = data.load_splits(self.config.data, self.data_folder, Path(cache), order)
                data.save_splits(splits, folder)

        source = self.config.fine_tuned
        order = given_model.label_order(self.given, source) if self.given and source else ()
        inputs = {"files": self.data_digests, "source": asdict(self.config.data), "order": order}
        return self._stage("posts", inputs, build, ["data", "data_files", "classes"])

    @cached_property
    def splits(self) -> data.Splits:
        """Clean train, validation and test posts."""
        return data.open_splits(self._posts.path)

    @property
    def label_texts(self) -> tuple[str, ...]:
        """The wording of each label for zero-shot methods."""
        return tuple(self.config.data.wording(label) for label in self.splits.labels)

    @cached_property
    def base_tokenizer(self) -> Any:
        """The base model's tokenizer."""
        return tokenization.load_tokenizer(self.base.folder)

    @cached_property
    def tokenizer(self) -> Any:
        """The fine-tuned model's tokenizer: the base model's, or what a given model brings."""
        return tokenization.load_tokenizer(self.given) if self.given else self.base_tokenizer

    def _tokenized(self, tokenizer: Any, model: str) -> Entry:
        """The token ids of all splits; `model` is the digest of the weights that they are for."""

        def build(folder: Path) -> None:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                tokens = tokenization.tokenize_splits(
                    self.splits, tokenizer, self._max_length, Path(scratch)
                )
                data.save_splits(tokens, folder)

        inputs = {"posts": self._posts.key, "base": model, "max_length": self._max_length}
        return self._stage("tokens", inputs, build, ["data", "tokenization"])

    @cached_property
    def _base_tokens(self) -> Entry:
        return self._tokenized(self.base_tokenizer, self.base.digest)

    @cached_property
    def _tokens(self) -> Entry:
        if self.given is None:
            return self._base_tokens
        return self._tokenized(self.tokenizer, file_digest(self.given / base_model.WEIGHTS))

    @cached_property
    def base_tokens(self) -> data.Splits:
        """The splits with the base model's token ids."""
        return data.open_splits(self._base_tokens.path)

    @cached_property
    def tokens(self) -> data.Splits:
        """The splits with the fine-tuned model's token ids."""
        return data.open_splits(self._tokens.path)

    @cached_property
    def truth(self) -> dict[str, np.ndarray]:
        """Class indices (posts,) by split."""
        return {name: np.asarray(split["label"]) for name, split in self.splits.items()}

    @cached_property
    def hardware(self) -> "Hardware":
        from labkit.hardware import detect

        return detect()

    @property
    def device(self) -> Any:
        """The torch device that computes, with as many threads as the run may have."""
        import torch

        torch.set_num_threads(self.hardware.threads)
        return self.hardware.device

    @cached_property
    def encoder(self) -> Any:
        """The pre-trained encoder, on the device that computes."""
        return base_model.load_encoder(self.base).to(self.device)

    @cached_property
    def probes(self) -> Probes:
        """The sentences of exercise 1."""
        return choose_probes(self.splits, self.config.data.seed)

    @cached_property
    def probe_embeddings(self) -> np.ndarray:
        """Unit embeddings (sentences, dim) of the probes."""

        def compute() -> Arrays:
            from labkit.embeddings import embed

            ids = tokenization.encode(
                self.base_tokenizer, list(self.probes.texts), self._max_length
            )
            return {"embeddings": embed(self.encoder, ids)}

        inputs = {"probes": fingerprint(self.probes), "base": self.base.digest}
        entry = self._arrays(
            "probe-embeddings", inputs, compute, ["base_model", "embeddings", "tokenization"]
        )
        return entry["embeddings"]

    @cached_property
    def base_embeddings(self) -> Arrays:
        """Unit embeddings (posts, dim) of every split by the pre-trained encoder."""

        def compute() -> Arrays:
            from labkit.embeddings import embed

            return self._per_split(
                self.base_tokens,
                lambda ids, report: (embed(self.encoder, ids, report),),
                ("",),
            )

        inputs = {"tokens": self._base_tokens.key, "base": self.base.digest}
        return self._arrays(
            "base-embeddings", inputs, compute, ["base_model", "embeddings", "tokenization"]
        )

    @cached_property
    def zero_shot(self) -> Arrays:
        """Scores of each zero-shot method on the test posts.

        (posts, labels), and (heads, posts, labels) for `untrained_nli`.
        """
        embedded = self.base_embeddings["test"]

        def compute() -> Arrays:
            from labkit import zero_shot

            texts, names = list(self.splits.test["text"]), self.label_texts
            scores = {
                "label_similarity": zero_shot.label_similarity(
                    embedded, self.encoder, self.base_tokenizer, names
                )
            }
            untrained = base_model.load_classifier(self.base.folder, ("0", "1"))
            scores["untrained_nli"] = zero_shot.untrained_nli(
                untrained.to(self.device),
                self.base_tokenizer,
                texts,
                names,
                self._max_length,
                report=self.progress.advance,
            )
            if self.nli is not None:
                trained = base_model.load_classifier(self.nli.folder)
                scores["trained_nli"] = zero_shot.trained_nli(
                    trained.to(self.device),
                    tokenization.load_tokenizer(self.nli.folder),
                    texts,
                    names,
                    self._max_length,
                    report=self.progress.advance,
                )
            return scores

        inputs = {
            "tokens": self._base_tokens.key,
            "base": self.base.digest,
            "nli": self.nli.digest if self.nli else None,
            "label_texts": self.label_texts,
        }
        code = ["base_model", "zero_shot", "tokenization"]
        return self._arrays("zero-shot", inputs, compute, code)

    @cached_property
    def nli(self) -> base_model.BaseModel | None:
        """The checkpoint with a trained NLI head, where the profile has one."""
        source = self.config.nli_model
        return base_model.resolve(source, self.store) if source else None

    @cached_property
    def _fine_tuned(self) -> Entry:
        return self._trained if self.given is None else self._taken(self.given)

    def _taken(self, given: Path) -> Entry:
        """The given model's files, with its logits as it was given."""

        def build(folder: Path) -> None:
            from labkit.fine_tune import IN_MEMORY, classify

            given_model.take(given, self.tokenizer, folder)
            model = base_model.load_classifier(given).to(self.device)
            logits, _ = classify(model, list(self.tokens.validation["input_ids"]))
            save_file({"logits": logits}, str(folder / IN_MEMORY))

        weights, config = (
            file_digest(given / name) for name in (base_model.WEIGHTS, "config.json")
        )
        inputs = {"tokens": self._tokens.key, "weights": weights, "config": config}
        return self._stage("given-model", inputs, build, ["given_model", "fine_tune"])

    @cached_property
    def _trained(self) -> Entry:
        def build(folder: Path) -> None:
            from labkit.fine_tune import fine_tune

            kept = self.store.root / "checkpoints" / fingerprint(self._training_inputs)[:32]
            history = fine_tune(
                self.base.folder,
                self.tokenizer,
                self.tokens.train,
                self.tokens.validation,
                self.splits.labels,
                self.config.recipe,
                self.hardware,
                folder,
                self.progress.advance,
                kept if self.resumable else None,
            )
            history.save(folder / "history.json")
            shutil.rmtree(kept, ignore_errors=True)

        return self._stage(
            "fine-tuned", self._training_inputs, build, ["fine_tune", "tokenization"]
        )

    @property
    def _training_inputs(self) -> dict[str, Any]:
        return {
            "tokens": self._tokens.key,
            "base": self.base.digest,
            "recipe": asdict(self.config.recipe),
            "hardware": self.hardware.arithmetic,
        }

    def _small_fine_tune(
        self, posts: "datasets.Dataset", recipe: Recipe, folder: Path
    ) -> "History":
        """One fine-tune on a subset, read on the validation posts, cut short as those are."""
        from labkit.fine_tune import fine_tune
        from labkit.sweep import subset

        validation = subset(self.tokens.validation, len(self.tokens.validation), 0)
        return fine_tune(
            self.base.folder,
            self.tokenizer,
            posts,
            validation,
            self.splits.labels,
            recipe,
            self.hardware,
            folder,
            self.progress.advance,
        )

    @cached_property
    def sweep(self) -> "Sweep":
        """Small fine-tunes over learning rates, epochs and seeds."""
        from labkit import sweep

        def build(folder: Path) -> None:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                sweep.sweep(
                    self._small_fine_tune,
                    sweep.subset(self.tokens.train, sweep.POSTS, self.config.data.seed),
                    len(self.tokens.validation),
                    len(self.splits.labels),
                    self.config.recipe,
                    Path(scratch),
                ).save(folder / "sweep.json")

        entry = self._stage(
            "sweep", self._training_inputs, build, ["sweep", "fine_tune", "tokenization"]
        )
        return sweep.Sweep.load(entry.path / "sweep.json")

    @cached_property
    def repeatability(self) -> dict[str, Any]:
        """Whether the same seed gives the same weights, bit for bit, on this machine."""
        if not self.trains:
            return {"checked": False}
        from labkit import sweep

        def build(folder: Path) -> None:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                posts = sweep.subset(self.tokens.train, sweep.REPEATED_POSTS, self.config.data.seed)
                recipe = self.config.recipe
                found = sweep.repeat(self._small_fine_tune, posts, recipe, Path(scratch))
            (folder / "repeat.json").write_text(json.dumps(found))

        entry = self._stage(
            "repeat", self._training_inputs, build, ["sweep", "fine_tune", "tokenization"]
        )
        return json.loads((entry.path / "repeat.json").read_text())

    @cached_property
    def behaviours(self) -> tuple["Outcome", ...]:
        """How the fine-tuned model does on every behaviour that its classes can be tested for."""
        from labkit import behaviour

        def build(folder: Path) -> None:
            from labkit.fine_tune import classify

            model = base_model.load_classifier(self.fine_tuned_folder).to(self.device)

            def logits(texts: list[str]) -> np.ndarray:
                return classify(
                    model, tokenization.encode(self.tokenizer, texts, self._max_length)
                )[0]

            seed, claims = self.config.recipe.seed, behaviour.behaviours_of(self.splits.labels)
            outcomes = []
            for done, claim in enumerate(claims):
                self.progress.advance(done / len(claims), claim.name)
                outcomes.append(behaviour.examine(claim, logits, seed))
            behaviour.save(outcomes, folder / "behaviours.json")

        inputs = {
            "fine_tuned": self._fine_tuned.key,
            "max_length": self._max_length,
            "seed": self.config.recipe.seed,
            "hypothesis": library_versions(["hypothesis"]),
        }
        code = ["behaviour", "grammar", "evaluation", "statistics", "fine_tune", "inference"]
        entry = self._stage("behaviours", inputs, build, code)
        return behaviour.load(entry.path / "behaviours.json")

    @cached_property
    def history(self) -> "History":
        """How the fine-tune went; there is none of a model that was trained elsewhere."""
        from labkit.training_history import History

        return History.load(self._fine_tuned.path / "history.json")

    @cached_property
    def fine_tuned_folder(self) -> Path:
        """The fine-tuned checkpoint in the store."""
        return self._fine_tuned.path

    @cached_property
    def predictions(self) -> Arrays:
        """Of the fine-tuned model: `logits_<split>` and `embeddings_<split>`."""

        def compute() -> Arrays:
            from labkit.fine_tune import classify

            model = base_model.load_classifier(self.fine_tuned_folder).to(self.device)
            return self._per_split(
                self.tokens,
                lambda ids, report: classify(model, ids, report),
                ("logits_", "embeddings_"),
            )

        inputs = {"fine_tuned": self._fine_tuned.key, "tokens": self._tokens.key}
        return self._arrays("predictions", inputs, compute, ["base_model", "fine_tune"])

    @cached_property
    def baselines(self) -> Arrays:
        """Scores (posts, classes) on the test posts of the methods that train no network."""
        frozen = self.base_embeddings

        def compute() -> Arrays:
            from labkit import baselines

            train, test = self.truth["train"], self.truth["test"]
            texts = {name: list(split["text"]) for name, split in self.splits.items()}
            return {
                "majority": baselines.majority(train, len(test), len(self.splits.labels)),
                "tfidf_logistic": baselines.tfidf_logistic(texts["train"], train, texts["test"]),
                "embedding_logistic": baselines.embedding_logistic(
                    frozen["train"], train, frozen["test"]
                ),
            }

        inputs = {"tokens": self._base_tokens.key, "base": self.base.digest}
        return self._arrays("baselines", inputs, compute, ["baselines"])

    @cached_property
    def zero_shot_evaluations(self) -> dict[str, "Evaluation"]:
        """The zero-shot methods and the majority class on the test posts; trains nothing."""
        return self._evaluate({"majority": self.baselines["majority"], **self.zero_shot})

    @cached_property
    def evaluations(self) -> dict[str, "Evaluation"]:
        """Every method on the test posts, by method."""
        others = {name: scores for name, scores in self.baselines.items() if name != "majority"}
        fine_tuned = {"fine_tuned": self.predictions["logits_test"]}
        return self.zero_shot_evaluations | self._evaluate(others | fine_tuned)

    def _evaluate(self, scores: Arrays) -> dict[str, "Evaluation"]:
        from labkit.evaluation import evaluate

        seed = self.config.recipe.seed
        return {
            name: evaluate(name, array, self.truth["test"], seed) for name, array in scores.items()
        }

    @cached_property
    def planes(self) -> Arrays:
        """t-SNE planes (posts, 2) of the test posts `before` and `after`, and their `rows`."""
        spaces = self._spaces

        def compute() -> Arrays:
            from labkit.separation import subsample, tsne

            seed = self.config.recipe.seed
            rows = subsample(self.truth["test"], seed)
            planes = {name: tsne(space[rows], seed) for name, space in spaces.items()}
            return {"rows": rows, **planes}

        return self._arrays("t-sne", self._before_and_after, compute, ["separation"])

    @cached_property
    def separations(self) -> dict[str, Any]:
        """`Separation` of the test posts before and after the fine-tune, as plain dicts."""
        spaces = self._spaces

        def build(folder: Path) -> None:
            from labkit.separation import separation, subsample

            seed = self.config.recipe.seed
            truth = self.truth["test"]
            rows = subsample(truth, seed)
            measured = {
                name: asdict(separation(space[rows], truth[rows], seed))
                for name, space in spaces.items()
            }
            (folder / "separations.json").write_text(json.dumps(measured))

        entry = self._stage("separation", self._before_and_after, build, ["separation"])
        return json.loads((entry.path / "separations.json").read_text())

    @cached_property
    def saved_model(self) -> Path:
        """The fine-tuned model with lineage and model card, published to `output`."""
        _ = self.evaluations, self.repeatability  # first, so that their stages keep their own time

        def build(folder: Path) -> None:
            assemble(self, folder)

        inputs = {
            **self._before_and_after,
            "config": self.config.to_dict(),
            "zero_shot": self.entries["zero-shot"].key,
            "bit_for_bit": self.repeatability,
            "commit": commit(),
        }
        code = ["saved_model"]
        entry = self._stage("saved-model", inputs, build, code)
        publish(entry.path, self.output)
        return self.output

    @cached_property
    def reload_difference(self) -> float:
        """Largest difference of a validation logit, before saving against read back from disk."""

        def compute() -> Arrays:
            from labkit.fine_tune import IN_MEMORY, classify

            model = base_model.load_classifier(self.saved_model).to(self.device)
            logits, _ = classify(model, list(self.tokens.validation["input_ids"]))
            before = load_file(str(self.fine_tuned_folder / IN_MEMORY))["logits"]
            return {"difference": np.abs(logits - before).max(keepdims=True)}

        inputs = {
            "weights": file_digest(self.saved_model / base_model.WEIGHTS),
            "fine_tuned": self._fine_tuned.key,
        }
        entry = self._arrays("reload", inputs, compute, ["base_model", "fine_tune"])
        return float(entry["difference"].max())

    @property
    def _spaces(self) -> dict[str, np.ndarray]:
        """Embeddings (posts, dim) of the test posts before and after the fine-tune."""
        return {
            "before": self.base_embeddings["test"],
            "after": self.predictions["embeddings_test"],
        }

    @property
    def _before_and_after(self) -> dict[str, Any]:
        return {
            "fine_tuned": self._fine_tuned.key,
            "tokens": self._tokens.key,
            "seed": self.config.recipe.seed,
        }

    @property
    def _max_length(self) -> int:
        return self.config.recipe.max_length

    def _per_split(
        self,
        tokens: data.Splits,
        run: Callable[[list[list[int]], Callable[[float], None]], tuple[np.ndarray, ...]],
        prefixes: tuple[str, ...],
    ) -> dict[str, np.ndarray]:
        """`run` over the token ids of all splits in one go, cut apart again."""
        ids = {name: list(split["input_ids"]) for name, split in tokens.items()}
        arrays = run([row for rows in ids.values() for row in rows], self.progress.advance)
        ends = np.cumsum([len(rows) for rows in ids.values()])[:-1]
        return {
            f"{prefix}{name}": np.ascontiguousarray(part)
            for prefix, array in zip(prefixes, arrays, strict=True)
            for name, part in zip(ids, np.split(array, ends), strict=True)
        }

    def _arrays(
        self,
        stage: str,
        inputs: Mapping[str, Any],
        compute: Callable[[], Arrays],
        code: list[str],
    ) -> Arrays:
        """A stage whose result is a set of arrays, kept as safetensors."""

        def build(folder: Path) -> None:
            arrays = {name: np.ascontiguousarray(array) for name, array in compute().items()}
            save_file(arrays, str(folder / "arrays.safetensors"))

        entry = self._stage(stage, {**inputs, "compute": function_digest(compute)}, build, code)
        return load_file(str(entry.path / "arrays.safetensors"))

    def _stage(
        self, stage: str, inputs: Mapping[str, Any], build: Callable[[Path], None], code: list[str]
    ) -> Entry:
        def announced(folder: Path) -> None:
            self.progress.begin(stage)
            build(folder)
            self.progress.end()

        inputs = {**inputs, "build": function_digest(build)}
        entry = self.store.get(stage, inputs, announced, code)
        self.entries[stage] = entry
        return entry
