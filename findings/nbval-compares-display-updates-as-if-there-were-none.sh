#!/usr/bin/env bash
# nbval fails an unchanged notebook that updates a display or clears its output.
#
# One would guess that a validator which executes a notebook and compares outputs passes what has just
# been executed. A front end, and nbclient, store the display as it was last updated and what came
# after the last clearing; nbval collects the first display and everything ever printed. Progress bars
# and widgets do both, so that such cells can only be ignored.
#
# nbval 0.11.0 with nbclient 0.11.0 and ipykernel 7.4.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nbval==0.11.0 nbclient==0.11.0 ipykernel==7.4.0 nbformat==5.11.1 pytest==9.2.0
cd "$folder"
cat > run.py <<'PYTHON'
import subprocess
import sys
from importlib.metadata import version

import nbformat
from nbclient import NotebookClient

cells = {
    "updates a display": "from IPython.display import display\n"
    "shown = display('loading', display_id=True)\nshown.update('done')",
    "clears its output": "from IPython.display import clear_output\n"
    "print('first')\nclear_output()\nprint('second')",
    "does neither": "1 + 1",
}
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells.values()])
NotebookClient(notebook, kernel_name="python3").execute()
nbformat.write(notebook, "just_executed.ipynb")
validation = subprocess.run(
    [sys.executable, "-m", "pytest", "--nbval", "-q", "just_executed.ipynb"],
    capture_output=True, text=True,
)
failed = [f"Cell {place}" in validation.stdout.split("short test summary")[-1] for place in range(3)]
print("nbval", version("nbval"), "nbclient", version("nbclient"))
for what, fails in zip(cells, failed):
    print(f"a cell that {what}: {'fails' if fails else 'passes'}")
assert failed == [True, True, False], validation.stdout
PYTHON
"$folder/venv/bin/python" run.py
