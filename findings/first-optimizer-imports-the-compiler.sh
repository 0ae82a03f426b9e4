#!/usr/bin/env bash
# The first optimizer of a process imports PyTorch's compiler, though nothing is compiled.
#
# One would guess that making Adam costs nothing after `import torch`. It brings in torch._dynamo and torch.fx
# and half a thousand modules more, which takes about as long as importing torch did. A command that trains
# for seconds, a test that makes one optimizer, a first step that is timed: each pays for it once, in the
# place where nobody looks. What is imported lazily elsewhere to start fast is lost here.
#
# torch 2.13.0: torch._dynamo is not imported by `import torch`, and is by torch.optim.AdamW([...]).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > run.py <<'PYTHON'
import sys
import time

began = time.process_time()
import torch

imported = time.process_time() - began
before = set(sys.modules)
assert "torch._dynamo" not in before
began = time.process_time()
torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
made = time.process_time() - began
new = set(sys.modules) - before
print("torch", torch.__version__)
print(f"import torch {imported:.1f} s; the first optimizer {made:.1f} s and {len(new)} modules")
assert "torch._dynamo" in new
assert len(new) > 200
PYTHON
"$folder/venv/bin/python" run.py
