"""Comparisons that read the runs of another one instead of repeating them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtl_utils.experiments import Contrast, comparison_table, records, registry, tables
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender
from mtl_utils.experiments.experiment import Experiment
from mtl_utils.experiments.registry import comparisons

DROP = ({"head_dropout": 0.1},)
SETTINGS = {"Atlas": {"tasks": ["topic"], "head_dropout": 0.0, "training": {"learning_rate": 1.0}}}
RATES = (0.001, 0.003, 0.01, 0.03)


def comparison(name: str, *contenders: Contender, **changes: Any) -> Comparison:
    settings: dict[str, Any] = {
        "name": name,
        "description": "Tiny.",
        "settings": SETTINGS,
        "contenders": contenders,
        "rates": RATES,
        "seeds": (0, 1, 2),
        "contrasts": {},
    }
    return Comparison(**{**settings, **changes})


SEPARATE = Contender("separate", "apart", trials=DROP)
HARD, SOFT = Contender("hard", trials=DROP), Contender("soft", trials=DROP)
OLD = comparison("old", SEPARATE, HARD)
NEW = comparison(
    "new",
    SEPARATE,
    HARD,
    SOFT,
    contrasts={"Atlas": (Contrast("soft", "separate", "topic_accuracy"),)},
    controls=OLD,
)


def record(folder: Path, experiment: Experiment, metrics: Mapping[str, Any]) -> None:
    """Write down all runs, with metrics by contender."""
    for config, seed in experiment.cells():
        found = metrics[config["contender"]]
        run = records.make(experiment.name, config, seed, found(config, seed), 1.0)
        records.append(folder / f"{experiment.name}.jsonl", run)


def test_what_is_on_record_elsewhere_is_not_run_again() -> None:
    assert len(OLD.experiments()[0].cells()) == 2 * len(RATES)
    for made in NEW.experiments():
        assert {config["contender"] for config in made.configs} == {"soft"}
    rates, trials, final, doubled = NEW.experiments()
    assert rates.needs == ()
    assert trials.needs == ("old_rates", "old_trials", "new_rates")
    assert final.needs == doubled.needs == ("old_rates", "old_trials", "new_rates", "new_trials")


def test_both_sides_of_a_table_may_come_from_two_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "find_comparison", lambda name: {"new": NEW, "old": OLD}[name])

    def tried(best: float) -> Any:
        def found(config: Mapping[str, Any], seed: int) -> dict[str, Any]:
            settings = {
                "training.learning_rate": config.get("rate", 0.003),
                **config.get("trial", {}),
            }
            score = best if settings["training.learning_rate"] == 0.003 else 10.0
            return {"tried": {"topic": settings}, "curves": {"topic": [5.0, score]}}

        return found

    def scored(mean: float) -> Any:
        return lambda config, seed: {"topic_accuracy": mean + seed}

    for made, better in ((OLD, {"separate": 80.0, "hard": 70.0}), (NEW, {"soft": 90.0})):
        rates, trials, final, doubled = made.experiments()
        for part in (rates, trials):
            record(tmp_path, part, {name: tried(best) for name, best in better.items()})
        for part in (final, doubled):
            record(tmp_path, part, {name: scored(best) for name, best in better.items()})
    grid = NEW.grid("Atlas", tmp_path)
    assert grid.reference() == {"topic": 0.8}
    assert grid.best("hard", "topic") == {"training.learning_rate": 0.003}
    assert grid.best("soft", "topic") == {"training.learning_rate": 0.003}
    (row,) = comparison_table("new", "Atlas", tmp_path).to_dict("records")
    assert row["soft"] == "91.0 ± 2.5"
    assert row["separate"] == "81.0 ± 2.5"
    assert row["difference"] == "+10.0 ± 0.0"
    assert row["at twice the steps"] == "+10.0"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": (0, 1)}, "must have the seeds of new"),
        ({"rates": (*RATES, 0.1)}, "must have the rates of new"),
        ({"settings": {}}, "must have the settings of new"),
    ],
)
def test_controls_that_ran_something_else_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(NEW, controls=replace(OLD, **changes))


def test_a_contender_of_the_same_name_and_other_settings_is_run_again() -> None:
    other = replace(HARD, settings={"head_dropout": 0.5})
    assert {
        config["contender"]
        for config in replace(NEW, contenders=(SEPARATE, other, SOFT)).experiments()[0].configs
    } == {"hard", "soft"}
    undoubled = replace(OLD, doubles=("separate",))
    once = replace(NEW, controls=undoubled).experiments()
    assert {config["contender"] for config in once[0].configs} == {"hard", "soft"}
    with pytest.raises(ValueError, match="no contender of new"):
        replace(NEW, controls=comparison("stranger", Contender("separate", "apart", trials=({},))))
    with pytest.raises(TypeError, match="controls must be a Comparison"):
        replace(NEW, controls="old")


def test_no_run_of_the_book_is_made_for_two_comparisons_of_a_kind() -> None:
    known = registry()
    for one in comparisons():
        if one.controls is not None:
            assert one.controls in comparisons()
            ours = {config["contender"] for config in known[one.name].configs}
            assert not ours & {"separate", "hard"}
