"""Tasks as text: written, read back, and measured as seqeval measures tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils.tasks import Classification, PairClassification, Span, Tagging
from mtl_utils.transfer import Reading, TextForm

TAGS = ("O", "B-per", "I-per", "B-loc", "I-loc")
NAMES = Tagging("names", TAGS)
TOPIC = Classification("topic", ("sport", "world news"))
ROW = {"tokens": ["Ada", "Lovelace", "saw", "Paris"], "tags": ["B-per", "I-per", "O", "B-loc"]}


def test_what_is_read_and_written():
    assert TextForm(TOPIC).row({"text": "They won", "label": 0}) == {
        "source": "topic: They won",
        "target": "sport",
    }
    assert TextForm(NAMES).row(ROW) == {
        "source": "names: Ada Lovelace saw Paris",
        "target": "per: Ada Lovelace ; loc: Paris",
    }
    pair = PairClassification("inference", ("yes", "no"))
    row = {"premise": "A dog runs", "hypothesis": ["It", "moves"], "label": "yes"}
    assert TextForm(pair, "follows?").source(row) == "follows? A dog runs and: It moves"
    assert TextForm(NAMES).target({"tokens": ["so"], "tags": ["O"]}) == "none"


def test_words_of_its_own_are_written_and_read():
    form = TextForm(TOPIC, words={"world news": "abroad"})
    assert form.target({"text": "x", "label": "world news"}) == "abroad"
    assert form.read(" Abroad ", {"text": "x"}) == Reading("world news", 0)
    assert form.read("world news", {"text": "x"}) == Reading(None, 1)


@given(st.lists(st.sampled_from(TAGS), min_size=1, max_size=8))
def test_distinct_words_survive_the_way_there_and_back(tags):
    fixed = [
        f"B-{tag[2:]}" if tag[:1] == "I" and (at == 0 or tags[at - 1][2:] != tag[2:]) else tag
        for at, tag in enumerate(tags)
    ]
    row = {"tokens": [f"word{at}x" for at in range(len(tags))], "tags": fixed}
    assert TextForm(NAMES).survives(row)


def test_an_earlier_place_of_the_same_words_is_taken():
    row = {"tokens": ["Paris", "saw", "Paris"], "tags": ["O", "O", "B-loc"]}
    assert not TextForm(NAMES).survives(row)
    assert TextForm(NAMES).read("loc: paris", row) == Reading((Span("loc", 0, 1),), 0)


def test_pieces_and_case_do_not_matter():
    row = {"tokens": ["U.S.", "senator"], "tags": ["B-loc", "O"]}
    assert TextForm(NAMES).read("LOC : u . s .", row) == Reading((Span("loc", 0, 1),), 0)


@pytest.mark.parametrize(
    ("written", "spans", "unreadable"),
    [
        ("", 0, 1),
        ("paris", 0, 1),
        ("loc: Rome", 0, 1),
        ("town: Paris", 0, 1),
        ("loc: Paris ; loc: Paris", 1, 1),
        ("per: Ada ; ; loc: Paris", 2, 1),
        ("per: Lovel", 0, 1),  # no whole word
    ],
)
def test_what_cannot_be_read_is_counted(written, spans, unreadable):
    found = TextForm(NAMES).read(written, ROW)
    assert (len(found.label), found.unreadable) == (spans, unreadable)


FOUND = ["loc: Ada Lovelace ; loc: Paris", "none", "per: Rome"]


def test_entities_are_counted_as_by_seqeval_and_the_unreadable_is_wrong():
    rows = [ROW, ROW, {"tokens": ["so"], "tags": ["O"]}]
    read = [["B-loc", "I-loc", "O", "B-loc"], ["O"] * 4, ["O"]]
    tags = NAMES.metrics(read, [row["tags"] for row in rows])
    found = TextForm(NAMES).measure([FOUND[0], FOUND[1], "none"], rows)
    for name in ("precision", "recall", "f1"):
        assert found[name] == pytest.approx(tags[name])
    assert found["unreadable"] == 0
    worse = TextForm(NAMES).measure(FOUND, rows)
    assert worse["precision"] == pytest.approx(1 / 3)
    assert worse["recall"] == pytest.approx(1 / 4)
    assert worse["f1"] == pytest.approx(2 / 7)
    assert worse["unreadable"] == pytest.approx(1 / 3)


def test_labels_are_counted_and_the_unreadable_is_wrong():
    rows = [{"text": "x", "label": label} for label in (0, 1, 1)]
    found = TextForm(TOPIC).measure(["sport", "world  News", "sports"], rows)
    assert found == {"accuracy": pytest.approx(2 / 3), "unreadable": pytest.approx(1 / 3)}


def test_labels_that_are_written_alike_are_refused():
    with pytest.raises(ValueError, match="tell labels apart"):
        TextForm(Classification("kind", ("a b", "AB")))
    with pytest.raises(ValueError, match="IOB2"):
        TextForm(Tagging("pos", ("NOUN", "VERB")))
