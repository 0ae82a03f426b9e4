"""How tests are shared between processes: what stays together, and what is begun first.

Alone, pytest runs the tests in the order of their files. Under ``pytest -n 2 --dist loadgroup
--no-loadscope-reorder``, which ``make test`` calls, each process takes the next unit of work when
it has done with its last. A unit is a file of tests, since what they share (a trained model, a
wheel) would otherwise be made twice; a notebook, whose cells run in order in one kernel; or all
that looks at the built website. Units that take long come first, so that the processes end
together.
"""

import fnmatch
from collections.abc import Sequence

import pytest

WEBSITE = "website"
#: Patterns of what takes longer than the rest, longest first. A wrong order costs time alone.
LONG = (
    WEBSITE,
    "chapters/*.ipynb",
    "tests/notebooks/test_notebook_validation.py",
    "tests/models/*.py",
    "tests/training/*.py",
    "tests/test_recorded_*.py",
    "tests/atlas/*.py",
    "tests/notebooks/*.py",
    "tests/test_packaging.py",
)


def unit(item: pytest.Item) -> str:
    """Name the unit of work that a test belongs to; tests of one run in one process, in order."""
    if "site" in getattr(item, "fixturenames", ()):
        return WEBSITE
    file = item.getparent(pytest.File)
    path = file.path if file is not None else item.path
    return path.relative_to(item.config.rootpath).as_posix()


def rank(name: str, long: Sequence[str] = LONG) -> int:
    """Return the place of a unit: its index among those that are long, the end for all others."""
    fitting = (place for place, pattern in enumerate(long) if fnmatch.fnmatch(name, pattern))
    return next(fitting, len(long))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put tests into units, and long ones first, where several processes share them."""
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(unit(item)))
    items.sort(key=lambda item: rank(unit(item)))
