#!/usr/bin/env bash
# torch.nn.functional.grouped_mm multiplies float32 matrices, and is refused by torch.compile and
# torch.export, which say that inputs must be bfloat16.
#
# One would guess that what runs can be traced. The kernel takes float32; the shape function that
# tracing asks instead takes bfloat16 alone. Mixtures of experts and adapters for several tasks in one
# batch are what the function is for, and they fail at export after having trained.
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
from torch.nn import functional

torch.manual_seed(0)
rows, weights = torch.randn(8, 16), torch.randn(2, 16, 16)
ends = torch.tensor([3, 8], dtype=torch.int32)


class Experts(nn.Module):
    def forward(self, rows, weights, ends):
        return functional.grouped_mm(rows, weights, offs=ends)


print("torch", torch.__version__)
expected = torch.cat([rows[:3] @ weights[0], rows[3:] @ weights[1]])
difference = (Experts()(rows, weights, ends) - expected).abs().max().item()
print(f"eager, float32: largest difference from two matrix products {difference:.1e}")
assert difference < 1e-5

for name, call in {
    "torch.compile": lambda: torch.compile(Experts())(rows, weights, ends),
    "torch.export": lambda: torch.export.export(Experts(), (rows, weights, ends)),
}.items():
    try:
        call()
    except Exception as error:
        words = " ".join(str(error).split())
        print(f"{name}: {type(error).__name__}: ...{words[words.find('Expected'):][:90]}")
        assert "BF16" in words
    else:
        raise SystemExit(f"{name} works now")
PYTHON
"$folder/venv/bin/python" run.py 2> errors || { cat errors >&2; exit 1; }
