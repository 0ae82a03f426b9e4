"""Entries of the data sets with labels on every word."""

from __future__ import annotations

from mtl_utils.corpora.columns import (
    TOKENS,
    UNER_UD_COLUMNS,
    UNIVERSAL_DEPENDENCIES_COLUMNS,
    UNIVERSAL_NER_COLUMNS,
    label,
    tags,
    text,
)
from mtl_utils.corpora.entry import (
    CONVERTED,
    SPLITS,
    Config,
    Entry,
    Join,
    PartialCopy,
    SourceFiles,
    split_rows,
)
from mtl_utils.corpora.labels import CROSS_NER_TAGS, SNIPS_INTENTS, SNIPS_SLOT_TAGS
from mtl_utils.corpora.sources import parse_snips

__all__ = ["ENTRIES"]


def _snips_files(folder: str) -> tuple[str, ...]:
    return tuple(f"data/snips/{folder}/{name}" for name in ("seq.in", "seq.out", "label"))


_SNIPS_SOURCE = SourceFiles(
    "MiuLab/SlotGated-SLU",
    "61f0307c729b1fad479ef1de94aa5ac5dee601b0",
    dict(zip(SPLITS, map(_snips_files, ("train", "valid", "test")), strict=True)),
    parse_snips,
)


_UNER_ROWS = {
    "en_ewt": split_rows(12_543, 2001, 2077),
    "en_pud": {"test": 1000},
    "de_pud": {"test": 1000},
    "zh_pud": {"test": 1000},
    "pt_pud": {"test": 1000},
    "sv_pud": {"test": 1000},
    "zh_gsdsimp": split_rows(3997, 500, 500),
    "da_ddt": split_rows(4383, 564, 565),
    "sv_talbanken": split_rows(4303, 504, 1219),
    "pt_bosque": split_rows(7018, 1172, 1167),
}

_CROSS_NER_ROWS = {
    "politics": split_rows(200, 541, 651),
    "science": split_rows(200, 450, 543),
    "music": split_rows(100, 380, 465),
    "literature": split_rows(100, 400, 416),
    "ai": split_rows(100, 350, 431),
}

_UD_COPY = PartialCopy(
    "the copy is UD 2.9, which Universal NER annotates; the Hub publishes UD 2.7",
    rows={"validation": 2001},
)

ENTRIES = (
    Entry(
        name="snips",
        task="intent classification and slot filling on the same utterances",
        hub_id=None,
        revision=None,
        licence="CC0 1.0",
        is_open="yes",
        citations=("coucke2018snips", "goo-etal-2018-slot"),
        default_config="default",
        configs={
            "default": Config(
                (
                    TOKENS,
                    tags("slot_tags", SNIPS_SLOT_TAGS, "slots, IOB2"),
                    label("intent", SNIPS_INTENTS, "what the speaker wants"),
                ),
                split_rows(13_084, 700, 700),
                source=_SNIPS_SOURCE,
            )
        },
        caveats=("lower-cased, in the split of Goo et al. (2018); label order is this book's",),
    ),
    Entry(
        name="universal_ner",
        task="named entity recognition in several languages",
        hub_id="universalner/universal_ner",
        revision=CONVERTED,
        licence="CC BY-SA 4.0 (EWT, GSD, Bosque, DDT, Talbanken); CC BY-SA 3.0 (PUD)",
        is_open="yes",
        citations=("mayhew-etal-2024-universal",),
        default_config="en_ewt",
        configs={name: Config(UNIVERSAL_NER_COLUMNS, rows) for name, rows in _UNER_ROWS.items()},
        caveats=(
            "the known local copy of en_ewt train is an early annotation of the same sentences, "
            "about 36 token labels short of the release",
            "da_ddt has 7 tags I- that continue no entity of their type (6 in train, 1 in test), "
            "so that strict scorers count no entity there",
            "zh_gsdsimp is in simplified characters and zh_pud in traditional ones: a quarter of "
            "the characters of the one are in no training sentence of the other",
        ),
    ),
    Entry(
        name="universal_dependencies",
        task="part-of-speech tagging, morphology, dependency parsing",
        hub_id="universal-dependencies/universal_dependencies",
        revision=CONVERTED,
        licence="CC BY-SA 4.0 (EWT); CC BY-SA 3.0 (PUD)",
        is_open="yes",
        citations=("de-marneffe-etal-2021-universal", "silveira14gold"),
        default_config="en_ewt",
        configs={
            "en_ewt": Config(
                UNIVERSAL_DEPENDENCIES_COLUMNS,
                split_rows(12_543, 2002, 2077),
                partial_copy=_UD_COPY,
            ),
            **{
                name: Config(UNIVERSAL_DEPENDENCIES_COLUMNS, {"test": 1000})
                for name in ("en_pud", "de_pud", "zh_pud")
            },
        },
        caveats=("multiword tokens are rows of their own, with '_' in upos",),
    ),
    Entry(
        name="uner_ud",
        task="entities, parts of speech and dependency heads on the same sentences",
        hub_id=None,
        revision=None,
        licence="CC BY-SA 4.0 (en_ewt); CC BY-SA 3.0 (PUD)",
        is_open="yes",
        citations=("mayhew-etal-2024-universal", "silveira14gold"),
        default_config="en_ewt",
        configs={
            "en_ewt": Config(
                UNER_UD_COLUMNS,
                _UNER_ROWS["en_ewt"],
                source=Join("universal_ner", "universal_dependencies", "idx"),
            ),
            **{
                name: Config(
                    UNER_UD_COLUMNS,
                    {"test": 1000},
                    source=Join("universal_ner", "universal_dependencies", "tokens"),
                )
                for name in ("en_pud", "de_pud", "zh_pud")
            },
        },
        caveats=("PUD's configurations are translations of one another, matched by parallel_id",),
    ),
    Entry(
        name="cross_ner",
        task="named entity recognition in five Wikipedia domains",
        hub_id="DFKI-SLT/cross_ner",
        revision=CONVERTED,
        licence="MIT (repository); CC BY-SA (Wikipedia's sentences)",
        is_open="yes",
        citations=("liu2021crossner",),
        default_config="politics",
        configs={
            name: Config(
                (
                    text("id", "sentence id"),
                    TOKENS,
                    tags(
                        "ner_tags", CROSS_NER_TAGS, "entity tags, IOB2, 39 types over all domains"
                    ),
                ),
                rows,
            )
            for name, rows in _CROSS_NER_ROWS.items()
        },
        caveats=("the Hub's configuration conll2003 is left out: see ForbiddenDatasetError",),
    ),
)
