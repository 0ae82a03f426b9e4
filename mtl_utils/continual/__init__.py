"""Tasks that come and go: keeping old ones, merging models, what remains of removed ones."""

from mtl_utils.continual.distilling import Distilled, softened_divergence, taught_by
from mtl_utils.continual.elastic import Anchor, Elastic, anchored
from mtl_utils.continual.fisher import fisher_diagonal
from mtl_utils.continual.forgetting import (
    average_score,
    backward_transfer,
    forgetting,
    forward_transfer,
    intransigence,
)
from mtl_utils.continual.growing import add_labels
from mtl_utils.continual.membership import Membership, membership, row_losses, with_fresh_head
from mtl_utils.continual.merged_models import merge_models, task_vector
from mtl_utils.continual.merging import (
    TIES,
    Average,
    Merging,
    TaskArithmetic,
    disjoint_mean,
    elected_signs,
    trimmed,
)
from mtl_utils.continual.penalties import Term, penalised
from mtl_utils.continual.replay import Reservoir, replayed

__all__ = [
    "TIES",
    "Anchor",
    "Average",
    "Distilled",
    "Elastic",
    "Membership",
    "Merging",
    "Reservoir",
    "TaskArithmetic",
    "Term",
    "add_labels",
    "anchored",
    "average_score",
    "backward_transfer",
    "disjoint_mean",
    "elected_signs",
    "fisher_diagonal",
    "forgetting",
    "forward_transfer",
    "intransigence",
    "membership",
    "merge_models",
    "penalised",
    "replayed",
    "row_losses",
    "softened_divergence",
    "task_vector",
    "taught_by",
    "trimmed",
    "with_fresh_head",
]
