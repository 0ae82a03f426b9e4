"""How parameters are shared between tasks, one family a module."""

from mtl_utils.sharing.adapters import AdapterWeights, TaskAdapters
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.branching import BranchedSharing
from mtl_utils.sharing.covariance import (
    CovarianceSharing,
    covariance_penalty,
    task_covariance,
)
from mtl_utils.sharing.cross_stitch import CrossStitch, SluiceNetwork
from mtl_utils.sharing.experts import MixtureOfExperts, MMoE
from mtl_utils.sharing.gates import load_balance
from mtl_utils.sharing.hard import HardSharing
from mtl_utils.sharing.hierarchical import HierarchicalSharing
from mtl_utils.sharing.hyper_adapters import HyperAdapters
from mtl_utils.sharing.language_adapters import LanguageAdapters
from mtl_utils.sharing.lora import TaskLoRA
from mtl_utils.sharing.per_task import PerTask
from mtl_utils.sharing.ple import PLE
from mtl_utils.sharing.shared_decoder import SharedDecoder
from mtl_utils.sharing.shared_private import SharedPrivate, orthogonality_penalty
from mtl_utils.sharing.soft import SoftSharing, squared_distance, trace_norm
from mtl_utils.sharing.soft_prompts import SoftPrompts

__all__ = [
    "AdapterWeights",
    "BranchedSharing",
    "CovarianceSharing",
    "CrossStitch",
    "HardSharing",
    "HierarchicalSharing",
    "HyperAdapters",
    "LanguageAdapters",
    "MMoE",
    "MixtureOfExperts",
    "PLE",
    "PerTask",
    "Shared",
    "SharedDecoder",
    "SharedPrivate",
    "Sharing",
    "SluiceNetwork",
    "SoftPrompts",
    "SoftSharing",
    "TaskAdapters",
    "TaskLoRA",
    "covariance_penalty",
    "load_balance",
    "orthogonality_penalty",
    "squared_distance",
    "task_covariance",
    "trace_norm",
]
