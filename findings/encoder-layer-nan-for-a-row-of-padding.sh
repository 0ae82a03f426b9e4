#!/usr/bin/env bash
# nn.TransformerEncoderLayer gives numbers for a row that is all padding while it trains, and nan in
# evaluation without gradients.
#
# One would guess that evaluation computes what training does, less the dropout. In evaluation mode
# under no_grad another, fused path is taken, and its softmax over nothing is nan. Rows without any
# token are ordinary in multi-task batches (a missing second text, an empty document, filler for a
# process that has run out of rows): training goes well, and a mean over validation is nan.
#
# torch 2.13.0 on a CPU.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > run.py <<'PYTHON'
import torch
from torch import nn

torch.manual_seed(0)
layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
inputs = torch.randn(2, 3, 8)
padding = torch.tensor([[False, False, True], [True, True, True]])

results = {"training": layer(inputs, src_key_padding_mask=padding)}
layer.eval()
results["evaluation with gradients"] = layer(inputs, src_key_padding_mask=padding)
with torch.no_grad():
    results["evaluation, no_grad"] = layer(inputs, src_key_padding_mask=padding)

print("torch", torch.__version__)
for name, states in results.items():
    print(f"{name}: nan in the row with text {bool(states[0].isnan().any())}, "
          f"in the row of padding {bool(states[1].isnan().any())}")
assert not results["training"].isnan().any()
assert not results["evaluation with gradients"].isnan().any()
assert not results["evaluation, no_grad"][0, :2].isnan().any()
assert results["evaluation, no_grad"][1].isnan().any()
PYTHON
"$folder/venv/bin/python" run.py
