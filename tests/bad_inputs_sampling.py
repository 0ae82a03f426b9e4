"""Bad inputs of samplers, of the bandit that draws for one of them, and of the curriculum."""

from __future__ import annotations

from bad_input_cases import (
    INF,
    NAN,
    NOT_CHOICES,
    NOT_COUNTS,
    NOT_FLAGS,
    NOT_OPTIONAL_SIZES,
    NOT_POSITIVE,
    NOT_SHARES,
    NOT_SIZES,
    EntryPoint,
    Within,
)

from mtl_utils import training
from mtl_utils.data import BatchLoader, Example

NOT_SEEDS = (-1, 2**63, 1.5, "3", None, True)


def _loader() -> BatchLoader:
    return BatchLoader([Example([1, 2], {"topic": 0}), Example([3], {"topic": 1})], batch_size=1)


NOT_LOADERS = (None, 3, "data", [], _loader(), [3], [None])

ENTRY_POINTS = (
    EntryPoint(
        "JointBatches",
        training.JointBatches,
        lambda: {"loaders": [_loader()]},
        {
            "loaders": (None, 3, "data", [], _loader(), [3], [None]),
            "num_batches": NOT_OPTIONAL_SIZES,
        },
    ),
    EntryPoint(
        "AlternatingBatches",
        training.AlternatingBatches,
        lambda: {"loaders": [_loader()]},
        {
            "loaders": (None, 3, "data", [], _loader(), [3], [None]),
            "turns": (3, "1", [], [1, 1], [0], [-1], [1.5], ["1"], [True], [None]),
            "num_batches": NOT_OPTIONAL_SIZES,
        },
    ),
    EntryPoint(
        "SampledBatches",
        training.SampledBatches,
        lambda: {"loaders": [_loader()]},
        {
            "loaders": NOT_LOADERS,
            "num_batches": NOT_OPTIONAL_SIZES,
            "seed": NOT_SEEDS,
            "drops_stopped": NOT_FLAGS,
            "by": (*NOT_POSITIVE, "", "sizes", "1.0"),
            "limit": NOT_OPTIONAL_SIZES,
        },
    ),
    EntryPoint(
        "DataSetDraws",
        training.DataSetDraws,
        lambda: {"loaders": [_loader()]},
        {
            "loaders": NOT_LOADERS,
            "num_batches": NOT_OPTIONAL_SIZES,
            "seed": NOT_SEEDS,
            "drops_stopped": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "DrawnBatches",
        training.DrawnBatches,
        lambda: {"loaders": [_loader()]},
        {
            "loaders": NOT_LOADERS,
            "num_batches": NOT_OPTIONAL_SIZES,
            "seed": NOT_SEEDS,
            "drops_stopped": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "AnnealedBatches",
        training.AnnealedBatches,
        lambda: {"loaders": [_loader()], "epochs": 3},
        {
            "loaders": NOT_LOADERS,
            "num_batches": NOT_OPTIONAL_SIZES,
            "seed": NOT_SEEDS,
            "drops_stopped": NOT_FLAGS,
            "epochs": NOT_SIZES,
            "first": NOT_SHARES,
            "last": NOT_SHARES,
        },
    ),
    EntryPoint(
        "UncertaintyBatches",
        training.UncertaintyBatches,
        lambda: {"loaders": [_loader()]},
        {
            "loaders": NOT_LOADERS,
            "num_batches": NOT_OPTIONAL_SIZES,
            "seed": NOT_SEEDS,
            "drops_stopped": NOT_FLAGS,
            "scales": (3, "topic", [1.0], {"topic": 0.0}, {"topic": NAN}, {"topic": "1"}),
            "decay": (*NOT_SHARES, 1.0),
            "temperature": NOT_POSITIVE,
            "exploration": NOT_SHARES,
        },
    ),
    EntryPoint(
        "LearningProgressBatches",
        training.LearningProgressBatches,
        lambda: {"loaders": [_loader()]},
        {
            "loaders": NOT_LOADERS,
            "num_batches": NOT_OPTIONAL_SIZES,
            "seed": NOT_SEEDS,
            "drops_stopped": NOT_FLAGS,
            "gain": NOT_CHOICES,
            "step_size": NOT_POSITIVE,
            "exploration": (*NOT_SHARES, 0.0),
        },
    ),
    EntryPoint(
        "CurriculumBatches",
        training.CurriculumBatches,
        lambda: {"examples": _loader().examples, "difficulty": [1, 2], "batch_size": 1, "steps": 3},
        {
            "examples": (None, 3, "data", [], [3], [None]),
            "difficulty": (None, 3, "12", [1], Within([1, NAN], NAN), Within([1, "2"], "2")),
            "batch_size": NOT_SIZES,
            "steps": NOT_SIZES,
            "first": (*NOT_SHARES, 0.0),
            "power": (*NOT_POSITIVE, 0.5),
            "num_batches": NOT_OPTIONAL_SIZES,
            "pad_id": (-1, 1.5, "0", None, True),
            "seed": NOT_SEEDS,
        },
    ),
    EntryPoint(
        "competence",
        training.competence,
        lambda: {"step": 1, "steps": 3},
        {
            "step": NOT_COUNTS,
            "steps": NOT_SIZES,
            "first": (*NOT_SHARES, 0.0),
            "power": (*NOT_POSITIVE, 0.5),
        },
    ),
    EntryPoint(
        "tempered_shares",
        training.tempered_shares,
        lambda: {"sizes": [3, 30]},
        {
            "sizes": (None, 3, "30", [], [0], [NAN], ["3"]),
            "temperature": tuple(value for value in NOT_POSITIVE if value != INF),
            "limit": tuple(value for value in NOT_POSITIVE if value is not None),
        },
    ),
    EntryPoint(
        "sampler_of",
        training.sampler_of,
        lambda: {"loaders": [_loader()]},
        {
            "loaders": NOT_LOADERS,
            "sampling": (None, True, "", "sizes", 0, NAN, [], {}, {"kind": "annealed"}),
            "num_batches": tuple(value for value in NOT_OPTIONAL_SIZES if value is not None),
        },
    ),
    EntryPoint(
        "EXP3S",
        training.EXP3S,
        lambda: {"num_arms": 2},
        {
            "num_arms": NOT_SIZES,
            "step_size": NOT_POSITIVE,
            "exploration": (*NOT_SHARES, 0.0),
        },
    ),
    EntryPoint(
        "EXP3S.update",
        training.EXP3S(2).update,
        lambda: {"arm": 1, "reward": 0.5},
        {
            "arm": (-1, 2, 0.5, "0", None, True),
            "reward": (-1.1, 1.1, NAN, "0", None, True),
            "probability": (0.0, 1.1, NAN, "0", True),
        },
    ),
    EntryPoint(
        "RewardScale",
        training.RewardScale,
        dict,
        {"size": NOT_SIZES, "seed": NOT_SEEDS},
    ),
    EntryPoint(
        "RewardScale.__call__",
        training.RewardScale(),
        lambda: {"reward": 0.5},
        {"reward": (NAN, INF, "0", None, True)},
    ),
)
