"""One thing changed, with all else as it was tuned: how a cause is tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtl_utils.arguments import check_kind, check_several, check_text
from mtl_utils.experiments.experiment import Config


@dataclass(frozen=True)
class Ablation:
    """A contender as it was tuned, but for one thing.

    Args:
        name: What tables call it: the thing that is changed.
        of: Name of the contender.
        changes: The settings that are changed; dotted names reach into mappings. They come after
            the tuned ones.
        tasks: The tasks that are left to the contender's models; all if left out.

    Raises:
        ValueError: If a name is empty, or nothing is changed.
        TypeError: If something is not of its kind.
    """

    name: str
    of: str
    changes: Config
    tasks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for argument, name in (("name", self.name), ("of", self.of)):
            check_text(argument, name)
            if not name:
                raise ValueError(f"{argument} must not be empty, got {name!r}")
        check_kind("changes", self.changes, Mapping, "a mapping")
        check_several("tasks", self.tasks, "names of tasks")
        for place, task in enumerate(self.tasks):
            check_text(f"tasks[{place}]", task)
        if not self.changes and not self.tasks:
            raise ValueError(f"changes or tasks must say what {self.name!r} changes, got neither")

    def config(self) -> dict[str, Any]:
        """Return what the configuration of its runs has beside that of its contender."""
        tasks = {"tasks": list(self.tasks)} if self.tasks else {}
        return {"ablation": self.name, "changes": dict(self.changes), **tasks}
