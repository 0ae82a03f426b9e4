#!/usr/bin/env bash
# The bias of the keys in attention is trained by rounding noise.
#
# One would guess that two trainings which differ in nothing but the order of a sum, as one process and
# two do, end with weights that agree to rounding. Of nn.TransformerEncoderLayer all do but the bias of
# the keys: its relative distance is 1. A softmax does not see what is added to all scores of a query,
# so the gradient of that bias is zero in exact arithmetic. What is computed is rounding, and Adam
# divides it by its own size: the bias leaves zero, in another direction each time.
#
# It matters to whoever compares checkpoints: weight by weight, data-parallel training looks wrong where
# it is right, and tests with a relative tolerance for each tensor fail for no fault.
#
# torch 2.13.0, single precision, 50 steps of Adam; a batch read at once, or as two halves whose
# gradients are added.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cat > "$folder/trial.py" <<'PYTHON'
import torch
from torch import nn

torch.set_num_threads(1)


def trained(parts: int) -> dict[str, torch.Tensor]:
    """Fifty steps; each batch is read in one part, or in several whose gradients are added."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    draw = torch.Generator().manual_seed(1)
    for _ in range(50):
        rows = torch.randn(8, 6, 16, generator=draw)
        wanted = rows.flip(1)
        optimizer.zero_grad()
        for part, goal in zip(rows.chunk(parts), wanted.chunk(parts)):
            ((layer(part) - goal) ** 2).sum().div(rows.numel()).backward()
        optimizer.step()
    query, key, value = layer.self_attn.in_proj_bias.detach().chunk(3)
    named = {name: p.detach() for name, p in layer.named_parameters()}
    del named["self_attn.in_proj_bias"]
    return named | {"query bias": query, "key bias": key, "value bias": value}


one, two = trained(1), trained(2)
away = {name: float((two[name] - w).norm() / w.norm()) for name, w in one.items()}
print("torch", torch.__version__)
for name, distance in sorted(away.items(), key=lambda pair: -pair[1]):
    print(f"{name:28} relative distance {distance:.0e}, length {float(one[name].norm()):.3f}")
others = max(distance for name, distance in away.items() if name != "key bias")
assert away["key bias"] > 0.01, "the key biases agree now"
assert others < 0.01 * away["key bias"], "other weights differ as much"
assert float(one["key bias"].norm()) > 0.001, "the key bias stays where it was"
print("as found: the bias of the keys alone is another one")
PYTHON
"$folder/venv/bin/python" "$folder/trial.py"
