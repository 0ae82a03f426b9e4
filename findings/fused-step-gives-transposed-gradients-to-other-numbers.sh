#!/usr/bin/env bash
# A fused optimizer on a processor gives each number another number's step where a gradient lies transposed.
#
# One would guess that an optimizer reads a gradient as a tensor, by its shape. The fused kernels of SGD, Adam,
# AdamW and Adagrad on a processor read it as memory, from the first number on. backward() copies a gradient
# into the order of its parameter; torch.autograd.grad does not, and for a weight inside einsum or bmm returns
# a transposed view. Whoever computes one gradient a task with it, combines them and writes the sum into .grad,
# as methods for conflicting gradients do, trains with a permuted step. No error, no warning, and the loss
# still falls for a while. A copy in the order of the parameter, torch.empty_like(p).copy_(g), prevents it.
#
# torch 2.13.0, processor: with fused=False the step equals that of the contiguous gradient, with fused=True
# it does not, for all four; after backward() both are equal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > run.py <<'PYTHON'
import torch

torch.manual_seed(0)
inputs, weight = torch.randn(5, 3), torch.randn(4, 3)


def stepped(kind, fused, by):
    """Return the weight after one step, by autograd.grad or by backward()."""
    parameter = torch.nn.Parameter(weight.clone())
    loss = torch.einsum("bi,oi->bo", inputs, parameter).square().sum()
    if by == "backward":
        loss.backward()
    else:
        (parameter.grad,) = torch.autograd.grad(loss, parameter)
        if by == "copied":
            parameter.grad = parameter.grad.contiguous()
    settings = {} if kind is torch.optim.SGD else {"eps": 1.0}
    kind([parameter], lr=0.1, fused=fused, **settings).step()
    return parameter.detach(), parameter.grad.stride()


print("torch", torch.__version__)
for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad):
    plain, strides = stepped(kind, fused=False, by="grad")
    fused, _ = stepped(kind, fused=True, by="grad")
    assert strides == (1, 4), strides  # the weight's own are (3, 1)
    wrong = (plain - fused).abs().max().item()
    print(f"{kind.__name__}: fused and plain steps differ by up to {wrong:.2f}")
    assert wrong > 0.01
    for by in ("copied", "backward"):
        both = [stepped(kind, fused=choice, by=by)[0] for choice in (True, False)]
        torch.testing.assert_close(*both)
        torch.testing.assert_close(both[0], plain)
PYTHON
"$folder/venv/bin/python" run.py
