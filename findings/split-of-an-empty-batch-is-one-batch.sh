#!/usr/bin/env bash
# Tensor.split cuts a batch of no rows into one part of no rows, not into none, and the mean loss of that
# part is nan.
#
# One would guess that a loop over parts of size n runs ceil(rows / n) times: never, for no rows. It runs
# once. Where a step gathers the rows of each task and accumulates gradients over parts of them, a task
# that is absent from a step then adds nan to the loss of all.
#
# torch 2.13.0 on a CPU.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > run.py <<'PYTHON'
import math

import torch
from torch.nn import functional

print("torch", torch.__version__)
for rows in (5, 4, 1, 0):
    logits, labels = torch.zeros(rows, 3), torch.zeros(rows, dtype=torch.long)
    pieces = list(zip(logits.split(2), labels.split(2), strict=True))
    total = sum(functional.cross_entropy(*piece) for piece in pieces)
    wanted = math.ceil(rows / 2)
    print(f"{rows} rows in parts of 2: {len(pieces)} parts (ceil gives {wanted}), losses add up to {total}")
    assert len(pieces) == max(wanted, 1)
    assert rows or math.isnan(total)
PYTHON
"$folder/venv/bin/python" run.py
