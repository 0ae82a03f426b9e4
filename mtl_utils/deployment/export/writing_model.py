"""Exporting a model that writes: a folder of two graphs, checked against the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtl_utils.arguments import check_kind
from mtl_utils.deployment.export.checking import TOLERANCE
from mtl_utils.deployment.export.graph import OPSET
from mtl_utils.deployment.export.kinds import description
from mtl_utils.deployment.export.onnx_writer import (
    CONTENT,
    READER,
    TARGET,
    WRITER,
    OnnxWriter,
    graph_file,
)
from mtl_utils.deployment.export.quantising import write_int8
from mtl_utils.deployment.export.text_model import sha256, versions
from mtl_utils.deployment.export.tokenizer_files import FILE as SOURCE
from mtl_utils.deployment.export.tokenizer_files import description as of_tokenizer
from mtl_utils.deployment.export.tokenizer_files import tokenizer_json, word_marks
from mtl_utils.deployment.export.writer_graphs import (
    LOOKED,
    AttentionWriterForm,
    ReaderForm,
    SelfAttentiveWriterForm,
    WriterForm,
    write_reader,
    write_writer,
)
from mtl_utils.files import write_json
from mtl_utils.models import BiLSTMFramework, Seq2Seq


@dataclass(frozen=True)
class WritingModel:
    """What is exported of a model that writes.

    Args:
        form: Its decoder as graphs have it.
        reader: Its encoder, with what the decoder starts from.
        source: Tokenizer of what it reads.
        target: Tokenizer of what it writes.
        start: Ids before the pieces of a sentence.
        max_length: The longest text that is written, in tokens.
        tasks: Tasks that label words, each with its head, by name.
        reads_words: Whether a sentence is split into words before it is read.
    """

    form: WriterForm
    reader: ReaderForm
    source: Any = field(repr=False)
    target: Any = field(repr=False)
    start: tuple[int, ...]
    max_length: int
    tasks: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    reads_words: bool = False


def of_translator(model: Seq2Seq) -> WritingModel:
    """Return what is exported of a translator with attention.

    Args:
        model: The translator; left as it is.

    Raises:
        TypeError: If its encoder or its decoder is of a kind that cannot be exported.
    """
    check_kind("model", model, Seq2Seq, "a Seq2Seq")
    name = model.translation.name
    head: Any = model.head(name)
    form = AttentionWriterForm(name, head.decoder)
    encoder: Any = model.sharing.encoder
    reader = ReaderForm(encoder, form)
    length = model.translation.max_length
    return WritingModel(form, reader, model.source, model.target, (), length)


def of_framework(model: BiLSTMFramework) -> WritingModel:
    """Return what is exported of the model of chapter 04: its tags and its translation.

    Args:
        model: The model; left as it is. Its language model, if it has one, is left out.

    Raises:
        ValueError: If it does not write.
    """
    check_kind("model", model, BiLSTMFramework, "a BiLSTMFramework")
    if model.translation.name not in model.tasks:
        raise ValueError(
            f"A model that writes is exported, and this one has the tasks {list(model.tasks)} "
            f"alone; expected {model.translation.name!r} among them"
        )
    sharing, writes = model.sharing, model.translation.name
    head: Any = model.head(writes)
    form = SelfAttentiveWriterForm(writes, sharing.decoder, head.output)
    tagging, tokenizer = model.tagging, model.tokenizer
    tasks = (
        {tagging.name: (tagging, model.head(tagging.name))} if tagging.name in model.tasks else {}
    )
    reader = ReaderForm(sharing.encoder, form, {task: head for task, (_, head) in tasks.items()})
    start, length = (tokenizer.bos_id,), model.translation.max_length
    return WritingModel(form, reader, tokenizer, tokenizer, start, length, tasks, True)


def export_writer(model: WritingModel, folder: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Write both graphs, in single precision and in eight bits, and what else their user needs.

    Args:
        model: The model.
        folder: Where to; it exists.
        texts: Sentences on which the graphs are held against the model.

    Returns:
        What ``writer.json`` holds, with the largest difference from the model that was seen.

    Raises:
        RuntimeError: If the graphs do not give what the model gives.
        ImportError: If onnx or onnxruntime is not installed.
    """
    write_reader(model.reader, folder / graph_file(READER, False))
    write_writer(model.form, folder / graph_file(WRITER, False), model.reader.width)
    for name in (READER, WRITER):
        write_int8(folder / graph_file(name, False), folder / graph_file(name, True))
    for file, tokenizer in ((SOURCE, model.source), (TARGET, model.target)):
        (folder / file).write_text(tokenizer_json(tokenizer), "utf-8")
    content = _content(model, folder)
    write_json(folder / CONTENT, content, indent=1)
    content["differs_by"] = _check(model, OnnxWriter.load(folder), texts)
    write_json(folder / CONTENT, content, indent=1)
    return content


def _content(model: WritingModel, folder: Path) -> dict[str, Any]:
    target = model.target
    return {
        "tokenizer": of_tokenizer(model.source),
        "target": of_tokenizer(target),
        "start": list(model.start),
        "end": [model.source.eos_id],
        "bos": target.bos_id,
        "eos": target.eos_id,
        "forbidden": sorted({target.pad_id, target.bos_id} - {target.eos_id}),
        "max_length": model.max_length,
        "memory": list(model.form.memory),
        "state": list(model.form.state),
        "writes": model.form.writes[0],
        "reads_words": model.reads_words,
        "tasks": {name: description(name, *parts) for name, parts in model.tasks.items()},
        "word_marks": word_marks(),
        "opset": OPSET,
        "versions": versions(),
        "sha256": {path.name: sha256(path) for path in sorted(folder.iterdir())},
    }


@torch.no_grad()
def _check(model: WritingModel, exported: OnnxWriter, texts: Sequence[str]) -> float:
    """Run the graphs beside the model over sentences of other lengths than they were traced on."""
    most = 0.0
    names = (*model.form.memory, *model.form.state)
    for text in texts:
        written = exported.write(text)
        ids, _ = exported.encode(text)
        known = (*names, *model.reader.heads)
        state = dict(zip(known, model.reader(torch.tensor([ids])), strict=True))
        token, of_graph = exported.content["bos"], exported.read(ids)
        apart = max(_apart(of_graph[name], state[name]) for name in known)
        _refuse(apart, f"of what is read of {text!r:.60}")
        most = max(most, apart)
        for following in written.ids:
            given = [state[name] for name in names]
            outputs = model.form(torch.tensor([[token]]), *given)
            logits, (weights, *after) = outputs[0], outputs[len(model.form.writes) :]
            state |= dict(zip(model.form.state, after, strict=True))
            found, of_graph = exported.step(token, of_graph)
            apart = max(_apart(found, logits[0]), _apart(of_graph[LOOKED], weights))
            _refuse(apart, f"after {token} in the translation of {text!r:.60}")
            most, token = max(most, apart), following
    return most


def _refuse(apart: float, where: str) -> None:
    if not apart <= TOLERANCE:
        raise RuntimeError(
            f"The exported graphs do not give what the model gives: {where} they differ by "
            f"{apart:.2g}, more than {TOLERANCE}"
        )


def _apart(found: Any, expected: torch.Tensor) -> float:
    return float(np.abs(found - expected.numpy()).max()) / max(1.0, float(expected.abs().max()))
