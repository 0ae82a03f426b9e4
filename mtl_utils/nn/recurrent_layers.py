"""The layers of an LSTM without embeddings: reading past padding, and cutting between layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mtl_utils.nn.encoder import EncoderLayers
from mtl_utils.nn.masks import check_mask
from mtl_utils.nn.recurrent_precision import run_lstm_layers


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
    if mask.device.type == "cpu" and bool(mask.all()):
        return hidden if isinstance(lstm, NoLayers) else run_lstm_layers(lstm, hidden)[0]
    # Packing hides the padding, which the backward direction would otherwise read first. A row
    # without any token counts as one token here and is zeroed below.
    lengths = mask.sum(dim=1).clamp(min=1).cpu()
    packed = pack_padded_sequence(hidden, lengths, batch_first=True, enforce_sorted=False)
    done = packed if isinstance(lstm, NoLayers) else run_lstm_layers(lstm, packed)[0]
    read, _ = pad_packed_sequence(done, batch_first=True, total_length=hidden.shape[1])
    return read.masked_fill(~mask.unsqueeze(-1), 0.0)


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
