"""What the registry says of a data set: its columns, configurations, sources and licence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import datasets

from mtl_utils.arguments import (
    check_choice,
    check_flag,
    check_kind,
    check_names,
    check_strings,
    check_text,
    check_whole,
    shown,
)
from mtl_utils.corpora.citations import BIBTEX
from mtl_utils.corpora.errors import UnknownConfigError

__all__ = [
    "CONVERTED",
    "SPLITS",
    "Column",
    "Config",
    "Entry",
    "Join",
    "PartialCopy",
    "SourceFiles",
    "split_rows",
]

SPLITS = ("train", "validation", "test")

# The branch in which the Hub keeps a parquet copy of data sets that carry a loading script.
CONVERTED = "refs/convert/parquet"

Kind = Literal["string", "int32", "float32", "label"]


def split_rows(*counts: int) -> dict[str, int]:
    """Rows of train, validation and test, in this order."""
    return dict(zip(SPLITS, counts, strict=True))


@dataclass(frozen=True)
class Column:
    """One column as the entry declares it.

    Attributes:
        name: Column name, as on the Hub.
        kind: Type of a cell, or of an item where ``sequence`` is true.
        meaning: One line for the reader.
        names: Label names in id order, for ``kind="label"``.
        sequence: Whether a cell is a list with one item per token.
        unlabelled: Splits in which -1 stands for "no label". Anywhere else -1 is an error.
        bounds: Smallest and largest value of a number, both inclusive.
        nullable: Whether items may be missing.

    Raises:
        TypeError: If the name is no text, or another field of another type.
        ValueError: If the kind is unknown, labels have no names or others have, a label name occurs
            twice, or the bounds are the wrong way round.
    """

    name: str
    kind: Kind
    meaning: str
    names: tuple[str, ...] = ()
    sequence: bool = False
    unlabelled: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    nullable: bool = False

    def __post_init__(self) -> None:
        """Check what the fields say together."""
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"name must be the name of a column, got {self.name!r}")
        check_choice("kind", self.kind, get_args(Kind))
        check_text("meaning", self.meaning)
        check_strings("names", self.names)
        check_strings("unlabelled", self.unlabelled)
        check_flag("sequence", self.sequence)
        check_flag("nullable", self.nullable)
        if (self.kind == "label") != bool(self.names):
            raise ValueError(
                f"names are for kind='label', which needs them; got kind={self.kind!r} and "
                f"names={self.names!r}"
            )
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"names must be different label names, got {self.names!r}")
        if self.bounds is not None:
            _check_pair(self.bounds)
        if self.bounds is not None and not self.bounds[0] <= self.bounds[1]:
            raise ValueError(f"bounds must be (smallest, largest), got {self.bounds!r}")

    @property
    def feature(self) -> Any:
        """The ``datasets`` feature of this column."""
        item = (
            datasets.ClassLabel(names=list(self.names))
            if self.kind == "label"
            else datasets.Value(self.kind)
        )
        return datasets.Sequence(item) if self.sequence else item


@dataclass(frozen=True)
class PartialCopy:
    """A local copy known to hold less than, or other rows than, the published data.

    Attributes:
        reason: Why it differs, in words for the reader.
        rows: Rows of the splits that differ.
        absent: Splits that the copy does not have.

    Raises:
        TypeError: If a field is of another type.
        ValueError: If a number of rows is not positive.
    """

    reason: str
    rows: Mapping[str, int] = field(default_factory=dict)
    absent: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the fields."""
        check_text("reason", self.reason)
        _check_rows(self.rows)
        check_strings("absent", self.absent)


@dataclass(frozen=True)
class SourceFiles:
    """Files of a source repository at a fixed commit, for data without a canonical Hub id.

    Attributes:
        repository: ``owner/name`` on GitHub.
        commit: Full commit hash.
        files: Paths within the repository, split by split, in the order ``parse`` takes them.
        parse: Pure function from the texts of one split's files to columns, labels as names.

    Raises:
        TypeError: If a field is of another type.
        ValueError: If a name is empty.
    """

    repository: str
    commit: str
    files: Mapping[str, tuple[str, ...]]
    parse: Callable[[Sequence[str]], dict[str, list[Any]]]

    def __post_init__(self) -> None:
        """Check the fields."""
        _check_filled(repository=self.repository, commit=self.commit)
        check_names("files", self.files, "paths by split")
        for split, paths in self.files.items():
            check_strings(f"files[{split!r}]", paths)
        if not callable(self.parse):
            raise TypeError(f"parse must be a function, got {shown(self.parse)}")

    def url(self, path: str) -> str:
        """Address of one file."""
        return f"https://raw.githubusercontent.com/{self.repository}/{self.commit}/{path}"


@dataclass(frozen=True)
class Join:
    """A data set made by joining two registered ones on the same sentences.

    Attributes:
        entities: Registered name that brings the entity tags.
        syntax: Registered name that brings the Universal Dependencies columns.
        key: ``"idx"`` where both carry the same sentence ids, ``"tokens"`` where they do not.

    Raises:
        TypeError: If a name is no text.
        ValueError: If the key is another, or a name is empty.
    """

    entities: str
    syntax: str
    key: Literal["idx", "tokens"]

    def __post_init__(self) -> None:
        """Check the fields."""
        _check_filled(entities=self.entities, syntax=self.syntax)
        if self.key not in ("idx", "tokens"):
            raise ValueError(f"key must be 'idx' or 'tokens', got {self.key!r}")


@dataclass(frozen=True)
class Config:
    """One configuration of a data set.

    Attributes:
        columns: The declared columns, in order.
        rows: Published rows of each split.
        source: Where the data come from, if not from the entry's Hub id.
        partial_copy: What a known local copy holds instead of the published rows.

    Raises:
        TypeError: If a field is of another type.
        ValueError: If two columns have one name, there are no rows, or a number of rows is not
            positive.
    """

    columns: tuple[Column, ...]
    rows: Mapping[str, int]
    source: SourceFiles | Join | None = None
    partial_copy: PartialCopy | None = None

    def __post_init__(self) -> None:
        """Check names and rows."""
        check_kind("columns", self.columns, (list, tuple), "a tuple of Columns")
        for column in self.columns:
            check_kind("each of columns", column, Column, "a Column")
        sources = (SourceFiles, Join, type(None))
        check_kind("source", self.source, sources, "SourceFiles, a Join or None")
        copies = (PartialCopy, type(None))
        check_kind("partial_copy", self.partial_copy, copies, "a PartialCopy or None")
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            raise ValueError(f"columns must have different names, got {names}")
        _check_rows(self.rows)
        if not self.rows:
            raise ValueError(f"rows must be positive numbers of rows by split, got {self.rows!r}")

    @property
    def features(self) -> datasets.Features:
        """The declared features."""
        return datasets.Features({column.name: column.feature for column in self.columns})

    @property
    def unlabelled(self) -> dict[str, tuple[str, ...]]:
        """Columns in which -1 means "no label", with the splits where it may occur."""
        return {column.name: column.unlabelled for column in self.columns if column.unlabelled}


@dataclass(frozen=True)
class Entry:
    """A registered data set.

    Attributes:
        name: Name within the book, and the folder of its local copy.
        task: What it is used for.
        hub_id: Hub id, or None where there is no canonical one.
        revision: Hub revision: a branch, since no hash is written here that was not looked up.
        licence: Licence of the data.
        is_open: "yes", "no", or what is unclear about it.
        citations: BibTeX keys.
        default_config: Configuration that ``load(name)`` gives.
        configs: All registered configurations.
        caveats: What a reader should know before drawing conclusions from it.

    Raises:
        TypeError: If a field is of another type.
        ValueError: If the default configuration is not one of the configurations, or a name is
            empty.
    """

    name: str
    task: str
    hub_id: str | None
    revision: str | None
    licence: str
    is_open: str
    citations: tuple[str, ...]
    default_config: str
    configs: Mapping[str, Config]
    caveats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the fields."""
        _check_filled(name=self.name, task=self.task, licence=self.licence, is_open=self.is_open)
        for field_name in ("hub_id", "revision"):
            if getattr(self, field_name) is not None:
                check_text(field_name, getattr(self, field_name))
        check_strings("citations", self.citations)
        check_strings("caveats", self.caveats)
        check_names("configs", self.configs, "configurations by name")
        for key, config in self.configs.items():
            check_kind(f"configs[{key!r}]", config, Config, "a Config")
        check_text("default_config", self.default_config)
        if self.default_config not in self.configs:
            raise ValueError(
                f"default_config must be one of those of configs, {list(self.configs) or '{}'}, "
                f"got {self.default_config!r}"
            )

    def config(self, name: str | None = None) -> Config:
        """Look up a configuration.

        Args:
            name: Configuration, or None for the default one.

        Raises:
            TypeError: If the name is no text.
            UnknownConfigError: If there is no such configuration.
        """
        if name is None:
            name = self.default_config
        if not isinstance(name, str):
            raise TypeError(f"name must be that of a configuration, or None, got {name!r}")
        if name not in self.configs:
            raise UnknownConfigError(
                f"Data set {self.name!r} has no configuration {name!r}. "
                f"Registered: {', '.join(self.configs)}."
            )
        return self.configs[name]

    @property
    def bibtex(self) -> str:
        """The BibTeX records of all citations."""
        return "\n".join(BIBTEX[key] for key in self.citations)

    def origin(self, config: str | None = None) -> str:
        """Where a configuration is published, in words.

        Args:
            config: Configuration, or None for the default one.

        Raises:
            TypeError: If it is no text.
            UnknownConfigError: If there is no such configuration.
        """
        source = self.config(config).source
        if isinstance(source, SourceFiles):
            return f"github.com/{source.repository} at commit {source.commit} (no Hub id)"
        if isinstance(source, Join):
            return f"joined from {source.entities!r} and {source.syntax!r} (no Hub id)"
        return f"Hub id {self.hub_id} at revision {self.revision}"


def _check_filled(**names: object) -> None:
    for name, value in names.items():
        check_text(name, value)
        if not value:
            raise ValueError(f"{name} must not be empty, got {value!r}")


def _check_rows(rows: Mapping[str, int]) -> None:
    check_names("rows", rows, "numbers of rows by split")
    for split, count in rows.items():
        if isinstance(count, int) and not isinstance(count, bool) and count < 1:
            raise ValueError(f"rows must be positive numbers of rows, got {dict(rows)}")
        check_whole(f"rows[{split!r}]", count)


def _check_pair(bounds: object) -> None:
    pair = list(bounds) if isinstance(bounds, list | tuple) else []
    if len(pair) != 2 or not all(isinstance(bound, int | float) for bound in pair):
        raise TypeError(f"bounds must be two numbers, (smallest, largest), got {shown(bounds)}")
