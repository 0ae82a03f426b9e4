"""The first system of the book: one BiLSTM that tags, translates and models language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl_utils.arguments import check_several, check_sizes, check_text, check_whole
from mtl_utils.data.batch import MISSING_LABEL, Batch, check_batch
from mtl_utils.data.byte_pairs import BytePairTokenizer
from mtl_utils.data.examples import Example
from mtl_utils.data.missing import is_missing
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.models import candidates as laid_out
from mtl_utils.models import given
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder, Hypothesis, ProjectedEncoder, SelfAttentiveDecoder, sample
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale
from mtl_utils.sharing import SharedDecoder
from mtl_utils.tasks import (
    LanguageModeling,
    LanguageModelingHead,
    Tagging,
    Task,
    Translation,
    TranslationOutput,
)
from mtl_utils.tasks.word_head import word_starts

TAGS, TRANSLATION, LANGUAGE = TASKS = ("tags", "translation", "language")


class BiLSTMFramework(MultiTaskModel):
    """One bidirectional LSTM that reads, one attending LSTM that writes, and three tasks.

    ``"tags"`` labels each word from the encoder's states. ``"translation"`` writes with the
    decoder, which attends to the encoder and to its own past. ``"language"`` predicts each next
    token of a text with the same decoder, without a source and with an output layer of its own.
    Both languages share one vocabulary and its embeddings, so that either can be modelled. A
    :class:`MultiTaskModel` over :class:`~mtl_utils.sharing.SharedDecoder`; with some of the tasks
    left out it is the baseline to compare with.

    Args:
        tokenizer: Of both languages.
        labels: Names of the tags. Where they are IOB2 tags, predictions keep to that scheme.
        width: Size of embeddings and states, D; even.
        num_layers: Layers of the encoder.
        dropout: Probability of dropping a unit.
        smoothing: Label smoothing of the translation while training.
        max_length: Longest translation that is written, in tokens.
        tasks: Which of the three tasks to have.
        target_language: Its code; see ``language`` of :class:`mtl_utils.tasks.Translation`.
        scale: Of all losses, see :data:`mtl_utils.objectives.Scale`; or that of each task by name.

    Raises:
        ValueError: If a task is not one of the three, a size is below 1, ``width`` is odd,
            ``dropout`` is outside [0, 1), there is no such scale, the language is not given as a
            code, or the labels are refused by :class:`mtl_utils.tasks.Tagging`.
        KeyError: If a scale is given for another task.
        TypeError: If an argument is not of its kind.
    """

    _used_as = 'model.tag([["A", "sentence", "."]])'

    def __init__(
        self,
        tokenizer: Tokenizer,
        labels: Sequence[str],
        width: int = 128,
        num_layers: int = 1,
        dropout: float = 0.2,
        smoothing: float = 0.1,
        max_length: int = 100,
        tasks: Sequence[str] = TASKS,
        target_language: str | None = None,
        *,
        scale: Scale | Mapping[str, Scale] = DEFAULT_SCALE,
    ) -> None:
        given.check_tokenizer("tokenizer", tokenizer)
        given.check_label_names("labels", labels)
        check_sizes(max_length=max_length)
        check_several("tasks", tasks, "names")
        if not tasks or len(set(tasks)) < len(tasks) or not set(tasks) <= set(TASKS):
            raise ValueError(
                f"tasks must be at least one task of {list(TASKS)}, none twice, got {tasks!r}"
            )
        vocab_size = tokenizer.vocab_size
        reader = BiLSTMEncoder(vocab_size, width, num_layers, dropout)
        assert isinstance(reader.embedding, torch.nn.Embedding)
        decoder = SelfAttentiveDecoder(vocab_size, width, dropout, embedding=reader.embedding)
        sharing = SharedDecoder(
            ProjectedEncoder(reader),
            decoder,
            bos_id=tokenizer.bos_id,
            pad_id=tokenizer.pad_id,
            written=[TRANSLATION],
            continued=[LANGUAGE],
        )
        scales = scale if isinstance(scale, Mapping) else dict.fromkeys(TASKS, scale)
        if not set(scales) <= set(TASKS):
            raise KeyError(f"scale has {list(scales)}; the tasks are {list(TASKS)}")
        of_tags, of_translation, of_language = (scales.get(task, DEFAULT_SCALE) for task in TASKS)
        tagging = Tagging(TAGS, tuple(labels), dropout=dropout, scale=of_tags)
        writing: dict[str, Any] = {"smoothing": smoothing, "max_length": max_length}
        writing |= {"own_decoder": False, "language": target_language, "scale": of_translation}
        translation = Translation(TRANSLATION, tokenizer, **writing)
        language = LanguageModeling(LANGUAGE, vocab_size, scale=of_language)
        made: list[Task] = [tagging, translation, language]
        super().__init__(sharing, [task for task in made if task.name in tasks])
        self.tagging, self.translation, self.language = tagging, translation, language
        self.tokenizer = tokenizer

    @classmethod
    def train_tokenizer(
        cls, sentences: Iterable[Sequence[str]], translations: Iterable[str], vocab_size: int = 3000
    ) -> BytePairTokenizer:
        """Train a tokenizer of both languages.

        Args:
            sentences: Sentences of the source language, each a sequence of words.
            translations: Texts of the target language.
            vocab_size: Number of pieces, V.

        Raises:
            TypeError: If an argument is not of its kind.
            ValueError: If a setting is outside its range.
        """
        check_whole("vocab_size", vocab_size)
        texts = laid_out.texts_of_both_languages(sentences, translations)
        return BytePairTokenizer.train(texts, vocab_size)

    def example(
        self,
        words: Sequence[str],
        tags: Sequence[str | int | None] | None = None,
        translation: str | None = None,
    ) -> Example:
        """Turn a sentence, with what is known of it, into ids.

        Args:
            words: The words of the sentence.
            tags: One a word, as names or ids, where they are known; ``None`` in place of all or of
                a single one where they are not.
            translation: Where it is known.

        Returns:
            The example, from ``<bos>`` to ``<eos>``. Its labels are those of the model's tasks; the
            text is a label itself, for the language model. The first piece of a word has its tag.

        Raises:
            ValueError: If there is not one tag for every word.
            KeyError: If a tag is not among the labels.
            TypeError: If the sentence is a string, or a word is not.
        """
        given.check_sentence("words", words)
        pieces = self.tokenizer.encode_words(words)
        example = self.text(pieces.ids)
        labels = dict(example.labels)
        if TAGS in self.tasks and tags is not None and not is_missing(tags):
            ids = self.tagging.ids_of(tags)
            labels[TAGS] = [MISSING_LABEL, *pieces.align(ids), MISSING_LABEL]
        if TRANSLATION in self.tasks and translation is not None and not is_missing(translation):
            check_text("translation", translation)
            labels[TRANSLATION] = self.translation.label(translation)
        return Example(example.input_ids, labels)

    def text(self, text: str | Sequence[int]) -> Example:
        """Turn a text of either language that has no labels into ids.

        Args:
            text: The text, or the ids of its pieces.

        Returns:
            The example, for the language model if there is one.

        Raises:
            TypeError: If an argument is not of its kind.
            ValueError: If an id is outside the vocabulary.
        """
        if not isinstance(text, str):
            given.check_ids_of("text", text, self.tokenizer.vocab_size)
        pieces = self.tokenizer.encode(text) if isinstance(text, str) else text
        ids = [self.tokenizer.bos_id, *pieces, self.tokenizer.eos_id]
        labels = {LANGUAGE: self.language.label(ids)} if LANGUAGE in self.tasks else {}
        return Example(ids, labels)

    def tag(self, sentences: Sequence[Sequence[str]], *, max_tokens: int = 4096) -> list[list[str]]:
        """Tag sentences.

        Args:
            sentences: Each a sequence of words.
            max_tokens: Pieces read at a time, padding included; it does not change the result.

        Returns:
            One tag a word, sentence by sentence in the same order.

        Raises:
            TypeError: If a sentence is a string, or a word is not.
            KeyError: If the model has no such task.
            ValueError: If a setting is outside its range.
        """
        self.head(TAGS)  # is missed even where there is nothing to tag

        def tags_of(batch: Batch) -> list[list[str]]:
            return self.tagging.named(self.predict(batch, [TAGS])[TAGS])

        return self._predicted(self._of_words(sentences), tags_of, max_tokens)

    def read(self, sentences: Sequence[Sequence[str]], *, max_tokens: int = 4096) -> list[Tensor]:
        """Return what the encoder makes of each word.

        Args:
            sentences: Each a sequence of words.
            max_tokens: Pieces read at a time, padding included; it does not change the result.

        Returns:
            For each sentence the states at the first pieces of its words, ``[words, D]``.

        Raises:
            TypeError: If a sentence is a string, or a word is not.
            ValueError: If a setting is outside its range.
        """

        def states_of(batch: Batch) -> list[Tensor]:
            hidden = self._sharing.encoder(batch.inputs)
            return [row[at] for row, at in zip(hidden, word_starts(batch), strict=True)]

        return self._predicted(self._of_words(sentences), states_of, max_tokens)

    def translate(
        self,
        sentences: Sequence[Sequence[str]],
        *,
        beam_size: int = 1,
        length_penalty: float = 1.0,
        max_tokens: int = 4096,
    ) -> list[str]:
        """Translate sentences.

        Args:
            sentences: Each a sequence of words.
            beam_size: 1 searches greedily.
            length_penalty: See :func:`mtl_utils.nn.beam_search`.
            max_tokens: Pieces read at a time, padding included; it does not change the result.

        Returns:
            One translation a sentence, in the same order.

        Raises:
            TypeError: If a sentence is a string, or a word is not.
            KeyError: If the model has no such task.
            ValueError: If a setting is outside its range.
        """
        given.check_search(beam_size, length_penalty)
        given.check_sentences("sentences", sentences)
        self.head(TRANSLATION)  # is missed even where there is nothing to translate

        def texts_of(batch: Batch) -> list[str]:
            found = self.candidates(batch, beam_size, length_penalty)
            return [self.tokenizer.decode(hypotheses[0].ids) for hypotheses in found]

        return self._predicted([self.example(words) for words in sentences], texts_of, max_tokens)

    @torch.no_grad()
    def candidates(
        self, batch: Batch, beam_size: int = 1, length_penalty: float = 1.0
    ) -> list[list[Hypothesis]]:
        """Search for several translations of each sentence, without dropout.

        Args:
            batch: Sentences of the source language.
            beam_size: How many to keep; 1 searches greedily.
            length_penalty: See :func:`mtl_utils.nn.beam_search`.

        Returns:
            For each row at most ``beam_size`` hypotheses, best first.

        Raises:
            KeyError: If the model does not translate.
            TypeError: If an argument is not of its kind.
            ValueError: If a setting is outside its range.
        """
        check_batch("batch", batch)
        given.check_search(beam_size, length_penalty)
        head, sharing = self._writer, self._sharing
        with evaluation_mode(self):
            batch = batch.to(self._device)
            memory = sharing.encoder(batch.inputs)
            limits = {"beam_size": beam_size, "length_penalty": length_penalty}
            return sharing.write(head, memory, batch.inputs.mask, **limits)

    def score(self, batch: Batch, candidates: Sequence[Sequence[Sequence[int]]]) -> Tensor:
        """Return the log-probability of given translations, for example to train on their risk.

        Each is scored with ``<eos>`` at its end, and with dropout while training.

        Args:
            batch: Sentences of the source language, B rows.
            candidates: For each row its translations, as token ids without ``<bos>`` and ``<eos>``.

        Returns:
            ``[B, N]`` in nats, with the gradient; ``-inf`` where a row has fewer than N.

        Raises:
            ValueError: If there are not candidates for every row, or none at all.
            KeyError: If the model does not translate.
            TypeError: If an argument is not of its kind.
        """
        check_batch("batch", batch)
        laid_out.check_candidates(candidates, len(batch), self.tokenizer.vocab_size)
        head, sharing = self._writer, self._sharing
        batch = batch.to(self._device)
        labels, rows, places = (
            part.to(self._device)
            for part in laid_out.padded_candidates(candidates, self.tokenizer.eos_id)
        )
        memory = sharing.encoder(batch.inputs)[rows]
        repeated = Batch(batch.inputs.rows(rows), {TRANSLATION: labels})
        scores = head(sharing.read(repeated, TRANSLATION, memory), repeated).log_softmax(dim=-1)
        totals = laid_out.summed(scores, labels)
        table = totals.new_full((len(batch), int(places.max()) + 1), -torch.inf)
        return table.index_put((rows, places), totals)

    @torch.no_grad()
    def continue_text(
        self,
        text: str = "",
        max_new_tokens: int = 40,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
    ) -> str:
        """Continue a text of either language, with the decoder alone.

        Args:
            text: The beginning; empty to let the model begin.
            max_new_tokens: Upper bound on the pieces that are added.
            temperature: See :func:`mtl_utils.nn.filter_logits`.
            top_k: See :func:`mtl_utils.nn.filter_logits`.
            top_p: See :func:`mtl_utils.nn.filter_logits`.
            generator: Source of randomness; torch's own if ``None``.

        Returns:
            The text and its continuation, which ends where the model ends the sentence.

        Raises:
            KeyError: If the model has no such task.
            ValueError: If a setting is outside its range.
            TypeError: If an argument is not of its kind.
        """
        check_text("text", text)
        head, decoder = self.head(LANGUAGE), self._sharing.decoder
        assert isinstance(head, LanguageModelingHead)

        def step(input_ids: Tensor, state: object) -> tuple[Tensor, object]:
            state = decoder.start_alone(len(input_ids)) if state is None else state
            hidden, state = decoder(input_ids, state)
            return head.output(hidden), state

        tokenizer = self.tokenizer
        prompt = torch.tensor([[tokenizer.bos_id, *tokenizer.encode(text)]], device=self._device)
        with evaluation_mode(self):
            written = sample(
                step,
                prompt,
                max_new_tokens,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                stop_id=tokenizer.eos_id,
                forbidden_ids=sorted({tokenizer.pad_id, tokenizer.bos_id} - {tokenizer.eos_id}),
                generator=generator,
            )
        return tokenizer.decode(written[0].tolist())

    def _of_words(self, sentences: Sequence[Sequence[str]]) -> list[Example]:
        """Turn sentences into ids that say where words begin."""
        given.check_sentences("sentences", sentences)
        pieces = [self.tokenizer.encode_words(words) for words in sentences]
        starts = [[1 + place for place in row.first_pieces] for row in pieces]  # after <bos>
        ids = [self.text(row.ids).input_ids for row in pieces]
        return [Example(i, {}, first_pieces=s) for i, s in zip(ids, starts, strict=True)]

    @property
    def _sharing(self) -> SharedDecoder:
        assert isinstance(self.sharing, SharedDecoder)
        return self.sharing

    @property
    def _writer(self) -> TranslationOutput:
        head = self.head(TRANSLATION)
        assert isinstance(head, TranslationOutput)
        return head
