"""A digest of the rows of a split, the same however a file stores them."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mtl_utils.corpora import schema
from mtl_utils.corpora.digests import DIGESTS, NOT_AS_PUBLISHED
from mtl_utils.corpora.errors import ContentError

__all__ = ["check_digests", "content_digest"]


def content_digest(table: pa.Table) -> str:
    """Digest of rows, columns by name in order.

    Row groups, compression, dictionaries and the width of integers, floats and offsets do not
    matter; a single other letter, number, missing value or row does.

    Args:
        table: The rows, with columns of integers, floats, booleans, texts, and lists of them.

    Returns:
        32 hexadecimal digits.
    """
    state = hashlib.blake2b(digest_size=16)
    for name in table.column_names:
        state.update(f"{name}\0{table.num_rows}\0".encode())
        _update(state, schema.whole(table[name]))
    return state.hexdigest()


def _update(state: hashlib.blake2b, array: pa.Array) -> None:
    state.update(pc.is_valid(array).cast(pa.int8()).to_numpy(zero_copy_only=False).tobytes())
    if schema.is_list(array.type):
        lengths = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64())
        state.update(lengths.to_numpy(zero_copy_only=False).tobytes())
        _update(state, pc.list_flatten(array))
        return
    kind = schema.physical_kind(array.type)
    if kind == "string":
        array = pc.fill_null(array.cast(pa.large_string()), "")
        _, positions, letters = array.buffers()
        ends = np.frombuffer(positions, dtype=np.int64)[array.offset :][: len(array) + 1]
        state.update((ends - ends[:1]).tobytes())
        if letters is not None:
            state.update(memoryview(letters)[ends[0] : ends[-1]])
        return
    wide = pa.float64() if kind == "float" else pa.int64()
    array = pc.fill_null(array.cast(wide), 0)
    state.update(array.to_numpy(zero_copy_only=False).tobytes())


def check_digests(
    tables: Mapping[str, pa.Table], name: str, config: str, columns: list[str], where: str
) -> None:
    """Check that the rows of a local copy are those that the registry knows.

    Args:
        tables: Rows of each split.
        name: Registered name.
        config: Configuration.
        columns: The declared columns, in order.
        where: What was read, for the message.

    Raises:
        ContentError: If a split has other rows, and the known copy is as published.
    """
    for split, table in tables.items():
        known = DIGESTS.get(f"{name}/{config}/{split}")
        if known is None or content_digest(table.select(columns)) == known:
            continue
        message = (
            f"{where}, split {split!r}: the rows are not those that the registry knows of this "
            "data set, though columns, labels and number of rows are. If a file is damaged, copy "
            "it again; if it is another release or conversion, load(..., verify=False) takes it."
        )
        if f"{name}/{config}/{split}" not in NOT_AS_PUBLISHED:
            raise ContentError(message)
        warnings.warn(
            f"{message} (The known copy is not quite what is published, so this is no error.)",
            stacklevel=2,
        )
