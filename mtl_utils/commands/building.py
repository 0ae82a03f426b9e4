"""From a file and its data to a model: tasks with their labels, encoder, sharing, balancer."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import datasets
import torch

from mtl_utils import corpora
from mtl_utils.arguments import check_sizes, nearest
from mtl_utils.commands.balancers import balancer_of
from mtl_utils.commands.data_files import SPLITS
from mtl_utils.commands.keys import choice
from mtl_utils.commands.languages import language_embedding, with_adapters, with_names
from mtl_utils.commands.messages import Refused, located
from mtl_utils.commands.own_kinds import is_own, kind_of
from mtl_utils.commands.pictures import with_pictures, with_width
from mtl_utils.commands.run_file import ENCODERS, RunFile, TaskTable
from mtl_utils.commands.sharings import sharing_of
from mtl_utils.data import BytePairTokenizer, PretrainedTokenizer, Tokenizer
from mtl_utils.data.class_labels import cells_of
from mtl_utils.models import TextModel
from mtl_utils.models.rows import rows_of
from mtl_utils.nn import PretrainedEncoder
from mtl_utils.nn.encoder import Encoder
from mtl_utils.objectives import Balancer
from mtl_utils.tasks import (
    TAG_SCHEMES,
    Classification,
    LanguageModeling,
    MaskedLanguageModeling,
    Regression,
    Tagging,
    TextTask,
    Translation,
)
from mtl_utils.tasks.text_task import NO_CELL, cell_of

_MASKS = ("[MASK]", "<mask>")
Data = Mapping[str, datasets.DatasetDict]
Tokenizers = dict[Hashable, BytePairTokenizer]
"""Tokenizers that were trained on some data, by what they were asked to be."""


@dataclass(frozen=True)
class Built:
    """A model that was not trained yet.

    Attributes:
        model: The model.
        balancer: What turns its losses into one update.
        file: The file with all that came from data and encoder put in.
    """

    model: TextModel
    balancer: Balancer
    file: RunFile


def build(file: RunFile, data: Data, tokenizers: Tokenizers | None = None) -> Built:
    """Make a model.

    Args:
        file: What is wanted.
        data: The data of each task, by split.
        tokenizers: Those that were trained on the same data before, to which new ones are added.

    Raises:
        ValueError: If the file asks for something that is refused.
    """
    for name, table in file.tasks.items():
        _check_columns(f"[tasks.{name}]", table, data[name]["train"].column_names)
    file = replace(file, languages=with_names(file.languages, read_splits(data)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(file.seed)
        tokenizer, encoder = _reader(file, data, {} if tokenizers is None else tokenizers)
        file = replace(file, pictures=with_width(file.pictures, encoder.width))
        tables = {name: _completed(name, file, data[name], encoder, tokenizer) for name in data}
        tasks = [
            _task(name, table, data[name]["train"], tokenizer, file)
            for name, table in tables.items()
        ]
        tables = {n: _measured(t, task) for (n, t), task in zip(tables.items(), tasks, strict=True)}
        with located("[sharing]"):
            another = functools.partial(_encoder, file, tokenizer.vocab_size)
            sharing = sharing_of(file.sharing, list(file.tasks), encoder, another)
        settings = {k: file.tokenizer[k] for k in ("max_length", "long")}
        with located("The model"):
            model = TextModel(sharing, tasks, tokenizer, **settings, **_beside(file))
    return Built(model, _balancer(file), replace(file, tasks=tables))


def read_splits(data: Data) -> dict[str, dict[str, datasets.Dataset]]:
    """Return the splits that a run reads.

    Args:
        data: The data of each task, by split.
    """
    return {name: {s: splits[s] for s in SPLITS if s in splits} for name, splits in data.items()}


def _beside(file: RunFile) -> dict[str, Any]:
    """Return what the model is to read beside texts, as arguments."""
    found: dict[str, Any] = {}
    if file.languages is not None:
        found |= {"language": file.languages["column"], "languages": file.languages["names"]}
    if file.pictures is not None:
        found |= {"picture": file.pictures["column"], "picture_size": file.pictures["size"]}
    return found


def _reader(file: RunFile, data: Data, tokenizers: Tokenizers) -> tuple[Tokenizer, Encoder]:
    if file.encoder["kind"] == "pretrained":
        hub = {key: file.encoder[key] for key in ("revision", "local_files_only")}
        with located("[encoder]"):
            tokenizer = PretrainedTokenizer.from_pretrained(file.encoder["name_or_folder"], **hub)
        return tokenizer, _encoder(file, 0)
    columns = {name: tuple(file.tasks[name].columns) for name in data}
    asked = (file.tokenizer["vocab_size"], file.tokenizer["lowercase"], *columns.items())
    if asked not in tokenizers:
        texts = [t for name in data for t in _texts(data[name]["train"], columns[name])]
        with located("[tokenizer]"):
            tokenizers[asked] = _pieces(file, texts)
    return tokenizers[asked], _encoder(file, tokenizers[asked].vocab_size)


def _encoder(file: RunFile, vocab_size: int) -> Encoder:
    settings = {key: value for key, value in file.encoder.items() if key != "kind"}
    kind = ENCODERS[file.encoder["kind"]]
    if kind is not PretrainedEncoder:
        settings["vocab_size"] = vocab_size
        with located("[encoder]"):
            check_sizes(width=settings["width"])
        settings["embedding"] = language_embedding(file.languages, vocab_size, settings["width"])
    with located("[encoder]"):
        encoder = kind(**settings)
    assert isinstance(encoder, Encoder)
    return with_pictures(file.pictures, with_adapters(file.languages, encoder))


def _pieces(file: RunFile, texts: list[str]) -> BytePairTokenizer:
    settings = file.tokenizer
    return BytePairTokenizer.train(texts, settings["vocab_size"], settings["lowercase"])


def _texts(rows: datasets.Dataset, columns: Sequence[str]) -> Iterator[str]:
    """Yield the texts of columns, words joined by blanks; a column that is not there has none."""
    for column in columns:
        simple = column in rows.column_names
        top = column if simple else column.split(".")[0]
        for cell in cells_of(rows[top]) if top in rows.column_names else ():
            text = cell if simple else cell_of({top: cell}, column)
            if text is not None and text is not NO_CELL:
                yield text if isinstance(text, str) else " ".join(map(str, text))


def _completed(
    name: str, file: RunFile, splits: datasets.DatasetDict, encoder: Encoder, tokenizer: Tokenizer
) -> TaskTable:
    """Fill in what comes from the data and from the encoder."""
    table = file.tasks[name]
    settings = dict(table.settings)
    with located(f"[tasks.{name}]"):
        if "labels" in settings:
            settings["labels"] = _labels(name, table, splits)
    if settings.get("mask", "") is None:
        settings["mask"] = _mask_of(tokenizer)
    if settings.get("pooling", "") is None and not is_own(table.kind):
        first = _first_speaks(file.encoder["kind"], encoder, tokenizer)
        pair = len(table.columns) > 1
        settings["pooling"] = "first" if first else "compare" if pair else "mean"
    return replace(table, settings=settings)


def _check_columns(where: str, table: TaskTable, there: Sequence[str]) -> None:
    kind = kind_of(table.kind)
    for field in [*kind.input_fields, *([kind.label_field] if kind.label_field else [])]:
        given = table.settings[field]
        for column in [given] if isinstance(given, str) else given:
            if column not in there and column.split(".")[0] not in there:
                raise KeyError(
                    f"{where}: {field} is the column {column!r}, which the data do not have"
                    f"{nearest(column, there)}"
                )


def _labels(name: str, table: TaskTable, splits: datasets.DatasetDict) -> tuple[str, ...]:
    """Return the labels that were given; or those of the column, in whatever split they are."""
    column = table.settings[str(kind_of(table.kind).label_field)]
    given = table.settings["labels"]
    if given is not None:
        return tuple(given)
    there = {split: rows for split, rows in splits.items() if column in rows.column_names}
    if issubclass(kind_of(table.kind), Classification):
        there = {split: _numbers_as_texts(rows, column) for split, rows in there.items()}
    try:
        names = corpora.label_names_of(there, column)
        learnt = corpora.label_names_of({"train": there["train"]}, column)
    except corpora.DataError as error:
        raise Refused(f'{error}. Or list them here: labels = ["...", "..."]') from error
    foreign = [label for label in names if label not in learnt]
    if foreign:
        warnings.warn(
            f"[tasks.{name}]: no training row has the labels {foreign!r:.200} of {column!r}, so "
            "they are not learnt. Where a label is missing, leave its cell empty; or list those "
            "that there are: labels = [...]",
            stacklevel=2,
        )
    return names


def _numbers_as_texts(rows: datasets.Dataset, column: str) -> datasets.Dataset:
    """Return rows whose whole numbers are the names of their labels; -1 may be a missing one."""
    dtype = getattr(rows.features[column], "dtype", "")
    plain = not isinstance(rows.features[column], datasets.ClassLabel)
    if not (plain and dtype.startswith(("int", "uint"))):
        return rows
    numbers = rows.select_columns([column])
    if any(number is not None and number < 0 for number in cells_of(numbers[column])):
        return rows
    return numbers.cast_column(column, datasets.Value("string"))


def _first_speaks(kind: str, encoder: Encoder, tokenizer: Tokenizer) -> bool:
    """Whether the first token has seen the whole text, as ``[CLS]`` has."""
    if kind in ("bilstm", "lstm"):
        return False
    return bool(tokenizer.special_tokens.start) and not encoder.causal


def _task(
    name: str, table: TaskTable, train: datasets.Dataset, tokenizer: Tokenizer, file: RunFile
) -> TextTask:
    kind, settings = kind_of(table.kind), dict(table.settings)
    values = [settings[key] for key in ("mean", "spread") if key in settings]
    settings = {k: v for k, v in settings.items() if not (k in ("mean", "spread") and v is None)}
    with located(f"[tasks.{name}]"):
        if issubclass(kind, LanguageModeling):
            return kind(name, tokenizer.vocab_size, **settings)
        if issubclass(kind, MaskedLanguageModeling):
            return _hiding(name, kind, settings, tokenizer)
        if issubclass(kind, Translation):
            written = list(_texts(train, [settings["written"]]))
            return kind(name, _pieces(file, written), **settings)
        if issubclass(kind, Tagging):
            return _tagging(name, settings)
        task: TextTask = kind(name, **settings)  # type: ignore[call-arg]
        if isinstance(task, Regression) and None in values:
            rows = rows_of(train, {name: task})
            found = task.standardised([task.reference(row) for row in rows])
            given = {k: settings[k] for k in ("mean", "spread") if k in settings}
            return replace(found, **given)
    return task


def _hiding(
    name: str,
    kind: type[MaskedLanguageModeling],
    settings: dict[str, Any],
    tokenizer: Tokenizer,
) -> MaskedLanguageModeling:
    mask = choice(settings.pop("mask"), tokenizer.tokens, "mask")
    around = tokenizer.special_tokens
    special = {tokenizer.pad_id, *around.start, *around.between, *around.end}
    mask_id = tokenizer.tokens.index(mask)
    return kind(name, tokenizer.vocab_size, mask_id, special_ids=tuple(sorted(special)), **settings)


def _mask_of(tokenizer: Tokenizer) -> str:
    """Return the token that hides others: that of the pretrained model, or what is unknown."""
    there = [token for token in _MASKS if token in tokenizer.tokens]
    return (there or [tokenizer.tokens[tokenizer.unk_id]])[0]


def _measured(table: TaskTable, task: TextTask) -> TaskTable:
    """Fill in what was measured on the training data."""
    if not isinstance(task, Regression):
        return table
    return replace(table, settings={**table.settings, "mean": task.mean, "spread": task.spread})


def _tagging(name: str, settings: Mapping[str, Any]) -> Tagging:
    scheme = settings["scheme"] if settings["scheme"] in ("auto", "plain") else "iob2"
    try:
        return Tagging(name, **{**settings, "scheme": scheme})
    except ValueError as error:
        error.add_note(
            'If these are no entity tags, say scheme = "plain"; if they are of another scheme, say '
            f'which, such as "iob1": {", ".join(TAG_SCHEMES)}.'
        )
        raise


def _balancer(file: RunFile) -> Balancer:
    kinds = {name: kind_of(table.kind) for name, table in file.tasks.items()}
    regression = [name for name, kind in kinds.items() if issubclass(kind, Regression)]
    with located("[balancer]"):
        return balancer_of(file.balancer, list(file.tasks), regression, file.seed)
