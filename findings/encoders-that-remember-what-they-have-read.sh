#!/usr/bin/env bash
# BigBird gives a long text other states once it has read a short one, and RWKV's weights are other
# weights after it has been evaluated.
#
# One would guess that a model in evaluation mode is a function of its weights and its input. BigBird
# switches from sparse to full attention at the first text that is too short for its blocks, and stays
# there: what is measured depends on the order of the data. RWKV halves some weights for half
# precision before it evaluates, in place; a state_dict taken then holds the halved ones, and the copy
# that loads them halves them again. Both run without a word that the caller would notice in a loop.
#
# transformers 5.23.0, torch 2.13.0, random weights: BigBird's states move by 0.012, those of the RWKV
# copy by 1.7; a copy of the state from before evaluating is exact.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.23.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > run.py <<'PYTHON'
import torch
import transformers
from transformers import BigBirdConfig, BigBirdModel, RwkvConfig, RwkvModel

print("transformers", transformers.__version__, "torch", torch.__version__)


@torch.no_grad()
def states(model, length):
    return model(torch.arange(2, 2 + length)[None]).last_hidden_state


def difference(one, other):
    return (one - other).abs().max().item()


torch.manual_seed(0)
bird = BigBirdModel(BigBirdConfig(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=99,
    block_size=4, num_random_blocks=1, max_position_embeddings=256,
)).eval()
first, again = states(bird, 64), states(bird, 64)
states(bird, 6)
moved = difference(first, states(bird, 64))
print(f"BigBird, 64 tokens: read again {difference(first, again):.1e}, "
      f"read again after a text of 6 tokens {moved:.1e}")
assert difference(first, again) == 0
assert moved > 1e-3

torch.manual_seed(0)
config = RwkvConfig(hidden_size=32, num_hidden_layers=5, vocab_size=99, attention_hidden_size=32,
                    intermediate_size=64, rescale_every=2)
model = RwkvModel(config).eval()
before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
expected = states(model, 10)
found = {}
for when, weights in {"before": before, "after": model.state_dict()}.items():
    copy = RwkvModel(config).eval()
    copy.load_state_dict(weights)
    found[when] = difference(expected, states(copy, 10))
    print(f"RWKV: a copy of the weights from {when} the evaluation is off by {found[when]:.1e}")
assert found["before"] == 0
assert found["after"] > 0.1
PYTHON
"$folder/venv/bin/python" run.py 2> errors || { cat errors >&2; exit 1; }
