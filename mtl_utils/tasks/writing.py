"""Heads that write text: teacher forcing, the loss and the search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import (
    check_kind,
    check_sizes,
)
from mtl_utils.data.batch import Batch
from mtl_utils.data.encoded_text import EncodedText
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.nn.decoder import AttentionDecoder, Decoder, shift_right
from mtl_utils.nn.decoding import Step
from mtl_utils.nn.search import Hypothesis, beam_search, greedy_search
from mtl_utils.objectives.projection import computes_as, projected_loss
from mtl_utils.objectives.scales import Scale, scaled_loss
from mtl_utils.tasks.base import Head
from mtl_utils.tasks.text_task import Row, TextTask

MakeDecoder = Callable[[int, int], Decoder]
"""``make(vocab_size, memory_width)``: a decoder of a vocabulary that reads states of a size."""


class WritingTask(TextTask):
    """A task whose label is a text to be written; :class:`Translation` is one.

    A label is the text as ids that end in ``<eos>``; see :meth:`label`. What its attributes mean is
    said there.
    """

    name: str
    tokenizer: Tokenizer
    width: int | None
    embedding_width: int | None
    dropout: float
    smoothing: float
    beam_size: int
    length_penalty: float
    max_length: int
    attention: bool
    own_decoder: bool
    decoder: MakeDecoder | None
    scale: Scale
    by_reference = True
    label_field = "written"

    def label(self, text: str) -> list[int]:
        """Return the label of a target sentence.

        Args:
            text: The target sentence.

        Returns:
            Its ids and that of ``<eos>``.

        Raises:
            TypeError: If it is no string.
        """
        return [*self.tokenizer.encode(text), self.tokenizer.eos_id]

    def target(self, row: Row, encoded: EncodedText) -> list[int] | None:
        """Return the label of a row; of several references that of the first.

        Args:
            row: The row.
            encoded: What became of its source sentence.

        Raises:
            TypeError: If the target sentence is no string.
        """
        text = self.reference(row)
        if text is None or isinstance(text, str):
            return None if text is None else self.label(text)
        return self.label(text[0]) if len(text) else None

    def named(self, predictions: Sequence[Sequence[int]]) -> list[str]:
        """Return translations as text.

        Args:
            predictions: Token ids, row by row.
        """
        return [self.tokenizer.decode(ids) for ids in predictions]

    def head(self, width: int) -> WritingHead:
        """Make a new decoder, or a new output layer.

        Args:
            width: Size of the encoder's states, or of the decoder's, D.

        Raises:
            TypeError: If it is no whole number.
            ValueError: If it is below 1.
        """
        return TranslationHead(self, width) if self.own_decoder else TranslationOutput(self, width)


class WritingHead(Head):
    """What heads that write have in common: teacher forcing, the loss and the search.

    Args:
        task: The task.

    Raises:
        TypeError: If the task is of another class.
    """

    def __init__(self, task: WritingTask) -> None:
        check_kind("task", task, WritingTask, "a Translation")
        super().__init__(task.name)
        self.settings, self.scale = task, task.scale

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the loss on the scale of the task, label-smoothed only while training.

        Args:
            outputs: Logits ``[B, U, V]``.
            batch: Holds the target sentences.
        """
        smoothing = self.settings.smoothing if self.training else 0.0
        return scaled_loss(outputs, batch.labels[self.task], self.scale, smoothing)

    def _projected(self, hidden: Tensor, output: torch_nn.Module, labels: Tensor) -> Tensor:
        """Return the loss from what an output layer reads ``[B, U, D]``."""
        smoothing = self.settings.smoothing if self.training else 0.0
        return projected_loss(hidden, output, labels, self.scale, smoothing)

    def compare(self, hidden: Tensor, batch: Batch) -> list[tuple[Any, Any] | None]:
        """Refuse: text is measured as text.

        Args:
            hidden: Hidden states.
            batch: What they were computed from.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            f"{type(self).__name__} writes text, which is measured as text, not against ids; use "
            f"predict and the metrics of {self.task!r}"
        )

    def write(
        self,
        step: Step,
        state: Any,
        first_ids: Tensor,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        max_length: int | None = None,
    ) -> list[list[Hypothesis]]:
        """Search for target sentences.

        Args:
            step: ``step(input_ids [N, 1], state) -> (logits [N, 1, V], state)``.
            state: The state before the first token.
            first_ids: ``<bos>`` for each row ``[B]``.
            beam_size: As in the task if ``None``; 1 searches greedily.
            length_penalty: As in the task if ``None``.
            max_length: As in the task if ``None``.

        Returns:
            For each row at most ``beam_size`` hypotheses, best first.
        """
        task, tokenizer = self.settings, self.settings.tokenizer
        beam_size = task.beam_size if beam_size is None else beam_size
        limits: dict[str, Any] = {
            "eos_id": tokenizer.eos_id,
            "max_length": task.max_length if max_length is None else max_length,
            # A pretrained tokenizer may have one token for all three, which is then the end.
            "forbidden_ids": {tokenizer.pad_id, tokenizer.bos_id} - {tokenizer.eos_id},
        }
        if beam_size == 1:
            return [[found] for found in greedy_search(step, state, first_ids, **limits)]
        penalty = task.length_penalty if length_penalty is None else length_penalty
        return beam_search(
            step, state, first_ids, beam_size=beam_size, length_penalty=penalty, **limits
        )


class TranslationHead(WritingHead):
    """A decoder of its own that attends to the encoder's states.

    Args:
        task: The task.
        memory_width: Size of the encoder's states, D.

    Raises:
        TypeError: If the task is of another class, or the width no whole number.
        ValueError: If the width is below 1.
    """

    def __init__(self, task: WritingTask, memory_width: int) -> None:
        super().__init__(task)
        check_sizes(memory_width=memory_width)
        self.decoder = self._make_decoder(task, memory_width)

    @staticmethod
    def _make_decoder(task: WritingTask, memory_width: int) -> Decoder:
        if task.decoder is not None:
            return task.decoder(task.tokenizer.vocab_size, memory_width)
        return AttentionDecoder(
            task.tokenizer.vocab_size,
            memory_width if task.width is None else task.width,
            memory_width,
            task.embedding_width,
            task.dropout,
            task.attention,
        )

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Score every target token given the source and the target tokens before it.

        Args:
            hidden: The encoder's states ``[B, T, D]``.
            batch: Holds the target sentences ``[B, U]``, which are read one position late (teacher
                forcing).

        Returns:
            Logits ``[B, U, V]``.
        """
        state = self.decoder.start(hidden, batch.inputs.mask)
        return self.decoder(self.read_by_teacher(batch.labels[self.task]), state)[0]

    def loss_of_states(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Return the same loss without holding all logits; see :meth:`Head.loss_of_states`.

        Args:
            hidden: The encoder's states ``[B, T, D]``.
            batch: Holds the target sentences ``[B, U]``.
        """
        if not computes_as(self, TranslationHead, "forward", "loss") or not computes_as(
            self.decoder, Decoder, "forward"
        ):
            return super().loss_of_states(hidden, batch)
        labels = batch.labels[self.task]
        state = self.decoder.start(hidden, batch.inputs.mask)
        read, _ = self.decoder.read(self.read_by_teacher(labels), state)
        return self._projected(read, self.decoder.output, labels)

    def read_by_teacher(self, labels: Tensor) -> Tensor:
        """Shift target sentences to the right; see :func:`mtl_utils.nn.shift_right`.

        Args:
            labels: ``[B, U]``.

        Returns:
            ``[B, U]``: ``<bos>``, then all but the last.
        """
        tokenizer = self.settings.tokenizer
        return shift_right(labels, tokenizer.bos_id, tokenizer.pad_id)

    def search(
        self,
        hidden: Tensor,
        mask: Tensor,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        max_length: int | None = None,
    ) -> list[Hypothesis]:
        """Write translations.

        Args:
            hidden: The encoder's states ``[B, T, D]``.
            mask: ``[B, T]``, True where there is a token.
            beam_size: As in the task if ``None``; 1 searches greedily.
            length_penalty: As in the task if ``None``.
            max_length: As in the task if ``None``.

        Returns:
            The best hypothesis of each row.
        """
        bos_id = self.settings.tokenizer.bos_id
        first = torch.full((len(hidden),), bos_id, device=hidden.device)
        state = self.decoder.start(hidden, mask)
        found = self.write(self.decoder, state, first, beam_size, length_penalty, max_length)
        return [hypotheses[0] for hypotheses in found]

    def predict(self, hidden: Tensor, batch: Batch) -> list[list[int]]:
        """Write a translation of each row.

        Args:
            hidden: The encoder's states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            Token ids without ``<bos>`` and ``<eos>``.
        """
        return [list(found.ids) for found in self.search(hidden, batch.inputs.mask)]


class TranslationOutput(WritingHead):
    """An output layer over the states of a decoder that several tasks share.

    To predict, the decoder is run step by step, which its owner does: see
    :meth:`mtl_utils.sharing.Sharing.predict`.

    Args:
        task: The task.
        width: Size of the decoder's states, D.

    Raises:
        TypeError: If the task is of another class, or the width no whole number.
        ValueError: If the width is below 1.
    """

    reads_decoder = True

    def __init__(self, task: WritingTask, width: int) -> None:
        super().__init__(task)
        check_sizes(width=width)
        self.output = torch_nn.Linear(width, task.tokenizer.vocab_size)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Score the next target token after every prefix.

        Args:
            hidden: The decoder's states ``[B, U, D]``.
            batch: What they were computed from.

        Returns:
            Logits ``[B, U, V]``.
        """
        return self.output(hidden)

    def loss_of_states(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Return the same loss without holding all logits; see :meth:`Head.loss_of_states`.

        Args:
            hidden: The decoder's states ``[B, U, D]``.
            batch: Holds the target sentences ``[B, U]``.
        """
        if not computes_as(self, TranslationOutput, "forward", "loss"):
            return super().loss_of_states(hidden, batch)
        return self._projected(hidden, self.output, batch.labels[self.task])
