"""Data: real data sets (``hub``) and what turns text into batches."""

from mtl_utils.data import hub
from mtl_utils.data.errors import (
    AlignmentError,
    BrokenFileError,
    DataError,
    DataNotFoundError,
    DownloadError,
    EmptySplitError,
    ForbiddenDatasetError,
    LabelError,
    LayoutError,
    RowCountError,
    SchemaError,
    UnknownConfigError,
    UnknownDatasetError,
)
from mtl_utils.data.vocabulary import Vocabulary

__all__ = [
    "AlignmentError",
    "BrokenFileError",
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
    "Vocabulary",
    "hub",
]
