"""Hierarchies: tasks that need less look at lower layers, and those above build on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_flag, check_names, check_number, check_whole
from mtl_utils.data.batch import Batch
from mtl_utils.nn.encoder import Encoder
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.ownership import Used, is_causal, taken_apart

_ANCHOR = "anchor_"


class HierarchicalSharing(Sharing):
    r"""Each task reads the states of a layer of its own choice (Søgaard & Goldberg, 2016).

    .. math:: h^{(0)} = e(x), \qquad h^{(l)} = f_l(h^{(l - 1)} + U_l\, h^{(0)}), \qquad
        h^{(k)} = h^{(d_k)}

    for a task k of depth :math:`d_k`. Its loss moves the layers up to there and none above, so a
    part-of-speech tagger at a low layer shapes what a parser above it reads. With all tasks at the
    last layer this is :class:`HardSharing`. A layer that only one task reaches belongs to that
    task; layers above the deepest task are left out.

    With ``shortcuts`` the layers above a task read the embeddings again, beside the states (Sanh et
    al., 2019): what a lower task had no use for is not lost to those above. Sanh et al. put both
    side by side, so that a layer has weights of its own for either; the sum is a little less.
    :math:`U_l` starts at 0, so at first nothing is different; without shortcuts it is not there.

    With successive regularisation (Hashimoto et al., 2017) the shared parameters are held near
    :math:`\theta'`, where they were when :meth:`remember` was called last, so that a task does not
    make others be forgotten:

    .. math:: \Omega = \delta \sum_i (\theta_i - \theta'_i)^2

    :class:`mtl_utils.training.Trainer` has them remembered at the end of each epoch, so that an
    epoch does not undo what the one before has learnt. Hashimoto et al. train the tasks in turn and
    remember after each: in a loop of one's own, call it there. They also feed predicted labels
    upwards, which is not done here: the labels are the business of the heads.

    States between the layers of a Transformer that normalises first are not normalised; its last
    layer has the only normalisation of what is returned.

    Args:
        encoder: Copied; it stays as it is.
        depth: Of each task the layer that it reads: 1 for the lowest, the number of layers for the
            last, 0 for the embeddings.
        shortcuts: Whether layers above a task, other than one of depth 0, read the embeddings too.
        successive_strength: :math:`\delta`.

    Attributes:
        depth: The layers by task.

    Raises:
        ValueError: If there is no task, the encoder has not as many layers, or none, or the
            strength is negative.
        TypeError: If ``encoder`` is no encoder or cannot be cut between its layers, ``depth`` is no
            mapping of names to whole numbers, or a setting is of another type.
    """

    def __init__(
        self,
        encoder: Encoder,
        depth: Mapping[str, int],
        *,
        shortcuts: bool = False,
        successive_strength: float = 0.0,
    ) -> None:
        super().__init__()
        check_flag("shortcuts", shortcuts)
        check_number("successive_strength", successive_strength, least=0)
        self.embeddings, layers = taken_apart("encoder", encoder)
        check_names("depth", depth, "a layer for each name of a task")
        if not depth:
            raise ValueError(f"depth must have a layer for at least one task, got {depth!r}")
        for task, layer in depth.items():
            check_whole(f"depth[{task!r}]", layer, least=0, most=len(layers))
        self.depth, self.width, self.task_names = dict(depth), encoder.width, list(depth)
        self.layers = torch_nn.ModuleList(layers[: max(depth.values())])
        places = [str(place) for place in sorted({*depth.values()}) if 0 < place < len(self.layers)]
        self.shortcuts = torch_nn.ModuleDict(
            {place: _silent(encoder.width) for place in places} if shortcuts else {}
        )
        self.successive_strength = successive_strength
        if successive_strength > 0:
            for number, parameter in enumerate(self.shared_parameters()):
                self.register_buffer(f"{_ANCHOR}{number}", parameter.detach().clone())

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run the layers up to the deepest of the tasks.

        Args:
            batch: The batch.
            tasks: Names of the tasks.

        Returns:
            Hidden states ``[B, T, D]`` by task. The features are the states of the lowest task,
            where all that tasks share lies below them; otherwise there are none.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(*tasks)
        lowest = min(self.depth.values())
        deepest = max([lowest, *(self.depth[task] for task in tasks)])
        states = self._states(batch, deepest)
        features = states[lowest] if self._has_features() else None
        return Shared({task: states[self.depth[task]] for task in tasks}, features, self.drift())

    def _states(self, batch: Batch, deepest: int) -> list[Tensor]:
        """Return the states ``[B, T, D]`` of the embeddings and of each layer up to one."""
        states = [self.embeddings(batch.inputs)]
        for place, layer in enumerate(self.layers[:deepest]):
            read = states[-1]
            if str(place) in self.shortcuts:
                read = read + self.shortcuts[str(place)](states[0])
            states.append(layer(read, batch.inputs.mask))
        return states

    def _has_features(self) -> bool:
        """Whether the states of the lowest task are between all losses and all that is shared."""
        lowest = min(self.depth.values())
        return not self.shortcuts and sum(d > lowest for d in self.depth.values()) <= 1

    def drift(self) -> Tensor:
        r"""Return the penalty :math:`\Omega`, a scalar; 0 without successive regularisation."""
        total = next(self.parameters()).new_zeros(())
        if self.successive_strength == 0:
            return total
        for number, parameter in enumerate(self.shared_parameters()):
            anchor = self.get_buffer(f"{_ANCHOR}{number}")
            total = total + (parameter - anchor).square().sum()
        return self.successive_strength * total

    @torch.no_grad()
    def remember(self) -> None:
        """Hold the shared parameters near where they are now, instead of where they were before.

        Raises:
            ValueError: If there is no successive regularisation.
        """
        if self.successive_strength == 0:
            raise ValueError(
                "There is nothing to remember for: successive_strength is 0; make "
                "HierarchicalSharing with a greater one"
            )
        for number, parameter in enumerate(self.shared_parameters()):
            self.get_buffer(f"{_ANCHOR}{number}").copy_(parameter)

    @torch.no_grad()
    def hand_on(self, made: Sharing) -> None:
        """Hold weights where they were held; what comes to be shared, where it is.

        Args:
            made: See :meth:`Sharing.hand_on`.
        """
        if self.successive_strength == 0:
            return
        names = {id(parameter): name for name, parameter in self.named_parameters()}
        anchors = {
            names[id(parameter)]: self.get_buffer(f"{_ANCHOR}{number}")
            for number, parameter in enumerate(self.shared_parameters())
        }
        names = {id(parameter): name for name, parameter in made.named_parameters()}
        for number, parameter in enumerate(made.shared_parameters()):
            anchor = made.get_buffer(f"{_ANCHOR}{number}")
            anchor.data = anchors.get(names[id(parameter)], parameter).detach().clone()

    def epoch_ended(self) -> None:
        """Remember, if there is successive regularisation; see :meth:`Sharing.epoch_ended`."""
        if self.successive_strength > 0:
            self.remember()

    def causal(self, task: str) -> bool:
        """Tell whether the layers up to that of a task read from left to right only.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(task)
        return is_causal(self.embeddings, *self.layers[: self.depth[task]])

    def _uses(self) -> Iterator[Used]:
        yield self.embeddings, None
        for place, layer in enumerate(self.layers):
            above = [task for task, depth in self.depth.items() if depth > place]
            yield layer, above
            if str(place) in self.shortcuts:
                yield self.shortcuts[str(place)], above

    def extra_repr(self) -> str:
        """Say which layer each task reads."""
        return f"depth={self.depth}, successive_strength={self.successive_strength}"


def _silent(width: int) -> torch_nn.Linear:
    """Make a linear map that gives zeros until it has learnt."""
    linear = torch_nn.Linear(width, width, bias=False)
    torch_nn.init.zeros_(linear.weight)
    return linear
