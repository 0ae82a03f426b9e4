"""A vocabulary: the fixed, ordered set of tokens a model knows, and their ids."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mtl_utils.arguments import (
    check_flag,
    check_path,
    check_several,
    check_text,
    check_whole,
    shown,
)
from mtl_utils.files import read_json, write_json

PAD = "<pad>"
UNK = "<unk>"
BOS = "<bos>"
EOS = "<eos>"
SPECIALS = (PAD, UNK, BOS, EOS)


@dataclass(frozen=True)
class Vocabulary:
    """Tokens and their ids; the id of a token is its position.

    The four special tokens ``<pad>``, ``<unk>``, ``<bos>`` and ``<eos>`` always come first, with
    the ids 0 to 3. Build a vocabulary from text with :meth:`from_tokens`; the constructor takes the
    finished list.

    Args:
        tokens: Every token in id order, the special tokens first.

    Raises:
        ValueError: If the special tokens are not the first four, or a token occurs twice.
        TypeError: If a token is no string, or there are not several in an order.
    """

    tokens: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        check_several("tokens", self.tokens, "strings in the order of their ids", sized=False)
        object.__setattr__(self, "tokens", tuple(self.tokens))
        for position, token in enumerate(self.tokens):
            if not isinstance(token, str):
                raise TypeError(
                    f"tokens must be strings, got {shown(token)} at position {position}"
                )
        if self.tokens[: len(SPECIALS)] != SPECIALS:
            raise ValueError(
                f"A vocabulary starts with {SPECIALS}, got tokens "
                f"{list(self.tokens[: len(SPECIALS)])}. "
                "Use Vocabulary.from_tokens to build one from text."
            )
        if len(self._ids) != len(self.tokens):
            twice = [token for token, count in Counter(self.tokens).items() if count > 1]
            raise ValueError(
                f"A token may occur once in tokens, a vocabulary; these repeat: {twice[:5]}"
            )

    @classmethod
    def from_tokens(
        cls, tokens: Iterable[str], min_count: int = 1, max_size: int | None = None
    ) -> Vocabulary:
        """Count tokens and keep the frequent ones, most frequent first.

        Tokens with the same count are ordered by code point, so the ids depend on the counts alone
        and not on the order of the text. Special tokens in the text are not counted.

        Args:
            tokens: A flat iterable of tokens; characters if it is a string.
            min_count: Keep tokens that occur at least this often.
            max_size: Keep at most this many tokens, the four special ones included.

        Returns:
            The vocabulary.

        Raises:
            ValueError: If ``min_count`` is below 1 or ``max_size`` leaves no room for the special
                tokens.
            TypeError: If something in ``tokens`` is not a string, for example a sentence, or a
                number is no whole one.
        """
        check_whole("min_count", min_count, least=1)
        if max_size is not None:
            check_whole("max_size", max_size)
        if max_size is not None and max_size < len(SPECIALS):
            raise ValueError(
                f"max_size counts the {len(SPECIALS)} special tokens, so it must be at least "
                f"{len(SPECIALS)}; got {max_size}"
            )
        counts = Counter(_checked(tokens))
        for special in SPECIALS:
            counts.pop(special, None)
        kept = [token for token, count in counts.items() if count >= min_count]
        kept.sort(key=lambda token: (-counts[token], token))
        if max_size is not None:
            kept = kept[: max_size - len(SPECIALS)]
        return cls((*SPECIALS, *kept))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens)}

    @property
    def pad_id(self) -> int:
        """Id of ``<pad>``, which fills a batch and is never counted."""
        return SPECIALS.index(PAD)

    @property
    def unk_id(self) -> int:
        """Id of ``<unk>``, which stands for every token outside the vocabulary."""
        return SPECIALS.index(UNK)

    @property
    def bos_id(self) -> int:
        """Id of ``<bos>``, the start of a sentence."""
        return SPECIALS.index(BOS)

    @property
    def eos_id(self) -> int:
        """Id of ``<eos>``, the end of a sentence."""
        return SPECIALS.index(EOS)

    def __len__(self) -> int:
        """Return the number of tokens, special ones included."""
        return len(self.tokens)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the tokens in id order."""
        return iter(self.tokens)

    def __contains__(self, token: object) -> bool:
        """Tell whether a token has an id of its own."""
        return token in self._ids

    def __repr__(self) -> str:
        sample = ", ".join(repr(token) for token in self.tokens[len(SPECIALS) :][:5])
        return f"Vocabulary({len(self)} tokens: {sample}{', ...' if len(self) > 9 else ''})"

    def id(self, token: str) -> int:
        """Return the id of one token, that of ``<unk>`` if it is unknown.

        Args:
            token: The token.

        Raises:
            TypeError: If it is no string.
        """
        check_text("token", token)
        return self._ids.get(token, self.unk_id)

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Map tokens to ids; unknown tokens become ``<unk>``.

        Args:
            tokens: Tokens of one sentence; characters if it is a string.

        Returns:
            One id per token.

        Raises:
            TypeError: If something in ``tokens`` is not a string.
        """
        ids, unk = self._ids, self.unk_id
        return [ids.get(token, unk) for token in _checked(tokens)]

    def decode(self, ids: Iterable[int], skip_special: bool = False) -> list[str]:
        """Map ids back to tokens.

        Args:
            ids: Ids, for example a row of a tensor.
            skip_special: Leave out ``<pad>``, ``<bos>`` and ``<eos>`` (``<unk>`` stays, because it
                stands for a token).

        Returns:
            The tokens.

        Raises:
            IndexError: If an id is negative or not smaller than the size of the vocabulary.
            TypeError: If an id is no whole number, or ``skip_special`` no boolean.
        """
        check_flag("skip_special", skip_special)
        hidden = {self.pad_id, self.bos_id, self.eos_id} if skip_special else set()
        return [self._token(index) for index in checked_ids(ids) if index not in hidden]

    def _token(self, index: int) -> str:
        if not 0 <= index < len(self.tokens):
            raise IndexError(
                f"Id {index} is outside the vocabulary, whose ids are 0 to {len(self) - 1}"
            )
        return self.tokens[index]

    def save(self, path: str | Path) -> None:
        """Write the vocabulary as JSON, with a digest of it; the file is never half new.

        Args:
            path: File to write; its folder must exist. If it is a link, the file it points to is
                replaced.

        Raises:
            OSError: If it cannot be written; a file that was there is untouched.
            TypeError: If it is no path.
            ValueError: If the path is empty.
        """
        check_path("path", path)
        write_json(path, {"tokens": self.tokens}, indent=0)

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Read a vocabulary that :meth:`save` wrote.

        Args:
            path: The file.

        Returns:
            The vocabulary.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, or does not hold a vocabulary.
            TypeError: If it is no path.
        """
        check_path("path", path)
        given, path = path, Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"No vocabulary at path {str(given)!r}. Write one with Vocabulary.save."
            )
        content = read_json(path)
        expected = '{"tokens": [strings]}'
        if not isinstance(content, dict) or content.keys() - {"digest"} != {"tokens"}:
            raise ValueError(f"{path} holds no vocabulary; expected {expected}")
        if not is_list_of_strings(content["tokens"]):
            raise ValueError(f"{path} holds no vocabulary; expected {expected}")
        try:
            return cls(tuple(content["tokens"]))
        except ValueError as error:
            raise ValueError(f"{path} holds no usable vocabulary: {error}") from error


def is_list_of_strings(value: object) -> bool:
    """Tell whether something that was read from JSON is a list of strings.

    Args:
        value: What was read.
    """
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def checked_ids(ids: Iterable[int], name: str = "ids") -> list[int]:
    """Return ids as a list of integers, or say which is none.

    Args:
        ids: Ids of one text, for example a row of a tensor or of an array.
        name: What the message is to call them.

    Raises:
        TypeError: If one is no whole number, or ``ids`` is no sequence.
    """
    given = _plain(ids)
    if isinstance(given, str | bytes | Mapping | Set) or not isinstance(given, Iterable):
        raise TypeError(f"Expected {name}, a sequence of whole numbers, got {ids!r:.60}")
    found = []
    for place, index in enumerate(map(_plain, given)):
        try:
            whole = operator.index(index)
        except TypeError:
            whole = None
        if whole is None or isinstance(index, bool):
            raise TypeError(
                f"Expected {name} that are whole numbers, got {type(index).__name__} at position "
                f"{place}: {index!r:.60}. Several texts are decoded one by one."
            )
        found.append(whole)
    return found


def _plain(value: Any) -> Any:
    """Return numbers and lists in place of tensors and arrays."""
    return value.tolist() if hasattr(value, "tolist") else value


def _checked(tokens: Iterable[str]) -> Iterator[str]:
    if isinstance(tokens, bytes) or not isinstance(tokens, Iterable):
        raise TypeError(f"Expected tokens, several strings, got {shown(tokens)}")
    for token in tokens:
        if not isinstance(token, str):
            raise TypeError(
                f"Expected tokens that are strings, got {type(token).__name__}: {token!r:.60}. "
                "Sentences are flattened first: "
                "(token for sentence in sentences for token in sentence)."
            )
        yield token
