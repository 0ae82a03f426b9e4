"""Tasks with few rows on tiny data: each route trains what it says, and all are affordable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtl_utils.experiments import estimate, staged_training
from mtl_utils.experiments.contenders import Unit, overlaid
from mtl_utils.experiments.experiment import Place
from mtl_utils.experiments.little_data import (
    ALONE,
    COMPARISONS,
    EXPERIMENTS,
    ON_ENTITIES,
    TUNED_ON,
    contenders_for,
)
from mtl_utils.experiments.registry import find, find_comparison
from mtl_utils.experiments.staged_training import train_in_stages
from mtl_utils.training import Trainer

TINY: dict[str, Any] = {
    "data": [
        ["atlas_sentences:300@1/entities/even", 12, 4],
        ["atlas_sentences:300@1/topic/odd", 40, 4],
        ["atlas_sentences:300@1/pos/odd", 40, 4],
    ],
    "tokenizer_data": [["atlas_sentences:300@1/entities/even", None]],
    "encoder": {"kind": "bilstm", "width": 8, "num_layers": 1, "dropout": 0.0},
    "vocab_size": 300,
    "steps": 10,
    "validations": 2,
    "max_validation": 10,
    "max_test": 10,
    "training": {"learning_rate": 0.01, "warmup_steps": 1, "schedule": "linear"},
}
HELPERS = ("pos", "topic")
ROUTES: dict[str, Any] = {
    "alone": ((), {"kind": "joint"}),
    "joint": (HELPERS, {"kind": "joint"}),
    "then": (HELPERS, {"kind": "then", "share": 0.6}),
    "intermediate": (("pos",), {"kind": "then", "share": 0.6, "first": ["pos"]}),
    "words": ((), {"kind": "words"}),
    "pseudo-labels": ((), {"kind": "pseudo-labels", "share": 0.6, "confidence": 0.0}),
    "prototypes": (HELPERS, {"kind": "prototypes"}),
}
HEADS: dict[str, Any] = {"prototypes": {"crf": False}}
STAGES = {
    "alone": [({"entities"}, 10)],
    "joint": [({"entities", "pos", "topic"}, 10)],
    "then": [({"entities", "pos", "topic"}, 6), ({"entities"}, 4)],
    "intermediate": [({"pos"}, 6), ({"entities"}, 4)],
    "words": [({"entities", "words"}, 10)],
    "pseudo-labels": [({"entities"}, 6), ({"entities"}, 4)],
    "prototypes": [({"entities", "pos", "topic"}, 10)],
}


def settings_of(route: str) -> tuple[dict[str, Any], Unit]:
    helpers, settings = ROUTES[route]
    shared = {**next(iter(ON_ENTITIES.settings.values())), **TINY}
    return {**shared, "route": settings, **HEADS.get(route, {})}, Unit(
        ("entities", *helpers), ("entities",)
    )


@pytest.mark.parametrize("route", ROUTES)
def test_each_route_trains_what_it_says(
    route: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[set[str], int]] = []
    fit = Trainer.fit

    def noted(self: Trainer, train: Any, validation: Any = None) -> Any:
        tasks = {task for batches in train.batches() for task in batches}
        seen.append((tasks, self.config.epochs * train.num_batches))
        return fit(self, train, validation)

    monkeypatch.setattr(Trainer, "fit", noted)
    settings, unit = settings_of(route)
    trained = train_in_stages(settings, unit, 0, tmp_path)
    assert seen == STAGES[route]
    assert trained.texts == sum(4 * len(tasks) * steps for tasks, steps in seen)
    assert set(trained.metrics) == {"entities"}
    assert len(trained.history) == 2


def test_a_run_that_was_stopped_between_stages_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, unit = settings_of("then")
    whole = train_in_stages(settings, unit, 0, tmp_path / "whole")

    def stopped(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as between:
        between.setattr(staged_training, "fit_judged", stopped)
        with pytest.raises(KeyboardInterrupt):
            train_in_stages(settings, unit, 0, tmp_path / "other")
    assert (tmp_path / "other" / "entities-first.pt").exists()
    again = train_in_stages(settings, unit, 0, tmp_path / "other")
    assert again.metrics == whole.metrics
    assert again.history["train_loss"].tolist() == whole.history["train_loss"].tolist()


def test_pseudo_labels_are_of_other_rows_and_their_own_labels_are_hidden(tmp_path: Path) -> None:
    settings, unit = settings_of("pseudo-labels")
    own = staged_training.of_unit(settings, unit, 0)
    sets = [staged_training.load(name, size, 0) for name, size, _ in own["data"]]
    tokenizer = staged_training.tokenizer_of(settings, 0)
    staged = staged_training._Staged(own, unit, sets, tokenizer, 0, tmp_path)
    drawn = {tuple(e.input_ids) for e in staged.loaders(("entities",))["entities"].examples}
    texts = staged.unlabelled()
    assert len(texts) == 120 - 12
    assert not any(example.labels for example in texts)
    assert all(example.first_pieces for example in texts)
    assert not drawn & {tuple(example.input_ids) for example in texts}


def test_rows_and_weights_have_seeds_of_their_own(tmp_path: Path) -> None:
    settings, unit = settings_of("alone")

    def first(**seeds: int) -> tuple[Any, Any]:
        given = {**settings, **seeds}
        own = staged_training.of_unit(given, unit, 0)
        rows_seed = own.get("rows_seed", 0)
        sets = [staged_training.load(name, size, rows_seed) for name, size, _ in own["data"]]
        tokenizer = staged_training.tokenizer_of(settings, 0)
        staged = staged_training._Staged(own, unit, sets, tokenizer, 0, tmp_path)
        weights = next(staged.model().parameters())[:2].tolist()
        return [row.text for row in sets[0].splits["train"]], weights

    rows, weights = first()
    assert first(weights_seed=5)[0] == rows
    assert first(weights_seed=5)[1] != weights
    assert first(weights_seed=0) == (rows, weights)


def test_an_unknown_route_is_refused(tmp_path: Path) -> None:
    settings, unit = settings_of("joint")
    with pytest.raises(ValueError, match="one of the routes"):
        train_in_stages({**settings, "route": {"kind": "nothing"}}, unit, 0, tmp_path)


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda comparison: comparison.name)
def test_contenders_have_data_for_all_they_train(comparison: Any) -> None:
    assert find_comparison(comparison.name) is comparison
    for settings in comparison.settings.values():
        named = {name.rpartition("/")[2] for name, *_ in settings["data"]}
        tasks = {name.split("/")[1].rpartition(" as ")[2] for name, *_ in settings["data"]}
        assert named
        for contender in comparison.contenders:
            (unit,) = contender.units(settings["tasks"])
            assert set(unit.tasks) <= tasks
            whole = overlaid(settings, contender.settings)
            assert set(whole["route"].get("first", [])) <= set(unit.tasks)


def test_all_have_as_many_steps_and_one_task_alone_is_the_reference() -> None:
    for target in ("entities", "slots"):
        ways = contenders_for(target)
        assert ways[0].name == ALONE
        assert ways[0].helpers == ()
        assert not any("steps" in way.settings for way in ways)
        assert len({len(way.trials) for way in ways}) == 1


def test_a_crossed_table_has_every_draw_with_every_seed(tmp_path: Path) -> None:
    crossed = find("little_data_spread")
    pairs = {(c["contender"], c["draw"], seed) for c, seed in crossed.cells()}
    assert len(pairs) == len(crossed.cells()) == 2 * 4 * 4
    config = next(c for c in crossed.configs if c["contender"] == TUNED_ON and c["draw"] == 1)
    tiny = {**config["settings"], **TINY, "data": []}
    tiny["data"] = [*TINY["data"], ["atlas_sentences:300@1/event as slots/odd", 8, 4]]
    tiny["data"].append(["atlas_sentences:300@1/event as question/odd", 8, 4])
    tiny["data"][1] = ["atlas_sentences:300@1/pos/odd", 8, 4]
    del tiny["data"][2]
    place = Place(tmp_path, tmp_path)
    found = crossed.run({**config, "settings": tiny}, 0, place)
    assert set(found) == {"entities_f1"}


def test_they_cost_four_core_hours_at_most(tmp_path: Path) -> None:
    names = {experiment.name for experiment in EXPERIMENTS}
    found = [e for e in estimate(sorted(names), tmp_path) if e.name in names]
    assert sum(e.hours for e in found) < 4.2
    assert not sum(e.unknown for e in found)
