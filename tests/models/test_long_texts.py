"""Texts that a model cannot read at once: every word is tagged, and nothing is lost uncounted."""

import pickle

import pytest
import torch
from test_three_tasks import CLASSES, HYPOTHESES, LABELS, PIECES, TAGS, WORDS, transformer
from torch import nn

from mtl_utils.data import BatchLoader, Example, Inputs, collate
from mtl_utils.models import MultiTaskTransformer, ThreeTaskModel
from mtl_utils.nn import BiLSTMEncoder, Encoder, TransformerEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Tagging

LONG = [word for words in WORDS * 5 for word in words]
LONG_TAGS = [tag for tags in LABELS["tags"] * 5 for tag in tags]


class Neighbours(Encoder):
    """Reads each token with a few on both sides, so that a window of enough of them is all."""

    width = 16

    def __init__(self, reach=3):
        super().__init__()
        torch.manual_seed(3)
        self.embedding = nn.Embedding(PIECES.vocab_size, self.width)
        self.mix = nn.Conv1d(self.width, self.width, 2 * reach + 1, padding=reach)

    def forward(self, inputs: Inputs):
        embedded = self.embedding(inputs.input_ids) * inputs.mask.unsqueeze(-1)
        return self.mix(embedded.transpose(1, 2)).transpose(1, 2)


def local(**options):
    """A model whose states in a window are those of the whole where 3 pieces are left and right.

    Special tokens stand in the way at the ends of windows, so they are among the three.
    """
    torch.manual_seed(0)
    return ThreeTaskModel(
        HardSharing(Neighbours()),
        CLASSES,
        TAGS,
        tokenizer=PIECES,
        pair_pooling="compare",
        **options,
    ).double()


@pytest.mark.parametrize("crf", [False, True])
@pytest.mark.parametrize("max_length", [20, 31, 64])
def test_windows_of_a_local_encoder_tag_as_one_pass_does(max_length, crf):
    whole = local(crf=crf)
    parts = local(crf=crf, max_length=max_length, long="windows")
    sentences = [LONG, *WORDS, LONG[3:40], LONG[7:]]
    assert parts.tag(sentences) == whole.tag(sentences)
    assert parts.tag(sentences, max_tokens=1) == whole.tag(sentences)
    assert [len(row) for row in parts.tag(sentences)] == [len(words) for words in sentences]


def test_one_long_text_among_many_stops_nothing_and_is_counted():
    model = transformer(max_length=40, long="windows")
    texts = [*WORDS, LONG]
    with pytest.warns(UserWarning, match=r"1 of 5 texts or pairs are longer than the 40 tokens"):
        classes = model.classify(texts)
    with pytest.warns(UserWarning, match="1 of 5"):
        relations = model.infer(texts, ["Yes ."] * 5)
    assert len(classes) == len(relations) == 5
    assert classes[:4] == model.classify(WORDS)
    with pytest.warns(UserWarning, match="1 of 5"):
        analysed = model.analyse(texts, ["Yes ."] * 5)
    assert [len(row.tags) for row in analysed] == [len(words) for words in texts]
    assert [row.inference for row in analysed] == relations
    tags = model.tag(texts)
    assert [len(row) for row in tags] == [len(words) for words in texts]
    # They keep to the scheme across the seams of windows.
    for before, tag in zip(["O", *tags[-1]], tags[-1], strict=False):
        assert not tag.startswith("I-") or before[2:] == tag[2:]


def test_what_is_said_of_a_long_text_comes_back_from_another_process():
    with pytest.raises(ValueError, match="longer than the 40") as caught:
        transformer(max_length=40).examples([LONG])
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.limit) == (str(caught.value), 40)
    assert again.length == caught.value.length > 40


def test_what_is_too_long_is_named_by_its_number():
    model = transformer(max_length=40)
    calls = [
        lambda: model.classify([*WORDS, LONG]),
        lambda: model.tag([*WORDS, LONG]),
        lambda: model.infer([*WORDS, LONG], ["a"] * 5),
        lambda: model.examples([*WORDS, LONG]),
        lambda: model.evaluate_texts([*WORDS, LONG], classification=["sport"] * 5),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="longer than the 40") as caught:
            call()
        assert caught.value.__notes__[0].startswith("This was text 4, counted from 0")


def test_the_setting_is_saved_and_misspelt_ones_are_refused(tmp_path):
    model = transformer(max_length=20)
    model.long = "windows"
    model.save(tmp_path)
    again = MultiTaskTransformer.load(tmp_path)
    assert again.long == "windows"
    assert again.tag([LONG]) == model.tag([LONG])
    assert len(again.example(LONG).input_ids) == 20
    with pytest.raises(ValueError, match=r"long must be one of \['error', 'windows'\], got 'cut'"):
        transformer(long="cut")


def test_the_limit_of_the_encoder_is_that_of_the_model():
    sharing = HardSharing(TransformerEncoder(PIECES.vocab_size, 16, 1, 2, max_length=20))
    model = ThreeTaskModel(sharing, CLASSES, TAGS, tokenizer=PIECES)
    assert model.max_length == 20
    with pytest.raises(ValueError, match="longer than the 20"):
        model.examples([LONG])
    with pytest.raises(ValueError, match="max_length is 21, but the encoder reads 20 at most"):
        ThreeTaskModel(sharing, CLASSES, TAGS, max_length=21)
    free = ThreeTaskModel(HardSharing(BiLSTMEncoder(300, 16)), CLASSES, TAGS, pooling="mean")
    assert free.max_length is None


# Measuring.


def test_words_that_were_cut_count_as_missed():
    model = transformer(max_length=20)
    (example,) = model.examples([LONG], tags=[LONG_TAGS], truncate=True)
    kept = sum(label != -100 for label in example.labels["tags"])
    assert kept + len(example.lost["tags"]) == len(LONG)
    ids = model.tagging.ids_of(LONG_TAGS)
    assert example.lost["tags"] == ids[kept:]
    other = model.example(WORDS[0], tags=LABELS["tags"][0])
    batch = collate([other, example])
    assert batch.lost["tags"][0].unique().tolist() == [-100]
    found = model.compare([other, example])["tags"]
    predicted, expected = found[1]
    assert expected == ids
    assert predicted[kept:] == [-100] * (len(LONG) - kept)
    assert -100 not in predicted[:kept]
    # As if a model had said O, which is no entity, and been wrong about every label.
    by_hand = [row[0] for row in found]
    by_hand[1] = [*predicted[:kept], *[model.tagging.labels.index("O")] * (len(LONG) - kept)]
    scores = model.tagging.metrics(by_hand, [row[1] for row in found])
    evaluated = model.evaluate([other, example])
    for name in ("precision", "recall", "f1", "f1_PER", "f1_GPE"):
        assert evaluated[f"tags_{name}"] == scores[name]
    right = sum(a == b for row in found for a, b in zip(*row, strict=True))
    assert evaluated["tags_accuracy"] == right / (len(LONG) + len(WORDS[0]))
    for loader in (
        BatchLoader([example, other], batch_size=1),
        BatchLoader([other, example], batch_size=2),
    ):
        assert model.evaluate(loader) == evaluated


def test_a_perfect_tagger_that_reads_half_has_half_the_recall():
    tagging = Tagging("tags", TAGS)
    half, whole = ["B-PER", "O"], ["B-PER", "O", "B-GPE", "O"]
    scores = tagging.metrics([[*half, -100, -100]], [whole])
    assert (scores["precision"], scores["recall"], scores["accuracy"]) == (1.0, 0.5, 0.5)
    plain = Tagging("pos", ("NOUN", "VERB"))
    assert plain.metrics([["NOUN", -100]], [["NOUN", "NOUN"]]) == {"accuracy": 0.5}


def test_what_was_lost_is_not_learnt():
    model = transformer(max_length=20)
    (example,) = model.examples([LONG], tags=[LONG_TAGS], truncate=True)
    known = Example(example.input_ids, example.labels)
    torch.manual_seed(0)
    one = model.eval()(collate([example])).by_task["tags"]
    assert torch.equal(one, model(collate([known])).by_task["tags"])


def test_texts_that_fit_measure_as_their_examples_do():
    model = transformer(max_length=80, long="windows")
    found = model.evaluate_texts(WORDS, HYPOTHESES, **LABELS)
    assert found == pytest.approx(model.evaluate(model.examples(WORDS, HYPOTHESES, **LABELS)))
    some = {"tags": [LABELS["tags"][0], None, None, LABELS["tags"][3]]}
    found = model.evaluate_texts(WORDS, **some)
    assert found == pytest.approx(model.evaluate(model.examples(WORDS, **some)))
    with pytest.raises(ValueError, match="there is nothing to measure"):
        model.evaluate_texts(WORDS, tags=[None] * 4)


def test_long_texts_are_measured_whole():
    whole, parts = local(), local(max_length=31, long="windows")
    found = parts.evaluate_texts([LONG, WORDS[0]], tags=[LONG_TAGS, LABELS["tags"][0]])
    examples = whole.examples([LONG, WORDS[0]], tags=[LONG_TAGS, LABELS["tags"][0]])
    assert found == pytest.approx(whole.evaluate(examples))


# What can be predicted.


def test_single_texts_are_predicted_without_the_task_of_pairs():
    model = transformer()
    singles = collate(model.examples(WORDS))
    assert set(model.predict(singles)) == {"classification", "tags"}
    pairs = collate(model.examples(WORDS, HYPOTHESES))
    assert set(model.predict(pairs)) == {"classification", "tags", "inference"}
    with pytest.raises(ValueError, match="no segment ids"):
        model.predict(singles, ["inference"])
