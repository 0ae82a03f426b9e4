"""Print what changed in a version: ``python book/tools/release_notes.py 0.2.0``.

The notes of a release are the section of its version in ``CHANGELOG.md``, without the heading.
``release.yml`` calls it, with the Python of the machine: it needs no package.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGES = Path(__file__).resolve().parents[2] / "CHANGELOG.md"


def notes_of(version: str, changes: str) -> str:
    """Return the section of a version: what stands below its heading, up to the next of its rank.

    Args:
        version: Such as ``0.2.0``; a ``v`` before it is left out. A date may follow in the heading.
        changes: The changelog.

    Raises:
        ValueError: If there is no such section, there are two, or nothing stands in it.
    """
    version = version.removeprefix("v")
    sections = re.split(r"^## ", changes, flags=re.MULTILINE)[1:]
    named = [section.partition("\n") for section in sections]
    found = [body for heading, _, body in named if heading.split()[:1] == [version]]
    if len(found) != 1:
        there = [heading.strip() for heading, _, _ in named]
        raise ValueError(
            f"CHANGELOG.md needs one section '## {version}', and has {len(found)}; its sections "
            f"are {there}. Rename 'unreleased' to the version before it is tagged."
        )
    notes = found[0].strip()
    if not any(line.strip() and not line.startswith("#") for line in notes.splitlines()):
        raise ValueError(f"The section of {version} in CHANGELOG.md is empty: say what changed")
    return notes + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(notes_of(sys.argv[1], CHANGES.read_text("utf-8")), end="")
    except ValueError as error:
        sys.exit(str(error))
