"""How an exported tagger reads words: looked up as it normalises them, and letter by letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from mtl_utils.arguments import check_kind
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.data.vocabulary import SPECIALS, Vocabulary
from mtl_utils.models.tagger import LONGEST_WORD, Tagger, spelt

LOOKED_UP = "in lower case, every digit as 0"
"""For people: how a word is written before its id is looked up."""


@dataclass(frozen=True)
class Spelling:
    """What turns words into the ids that a tagger reads: one a word, nothing around them.

    Args:
        characters: The characters that the model knows.
    """

    characters: Vocabulary = field(repr=False)

    @classmethod
    def of(cls, known: Mapping[str, Any]) -> Self:
        """Make one of its description.

        Args:
            known: What :meth:`description` returned.

        Raises:
            ValueError: If it is something else.
        """
        characters = known.get("characters")
        if not isinstance(characters, list) or known.get("longest_word") != LONGEST_WORD:
            raise ValueError(f"Expected the characters that a model knows, got {known!r:.60}")
        return cls(Vocabulary((*SPECIALS, *characters)))

    def description(self) -> dict[str, Any]:
        """Return all that is needed to read words as the model does, as JSON can hold it."""
        return {
            "looked_up": LOOKED_UP,
            "longest_word": LONGEST_WORD,
            "characters": list(self.characters.tokens[len(SPECIALS) :]),
        }

    def read(
        self, tokenizer: Tokenizer, words: Sequence[str]
    ) -> tuple[list[int], tuple[tuple[int, ...], ...]]:
        """Return an id a word, and the ids of its characters.

        Args:
            tokenizer: The words that the model knows.
            words: The words.

        Raises:
            TypeError: If they are no words.
        """
        check_kind("a sentence", words, (list, tuple), "a list of words")
        ids = tokenizer.encode_words([Tagger.normalise(word) for word in words]).ids
        return list(ids), tuple(tuple(spelt(word, self.characters)) for word in words)
