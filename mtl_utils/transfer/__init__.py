"""Transfer to tasks with little data, and from teachers: adapting, prototypes, pseudo-labels."""

from mtl_utils.transfer.adapting import Moves, adapted
from mtl_utils.transfer.distilling import taught
from mtl_utils.transfer.few_rows import draw_rows
from mtl_utils.transfer.prototypes import (
    ABSENT,
    class_means,
    episode_loss,
    prototype_layer,
    prototype_logits,
    set_prototypes,
    task_features,
)
from mtl_utils.transfer.ranking import rank_labels
from mtl_utils.transfer.retrieval import retrieval_accuracy, sentence_vectors
from mtl_utils.transfer.scaled_losses import class_scaled_weights
from mtl_utils.transfer.self_training import PseudoLabels, pseudo_labelled
from mtl_utils.transfer.spread import Spread, spread_by_source
from mtl_utils.transfer.tasks_as_text import Reading, TextForm

__all__ = [
    "ABSENT",
    "Moves",
    "PseudoLabels",
    "Reading",
    "Spread",
    "TextForm",
    "adapted",
    "class_means",
    "class_scaled_weights",
    "draw_rows",
    "episode_loss",
    "prototype_layer",
    "prototype_logits",
    "pseudo_labelled",
    "rank_labels",
    "retrieval_accuracy",
    "sentence_vectors",
    "set_prototypes",
    "spread_by_source",
    "task_features",
    "taught",
]
