"""Which names of the package each notebook uses, read from its code cells without running them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path


def code_cells(notebook: Path) -> Iterator[str]:
    """Yield the source of each code cell."""
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            source = cell["source"]
            yield source if isinstance(source, str) else "".join(source)


def dotted_names(sources: Iterator[str], package: str) -> frozenset[str]:
    """Every dotted name of ``package`` that the cells, read in order, import or reach into.

    ``from mtl_utils import nn`` followed by ``nn.LinearChainCRF(5)`` gives ``mtl_utils.nn`` and
    ``mtl_utils.nn.LinearChainCRF``. Cells that are no plain Python (magics) are left out.
    """
    aliases: dict[str, str] = {}
    used: set[str] = set()
    for source in sources:
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            aliases.update(_imported(node, package))
        for node in ast.walk(tree):
            used.update(_reached(node, aliases))
    return frozenset(used | set(aliases.values()))


def _imported(node: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.ImportFrom) and node.module and _inside(node.module, package):
        for name in node.names:
            yield name.asname or name.name, f"{node.module}.{name.name}"
    elif isinstance(node, ast.Import):
        for name in node.names:
            if _inside(name.name, package):
                yield (name.asname, name.name) if name.asname else (package, package)


def _inside(dotted: str, package: str) -> bool:
    return dotted == package or dotted.startswith(f"{package}.")


def _reached(node: ast.AST, aliases: dict[str, str]) -> Iterator[str]:
    """The dotted path that a chain such as ``corpora.load`` spells, if it starts at us."""
    if not isinstance(node, ast.Attribute):
        return
    parts = [node.attr]
    inner: ast.expr = node.value
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    if isinstance(inner, ast.Name) and inner.id in aliases:
        yield ".".join([aliases[inner.id], *reversed(parts)])
