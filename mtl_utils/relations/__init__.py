"""Relations between tasks: which help each other, how it is estimated, and what to do with it."""

from mtl_utils.relations.affinity import AffinityTracker, lookahead_affinity
from mtl_utils.relations.agreement import rank_agreement
from mtl_utils.relations.clustering import cluster_tasks
from mtl_utils.relations.embeddings import task_embeddings
from mtl_utils.relations.gradients import cosines, gradient_cosines, task_gradients
from mtl_utils.relations.grouping import Grouping, best_groups, pairwise_scores
from mtl_utils.relations.label_distribution import LabelDistribution, label_distribution
from mtl_utils.relations.plots import plot_relations
from mtl_utils.relations.transfer import transfer_differences, transfer_matrix

__all__ = [
    "AffinityTracker",
    "Grouping",
    "LabelDistribution",
    "best_groups",
    "cluster_tasks",
    "cosines",
    "gradient_cosines",
    "label_distribution",
    "lookahead_affinity",
    "pairwise_scores",
    "plot_relations",
    "rank_agreement",
    "task_embeddings",
    "task_gradients",
    "transfer_differences",
    "transfer_matrix",
]
