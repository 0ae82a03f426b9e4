"""Chapter 08: six ways to share, at equal training budget and at an equal number of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtl_utils.experiments.analysis import load_results
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.text_training import main_scores, train_and_measure

TUNING = "sharing_tuning"

RATES = (0.03, 0.06)
"""Step sizes that every contender may choose from."""

STRENGTHS: Mapping[str, Sequence[float]] = {
    "soft, distance": (0.001, 0.01, 0.1),
    "soft, trace norm": (0.0001, 0.001, 0.01),
    "shared-private": (0.01, 0.1, 1.0),
}
"""Strengths that a contender with penalties may choose from.

That of shared-private encoders multiplies the two values of Liu et al. (2017).
"""

CONTENDERS = ("separate", "hard", "branched", *STRENGTHS)

WIDTH, STEPS = 64, 200
SAME_SIZE = {
    "separate": 38,
    "hard": 64,
    "branched": 56,
    "soft, distance": 38,
    "soft, trace norm": 38,
    "shared-private": 28,
}
"""Widths with which all contenders have about as many parameters as hard sharing."""

VOCABULARY = 1000

SETTINGS: Mapping[str, Config] = {
    "Atlas, little": {"data": [["atlas_sentences", 400, 16]], "tasks": ["topic", "entities"]},
    "Atlas, full": {"data": [["atlas_sentences", 4000, 16]], "tasks": ["topic", "entities"]},
    "SNIPS": {"data": [["snips", 2000, 16]], "tasks": ["intent", "slots"]},
    "UNER": {"data": [["uner_ud", 2000, 16]], "tasks": ["entities", "pos"]},
}
"""Data and tasks. Rows are dealt out: each task has the labels of half of them."""


def sharing_settings(contender: str, strength: float | None) -> dict[str, Any]:
    """Say how a contender shares, as :func:`sharings.sharing_of` takes it.

    Args:
        contender: One of :data:`CONTENDERS`.
        strength: Of its penalties, where it has any.
    """
    if contender == "branched":
        return {"kind": "branched", "shared_layers": 1}
    if contender.startswith("soft"):
        return {"kind": "soft", "penalty": contender.split(", ")[1], "strength": strength}
    if contender == "shared-private":
        assert strength is not None
        strengths = {"orthogonality": 0.01 * strength, "adversary": 0.05 * strength}
        return {"kind": contender, **strengths}
    return {"kind": contender}


def whole(config: Config, learning_rate: float, strength: float | None) -> dict[str, Any]:
    """Complete a configuration for :func:`text_training.train_and_measure`.

    Args:
        config: One of this module's configurations.
        learning_rate: Highest step size.
        strength: Of the penalties, where there are any.
    """
    # Clipping would scale the gradients of all tasks by one norm: even separate encoders would
    # hear of each other.
    training = {"learning_rate": learning_rate, "warmup_steps": 20, "clip_norm": None}
    return {
        **SETTINGS[config["setting"]],
        "encoder": {"kind": "bilstm", "width": config["width"], "num_layers": 2, "dropout": 0.1},
        "sharing": sharing_settings(config["contender"], strength),
        "vocab_size": VOCABULARY,
        "head_dropout": 0.1,
        "apart": True,
        "max_validation": 600,
        "max_test": 600,
        "choose": "mean",
        "steps": config["steps"],
        "validations": 4,
        "training": training,
    }


def run_tuning(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train one model and measure it on validation alone.

    Args:
        config: One of the configurations of ``sharing_tuning``.
        seed: Of the draw of rows, weights, dropout and the order of batches.
        place: Not needed: a run takes seconds.

    Returns:
        ``validation``, the mean over tasks of their main metrics, in percent.
    """
    completed = whole(config, config["learning_rate"], config["strength"])
    measured = train_and_measure(completed, seed)[1]
    return {"validation": _mean(measured, "validation"), "curve": measured["curves"]["mean"]}


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train one model with what was best for it in the tuning, and measure it.

    Args:
        config: One of the configurations of ``sharing_families``.
        seed: Of the draw of rows, weights, dropout and the order of batches.
        place: Where the results of ``sharing_tuning`` are.

    Returns:
        What :func:`text_training.train_and_measure` measures; ``test`` and ``validation``, the
        means over tasks of their main metrics; the chosen ``learning_rate`` and ``strength``.
    """
    learning_rate, strength = chosen(config, place.results)
    measured = train_and_measure(whole(config, learning_rate, strength), seed)[1]
    return {
        **measured,
        "test": _mean(measured),
        "validation": _mean(measured, "validation"),
        "learning_rate": learning_rate,
        "strength": strength,
    }


def chosen(config: Config, folder: Path) -> tuple[float, float | None]:
    """Look up the step size and the strength that were best on validation.

    Args:
        config: One of the configurations of ``sharing_families``.
        folder: Where the results of ``sharing_tuning`` are.

    Returns:
        Those with the best mean over seeds, at the width of the equal training budget.

    Raises:
        FileNotFoundError: If the tuning was not recorded.
        ValueError: If candidates of this contender are missing from it.
    """
    frame = load_results(TUNING, folder)
    ours = frame[
        (frame["setting"] == config["setting"]) & (frame["contender"] == config["contender"])
    ]
    means = ours.groupby(["learning_rate", "strength"], dropna=False)["validation"].mean()
    wanted = len(RATES) * len(STRENGTHS.get(config["contender"], (None,)))
    if len(means) != wanted:
        raise ValueError(
            f"Expected {wanted} candidates of {config['contender']!r} on {config['setting']!r} in "
            f"the results of {TUNING}, got {len(means)}. Record them all with "
            f"`python -m mtl_utils.experiments run {TUNING}`."
        )
    learning_rate, strength = means.idxmax()
    return float(learning_rate), None if config["contender"] not in STRENGTHS else float(strength)


def _mean(measured: Mapping[str, Any], split: str = "") -> float:
    """Average the main metric of each task."""
    tasks = [name.removesuffix("_validation") for name in measured if name.endswith("_validation")]
    scores = {task: measured[f"{task}_{split}"] for task in tasks} if split else None
    values = list((scores or main_scores(measured, tasks)).values())
    return round(sum(values) / len(values), 2)


def _tuning() -> list[Config]:
    return [
        {
            "setting": setting,
            "contender": contender,
            "width": WIDTH,
            "steps": STEPS,
            "learning_rate": rate,
            "strength": strength,
        }
        for setting in SETTINGS
        for contender in CONTENDERS
        for rate in RATES
        for strength in STRENGTHS.get(contender, (None,))
    ]


def _families() -> list[Config]:
    """List the contenders at one width, and on Atlas at one size too."""
    configs = [
        {"equal": "budget", "setting": setting, "contender": contender, "width": WIDTH}
        for setting in SETTINGS
        for contender in CONTENDERS
    ]
    # Hard sharing would be the same run again.
    configs += [
        {"equal": "parameters", "setting": setting, "contender": contender, "width": width}
        for setting in SETTINGS
        for contender, width in SAME_SIZE.items()
        if setting.startswith("Atlas") and contender != "hard"
    ]
    return [{**config, "steps": STEPS} for config in configs]


EXPERIMENTS = (
    Experiment(
        name=TUNING,
        description="Ways to share: step sizes and strengths of penalties, on validation.",
        configs=tuple(_tuning()),
        seeds=(100,),
        run=run_tuning,
    ),
    Experiment(
        name="sharing_families",
        description="Six ways to share, at equal training budget and at equal size; after "
        "sharing_tuning.",
        configs=tuple(_families()),
        seeds=(0, 1, 2, 3, 4),
        run=run,
        needs=(TUNING,),
    ),
)
