"""Reading without packing: states and gradients are those of PyTorch's packed sequences."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.nn import recurrent_layers
from mtl_utils.nn.recurrent_layers import read_padded


def _read(
    how: Callable[[torch_nn.LSTM, Tensor, Tensor], Tensor],
    lstm: torch_nn.LSTM,
    hidden: Tensor,
    mask: Tensor,
) -> list[Tensor]:
    """Return the states, and the gradients of what is read and of every weight."""
    given = hidden.clone().requires_grad_()
    states = how(lstm, given, mask)
    weights = torch.linspace(-1, 1, states.numel(), dtype=states.dtype).view_as(states)
    wanted = [given, *lstm.parameters()]
    return [states.detach(), *torch.autograd.grad((states * weights).sum(), wanted)]


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lengths", [(7, 3, 5, 1), (4, 4, 7, 7), (7, 6, 0, 5)])
def test_states_and_gradients_equal_those_of_packed_sequences(
    num_layers: int, bidirectional: bool, bias: bool, lengths: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    lstm = torch_nn.LSTM(
        6, 4, num_layers, bias=bias, batch_first=True, bidirectional=bidirectional
    ).double()
    mask = torch.arange(7) < torch.tensor(lengths).unsqueeze(1)
    hidden = torch.randn(len(lengths), 7, 6, dtype=torch.float64)
    packed = _read(recurrent_layers._read_packed, lstm, hidden, mask)
    each_way = _read(recurrent_layers._read_each_way, lstm, hidden, mask)
    for theirs, ours in zip(packed, each_way, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def _note(name: str, called: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Note what a function of the module is called with."""
    original = getattr(recurrent_layers, name)

    def noting(*given: Any) -> Tensor:
        called.append((name, given))
        found: Tensor = original(*given)
        return found

    monkeypatch.setattr(recurrent_layers, name, noting)


@pytest.mark.parametrize(
    ("lengths", "how"), [((8, 2, 1), "_read_packed"), ((8, 6, 4), "_read_each_way")]
)
def test_padding_is_read_along_where_there_is_little_of_it(
    lengths: tuple[int, ...], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []
    for name in ("_read_packed", "_read_each_way"):
        _note(name, called, monkeypatch)
    mask = torch.arange(8) < torch.tensor(lengths).unsqueeze(1)
    read_padded(torch_nn.LSTM(2, 2, batch_first=True), torch.zeros(3, 8, 2), mask)
    assert [name for name, _ in called] == [how]


def test_units_are_dropped_between_layers_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in PyTorch: of what the second layer reads, not of what comes out."""
    torch.manual_seed(0)
    lstm = torch_nn.LSTM(4, 64, 2, batch_first=True, bidirectional=True, dropout=0.5)
    called: list[Any] = []
    _note("run_direction", called, monkeypatch)
    mask = torch.tensor([[True] * 5, [True] * 4 + [False]])
    hidden = torch.randn(2, 5, 4)
    out = read_padded(lstm, hidden, mask)
    read_padded(lstm.eval(), hidden, mask)
    first, _, second, _, _, _, evaluated, _ = (given[0][mask] for _, given in called)
    assert not (first == 0).any()
    assert 0.4 < (second == 0).float().mean() < 0.6
    assert not (evaluated == 0).any()
    assert not (out[mask] == 0).any()
    torch.testing.assert_close(second[second != 0], 2 * evaluated[second != 0])
