"""Which files are the splits of a data set of one's own, and in which format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mtl_utils.corpora import folder
from mtl_utils.corpora.conll_files import ConllFormat
from mtl_utils.corpora.conllu_files import ConlluFormat
from mtl_utils.corpora.csv_files import CsvFormat
from mtl_utils.corpora.errors import DataNotFoundError, LayoutError
from mtl_utils.corpora.formats import TextFormat
from mtl_utils.corpora.json_lines import JsonLinesFormat

__all__ = ["PARQUET", "flat_files", "format_of", "given_files"]

PARQUET = ".parquet"
#: The formats that are known by the ends of names.
_FORMATS: tuple[type[TextFormat], ...] = (CsvFormat, JsonLinesFormat, ConllFormat, ConlluFormat)
#: What splits are called, by the words that stand for them at the end of a name.
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_NAME = re.compile(rf"(?:.*[-_.])?({'|'.join(_SPLITS)})", re.IGNORECASE)


def format_of(path: Path, given: TextFormat | None) -> TextFormat | None:
    """Return the format of a file.

    Args:
        path: The file.
        given: The format that its reader says it has, if any.

    Returns:
        The format, None for parquet.

    Raises:
        LayoutError: If nothing is said and its name does not tell.
    """
    if given is not None:
        return given
    end = path.suffix.lower()
    if end == PARQUET:
        return None
    for kind in _FORMATS:
        if end in kind.extensions:
            return kind()
    known = ", ".join([PARQUET, *(end for kind in _FORMATS for end in kind.extensions)])
    raise LayoutError(
        f"{path}: found a file whose name does not say what is in it, expected one that ends in "
        f"{known}; or say it, such as format=ConllFormat()."
    )


def given_files(files: Mapping[str, Path], given: TextFormat | None) -> TextFormat | None:
    """Return the one format of files that their reader names.

    Args:
        files: The file of each split.
        given: The format that its reader says they have, if any.

    Returns:
        The format, None for parquet.

    Raises:
        DataNotFoundError: If a file does not exist.
        LayoutError: If a name does not tell the format, formats are mixed, or a split is called
            ``all``.
    """
    for split, path in files.items():
        if not path.is_file():
            raise DataNotFoundError(f"{path}, for split {split!r}, is not a file.")
        folder.check_split_name(split, path)
    formats = {path: format_of(path, given) for path in files.values()}
    kinds = {type(found): path for path, found in formats.items()}
    if len(kinds) > 1:
        mixed = " and ".join(str(path) for path in kinds.values())
        raise LayoutError(f"{mixed}: found files of several formats, expected all splits in one.")
    return next(iter(formats.values()))


def flat_files(path: Path, given: TextFormat | None) -> dict[str, Path]:
    """Find splits that lie in a folder as one file each, such as ``train.csv`` or ``dev.conllu``.

    Args:
        path: The folder.
        given: The format that its reader says they have, if any.

    Returns:
        The file of each split, train, validation and test first; none where there are no such
        files, or they are parts as ``train-00000-of-00001.parquet``.

    Raises:
        LayoutError: If files are of several formats, a split is there twice, or a name tells none.
    """
    candidates = _candidates(path, given)
    named = {file: _NAME.fullmatch(file.stem) for file in candidates}
    if not any(named.values()):
        return {}
    kinds = {type(format_of(file, given)) for file, match in named.items() if match}
    if len(kinds) > 1:
        ends = sorted({file.suffix.lower() for file, match in named.items() if match})
        raise LayoutError(
            f"{path}: found files of several formats ({', '.join(ends)}), expected one; say which: "
            "format=..., or load({'train': ...})."
        )
    # What is of another format, such as a description in JSON, is not meant to be a split.
    named = {file: match for file, match in named.items() if type(format_of(file, given)) in kinds}
    if unclear := [file.name for file, match in named.items() if match is None]:
        raise LayoutError(
            f"{path}: found {unclear[0]!r}, whose name tells no split, beside "
            f"{next(file.name for file in named if named[file])!r}; expected names such as "
            "'train.csv', or say which file is what: load({'train': ...})."
        )
    found: dict[str, Path] = {}
    for file, match in named.items():
        assert match is not None
        split = _SPLITS[match[1].lower()]
        if split in found:
            raise LayoutError(
                f"{path}: found {found[split].name!r} and {file.name!r}, both of split {split!r}; "
                "expected one, or say which: load({'train': ...})."
            )
        found[split] = file
    return {split: found[split] for split in dict.fromkeys(_SPLITS.values()) if split in found}


def _candidates(path: Path, given: TextFormat | None) -> list[Path]:
    """Files that may hold data; of a format that is given, those of its ends, or else texts."""
    files = sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    if given is None:
        ends: Sequence[str] = [PARQUET, *(end for kind in _FORMATS for end in kind.extensions)]
        return [file for file in files if file.suffix.lower() in ends]
    fitting = [file for file in files if file.suffix.lower() in given.extensions]
    return fitting or [file for file in files if file.suffix.lower() == ".txt"]
