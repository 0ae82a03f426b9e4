"""Kinds of tasks by the name that a file has for them: the package's, or a class of one's own."""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache
from pathlib import Path

from mtl_utils.commands.messages import Refused
from mtl_utils.tasks import (
    Classification,
    LanguageModeling,
    MaskedLanguageModeling,
    MultiLabel,
    PairClassification,
    Regression,
    Tagging,
    TextTask,
    Translation,
)

KINDS: dict[str, type[TextTask]] = {
    "classification": Classification,
    "pair": PairClassification,
    "multi_label": MultiLabel,
    "regression": Regression,
    "tagging": Tagging,
    "translation": Translation,
    "language_modeling": LanguageModeling,
    "masked_language_modeling": MaskedLanguageModeling,
}
"""Classes of tasks by their names in a file."""

_END = ".py"


def is_own(kind: str) -> bool:
    """Tell whether a kind is a class in a file of Python, such as ``"stars.py:Stars"``.

    Args:
        kind: What a file or a command says.
    """
    return kind.rpartition(":")[0].endswith(_END)


def kind_of(kind: str) -> type[TextTask]:
    """Return the class of a kind. That of one's own runs its file, once.

    Args:
        kind: Its name, or file and class of one's own.

    Raises:
        KeyError: If there is no such kind.
        ValueError: If the file cannot be run, or has no such class.
    """
    if not is_own(kind):
        return KINDS[kind]
    file, _, name = kind.rpartition(":")
    found = _contents(Path(file).expanduser().resolve()).get(name)
    if not (isinstance(found, type) and issubclass(found, TextTask)):
        raise Refused(f"{file} must have a class {name} that inherits from tasks.TextTask")
    return found


@lru_cache
def _contents(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise Refused(f"There is no file {path}, which a kind of task is to be in")
    # Data classes look for their module by its name.
    name = f"own_kinds_{path.stem}_{len(sys.modules)}"
    described = importlib.util.spec_from_file_location(name, path)
    assert described is not None  # it is a file of Python, by its end
    assert described.loader is not None
    module = importlib.util.module_from_spec(described)
    sys.modules[name] = module
    try:
        described.loader.exec_module(module)
    except Exception as error:
        raise Refused(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return vars(module)
