#!/usr/bin/env bash
# torch.kron raises on a matrix that torch.linalg.inv made, and on any transposed one.
#
# What most would have guessed: where `a` and `a.clone()` hold the same numbers, an operation takes both, since
# kron only multiplies entries. But inv returns its result column by column, and kron looks at the first factor through
# `view`, so that it stops with a message about views and strides, of tensors that the caller never made. It does so only
# if the second factor is laid out row by row: with two transposed factors it runs.
#
# Why it matters: penalties that tie tasks by a learnt covariance (Zhang and Yeung, 2010), Laplace approximations and natural
# gradients put the inverse of a small matrix into a Kronecker product. `.contiguous()` mends it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import torch

print("torch", torch.__version__)
inverse = torch.linalg.inv(torch.tensor([[2.0, 1.0], [1.0, 3.0]]))
other = torch.arange(6.0).view(2, 3)
print("strides of an inverse", inverse.stride())


def tried(name, one, two):
    try:
        found = torch.kron(one, two)
    except RuntimeError as error:
        print(f"{name}: RuntimeError: {error}")
        return None
    print(f"{name}: a matrix of {tuple(found.shape)}")
    return found


by_hand = torch.cat([torch.cat([entry * other for entry in row], dim=1) for row in inverse])
assert tried("inverse, as it comes", inverse, other) is None
assert tried("a transposed matrix", torch.rand(3, 4).T, other) is None
torch.testing.assert_close(tried("inverse, made contiguous", inverse.contiguous(), other), by_hand)
torch.testing.assert_close(
    tried("inverse, and the other transposed twice over", inverse, other.T.contiguous().T), by_hand
)
PYTHON
