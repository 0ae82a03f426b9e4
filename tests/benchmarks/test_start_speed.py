"""From the command line to the end of the first step, and what any program would take before it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import side_by_side

from mtl_utils import atlas

MOST = 1.3
RUN = """\
[tasks.topic]
kind = "classification"
data = "topics"
label = "topic"

[tasks.names]
kind = "tagging"
data = "names"

[tasks.inference]
kind = "pair"
data = "pairs"
label = "label"
"""
START = """\
import os, sys
from torch.optim.optimizer import register_optimizer_step_post_hook
from mtl_utils.commands import main
register_optimizer_step_post_hook(lambda *_: os._exit(0))
main(["train", sys.argv[1], "--force", "--quiet"])
os._exit(1)
"""
ANY_PROGRAM = """\
import sys
import datasets, torch, transformers
from datasets import load_dataset
folder, splits = sys.argv[1], ("train", "validation", "test")
datasets.disable_progress_bars()
for kind, name, end in (("csv", "topics", "csv"), ("json", "pairs", "jsonl")):
    load_dataset(kind, data_files={s: f"{folder}/{name}/{s}.{end}" for s in splits})
for split in splits:
    sentences = open(f"{folder}/names/{split}.conll", encoding="utf-8").read().split("\\n\\n")
    datasets.Dataset.from_dict(
        {"words": [[line.split("\\t") for line in s.split("\\n")] for s in sentences]}
    )
"""


@pytest.fixture(scope="module", params=[500, 4000], ids=lambda size: f"{size} rows a data set")
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three data sets in three formats, and the file that trains on them."""
    root = tmp_path_factory.mktemp("start")
    (root / "run.toml").write_text(RUN, "utf-8")
    for name in ("topics", "names", "pairs"):
        (root / name).mkdir()
    for split, rows in atlas.load(request.param).items():
        topics, tags = (rows.features[c] for c in ("topic", "ner_tags"))
        lines = [
            f'"{text}",{topics.int2str(topic)}'
            for text, topic in zip(rows["text"][:], rows["topic"][:], strict=True)
        ]
        (root / "topics" / f"{split}.csv").write_text(
            "\n".join(["text,topic", *lines, ""]), "utf-8"
        )
        sentences = [
            "\n".join(
                f"{word}\t{tags.feature.int2str(tag)}"
                for word, tag in zip(row["tokens"], row["ner_tags"], strict=True)
            )
            for row in rows
        ]
        (root / "names" / f"{split}.conll").write_text("\n\n".join(sentences), "utf-8")
    for split, rows in atlas.load_inference(request.param).items():
        named = [
            {**{c: row[c] for c in ("premise", "hypothesis")}, "label": f"class {row['label']}"}
            for row in rows
        ]
        (root / "pairs" / f"{split}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in named), "utf-8"
        )
    return root


OPTIMIZER = "torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])\n"
"""The first optimizer of a process imports PyTorch's compiler, for two seconds."""


def run(code: str, *words: object, home: Path) -> None:
    command: Sequence[str] = [sys.executable, "-c", code, *map(str, words)]
    subprocess.run(command, check=True, env={**os.environ, "HF_HOME": str(home)})


def of_children() -> float:
    """Processor time of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_first_step_comes_soon(folder: Path, tmp_path: Path) -> None:
    """Without the optimizer, which any training needs, the ratio is printed."""
    programs = {
        "ours": (START, folder / "run.toml"),
        "imports and reading": (ANY_PROGRAM, folder),
        "imports, reading, an optimizer": (ANY_PROGRAM + OPTIMIZER, folder),
    }
    functions = {
        name: lambda words=words: run(*words, home=tmp_path) for name, words in programs.items()
    }
    found = side_by_side.seconds(functions, 3, min, of_children)
    ours = found.pop("ours")
    print(
        "".join(f"\nstart: {ours:.2f} s, {n} {s:.2f} s: {ours / s:.2f}" for n, s in found.items())
    )
    assert ours / found["imports, reading, an optimizer"] < MOST
