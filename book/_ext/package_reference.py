"""Write one API page a room of the package, and tie the pages to the chapters that use them.

Pages are written to ``book/api/`` (ignored by git) before Sphinx looks for sources. References in
docstrings and annotations to the module where a thing is defined lead to the name it is exported
under, so that ``mtl_utils.data.batch.Batch`` finds ``mtl_utils.data.Batch``.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from docutils import nodes
from notebook_names import code_cells, dotted_names
from public_names import PublicName, Room, rooms
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

PACKAGE = "mtl_utils"
FOLDER = "book/api"
RECIPES = "book/recipes"
WORKED = {"mtl_utils.tasks": "Your own kind of task"}
"""Recipes that a room begins with, by their headings; their code stands on their page alone."""


class Reference:
    """What the handlers share: the rooms, the aliases and the chapters in which a name occurs."""

    def __init__(self, root: Path) -> None:
        self.rooms = rooms(PACKAGE)
        self.aliases = {n.home: n.path for room in reversed(self.rooms) for n in room.names}
        self.pages = {room.title: f"{FOLDER}/{room.title}" for room in self.rooms}
        self.chapters = _chapters_by_name(root, self.rooms)

    def public_path(self, target: str) -> str | None:
        """Translate a defining path, or a path into one, to the exported path."""
        head, tail = target, ""
        while head:
            if head in self.aliases and (path := self.aliases[head] + tail) != target:
                return path
            head, _, last = head.rpartition(".")
            tail = f".{last}{tail}"
        return None

    def candidates(self, target: str, module: str | None) -> Iterator[str]:
        """Where a reference may lead: the writer's room, the package, or its only exporter."""
        for path in (target, f"{module}.{target}", f"{PACKAGE}.{target}"):
            yield self.public_path(path) or path
            yield _enclosing_room(path, self.pages)
        exported = {n.path for room in self.rooms for n in room.names}
        head, dot, tail = target.partition(".")
        exporters = [path for path in exported if path.endswith(f".{head}")]
        if len(exporters) == 1:
            yield exporters[0] + dot + tail


def _enclosing_room(target: str, pages: dict[str, str]) -> str:
    """``mtl_utils.data.batch``, a module without a page, leads to the page of its room."""
    head = target.rpartition(".")[0]
    return head if head in pages and target in sys.modules else ""


def _chapters_by_name(root: Path, found: tuple[Room, ...]) -> dict[str, list[str]]:
    """Map each exported path to the docnames of the chapters that use it, in reading order."""
    chapters: dict[str, list[str]] = {}
    for notebook in sorted((root / "chapters").glob("*.ipynb")):
        used = dotted_names(code_cells(notebook), PACKAGE)
        homes = {n.home for room in found for n in room.names if n.path in used} | used
        for room in found:
            for name in room.names:
                if name.path in used or name.home in homes:
                    chapters.setdefault(name.path, []).append(f"chapters/{notebook.stem}")
    return chapters


def write_pages(app: Sphinx) -> None:
    """Write the pages that changed and remove those whose room is gone."""
    app.reference = reference = Reference(Path(app.srcdir))  # type: ignore[attr-defined]
    folder = Path(app.srcdir) / FOLDER
    recipes = (Path(app.srcdir) / f"{RECIPES}.md").read_text("utf-8")
    texts = {folder / f"{r.title}.rst": _page(r, reference, recipes) for r in reference.rooms}
    for stale in set(folder.glob("*.rst")) - texts.keys():
        stale.unlink()
    for path, text in texts.items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def _page(room: Room, reference: Reference, recipes: str) -> str:
    title = f"``{room.title}``"
    parts = [title, "=" * len(title), "", f".. automodule:: {room.title}", ""]
    parts += worked(room.title, recipes) + _overview(room, reference)
    for name in room.names:
        parts += _entry(name, room)
    return "\n".join(parts) + "\n"


def worked(room: str, recipes: str) -> list[str]:
    """Return the recipe that a room begins with, if there is one.

    Args:
        room: Its name.
        recipes: The page of recipes.
    """
    heading = WORKED.get(room)
    if heading is None:
        return []
    code = re.split("^```.*$", recipes.split(f"\n## {heading}\n")[1], flags=re.M)[1]
    lines = [f"   {line}".rstrip() for line in code.strip("\n").splitlines()]
    about = f"As in :doc:`the recipes </{RECIPES}>`, where it is used:"
    return [f".. rubric:: {heading}", "", about, "", ".. code-block:: python", "", *lines, ""]


def _overview(room: Room, reference: Reference) -> list[str]:
    lines = [f".. py:currentmodule:: {room.title}", ""]
    lines += [".. list-table::", "   :header-rows: 1", "   :class: overview", ""]
    lines += ["   * - Name", "     - What it is", "     - Used in"]
    for name in room.names:
        links = ", ".join(
            f":doc:`{_number(chapter)} </{chapter}>`"
            for chapter in reference.chapters.get(name.path, [])
        )
        lines += [f"   * - {_link(name)}", f"     - {_summary(name, room)}", f"     - {links}"]
    return [*lines, ""]


def _link(name: PublicName) -> str:
    role = {"class": "class", "exception": "exc", "module": "mod", "data": "data"}
    return f":py:{role.get(name.kind, 'func')}:`{name.name} <{name.path}>`"


def _number(chapter: str) -> str:
    """``chapters/01_language_models`` gives ``01``; any other notebook its own name."""
    stem = chapter.rpartition("/")[2]
    match = re.match(r"\d+", stem)
    return match.group() if match else stem


def _summary(name: PublicName, room: Room) -> str:
    if name.kind == "data":
        text = room.comments.get(name.name, "")
    else:
        text = inspect.getdoc(name.value) or ""
    paragraph = " ".join(text.split("\n\n", 1)[0].split())
    return re.split(r"(?<=[a-z)`\]])\. ", paragraph)[0].rstrip(".").rstrip(":")


def _entry(name: PublicName, room: Room) -> list[str]:
    if name.kind == "module":
        return []
    if name.kind == "data":
        comment = room.comments.get(name.name, "")
        body = [f"   {line}" for line in comment.splitlines()]
        return [f".. py:data:: {name.name}", "", *body, ""]
    options = ["   :members:", "   :show-inheritance:"] if inspect.isclass(name.value) else []
    return [f".. auto{name.kind}:: {name.path}", *options, ""]


def add_chapters(
    app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]
) -> None:
    """End an entry with the chapters that use it."""
    chapters = app.reference.chapters.get(name, [])  # type: ignore[attr-defined]
    if what == "module" or not chapters:
        return
    links = ", ".join(f":doc:`/{chapter}`" for chapter in chapters)
    lines += ["", ".. rst-class:: used-in", "", f"Used in: {links}", ""]


def outdated(app: Sphinx, env: BuildEnvironment, *_: Any) -> list[str]:
    """Read the API pages anew each time: they are quick, and depend on code and notebooks."""
    return [page for page in app.reference.pages.values() if page in env.found_docs]  # type: ignore[attr-defined]


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.TextElement
) -> nodes.Element | None:
    """Lead a reference to where a thing is defined to the name it is exported under."""
    if node.get("refdomain") != "py":
        return None
    if _is_type_variable(node["reftarget"]):
        return contnode
    reference: Reference = app.reference  # type: ignore[attr-defined]
    domain = env.get_domain("py")
    for path in filter(None, reference.candidates(node["reftarget"], node.get("py:module"))):
        found = domain.resolve_xref(env, node["refdoc"], app.builder, "obj", path, node, contnode)
        if found is not None:
            return found
    return None


def _is_type_variable(target: str) -> bool:
    """A type variable in a signature leads nowhere: it has no entry of its own."""
    module, _, name = target.rpartition(".")
    return isinstance(getattr(sys.modules.get(module), name, None), TypeVar)


def keep_colons(
    app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]
) -> None:
    """Keep napoleon from reading "Tokens that can follow: V" as the type of a property."""
    if what in {"property", "attribute"} and lines and ":" in lines[0]:
        lines.insert(0, "\\ ")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the handlers."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", keep_colons, priority=100)
    app.connect("autodoc-process-docstring", add_chapters, priority=900)
    app.connect("env-get-outdated", outdated)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
