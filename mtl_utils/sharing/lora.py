"""Low-rank adaptation: to the matrices of a shared encoder each task adds one of small rank."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.func import functional_call

from mtl_utils.arguments import check_number, check_whole
from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.nn.cached import CachedEncoder
from mtl_utils.nn.encoder import Encoder, check_encoder
from mtl_utils.sharing.adapters import rows_of_tasks
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.mixed_rows import Additions, read_mixed
from mtl_utils.sharing.ownership import Used
from mtl_utils.sharing.per_task import as_module_dict, named


class TaskLoRA(Sharing):
    r"""To matrices of a shared encoder each task adds one of rank R (Hu et al., 2022).

    .. math:: W^{(k)} = W + \frac{\alpha}{R}\, B^{(k)} A^{(k)}, \qquad
        A^{(k)} \in \mathbb{R}^{R \times n}, \quad B^{(k)} \in \mathbb{R}^{m \times R}

    B starts at 0, so that at first every task reads what the encoder says; with rank 0 it stays so.
    The encoder is trained too, by all tasks; to train the additions alone, as Hu et al. do, call
    ``encoder.freeze()`` before. Any matrix can be added to, in whatever encoder; the matrix is made
    before the encoder is run, so that a step costs no more the longer the texts are, and
    :meth:`merged` gives an encoder that costs nothing more at all.

    The encoder is run once for each task; :meth:`encode` reads a batch whose texts belong to
    different tasks: in one pass where all that is added to are linear layers, as in a Transformer,
    and the texts of each task by themselves elsewhere.

    Args:
        encoder: The shared encoder.
        tasks: Names of the tasks.
        rank: R; 0 for nothing.
        alpha: :math:`\alpha`, by which the step of the additions does not depend on the rank.
        on: Names of what is added to: of parameters that are matrices, or of modules that have
            some, in full or a part of the path to it: ``["query", "value"]`` for the attention of
            BERT, ``["lstm"]`` for all matrices of a :class:`mtl_utils.nn.BiLSTMEncoder`. All but
            embeddings if ``None``.

    Attributes:
        width: Size of a hidden state, D.
        task_names: Names of the tasks.
        adapted: Names of the matrices that are added to.

    Raises:
        ValueError: If there is no task, two have the same name, a name is not fit for a module, a
            name of ``on`` is that of no matrix, ``rank`` is negative, or ``alpha`` not above 0.
        TypeError: If ``encoder`` is no encoder, or one that remembers its states, or a setting is
            of another type.
    """

    task_names: list[str]

    def __init__(
        self,
        encoder: Encoder,
        tasks: Sequence[str],
        rank: int = 8,
        alpha: float = 16.0,
        *,
        on: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        check_encoder("encoder", encoder)
        if isinstance(encoder, CachedEncoder):
            raise TypeError(
                "encoder must be one whose weights may change; a CachedEncoder remembers its "
                "states. Give the encoder in it: cached.encoder."
            )
        check_whole("rank", rank, least=0)
        check_number("alpha", alpha, above=0)
        self.encoder, self.width, self.rank, self.alpha = encoder, encoder.width, rank, alpha
        self.task_names = named(tasks)
        self.adapted = _adapted_names(encoder, on)
        self._linear = all(_is_linear(encoder, name) for name in self._holders)
        matrices = [encoder.get_parameter(name) for name in self.adapted]
        self.additions = as_module_dict(
            {task: _Factors(matrices, rank) for task in self.task_names}
        )

    @property
    def _holders(self) -> dict[str, int]:
        """For each name of a matrix that is added to, of which there may be several, its place."""
        of = _matrices(self.encoder)
        return {name: self.adapted.index(of[name]) for name in of if of[name] in self.adapted}

    def addition(self, task: str) -> dict[str, Tensor]:
        r"""Return what a task adds, :math:`\frac{\alpha}{R} B A`.

        Args:
            task: Name of the task.

        Returns:
            By name of the matrix.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(task)
        factors = self.additions[task]
        assert isinstance(factors, _Factors)
        scale = self.alpha / self.rank if self.rank else 0.0
        pairs = zip(factors.outer, factors.inner, strict=True)
        products = [scale * (outer @ inner) for outer, inner in pairs]
        return dict(zip(self.adapted, products, strict=True))

    def _weights(self, task: str) -> dict[str, Tensor]:
        added = self.addition(task)
        return {name: self.encoder.get_parameter(name) + more for name, more in added.items()}

    def _states(self, inputs: Inputs, task: str) -> Tensor:
        hidden: Tensor = functional_call(self.encoder, self._weights(task), (inputs,))
        return hidden

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run the encoder once for each task, with its matrices.

        Args:
            batch: The batch.
            tasks: Names of the tasks.

        Returns:
            Hidden states ``[B, T, D]`` by task; no features.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(*tasks)
        hidden = {task: self._states(batch.inputs, task) for task in tasks}
        return Shared(hidden, None, next(self.parameters()).new_zeros(()))

    def encode(self, inputs: Inputs, tasks: Sequence[str]) -> Tensor:
        """Read texts that belong to different tasks, each once.

        Args:
            inputs: B texts of at most T tokens.
            tasks: For each text the name of its task.

        Returns:
            Hidden states ``[B, T, D]``, those of each text with the matrices of its task.

        Raises:
            KeyError: If there is no such task.
            ValueError: If there are not as many names as texts.
            TypeError: If they are no :class:`mtl_utils.data.Inputs`, or no names.
        """
        names, index = rows_of_tasks(inputs, tasks, self.task_names)
        if not names:  # of no texts
            return self.encoder(inputs)
        if self._linear:
            together = read_mixed(self.encoder, self._side_by_side(names), inputs, index)
            if together is not None:
                return together
        rows = [(index == place).nonzero().squeeze(1) for place in range(len(names))]
        parts = [
            self._states(inputs.rows(chosen), name)
            for name, chosen in zip(names, rows, strict=True)
        ]
        return torch.cat(parts)[torch.cat(rows).argsort()]

    def _side_by_side(self, names: Sequence[str]) -> dict[str, Additions]:
        """Return the factors of some tasks, by name of the linear layer."""
        scale = self.alpha / self.rank if self.rank else 0.0
        chosen = [self.additions[name] for name in names]
        found = {}
        for name, place in self._holders.items():
            inner = torch.cat([factors.inner[place] for factors in chosen])  # type: ignore[index]
            outer = torch.cat([factors.outer[place] for factors in chosen], 1)  # type: ignore[index]
            found[name.removesuffix(".weight")] = Additions(inner, scale * outer)
        return found

    @torch.no_grad()
    def merged(self, task: str) -> Encoder:
        """Return the encoder of a task, with what it adds in its matrices.

        Args:
            task: Name of the task.

        Returns:
            A copy, which costs what the encoder costs.

        Raises:
            KeyError: If there is no such task.
        """
        weights = self._weights(task)
        encoder = copy.deepcopy(self.encoder)
        for name, weight in weights.items():
            encoder.get_parameter(name).copy_(weight)
        return encoder

    def causal(self, task: str) -> bool:
        """Tell whether the encoder reads from left to right only.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(task)
        return self.encoder.causal

    def _uses(self) -> Iterator[Used]:
        yield self.encoder, None
        for task, factors in self.additions.items():
            yield factors, [task]

    def extra_repr(self) -> str:
        """Say for whom, of which rank and where."""
        return f"tasks={self.task_names}, rank={self.rank}, alpha={self.alpha}"


class _Factors(torch_nn.Module):
    """What a task adds to each of some matrices, in factors."""

    def __init__(self, matrices: Iterable[Tensor], rank: int) -> None:
        super().__init__()
        self.inner, self.outer = torch_nn.ParameterList(), torch_nn.ParameterList()
        for matrix in matrices:
            rows, columns = matrix.shape
            bound = 1 / math.sqrt(columns)  # as peft has it
            drawn = matrix.detach().new_empty(rank, columns).uniform_(-bound, bound)
            self.inner.append(torch_nn.Parameter(drawn))
            self.outer.append(torch_nn.Parameter(matrix.detach().new_zeros(rows, rank)))


def _is_linear(encoder: Encoder, name: str) -> bool:
    path, _, last = name.rpartition(".")
    return type(encoder.get_submodule(path)) is torch_nn.Linear and last == "weight"


def _matrices(encoder: Encoder) -> dict[str, str]:
    """Return by name of a matrix, of which several modules may have the same, its first name."""
    modules = dict(encoder.named_modules())
    tables = [m for m in modules.values() if isinstance(m, torch_nn.Embedding)]
    left_out = {id(parameter) for table in tables for parameter in table.parameters()}
    first: dict[int, str] = {}
    found = {}
    for path, module in modules.items():
        for last, parameter in module.named_parameters(recurse=False):
            name = f"{path}.{last}" if path else last
            if parameter.dim() == 2 and id(parameter) not in left_out:
                found[name] = first.setdefault(id(parameter), name)
    return found


def _adapted_names(encoder: Encoder, on: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the matrices that are meant."""
    matrices = _matrices(encoder)
    if on is None:
        if not matrices:
            raise ValueError(f"encoder must have matrices, and a {type(encoder).__name__} has none")
        return tuple(dict.fromkeys(matrices.values()))
    if (
        isinstance(on, str)
        or not isinstance(on, Sequence)
        or not all(isinstance(name, str) for name in on)
    ):
        raise TypeError(f"on must be names of matrices or modules in a list, got {on!r:.60}")
    if not on:
        raise ValueError(f"on must be at least one name of a matrix or module, got {on!r}")
    found: dict[str, None] = {}
    for meant in on:
        those = [first for name, first in matrices.items() if f".{meant}." in f".{name}."]
        if not those or not meant:
            raise ValueError(
                f"on must be names of matrices or of modules that have some, got {meant!r}; the "
                f"encoder has {list(matrices)!r:.300}"
            )
        found |= dict.fromkeys(those)
    return tuple(found)
