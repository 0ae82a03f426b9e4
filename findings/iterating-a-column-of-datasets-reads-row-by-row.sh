#!/usr/bin/env bash
# Iterating over a column of a data set is many times slower than taking it with a slice.
#
# One would guess that `list(data["text"])` and `data["text"][:]` cost the same, as they did when a column was
# a list: since version 4 it is a lazy object, and iterating reads it row by row through the formatter. A loop
# or a comprehension over a column of a few hundred thousand sentences, which every script for training has,
# takes minutes in the place of a second.
#
# datasets 5.2.0, 20,000 short texts: iterating takes about 100 times as long.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datasets==5.2.0
cd "$folder"
cat > run.py <<'PYTHON'
import time

import datasets

data = datasets.Dataset.from_dict({"text": ["a few words"] * 20_000})


def taken(read):
    times = []
    for _ in range(5):
        began = time.process_time()
        found = read()
        times.append(time.process_time() - began)
        assert len(found) == 20_000
    return min(times)


iterated, sliced = taken(lambda: list(data["text"])), taken(lambda: data["text"][:])
print("datasets", datasets.__version__)
print(f"iterated {iterated:.3f} s, sliced {sliced:.4f} s: {iterated / sliced:.0f} times")
assert list(data["text"]) == data["text"][:]
assert iterated > 5 * sliced
PYTHON
"$folder/venv/bin/python" run.py
