"""Generated data sets kept on disk, since making one takes longer than many a run on it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mtl_utils import atlas
from mtl_utils.experiments.text_set import Kind, Row, TextSet
from mtl_utils.files import read_json, write_json
from mtl_utils.tasks import Classification, PairClassification, Tagging

KEPT_VARIABLE = "MTL_KEPT_SETS"
"""Names the folder; nothing is kept where it is not set. Workers set it for their runs."""

_KINDS: Mapping[str, Kind] = {
    kind.__name__: kind for kind in (Classification, PairClassification, Tagging)
}


def kept(name: str, seed: int, make: Callable[[], TextSet]) -> TextSet:
    """Read a data set from where it was kept, or make it and keep it.

    A file is read only by the version of the code that wrote it: its name has a digest of the
    sources that say what is in it.

    Args:
        name: That tells it from other data sets.
        seed: Of it.
        make: Makes it.

    Returns:
        The data set, the same either way.
    """
    folder = os.environ.get(KEPT_VARIABLE)
    if not folder:
        return make()
    word = hashlib.sha256(f"{name} {seed} {_sources()}".encode()).hexdigest()[:24]
    path = Path(folder) / f"{word}.json"
    with contextlib.suppress(OSError, ValueError):  # not there yet, or damaged
        return _read(read_json(path))
    made = make()
    with contextlib.suppress(OSError):  # without room on the disk it is made anew each time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, _written(made))
    return made


@functools.cache
def _sources() -> str:
    """Return a digest of all that generates sentences and makes rows of them."""
    generating, reading = Path(atlas.__file__).parent, Path(__file__).parent
    digest = hashlib.sha256()
    for path in (*sorted(generating.rglob("*")), *sorted(reading.glob("*_set*.py"))):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.name.encode() + b"\n" + path.read_bytes())
    return digest.hexdigest()


def _written(text_set: TextSet) -> dict[str, Any]:
    return {
        "name": text_set.name,
        "kinds": {task: kind.__name__ for task, kind in text_set.kinds.items()},
        "labels": {task: list(names) for task, names in text_set.labels.items()},
        "splits": {
            split: [[row.text, dict(row.labels), row.other] for row in rows]
            for split, rows in text_set.splits.items()
        },
    }


def _read(content: Mapping[str, Any]) -> TextSet:
    return TextSet(
        content["name"],
        {task: _KINDS[kind] for task, kind in content["kinds"].items()},
        {task: tuple(names) for task, names in content["labels"].items()},
        {split: [Row(*row) for row in rows] for split, rows in content["splits"].items()},
    )
