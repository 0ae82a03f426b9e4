#!/usr/bin/env bash
# safetensors returns the tensors of one file in another order from process to process.
#
# One would guess that a dictionary read from a file has the order of the file. The reader keeps its
# table in a map with a random hash. Code that asks the first tensor for the precision of a model, as in
# next(iter(weights.values())).dtype, is right until a buffer of another type is saved beside the
# weights, and then right most of the time: the model loads today and fails, or is silently converted,
# tomorrow.
#
# safetensors 0.8.0, numpy 2.4.6: 24 processes read a file of two tensors, both orders occur.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6
cd "$folder"
cat > run.py <<'PYTHON'
import subprocess
import sys

import numpy
import safetensors
from safetensors.numpy import save_file

READ = """
from safetensors.numpy import load
print(*load(open("pair.safetensors", "rb").read()))
"""

save_file(
    {"weight": numpy.zeros(3, numpy.float32), "labels": numpy.zeros(3, numpy.uint8)},
    "pair.safetensors",
)
runs = [
    subprocess.run([sys.executable, "-c", READ], capture_output=True, check=True, text=True)
    for _ in range(24)
]
orders = [run.stdout.strip() for run in runs]
print("safetensors", safetensors.__version__)
for order in sorted(set(orders)):
    print(f"{orders.count(order)} of 24 processes read: {order}")
assert set(orders) == {"weight labels", "labels weight"}
PYTHON
"$folder/venv/bin/python" run.py
