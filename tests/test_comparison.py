"""Comparisons: who trains what, what is tried and chosen, and the whole of one on tiny data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from mtl_utils.experiments import (
    Experiment,
    Place,
    load_results,
    records,
    runner,
    text_sets,
)
from mtl_utils.experiments.ablations import Ablation
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, Unit, overlaid
from mtl_utils.experiments.contrasts import Contrast, contrast_table
from mtl_utils.experiments.registry import comparisons
from mtl_utils.experiments.tuning import Tuning
from mtl_utils.experiments.unit_training import exact, train_unit
from mtl_utils.training import Trainer

TINY: dict[str, Any] = {
    "data": [["atlas_sentences:60", None, 8]],
    "tasks": ["topic", "entities"],
    "encoder": {"kind": "bilstm", "width": 8, "num_layers": 1, "dropout": 0.0},
    "sharing": {"kind": "hard"},
    "vocab_size": 300,
    "head_dropout": 0.0,
    "scale": "text",
    "steps": 4,
    "validations": 2,
    "training": {"learning_rate": 0.1, "warmup_steps": 2},
}
RATES = (0.001, 0.003, 0.01, 0.03)
LOUD = {"weights": {"entities": 3.0}}
COMPARISON = Comparison(
    name="tiny",
    description="Tiny.",
    settings={"Atlas": TINY},
    contenders=(
        Contender("joint", trials=(LOUD,)),
        Contender("separate", "apart", trials=({"head_dropout": 0.1},)),
    ),
    rates=RATES,
    seeds=(0, 1),
    contrasts={"Atlas": (Contrast("joint", "separate", "topic_accuracy"),)},
)
BOTH_WAYS = (
    Contrast("joint", "separate", "topic_accuracy"),
    Contrast("separate", "joint", "topic_accuracy"),
)
LOUDER = Ablation("a", "joint", LOUD)
TOPIC, ENTITIES = Unit(("topic",)), Unit(("entities",))


def test_units_are_what_their_names_say() -> None:
    tasks = ("a", "b")
    assert Contender("joint").units(tasks) == (Unit(("a", "b")),)
    assert Contender("separate", "apart").units(tasks) == (Unit(("a",)), Unit(("b",)))
    assert Contender("joint", helpers=("c",)).units(tasks) == (Unit(("a", "b", "c"), ("a", "b")),)
    (helped, _) = Contender("helped", "apart", helpers=("c",)).units(tasks)
    assert (helped.tasks, helped.judged, helped.name) == (("a", "c"), ("a",), "a")
    assert Contender("one", "apart", only=("b",)).units(tasks) == (Unit(("b",)),)
    assert Contender("both", only=("b", "a")).units(tasks) == (Unit(("a", "b")),)


def test_models_for_some_tasks_only_are_of_tasks_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"only must name tasks of \['a'\], got \['b'\]"):
        Contender("one", "apart", only=("b",)).units(("a",))
    with pytest.raises(ValueError, match="only must be left out where there are groups"):
        Contender("one", groups=(("a",),), only=("a",))
    with pytest.raises(TypeError, match="only"):
        Contender("one", only="a")  # type: ignore[arg-type]


def test_settings_are_overlaid_without_touching_those_given() -> None:
    settings = {"training": {"rate": 1, "decay": 2}, "width": 3}
    before = json.dumps(settings)
    found = overlaid(settings, {"training.rate": 5, "width": 7, "new": 1})
    assert found == {"training": {"rate": 5, "decay": 2}, "width": 7, "new": 1}
    assert json.dumps(settings) == before
    with pytest.raises(KeyError, match="leads into 'trainig'"):
        overlaid(settings, {"trainig.rate": 5})


def trained_alone(unit: Unit, folder: Path, **settings: Any) -> Any:
    return train_unit({**TINY, **settings}, unit, 0, folder)


def test_each_separate_model_has_a_trainer_and_clipping_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Trainer] = []
    fit = Trainer.fit

    def noted(self: Trainer, *given: Any) -> Any:
        made.append(self)
        return fit(self, *given)

    monkeypatch.setattr(Trainer, "fit", noted)
    clipped = {"training": {"learning_rate": 0.05, "clip_norm": 0.01}}
    both = [trained_alone(unit, tmp_path, **clipped) for unit in (TOPIC, ENTITIES)]
    assert [list(trainer.model.tasks) for trainer in made] == [["topic"], ["entities"]]
    ids = [{id(p) for p in trainer.model.parameters()} for trainer in made]
    assert not ids[0] & ids[1]
    # Were their gradients clipped by one norm, the loud one would slow the other down.
    loud = {**clipped, "weights": {"entities": 100.0}}
    again = trained_alone(TOPIC, tmp_path / "again", **loud)
    assert again.history["train_topic"].tolist() == both[0].history["train_topic"].tolist()


def test_rows_that_are_dealt_are_dealt_alike_to_every_contender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtl_utils.experiments import unit_training

    seen: dict[str, set[tuple[int, ...]]] = {}
    made = unit_training.loaders_of

    def noted(config: Any, sets: Any, tokenizer: Any, split: str, seed: int) -> Any:
        loaders = made(config, sets, tokenizer, split, seed)
        if split == "train":
            for loader in loaders:
                (task,) = loader.examples[0].labels
                seen.setdefault(task, set()).update(tuple(e.input_ids) for e in loader.examples)
        return loaders

    monkeypatch.setattr(unit_training, "loaders_of", noted)
    trained_alone(Unit(("topic", "entities")), tmp_path, apart=True)
    together = {task: set(rows) for task, rows in seen.items()}
    seen.clear()
    for unit in (TOPIC, ENTITIES):
        trained_alone(unit, tmp_path, apart=True)
    assert seen == together
    assert not seen["topic"] & seen["entities"]


def test_weights_are_chosen_by_scores_relative_to_the_reference(tmp_path: Path) -> None:
    both = Unit(("topic", "entities"))
    reference = {"topic": 0.5, "entities": 0.01}
    found = train_unit({**TINY, "steps": 40, "validations": 4}, both, 0, tmp_path, reference)
    scores = found.history[["topic_score", "entities_score"]]
    relative = (scores / [0.5, 0.01]).mean(axis=1)
    torch.testing.assert_close(found.history["judged"].tolist(), relative.tolist())
    best = int(relative.argmax())
    assert found.scores == {
        "topic": scores["topic_score"].iloc[best],
        "entities": scores["entities_score"].iloc[best],
    }


def test_a_unit_that_was_killed_goes_on_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained_alone(TOPIC, tmp_path / "whole")
    from mtl_utils.experiments import unit_training

    class Killed(Exception):
        pass

    calls: list[int] = []

    def killing(self: Any, model: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return judge(self, model)

    judge = unit_training.Judge.__call__
    monkeypatch.setattr(unit_training.Judge, "__call__", killing)
    with pytest.raises(Killed):
        trained_alone(TOPIC, tmp_path / "part")
    resumed = trained_alone(TOPIC, tmp_path / "part")
    assert len(calls) == 3  # the first validation was not made again
    kept = [name for name in whole.history if name != "seconds"]
    pd.testing.assert_frame_equal(whole.history[kept], resumed.history[kept])
    assert resumed.rows == whole.rows


def test_everything_right_is_asked_of_all_models_of_a_contender(tmp_path: Path) -> None:
    units = [trained_alone(unit, tmp_path) for unit in (TOPIC, ENTITIES)]
    (topics,), (tags,) = (found.values() for unit in units for found in unit.rows.values())
    right = [a == b and c == d for (a, b), (c, d) in zip(topics, tags, strict=True)]
    assert exact(units) == {"atlas_sentences:60_exact": sum(right) / len(right)}
    assert exact(units[:1]) == {}


def records_of(experiment: Experiment, best: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what trials of step sizes would have found, had some of them been the best."""
    made = []
    for config in experiment.configs:
        units = ("topic+entities",) if config["contender"] == "joint" else ("topic", "entities")
        tried = {unit: {"training.learning_rate": config["rate"]} for unit in units}
        curves = {
            task: [10.0, best[config["contender"]][task].get(config["rate"], 20.0)]
            for task in TINY["tasks"]
        }
        metrics = {"tried": tried, "curves": curves}
        made.append(records.make(experiment.name, config, 100, metrics, 1.0))
    return made


def tuning_of(best: dict[str, dict[str, Any]], folder: Path) -> Tuning:
    rates = COMPARISON.experiments()[0]
    for record in records_of(rates, best):
        records.append(folder / "tiny_rates.jsonl", record)
    return Tuning(COMPARISON, "Atlas", load_results("tiny_rates", folder))


def test_each_model_of_its_own_takes_its_own_step_size(tmp_path: Path) -> None:
    tuning = tuning_of(
        {
            # A mean of scores would choose 0.003 for the joint model: 80 + 10 against 60 + 24.
            "joint": {"topic": {0.003: 80.0, 0.01: 60.0}, "entities": {0.003: 10.0, 0.01: 24.0}},
            "separate": {"topic": {0.01: 80.0}, "entities": {0.003: 25.0}},
        },
        tmp_path,
    )
    assert tuning.reference() == {"topic": 0.8, "entities": 0.25}
    assert tuning.best("separate", "topic") == {"training.learning_rate": 0.01}
    assert tuning.best("separate", "entities") == {"training.learning_rate": 0.003}
    assert tuning.best("joint", "topic+entities") == {"training.learning_rate": 0.01}


def test_a_step_size_at_the_edge_and_a_missing_trial_are_refused(tmp_path: Path) -> None:
    at_edge = {task: {0.03: 90.0} for task in TINY["tasks"]}
    tuning = tuning_of({"joint": at_edge, "separate": at_edge}, tmp_path)
    with pytest.raises(ValueError, match="at the edge of"):
        tuning.best("joint", "topic+entities")
    frame = tuning.frame
    fewer = frame[
        [next(iter(t.values()))["training.learning_rate"] != 0.01 for t in frame["tried"]]
    ]
    with pytest.raises(ValueError, match=r"no trial on 'Atlas' with the step sizes \[0.01\]"):
        replace(tuning, frame=fewer).best("joint", "topic+entities")


def test_where_step_sizes_are_level_one_inside_of_the_grid_is_taken(tmp_path: Path) -> None:
    level = {0.001: 90.0, 0.003: 90.0, 0.01: 90.0, 0.03: 90.0}
    low = {0.001: 90.0, 0.01: 90.0, 0.03: 91.0}
    best = {"joint": {"topic": level, "entities": level}}
    tuning = tuning_of(best | {"separate": {"topic": level, "entities": low}}, tmp_path)
    assert tuning.best("joint", "topic+entities") == {"training.learning_rate": 0.003}
    assert tuning.best("separate", "topic") == {"training.learning_rate": 0.003}
    with pytest.raises(ValueError, match=r"step size 0\.03, at the edge of"):
        tuning.best("separate", "entities")


def searched(**changes: Any) -> Comparison:
    """The tiny comparison with a random search: each trial has a step size of its own."""
    drawn = {"training.learning_rate": 0.01}, {"training.learning_rate": 0.03}
    joint = tuple({**trial, **LOUD} for trial in drawn)
    contenders = (Contender("joint", trials=joint), Contender("separate", "apart", trials=drawn))
    return replace(COMPARISON, **{"rates": (), "contenders": contenders, **changes})


def test_a_random_search_has_trials_alone_and_may_choose_the_greatest(tmp_path: Path) -> None:
    comparison = searched()
    trials, final, doubled = comparison.experiments()
    assert (trials.name, trials.needs) == ("tiny_trials", ())
    assert final.needs == doubled.needs == ("tiny_trials",)
    runner.run(trials, tmp_path, progress=False)
    tried = load_results("tiny_trials", tmp_path)
    assert [next(iter(t.values()))["training.learning_rate"] for t in tried["tried"]] == [
        *(0.01, 0.03),
        *(0.01, 0.03),
    ]
    better = tried.assign(
        curves=[
            {task: [90.0 if "0.03" in str(t) else 20.0] for task in c}
            for c, t in zip(tried["curves"], tried["tried"], strict=True)
        ]
    )
    tuning = Tuning(comparison, "Atlas", better)
    assert tuning.best("joint", "topic+entities") == {"training.learning_rate": 0.03, **LOUD}
    with pytest.raises(ValueError, match=r"no trial on 'Atlas' with the settings \[.*0.01"):
        replace(tuning, frame=better[1:2]).best("joint", "topic+entities")
    runner.run(final, tmp_path, progress=False)
    assert len(load_results("tiny", tmp_path)) == 4


@pytest.mark.parametrize("trials", [(), ({"head_dropout": 0.1},)])
def test_a_random_search_draws_step_sizes(trials: tuple[Any, ...]) -> None:
    contenders = (
        Contender("joint", trials=trials),
        Contender("separate", "apart", trials=trials),
    )
    with pytest.raises(ValueError, match=r"each trial must have a 'training\.learning_rate'"):
        searched(contenders=contenders)


def test_one_contender_alone_is_tuned_by_its_scores_as_they_are(tmp_path: Path) -> None:
    alone = replace(COMPARISON, contenders=COMPARISON.contenders[:1], contrasts={}, reference=None)
    rates, trials, final, doubled = alone.experiments()
    assert [len(e.cells()) for e in (rates, trials, final, doubled)] == [4, 1, 2, 2]
    # By shares of each task's best the second would win, 0.92 against 0.80; by the mean the first.
    scores = {"topic": {0.003: 60.0, 0.01: 50.0}, "entities": {0.003: 6.0, 0.01: 10.0}}
    for record in records_of(rates, {"joint": scores}):
        records.append(tmp_path / "tiny_rates.jsonl", record)
    for experiment in (trials, final):
        runner.run(experiment, tmp_path, progress=False)
    tuning = alone.tuning("Atlas", Place(tmp_path, tmp_path))
    assert tuning.reference() == {"topic": 1.0, "entities": 1.0}
    assert tuning.best("joint", "topic+entities") == {"training.learning_rate": 0.003}
    assert load_results("tiny", tmp_path)["topic_accuracy"].between(0, 100).all()


def test_a_whole_comparison_on_tiny_data(tmp_path: Path) -> None:
    rates, trials, final, doubled = COMPARISON.experiments()
    assert [len(e.cells()) for e in (rates, trials, final, doubled)] == [8, 2, 4, 4]
    assert (trials.needs, final.needs) == (("tiny_rates",), ("tiny_rates", "tiny_trials"))
    inner = {"topic": {0.003: 90.0}, "entities": {0.01: 90.0}}
    for record in records_of(rates, {"joint": inner, "separate": inner}):
        records.append(tmp_path / "tiny_rates.jsonl", record)
    for experiment in (trials, final, doubled):
        runner.run(experiment, tmp_path, progress=False)

    tried = load_results("tiny_trials", tmp_path).set_index("contender")["tried"]
    assert tried["joint"] == {"topic+entities": {"training.learning_rate": 0.003, **LOUD}}
    assert tried["separate"] == {
        "topic": {"training.learning_rate": 0.003, "head_dropout": 0.1},
        "entities": {"training.learning_rate": 0.01, "head_dropout": 0.1},
    }
    frame, again = load_results("tiny", tmp_path), load_results("tiny_doubled", tmp_path)
    joint, separate = frame[frame["seed"] == 0].to_dict("records")
    assert (joint["contender"], separate["contender"]) == ("joint", "separate")
    assert separate["chosen"]["entities"] == {"training.learning_rate": 0.01}
    # Aligned data: one pass serves both tasks of the joint model.
    assert (joint["texts"], separate["texts"]) == (4 * 8, 2 * 4 * 8)
    assert (again["texts"] == 2 * frame["texts"]).all()
    assert [len(curve) for curve in joint["curves"].values()] == [2, 2]
    unit = train_unit(
        overlaid(TINY, {"training.learning_rate": 0.003}), TOPIC, 0, tmp_path / "by hand"
    )
    assert separate["topic_accuracy"] == round(100 * unit.metrics["topic"]["accuracy"], 2)
    table = contrast_table(frame, COMPARISON.contrasts["Atlas"], again)
    assert table["n"].tolist() == [2]
    assert table["doubled"].notna().all()


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        ("at least 4 step sizes", {"rates": (0.1, 0.2, 0.3)}),
        ("in ascending order", {"rates": (0.1, 0.2, 0.4, 0.3)}),
        ("as many trials each", {"contenders": (Contender("joint"), COMPARISON.contenders[1])}),
        ("must have different names", {"contenders": (Contender("separate", "apart"),) * 2}),
        ("must be trained apart", {"reference": "joint"}),
        ("no contender", {"doubles": ("jiont",)}),
        ("not in", {"contrasts": {"Altas": ()}}),
        ("found names settings that are not in", {"found": {"Altas": ()}}),
        ("withdrawn names", {"withdrawn": {"Atlas": (Contrast("separate", "joint", "a_f1"),)}}),
        ("others than the fresh", {"found": COMPARISON.contrasts, "seeds": (0, 14)}),
        ("no contender", {"ablations": (Ablation("louder", "jiont", LOUD),)}),
        ("at most 5", {"contrasts": {"Atlas": COMPARISON.contrasts["Atlas"] * 6}}),
        ("each difference once", {"contrasts": {"Atlas": COMPARISON.contrasts["Atlas"] * 2}}),
        ("each difference once", {"contrasts": {"Atlas": BOTH_WAYS}}),
        ("each difference once", {"found": {"Atlas": BOTH_WAYS}}),
        ("withdrawn names settings that are not in", {"withdrawn": {"Altas": ()}}),
        ("seeds must be at least one", {"seeds": ()}),
        ("none twice", {"seeds": (0, 0, 1)}),
        ("that of the tuning, 100, got", {"seeds": (0, 1, 100)}),
        ("no other one has, got 'a'", {"ablations": (LOUDER, replace(LOUDER, of="separate"))}),
        ("ablated must be at least 1", {"ablated": 0}),
        ("no contender and", {"ablations": (replace(LOUDER, name="separate"),)}),
        (
            r"leave tasks of 'Atlas', \['entities', 'topic'\], got \['topics'\]",
            {"ablations": (Ablation("alone", "joint", {}, ("topics",)),)},
        ),
    ],
)
def test_what_a_comparison_refuses(message: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=message):
        replace(COMPARISON, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        *({name: COMPARISON.contrasts["Atlas"]} for name in ("contrasts", "found", "withdrawn")),
        {"contrasts": {"Atlas": COMPARISON.contrasts["Atlas"][0]}},
        {"found": {"Atlas": ("joint",)}},
        {"seeds": 3},
        {"seeds": ("0",)},
        {"settings": {"Atlas": None}},
        {"settings": (TINY,)},
        {"ablations": ("louder",)},
        {"ablated": 1.5},
        {"contenders": ("joint",)},
        {"doubles": "joint"},
        {"tuned_at": ("Atlas",)},
    ],
    ids=str,
)
def test_what_is_not_of_its_kind(changes: dict[str, Any]) -> None:
    (name,) = changes
    with pytest.raises(TypeError, match=f"^{name}.* must be"):
        replace(COMPARISON, **changes)


def test_one_contender_helped_by_a_task_may_be_left_with_it() -> None:
    helped = Contender("joint", trials=(LOUD,), helpers=("event",))
    alone = Ablation("fewer", "joint", {}, ("topic", "event"))
    replace(COMPARISON, contenders=(helped, COMPARISON.contenders[1]), ablations=(alone,))


def test_an_ablation_changes_one_thing_of_what_was_tuned(tmp_path: Path) -> None:
    changed = replace(
        COMPARISON,
        seeds=(0, 1, 2, 3),
        ablations=(
            Ablation("wider", "joint", {"encoder.width": 12}),
            Ablation("alone", "joint", {}, ("topic",)),
            Ablation("slower", "separate", {"training.learning_rate": 0.002}),
        ),
    )
    rates, trials, final, _, ablations = changed.experiments()
    assert ablations.name == "tiny_ablations"
    assert (len(ablations.cells()), ablations.seeds) == (9, (0, 1, 2))
    assert replace(changed, ablated=2).experiments()[-1].seeds == (0, 1)
    inner = {"topic": {0.003: 90.0}, "entities": {0.01: 90.0}}
    for record in records_of(rates, {"joint": inner, "separate": inner}):
        records.append(tmp_path / "tiny_rates.jsonl", record)
    for experiment in (trials, final, ablations):
        runner.run(experiment, tmp_path, progress=False)
    tuned = load_results("tiny", tmp_path).drop_duplicates("contender").set_index("contender")
    chosen, apart = tuned["chosen"]["joint"], tuned["chosen"]["separate"]
    found = load_results("tiny_ablations", tmp_path).set_index(["ablation", "seed"])
    assert all(one == chosen for one in found.loc[["wider", "alone"], "chosen"])
    settings = overlaid(TINY, chosen["topic+entities"])
    both = Unit(("topic", "entities"))
    reference = {"topic": 0.9, "entities": 0.9}
    wider = train_unit(
        overlaid(settings, {"encoder.width": 12}), both, 1, tmp_path / "wider", reference
    )
    assert found.loc[("wider", 1), "parameters"] == wider.parameters
    f1 = round(100 * wider.metrics["entities"]["f1"], 2)
    assert found.loc[("wider", 1), "entities_f1"] == f1
    alone = train_unit(settings, TOPIC, 2, tmp_path / "alone", reference)
    accuracy = round(100 * alone.metrics["topic"]["accuracy"], 2)
    assert found.loc[("alone", 2), "topic_accuracy"] == accuracy
    assert pd.isna(found.loc[("alone", 2), "entities_f1"])
    assert {unit["training.learning_rate"] for unit in apart.values()} == {0.003, 0.01}
    rate = {"training.learning_rate": 0.002}  # of each of its models
    for unit, score in ((TOPIC, "accuracy"), (ENTITIES, "f1")):
        own = overlaid(overlaid(TINY, apart[unit.name]), rate)
        slower = train_unit(own, unit, 1, tmp_path / f"slower {unit.name}", reference)
        expected = round(100 * slower.metrics[unit.name][score], 2)
        assert found.loc[("slower", 1), f"{unit.name}_{score}"] == expected


@pytest.mark.parametrize(
    "given",
    [("", "joint", LOUD, ()), ("a", "", LOUD, ()), ("a", "joint", {}, ())],
)
def test_ablations_that_are_refused(given: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="must"):
        Ablation(*given)
    with pytest.raises(ValueError, match=r"must name some of \('topic',\), got \('pos',\)"):
        TOPIC.part(("pos",))


@pytest.mark.parametrize(
    "tasks",
    [((), ()), (("a", "a"), ()), (("a",), ("b",))],
)
def test_units_that_are_refused(tasks: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Unit(*tasks)


def test_the_tuning_of_a_corner_serves_the_points_near_it(tmp_path: Path) -> None:
    near = replace(COMPARISON, settings={"Atlas": TINY, "near": TINY}, tuned_at={"near": "Atlas"})
    rates, trials, final, _ = near.experiments()
    assert {config["setting"] for e in (rates, trials) for config in e.configs} == {"Atlas"}
    assert {config["setting"] for config in final.configs} == {"Atlas", "near"}
    inner = {"topic": {0.003: 90.0}, "entities": {0.01: 90.0}}
    for record in records_of(rates, {"joint": inner, "separate": inner}):
        records.append(tmp_path / "tiny_rates.jsonl", record)
    runner.run(trials, tmp_path, progress=False)
    tuning = near.tuning("near", Place(tmp_path, tmp_path))
    assert tuning.setting == "Atlas"
    assert tuning.best("separate", "topic") == {"training.learning_rate": 0.003}
    with pytest.raises(ValueError, match="must lead from settings to settings that are tuned"):
        replace(near, tuned_at={"near": "near"})


@pytest.mark.parametrize("comparison", comparisons(), ids=lambda comparison: comparison.name)
def test_tasks_of_the_book_have_data_and_trials_change_what_there_is(
    comparison: Comparison,
) -> None:
    for settings in comparison.settings.values():
        names = [name for name, *_ in settings.get("data", [])]
        assert len(set(names)) == len(names)
        own = {name.split("/")[1].rpartition(" as ")[2] for name in names if "/" in name}
        for contender in comparison.contenders:
            if own:
                assert own >= {*settings["tasks"], *contender.helpers}
            changed = overlaid(settings, contender.settings)
            for trial in contender.trials:
                assert overlaid(changed, trial) != changed
        for ablation in comparison.ablations:
            assert set(ablation.tasks) <= set(settings["tasks"])
            overlaid(settings, ablation.changes)


def test_a_task_that_helps_is_trained_and_not_judged(tmp_path: Path) -> None:
    halves = [[f"atlas_sentences:60/{task}", None, 8] for task in ("topic/even", "entities/odd")]
    settings = {**TINY, "data": halves, "tasks": ["topic"]}
    (unit,) = Contender("helped", "apart", helpers=("entities",)).units(("topic",))
    found = train_unit(settings, unit, 0, tmp_path)
    assert {"train_topic", "train_entities", "topic_score"} <= set(found.history)
    assert "entities_score" not in found.history
    assert list(found.metrics) == ["topic"]
    assert found.texts == 4 * 16
    alone = train_unit(settings, TOPIC, 0, tmp_path / "alone")
    assert (alone.texts, alone.parameters < found.parameters) == (4 * 8, True)
    assert not alone.history["train_topic"].equals(found.history["train_topic"])


def test_data_sets_by_task_and_by_half() -> None:
    whole = text_sets.load("atlas_sentences:60")
    even, odd = (text_sets.load(f"atlas_sentences:60/topic/{half}") for half in ("even", "odd"))
    assert [row.text for row in even.splits["train"]] == [
        row.text for row in whole.splits["train"][::2]
    ]
    assert len(even.splits["train"]) + len(odd.splits["train"]) == len(whole.splits["train"])
    assert even.splits["test"][3].labels == {"topic": whole.splits["test"][3].labels["topic"]}
    renamed = text_sets.load("atlas_sentences:60/topic as theme/odd")
    assert renamed.kinds == {"theme": odd.kinds["topic"]}
    assert [row.labels["theme"] for row in renamed.splits["train"]] == [
        row.labels["topic"] for row in odd.splits["train"]
    ]
    related, not_at_all = (
        text_sets.load(f"atlas_sentences:60@{share}").splits["train"] for share in (1, 0)
    )
    assert [row.text for row in related] == [row.text for row in not_at_all]
    assert [row.labels["event"] for row in related] == [row.labels["event"] for row in not_at_all]
    assert [row.labels["topic"] for row in related] != [row.labels["topic"] for row in not_at_all]


@pytest.mark.parametrize(
    "name",
    [
        *("atlas:2x", "snips:10", "snips@0.5", "snips/slots/third", "snips/slots/odd/even"),
        *("atlas:60@0.5", "atlas_sentences@0.5", "atlas_sentences:60/event", "unknown", ""),
    ],
)
def test_data_sets_that_there_are_not(name: str) -> None:
    with pytest.raises(KeyError, match=r"No data set named|has no task"):
        text_sets.load(name)


def test_tasks_are_read_off_a_name_without_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    assert text_sets.tasks_of("atlas_sentences:60") == {"topic", "entities"}
    monkeypatch.setattr(text_sets, "load", None)
    assert text_sets.tasks_of("atlas_sentences:60/topic/odd") == {"topic"}
    assert text_sets.tasks_of("atlas_sentences:60@0/topic as theme/odd") == {"theme"}


def test_what_was_found_is_run_again_with_seeds_of_its_own() -> None:
    wide = replace(
        COMPARISON,
        settings={"Atlas": TINY, "other": TINY},
        contenders=(*COMPARISON.contenders, Contender("alone", "apart", trials=(LOUD,))),
    )
    again = replace(wide, found={"other": (Contrast("joint", "separate", "topic_accuracy"),)})
    *others, fresh = again.experiments()
    assert [e.name for e in others] == [e.name for e in wide.experiments()]
    assert fresh.name == "tiny_fresh"
    assert fresh.needs == ("tiny_rates", "tiny_trials")
    assert {(c["setting"], c["contender"]) for c in fresh.configs} == {
        ("other", "joint"),
        ("other", "separate"),
    }
    whole = next(e for e in others if e.name == "tiny")
    assert all(config in whole.configs for config in fresh.configs)
    seen = {seed for e in others for seed in e.seeds}
    assert not seen & set(fresh.seeds)
    assert len(fresh.seeds) == 5
