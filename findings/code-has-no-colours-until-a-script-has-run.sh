#!/usr/bin/env bash
# On pages of pydata-sphinx-theme, and so of Jupyter Book 1, code is not coloured until a script has run.
#
# One would guess that the colours of code are plain style sheets: the words are marked in the HTML when the
# page is built. They are, but each rule holds on pages that are said to be light or dark, a page is built as
# neither, and only a script in the browser decides. A book that promises to be readable without
# scripts, or is saved, mirrored behind a strict policy or read in a terminal browser with styles, shows its
# code in one colour, and nothing says so.
#
# sphinx 7.4.7, pydata-sphinx-theme 0.17.1: no rule for a token holds on the page as it is built.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet sphinx==7.4.7 pydata-sphinx-theme==0.17.1
mkdir "$folder/source"
cd "$folder/source"
echo 'html_theme = "pydata_sphinx_theme"' > conf.py
printf 'Page\n====\n\n.. code-block:: python\n\n    def twice(x):\n        return 2 * x\n' > index.rst
"$folder/venv/bin/python" -m sphinx -q . "$folder/site"
cat > "$folder/look.py" <<'PYTHON'
import importlib.metadata
import re
import sys
from pathlib import Path

site = Path(sys.argv[1])
page = (site / "index.html").read_text("utf-8")
style = (site / "_static" / "pygments.css").read_text("utf-8")
for name in ("sphinx", "pydata-sphinx-theme"):
    print(name, importlib.metadata.version(name))
given = next(iter(re.findall(r'<html[^>]*data-theme="(\w+)"', page)), "neither light nor dark")
rules = [line for line in style.splitlines() if ".highlight .k " in line]
held = {found for line in rules for found in re.findall(r'data-theme="(\w+)"', line)}
print(f"the page is built as {given!r}; keywords are coloured on pages that are {sorted(held)}")
assert '<span class="k">' in page
assert rules and all(line.startswith("html[data-theme=") for line in rules)
assert given not in held
PYTHON
"$folder/venv/bin/python" "$folder/look.py" "$folder/site"
