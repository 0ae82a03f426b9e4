#!/usr/bin/env bash
# Exporting a model to ONNX changes the mode of its parts: what was in evaluation mode is left in training.
#
# One would guess that an export reads a model and leaves it as it was. The exporter that traces puts the
# whole into the mode that it exports, and afterwards every part into the mode that the *whole* had before,
# whatever its own was. An encoder that was frozen with eval() inside a model in training mode, as in
# fine-tuning with a frozen encoder, has dropout again after its first export, and normalisation takes
# statistics from the batch again; no message says so, and losses only get noisier. Note the modes of the
# parts before an export, or call eval() on them again after it.
#
# torch 2.13.0, onnx 1.23.2, dynamo=False: the frozen part is in training mode afterwards, and reads the
# same input differently twice. With dynamo=True each part keeps its mode.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 onnx==1.23.2 onnxscript numpy
cd "$folder"
cat > run.py <<'PYTHON'
import warnings

import torch
from torch import nn

warnings.simplefilter("ignore")


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.frozen = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).eval()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.frozen(x))


def steady(part):
    x = torch.ones(8, 4)
    return torch.equal(part(x), part(x))


torch.manual_seed(0)
found = {}
for dynamo in (False, True):
    model = Whole()
    assert model.training and not model.frozen.training and steady(model.frozen)
    torch.onnx.export(model, (torch.ones(1, 4),), f"{dynamo}.onnx", dynamo=dynamo, verbose=False)
    found[dynamo] = (model.training, model.frozen.training, steady(model.frozen))
    print(f"torch {torch.__version__}, dynamo={dynamo}: whole in training {model.training}, "
          f"frozen part in training {model.frozen.training}, reads alike twice {found[dynamo][2]}")
assert found[False] == (True, True, False)
assert found[True] == (True, False, True)
PYTHON
"$folder/venv/bin/python" run.py
