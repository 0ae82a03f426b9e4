"""What a notebook defines and the package exports under the same name agrees.

Either both are the same syntax tree, docstrings and annotations aside, or a cell of the notebook
asserts something about both.
"""

import ast
import builtins
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator, Mapping

from nbformat import NotebookNode
from notebook_checks import code_cells, has_assertion, parse, tags

import mtl_utils

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def exported() -> dict[str, list[object]]:
    """Return every function and class that a module of mtl_utils exports, by name."""
    found: dict[str, list[object]] = {}
    for info in pkgutil.walk_packages(mtl_utils.__path__, "mtl_utils."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", ()):
            item = getattr(module, name)
            ours = str(getattr(item, "__module__", "")).startswith("mtl_utils")
            if ours and (inspect.isclass(item) or inspect.isfunction(item)):
                kinds = found.setdefault(name, [])
                if item not in kinds:
                    kinds.append(item)
    return found


def agreement(notebook: NotebookNode, package: Mapping[str, list[object]]) -> list[str]:
    """Name the definitions that share a name with the package, differ and are never compared.

    Args:
        notebook: The notebook. Exercises are left out: a stub may bear the package's name.
        package: Exported functions and classes, from :func:`exported`.
    """
    cells = code_cells(notebook)
    problems = []
    for number, cell in enumerate(cells, start=1):
        if "exercise" in tags(cell):
            continue
        for node in parse(cell).body:
            if not isinstance(node, Definition) or node.name not in package:
                continue
            theirs = package[node.name]
            if any(_normal(node) == _normal(_tree(item)) for item in theirs):
                continue
            aliases = _aliases(cells, node.name)
            if not any(_compares(later, node.name, aliases) for later in cells[number - 1 :]):
                where = " and ".join(getattr(item, "__module__", "?") for item in theirs)
                problems.append(
                    f"code cell {number} defines {node.name}, which {where} exports too and "
                    "writes differently, and no later cell asserts that both agree (it has to "
                    f"mention {node.name} and the package's, as in models.{node.name})"
                )
    return problems


def _tree(item: object) -> Definition:
    source = textwrap.dedent(inspect.getsource(item))  # type: ignore[arg-type]
    node = ast.parse(source).body[0]
    assert isinstance(node, Definition)
    return node


def _normal(node: Definition) -> str:
    """Spell a definition without what does not change what it does."""
    tree = ast.parse(ast.unparse(node))
    return ast.dump(_Plain().visit(tree))


class _Plain(ast.NodeTransformer):
    """Drops docstrings and annotations."""

    def _body(self, node: Definition) -> Definition:
        self.generic_visit(node)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Definition:
        node.returns = None
        return self._body(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Definition:
        node.returns = None
        return self._body(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> Definition:
        return self._body(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:  # a field: its name counts, its type does not
            return ast.Expr(node.target)
        return ast.Assign([node.target], node.value, lineno=node.lineno)


def _aliases(cells: list[NotebookNode], name: str) -> set[str]:
    """Return the names under which a notebook imports the package's version as something else."""
    return {
        imported.asname
        for cell in cells
        for node in ast.walk(parse(cell))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mtl_utils")
        for imported in node.names
        if imported.name == name and imported.asname
    }


def _compares(cell: NotebookNode, name: str, aliases: set[str]) -> bool:
    if not has_assertion(cell):
        return False
    nodes = list(ast.walk(parse(cell)))
    plain = {node.id for node in nodes if isinstance(node, ast.Name)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return name in plain and (name in attributes or bool(plain & aliases))


# --- real data ------------------------------------------------------------------------------------


def real_data_stands_alone(notebook: NotebookNode, name: str) -> list[str]:
    """Cells on real data use only the set-up's names and their own, and lend none to others.

    Where the data are missing, exactly these cells are skipped, so no other cell may need them;
    and a reader who wants to see real text runs the set-up and these.
    """
    cells = code_cells(notebook)
    real = {number for number, cell in enumerate(cells, 1) if "real-data" in tags(cell)}
    known = set(dir(builtins)) | {"display", "get_ipython", "__name__"}
    lent: set[str] = set()
    bound_elsewhere: set[str] = set()
    problems = []
    for number, cell in enumerate(cells, start=1):
        bound, used = _names(parse(cell))
        if number in real:
            foreign = sorted(used - known)
            if foreign:
                problems.append(
                    f"code cell {number} is on real data and uses {', '.join(foreign)} from a cell "
                    "that is neither the set-up nor on real data: import or define it again here"
                )
            known |= bound
            lent |= bound
            continue
        if number == 1:
            known |= bound
        borrowed = sorted((used & lent) - bound_elsewhere)
        if borrowed:
            problems.append(
                f"code cell {number} uses {', '.join(borrowed)}, which only cells on real data "
                "define: where the data are missing it would fail"
            )
        bound_elsewhere |= bound
    return problems


def _names(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Return the global names that a cell binds and those that it needs from before."""
    scope = _Scope()
    scope.visit(tree)
    return scope.bound, scope.used - scope.bound


class _Scope(ast.NodeVisitor):
    """Collects names bound at the top level and names used but not bound where they are used."""

    def __init__(self) -> None:
        self.bound: set[str] = set()
        self.used: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        (self.used if isinstance(node.ctx, ast.Load) else self.bound).add(node.id)

    def visit_alias(self, node: ast.alias) -> None:
        self.bound.add((node.asname or node.name).split(".")[0])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bound.add(node.name)
        self._inner(node, set())

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.bound.add(node.name)
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.bound.add(node.name)
        self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._inner(node, set())

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp  # type: ignore[assignment]

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.bound.add(node.name)
        self.generic_visit(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        self._inner(node, {argument.arg for argument in _arguments(node.args)})

    def _inner(self, node: ast.AST, parameters: set[str]) -> None:
        inner = _Scope()
        inner.generic_visit(node)
        self.used |= inner.used - inner.bound - parameters


def _arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (extra for extra in (arguments.vararg, arguments.kwarg) if extra)
