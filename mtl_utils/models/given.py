"""Checks of what models are given: tokenizers, names of labels, batches, settings of a search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mtl_utils.arguments import (
    check_kind,
    check_number,
    check_several,
    check_sizes,
    check_tensor,
    check_text,
    check_whole,
    shown,
)
from mtl_utils.data.vocabulary import Vocabulary
from mtl_utils.tasks.label_names import check_labels


def check_tokenizer(name: str, value: Any) -> None:
    """Refuse what has no ids of tokens, or is the class instead of one that it makes.

    Args:
        name: What the message is to call it.
        value: The tokenizer.

    Raises:
        TypeError: If it is none.
    """
    methods = ("encode", "decode", "vocab_size")
    if isinstance(value, type) or not all(hasattr(value, method) for method in methods):
        raise TypeError(
            f"{name} must be a tokenizer such as BytePairTokenizer.train(texts, 4000), got "
            f"{shown(value)}"
        )


def check_vocabulary(name: str, value: Any) -> None:
    """Refuse what is no vocabulary.

    Args:
        name: What the message is to call it.
        value: The vocabulary.

    Raises:
        TypeError: If it is none.
    """
    check_kind(name, value, Vocabulary, "a Vocabulary")


def check_label_names(name: str, value: Any) -> None:
    """Refuse what are no names of labels in an order.

    Args:
        name: What the message is to call them.
        value: The names.

    Raises:
        TypeError: If they are no strings in a list or tuple.
        ValueError: If there are none, or one occurs twice.
    """
    with about(name):
        check_labels(value)


@contextmanager
def about(name: str) -> Iterator[None]:
    """Say of an error which argument it is about.

    Args:
        name: The argument.
    """
    try:
        yield
    except TypeError as error:
        raise TypeError(f"In {name}: {error}") from error
    except ValueError as error:
        raise ValueError(f"In {name}: {error}") from error


def check_search(beam_size: Any, length_penalty: Any) -> None:
    """Refuse settings of a search that there are not; greedy search would not look at them.

    Args:
        beam_size: How many hypotheses are kept.
        length_penalty: See :func:`mtl_utils.nn.beam_search`.

    Raises:
        TypeError: If one is of another type.
        ValueError: If one is outside its range.
    """
    check_sizes(beam_size=beam_size)
    check_number("length_penalty", length_penalty)


def check_token_ids(name: str, value: Any) -> None:
    """Refuse what are no token ids ``[B, T]``.

    Args:
        name: What the message is to call them.
        value: The ids.

    Raises:
        TypeError: If they are no tensor of integers.
        ValueError: If they have another shape.
    """
    check_tensor(name, value, "[B, T]", "integer")


def check_tokens(name: str, value: Any) -> None:
    """Refuse what is no sequence of tokens; a string is one of characters.

    Args:
        name: What the message is to call it.
        value: The tokens.

    Raises:
        TypeError: If it is none, or a token is no string.
    """
    if isinstance(value, str):
        return
    check_several(name, value, "tokens")
    for token in value:
        if not isinstance(token, str):
            check_text(f"A token of {name}", token)


def check_sentence(name: str, value: Any) -> None:
    """Refuse what is no sentence as words.

    Args:
        name: What the message is to call it.
        value: The words.

    Raises:
        TypeError: If it is a single string, or no sequence.
    """
    if isinstance(value, str):
        raise TypeError(
            f"Expected {name}: words, a list of strings, got a single string: {value!r:.60}. "
            "Split it first."
        )
    check_several(name, value, "words")


def check_sentences(name: str, value: Sequence[Any]) -> None:
    """Refuse what are no sentences as words.

    Args:
        name: What the message is to call them.
        value: The sentences.

    Raises:
        TypeError: If they are a single string, or one is no sentence.
    """
    check_sentence_list(name, value)
    for place, words in enumerate(value):
        check_sentence(f"{name}[{place}]", words)


def check_sentence_list(name: str, value: Any) -> None:
    """Refuse one string for many sentences, or what cannot be gone through.

    Args:
        name: What the message is to call them.
        value: The sentences; a generator is not read.

    Raises:
        TypeError: If they are no list of sentences.
    """
    if isinstance(value, str):
        raise TypeError(
            f"Expected {name}, each of words, a list of strings, got a single string: "
            f"{value!r:.60}. Split it first."
        )
    check_several(name, value, "sentences", sized=False)


def check_ids_of(name: str, value: Any, vocab_size: int) -> None:
    """Refuse what are no ids of a vocabulary.

    Args:
        name: What the message is to call them.
        value: The ids, in a sequence.
        vocab_size: Number of tokens.

    Raises:
        TypeError: If they are no whole numbers.
        ValueError: If one is outside the vocabulary.
    """
    check_several(name, value, "token ids")
    for token_id in value:
        check_whole(f"A token id of {name}", token_id, least=0, most=vocab_size - 1)


def listed_sentences(sentences: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    """Return sentences as a list, or say that they are none.

    Args:
        sentences: Sequences of tokens.

    Raises:
        TypeError: If they are a single string, or one is no sequence.
    """
    if isinstance(sentences, str):
        raise TypeError(
            "Expected sentences as an iterable of sequences, got one string. Write [text] for a "
            f"stream of characters, or split the text into sentences and words: {sentences!r:.60}"
        )
    check_several("sentences", sentences, "sequences of tokens", sized=False)
    rows = list(sentences)
    for place, row in enumerate(rows):
        if not isinstance(row, str):
            check_several(f"sentences[{place}]", row, "tokens")
    return rows
