"""Byte pair encoding: pieces of words, learned from text, that spell any text."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from mtl_utils import arguments
from mtl_utils.data.tokenization import (
    Pieces,
    SpecialTokens,
    Tokenizer,
    check_whole,
    checked_text,
    checked_texts,
    checked_words,
)
from mtl_utils.data.vocabulary import SPECIALS, Vocabulary, is_list_of_strings
from mtl_utils.files import read_json, write_json


@dataclass(frozen=True)
class BytePairTokenizer(Tokenizer):
    r"""Byte pair encoding: words are spelled in pieces, frequent ones in a single piece.

    Starting from the 256 bytes of UTF-8, training merges the most frequent pair of neighbouring
    pieces into a new piece until the vocabulary is full (Sennrich et al., 2016). Because it starts
    from bytes (Radford et al., 2019), no text in any script is unknown, and :meth:`decode` of
    :meth:`encode` gives the text back as :meth:`normalise` writes it. Every word is spelled with
    the space before it, the first one too, so that a word has the same pieces wherever it stands.

    A special token that the text spells out, such as ``<eos>``, is encoded as the characters it
    consists of: text can never produce a special id. Make one with :meth:`train` or :meth:`load`;
    the constructor takes the finished parts.

    Args:
        vocabulary: The pieces in id order, written in the alphabet of GPT-2, which has a visible
            character for every byte: ``Ġ`` is the space.
        merges: Which two pieces become one, the first learned first.
        lowercase: Lower-case text before encoding it.

    Raises:
        ValueError: If bytes are missing from the vocabulary, a piece is not written in the
            alphabet of bytes, or a merge joins or makes what is no piece.
        TypeError: If the vocabulary is none, a merge is no pair of strings, or ``lowercase`` no
            boolean.
    """

    vocabulary: Vocabulary
    merges: tuple[tuple[str, str], ...] = field(repr=False)
    lowercase: bool = False

    def __post_init__(self) -> None:
        arguments.check_kind("vocabulary", self.vocabulary, Vocabulary, "a Vocabulary")
        arguments.check_flag("lowercase", self.lowercase)
        object.__setattr__(self, "merges", _checked_merges(self.merges))
        missing = [letter for letter in _BYTES if letter not in self.vocabulary]
        if missing:
            raise ValueError(
                f"{len(missing)} of the 256 bytes are not in the vocabulary, so that not every "
                "text could be encoded. Make a tokenizer with BytePairTokenizer.train."
            )
        strange = [piece for piece in self.vocabulary if not _BYTES.keys() >= set(piece)]
        if strange:
            raise ValueError(
                f"Pieces are written in the alphabet of bytes (Ġ for a space); these are not: "
                f"{strange[:5]}"
            )
        for left, right in self.merges:
            if not all(piece in self.vocabulary for piece in (left, right, left + right)):
                raise ValueError(
                    f"The merge of {left!r} and {right!r} needs all of {left!r}, {right!r} and "
                    f"{left + right!r} in the vocabulary; it is one of merges"
                )

    @classmethod
    def train(
        cls, texts: Iterable[str], vocab_size: int, lowercase: bool = False, min_count: int = 2
    ) -> BytePairTokenizer:
        """Learn the pieces from text.

        The same texts give the same tokenizer, in whatever order they come.

        Args:
            texts: The texts.
            vocab_size: Number of ids, the 4 special tokens and the 256 bytes included; fewer where
                no pair is left that occurs ``min_count`` times.
            lowercase: Lower-case text, now and whenever the tokenizer encodes.
            min_count: Merge only pairs that occur at least this often.

        Returns:
            The tokenizer.

        Raises:
            ValueError: If ``vocab_size`` or ``min_count`` is too small, there is no text at all, or
                a text holds a lone surrogate.
            TypeError: If a text is not a string, one string was given for many, a number is no
                whole one, or ``lowercase`` no boolean.
        """
        arguments.check_whole("vocab_size", vocab_size)
        arguments.check_flag("lowercase", lowercase)
        smallest = len(SPECIALS) + len(_BYTES)
        if vocab_size < smallest:
            raise ValueError(
                f"vocab_size counts {len(SPECIALS)} special tokens and {len(_BYTES)} bytes, so it "
                f"must be at least {smallest}; got {vocab_size}"
            )
        arguments.check_whole("min_count", min_count, least=1)
        given = checked_texts(texts, "texts")
        prepared = (_prepared(text, lowercase, "one of texts") for text in given)
        learner = tokenizers.Tokenizer(models.BPE())
        learner.pre_tokenizer = _splitter()
        learner.train_from_iterator(_not_empty(prepared, given), _trainer(vocab_size, min_count))
        model = json.loads(learner.to_str())["model"]
        pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
        return cls(Vocabulary(tuple(pieces)), tuple(model["merges"]), lowercase)

    @property
    def vocab_size(self) -> int:
        """Number of ids, special ones included."""
        return len(self.vocabulary)

    @cached_property
    def special_tokens(self) -> SpecialTokens:
        """What an encoder reads around texts: ``<bos>``, and ``<eos>`` after each text."""
        return super().special_tokens

    @cached_property
    def _encoder(self) -> Any:
        # Special tokens are ordinary entries of this vocabulary, never "added tokens", which the
        # library would look for in the text.
        ids = {piece: index for index, piece in enumerate(self.vocabulary)}
        encoder = tokenizers.Tokenizer(models.BPE(ids, list(self.merges)))
        encoder.pre_tokenizer = _splitter()
        return encoder

    def __reduce__(self) -> tuple[type[BytePairTokenizer], tuple[Any, ...]]:
        return type(self), (self.vocabulary, self.merges, self.lowercase)

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        r"""The pieces in id order, to be read: ``▁`` is a space, ``\xe2`` a byte of a character."""
        return tuple(
            _to_bytes(piece).decode("utf-8", "backslashreplace").replace(" ", "▁")
            for piece in self.vocabulary
        )

    def normalise(self, text: str) -> str:
        """Return what :meth:`encode` reads: the text in Unicode's form NFC, lower-cased if asked.

        Args:
            text: The text.

        Returns:
            The normalised text.

        Raises:
            TypeError: If the text is not a string.
            ValueError: If it holds a lone surrogate, which is half a character.
        """
        return _normalised(text, self.lowercase)

    def encode(self, text: str) -> list[int]:
        """Return the ids of the pieces of a text.

        Args:
            text: The text.

        Returns:
            The ids, none for an empty text.

        Raises:
            TypeError: If the text is not a string.
            ValueError: If it holds a lone surrogate, which is half a character.
        """
        ids: list[int] = self._encoder.encode(_prepared(text, self.lowercase)).ids
        return ids

    def encode_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """Encode many texts, faster than one by one.

        Args:
            texts: The texts.

        Returns:
            What :meth:`encode` gives for each.

        Raises:
            TypeError: If a text is not a string, or one string was given for many.
            ValueError: If a text holds a lone surrogate, which is half a character.
        """
        texts = checked_texts(texts, "texts")
        prepared = [_prepared(text, self.lowercase, "one of texts") for text in texts]
        return [encoding.ids for encoding in self._encoder.encode_batch_fast(prepared)]

    def encode_words(self, words: Sequence[str]) -> Pieces:
        """Return the pieces of a sentence that is given as words, with the word of each.

        They are the pieces of ``encode(" ".join(words))``, save that an empty word becomes one
        ``<unk>``, so that every word has a piece to carry its label.

        Args:
            words: The words.

        Returns:
            The pieces.

        Raises:
            TypeError: If a word is not a string, or one string was given for many.
            ValueError: If a word holds a lone surrogate, which is half a character.
        """
        known, ids, owners = self._known_words, [], []
        for index, word in enumerate(checked_words(words)):
            pieces = known.get(word)
            if pieces is None:
                pieces = self._spelled(word)
            ids += pieces
            owners += [index] * len(pieces)
        return Pieces(ids, owners)

    @cached_property
    def _known_words(self) -> dict[str, list[int]]:
        """Words that were spelled: few different ones make up a text, and looking up is fast."""
        return {}

    def _spelled(self, word: str) -> list[int]:
        prepared = _prepared(word, self.lowercase)
        pieces: list[int] = self._encoder.encode(prepared).ids if prepared else [self.unk_id]
        if len(self._known_words) < _MOST_WORDS:
            self._known_words[word] = pieces
        return pieces

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text that ids spell.

        Args:
            ids: Ids, for example a row of a tensor.

        Returns:
            The text, without ``<pad>``, ``<bos>`` and ``<eos>``; ``�`` stands where the bytes are
            no text, as an untrained model may write them.

        Raises:
            IndexError: If an id is outside the vocabulary.
            TypeError: If an id is no whole number.
        """
        pieces = self.vocabulary.decode(ids, skip_special=True)
        return _to_bytes("".join(pieces)).decode("utf-8", "replace").removeprefix(" ")

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON, with a digest of it; the file is never half new.

        Args:
            path: File to write; its folder must exist. If it is a link, the file it points to is
                replaced.

        Raises:
            OSError: If it cannot be written; a file that was there is untouched.
            TypeError: If it is no path.
            ValueError: If the path is empty.
        """
        content = {
            "lowercase": self.lowercase,
            "tokens": self.vocabulary.tokens,
            "merges": [list(merge) for merge in self.merges],
        }
        arguments.check_path("path", path)
        write_json(path, content)

    @classmethod
    def load(cls, path: str | Path) -> BytePairTokenizer:
        """Read a tokenizer that :meth:`save` wrote.

        Args:
            path: The file.

        Returns:
            The tokenizer.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, or does not hold a tokenizer.
            TypeError: If it is no path.
        """
        arguments.check_path("path", path)
        given, path = path, Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"No tokenizer at path {str(given)!r}. Write one with save.")
        content = read_json(path)
        if not holds_byte_pairs(content):
            raise ValueError(
                f"{path} holds no byte pair tokenizer; expected what BytePairTokenizer.save wrote: "
                '{"lowercase": bool, "tokens": [strings], "merges": [[string, string]]}'
            )
        try:
            return cls(Vocabulary(content["tokens"]), content["merges"], content["lowercase"])
        except ValueError as error:
            raise ValueError(f"{path} holds no usable tokenizer: {error}") from error


def _byte_alphabet() -> dict[str, int]:
    """The visible character that GPT-2 writes for each byte: itself, or one from 256 on."""
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = [byte for byte in range(256) if byte not in visible]
    letters = {chr(byte): byte for byte in sorted(visible)}
    return letters | {chr(256 + index): byte for index, byte in enumerate(hidden)}


_BYTES = _byte_alphabet()
_MOST_WORDS = 100_000  # remembered, some 20 MB
_TO_LATIN_1 = {ord(letter): byte for letter, byte in _BYTES.items()}


def _to_bytes(piece: str) -> bytes:
    return piece.translate(_TO_LATIN_1).encode("latin-1")


def _splitter() -> Any:
    # The space before the first word is added in _prepared, so that a text which starts with a
    # space of its own keeps it.
    return pre_tokenizers.ByteLevel(add_prefix_space=False)


def _trainer(vocab_size: int, min_count: int) -> Any:
    return trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_count,
        special_tokens=list(SPECIALS),
        initial_alphabet=list(_BYTES),
        show_progress=False,
    )


def _checked_merges(merges: Any) -> tuple[tuple[str, str], ...]:
    """Return merges as pairs of strings, or say which is none."""
    arguments.check_several("merges", merges, "pairs of pieces", sized=False)
    given = tuple(merges)
    for merge in given:
        pair = isinstance(merge, list | tuple) and len(merge) == 2
        if not pair or not all(isinstance(piece, str) for piece in merge):
            raise TypeError(
                f"merges must be pairs of pieces, two strings each, got {arguments.shown(merge)}"
            )
    return tuple((left, right) for left, right in given)


def _prepared(text: str, lowercase: bool, name: str = "text") -> str:
    normalised = _normalised(text, lowercase, name)
    return f" {normalised}" if normalised else ""


def _normalised(text: str, lowercase: bool, name: str = "text") -> str:
    if checked_text(text, name).isascii():
        return text.lower() if lowercase else text
    check_whole(text)
    text = unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFC", text.lower()) if lowercase else text


def _not_empty(texts: Iterable[str], given: object) -> Iterator[str]:
    found = False
    for text in texts:
        found = found or bool(text)
        yield text
    if not found:
        raise ValueError(
            "There is no text to learn pieces from: texts is empty, or every text is; got "
            f"{arguments.shown(given)}"
        )


def holds_byte_pairs(content: object) -> bool:
    """Tell whether something that was read from JSON has the parts of a tokenizer, as they are.

    Args:
        content: What was read.
    """
    if not isinstance(content, dict):
        return False
    if content.keys() - {"digest"} != {"lowercase", "tokens", "merges"}:
        return False
    merges = content["merges"]
    return (
        isinstance(content["lowercase"], bool)
        and is_list_of_strings(content["tokens"])
        and isinstance(merges, list)
        and all(is_list_of_strings(merge) and len(merge) == 2 for merge in merges)
    )
