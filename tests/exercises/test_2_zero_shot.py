"""Exercise 2: zero-shot classification.

What you see: Posts are classified without a single training example, in two ways.

Label similarity embeds the post and one sentence for each label ("This example is about
baseball."), and takes the label whose sentence is nearest. This uses the embeddings of exercise 1.

Entailment asks a model for natural language inference (NLI): does the post, the premise, support
the claim "This example is about baseball.", the hypothesis? transformers' `zero-shot-classification`
pipeline does this. It needs a head that was trained for it. Put on a base checkpoint, the head is
two layers of random numbers: it answers, and its answer means nothing. So 20 such heads are drawn
and all are measured. The `distilbert` profile also has a checkpoint with a trained head. `embedded`,
made to run offline, has no such checkpoint: there the zero-shot number to read is label similarity's.

Predict first: 20 random heads on two classes. What accuracy do they have on average, and how far
is the best from the worst? Then look:

    pytest -k zero_shot -v

Question: What accuracy does zero-shot get? Where does it make mistakes?
"""

import numpy as np
import pytest
from scipy import stats

from labkit.evaluation.metrics import ZERO_SHOT, evaluate_untrained
from labkit.report.wording import percent

pytestmark = pytest.mark.exercise("zero_shot")
BEYOND_DOUBT = 0.001  # a p-value; no run of the lab should be red by chance


@pytest.fixture(scope="module")
def claims(zero_shot):
    """One sentence for each label, such as "This example is about baseball."."""
    return zero_shot.wordings[0]


@pytest.fixture(scope="module")
def untrained(lab, posts, baselines, zero_shot):
    """Every method that no post has trained, by name."""
    return evaluate_untrained(posts, lab.settings["seed"], baselines, zero_shot)


@pytest.fixture(scope="module")
def heads(untrained):
    """Whether each untrained head is right on each post: (heads, posts)."""
    return untrained["untrained_nli"].all_correct


def test_label_similarity_by_hand(base, posts, claims, zero_shot, lab):
    """The first test post against one sentence for each label: the nearest wins."""
    import torch
    from transformers import AutoTokenizer, DistilBertModel

    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    encoder = DistilBertModel.from_pretrained(base.folder, dtype=torch.float32)

    def embed(text):
        batch = tokenizer(
            text, truncation=True, max_length=lab.settings["max_length"], return_tensors="pt"
        )
        with torch.no_grad():
            hidden = encoder(batch["input_ids"]).last_hidden_state
        mean = hidden[0].mean(dim=0)  # one text: there is no padding to leave out
        return mean / mean.norm()

    post = embed(posts.test[0]["text"])
    cosines = [float(post @ embed(claim)) for claim in claims]  # one for each label

    measured = zero_shot.label_similarity[0, 0]  # in the first wording, of the first post
    assert cosines == pytest.approx(measured, abs=1e-3)
    assert np.argmax(cosines) == measured.argmax()


def test_entailment_by_hand(base, nli, posts, claims, zero_shot, lab):
    """One post as premise, each label as hypothesis; the head has one output for "entailment".

    Where there is no trained head, two heads are drawn from two seeds: the same post, the same
    encoder, and two different answers.
    """
    import torch
    from transformers import AutoTokenizer, DistilBertForSequenceClassification

    from labkit.evaluation.zero_shot import entailment_index

    post = posts.test[int(zero_shot.asked[0])]["text"]

    def answer(checkpoint, entailment, seed=0):
        torch.manual_seed(seed)  # a head that the checkpoint lacks is drawn here
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder)
        model = DistilBertForSequenceClassification.from_pretrained(
            checkpoint.folder, dtype=torch.float32
        )
        logits = []
        for claim in claims:
            pair = tokenizer(
                post,  # [CLS] premise [SEP] hypothesis [SEP]
                claim,
                truncation="only_first",
                max_length=lab.settings["max_length"],
                return_tensors="pt",
            )
            with torch.no_grad():
                output = model(pair["input_ids"], pair["attention_mask"])
            logits.append(output.logits[0, entailment(model.config)])
        return torch.stack(logits).softmax(dim=0).numpy()  # over the labels: they sum to 1

    if nli:
        trained = answer(nli, lambda config: entailment_index(config.label2id))
        assert trained == pytest.approx(zero_shot.trained_nli[0], abs=1e-3)
    first, second = (answer(base, lambda config: -1, seed) for seed in (0, 1))
    assert first == pytest.approx(zero_shot.untrained_nli[0, 0], abs=1e-3)
    assert second == pytest.approx(zero_shot.untrained_nli[1, 0], abs=1e-3)
    assert abs(first - second).max() > 0


def test_an_untrained_head_says_nothing_on_average(posts, heads):
    """A head with its last layer's signs turned is as likely a draw and right where it was wrong.

    So with two labels heads are right on half of the posts on average; a t-test on their
    accuracies finds nothing else.
    """
    if len(posts.labels) > 2:
        pytest.skip("a head and its mirror image cancel out for two labels only")
    assert len(heads) >= 20
    p = stats.ttest_1samp(heads.mean(axis=1), 0.5).pvalue
    assert p > BEYOND_DOUBT, f"{percent(heads.mean())} on average, p = {p:.2g}"


def test_the_answer_is_about_the_best_method(answer, untrained):
    """An untrained head counts by the mean of its draws: the best of 20 would be luck."""
    found = {
        method: untrained[method].accuracy.value for method in ZERO_SHOT if method in untrained
    }
    assert answer.values["best_method"] == max(found, key=found.__getitem__)


def test_gate(answer, gate):
    answer.check(gate)
