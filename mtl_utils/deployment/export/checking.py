"""Comparing an exported graph with the model that it was made of, before it is said to be one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.deployment.export.encoder_forms import languages_of, reads_characters
from mtl_utils.deployment.export.fusion_forms import pictures_of
from mtl_utils.deployment.export.graph import FURTHER, INPUTS, head_output
from mtl_utils.deployment.optional import needed
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import CharacterCNN
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
    model: MultiTaskModel, path: Path, trials: Sequence[Sequence[int]] = TRIALS, seed: int = 0
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


def check_graph(model: MultiTaskModel, path: Path) -> dict[str, float]:
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


def _inputs(model: MultiTaskModel, trials: Sequence[Sequence[int]], seed: int) -> Iterator[Inputs]:
    generator = torch.Generator().manual_seed(seed)
    known, num_languages = min(_found(model, "vocab_size")), len(languages_of(model))
    longest = getattr(model, "max_length", None) or max(map(max, trials))
    for lengths in trials:
        lengths = [min(length, longest) for length in lengths]
        shape = len(lengths), max(lengths)
        ids = torch.randint(known, shape, generator=generator)
        places = torch.arange(shape[1])
        mask = places < torch.tensor(lengths).unsqueeze(1)
        # Of each pair about half, the first of a batch excepted: that is a single text.
        middles = torch.tensor(lengths).unsqueeze(1) // 2 + 1
        segments = ((places >= middles) & mask).long()
        segments[0] = 0
        characters, languages = _characters(model, shape, generator), None
        if num_languages:
            languages = torch.randint(num_languages, shape[:1], generator=generator)
        further = _pictures(model, shape[0], generator)
        yield Inputs(ids, mask, segments, characters, language_ids=languages, **further)


def _found(model: MultiTaskModel, name: str) -> list[int]:
    """Return the numbers that parts of the encoders have under a name."""
    values = (getattr(part, name, None) for part in model.sharing.modules())
    return [value for value in values if isinstance(value, int)]


def _characters(
    model: MultiTaskModel, shape: tuple[int, int], generator: torch.Generator
) -> Tensor | None:
    """Draw words of up to as many characters as there are words, some of none."""
    if not reads_characters(model):
        return None
    most = shape[1] + 1
    parts = [part for part in model.sharing.modules() if isinstance(part, CharacterCNN)]
    known = min(part.num_characters for part in parts)
    drawn = torch.randint(1, known, (*shape, most), generator=generator)
    lengths = torch.randint(most + 1, shape, generator=generator).unsqueeze(-1)
    return drawn.masked_fill(torch.arange(most) >= lengths, 0)


def _pictures(model: MultiTaskModel, rows: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw pictures, of another height than width where these may be any, and who has one."""
    pictured = pictures_of(model)
    if pictured is None:
        return {}
    drawn = torch.randint(5, 45, (2,), generator=generator).tolist()
    height, width = drawn if pictured.size is None else (pictured.size,) * 2
    pictures = torch.rand(rows, pictured.channels, height, width, generator=generator)
    present = torch.rand(rows, generator=generator) < 0.7
    return {"pictures": pictures, "has_picture": present}


def _feeds(inputs: Inputs, names: Sequence[str]) -> dict[str, Any]:
    given = {name: getattr(inputs, name) for name in (*INPUTS, *FURTHER) if name in names}
    return {
        name: (tensor if tensor.is_floating_point() else tensor.long()).numpy()
        for name, tensor in given.items()
    }


@torch.no_grad()
def _expected(model: MultiTaskModel, inputs: Inputs) -> list[Tensor]:
    batch = Batch(inputs)
    device = next(model.parameters()).device
    with evaluation_mode(model):
        batch = batch.to(device)
        hidden = model.sharing(batch, list(model.tasks)).hidden
        return [
            head_output(model.head(name), hidden[name], batch).float().cpu() for name in model.tasks
        ]
