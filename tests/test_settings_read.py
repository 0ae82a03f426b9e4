"""Settings that nothing reads, and tasks that there are not: refused before they cost hours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtl_utils.experiments import (
    framework_training,
    label_smoothing,
    language_training,
    many_languages,
    staged_training,
    text_and_pictures,
    text_training,
    unit_training,
)
from mtl_utils.experiments.ablations import Ablation
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, Unit, overlaid
from mtl_utils.experiments.joint_transformer import ON_SNIPS, SNIPS
from mtl_utils.experiments.little_data import ON_ENTITIES
from mtl_utils.experiments.registry import comparisons
from mtl_utils.experiments.settings_read import reading_of

BOTH = Unit(("intent", "slots"))
MISTYPED: dict[str, dict[str, Any]] = {
    "'vocab_sizes' in settings; did you mean 'vocab_size'": {"vocab_sizes": 500},
    "'head_droput' in settings; did you mean 'head_dropout'": {"head_droput": 0.9},
    "'weight' in settings; did you mean 'weights'": {"weight": {"slots": 3.0}},
    "'slot' in weights of settings; did you mean 'slots'": {"weights": {"slot": 3.0}},
    "'crff' in settings": {"crff": False},
    "'widht' in encoder of settings; did you mean 'width'": {"encoder.widht": 8},
    "'frosen' in encoder of settings": {"encoder": {"kind": "pretrained", "frosen": 6}},
    "'learnign_rate' in training of settings": {"training.learnign_rate": 0.1},
    "'epochs' in training of settings": {"training.epochs": 3},
    "'strength' in sharing of settings": {"sharing.strength": 0.1},
    "'strenght' in sharing of settings; did you mean 'strength'": {
        "sharing": {"kind": "soft", "penalty": "distance", "strength": 0.1, "strenght": 0.2}
    },
    "'deacy' in layerwise of settings": {"layerwise": {"deacy": 0.9}},
}


@pytest.mark.parametrize("said", MISTYPED)
def test_what_nothing_reads_is_not_trained(said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"Nothing reads {said}"):
        unit_training.train_unit(overlaid(SNIPS, MISTYPED[said]), BOTH, 0, tmp_path)


@pytest.mark.parametrize(
    ("train", "settings", "said"),
    [
        (framework_training.train_framework, {"widht": 8}, "'widht'"),
        (framework_training.train_framework, {"weights": {"tag": 1.0}}, "'tag' in weights"),
        (staged_training.train_in_stages, {"row_seed": 1}, "'row_seed'"),
        (
            staged_training.train_in_stages,
            {"route": {"kind": "words", "share": 0.5}},
            "'share' in route",
        ),
        (language_training.train_languages, {"weights": {}}, "'weights'"),
        (language_training.train_languages, {"bottelneck": 8}, "'bottelneck'"),
        (label_smoothing.train_and_calibrate, {"smoothin": 0.1}, "'smoothin'"),
        (text_and_pictures.train_unit, {"encoder": {"fusoin": None}}, "'fusoin' in encoder"),
    ],
)
def test_every_training_refuses_what_it_does_not_read(
    train: Any, settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"Nothing reads {said}"):
        train(settings, BOTH, 0, tmp_path)


def test_a_route_begins_with_tasks_of_its_unit(tmp_path: Path) -> None:
    settings = {"route": {"kind": "then", "share": 0.5, "first": ["pos", "slot"]}}
    with pytest.raises(ValueError, match=r"first must name tasks of .*, got \['slot'\]"):
        staged_training.train_in_stages(
            settings, Unit(("entities", "pos"), ("entities",)), 0, tmp_path
        )


def test_an_encoder_of_an_unknown_kind_is_not_the_pretrained_one() -> None:
    with pytest.raises(KeyError, match=r"No encoder of the kind 'bilstn'; there are .*'bilstm'"):
        text_training.encoder_of({"kind": "bilstn", "width": 8}, 100)


JOINT, SEPARATE = ON_SNIPS.contenders


def _with_settings(changes: dict[str, Any]) -> dict[str, Any]:
    return {"settings": {"SNIPS": overlaid(SNIPS, changes)}}


def _with_joint(**changes: Any) -> dict[str, Any]:
    return {"contenders": (replace(JOINT, **changes), SEPARATE)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (_with_settings({"vocab_sizes": 3}), r"'vocab_sizes' in settings\['SNIPS'\] of 'joint'"),
        (_with_joint(settings={"head_droput": 0.9}), "'head_droput' in .* of 'joint'"),
        (
            _with_joint(trials=(JOINT.trials[0], {"weights": {"slot": 3.0}})),
            "'slot' in weights of .* of 'joint', trial 1; did you mean 'slots'",
        ),
        (
            {"ablations": (Ablation("larger", "separate", {"encoder.widht": 3}),)},
            "'widht' in encoder of .* of 'separate', ablation 'larger'",
        ),
    ],
)
def test_a_comparison_is_not_made_of_what_nothing_reads(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"Nothing reads {said}"):
        replace(ON_SNIPS, **changes)


def test_names_that_lead_nowhere_and_tasks_that_are_not_there_are_refused() -> None:
    with pytest.raises(KeyError, match="leads into 'trainig'"):
        replace(ON_SNIPS, **_with_joint(settings={"trainig.learning_rate": 0.1}))
    with pytest.raises(ValueError, match=r"only must name tasks of \['intent', 'slots'\]"):
        replace(ON_SNIPS, **_with_joint(only=("slot",)))
    with pytest.raises(ValueError, match="groups must have the tasks"):
        replace(ON_SNIPS, **_with_joint(groups=(("intent",),)))
    with pytest.raises(TypeError, match=r"settings\['SNIPS'\] must be a mapping"):
        replace(ON_SNIPS, settings={"SNIPS": None})


def test_weights_may_be_of_tasks_that_help() -> None:
    helped = Contender("joint", helpers=("pos",), trials=({"weights": {"pos": 0.3}},) * 2)
    replace(ON_SNIPS, contenders=(helped, SEPARATE))
    words = {"route": {"kind": "words"}, "weights": {"words": 0.1}}
    first, *others = ON_ENTITIES.contenders
    replace(ON_ENTITIES, contenders=(replace(first, settings=words), *others))
    with pytest.raises(ValueError, match="Nothing reads 'pos' in weights"):
        replace(ON_SNIPS, contenders=(replace(helped, helpers=()), SEPARATE))


@pytest.mark.parametrize("comparison", comparisons(), ids=lambda comparison: comparison.name)
def test_every_training_of_the_book_says_what_it_reads(comparison: Comparison) -> None:
    reading = reading_of(comparison.train)
    assert reading is not None
    for settings in comparison.settings.values():
        assert set(settings) <= reading.names


def test_a_training_that_does_not_say_what_it_reads_is_not_looked_into() -> None:
    replace(ON_SNIPS, train=lambda *given: None, **_with_settings({"anything": 3}))
    assert reading_of(many_languages.train_languages) is not None
