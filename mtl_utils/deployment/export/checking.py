"""Comparing an exported graph with the model that it was made of, before it is said to be one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.deployment.export.graph import INPUTS, head_output
from mtl_utils.deployment.optional import needed
from mtl_utils.models import TextModel
from mtl_utils.nn.evaluation_mode import evaluation_mode

#: By how much an output may differ, in units of the greatest of its task where that is above 1.
TOLERANCE = 1e-4

#: Lengths of the texts of each trial; those that a model does not read are left out. The graph was
#: traced with 7, 7 and 4 tokens.
TRIALS = ((5,), (2,), (11, 3), (1, 1), (6, 6, 6), (23, 23, 9, 1), (64, 40, 2, 17, 64))


def open_session(path: Path) -> Any:
    """Open a graph on the processor, with one thread.

    Args:
        path: The file.

    Raises:
        ImportError: If onnxruntime is not installed.
    """
    runtime: Any = needed("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def largest_difference(
    model: TextModel, path: Path, trials: Sequence[Sequence[int]] = TRIALS, seed: int = 0
) -> dict[str, float]:
    """Run a graph in a new session beside the model, on random ids of other shapes.

    Args:
        model: The model.
        path: The graph.
        trials: Lengths of the texts of each batch.
        seed: Of the ids.

    Returns:
        By task the largest difference of an output where there is a token, in units of the
        greatest output of the task where that is above 1.
    """
    session = open_session(path)
    names = list(model.tasks)
    found = dict.fromkeys(names, 0.0)
    for inputs in _inputs(model, trials, seed):
        feeds = _feeds(inputs, [given.name for given in session.get_inputs()])
        outputs = session.run(names, feeds)
        for name, output, expected in zip(names, outputs, _expected(model, inputs), strict=True):
            if expected.dim() == 3:
                kept = inputs.mask.numpy()
                apart = np.abs(output[kept] - expected.numpy()[kept])
            else:
                apart = np.abs(output - expected.numpy())
            scale = max(1.0, float(expected.abs().max()))
            found[name] = max(found[name], float(apart.max()) / scale)
            if not np.isfinite(apart).all():
                found[name] = float("inf")
    return found


def check_graph(model: TextModel, path: Path) -> dict[str, float]:
    """Refuse a graph that does not give what the model gives.

    Args:
        model: The model.
        path: The graph.

    Returns:
        What :func:`largest_difference` found.

    Raises:
        RuntimeError: If an output differs by more than :data:`TOLERANCE`.
    """
    found = largest_difference(model, path)
    wrong = {name: value for name, value in found.items() if not value <= TOLERANCE}
    if wrong:
        raise RuntimeError(
            f"The exported graph does not give what the model gives: outputs differ by {wrong}, "
            f"more than {TOLERANCE}. Nothing was written."
        )
    return found


def _inputs(model: TextModel, trials: Sequence[Sequence[int]], seed: int) -> Iterator[Inputs]:
    generator = torch.Generator().manual_seed(seed)
    encoder: Any = model.sharing.encoder
    encoder = getattr(encoder, "encoder", encoder)  # of a projected one
    longest = model.max_length or max(map(max, trials))
    for lengths in trials:
        lengths = [min(length, longest) for length in lengths]
        shape = len(lengths), max(lengths)
        ids = torch.randint(encoder.vocab_size, shape, generator=generator)
        places = torch.arange(shape[1])
        mask = places < torch.tensor(lengths).unsqueeze(1)
        # Of each pair about half, the first of a batch excepted: that is a single text.
        middles = torch.tensor(lengths).unsqueeze(1) // 2 + 1
        segments = ((places >= middles) & mask).long()
        segments[0] = 0
        yield Inputs(ids, mask, segments)


def _feeds(inputs: Inputs, names: Sequence[str]) -> dict[str, Any]:
    assert inputs.segment_ids is not None
    given = (inputs.input_ids, inputs.mask.long(), inputs.segment_ids)
    feeds = dict(zip(INPUTS, (tensor.numpy() for tensor in given), strict=True))
    return {name: feeds[name] for name in names}


@torch.no_grad()
def _expected(model: TextModel, inputs: Inputs) -> list[Tensor]:
    batch = Batch(inputs)
    device = next(model.parameters()).device
    with evaluation_mode(model):
        batch = batch.to(device)
        hidden = model.sharing(batch, list(model.tasks)).hidden
        return [
            head_output(model.head(name), hidden[name], batch).float().cpu() for name in model.tasks
        ]
