"""LSTMs in half precision on processors that have no instructions for it."""

from __future__ import annotations

from functools import cache
from typing import TypeVar

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn.utils.rnn import PackedSequence

Sequence = TypeVar("Sequence", Tensor, PackedSequence)
State = tuple[Tensor, Tensor]


def run_lstm_layers(
    lstm: torch_nn.LSTM, sequence: Sequence, state: State | None = None
) -> tuple[Sequence, State]:
    """Call an LSTM, in whatever precision this processor can.

    Under autocast PyTorch hands an LSTM to a library that has no implementation in half precision
    for processors without the instructions, and stops; packed sequences, those with padding, go
    another way. All are computed in single precision there, which is faster than imitating the
    other.

    Args:
        lstm: Of any number of layers.
        sequence: What it reads, padded or packed.
        state: Hidden and cell state before; zero if ``None``.

    Returns:
        What it returns, in the precision that was asked for.
    """
    weight, wanted = lstm.weight_ih_l0, torch.get_autocast_dtype("cpu")
    assert isinstance(weight, Tensor)
    if not _is_asked(weight):
        return lstm(sequence, state)
    if has_mixed_lstm(wanted):
        outputs, after = lstm(sequence, state)  # of packed sequences in single precision
    else:
        with torch.autocast("cpu", enabled=False):
            before = None if state is None else (state[0].float(), state[1].float())
            outputs, after = lstm(sequence.to(weight.dtype), before)
    return outputs.to(wanted), (after[0].to(wanted), after[1].to(wanted))


def run_direction(hidden: Tensor, weights: list[Tensor], training: bool) -> Tensor:
    """Run one direction of one layer of an LSTM, from a state of zeros; see above.

    Args:
        hidden: What it reads ``[B, T, D]``.
        weights: As :class:`torch.nn.LSTM` has them: of inputs, of states, and the biases if any.
        training: Whether a gradient may be asked for.

    Returns:
        States ``[B, T, H]``, in the precision that was asked for.
    """
    if _is_beyond(weights[0]):
        wanted = torch.get_autocast_dtype("cpu")
        with torch.autocast("cpu", enabled=False):
            return run_direction(hidden.to(weights[0].dtype), weights, training).to(wanted)
    zeros = hidden.new_zeros(1, hidden.shape[0], weights[1].shape[1])
    states: Tensor
    states, *_ = torch.lstm(
        hidden, (zeros, zeros), weights, len(weights) > 2, 1, 0.0, training, False, True
    )
    return states


def _is_beyond(weight: Tensor) -> bool:
    """Tell whether autocast asks for a precision in which this processor has no LSTM."""
    return _is_asked(weight) and not has_mixed_lstm(torch.get_autocast_dtype("cpu"))


def _is_asked(weight: Tensor) -> bool:
    """Tell whether autocast asks for another precision on the processor."""
    if weight.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return False
    return weight.dtype == torch.float32  # autocast leaves weights of any other as they are


@cache
def has_mixed_lstm(dtype: torch.dtype) -> bool:
    """Tell whether PyTorch can run an LSTM under autocast on this processor, by trying.

    Args:
        dtype: The precision of autocast.
    """
    with torch.random.fork_rng(devices=[]):
        lstm = torch_nn.LSTM(1, 1, batch_first=True)
    try:
        with torch.enable_grad(), torch.autocast("cpu", dtype):
            lstm(torch.zeros(1, 1, 1))[0].sum().backward()
    except RuntimeError:
        return False
    return True
