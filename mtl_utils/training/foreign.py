"""What objects of other libraries hold, where they can be asked for it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from mtl_utils.data.content import rows_digest, text_digest

# Where something was loaded from, or by which release, is not what it is.
_ORIGINS = ("_name_or_path", "name_or_path", "transformers_version", "_commit_hash")
_HOLDERS = ("types.SimpleNamespace", "argparse.Namespace")


def content(value: Any) -> dict[str, Any] | None:
    """Return what an object of another library holds, by name; ``None`` if it cannot be known.

    Args:
        value: The object: a generator of random numbers, a table, a tokenizer, a configuration.
    """
    kind = type(value)
    if f"{kind.__module__}.{kind.__qualname__}" in _HOLDERS:
        return dict(vars(value))
    if isinstance(value, re.Pattern):
        return {"pattern": value.pattern, "flags": value.flags}
    if (state := _generator_state(value)) is not None:
        return {"state": state}
    library = kind.__module__.split(".")[0]
    if library in ("pandas", "datasets"):
        return _table(value)
    if library == "tokenizers" and hasattr(value, "to_str"):
        return {"rules": _rules(value)}
    if library == "transformers":
        return _of_transformers(value)
    return None


def _generator_state(value: Any) -> str | None:
    if isinstance(value, torch.Generator):
        return rows_digest([value.get_state()])
    if isinstance(value, random.Random):
        return text_digest(repr(value.getstate()))
    if isinstance(value, np.random.Generator):
        return text_digest(repr(value.bit_generator.state))
    if isinstance(value, np.random.RandomState):
        return text_digest(repr(value.get_state(legacy=False)))
    return None


def _table(value: Any) -> dict[str, Any] | None:
    if hasattr(value, "to_frame"):  # a column
        value = value.to_frame("column")
    if hasattr(value, "columns") and hasattr(value, "to_dict"):
        columns = value.to_dict(orient="list")
    elif hasattr(value, "column_names") and hasattr(value, "to_dict"):
        columns = value.to_dict()
    else:
        return None
    return {str(name): f"digest {rows_digest(column)}" for name, column in columns.items()}


def _rules(tokenizer: Any) -> str:
    """Return the digest of a tokenizer, without what a call sets for itself."""
    rules = json.loads(tokenizer.to_str())
    for temporary in ("truncation", "padding"):
        rules.pop(temporary, None)
    return f"digest {text_digest(json.dumps(rules, sort_keys=True))}"


def _of_transformers(value: Any) -> dict[str, Any] | None:
    backend = getattr(value, "backend_tokenizer", None)
    if backend is not None:
        return {"rules": _rules(backend)}
    if hasattr(value, "get_vocab"):  # a tokenizer in Python
        return {"vocabulary": value.get_vocab(), "settings": repr(value.init_kwargs)}
    if not hasattr(value, "to_dict"):
        return None
    settings: Mapping[str, Any] = value.to_dict()
    return {name: item for name, item in settings.items() if name not in _ORIGINS}
