"""What a pretrained model does with texts, found out by trying it on a few."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtl_utils.data.batch import Inputs
from mtl_utils.data.pretrained_tokenizer import first_line

_LENGTHS = (5, 5, 2)  # two texts of one length, and one that needs padding beside them
# Sums in another order differ by a few 1e-6 of the largest state in models of 12 layers; padding
# that is read changes states by 1e-3 of it and more, even where weights are small and random.
_TOLERANCE = 1e-4


# What short texts do not show.
_UNFIT = {
    "reformer": "its attention draws random hashes, so a long text has other states every time"
}


@dataclass(frozen=True)
class Nature:
    """What was found out about a model.

    Args:
        width: Size of a hidden state, D.
        causal: Whether no state depends on a later token.
        by_length: Whether padding changes states, so that texts of different lengths are to be
            read apart.
    """

    width: int
    causal: bool
    by_length: bool


def nature_of(model: Any, read: Callable[[Inputs], Tensor]) -> Nature:
    """Try a model on three short texts: alone, beside one another, and with padding.

    Args:
        model: A model of ``transformers``, in evaluation mode.
        read: Runs it on inputs, padding included.

    Raises:
        ValueError: If it cannot read token ids alone, or gives a text other states every time, or
            where another text stands beside it.
    """
    reason = _UNFIT.get(getattr(model.config, "model_type", ""))
    if reason is not None:
        raise ValueError(f"A {type(model).__name__} cannot be an encoder of texts: {reason}")
    texts = _texts(model)
    with torch.random.fork_rng(devices=[]):  # models that hash draw random numbers
        with _failing(model), torch.no_grad():
            alone = [read(_inputs([text]))[0] for text in texts]
            beside = read(_inputs(texts[:2]))
        if not _same(beside, alone):
            raise ValueError(
                f"A {type(model).__name__} cannot be an encoder of texts: the states of a text "
                "change with what is read beside it, or each time it is read. Expected a model "
                "whose states depend on the text alone, such as BERT, RoBERTa, GPT-2 or the "
                "encoder of T5."
            )
        with _failing(model):
            causal = _is_causal(model, read, texts[0])
        try:
            with torch.no_grad():
                by_length = not _same(read(_inputs(texts)), alone)
        except Exception:  # it cannot read padding at all
            by_length = True
    return Nature(alone[0].shape[-1], causal, by_length)


@contextmanager
def _failing(model: Any) -> Iterator[None]:
    """Say of a model that fails that it is of no use here, and why."""
    try:
        yield
    except Exception as error:  # whatever a model of another make may stumble over
        raise ValueError(
            f"A {type(model).__name__} cannot be an encoder of texts: given token ids and a mask, "
            f"it fails with {type(error).__name__}: {first_line(error)} Expected a model that "
            "needs nothing else, such as BERT, RoBERTa, GPT-2 or the encoder of T5."
        ) from error


def _same(rows: Tensor, texts: list[Tensor]) -> bool:
    """Tell whether rows begin with the states of texts, but for the order of sums."""
    largest = max(float(states.abs().max()) for states in texts)
    differences = [
        (row[: len(states)] - states).abs().max() for row, states in zip(rows, texts, strict=False)
    ]
    return all(bool(difference <= _TOLERANCE * largest) for difference in differences)  # not nan


def _texts(model: Any) -> list[list[int]]:
    """Return ids of texts, which hold no padding and as few repetitions as can be."""
    size = int(model.get_input_embeddings().num_embeddings)
    padding = getattr(model.config, "pad_token_id", None)
    usable = [index for index in range(min(size, 50)) if index != padding] or [0]
    # From the end: what special tokens there are have small ids in most vocabularies.
    stock = iter((usable * (sum(_LENGTHS) // len(usable) + 1))[::-1])
    return [[next(stock) for _ in range(length)] for length in _LENGTHS]


def _inputs(texts: list[list[int]]) -> Inputs:
    longest = max(map(len, texts))
    ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    mask = torch.arange(longest) < torch.tensor([[len(text)] for text in texts])
    return Inputs(ids, mask)


@torch.enable_grad()  # an encoder may be made where gradients are off
def _is_causal(model: Any, read: Callable[[Inputs], Tensor], text: list[int]) -> bool:
    """Tell whether no state has a gradient at a later token; configurations are not reliable.

    Raises:
        RuntimeError: If no state has a gradient at an earlier one either.
    """
    found: list[Tensor] = []

    def caught(module: Any, given: Any, embedded: Tensor) -> Tensor:
        found.append(embedded.detach().requires_grad_())
        return found[-1].clone()  # some models change it in place

    hook = model.get_input_embeddings().register_forward_hook(caught)
    try:
        states = read(_inputs([text]))[0]
    finally:
        hook.remove()
    # The sum of a normalised state is constant: weigh its parts.
    weights = torch.arange(1.0, states.shape[-1] + 1).square()
    middle = len(text) // 2

    def at(part: Tensor) -> Tensor:
        # Some models look up padding of their own afterwards, or have the time before the rows.
        (gradient,) = torch.autograd.grad((part * weights).sum(), found[0], retain_graph=True)
        return gradient.flatten(0, 1)[: len(text)]

    if not at(states[-1])[:-1].any() and getattr(model.config, "num_hidden_layers", 1) > 0:
        raise RuntimeError(
            "no state depends on any other token, perhaps because compiled code that the model "
            "needs is missing"
        )
    return not bool(at(states[:middle])[middle:].any())
