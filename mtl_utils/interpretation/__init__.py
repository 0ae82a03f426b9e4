"""What shared features know: probes, similarity, attribution, erasure, and what serves whom."""

from mtl_utils.interpretation.attribution import (
    RULES,
    Attribution,
    integrated_gradients,
    without_words,
)
from mtl_utils.interpretation.control_tasks import Selectivity, control_labels, selectivity
from mtl_utils.interpretation.deletion import deletion_curve, mean_drop
from mtl_utils.interpretation.description_length import SHARES, DescriptionLength, online_code
from mtl_utils.interpretation.erasure import Eraser, fit_eraser, random_eraser
from mtl_utils.interpretation.interventions import (
    changed_states,
    head_importance,
    layer_importance,
    task_losses,
    without_head,
    without_layer,
)
from mtl_utils.interpretation.probes import LinearProbe, fit_probe, probe_scores
from mtl_utils.interpretation.similarity import linear_cka
from mtl_utils.interpretation.states import States, collect_states
from mtl_utils.interpretation.targets import SCORES, Target

__all__ = [
    "Attribution",
    "DescriptionLength",
    "Eraser",
    "LinearProbe",
    "RULES",
    "SCORES",
    "SHARES",
    "Selectivity",
    "States",
    "Target",
    "changed_states",
    "collect_states",
    "control_labels",
    "deletion_curve",
    "fit_eraser",
    "fit_probe",
    "head_importance",
    "integrated_gradients",
    "layer_importance",
    "linear_cka",
    "mean_drop",
    "online_code",
    "probe_scores",
    "random_eraser",
    "selectivity",
    "task_losses",
    "without_head",
    "without_layer",
    "without_words",
]
