"""How a model reads texts: with its tokenizer, as far as it can, and which of many was at fault."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mtl_utils.arguments import check_several, check_sizes
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.data.encoded_text import EncodedText, encode_pair, encode_text
from mtl_utils.data.examples import Example
from mtl_utils.data.splitting import split_words
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.data.windows import Window, encode_windows
from mtl_utils.models.beside import Beside, BesideColumns
from mtl_utils.nn.encoder import Encoder
from mtl_utils.sharing import Sharing
from mtl_utils.tasks.text_task import Text

T = TypeVar("T")
WORDS = "words"  # where words begin, in batches to predict from
LONG = ("error", "windows")


class TooManyTokensError(ValueError):
    """A text or pair is longer than a model reads.

    Args:
        message: What is wrong, and what to do.
        length: Its tokens, special ones included.
        limit: As many as are read.
    """

    def __init__(self, message: str, length: int, limit: int) -> None:
        super().__init__(message)
        self.length, self.limit = length, limit

    def __reduce__(self) -> tuple[Any, ...]:  # so that it comes back from another process
        return type(self), (str(self), self.length, self.limit)


@dataclass(frozen=True)
class TextReader:
    """Turns texts and pairs of texts into ids.

    Args:
        tokenizer: ``None`` where a model has none, which is said when a text is read.
        max_length: The longest text or pair that can be read, special tokens included.
        long: What becomes of longer ones; see :class:`mtl_utils.models.TextModel`.
        beside: The columns that are read beside the texts of a row.
    """

    tokenizer: Tokenizer | None
    max_length: int | None
    long: str
    beside: BesideColumns = field(default_factory=BesideColumns)

    @property
    def in_windows(self) -> bool:
        """Whether words of texts that are too long are read in several windows."""
        return self.long != "error" and self.max_length is not None

    def encoded(
        self, text: Text, hypothesis: Text | None, truncate: bool | None = None
    ) -> EncodedText:
        """Return the ids of a text or a pair.

        Args:
            text: The text, or the premise.
            hypothesis: The second text of a pair.
            truncate: Whether to cut what is too long; as ``long`` says if ``None``.

        Raises:
            ValueError: If it is too long and not to be cut, or there is no tokenizer.
        """
        cut = self.long != "error" if truncate is None else truncate
        limit = self.max_length if cut else None
        if hypothesis is None:
            encoded = encode_text(self._needed, text, max_length=limit)
        else:
            encoded = encode_pair(self._needed, text, hypothesis, max_length=limit)
        length = len(encoded.input_ids)
        if self.max_length is not None and length > self.max_length:
            message = (
                f"A text or pair of {length} tokens, special ones included, is longer than the "
                f"{self.max_length} that the model reads: {text!r:.60}. Shorten it, make the "
                f"example with truncate=True, set the model's long to 'windows', or make it with "
                f"max_length={length} or more."
            )
            raise TooManyTokensError(message, length, self.max_length)
        return encoded

    def warn_of_cut(self, num_cut: int, number: int) -> None:
        """Say of how many texts the end was cut off, if of any.

        Args:
            num_cut: How many texts or pairs.
            number: How many there are.
        """
        if num_cut:
            warnings.warn(
                f"{num_cut} of {number} texts or pairs are longer than the {self.max_length} "
                "tokens that the model reads: classes and relations are those of what is left "
                "when the end is cut off.",
                stacklevel=_level_of_caller(),
            )

    def windows(self, pairs: Sequence[tuple[Text, Text | None]]) -> list[list[Window]]:
        """Return the windows of each text, one where it is short enough.

        Args:
            pairs: Texts as words, each with the second text of its pair or ``None``.

        Raises:
            ValueError: If there is no tokenizer or no limit, or a window has no room for a word.
            TypeError: If a text is not given as words.
        """
        found = []
        for place, (words, other) in enumerate(pairs):
            with numbered(place, words):
                check_words(words)
                assert self.max_length is not None
                found.append(encode_windows(self._needed, words, other, max_length=self.max_length))
        return found

    @property
    def _needed(self) -> Tokenizer:
        if self.tokenizer is None:
            raise ValueError(
                "The model has no tokenizer to read text with. Make it with one (tokenizer=), or "
                "give it token ids."
            )
        return self.tokenizer


def kept_once(
    readings: dict[tuple[Any, ...], tuple[Any, ...]], encoded: EncodedText, *fresh: Any
) -> tuple[Any, ...]:
    """Keep what becomes of a text, unless the same ids are there already.

    Args:
        readings: What is kept, by ids and segments: an encoded text and what belongs to it.
        encoded: What became of a text.
        *fresh: What belongs to one that is new.

    Returns:
        The encoded text that is kept, and what belongs to it.
    """
    segments = None if encoded.segment_ids is None else tuple(encoded.segment_ids)
    key = (tuple(encoded.input_ids), segments)
    if key in readings and encoded.as_words:
        # As words the same ids say where words begin, too.
        readings[key] = (encoded, *readings[key][1:])
    return readings.setdefault(key, (encoded, *fresh))


def marked_window(window: Window, beside: Beside) -> Example:
    """Return a window as an example, with a 1 at each word that it is to speak for.

    Args:
        window: The window.
        beside: What stands beside the whole text.
    """
    begins = [MISSING_LABEL] * len(window.input_ids)
    for position in window.positions:
        begins[position] = 1
    return beside.added_to(Example(window.input_ids, {WORDS: begins}, window.segment_ids))


def _level_of_caller() -> int:
    """Return how far above whoever asks the code is that called the package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("mtl_utils."):
        frame, level = frame.f_back, level + 1
    return level


def words_of(text: Text) -> Sequence[str]:
    """Return a text as words, as tasks that label words read it: a string is split.

    Args:
        text: The text.
    """
    return [word.text for word in split_words(text)] if isinstance(text, str) else text


def check_words(words: Text) -> None:
    """Refuse a text that is not given as words.

    Args:
        words: The text.

    Raises:
        TypeError: If it is a string.
    """
    if isinstance(words, str):
        raise TypeError(
            f"Expected a sentence as a list of words, got the string {words!r:.60}. Split it first."
        )


@contextmanager
def numbered(place: int, text: object) -> Iterator[None]:
    """Say of an error about one of many texts which one it was.

    Args:
        place: Its number, from 0.
        text: The text.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:  # the text is long, and most have no error
        error.add_note(f"This was text {place}, counted from 0: {text!r:.60}")
        raise


@contextmanager
def noted(note: str) -> Iterator[None]:
    """Say of an error where it was.

    Args:
        note: What to say.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        error.add_note(note)
        raise


def longest_text(sharing: Sharing, max_length: int | None) -> int | None:
    """Return the longest text that all encoders read, or a shorter one that was asked for.

    Args:
        sharing: Has the encoders.
        max_length: What was asked for, in tokens, or ``None``.

    Raises:
        ValueError: If an encoder does not read as much, or it is below 1.
        TypeError: If it is no whole number.
    """
    if max_length is not None:
        check_sizes(max_length=max_length)
    encoders = (module for module in sharing.modules() if isinstance(module, Encoder))
    limits = [getattr(sharing, "max_length", None), *(e.max_length for e in encoders)]
    longest = min((limit for limit in limits if limit is not None), default=None)
    if max_length is None or longest is None:
        return longest if max_length is None else max_length
    if max_length > longest:
        raise ValueError(f"max_length is {max_length}, but the encoder reads {longest} at most")
    return max_length


def listed(texts: Iterable[T], name: str = "texts") -> list[T]:
    """Return texts as a list, or say that they are a single one.

    Args:
        texts: The texts.
        name: What a message is to call them.

    Raises:
        TypeError: If one string was given for many, or no texts at all.
    """
    if isinstance(texts, str):
        where = "" if name == "texts" else f" as {name}"
        raise TypeError(
            f"Expected a list of texts{where}, got the string {texts!r:.60}; use [text]"
        )
    check_several(name, texts, "texts", sized=False)
    return list(texts)


def paired(
    premises: Iterable[T],
    hypotheses: Iterable[T],
    names: tuple[str, str] = ("premises", "hypotheses"),
) -> list[tuple[T, T]]:
    """Return each premise with its hypothesis, or say that there are more of one.

    Args:
        premises: The first texts.
        hypotheses: The second texts.
        names: What a message is to call them.

    Raises:
        ValueError: If their numbers differ.
        TypeError: If one string was given for many, or no texts at all, or a hypothesis is missing.
    """
    first, second = listed(premises, names[0]), listed(hypotheses, names[1])
    for place, text in enumerate(second):
        if text is None:
            raise TypeError(f"{names[1]}[{place}] is None, and a pair needs both of its texts")
    if len(first) != len(second):
        raise ValueError(
            f"Expected one second text for each first, got {len(first)} {names[0]} and "
            f"{len(second)} {names[1]}: {second!r:.60}"
        )
    return list(zip(first, second, strict=True))
