"""Name the repository everywhere: ``make set-repo REPO=owner/name``.

The book reads its repository from ``repository.url`` in ``_config.yml``. This script writes a new
one there and wherever else the old one stands, so that it can also rename. It needs the standard
library only, because it may run before there is an environment.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACES = (
    "_config.yml",
    "README.md",
    "CONTRIBUTING.md",
    "CITATION.cff",
    "pyproject.toml",
    "book/*.md",
    "book/api/index.md",
    "chapters/*.ipynb",
    "mtl_utils/notebook.py",
    ".github/workflows/*.yml",
)
FORM = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?/[A-Za-z0-9._-]{1,100}")
URL = re.compile(r"^(repository:\n(?:[ ]+.*\n)*?[ ]+url: *https://github\.com/)(\S+)", re.MULTILINE)


def validated(repository: str) -> str:
    """Return ``repository`` if it has the form ``owner/name`` that GitHub allows.

    Raises:
        ValueError: If it has not; the message shows what was given.
    """
    name = repository.rpartition("/")[2]
    if not FORM.fullmatch(repository) or name in {".", ".."} or name.endswith(".git"):
        raise ValueError(
            f"expected REPO=owner/name as in https://github.com/owner/name, got {repository!r}. "
            "Letters, digits and hyphens in the owner; dots and underscores too in the name."
        )
    return repository


def current(root: Path) -> str:
    """Read the repository from ``_config.yml``.

    Raises:
        ValueError: If ``repository.url`` is missing or no address on GitHub.
    """
    match = URL.search((root / "_config.yml").read_text("utf-8"))
    if match is None:
        raise ValueError("_config.yml: expected repository.url to be https://github.com/owner/name")
    return match.group(2).rstrip("/")


def renamed(text: str, old: str, new: str) -> str:
    """Replace ``old`` where it is an address or a whole string, and the address of its Pages."""
    old_owner, old_name = old.split("/")
    new_owner, new_name = new.split("/")
    address = rf"(github\.com/|/github/){re.escape(old)}(?![\w-]|\.(?!git\b)\w)"
    string = rf"([\"'`]){re.escape(old)}(?=\\?\1)"  # also inside the JSON of a notebook
    pages = rf"\b{re.escape(old_owner)}\.github\.io/{re.escape(old_name)}(?![\w-])"
    for pattern in (address, string):
        text = re.sub(pattern, lambda match: match.group(1) + new, text)
    return re.sub(pages, f"{new_owner}.github.io/{new_name}", text, flags=re.IGNORECASE)


def files(root: Path) -> Iterator[Path]:
    """Yield every file that may name the repository, if it exists."""
    for place in PLACES:
        yield from sorted(root.glob(place))


def set_repository(root: Path, new: str) -> list[Path]:
    """Write ``new`` wherever the current repository stands.

    Returns:
        The files that changed.

    Raises:
        ValueError: If ``new`` or ``_config.yml`` is malformed; then nothing is written.
    """
    validated(new)
    old = current(root)
    changed = []
    for path in files(root):
        before = path.read_bytes().decode("utf-8")
        after = renamed(before, old, new)
        if after != before:
            path.write_bytes(after.encode("utf-8"))
            changed.append(path)
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 if the name is malformed."""
    parser = argparse.ArgumentParser(description="Name the book's repository everywhere.")
    parser.add_argument("repository", help="owner/name on GitHub")
    repository = parser.parse_args(arguments).repository
    try:
        old = current(ROOT)
        changed = set_repository(ROOT, repository)
    except ValueError as error:
        print(f"set-repo: {error}", file=sys.stderr)
        return 2
    for path in changed:
        print(f"{path.relative_to(ROOT)}: {old} -> {repository}")
    if not changed:
        print(f"Nothing to rewrite: the repository is {old}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
