"""The page of a model that writes, and the folder that it is alive in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_utils.deployment.export.onnx_writer import (
    CONTENT,
    READER,
    TARGET,
    WRITER,
    OnnxWriter,
    graph_file,
)
from mtl_utils.deployment.export.tokenizer_files import FILE as SOURCE
from mtl_utils.deployment.export.writing_model import WritingModel, export_writer
from mtl_utils.deployment.live.folder import (
    SENTENCES,
    WORDS,
    put_measured,
    write_facts,
    write_words,
)
from mtl_utils.deployment.live.hand_written import tagged
from mtl_utils.deployment.live.page import Page, score_lines
from mtl_utils.files import read_json
from mtl_utils.saving.cards import cell, write_card

GRAPHS = tuple(graph_file(name, True) for name in (READER, WRITER))
LOADED = (CONTENT, SOURCE, TARGET, WORDS, *GRAPHS)
"""What the page loads of a model, beside the runtime."""

COPIED = "copy"
"""After the names of scores of giving the source back as it is."""


@dataclass(frozen=True)
class WriterPage(Page[Any]):
    """The page of a model that writes; ``facts`` have what a reader is asked (``ask``, ``button``).

    Args:
        facts: As any page's.
        train: Trains the model.
        load: Reads a model that was saved, from its folder.
        words: Returns the words of the training data, of which others are marked.
        exported: Returns what is exported of the model.
        tasks: Returns its tasks, the one that writes among them.
        measured_beside: Name of the folder beside its own whose sentences it is measured on; its
            own if empty.
    """

    exported: Callable[[Any], WritingModel]
    tasks: Callable[[Any], Sequence[Any]]
    measured_beside: str = ""

    def put(self, model: Any, folder: Path) -> list[str]:
        """Write a model into the folder of the page.

        Args:
            model: The model.
            folder: The folder.

        Returns:
            All that :func:`write_live_writer` returns, a line a score.

        Raises:
            ValueError: If the sentences cannot be read.
            RuntimeError: If the graphs do not give what the model gives.
        """
        beside = folder.parent / self.measured_beside if self.measured_beside else folder
        tasks = {task.name: task for task in self.tasks(model)}
        sentences, words = beside / SENTENCES, self.words()
        return score_lines(
            write_live_writer(self.exported(model), tasks, folder, sentences, words, self.facts)
        )


def read_translations(path: Path) -> list[dict[str, Any]]:
    """Read sentences with their entities in brackets and a translation, parted by `` | ``.

    Args:
        path: The file.

    Returns:
        Rows with ``text``, ``words``, ``tags`` and ``translation``.

    Raises:
        ValueError: If a line has not two columns.
    """
    rows = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        columns = line.split(" | ")
        if len(columns) != 2:
            raise ValueError(f"{path}, line {number}: expected two columns, got {line!r:.60}")
        rows.append(tagged(columns[0]) | {"translation": columns[1]})
    return rows


def writer_scores(
    exported: OnnxWriter, tasks: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Measure a model on sentences as the page asks it.

    Args:
        exported: The model.
        tasks: Its tasks by name, the one that writes among them.
        rows: What :func:`read_translations` returned.

    Returns:
        BLEU, chrF and the number of translations that are the reference, and the scores of the
        other tasks, each under the name of its task.
    """
    found = [exported.write(row["text"]) for row in rows]
    references = [row["translation"] for row in rows]
    writing = exported.content["writes"]
    scores: dict[str, float] = {}
    for name, task in tasks.items():
        if name == writing:
            texts = [exported.target.decode(one.ids) for one in found]
            right = sum(text == wanted for text, wanted in zip(texts, references, strict=True))
            measured = task.metrics(texts, references) | {"exact": float(right)}
        else:
            measured = task.metrics([o.outputs[name] for o in found], [r[name] for r in rows])
        scores |= {f"{name}_{metric}": float(value) for metric, value in measured.items()}
    return scores


def write_live_writer(
    model: WritingModel,
    tasks: Mapping[str, Any],
    folder: Path,
    sentences: Path,
    words: Sequence[str],
    page: Mapping[str, Any],
) -> dict[str, float]:
    """Write a model for the page: its graphs in eight bits, and what the page shows around it.

    Args:
        model: What is exported of the model.
        tasks: Its tasks by name, the one that writes among them.
        folder: Where to; made if it is not there.
        sentences: The sentences that the model is measured on.
        words: The words of the training data, of which others are marked.
        page: What stands around the box: ``title``, ``data``, ``licence``, ``ask``, ``button``,
            ``examples``, ``note``.

    Returns:
        What was measured on the sentences, in single precision and (``int8``) as the page has it,
        and (``copy``) what giving the source back scores.

    Raises:
        ValueError: If the sentences cannot be read.
        RuntimeError: If the graphs do not give what the model gives.
    """
    rows = read_translations(sentences)
    texts = [row["text"] for row in rows]

    def measure(made: Path, int8: bool) -> dict[str, float]:
        return writer_scores(OnnxWriter.load(made, int8=int8), tasks, rows)

    kept = (CONTENT, SOURCE, TARGET, *GRAPHS)
    measured = put_measured(
        folder, kept, lambda made: export_writer(model, made, texts[::10]), measure
    ).scores
    content = read_json(folder / CONTENT)
    writing = content["writes"]
    copied = tasks[writing].metrics(texts, [row["translation"] for row in rows])
    measured |= {f"{writing}_{name} {COPIED}": float(value) for name, value in copied.items()}
    write_words(folder, words)
    facts = {"kind": "writer", "titles": {}} | dict(page)
    facts |= {"scores": measured, "loads": list(LOADED), "sentences": len(rows)}
    # From where the page finds them; two boxes may be measured on the same.
    facts["sentences_file"] = (
        SENTENCES if sentences.parent == folder else (f"../{sentences.parent.name}/{SENTENCES}")
    )
    facts["scored"] = scored(measured, writing)
    write_facts(folder, facts)
    _write_card(folder, content, facts)
    return measured


def scored(measured: Mapping[str, float], writing: str) -> str:
    """Say what was measured in the words of the page, entities last.

    Args:
        measured: What :func:`write_live_writer` returns.
        writing: The task that writes.
    """
    bleu, chrf, exact = (measured[f"{writing}_{m} int8"] for m in ("bleu", "chrf", "exact"))
    of_copy = [measured[f"{writing}_{m} {COPIED}"] for m in ("bleu", "chrf")]
    tags = [value for name, value in measured.items() if name.endswith("_f1 int8")]
    entities = "".join(f"; entities at a strict F1 of {100 * f1:.0f}" for f1 in tags)
    return (
        f"BLEU {bleu:.1f} and chrF {chrf:.1f} by sacreBLEU (the English sentence given back as it "
        f"is: {of_copy[0]:.1f} and {of_copy[1]:.1f}); {exact:.0f} of the translations are word "
        f"for word the one by hand{entities}"
    )


def _write_card(folder: Path, content: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write what the model is, for people."""
    data = ", ".join(dict.fromkeys(facts["data"].values()))
    lines = ["# A model that writes, exported for the page", ""]
    lines += [f"Trained on {data}. Licence of the weights: {facts['licence']}.", ""]
    lines += ["| score | value |", "| --- | --- |"]
    lines += [f"| {cell(name)} | {value:.4g} |" for name, value in facts["scores"].items()]
    lines += ["", "| file | bytes | SHA-256 |", "| --- | --- | --- |"]
    for name, digest in content["sha256"].items():
        if (folder / name).is_file():
            lines.append(f"| {name} | {(folder / name).stat().st_size:,} | `{digest}` |")
    made = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    lines += ["", f"Made with {made}; ONNX opset {content['opset']}."]
    write_card(folder, "\n".join(lines) + "\n")
