"""What the data page shows of Atlas and of the registry, computed while the page is built."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from datasets import Dataset, DatasetDict
from docutils import nodes
from docutils.parsers.rst import directives
from run_records import (
    Cell,
    Record,
    ResultsDirective,
    mean_and_half_width,
    read_records,
    rounded,
    table,
)
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mtl_utils import atlas, corpora, plots

SIZE = 20_000
EXAMPLES = (0, 5, 11, 17, 23, 29)
DIFFICULTY = "atlas_difficulty"
OVERLAPS = "data_sets"
_SEEN_IN_TRAIN = ("exact", "normalised", "any_order", "any_text")
_OVERLAP_HEADER = (
    *("data set", "split", "rows"),
    *("exact", "folded", "any order", "any text", "repeats"),
)
_BREAKABLE = ("name", "hub_id")
_CURVES = {
    "ner_f1": "entities: strict F1, five-word window",
    "topic_accuracy": "topic: accuracy, words and pairs",
    "event_accuracy": "event: accuracy, words and pairs",
    "hypothesis_only": "inference: accuracy from the hypothesis alone",
    "chance": "inference: share of the largest label",
}


@cache
def corpus() -> DatasetDict:
    """The corpus that the page describes."""
    return atlas.load(SIZE)


def entities(row: dict[str, Any]) -> list[tuple[str, str]]:
    """The entities of a sentence as text and type."""
    spans = atlas.from_iob2([atlas.NER_TAGS[tag] for tag in row["ner_tags"]])
    return [(" ".join(row["tokens"][start:end]), kind) for start, end, kind in spans]


def statistics_rows(splits: DatasetDict) -> list[list[str]]:
    """One row a split: sentences, tokens, entities a sentence, and names new to the split."""
    seen = {text for row in splits["train"] for text, _ in entities(row)}
    rows = []
    for split, dataset in splits.items():
        lengths = [len(tokens) for tokens in dataset["tokens"]]
        names = [text for row in dataset for text, _ in entities(row)]
        new = "" if split == "train" else f"{sum(n not in seen for n in names) / len(names):.0%}"
        rows.append(
            [
                str(split),
                f"{len(dataset):,}",
                f"{sum(lengths) / len(lengths):.1f}",
                f"{len(names) / len(dataset):.1f}",
                f"{len(set(names)):,}",
                new,
            ]
        )
    return rows


def type_rows(dataset: Dataset) -> list[list[str]]:
    """One row an entity type: how many, how many different, and the most frequent."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in atlas.ENTITY_TYPES}
    for row in dataset:
        for text, kind in entities(row):
            counts[kind][text] += 1
    return [
        [
            kind,
            f"{names.total():,}",
            f"{len(names):,}",
            ", ".join(n for n, _ in names.most_common(4)),
        ]
        for kind, names in counts.items()
    ]


class AtlasStatistics(SphinxDirective):
    """Tables of sizes and of entity types."""

    def run(self) -> list[nodes.Node]:
        """Build the tables."""
        sizes = ("split", "sentences", "tokens each", "entities each", "different", "not in train")
        types = ("type", "entities in train", "different", "most frequent")
        return [
            table(sizes, statistics_rows(corpus())),
            table(types, type_rows(corpus()["train"])),
        ]


class AtlasExamples(SphinxDirective):
    """A few sentences with every label."""

    def run(self) -> list[nodes.Node]:
        """Build one list item a sentence."""
        train = corpus()["train"]
        items = nodes.bullet_list()
        for index in EXAMPLES:
            row = train[index]
            topic = train.features["topic"].int2str(row["topic"])
            event = train.features["event"].int2str(row["event"])
            found = "; ".join(f"{text} ({kind})" for text, kind in entities(row))
            item = nodes.list_item()
            item += nodes.paragraph("", row["text"])
            item += nodes.paragraph("", "", nodes.emphasis("", row["translation"]["fr"]))
            item += nodes.paragraph("", f"{topic}, {event}: {found}")
            items += item
        return [items]


class InferenceExamples(SphinxDirective):
    """A few pairs of premise and hypothesis."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        train = atlas.load_inference(300)["train"]
        rows, left = [], Counter(dict.fromkeys(range(3), 2))
        for row in train:
            if left[row["label"]]:
                left[row["label"]] -= 1
                label = atlas.INFERENCE_LABELS[row["label"]]
                rows.append([row["premise"], row["hypothesis"], label])
        rows.sort(key=lambda row: row[2])
        return [_wrapped(table(("premise", "hypothesis", "label"), rows))]


class AtlasDifficulty(ResultsDirective):
    """Learning curves and the effect of the knobs, from the recorded run."""

    def run(self) -> list[nodes.Node]:
        """Build the figure and the table."""
        records = read_records(self.watch(self.folder / f"{DIFFICULTY}.jsonl"))
        frame = pd.DataFrame([{**record["config"], **record["metrics"]} for record in records])
        knobs = [name for name in ("ambiguity", "noise", "relatedness") if name in frame]
        plain = frame[frame[knobs].isna().all(axis=1)]
        header = ("corpus", *(metric.replace("_", " ") for metric in _CURVES))
        return [_curves(plain), table(header, self._rows(frame, knobs))]

    def _rows(self, frame: pd.DataFrame, knobs: list[str]) -> Iterable[list[str]]:
        for config, group in frame.groupby(["size", *knobs], dropna=False, sort=False):
            size, *values = config
            turned = [f"{k} {v:g}" for k, v in zip(knobs, values, strict=True) if pd.notna(v)]
            name = ", ".join([f"{int(size):,} sentences", *turned])
            yield [name, *(rounded(*mean_and_half_width(list(group[m]))) for m in _CURVES)]


def _curves(frame: pd.DataFrame) -> nodes.raw:
    plots.use_style()
    figure, axes = plt.subplots()
    for metric, label in _CURVES.items():
        groups = frame.groupby("size")[metric]
        summary = [mean_and_half_width(list(values)) for _, values in groups]
        means, halves = [s[0] for s in summary], [s[1] or 0.0 for s in summary]
        style = "--" if metric == "chance" else "-"
        axes.errorbar(list(groups.groups), means, halves, label=label, capsize=3, linestyle=style)
    axes.set(xscale="log", xlabel="sentences in the corpus (80% are training)", ylim=(0.2, 1))
    sizes = sorted(frame["size"].unique())
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.legend(loc="center right", fontsize="small", bbox_to_anchor=(1.0, 0.42))
    alt = (
        "Learning curves from 500 to 20,000 sentences: entity F1, topic and event accuracy rise "
        "over the whole range and stay below 1; the hypothesis alone stays at chance"
    )
    return _image(figure, alt)


def _wrapped(node: nodes.table) -> nodes.table:
    """Let the cells of a table run over several lines, for tables of text."""
    node["classes"] = ["texts"]
    return node


def _image(figure: plt.Figure, alt: str) -> nodes.raw:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    data = base64.b64encode(buffer.getvalue()).decode()
    html = f'<p><img class="figure" alt="{alt}" src="data:image/png;base64,{data}"></p>'
    return nodes.raw("", html, format="html")


class RegisteredDatasets(SphinxDirective):
    """Every registered data set; with ``:columns:`` every column, with ``:caveats:`` what to know.

    The three come from the registry, so that the page says what the package checks.
    """

    option_spec = {  # noqa: RUF012 (docutils reads a plain dict)
        "columns": directives.flag,
        "caveats": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        if "columns" in self.options:
            frame = corpora.columns_table().drop(columns="config")
        elif "caveats" in self.options:
            frame = corpora.caveats_table()
        else:
            frame = corpora.table().drop(columns=["revision"])
        header = [name.replace("_", " ") for name in frame.columns]
        rows = frame.astype(str).to_dict("records")
        return [_wrapped(table(header, [[_cell(*item) for item in row.items()] for row in rows]))]


def _cell(column: str, text: str) -> Cell:
    """Let the long addresses of data sets be broken anywhere."""
    return nodes.inline(text, text, classes=["breakable"]) if column in _BREAKABLE else text


class DataOverlaps(ResultsDirective):
    """What stands in train as well, and what repeats itself, from the recorded counts."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        records = read_records(self.watch(self.folder / f"{OVERLAPS}.jsonl"))
        return [table(_OVERLAP_HEADER, overlap_rows(records))]


def overlap_rows(records: Iterable[Record]) -> list[list[str]]:
    """One row for each split in which something is counted."""
    rows = []
    for record in records:
        counts = record["metrics"]
        for split in ("train", "validation", "test"):
            seen = [counts.get(f"{split}_{name}") for name in _SEEN_IN_TRAIN]
            repeats = _repeats(counts, split)
            if not any(seen) and not repeats:
                continue
            name = " ".join(record["config"].values()).removesuffix(" default")
            cells = ["" if count is None else f"{count:,}" for count in seen]
            rows.append([name, split, f"{counts[f'{split}_rows']:,}", *cells, repeats])
    return rows


def _repeats(counts: dict[str, int], split: str) -> str:
    """Repeats of whole rows and of each of their texts, where there are any."""
    whole, prefix = counts.get(f"{split}_repeats", 0), f"{split}_repeats_"
    parts = [
        f"{name.removeprefix(prefix)} {count:,}"
        for name, count in counts.items()
        if name.startswith(prefix) and count
    ]
    if not whole and not parts:
        return ""
    return f"{whole:,}" + (f" ({', '.join(parts)})" if parts else "")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("atlas-statistics", AtlasStatistics)
    app.add_directive("atlas-examples", AtlasExamples)
    app.add_directive("atlas-inference", InferenceExamples)
    app.add_directive("atlas-difficulty", AtlasDifficulty)
    app.add_directive("registered-datasets", RegisteredDatasets)
    app.add_directive("data-overlaps", DataOverlaps)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
