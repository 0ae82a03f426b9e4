"""What the page for maintainers says to write and to change, done in a copy of the repository."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "book" / "maintaining.md"

_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.M | re.S)
_FILE = re.compile(r"# (\S+\.\w+)\n")
_CHANGE = re.compile(r"--- (\S+)\n")


@dataclass(frozen=True)
class Step:
    """A block of the page: a whole file, or what is added to one.

    Args:
        path: Which file, from the top of the repository.
        text: The block without that line.
        changes: Whether it changes a file that is there.
    """

    path: str
    text: str
    changes: bool

    def take(self, root: Path) -> None:
        """Write or change the file below a folder."""
        path = root / self.path
        if not self.changes:
            assert not path.exists(), f"{self.path} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.text, "utf-8")
            return
        found = path.read_text("utf-8")
        for before, after in hunks(self.text):
            assert found.count(before) == 1, (
                f"book/maintaining.md: {found.count(before)} places in {self.path} look like\n"
                f"{before}"
            )
            found = found.replace(before, after)
        path.write_text(found, "utf-8")


def hunks(text: str) -> Iterator[tuple[str, str]]:
    """Yield lines as they are there and as they are to be, a pair for each part of a change."""
    for part in re.split(r"^@@\n", text, flags=re.M):
        lines = part.splitlines(keepends=True)
        assert all(line[0] in " +-" for line in lines), part
        kept, new = ([line[1:] for line in lines if line[0] in marks] for marks in (" -", " +"))
        yield "".join(kept), "".join(new)


def sections(text: str) -> dict[str, str]:
    """Return the parts of the page by what they are named for links: ``maintaining-task``."""
    parts = re.split(r"^\((maintaining-\w+)\)=$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def steps_of(text: str) -> list[Step]:
    """Return the files and changes of a part of the page, in order."""
    found = []
    for indent, _, body in _BLOCK.findall(text):
        code = re.sub(rf"^{indent}", "", body, flags=re.M)
        for pattern, changes in ((_FILE, False), (_CHANGE, True)):
            if head := pattern.match(code):
                found.append(Step(head[1], code[head.end() :], changes))
    return found


def copied(root: Path) -> Path:
    """Return a copy of the package and of its tests, without what they do not need."""
    without = shutil.ignore_patterns("__pycache__", "*.pyc", "benchmarks")
    for name in ("mtl_utils", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=without)
    for name in ("pyproject.toml", "_toc.yml"):
        shutil.copy(ROOT / name, root / name)
    return root
