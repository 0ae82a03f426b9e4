"""Chapter 18: entities of sentences with pictures, by where text and picture meet."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtl_utils import atlas, nn
from mtl_utils.data import BatchLoader, Example, Vocabulary
from mtl_utils.data.pictures import picture_pixels
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, Unit
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.unit_training import (
    Compared,
    Judge,
    Trained,
    compared_on,
    fit_judged,
    learnt,
)
from mtl_utils.models import MultiTaskModel
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Tagging

NAMES = "names"
"""The task: entities, each sentence with one name that may be several things."""

AMBIGUITY, PICTURE_ERROR = 0.75, 0.1
"""Knobs of Atlas, which :func:`mtl_utils.atlas.best_scores` takes too."""

TEXT_ONLY, SHUFFLED = "text only", "shuffled pictures"
EARLY, LATE, CROSS = "early", "late", "cross-attention"
SETTING = "Atlas with pictures"


def encoder_of(settings: Mapping[str, Any], vocab_size: int) -> nn.Encoder:
    """Make an encoder.

    Args:
        settings: ``fusion``, a name of a way to fuse or ``None`` for text alone; the ``width``,
            ``num_layers``, ``num_heads`` and ``dropout`` of the Transformer; and
            ``picture_dropout``.
        vocab_size: Number of ids, V.
    """
    width, dropout = settings["width"], settings["dropout"]
    text = nn.TransformerEncoder(
        vocab_size, width, settings["num_layers"], settings["num_heads"], dropout=dropout
    )
    fusion = settings["fusion"]
    if fusion is None:
        return text
    pictures = nn.ConvolutionalPictures(width)
    away = {"picture_dropout": settings["picture_dropout"]}
    if fusion == EARLY:
        return nn.EarlyFusion(text, pictures, **away)
    if fusion == LATE:
        return nn.LateFusion(text, pictures, **away)
    return nn.CrossAttentionFusion(text, pictures, settings["num_heads"], dropout=dropout, **away)


def examples_of(rows: Any, vocabulary: Vocabulary, shuffled: int | None) -> list[Example]:
    """Return rows of Atlas with pictures as examples.

    Args:
        rows: A split.
        vocabulary: Knows the words.
        shuffled: Seed by which pictures are dealt out to other sentences; their own if ``None``.
    """
    pictures = [picture_pixels(cell) for cell in rows["picture"][:]]
    if shuffled is not None:
        order = np.random.default_rng(shuffled).permutation(len(pictures))
        pictures = [pictures[at] for at in order]
    cells = zip(rows["tokens"][:], rows["ner_tags"][:], pictures, strict=True)
    return [
        Example(vocabulary.encode(tokens), {NAMES: tags}, picture=picture)
        for tokens, tags, picture in cells
    ]


def train_unit(
    settings: Config,
    unit: Unit,
    seed: int,
    workspace: Path,
    reference: Mapping[str, float] | None = None,
    test: bool = True,
) -> Trained:
    """Train one model on Atlas with pictures.

    Args:
        settings: ``corpus`` (its ``size``, ``ambiguity`` and ``picture_error``), ``encoder`` as
            :func:`encoder_of` takes it, ``shuffled`` (whether each sentence has the picture of
            another), ``batch``, ``steps``, ``validations`` and ``training``.
        unit: Its task, :data:`NAMES`.
        seed: Of the corpus, the weights, the order and dropout.
        workspace: Where the checkpoint is.
        reference: The score that counts as 1 when weights are chosen; 1 if ``None``.
        test: Whether to measure on test data, whose styles of drawing are new.

    Returns:
        What was learnt, with the weights of the best validation.
    """
    corpus = atlas.load(seed=seed, pictures=True, **settings["corpus"])
    words = itertools.chain.from_iterable(corpus["train"]["tokens"][:])
    vocabulary = Vocabulary.from_tokens(words)
    sets = {
        split: examples_of(rows, vocabulary, number if settings["shuffled"] else None)
        for number, (split, rows) in enumerate(corpus.items())
    }
    sets["train"] = _without_pictures(sets["train"], settings)
    torch.manual_seed(seed)
    encoder = encoder_of(settings["encoder"], len(vocabulary))
    model = MultiTaskModel(HardSharing(encoder), [Tagging(NAMES, atlas.NER_TAGS)])
    loaders = {
        split: BatchLoader(rows, batch_size=settings["batch"], seed=seed, shuffle=split == "train")
        for split, rows in sets.items()
    }
    judge = Judge([loaders["validation"]], unit.judged, reference or {NAMES: 1.0})
    history, scores = fit_judged(model, settings, unit, seed, workspace, judge, [loaders["train"]])
    rows: Compared = compared_on(model, unit, {SETTING: loaders["test"]}) if test else {}
    texts = settings["steps"] * settings["batch"]
    return learnt(model, history, scores, rows, texts)


def _without_pictures(rows: Sequence[Example], settings: Config) -> list[Example]:
    """Take pictures away that nobody reads, so that a step of text alone takes its own time."""
    if settings["encoder"]["fusion"] is not None:
        return list(rows)
    return [replace(row, picture=None) for row in rows]


def _way(name: str, fusion: str | None, **settings: Any) -> Contender:
    return Contender(name, "apart", {"encoder.fusion": fusion, **settings})


CONTENDERS = (
    _way(TEXT_ONLY, None),
    _way(EARLY, EARLY),
    _way(LATE, LATE),
    _way(CROSS, CROSS),
    _way(SHUFFLED, CROSS, shuffled=True),
)
"""Where text and picture meet; the last is cross-attention with pictures that tell nothing."""

SETTINGS: Mapping[str, Config] = {
    SETTING: {
        "corpus": {"size": 4000, "ambiguity": AMBIGUITY, "picture_error": PICTURE_ERROR},
        "tasks": [NAMES],
        "encoder": {
            "fusion": None,
            "width": 64,
            "num_layers": 2,
            "num_heads": 4,
            "dropout": 0.1,
            "picture_dropout": 0.1,
        },
        "shuffled": False,
        "batch": 32,
        "steps": 1000,
        "validations": 5,
        "training": {"learning_rate": 0.003, "warmup_steps": 50, "schedule": "linear"},
    }
}

_METRIC = f"{NAMES}_f1"

COMPARISON = Comparison(
    name="text_and_pictures",
    description="Entities with pictures, fused early, late and by cross-attention.",
    settings=SETTINGS,
    contenders=CONTENDERS,
    rates=(0.0003, 0.001, 0.003, 0.01, 0.03),
    seeds=(0, 1, 2, 3, 4),
    contrasts={
        SETTING: (
            Contrast(EARLY, TEXT_ONLY, _METRIC),
            Contrast(LATE, TEXT_ONLY, _METRIC),
            Contrast(CROSS, TEXT_ONLY, _METRIC),
            Contrast(CROSS, SHUFFLED, _METRIC),
            Contrast(CROSS, LATE, _METRIC),
        )
    },
    reference=TEXT_ONLY,
    train=train_unit,
    priority=3,
    minutes=0.8,
)
COMPARISONS = (COMPARISON,)
EXPERIMENTS = COMPARISON.experiments()
