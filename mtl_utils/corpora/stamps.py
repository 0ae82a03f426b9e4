"""The stamps of Tux Paint: small pictures with a sentence each in dozens of languages."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets

from mtl_utils.arguments import check_seed, check_sizes, check_strings
from mtl_utils.corpora.errors import DataNotFoundError, LayoutError
from mtl_utils.corpora.places import copies

__all__ = ["STAMP_CLASSES", "STAMPS_LICENCE", "has_stamps", "load_stamps"]

#: The folders that the stamps lie in, which serve as classes.
STAMP_CLASSES = (
    *("animals", "clothes", "food", "hobbies", "household", "medical", "military"),
    *("naturalforces", "people", "plants", "seasonal", "space", "sports", "symbols"),
    *("town", "vehicles"),
)

#: Their licence, as the package of Debian has it.
STAMPS_LICENCE = "GPL-2"

_COPY = "tuxpaint_stamps"
_DEBIAN = Path("/usr/share/tuxpaint/stamps")
_PACKAGE = "tuxpaint-stamps-default"
_SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}


def has_stamps() -> bool:
    """Whether :func:`load_stamps` finds them without being told where.

    Raises:
        DataNotFoundError: If ``MTL_DATA_DIR`` is set to what is no folder.
    """
    return any(place.is_dir() for place in _places())


def load_stamps(
    size: int = 48,
    languages: Sequence[str] = ("en", "de", "fr", "es"),
    seed: int = 0,
    *,
    folder: str | os.PathLike[str] | None = None,
) -> datasets.DatasetDict:
    """Load the pictures of the stamps that are PNG, each with its description and its folder.

    They come with Debian and Ubuntu, so Colab too: ``apt install tuxpaint-stamps-default``
    (licence GPL-2, by Bill Kendrick and contributors). Looked for in the folder ``tuxpaint_stamps``
    below ``MTL_DATA_DIR``, then where Debian puts them. Most folders hold others, which are
    gone through too; stamps of vectors (SVG), mirror images and sounds are left out.

    Args:
        size: Height and width of a picture in pixels. Its longer side is made as long, and the rest
            is white.
        languages: Codes of languages as the files have them (``"de"``, ``"pt_BR"``); ``"en"`` is
            the one that all are translated from.
        seed: Of the splits.
        folder: Where the stamps are; None looks as above.

    Returns:
        Splits ``train``, ``validation`` and ``test``, about 70, 15 and 15% of the pictures; those
        with the same English description are in the same one. Columns ``text`` (English),
        ``picture``, ``class`` (a ``ClassLabel``), ``file`` and one a language, None where a stamp
        has no description in it.

    Raises:
        DataNotFoundError: If they are not there; the error says how to get them.
        LayoutError: If the folder holds no stamps, or a file has no description.
        ValueError: If the size is below 1 or the seed negative.
        TypeError: If an argument is of another type.
    """
    check_sizes(size=size)
    check_strings("languages", languages)
    check_seed("seed", seed)
    root = _found(folder)
    rows: dict[str, list[dict[str, Any]]] = {split: [] for split in _SHARES}
    for path in sorted(root.rglob("*.png")):
        said = path.with_suffix(".txt")
        kind = path.relative_to(root).parts[0]
        if not said.is_file() or kind not in STAMP_CLASSES:
            continue
        described = _descriptions(said)
        rows[_split_of(described["en"], seed)].append(
            {
                "text": described["en"],
                "picture": {"bytes": _scaled(path, size), "path": None},
                "class": kind,
                "file": str(path.relative_to(root)),
                **{language: described.get(language) for language in languages},
            }
        )
    if not all(rows.values()):
        raise LayoutError(
            f"{root} holds too few stamps: expected folders such as {STAMP_CLASSES[:3]} with "
            "pictures NAME.png, each beside its descriptions NAME.txt"
        )
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "picture": datasets.Image(),
            "class": datasets.ClassLabel(names=list(STAMP_CLASSES)),
            "file": datasets.Value("string"),
            **{language: datasets.Value("string") for language in languages},
        }
    )
    return datasets.DatasetDict(
        {split: datasets.Dataset.from_list(several, features) for split, several in rows.items()}
    )


def _places() -> Iterator[Path]:
    folder = copies()
    if folder is not None:
        yield folder / _COPY
    yield _DEBIAN


def _found(folder: str | os.PathLike[str] | None) -> Path:
    places = list(_places()) if folder is None else [Path(folder)]
    for place in places:
        if place.is_dir():
            return place
    raise DataNotFoundError(
        f"There are no stamps of Tux Paint (licence {STAMPS_LICENCE}) in "
        f"{' or '.join(map(str, places))}. Get them by `apt install {_PACKAGE}` on Debian, Ubuntu "
        f"or Colab, or put their folder there as {_COPY} below the folder that MTL_DATA_DIR names."
    )


def _descriptions(path: Path) -> dict[str, str]:
    """Return descriptions by language: the first line is English, others begin with their code."""
    first, *others = path.read_text("utf-8").splitlines() or [""]
    if not first.strip():
        raise LayoutError(f"{path} must begin with an English description, got {first!r}")
    found = {"en": " ".join(first.split())}
    for line in others:
        code, mark, said = line.partition(".utf8=")
        if mark and said.strip():
            found[code] = " ".join(said.split())
    return found


def _split_of(text: str, seed: int) -> str:
    digest = hashlib.sha256(f"{seed} {text.casefold()}".encode()).digest()
    point = int.from_bytes(digest[:8], "little") / 2**64
    for split, share in _SHARES.items():
        if point < share:
            return split
        point -= share
    return split


def _scaled(path: Path, size: int) -> bytes:
    """Return a picture over white, its longer side this long, in PNG."""
    from PIL import Image  # not needed by texts alone

    with Image.open(path) as opened:
        opened.thumbnail((2 * size, 2 * size))  # halves what is large at little cost
        picture = opened.convert("RGBA")
    scale = size / max(picture.size)
    width, height = (max(1, round(scale * side)) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    square = Image.new("RGBA", (size, size), "white")
    square.alpha_composite(picture, ((size - width) // 2, (size - height) // 2))
    stream = io.BytesIO()
    square.convert("RGB").save(stream, format="PNG", compress_level=1)
    return stream.getvalue()
