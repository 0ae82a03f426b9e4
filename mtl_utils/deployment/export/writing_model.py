"""Exporting a model that writes: a folder of two graphs, checked against the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from mtl_utils.arguments import check_kind
from mtl_utils.data.batch import Batch, Inputs
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
from mtl_utils.deployment.export.places import sha256
from mtl_utils.deployment.export.quantising import write_int8
from mtl_utils.deployment.export.text_model import versions
from mtl_utils.deployment.export.tokenizer_files import FILE as SOURCE
from mtl_utils.deployment.export.tokenizer_files import description as of_tokenizer
from mtl_utils.deployment.export.tokenizer_files import tokenizer_json, word_marks
from mtl_utils.deployment.export.transformer_writer import TransformerWriterForm
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
from mtl_utils.nn import Encoder, SelfAttentiveDecoder, TransformerDecoder
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.nn.search_limits import check_room

Said = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From ids ``[1, T]`` and tokens ``[1, U]``, ``<bos>`` first, to what the model itself says.

That is logits ``[U, V]`` of the token after each, and weights ``[U, T]``.
"""


@dataclass(frozen=True)
class WritingModel:
    """What is exported of a model that writes.

    Args:
        form: Its decoder as graphs have it.
        reader: Its encoder, with what the decoder starts from.
        said: What the graphs are held against.
        source: Tokenizer of what it reads.
        target: Tokenizer of what it writes.
        start: Ids before the pieces of a sentence.
        max_length: The longest text that is written, in tokens.
        tasks: Tasks that label words, each with its head, by name.
        reads_words: Whether a sentence is split into words before it is read.
        longest: The longest sentence that is read, in tokens; ``None`` where there is no limit.
    """

    form: WriterForm
    reader: ReaderForm
    said: Said = field(repr=False)
    source: Any = field(repr=False)
    target: Any = field(repr=False)
    start: tuple[int, ...]
    max_length: int
    tasks: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    reads_words: bool = False
    longest: int | None = None


def of_translator(model: Seq2Seq) -> WritingModel:
    """Return what is exported of a translator that attends.

    Args:
        model: The translator; left as it is.

    Raises:
        TypeError: If its encoder or its decoder is of a kind that cannot be exported.
        ValueError: If its decoder has fewer positions than a translation may have tokens.
    """
    check_kind("model", model, Seq2Seq, "a Seq2Seq")
    name, length = model.translation.name, model.translation.max_length
    decoder, encoder = cast(Any, model.head(name)).decoder, cast(Any, model.sharing).encoder
    kind = TransformerWriterForm if isinstance(decoder, TransformerDecoder) else AttentionWriterForm
    form = kind(name, decoder)
    if isinstance(decoder, TransformerDecoder):
        check_room(decoder, decoder.start_alone(1), length)
    said = _said_by(model, encoder, decoder, decoder.output)
    return WritingModel(
        form,
        ReaderForm(encoder, form),
        said,
        model.source,
        model.target,
        (),
        length,
        longest=encoder.max_length,
    )


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
    said = _said_by(model, cast(Encoder, sharing.encoder), sharing.decoder, head.output)
    return WritingModel(form, reader, said, tokenizer, tokenizer, start, length, tasks, True)


def _said_by(
    model: torch.nn.Module, encoder: Encoder, decoder: Any, output: torch.nn.Module
) -> Said:
    @torch.no_grad()
    def said(input_ids: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        device = next(model.parameters()).device
        inputs = Batch(Inputs(input_ids, torch.ones_like(input_ids).bool())).to(device).inputs
        with evaluation_mode(model):
            state = decoder.start(encoder(inputs), inputs.mask)
            decoded = decoder.decode(tokens.to(device), state)
            own = isinstance(decoder, SelfAttentiveDecoder)  # it looks at what it wrote as well
            weights = decoded.source_weights if own else decoded.weights
            return output(decoded.hidden)[0].float().cpu(), weights[0].float().cpu()

    return said


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
        "longest": model.longest,
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
    names = (*model.form.memory, *model.form.state, *model.reader.heads)
    for text in texts:
        ids, _ = exported.encode(text)
        steps = [exported.content["bos"], *exported.write(text).ids][: model.max_length]
        state, expected = exported.read(ids), model.reader(torch.tensor([ids]))
        apart = max(_apart(state[name], of) for name, of in zip(names, expected, strict=True))
        _refuse(apart, f"of what is read of {text!r:.60}")
        most = max(most, apart)
        said_of_all = model.said(torch.tensor([ids]), torch.tensor([steps]))
        for token, *said in zip(steps, *said_of_all, strict=True):
            logits, state = exported.step(token, state)
            found = (logits, state[LOOKED][0])
            apart = max(_apart(given, of) for given, of in zip(found, said, strict=True))
            _refuse(apart, f"after {token} in the translation of {text!r:.60}")
            most = max(most, apart)
    return most


def _refuse(apart: float, where: str) -> None:
    if not apart <= TOLERANCE:
        raise RuntimeError(
            f"The exported graphs do not give what the model gives: {where} they differ by "
            f"{apart:.2g}, more than {TOLERANCE}"
        )


def _apart(found: Any, expected: torch.Tensor) -> float:
    return float(np.abs(found - expected.numpy()).max()) / max(1.0, float(expected.abs().max()))
