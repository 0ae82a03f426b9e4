"""Adapters: one encoder for all tasks, and small networks between its layers for each."""

# Annotations are evaluated here: the pages of the API show those of a NamedTuple as they are.
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_choice, check_several, check_sizes
from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.nn.encoder import Encoder, check_inputs
from mtl_utils.nn.transformer_layer import ACTIVATIONS
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.ownership import Used, is_causal, taken_apart
from mtl_utils.sharing.per_task import as_module_dict, check_known, named


class AdapterWeights(NamedTuple):
    """Adapters after one layer, G of them.

    Args:
        down: ``[G, D, R]``.
        down_bias: ``[G, 1, R]``.
        up: ``[G, R, D]``.
        up_bias: ``[G, 1, D]``.
    """

    down: Tensor
    down_bias: Tensor
    up: Tensor
    up_bias: Tensor


class TaskAdapters(Sharing):
    r"""A small network for each task after each layer of a shared encoder (Houlsby et al., 2019).

    .. math:: \tilde h_l^{(k)} = h_l^{(k)} + W_{k, l}^{\uparrow}\,
        \phi(W_{k, l}^{\downarrow}\, h_l^{(k)} + b_{k, l}^{\downarrow}) + b_{k, l}^{\uparrow},
        \qquad h_l^{(k)} = f_l(\tilde h_{l - 1}^{(k)})

    The upper matrices start at 0, so that at first every task reads what the encoder says. The
    encoder is trained too, by all tasks; to train adapters alone, as Houlsby et al. do, call
    ``encoder.freeze()`` before. They have two adapters inside each layer of a Transformer; here
    there is one after each layer of whatever encoder (Bapna & Firat, 2019).

    From the first adapter on, states differ from task to task, so the layers above are run for
    each: at once, with the adapters of all tasks side by side. :meth:`encode` reads a batch whose
    texts belong to different tasks.

    Args:
        encoder: The shared encoder; copied, it stays as it is.
        tasks: Names of the tasks.
        bottleneck: Size in between, R.
        activation: ``"relu"`` or ``"gelu"``.

    Attributes:
        width: Size of a hidden state, D.
        task_names: Names of the tasks.

    Raises:
        ValueError: If the encoder has no layers, there is no task, two have the same name, a name
            is not fit for a module, R is below 1, or there is no such activation.
        TypeError: If ``encoder`` is no encoder or cannot be cut between its layers, or a setting
            is of another type.
    """

    task_names: list[str]

    def __init__(
        self,
        encoder: Encoder,
        tasks: Sequence[str],
        bottleneck: int = 64,
        *,
        activation: str = "gelu",
    ) -> None:
        super().__init__()
        self._take(encoder, tasks, bottleneck, activation)
        number = len(self.layers)
        self.adapters = as_module_dict(
            {
                task: torch_nn.ModuleList(_Adapter(self.width, bottleneck) for _ in range(number))
                for task in self.task_names
            }
        )

    def _take(
        self, encoder: Encoder, tasks: Sequence[str], bottleneck: int, activation: str
    ) -> None:
        check_sizes(bottleneck=bottleneck)
        check_choice("activation", activation, ACTIVATIONS)
        self.embeddings, layers = taken_apart("encoder", encoder)
        self.layers = torch_nn.ModuleList(layers)
        self.width, self.bottleneck, self.activation = encoder.width, bottleneck, activation
        self.task_names = named(tasks)

    def adapter_weights(self, tasks: Sequence[str], place: int) -> AdapterWeights:
        """Return the adapters of some tasks after one layer.

        Args:
            tasks: Names of the tasks, G of them.
            place: The layer, from 0.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(*tasks)
        chosen = [self.adapters[task][place] for task in tasks]  # type: ignore[index]
        return AdapterWeights(
            torch.stack([adapter.down.weight.T for adapter in chosen]),
            torch.stack([adapter.down.bias for adapter in chosen]).unsqueeze(1),
            torch.stack([adapter.up.weight.T for adapter in chosen]),
            torch.stack([adapter.up.bias for adapter in chosen]).unsqueeze(1),
        )

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run the first layer once, and those above once with a copy of the batch for each task.

        Args:
            batch: The batch.
            tasks: Names of the tasks.

        Returns:
            Hidden states ``[B, T, D]`` by task; no features, since tasks share what lies above the
            lowest adapters too.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(*tasks)
        names, mask = list(tasks), batch.inputs.mask
        if not names:
            return Shared({}, None, next(self.parameters()).new_zeros(()))
        hidden: Tensor = self.embeddings(batch.inputs)
        size = hidden.shape
        for place, layer in enumerate(self.layers):
            copies = 1 if place == 0 else len(names)
            hidden = layer(hidden, mask.repeat(copies, 1))  # [K B, T, D]
            groups = hidden.unflatten(0, (copies, size[0])).expand(len(names), *size)
            weights = self.adapter_weights(names, place)
            hidden = self._adapted(groups.flatten(1, 2), weights).view(-1, *size[1:])
        found = hidden.view(len(names), *size)
        return Shared(dict(zip(names, found, strict=True)), None, hidden.new_zeros(()))

    def encode(self, inputs: Inputs, tasks: Sequence[str]) -> Tensor:
        """Read texts that belong to different tasks, in one pass.

        Args:
            inputs: B texts of at most T tokens.
            tasks: For each text the name of its task.

        Returns:
            Hidden states ``[B, T, D]``, those of each text with the adapters of its task.

        Raises:
            KeyError: If there is no such task.
            ValueError: If there are not as many names as texts.
            TypeError: If they are no :class:`mtl_utils.data.Inputs`, or no names.
        """
        names, index = rows_of_tasks(inputs, tasks, self.task_names)
        return self.encode_chosen(inputs, names, index)

    def encode_chosen(self, inputs: Inputs, tasks: Sequence[str], index: Tensor) -> Tensor:
        """Read texts whose tasks are told by number, as :meth:`encode` does.

        Args:
            inputs: B texts of at most T tokens.
            tasks: Names of tasks, G of them.
            index: For each text the place of its task among them ``[B]``.

        Returns:
            Hidden states ``[B, T, D]``.

        Raises:
            KeyError: If there is no such task.
        """
        hidden: Tensor = self.embeddings(inputs)
        if not tasks:  # of no texts
            return hidden
        for place, layer in enumerate(self.layers):
            of_tasks = self.adapter_weights(tasks, place)
            of_rows = AdapterWeights(*(weights.index_select(0, index) for weights in of_tasks))
            hidden = self._adapted(layer(hidden, inputs.mask), of_rows)
        return hidden

    def _adapted(self, hidden: Tensor, weights: AdapterWeights) -> Tensor:
        """Let G adapters read their states ``[G, N, D]``."""
        inner = torch.baddbmm(weights.down_bias, hidden, weights.down)
        added = torch.baddbmm(weights.up_bias, ACTIVATIONS[self.activation](inner), weights.up)
        return hidden + added

    def causal(self, task: str) -> bool:
        """Tell whether the encoder reads from left to right only.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(task)
        return is_causal(self.embeddings, *self.layers)

    def _uses(self) -> Iterator[Used]:
        yield self.embeddings, None
        yield self.layers, None
        for task, adapters in self.adapters.items():
            yield adapters, [task]

    def extra_repr(self) -> str:
        """Say for whom and how wide the adapters are."""
        return f"tasks={self.task_names}, bottleneck={self.bottleneck}"


class _Adapter(torch_nn.Module):
    """The weights of one adapter, which adds nothing until it has learnt."""

    def __init__(self, width: int, bottleneck: int) -> None:
        super().__init__()
        self.down = torch_nn.Linear(width, bottleneck)
        self.up = torch_nn.Linear(bottleneck, width)
        torch_nn.init.zeros_(self.up.weight)
        torch_nn.init.zeros_(self.up.bias)


def rows_of_tasks(
    inputs: Inputs, tasks: Sequence[str], known: Sequence[str]
) -> tuple[list[str], Tensor]:
    """Return the tasks of the texts of a batch.

    Args:
        inputs: B texts.
        tasks: For each text the name of its task.
        known: Names of the tasks that there are.

    Returns:
        The names, each once, and for each text the place of its task among them ``[B]``.

    Raises:
        KeyError: If there is no such task.
        ValueError: If there are not as many names as texts.
        TypeError: If they are no inputs, or no names.
    """
    check_inputs(inputs)
    check_several("tasks", tasks, "names, one a text")
    if len(tasks) != len(inputs.mask):
        raise ValueError(
            f"tasks must be {len(inputs.mask)} names, one for each text, got {list(tasks)!r:.60}"
        )
    for task in tasks:
        check_known(task, known)
    names = list(dict.fromkeys(tasks))
    places = [names.index(task) for task in tasks]
    return names, torch.tensor(places, dtype=torch.long, device=inputs.mask.device)
