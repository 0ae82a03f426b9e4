"""Adapters that a network makes for each task and each layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_sizes
from mtl_utils.nn.encoder import Encoder
from mtl_utils.sharing.adapters import AdapterWeights, TaskAdapters
from mtl_utils.sharing.base import Sharing
from mtl_utils.sharing.ownership import Used
from mtl_utils.sharing.per_task import as_parameter_dict


class HyperAdapters(TaskAdapters):
    r"""Adapters whose weights a shared network makes from what a task is (Mahabadi et al., 2021).

    .. math:: i_{k, l} = V_2 \operatorname{relu}(V_1 [z_k; l_l] + c_1) + c_2, \qquad
        W_{k, l} = \operatorname{reshape}(H\, i_{k, l})

    for each of the matrices and biases of :class:`TaskAdapters`, with a vector :math:`z_k` for each
    task, which is all that belongs to it, and one :math:`l_l` for each layer. Tasks that are alike
    can be given similar vectors, and thereby similar adapters; the network :math:`H` is shared by
    tasks and layers. What makes the upper matrices and biases starts at 0, so that at first every
    task reads what the encoder says. Mahabadi et al. make the scales of normalisations too.

    Args:
        encoder: The shared encoder; copied, it stays as it is.
        tasks: Names of the tasks.
        bottleneck: Size in between, R.
        embedding_size: Size of the vectors of tasks and layers, and of :math:`i`.
        activation: ``"relu"`` or ``"gelu"``, in the adapters.

    Attributes:
        width: Size of a hidden state, D.
        task_names: Names of the tasks.

    Raises:
        ValueError: If the encoder has no layers, there is no task, two have the same name, a name
            is not fit for a module, a size is below 1, or there is no such activation.
        TypeError: If ``encoder`` is no encoder or cannot be cut between its layers, or a setting
            is of another type.
    """

    def __init__(
        self,
        encoder: Encoder,
        tasks: Sequence[str],
        bottleneck: int = 64,
        *,
        embedding_size: int = 64,
        activation: str = "gelu",
    ) -> None:
        Sharing.__init__(self)
        check_sizes(embedding_size=embedding_size)
        self._take(encoder, tasks, bottleneck, activation)
        self.task_vectors = as_parameter_dict(
            {task: torch.randn(embedding_size) for task in self.task_names}
        )
        self.layer_vectors = torch_nn.Parameter(torch.randn(len(self.layers), embedding_size))
        self.projector = torch_nn.Sequential(
            torch_nn.Linear(2 * embedding_size, embedding_size),
            torch_nn.ReLU(),
            torch_nn.Linear(embedding_size, embedding_size),
        )
        shapes = {
            "down": (self.width, bottleneck),
            "down_bias": (1, bottleneck),
            "up": (bottleneck, self.width),
            "up_bias": (1, self.width),
        }
        self.makers = torch_nn.ModuleDict(
            {name: _maker(name, embedding_size, *shape) for name, shape in shapes.items()}
        )

    def adapter_weights(self, tasks: Sequence[str], place: int) -> AdapterWeights:
        """Make the adapters of some tasks after one layer.

        Args:
            tasks: Names of the tasks, G of them.
            place: The layer, from 0.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(*tasks)
        vectors = torch.stack([self.task_vectors[task] for task in tasks])
        layer = self.layer_vectors[place].expand_as(vectors)
        means: Tensor = self.projector(torch.cat([vectors, layer], dim=-1))
        return AdapterWeights(**{name: maker(means) for name, maker in self.makers.items()})

    def _uses(self) -> Iterator[Used]:
        for shared in (self.embeddings, self.layers, self.projector, self.makers):
            yield shared, None
        yield self.layer_vectors, None
        for task in self.task_names:
            yield self.task_vectors[task], [task]


def _maker(name: str, embedding_size: int, *shape: int) -> torch_nn.Sequential:
    """Make what turns vectors ``[G, E]`` into weights of a shape ``[G, ...]``."""
    linear = torch_nn.Linear(embedding_size, shape[0] * shape[1])
    if name.startswith("up"):
        torch_nn.init.zeros_(linear.weight)
        torch_nn.init.zeros_(linear.bias)
    else:  # so that the adapters have the size that layers of their own would have
        torch_nn.init.normal_(linear.weight, std=(embedding_size * shape[0]) ** -0.5)
        torch_nn.init.zeros_(linear.bias)
    return torch_nn.Sequential(linear, torch_nn.Unflatten(1, shape))
