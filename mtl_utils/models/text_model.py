"""A model of texts and pairs of texts: it classifies, tags and infers, over any encoder."""

# Annotations are evaluated here: the pages of the API show those of a NamedTuple as they are.
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch

from mtl_utils.data.batch import Batch
from mtl_utils.data.batching import predict_by_length
from mtl_utils.data.class_labels import named_labels
from mtl_utils.data.encoded_text import EncodedText, encode_pair, encode_text
from mtl_utils.data.examples import Example
from mtl_utils.data.labels import INFERENCE as INFERENCE_LABELS
from mtl_utils.data.labels import is_missing
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.models.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.sharing import Sharing
from mtl_utils.tasks import Classification, PairClassification, Tagging, TaggingHead
from mtl_utils.tasks.label_names import check_labels

T = TypeVar("T")
Text = str | Sequence[str]
"""A string, or a sentence as a sequence of words."""

CLASSIFICATION, TAGS, INFERENCE = TASKS = ("classification", "tags", "inference")
WORDS = "words"  # where words begin, in batches to predict from


class PairAnalysis(NamedTuple):
    """All that a model says of a premise and a hypothesis.

    Args:
        classification: The class of the premise.
        tags: One tag for each word of the premise.
        inference: How the hypothesis relates to the premise.
    """

    classification: str
    tags: list[str]
    inference: str


class TextModel(MultiTaskModel):
    """Classify texts, tag words and infer from pairs, from text to labels by name.

    Its tasks are ``"classification"``, ``"tags"`` and ``"inference"`` (entailment, neutral or
    contradiction). A text is read as ``<bos>`` text ``<eos>``, a pair as ``<bos>`` premise
    ``<eos>`` hypothesis ``<eos>``, and one pass over a pair serves all three tasks: the class and
    the tags are then those of the premise.

    Args:
        sharing: How the encoder's parameters are shared.
        classes: Names of the classes.
        tags: Names of the tags. Where they are IOB2 tags, predictions keep to that scheme.
        tokenizer: Needed for everything that starts from text.
        max_length: The longest text or pair that can be read, special tokens included; ``None``
            where there is no limit.
        pooling: See :class:`mtl_utils.tasks.Classification`.
        pair_pooling: See :class:`mtl_utils.tasks.PairClassification`; ``"compare"`` for an encoder
            without attention.
        crf: Whether to score whole sequences of tags; see :class:`mtl_utils.tasks.Tagging`.
        smoothing: Label smoothing of all tasks while training.
        dropout: Probability of dropping a unit before each head.

    Raises:
        ValueError: As the three tasks.
    """

    def __init__(
        self,
        sharing: Sharing,
        classes: Sequence[str],
        tags: Sequence[str],
        *,
        tokenizer: Tokenizer | None = None,
        max_length: int | None = None,
        pooling: str = "first",
        pair_pooling: str = "first",
        crf: bool = False,
        smoothing: float = 0.0,
        dropout: float = 0.1,
    ) -> None:
        options: dict[str, Any] = {"smoothing": smoothing, "dropout": dropout}
        for names in (classes, tags):
            check_labels(names)
        classification = Classification(CLASSIFICATION, tuple(classes), pooling, **options)
        tagging = Tagging(TAGS, tuple(tags), crf, **options)
        inference = PairClassification(INFERENCE, INFERENCE_LABELS, pair_pooling, **options)
        super().__init__(sharing, [classification, tagging, inference])
        self.classification, self.tagging, self.inference = classification, tagging, inference
        self.tokenizer, self.max_length = tokenizer, max_length

    def example(
        self,
        text: Text,
        hypothesis: Text | None = None,
        *,
        classification: str | int | None = None,
        tags: Sequence[str | int | None] | None = None,
        inference: str | int | None = None,
        truncate: bool = False,
    ) -> Example:
        """Turn a text or a pair, with what is known of it, into ids.

        A label that is ``None`` is missing: it is neither learnt nor measured. So is a single word
        whose tag is ``None``.

        Args:
            text: The text, or the premise of a pair: a string, or a sequence of words.
            hypothesis: The hypothesis of a pair.
            classification: Class of the text, as name or id.
            tags: One a word of the text, as names or ids; the text must be given as words.
            inference: How the hypothesis relates to the premise, as name or id.
            truncate: Whether to cut what is too long; see :func:`mtl_utils.data.encode_pair`. The
                tags of words that are cut are neither learnt nor measured.

        Returns:
            The example, from ``<bos>`` to ``<eos>``. The first piece of a word has its tag.

        Raises:
            ValueError: If it is too long, there is not one tag for every word, an inference label
                has no hypothesis, an id is not that of a label, or the model has no tokenizer.
            KeyError: If a name is not that of a label.
            TypeError: If something that should be text is not, or tags are given for a string.
        """
        encoded = self._encoded(text, hypothesis, truncate)
        labels: dict[str, int | Sequence[int]] = {}
        if not is_missing(classification):
            labels[CLASSIFICATION] = self.classification.label(classification)
        if tags is not None and not is_missing(tags):
            if isinstance(text, str):
                raise TypeError(
                    f"Tags are one a word, so the text must be a list of words; got {text!r:.60}"
                )
            labels[TAGS] = encoded.align(self.tagging.label(tags))
        if not is_missing(inference):
            if hypothesis is None:
                raise ValueError(f"The inference label {inference!r} is of a pair; give hypothesis")
            labels[INFERENCE] = self.inference.label(inference)
        return encoded.example(labels)

    def examples(
        self,
        texts: Iterable[Text],
        hypotheses: Iterable[Text | None] | None = None,
        *,
        classification: Iterable[str | int | None] | None = None,
        tags: Iterable[Sequence[str | int | None] | None] | None = None,
        inference: Iterable[str | int | None] | None = None,
        truncate: bool = False,
    ) -> list[Example]:
        """Turn many texts or pairs into ids; see :meth:`example`.

        Labels may be columns of a :class:`datasets.Dataset`, which are then read by the names of
        their features: see :func:`mtl_utils.data.named_labels`.

        Args:
            texts: The texts, or the premises.
            hypotheses: As many; ``None`` stands where a text is single or a label is not known.
            classification: As many classes.
            tags: As many sequences of tags.
            inference: As many relations.
            truncate: Whether to cut what is too long.

        Raises:
            ValueError: If there are more of one than of another, or as :meth:`example`.
            KeyError: As :meth:`example`.
            TypeError: As :meth:`example`, or if a single string was given for many texts.
        """
        rows = listed(texts)
        others = [None] * len(rows) if hypotheses is None else listed(hypotheses)
        columns = (classification, tags, inference)
        filled = [others] + [
            [None] * len(rows) if column is None else named_labels(column) for column in columns
        ]
        wrong = [len(column) for column in filled if len(column) != len(rows)]
        if wrong:
            raise ValueError(
                f"Expected as many labels or hypotheses as texts: {len(rows)} texts, "
                f"but {wrong[0]} of another"
            )
        made = []
        for place, (text, other, label, tag, relation) in enumerate(
            zip(rows, *filled, strict=True)
        ):
            try:
                made.append(
                    self.example(
                        text,
                        other,
                        classification=label,
                        tags=tag,
                        inference=relation,
                        truncate=truncate,
                    )
                )
            except (KeyError, TypeError, ValueError) as error:
                error.add_note(f"This was text {place}, counted from 0: {text!r:.60}")
                raise
        return made

    def classify(self, texts: Iterable[Text], *, max_tokens: int = 4096) -> list[str]:
        """Classify texts.

        Args:
            texts: Each a string or a sequence of words.
            max_tokens: How many pieces, padding included, are read at a time; it does not change
                the result.

        Returns:
            The name of one class a text, in the same order.

        Raises:
            ValueError: If a text is too long, or the model has no tokenizer.
            TypeError: If a single string was given for many texts.
        """

        def classes_of(batch: Batch) -> list[str]:
            return self.classification.names(self.predict(batch, [CLASSIFICATION])[CLASSIFICATION])

        return self._predicted(
            [self.example(text) for text in listed(texts)], classes_of, max_tokens
        )

    def tag(self, sentences: Iterable[Sequence[str]], *, max_tokens: int = 4096) -> list[list[str]]:
        """Tag sentences.

        Args:
            sentences: Each a sequence of words.
            max_tokens: How many pieces, padding included, are read at a time; it does not change
                the result.

        Returns:
            One tag a word, sentence by sentence in the same order.

        Raises:
            ValueError: If a sentence is too long, or the model has no tokenizer.
            TypeError: If a sentence is a string, or a word is not.
        """
        marked = [self._marked(words) for words in listed(sentences)]
        return self._predicted(marked, self._tags_of, max_tokens)

    def infer(
        self, premises: Iterable[Text], hypotheses: Iterable[Text], *, max_tokens: int = 4096
    ) -> list[str]:
        """Say how hypotheses relate to premises.

        Args:
            premises: Each a string or a sequence of words.
            hypotheses: One a premise.
            max_tokens: How many pieces, padding included, are read at a time; it does not change
                the result.

        Returns:
            ``"entailment"``, ``"neutral"`` or ``"contradiction"`` for each pair, in the same order.

        Raises:
            ValueError: If there are more of one than of the other, a pair is too long, or the model
                has no tokenizer.
            TypeError: If a single string was given for many texts.
        """

        def relations_of(batch: Batch) -> list[str]:
            return self.inference.names(self.predict(batch, [INFERENCE])[INFERENCE])

        pairs = paired(premises, hypotheses)
        return self._predicted([self.example(*pair) for pair in pairs], relations_of, max_tokens)

    def analyse(
        self,
        premises: Iterable[Sequence[str]],
        hypotheses: Iterable[Text],
        *,
        max_tokens: int = 4096,
    ) -> list[PairAnalysis]:
        """Do all three tasks on pairs, with one pass of the encoder.

        Args:
            premises: Each a sequence of words.
            hypotheses: One a premise, each a string or a sequence of words.
            max_tokens: How many pieces, padding included, are read at a time; it does not change
                the result.

        Returns:
            Class, tags and relation for each pair, in the same order.

        Raises:
            ValueError: As :meth:`infer`.
            TypeError: If a premise is a string, or a word is not.
        """

        def analyses_of(batch: Batch) -> list[PairAnalysis]:
            hidden = self.sharing(batch, TASKS).hidden
            classes, relations = (
                self.head(task).predict(hidden[task], batch) for task in (CLASSIFICATION, INFERENCE)
            )
            tags = self._tagger.decode(hidden[TAGS], batch.labels[WORDS] == 1)
            columns = (
                self.classification.names(classes),
                [self.tagging.tags(row) for row in tags],
                self.inference.names(relations),
            )
            return [PairAnalysis(*row) for row in zip(*columns, strict=True)]

        pairs = paired(premises, hypotheses)
        return self._predicted([self._marked(*pair) for pair in pairs], analyses_of, max_tokens)

    def _tags_of(self, batch: Batch) -> list[list[str]]:
        hidden = self.sharing(batch, [TAGS]).hidden[TAGS]
        found = self._tagger.decode(hidden, batch.labels[WORDS] == 1)
        return [self.tagging.tags(ids) for ids in found]

    def _encoded(self, text: Text, hypothesis: Text | None, truncate: bool) -> EncodedText:
        if self.tokenizer is None:
            raise ValueError(
                "The model has no tokenizer to read text with. Make it with one (tokenizer=), or "
                "give it token ids."
            )
        limit = self.max_length if truncate else None
        if hypothesis is None:
            encoded = encode_text(self.tokenizer, text, max_length=limit)
        else:
            encoded = encode_pair(self.tokenizer, text, hypothesis, max_length=limit)
        length = len(encoded.input_ids)
        if self.max_length is not None and length > self.max_length:
            raise ValueError(
                f"A text or pair of {length} tokens, special ones included, is longer than the "
                f"{self.max_length} that the model reads: {text!r:.60}. Shorten it, make the "
                f"example with truncate=True, or the model with max_length={length} or more."
            )
        return encoded

    def _marked(self, words: Sequence[str], hypothesis: Text | None = None) -> Example:
        """Turn a sentence, or a pair, into ids, with a 1 where a word of it begins."""
        if isinstance(words, str):
            raise TypeError(
                f"Expected a sentence as a list of words, got the string {words!r:.60}. Split it "
                "first."
            )
        encoded = self._encoded(words, hypothesis, truncate=False)
        begins = encoded.align([1] * encoded.num_words)
        return Example(encoded.input_ids, {WORDS: begins}, encoded.segment_ids)

    def _predicted(
        self, examples: list[Example], predict: Callable[[Batch], list[T]], max_tokens: int
    ) -> list[T]:
        with torch.no_grad(), evaluation_mode(self):
            return predict_by_length(
                examples, lambda batch: predict(batch.to(self._device)), max_tokens
            )

    @property
    def _tagger(self) -> TaggingHead:
        head = self.head(TAGS)
        assert isinstance(head, TaggingHead)
        return head


def listed(texts: Iterable[T]) -> list[T]:
    """Return texts as a list, or say that they are a single one.

    Args:
        texts: The texts.

    Raises:
        TypeError: If one string was given for many.
    """
    if isinstance(texts, str):
        raise TypeError(f"Expected a list of texts, got the string {texts!r:.60}; use [text]")
    return list(texts)


def paired(premises: Iterable[T], hypotheses: Iterable[T]) -> list[tuple[T, T]]:
    """Return each premise with its hypothesis, or say that there are more of one.

    Args:
        premises: The first texts.
        hypotheses: The second texts.

    Raises:
        ValueError: If their numbers differ.
        TypeError: If one string was given for many.
    """
    first, second = listed(premises), listed(hypotheses)
    if len(first) != len(second):
        raise ValueError(
            f"Expected one hypothesis a premise, got {len(first)} premises and {len(second)} "
            "hypotheses"
        )
    return list(zip(first, second, strict=True))
