"""A whole text model as one graph: token ids in, one output a task."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.deployment.export.encoder_forms import languages_of, reads_characters
from mtl_utils.deployment.export.fusion_forms import TRACED, pictures_of
from mtl_utils.deployment.export.kinds import kind_of
from mtl_utils.deployment.export.sharing_forms import sharing_form
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.tasks import Head
from mtl_utils.tasks.regression import RegressionHead

#: What the graph reads, each ``[B, T]`` of whole numbers: ids, 1 at tokens and 0 at padding, and 0
#: in the first text and 1 in the second.
INPUTS = ("input_ids", "mask", "segment_ids")

#: What it reads beside these where words are spelt: ``[B, T, L]``, 0 after the last character.
CHARACTERS = "character_ids"

#: What it reads beside these where adapters are chosen by language: ``[B]``.
LANGUAGES = "language_ids"

#: What it reads beside these where there are pictures: ``[B, C, H, W]`` from 0 to 1, and ``[B]``, 1
#: where a text has one and 0 where what stands in its place is not read.
PICTURES = ("pictures", "has_picture")

#: All of these.
FURTHER = (CHARACTERS, LANGUAGES, *PICTURES)

#: Of the operators. From 23 on a padding mask is refused when the model runs.
OPSET = 17


class ExportedForm(torch_nn.Module):
    """The encoders and the heads of a model, without a step that depends on the data.

    Args:
        model: The model; left as it is.

    Raises:
        TypeError: If its way of sharing, an encoder or a task is of a kind that has no such form.
        ValueError: If a task has a name that an output of a graph cannot have.
    """

    def __init__(self, model: MultiTaskModel) -> None:
        super().__init__()
        for name, task in model.tasks.items():
            _check_output(name)
            kind_of(name, task, model.head(name))
        self.pictured = pictures_of(model)
        further = {CHARACTERS: reads_characters(model), LANGUAGES: bool(languages_of(model))}
        further |= dict.fromkeys(PICTURES, self.pictured is not None)
        self.inputs = (*INPUTS, *(name for name, is_read in further.items() if is_read))
        self.sharing = sharing_form(model.sharing)
        heads = {name: copy.deepcopy(model.head(name)) for name in model.tasks}
        self.heads = torch_nn.ModuleDict(heads).cpu().float().eval()

    def forward(
        self,
        input_ids: Tensor,
        mask: Tensor,
        segment_ids: Tensor,
        *further: Tensor,
    ) -> tuple[Tensor, ...]:
        """Score.

        Args:
            input_ids: ``[B, T]``.
            mask: ``[B, T]``, 1 at tokens.
            segment_ids: ``[B, T]``.
            *further: Those of :data:`FURTHER` that are read, in this order.

        Returns:
            For each task logits ``[B, C]``, emissions ``[B, T, C]`` or numbers ``[B]``.
        """
        named = dict(zip(self.inputs[len(INPUTS) :], further, strict=True))
        inputs = unchecked_inputs(input_ids, mask.bool(), segment_ids, **named)
        hidden, batch = self.sharing(inputs, list(self.heads)), Batch(inputs)
        return tuple(head_output(head, hidden[name], batch) for name, head in self.heads.items())


def _check_output(name: str) -> None:
    """Refuse what the tracer calls other things: inputs, numbered values, results of a module."""
    taken = (*INPUTS, *FURTHER)
    if name in taken or name.isdigit() or name.startswith(("/", "onnx::")):
        raise ValueError(
            f"A task named {name!r} cannot be exported, since something else in the graph has or "
            f"could have that name. Expected none of {list(taken)}, no number, and "
            "nothing that begins with '/' or 'onnx::'; give the task another name."
        )


def head_output(head: torch_nn.Module, hidden: Tensor, batch: Batch) -> Tensor:
    """Return what a graph has as the output of a head.

    Args:
        head: The head.
        hidden: What it reads ``[B, T, D]``.
        batch: What that was computed from.

    Returns:
        What its ``forward`` gives; of a regression the number in the units of the data.
    """
    assert isinstance(head, Head)
    outputs = head(hidden, batch)
    if not isinstance(head, RegressionHead):
        return outputs
    values = head.mean + head.spread * outputs
    return values if head.bounds is None else values.clamp(*head.bounds)


def unchecked_inputs(
    input_ids: Tensor, mask: Tensor, segment_ids: Tensor, **further: Tensor
) -> Inputs:
    """Make inputs without a look at the numbers, which a graph is not to remember.

    Args:
        input_ids: ``[B, T]``.
        mask: ``[B, T]``, boolean.
        segment_ids: ``[B, T]``.
        **further: What else there is, by the names of :class:`mtl_utils.data.Inputs`.
    """
    inputs = object.__new__(Inputs)
    given = {"input_ids": input_ids, "mask": mask, "segment_ids": segment_ids} | further
    for field in fields(Inputs):
        object.__setattr__(inputs, field.name, given.get(field.name))
    return inputs


def write_graph(form: ExportedForm, path: Path, max_length: int | None) -> None:
    """Write a graph of any number of texts of any length.

    Args:
        form: The model.
        path: The file.
        max_length: The longest text that it reads.
    """
    length = 7 if max_length is None else min(7, max_length)
    names = [*form.heads]
    ids = torch.zeros(3, length, dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[1, length // 2 + 1 :] = 0
    given: tuple[torch.Tensor, ...] = (ids, mask, torch.zeros_like(ids))
    axes = {name: {0: "batch", 1: "length"} for name in (*form.inputs, *names)}
    if CHARACTERS in form.inputs:
        axes[CHARACTERS][2] = "characters"
        given = (*given, (torch.arange(5) < 4).long().repeat(*ids.shape, 1))
    if LANGUAGES in form.inputs:
        axes[LANGUAGES] = {0: "batch"}
        given = (*given, ids[:, 0])
    if form.pictured is not None:
        size, (pictures, present) = form.pictured.size, PICTURES
        axes |= {pictures: {0: "batch"}, present: {0: "batch"}}
        axes[pictures] |= {2: "height", 3: "width"} if size is None else {}
        shape = (len(ids), form.pictured.channels, size or TRACED, size or TRACED)
        given = (*given, torch.linspace(0, 1, math.prod(shape)).view(shape), mask[:, -1])
    form.eval()
    with torch.no_grad(), quiet_tracer():
        outputs = form(*given)
    for name, output in zip(names, outputs, strict=True):
        if output.dim() < 3:
            axes[name] = {0: "batch"}
    write_traced(form, given, path, list(form.inputs), names, axes)


def write_traced(
    form: torch_nn.Module,
    given: tuple[Tensor, ...],
    path: Path,
    read: list[str],
    names: list[str],
    axes: dict[str, dict[int, str]],
) -> None:
    """Write what a module does with some tensors as a graph.

    Args:
        form: The module, without a step that depends on the data.
        given: The tensors.
        path: The file.
        read: Names of what is read.
        names: Names of what is returned.
        axes: Of both, the dimensions that may be of any size, each with a name.
    """
    form.eval()  # the exporter puts every part back into the mode that the whole is in
    with torch.no_grad(), quiet_tracer():
        torch.onnx.export(
            form,
            given,
            str(path),
            input_names=read,
            output_names=names,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


@contextmanager
def quiet_tracer() -> Iterator[None]:
    """Leave out what the tracer says of checks of shapes, and that there is a newer exporter.

    The newer one stops at branches on data in models of others, and gives only the first LSTM of a
    process an axis of time of any length. What was traced is compared with PyTorch afterwards.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
