"""Scales of losses, against closed forms and sums written out by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtl_utils.data import MISSING_LABEL, Batch, Inputs, Vocabulary, WordTokenizer
from mtl_utils.objectives import count_scaled, label_smoothing_loss, scaled_loss, scaled_mean
from mtl_utils.tasks import (
    Classification,
    Head,
    LanguageModeling,
    PairClassification,
    Tagging,
    Translation,
)

SCALES = ("token", "text", "uniform")
LABELS = ("a", "b", "c", "d", "e")
WORDS = WordTokenizer(Vocabulary.from_tokens(["x", "y", "z"]))
EXACT = {"rtol": 1e-12, "atol": 1e-12}
rows = st.lists(
    st.lists(st.integers(-1, len(LABELS) - 1), min_size=1, max_size=5), min_size=1, max_size=5
)
seeds = st.integers(0, 2**31)
scales = st.sampled_from(SCALES)


def table(given_rows: list[list[int]]) -> Tensor:
    """Return labels ``[B, T]``; -1 stands for one that is missing, as does padding."""
    width = max(map(len, given_rows))
    padded = [row + [-1] * (width - len(row)) for row in given_rows]
    labels = torch.tensor(padded)
    return labels.masked_fill(labels < 0, MISSING_LABEL)


def logits_of(targets: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*targets.shape, len(LABELS), generator=generator, dtype=torch.float64)


def by_hand(logits: Tensor, targets: Tensor, scale: str, smoothing: float) -> float:
    """Add up label by label, then divide."""
    classes = logits.shape[-1]
    sums, texts = [], 0
    for row, labels in enumerate(targets.tolist()):
        texts += any(label != MISSING_LABEL for label in labels)
        for place, label in enumerate(labels):
            if label == MISSING_LABEL:
                continue
            scores = logits[row, place].tolist()
            normaliser = math.log(math.fsum(map(math.exp, scores)))
            wanted = [smoothing / classes + (1 - smoothing) * (c == label) for c in range(classes)]
            sums.append(
                sum(w * (normaliser - score) for w, score in zip(wanted, scores, strict=True))
            )
    total, count = math.fsum(sums), max(1, len(sums))
    return {
        "token": total / count,
        "text": total / max(1, texts),
        "uniform": total / count / math.log(classes),
    }[scale]


@settings(max_examples=60)
@given(rows, seeds, scales, st.floats(0, 1))
def test_a_loss_is_the_sum_written_out_over_what_the_scale_counts(
    given_rows: list[list[int]], seed: int, scale: Any, smoothing: float
) -> None:
    targets = table(given_rows)
    logits = logits_of(targets, seed)
    expected = by_hand(logits, targets, scale, smoothing)
    found = scaled_loss(logits, targets, scale, smoothing)
    assert found.item() == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(rows, seeds, st.floats(0, 1))
def test_per_token_nothing_has_changed(
    given_rows: list[list[int]], seed: int, smoothing: float
) -> None:
    """To the last bit: recorded runs keep their numbers."""
    targets = table(given_rows)
    logits = logits_of(targets, seed).float()
    expected = label_smoothing_loss(logits, targets, smoothing)
    assert torch.equal(scaled_loss(logits, targets, "token", smoothing), expected)


@given(rows, seeds, st.floats(0, 1))
def test_with_one_label_a_text_token_and_text_are_the_same(
    given_rows: list[list[int]], seed: int, smoothing: float
) -> None:
    targets = table(given_rows)[:, 0]
    logits = logits_of(targets, seed)
    token, text = (scaled_loss(logits, targets, scale, smoothing) for scale in ("token", "text"))
    assert torch.equal(token, text)


@given(rows, seeds, scales)
def test_parts_of_a_batch_weighted_by_their_counts_sum_to_the_whole(
    given_rows: list[list[int]], seed: int, scale: Any
) -> None:
    """What several processes rely on."""
    targets = table(given_rows)
    logits = logits_of(targets, seed)
    counted = targets != MISSING_LABEL
    parts = torch.stack(
        [
            scaled_loss(logits[[row]], targets[[row]], scale) * count_scaled(counted[[row]], scale)
            for row in range(len(targets))
        ]
    )
    whole = scaled_loss(logits, targets, scale) * count_scaled(counted, scale)
    torch.testing.assert_close(parts.sum(), whole, **EXACT)


@given(rows, st.floats(0.01, 100), scales)
def test_a_multiple_of_the_sum_is_a_multiple_of_the_loss(
    given_rows: list[list[int]], factor: float, scale: Any
) -> None:
    counted = table(given_rows) != MISSING_LABEL
    total = torch.tensor(3.0, dtype=torch.float64)
    single = scaled_mean(total, counted, scale, 2.0)
    torch.testing.assert_close(scaled_mean(factor * total, counted, scale, 2.0), factor * single)


@pytest.mark.parametrize("scale", SCALES)
def test_without_a_label_there_is_no_loss_and_no_gradient(scale: Any) -> None:
    logits = torch.randn(2, 3, 4, requires_grad=True)
    targets = torch.full((2, 3), MISSING_LABEL)
    loss = scaled_loss(logits, targets, scale)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("scale", SCALES)
def test_a_single_label_costs_nothing_on_every_scale(scale: Any) -> None:
    assert scaled_loss(torch.ones(2, 3, 1), torch.zeros(2, 3, dtype=torch.long), scale) == 0


# Heads.

WIDTH = 4
INPUTS = Inputs(
    torch.ones(3, 5, dtype=torch.long),
    torch.tensor([[True] * 5, [True] * 4 + [False], [True] * 5]),
    torch.tensor([[0, 0, 1, 1, 1]] * 3),
)
TAGS = torch.tensor([[0, 1, -100, 2, 3], [4, -100, 1, 1, -100], [-100] * 5])
CLASSES = torch.tensor([1, -100, 3])
WRITTEN = torch.tensor([[3, 4, 2], [5, 2, -100], [-100] * 3])
CASES: dict[str, tuple[Any, Tensor]] = {
    "Classification": (lambda **s: Classification("task", LABELS, **s), CLASSES),
    "PairClassification": (lambda **s: PairClassification("task", LABELS, **s), CLASSES),
    "Tagging": (lambda **s: Tagging("task", LABELS, **s), TAGS),
    "Tagging, CRF": (lambda **s: Tagging("task", LABELS, True, **s), TAGS),
    "LanguageModeling": (lambda **s: LanguageModeling("task", 5, **s), TAGS),
    "Translation": (lambda **s: Translation("task", WORDS, dropout=0.0, **s), WRITTEN),
}
in_every_case = pytest.mark.parametrize("case", CASES)


def head_and_batch(case: str, **settings: Any) -> tuple[Head, Tensor, Batch]:
    make, labels = CASES[case]
    torch.manual_seed(0)
    head = make(**settings).head(WIDTH).double().eval()
    hidden = torch.randn(3, 5, WIDTH, dtype=torch.float64)
    return head, hidden, Batch(INPUTS, {"task": labels})


def loss_of(case: str, scale: str | None) -> Tensor:
    settings = {} if scale is None else {"scale": scale}
    head, hidden, batch = head_and_batch(case, **settings)
    return head.loss(head(hidden, batch), batch)


@in_every_case
def test_heads_scale_their_losses(case: str) -> None:
    _, labels = CASES[case]
    counted = labels != MISSING_LABEL
    texts = counted.flatten(1).any(dim=1).sum() if labels.dim() > 1 else counted.sum()
    classes = WORDS.vocab_size if case == "Translation" else len(LABELS)
    token = loss_of(case, "token")
    expected = {
        "token": token,
        "text": token * counted.sum() / texts,
        "uniform": token / math.log(classes),
    }
    for scale, loss in expected.items():
        torch.testing.assert_close(loss_of(case, scale), loss, **EXACT)
        head, _, batch = head_and_batch(case, scale=scale)
        assert head.count(batch) == (texts if scale == "text" else counted.sum())
    torch.testing.assert_close(loss_of(case, None), loss_of(case, "text"), rtol=0, atol=0)


@in_every_case
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_what_has_learnt_nothing_costs_one_when_uniform(case: str, smoothing: float) -> None:
    """A CRF and smoothed targets too; in training, where smoothing is on."""
    crf = case.endswith("CRF")
    settings = {} if crf else {"smoothing": smoothing}
    head, hidden, batch = head_and_batch(case, scale="uniform", **settings)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
    head.train()
    loss = head.loss(head(hidden, batch), batch)
    torch.testing.assert_close(loss, torch.ones_like(loss), **EXACT)


def test_a_crf_per_text_is_the_mean_over_sentences_of_their_likelihood_by_brute_force() -> None:
    head, hidden, batch = head_and_batch("Tagging, CRF", scale="text")
    emissions = head(hidden, batch).detach()
    total = 0.0
    for row in range(2):  # the third sentence has no tag
        kept = [t for t in range(5) if TAGS[row, t] != MISSING_LABEL]

        def score(path: Any, row: int = row, kept: list[int] = kept) -> float:
            crf = head.crf
            found = crf.start[path[0]] + crf.end[path[-1]]
            found = found + sum(crf.transitions[a, b] for a, b in itertools.pairwise(path))
            return float(
                (
                    found + sum(emissions[row, t, c] for t, c in zip(kept, path, strict=True))
                ).detach()
            )

        every = [score(path) for path in itertools.product(range(5), repeat=len(kept))]
        total += math.log(math.fsum(map(math.exp, every))) - score(TAGS[row, kept].tolist())
    assert head.loss(emissions, batch).item() == pytest.approx(total / 2, rel=1e-10)


def test_a_loss_per_sequence_is_one_per_text() -> None:
    task = LanguageModeling("task", 5, per="sequence")
    assert task.scale == "text"
    assert LanguageModeling("task", 5, per="sequence", scale="text") == task
    with pytest.raises(ValueError, match=r"'uniform' and per=\"sequence\".*contradict"):
        LanguageModeling("task", 5, per="sequence", scale="uniform")


@in_every_case
def test_there_is_no_other_scale(case: str) -> None:
    with pytest.raises(ValueError, match=r"scale must be one of .*'uniform'.*got 'sentence'"):
        CASES[case][0](scale="sentence")


def test_the_scale_is_given_by_name() -> None:
    """So that columns and settings that come after it do not change what a position means."""
    with pytest.raises(TypeError, match="positional"):
        Tagging("task", LABELS, False, True, 0.0, 0.0, "auto", "refuse", "text")  # type: ignore[misc]
