"""Where a model turns tokens into vectors, and how to put other vectors in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import Inputs
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.cached import CachedEncoder
from mtl_utils.nn.encoder import Encoder
from mtl_utils.nn.pretrained import PretrainedEncoder

Vectors = dict[torch_nn.Module, Tensor]
"""What each table of embeddings gives, ``[B, T, D]``."""


def token_embeddings(model: MultiTaskModel) -> list[torch_nn.Module]:
    """Return the modules with which the encoders of a model read tokens, each once.

    Args:
        model: The model.

    Raises:
        TypeError: If an encoder has none, or keeps its states instead of computing them.
    """
    encoders = [module for module in model.modules() if isinstance(module, Encoder)]
    found = {id(table): table for encoder in encoders for table in _table(encoder)}
    if not found:
        raise TypeError(
            f"model must have an encoder with an attribute embedding, such as "
            f"nn.TransformerEncoder, got {type(model.sharing).__name__} without any"
        )
    return list(found.values())


def _table(encoder: Encoder) -> Sequence[torch_nn.Module]:
    if isinstance(encoder, CachedEncoder):
        raise TypeError(
            "model has a CachedEncoder, which gives states that it kept and has no gradient at "
            "the embeddings; put the encoder that it holds in its place"
        )
    if isinstance(encoder, PretrainedEncoder):
        return [encoder.model.get_input_embeddings()]
    table = getattr(encoder, "embedding", None)
    return [table] if isinstance(table, torch_nn.Module) else []


def vectors_of(tables: Sequence[torch_nn.Module], inputs: Inputs) -> Vectors:
    """Look tokens up in each table.

    Args:
        tables: What :func:`token_embeddings` returned.
        inputs: B texts of at most T tokens.

    Returns:
        ``[B, T, D]`` by table.
    """
    return {
        table: table(inputs.input_ids if isinstance(table, torch_nn.Embedding) else inputs)
        for table in tables
    }


@contextmanager
def replaced(vectors: Mapping[torch_nn.Module, Tensor]) -> Iterator[None]:
    """Let tables of embeddings give other vectors, whatever they are asked for.

    Args:
        vectors: By table, what it is to give.
    """
    with ExitStack() as stack:
        for table, given in vectors.items():

            def give(module: Any, arguments: Any, output: Any, given: Tensor = given) -> Tensor:
                return given

            handle = table.register_forward_hook(give)
            stack.callback(handle.remove)
        yield
