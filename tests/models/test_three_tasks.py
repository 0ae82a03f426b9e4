"""A model of texts and pairs as its users meet it: any words, any order, over any encoder."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils import atlas
from mtl_utils.data import BatchLoader, BytePairTokenizer, Example, Inputs, collate, encode_text
from mtl_utils.models import MultiTaskTransformer, PairAnalysis, ThreeTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import to_spans
from mtl_utils.training import Trainer, TrainerConfig

CLASSES, TAGS = ("sport", "politics"), ("O", "B-PER", "I-PER", "B-GPE", "I-GPE")
CORPUS = [
    ("Anna Smith plays in Paris .", "B-PER I-PER O O B-GPE O", "Anna plays .", "sport", 0),
    ("Bob leads New York .", "B-PER O B-GPE I-GPE O", "Bob leads Boston .", "politics", 2),
    ("The team of Lyon won .", "O O O B-GPE O O", "It rained .", "sport", 1),
    ("No .", "O O", "Yes .", "politics", 2),
]
WORDS = [words.split() for words, *_ in CORPUS]
LABELS = {
    "classification": [row[3] for row in CORPUS],
    "tags": [row[1].split() for row in CORPUS],
    "inference": [atlas.INFERENCE_LABELS[row[4]] for row in CORPUS],
}
HYPOTHESES = [row[2] for row in CORPUS]
ODD = [[], [""], ["猫", "は"], ["👩\u200d👩\u200d👧", "!"], ["<eos>", "<pad>"], ["a" * 30]]
PIECES = BytePairTokenizer.train([*map(" ".join, WORDS), *HYPOTHESES], 300)
SENTENCES = [*WORDS, *ODD]
TASKS = list(LABELS)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Keep models this small from waiting for other threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def transformer(**options):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "max_length": 80}
    texts = [*WORDS, *HYPOTHESES]
    return MultiTaskTransformer.from_texts(
        texts, CLASSES, TAGS, vocab_size=300, **{**sizes, **options}
    ).double()


def bilstm(**options):
    torch.manual_seed(0)
    sharing = HardSharing(BiLSTMEncoder(PIECES.vocab_size, 24, dropout=0.0))
    poolings = {"pooling": "mean", "pair_pooling": "compare"}
    options = {"tokenizer": PIECES, **poolings, **options}
    return ThreeTaskModel(sharing, CLASSES, TAGS, **options).double()


both = pytest.mark.parametrize("make", [transformer, bilstm])


def everything(model):
    return model.examples(WORDS, HYPOTHESES, **LABELS)


@both
@settings(max_examples=8)
@given(order=st.permutations(SENTENCES), max_tokens=st.sampled_from([1, 40, 4096]))
def test_neither_order_nor_batches_change_a_prediction(make, order, max_tokens):
    model, order = make(), order[:6]
    hypotheses = [" ".join(words[:2]) for words in order]
    assert model.classify(order, max_tokens=max_tokens) == [model.classify([w])[0] for w in order]
    tags = model.tag(order, max_tokens=max_tokens)
    assert tags == [model.tag([words])[0] for words in order]
    assert [len(row) for row in tags] == [len(words) for words in order]
    pairs = list(zip(order, hypotheses, strict=True))
    relations = model.infer(order, hypotheses, max_tokens=max_tokens)
    assert relations == [model.infer([first], [second])[0] for first, second in pairs]
    together = model.analyse(order, hypotheses, max_tokens=max_tokens)
    assert together == [model.analyse([first], [second])[0] for first, second in pairs]
    assert [row.inference for row in together] == relations
    for row in [*tags, *(analysis.tags for analysis in together)]:  # valid, whatever was read
        assert sum(s.end - s.start for s in to_spans(row)) == sum(tag != "O" for tag in row)


@both
def test_nothing_to_read(make):
    model = make()
    assert model.classify([]) == model.tag([]) == model.infer([], []) == model.analyse([], []) == []
    assert model.tag([[], ()]) == [[], []]
    (found,) = model.analyse([[]], [""])
    assert isinstance(found, PairAnalysis)
    assert found.tags == []
    assert len(model.classify(["", []])) == 2


@both
def test_predictions_leave_the_mode_and_ignore_dropout(make):
    model = make(dropout=0.5).train()
    model.heads["tags"].eval()  # frozen by its owner
    modes = [module.training for module in model.modules()]

    def predictions():
        return [
            model.classify(SENTENCES),
            model.tag(SENTENCES),
            model.infer(WORDS, HYPOTHESES),
            model.analyse(WORDS, HYPOTHESES),
            model.evaluate(everything(model)),
        ]

    found = predictions()
    assert [module.training for module in model.modules()] == modes
    model.eval()
    assert predictions() == found
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_bilstm_learns_pairs_by_heart():
    model = bilstm(dropout=0.0)
    loader = BatchLoader(everything(model), batch_size=4)
    Trainer(model, TrainerConfig(epochs=60, learning_rate=0.02), progress=False).fit(loader)
    found = model.analyse(WORDS, HYPOTHESES)
    assert [row.inference for row in found] == LABELS["inference"]
    assert [row.tags for row in found] == LABELS["tags"]
    assert [row.classification for row in found] == LABELS["classification"]
    assert model.infer(map(" ".join, WORDS), HYPOTHESES) == LABELS["inference"]


# Examples.


def test_an_example_by_hand():
    model = transformer()
    tokenizer = model.tokenizer
    ids = tokenizer.encode("Anna Smith"), tokenizer.encode("Anna plays .")
    example = model.example(
        ["Anna", "Smith"],
        HYPOTHESES[0],
        classification="politics",
        tags=["B-PER", 2],
        inference=1,
    )
    assert example.input_ids == [2, *ids[0], 3, *ids[1], 3]
    assert example.segment_ids == [0] * (len(ids[0]) + 2) + [1] * (len(ids[1]) + 1)
    first_pieces = tokenizer.encode_words(["Anna", "Smith"]).align([1, 2])
    assert example.labels == {
        "classification": 1,
        "tags": [-100, *first_pieces, *[-100] * (len(ids[1]) + 2)],
        "inference": 1,
    }
    single = model.example("Anna Smith")
    assert (single.input_ids, single.labels, single.segment_ids) == ([2, *ids[0], 3], {}, None)


def test_labels_and_hypotheses_may_be_known_for_some_only():
    model = transformer(scale="token")
    examples = model.examples(
        ["a b", ["c", "d"], "e"],
        [None, "f", None],
        classification=["sport", None, 1],
        tags=[None, ["O", "O"], None],
        inference=[None, "neutral", None],
    )
    assert [list(example.labels) for example in examples] == [
        ["classification"],
        ["tags", "inference"],
        ["classification"],
    ]
    batch = collate(examples)
    assert batch.labels["inference"].tolist() == [-100, 1, -100]
    assert model(batch).counts == {"classification": 2, "tags": 2, "inference": 1}


def test_what_is_too_long_is_cut_only_where_asked():
    model, words = transformer(max_length=12), ["Anna"] * 30
    with pytest.raises(
        ValueError, match=r"is longer than the 12 that the model reads.*truncate=True"
    ):
        model.example(words)
    with pytest.raises(ValueError, match="is longer than the 12"):
        model.infer([words], ["a"])
    example = model.example(words, "Bob", tags=["B-PER"] * 30, truncate=True)
    assert len(example.input_ids) == len(example.labels["tags"]) == 12
    assert example.input_ids[-1] == 3
    (other,) = model.examples([words], ["Bob"], tags=[["B-PER"] * 30], truncate=True)
    assert other == example
    assert bilstm().tag([words]) != []  # no limit


# Metrics.


@both
def test_metrics_are_those_of_the_tasks_on_predictions_by_name(make):
    model = make()
    examples = everything(model)
    found = model.evaluate(examples)
    analysed = model.analyse(WORDS, HYPOTHESES)
    expected = {}
    for task in TASKS:
        scores = model.tasks[task].metrics([getattr(a, task) for a in analysed], LABELS[task])
        expected |= {f"{task}_{name}": value for name, value in scores.items()}
    assert found == pytest.approx(expected)
    assert {"classification_macro_f1", "tags_f1", "tags_f1_PER", "inference_accuracy"} <= set(found)
    for batches in (BatchLoader(examples, batch_size=3), BatchLoader(examples, max_tokens=1)):
        assert model.evaluate(batches) == pytest.approx(expected)
    assert model.evaluate(examples[::-1], max_tokens=1) == pytest.approx(expected)


def test_only_what_has_labels_is_measured():
    model = transformer()
    examples = [
        *model.examples(WORDS[:2], classification=LABELS["classification"][:2]),
        *model.examples(WORDS[2:], tags=LABELS["tags"][2:]),
        model.example("no label"),
    ]
    found = model.evaluate(examples)
    classes = model.classification.metrics(model.classify(WORDS[:2]), LABELS["classification"][:2])
    assert found["classification_accuracy"] == classes["accuracy"]
    tags = model.tagging.metrics(model.tag(WORDS[2:]), LABELS["tags"][2:])
    assert {name: found[f"tags_{name}"] for name in tags} == tags
    assert not any(name.startswith("inference") for name in found)
    with pytest.raises(ValueError, match="No example has a label of"):
        model.evaluate(examples[-1:])
    with pytest.raises(ValueError, match="no examples"):
        model.evaluate([])


# What is refused.


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, r"the string 'a b'; use \[text\]", lambda m: m.classify("a b")),
        (TypeError, r"the string 'a b'; use \[text\]", lambda m: m.examples("a b")),
        (TypeError, "list of words, got the string 'a b'", lambda m: m.tag(["a b"])),
        (TypeError, "list of words, got the string 'a b'", lambda m: m.analyse(["a b"], ["c"])),
        (TypeError, "Tags are one a word.*got 'a b'", lambda m: m.example("a b", tags=["O", "O"])),
        (TypeError, "Expected a text, or a list of words, got 3", lambda m: m.classify([3])),
        (ValueError, "got 1 labels for 2 words", lambda m: m.example(["a", "b"], tags=["O"])),
        (KeyError, "'B-X' is not a label of 'tags'", lambda m: m.example(["a"], tags=["B-X"])),
        (ValueError, "5 is not the id of a label of 'tags'", lambda m: m.example(["a"], tags=[5])),
        (KeyError, "'x' is not a label of 'class", lambda m: m.example("a", classification="x")),
        (ValueError, "2 is not the id of a label", lambda m: m.example("a", classification=2)),
        (ValueError, "-1 is not the id of a label", lambda m: m.example("a", "b", inference=-1)),
        (ValueError, "of a pair; give hypothesis", lambda m: m.example("a", inference="neutral")),
        (ValueError, "2 premises and 1 hypotheses", lambda m: m.infer(["a", "b"], ["c"])),
        (ValueError, "1 premises and 2 hypoth", lambda m: m.analyse([["a"]], ["c", "d"])),
        (ValueError, "got 0 labels for 1 words.*give None", lambda m: m.example(["a"], tags=[])),
        (ValueError, "-1 stands for that only in a column", lambda m: m.example(["a"], tags=[-1])),
        (
            ValueError,
            "as many labels or hypotheses as texts: 1 texts, but 2",
            lambda m: m.examples(["a"], classification=["sport"] * 2),
        ),
    ],
)
def test_what_is_no_text_or_no_label(error, message, call):
    with pytest.raises(error, match=message):
        call(transformer())


def test_poolings_are_those_of_the_tasks():
    with pytest.raises(ValueError, match="Classification has the poolings"):
        bilstm(pooling="last")
    with pytest.raises(ValueError, match="PairClassification has the poolings"):
        bilstm(pair_pooling="mean")


# Predictions beside labels.


@both
def test_predictions_stand_beside_labels_row_by_row(make):
    model = make()
    examples = [
        model.example(WORDS[0], tags=LABELS["tags"][0]),
        model.example("no label"),
        model.example(WORDS[1], classification=LABELS["classification"][1]),
    ]
    found = model.compare(examples)
    assert list(found) == ["classification", "tags"]  # no inference label anywhere
    tags, nothing, missing = found["tags"]
    assert nothing is None
    assert missing is None
    assert model.tagging.names(tags[0]) == model.tag(WORDS[:1])[0]
    assert model.tagging.names(tags[1]) == LABELS["tags"][0]
    classes = found["classification"]
    assert classes[:2] == [None, None]
    assert model.classification.names(classes[2]) == [
        *model.classify(WORDS[1:2]),
        LABELS["classification"][1],
    ]


@pytest.mark.parametrize("crf", [False, True])
@pytest.mark.parametrize("make", [transformer, bilstm])
def test_a_batch_of_examples_is_tagged_word_by_word(make, crf):
    """``predict`` on a batch says what ``tag`` and ``evaluate`` say, not the best row of pieces."""
    model = make(crf=True) if crf else make()
    with torch.no_grad():  # scores that differ, so that a sequence of pieces is another one
        model.heads["tags"].output.weight.mul_(30)
    sentences = [*WORDS, ["a" * 30, "b" * 9, "Anna"]]
    encoded = [encode_text(model.tokenizer, words) for words in sentences]
    batch = collate([text.example() for text in encoded])
    rows = model.predict(batch, ["tags"])["tags"]
    picked = [text.of_words(row) for text, row in zip(encoded, rows, strict=True)]
    expected = model.tag(sentences)
    assert [model.tagging.names(ids) for ids in picked] == expected
    for text, row in zip(encoded, rows, strict=True):
        assert len(row) == len(text.input_ids)
        assert [at for at, label in enumerate(row) if label != -100] == text.first_pieces
    # What ``examples`` makes knows it too, and texts that are no words are tagged piece by piece.
    made = collate([*model.examples(sentences), *model.examples(["Anna won"])])
    *again, last = model.predict(made, ["tags"])["tags"]
    assert again == rows
    assert -100 not in last
    # Without it all pieces are one sequence, of which the words' is not a part.
    pieces = collate([Example(text.input_ids) for text in encoded])
    whole = model.predict(pieces, ["tags"])["tags"]
    other = [text.of_words(row) for text, row in zip(encoded, whole, strict=True)]
    assert other != picked


def test_first_pieces_that_do_not_fit():
    with pytest.raises(ValueError, match="Expected first_pieces between 0 and 1, got 2"):
        Example([1, 2], first_pieces=[0, 2])
    inputs = collate([Example([1, 2], first_pieces=[1]), Example([3])]).inputs
    assert inputs.first_pieces.tolist() == [[False, True], [True, False]]
    assert inputs.rows(torch.tensor([1])).first_pieces.tolist() == [[True, False]]
    assert inputs.to("cpu").first_pieces.tolist() == inputs.first_pieces.tolist()
    with pytest.raises(TypeError, match=r"Expected a boolean first_pieces.*use first_pieces\.bool"):
        Inputs(inputs.input_ids, inputs.mask, first_pieces=inputs.first_pieces.long())
    with pytest.raises(ValueError, match=r"first_pieces .* must have the same shape"):
        Inputs(inputs.input_ids, inputs.mask, first_pieces=inputs.first_pieces[:1])
