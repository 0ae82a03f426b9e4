"""What a comparison refuses when it is made, before hours are spent on what was mistyped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mtl_utils.arguments import (
    check_kind,
    check_names,
    check_several,
    check_strings,
    check_whole,
)
from mtl_utils.experiments.ablations import Ablation
from mtl_utils.experiments.contenders import Contender, overlaid
from mtl_utils.experiments.contrasts import MOST_CONTRASTS, Contrast
from mtl_utils.experiments.experiment import Config, check_seeds
from mtl_utils.experiments.parts import FRESH_SEEDS, TUNING_SEED
from mtl_utils.experiments.settings_read import reading_of

if TYPE_CHECKING:
    from mtl_utils.experiments.comparison import Comparison


def check_runs(comparison: Comparison) -> None:
    """Refuse seeds of which a table cannot be made, or on which something was chosen.

    Args:
        comparison: Whose seeds.

    Raises:
        ValueError: If there is none, one twice, that of the tuning, or a fresh one where something
            is tried again.
        TypeError: If they are no whole numbers.
    """
    seeds = comparison.seeds
    check_seeds(seeds)
    if TUNING_SEED in seeds:
        raise ValueError(
            f"seeds must be others than that of the tuning, {TUNING_SEED}, got {seeds}"
        )
    if set(seeds) & set(FRESH_SEEDS) and comparison.found:
        raise ValueError(f"seeds must be others than the fresh ones {FRESH_SEEDS}, got {seeds}")


def check_differences(comparison: Comparison) -> None:
    """Refuse differences that are named twice, of no setting, or withdrawn and not named.

    Args:
        comparison: Whose ``contrasts``, ``found`` and ``withdrawn``.

    Raises:
        ValueError: If there are such, or too many contrasts.
        TypeError: If something is not of its kind.
    """
    for argument in ("contrasts", "found", "withdrawn"):
        given = getattr(comparison, argument)
        check_names(argument, given, "contrasts by setting")
        if strangers := sorted(set(given) - set(comparison.settings)):
            raise ValueError(
                f"{argument} names settings that are not in {sorted(comparison.settings)}: "
                f"{strangers}"
            )
        for setting, several in given.items():
            where = f"{argument}[{setting!r}]"
            check_several(where, several, "Contrasts")
            for place, contrast in enumerate(several):
                check_kind(f"{where}[{place}]", contrast, Contrast, "a Contrast")
            if argument == "contrasts" and len(several) > MOST_CONTRASTS:
                raise ValueError(f"{where} may be at most {MOST_CONTRASTS}, got {len(several)}")
            _check_different(where, several)
    for setting, several in comparison.withdrawn.items():
        if unnamed := set(several) - set(comparison.contrasts.get(setting, ())):
            raise ValueError(
                f"withdrawn names {sorted(map(str, unnamed))}, of which {setting!r} claims none"
            )


def _check_different(where: str, contrasts: Sequence[Contrast]) -> None:
    seen = set()
    for contrast in contrasts:
        same = frozenset({contrast.first, contrast.second}), contrast.metric
        if same in seen:
            raise ValueError(
                f"{where} must have each difference once, either way round: {contrast} is there"
            )
        seen.add(same)


def check_ablations(comparison: Comparison) -> None:
    """Refuse ablations whose rows a table would mix up, or whose tasks there are not.

    Args:
        comparison: Whose ablations.

    Raises:
        ValueError: If two share a name, one has a contender's, or a task that it would leave is
            none of its contender's; if they are run with no seed.
        TypeError: If one is no ablation, or the number of seeds no whole number.
    """
    check_several("ablations", comparison.ablations, "Ablations")
    check_whole("ablated", comparison.ablated, least=1)
    taken = {contender.name for contender in comparison.contenders}
    for place, ablation in enumerate(comparison.ablations):
        check_kind(f"ablations[{place}]", ablation, Ablation, "an Ablation")
        if ablation.name in taken:
            raise ValueError(
                f"ablations[{place}] must have a name that no contender and no other one has, got "
                f"{ablation.name!r}"
            )
        taken.add(ablation.name)
        helpers = {
            helper
            for contender in comparison.contenders
            for helper in contender.helpers
            if contender.name == ablation.of
        }
        for setting, settings in comparison.settings.items():
            known = {*settings.get("tasks", ()), *helpers}
            if strangers := set(ablation.tasks) - known:
                raise ValueError(
                    f"ablations[{place}] must leave tasks of {setting!r}, {sorted(known)}, got "
                    f"{sorted(strangers)}"
                )


def check_contenders_named(comparison: Comparison) -> None:
    """Refuse names of contenders that there are not.

    Args:
        comparison: The comparison.

    Raises:
        ValueError: If there is one.
        TypeError: If ``doubles`` are no names.
    """
    if comparison.doubles is not None:
        check_strings("doubles", comparison.doubles, distinct=True)
    names = [contender.name for contender in comparison.contenders]
    named = {comparison.reference} - {None} | {*(comparison.doubles or ())}
    named |= {ablation.of for ablation in comparison.ablations}
    for given in (comparison.contrasts, comparison.found):
        for several in given.values():
            named |= {side for c in several for side in (c.first, c.second)}
    if strangers := sorted(map(str, named - set(names))):
        raise ValueError(f"There is no contender {strangers} in {names}")


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
