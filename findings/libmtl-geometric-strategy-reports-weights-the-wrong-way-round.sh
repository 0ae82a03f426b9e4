#!/usr/bin/env bash
# LibMTL's geometric loss strategy trains with one set of weights and returns another: the loss that pulls
# least is reported as the heaviest.
#
# One would guess that the array returned by backward, which LibMTL calls the weights of the batch, says how
# heavily each loss counted. The gradient of the geometric mean G of K losses is G / (K L_k) times that of
# L_k, so that small losses weigh most, and that is what the parameters get. What is returned grows with
# the loss. Whoever plots weights over a training to see which task is favoured reads the plot upside down.
#
# The release cannot be imported as a whole beside any torch of today: its first line asks for
# torchvision.models.utils, which torchvision has no longer. So the strategies are imported alone here.
#
# LibMTL 1.1.5, torch 2.13.0 on a CPU.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 scipy==1.17.1 setuptools==80.9.0 wheel==0.45.1
"$folder/venv/bin/pip" install --quiet --no-deps --no-build-isolation LibMTL==1.1.5
cd "$folder"
cat > run.py <<'PYTHON'
import sys
from importlib.metadata import distribution, version
from types import ModuleType

import torch

package = ModuleType("LibMTL")  # without what its own first lines import
package.__path__ = [str(distribution("LibMTL").locate_file("LibMTL"))]
sys.modules["LibMTL"] = package
from LibMTL.weighting import GLS

print("LibMTL", version("LibMTL"), "torch", torch.__version__)
strategy = GLS()
strategy.task_num = 2
shared = torch.ones(2, requires_grad=True)  # each loss has a coordinate of its own, and slope 1
losses = torch.stack([shared[0], shared[1] + 3.0])  # 1 and 4
told = strategy.backward(losses)
pulled = shared.grad.tolist()
mean = (1.0 * 4.0) ** 0.5
expected = [mean / (2 * 1.0), mean / (2 * 4.0)]
print("losses", losses.tolist())
print("what the gradients were multiplied by:", pulled)
print("weights that were returned:           ", told.tolist())
assert all(abs(a - b) < 1e-6 for a, b in zip(pulled, expected, strict=True))
assert pulled[0] > pulled[1] and told[0] < told[1]
PYTHON
"$folder/venv/bin/python" run.py
