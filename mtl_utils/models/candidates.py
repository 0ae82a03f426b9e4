"""Given sentences and translations: checked, and laid out as tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_several, check_text
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.models.given import (
    check_ids_of,
    check_sentence,
    check_sentence_list,
    check_tokens,
)


def texts_of_both_languages(
    sentences: Iterable[Sequence[str]], translations: Iterable[str]
) -> list[str]:
    """Return what a tokenizer of both languages is trained on.

    Args:
        sentences: Sentences of the source language, each a sequence of words.
        translations: Texts of the target language.

    Raises:
        TypeError: If an argument is not of its kind.
        ValueError: If there is none.
    """
    check_sentence_list("sentences", sentences)
    rows = list(sentences)
    for place, words in enumerate(rows):
        check_sentence(f"sentences[{place}]", words)
        check_tokens(f"sentences[{place}]", words)
    check_several("translations", translations, "texts", sized=False)
    written = list(translations)
    for place, text in enumerate(written):
        check_text(f"translations[{place}]", text)
    return [*(" ".join(words) for words in rows), *written]


def check_candidates(
    candidates: Sequence[Sequence[Sequence[int]]], num_rows: int, vocab_size: int
) -> None:
    """Refuse candidates that are not those of every row.

    Args:
        candidates: For each row its translations, as token ids.
        num_rows: Number of rows, B.
        vocab_size: Number of ids, V.

    Raises:
        TypeError: If something is of another kind.
        ValueError: If there are not candidates for every row, none at all, or an id does not exist.
    """
    check_several("candidates", candidates, "translations of each row")
    for place, row in enumerate(candidates):
        check_several(f"candidates[{place}]", row, "translations")
        for ids in row:
            check_ids_of(f"candidates[{place}]", ids, vocab_size)
    total = sum(map(len, candidates))
    if len(candidates) != num_rows or not total:
        raise ValueError(
            f"Expected candidates for each of {num_rows} rows and at least one in all, got "
            f"{len(candidates)} rows with {total}"
        )


def padded_candidates(
    candidates: Sequence[Sequence[Sequence[int]]], eos_id: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Lay candidates out one below the other.

    Args:
        candidates: For each row its translations, as token ids without ``<eos>``.
        eos_id: What each ends with.

    Returns:
        Labels ``[M, U]`` of M candidates in all, padded with missing ones; which row each belongs
        to ``[M]``; and its place there ``[M]``.
    """
    written = [[*ids, eos_id] for row in candidates for ids in row]
    longest = max(map(len, written))
    padded = [ids + [MISSING_LABEL] * (longest - len(ids)) for ids in written]
    where = [(row, place) for row, given in enumerate(candidates) for place in range(len(given))]
    rows, places = torch.tensor(where).unbind(dim=1)
    return torch.tensor(padded), rows, places


def summed(scores: Tensor, labels: Tensor) -> Tensor:
    """Add up the scores of the labels of each candidate.

    Args:
        scores: Log-probabilities ``[M, U, V]``.
        labels: ``[M, U]``; what is missing is not counted.

    Returns:
        ``[M]``.
    """
    chosen = scores.gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)  # [M, U]
    return (chosen * (labels != MISSING_LABEL)).sum(dim=1)
