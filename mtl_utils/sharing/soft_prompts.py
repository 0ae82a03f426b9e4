"""Soft prompts: vectors in front of a text, learnt for a task while the encoder stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_flag, check_seed, check_sizes
from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.nn.encoder import Encoder
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.ownership import Used, is_causal, taken_apart
from mtl_utils.sharing.per_task import named


class SoftPrompts(Sharing):
    r"""Vectors in front of every text, one set for each task (Lester et al., 2021).

    Each text is read with P further tokens before it, whose embeddings are replaced by the prompt
    of the task; their states are cut off again above. Freeze the encoder before, with
    ``encoder.freeze()``, and prompts and heads are all that learns. The vectors stand for what the
    embeddings return, positions and normalisation included where these belong to it.

    With ``shared`` they are those of multi-task prompt tuning (Wang et al., 2023): one prompt
    :math:`P^*` for all tasks, and a matrix of rank one for each that it is multiplied by, entry by
    entry, :math:`P_k = P^* \circ u_k v_k^\top`; P + D numbers a task in place of P D. Both vectors
    begin at 1, so that at first all tasks have the same prompt. Wang et al. distil it from prompts
    that were learnt for each task; here all tasks learn it together.

    Args:
        encoder: The encoder; copied, it stays as it is.
        tasks: Names of the tasks.
        length: Number of vectors of a prompt, P.
        shared: Whether prompts are one prompt times a matrix of rank one each.
        seed: Of the tokens whose embeddings the vectors begin as.

    Attributes:
        width: Size of a hidden state, D.
        task_names: Names of the tasks.
        max_length: The longest text that can be read, in tokens: P less than by the encoder.

    Raises:
        ValueError: If the encoder has no layers or reads no more than P tokens, there is no task,
            two have the same name, P is below 1, or the seed is negative.
        TypeError: If ``encoder`` is no encoder, cannot be cut between its layers or has no
            ``vocab_size``, or a setting is of another type.
    """

    task_names: list[str]

    def __init__(
        self,
        encoder: Encoder,
        tasks: Sequence[str],
        length: int = 10,
        *,
        shared: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_sizes(length=length)
        check_flag("shared", shared)
        check_seed("seed", seed)
        self.embeddings, layers = taken_apart("encoder", encoder)
        self.layers = torch_nn.ModuleList(layers)
        self.width, self.length, self.shared = encoder.width, length, shared
        longest = encoder.max_length
        if longest is not None and longest <= length:
            raise ValueError(f"length must be below the {longest} that are read, got {length}")
        self.max_length = None if longest is None else longest - length
        self.task_names = named(tasks)
        first = self._first(seed)  # [P, D]
        if shared:
            self.prompt = torch_nn.Parameter(first)
            self.columns = torch_nn.ParameterDict(
                {task: torch.ones(length, 1) for task in self.task_names}
            )
            self.rows = torch_nn.ParameterDict(
                {task: torch.ones(1, first.shape[1]) for task in self.task_names}
            )
        else:
            self.prompts = torch_nn.ParameterDict({task: first.clone() for task in self.task_names})

    @torch.no_grad()
    def _first(self, seed: int) -> Tensor:
        """Return the embeddings of P tokens of the vocabulary, which a prompt begins as."""
        generator = torch.Generator().manual_seed(seed)
        size = getattr(self.embeddings, "vocab_size", None)
        if not isinstance(size, int):
            raise TypeError(
                f"encoder must say how many tokens it knows, by vocab_size, since prompts begin as "
                f"tokens; got {type(self.embeddings).__name__}"
            )
        ids = torch.randint(size, (1, self.length), generator=generator)
        mask = torch.ones_like(ids, dtype=torch.bool)
        device = next(self.embeddings.parameters()).device
        # Where the language is read, prompts begin as tokens of the first.
        tokens = Inputs(ids, mask, language_ids=torch.zeros(1, dtype=torch.long)).to(device)
        with evaluation_mode(self.embeddings):
            first: Tensor = self.embeddings(tokens)[0]
        return first.clone()

    def prompt_of(self, task: str) -> Tensor:
        """Return the prompt of a task ``[P, D]``.

        Args:
            task: Name of the task.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(task)
        if not self.shared:
            return self.prompts[task]
        return self.prompt * (self.columns[task] @ self.rows[task])

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Read a batch once for each task, with its prompt in front.

        Args:
            batch: The batch.
            tasks: Names of the tasks.

        Returns:
            Hidden states of the texts ``[B, T, D]`` by task; no features, since the prompts are
            below everything that tasks share.

        Raises:
            KeyError: If there is no such task.
        """
        self._check_known(*tasks)
        zero = next(self.parameters()).new_zeros(())
        if not tasks:
            return Shared({}, None, zero)
        inputs = self._lengthened(batch.inputs)
        texts: Tensor = self.embeddings(inputs)[:, self.length :]  # [B, T, E]
        size = texts.shape[0]  # and not its length, which a tracer takes for a constant
        prompts = [self.prompt_of(task).expand(size, -1, -1) for task in tasks]
        hidden = torch.cat([torch.cat([prompt, texts], dim=1) for prompt in prompts])
        mask = inputs.mask.repeat(len(tasks), 1)
        for layer in self.layers:
            hidden = layer(hidden, mask)  # [K B, P + T, D]
        found = hidden[:, self.length :].unflatten(0, (len(tasks), size))
        return Shared(dict(zip(tasks, found, strict=True)), None, zero)

    def _lengthened(self, inputs: Inputs) -> Inputs:
        """Return the texts with P tokens before each, whose embeddings nobody reads."""
        ids = inputs.input_ids.new_zeros(inputs.input_ids.shape[0], self.length)
        segments = inputs.segment_ids
        return replace(
            inputs,
            input_ids=torch.cat([ids, inputs.input_ids], dim=1),
            mask=torch.cat([torch.ones_like(ids, dtype=torch.bool), inputs.mask], dim=1),
            segment_ids=None if segments is None else torch.cat([ids, segments], dim=1),
            character_ids=None,
            first_pieces=None,
        )

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
        if self.shared:
            yield self.prompt, None
        for task in self.task_names:
            if self.shared:
                yield self.columns[task], [task]
                yield self.rows[task], [task]
            else:
                yield self.prompts[task], [task]

    def extra_repr(self) -> str:
        """Say for whom and how long the prompts are."""
        return f"tasks={self.task_names}, length={self.length}, shared={self.shared}"
