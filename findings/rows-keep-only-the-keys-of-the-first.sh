#!/usr/bin/env bash
# A data set made of rows has the columns of its first row: keys that come up later are dropped, and
# nothing says so.
#
# One would guess that a key which some rows lack becomes a column with missing values, as it does in
# pandas and when `datasets` reads the same rows from a file of JSON lines, or that an error is
# raised. Dataset.from_list, Dataset.from_generator and pyarrow's Table.from_pylist drop it. Rows that
# carry the labels of several tasks, not all on every row, lose the labels of each task that the first
# row does not have; with the rows in another order they lose others.
#
# datasets 5.2.0, pyarrow 26.0.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datasets==5.2.0 pyarrow==26.0.1 pandas==3.1.1
cd "$folder"
export HF_HOME="$folder/cache" HF_DATASETS_DISABLE_PROGRESS_BARS=1
cat > run.py <<'PYTHON'
import json

import datasets
import pandas
import pyarrow

rows = [{"text": "a", "topic": "sport"}, {"text": "b", "topic": "art", "mood": "joy"}]


def generated():
    yield from rows


with open("rows.jsonl", "w") as file:
    file.writelines(json.dumps(row) + "\n" for row in rows)

print("datasets", datasets.__version__, "pyarrow", pyarrow.__version__)
found = {
    "Dataset.from_list": datasets.Dataset.from_list(rows).column_names,
    "Dataset.from_generator": datasets.Dataset.from_generator(generated).column_names,
    "Table.from_pylist": pyarrow.Table.from_pylist(rows).column_names,
    "Dataset.from_json": datasets.Dataset.from_json("rows.jsonl").column_names,
    "pandas.DataFrame": list(pandas.DataFrame(rows).columns),
}
for name, columns in found.items():
    print(f"{name:<24} {columns}")
for name in ("Dataset.from_list", "Dataset.from_generator", "Table.from_pylist"):
    assert found[name] == ["text", "topic"], name
for name in ("Dataset.from_json", "pandas.DataFrame"):
    assert sorted(found[name]) == ["mood", "text", "topic"], name
PYTHON
"$folder/venv/bin/python" run.py
