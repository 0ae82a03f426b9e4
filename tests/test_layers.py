"""The package's rooms: imports run one way, modules are short and say what they export."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mtl_utils"
LAYERS = (
    *("arguments", "atlas", "files", "cluster", "plots", "diagrams", "corpora", "data", "nn"),
    *("objectives", "tasks", "sharing", "saving", "multitask", "training", "models", "relations"),
    *("diagnosis", "transfer", "continual", "interpretation", "deployment", "experiments"),
    *("tuning", "commands", "widgets", "notebook", "exercises"),
    "__main__",
)
"""Each may import those to its left and itself."""

INNER = {
    "deployment": {
        "optional": (),
        "drift": (),
        "export": ("optional",),
        "server": ("export", "optional"),
        "live": ("export",),
        "__main__": ("live",),
    }
}
"""Of rooms that have rooms in them: what is in them, each with what of that it may import."""

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


def _across(source: str, room: str, inner: str) -> list[str]:
    """Return what code of an inner room imports of its neighbours and must not.

    A name that is taken from the room itself comes from all that is in it, and is refused too.
    """
    allowed = {inner, *INNER[room][inner]}
    found = _imported(ast.parse(source), ("mtl_utils", room, inner))
    of_room = {path for path in found if path[:1] == (room,)}
    return sorted({path[1] if len(path) > 1 else room for path in of_room} - allowed)


def test_inner_rooms_import_one_way() -> None:
    wrong = []
    for path in MODULES:
        room, *parts = path.relative_to(PACKAGE).with_suffix("").parts
        if room in INNER and parts != ["__init__"]:
            across = _across(path.read_text("utf-8"), room, parts[0])
            wrong += [f"{path.relative_to(ROOT)} imports {name}" for name in across]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("source", "inner", "across"),
    [
        ("from mtl_utils.deployment.live.page import Page", "export", ["live"]),
        ("from mtl_utils.deployment.server import serve", "live", ["server"]),
        ("def f():\n    import mtl_utils.deployment.live.page", "server", ["live"]),
        ("from mtl_utils.deployment import OnnxModel", "live", ["OnnxModel"]),
        ("import mtl_utils.deployment", "live", ["deployment"]),
        ("from mtl_utils.deployment.export import OnnxModel", "server", []),
        ("from mtl_utils.deployment.export.graph import OPSET", "export", []),
        ("from mtl_utils.models import TextModel", "export", []),
    ],
)
def test_an_import_across_inner_rooms_is_seen(source: str, inner: str, across: list[str]) -> None:
    assert _across(source, "deployment", inner) == across


def test_every_inner_room_has_its_place() -> None:
    for room, inner in INNER.items():
        there = {path.stem for path in (PACKAGE / room).iterdir() if path.suffix == ".py"}
        there |= {path.parent.name for path in (PACKAGE / room).glob("*/__init__.py")}
        assert there - {"__init__"} == {*inner}, room


class _Run(ast.NodeTransformer):
    """Leaves out what is imported for type checkers alone: types may name each other."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        return node.orelse if ast.unparse(node.test) == "TYPE_CHECKING" else node


def _circle(sources: dict[str, str]) -> list[str]:
    """Return modules that import each other in a circle, wherever in them: none if there is none.

    Args:
        sources: Code by the name of its module below mtl_utils, such as ``"data.batch"``; that of
            a room is ``"data.__init__"``.
    """
    graph = {}
    for module, source in sources.items():
        found = set()
        tree = _Run().visit(ast.parse(source))
        for path in _imported(tree, ("mtl_utils", *module.split(".")[:-1])):
            # The last part is a module, or a name in one: in a room where it is no module there.
            names = [".".join(path), ".".join(path[:-1]), ".".join((*path[:-1], "__init__"))]
            found |= {next((name for name in names if name in sources), module)} - {module}
        graph[module] = found
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_import_each_other_in_a_circle() -> None:
    names = [path.relative_to(PACKAGE).with_suffix("").parts for path in MODULES]
    sources = {
        ".".join(parts): path.read_text("utf-8") for parts, path in zip(names, MODULES, strict=True)
    }
    assert _circle(sources) == []


@pytest.mark.parametrize(
    ("sources", "circular"),
    [
        ({"a": "from mtl_utils import b", "b": "import mtl_utils.a"}, True),
        ({"a": "from mtl_utils import b", "b": ""}, False),
        ({"a": "def f():\n    from mtl_utils import b", "b": "from mtl_utils.a import x"}, True),
        ({"r.a": "from mtl_utils.r.b import x", "r.b": "from mtl_utils.r import a"}, True),
        ({"r.a": "from . import b", "r.b": "from .a import x"}, True),
        ({"r.__init__": "from mtl_utils.r.a import x", "r.a": "from mtl_utils.r import x"}, True),
        ({"r.__init__": "from mtl_utils.r.a import x", "r.a": "import torch"}, False),
        ({"a": "import mtl_utils.b", "b": "import mtl_utils.c", "c": "import mtl_utils.a"}, True),
        ({"r.a": "from mtl_utils.r.a import x"}, False),
        ({"a": "if TYPE_CHECKING:\n    import mtl_utils.b", "b": "import mtl_utils.a"}, False),
    ],
)
def test_a_circle_is_seen(sources: dict[str, str], circular: bool) -> None:
    assert bool(_circle(sources)) == circular


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
