#!/usr/bin/env bash
# torch.autograd.grad hands out one and the same tensor as the gradient of two parameters that are added,
# and clipping then scales it twice. Tensor.backward gives each parameter a tensor of its own.
#
# One would guess that gradients from grad() may be put into .grad and treated as those of backward().
# Where a weight is the sum of a shared part and one of the task (Evgeniou and Pontil, 2004), both
# derivatives are equal, and grad() returns the same object for both. clip_grad_norm_ to a length of 1
# then leaves a gradient far shorter than 1, and nothing says so. Gradient combiners for multi-task
# learning are built on grad().
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

print("torch", torch.__version__)
inputs = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


def parts():
    return nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.zeros(2, 2))


def loss_of(shared, own):
    return nn.functional.linear(inputs, shared + own).square().sum()


def length(parameters):
    return torch.stack([p.grad.norm() for p in parameters]).norm().item()


lengths = {}
for way in ("backward", "autograd.grad"):
    parameters = parts()
    loss = loss_of(*parameters)
    if way == "backward":
        loss.backward()
    else:
        found = torch.autograd.grad(loss, parameters)
        print("one object for both parameters:", found[0] is found[1])
        assert found[0] is found[1]
        for parameter, gradient in zip(parameters, found, strict=True):
            parameter.grad = gradient
    before = length(parameters)
    nn.utils.clip_grad_norm_(parameters, 1.0)
    lengths[way] = length(parameters)
    print(f"{way}: length {before:.1f}, clipped to 1.0 it is {lengths[way]:.4f}")
assert abs(lengths["backward"] - 1) < 1e-4
assert lengths["autograd.grad"] < 0.1
PYTHON
"$folder/venv/bin/python" run.py
