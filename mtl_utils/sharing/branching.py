"""Branching: the lower layers are shared, and above them each task has its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence

from mtl_utils.data.batch import Batch
from mtl_utils.nn.encoder import Encoder, EncoderLayers, check_encoder
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.ownership import Used
from mtl_utils.sharing.per_task import PerTask, check_names


class BranchedSharing(Sharing):
    r"""Hard sharing up to some layer (Vandenhende et al., 2020).

    .. math:: h^{(k)} = b_k(f_s(x))

    The trunk :math:`f_s` is run once a batch, each branch :math:`b_k` once a task. Where to branch
    trades parameters and time for freedom: with branches that have no layers this is
    :class:`HardSharing`, with a trunk of embeddings alone tasks have nothing else in common.

    Args:
        trunk: What all tasks share; it owns the embeddings.
        branches: What each task has above it, by name; of one width.

    Raises:
        ValueError: If there is no branch, a name is not fit for a module, widths of the branches
            differ, or two tasks were given the same branch.
        TypeError: If ``trunk`` is no encoder, or ``branches`` no mapping of layers.
    """

    def __init__(self, trunk: Encoder, branches: Mapping[str, EncoderLayers]) -> None:
        super().__init__()
        check_encoder("trunk", trunk)
        self.trunk = trunk
        self.branches = PerTask(branches, "branch")
        self.width, self.task_names = self.branches.width, self.branches.task_names

    @classmethod
    def from_encoder(
        cls, encoder: Encoder, tasks: Sequence[str], num_shared_layers: int
    ) -> BranchedSharing:
        """Cut an encoder, and give each task a copy of what is above the cut.

        Args:
            encoder: Copied; it stays as it is. All branches begin with its weights.
            tasks: Names of the tasks.
            num_shared_layers: How many layers to share above the embeddings, which always are.

        Raises:
            ValueError: If the encoder has not as many layers, or the names are refused.
            TypeError: If the encoder cannot be cut, or a single string was given for several names.
        """
        names = check_names(tasks)
        trunk, branch = encoder.cut(num_shared_layers)
        return cls(trunk, {name: copy.deepcopy(branch) for name in names})

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run the trunk once, and the branch of each task.

        Args:
            batch: The batch.
            tasks: Names of the tasks.

        Returns:
            Hidden states ``[B, T, D]`` by task. The features are the states of the trunk.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(*tasks)
        features = self.trunk(batch.inputs)
        hidden = {task: self.branches[task](features, batch.inputs.mask) for task in tasks}
        return Shared(hidden, features, features.new_zeros(()))

    def causal(self, task: str) -> bool:
        """Tell whether trunk and branch both read from left to right only.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        return self.branches.causal(task) and self.trunk.causal

    def _uses(self) -> Iterator[Used]:
        yield self.trunk, None
        for task, branch in self.branches.items():
            yield branch, [task]
