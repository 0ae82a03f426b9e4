"""Descriptions: of the same things alike, in another process too, and of all that a model holds."""

from __future__ import annotations

import argparse
import enum
import functools
import json
import os
import random
import re
import subprocess
import sys
import types
import weakref
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
import tokenizers
import torch
from hang_guard import HANG_SECONDS
from labelled_runs import examples, loader, model, scores, shared_private, soft

from mtl_utils.training import callables
from mtl_utils.training.description import Description
from mtl_utils.training.fingerprint import differences


def described(value: Any) -> dict[str, Any]:
    description = Description()
    description.add("it", value)
    assert description.unknown == []
    return description.entries


class Colour(enum.Enum):
    """Two of them."""

    RED = 1
    BLUE = 2


@dataclass
class Settings:
    """A value and others."""

    value: float
    others: Any = ()


class Plain:
    """Attributes in slots, and one that is only remembered."""

    __slots__ = ("__dict__", "slot")

    def __init__(self, slot: Any) -> None:
        self.slot = slot

    @functools.cached_property
    def costly(self) -> float:
        return random.random()


def holder_of_itself(value: int) -> Any:
    found: dict[str, Any] = {"value": value, "list": []}
    found["list"].append(found)
    return found


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def word_level(words: list[str]) -> tokenizers.Tokenizer:
    vocabulary = {word: place for place, word in enumerate(words)}
    return tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token=words[0]))


PAIRS: dict[str, tuple[Any, Any]] = {
    "numbers": (lambda: 1, lambda: 2),
    "not a number": (lambda: float("nan"), lambda: 0.0),
    "texts": (lambda: "a" * 300, lambda: "a" * 299 + "b"),
    "bytes": (lambda: b"a", lambda: b"b"),
    "enumerations": (lambda: Colour.RED, lambda: Colour.BLUE),
    "paths": (lambda: Path("a"), lambda: Path("b")),
    "classes": (lambda: Plain, lambda: Settings),
    "types of numbers": (lambda: torch.float32, lambda: torch.float16),
    "lists": (lambda: list(range(99)), lambda: [*range(98), 0]),
    "lists of objects": (
        lambda: [Settings(i) for i in range(50)],
        lambda: [Settings(i) for i in range(49, -1, -1)],
    ),
    "sets": (lambda: {"a", "b", "c"}, lambda: {"a", "b", "d"}),
    "deques": (lambda: deque([1, 2]), lambda: deque([2, 1])),
    "counters": (lambda: Counter("aab"), lambda: Counter("abb")),
    "great mappings": (
        lambda: {str(i): i for i in range(99)},
        lambda: {str(i): i % 98 for i in range(99)},
    ),
    "great mappings of objects": (
        lambda: {i: Settings(i) for i in range(99)},
        lambda: {i: Settings(i % 98) for i in range(99)},
    ),
    "what holds itself": (lambda: holder_of_itself(1), lambda: holder_of_itself(2)),
    "data classes": (lambda: Settings(1.0, [Settings(2)]), lambda: Settings(1.0, [Settings(3)])),
    "slots": (lambda: Plain([1]), lambda: Plain([2])),
    "namespaces": (
        lambda: types.SimpleNamespace(a=1, b=argparse.Namespace(c=2)),
        lambda: types.SimpleNamespace(a=1, b=argparse.Namespace(c=3)),
    ),
    "patterns": (lambda: re.compile("a"), lambda: re.compile("a", re.IGNORECASE)),
    "tensors": (lambda: torch.zeros(3), lambda: torch.tensor([0.0, 0.0, 1.0])),
    "arrays": (lambda: np.zeros(3), lambda: np.zeros(4)),
    "arrays of texts": (lambda: np.array(["a"]), lambda: np.array(["b"])),
    "random": (lambda: random.Random(1), lambda: random.Random(2)),
    "NumPy's generators": (lambda: np.random.default_rng(1), lambda: np.random.default_rng(2)),
    "old generators": (lambda: np.random.RandomState(1), lambda: np.random.RandomState(2)),
    "PyTorch's generators": (lambda: generator(1), lambda: generator(2)),
    "tables": (
        lambda: pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        lambda: pd.DataFrame({"a": [1, 2], "b": ["x", "z"]}),
    ),
    "columns": (lambda: pd.Series([1, 2]), lambda: pd.Series([1, 3])),
    "data sets": (
        lambda: datasets.Dataset.from_dict({"a": [[1], [2]]}),
        lambda: datasets.Dataset.from_dict({"a": [[1], [3]]}),
    ),
    "splits": (
        lambda: datasets.DatasetDict(train=datasets.Dataset.from_dict({"a": [1]})),
        lambda: datasets.DatasetDict(train=datasets.Dataset.from_dict({"a": [2]})),
    ),
    "tokenizers": (lambda: word_level(["a", "b"]), lambda: word_level(["b", "a"])),
    "examples": (lambda: examples(1), lambda: examples(2)),
    "loaders": (lambda: loader(examples(1)), lambda: loader(examples(2))),
    "other models": (lambda: model(seed=1), lambda: model(seed=2)),
    "functions": (lambda: len, lambda: max),
    "methods": (lambda: [1].count, lambda: [2].count),
    "partial": (lambda: functools.partial(max, 1), lambda: functools.partial(max, 2)),
    "wrapped": (
        lambda: functools.lru_cache(lambda: 1),
        lambda: functools.lru_cache(lambda: 2),
    ),
    "closures": (lambda: scores(examples(), 0.1), lambda: scores(examples(), 0.2)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_things_made_anew_are_described_alike_and_others_not(name: str) -> None:
    make, other = PAIRS[name]
    assert differences(described(make()), described(make())) == []
    assert differences(described(make()), described(other())) != []


def test_what_is_remembered_or_says_where_it_runs_does_not_count() -> None:
    value, used = Plain(1), Plain(1)
    assert used.costly
    assert described(used) == described(value)
    assert described({"device": torch.device("cpu"), "reference": weakref.ref(Plain)}) == {}


def test_padding_that_a_call_sets_is_none_of_a_tokenizer() -> None:
    used = word_level(["a", "b"])
    used.enable_padding()
    used.enable_truncation(3)
    assert described(used) == described(word_level(["a", "b"]))


@pytest.mark.parametrize("sharing", [soft, shared_private])
def test_a_model_that_was_used_is_described_as_before(sharing: Any) -> None:
    made = model(sharing=sharing)
    before = Description(made.parameters())
    before.add("model", made)
    made.predict(next(iter(loader())))
    made(next(iter(loader()))).penalty.backward()
    after = Description(made.parameters())
    after.add("model", made.eval())
    assert before.entries == after.entries
    assert before.unknown == after.unknown == []


def test_a_difference_of_class_stands_for_those_within() -> None:
    there, here = {"a": "A", "a.x": 1, "ab": 1}, {"a": "B", "a.y": 2, "ab": 1}
    assert differences(there, here) == ["a is 'A' there and 'B' here"]


def test_long_values_are_shown_from_where_they_differ() -> None:
    labels = [f"label-{number}" for number in range(18)]
    other = [*labels[:-1], "another"]
    (text,) = differences({"labels": str(labels)}, {"labels": str(other)})
    assert "label-17" in text
    assert "another" in text
    assert len(text) < 250


SCRIPT = """
import json, sys
sys.path[:0] = sys.argv[1:]
from test_description import PAIRS, described
print(json.dumps({name: described(make()) for name, (make, _) in PAIRS.items()}))
"""


def test_another_process_describes_alike() -> None:
    folder = Path(__file__).parent
    other = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"  # of the order of sets
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(folder.parent)],
        env={**os.environ, "PYTHONHASHSEED": other},
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG_SECONDS,
    )
    theirs = json.loads(done.stdout)
    for name, (make, _) in PAIRS.items():
        assert json.loads(json.dumps(described(make()))) == theirs[name], name


def test_whose_a_module_is() -> None:
    assert callables.origin("json") == callables.origin("torch.nn") == "installed"
    assert callables.origin("builtins") == "installed"
    assert callables.origin("mtl_utils.data") == "package"
    assert callables.origin(__name__) == callables.origin("__main__") == "own"
