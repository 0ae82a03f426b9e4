"""Learning rates that grow with depth, for models over a pretrained encoder."""

from __future__ import annotations

from typing import Any

from torch import nn as torch_nn

from mtl_utils.arguments import check_module, check_number
from mtl_utils.nn.pretrained import PretrainedEncoder
from mtl_utils.nn.pretrained_layers import PretrainedLayers


def layerwise_groups(
    model: torch_nn.Module,
    learning_rate: float,
    decay: float = 1 / 2.6,
    *,
    head_learning_rate: float | None = None,
) -> list[dict[str, Any]]:
    r"""Give lower layers of a pretrained encoder a lower learning rate (Howard & Ruder, 2018).

    .. math:: \eta_l = \eta\, \xi^{L - l}

    for layer l of L, the embeddings being layer 0: what lies lower is more general and should
    change less. What is frozen is in no group.

    Args:
        model: Holds one :class:`mtl_utils.nn.PretrainedEncoder` or several, or parts of one that
            was cut, whose layers have the rates that they had in the whole.
        learning_rate: Rate of the last layer, η.
        decay: Of the rate from one layer to the one below, ξ, in (0, 1].
        head_learning_rate: Rate of all that belongs to no pretrained encoder; η if ``None``.

    Returns:
        Groups with a ``lr`` each, for the ``parameter_groups`` of
        :class:`mtl_utils.training.Trainer`, whose schedule scales them. Each parameter that
        requires a gradient is in exactly one.

    Raises:
        ValueError: If the model has no pretrained encoder, a rate is not positive, or ``decay`` is
            outside (0, 1].
        TypeError: If one of these is no number, or the model no module.
    """
    head_rate = learning_rate if head_learning_rate is None else head_learning_rate
    check_module("model", model)
    check_number("learning_rate", learning_rate, above=0)
    check_number("decay", decay, above=0, most=1)
    check_number("head_learning_rate", head_rate, above=0)
    parts = (PretrainedEncoder, PretrainedLayers)
    encoders = [part for part in model.modules() if isinstance(part, parts)]
    if not encoders:
        raise ValueError(
            "The model has no PretrainedEncoder, so no layers to tell apart; give the Trainer the "
            "config's learning_rate alone"
        )
    groups: list[dict[str, Any]] = []
    seen: set[int] = set()

    def add(parameters: list[torch_nn.Parameter], rate: float) -> None:
        new = [p for p in parameters if p.requires_grad and id(p) not in seen]
        seen.update(map(id, new))
        if new:
            groups.append({"params": new, "lr": rate})

    for encoder in encoders:
        by_depth = encoder.parameters_by_depth()
        for depth, parameters in enumerate(by_depth):
            above = encoder.layers_above + len(by_depth) - 1 - depth
            add(parameters, learning_rate * decay**above)
    add(list(model.parameters()), head_rate)
    return groups
