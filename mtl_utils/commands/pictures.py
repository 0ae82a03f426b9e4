"""The table ``[pictures]``: which column holds a picture beside a text, and what reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mtl_utils.commands.keys import Key, choice, keys_of, read_table
from mtl_utils.commands.messages import Refused, located
from mtl_utils.commands.sharings import WHOLE
from mtl_utils.nn import (
    ConvolutionalPictures,
    CrossAttentionFusion,
    EarlyFusion,
    LateFusion,
    PictureFusion,
    packaged_pictures,
)
from mtl_utils.nn.encoder import Encoder
from mtl_utils.nn.pictures import PictureEncoder

PICTURES = "[pictures]"
"""The table, as messages name it."""

FUSIONS: dict[str, type[PictureFusion]] = {
    "early": EarlyFusion,
    "late": LateFusion,
    "cross_attention": CrossAttentionFusion,
}
"""Classes of encoders of both by their names in a file."""

_WIDTH = {"width": Key(int | None, None)}  # that of the encoder of texts
KINDS: dict[str, dict[str, Key]] = {
    # Pictures of a file have three colours.
    "convolutional": keys_of(ConvolutionalPictures, ("channels",)) | _WIDTH,
    "pretrained": {**_WIDTH, "frozen": Key(bool, True)},
}
"""Keys of each encoder of pictures."""

_SIZES = {"convolutional": 64, "pretrained": 224}
_SMALLEST = 4


def read_pictures(
    table: Any, encoder: str, sharing: str, languages: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Check the table.

    Args:
        table: What stands in the file; ``None`` where nothing does.
        encoder: Kind of the encoder of texts.
        sharing: Kind of the sharing.
        languages: The table of languages, or ``None``.

    Returns:
        The table, complete but for a width that comes from the encoder of texts.

    Raises:
        Refused: If encoder or sharing cannot have it, or the size is too small.
        KeyError: If a key or a name is not known, or the column is missing.
        TypeError: If a value is of another type.
    """
    if table is None:
        return None
    fusion = choice(table.get("fusion", "late"), FUSIONS, f"{PICTURES}: fusion")
    kind = choice(table.get("kind", "convolutional"), KINDS, f"{PICTURES}: kind")
    keys = {
        "column": Key(str),
        "size": Key(int, _SIZES[kind]),
        "fusion": Key(str, fusion),
        **keys_of(FUSIONS[fusion], ("text", "pictures")),
        "kind": Key(str, kind),
        **KINDS[kind],
    }
    found = read_table(table, keys, PICTURES)
    if found["size"] < _SMALLEST:
        raise Refused(f"{PICTURES}: size must be at least {_SMALLEST}, got {found['size']}")
    if sharing not in WHOLE:
        raise Refused(
            f"{PICTURES}: an encoder of texts and pictures cannot be cut between its layers, as "
            f"[sharing] kind = {sharing!r} does; give a sharing of {', '.join(WHOLE)}"
        )
    if fusion == "early":
        _check_early(encoder, languages)
    return found


def _check_early(encoder: str, languages: Mapping[str, Any] | None) -> None:
    others = f'{PICTURES}: fusion = "early" stands between the vectors and the layers of a '
    if encoder != "transformer":
        raise Refused(
            f'{others}transformer, and [encoder] has kind = {encoder!r}; "late" and '
            '"cross_attention" take any encoder'
        )
    if languages is not None and languages["kind"] == "adapters":
        raise Refused(
            f'{others}transformer without others between them; give kind = "embedding" in '
            '[languages], or fusion = "late" or "cross_attention"'
        )


def with_pictures(table: Mapping[str, Any] | None, text: Encoder) -> Encoder:
    """Return an encoder that looks at the picture beside each text, where the table asks for it.

    Args:
        table: The table; ``None`` where there is none.
        text: The encoder of texts, of width D.

    Raises:
        Refused: If a setting is refused.
    """
    if table is None:
        return text
    kind = FUSIONS[table["fusion"]]
    settings = {name: table[name] for name in keys_of(kind, ("text", "pictures"))}
    with located(PICTURES):
        fused: Encoder = kind(text, _reader(table, text.width), **settings)
        return fused


def _reader(table: Mapping[str, Any], width: int) -> PictureEncoder:
    given = with_width(table, width)
    if table["kind"] == "pretrained":
        return packaged_pictures(given["width"], frozen=table["frozen"])
    return ConvolutionalPictures(**{name: given[name] for name in KINDS["convolutional"]})


def with_width(table: Mapping[str, Any] | None, width: int) -> Any:
    """Return the table with the size of the vectors of pictures.

    Args:
        table: The table; ``None`` where there is none.
        width: That of the encoder of texts, D, which is taken where the table has none.
    """
    if table is None or table["width"] is not None:
        return table
    return {**table, "width": width}
