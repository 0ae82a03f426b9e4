#!/usr/bin/env bash
# In data-parallel training with several heads, a last step that leaves a head out averages nothing:
# the processes end with different shared weights, and nothing says so.
#
# One would guess that DistributedDataParallel averages the gradients that there are, or raises. It
# does raise, one step later, when the next forward pass finds the reduction unfinished. After the
# last step there is no next pass: every process has moved the shared layers by its own gradient, and
# the checkpoint holds those of process 0. Tasks that take turns meet this on their last turn. With
# find_unused_parameters=True the processes agree.
#
# torch 2.13.0, gloo, two processes, four steps of which the last trains one head of two.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > run.py <<'PYTHON'
import os
import socket

import torch
import torch.distributed as dist
from torch import multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared, self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 1), nn.Linear(4, 1)

    def forward(self, inputs, heads):
        hidden = self.shared(inputs)
        return sum(getattr(self, head)(hidden).pow(2).mean() for head in heads)


def train(rank, port, find_unused, differences):
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    torch.manual_seed(0)
    model = TwoHeads()
    parallel = DistributedDataParallel(model, find_unused_parameters=find_unused)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.manual_seed(rank)  # each process has its own data
    for step in range(4):
        optimizer.zero_grad()
        parallel(torch.randn(8, 4), "ab" if step < 3 else "a").backward()
        optimizer.step()
    both = [torch.zeros_like(model.shared.weight) for _ in range(2)]
    dist.all_gather(both, model.shared.weight.data)
    differences[rank] = (both[0] - both[1]).abs().max().item()
    dist.destroy_process_group()


if __name__ == "__main__":
    print("torch", torch.__version__)
    found = {}
    for find_unused in (False, True):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        differences = multiprocessing.get_context("spawn").Manager().dict()
        multiprocessing.spawn(train, (port, find_unused, differences), nprocs=2)
        found[find_unused] = differences[0]
        print(f"find_unused_parameters={find_unused}: no error; shared weights of the two processes "
              f"differ by up to {differences[0]:.2g}")
    assert found[False] > 1e-4
    assert found[True] == 0
PYTHON
"$folder/venv/bin/python" run.py
