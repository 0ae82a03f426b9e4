"""The list of all experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtl_utils.arguments import check_text
from mtl_utils.experiments.experiment import Experiment

if TYPE_CHECKING:
    from mtl_utils.experiments.comparison import Comparison


def registry() -> dict[str, Experiment]:
    """Return every experiment by name."""
    # What these import, scikit-learn among it, is only needed to run.
    from mtl_utils.experiments import (
        atlas_difficulty,
        balancers,
        balancers_real,
        data_sets,
        diagnosis_mixtures,
        dynamic_sharing,
        family_finalists,
        gradient_conflicts,
        hierarchies,
        joint_bilstm,
        joint_pretrained,
        joint_transformer,
        label_smoothing,
        language_models,
        linear_models,
        little_data,
        loss_scales,
        many_languages,
        named_entities,
        sampling_sizes,
        scaling_steps,
        serving_load,
        shared_features,
        sharing_map,
        task_groups,
        task_relations,
        tasks_in_sequence,
        text_and_pictures,
        transformer,
        translation,
        ways_of_sharing,
    )

    modules = (
        atlas_difficulty,
        data_sets,
        language_models,
        translation,
        named_entities,
        transformer,
        sharing_map,
        loss_scales,
        joint_bilstm,
        joint_pretrained,
        joint_transformer,
        label_smoothing,
        ways_of_sharing,
        hierarchies,
        dynamic_sharing,
        family_finalists,
        task_relations,
        task_groups,
        balancers,
        balancers_real,
        gradient_conflicts,
        sampling_sizes,
        diagnosis_mixtures,
        linear_models,
        little_data,
        many_languages,
        tasks_in_sequence,
        shared_features,
        scaling_steps,
        serving_load,
        text_and_pictures,
    )
    return {experiment.name: experiment for module in modules for experiment in module.EXPERIMENTS}


def comparisons() -> tuple[Comparison, ...]:
    """Return every comparison, each of which is several experiments."""
    from mtl_utils.experiments import (
        balancers,
        balancers_real,
        dynamic_sharing,
        family_finalists,
        hierarchies,
        joint_bilstm,
        joint_pretrained,
        joint_transformer,
        label_smoothing,
        little_data,
        many_languages,
        sampling_sizes,
        sharing_map,
        task_groups,
        task_relations,
        text_and_pictures,
        ways_of_sharing,
    )

    modules = (
        joint_bilstm,
        joint_pretrained,
        joint_transformer,
        label_smoothing,
        sharing_map,
        ways_of_sharing,
        hierarchies,
        dynamic_sharing,
        family_finalists,
        task_relations,
        task_groups,
        balancers,
        balancers_real,
        sampling_sizes,
        little_data,
        many_languages,
        text_and_pictures,
    )
    return tuple(comparison for module in modules for comparison in module.COMPARISONS)


def find_comparison(name: str) -> Comparison:
    """Look up a comparison.

    Args:
        name: Its name.

    Raises:
        KeyError: If there is none of that name.
        TypeError: If the name is no string.
    """
    check_text("name", name)
    found = {comparison.name: comparison for comparison in comparisons()}
    if name not in found:
        raise KeyError(f"No comparison named {name!r}; there are {', '.join(sorted(found))}")
    return found[name]


def find(name: str) -> Experiment:
    """Look up an experiment.

    Args:
        name: Its name.

    Returns:
        The experiment.

    Raises:
        KeyError: If there is none of that name.
        TypeError: If the name is no string.
    """
    check_text("name", name)
    experiments = registry()
    if name not in experiments:
        raise KeyError(f"No experiment named {name!r}; there are {', '.join(sorted(experiments))}")
    return experiments[name]
