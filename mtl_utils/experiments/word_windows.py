"""What a linear tagger sees of a word: itself, its shape, and two words on either side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def window_features(tokens: Sequence[str]) -> Iterator[list[str]]:
    """Describe each word of a sentence by a window of five words.

    Args:
        tokens: The words.

    Yields:
        Of each word the names of the features it has.
    """
    padded = ["<s>", "<s>", *tokens, "</s>", "</s>"]
    for position in range(2, len(tokens) + 2):
        yield _features(padded, position)


def _features(tokens: Sequence[str], position: int) -> list[str]:
    word, before, after = tokens[position], tokens[position - 1], tokens[position + 1]
    features = [f"word={word}", f"ends={word[-3:]}", f"begins={word[:3]}", f"shape={_shape(word)}"]
    for offset in (-2, -1, 1, 2):
        near = tokens[position + offset]
        features += [f"{offset}={near.lower()}", f"{offset} shape={_shape(near)}"]
    return [*features, f"between={before.lower()}|{after.lower()}", f"pair={before.lower()}|{word}"]


def _shape(word: str) -> str:
    classes = ("X" if c.isupper() else "x" if c.islower() else "9" for c in word)
    return "".join(classes)[:4]
