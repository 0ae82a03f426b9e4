"""A model of texts and pairs of texts: it classifies, tags and infers, over any encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from mtl_utils.arguments import check_flag
from mtl_utils.corpora.labels import INFERENCE as INFERENCE_LABELS
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.data.class_labels import named_labels
from mtl_utils.data.examples import Example
from mtl_utils.data.missing import is_missing
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.models.given import check_label_names
from mtl_utils.models.pair_analysis import PairAnalysis
from mtl_utils.models.predicting import Pair
from mtl_utils.models.rows import Rows, is_rows
from mtl_utils.models.text_model import TextModel
from mtl_utils.models.text_reading import Text, check_words, listed, numbered, paired
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale
from mtl_utils.sharing import Sharing
from mtl_utils.tasks import Classification, PairClassification, Tagging

CLASSIFICATION, TAGS, INFERENCE = TASKS = ("classification", "tags", "inference")


class ThreeTaskModel(TextModel):
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
        max_length: The longest text or pair that can be read, special tokens included; as many as
            the encoders read if ``None``.
        long: What becomes of texts that are longer. ``"error"`` refuses them. With ``"windows"``
            every word is tagged: long sentences are read in windows that overlap
            (:func:`mtl_utils.data.encode_windows`), of each word the state is taken from the one
            where it has most context, and the best tags are searched for over all states at once.
            Classes and relations are those of what is left when the end is cut off, and a warning
            says of how many texts. It can be set later, and is saved with the model.
        pooling: See :class:`mtl_utils.tasks.Classification`.
        pair_pooling: See :class:`mtl_utils.tasks.PairClassification`; ``"compare"`` for an encoder
            without attention.
        crf: Whether to score whole sequences of tags; see :class:`mtl_utils.tasks.Tagging`.
        smoothing: Label smoothing of all tasks while training.
        dropout: Probability of dropping a unit before each head.
        scale: Of the losses, see :data:`mtl_utils.objectives.Scale`.

    Raises:
        ValueError: As the three tasks; if ``max_length`` is more than an encoder reads, or there is
            no such way of treating what is long.
        TypeError: If an argument is not of its kind.
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
        long: str = "error",
        scale: Scale = DEFAULT_SCALE,
    ) -> None:
        options: dict[str, Any] = {"smoothing": smoothing, "dropout": dropout, "scale": scale}
        check_label_names("classes", classes)
        check_label_names("tags", tags)
        check_flag("crf", crf)
        classification = Classification(CLASSIFICATION, tuple(classes), pooling, **options)
        tagging = Tagging(TAGS, tuple(tags), crf, **options)
        inference = PairClassification(INFERENCE, INFERENCE_LABELS, pair_pooling, **options)
        kinds = [classification, tagging, inference]
        super().__init__(sharing, kinds, tokenizer, max_length=max_length, long=long)
        self.classification, self.tagging, self.inference = classification, tagging, inference

    def example(
        self,
        text: Text,
        hypothesis: Text | None = None,
        *,
        classification: str | int | None = None,
        tags: Sequence[str | int | None] | None = None,
        inference: str | int | None = None,
        truncate: bool | None = None,
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
            truncate: Whether to cut what is too long, see :func:`mtl_utils.data.encode_pair`, or to
                refuse it; if ``None``, as the model's ``long`` says. The tags of words that are cut
                are not learnt, and count as missed where they are measured.

        Returns:
            The example, from ``<bos>`` to ``<eos>``. The first piece of a word has its tag.

        Raises:
            ValueError: If it is too long, there is not one tag for every word, an inference label
                has no hypothesis, an id is not that of a label, or the model has no tokenizer.
            KeyError: If a name is not that of a label.
            TypeError: If something that should be text is not, or tags are given for a string.
        """
        if truncate is not None:
            check_flag("truncate", truncate)
        encoded = self._reader.encoded(text, hypothesis, truncate)
        lost: dict[str, Sequence[int]] = {}
        labels: dict[str, int | Sequence[int]] = {}
        if not is_missing(classification):
            labels[CLASSIFICATION] = self.classification.id_of(classification)
        if tags is not None and not is_missing(tags):
            if isinstance(text, str):
                raise TypeError(
                    f"Tags are one a word, so the text must be a list of words; got {text!r:.60}"
                )
            ids = self.tagging.ids_of(tags)
            labels[TAGS] = encoded.align(ids)
            cut = [label for label in ids[len(encoded.first_pieces) :] if label != MISSING_LABEL]
            lost = {TAGS: cut} if cut else {}
        if not is_missing(inference):
            if hypothesis is None:
                raise ValueError(f"The inference label {inference!r} is of a pair; give hypothesis")
            labels[INFERENCE] = self.inference.id_of(inference)
        return replace(encoded.example(labels), lost=lost)

    def examples(
        self,
        texts: Iterable[Text] | Rows,
        hypotheses: Iterable[Text | None] | None = None,
        *,
        classification: Iterable[str | int | None] | None = None,
        tags: Iterable[Sequence[str | int | None] | None] | None = None,
        inference: Iterable[str | int | None] | None = None,
        truncate: bool | None = None,
    ) -> list[Example]:
        """Turn many texts or pairs into ids; see :meth:`example`.

        Labels may be columns of a :class:`datasets.Dataset`, which are then read by the names of
        their features: see :func:`mtl_utils.data.named_labels`.

        Args:
            texts: The texts, or the premises; or the rows of a data set, of which the tasks read
                their columns.
            hypotheses: As many; ``None`` stands where a text is single or a label is not known.
            classification: As many classes.
            tags: As many sequences of tags.
            inference: As many relations.
            truncate: Whether to cut what is too long; see :meth:`example`.

        Raises:
            ValueError: If there are more of one than of another, or as :meth:`example`.
            KeyError: As :meth:`example`.
            TypeError: As :meth:`example`, or if a single string was given for many texts.
        """
        if is_rows(texts):
            return super().examples(texts, truncate=truncate)
        rows = listed(texts)
        others = [None] * len(rows) if hypotheses is None else listed(hypotheses, "hypotheses")
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
            with numbered(place, text):
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
            ValueError: If a text is too long and ``long`` is ``"error"``, or the model has no
                tokenizer.
            TypeError: If a single string was given for many texts.
        """
        return self._said(CLASSIFICATION, [(text, None) for text in listed(texts)], max_tokens)

    def tag(self, sentences: Iterable[Sequence[str]], *, max_tokens: int = 4096) -> list[list[str]]:
        """Tag sentences.

        Args:
            sentences: Each a sequence of words.
            max_tokens: How many pieces, padding included, are read at a time; it does not change
                the result.

        Returns:
            One tag a word, sentence by sentence in the same order.

        Raises:
            ValueError: If a sentence is too long and ``long`` is ``"error"``, or the model has no
                tokenizer.
            TypeError: If a sentence is a string, or a word is not.
        """
        pairs = _as_words([(words, None) for words in listed(sentences, "sentences")])
        return self._said(TAGS, pairs, max_tokens)

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
            ValueError: If there are more of one than of the other, a pair is too long and ``long``
                is ``"error"``, or the model has no tokenizer.
            TypeError: If a single string was given for many texts.
        """
        pairs = paired(premises, hypotheses)
        return self._said(INFERENCE, pairs, max_tokens)

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
        # Every task reads the same pairs, the premise alone none of them.
        pairs = _as_words(paired(premises, hypotheses))
        found = self._predictor(TASKS, max_tokens).of(dict.fromkeys(TASKS, pairs))
        return [PairAnalysis(*(said[task] for task in TASKS)) for said in found]

    def evaluate_texts(
        self,
        texts: Iterable[Text],
        hypotheses: Iterable[Text | None] | None = None,
        *,
        classification: Sequence[str | int | None] | None = None,
        tags: Sequence[Sequence[str | int] | None] | None = None,
        inference: Sequence[str | int | None] | None = None,
        max_tokens: int = 4096,
    ) -> dict[str, float]:
        """Measure each task on texts, long ones too; see :meth:`examples` for the arguments.

        Where all texts fit it gives what :meth:`MultiTaskModel.evaluate` gives for their examples.
        The tags of longer ones are predicted in windows, so that every word is measured on what it
        deserves; in examples, words that were cut off count as missed.

        Args:
            texts: The texts, or the premises.
            hypotheses: As many; ``None`` stands where a text is single.
            classification: As many classes; ``None`` where one is not known.
            tags: As many sequences of tags, likewise.
            inference: As many relations, likewise.
            max_tokens: How many pieces, padding included, are read at a time; it does not change
                the result.

        Returns:
            The metrics of the tasks that have labels, each under the name of its task.

        Raises:
            ValueError: As :meth:`examples` and :meth:`MultiTaskModel.evaluate`; if a text is too
                long and ``long`` is ``"error"``.
            KeyError: As :meth:`examples`.
            TypeError: Likewise.
        """
        rows = listed(texts)
        others = [None] * len(rows) if hypotheses is None else listed(hypotheses, "hypotheses")
        labels = {CLASSIFICATION: classification, TAGS: tags, INFERENCE: inference}
        given: dict[str, Any] = {
            task: named_labels(column) for task, column in labels.items() if column is not None
        }
        self.examples(rows, others, **given)  # refuses what does not fit
        measured: dict[str, float] = {}
        for task, column in given.items():
            known = [place for place, label in enumerate(column) if not is_missing(label)]
            pairs: list[Any] = [(rows[place], others[place]) for place in known]
            if not pairs:
                continue
            found = self._said(task, pairs, max_tokens)
            scores = self.tasks[task].metrics(found, [column[place] for place in known])
            measured |= {f"{task}_{name}": value for name, value in scores.items()}
        if not measured:
            raise ValueError(f"No text has a label of {list(TASKS)}; there is nothing to measure")
        return measured

    def _said(self, task: str, pairs: Sequence[Pair], max_tokens: int) -> list[Any]:
        """Return what a task says of texts or pairs, by name."""
        found = self._predictor([task], max_tokens).of({task: pairs})
        return [said[task] for said in found]


def _as_words(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """Return pairs whose first texts are words, or refuse others: each word has a tag."""
    for place, (words, _) in enumerate(pairs):
        with numbered(place, words):
            check_words(words)
    return pairs
