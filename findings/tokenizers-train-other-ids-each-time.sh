#!/usr/bin/env bash
# WordPiece and Unigram vocabularies trained twice on the same text give their tokens other ids.
#
# One would guess that training a tokenizer is deterministic: there is no seed to set, and BPE beside
# them is. The set of tokens is the same each time; their order, and with it every id, follows a hash
# table that differs from process to process. A model trained yesterday reads other words today if its
# tokenizer was trained again instead of stored, and nothing fails: shapes and vocabulary sizes agree.
#
# tokenizers 0.23.3: six processes each, BPE one vocabulary, WordPiece and Unigram several.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tokenizers==0.23.3
cd "$folder"
cat > run.py <<'PYTHON'
import json
import subprocess
import sys

import tokenizers

TRAIN = '''
import json, sys
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
texts = ["the cat sat on the mat", "a dog and a cat ran to the town", "dogs ran on mats"] * 20
kind, common = sys.argv[1], dict(vocab_size=45, special_tokens=["[UNK]"], show_progress=False)
if kind == "Unigram":
    common["unk_token"] = "[UNK]"
tokenizer = Tokenizer(getattr(models, kind)())
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
trainer = {"BPE": trainers.BpeTrainer, "WordPiece": trainers.WordPieceTrainer,
           "Unigram": trainers.UnigramTrainer}[kind]
tokenizer.train_from_iterator(texts, trainer(**common))
print(json.dumps(sorted(tokenizer.get_vocab().items())))
'''

print("tokenizers", tokenizers.__version__)
seen = {}
for kind in ("BPE", "WordPiece", "Unigram"):
    runs = [
        subprocess.run([sys.executable, "-c", TRAIN, kind], capture_output=True, check=True, text=True)
        for _ in range(6)
    ]
    tables = [json.loads(run.stdout) for run in runs]
    ids = len({json.dumps(table) for table in tables})
    tokens = len({json.dumps(sorted(token for token, _ in table)) for table in tables})
    print(f"{kind}: 6 trainings, {tokens} set of tokens, {ids} different tables of ids")
    seen[kind] = (tokens, ids)
assert seen["BPE"] == (1, 1)
assert all(seen[kind][0] == 1 and seen[kind][1] > 1 for kind in ("WordPiece", "Unigram"))
PYTHON
"$folder/venv/bin/python" run.py
