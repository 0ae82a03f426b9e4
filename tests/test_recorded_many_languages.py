"""Training in several languages on tiny data: what is shared, what is read with whose id, costs."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest

from mtl_utils.experiments import estimate, text_sets
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, Unit, overlaid
from mtl_utils.experiments.experiment import Place
from mtl_utils.experiments.language_training import (
    Languages,
    encoder_for,
    evenly,
    pieces_for,
    train_languages,
)
from mtl_utils.experiments.many_languages import (
    ADAPTERS,
    ALONE_LONG,
    BY_SIZE,
    COMPARISON,
    COMPARISONS,
    COUNTED,
    EQUAL_ROWS,
    EXPERIMENTS,
    JOINT,
    LANGUAGES,
    LONG,
    ONE_LONG,
    SETTING,
    STEPS,
    WIDE,
)
from mtl_utils.experiments.registry import find, find_comparison
from mtl_utils.experiments.text_sets import load
from mtl_utils.experiments.text_training import tokenizer_of
from mtl_utils.experiments.tuning import RATE, Tuning
from mtl_utils.sharing import LanguageAdapters
from mtl_utils.training import Trainer

SENTENCES = "atlas_sentences:300@1/entities"
TINY: dict[str, Any] = {
    "data": [
        [f"{SENTENCES} as english/even", 60, 4],
        [f"{SENTENCES} as danish/odd", 20, 4],
    ],
    "tokenizer_data": [[f"{SENTENCES} as english/even", None]],
    "tasks": ["english", "danish"],
    "all_languages": ["english", "danish"],
    "elsewhere": [["german", "atlas_sentences:300@1", ["english", "danish"]]],
    "encoder": {"kind": "bilstm", "width": 8, "num_layers": 1, "dropout": 0.0},
    "vocab_size": 300,
    "batch": 4,
    "steps": 10,
    "validations": 2,
    "max_validation": 10,
    "max_test": 10,
    "training": {"learning_rate": 0.01, "warmup_steps": 1, "schedule": "linear"},
}
BOTH = Unit(("english", "danish"))


def settings_of(**changes: Any) -> dict[str, Any]:
    return {**COMPARISON.settings[SETTING], **TINY, **changes}


@pytest.mark.parametrize("kind", ["nothing", "embedding", "adapters"])
def test_a_model_is_measured_in_each_language_and_where_it_was_never_trained(
    kind: str, tmp_path: Path
) -> None:
    settings = settings_of(by_language=kind, bottleneck=2)
    trained = train_languages(settings, BOTH, 0, tmp_path)
    assert set(trained.metrics) == set(trained.scores) == {"english", "danish"}
    assert set(trained.metrics["danish"]) == {"f1", "german_f1"}
    assert len(trained.history) == 2
    assert trained.texts == 10 * 4
    if kind == "nothing":  # who asks for no language says the same whatever it is told
        assert trained.metrics["english"]["german_f1"] == trained.metrics["danish"]["german_f1"]


def test_a_language_alone_reads_its_own_rows_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Counter[int] = Counter()
    fit = Trainer.fit

    def noted(self: Trainer, train: Any, validation: Any = None) -> Any:
        for epoch in range(self.config.epochs):
            for batch in train.batches(epoch):
                seen.update(batch["entities"].inputs.language_ids.tolist())
        return fit(self, train, validation)

    monkeypatch.setattr(Trainer, "fit", noted)
    train_languages(settings_of(), Unit(("danish",)), 0, tmp_path)
    assert seen == {1: 40}  # ten steps of four rows, with the id that Danish has everywhere


def test_units_of_one_language_and_of_several_have_one_head_and_the_same_pieces() -> None:
    settings = settings_of()
    tokenizer = tokenizer_of(settings, 0)
    languages = Languages(settings, tokenizer, 0)
    english, danish = (languages.loader(name, "train").examples for name in BOTH.tasks)
    assert (len(english), len(danish)) == (60, 20)
    assert {example.language_id for example in danish} == {1}
    assert all(set(example.labels) == {"entities"} for example in [*english, *danish])
    adapted = encoder_for(settings_of(by_language="adapters", bottleneck=2), 300)
    assert isinstance(adapted, LanguageAdapters)
    assert adapted.languages == ("english", "danish")
    with pytest.raises(KeyError, match="by_language must be"):
        encoder_for(settings_of(by_language="flags"), 300)


def test_a_killed_run_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_languages(settings_of(), BOTH, 0, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr("mtl_utils.experiments.language_training._measured", _stop)
        with pytest.raises(KeyboardInterrupt):
            train_languages(settings_of(), BOTH, 0, tmp_path / "other")
    again = train_languages(settings_of(), BOTH, 0, tmp_path / "other")
    assert again.metrics == whole.metrics


def _stop(*arguments: Any) -> Any:
    raise KeyboardInterrupt


def tiny(comparison: Comparison) -> Comparison:
    (setting,) = comparison.settings
    small = settings_of(elsewhere=[["german", "atlas_sentences:300@1", ["english", "danish"]]])
    wanted = {"steps": 6, "tasks": [t for t in TINY["tasks"] if t in _tasks(comparison)]}
    contenders = tuple(
        replace(
            contender,
            settings={
                name: 6 if name == "steps" else value
                for name, value in contender.settings.items()
                if name != "encoder.width"
            },
            helpers=("danish",) if contender.helpers else (),
        )
        for contender in comparison.contenders
    )
    return replace(
        comparison,
        settings={setting: {**small, **wanted}},
        contenders=contenders,
        seeds=(0, 1),
        rates=(0.001, 0.01, 0.02, 0.03),
    )


def _tasks(comparison: Comparison) -> Any:
    (settings,) = comparison.settings.values()
    return settings["tasks"]


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda comparison: comparison.name)
def test_what_the_contrasts_ask_for_is_measured(comparison: Comparison, tmp_path: Path) -> None:
    small = tiny(comparison)
    (setting,) = small.settings
    parts = {part.name: part for part in small.experiments()}
    rates = parts.pop(f"{small.name}_rates")
    lines = []
    for place, config in enumerate(rates.configs):
        folder = tmp_path / str(place)
        folder.mkdir()
        tried = small.run_trial(config, 0, Place(folder, tmp_path))
        # The best has to lie within the grid, which six steps do not see to.
        high = 50.0 if config["rate"] == 0.01 else 10.0
        curves = {task: [high for _ in scores] for task, scores in tried["curves"].items()}
        lines.append({**config, "seed": 0, **tried, "curves": curves})
    frame = pd.DataFrame(lines)
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Comparison, "tuning", lambda self, name, place: Tuning(self, name, frame))
        for config in small.configs():
            folder = tmp_path / config["contender"]
            folder.mkdir()
            found[config["contender"]] = small.run(config, 0, Place(folder, tmp_path))
    for contrast in small.contrasts[setting]:
        if contrast.metric.startswith("chinese"):
            continue  # not in the tiny data; measured as Danish is
        for side in (contrast.first, contrast.second):
            assert contrast.metric in found[side], (side, contrast.metric)
    tasks = small.settings[setting]["tasks"]
    for contender in small.contenders:
        known = contender.only or tasks
        assert {f"{task}_f1" for task in known} <= set(found[contender.name])


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda comparison: comparison.name)
def test_a_step_size_at_an_edge_is_refused(comparison: Comparison) -> None:
    (setting,) = comparison.settings
    lines = [
        {
            "contender": contender.name,
            "tried": {unit.name: {RATE: rate} for unit in units},
            "curves": {task: [100 * rate] for unit in units for task in unit.judged},
        }
        for contender in comparison.contenders
        for units in [contender.units(comparison.settings[setting]["tasks"])]
        for rate in comparison.rates
    ]
    tuning = Tuning(comparison, setting, pd.DataFrame(lines))
    for contender in comparison.contenders:
        with pytest.raises(ValueError, match="at the edge of"):
            tuning.chosen(contender.name)


def test_all_make_as_many_steps_a_language_and_are_tuned_alike() -> None:
    assert find_comparison("many_languages") is COMPARISON
    assert find_comparison("many_languages_count") is COUNTED
    for comparison in COMPARISONS:
        (shared,) = comparison.settings.values()
        for contender in comparison.contenders:
            own = overlaid(shared, contender.settings)
            languages = languages_of(contender, shared)
            long = contender.name in (ALONE_LONG, ONE_LONG)
            assert own["steps"] == (LONG if long else STEPS * languages)
            # A fiftieth of the steps, whatever they are.
            assert own["training"]["warmup_steps"] == own["steps"] // 50
            by_size = contender.name == BY_SIZE
            assert own["sampling"] == ("size" if by_size else "uniform")
            assert bool(own.get("own_pieces")) == (languages == 1)
        tried = [list(contender.trials) for contender in comparison.contenders]
        assert all(trials == tried[0] for trials in tried)
        assert comparison.doubles is None


def languages_of(contender: Contender, shared: Any) -> int:
    (count,) = {len(unit.tasks) for unit in contender.units(shared["tasks"])}
    return count


def test_the_wider_model_has_as_many_parameters_as_the_adapters_within_one_in_a_hundred() -> None:
    shared = COMPARISON.settings[SETTING]
    sizes = {}
    for name in (JOINT, WIDE, ADAPTERS):
        settings = overlaid(shared, COMPARISON.contender(name).settings)
        encoder = encoder_for(settings, settings["vocab_size"])
        sizes[name] = sum(parameter.numel() for parameter in encoder.parameters())
    assert sizes[JOINT] < sizes[WIDE]
    assert sizes[WIDE] == pytest.approx(sizes[ADAPTERS], rel=0.01)


def test_rows_are_taken_from_the_whole_of_a_sorted_file() -> None:
    rows: Any = list(range(2001))
    taken: Any = evenly(rows, 600)
    assert len(taken) == len(set(taken)) == 600
    assert (taken[0], taken[-1]) == (0, 1997)
    assert {later - earlier for earlier, later in pairwise(taken)} == {3, 4}
    assert evenly(rows, None) is rows
    assert evenly(rows, 2001) is rows


def test_a_model_of_one_language_has_pieces_of_that_language() -> None:
    settings = settings_of(own_pieces=True)
    pieces = {name: pieces_for(settings, Unit((name,)), 0) for name in BOTH.tasks}
    assert pieces["english"] is not pieces["danish"]
    of_english = settings_of(tokenizer_data=[TINY["data"][0]])
    assert pieces["english"].tokens == tokenizer_of(of_english, 0).tokens
    assert pieces_for(settings_of(), BOTH, 0) is tokenizer_of(settings_of(), 0)


@pytest.mark.skipif("MTL_DATA_DIR" not in os.environ, reason="needs copies of Universal NER")
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_judged_has_a_hundred_entities_at_least(language: str) -> None:
    settings = COMPARISON.settings[SETTING]
    code = LANGUAGES[language]
    rows = load(f"uner_{code}")
    labels = rows.labels["entities"]
    assert len(rows.splits["train"]) >= EQUAL_ROWS
    for split in ("validation", "test"):
        judged = evenly(rows.splits[split], settings[f"max_{split}"])
        tags = [row.labels["entities"] for row in judged]
        count = sum(labels[tag].startswith("B-") for row in tags for tag in row)
        assert count >= (100 if split == "validation" else 40), (split, count)


def test_swedish_is_validated_on_rows_that_are_not_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def part(name: str, count: int) -> datasets.Dataset:
        tags = datasets.Sequence(datasets.ClassLabel(names=["O", "B-PER"]))
        words = [[f"{name}{place}"] for place in range(count)]
        features = datasets.Features({"tokens": [datasets.Value("string")], "ner_tags": tags})
        columns = {"tokens": words, "ner_tags": [[0]] * count}
        return datasets.Dataset.from_dict(columns, features=features)

    sizes = {"train": 40, "validation": 3, "test": 5}
    published = datasets.DatasetDict({name: part(name, size) for name, size in sizes.items()})
    monkeypatch.setattr(text_sets.corpora, "load", lambda *given: published)
    rows = text_sets._swedish(0).splits
    texts = {split: {row.text[0] for row in rows[split]} for split in rows}
    assert {split: len(found) for split, found in texts.items()} == {
        "train": 30,
        "validation": 10,
        "test": 5,
    }
    assert texts["train"] | texts["validation"] == {f"train{place}" for place in range(40)}


def test_they_cost_three_core_hours_at_most(tmp_path: Path) -> None:
    names = {experiment.name for experiment in EXPERIMENTS}
    assert find("many_languages_count").name in names
    found = [e for e in estimate(sorted(names), tmp_path) if e.name in names]
    assert sum(e.hours for e in found) <= 3
    assert not sum(e.unknown for e in found)
