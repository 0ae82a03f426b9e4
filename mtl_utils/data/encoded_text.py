"""What an encoder reads of a text or a pair: special tokens, segments, and where words begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from mtl_utils.arguments import check_flag, check_several, check_whole
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.data.examples import Example
from mtl_utils.data.tokenization import Tokenizer, check_tokenizer

T = TypeVar("T")


@dataclass(frozen=True)
class EncodedText:
    """A text or a pair of texts as ids, ready for an :class:`mtl_utils.data.Example`.

    Args:
        input_ids: ``<bos>`` text ``<eos>``, or ``<bos>`` first ``<eos>`` second ``<eos>``, with the
            special tokens of the tokenizer; see :class:`SpecialTokens`.
        word_ids: For each id the index of the word that it is a piece of; ``None`` for special
            tokens, for the second text, and for a text that was not given as words.
        segment_ids: For a pair, 0 up to what stands between the texts and 1 after it; else
            ``None``.
        num_words: Number of words that the first text was given as, those that were cut off
            included.
        num_cut: Number of pieces that were cut off, of both texts together.
        as_words: Whether the first text was given as words, perhaps none at all; always if
            ``num_words`` is greater than 0.

    Raises:
        ValueError: If ids, words and segments differ in number, or a number is negative.
        TypeError: If ids, words or segments are not several, or a number is no whole one.
    """

    input_ids: list[int]
    word_ids: list[int | None]
    segment_ids: list[int] | None
    num_words: int
    num_cut: int
    as_words: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        check_whole("num_words", self.num_words, least=0)
        check_whole("num_cut", self.num_cut, least=0)
        check_flag("as_words", self.as_words)
        if self.num_words:
            object.__setattr__(self, "as_words", True)
        check_several("input_ids", self.input_ids, "ids")
        for name in ("word_ids", "segment_ids"):
            values = getattr(self, name)
            if values is None and name == "segment_ids":
                continue
            check_several(name, values, "one item an input id")
            if len(values) != len(self.input_ids):
                raise ValueError(
                    f"Expected one item an input id, got {len(values)} for {len(self.input_ids)}: "
                    f"{name} {values!r:.60}, input_ids {self.input_ids!r:.60}"
                )

    @cached_property
    def first_pieces(self) -> list[int]:
        """Where the words begin that have not been cut off, in order."""
        starts: list[int] = []
        before: int | None = None
        for position, word in enumerate(self.word_ids):
            if word is not None and word != before:
                starts.append(position)
            before = word
        return starts

    def align(self, labels: Sequence[int]) -> list[int]:
        """Turn one label a word of the first text into one label an input id.

        Args:
            labels: One label a word, also for words that have been cut off.

        Returns:
            As many labels as input ids. The first piece of a word carries its label;
            :data:`~mtl_utils.data.MISSING_LABEL` stands at its other pieces, at special tokens and
            throughout the second text.

        Raises:
            ValueError: If there is not one label for every word.
            TypeError: If they are not several in an order.
        """
        check_several("labels", labels, "one label a word")
        if len(labels) != self.num_words:
            raise ValueError(
                f"Expected one label a word, got {len(labels)} labels for {self.num_words} words: "
                f"{labels!r:.60}. Where a sentence or a word has none, give None in place of it."
            )
        aligned = [MISSING_LABEL] * len(self.input_ids)
        for label, position in zip(labels, self.first_pieces, strict=False):
            aligned[position] = label
        return aligned

    def example(self, labels: Mapping[str, int | float | Sequence[int]] | None = None) -> Example:
        """Make an example that knows which ids are first pieces of words.

        A model then tags these alone, as one sequence, in training, in evaluation and in
        prediction: with ``model.predict(collate([text.example()]))`` tags come out that
        :meth:`of_words` can pick.

        Args:
            labels: Labels by task, those of words as :meth:`align` returns them.

        Returns:
            The example.

        Raises:
            TypeError: If labels are not given by task.
        """
        words = self.first_pieces if self.as_words else None
        return Example(
            self.input_ids, {} if labels is None else labels, self.segment_ids, first_pieces=words
        )

    def of_words(self, values: Sequence[T]) -> list[T]:
        """Pick what belongs to the words of the first text: the inverse of :meth:`align`.

        Predicted tags must come from an example that knows where words begin (:meth:`example`).
        Without that a tagger labels all pieces as one sequence, special tokens and later pieces
        included, and what is picked from it is another sequence than the best one of words.

        Args:
            values: One value an input id, such as a predicted label.

        Returns:
            One value a word that has not been cut off.

        Raises:
            ValueError: If there is not one value for every input id.
            TypeError: If they are not several in an order.
        """
        check_several("values", values, "one value an input id")
        if len(values) != len(self.input_ids):
            raise ValueError(
                f"Expected one value an input id, got {len(values)} for {len(self.input_ids)}: "
                f"values {values!r:.60}"
            )
        return [values[position] for position in self.first_pieces]


def encode_text(
    tokenizer: Tokenizer, text: str | Sequence[str], *, max_length: int | None = None
) -> EncodedText:
    """Encode a text as ``<bos>`` text ``<eos>``.

    Args:
        tokenizer: Gives the pieces and the special tokens; ``<bos>`` stands for the whole text.
        text: A text, or a sentence as words, which labels can then be aligned with.
        max_length: If given, cut pieces off the end of the text until no more ids than that are
            left, special tokens included. Nothing is ever cut without it.

    Returns:
        The ids and where words begin.

    Raises:
        ValueError: If ``max_length`` leaves no room for the special tokens.
        TypeError: If the text is neither a string nor a sequence of strings, ``max_length`` no
            whole number, or the tokenizer none.
    """
    ids, words, num_words = _pieces(tokenizer, text, "text")
    around = tokenizer.special_tokens
    start, end = around.start, around.end
    kept = _kept(len(ids), 0, max_length, num_specials=len(start) + len(end))[0]
    return EncodedText(
        [*start, *ids[:kept], *end],
        [*[None] * len(start), *words[:kept], *[None] * len(end)],
        None,
        num_words,
        len(ids) - kept,
        as_words=not isinstance(text, str),
    )


def encode_pair(
    tokenizer: Tokenizer,
    first: str | Sequence[str],
    second: str | Sequence[str],
    *,
    max_length: int | None = None,
) -> EncodedText:
    """Encode a pair as ``<bos>`` first ``<eos>`` second ``<eos>``, after Devlin et al. (2019).

    Args:
        tokenizer: Gives the pieces and the special tokens; ``<bos>`` stands for the pair.
        first: A text, such as a premise, or a sentence as words, which labels can then be aligned
            with.
        second: A text, such as a hypothesis, or a sentence as words.
        max_length: If given, cut pieces off the end of the longer text, or of the second where both
            are as long, until no more ids than that are left, special tokens included. Nothing is
            ever cut without it.

    Returns:
        The ids, which text each belongs to, and where the words of the first begin.

    Raises:
        ValueError: If ``max_length`` leaves no room for the special tokens.
        TypeError: If a text is neither a string nor a sequence of strings, ``max_length`` no
            whole number, or the tokenizer none.
    """
    ids, words, num_words = _pieces(tokenizer, first, "first")
    others = _pieces(tokenizer, second, "second")[0]
    around = tokenizer.special_tokens
    num_specials = len(around.start) + len(around.between) + len(around.end)
    kept, kept_others = _kept(len(ids), len(others), max_length, num_specials)
    head = [*around.start, *ids[:kept], *around.between]
    tail = [*others[:kept_others], *around.end]
    unlabelled = len(around.between) + len(tail)
    return EncodedText(
        [*head, *tail],
        [*[None] * len(around.start), *words[:kept], *[None] * unlabelled],
        [0] * len(head) + [1] * len(tail),
        num_words,
        len(ids) - kept + len(others) - kept_others,
        as_words=not isinstance(first, str),
    )


def _pieces(
    tokenizer: Tokenizer, text: str | Sequence[str], name: str
) -> tuple[list[int], Sequence[int | None], int]:
    """Return ids, the word of each, and the number of words."""
    check_tokenizer(tokenizer)
    if isinstance(text, str):
        ids = tokenizer.encode(text)
        return ids, [None] * len(ids), 0
    if not isinstance(text, Sequence) or isinstance(text, bytes):
        raise TypeError(f"Expected a text, or a list of words, got {text!r:.60} as {name}")
    pieces = tokenizer.encode_words(text)
    return pieces.ids, pieces.word_ids, pieces.num_words


def _kept(first: int, second: int, max_length: int | None, num_specials: int) -> tuple[int, int]:
    """Return how many pieces of each text are kept when the longer one is always cut."""
    if max_length is None:
        return first, second
    check_whole("max_length", max_length)
    room = max_length - num_specials
    if room < 0:
        raise ValueError(
            f"max_length counts {num_specials} special tokens, so it must be at least "
            f"{num_specials}; got {max_length}"
        )
    kept = min(second, max(room - first, room // 2))
    return min(first, room - kept), kept
