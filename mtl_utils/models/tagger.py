"""The BiLSTM tagger: a multi-task model with one task, for sentences given as words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from mtl_utils.arguments import (
    check_flag,
    check_probability,
    check_several,
    check_sizes,
    check_whole,
)
from mtl_utils.data.batch import Batch
from mtl_utils.data.class_labels import named_labels
from mtl_utils.data.examples import Example
from mtl_utils.data.missing import is_missing
from mtl_utils.data.tokenization import WordTokenizer
from mtl_utils.data.vocabulary import Vocabulary
from mtl_utils.models.given import check_label_names, check_vocabulary
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder, WordCharacterEmbedding
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Tagging

T = TypeVar("T")
TASK = "tags"

LONGEST_WORD = 40
"""Characters read of a word, half of them from its beginning and half from its end."""


class Tagger(MultiTaskModel):
    """Tag words with a BiLSTM over words and characters, and a CRF above it or not.

    After Lample et al. (2016) and Ma and Hovy (2016). A :class:`MultiTaskModel` with one task,
    named ``"tags"``: more tasks are more heads on the same encoder. A word is looked up in lower
    case and with every digit as ``0``; its characters are read as they are.

    Args:
        words: The words it knows, as :meth:`normalise` writes them.
        characters: The characters it knows.
        labels: Names of the tags. Where they are IOB2 tags, predictions keep to that scheme.
        width: Size of embeddings and states, D; even.
        character_width: How much of an embedding is read from characters; 0 for words alone.
        num_layers: Layers of the encoder.
        dropout: Probability of dropping a unit, before the encoder and after it.
        word_dropout: Probability of reading a word as unknown while training.
        crf: Whether to score whole sequences of tags.
        constrained: Whether predictions keep to IOB2, if the labels do.

    Raises:
        ValueError: If a size does not fit, ``width`` is odd, a probability is outside [0, 1), or
            the labels are refused by :class:`mtl_utils.tasks.Tagging`.
        TypeError: If an argument is not of its kind.
    """

    _used_as = 'model.tag([["A", "sentence", "."]])'

    def __init__(
        self,
        words: Vocabulary,
        characters: Vocabulary,
        labels: Sequence[str],
        width: int = 128,
        character_width: int = 32,
        num_layers: int = 1,
        dropout: float = 0.3,
        word_dropout: float = 0.0,
        crf: bool = True,
        constrained: bool = True,
    ) -> None:
        check_vocabulary("words", words)
        check_vocabulary("characters", characters)
        check_label_names("labels", labels)
        check_whole("character_width", character_width, least=0)
        check_probability("word_dropout", word_dropout)
        check_flag("crf", crf)
        check_flag("constrained", constrained)
        # Of one task alone the scale does not matter; a mean per word can be read.
        task = Tagging(TASK, tuple(labels), crf, constrained, dropout=dropout, scale="token")
        embedding = None
        if character_width:
            embedding = WordCharacterEmbedding(
                len(words), width, len(characters), character_width, word_dropout=word_dropout
            )
        elif word_dropout:
            raise ValueError(
                f"word_dropout={word_dropout} makes words unknown, which leaves nothing to read "
                "without characters; set character_width, or word_dropout=0"
            )
        encoder = BiLSTMEncoder(len(words), width, num_layers, dropout, embedding=embedding)
        super().__init__(HardSharing(encoder), [task])
        self.tokenizer, self.characters, self.tagging = WordTokenizer(words), characters, task

    @classmethod
    def from_sentences(
        cls,
        sentences: Iterable[Sequence[str]],
        labels: Sequence[str],
        *,
        min_count: int = 1,
        **settings: Any,
    ) -> Tagger:
        """Make a tagger that knows the words and characters of training sentences.

        Args:
            sentences: The training sentences, each a sequence of words.
            labels: Names of the tags.
            min_count: Know the words that occur at least this often. With 2, words seen once teach
                what to make of an unknown one.
            **settings: See :class:`Tagger`.

        Raises:
            TypeError: If a sentence is a string, or a word is not.
            ValueError: As :class:`Tagger`.
        """
        check_label_names("labels", labels)
        check_sizes(min_count=min_count)
        rows = _checked(sentences, "sentences")
        words = [word for sentence in rows for word in _checked(sentence, "a sentence")]
        known = Vocabulary.from_tokens(map(cls.normalise, words), min_count)
        characters = Vocabulary.from_tokens(character for word in words for character in word)
        return cls(known, characters, labels, **settings)

    @staticmethod
    def normalise(word: str) -> str:
        """Write a word as it is looked up: in lower case, every digit as ``0``.

        Args:
            word: The word.

        Raises:
            TypeError: If it is not a string.
        """
        if not isinstance(word, str):
            raise TypeError(f"Expected words, which are strings, got {word!r:.60}")
        return "".join("0" if character.isdigit() else character for character in word.lower())

    def example(
        self, words: Sequence[str], tags: Sequence[str | int | None] | None = None
    ) -> Example:
        """Turn a sentence, tagged or not, into ids.

        Args:
            words: The words.
            tags: One a word, as names or ids, where they are known; ``None`` in place of all or of
                a single one where they are not.

        Returns:
            The example, one id and its characters a word.

        Raises:
            ValueError: If there is not one tag for every word.
            KeyError: If a tag is not among the labels.
            TypeError: If the sentence is a string, or a word is not.
        """
        words = _checked(words, "a sentence")
        ids = self.tokenizer.encode_words([self.normalise(word) for word in words]).ids
        labels = {}
        if tags is not None and not is_missing(tags):
            labels[TASK] = self.tagging.ids_of(tags)
            if len(labels[TASK]) != len(words):
                raise ValueError(
                    f"Expected one tag a word, got {len(labels[TASK])} tags for {len(words)} "
                    "words. Where a sentence or a word has none, give None in place of it."
                )
        return Example(ids, labels, character_ids=[spelt(word, self.characters) for word in words])

    def examples(
        self,
        sentences: Iterable[Sequence[str]],
        tags: Iterable[Sequence[str | int | None] | None],
    ) -> list[Example]:
        """Turn many tagged sentences into ids; see :meth:`example`.

        Args:
            sentences: The sentences.
            tags: The tags of each. A column of a :class:`datasets.Dataset` is read by the names of
                its feature: see :func:`mtl_utils.data.named_labels`.

        Raises:
            ValueError: If there are more of one than of the other, or as :meth:`example`.
            KeyError: As :meth:`example`.
            TypeError: As :meth:`example`.
        """
        rows, columns = _checked(sentences, "sentences"), named_labels(tags)
        if len(rows) != len(columns):
            raise ValueError(
                f"Expected the tags of each sentence, got {len(columns)} for {len(rows)} sentences"
            )
        made = []
        for place, (words, row) in enumerate(zip(rows, columns, strict=True)):
            try:
                made.append(self.example(words, row))
            except (KeyError, TypeError, ValueError) as error:
                error.add_note(f"This was sentence {place}, counted from 0: {words!r:.60}")
                raise
        return made

    def tag(self, sentences: Sequence[Sequence[str]], *, max_tokens: int = 4096) -> list[list[str]]:
        """Tag sentences.

        Args:
            sentences: Each a sequence of words.
            max_tokens: How many words, padding included, are read at a time; it does not change
                the result.

        Returns:
            One tag a word, sentence by sentence in the same order; none for an empty sentence.

        Raises:
            TypeError: If a sentence is a string, or a word is not.
            ValueError: If a setting is outside its range.
        """
        examples = [self.example(words) for words in _checked(sentences, "sentences")]

        def tags_of(batch: Batch) -> list[list[str]]:
            return self.tagging.named(self.predict(batch, [TASK])[TASK])

        return self._predicted(examples, tags_of, max_tokens)


def spelt(word: str, characters: Vocabulary) -> list[int]:
    """Return the characters of a word that a tagger reads, as ids.

    Args:
        word: The word.
        characters: The characters that it knows.
    """
    if len(word) > LONGEST_WORD:
        word = word[: LONGEST_WORD // 2] + word[-LONGEST_WORD // 2 :]
    return characters.encode(word)


def _checked(values: Iterable[T], what: str) -> list[T]:
    if isinstance(values, str):
        raise TypeError(
            f"Expected {what} as a list, got the string {values!r:.60}. A sentence is a list of "
            "words: split it first."
        )
    check_several(what, values, "words" if what == "a sentence" else "sentences", sized=False)
    return list(values)
