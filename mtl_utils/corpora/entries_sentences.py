"""Entries of the data sets of sentences, sentence pairs and running text."""

from __future__ import annotations

from collections.abc import Mapping

from mtl_utils.corpora.columns import (
    INFERENCE_COLUMNS,
    INFERENCE_LABEL,
    INFERENCE_PAIR,
    ROW,
    SENTENCE_PAIR,
    SICK_COLUMNS,
    label,
    text,
)
from mtl_utils.corpora.entry import (
    CONVERTED,
    SPLITS,
    Column,
    Config,
    Entry,
    PartialCopy,
    SourceFiles,
    split_rows,
)
from mtl_utils.corpora.labels import INFERENCE, TREC_COARSE, TREC_FINE
from mtl_utils.corpora.sources import parse_inference_tsv, parse_parallel_text

__all__ = ["ENTRIES"]


def _glue(columns: tuple[Column, ...], label: Column) -> tuple[Column, ...]:
    return (*columns, label, ROW)


_GLUE = {
    "cola": Config(
        _glue(
            (text("sentence", "the sentence"),),
            label("label", ("unacceptable", "acceptable"), "linguistic acceptability", ("test",)),
        ),
        split_rows(8551, 1043, 1063),
    ),
    "mnli_matched": Config(
        _glue(INFERENCE_PAIR, label("label", INFERENCE, INFERENCE_LABEL, ("test",))),
        {"validation": 9815, "test": 9796},
        partial_copy=PartialCopy("test, whose labels are hidden, left out", absent=("test",)),
    ),
    "mrpc": Config(
        _glue(
            SENTENCE_PAIR,
            label("label", ("not_equivalent", "equivalent"), "whether they mean the same"),
        ),
        split_rows(3668, 408, 1725),
    ),
    "rte": Config(
        _glue(
            SENTENCE_PAIR,
            label("label", ("entailment", "not_entailment"), "whether 2 follows from 1", ("test",)),
        ),
        split_rows(2490, 277, 3000),
    ),
    "stsb": Config(
        _glue(
            SENTENCE_PAIR,
            Column("label", "float32", "similarity", unlabelled=("test",), bounds=(0.0, 5.0)),
        ),
        split_rows(5749, 1500, 1379),
    ),
}

# fmt: off
_XNLI_LANGUAGES = (
    "ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh",
)
# fmt: on
_XNLI_COPY = PartialCopy("machine-translated training data left out for size", absent=("train",))


def _counterfactual(folder: str, rows: Mapping[str, int]) -> Config:
    source = SourceFiles(
        "acmi-lab/counterfactually-augmented-data",
        "6f232a1d2a11462a30ce08fb4825b734ab30828e",
        {
            split: (f"NLI/{folder}/{name}.tsv",)
            for split, name in zip(SPLITS, ("train", "dev", "test"), strict=True)
        },
        parse_inference_tsv,
    )
    return Config(INFERENCE_COLUMNS, rows, source=source)


_MULTI30K_FRENCH = SourceFiles(
    "multi30k/dataset",
    "a3d2e0d26b56f3846f66a952536ffed4e401d05a",
    {
        split: tuple(f"data/task1/raw/{name}.{language}.gz" for language in ("en", "fr"))
        for split, name in zip(SPLITS, ("train", "val", "test_2016_flickr"), strict=True)
    },
    parse_parallel_text,
)

ENTRIES = (
    Entry(
        name="multi30k",
        task="translation of image captions",
        hub_id="bentrevett/multi30k",
        revision="main",
        licence="none stated; the captions derive from Flickr30K (non-commercial research)",
        is_open="not clearly",
        citations=("elliott-etal-2016-multi30k", "elliott-etal-2017-findings"),
        default_config="default",
        configs={
            "default": Config(
                (text("en", "English caption"), text("de", "German caption")),
                split_rows(29_000, 1014, 1000),
            ),
            "en-fr": Config(
                (text("en", "English caption"), text("fr", "French caption")),
                split_rows(29_000, 1014, 1000),
                source=_MULTI30K_FRENCH,
            ),
        },
        caveats=("test is test_2016_flickr", "en-fr is read from the source repository"),
    ),
    Entry(
        name="snli",
        task="natural language inference",
        hub_id="stanfordnlp/snli",
        revision="main",
        licence="CC BY-SA 4.0",
        is_open="yes",
        citations=("bowman-etal-2015-large",),
        default_config="plain_text",
        configs={
            "plain_text": Config(
                (*INFERENCE_PAIR, label("label", INFERENCE, INFERENCE_LABEL, SPLITS)),
                split_rows(550_152, 10_000, 10_000),
                partial_copy=PartialCopy(
                    "train is the sample of Kaushik et al. (2020); pairs without a gold label "
                    "are left out of validation and test",
                    rows=split_rows(1666, 9842, 9824),
                ),
            )
        },
        caveats=("-1 marks pairs on which the annotators did not agree",),
    ),
    Entry(
        name="snli_cad",
        task="natural language inference, counterfactually revised pairs",
        hub_id=None,
        revision=None,
        licence="Apache 2.0 (repository); CC BY-SA 4.0 (SNLI's sentences)",
        is_open="yes",
        citations=("kaushik2020learning",),
        default_config="all_combined",
        configs={
            "original": _counterfactual("original", split_rows(1666, 200, 400)),
            "all_combined": _counterfactual("all_combined", split_rows(8330, 1000, 2000)),
        },
        caveats=("sentences with quotation marks are quoted as in the source files",),
    ),
    Entry(
        name="sick",
        task="natural language inference and relatedness on the same pairs",
        hub_id="RobZamp/sick",
        revision=CONVERTED,
        licence="CC BY-NC-SA 3.0",
        is_open="no (non-commercial)",
        citations=("marelli-etal-2014-sick",),
        default_config="default",
        configs={"default": Config(SICK_COLUMNS, split_rows(4439, 495, 4906))},
    ),
    Entry(
        name="trec",
        task="question classification",
        hub_id="CogComp/trec",
        revision=CONVERTED,
        licence="not stated by the authors",
        is_open="not stated",
        citations=("li-roth-2002-learning",),
        default_config="default",
        configs={
            "default": Config(
                (
                    text("text", "the question"),
                    label("coarse_label", TREC_COARSE, "what kind of answer is asked for"),
                    label("fine_label", TREC_FINE, "the same, in 50 classes"),
                ),
                {"train": 5452, "test": 500},
            )
        },
        caveats=("no validation split is published: use carve_validation",),
    ),
    Entry(
        name="sst2",
        task="sentiment of film review phrases",
        hub_id="stanfordnlp/sst2",
        revision="main",
        licence="not stated ('unknown' on the Hub)",
        is_open="not stated",
        citations=("socher-etal-2013-recursive",),
        default_config="default",
        configs={
            "default": Config(
                (
                    ROW,
                    text("sentence", "a phrase (train) or sentence"),
                    label("label", ("negative", "positive"), "sentiment", ("test",)),
                ),
                split_rows(67_349, 872, 1821),
            )
        },
        caveats=("the labels of test are hidden",),
    ),
    Entry(
        name="rotten_tomatoes",
        task="sentiment of film review sentences",
        hub_id="cornell-movie-review-data/rotten_tomatoes",
        revision="main",
        licence="CC BY 4.0 by the NLTK data index; 'unknown' on the Hub",
        is_open="yes, by the NLTK index",
        citations=("pang-lee-2005-seeing",),
        default_config="default",
        configs={
            "default": Config(
                (text("text", "the sentence"), label("label", ("neg", "pos"), "sentiment")),
                split_rows(8530, 1066, 1066),
            )
        },
    ),
    Entry(
        name="wikitext",
        task="word-level language modelling",
        hub_id="Salesforce/wikitext",
        revision="main",
        licence="CC BY-SA 3.0 and GFDL",
        is_open="yes",
        citations=("merity2017pointer",),
        default_config="wikitext-2-v1",
        configs={
            "wikitext-2-v1": Config(
                (text("text", "one line of an article, tokens separated by spaces"),),
                split_rows(36_718, 3760, 4358),
                partial_copy=PartialCopy("train left out for size", absent=("train",)),
            )
        },
    ),
    Entry(
        name="tiny_shakespeare",
        task="character-level language modelling",
        hub_id="karpathy/tiny_shakespeare",
        revision=CONVERTED,
        licence="public domain",
        is_open="yes",
        citations=("karpathy2015char",),
        default_config="default",
        configs={
            "default": Config(
                (text("text", "the whole split as one text"),), dict.fromkeys(SPLITS, 1)
            )
        },
        caveats=("each split is one row",),
    ),
    Entry(
        name="xnli",
        task="natural language inference in 15 languages",
        hub_id="facebook/xnli",
        revision="main",
        licence="CC BY-NC 4.0",
        is_open="no (non-commercial)",
        citations=("conneau-etal-2018-xnli",),
        default_config="en",
        configs={
            language: Config(
                INFERENCE_COLUMNS, split_rows(392_702, 2490, 5010), partial_copy=_XNLI_COPY
            )
            for language in _XNLI_LANGUAGES
        },
        caveats=("train is MultiNLI, machine-translated", "row i is the same pair everywhere"),
    ),
    Entry(
        name="glue",
        task="sentence and sentence-pair classification",
        hub_id="nyu-mll/glue",
        revision="main",
        licence="varies by task, research use",
        is_open="not clearly",
        citations=(
            "wang2019glue",
            "warstadt2018neural",
            "cer-etal-2017-semeval",
            "dolan-brockett-2005-automatically",
            "williams-etal-2018-broad",
        ),
        default_config="cola",
        configs=_GLUE,
        caveats=("the labels of test are hidden, except MRPC's",),
    ),
    Entry(
        name="xtreme",
        task="translation pairs of short sentences",
        hub_id="google/xtreme",
        revision="main",
        licence="CC BY 2.0 FR (Tatoeba)",
        is_open="yes",
        citations=("artetxe-schwenk-2019-massively", "hu2020xtreme"),
        default_config="tatoeba.fra",
        configs={
            f"tatoeba.{language}": Config(
                (
                    text("source_sentence", "the sentence, ending in a newline"),
                    text("target_sentence", "its English translation, ending in a newline"),
                    text("source_lang", "language code"),
                    text("target_lang", "language code, always eng"),
                ),
                {"validation": 1000},
            )
            for language in ("fra", "deu", "spa", "cmn")
        },
    ),
)
