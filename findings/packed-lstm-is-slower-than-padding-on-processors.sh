#!/usr/bin/env bash
# On processors a bidirectional LSTM over packed sequences takes far longer than over the padding it avoids.
#
# One would guess that packing, which leaves a third of the positions out, saves a third of the time: that is
# what it is for. PyTorch's fused kernels for processors take padded tensors only; packed ones go through a
# loop over time steps. Whoever trains taggers and translators on processors waits two to four times as long.
# Two one-way LSTMs over padded tensors, the second over sentences turned round within their length, give the
# same states and gradients in less time than packing.
#
# torch 2.13.0 (CPU), 32 units a direction, 2 layers, 16 sentences of 12 to 50 tokens, forward and backward,
# one thread: packed takes 3.3 times as long as each direction by itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > run.py <<'PYTHON'
import statistics
import time

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.manual_seed(0)
torch.set_num_threads(1)
lstm = torch.nn.LSTM(64, 32, 2, batch_first=True, bidirectional=True)
lengths = torch.randint(12, 51, (16,))
lengths[0] = 50
mask = torch.arange(50) < lengths[:, None]
vectors = torch.randn(16, 50, 64) * mask[..., None]
place = torch.arange(50).expand(16, -1)
turned = torch.where(mask, lengths[:, None] - 1 - place, place)


def packed():
    sequence = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(lstm(sequence)[0], batch_first=True)[0]


def turn(states):
    return states.gather(1, turned[..., None].expand_as(states))


def one_way(states, ending):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    weights = [getattr(lstm, name + ending) for name in names]
    zero = torch.zeros(1, 16, 32)
    return torch.lstm(states, (zero, zero), weights, True, 1, 0.0, True, False, True)[0]


def each_way():
    states = vectors
    for layer in range(2):
        forwards = one_way(states, f"_l{layer}")
        backwards = turn(one_way(turn(states), f"_l{layer}_reverse"))
        states = torch.cat([forwards, backwards], -1) * mask[..., None]
    return states


taken = {packed: [], each_way: []}
gradients = {}
for _ in range(12):
    for way, times in taken.items():
        lstm.zero_grad()
        began = time.process_time()
        way().square().sum().backward()
        times.append(time.process_time() - began)
        gradients[way] = [parameter.grad.clone() for parameter in lstm.parameters()]
difference = (packed() - each_way()).abs().max().item()
furthest = max((a - b).abs().max().item() for a, b in zip(*gradients.values()))
ratio = statistics.median(taken[packed]) / statistics.median(taken[each_way])
print("torch", torch.__version__)
print(f"states differ by at most {difference:.1e}, gradients by {furthest:.1e}")
print(f"packed takes {ratio:.1f} times as long; {mask.float().mean():.0%} of the places hold tokens")
assert difference < 1e-5
assert furthest < 1e-2
assert ratio > 1.5
PYTHON
"$folder/venv/bin/python" run.py
