"""Translation: write a target sentence while attending to a source sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import (
    check_callable,
    check_flag,
    check_kind,
    check_probability,
    check_sizes,
    check_text,
)
from mtl_utils.data.batch import Batch
from mtl_utils.data.tokenization import Tokenizer, check_tokenizer
from mtl_utils.nn.decoder import AttentionDecoder, Decoder, shift_right
from mtl_utils.nn.decoding import Step
from mtl_utils.nn.search import Hypothesis, beam_search, greedy_search
from mtl_utils.nn.search_limits import check_length_penalty
from mtl_utils.objectives.losses import check_smoothing
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale, check_scale, scaled_loss
from mtl_utils.tasks.base import Head
from mtl_utils.tasks.text_comparison import TextComparison
from mtl_utils.tasks.text_scores import check_settings

MakeDecoder = Callable[[int, int], Decoder]
"""``make(vocab_size, memory_width)``: a decoder of a vocabulary that reads states of a size."""


@dataclass(frozen=True)
class Translation:
    """Translate into a language.

    A label is the target sentence as ids that end in ``<eos>``; see :meth:`label`.

    Args:
        name: Under which a batch has its labels.
        tokenizer: Of the target language.
        width: Size of the decoder's states; that of the encoder if ``None``.
        embedding_width: Size of the target embeddings; ``width`` if ``None``.
        dropout: Of the decoder.
        smoothing: Label smoothing while training.
        beam_size: Of the search; 1 searches greedily.
        length_penalty: See :func:`mtl_utils.nn.beam_search`.
        max_length: Longest translation that is written, in tokens.
        lowercase: Whether the metrics ignore case, as they do where the tokenizer lower-cases.
        attention: Whether the decoder attends; see :class:`mtl_utils.nn.AttentionDecoder`.
        own_decoder: Whether the head is a decoder. If not, it is an output layer over the states of
            a decoder that the way of sharing owns (:class:`mtl_utils.sharing.SharedDecoder`), and
            ``width``, ``embedding_width``, ``dropout`` and ``attention`` are that decoder's.
        decoder: Makes the decoder, called with the size of the target vocabulary and the width of
            the encoder. ``width``, ``embedding_width``, ``dropout`` and ``attention`` are its own.
        tokenize: How BLEU finds words: ``"13a"``, ``"intl"``, ``"zh"``, ``"char"`` or another
            tokenization of sacreBLEU. That of the language if ``None``.
        language: Code of the target language, such as ``"de"`` or ``"zh-CN"``: Chinese, Japanese,
            Korean and languages without spaces have words of their own for BLEU.
        normalise: Whether the metrics compare texts as the tokenizer can write them, through
            :meth:`mtl_utils.data.Tokenizer.normalise` and Unicode's form NFC, and not with the
            references as they are given.
        scale: What the loss is divided by, see :data:`mtl_utils.objectives.Scale`. C is the size
            of the target vocabulary.

    Raises:
        ValueError: If there is a ``decoder`` and ``own_decoder`` is false, sacreBLEU has no such
            tokenization, the language is not given as a code, or a number is outside its range.
        TypeError: If ``tokenize`` or ``language`` is neither a string nor ``None``, the tokenizer
            is none, or another setting is of another type.
    """

    name: str
    tokenizer: Tokenizer
    width: int | None = None
    embedding_width: int | None = None
    dropout: float = 0.1
    smoothing: float = 0.1
    beam_size: int = 1
    length_penalty: float = 1.0
    max_length: int = 100
    lowercase: bool = False
    attention: bool = True
    own_decoder: bool = True
    decoder: MakeDecoder | None = None
    tokenize: str | None = None
    language: str | None = None
    normalise: bool = True
    causal = False
    scale: Scale = field(default=DEFAULT_SCALE, kw_only=True)

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_tokenizer(self.tokenizer)
        widths = {"width": self.width, "embedding_width": self.embedding_width}
        check_sizes(**{name: width for name, width in widths.items() if width is not None})
        check_sizes(beam_size=self.beam_size, max_length=self.max_length)
        for name in ("lowercase", "attention", "own_decoder", "normalise"):
            check_flag(name, getattr(self, name))
        if self.decoder is not None:
            wanted = "a function of the vocabulary's size and the memory's width"
            check_callable("decoder", self.decoder, wanted)
        if self.decoder is not None and not self.own_decoder:
            raise ValueError(
                "decoder makes the decoder of the head, but with own_decoder=False the head has "
                "none: the way of sharing owns it"
            )
        check_settings(self.tokenize, self.language)
        check_smoothing(self.smoothing)
        check_probability("dropout", self.dropout)
        check_scale(self.scale)
        check_length_penalty(self.length_penalty, self.max_length)

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

    def head(self, width: int) -> WritingHead:
        """Make a new decoder, or a new output layer.

        Args:
            width: Size of the encoder's states, or of the decoder's, D.

        Raises:
            TypeError: If it is no whole number.
            ValueError: If it is below 1.
        """
        return TranslationHead(self, width) if self.own_decoder else TranslationOutput(self, width)

    def metrics(
        self,
        predictions: Sequence[Sequence[int] | str],
        references: Sequence[str | Sequence[str]],
    ) -> dict[str, float]:
        """Compute BLEU (Papineni et al., 2002) and chrF (Popović, 2015) with sacreBLEU.

        How the texts were compared is said by :meth:`signature`, which belongs beside the numbers.

        Args:
            predictions: Each translation, as token ids or as text.
            references: For each the target sentence as text, or several in a list.

        Returns:
            ``bleu`` and ``chrf``, both from 0 to 100.

        Raises:
            ValueError: If there are none, not as many of one as of the other, or a prediction has
                an empty list of references.
            TypeError: If a reference is no text, or a prediction neither text nor ids.
            IndexError: If the tokenizer has no such id.
            ImportError: If ``tokenize`` needs what is not installed.
        """
        return self._comparison.measure(predictions, references)

    def signature(self, references: Sequence[str | Sequence[str]] | None = None) -> dict[str, str]:
        """Say how :meth:`metrics` compares texts, as sacreBLEU does (Post, 2018).

        Args:
            references: What predictions are compared with; one reference each if ``None``.

        Returns:
            The signatures of ``bleu`` and ``chrf``, such as
            ``nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:2.6.0``. Where references were
            changed in more than case and spaces, ``text:normalised`` stands there too; otherwise
            sacreBLEU computes the same numbers from the references as they are.

        Raises:
            ValueError: If a prediction has an empty list of references.
            TypeError: If a reference is no text.
            ImportError: If ``tokenize`` needs what is not installed.
        """
        return self._comparison.signature(references)

    @property
    def _comparison(self) -> TextComparison:
        return TextComparison(
            self.tokenizer, self.lowercase, self.tokenize, self.language, self.normalise
        )


class WritingHead(Head):
    """What heads that write have in common: teacher forcing, the loss and the search.

    Args:
        task: The task.

    Raises:
        TypeError: If the task is of another class.
    """

    def __init__(self, task: Translation) -> None:
        check_kind("task", task, Translation, "a Translation")
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

    def __init__(self, task: Translation, memory_width: int) -> None:
        super().__init__(task)
        check_sizes(memory_width=memory_width)
        self.decoder = self._make_decoder(task, memory_width)

    @staticmethod
    def _make_decoder(task: Translation, memory_width: int) -> Decoder:
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

    def __init__(self, task: Translation, width: int) -> None:
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
