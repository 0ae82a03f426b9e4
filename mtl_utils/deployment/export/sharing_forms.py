"""Ways of sharing in the form that is exported: hidden states of all tasks, and no penalties.

A way of sharing runs as it is, over encoders and layers that are replaced by their forms; what is
left has no step that depends on the data. Where gates keep a few experts, the graph runs all of
them and weighs those that are not kept by 0.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils import sharing
from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.deployment.export.encoder_forms import encoder_form
from mtl_utils.deployment.export.layer_forms import layers_form
from mtl_utils.nn import Encoder, EncoderLayers
from mtl_utils.sharing import Sharing, TaskLoRA

#: Ways of sharing that run as they are once their encoders and layers have no branches.
_AS_THEY_ARE = (
    sharing.BranchedSharing,
    sharing.CovarianceSharing,
    sharing.CrossStitch,
    sharing.HardSharing,
    sharing.HierarchicalSharing,
    sharing.HyperAdapters,
    sharing.MMoE,
    sharing.MixtureOfExperts,
    sharing.PLE,
    sharing.SharedPrivate,
    sharing.SluiceNetwork,
    sharing.SoftPrompts,
    sharing.SoftSharing,
    sharing.TaskAdapters,
)
EXPORTED = (*_AS_THEY_ARE, TaskLoRA)
"""Ways of sharing that can be exported; a class of one's own may do anything, and cannot."""

#: Factors of penalties on weights, which nothing in a graph reads.
_STRENGTHS = ("strength", "successive_strength")


def sharing_form(given: Sharing) -> torch_nn.Module:
    """Return what is exported of a way of sharing.

    Args:
        given: The way of sharing; left as it is.

    Returns:
        A module from inputs and names of tasks to states ``[B, T, D]``, one tensor a task.

    Raises:
        TypeError: If it, or an encoder or layers in it, is of a kind that has no such form.
    """
    if type(given) not in EXPORTED:
        known = ", ".join(sorted(kind.__name__ for kind in EXPORTED))
        raise TypeError(
            f"A model whose parameters are shared by {type(given).__name__} cannot be exported; "
            f"expected one of {known}"
        )
    if isinstance(given, TaskLoRA):
        return _MergedForm(given)
    copied: Any = copy.deepcopy(given).cpu().float().eval()
    for name in _STRENGTHS:
        if hasattr(copied, name):
            setattr(copied, name, 0.0)
    _replace_parts(copied)
    return _SharingForm(copied)


def _replace_parts(module: torch_nn.Module) -> None:
    """Put forms in the place of all encoders and layers within a module."""
    for name, part in list(module.named_children()):
        if isinstance(part, Encoder):
            module._modules[name] = encoder_form(part)
        elif isinstance(part, EncoderLayers):
            module._modules[name] = layers_form(part)
        else:
            _replace_parts(part)


class _SharingForm(torch_nn.Module):
    def __init__(self, prepared: Sharing) -> None:
        super().__init__()
        self.sharing = prepared

    def forward(self, inputs: Inputs, tasks: Sequence[str]) -> Mapping[str, Tensor]:
        hidden: Mapping[str, Tensor] = self.sharing(Batch(inputs), tasks).hidden
        return hidden


class _MergedForm(torch_nn.Module):
    """The encoder once for each task, with what the task adds to its matrices added."""

    def __init__(self, given: TaskLoRA) -> None:
        super().__init__()
        copied = copy.deepcopy(given).cpu().float().eval()
        with torch.no_grad():
            forms = [encoder_form(copied.merged(task)) for task in copied.task_names]
        self.names = list(copied.task_names)
        self.encoders = torch_nn.ModuleList(forms)

    def forward(self, inputs: Inputs, tasks: Sequence[str]) -> Mapping[str, Tensor]:
        places = {task: self.names.index(task) for task in tasks}
        return {task: cast(Tensor, self.encoders[place](inputs)) for task, place in places.items()}
