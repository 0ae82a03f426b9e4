"""Tiny data sets in three formats, and files that train on them in seconds."""

from __future__ import annotations

import json
from pathlib import Path

PLACES = ("Paris", "Rome", "Oslo", "Lima")
PEOPLE = ("Ada", "Bob", "Cleo")


def _sentence(number: int) -> tuple[list[str], list[str], str]:
    """Return words, their tags, and the topic of a text."""
    place, person = PLACES[number % 4], PEOPLE[number % 3]
    if number % 2:
        return (
            [person, "flies", "to", place, str(number)],
            ["B-PER", "O", "O", "B-LOC", "O"],
            "travel",
        )
    return (
        [person, "eats", "bread", "in", place, str(number)],
        ["B-PER", *"OOO", "B-LOC", "O"],
        "food",
    )


def write_data(folder: Path) -> None:
    """Write topics as CSV, names as CoNLL and how alike two texts are as JSON lines."""
    for split, numbers in (("train", range(40)), ("dev", range(40, 52)), ("test", range(52, 64))):
        made = [_sentence(number) for number in numbers]
        for name in ("topics", "names", "pairs"):
            (folder / name).mkdir(exist_ok=True)
        rows = [f"{' '.join(words)},{topic}" for words, _, topic in made]
        (folder / "topics" / f"{split}.csv").write_text(
            "\n".join(["text,topic", *rows, ""]), "utf-8"
        )
        conll = "\n".join(
            "".join(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True))
            for words, tags, _ in made
        )
        (folder / "names" / f"{split}.conll").write_text(conll, "utf-8")
        likeness = [
            {
                "a": " ".join(first[0]),
                "b": " ".join(second[0]),
                "score": float(first[2] == second[2]) * 4 + i % 2,
            }
            for i, (first, second) in enumerate(zip(made, made[1:] + made[:1], strict=True))
        ]
        (folder / "pairs" / f"{split}.jsonl").write_text(
            "".join(json.dumps(r) + "\n" for r in likeness), "utf-8"
        )


THREE = """\
[tasks.topic]
kind = "classification"
data = "topics"
label = "topic"

[tasks.names]
kind = "tagging"
data = "names"

[tasks.likeness]
kind = "regression"
data = "pairs"
texts = ["a", "b"]
value = "score"

[encoder]
width = 16

[tokenizer]
vocab_size = 320

[training]
epochs = 2
learning_rate = 0.01
"""


def write_run(folder: Path, text: str = THREE) -> Path:
    """Write data and a file, and return the file."""
    write_data(folder)
    path = folder / "run.toml"
    path.write_text(text, "utf-8")
    return path
