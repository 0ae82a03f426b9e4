"""The layers of an LSTM without embeddings: reading past padding, and cutting between layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mtl_utils.nn.encoder import EncoderLayers
from mtl_utils.nn.masks import check_mask
from mtl_utils.nn.recurrent_precision import run_direction, run_lstm_layers


class NoLayers(torch_nn.Module):
    """Stands where an LSTM would, and returns what it is given; PyTorch has no LSTM of 0 layers."""

    num_layers = 0
    dropout = 0.0

    def forward(self, sequence: Any) -> tuple[Any, None]:
        """Return what was given, and no state.

        Args:
            sequence: A tensor, or a packed sequence.
        """
        return sequence, None


class LSTMLayers(EncoderLayers):
    """The upper layers of an LSTM that was cut.

    Args:
        lstm: The layers.
        width: Size of a hidden state, D.
        causal: Whether they read from left to right only.
        dropout: Probability of dropping a unit of what the lowest of them reads.
    """

    def __init__(
        self, lstm: torch_nn.LSTM | NoLayers, width: int, causal: bool, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.width, self.causal = width, causal
        self.dropout = torch_nn.Dropout(dropout)
        self.lstm = lstm

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Run the layers.

        Args:
            hidden: ``[B, T, D]``; what it holds at padding does not matter.
            mask: ``[B, T]``, True where there is a token.

        Returns:
            ``[B, T, D]``, zero at padding.
        """
        return read_padded(self.lstm, self.dropout(hidden), mask)


def read_padded(lstm: torch_nn.LSTM | NoLayers, hidden: Tensor, mask: Tensor) -> Tensor:
    """Run an LSTM over texts of different lengths.

    Args:
        lstm: Batch first.
        hidden: What it reads ``[B, T, D]``.
        mask: ``[B, T]``, True where there is a token.

    Returns:
        Hidden states ``[B, T, D]``, zero at padding.

    Raises:
        TypeError: If the mask is not boolean.
        ValueError: If the shapes do not fit.
    """
    check_mask(mask)
    if hidden.dim() != 3 or mask.shape != hidden.shape[:2]:
        raise ValueError(
            f"Expected hidden [B, T, D] and a mask [B, T], got {list(hidden.shape)} and "
            f"{list(mask.shape)}"
        )
    if hidden.shape[1] == 0:  # an LSTM refuses to read nothing
        return hidden
    if isinstance(lstm, NoLayers):
        return hidden.masked_fill(~mask.unsqueeze(-1), 0.0)
    if mask.device.type != "cpu":
        return _read_packed(lstm, hidden, mask)
    if bool(mask.all()):
        return run_lstm_layers(lstm, hidden)[0]
    # The fused kernels of processors do not take packed sequences, and are two to five times as
    # fast; where most is padding, they spend that on reading it.
    mostly_padding = int(mask.sum()) < mask.numel() * _LEAST_FILLED
    if mostly_padding or lstm.proj_size or not lstm.batch_first:
        return _read_packed(lstm, hidden, mask)
    return _read_each_way(lstm, hidden, mask)


#: Share of places that must hold tokens for padding to be read along.
_LEAST_FILLED = 0.5


def _read_packed(lstm: torch_nn.LSTM, hidden: Tensor, mask: Tensor) -> Tensor:
    """Hide the padding by packing, or the backward direction would read it first."""
    # A row without any token counts as one token here and is zeroed below.
    lengths = mask.sum(dim=1).clamp(min=1).cpu()
    packed = pack_padded_sequence(hidden, lengths, batch_first=True, enforce_sorted=False)
    done = run_lstm_layers(lstm, packed)[0]
    read, _ = pad_packed_sequence(done, batch_first=True, total_length=hidden.shape[1])
    return read.masked_fill(~mask.unsqueeze(-1), 0.0)


def _read_each_way(lstm: torch_nn.LSTM, hidden: Tensor, mask: Tensor) -> Tensor:
    """Read each direction by itself, the texts turned round for the second, padding last in both.

    What stands after a text changes none of its states, so nothing needs to be packed.
    """
    turned, padding = _turned_within(mask), ~mask.unsqueeze(-1)
    for layer in range(lstm.num_layers):
        if layer:
            hidden = functional.dropout(hidden, lstm.dropout, lstm.training)
        hidden = hidden.masked_fill(padding, 0.0)  # what stands there may be no number
        states = [_read_one_way(lstm, hidden, f"_l{layer}")]
        if lstm.bidirectional:
            backwards = _read_one_way(lstm, _places(hidden, turned), f"_l{layer}_reverse")
            states.append(_places(backwards, turned))
        hidden = torch.cat(states, dim=-1)
    return hidden.masked_fill(padding, 0.0)


def _turned_within(mask: Tensor) -> Tensor:
    """Return for each place ``[B * T]`` the one from which it is filled when texts are turned."""
    batch, length = mask.shape
    lengths = mask.sum(dim=1, keepdim=True)
    place = torch.arange(length)
    turned = torch.where(place < lengths, lengths - 1 - place, place)
    return (turned + length * torch.arange(batch).unsqueeze(1)).flatten()


def _places(hidden: Tensor, places: Tensor) -> Tensor:
    return hidden.flatten(0, 1).index_select(0, places).view_as(hidden)


def _read_one_way(lstm: torch_nn.LSTM, hidden: Tensor, ending: str) -> Tensor:
    """Run one direction of one layer, in whatever precision this processor can."""
    kinds = ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if lstm.bias else ()))
    weights = [getattr(lstm, kind + ending) for kind in kinds]
    return run_direction(hidden, weights, lstm.training)


def copy_layers(lstm: torch_nn.LSTM | NoLayers, start: int, stop: int) -> torch_nn.LSTM | NoLayers:
    """Copy some layers of an LSTM, whose layers all read vectors of one size.

    Args:
        lstm: Left as it is.
        start: The lowest layer to copy, from 0.
        stop: The layer after the last one to copy.

    Returns:
        ``stop - start`` layers with weights of their own, equal to those of the original.
    """
    if isinstance(lstm, NoLayers) or start == stop:
        return NoLayers().train(lstm.training)
    of_weights = lstm.weight_ih_l0
    assert isinstance(of_weights, Tensor)
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and overwritten below
        part = torch_nn.LSTM(
            lstm.input_size,
            lstm.hidden_size,
            stop - start,
            batch_first=True,
            dropout=lstm.dropout if stop - start > 1 else 0.0,
            bidirectional=lstm.bidirectional,
            dtype=of_weights.dtype,
        ).to(of_weights.device)
    originals = dict(lstm.named_parameters())
    for name, parameter in part.named_parameters():  # such as weight_ih_l0_reverse
        kind, rest = name.rsplit("_l", 1)
        layer, *direction = rest.split("_")
        original = originals["_".join([f"{kind}_l{int(layer) + start}", *direction])]
        with torch.no_grad():
            parameter.copy_(original)
        parameter.requires_grad_(original.requires_grad)
    return part.train(lstm.training)
