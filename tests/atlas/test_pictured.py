"""Atlas with pictures: names are ambiguous, pictures err as often as they should, styles differ."""

from __future__ import annotations

import collections
import itertools

import numpy as np
import pytest

from mtl_utils import atlas
from mtl_utils.atlas.pictured import ambiguous_names, clauses

AMBIGUITY, ERROR = 0.7, 0.2
TYPES = {"person": "PER", "company": "ORG", "city": "GPE", "country": "GPE", "river": "LOC"}


@pytest.fixture(scope="module")
def corpus():
    return atlas.load(2000, 1, ambiguity=AMBIGUITY, pictures=True, picture_error=ERROR)


def test_every_sentence_has_one_name_of_the_type_that_is_meant(corpus) -> None:
    for rows in corpus.values():
        meanings = rows.features["meaning"].names
        tags = rows.features["ner_tags"].feature.names
        for tokens, ids, meaning in zip(
            rows["tokens"], rows["ner_tags"], rows["meaning"], strict=True
        ):
            spans = atlas.from_iob2([tags[i] for i in ids])
            ((start, end, kind),) = spans
            assert kind == TYPES[meanings[meaning]]
            assert end == start + 1
            assert tokens[start] in {name.english for name in ambiguous_names()}


def test_splits_share_no_sentence_and_no_style(corpus) -> None:
    texts = [set(rows["text"]) for rows in corpus.values()]
    styles = [set(rows["style"]) for rows in corpus.values()]
    for several in (texts, styles):
        assert not any(a & b for a, b in itertools.combinations(several, 2))
    assert len(set().union(*texts)) == 2000
    assert [len(rows) for rows in corpus.values()] == [1600, 200, 200]


def test_pictures_err_as_often_as_they_should(corpus) -> None:
    rows = corpus["train"]
    wrong = np.mean(np.array(rows["meaning"]) != np.array(rows["shown"]))
    assert abs(wrong - ERROR) < 4 * np.sqrt(ERROR * (1 - ERROR) / len(rows))
    never = atlas.load(100, 1, pictures=True, picture_error=0.0)["train"]
    assert never["meaning"] == never["shown"]
    more = atlas.load(2000, 1, ambiguity=AMBIGUITY, pictures=True, picture_error=0.5)["train"]
    assert more["text"] == rows["text"]
    kept = [
        a for a, b, c in zip(rows["shown"], more["shown"], rows["meaning"], strict=True) if b == c
    ]
    right = [c for b, c in zip(more["shown"], rows["meaning"], strict=True) if b == c]
    assert kept == right  # what is right at a greater error is right at a smaller one


def test_words_leave_open_what_they_should(corpus) -> None:
    """The clause says which, unless it may be said of all that the name can be."""
    by_name = {name.english: name for name in ambiguous_names()}
    for name in by_name.values():
        assert any(clause.fits(name, None) for clause in clauses())
        for meaning in name.senses:
            assert any(clause.fits(name, meaning) for clause in clauses())
    rows = corpus["train"]
    sought = ("elected president", "coach", "profit of", "jobs at", "flames", "earthquake")
    sought += ("lawmakers", "parliament", "burst", "water of")
    tells = np.mean([any(words in text.lower() for words in sought) for text in rows["text"]])
    assert abs(tells - (1 - AMBIGUITY)) < 4 * np.sqrt(AMBIGUITY * (1 - AMBIGUITY) / len(rows))


def test_it_is_the_same_again_and_the_beginning_of_a_larger_one(corpus) -> None:
    small = atlas.load(200, 1, ambiguity=AMBIGUITY, pictures=True, picture_error=ERROR)
    for split, rows in small.items():
        larger = corpus[split].select(range(len(rows)))
        for column in rows.column_names:
            pair = [list(part[column]) for part in (rows, larger)]
            if column == "picture":
                pair = [[np.asarray(each).tolist() for each in part] for part in pair]
            assert pair[0] == pair[1]
    other = atlas.load(200, 2, ambiguity=AMBIGUITY, pictures=True)
    assert other["test"]["text"] != small["test"]["text"]


def test_french_says_what_is_meant(corpus) -> None:
    rows = corpus["train"]
    jordan = collections.defaultdict(set)
    for row in rows.select_columns(["text", "translation", "meaning"]):
        if "Jordan" in row["text"]:
            french = row["translation"]["fr"]
            jordan[row["meaning"]].add("Jordanie" in french)
    meanings = rows.features["meaning"].names
    assert jordan[meanings.index("country")] == {True}
    assert jordan[meanings.index("person")] == {False}


def test_pictures_are_drawn_as_they_were_and_differ() -> None:
    drawn = {}
    for split, meaning, seed in itertools.product(atlas.STYLES, atlas.MEANINGS, range(3)):
        picture, style = atlas.draw_picture(meaning, split, seed)
        again, _ = atlas.draw_picture(meaning, split, seed)
        assert picture.shape == (atlas.PICTURE_SIZE, atlas.PICTURE_SIZE, 3)
        assert picture.dtype == np.uint8
        assert np.array_equal(picture, again)
        assert style in atlas.STYLES[split]
        drawn[split, meaning, seed] = picture.tobytes()
    assert len(set(drawn.values())) == len(drawn)


def simulated(ambiguity: float, error: float, count: int = 600_000):
    """Draw sentences as the knobs say, without the package, and take the most frequent type."""
    random = np.random.default_rng(0)
    senses = [list(name.senses) for name in ambiguous_names()]
    kinds = list(atlas.MEANINGS)
    name = random.integers(len(senses), size=count)
    sizes = np.array([len(several) for several in senses])[name]
    pick = (random.random(count) * sizes).astype(int)
    table = np.full((len(senses), 3), -1)
    for row, several in enumerate(senses):
        table[row, : len(several)] = [kinds.index(kind) for kind in several]
    meaning = table[name, pick]
    told = np.where(random.random(count) < ambiguity, -1, meaning)
    other = (meaning + random.integers(1, len(kinds), size=count)) % len(kinds)
    shown = np.where(random.random(count) < error, other, meaning)
    types = np.array([sorted(set(TYPES.values())).index(TYPES[kind]) for kind in kinds])[meaning]
    views = {"nothing": (), "picture": (shown,), "text": (name, told), "both": (name, told, shown)}
    found = {}
    for view, columns in views.items():
        code = np.zeros(count, int)
        for column in columns:
            code = code * 50 + column + 1
        _, cell = np.unique(code, return_inverse=True)
        # What was chosen by the first half is counted on the second, or chance would flatter.
        half = count // 2
        counts = np.full((cell.max() + 1, 4), 1e-9)
        np.add.at(counts, (cell[:half], types[:half]), 1)
        share = counts.max(1) / counts.sum(1)
        cell, right = cell[half:], types[half:]
        said = counts.argmax(1)[cell] == right
        best = 0.0
        for least in np.unique(np.floor(1000 * share) / 1000):  # say nothing where it is less sure
            kept = share[cell] >= least - 1e-9
            best = max(best, 2 * said[kept].sum() / (kept.sum() + half))
        found[view] = {"accuracy": said.mean(), "f1": best}
    return found


@pytest.mark.parametrize(("ambiguity", "error"), [(0.75, 0.1), (0.3, 0.5), (1.0, 0.0), (0.5, 0.9)])
def test_the_best_scores_are_those_of_a_simulation(ambiguity: float, error: float) -> None:
    best = atlas.best_scores(ambiguity, error)
    found = simulated(ambiguity, error)
    for view, scores in best.items():
        for metric, value in scores.items():
            assert found[view][metric] == pytest.approx(value, abs=0.006), (view, metric)


def test_best_scores_are_in_the_order_that_they_must_be() -> None:
    scores = atlas.best_scores(0.75, 0.1)
    accuracy = {view: score["accuracy"] for view, score in scores.items()}
    assert accuracy["nothing"] < accuracy["text"] < accuracy["both"]
    assert accuracy["picture"] < accuracy["both"]
    assert all(score["f1"] > score["accuracy"] - 1e-12 for score in scores.values())
    assert atlas.best_scores(0.0, 0.5)["text"]["accuracy"] == pytest.approx(1.0)
    useless = atlas.best_scores(0.75, 0.8)  # all five are as likely, whatever is meant
    assert useless["both"]["accuracy"] == pytest.approx(useless["text"]["accuracy"])


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="50,000"):
        atlas.load(60_000, pictures=True)
    with pytest.raises(ValueError, match="picture_error"):
        atlas.load(20, pictures=True, picture_error=2.0)
    with pytest.raises(TypeError, match="pictures"):
        atlas.load(20, pictures="yes")
