"""Raw text to words that know where they stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tokenizers import pre_tokenizers

from mtl_utils.arguments import check_text

_SPLITTER = pre_tokenizers.BertPreTokenizer()
# The characters around which BERT puts spaces: Chinese ones, which the Japanese kanji are too.
_IDEOGRAPH = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf"
    "\U0002f800-\U0002fa1f]"
)


class TextWord(NamedTuple):
    """A word of a raw text.

    Attributes:
        text: The word, ``raw[start:end]``.
        start: Position of its first character.
        end: Position after its last character.
    """

    text: str
    start: int
    end: int


def split_words(text: str) -> list[TextWord]:
    """Split a raw text into words, as a tagger reads them.

    White space parts words, and every mark of punctuation is a word of its own (Unicode categories
    ``P``, and ``$+<=>^`|~``): “don't” is three words and “U.S.” four. Chinese is written without
    spaces, and each of its characters is a word of its own, as in BERT (Devlin et al., 2019): that
    finds no words, but every border of an entity is one of these. Kana, Thai or Khmer text stays in
    one piece up to the next mark; find words there first. Sentences are not split. Nothing but
    white space is left out, so that tags can be given back on the text:

        >>> raw = "Ada met  Bob."
        >>> words = split_words(raw)
        >>> [word.text for word in words]
        ['Ada', 'met', 'Bob', '.']
        >>> tags = ["B-PER", "O", "B-PER", "O"]
        >>> [(raw[w.start : w.end], w.start) for w, t in zip(words, tags) if t != "O"]
        [('Ada', 0), ('Bob', 9)]

    A model that was trained on words split otherwise (``"don", "n't"``) reads these as it would
    read a typing error: split text as the words of its training data were split, where that is
    known.

    Args:
        text: The text.

    Returns:
        Its words in order, none of them empty; none at all of white space.

    Raises:
        TypeError: If it is no text.
        ValueError: If it holds half of a character, a surrogate that stands alone.
    """
    check_text("text", text)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"text must be whole characters, got half of one (a surrogate) at position "
            f"{error.start}: {text[error.start : error.end]!r}"
        ) from error
    words = [TextWord(word, *place) for word, place in _SPLITTER.pre_tokenize_str(text)]
    if text.isascii() or _IDEOGRAPH.search(text) is None:
        return words
    return [part for word in words for part in _parted(word)]


def _parted(word: TextWord) -> Iterator[TextWord]:
    """Yield the ideographs of a word one by one, and what stands between them."""
    end = 0
    for found in _IDEOGRAPH.finditer(word.text):
        yield from _part(word, end, found.start())
        yield from _part(word, *found.span())
        end = found.end()
    yield from _part(word, end, len(word.text))


def _part(word: TextWord, start: int, end: int) -> Iterator[TextWord]:
    if start < end:
        yield TextWord(word.text[start:end], word.start + start, word.start + end)
