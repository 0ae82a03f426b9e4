"""What the package exports: every public name, where it is defined and where it is documented."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

from sphinx.pycode import ModuleAnalyzer

#: The package's rooms in the order in which they import one another; one page each.
ROOMS = (
    "atlas",
    "plots",
    "diagrams",
    "corpora",
    "data",
    "nn",
    "objectives",
    "tasks",
    "sharing",
    "saving",
    "training",
    "training.schedules",
    "models",
    "relations",
    "diagnosis",
    "transfer",
    "continual",
    "interpretation",
    "deployment",
    "experiments",
    "tuning",
    "widgets",
    "notebook",
    "exercises",
)


@dataclass(frozen=True)
class PublicName:
    """One exported name: ``module`` is the page's module, ``home`` the fully dotted definition."""

    module: str
    name: str
    value: object

    @property
    def path(self) -> str:
        """The name by which readers import it, which is also its anchor."""
        return f"{self.module}.{self.name}"

    @property
    def home(self) -> str:
        """Where it is defined, for example ``mtl_utils.data.batch.Batch``."""
        module = getattr(self.value, "__module__", None)
        qualified = getattr(self.value, "__qualname__", None)
        return f"{module}.{qualified}" if module and qualified else self.path

    @property
    def kind(self) -> str:
        """The autodoc directive's suffix: class, exception, function, module or data."""
        if isinstance(self.value, ModuleType):
            return "module"
        if inspect.isclass(self.value):
            return "exception" if issubclass(self.value, BaseException) else "class"
        return "function" if inspect.isroutine(self.value) else "data"


@dataclass(frozen=True)
class Room:
    """A module with a page of its own and the names it exports."""

    module: ModuleType
    names: tuple[PublicName, ...]

    @property
    def title(self) -> str:
        """The dotted name, for example ``mtl_utils.corpora``."""
        return self.module.__name__

    @cached_property
    def comments(self) -> dict[str, str]:
        """Documentation comments (``#:``) of the constants that this room exports."""
        return dict(_constant_comments(self))


def rooms(package: str) -> tuple[Room, ...]:
    """Import every room of ``package`` that exists and exports something.

    Raises:
        ImportError: If a room exists but does not import.
    """
    found = (_room(f"{package}.{name}") for name in ROOMS)
    return tuple(room for room in found if room is not None)


def _room(dotted: str) -> Room | None:
    try:
        module = importlib.import_module(dotted)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{dotted}.".startswith(f"{error.name}."):
            return None
        raise
    exported = getattr(module, "__all__", None) or _defined_here(module)
    names = tuple(PublicName(dotted, name, getattr(module, name)) for name in exported)
    return Room(module, names) if names else None


def _defined_here(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _constant_comments(room: Room) -> Iterator[tuple[str, str]]:
    constants = {name.name for name in room.names if name.kind == "data"}
    if not constants:
        return
    prefix = room.title.removesuffix(".__init__")
    for source in _loaded_modules(prefix):
        for (_, name), lines in ModuleAnalyzer.for_module(source).find_attr_docs().items():
            if name in constants:
                yield name, "\n".join(lines).strip()


def _loaded_modules(prefix: str) -> list[str]:
    return sorted(
        name
        for name, module in sys.modules.items()
        if (name == prefix or name.startswith(f"{prefix}.")) and getattr(module, "__file__", None)
    )
