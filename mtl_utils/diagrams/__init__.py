"""Diagrams of models and methods: one description gives the picture and its words."""

from mtl_utils.diagrams.balancing import loss_balancing
from mtl_utils.diagrams.continual import tasks_in_sequence
from mtl_utils.diagrams.deployment import served_models
from mtl_utils.diagrams.diagnosis import changed_alone
from mtl_utils.diagrams.diagram import Diagram
from mtl_utils.diagrams.dynamic import (
    layered_extraction,
    low_rank_additions,
    mixture_of_experts,
    task_adapters,
)
from mtl_utils.diagrams.families import (
    branched_sharing,
    hard_sharing,
    shared_private,
    soft_sharing,
)
from mtl_utils.diagrams.framework import bilstm_framework
from mtl_utils.diagrams.gradients import combined_gradients
from mtl_utils.diagrams.languages import shared_languages
from mtl_utils.diagrams.losses import joint_losses
from mtl_utils.diagrams.models import encoder_decoder, pair_with_heads
from mtl_utils.diagrams.parallel import data_parallel
from mtl_utils.diagrams.parts import Arrow, Box, Frame
from mtl_utils.diagrams.pictures import text_and_picture
from mtl_utils.diagrams.questions import questions_to_features
from mtl_utils.diagrams.recurrent import lstm_cell
from mtl_utils.diagrams.relations import lookahead_affinity
from mtl_utils.diagrams.sampling import sampled_stream
from mtl_utils.diagrams.searching import beam_tree
from mtl_utils.diagrams.stacking import draw_stacked
from mtl_utils.diagrams.structure import cross_stitch, hierarchical_sharing, sluice_network
from mtl_utils.diagrams.transfer import transfer_routes
from mtl_utils.diagrams.transformer import transformer_blocks
from mtl_utils.diagrams.trellis import trellis
from mtl_utils.diagrams.tuning import search_loop

__all__ = [
    "Arrow",
    "Box",
    "Diagram",
    "Frame",
    "beam_tree",
    "bilstm_framework",
    "branched_sharing",
    "changed_alone",
    "combined_gradients",
    "cross_stitch",
    "data_parallel",
    "draw_stacked",
    "encoder_decoder",
    "hard_sharing",
    "hierarchical_sharing",
    "joint_losses",
    "layered_extraction",
    "lookahead_affinity",
    "loss_balancing",
    "low_rank_additions",
    "lstm_cell",
    "mixture_of_experts",
    "pair_with_heads",
    "questions_to_features",
    "sampled_stream",
    "search_loop",
    "served_models",
    "shared_languages",
    "shared_private",
    "sluice_network",
    "soft_sharing",
    "task_adapters",
    "tasks_in_sequence",
    "text_and_picture",
    "transfer_routes",
    "transformer_blocks",
    "trellis",
]
