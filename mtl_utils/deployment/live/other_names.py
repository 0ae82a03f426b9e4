"""Sentences with other names in them: more names, in the sentences that a corpus has."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

from mtl_utils.tasks.spans import to_spans

Tagged = tuple[list[str], list[str]]
"""Words, and a tag in IOB2 for each."""


def names_by_type(sentences: Iterable[Tagged]) -> dict[str, list[tuple[str, ...]]]:
    """Collect the names of tagged sentences.

    Args:
        sentences: The sentences.

    Returns:
        By type the different names, each as words, in alphabetical order.
    """
    found: dict[str, set[tuple[str, ...]]] = {}
    for words, tags in sentences:
        for span in to_spans(tags):
            found.setdefault(span.type, set()).add(tuple(words[span.start : span.end]))
    return {kind: sorted(names) for kind, names in sorted(found.items())}


def with_other_names(
    words: Sequence[str],
    tags: Sequence[str],
    names: Mapping[str, Sequence[tuple[str, ...]]],
    share: float,
    draw: random.Random,
) -> tuple[list[str], list[str], list[int | None]]:
    """Put other names of the same type in the place of some (Dai and Adel, 2020).

    Args:
        words: A sentence.
        tags: Tags in IOB2, one a word.
        names: By type the names to choose from; those of a type without any stay.
        share: How many of the names are exchanged, in the mean.
        draw: Draws which, and what for.

    Returns:
        Words and tags, and of each word where it stood; ``None`` for one that came in.
    """
    made: list[tuple[str, str, int | None]] = []
    at = 0
    for span in to_spans(tags):
        made += ((words[i], tags[i], i) for i in range(at, span.start))
        at = span.end
        choice = names.get(span.type)
        if not choice or draw.random() >= share:
            made += ((words[i], tags[i], i) for i in range(span.start, span.end))
            continue
        name = choice[draw.randrange(len(choice))]
        made += ((w, f"{'I' if i else 'B'}-{span.type}", None) for i, w in enumerate(name))
    made += ((words[i], tags[i], i) for i in range(at, len(words)))
    return [m[0] for m in made], [m[1] for m in made], [m[2] for m in made]
