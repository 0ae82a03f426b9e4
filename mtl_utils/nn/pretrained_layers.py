"""The layers of a pretrained model: telling them apart, and some of them as a module of its own."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.arguments import check_cut
from mtl_utils.nn.encoder import EncoderLayers
from mtl_utils.nn.masks import check_mask


class PretrainedLayers(EncoderLayers):
    """Some layers of a pretrained encoder, without its embeddings; see ``PretrainedEncoder.cut``.

    Args:
        model: A model of ``transformers`` whose layers can be told apart; copied.
        start: How many of its layers to leave out, from the bottom up.
        frozen: How many of those that are kept are frozen, from the bottom up: they stay in
            evaluation mode.
        layers_above: How many layers were cut off above, of which learning rates know.
        causal: Whether the model is causal.
    """

    def __init__(
        self, model: Any, start: int, frozen: int = 0, layers_above: int = 0, causal: bool = False
    ) -> None:
        super().__init__()
        self.model = with_layers(copy.deepcopy(model), slice(start, None))
        self.model.embeddings = _Given().train(model.training)
        self.width = int(model.config.hidden_size)
        self.layers_above, self.causal = layers_above, causal
        self._frozen = frozen
        self.training = model.training

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Run all layers.

        Args:
            hidden: ``[B, T, D]``; what it holds at padding does not matter.
            mask: ``[B, T]``, True where there is a token.

        Returns:
            ``[B, T, D]``, zero at padding.

        Raises:
            TypeError: If the mask is not boolean.
        """
        check_mask(mask)
        if hidden.numel() > 0:
            given = {"inputs_embeds": hidden, "attention_mask": attended(mask)}
            hidden = self.model(**given).last_hidden_state
        return hidden.masked_fill(~mask.unsqueeze(-1), 0.0)

    def parameters_by_depth(self) -> list[list[torch_nn.Parameter]]:
        """Return the parameters of each layer, from the bottom up."""
        return [list(layer.parameters()) for layer in find_layers(self.model)[1]]

    def freeze(self, num_layers: int | None = None) -> None:
        """Freeze the lowest layers, and nothing else; see ``PretrainedEncoder.freeze``.

        Args:
            num_layers: How many; ``None`` for all, 0 for none.

        Raises:
            ValueError: If there are not as many layers.
        """
        layers = find_layers(self.model)[1]
        number = len(layers) if num_layers is None else num_layers
        check_cut(number, len(layers))
        self._frozen = number
        for place, layer in enumerate(layers):
            layer.requires_grad_(place >= number)
        self.train(self.training)

    def unfreeze(self) -> None:
        """Let everything be trained."""
        self.freeze(0)

    def train(self, mode: bool = True) -> PretrainedLayers:
        """Set the mode of all layers that are not frozen.

        Args:
            mode: Whether to train.
        """
        super().train(mode)
        for layer in find_layers(self.model)[1][: self._frozen]:
            layer.eval()
        return self


class _Given(torch_nn.Module):
    """Stands where a model has its embeddings, and returns the states that it is given."""

    def forward(self, input_ids: None = None, inputs_embeds: Any = None, *_: Any, **__: Any) -> Any:
        return inputs_embeds


def attended(mask: Tensor) -> Tensor:
    """Return the attention mask that models of ``transformers`` expect.

    A row without any token counts as one token, and is to be zeroed afterwards: attention to
    nothing is nan, and so would be its gradient.

    Args:
        mask: ``[B, T]``, True where there is a token.

    Raises:
        TypeError: If the mask is not boolean.
    """
    check_mask(mask)
    first = torch.arange(mask.shape[1], device=mask.device) == 0
    return (mask | first & ~mask.any(dim=1, keepdim=True)).long()


def find_layers(model: Any) -> tuple[str, torch_nn.ModuleList]:
    """Return the outermost list of modules, which are the layers, and its name.

    Args:
        model: A model of ``transformers``.

    Raises:
        ValueError: If the layers share their parameters, or cannot be told apart.
    """
    for name, module in model.named_modules():
        if isinstance(module, torch_nn.ModuleList):
            if len(module) == model.config.num_hidden_layers:
                return name, module
            break
    raise ValueError(
        f"The layers of a {type(model).__name__} cannot be told apart: it shares them, or "
        "keeps them in an unusual place. Freeze its parameters with requires_grad_(False), and "
        "give the Trainer parameter_groups of your own."
    )


def depths(model: Any) -> dict[str, int]:
    """Say how deep each module lies: 0 for embeddings, then 1 to L, and L for what follows.

    Args:
        model: A model of ``transformers``.

    Returns:
        The depths by name of the module; what holds the layers, and other parts too, has depth 0.

    Raises:
        ValueError: If the layers share their parameters, or cannot be told apart.
    """
    path, layers = find_layers(model)
    found, passed = {}, False
    for name, _ in model.named_modules():
        if name.startswith(f"{path}."):
            found[name] = int(name.removeprefix(f"{path}.").split(".")[0]) + 1
        else:
            # A normalisation of embeddings may stand after the layers, and says so in its name.
            found[name] = len(layers) if passed and "emb" not in name else 0
        passed = passed or name == path
    return found


def with_layers(model: Any, kept: slice) -> Any:
    """Keep some layers of a model, and return it.

    Args:
        model: A model of ``transformers``; changed.
        kept: Which layers.
    """
    path, layers = find_layers(model)
    holder, _, name = path.rpartition(".")
    remaining = layers[kept]
    remaining.training = layers.training  # new lists begin in training mode
    setattr(model.get_submodule(holder), name, remaining)
    model.config.num_hidden_layers = len(remaining)
    return model
