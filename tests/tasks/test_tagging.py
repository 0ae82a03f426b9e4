"""The tagging task: its losses, predictions that keep to IOB2, and seqeval's own numbers."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from mtl_utils import atlas
from mtl_utils.data import Batch, Example, Pieces, collate
from mtl_utils.objectives import classification_loss, label_smoothing_loss
from mtl_utils.tasks import Tagging, iob2_constraints, repair_iob2, to_spans, word_positions
from mtl_utils.tasks.words import compact

WIDTH, TAGS = 5, ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
EXACT = {"atol": 1e-9, "rtol": 1e-9}
NER = Tagging("ner", atlas.NER_TAGS)
seeds = st.integers(0, 2**31)
label_rows = st.lists(
    st.lists(st.sampled_from([-100, 0, 1, 2, 3, 4]), max_size=5), min_size=1, max_size=4
)
tag_ids = st.lists(st.integers(0, 4), max_size=7)
pairs_of_ids = st.integers(0, 6).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 4), min_size=n, max_size=n)] * 2)
)
with_crf = pytest.mark.parametrize("crf", [False, True])


def make(seed=0, labels=TAGS, scale=1.0, **settings):
    """Return a head whose parameters are all drawn at random."""
    head = Tagging("tags", labels, scale="token", **settings).head(WIDTH).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in head.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64) * scale)
    return head


def some_batch(rows, seed=0):
    """Return hidden states and a batch with the labels of each row, as long as its input."""
    batch = collate([Example([5] * len(row), {"tags": row}) for row in rows])
    generator = torch.Generator().manual_seed(seed)
    shape = (*batch.inputs.mask.shape, WIDTH)
    return torch.randn(shape, generator=generator, dtype=torch.float64) * 3, batch


def is_valid(tags):
    """Whether seqeval loses nothing of a sequence because of an I- tag that continues nothing."""
    return sum(s.end - s.start for s in to_spans(tags)) == sum(tag != "O" for tag in tags)


# Constraints.


@given(st.permutations(atlas.NER_TAGS))
def test_constraints_are_those_of_strict_reading(labels):
    start, allowed = iob2_constraints(labels)
    for index, label in enumerate(labels):
        assert start[index] == is_valid([label])
    # After a tag that is valid by itself, so that only the step can be wrong.
    for a, b in itertools.product(range(len(labels)), repeat=2):
        before = [f"B-{labels[a][2:]}", labels[a]] if labels[a][0] == "I" else [labels[a]]
        assert allowed[a, b] == is_valid([*before, labels[b]])


def test_constraints_by_hand():
    start, allowed = iob2_constraints(["O", "B-X", "I-X", "B-Y"])
    assert start.tolist() == [True, True, False, True]
    assert [row.index(False) if False in row else None for row in allowed.tolist()] == [
        *(2, None, None, 2)
    ]


@with_crf
@settings(max_examples=40)
@given(label_rows, seeds, st.sampled_from([0.1, 3.0, 1e4]))
def test_a_constrained_prediction_is_never_invalid(crf, rows, seed, scale):
    hidden, batch = some_batch(rows, seed)
    head = make(seed, crf=crf, scale=scale)
    predictions = head.predict(hidden, batch)
    assert [len(row) for row in predictions] == [len(row) for row in rows]
    assert all(is_valid([TAGS[index] for index in row]) for row in predictions)


@given(tag_ids, seeds)
def test_a_constrained_prediction_without_a_crf_is_the_best_valid_one(row, seed):
    row = row[:4]
    hidden, batch = some_batch([row], seed)
    head = make(seed)
    emissions = head(hidden, batch)[0]
    candidates = [
        ids
        for ids in itertools.product(range(5), repeat=len(row))
        if is_valid([TAGS[index] for index in ids])
    ]
    best = max(candidates, key=lambda ids: sum(emissions[t, i].item() for t, i in enumerate(ids)))
    assert head.predict(hidden, batch) == [list(best)]


@settings(max_examples=20)
@given(label_rows, seeds)
def test_without_a_constraint_each_token_is_by_itself(rows, seed):
    hidden, batch = some_batch(rows, seed)
    expected = [
        emissions[: len(row)].argmax(dim=1).tolist()
        for emissions, row in zip(make(seed)(hidden, batch), rows, strict=True)
    ]
    assert make(seed, constrained=False).predict(hidden, batch) == expected
    plain = make(seed, labels=("NOUN", "VERB", "ADJ", "ADV", "X"))  # nothing to constrain
    assert plain.predict(hidden, batch) == expected
    assert make(seed, labels=plain_labels(), crf=True).crf.allowed.all()


def plain_labels():
    return ("NOUN", "VERB", "ADJ", "ADV", "X")


@with_crf
def test_labels_are_not_looked_at(crf):
    hidden, batch = some_batch([[0, 1, 2], [3]])
    head = make(crf=crf)
    assert head.predict(hidden, Batch(batch.inputs)) == head.predict(hidden, batch)


# Losses.


@settings(max_examples=30)
@given(label_rows, seeds)
def test_without_a_crf_the_loss_is_cross_entropy(rows, seed):
    hidden, batch = some_batch(rows, seed)
    head = make(seed, smoothing=0.2)
    emissions, labels = head(hidden, batch), batch.labels["tags"]
    assert head.loss(emissions, batch) == classification_loss(emissions, labels)
    head.train()  # smoothing is for training alone
    assert head.loss(emissions, batch) == label_smoothing_loss(emissions, labels, 0.2)


@settings(max_examples=30)
@given(label_rows, seeds)
def test_with_a_crf_the_loss_is_the_mean_per_token_of_sentences(rows, seed):
    """Each sentence alone, shortened by hand to the tokens that have a label."""
    hidden, batch = some_batch(rows, seed)
    head = make(seed, crf=True)
    total, count = torch.zeros(()), 0
    for row, labels in enumerate(rows):
        kept = [t for t, label in enumerate(labels) if label != -100]
        if kept:
            emissions = head.output(hidden[row, kept])[None]
            tags = torch.tensor([[labels[t] for t in kept]])
            mask = torch.ones_like(tags, dtype=torch.bool)
            total = total - head.crf.log_likelihood(emissions, tags, mask).sum()
            count += len(kept)
    loss = head.loss(head(hidden, batch), batch)
    torch.testing.assert_close(loss.double(), total.double() / max(1, count), **EXACT)
    assert head.count(batch).item() == count


def test_an_untrained_crf_costs_what_cross_entropy_costs():
    hidden, batch = some_batch([[0, 1, -100, 2], [3], [-100]])
    torch.manual_seed(0)
    head = Tagging("tags", TAGS, crf=True, scale="token").head(WIDTH).double()
    emissions = head(hidden, batch)
    expected = classification_loss(emissions, batch.labels["tags"])
    torch.testing.assert_close(head.loss(emissions, batch), expected, **EXACT)


def test_labels_that_break_the_scheme_can_be_trained_on():
    hidden, batch = some_batch([[2, 2, 0, 4]])
    head = make(crf=True)
    assert head.loss(head(hidden, batch), batch).isfinite()


@with_crf
def test_a_missing_label_costs_nothing_and_moves_nothing(crf):
    hidden, batch = some_batch([[1, -100, 2, 0], [-100, -100], [3, 4]])
    hidden.requires_grad_()
    head = make(crf=crf)
    head.loss(head(hidden, batch), batch).backward()
    labelled = batch.labels["tags"] != -100
    assert not hidden.grad[~labelled].any()
    assert hidden.grad[labelled].any(dim=1).all()

    head.zero_grad()
    hidden.grad = None
    nothing = Batch(batch.inputs, {"tags": torch.full_like(batch.labels["tags"], -100)})
    loss = head.loss(head(hidden, nothing), nothing)
    loss.backward()
    assert loss.item() == 0
    assert not any(p.grad.any() for p in head.parameters())
    assert not hidden.grad.any()
    assert head.count(nothing).item() == 0


@with_crf
def test_the_loss_depends_on_neither_padding_nor_order(crf):
    rows = [[1, -100, 2, 0], [-100, -100], [3, 4], [0] * 6]
    hidden, batch = some_batch(rows)
    head = make(crf=crf)
    parts = [(some_batch([row])[1], hidden[[index], : len(row)]) for index, row in enumerate(rows)]
    sums = [head.loss(head(h, b), b) * head.count(b) for b, h in reversed(parts)]
    loss = head.loss(head(hidden, batch), batch)
    torch.testing.assert_close(loss, sum(sums) / head.count(batch), **EXACT)
    alone = [head.predict(h, b)[0] for b, h in parts]
    assert head.predict(hidden, batch) == alone


@with_crf
@pytest.mark.parametrize(
    ("message", "labels"),
    [
        (r"need targets \[2, 3\], got \[2, 2\]", torch.zeros(2, 2).long()),
        (r"Target 5 is not .* stands at .1, 0.", torch.tensor([[0, 1, 2], [5, -100, -100]])),
        ("Row 1 has more labels of 'tags' than tokens, which are 1", torch.zeros(2, 3).long()),
    ],
)
def test_labels_that_do_not_fit(crf, message, labels):
    hidden, batch = some_batch([[0, 1, 2], [3]])
    head = make(crf=crf)
    with pytest.raises(ValueError, match=message):
        head.loss(head(hidden, batch), Batch(batch.inputs, {"tags": labels}))
    if "Target" not in message:  # that is for the metrics to say
        with pytest.raises(ValueError, match=message):
            head.compare(hidden, Batch(batch.inputs, {"tags": labels}))


def test_dropout_acts_in_training_alone():
    hidden, batch = some_batch([[0, 1, 2]])
    head = make(dropout=0.5)
    assert torch.equal(head(hidden, batch), head(hidden, batch))
    head.train()
    assert not torch.equal(head(hidden, batch), head(hidden, batch))
    assert head.predict(hidden, batch) == make().predict(hidden, batch)


# Pieces of words.


@given(st.lists(st.lists(st.booleans(), max_size=6), min_size=1, max_size=4), st.booleans())
def test_compacting_moves_what_is_kept_to_the_left(rows, wide):
    longest = max(map(len, rows))
    kept = torch.zeros(len(rows), longest, dtype=torch.bool)
    for row, values in enumerate(rows):
        kept[row, : len(values)] = torch.tensor(values, dtype=torch.bool)
    values = torch.arange(kept.numel() * 2).view(len(rows), longest, 2)
    values = values if wide else values[..., 0]
    moved, mask = compact(values, kept)
    assert mask.shape[1] == kept.sum(dim=1).max()
    for row in range(len(rows)):
        assert moved[row][mask[row]].tolist() == values[row][kept[row]].tolist()


@with_crf
def test_words_in_pieces_are_tagged_as_if_they_were_whole(crf):
    pieces = [Pieces([5, 6, 7, 8, 9], [0, 0, 1, 2, 2]), Pieces([5, 6], [0, 1])]
    positions = word_positions(pieces, 6)
    assert positions.tolist() == [
        [True, False, True, True, False, False],
        [True, True, False, False, False, False],
    ]
    labels = [[1, 2, 0], [3, 4]]
    rows = [[*p.align(ids), -100] for p, ids in zip(pieces, labels, strict=True)]  # and <eos>
    hidden, batch = some_batch(rows)
    head = make(crf=crf)
    words = compact(hidden, positions)[0]
    whole = collate([Example([5] * len(ids), {"tags": ids}) for ids in labels])
    torch.testing.assert_close(
        head.loss(head(hidden, batch), batch), head.loss(head(words, whole), whole), **EXACT
    )
    assert head.decode(hidden, positions) == head.predict(words, whole)
    assert [len(row) for row in head.predict(hidden, batch)] == [6, 3]  # pieces, not words
    with pytest.raises(ValueError, match="has 5 pieces, but length is 4"):
        word_positions(pieces, 4)
    assert word_positions([]).shape == (0, 0)


# Metrics.


@settings(max_examples=60)
@given(st.lists(pairs_of_ids, min_size=1, max_size=5).filter(lambda rows: any(p for p, _ in rows)))
def test_metrics_are_those_of_seqeval(rows):
    predictions, references = [p for p, _ in rows], [r for _, r in rows]
    task = Tagging("tags", TAGS)
    # What breaks the scheme is refused; see test_schemes.
    references = [task.ids_of(row) for row in repair_iob2(map(task.names, references))[0]]
    metrics = task.metrics(predictions, references)
    found, expected = map(list, ([task.names(r) for r in s] for s in (predictions, references)))
    total = sum(map(len, references))
    pairs = zip(itertools.chain(*predictions), itertools.chain(*references), strict=True)
    right = sum(a == b for a, b in pairs)
    assert metrics["accuracy"] == pytest.approx(right / total)
    assert list(metrics) == ["accuracy", "precision", "recall", "f1", "f1_PER", "f1_LOC"]
    if not any(map(to_spans, [*found, *expected])):
        assert set(list(metrics.values())[1:]) == {0.0}
        return
    strict = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    scores = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
    for name, function in scores.items():
        assert metrics[name] == pytest.approx(function(expected, found, **strict))
    report = classification_report(expected, found, output_dict=True, **strict)
    for kind in ("PER", "LOC"):
        assert metrics[f"f1_{kind}"] == report.get(kind, {"f1-score": 0})["f1-score"]


def test_token_accuracy_of_90_percent_and_no_entity_found():
    """Ten tokens; the one entity loses its last word, and nothing of it counts."""
    words = ["The", "mayor", "of", "New", "York", "spoke", "for", "an", "hour", "."]
    expected = ["O", "O", "O", "B-GPE", "I-GPE", "O", "O", "O", "O", "O"]
    found = ["O", "O", "O", "B-GPE", "O", "O", "O", "O", "O", "O"]
    assert len(words) == len(expected) == len(found) == 10
    metrics = NER.metrics([found], [expected])
    assert metrics["accuracy"] == 0.9
    assert metrics["precision"] == metrics["recall"] == metrics["f1"] == metrics["f1_GPE"] == 0


def test_missing_references_are_left_out_with_their_predictions():
    metrics = NER.metrics([[1, 2, 0, 7, 1]], [[1, 2, -100, -100, 0]])
    assert metrics == NER.metrics([[1, 2, 1]], [[1, 2, 0]])
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    # A prediction where nothing is expected may be missing too.
    assert NER.metrics([[0, -100]], [[0, -100]])["accuracy"] == 1


def test_ids_and_names_are_the_same():
    ids, names = [[0, 1, 2], [3]], [["O", "B-PER", "I-PER"], ["B-ORG"]]
    one = NER.metrics(ids, ids)
    assert one == NER.metrics(names, ids) == NER.metrics(ids, names)
    assert one == NER.metrics([["O", 1, torch.tensor(2)], torch.tensor([3])], ids)
    assert one["f1"] == 1
    assert NER.ids_of(names[0]) == ids[0]
    assert NER.names(ids[0]) == names[0]


def test_parts_of_speech_have_an_accuracy_and_no_entities():
    task = Tagging("pos", atlas.POS_TAGS)
    assert not task.has_entities
    assert task.entity_types == ()
    assert task.metrics([[1, 2], [0]], [[1, 3], [0]]) == {"accuracy": pytest.approx(2 / 3)}
    assert NER.entity_types == atlas.ENTITY_TYPES


# Sets of labels.

SPELLINGS = {
    "as they are": ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
    "underscores": ("O", "B_PER", "I_PER", "B_LOC", "I_LOC"),
    "colons": ("O", "B:PER", "I:PER", "B:LOC", "I:LOC"),
    "lower case": ("o", "b-PER", "i-PER", "b-LOC", "i-LOC"),
    "mixed": ("O", "b-PER", "i-PER", "B-LOC", "I_LOC"),
}


@pytest.mark.parametrize("labels", SPELLINGS.values(), ids=SPELLINGS)
def test_however_they_are_spelled_tags_are_entities(labels):
    task, usual = Tagging("ner", labels), Tagging("ner", TAGS)
    assert task.has_entities
    assert task.iob2_tags == usual.iob2_tags == TAGS
    assert task.entity_types == ("PER", "LOC")
    found, expected = [[1, 2, 0, 3], [2, 1]], [[1, 2, 0, 3], [1, 2]]
    assert task.metrics(found, expected) == usual.metrics(found, expected)
    names = [[labels[i] for i in row] for row in expected]
    assert task.metrics(names, names)["f1"] == 1
    assert task.names(expected[0]) == names[0]  # in their own spelling
    hidden, batch = some_batch([[0, 1, 2], [3]])
    assert make(labels=labels).predict(hidden, batch) == make().predict(hidden, batch)


def test_tags_without_a_type():
    for labels in (("O", "B", "I"), ("I", "o", "B"), ("b", "i", "O")):
        task = Tagging("chunks", labels)
        b, i, o = (
            task.labels.index(n)
            for n in (*sorted(set(labels) - {"o", "O"}), *({"o", "O"} & {*labels}))
        )
        assert task.entity_types == ("entity",)
        measured = task.metrics([[b, i, o, b]], [[b, i, o, o]])
        assert measured["precision"] == measured["f1_entity"] * 0.75 == 0.5
        assert measured["recall"] == 1
        with pytest.raises(ValueError, match="break IOB2"):
            task.metrics([[b, i]], [[i, i]])


def test_tags_of_which_none_is_outside():
    assert Tagging("chunks", ("B-NP", "I-NP", "B-VP")).entity_types == ("NP", "VP")
    assert Tagging("chunks", ("B_NP", "I_NP")).entity_types == ("NP",)


@pytest.mark.parametrize(
    "labels",
    [
        ("O", "B-X", "I-X", "E-X", "S-X"),
        ("O", "S-X", "S-Y"),
        ("O", "B_X", "I_X", "E_X"),
        ("O", "B_X", "I_X", "<pad>"),
        ("O", "PER-B", "PER-I"),
        ("O", "X-B", "X-I", "X-E"),
        ("O", "B", "I", "E"),
        ("o", "B-X", "E-X"),
        ("O", "B-X", "B_X", "I-X"),
        ("O", "I-X", "I-Y"),
        ("O", "i-x", "i-y"),
    ],
)
def test_entity_tags_of_another_scheme_are_refused_unless_they_are_plain(labels):
    with pytest.raises(ValueError, match='scheme="plain"'):
        Tagging("ner", labels)
    plain = Tagging("ner", labels, scheme="plain")
    assert not plain.has_entities
    assert plain.metrics([[0, 1]], [[0, 0]]) == {"accuracy": 0.5}
    with pytest.raises(ValueError, match=r'scheme="plain"|Expected an IOB2'):
        Tagging("ner", labels, scheme="iob2")


PLAIN = {
    "universal": atlas.POS_TAGS,
    "Penn": ("NN", "NNS", "IN", "VB", "VBZ", "DT", ".", ",", "-LRB-", "''", "``", "PRP$"),
    "old universal": ("NOUN", "VERB", "X", ".", "ADP"),
    "with an O": ("O", "NOUN", "I", "B", "V"),
    "letters": ("A", "B", "O"),
    "word boundaries": ("B", "M", "E", "S"),
    "sizes": ("S", "M", "L"),
    "types": ("O", "PER", "LOC"),
    "yes and no": ("yes", "no"),
    "numbers": ("B-1", "C-1", "D-2"),
    "words": ("O", "be", "is", "us", "in", "e-mail", "it's", "s-curve"),
    "one": ("X",),
}


@pytest.mark.parametrize("labels", PLAIN.values(), ids=PLAIN)
def test_other_labels_are_left_in_peace(labels):
    task = Tagging("pos", labels)
    assert not task.has_entities
    assert task.metrics([[0]], [[0]]) == {"accuracy": 1}
    with pytest.raises(ValueError, match="These labels are no IOB2 tags"):
        Tagging("pos", labels, scheme="iob2")


@pytest.mark.parametrize(
    ("error", "message", "predictions", "references"),
    [
        (ValueError, "got 1 for 2", [[0]], [[0], [0]]),
        (ValueError, "Sentence 0 has 1 predicted tags and 2 references", [[0]], [[0, 0]]),
        (ValueError, "No token has a label of 'ner'", [[0]], [[-100]]),
        (ValueError, "No token has a label of 'ner'", [], []),
        (ValueError, "11 is not the id of a label of 'ner', which are 0 to 10", [[11]], [[0]]),
        (ValueError, "-1 is not the id", [[0]], [[-1]]),
        (KeyError, "'B-DOG' is not a label of 'ner'", [["B-DOG"]], [[0]]),
    ],
)
def test_what_cannot_be_measured(error, message, predictions, references):
    with pytest.raises(error, match=message):
        NER.metrics(predictions, references)


@pytest.mark.parametrize(
    ("message", "settings"),
    [
        ("at least one label and none twice", {"labels": ()}),
        ("at least one label and none twice", {"labels": ("O", "O")}),
        ("I-PER can never occur", {"labels": ("O", "I-PER")}),
        ("got 'B-X' beside 'E-X'", {"labels": ("O", "B-X", "I-X", "E-X")}),
        ("Expected an IOB2 tag", {"labels": ("O", "B-")}),
        ("A CRF has no smoothed target; got smoothing=0.1", {"crf": True, "smoothing": 0.1}),
        (r"dropout must lie in \[0, 1\), got 1", {"dropout": 1}),
        (r"dropout must lie in \[0, 1\), got nan", {"dropout": float("nan")}),
        (r"smoothing must lie in \[0, 1\], got 2", {"smoothing": 2}),
        (r"smoothing must lie in \[0, 1\], got nan", {"smoothing": float("nan")}),
        ('scheme must be "auto", "iob2" or "plain", got \'bio\'', {"scheme": "bio"}),
        ('invalid must be "refuse" or "convert", got True', {"invalid": True}),
    ],
)
def test_settings_that_cannot_be(message, settings):
    with pytest.raises(ValueError, match=message):
        Tagging("tags", **{"labels": TAGS, **settings})


@pytest.mark.parametrize("labels", ["OB", {"O", "B-PER"}, [0, 1], ["O", None]])
def test_names_of_labels_that_are_none(labels):
    with pytest.raises(TypeError, match="strings in a list or tuple, got"):
        Tagging("ner", labels)


@pytest.mark.parametrize("wrong", [True, b"O", 1.0, ["O"]])
def test_labels_that_are_neither_names_nor_ids(wrong):
    with pytest.raises(TypeError, match="names or ids of labels of 'ner', got"):
        Tagging("ner", ("O", "B-PER")).ids_of(["O", wrong])


def test_a_string_is_not_several_labels():
    with pytest.raises(TypeError, match="Expected several labels of 'ner', got 'OO'"):
        Tagging("ner", ("O", "B-PER")).ids_of("OO")
