"""Recorded multi-seed runs: ``python -m mtl_utils.experiments work``."""

from mtl_utils.experiments.analysis import (
    load_results,
    student_t_distribution,
    student_t_quantile,
    summary,
)
from mtl_utils.experiments.contrasts import (
    Contrast,
    PairedDifference,
    contrast_table,
    holm,
    paired_difference,
    paired_table,
    score_table,
)
from mtl_utils.experiments.curves import plot_curves
from mtl_utils.experiments.differences import plot_differences
from mtl_utils.experiments.estimates import Estimate, estimate
from mtl_utils.experiments.experiment import Experiment, Place
from mtl_utils.experiments.gains import gain_map, plot_gains
from mtl_utils.experiments.records import results_folder
from mtl_utils.experiments.registry import find, registry
from mtl_utils.experiments.relative import ALL_TASKS, relative_performance, relative_table
from mtl_utils.experiments.runner import run
from mtl_utils.experiments.standings import plot_standings, standings
from mtl_utils.experiments.tables import (
    ablation_table,
    change_table,
    comparison_table,
    contender_table,
    fresh_table,
    step_size_table,
    verdicts,
)
from mtl_utils.experiments.worker import WorkReport
from mtl_utils.experiments.working import work
from mtl_utils.experiments.workspaces import workspaces_folder

__all__ = [
    "ALL_TASKS",
    "Contrast",
    "Estimate",
    "Experiment",
    "PairedDifference",
    "Place",
    "WorkReport",
    "ablation_table",
    "change_table",
    "comparison_table",
    "contender_table",
    "contrast_table",
    "estimate",
    "find",
    "fresh_table",
    "gain_map",
    "holm",
    "load_results",
    "paired_difference",
    "paired_table",
    "plot_curves",
    "plot_differences",
    "plot_gains",
    "plot_standings",
    "registry",
    "relative_performance",
    "relative_table",
    "results_folder",
    "run",
    "score_table",
    "standings",
    "step_size_table",
    "student_t_distribution",
    "student_t_quantile",
    "summary",
    "verdicts",
    "work",
    "workspaces_folder",
]
