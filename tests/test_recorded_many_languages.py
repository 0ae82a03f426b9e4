"""Training in several languages on tiny data: what is shared, what is read with whose id, costs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtl_utils.experiments import estimate, many_languages
from mtl_utils.experiments.contenders import Unit, overlaid
from mtl_utils.experiments.experiment import Place
from mtl_utils.experiments.language_training import Languages, encoder_for, train_languages
from mtl_utils.experiments.many_languages import (
    ADAPTERS,
    ALONE,
    COMPARISON,
    EXPERIMENTS,
    JOINT,
    LANGUAGES,
    SETTING,
    STEPS,
    WIDE,
    run_count,
)
from mtl_utils.experiments.registry import find, find_comparison
from mtl_utils.experiments.text_training import tokenizer_of
from mtl_utils.experiments.unit_training import Trained
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


def test_the_comparison_runs_on_tiny_data(tmp_path: Path) -> None:
    (unit,) = COMPARISON.contender(JOINT).units(TINY["tasks"])
    settings = overlaid(settings_of(), COMPARISON.contender(JOINT).trials[0])
    assert train_languages(settings, unit, 0, tmp_path, test=False).metrics == {}


def test_the_narrow_model_takes_the_best_of_its_step_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def scored(settings: Any, unit: Unit, seed: int, folder: Path, **given: Any) -> Trained:
        trained = train_languages(settings, unit, seed, folder, **given)
        rate = settings["training"]["learning_rate"]
        measured.append((rate, bool(trained.metrics)))
        return replace(trained, scores={"english": {0.01: 0.2, 0.03: 0.5, 0.1: 0.4}[rate]})

    monkeypatch.setattr(many_languages, "train_languages", scored)
    config = {
        "languages": ["english", "danish"],
        "rates": [0.01, 0.03, 0.1],
        "settings": settings_of(),
    }
    found = run_count(config, 0, Place(tmp_path, tmp_path))
    assert measured == [(0.01, False), (0.03, False), (0.1, False), (0.03, True)]
    assert (found["rate"], found["validation"]) == (0.03, 50.0)
    assert set(found) == {"english_f1", "danish_f1", "german_f1", "validation", "rate"}


def test_all_read_as_many_texts_and_the_wider_one_is_no_more_than_wider() -> None:
    assert find_comparison("many_languages") is COMPARISON
    shared = COMPARISON.settings[SETTING]
    steps = {
        contender.name: sum(
            overlaid(shared, contender.settings)["steps"] for _ in contender.units(shared["tasks"])
        )
        for contender in COMPARISON.contenders
    }
    assert set(steps.values()) == {STEPS * len(LANGUAGES)}
    assert set(COMPARISON.contender(WIDE).settings) == {"encoder.width"}
    assert {c.name for c in COMPARISON.contenders} == {ALONE, JOINT, WIDE, ADAPTERS}
    assert len(COMPARISON.contrasts[SETTING]) <= 5


def test_they_cost_one_and_a_half_core_hours_at_most(tmp_path: Path) -> None:
    names = {experiment.name for experiment in EXPERIMENTS}
    assert find("many_languages_count").name in names
    found = [e for e in estimate(sorted(names), tmp_path) if e.name in names]
    assert sum(e.hours for e in found) <= 1.5
    assert not sum(e.unknown for e in found)
