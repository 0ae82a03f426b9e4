"""Sharing a decoder as well as an encoder: one that translates, and continues texts alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl_utils.arguments import check_whole
from mtl_utils.data.batch import Batch
from mtl_utils.nn.decoder import shift_right
from mtl_utils.nn.encoder import Encoder, check_encoder
from mtl_utils.nn.search import Hypothesis
from mtl_utils.nn.self_attentive_decoder import SelfAttentiveDecoder
from mtl_utils.nn.transformer_decoder import TransformerDecoder
from mtl_utils.sharing.base import Shared, Sharing
from mtl_utils.sharing.ownership import Used
from mtl_utils.sharing.per_task import check_names
from mtl_utils.tasks import Head, TranslationOutput


class SharedDecoder(Sharing):
    """Every task reads one encoder, one decoder, or the one through the other.

    ============== =================================================== =======================
    a task that is reads                                               its states are
    ============== =================================================== =======================
    written        the target so far, attending to the encoder         the decoder's ``[B, U, D]``
    continued      the input so far, without a source: never the       the decoder's ``[B, T, D]``
                   encoder's states, which know what comes next
    neither        the input                                           the encoder's ``[B, T, D]``
    ============== =================================================== =======================

    Args:
        encoder: The shared encoder.
        decoder: The shared decoder, of the same width, without an output layer of its own: a
            :class:`mtl_utils.nn.TransformerDecoder` is made with ``output=False``.
        bos_id: Id of ``<bos>``, with which a written text starts.
        pad_id: Id of ``<pad>``.
        written: Names of the tasks whose labels are texts to write, such as translations. Their
            heads are output layers (:class:`mtl_utils.tasks.TranslationOutput`).
        continued: Names of the tasks that predict the next token of the input.

    Raises:
        ValueError: If the widths differ, the decoder has an output layer, or a task is both written
            and continued.
        TypeError: If a part is of another kind, or a single string was given for several names.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: SelfAttentiveDecoder | TransformerDecoder,
        *,
        bos_id: int,
        pad_id: int = 0,
        written: Sequence[str] = (),
        continued: Sequence[str] = (),
    ) -> None:
        super().__init__()
        check_encoder("encoder", encoder)
        if not isinstance(decoder, SelfAttentiveDecoder | TransformerDecoder):
            raise TypeError(
                "decoder must be an nn.SelfAttentiveDecoder or nn.TransformerDecoder, got "
                f"{type(decoder).__name__} {decoder!r:.60}"
            )
        for name, token in (("bos_id", bos_id), ("pad_id", pad_id)):
            check_whole(name, token, least=0, most=decoder.vocab_size - 1)
        if encoder.width != decoder.width:
            raise ValueError(
                f"The encoder's states have size {encoder.width}, the decoder's {decoder.width}; "
                "make them equal"
            )
        if isinstance(decoder, TransformerDecoder) and list(decoder.output.parameters()):
            raise ValueError(
                "The decoder has an output layer, but here each task that writes has its own. Make "
                "it with TransformerDecoder(..., output=False)."
            )
        check_names(written, "written")
        check_names(continued, "continued")
        both = sorted(set(written) & set(continued))
        if both:
            raise ValueError(f"Tasks are either written or continued; both have {both}")
        self.encoder, self.decoder, self.width = encoder, decoder, encoder.width
        self.bos_id, self.pad_id = bos_id, pad_id
        self.written, self.continued = tuple(written), tuple(continued)

    def forward(self, batch: Batch, tasks: Sequence[str]) -> Shared:
        """Run the encoder once, if a task needs it, and the decoder once a writing task.

        Args:
            batch: The batch; it holds the texts of the tasks that are written.
            tasks: Names of the tasks.

        Returns:
            The states of each task. The features are the encoder's, ``None`` where no task needs
            them.
        """
        features = self._encode(batch, tasks)
        hidden = {task: self._states(batch, task, features) for task in tasks}
        return Shared(hidden, features, next(self.parameters()).new_zeros(()))

    def predict(self, batch: Batch, heads: Mapping[str, Head]) -> dict[str, list[Any]]:
        """Predict, writing token by token where a task is written; see :meth:`Sharing.predict`.

        Args:
            batch: The batch; its labels are not looked at.
            heads: The heads by task.

        Returns:
            What each head predicts, one entry a row.
        """
        features = self._encode(batch, list(heads))
        predictions: dict[str, list[Any]] = {}
        for name, head in heads.items():
            if name in self.written:
                assert isinstance(head, TranslationOutput)
                assert features is not None
                found = self.write(head, features, batch.inputs.mask)
                predictions[name] = [list(hypotheses[0].ids) for hypotheses in found]
            else:
                predictions[name] = head.predict(self._states(batch, name, features), batch)
        return predictions

    def write(
        self, head: TranslationOutput, memory: Tensor, mask: Tensor, **limits: Any
    ) -> list[list[Hypothesis]]:
        """Write texts with the output layer of a task.

        Args:
            head: The output layer.
            memory: The encoder's states ``[B, T, D]``.
            mask: ``[B, T]``, True where there is a token.
            **limits: ``beam_size``, ``length_penalty`` and ``max_length``, as in
                :meth:`mtl_utils.tasks.WritingHead.write`.

        Returns:
            For each row at most ``beam_size`` hypotheses, best first.
        """
        first = torch.full((len(memory),), self.bos_id, device=memory.device)
        writer = _Writer(self.decoder, head)
        return head.write(writer, self.decoder.start(memory, mask), first, **limits)

    def read(self, batch: Batch, task: str, memory: Tensor) -> Tensor:
        """Run the decoder over the texts of a task that is written (teacher forcing).

        Args:
            batch: Holds the texts ``[B, U]``.
            task: Name of the task.
            memory: The encoder's states ``[B, T, D]``.

        Returns:
            The decoder's states ``[B, U, D]``.
        """
        read = shift_right(batch.labels[task], self.bos_id, self.pad_id)
        hidden: Tensor = self.decoder(read, self.decoder.start(memory, batch.inputs.mask))[0]
        return hidden

    def causal(self, task: str) -> bool:
        """Tell whether the states given to a task have seen no later token of the input.

        Args:
            task: Name of the task.
        """
        return task in self.continued or (task not in self.written and self.encoder.causal)

    def decodes(self, task: str) -> bool:
        """Tell whether a task is written.

        Args:
            task: Name of the task.
        """
        return task in self.written

    def _uses(self) -> Iterator[Used]:
        yield self, None

    def _encode(self, batch: Batch, tasks: Sequence[str]) -> Tensor | None:
        needed = any(task not in self.continued for task in tasks)
        return self.encoder(batch.inputs) if needed else None

    def _states(self, batch: Batch, task: str, features: Tensor | None) -> Tensor:
        if task in self.continued:
            state = self.decoder.start_alone(len(batch))
            hidden: Tensor = self.decoder(batch.inputs.input_ids, state)[0]
            return hidden
        assert features is not None
        return self.read(batch, task, features) if task in self.written else features


class _Writer:
    """A decoder and the output layer of a task, as a search steps through them."""

    def __init__(self, decoder: Any, head: TranslationOutput) -> None:
        self.decoder, self.head = decoder, head

    def __call__(self, input_ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        hidden, state = self.decoder(input_ids, state)
        return self.head.output(hidden), state

    def positions_left(self, state: Any) -> int | None:
        left: int | None = self.decoder.positions_left(state)
        return left

    def prepared(self, state: Any, max_length: int) -> _Writer | None:
        step = self.decoder.prepared(state, max_length)
        return None if step is None else _Writer(step, self.head)
