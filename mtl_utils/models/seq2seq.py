"""The sequence-to-sequence BiLSTM: a translator that is a multi-task model with one task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtl_utils.arguments import (
    check_callable,
    check_flag,
    check_module,
    check_several,
    check_sizes,
    check_text,
)
from mtl_utils.data.batch import Batch, check_batch
from mtl_utils.data.examples import Example, collate
from mtl_utils.data.missing import is_missing
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.models.given import check_ids_of, check_search, check_tokenizer
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder, Encoder, Hypothesis
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import MakeDecoder, Translation, TranslationHead

TASK = "translation"


@dataclass(frozen=True)
class Alignment:
    """What a decoder attended to while it wrote a translation.

    Args:
        source_tokens: What the encoder read: T pieces, ``<eos>`` last.
        target_tokens: What the decoder wrote: U pieces, ``<eos>`` last.
        weights: Attention ``[U, T]``, a row for each piece written.
        log_probabilities: Of each piece written ``[U]``, in nats.
    """

    source_tokens: list[str]
    target_tokens: list[str]
    weights: Tensor
    log_probabilities: Tensor


class Seq2Seq(MultiTaskModel):
    """Translate with a bidirectional LSTM that reads and an attending LSTM that writes.

    After Sutskever et al. (2014) and Bahdanau et al. (2015). A :class:`MultiTaskModel` with one
    task, named ``"translation"``: more tasks are more heads on the same encoder.

    Args:
        source: Tokenizer of the source language.
        target: Tokenizer of the target language.
        width: Size of embeddings and states, D; even.
        num_layers: Layers of the encoder.
        dropout: Probability of dropping a unit.
        smoothing: Label smoothing while training.
        max_length: Longest translation that is written, in tokens.
        lowercase: Whether the metrics ignore case.
        attention: Whether the decoder attends; if not, it gets one vector for the whole sentence.
        encoder: Reads instead of a BiLSTM; ``width`` and ``num_layers`` are then its own affair.
        decoder: Makes another decoder; see :class:`mtl_utils.tasks.Translation`. With a
            :class:`mtl_utils.nn.TransformerEncoder` and a
            :class:`mtl_utils.nn.TransformerDecoder` the model is that of Vaswani et al. (2017).
        tokenize: How BLEU finds words; see :class:`mtl_utils.tasks.Translation`.
        language: Code of the target language, which chooses ``tokenize``.

    Raises:
        ValueError: If a size is below 1, ``width`` is odd, ``dropout`` is outside [0, 1), or
            ``tokenize`` or ``language`` is refused by :class:`mtl_utils.tasks.Translation`.
        TypeError: If an argument is not of its kind.
    """

    _used_as = 'model.translate(["A sentence."])'

    def __init__(
        self,
        source: Tokenizer,
        target: Tokenizer,
        width: int = 256,
        num_layers: int = 1,
        dropout: float = 0.1,
        smoothing: float = 0.1,
        max_length: int = 100,
        lowercase: bool = False,
        attention: bool = True,
        *,
        encoder: Encoder | None = None,
        decoder: MakeDecoder | None = None,
        tokenize: str | None = None,
        language: str | None = None,
    ) -> None:
        check_tokenizer("source", source)
        check_tokenizer("target", target)
        check_sizes(max_length=max_length)
        check_flag("lowercase", lowercase)
        check_flag("attention", attention)
        if encoder is not None:
            check_module("encoder", encoder, Encoder)
        if decoder is not None:
            check_callable("decoder", decoder, "a function that makes a decoder")
        translation = Translation(
            TASK,
            target,
            dropout=dropout,
            smoothing=smoothing,
            max_length=max_length,
            lowercase=lowercase,
            attention=attention,
            decoder=decoder,
            tokenize=tokenize,
            language=language,
            scale="token",  # of one task alone it does not matter, and perplexity follows from it
        )
        if encoder is None:
            encoder = BiLSTMEncoder(source.vocab_size, width, num_layers, dropout)
        super().__init__(HardSharing(encoder), [translation])
        self.source, self.target, self.translation = source, target, translation

    def example(self, source: str, target: str | None = None) -> Example:
        """Turn a sentence, or a pair, into ids.

        Args:
            source: The source sentence.
            target: Its translation; ``None`` where it is missing.

        Returns:
            The example; both sides end in ``<eos>``, so that even an empty sentence has a token.

        Raises:
            TypeError: If an argument is not of its kind.
        """
        check_text("source", source)
        if target is not None and not is_missing(target):
            check_text("target", target)
        labels = (
            {} if target is None or is_missing(target) else {TASK: self.translation.label(target)}
        )
        return Example([*self.source.encode(source), self.source.eos_id], labels)

    def examples(self, sources: Iterable[str], targets: Iterable[str | None]) -> list[Example]:
        """Turn many pairs into ids.

        Args:
            sources: Source sentences.
            targets: Their translations; ``None`` where one is missing.

        Raises:
            ValueError: If there are more of one than of the other.
            TypeError: If an argument is not of its kind.
        """
        check_several("sources", sources, "texts", sized=False)
        check_several("targets", targets, "texts", sized=False)
        first, second = list(sources), list(targets)
        if len(first) != len(second):
            raise ValueError(
                f"Expected a translation, or None, of each source, got {len(first)} sources and "
                f"{len(second)} targets"
            )
        for name, column in (("sources", first), ("targets", second)):
            for place, text in enumerate(column):
                if name == "sources" or not (text is None or is_missing(text)):
                    check_text(f"{name}[{place}]", text)
        return [self.example(s, t) for s, t in zip(first, second, strict=True)]

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam_size: int = 1,
        length_penalty: float = 1.0,
        max_length: int | None = None,
        max_tokens: int = 4096,
    ) -> list[str]:
        """Translate sentences.

        Args:
            texts: Source sentences.
            beam_size: 1 searches greedily.
            length_penalty: See :func:`mtl_utils.nn.beam_search`.
            max_length: Longest translation, in tokens; that of the model if ``None``.
            max_tokens: How many padded source tokens are read at a time; it does not change the
                result.

        Returns:
            One translation a sentence, in the same order.

        Raises:
            TypeError: If a single string is given instead of a list.
            ValueError: If a setting is outside its range.
        """
        if isinstance(texts, str):
            raise TypeError(f"Expected a list of texts, got the string {texts!r:.60}; use [text]")
        check_several("texts", texts, "texts", sized=False)
        check_search(beam_size, length_penalty)
        texts = list(texts)
        for place, text in enumerate(texts):
            check_text(f"texts[{place}]", text)
        examples = [self.example(text) for text in texts]

        def texts_of(batch: Batch) -> list[str]:
            found = self.search(batch, beam_size, length_penalty, max_length)
            return [self.target.decode(hypothesis.ids) for hypothesis in found]

        return self._predicted(examples, texts_of, max_tokens)

    @torch.no_grad()
    def search(
        self,
        batch: Batch,
        beam_size: int = 1,
        length_penalty: float = 1.0,
        max_length: int | None = None,
    ) -> list[Hypothesis]:
        """Translate a batch without dropout; see :meth:`translate`.

        Args:
            batch: Source sentences.
            beam_size: 1 searches greedily.
            length_penalty: See :func:`mtl_utils.nn.beam_search`.
            max_length: Longest translation, in tokens; that of the model if ``None``.

        Returns:
            The best hypothesis of each row.

        Raises:
            TypeError: If an argument is not of its kind.
            ValueError: If a setting is outside its range.
        """
        check_batch("batch", batch)
        check_search(beam_size, length_penalty)
        with evaluation_mode(self):
            batch = batch.to(self._device)
            hidden = self.sharing(batch, [TASK]).hidden[TASK]
            return self._head.search(
                hidden, batch.inputs.mask, beam_size, length_penalty, max_length
            )

    @torch.no_grad()
    def align(self, source: str, target: str | Sequence[int]) -> Alignment:
        """Show what the decoder attends to while it writes a given translation.

        Args:
            source: The source sentence.
            target: A translation, the model's own or any other: its text, or the ids of a
                :class:`~mtl_utils.nn.Hypothesis`, which need not be those that its text has.

        Returns:
            The pieces of both sides and the attention between them.

        Raises:
            TypeError: If an argument is not of its kind.
            ValueError: If an id is outside the vocabulary.
        """
        check_text("source", source)
        if not isinstance(target, str):
            check_ids_of("target", target, self.target.vocab_size)
        with evaluation_mode(self):
            ids = self.target.encode(target) if isinstance(target, str) else target
            labels = {TASK: [*ids, self.target.eos_id]}
            example = Example(self.example(source).input_ids, labels)
            batch = collate([example]).to(self._device)
            hidden = self.sharing(batch, [TASK]).hidden[TASK]
            decoder, written = self._head.decoder, batch.labels[TASK]
            decoded = decoder.decode(
                self._head.read_by_teacher(written), decoder.start(hidden, batch.inputs.mask)
            )
            scores = decoder.output(decoded.hidden).log_softmax(dim=-1)  # [1, U, V]
            chosen = scores.gather(-1, written.unsqueeze(-1)).squeeze(-1)  # [1, U]
        return Alignment(
            [self.source.tokens[index] for index in batch.inputs.input_ids[0].tolist()],
            [self.target.tokens[index] for index in written[0].tolist()],
            decoded.weights[0].cpu(),
            chosen[0].cpu(),
        )

    @property
    def _head(self) -> TranslationHead:
        head = self.head(TASK)
        assert isinstance(head, TranslationHead)
        return head
