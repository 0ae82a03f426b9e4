"""The words of a corpus as a reader types them: split again, with the labels of its tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mtl_utils.data.splitting import split_words


def words_of_tokens(text: str, tokens: Sequence[str]) -> Iterator[tuple[str, int, bool]]:
    """Split a text as one that was typed, and say which token each of its words is of.

    Args:
        text: The text.
        tokens: Its tokens as a data set has them, in order.

    Yields:
        Each word, the position of the token that it begins in, and whether it begins with it.

    Raises:
        ValueError: If a token is not found in the text after those before it.
    """
    spans, place = [], 0
    for token in tokens:
        begin = text.index(token, place)
        place = begin + len(token)
        spans.append((begin, place))
    at = 0
    for word in split_words(text):
        while spans[at][1] <= word.start:
            at += 1
        yield word.text, at, word.start == spans[at][0]


def as_typed(text: str, tokens: Sequence[str], tags: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a text as one that was typed, and give its words the tags of its tokens.

    Args:
        text: The text.
        tokens: Its tokens as a data set has them.
        tags: Tags in IOB2, one a token.

    Returns:
        Its words, and of each the tag of the token that it begins in; within a token that is split,
        the tag that continues the entity.

    Raises:
        ValueError: If a token is not found in the text.
    """
    words, found = [], []
    for word, at, begins in words_of_tokens(text, tokens):
        words.append(word)
        found.append(tags[at] if begins else _inside(tags[at]))
    return words, found


def words_as_typed(texts: Iterable[str]) -> list[str]:
    """Return the words of texts, as a reader's are split; a word may stand there more than once.

    Args:
        texts: The texts.
    """
    parts = {part for text in texts for part in text.split()}  # few are different, fast to split
    return [word.text for part in parts for word in split_words(part)]


def _inside(tag: str) -> str:
    """Return the tag that goes on with an entity."""
    return f"I-{tag[2:]}" if tag.startswith("B-") else tag
