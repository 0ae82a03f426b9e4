"""From text to ids and back: what every tokenizer does, and one id a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mtl_utils import arguments
from mtl_utils.arguments import check_flag, check_kind, check_several, shown
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.data.vocabulary import BOS, EOS, PAD, SPECIALS, UNK, Vocabulary

_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Pieces:
    """The pieces of one sentence of words, and which word each belongs to.

    Args:
        ids: Ids of the pieces.
        word_ids: Index of the word each piece belongs to; every word has at least one piece.

    Raises:
        ValueError: If the lengths differ, or ``word_ids`` does not go through the words in order,
            from 0 on.
        TypeError: If ids or words are not several in an order.
    """

    ids: list[int]
    word_ids: list[int]

    def __post_init__(self) -> None:
        check_several("ids", self.ids, "ids")
        check_several("word_ids", self.word_ids, "one index of a word a piece")
        if len(self.ids) != len(self.word_ids):
            raise ValueError(
                f"Expected one word id a piece, got {len(self.word_ids)} for {len(self.ids)} "
                f"pieces: word_ids {self.word_ids!r:.60} for ids {self.ids!r:.60}"
            )
        before = -1
        for piece, word in enumerate(self.word_ids):
            if word not in (before, before + 1) or word < 0 or word is None:
                raise ValueError(
                    f"word_ids goes through the words 0, 1, 2, ... in order and leaves none out; "
                    f"piece {piece} has word {word} after {before if piece else 'nothing'} in "
                    f"{self.word_ids!r:.60}"
                )
            before = word

    @property
    def num_words(self) -> int:
        """Number of words."""
        return self.word_ids[-1] + 1 if self.word_ids else 0

    @property
    def first_pieces(self) -> list[int]:
        """Index of the first piece of every word."""
        words = self.word_ids
        return [index for index, word in enumerate(words) if not index or word != words[index - 1]]

    def align(self, labels: Sequence[int]) -> list[int]:
        """Turn one label a word into one label a piece.

        Args:
            labels: One label a word.

        Returns:
            One label a piece: the first piece of a word carries its label, the others
            :data:`~mtl_utils.data.MISSING_LABEL`.

        Raises:
            ValueError: If there is not one label for every word.
            TypeError: If they are not several in an order.
        """
        check_several("labels", labels, "one label a word")
        if len(labels) != self.num_words:
            raise ValueError(
                f"Expected one label a word, got {len(labels)} labels for {self.num_words} words: "
                f"{labels!r:.60}"
            )
        aligned = [MISSING_LABEL] * len(self.ids)
        for word, piece in enumerate(self.first_pieces):
            aligned[piece] = labels[word]
        return aligned


@dataclass(frozen=True)
class SpecialTokens:
    """What stands around texts: start, text, end; start, first, between, second, end.

    Args:
        start: Before the first text; where there are any, the first stands for all that is read.
        between: Between the two texts of a pair.
        end: After the last text.

    Raises:
        TypeError: If one of them is no list or tuple of whole numbers.
        ValueError: If an id is negative.
    """

    start: tuple[int, ...]
    between: tuple[int, ...]
    end: tuple[int, ...]

    def __post_init__(self) -> None:
        for name, ids in vars(self).items():
            if type(ids) is not tuple or not all(
                type(index) is int and index >= 0 for index in ids
            ):
                _check_ids(name, ids)


@runtime_checkable
class Tokenizer(Protocol):
    """What turns text into ids and ids into text."""

    @property
    def vocab_size(self) -> int:
        """Number of ids, special ones included."""
        ...

    @property
    def tokens(self) -> tuple[str, ...]:
        """What the ids stand for, to be read: a word, a piece, ``<pad>``."""
        ...

    @property
    def pad_id(self) -> int:
        """Id of ``<pad>``, which fills a batch and is never counted: 0."""
        return SPECIALS.index(PAD)

    @property
    def unk_id(self) -> int:
        """Id of ``<unk>``, which stands for what has no id: 1."""
        return SPECIALS.index(UNK)

    @property
    def bos_id(self) -> int:
        """Id of ``<bos>``, the start of a sentence: 2."""
        return SPECIALS.index(BOS)

    @property
    def eos_id(self) -> int:
        """Id of ``<eos>``, the end of a sentence: 3."""
        return SPECIALS.index(EOS)

    @property
    def special_tokens(self) -> SpecialTokens:
        """What an encoder reads around texts: ``<bos>``, and ``<eos>`` after each text."""
        return SpecialTokens((self.bos_id,), (self.eos_id,), (self.eos_id,))

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without ``<bos>`` and ``<eos>``.

        Args:
            text: The text.
        """
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; ``<pad>``, ``<bos>`` and ``<eos>`` are left out.

        Args:
            ids: Ids, for example a row of a tensor.
        """
        ...

    def normalise(self, text: str) -> str:
        """Return a text as the tokenizer can write it, whatever words it knows.

        What a model writes is to be compared with this. Here it is :meth:`decode` of
        :meth:`encode`, or the text as it is where something in it is unknown.

        Args:
            text: The text.
        """
        ids = self.encode(text)
        return text if self.unk_id in ids else self.decode(ids)

    def encode_words(self, words: Sequence[str]) -> Pieces:
        """Return the ids of a sentence that is given as words, with the word of each.

        Args:
            words: The words.
        """
        ...


@dataclass(frozen=True)
class WordTokenizer(Tokenizer):
    """One id a word; words are what stands between white space.

    A special token that the text spells out, such as ``<eos>``, is a word like any other and, since
    the vocabulary has no other token of that name, unknown.

    Args:
        vocabulary: The words and their ids.
        lowercase: Lower-case the text first; the vocabulary then holds lower-case words.

    Raises:
        TypeError: If the vocabulary is none, or ``lowercase`` no boolean.
    """

    vocabulary: Vocabulary
    lowercase: bool = False

    def __post_init__(self) -> None:
        check_kind("vocabulary", self.vocabulary, Vocabulary, "a Vocabulary")
        check_flag("lowercase", self.lowercase)

    @property
    def vocab_size(self) -> int:
        """Number of ids, special ones included."""
        return len(self.vocabulary)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The words in id order, after the special tokens."""
        return self.vocabulary.tokens

    def encode(self, text: str) -> list[int]:
        """Return one id a word; unknown words become ``<unk>``.

        Args:
            text: The text.

        Returns:
            The ids, none for an empty text.

        Raises:
            TypeError: If the text is not a string.
        """
        return self._ids(checked_text(text).split())

    def encode_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """Encode many texts.

        Args:
            texts: The texts.

        Returns:
            What :meth:`encode` gives for each.

        Raises:
            TypeError: If a text is not a string, or one string was given for many.
        """
        given = (checked_text(text, "one of texts") for text in checked_texts(texts, "texts"))
        return [self._ids(text.split()) for text in given]

    def encode_words(self, words: Sequence[str]) -> Pieces:
        """Return one id a word, as they are given: none is split further.

        Args:
            words: The words.

        Returns:
            One piece a word.

        Raises:
            TypeError: If a word is not a string, or one string was given for many.
        """
        given = checked_texts(words, "words")
        ids = self._ids(checked_text(word, "one of words") for word in given)
        return Pieces(ids, list(range(len(ids))))

    def _ids(self, words: Iterable[str]) -> list[int]:
        lowered = (word.lower() for word in words) if self.lowercase else words
        ids = self.vocabulary.encode(lowered)
        return [self.unk_id if index < len(SPECIALS) else index for index in ids]

    def normalise(self, text: str) -> str:
        """Return what :meth:`encode` reads: words and single spaces, lower-cased if asked.

        Args:
            text: The text.

        Raises:
            TypeError: If the text is not a string.
        """
        words = " ".join(checked_text(text).split())
        return words.lower() if self.lowercase else words

    def decode(self, ids: Iterable[int]) -> str:
        """Join the words of ids with spaces.

        Args:
            ids: Ids, for example a row of a tensor.

        Returns:
            The text, without ``<pad>``, ``<bos>`` and ``<eos>``.

        Raises:
            IndexError: If an id is outside the vocabulary.
            TypeError: If an id is no whole number.
        """
        return " ".join(self.vocabulary.decode(ids, skip_special=True))


def check_tokenizer(tokenizer: object) -> None:
    """Refuse what is no tokenizer.

    Args:
        tokenizer: Expected to be a :class:`Tokenizer`. Only one of its methods is looked for, since
            to look for all would take longer than to encode a text.

    Raises:
        TypeError: If it is none.
    """
    if isinstance(tokenizer, type) or not hasattr(tokenizer, "encode_words"):
        raise TypeError(
            f"tokenizer must be a Tokenizer, such as a WordTokenizer, got {shown(tokenizer)}"
        )


def _check_ids(name: str, ids: object) -> None:
    """Refuse what is no list or tuple of ids."""
    check_kind(name, ids, (list, tuple), "a tuple of ids")
    assert isinstance(ids, list | tuple)
    for index in ids:
        arguments.check_whole(f"each id of {name}", index, least=0)


def checked_text(text: str, name: str = "text") -> str:
    """Return a text, or say that it is none.

    Args:
        text: The text.
        name: What the message is to call it.

    Raises:
        TypeError: If it is not a string.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"Expected a string, got {type(text).__name__}: {text!r:.60}, as {name}. "
            "Sentences that are lists of words go through encode_words."
        )
    return text


def check_whole(text: str, what: str = "the text") -> None:
    """Refuse text that holds half a character, which no encoding of Unicode can write.

    Args:
        text: The text.
        what: What the message is to call it.

    Raises:
        ValueError: If it holds a lone surrogate.
    """
    half = None if text.isascii() else _SURROGATES.search(text)
    if half:
        raise ValueError(
            f"Expected whole characters, got the lone surrogate U+{ord(half[0]):04X} at position "
            f"{half.start()} of {what}. Text from UTF-16 or JSON is mended by "
            'text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").'
        )


def checked_words(words: Iterable[str]) -> list[str]:
    """Return words that a tokenizer can read, or say which is none.

    Args:
        words: The words.

    Raises:
        TypeError: If a word is not a string, or one string was given for many.
        ValueError: If a word holds a lone surrogate, which is half a character.
    """
    given = list(checked_texts(words, "words"))
    for index, word in enumerate(given):
        if type(word) is not str or not (word.isascii() or _SURROGATES.search(word) is None):
            check_whole(checked_text(word, "one of words"), f"word {index}, {word!r:.60}")
    return given


def checked_texts(values: Iterable[str], name: str) -> Iterable[str]:
    """Return several strings, or say that they are a single one.

    Args:
        values: The strings.
        name: What they are called in the message.

    Raises:
        TypeError: If one string was given for many, or something else that is not several.
    """
    if isinstance(values, str):
        raise TypeError(
            f"Expected {name}, a list of strings, got a single string: {values!r:.60}. "
            f"Put it into a list, or use encode."
        )
    if isinstance(values, bytes | Mapping) or not isinstance(values, Iterable):
        raise TypeError(f"Expected {name}, a list of strings, got {shown(values)}")
    return values
