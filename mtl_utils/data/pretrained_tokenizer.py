"""The tokenizer that a pretrained model was trained with, in the role of one of ours."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import tokenizers

from mtl_utils.arguments import check_flag, check_names, check_path, check_text, shown
from mtl_utils.data.tokenization import (
    Pieces,
    SpecialTokens,
    Tokenizer,
    check_whole,
    checked_text,
    checked_words,
)
from mtl_utils.data.vocabulary import checked_ids

_ROLES = ("pad_token", "unk_token", "cls_token", "sep_token", "bos_token", "eos_token")


@dataclass(frozen=True)
class PretrainedTokenizer(Tokenizer):
    r"""A fast tokenizer of Hugging Face: WordPiece (Wu et al., 2016), byte pairs, unigrams.

    Its special tokens play the roles of ours: ``[CLS]`` and ``[SEP]`` those of ``<bos>`` and
    ``<eos>``. Around texts and pairs stands what its own template puts there, so that what
    :func:`encode_text` and :func:`encode_pair` make is what the model saw while it was pretrained:

    ======== ============================== ==========================================
    family   a text                         a pair
    ======== ============================== ==========================================
    BERT     ``[CLS]`` text ``[SEP]``       ``[CLS]`` first ``[SEP]`` second ``[SEP]``
    RoBERTa  ``<s>`` text ``</s>``          ``<s>`` first ``</s></s>`` second ``</s>``
    T5       text ``</s>``                  first ``</s>`` second ``</s>``
    GPT-2    ``<|endoftext|>`` on each side the same, and once between the texts
    ======== ============================== ==========================================

    The template of GPT-2 puts nothing anywhere, which would leave two texts run together and an
    empty one without any token; ``<|endoftext|>`` is what its documents were separated by. T5 has
    no first token that could stand for the text: pool its states with their mean.

    A special token that the text spells out, such as ``[SEP]``, is encoded as the characters it
    consists of, unlike Hugging Face does by default: text can never produce a special id. Make one
    with :meth:`from_pretrained` or :meth:`of`; the constructor takes the finished parts.

    Args:
        definition: The tokenizer as JSON, as the library ``tokenizers`` writes it.
        roles: Which token plays which role, by the names ``"pad_token"``, ``"unk_token"``,
            ``"cls_token"``, ``"sep_token"``, ``"bos_token"`` and ``"eos_token"``; those that it
            has not are absent.

    Raises:
        ValueError: If the definition is none, the token of a role is not in the vocabulary, or no
            token can end a text.
        TypeError: If the definition or the token of a role is no text, or the roles are no mapping.
    """

    definition: str = field(repr=False)
    roles: Mapping[str, str]

    def __post_init__(self) -> None:
        check_text("definition", self.definition)
        check_names("roles", self.roles, "which token plays which role")
        object.__setattr__(self, "roles", {n: self.roles[n] for n in _ROLES if n in self.roles})
        try:
            backend = self._backend
        except Exception as error:  # the library raises nothing more specific
            raise ValueError(
                f"Expected as definition a tokenizer as the library tokenizers writes it, got "
                f"{self.definition!r:.60} ({error}). Make one "
                "with PretrainedTokenizer.from_pretrained."
            ) from error
        for role, token in self.roles.items():
            check_text(f"roles[{role!r}]", token)
            if backend.token_to_id(token) is None:
                raise ValueError(f"The {role} {token!r} is not in the vocabulary of the tokenizer")
        if not {"sep_token", "eos_token"} & set(self.roles):
            raise ValueError(
                f"No token can end a text: expected a sep_token or an eos_token, got "
                f"roles {dict(self.roles)}. Set one on the tokenizer first."
            )

    def __hash__(self) -> int:
        return hash(self.definition)

    @classmethod
    def of(cls, tokenizer: Any) -> PretrainedTokenizer:
        """Take over a tokenizer of Hugging Face; what is changed on it later is not seen.

        Args:
            tokenizer: A fast one, a ``transformers.PreTrainedTokenizerFast``, which the library
                ``tokenizers`` runs.

        Raises:
            TypeError: If it is none, or a slow one.
            ValueError: If no token of it can end a text.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, tokenizers.Tokenizer):
            raise TypeError(
                "Expected a fast tokenizer of Hugging Face, as AutoTokenizer.from_pretrained gives "
                f"it, got the tokenizer {shown(tokenizer)}"
            )
        tokens = {role: getattr(tokenizer, role, None) for role in _ROLES}
        return cls(backend.to_str(), {role: str(t) for role, t in tokens.items() if t is not None})

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | os.PathLike[str],
        *,
        revision: str | None = None,
        local_files_only: bool = False,
    ) -> PretrainedTokenizer:
        """Read the tokenizer of a pretrained model; no code from its files is run.

        Args:
            name_or_folder: A folder, or the name of a model on the Hugging Face Hub.
            revision: Which version of it on the Hub; the newest if ``None``.
            local_files_only: Never to ask the Hub, but to read what was downloaded before.

        Raises:
            OSError: If there is no such folder, and no such model on the Hub or no network.
            TypeError: If the model has no fast tokenizer, or an argument is of another type.
            ValueError: If the name or folder is empty.
        """
        from transformers import AutoTokenizer  # slow to import, and only pretrained models need it

        check_path("name_or_folder", name_or_folder)
        if revision is not None:
            check_text("revision", revision)
        check_flag("local_files_only", local_files_only)
        name = os.fspath(name_or_folder)
        try:
            tokenizer = AutoTokenizer.from_pretrained(
                name,
                revision=revision or "main",
                local_files_only=local_files_only,
                trust_remote_code=False,
            )
        except (OSError, ValueError) as error:
            raise OSError(
                f"No tokenizer could be read from name_or_folder {name!r}: {first_line(error)} "
                "Give a folder "
                "that save_pretrained wrote, or the name of a model on the Hugging Face Hub, which "
                "is downloaded once where there is a network."
            ) from error
        return cls.of(tokenizer)

    @cached_property
    def _backend(self) -> Any:
        # A copy of its own: others set truncation and padding on theirs with every call.
        backend = tokenizers.Tokenizer.from_str(self.definition)
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = True  # read as text where the text has them
        return backend

    def __reduce__(self) -> tuple[type[PretrainedTokenizer], tuple[Any, ...]]:
        return type(self), (self.definition, dict(self.roles))

    @cached_property
    def vocab_size(self) -> int:
        """Number of ids, special ones included; the model may have a few more."""
        return max(self._backend.get_vocab(with_added_tokens=True).values()) + 1

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """The pieces in id order, as the tokenizer writes them; empty where an id has none."""
        found = map(self._backend.id_to_token, range(self.vocab_size))
        return tuple("" if token is None else token for token in found)

    @property
    def pad_id(self) -> int:
        """Id that fills a batch; that of the end where there is none, since it is never read."""
        return self._id("pad_token", "eos_token", "sep_token")

    @property
    def unk_id(self) -> int:
        """Id of what has no id; that of the end where everything has one."""
        return self._id("unk_token", "eos_token", "sep_token")

    @property
    def bos_id(self) -> int:
        """Id of the first token: ``[CLS]``, or what starts a text; else that of the end."""
        return self._id("cls_token", "bos_token", "eos_token", "sep_token")

    @property
    def eos_id(self) -> int:
        """Id of the token after a text: ``[SEP]``, or what ends a text."""
        return self._id("sep_token", "eos_token")

    def _id(self, *roles: str) -> int:
        token = next(self.roles[role] for role in roles if role in self.roles)
        index: int = self._backend.token_to_id(token)
        return index

    @cached_property
    def special_tokens(self) -> SpecialTokens:
        """What the tokenizer's template puts around texts; see :class:`PretrainedTokenizer`."""
        pair = self._backend.encode("a", "a")
        owners: list[int | None] = pair.sequence_ids
        start = tuple(pair.ids[: owners.index(0)])
        between = tuple(pair.ids[_after(owners, 0) : owners.index(1)])
        end = tuple(pair.ids[_after(owners, 1) :])
        if not (start or between or end):
            return SpecialTokens((self.bos_id,), (self.eos_id,), (self.eos_id,))
        return SpecialTokens(start, between, end)

    def encode(self, text: str) -> list[int]:
        """Return the ids of the pieces of a text, without special tokens.

        Args:
            text: The text.

        Returns:
            The ids, none for an empty text.

        Raises:
            TypeError: If the text is not a string.
            ValueError: If it holds a lone surrogate, which is half a character.
        """
        check_whole(checked_text(text))
        found = self._backend.encode(text, add_special_tokens=False).ids
        return [piece for index in found for piece in self._as_text(index)]

    def normalise(self, text: str) -> str:
        """Return a text as :meth:`decode` writes it: lower-cased, without accents, spaced.

        What the tokenizer does not know stays as it is written, so that it is never taken for the
        unknown token.

        Args:
            text: The text.

        Raises:
            TypeError: If the text is not a string.
        """
        encoding = self._backend.encode(checked_text(text), add_special_tokens=False)
        unknown = self.roles.get("unk_token")
        spans = [
            span
            for token, span in zip(encoding.tokens, encoding.offsets, strict=True)
            if token == unknown
        ]
        written = self.decode(encoding.ids)
        parts = written.split(unknown) if unknown and spans else [written]
        if len(parts) != len(spans) + 1:  # several in a row were written as one
            return text
        missing = [self._normalised(text[start:end]) for start, end in spans]
        return parts[0] + "".join(a + b for a, b in zip(missing, parts[1:], strict=True))

    def _normalised(self, text: str) -> str:
        normalizer = self._backend.normalizer
        normal: str = text if normalizer is None else normalizer.normalize_str(text)
        return normal.strip()

    def encode_words(self, words: Sequence[str]) -> Pieces:
        """Return the pieces of a sentence that is given as words, with the word of each.

        They are the pieces of ``encode(" ".join(words))``, save that an empty word, and one which
        leaves none there, becomes one unknown token, so that every word has a piece to carry its
        label; where everything has an id and nothing is unknown, it becomes a space.

        Args:
            words: The words.

        Returns:
            The pieces.

        Raises:
            TypeError: If a word is not a string, or one string was given for many.
            ValueError: If a word holds a lone surrogate, which is half a character, or leaves
                nothing and the tokenizer has neither an unknown token nor a space.
        """
        given = checked_words(words)
        written = [(index, word) for index, word in enumerate(given) if word]
        owners: list[int] = []  # the word of each character, a space going with what follows it
        for index, word in written:
            owners += [index] * (len(word) + bool(owners))
        encoding = self._backend.encode(
            " ".join(word for _, word in written), add_special_tokens=False
        )
        # A piece may start with the space before its word, but it ends within it.
        found = [owners[max(end, 1) - 1] for _, end in encoding.offsets]
        pieces = [
            (word, piece)
            for word, index in zip(found, encoding.ids, strict=True)
            for piece in self._as_text(index)
        ]
        missing = sorted({*range(len(given))} - {*found})
        pieces += [(index, piece) for index in missing for piece in self._nothing]
        pieces.sort(key=lambda piece: piece[0])
        return Pieces([index for _, index in pieces], [word for word, _ in pieces])

    @cached_property
    def _reserved(self) -> frozenset[int]:
        """Ids that are not of text: special tokens, but for one that is of the unknown alone."""
        backend, roles = self._backend, self.roles
        others = {token for role, token in roles.items() if role != "unk_token"}
        added = backend.get_added_tokens_decoder().values()
        special = {token.content for token in added if token.special} - {roles.get("unk_token")}
        around = self.special_tokens
        ids = {*around.start, *around.between, *around.end}
        return frozenset(ids | {backend.token_to_id(token) for token in others | special})

    @cached_property
    def _nothing(self) -> tuple[int, ...]:
        """What stands for a word of which nothing is left."""
        if "unk_token" in self.roles and self.unk_id not in self._reserved:
            return (self.unk_id,)
        space = self._backend.encode(" ", add_special_tokens=False).ids
        if not space or {*space} & self._reserved:
            raise ValueError(
                "A word leaves no piece, and the tokenizer has neither an unknown token nor a "
                f"space to write in its place; its special tokens are {dict(self.roles)}. Set an "
                "unk_token on it first, or leave such words out."
            )
        return tuple(space)

    def _as_text(self, index: int) -> Sequence[int]:
        """Spell what the text took from a special token, if it did, with the pieces of letters.

        A model of unigrams, or of whole words, has its special tokens among its pieces, and finds
        them in text though it was told to read them as text.
        """
        if index not in self._reserved:
            return (index,)
        letters = self._backend.id_to_token(index)
        pieces = [piece.id for letter in letters for piece in self._backend.model.tokenize(letter)]
        kept = [piece for piece in pieces if piece not in self._reserved]
        return kept if {*kept} - {self.unk_id} else self._nothing

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; what fills a batch or stands around texts is left out.

        Args:
            ids: Ids, for example a row of a tensor.

        Raises:
            IndexError: If an id is outside the vocabulary.
            TypeError: If an id is no whole number.
        """
        around = self.special_tokens
        silent = {self.pad_id, self.bos_id, self.eos_id}
        silent |= {*around.start, *around.between, *around.end}
        given = checked_ids(ids)
        for index in given:
            if not 0 <= index < self.vocab_size:
                raise IndexError(f"Id {index} is outside the vocabulary of {self.vocab_size} ids")
        kept = [index for index in given if index not in silent]
        text: str = self._backend.decode(kept, skip_special_tokens=False)
        return text


def _after(owners: Sequence[int | None], text: int) -> int:
    """Return where the pieces of a text end."""
    return len(owners) - list(owners)[::-1].index(text)


def first_line(error: BaseException) -> str:
    """Return what went wrong as one sentence; transformers adds pages of advice.

    Args:
        error: What was raised.
    """
    return f"{str(error).strip().partition(chr(10))[0].rstrip('.')}."
