"""Every way of sharing over tiny encoders, by name, made of what makes an encoder."""

from tiny_sharing import PARTS, TASKS

from mtl_utils.sharing import (
    PLE,
    BranchedSharing,
    CovarianceSharing,
    CrossStitch,
    HardSharing,
    HierarchicalSharing,
    HyperAdapters,
    MixtureOfExperts,
    MMoE,
    SharedPrivate,
    SluiceNetwork,
    SoftPrompts,
    SoftSharing,
    TaskAdapters,
    TaskLoRA,
    trace_norm,
)


def parts_of(encoder):
    """Name the parts of an encoder; it may have been wrapped by functools.wraps."""
    return PARTS[getattr(encoder, "__wrapped__", encoder)]


def one_each(encoder, tasks=TASKS):
    return {task: encoder() for task in tasks}


DEPTH = dict(zip(TASKS, (1, 2, 1), strict=True))


def branched(num_shared_layers):
    return lambda encoder: BranchedSharing.from_encoder(encoder(), TASKS, num_shared_layers)


FAMILIES = {
    "hard": lambda encoder: HardSharing(encoder()),
    "branched at 0": branched(0),
    "branched at 1": branched(1),
    "branched at 2": branched(2),
    "soft": lambda encoder: SoftSharing(one_each(encoder), parts_of(encoder), strength=0.1),
    "trace norm": lambda encoder: SoftSharing(
        one_each(encoder), parts_of(encoder), trace_norm, 0.1
    ),
    "covariance": lambda encoder: CovarianceSharing(
        one_each(encoder), parts_of(encoder), strength=0.01
    ),
    "shared-private": lambda encoder: SharedPrivate(encoder(), one_each(encoder)),
    "hierarchical": lambda encoder: HierarchicalSharing(
        encoder(), DEPTH, shortcuts=True, successive_strength=0.1
    ),
    "experts": lambda encoder: MixtureOfExperts.from_encoder(encoder(), 3, balance_strength=0.1),
    "MMoE": lambda encoder: MMoE.from_encoder(encoder(), TASKS, 3, top_k=2, balance_strength=0.1),
    "PLE": lambda encoder: PLE.from_encoder(encoder(), TASKS, num_levels=2, balance_strength=0.1),
    "adapters": lambda encoder: TaskAdapters(encoder(), TASKS, 3),
    "hyper-adapters": lambda encoder: HyperAdapters(encoder(), TASKS, 3, embedding_size=6),
    "LoRA": lambda encoder: TaskLoRA(encoder(), TASKS, 2, 2.0),
    "prompts": lambda encoder: SoftPrompts(encoder(), TASKS, 2),
    "shared prompt": lambda encoder: SoftPrompts(encoder(), TASKS, 2, shared=True),
    "cross-stitch": lambda encoder: CrossStitch(one_each(encoder)),
    "sluice": lambda encoder: SluiceNetwork(one_each(encoder), orthogonality_strength=1e-3),
}
