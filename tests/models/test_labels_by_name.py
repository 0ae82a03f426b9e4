"""Labels on their way from a table to a score: by name, and missing, in one way for every task."""

import datasets
import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

from mtl_utils import corpora
from mtl_utils.data import (
    MISSING_LABEL,
    BytePairTokenizer,
    Example,
    collate,
    encode_text,
    named_labels,
)
from mtl_utils.models import MultiTaskModel, Seq2Seq, Tagger, ThreeTaskModel
from mtl_utils.nn import BiLSTMEncoder, LSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, LabelledHead, LanguageModeling, Tagging

WORDS = [["Ann", "won"], ["in", "New", "York"], ["no"]]
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
OTHERS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
NAMES = [["B-PER", "O"], ["O", "B-LOC", "I-LOC"], ["O"]]
CLASSES = ("sport", "politics")
PIECES = BytePairTokenizer.train([" ".join(words) for words in WORDS], 270)


def text_model(tags=TAGS, classes=CLASSES, seed=0, **options):
    torch.manual_seed(seed)
    sharing = HardSharing(BiLSTMEncoder(PIECES.vocab_size, 8, dropout=0.0))
    poolings = {"pooling": "mean", "pair_pooling": "compare", "dropout": 0.0}
    return ThreeTaskModel(sharing, classes, tags, tokenizer=PIECES, **poolings, **options)


def table(tags, names, classes=("politics", "sport"), labels=(1, 0, -1)):
    """A data set whose ids are in an order of their own."""
    features = datasets.Features(
        {
            "tokens": datasets.Sequence(datasets.Value("string")),
            "ner": datasets.Sequence(datasets.ClassLabel(names=list(tags))),
            "topic": datasets.ClassLabel(names=list(classes)),
        }
    )
    ids = [
        None if row is None else [-1 if n is None else tags.index(n) for n in row] for row in names
    ]
    columns = {"tokens": WORDS, "ner": ids, "topic": list(labels)}
    return datasets.Dataset.from_dict(columns, features=features)


# Ids mean names.


def test_a_column_is_read_by_its_own_names():
    rows = table(OTHERS, NAMES)
    assert rows["ner"][0] != [TAGS.index(n) for n in NAMES[0]]  # the ids alone say something else
    assert named_labels(rows["ner"]) == NAMES
    assert named_labels(rows["topic"]) == ["sport", "politics", None]
    assert named_labels(rows.select([1, 2])["topic"]) == ["politics", None]
    for form in ("numpy", "torch"):
        assert named_labels(rows.with_format(form)["ner"]) == NAMES
        assert named_labels(rows.with_format(form)["topic"]) == ["sport", "politics", None]
    assert named_labels(rows["tokens"]) == WORDS
    assert named_labels([1, 0]) == [1, 0]  # nothing is known of these


def test_models_read_columns_by_name():
    rows = table(OTHERS, NAMES)
    model = text_model()
    by_name = model.examples(WORDS, tags=NAMES, classification=["sport", "politics", None])
    assert model.examples(WORDS, tags=rows["ner"], classification=rows["topic"]) == by_name
    torch.manual_seed(0)
    tagger = Tagger.from_sentences(WORDS, TAGS, width=8, character_width=4)
    assert tagger.examples(WORDS, rows["ner"]) == tagger.examples(WORDS, NAMES)


def test_metrics_read_columns_by_name():
    rows = table(OTHERS, NAMES)
    assert Tagging("ner", TAGS).metrics(NAMES, rows["ner"])["f1"] == 1
    assert Classification("topic", CLASSES).metrics([0, 1, 0], rows["topic"])["accuracy"] == 1


def test_names_that_are_no_labels_are_refused():
    rte = datasets.Dataset.from_dict(
        {"label": [1]},
        features=datasets.Features(
            {"label": datasets.ClassLabel(names=["entailment", "not_entailment"])}
        ),
    )
    with pytest.raises(KeyError, match="'not_entailment' is not a label of 'inference'"):
        text_model().examples(["a"], ["b"], inference=rte["label"])
    with pytest.raises(TypeError, match="Expected a list of labels, got 'sport'"):
        named_labels("sport")


# Weights carry the names.


def tagger(labels, crf):
    torch.manual_seed(0)
    return Tagger.from_sentences(WORDS, labels, width=8, character_width=4, crf=crf)


@pytest.mark.parametrize("crf", [False, True])
def test_weights_of_permuted_labels_are_refused_and_change_nothing(crf, tmp_path):
    model, other = tagger(TAGS, crf), tagger(OTHERS, crf)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    safetensors.torch.save_file(model.state_dict(), tmp_path / "weights.safetensors")
    copies = {
        "as it is": model.state_dict(),
        "a dictionary": dict(model.state_dict()),
        "torch.save": torch.load(tmp_path / "weights.pt", weights_only=True),
        "safetensors": safetensors.torch.load_file(tmp_path / "weights.safetensors"),
        "half": {name: value.half() for name, value in model.state_dict().items()},
    }
    for state in copies.values():
        for strict in (True, False):
            with pytest.raises(ValueError, match="id 1 is 'B-PER' there and 'B-LOC' here"):
                other.load_state_dict(state, strict=strict)
        tagger(TAGS, crf).load_state_dict(state)
    for name, value in other.state_dict().items():
        assert torch.equal(value, before[name])
    with pytest.raises(ValueError, match="in another order"):
        other.head("tags").load_state_dict(model.head("tags").state_dict())
    # Wrapped, as accelerate does it.
    with pytest.raises(ValueError, match="in another order"):
        torch.nn.Sequential(other).load_state_dict(torch.nn.Sequential(model).state_dict())


def test_weights_without_names_load_as_before():
    model, other = tagger(TAGS, True), tagger(OTHERS, True)
    state = {n: v for n, v in model.state_dict().items() if not n.endswith("_extra_state")}
    assert len(state) == len(list(model.parameters()))
    assert other.load_state_dict(state).missing_keys == []
    with pytest.raises(RuntimeError, match=r"Missing key.*bias"):
        other.load_state_dict({n: v for n, v in state.items() if not n.endswith("output.bias")})


def test_every_head_over_labels_carries_them():
    model, other = text_model(), text_model(classes=CLASSES[::-1])
    heads = {
        name: head.labels for name, head in model.heads.items() if isinstance(head, LabelledHead)
    }
    assert heads == {
        "classification": CLASSES,
        "tags": TAGS,
        "inference": ("entailment", "neutral", "contradiction"),
    }
    with pytest.raises(ValueError, match="'classification' are of other labels: the same number"):
        other.load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match=r"are of other labels: 5 .*, not 1 "):
        text_model(tags=("O",)).load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match="'X' here"):
        text_model(classes=("sport", "X")).load_state_dict(model.state_dict())
    broken = model.state_dict() | {"heads.tags._extra_state": torch.zeros(3)}
    with pytest.raises(ValueError, match="no readable labels"):
        model.load_state_dict(broken)


# Missing labels, from a row to a score.

MISSING = {
    "None": None,
    "nan": float("nan"),
    "float32": np.float32("nan"),
    "NA": pd.NA,
    "NaT": pd.NaT,
}


@pytest.mark.parametrize("missing", MISSING.values(), ids=MISSING)
def test_a_missing_label_of_a_whole_row(missing):
    model = text_model()
    made = model.examples(
        WORDS,
        ["x"] * 3,
        classification=[missing, 0, missing],
        tags=[missing] * 3,
        inference=[missing] * 3,
    )
    assert [list(example.labels) for example in made] == [[], ["classification"], []]
    batch = collate(made)
    assert batch.labels["classification"].tolist() == [MISSING_LABEL, 0, MISSING_LABEL]
    assert set(model.evaluate(made)) == {"classification_accuracy", "classification_macro_f1"}
    assert model.compare(made)["classification"][0] is None
    losses = model(batch)
    alone = model(collate(made[1:2]))
    torch.testing.assert_close(losses.by_task, alone.by_task)


@pytest.mark.parametrize("crf", [False, True])
@pytest.mark.parametrize("missing", [*MISSING.values(), MISSING_LABEL], ids=[*MISSING, "-100"])
def test_a_word_without_a_label(crf, missing):
    """It costs nothing, moves nothing and counts nowhere; all others do."""
    model = text_model(crf=crf, scale="token")
    (example,) = model.examples([["in", "New", "York"]], tags=[["O", missing, "B-LOC"]])
    encoded = encode_text(PIECES, ["in", "New", "York"])
    assert encoded.of_words(example.labels["tags"]) == [0, MISSING_LABEL, 3]
    batch = collate([example])
    hidden = torch.randn(1, len(example.input_ids), 8, requires_grad=True)
    head = model.head("tags")
    head.loss(head(hidden, batch), batch).backward()
    moved = hidden.grad[0].any(dim=1).nonzero().squeeze(1).tolist()
    assert moved == [encoded.first_pieces[0], encoded.first_pieces[2]]
    assert head.count(batch) == 2
    ((found, expected),) = model.compare([example])["tags"]
    assert expected == [0, 3]
    assert (
        model.evaluate([example])["tags_accuracy"]
        == sum(a == b for a, b in zip(found, expected, strict=True)) / 2
    )
    assert [len(row) for row in model.tag([["in", "New", "York"]])] == [3]


def test_from_a_parquet_file_to_a_score(tmp_path):
    """None, a word without a tag, and -1 where the feature is a ClassLabel."""
    names = [["B-PER", None], None, ["O"]]
    table(OTHERS, names, labels=(1, -1, -1)).to_parquet(tmp_path / "rows.parquet")
    rows = datasets.Dataset.from_parquet(str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path))
    model = text_model()
    made = model.examples(rows["tokens"], tags=rows["ner"], classification=rows["topic"])
    assert made == model.examples(WORDS, tags=names, classification=["sport", None, None])
    known = made[0].labels["tags"]
    assert sorted(known)[-1] == TAGS.index("B-PER")
    assert sum(label != MISSING_LABEL for label in known) == 1
    measured = model.evaluate(made)
    pairs = model.compare(made)
    assert [pair is None for pair in pairs["tags"]] == [False, True, False]
    assert [pair is None for pair in pairs["classification"]] == [False, True, True]
    right = [a == b for pair in pairs["tags"] if pair for a, b in zip(*pair, strict=True)]
    assert measured["tags_accuracy"] == sum(right) / 2


def test_minus_one_means_missing_where_a_feature_says_so_alone():
    model = text_model()
    for label in ({"classification": [-1]}, {"tags": [[-1, 0]]}):
        with pytest.raises(ValueError, match="give None; -1 stands for that only in a column"):
            model.examples(WORDS[:1], **label)
    with pytest.raises(ValueError, match=r"got 0 labels for 2 words.*give None"):
        model.examples(WORDS[:1], tags=[[]])
    with pytest.raises(TypeError, match=r"got 1\.0 in name\. Numbers must be integers: pandas"):
        model.examples(WORDS[:1], classification=[1.0])
    with pytest.raises(ValueError, match=r"got 0 tags for 2 words.*give None"):
        tagger(TAGS, False).examples(WORDS[:1], [[]])
    with pytest.raises(ValueError, match="got 1 for 2 sentences"):
        tagger(TAGS, False).examples(WORDS[:2], [["O", "O"]])


def test_examples_made_by_hand_may_say_none():
    absent = Example([1, 2], {"tags": [3, MISSING_LABEL]})
    by_hand = Example([1, 2], {"tags": [3, None], "topic": None})
    assert list(by_hand.labels) == ["tags"]
    assert torch.equal(collate([by_hand]).labels["tags"], collate([absent]).labels["tags"])
    assert collate([by_hand, Example([1], {"topic": 1})]).labels["topic"].tolist() == [-100, 1]


def test_a_missing_translation_and_a_text_that_is_not_modelled():
    torch.manual_seed(0)
    model = Seq2Seq(PIECES, PIECES, width=8)
    model.eval()
    known = model.example("in New York", "no")
    both = model.examples(["Ann won", "in New York"], [float("nan"), "no"])
    assert [list(example.labels) for example in both] == [[], ["translation"]]
    assert model.example("Ann", None).labels == {}
    torch.testing.assert_close(model(collate(both)).by_task, model(collate([known])).by_task)

    task = LanguageModeling("lm", PIECES.vocab_size)
    language = MultiTaskModel(HardSharing(LSTMEncoder(PIECES.vocab_size, 8)), [task]).eval()
    ids = [4, 5, 6]
    partly = [Example(ids, {"lm": task.label(ids)}), Example(ids, {"lm": None})]
    torch.testing.assert_close(
        language(collate(partly)).by_task, language(collate(partly[:1])).by_task
    )


@pytest.mark.skipif("not __import__('os').environ.get('MTL_DATA_DIR')")
def test_the_danish_tags_that_break_the_scheme_are_not_lost():
    """Seven tags: one in test, six in train."""
    data = corpora.load("universal_ner", "da_ddt")
    task = Tagging("ner", tuple(data["train"].features["ner_tags"].feature.names))
    lenient = Tagging("ner", task.labels, invalid="convert")
    found = {}
    for split, rows in data.items():
        column = rows["ner_tags"]
        found[split] = lenient.metrics(column, column)["converted"]
        if found[split]:
            with pytest.raises(ValueError, match=r"tasks\.repair_iob2"):
                task.metrics(column, column)
    assert found == {"train": 6, "validation": 0, "test": 1}
