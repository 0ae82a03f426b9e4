#!/usr/bin/env bash
# Captum's convergence delta of layer integrated gradients stays where it is, however many steps are
# taken, if the model makes its padding mask from the ids and the baseline is a text of padding. The
# attributions are exact all the same.
#
# The delta is there to say whether the steps were enough: completeness holds for the integral, so one
# would guess that it goes to 0 with more of them, and that a delta that does not is a sign of wrong
# attributions. Here it is neither. The path moves the embeddings alone, with the mask of the text; the
# delta compares their sum with the model called on the ids of the baseline, which has another mask.
# With the mask passed as an argument the same attributions come with a delta that goes to 0. Most
# encoders of texts make a mask from the ids where none is given, and a baseline of padding is what
# the tutorials take.
#
# torch 2.13.0, captum 0.9.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 captum==0.9.0
cd "$folder"
cat > run.py <<'PYTHON'
import warnings
from importlib.metadata import version

import torch
from captum.attr import LayerIntegratedGradients
from torch import nn

warnings.simplefilter("ignore")
torch.manual_seed(0)
PADDING = 0


class Reader(nn.Module):
    """The mean of a smooth function of the embeddings, over what is no padding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.inner, self.output = nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, ids, mask=None):
        mask = (ids != PADDING) if mask is None else mask
        hidden = torch.tanh(self.inner(self.embedding(ids))) * mask.unsqueeze(-1)
        return self.output(hidden.sum(1) / mask.sum(1, keepdim=True).clamp(min=1))


reader = Reader().double().eval()
ids = torch.tensor([[3, 7, 11, 5, 2]])
baseline = torch.full_like(ids, PADDING)
explained = LayerIntegratedGradients(reader, reader.embedding)
for name in ("torch", "captum"):
    print(name, version(name))
found = {}
for way, more in (("mask from the ids", None), ("mask as an argument", ids != PADDING)):
    for steps in (5, 50, 500):
        scores, delta = explained.attribute(
            ids,
            baselines=baseline,
            target=1,
            n_steps=steps,
            additional_forward_args=more,
            return_convergence_delta=True,
        )
        found[way, steps] = scores, float(delta)
        print(f"{way}, {steps} steps: delta {float(delta):.1e}")
inner, given = (found[way, 500] for way in ("mask from the ids", "mask as an argument"))
print("largest difference of the attributions:", float((inner[0] - given[0]).abs().max()))
assert torch.equal(inner[0], given[0])
assert abs(given[1]) < 1e-6 < 1e-2 < abs(inner[1])
assert abs(inner[1] - found["mask from the ids", 50][1]) < 1e-6
PYTHON
OMP_NUM_THREADS=1 "$folder/venv/bin/python" run.py
