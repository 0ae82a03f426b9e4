"""What a task of texts knows beside its head: its columns, and how their labels are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

from mtl_utils.arguments import check_text, shown
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.data.batching import BatchLoader
from mtl_utils.data.encoded_text import EncodedText
from mtl_utils.data.examples import Example
from mtl_utils.data.loading import Loader
from mtl_utils.data.missing import is_missing
from mtl_utils.tasks.label_names import numbers_by_name

Text = str | Sequence[str]
"""A string, or a sentence as a sequence of words."""

Row = Mapping[str, Any]
"""One row of a data set: cells by the names of their columns."""


NO_CELL = object()
"""What stands for a column that a row does not have."""


def cell_of(row: Row, column: str) -> Any:
    """Return a cell of a row.

    Args:
        row: The row.
        column: Name of the column, or names joined by a dot where cells are mappings:
            ``"translation.fr"``.

    Returns:
        The cell; :data:`NO_CELL` if there is none.

    Raises:
        TypeError: If the row is no mapping.
    """
    if not isinstance(row, dict | Mapping):  # most are a dict, which is seen at once
        raise TypeError(f"row must be a mapping, cells by column, got {shown(row)}")
    if column in row:
        return row[column]
    outer, dot, inner = column.partition(".")
    if not dot or not isinstance(row.get(outer), Mapping):
        return NO_CELL
    return cell_of(row[outer], inner)


class TextTask:
    """A task whose inputs and labels stand in columns of a data set.

    :class:`mtl_utils.models.TextModel` takes any task that has these methods beside those of
    :class:`Task`. A kind of your own inherits from this class, and defines :meth:`target` and,
    where what a head predicts is not what a user wants to read, :meth:`named`. A whole one, with
    its head, is worked out on the API page of the tasks and among the book's recipes.

    Attributes:
        by_reference: Whether its metrics compare what :meth:`named` returns with
            :meth:`reference`, as where text is written; if not, the head compares ids.
        reads_words: Whether its text must be given as words, as where each word has a label.
        writes_tokens: Whether its labels, where a text has several, are tokens or stand at tokens,
            which count in the budget of a batch.
        input_fields: Which of its arguments name the columns that are read.
        label_field: Which of its arguments names the column of labels; ``None`` where the text is
            its own label.
    """

    by_reference: ClassVar[bool] = False
    reads_words: ClassVar[bool] = False
    writes_tokens: ClassVar[bool] = True
    input_fields: ClassVar[tuple[str, ...]] = ("text",)
    label_field: ClassVar[str | None] = "label"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the columns of the text, or of the two texts of a pair."""
        given = [getattr(self, field) for field in self.input_fields]
        return tuple(chain(*([name] if isinstance(name, str) else name for name in given)))

    @property
    def labelled_by(self) -> str | None:
        """Name of the column of labels; ``None`` where the text is its own label."""
        return None if self.label_field is None else getattr(self, self.label_field)

    def read(self, row: Row) -> tuple[Text, Text | None]:
        """Return what the encoder reads of a row.

        Args:
            row: The row.

        Returns:
            The text, and the second text of a pair or ``None``.

        Raises:
            KeyError: If the row has no such column.
            TypeError: If what stands there is no text.
        """
        texts = [self._text(row, column) for column in self.inputs]
        return texts[0], texts[1] if len(texts) > 1 else None

    def reference(self, row: Row) -> Any:
        """Return the label of a row as it stands there.

        Args:
            row: The row.

        Returns:
            The cell; ``None`` where the label is missing, or the row has no such column.

        Raises:
            TypeError: If the row is no mapping.
        """
        cell = None if self.labelled_by is None else cell_of(row, self.labelled_by)
        return None if cell is NO_CELL or is_missing(cell) else cell

    def target(self, row: Row, encoded: EncodedText) -> Any:
        """Return the label of a row as :class:`mtl_utils.data.Example` takes it.

        Args:
            row: The row.
            encoded: What became of its text.

        Returns:
            A number, or a sequence of numbers; ``None`` where the label is missing.
        """
        raise NotImplementedError(
            f"{type(self).__name__} defines no target(row, encoded), which turns the label of a "
            "row into a number or a sequence of numbers"
        )

    def lost(self, row: Row, encoded: EncodedText) -> Sequence[int]:
        """Return the labels of what was cut off the text.

        Args:
            row: The row.
            encoded: What became of its text.
        """
        return ()

    def named(self, predictions: Sequence[Any]) -> list[Any]:
        """Return what a head predicts as users read it.

        Args:
            predictions: What :meth:`Head.predict` returned, one entry a row.
        """
        return list(predictions)

    def trained_on(self, loader: BatchLoader, seed: int = 0) -> Loader:
        """Return the batches that a model learns from.

        Args:
            loader: Batches of examples.
            seed: Of what is drawn, where something is.

        Returns:
            The loader itself, unless the task changes what is read.
        """
        return loader

    def measured_on(self, examples: Sequence[Example]) -> Sequence[Example]:
        """Return the examples that a model is measured on.

        Args:
            examples: The examples.

        Returns:
            These, unless the task changes what is read.
        """
        return examples

    def _text(self, row: Row, column: str) -> Text:
        cell = cell_of(row, column)
        if cell is NO_CELL:
            name = getattr(self, "name", type(self).__name__)
            raise KeyError(
                f"The task {name!r} reads the column {column!r}, and a row has {list(row)}. Name "
                f"the column when the task is made, such as {type(self).__name__}(..., "
                f"{self._argument_of(column)}=...)."
            )
        if hasattr(cell, "tolist"):  # an array of words
            cell = cell.tolist()
        words = not isinstance(cell, str | bytes) and isinstance(cell, list | Sequence)
        if self.reads_words and not words:
            raise TypeError(
                f"The column {column!r} must hold a list of words, since each of them has a label; "
                f"got {shown(cell)}"
            )
        if not words and not isinstance(cell, str):
            raise TypeError(f"The column {column!r} must hold a text or words, got {shown(cell)}")
        return cell

    def _argument_of(self, column: str) -> str:
        """Return the name of the argument that a column was given as."""
        given = {field: getattr(self, field) for field in self.input_fields}
        return next(k for k, v in given.items() if v == column or column in v)


class WordTask(TextTask):
    """A task with one label for each word of a text."""

    reads_words = True
    input_fields = ("tokens",)
    label_field = "tags"

    def reference(self, row: Row) -> Any:
        """Return the labels of a row; see :meth:`TextTask.reference`.

        Args:
            row: The row.

        Returns:
            The cell; where all labels of the task are whole numbers, the names that such numbers
            are written as.

        Raises:
            TypeError: If the row is no mapping.
        """
        return numbers_by_name(getattr(self, "labels", ()), super().reference(row))

    def ids_of(self, tags: Sequence[str | int | None]) -> list[int]:
        """Turn the labels of a text into ids.

        Args:
            tags: One a word, each its name or its id, ``None`` where there is none.
        """
        raise NotImplementedError

    def names(self, ids: Sequence[str | int]) -> list[str]:
        """Turn ids into names.

        Args:
            ids: Labels.
        """
        raise NotImplementedError

    def target(self, row: Row, encoded: EncodedText) -> list[int] | None:
        """Return the ids of the labels of a row, each at the first piece of its word.

        Args:
            row: The row.
            encoded: What became of its words.

        Raises:
            KeyError: If a name is not among the labels.
            ValueError: If an id is not that of a label, or there is not one for every word.
            TypeError: If something is neither a name nor an id.
        """
        tags = self.reference(row)
        return None if tags is None else encoded.align(self.ids_of(tags))

    def lost(self, row: Row, encoded: EncodedText) -> list[int]:
        """Return the labels of words that were cut off, of those that have one.

        Args:
            row: The row.
            encoded: What became of its words.
        """
        tags = self.reference(row)
        if tags is None or not encoded.num_cut:
            return []
        cut = self.ids_of(tags)[len(encoded.first_pieces) :]
        return [label for label in cut if label != MISSING_LABEL]

    def named(self, predictions: Sequence[Sequence[str | int]]) -> list[list[str]]:
        """Return predicted ids as names, where a word begins.

        Args:
            predictions: For each row one id a token, or
                :data:`~mtl_utils.data.MISSING_LABEL` where no word begins.
        """
        return [self.names([i for i in row if i != MISSING_LABEL]) for row in predictions]


def check_columns(**columns: Any) -> None:
    """Refuse what is no name of a column.

    Args:
        **columns: What was given, by the name of the argument; a tuple where there are two.

    Raises:
        TypeError: If a name is no string.
        ValueError: If a name is empty, or two names are one.
    """
    for argument, given in columns.items():
        names = given if isinstance(given, tuple) else (given,)
        for place, name in enumerate(names):
            check_text(f"{argument}[{place}]" if isinstance(given, tuple) else argument, name)
        if len(set(names)) != len(names) or "" in names:
            raise ValueError(f"{argument} must be different names of columns, got {given!r}")


def column_names(argument: str, given: Any, most: int = 2, least: int = 2) -> tuple[str, ...]:
    """Return names of columns as a tuple, after a look at what was given.

    Args:
        argument: What the message is to call them.
        given: The names.
        most: How many there may be.
        least: How many there must be.

    Raises:
        TypeError: If they are no names in a list or tuple.
        ValueError: If there are more or fewer, a name is empty, or one stands twice.
    """
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise TypeError(f"{argument} must be a tuple of names of columns, got {shown(given)}")
    if not least <= len(given) <= most:
        number = str(least) if least == most else f"{least} or {most}"
        raise ValueError(f"{argument} must be {number} names of columns, got {given!r:.80}")
    names = tuple(given)
    check_columns(**{argument: names})
    return names
