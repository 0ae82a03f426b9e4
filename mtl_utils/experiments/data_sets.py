"""The data page: test rows that stand in train, and tags that break their scheme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import datasets

from mtl_utils import corpora
from mtl_utils.corpora.digests import DIGESTS
from mtl_utils.corpora.equal_texts import guess_texts
from mtl_utils.experiments.experiment import Config, Experiment, Place

# Lines of running text, whose repeats (headings, blank lines) mean nothing.
_RUNNING_TEXT = ("tiny_shakespeare", "wikitext")


def run(config: Config, seed: int, place: Place) -> dict[str, int]:
    """Count what is seen twice, and what is no IOB2.

    Args:
        config: One of :data:`CONFIGS`.
        seed: Not used.
        place: Not used.

    Returns:
        For each split ``SPLIT_rows`` and ``SPLIT_repeats``, and where a row has several texts
        ``SPLIT_repeats_COLUMN``, the repeats of each alone; where there is a training split, for
        each other one ``SPLIT_exact``, ``SPLIT_normalised``, ``SPLIT_any_order`` and
        ``SPLIT_any_text`` as :class:`mtl_utils.corpora.Overlap` has them; and where words have
        entity tags, ``SPLIT_broken_tags``, the tags I- that continue no entity of their type.
    """
    splits = corpora.load(config["data"], config["config"])
    counts: dict[str, int] = {}
    for split, rows in splits.items():
        # Without a training split, and for that split itself, only repeats mean anything.
        found = asdict(corpora.overlap(splits.get("train", rows), rows))
        kept = found if split != "train" and "train" in splits else ("rows", "repeats")
        counts |= {f"{split}_{name}": found[name] for name in kept}
        texts = guess_texts(rows.features)
        for column in texts if len(texts) > 1 else ():
            repeats = corpora.overlap(rows, rows, column).repeats
            counts[f"{split}_repeats_{column}"] = repeats
        for column in ("ner_tags", "slot_tags"):
            if column in rows.features:
                counts[f"{split}_broken_tags"] = _broken_tags(rows, column)
    return counts


def _broken_tags(rows: datasets.Dataset, column: str) -> int:
    names = rows.features[column].feature.names
    return sum(_broken([names[tag] for tag in tags]) for tags in rows[column][:])


def _broken(tags: Sequence[str]) -> int:
    """Tags I- after neither B- nor I- of the same type."""
    before = ["O", *tags]
    return sum(
        tag.startswith("I-") and before[position][2:] != tag[2:]
        for position, tag in enumerate(tags)
    )


def _configs() -> list[dict[str, str]]:
    copies = dict.fromkeys(tuple(key.split("/")[:2]) for key in DIGESTS)
    return [{"data": n, "config": c} for n, c in copies if n not in _RUNNING_TEXT]


CONFIGS = tuple(_configs())

EXPERIMENTS = (
    Experiment(
        name="data_sets",
        description="Rows of test that stand in train, and tags that break IOB2, by data set.",
        configs=CONFIGS,
        seeds=(0,),
        run=run,
        deterministic=lambda config: True,
    ),
)
