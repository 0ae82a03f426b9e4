#!/usr/bin/env bash
# An embedding that K tasks read in one step makes K gradients as large as the vocabulary, and adds them up.
#
# One would guess that the calls of one backward pass write into one gradient, or that only the rows that were
# read are touched: a batch reads a few hundred of thirty thousand. PyTorch makes the gradient of each call a
# dense table of its own, nearly all of it zeros, and then adds the tables. A model that is fine-tuned on data
# sets of several tasks calls its encoder once for each; with a vocabulary of BERT's size and width 384 that is
# 47 MB for each task and step, more time than a layer of the encoder takes. sparse=True is no way round: the
# gradient is then sparse for good, which Adam refuses.
#
# torch 2.13.0 (CPU), four calls with 512 ids each: four tables of 30522 x 384, of whose rows 2% are not zero.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > run.py <<'PYTHON'
import torch
from torch.utils._python_dispatch import TorchDispatchMode

VOCABULARY, WIDTH, TASKS = 30522, 384, 4


class Tables(TorchDispatchMode):
    """Notes every gradient of an embedding, and every sum of tables of that size."""

    def __init__(self):
        super().__init__()
        self.made, self.added = [], 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function is torch.ops.aten.embedding_dense_backward.default:
            self.made.append((tuple(result.shape), result.any(1).float().mean().item()))
        if function in (torch.ops.aten.add.Tensor, torch.ops.aten.add_.Tensor):
            self.added += tuple(result.shape) == (VOCABULARY, WIDTH)
        return result


torch.manual_seed(0)
embedding = torch.nn.Embedding(VOCABULARY, WIDTH)
batches = [torch.randint(VOCABULARY, (16, 32)) for _ in range(TASKS)]
loss = sum(embedding(batch).square().mean() for batch in batches)
with Tables() as tables:
    loss.backward()
print("torch", torch.__version__)
for shape, share in tables.made:
    print(f"a table of {shape[0]} x {shape[1]}, {share:.1%} of its rows not zero")
print(f"{tables.added} sums of tables of that size")
assert [shape for shape, _ in tables.made] == [(VOCABULARY, WIDTH)] * TASKS
assert max(share for _, share in tables.made) < 0.02
assert tables.added == TASKS - 1

sparse = torch.nn.Embedding(VOCABULARY, WIDTH, sparse=True)
sparse(batches[0]).sum().backward()
try:
    torch.optim.AdamW(sparse.parameters()).step()
except RuntimeError as error:
    print("AdamW:", error)
else:
    raise AssertionError("AdamW takes sparse gradients now")
PYTHON
"$folder/venv/bin/python" run.py
