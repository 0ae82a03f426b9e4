"""``init``: a first file, made from what a data set has."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets

from mtl_utils import corpora
from mtl_utils.commands.data_files import format_of
from mtl_utils.commands.messages import Refused
from mtl_utils.commands.toml_files import toml_value
from mtl_utils.commands.using import format_given
from mtl_utils.files import whole_file

_MOST_LABELS = 500
_MOST_CLASSES = 20  # of whole numbers, which are more often amounts
_LABEL = re.compile(
    r"(.*_)?(labels?|tags?|intents?|topics?|class|category|upos|emotions?)|(is|has)_.*", re.I
)
_NUMBER = re.compile(r"(.*_)?(scores?|values?|ratings?|stars|similarity|relatedness.*)", re.I)
_TEXTS = ("text", "sentence", "utterance", "question", "content", "tokens", "words")
_PAIRS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("sentence_A", "sentence_B"),
    ("text1", "text2"),
    ("question1", "question2"),
    ("first", "second"),
    ("a", "b"),
)

_REST = """\

# Everything below may be left out; these are the defaults.

[encoder]
kind = "bilstm"          # lstm, transformer, or pretrained with name_or_folder = "..."
width = 256
num_layers = 1

[tokenizer]
vocab_size = 8000        # learnt from the training texts
lowercase = false

[sharing]
kind = "hard"            # soft, branched, shared_private, hierarchical, mmoe, lora, ...

[balancer]
kind = "equal"           # fixed with weights = {NAME = 2.0}, uncertainty, famo, gradnorm, ...

[training]
epochs = 10
batch_size = 32
learning_rate = 0.001
sampling = "joint"       # of several data sets: turns, size, sqrt, uniform, or a temperature
# metric = "NAME_f1"     # which weights are kept: the best by this column of history.csv
# patience = 3           # stop after so many epochs without a better one
# task_patience = 3      # the same for each task by itself, while others go on
# accumulate = 4         # so many batches make one step, where memory holds only one
"""


_LANGUAGE = re.compile(r"lang(uage)?", re.I)
_BESIDE = {
    "languages": """\
# [languages]              # each text is read in its language
# column = {column}
# kind = "embedding"       # or adapters
""",
    "pictures": """\
# [pictures]               # each text is read with its picture
# column = {column}
# fusion = "late"          # early with a transformer, or cross_attention
""",
}


def init(options: argparse.Namespace) -> None:
    """Write a first file.

    Args:
        options: ``data``, ``config``, ``format``, ``output`` and ``force``.

    Raises:
        ValueError: If the data cannot be loaded, nothing in them looks like a task, or the file is
            there.
    """
    output: Path | None = options.output
    if output is not None and output.exists() and not options.force:
        raise Refused(f"{output} is there already; replace it with --force")
    given = None if options.format is None else format_given(options.format)
    made = format_of(given, "--format")
    splits = corpora.load(options.data, options.config, format=made)
    text = first_file(splits, _place(options.data), options.config, given)
    if output is None:
        print(text, end="")
        return
    with whole_file(output) as file:
        file.write(text.encode("utf-8"))
    print(f"Wrote {output}; look through it, then: python -m mtl_utils train {output}")


def _place(data: str) -> str:
    path = Path(data).expanduser()
    return data if data in corpora.names() or not path.exists() else str(path.resolve())


def first_file(
    splits: datasets.DatasetDict, data: str, config: str | None = None, given: Any = None
) -> str:
    """Return a file for a data set: each column of labels is a task.

    Args:
        splits: The data set.
        data: Where it is.
        config: Its configuration.
        given: The format of its files, as a file has it.

    Raises:
        ValueError: If nothing in it looks like a task.
    """
    rows = splits["train"] if "train" in splits else next(iter(splits.values()))
    tasks = _tasks(splits, rows)
    if not tasks:
        kinds = {name: str(feature) for name, feature in rows.features.items()}
        raise Refused(
            f"Nothing in {data} looks like a column of labels beside texts: {kinds!s:.300}. Write "
            "a table [tasks.NAME] with kind, data and the names of the columns, such as kind = "
            "'classification', text = '...', label = '...'"
        )
    counts = ", ".join(f"{split} {len(part):,}" for split, part in splits.items())
    lines = [
        f"# Rows: {counts}. Columns: {', '.join(rows.column_names)}.",
        "# Each table [tasks.NAME] is a task. Leave out those you do not want; add those of other",
        "# data sets. Tasks that read the same data share each step.",
        "",
        "seed = 0",
    ]
    if "validation" not in splits:
        lines.append("validation = 0.1         # share of the training rows to validate on")
    used = {str(name) for table in tasks.values() for name in _flat(table.values())}
    left = [n for n in rows.column_names if n not in used and n not in tasks]
    if left:
        lines.insert(1, f"# Columns that no task reads: {', '.join(left)}.")
    of_data = {"data": data, "config": config, "format": given}
    for name, table in tasks.items():
        lines += ["", f"[tasks.{_quoted(name)}]"]
        table = {"kind": table.pop("kind"), **of_data, **table}
        lines += [
            f"{key} = {toml_value(value)}" for key, value in table.items() if value is not None
        ]
    return "\n".join(lines) + "\n" + _REST + _beside(rows)


def _beside(rows: datasets.Dataset) -> str:
    """Offer the first column that looks like languages, and the first one of pictures."""
    names = [n for n in rows.column_names if _LANGUAGE.fullmatch(n) and _kind(rows, n) == "text"]
    pictures = [n for n in rows.column_names if isinstance(rows.features[n], datasets.Image)]
    found = {"languages": names, "pictures": pictures}
    offered = [_BESIDE[k].format(column=toml_value(v[0])) for k, v in found.items() if v]
    return "".join(f"\n{text}" for text in offered)


def _flat(values: Iterable[Any]) -> list[Any]:
    return [v for value in values for v in (value if isinstance(value, list) else [value])]


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)


def _tasks(splits: datasets.DatasetDict, rows: datasets.Dataset) -> dict[str, dict[str, Any]]:
    words = next((n for n in ("tokens", "words") if _kind(rows, n) == "texts"), None)
    texts = _texts(rows)
    pair = next((p for p in _PAIRS if all(n in rows.column_names for n in p)), None)
    if not texts and pair is None:
        free = _free_texts(splits, rows)
        texts, pair = (free, None) if len(free) == 1 else ([], (free[0], free[1]) if free else None)
    read = {"texts": list(pair)} if pair else {"text": texts[0]} if texts else None
    found: dict[str, dict[str, Any]] = {}
    for column in rows.column_names:
        parts = rows.features[column]
        if isinstance(parts, dict) and len(parts) == 2:
            source, target = (f"{column}.{language}" for language in parts)
            found[column] = {"kind": "translation", "text": source, "written": target}
            continue
        if column in texts or column == words or (pair and column in pair):
            continue
        kind = _kind(rows, column)
        if kind == "texts" and words is not None and _one_a_word(rows, words, column):
            if _is_label(splits, rows, column):
                found[column] = {"kind": "tagging", "tokens": words, "tags": column}
        elif read is None:
            continue
        elif kind == "text" and _is_label(splits, rows, column):
            kind_of = "pair" if pair else "classification"
            found[column] = {"kind": kind_of, **read, "label": column}
        elif kind == "texts" and not pair and _is_label(splits, rows, column):
            found[column] = {"kind": "multi_label", **read, "labels_column": column}
        elif kind == "number" and _counts_classes(rows, column):
            found[column] = {"kind": "pair" if pair else "classification", **read, "label": column}
        elif kind == "number" and (_NUMBER.fullmatch(column) or _LABEL.fullmatch(column)):
            several = list(pair) if pair else [texts[0]]
            found[column] = {"kind": "regression", "texts": several, "value": column}
    return found


def _texts(rows: datasets.Dataset) -> list[str]:
    """Return the columns that texts may stand in, the likeliest first."""
    return [name for name in _TEXTS if _kind(rows, name) in ("text", "texts")]


def _free_texts(splits: Mapping[str, datasets.Dataset], rows: datasets.Dataset) -> list[str]:
    """Return the columns of texts that are no labels: one or two, or else none is sure."""
    found = [
        name
        for name in rows.column_names
        if _kind(rows, name) == "text"
        and not isinstance(rows.features[name], datasets.ClassLabel)
        and not _is_label(splits, rows, name)
        and any(" " in text for text in rows[:100][name] if text)
    ]
    return found if len(found) <= 2 else []


def _counts_classes(rows: datasets.Dataset, column: str) -> bool:
    """Whether a column of whole numbers looks like one of classes, and not of amounts."""
    if _NUMBER.fullmatch(column) or not rows.features[column].dtype.startswith(("int", "uint")):
        return False
    values = set(rows.with_format("arrow")[:][column].unique().to_pylist()) - {None}
    few = 2 <= len(values) <= min(_MOST_CLASSES, max(2, len(rows) // 10))
    return few and min(values) >= 0 and _LABEL.fullmatch(column) is not None


def _kind(rows: datasets.Dataset, column: str) -> str | None:
    """Say what a column holds: a text or label, several, or a number."""
    feature = rows.features.get(column)
    if isinstance(feature, datasets.ClassLabel):
        return "text"
    inner = getattr(feature, "feature", None)
    if inner is not None:
        named = isinstance(inner, datasets.ClassLabel) or getattr(inner, "dtype", "") == "string"
        return "texts" if named else None
    dtype = str(getattr(feature, "dtype", ""))
    if dtype in ("string", "large_string"):
        return "text"
    return "number" if dtype.startswith(("float", "double", "int")) else None


def _one_a_word(rows: datasets.Dataset, words: str, column: str) -> bool:
    pairs = zip(rows[:100][words], rows[:100][column], strict=True)
    return all(a is None or b is None or len(a) == len(b) for a, b in pairs)


def _is_label(splits: Mapping[str, datasets.Dataset], rows: datasets.Dataset, column: str) -> bool:
    """Whether there are few different values, and many rows for them, or a name that says it."""
    try:
        labels: Sequence[str] = corpora.label_names_of(dict(splits), column)
    except corpora.DataError:
        return False
    if len(labels) < 2 or len(labels) > _MOST_LABELS:
        return False
    return _LABEL.fullmatch(column) is not None or len(labels) <= max(2, len(rows) // 10)
