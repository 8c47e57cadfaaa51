"""The six exercises of the lab, in order, each with the question that it answers.

The question stands here once; the exercise modules, the terminal, the report and
`answers.json` all render this table.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Exercise:
    """One exercise: a stable `id` for files and `-k`, and the words a learner sees."""

    id: str
    number: int
    title: str
    question: str


EXERCISES = (
    Exercise(
        "pretrained_knowledge",
        1,
        "What a pre-trained model already knows",
        "How similar are the embeddings of two sentences about the same topic?",
    ),
    Exercise(
        "zero_shot",
        2,
        "Zero-shot classification",
        "What accuracy does zero-shot get? Where does it make mistakes?",
    ),
    Exercise(
        "training_data",
        3,
        "Training data",
        "How many tokens does a typical example have? What does tokenized text look like?",
    ),
    Exercise(
        "fine_tune",
        4,
        "Fine-tune",
        "What accuracy did it reach? How much better than zero-shot?",
    ),
    Exercise(
        "compare",
        5,
        "Compare",
        "How clearly separated are the classes in embedding space?",
    ),
    Exercise(
        "save_and_track",
        6,
        "Save and track",
        "What files make up a fine-tuned model? How big compared to the original?",
    ),
)

BY_ID = {exercise.id: exercise for exercise in EXERCISES}
