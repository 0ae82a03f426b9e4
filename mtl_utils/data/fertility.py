"""What a tokenizer makes of a language: pieces per word and per character, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtl_utils.arguments import check_several
from mtl_utils.data.byte_pairs import BytePairTokenizer
from mtl_utils.data.tokenization import Tokenizer, check_tokenizer


@dataclass(frozen=True)
class Fertility:
    """How a tokenizer spells sentences (Rust et al., 2021, for words).

    Attributes:
        words: Number of words.
        characters: Number of characters in them, as they are written.
        pieces: Number of pieces that they became.
        unknown: Number of pieces that stand for what the tokenizer has no piece for.
        fragments: Number of pieces that hold a part of a character only: bytes, where a tokenizer
            has no whole character.
    """

    words: int
    characters: int
    pieces: int
    unknown: int
    fragments: int

    @property
    def per_word(self) -> float:
        """Pieces per word, the fertility; 1 where every word is a piece, nan without words."""
        return self.pieces / self.words if self.words else float("nan")

    @property
    def per_character(self) -> float:
        """Pieces per character, which needs no words and so compares scripts; nan without any."""
        return self.pieces / self.characters if self.characters else float("nan")

    @property
    def unknown_share(self) -> float:
        """Share of pieces that are unknown, from 0 to 1; nan without pieces."""
        return self.unknown / self.pieces if self.pieces else float("nan")

    @property
    def fragment_share(self) -> float:
        """Share of pieces that are parts of a character, from 0 to 1; nan without pieces."""
        return self.fragments / self.pieces if self.pieces else float("nan")


def fertility(tokenizer: Tokenizer, sentences: Iterable[Sequence[str]]) -> Fertility:
    """Count what a tokenizer makes of sentences of one language.

    Args:
        tokenizer: The tokenizer.
        sentences: Sentences as words, as the corpus has them: what a word is is a convention of
            each corpus, and where a script has no spaces, of whoever parted it.

    Returns:
        The counts.

    Raises:
        TypeError: If it is no tokenizer, or a sentence is not given as words.
        ValueError: If a word holds a lone surrogate, which is half a character.
    """
    check_tokenizer(tokenizer)
    check_several("sentences", sentences, "sentences as words", sized=False)
    words = characters = pieces = unknown = fragments = 0
    partial = _partial(tokenizer)
    for sentence in sentences:
        check_several("each of sentences", sentence, "words")
        ids = tokenizer.encode_words(sentence).ids
        words += len(sentence)
        characters += sum(map(len, sentence))
        pieces += len(ids)
        unknown += sum(index == tokenizer.unk_id for index in ids)
        fragments += sum(index in partial for index in ids)
    return Fertility(words, characters, pieces, unknown, fragments)


def _partial(tokenizer: Tokenizer) -> set[int]:
    """Return the pieces that are no text by themselves."""
    if not isinstance(tokenizer, BytePairTokenizer):
        return set()
    return {index for index in range(tokenizer.vocab_size) if _BROKEN in tokenizer.decode([index])}


_BROKEN = "\N{REPLACEMENT CHARACTER}"
