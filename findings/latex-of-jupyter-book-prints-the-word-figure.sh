#!/usr/bin/env bash
# The LaTeX builder of Jupyter Book 1 prints the word <Figure ...> where a notebook stores its picture
# as SVG alone, and reports success.
#
# One would guess that a picture which the website shows is in the PDF too, or that its absence is an
# error. LaTeX takes no SVG; of the stored forms of the output the builder then takes the next one that
# it can print, which is the text that stands for the object. With --warningiserror the build ends well
# too: somebody has to read the PDF to see that its figures are words.
#
# jupyter-book 1.0.4.post1, sphinx 7.4.7, myst-nb 1.4.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet jupyter-book==1.0.4.post1 sphinx==7.4.7 myst-nb==1.4.0 nbformat==5.11.1
mkdir "$folder/book"
cd "$folder/book"
printf 'title: A book\nauthor: Somebody\nexecute:\n  execute_notebooks: "off"\n' > _config.yml
printf 'format: jb-book\nroot: index\n' > _toc.yml
"$folder/venv/bin/python" - <<'PYTHON'
import nbformat

drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle cx="4" cy="4" r="3"/></svg>'
picture = nbformat.v4.new_output(
    "display_data",
    data={"image/svg+xml": drawing, "text/plain": "<Figure size 640x480 with 1 Axes>"},
)
cells = [
    nbformat.v4.new_markdown_cell("# A picture"),
    nbformat.v4.new_code_cell("draw()", outputs=[picture], execution_count=1),
]
python = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=python), "index.ipynb")
PYTHON
"$folder/venv/bin/pip" list 2>/dev/null | grep -iE '^(jupyter-book|sphinx|myst-nb) '
"$folder/venv/bin/jupyter-book" build . --builder html --warningiserror > html.log 2>&1
"$folder/venv/bin/jupyter-book" build . --builder latex --warningiserror > latex.log 2>&1
html=$(grep -c '<img[^>]*\.svg' _build/html/index.html || true)
words=$(cat _build/latex/*.tex | grep -c 'Figure size 640x480' || true)
pictures=$(cat _build/latex/*.tex | grep -c 'includegraphics' || true)
echo "both builds succeeded; pictures on the website: $html; in the LaTeX file: $pictures pictures, $words times the words for one"
[ "$html" = 1 ] && [ "$words" = 1 ] && [ "$pictures" = 0 ]
