"""Models of ``transformers``: read from a folder or the Hub, or drawn after a configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from torch import nn as torch_nn

from mtl_utils.data.pretrained_tokenizer import first_line
from mtl_utils.nn.dropout import Dropout
from mtl_utils.nn.large_embedding import make_large
from mtl_utils.nn.pretrained_configuration import without_references


def read_model(source: Any, pretrained: bool, options: Mapping[str, Any]) -> Any:
    """Return a model of ``transformers``.

    Args:
        source: A folder, a name on the Hub, or a configuration.
        pretrained: Whether to read weights; drawn anew otherwise.
        options: Of ``from_pretrained``.

    Raises:
        OSError: If there is no such model.
        ValueError: If it cannot be read here, or no model can be made of the configuration.
    """
    from transformers import AutoConfig, AutoModel  # slow to import; other encoders do without

    if isinstance(source, Mapping):
        return _drawn(source)
    name = os.fspath(source)
    try:
        if pretrained:
            return AutoModel.from_pretrained(name, trust_remote_code=False, **options)
        config = AutoConfig.from_pretrained(name, trust_remote_code=False, **options)
        return AutoModel.from_config(config, trust_remote_code=False)
    except OSError as error:
        raise OSError(
            f"No pretrained model could be read from {name!r}: {first_line(error)} Give a folder "
            "that save_pretrained wrote, nn.packaged_encoder(), or the name of a model on the "
            "Hugging Face Hub, which is downloaded once where there is a network."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{name!r} is no model that can be read here, where code that comes with a model is "
            f"never run: {first_line(error)}"
        ) from error


def _drawn(configuration: Mapping[str, Any]) -> Any:
    """Return a model of ``transformers`` with new weights."""
    from transformers import AutoConfig, AutoModel

    kind = configuration.get("model_type")
    if not isinstance(kind, str):
        raise ValueError(
            f"A configuration names its kind under 'model_type', got {kind!r}. Give what "
            "PretrainedEncoder.configuration returns."
        )
    try:
        config = AutoConfig.for_model(**_with_floats(without_references(configuration)))
        config.architectures = config.architectures or []  # None is not expected everywhere
        return AutoModel.from_config(config, trust_remote_code=False)
    except Exception as error:  # each configuration class has errors of its own
        raise ValueError(
            f"No model can be made of this configuration ({type(error).__name__}: "
            f"{first_line(error)}). Expected what PretrainedEncoder.configuration returns, with "
            f"the kind under 'model_type', got {dict(configuration)!r:.60}"
        ) from error


def _with_floats(content: Any) -> Any:
    """Read numbers that JSON has not, which ``transformers`` writes as ``{"__float__": text}``."""
    if isinstance(content, Mapping):
        if set(content) == {"__float__"}:
            return float(content["__float__"])
        return {key: _with_floats(value) for key, value in content.items()}
    return [_with_floats(value) for value in content] if isinstance(content, list) else content


def make_steady(model: Any) -> None:
    """Make a model the same function whatever it has read before, and keep nothing.

    Args:
        model: Of ``transformers``; changed in place.
    """
    model.config.use_cache = False  # what decoders keep for the next token is not needed
    if hasattr(model.config, "rescale_every"):
        # In evaluation RWKV halves weights for half precision, and a copy of them is read wrong.
        model.config.rescale_every = 0
    if hasattr(model, "set_attention_type"):
        # BigBird leaves its sparse attention for good at the first short text.
        model.set_attention_type("original_full")


def make_light(model: Any) -> None:
    """Make a model faster to train on a processor; it stays the same function.

    What is dropped is drawn as the book's own layers do it, with other random numbers.

    Args:
        model: Of ``transformers``; changed in place.
    """
    make_large(model.get_input_embeddings())
    for module in list(model.modules()):
        for name, part in list(module.named_children()):
            if type(part) is torch_nn.Dropout and 0 <= part.p < 1:
                setattr(module, name, Dropout(part.p, part.inplace).train(part.training))
