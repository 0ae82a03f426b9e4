"""Bad inputs of losses, weights and penalties."""

from __future__ import annotations

import torch
from bad_input_cases import (
    INF,
    NAN,
    NOT_CHOICES,
    NOT_COUNTS,
    NOT_POSITIVE,
    NOT_SHARES,
    NOT_SIZES,
    NOT_TENSORS,
    EntryPoint,
)

from mtl_utils import nn, objectives, sharing

LOGITS = torch.zeros(2, 3, 4)
TARGETS = torch.tensor([[0, 1, 2], [3, 0, 1]])
NOT_LOGITS = (*NOT_TENSORS, torch.zeros(2, 4), torch.zeros(()), LOGITS.long())
NOT_TARGETS = (*NOT_TENSORS, TARGETS.float(), TARGETS[:, :2])
NOT_INDICES = (1.5, "x", None, NAN)
_losses = lambda: {"logits": LOGITS, "targets": TARGETS}  # noqa: E731
_common = {"logits": NOT_LOGITS, "targets": NOT_TARGETS, "ignore_index": NOT_INDICES}


def _encoder() -> nn.BiLSTMEncoder:
    return nn.BiLSTMEncoder(5, 4)


def _encoders() -> dict[str, nn.BiLSTMEncoder]:
    return {"a": _encoder(), "b": _encoder()}


def _layers() -> nn.LSTMLayers:
    return _encoder().cut(0)[1]


NOT_ENCODERS = (None, 3, "encoder", torch.nn.Linear(2, 2))
NOT_PARTS = (None, 3, "encoders", {}, [_encoder()], {"a": torch.nn.Linear(2, 2)}, {1: _encoder()})
NOT_COUNTED = (*NOT_TENSORS, TARGETS, torch.tensor(True))
NOT_STRENGTHS = (-1.0, NAN, INF, "1", True, [1.0])

JACOBIAN = torch.tensor([[1.0, 0.0], [-0.5, 1.0]])
NOT_JACOBIANS = (
    *(*NOT_TENSORS, torch.zeros(2), torch.zeros(0, 2), torch.zeros(2, 0), JACOBIAN.long()),
    *(torch.tensor([[1.0, NAN]]), torch.tensor([[INF, 1.0]])),
)
NOT_GRAMS = (
    *(*NOT_TENSORS, torch.ones(2), torch.ones(2, 3), torch.zeros(0, 0), torch.eye(2).long()),
    *(torch.tensor([[1.0, 2.0], [2.0, 1.0]]), torch.tensor([[1.0, 0.5], [0.0, 1.0]])),
    *(torch.tensor([[NAN]]), torch.tensor([[-1.0]])),
)
NOT_ROW_NAMES = ("ab", 3, ["a"], ["a", "a"], ["a", 1], {"a", "b"})
NOT_GENERATORS = (3, "cpu", [torch.Generator()])
_rows = {"jacobian": NOT_JACOBIANS, "tasks": NOT_ROW_NAMES, "generator": NOT_GENERATORS}
_of_gram = {"gram": NOT_GRAMS, "tasks": NOT_ROW_NAMES, "generator": NOT_GENERATORS}
_by_gram = (
    *(objectives.MGDA, objectives.UPGrad, objectives.CAGrad, objectives.NashMTL),
    *(objectives.FairGrad, objectives.IMTLG, objectives.AlignedMTL, objectives.PCGrad),
    objectives.GradVac,
)
COMBINERS = [
    EntryPoint(name, method, dict, {"on": NOT_CHOICES, **settings})
    for name, method, settings in (
        *((method.__name__, method, {}) for method in _by_gram),
        ("CAGrad's ball", objectives.CAGrad, {"c": (-0.1, NAN, INF, "0.1", None, True)}),
        ("FairGrad's alpha", objectives.FairGrad, {"alpha": NOT_POSITIVE}),
        ("GradVac's beta", objectives.GradVac, {"beta": NOT_SHARES}),
        ("GradDrop", objectives.GradDrop, {"leak": NOT_SHARES}),
    )
]
COMBINERS += [
    EntryPoint(f"{method.__name__}.{name}", getattr(method(), name), good, bad)
    for method in (*_by_gram, objectives.GradDrop)
    for name, good, bad in (
        ("combine", lambda: {"jacobian": JACOBIAN}, _rows),
        ("combination", lambda: {"jacobian": JACOBIAN}, _rows),
        ("weights", lambda: {"gram": torch.eye(2)}, _of_gram),
    )
    if hasattr(method, name)
]
ENTRY_POINTS = [
    *COMBINERS,
    EntryPoint(
        "distillation_loss",
        objectives.distillation_loss,
        lambda: {"logits": torch.ones(2, 3), "targets": torch.ones(2, 3)},
        {
            "logits": (*NOT_TENSORS, torch.ones(2, 3).long()),
            "targets": (*NOT_TENSORS, torch.ones(2, 3).long(), torch.ones(2, 4)),
            "temperature": NOT_POSITIVE,
            "counted": (3, "all", [True, True], torch.ones(2), torch.ones(3).bool()),
            "scale": NOT_CHOICES,
        },
    ),
    EntryPoint(
        "annealed_share",
        objectives.annealed_share,
        lambda: {"step": 1, "num_steps": 3},
        {"step": NOT_COUNTS, "num_steps": NOT_SIZES, "first": NOT_SHARES, "last": NOT_SHARES},
    ),
    EntryPoint("classification_loss", objectives.classification_loss, _losses, _common),
    EntryPoint("sequence_loss", objectives.sequence_loss, _losses, _common),
    EntryPoint(
        "label_smoothing_loss",
        objectives.label_smoothing_loss,
        _losses,
        {**_common, "smoothing": NOT_SHARES},
    ),
    EntryPoint(
        "scaled_loss",
        objectives.scaled_loss,
        _losses,
        {**_common, "smoothing": NOT_SHARES, "scale": NOT_CHOICES},
    ),
    EntryPoint(
        "count_scaled",
        objectives.count_scaled,
        lambda: {"counted": TARGETS > 0},
        {"counted": NOT_COUNTED, "scale": NOT_CHOICES},
    ),
    EntryPoint(
        "scaled_mean",
        objectives.scaled_mean,
        lambda: {"total": torch.ones(()), "counted": TARGETS > 0},
        {
            "total": (*NOT_TENSORS, torch.ones(2), torch.ones((), dtype=torch.long)),
            "counted": NOT_COUNTED,
            "scale": NOT_CHOICES,
            "at_uniform": NOT_STRENGTHS,
        },
    ),
    EntryPoint(
        "minimum_risk_loss",
        objectives.minimum_risk_loss,
        lambda: {"log_probs": -torch.ones(2, 3), "costs": torch.ones(2, 3)},
        {
            "log_probs": (*NOT_TENSORS, torch.zeros(3), torch.zeros(2, 4), TARGETS),
            "costs": (*NOT_TENSORS, torch.zeros(3), torch.zeros(2, 4)),
            "sharpness": NOT_POSITIVE,
        },
    ),
    EntryPoint(
        "FixedWeights",
        objectives.FixedWeights,
        lambda: {"weights": {"a": 1.0}},
        {
            "weights": (
                None,
                3,
                "a",
                [1.0],
                {},
                {"a": -1.0},
                {"a": NAN},
                {"a": INF},
                {"a": "1"},
                {"a": None},
                {"a": True},
                {1: 1.0},
            )
        },
    ),
    EntryPoint(
        "HardSharing",
        sharing.HardSharing,
        lambda: {"encoder": _encoder()},
        {"encoder": NOT_ENCODERS},
    ),
    EntryPoint(
        "SoftSharing",
        sharing.SoftSharing,
        lambda: {"encoders": _encoders(), "tied": ["lstm"]},
        {
            "encoders": NOT_PARTS,
            "tied": (None, 3, "lstm", [], ["nothing"], [3]),
            "penalty": (None, 3, "squared"),
            "strength": (*NOT_STRENGTHS, None),
        },
        called={"encoders": "encoder", "tied": "tied|Tie"},
    ),
    EntryPoint(
        "SharedPrivate",
        sharing.SharedPrivate,
        lambda: {"shared": _encoder(), "private": _encoders()},
        {
            "shared": NOT_ENCODERS,
            "private": NOT_PARTS,
            "orthogonality_strength": (*NOT_STRENGTHS, None),
            "adversary_strength": NOT_STRENGTHS,
        },
    ),
    EntryPoint(
        "BranchedSharing",
        sharing.BranchedSharing,
        lambda: {"trunk": _encoder(), "branches": {"a": _layers(), "b": _layers()}},
        {"trunk": NOT_ENCODERS, "branches": NOT_PARTS},
        called={"branches": "branch"},
    ),
    EntryPoint(
        "SharedDecoder",
        sharing.SharedDecoder,
        lambda: {
            "encoder": _encoder(),
            "decoder": nn.SelfAttentiveDecoder(5, 4),
            "bos_id": 1,
            "written": ["a"],
        },
        {
            "encoder": NOT_ENCODERS,
            "decoder": NOT_ENCODERS,
            "bos_id": (-1, 1.5, "1", None, 9),
            "pad_id": (-1, 1.5, "1", None, 9),
            "written": (None, 3, "a", [3], ["a", "a"]),
            "continued": (None, 3, "a", [3], ["a"]),
        },
    ),
    *(
        EntryPoint(
            f"sharing.{function.__name__}",
            function,
            lambda: {"copies": torch.ones(2, 6)},
            {"copies": (*NOT_TENSORS, torch.ones(()), torch.ones(2, 6).long())},
        )
        for function in (sharing.squared_distance, sharing.trace_norm)
    ),
    EntryPoint(
        "sharing.orthogonality_penalty",
        sharing.orthogonality_penalty,
        lambda: {
            "shared": torch.ones(2, 3, 4),
            "private": torch.ones(2, 3, 4),
            "mask": torch.ones(2, 3).bool(),
        },
        {
            "shared": (*NOT_TENSORS, torch.ones(3, 4)),
            "private": (*NOT_TENSORS, torch.ones(3, 4)),
            "mask": (*NOT_TENSORS, torch.ones(2, 3), torch.ones(2, 4).bool()),
        },
    ),
]
