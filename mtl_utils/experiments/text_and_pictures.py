"""Chapter 18: entities of sentences with pictures, by where text and picture meet."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn as torch_nn
from torch.nn import functional

from mtl_utils import atlas, nn
from mtl_utils.data import BatchLoader, Example, Vocabulary
from mtl_utils.data.pictures import picture_pixels
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender, Unit
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.settings_read import reads
from mtl_utils.experiments.unit_training import (
    FITTED,
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

TEXT_ONLY, PICTURE_ONLY = "text only", "picture only"
EARLY, LATE, CROSS = "early", "late", "cross-attention"
SHUFFLED = {way: f"{way}, shuffled" for way in (EARLY, LATE, CROSS)}
"""By way to fuse the control of the same size, whose pictures tell nothing."""

SETTING = "Atlas with pictures"

_FIRST_DRAWING = 10**6  # but for chance, what stands beside sentences has other seeds


def pictures_known(width: int, drawings: int, steps: int, seed: int) -> nn.ConvolutionalPictures:
    """Return an encoder of pictures that has learnt what drawings show, and stays as it is.

    All contenders of a seed have the same, so that none is measured by how soon it learns to see.

    Args:
        width: Size of its vectors, D.
        drawings: How many it learns from, all in the styles of the training split.
        steps: Of 32 drawings each.
        seed: Of the drawings, the weights and the order.
    """
    return deepcopy(_pictures_known(width, drawings, steps, seed))


@lru_cache(maxsize=1)
def _pictures_known(width: int, drawings: int, steps: int, seed: int) -> nn.ConvolutionalPictures:
    shown = torch.arange(drawings) % len(atlas.MEANINGS)
    first = _FIRST_DRAWING + seed * drawings
    pixels = [
        atlas.draw_picture(atlas.MEANINGS[meaning], "train", first + number)[0]
        for number, meaning in enumerate(shown.tolist())
    ]
    pictures = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2) / 255
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = nn.ConvolutionalPictures(width)
        output = torch_nn.Linear(width, len(atlas.MEANINGS))
        optimizer = torch.optim.Adam([*encoder.parameters(), *output.parameters()], lr=0.005)
        for _ in range(steps):
            rows = torch.randint(drawings, (32,))
            optimizer.zero_grad()
            logits = output(encoder(pictures[rows]).mean(1))
            functional.cross_entropy(logits, shown[rows]).backward()
            optimizer.step()
    encoder.freeze()
    return encoder


def encoder_of(settings: Mapping[str, Any], vocab_size: int, seed: int) -> nn.Encoder:
    """Make an encoder; the layers that fuse have no dropout, whichever way they do.

    Args:
        settings: ``fusion``, a name of a way to fuse or ``None`` for text alone; the ``width``,
            ``num_layers``, ``num_heads`` and ``dropout`` of the Transformer; ``picture_dropout``;
            and ``drawings`` and ``drawing_steps`` of :func:`pictures_known`.
        vocab_size: Number of ids, V.
        seed: Of the encoder of pictures.
    """
    width = settings["width"]
    text = nn.TransformerEncoder(
        vocab_size,
        width,
        settings["num_layers"],
        settings["num_heads"],
        dropout=settings["dropout"],
    )
    fusion = settings["fusion"]
    if fusion is None:
        return text
    pictures = pictures_known(width, settings["drawings"], settings["drawing_steps"], seed)
    away = {"picture_dropout": settings["picture_dropout"]}
    if fusion == EARLY:
        return nn.EarlyFusion(text, pictures, **away)
    if fusion == LATE:
        return nn.LateFusion(text, pictures, **away)
    return nn.CrossAttentionFusion(text, pictures, settings["num_heads"], dropout=0.0, **away)


def blind(example: Example, vocabulary: Vocabulary) -> Example:
    """Return an example that says where its name stands, and no word.

    Args:
        example: With the tags of :data:`NAMES`.
        vocabulary: Of its ids.
    """
    tags = example.labels[NAMES]
    assert isinstance(tags, Sequence)
    ids = [vocabulary.eos_id if tag else vocabulary.unk_id for tag in tags]
    return replace(example, input_ids=ids)


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


_OF_ENCODER = {"fusion", "width", "num_layers", "num_heads", "dropout"}
_OF_ENCODER |= {"picture_dropout", "drawings", "drawing_steps"}
_READ = FITTED.and_others("corpus", "shuffled", "blind", "batch", encoder=lambda _: _OF_ENCODER)


@reads(_READ)
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
            another), ``blind`` (whether no word is read, as :func:`blind` does), ``batch``,
            ``steps``, ``validations`` and ``training``.
        unit: Its task, :data:`NAMES`.
        seed: Of the corpus, the weights, the order and dropout.
        workspace: Where the checkpoint is.
        reference: The score that counts as 1 when weights are chosen; 1 if ``None``.
        test: Whether to measure on test data, whose styles of drawing are new.

    Returns:
        What was learnt, with the weights of the best validation.

    Raises:
        ValueError: If there are settings that nothing reads, or weights of no task.
    """
    corpus = atlas.load(seed=seed, pictures=True, **settings["corpus"])
    words = itertools.chain.from_iterable(corpus["train"]["tokens"][:])
    vocabulary = Vocabulary.from_tokens(words)
    sets = {
        split: examples_of(rows, vocabulary, number if settings["shuffled"] else None)
        for number, (split, rows) in enumerate(corpus.items())
    }
    if settings["blind"]:
        sets = {split: [blind(row, vocabulary) for row in rows] for split, rows in sets.items()}
    sets["train"] = _without_pictures(sets["train"], settings)
    torch.manual_seed(seed)
    encoder = encoder_of(settings["encoder"], len(vocabulary), seed)
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
    _way(PICTURE_ONLY, LATE, blind=True),
    *(_way(fusion, fusion) for fusion in (EARLY, LATE, CROSS)),
    *(_way(SHUFFLED[fusion], fusion, shuffled=True) for fusion in (EARLY, LATE, CROSS)),
)
"""One of the two alone, three places to meet, and each of these with pictures of others."""

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
            "drawings": 3000,
            "drawing_steps": 400,
        },
        "shuffled": False,
        "blind": False,
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
            *(Contrast(own, dealt, _METRIC) for own, dealt in SHUFFLED.items()),
            Contrast(CROSS, TEXT_ONLY, _METRIC),
            Contrast(CROSS, LATE, _METRIC),
        )
    },
    reference=TEXT_ONLY,
    doubles=(TEXT_ONLY, *SHUFFLED, *SHUFFLED.values()),  # all that a contrast names
    train=train_unit,
    priority=3,
    minutes=0.8,
)
COMPARISONS = (COMPARISON,)
EXPERIMENTS = COMPARISON.experiments()
