#!/usr/bin/env bash
# A padding mask [B, 1, 1, T] goes into PyTorch's attention and into an export at opset 18; exported at
# opset 23 it is refused when the model runs.
#
# One would guess that a newer opset, with an operator for attention of its own, takes at least what the
# older one spelled out. The exporter writes the mask as it is, the standard lets it broadcast, and
# onnxruntime's kernel wants as many rows in the mask as there are queries. The export itself ends
# well, and so does the checker; the error comes with the first request to the deployed model.
#
# torch 2.13.0, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0 on a CPU.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0
cd "$folder"
cat > run.py <<'PYTHON'
import numpy
import onnx
import onnxruntime
import torch
from torch import nn

onnxruntime.set_default_logger_severity(4)
torch.manual_seed(0)


class Attention(nn.Module):
    def forward(self, states, mask):
        return nn.functional.scaled_dot_product_attention(states, states, states, attn_mask=mask)


states = torch.randn(2, 2, 4, 8)  # rows, heads, tokens, width
tokens = torch.tensor([[True, True, True, False], [True, True, True, True]])
mask = tokens[:, None, None, :]
expected = Attention()(states, mask).numpy()

print("torch", torch.__version__, "onnxruntime", onnxruntime.__version__)
outcomes = {}
for opset in (18, 23):
    name = f"attention{opset}.onnx"
    torch.onnx.export(
        Attention().eval(), (states, mask), dynamo=True, opset_version=opset, verbose=False
    ).save(name)
    onnx.checker.check_model(onnx.load(name))
    session = onnxruntime.InferenceSession(name)
    feed = dict(zip((given.name for given in session.get_inputs()), (states.numpy(), mask.numpy())))
    try:
        difference = numpy.abs(session.run(None, feed)[0] - expected).max()
        outcomes[opset] = f"runs, largest difference {difference:.1e}"
    except Exception as error:
        outcomes[opset] = f"{type(error).__name__}: {'inconsistent q_sequence_length' in str(error)}"
    print(f"opset {opset}: {outcomes[opset]}")
assert outcomes[18].startswith("runs")
assert outcomes[23] == "Fail: True"
PYTHON
"$folder/venv/bin/python" run.py 2> errors || { cat errors >&2; exit 1; }
