#!/usr/bin/env bash
# A compiled function that gives back its input, read as another type in a given shape, fails once sizes are dynamic.
#
# Sixty-four random bits read as four numbers of sixteen, or int32 read as float32: `view(dtype)` is an ordinary
# operation, and torch.compile handles it as long as sizes are fixed. With dynamic=True, or by itself after a second
# size was seen, the output is made again from the input by as_strided, which knows nothing of types. Where the
# types differ in size an error about storage is raised that names neither the view nor the line. Where they do not,
# the backend aot_eager silently gives the type of the input; inductor is right there.
# It matters to whoever draws masks of dropout from packed bits, or reads quantised weights that way: batches of text
# have another length each, so their sizes are dynamic.
#
# torch 2.13.0, on the CPU: RuntimeError "setStorage: ... out of bounds"; aot_eager gives torch.int32 for torch.float32.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > run.py <<'PYTHON'
import torch


def as_halves(words, like):
    return words.view(torch.int16).view(like.shape)


def as_floats(words, like):
    return words.view(torch.float32).view(like.shape)


def compiled(function, given, dynamic):
    torch._dynamo.reset()
    try:
        return torch.compile(function, backend="aot_eager", dynamic=dynamic)(*given)
    except RuntimeError as error:
        return error


print("torch", torch.__version__)
for function, *given in (
    (as_halves, torch.arange(1, 7), torch.ones(2, 12)),
    (as_floats, torch.arange(1, 7, dtype=torch.int32), torch.ones(2, 3)),
):
    expected = function(*given)
    fixed, dynamic = (compiled(function, given, way) for way in (False, True))
    said = dynamic if isinstance(dynamic, RuntimeError) else dynamic.dtype
    print(f"{function.__name__}: fixed sizes {fixed.dtype}, dynamic sizes {said}")
    assert fixed.dtype == expected.dtype and torch.equal(fixed, expected)
    if function is as_halves:
        assert isinstance(dynamic, RuntimeError) and "out of bounds" in str(dynamic)
    else:
        assert dynamic.dtype == torch.int32 != expected.dtype
PYTHON
"$folder/venv/bin/python" run.py
