#!/usr/bin/env bash
# FNet, YOSO and ConvBERT take padded batches and let the padding change the states of the words.
#
# One would guess that an attention mask keeps padding out of every encoder of transformers, as it does
# for BERT. FNet mixes positions by a Fourier transform and takes no mask, YOSO hashes padding with the
# rest, and ConvBERT's convolutions reach over the end of a text. So what such a model says of a text
# depends on which texts stand beside it in the batch; scores change with the batch size, and nothing
# is reported. Reading texts of equal length together avoids it.
#
# transformers 5.23.0, torch 2.13.0, random weights: BERT's states differ by 5e-07, the others by far more.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.23.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > run.py <<'PYTHON'
import inspect

import torch
import transformers
from transformers import AutoConfig, AutoModel

SIZES = dict(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=99
)
text = torch.tensor([[5, 6, 7, 8, 9]])
padded = torch.tensor([[5, 6, 7, 8, 9, 0, 0, 0]])


def states(model, ids):
    takes_mask = "attention_mask" in inspect.signature(model.forward).parameters
    mask = {"attention_mask": (ids != 0).long()} if takes_mask else {}
    with torch.no_grad():
        return model(input_ids=ids, **mask).last_hidden_state[:, :5], takes_mask


print("transformers", transformers.__version__, "torch", torch.__version__)
moved = {}
for kind, more in {"bert": {}, "fnet": {}, "yoso": {}, "convbert": {"embedding_size": 32}}.items():
    torch.manual_seed(0)
    model = AutoModel.from_config(AutoConfig.for_model(kind, **SIZES, **more)).eval()
    alone, takes_mask = states(model, text)
    moved[kind] = (alone - states(model, padded)[0]).abs().max().item()
    print(f"{kind}: takes a mask: {takes_mask}; three padding tokens move the states of the words by "
          f"up to {moved[kind]:.1e}, of at most {alone.abs().max().item():.1f}")
assert moved["bert"] < 1e-5
assert all(moved[kind] > 1e-3 for kind in ("fnet", "yoso", "convbert"))
PYTHON
"$folder/venv/bin/python" run.py 2> errors || { cat errors >&2; exit 1; }
