"""Labels ranked as continuations have the log-probability that the loss of the model says."""

import pytest
import torch

from mtl_utils.data import Example, Vocabulary, WordTokenizer, collate
from mtl_utils.models import TextModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Translation
from mtl_utils.transfer import TextForm, rank_labels

LABELS = ("sport", "world news", "art")
ROWS = [{"text": "they won"}, {"text": "won they won"}]


@pytest.fixture
def model():
    torch.manual_seed(0)
    tokenizer = WordTokenizer(
        Vocabulary.from_tokens(["topic:", "they", "won", "sport", "world", "news", "art"])
    )
    writing = Translation("text", tokenizer, dropout=0.5, smoothing=0.1, scale="text")
    encoder = BiLSTMEncoder(tokenizer.vocab_size, 8, dropout=0.5)
    return TextModel(HardSharing(encoder), [writing], tokenizer)


def test_scores_are_the_negative_loss_of_each_label_alone(model):
    model.train()
    found = rank_labels(model, "text", TextForm(Classification("topic", LABELS)), ROWS)
    assert model.training
    model.eval()
    (task,) = model.tasks.values()
    for row, scores in zip(ROWS, found, strict=True):
        (example,) = model.examples([{"source": f"topic: {row['text']}", "target": "art"}])
        for label in LABELS:
            one = collate([Example(example.input_ids, {"text": task.label(label)})])
            assert scores[label] == pytest.approx(-model(one).by_task["text"].item(), rel=1e-5)


def test_words_of_labels_are_what_is_scored(model):
    topic = Classification("topic", LABELS)
    plain = rank_labels(model, "text", TextForm(topic), ROWS)
    other = rank_labels(
        model, "text", TextForm(topic, words={"sport": "art", "art": "sport"}), ROWS
    )
    assert [row["sport"] for row in other] == [row["art"] for row in plain]
