"""Recorded multi-seed runs: ``python -m mtl_utils.experiments work``."""

from mtl_utils.experiments.analysis import load_results, student_t_quantile, summary
from mtl_utils.experiments.estimates import Estimate, estimate
from mtl_utils.experiments.experiment import Experiment, Place
from mtl_utils.experiments.records import results_folder
from mtl_utils.experiments.registry import find, registry
from mtl_utils.experiments.runner import run
from mtl_utils.experiments.worker import WorkReport
from mtl_utils.experiments.working import work
from mtl_utils.experiments.workspaces import workspaces_folder

__all__ = [
    "Estimate",
    "Experiment",
    "Place",
    "WorkReport",
    "estimate",
    "find",
    "load_results",
    "registry",
    "results_folder",
    "run",
    "student_t_quantile",
    "summary",
    "work",
    "workspaces_folder",
]
