"""Noise: annotations that are wrong, as those of people are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from mtl_utils.atlas.grammar import grammar
from mtl_utils.atlas.labels import ENTITY_TYPES, INFERENCE_LABELS, POS_TAGS, TOPICS, Span


def add_noise(rows: list[dict[str, Any]], noise: float, rng: random.Random) -> None:
    """Make annotations wrong in place, each with the same probability.

    Args:
        rows: The rows before their spans are written as tags.
        noise: The probability.
        rng: Source of randomness.
    """
    if noise == 0:
        return
    choices = {"topic": TOPICS, "event": grammar().event_names, "label": INFERENCE_LABELS}
    for row in rows:
        row["spans"] = _noisy_spans(row["spans"], noise, rng)
        row["pos_tags"] = [
            _other(tag, POS_TAGS, rng) if rng.random() < noise else tag for tag in row["pos_tags"]
        ]
        for column, labels in choices.items():
            if column in row and rng.random() < noise:
                row[column] = _other(row[column], labels, rng)


def _noisy_spans(spans: list[Span], noise: float, rng: random.Random) -> list[Span]:
    noisy = []
    for start, end, kind in spans:
        if rng.random() >= noise:
            noisy.append((start, end, kind))
        elif rng.random() < 0.5:  # wrong type; the other half is missed
            noisy.append((start, end, _other(kind, ENTITY_TYPES, rng)))
    return noisy


def _other(label: str, labels: Sequence[str], rng: random.Random) -> str:
    return rng.choice([other for other in labels if other != label])
