"""The lab itself: every stage from raw posts to a saved model.

`Stages` says what a stage is, `Inputs` has what goes in, `Training` where the model comes from;
here is what is measured. This is the one path through the data; the exercises only ask.
"""

import json
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file

from labkit import base_model, tokenization
from labkit.config import fingerprint
from labkit.lineage import commit
from labkit.saved_model import MODEL_CARD, assemble, publish
from labkit.stages import Arrays
from labkit.store import file_digest, library_versions
from labkit.training import Training

if TYPE_CHECKING:
    from labkit.behaviour import Outcome
    from labkit.evaluation import Evaluation


class Lab(Training):
    """All stages of one configuration, each an attribute."""

    def load_encoder(self) -> Any:
        """The pre-trained encoder, on the device that computes; not kept, for its memory."""
        return base_model.load_encoder(self.base).to(self.device)

    @cached_property
    def probe_embeddings(self) -> np.ndarray:
        """Unit embeddings (sentences, dim) of the probes."""

        def compute() -> Arrays:
            from labkit.embeddings import embed

            ids = tokenization.encode(
                self.base_tokenizer, list(self.probes.texts), self._max_length
            )
            return {"embeddings": embed(self.load_encoder(), ids)}

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

            encoder = self.load_encoder()
            return self._per_split(
                self.base_tokens,
                lambda ids, report: (embed(encoder, ids, report),),
                ("",),
            )

        inputs = {"tokens": self._base_tokens.key, "base": self.base.digest}
        code = ["base_model", "embeddings", "stages"]
        return self._arrays("base-embeddings", inputs, compute, code)

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
                    embedded, self.load_encoder(), self.base_tokenizer, names
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
        code = ["base_model", "fine_tune", "stages"]
        return self._arrays("predictions", inputs, compute, code)

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
            "card": file_digest(MODEL_CARD),
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
