"""Comparisons: contenders tuned alike, run over seeds, and run again at twice the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from mtl_utils.arguments import (
    check_file_name,
    check_kind,
    check_names,
    check_number,
    check_several,
)
from mtl_utils.experiments.ablations import Ablation
from mtl_utils.experiments.comparison_checks import (
    check_ablations,
    check_contenders_named,
    check_differences,
    check_runs,
    check_settings,
)
from mtl_utils.experiments.contenders import Contender, Unit, overlaid
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.controls import RATES, TRIALS, check_controls, runs_of
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.experiments.parts import ABLATED, parts_of
from mtl_utils.experiments.tuning import RATE, Tuning, check_grid, check_random_search
from mtl_utils.experiments.unit_training import Trained, Watch, exact, train_unit


@dataclass(frozen=True)
class Comparison:
    """Contenders that are tuned alike, compared seed by seed, and tried at twice the steps.

    It is four experiments, each of which needs the one before. ``<name>_rates`` tries step sizes,
    ``<name>_trials`` tries what each contender names beside, at its best step size; both with one
    seed and on validation data alone. ``<name>`` runs what was best with all seeds, and
    ``<name>_doubled`` runs it with the first two, twice the steps and the schedule stretched.

    Without ``rates`` the search is random: there is no grid, and each trial of each contender was
    drawn with a step size of its own, and whatever else it tries.

    Each unit of a contender (each model of "separate") takes its own best of the same trials. The
    best is that with the greatest mean over tasks of the validation score relative to the
    reference's; a step size at the edge of a grid is refused.

    Args:
        name: Also that of the results files.
        description: One sentence.
        settings: By name of the setting, what all contenders share, as
            :func:`unit_training.train_unit` takes it.
        contenders: The contenders.
        rates: Step sizes, at least four, the same for all; none for a random search.
        seeds: Shared by all contenders.
        contrasts: By setting the differences that are to be claimed or not; at most five each.
        reference: Name of the contender whose validation scores count as 1; its units have one
            task each. ``None`` where nothing is compared: scores count as they are.
        doubles: Names of the contenders that are run again; all if ``None``.
        train: What trains a unit, as :func:`unit_training.train_unit` does.
        tuned_at: By setting another one, near it, whose tuning serves it too; a setting that is
            left out is tuned itself.
        ablations: What is changed alone, to test a cause.
        ablated: How many of the seeds, the first, they are run with.
        found: By setting the differences that its runs showed and that are tried again, with seeds
            on which nothing was chosen, :data:`FRESH_SEEDS`.
        withdrawn: By setting those of the named differences that are there and are not claimed any
            more, since something was found that made them; tables say so behind the verdict.
        controls: A comparison in the same settings. What it runs of contenders that are in this
            one too is read from its records, and not run again.
        priority: Of its runs in the queue.
        minutes: Expected of one run on one core.

    Raises:
        ValueError: If step sizes are too few, or there are none and a trial has none either,
            contenders have another number of trials or a name twice, or a contrast or the reference
            names what there is not; if there is no seed, one twice, or that of the tuning; if a
            setting has a contrast twice, either way round; if ablations share a name, have that of
            a contender, or tasks that there are not; if settings, those of contenders, trials and
            ablations among them, have names that the training does not read, or such tasks.
        KeyError: If a dotted name of theirs leads through something that is not there.
        TypeError: If something is not of its kind.
    """

    name: str
    description: str
    settings: Mapping[str, Config]
    contenders: tuple[Contender, ...]
    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    contrasts: Mapping[str, tuple[Contrast, ...]]
    reference: str | None = "separate"
    doubles: tuple[str, ...] | None = None
    train: Callable[..., Trained] = train_unit
    tuned_at: Mapping[str, str] = field(default_factory=dict)
    ablations: tuple[Ablation, ...] = ()
    ablated: int = ABLATED
    found: Mapping[str, tuple[Contrast, ...]] = field(default_factory=dict)
    withdrawn: Mapping[str, tuple[Contrast, ...]] = field(default_factory=dict)
    controls: Comparison | None = None
    priority: int = 0
    minutes: float | None = None

    def __post_init__(self) -> None:
        check_file_name("name", self.name)
        check_names("settings", self.settings, "settings by name")
        for setting, settings in self.settings.items():
            check_kind(f"settings[{setting!r}]", settings, Mapping, "a mapping")
        check_several("contenders", self.contenders, "Contenders")
        check_several("rates", self.rates, "step sizes")
        for place, rate in enumerate(self.rates):
            check_number(f"rates[{place}]", rate, above=0)
        for place, contender in enumerate(self.contenders):
            check_kind(f"contenders[{place}]", contender, Contender, "a Contender")
        names = [contender.name for contender in self.contenders]
        if len(set(names)) < len(names):
            raise ValueError(f"contenders must have different names, got {names}")
        if self.rates:
            check_grid(self.rates)
        else:
            check_random_search(self.contenders)
        trials = {contender.name: len(contender.trials) for contender in self.contenders}
        if len(set(trials.values())) > 1:
            raise ValueError(f"contenders must have as many trials each, got {trials}")
        check_runs(self)
        check_differences(self)
        check_ablations(self)
        check_contenders_named(self)
        if self.reference is not None and self.contender(self.reference).grouping != "apart":
            raise ValueError(f"reference must be trained apart, got {self.reference!r}")
        check_names("tuned_at", self.tuned_at, "settings by setting")
        untuned = set(self.tuned_at) | set(self.tuned_at.values())
        if untuned - set(self.settings) or set(self.tuned_at) & set(self.tuned_at.values()):
            raise ValueError(
                f"tuned_at must lead from settings to settings that are tuned, got {self.tuned_at}"
            )
        check_settings(self)
        if self.controls is not None:
            check_controls(self, self.controls)

    def contender(self, name: str) -> Contender:
        """Look up a contender.

        Args:
            name: Its name.

        Raises:
            KeyError: If there is none of that name.
        """
        for contender in self.contenders:
            if contender.name == name:
                return contender
        raise KeyError(f"No contender {name!r}; there are {[c.name for c in self.contenders]}")

    def experiments(self) -> tuple[Experiment, ...]:
        """Return what there is to run: step sizes, trials, all seeds, twice the steps, and more.

        There are no trials, ablations or fresh seeds where none are named.
        """
        return parts_of(self)

    def run_trial(self, config: Config, seed: int, place: Place) -> dict[str, Any]:
        """Train a contender with settings that are tried, and measure it on validation alone.

        Args:
            config: Its ``setting``, ``contender`` and either ``rate`` or ``trial``.
            seed: Of everything.
            place: Of checkpoints and earlier records.

        Returns:
            By unit ``tried`` (the settings) and ``curves`` (by task the score at each validation,
            in percent).
        """
        contender = self.contender(config["contender"])
        trained, tried = {}, {}
        for unit in self._units(config["setting"], contender):
            tried[unit.name] = self._tried(config, unit, place)
            settings = overlaid(config["settings"], tried[unit.name])
            trained[unit.name] = self.train(settings, unit, seed, place.workspace, test=False)
        return {"tried": tried, **_learning(trained)}

    def run(self, config: Config, seed: int, place: Place) -> dict[str, Any]:
        """Train a contender with the best of what was tried, and measure it on test.

        Args:
            config: Its ``setting`` and ``contender``; ``times`` the steps to train.
            seed: Of everything.
            place: Of checkpoints and earlier records.

        Returns:
            ``<task>_<metric>`` on test and ``<task>_validation``, in percent; for data sets of
            several tasks ``<data set>_exact``, the share of rows of which all is right;
            ``chosen``, the settings of each unit; ``curves``; ``parameters`` and ``texts`` read, of
            all units together.
        """
        times = config.get("times", 1)
        return self._measured(config, seed, place, lambda chosen: _stretched(chosen, times))

    def train_watched(
        self, setting: str, contender: str, seed: int, place: Place, watch: Watch
    ) -> Trained:
        """Train a contender of one model with the best of what was tried, and be told of it.

        What callbacks note is in no checkpoint, so none is kept: a killed run begins anew.

        Args:
            setting: Name of the setting.
            contender: Its name.
            seed: Of everything.
            place: Where the records are.
            watch: Makes the callbacks.

        Returns:
            What was learnt, not measured on test data.

        Raises:
            ValueError: If the contender has several models.
        """
        settings, named = self.settings[setting], self.contender(contender)
        (unit,) = self._units(setting, named)
        chosen = self.tuning(setting, place).best(contender, unit.name)
        tuned = overlaid(overlaid(settings, named.settings), chosen)
        with TemporaryDirectory() as folder:
            return train_unit(tuned, unit, seed, Path(folder), test=False, watch=watch)

    def run_ablation(self, config: Config, seed: int, place: Place) -> dict[str, Any]:
        """Train a contender with the best of what was tried and one thing changed.

        Args:
            config: Its ``setting``, ``contender``, ``changes`` and, if not all, ``tasks``.
            seed: Of everything.
            place: Of checkpoints and earlier records.

        Returns:
            As :meth:`run`.
        """
        return self._measured(
            config, seed, place, lambda chosen: overlaid(chosen, config["changes"])
        )

    def _measured(
        self, config: Config, seed: int, place: Place, change: Callable[[Config], Config]
    ) -> dict[str, Any]:
        """Train each unit with its best settings, changed, and measure it on test."""
        tuning = self.tuning(config["setting"], place)
        reference = tuning.reference()
        trained, chosen = {}, tuning.chosen(config["contender"])
        for unit in self._units(config["setting"], self.contender(config["contender"])):
            settings = change(overlaid(config["settings"], chosen[unit.name]))
            part = unit.part(config.get("tasks", unit.tasks))
            trained[part.name] = self.train(settings, part, seed, place.workspace, reference)
        found: dict[str, float] = exact(list(trained.values()))
        for done in trained.values():
            for task, metrics in done.metrics.items():
                found |= {f"{task}_{metric}": value for metric, value in metrics.items()}
                found[f"{task}_validation"] = done.scores[task]
        return {
            **{name: round(100 * value, 2) for name, value in found.items()},
            "chosen": chosen,
            **_learning(trained),
            "parameters": sum(done.parameters for done in trained.values()),
            "texts": sum(done.texts for done in trained.values()),
        }

    def tuning(self, setting: str, place: Place) -> Tuning:
        """Read what was tried.

        Args:
            setting: Name of the setting.
            place: Where the records are.

        Raises:
            FileNotFoundError: If nothing is on record.
            ValueError: If one is of settings that the comparison has not.
        """
        parts = [RATES] if self.rates else []
        parts += [TRIALS] if self.contenders[0].trials else []
        return self._read(parts, self.tuned_at.get(setting, setting), place.results, beside=True)

    def grid(self, setting: str, folder: str | Path | None = None) -> Tuning:
        """Read what was tried of step sizes alone.

        Args:
            setting: Name of the setting.
            folder: Where the records are; see :func:`load_results`.

        Raises:
            FileNotFoundError: If nothing is on record.
            ValueError: If a record is of settings that the comparison has not.
        """
        return self._read([RATES], self.tuned_at.get(setting, setting), folder)

    def _read(
        self, parts: Iterable[str], setting: str, folder: str | Path | None, beside: bool = False
    ) -> Tuning:
        frame = pd.concat([runs_of(self, part, folder) for part in parts])
        return Tuning(self, setting, frame[frame["setting"] == setting], beside)

    def configs(self) -> tuple[dict[str, Any], ...]:
        """Return one configuration a setting and contender."""
        return tuple(
            {
                "setting": setting,
                "contender": contender.name,
                "settings": overlaid(settings, contender.settings),
            }
            for setting, settings in self.settings.items()
            for contender in self.contenders
        )

    def _units(self, setting: str, contender: Contender) -> tuple[Unit, ...]:
        return contender.units(tuple(self.settings[setting]["tasks"]))

    def _tried(self, config: Config, unit: Unit, place: Place) -> dict[str, Any]:
        if "rate" in config:
            return {RATE: config["rate"]}
        if not self.rates:
            return dict(config["trial"])
        tuning = self.grid(config["setting"], place.results)
        return {**tuning.best(config["contender"], unit.name), **config["trial"]}


def _stretched(settings: Mapping[str, Any], times: int) -> dict[str, Any]:
    """Train so many times longer: warm-up and the distance of validations are stretched too."""
    changes: dict[str, Any] = {"steps": times * settings["steps"]}
    if "warmup_steps" in settings["training"]:
        changes["training.warmup_steps"] = times * settings["training"]["warmup_steps"]
    return overlaid(settings, changes)


def _learning(units: Mapping[str, Trained]) -> dict[str, Any]:
    """Return the learning curves of all units, in percent, and their seconds of training."""
    return {
        "curves": {
            task: (100 * unit.history[f"{task}_score"]).round(2).tolist()
            for unit in units.values()
            for task in unit.scores
        },
        "training_seconds": round(
            sum(float(unit.history["seconds"].iloc[-1]) for unit in units.values()), 1
        ),
    }
