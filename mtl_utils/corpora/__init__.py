"""Which data sets there are: ``corpora.load(name, config)``, real ones and your own, checked."""

from mtl_utils.corpora.conll_files import ConllFormat
from mtl_utils.corpora.conllu_files import ConlluFormat
from mtl_utils.corpora.csv_files import CsvFormat
from mtl_utils.corpora.errors import (
    AlignmentError,
    BrokenFileError,
    ContentError,
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
from mtl_utils.corpora.formats import TextFormat
from mtl_utils.corpora.hub import (
    DATA_DIRECTORY_VARIABLE,
    REGISTRY,
    Column,
    Config,
    Entry,
    Join,
    Overlap,
    PartialCopy,
    Schema,
    SourceFiles,
    carve_validation,
    entry,
    guess_schema,
    has_copy,
    load,
    names,
    overlap,
)
from mtl_utils.corpora.json_lines import JsonLinesFormat
from mtl_utils.corpora.label_names import label_names_of
from mtl_utils.corpora.overviews import caveats_table, columns_table, table
from mtl_utils.corpora.stamps import STAMP_CLASSES, STAMPS_LICENCE, has_stamps, load_stamps
from mtl_utils.corpora.text_files import Rows, TextFile
from mtl_utils.corpora.writing import write

__all__ = [
    "AlignmentError",
    "BrokenFileError",
    "Column",
    "Config",
    "ConllFormat",
    "ConlluFormat",
    "ContentError",
    "CsvFormat",
    "DATA_DIRECTORY_VARIABLE",
    "DataError",
    "DataNotFoundError",
    "DownloadError",
    "EmptySplitError",
    "Entry",
    "ForbiddenDatasetError",
    "Join",
    "JsonLinesFormat",
    "LabelError",
    "LayoutError",
    "Overlap",
    "PartialCopy",
    "REGISTRY",
    "RowCountError",
    "Rows",
    "Schema",
    "SchemaError",
    "STAMPS_LICENCE",
    "STAMP_CLASSES",
    "SourceFiles",
    "TextFile",
    "TextFormat",
    "UnknownConfigError",
    "UnknownDatasetError",
    "carve_validation",
    "caveats_table",
    "columns_table",
    "entry",
    "guess_schema",
    "has_copy",
    "has_stamps",
    "label_names_of",
    "load",
    "load_stamps",
    "names",
    "overlap",
    "table",
    "write",
]
