"""From evidence to a cause: the order of causes, thresholds, and what was not measured."""

from dataclasses import replace

import pytest

from mtl_utils.diagnosis import (
    ADVICE,
    CAUSES,
    NOTHING,
    Change,
    Diagnosis,
    Evidence,
    Thresholds,
    cause_of,
)

LIMITS = Thresholds()
#: Evidence that speaks for one cause alone, on the far side of its threshold.
FOR = {
    "drowned loss": {"share": LIMITS.share / 2, "equalised": Change(-2 * LIMITS.equalised, 0.001)},
    "label noise": {"held_out": Change(2 * LIMITS.held_out, 0.01)},
    "under-training": {
        "unlearnt": 2 * LIMITS.unlearnt,
        "longer": Change(-2 * LIMITS.longer, 0.001),
    },
    "too little width": {
        "unlearnt": 2 * LIMITS.unlearnt,
        "wider": Change(-2 * LIMITS.wider, 0.01),
    },
    "unrelated task": {"agreement": LIMITS.agreement / 2, "beside": Change(0.1, 0.01)},
}


def test_each_cause_has_evidence_of_its_own_and_advice():
    assert list(FOR) == list(CAUSES)
    assert set(ADVICE) == {*CAUSES, NOTHING}
    for cause, fields in FOR.items():
        assert cause_of(Evidence(**fields)) == cause


def test_nothing_measured_is_nothing_found():
    assert cause_of(Evidence()) is None


@pytest.mark.parametrize("cause", CAUSES)
def test_a_part_of_the_evidence_is_not_enough(cause):
    fields = FOR[cause]
    if len(fields) > 1:
        for left_out in fields:
            assert cause_of(replace(Evidence(**fields), **{left_out: None})) is None


@pytest.mark.parametrize("first", range(len(CAUSES)))
def test_the_earlier_cause_is_named_where_two_are_shown(first):
    for later in CAUSES[first + 1 :]:
        both = {**FOR[later], **FOR[CAUSES[first]], "late": 2 * LIMITS.late}
        assert cause_of(Evidence(**both)) == CAUSES[first]


def test_of_steps_and_width_what_helps_more_is_lacking_unless_much_came_late():
    fields = {**FOR["under-training"], **FOR["too little width"], "late": LIMITS.late / 2}
    assert cause_of(Evidence(**fields)) == "too little width"
    assert cause_of(Evidence(**{**fields, "late": 2 * LIMITS.late})) == "under-training"
    steps_help_more = {**fields, "longer": Change(-3 * LIMITS.wider, 0.001)}
    assert cause_of(Evidence(**steps_help_more)) == "under-training"


@pytest.mark.parametrize("name", ["equalised", "held_out", "longer", "wider"])
def test_a_change_whose_interval_holds_zero_shows_nothing(name):
    fields = next(of for of in FOR.values() if name in of)
    unsure = Change(fields[name].mean, 1.1 * abs(fields[name].mean))
    assert cause_of(Evidence(**{**fields, name: unsure})) is None


def test_a_gain_beside_others_is_no_harm_whatever_gradients_say():
    gain = Change(-2 * LIMITS.beside, LIMITS.beside)
    for whose in ("beside", "partner_beside"):
        assert cause_of(Evidence(**{**FOR["unrelated task"], whose: gain})) is None


def test_who_costs_nobody_anything_is_not_unrelated():
    tie = Change(LIMITS.cost / 2, LIMITS.cost / 4)
    fields = {**FOR["unrelated task"], "beside": tie, "partner_beside": tie}
    assert cause_of(Evidence(**fields)) is None
    assert cause_of(Evidence(**{**fields, "beside": None})) is None
    cost = Change(2 * LIMITS.cost, LIMITS.cost)
    assert cause_of(Evidence(**{**fields, "partner_beside": cost})) == "unrelated task"


def test_other_thresholds_name_other_causes():
    evidence = Evidence(held_out=Change(0.5, 0.01))
    assert cause_of(evidence, Thresholds(held_out=0.6)) is None


def test_a_diagnosis_says_task_by_task_what_to_do():
    found = Diagnosis(
        {
            "a": Evidence(**FOR["unrelated task"]),
            "b": Evidence(**FOR["label noise"]),
            "c": Evidence(),
        },
        LIMITS,
        2.5,
        100,
        {"too little width": "the encoder has no width"},
    )
    assert found.causes == {"a": "unrelated task", "b": "label noise", "c": None}
    assert found.cause == "label noise"
    text = str(found)
    assert "a: unrelated task; " in text
    assert ADVICE["label noise"] in text
    assert "c: none found" in text
    assert "the encoder has no width" in text
    table = found.table()
    assert list(table["cause"]) == ["unrelated task", "label noise", NOTHING]
    assert table.loc["c", "held_out"] == ""


def test_the_picture_has_each_test_and_says_what_was_not_made():
    found = Diagnosis({"a": Evidence(**FOR["drowned loss"]), "b": Evidence()}, LIMITS, 1.0, 10)
    figure = found.plot()
    assert [axes.get_title() for axes in figure.axes] == list(CAUSES)
    first = figure.axes[0]
    assert first.lines[0].get_xdata()[0] == pytest.approx(LIMITS.share / 2)
    assert [text.get_text() for text in first.texts] == ["not tested"]
    assert [label.get_text() for label in first.get_yticklabels()] == [
        "a\ndrowned loss",
        "b\nnone found",
    ]
