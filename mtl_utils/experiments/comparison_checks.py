"""What a comparison refuses when it is made, before hours are spent on what was mistyped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mtl_utils.arguments import check_kind
from mtl_utils.experiments.contenders import Contender, overlaid
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.settings_read import reading_of

if TYPE_CHECKING:
    from mtl_utils.experiments.comparison import Comparison


def check_settings(comparison: Comparison) -> None:
    """Refuse settings that the training does not read, and tasks that there are not.

    Args:
        comparison: Whose settings, those of its contenders, trials and ablations among them. Names
            are looked at where the training says which it reads.

    Raises:
        ValueError: If there are such.
        KeyError: If a dotted name leads through something that is not there.
    """
    reading = reading_of(comparison.train)
    for setting, shared in comparison.settings.items():
        check_kind(f"settings[{setting!r}]", shared, Mapping, "a mapping")
        tasks = tuple(shared.get("tasks", ()))
        for contender in comparison.contenders:
            contender.units(tasks)
            own = overlaid(shared, contender.settings)
            for where, changes in _changes(comparison, contender):
                changed = overlaid(own, changes)
                if reading is not None:
                    place = f"settings[{setting!r}] of {contender.name!r}{where}"
                    reading.check(place, changed, contender.helpers)


def _changes(comparison: Comparison, contender: Contender) -> Iterator[tuple[str, Config]]:
    """List what a contender is trained with: nothing changed, each trial, each ablation."""
    yield "", {}
    for number, trial in enumerate(contender.trials):
        yield f", trial {number}", trial
    for ablation in comparison.ablations:
        if ablation.of == contender.name:
            yield f", ablation {ablation.name!r}", ablation.changes
