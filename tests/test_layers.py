"""The package's rooms: imports run one way, modules are short and say what they export."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mtl_utils"
LAYERS = (
    *("arguments", "atlas", "files", "plots", "corpora", "data", "nn", "objectives", "tasks"),
    *("sharing", "saving", "multitask", "training", "models", "relations", "experiments"),
    *("commands", "widgets", "notebook", "exercises", "__main__"),
)
"""Each may import those to its left and itself."""

MOST_LINES = 400
MODULES = sorted(PACKAGE.rglob("*.py"))


def _layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported(tree: ast.Module, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield what a module imports from mtl_utils, as paths below it.

    Args:
        tree: The module.
        package: The package it stands in, for relative imports: ("mtl_utils", "atlas").
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += (node.module or "").split(".") if node.module else []
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        yield from (tuple(name[1:]) for name in names if name[0] == "mtl_utils")


def _upward(source: str, layer: str) -> list[str]:
    """Return the layers that code of a layer imports and must not."""
    allowed = set(LAYERS[: LAYERS.index(layer) + 1])
    found = _imported(ast.parse(source), ("mtl_utils", layer))
    return sorted({path[0] for path in found if path and path[0] in LAYERS} - allowed)


def test_imports_run_one_way() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {', '.join(upward)}"
        for path in MODULES
        if path.parent != PACKAGE or path.name != "__init__.py"
        if (upward := _upward(path.read_text("utf-8"), _layer(path)))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("source", "layer", "upward"),
    [
        ("from mtl_utils import models", "nn", ["models"]),
        ("import mtl_utils.training.evaluation as e", "tasks", ["training"]),
        ("from mtl_utils.models.ngram import NGram", "data", ["models"]),
        ("def f():\n    from mtl_utils.plots import PALETTE", "atlas", ["plots"]),
        ("from ..models import ngram", "nn", ["models"]),
        ("from .. import models", "nn", ["models"]),
        ("from . import models", "nn", []),
        ("from mtl_utils import atlas, data, nn", "models", []),
        ("from mtl_utils.models import ngram", "models", []),
        ("from mtl_utils import notebook, plots", "exercises", []),
        ("from models import x\nimport torch", "atlas", []),
    ],
)
def test_an_import_against_the_order_is_seen(source: str, layer: str, upward: list[str]) -> None:
    assert _upward(source, layer) == upward


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {_layer(path) for path in MODULES} - {"__init__"}
    assert rooms <= set(LAYERS), f"new rooms: {sorted(rooms - set(LAYERS))}"


def test_the_package_itself_imports_only_the_standard_library() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    modules = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    modules += [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    assert set(modules) <= {"importlib.metadata"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_short_documented_and_well_named(path: Path) -> None:
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= MOST_LINES, "a file over about 400 lines is two ideas"
    assert ast.get_docstring(ast.parse(source)), "the module has no docstring"
    assert path.stem not in {"utils", "helpers", "common", "misc"}


ROOMS = [path for path in MODULES if path.name == "__init__.py" and path.parent != PACKAGE]


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: path.parent.name)
def test_a_room_lists_what_it_exports(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    listed = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    assert len(listed) == 1, "the room has no __all__"
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    defined = {getattr(node, "name", "") for node in tree.body}
    assert set(listed[0]) <= imported | defined
    assert len(listed[0]) == len(set(listed[0]))


def test_a_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in MODULES}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
