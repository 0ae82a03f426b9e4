"""Recorded multi-seed runs: ``python -m mtl_utils.experiments run NAME``."""

from mtl_utils.experiments.analysis import load_results, student_t_quantile, summary
from mtl_utils.experiments.experiment import Experiment, Place
from mtl_utils.experiments.records import results_folder
from mtl_utils.experiments.registry import find, registry
from mtl_utils.experiments.runner import run
from mtl_utils.experiments.workspaces import workspaces_folder

__all__ = [
    "Experiment",
    "Place",
    "find",
    "load_results",
    "registry",
    "results_folder",
    "run",
    "student_t_quantile",
    "summary",
    "workspaces_folder",
]
