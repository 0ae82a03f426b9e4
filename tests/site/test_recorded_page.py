"""The page of recorded runs: what is plotted of an experiment, and what its numbers are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from docutils import nodes
from dot_plots import EDGE, Axis, Row, dot_plot
from hypothesis import given
from hypothesis import strategies as some
from measured import flat, label, main_measures, measures, shared, telling
from recorded_runs import grouped, is_tried, numbers, plot_rows

FINITE = some.floats(-1e6, 1e6)


def record(config: dict[str, Any], seed: int, **metrics: Any) -> dict[str, Any]:
    return {"config": config, "seed": seed, "metrics": metrics}


def texts(node: nodes.Node) -> list[list[str]]:
    return [[cell.astext() for cell in row.findall(nodes.entry)] for row in node.findall(nodes.row)]


def test_settings_that_follow_from_others_are_left_out() -> None:
    configs = [
        flat({"contender": contender, "settings": {"encoder": {"width": width}}, "rate": rate})
        for contender, width, rate in (("joint", 8, 0.1), ("joint", 8, 0.2), ("separate", 4, 0.1))
    ]
    assert telling(configs) == ["contender", "rate"]
    assert label(configs[0], ["contender", "settings.encoder.width"]) == "joint, width 8"


def test_lists_of_data_sets_are_told_last_and_never_as_common() -> None:
    configs = [
        {"data": [["trec", None]], "task": "question", "steps": 5},
        {"data": [["snips", None]], "task": "intent", "steps": 5},
    ]
    assert telling(configs) == ["task"]
    assert shared(configs) == {"steps": 5}
    assert shared([{**configs[0]}]) == {"task": "question", "steps": 5}


CONFIGS = some.lists(
    some.fixed_dictionaries({name: some.integers(0, 2) for name in "abc"}), min_size=1
)


@given(CONFIGS)
def test_settings_that_tell_apart_tell_all_apart(configs: list[dict[str, int]]) -> None:
    names = telling(configs)
    told = {tuple(config[name] for name in names) for config in configs}
    assert len(told) == len({tuple(sorted(config.items())) for config in configs})
    assert not set(names) & set(shared(configs))


@pytest.mark.parametrize(
    ("names", "plotted"),
    [
        (["intent_accuracy", "intent_macro_f1", "intent_validation"], ["intent_accuracy"]),
        (["slots_accuracy", "slots_precision", "slots_f1", "slots_f1_city"], ["slots_f1"]),
        (["validation_bleu", "validation_chrf", "test_bleu", "test_chrf", "size"], ["test_bleu"]),
        (["test_accuracy", "test_f1", "test_f1_PER", "parameters"], ["test_f1"]),
        (["validation_bits", "test_bits"], ["test_bits"]),
        (["premise_only", "chance", "ner_f1"], ["premise_only", "chance", "ner_f1"]),
        (["tags_best_on_validation", "training_seconds"], ["tags_best_on_validation"]),
        (["test", "validation", "types_test", "types_validation"], ["test", "types_test"]),
        (["trainings"], []),
    ],
)
def test_one_measure_of_each_task_is_plotted(names: list[str], plotted: list[str]) -> None:
    assert main_measures(names) == plotted


def test_a_curve_counts_by_its_highest_point() -> None:
    curves = {"tags": [1.0, 3.0, 2.0]}
    found = measures(record({}, 0, curves=curves, parameters=4, named="x"))
    assert found == {"parameters": 4, "tags_best_on_validation": 3.0}
    assert measures(record({}, 0, curves=curves, tags_f1=2.0)) == {"tags_f1": 2.0}
    assert measures(record({}, 0, chosen=1e-07, tags_f1=2.0)) == {"tags_f1": 2.0}


def test_seeds_have_an_interval_and_tries_their_highest() -> None:
    runs = [record({"contender": "joint"}, seed, f1=value) for seed, value in enumerate((1, 2, 3))]
    (row,) = plot_rows(grouped(runs, ["contender"]), ["contender"], "f1")
    assert (row.label, row.values, row.told) == ("joint", (1, 2, 3), "2.0 ± 2.5")
    # Standard deviation 1, three values, t(0.975, 2) = 4.302653: 4.302653 / sqrt(3).
    assert row.interval == pytest.approx((2 - 2.484138, 2, 2 + 2.484138), abs=1e-5)
    tried = [record({"contender": "joint", "rate": rate}, 0, f1=rate) for rate in (0.1, 0.2)]
    assert [is_tried(name) for name in ("rate", "trial.dropout", "contender")] == [
        *(True, True, False)
    ]
    (row,) = plot_rows(grouped(tried, ["contender"]), ["contender"], "f1")
    assert (row.values, row.told, row.interval) == ((0.1, 0.2), "up to 0.2", None)


def test_rows_stand_in_one_order_in_all_groups() -> None:
    order = [("400", "alone"), ("400", "topic"), ("100", "topic"), ("100", "alone")]
    order += [(size, name) for size in ("3200", "800", "1600") for name in ("topic", "alone")]
    runs = [record({"setting": size, "contender": name}, 0, f1=1.0) for size, name in order]
    names = ["setting", "contender"]
    rows = plot_rows(grouped(runs, names), names, "f1")
    assert [row.group for row in rows[::2]] == ["100", "400", "800", "1600", "3200"]
    assert {row.label for row in rows[::2]} == {"alone"}


@pytest.mark.parametrize("configs", [2, 9])
@pytest.mark.parametrize("count", [2, 9])
def test_no_table_of_numbers_is_wide(configs: int, count: int) -> None:
    told = [f"measure_{number}" for number in range(count)]
    runs = [
        record({"width": width}, 0, **dict.fromkeys(told, width + 0.5)) for width in range(configs)
    ]
    found = texts(numbers(grouped(runs, ["width"]), ["width"], told))
    assert max(map(len, found)) <= 6
    whole = " ".join(text for row in found for text in row)
    assert all(f"{width + 0.5}" in whole for width in range(configs))
    assert all(name.replace("_", " ") in whole for name in told)


@given(some.lists(FINITE, min_size=1, max_size=6))
def test_dots_stand_in_order_within_the_edges(values: list[float]) -> None:
    axis = Axis(values)
    places = [axis.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert places[0] >= EDGE - 1e-6
    assert places[-1] <= 100 - EDGE + 1e-6
    assert all(EDGE - 1e-6 <= axis.place(tick) <= 100 - EDGE + 1e-6 for tick in axis.ticks)


def test_a_plot_says_its_numbers_in_text_and_escapes_labels() -> None:
    rows = [Row("a < b", (0.0, 10.0), "5.0 ± 1.0", (4.0, 5.0, 6.0)), Row("c", (10.0,), "10")]
    html = dot_plot("test F1", rows).astext()
    assert "<caption>test F1</caption>" in html
    assert "a &lt; b" in html
    assert "5.0 ± 1.0" in html
    circles = [float(x) for x in re.findall(r'<circle cx="([\d.]+)%"', html)]
    assert circles == [EDGE, 100 - EDGE, 100 - EDGE]
