"""What can go wrong while loading a data set, as one family of exceptions."""

from __future__ import annotations

__all__ = [
    "AlignmentError",
    "BrokenFileError",
    "ContentError",
    "DataError",
    "DataNotFoundError",
    "DownloadError",
    "EmptySplitError",
    "ForbiddenDatasetError",
    "LabelError",
    "LayoutError",
    "RowCountError",
    "SchemaError",
    "UnknownConfigError",
    "UnknownDatasetError",
]


class DataError(ValueError):
    """Base of every error that :mod:`mtl_utils.corpora` raises."""


class UnknownDatasetError(DataError):
    """The name is neither in the registry nor a folder."""


class UnknownConfigError(DataError):
    """The data set has no such configuration, or several and none was chosen."""


class ForbiddenDatasetError(DataError):
    """The data set may not be used in this book because its text may not be redistributed."""


class DataNotFoundError(DataError):
    """A file, or the folder that should hold local copies, does not exist."""


class DownloadError(DataError):
    """There is no local copy, and the source could not be reached or did not deliver."""


class LayoutError(DataError):
    """Files are not named as a data set's are, or are of several formats."""


class BrokenFileError(DataError):
    """A file is not readable in its format."""


class SchemaError(DataError):
    """Columns or their types are not those declared."""


class EmptySplitError(DataError):
    """A split holds no rows."""


class RowCountError(DataError):
    """The splits, or their numbers of rows, are not those declared."""


class LabelError(DataError):
    """A label lies outside the declared set."""


class AlignmentError(DataError):
    """Columns that annotate the same tokens, or rows and their predictions, differ in length."""


class ContentError(DataError):
    """A local copy holds other rows than the registry knows: it is damaged, or another release."""
