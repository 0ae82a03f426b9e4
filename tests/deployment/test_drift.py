"""Drift between two sets of predictions: the tests it uses, its false alarms, what it sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mtl_utils.deployment import drift


def predictions(
    number: int, seed: int, topics: Sequence[float] = (0.6, 0.3, 0.1), sharpness: float = 3.0
) -> list[dict[str, Any]]:
    """Rows of a classification, a tagging, several labels and a number, all drawn."""
    draw = np.random.default_rng(seed)
    rows = []
    for _ in range(number):
        chances = draw.dirichlet(np.ones(3))
        chances[draw.choice(3, p=topics)] += sharpness
        chances /= chances.sum()
        often = draw.beta(1, 3)  # the words of a text are alike
        words = [0.5 + 0.5 * draw.random() for _ in range(draw.integers(1, 9))]
        turned = [draw.random() < often for _ in words]
        rows.append(
            {
                "topic": dict(zip("abc", chances.tolist(), strict=True)),
                "names": [
                    {"O": 1 - p, "A": p} if turn else {"O": p, "A": 1 - p}
                    for p, turn in zip(words, turned, strict=True)
                ],
                "moods": {"x": float(draw.random()), "y": float(draw.random())},
                "score": float(draw.normal()),
            }
        )
    return rows


def test_the_numbers_are_those_of_scipy() -> None:
    first, second = predictions(120, 0), predictions(90, 1)
    table = drift(first, second)
    sure = [[max(row["topic"].values()) for row in rows] for rows in (first, second)]
    ks = stats.ks_2samp(*sure, method="asymp")
    assert tuple(table.loc[("topic", "confidence"), ["statistic", "p"]]) == (
        ks.statistic,
        ks.pvalue,
    )
    best = [[max(row["topic"], key=row["topic"].get) for row in rows] for rows in (first, second)]
    counts = [[said.count(label) for label in "abc"] for said in best]
    chi = stats.chi2_contingency(counts, correction=False)
    assert table.loc[("topic", "labels"), "p"] == pytest.approx(chi.pvalue)
    words = [
        [sum(word["A"] > word["O"] for word in row["names"]) for row in rows]
        for rows in (first, second)
    ]
    assert table.loc[("names", "labels"), "p"] == pytest.approx(
        stats.ks_2samp(*words, method="asymp").pvalue
    )
    expected = [[row["moods"]["x"] + row["moods"]["y"] for row in rows] for rows in (first, second)]
    assert table.loc[("moods", "labels"), "p"] == pytest.approx(
        stats.ks_2samp(*expected, method="asymp").pvalue
    )
    assert list(table.index) == [
        *(("topic", "labels"), ("topic", "confidence"), ("names", "labels")),
        *(("names", "confidence"), ("moods", "labels"), ("moods", "confidence")),
        ("score", "labels"),
    ]


def test_probabilities_are_adjusted_together() -> None:
    table = drift(predictions(120, 0), predictions(90, 1))
    ranked = table.sort_values("p")
    steps = ranked["p"] * len(ranked) / np.arange(1, len(ranked) + 1)  # Benjamini and Hochberg
    expected = steps[::-1].cummin()[::-1].clip(upper=1)
    np.testing.assert_allclose(ranked["adjusted"], expected)


def test_texts_like_the_reference_raise_alarms_as_seldom_as_it_says() -> None:
    draws = 100
    alarms = sum(
        drift(predictions(40, 2 * seed), predictions(40, 2 * seed + 1))["drift"].any()
        for seed in range(draws)
    )
    # 5% of 100 are 5, with a standard deviation of 2.2.
    assert alarms <= 11


@pytest.mark.parametrize(
    ("settings", "task", "test"),
    [({"topics": (0.3, 0.3, 0.4)}, "topic", "labels"), ({"sharpness": 1.0}, "topic", "confidence")],
)
def test_what_moves_is_seen_and_the_rest_is_not(
    settings: dict[str, Any], task: str, test: str
) -> None:
    table = drift(predictions(300, 0), predictions(300, 1, **settings))
    assert table.loc[(task, test), "drift"]
    assert not table[table.index.get_level_values("task") != task]["drift"].any()


def test_rare_labels_are_taken_together_and_one_alone_moves_nothing() -> None:
    def rows(labels: str) -> list[dict[str, Any]]:
        return [{"t": {label: 0.9, "rest": 0.1}} for label in labels]

    table = drift(rows("a" * 50 + "b" * 50 + "c"), rows("a" * 60 + "b" * 40 + "d"))
    expected = stats.chi2_contingency([[50, 50, 1], [60, 40, 1]], correction=False).pvalue
    assert table.loc[("t", "labels"), "p"] == pytest.approx(expected)
    assert drift(rows("aaa"), rows("aaaa")).loc[("t", "labels"), "p"] == 1.0


def test_what_is_no_prediction_is_refused() -> None:
    good = predictions(5, 0)
    for rows in ([], [{}], [3]):
        with pytest.raises(ValueError, match="live must be predictions"):
            drift(good, rows)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"live\[0\] has the tasks \['topic'\]"):
        drift(good, [{"topic": {"a": 1.0}}])
    with pytest.raises(ValueError, match=r"probabilities=True"):
        drift([{"topic": "a"}], [{"topic": "b"}])
    with pytest.raises(ValueError, match="probabilities=True"):
        drift([{"names": []}], [{"names": []}])
