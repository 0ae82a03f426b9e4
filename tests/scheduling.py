"""How tests are shared between processes: what stays together, and what is begun first.

Alone, pytest runs the tests in the order of their files. Under ``pytest -n 2``, which ``make test``
calls, each process takes the next unit of work when it has done with its last. A unit is a file of
tests, since what they share (a trained model, a wheel) would otherwise be made twice; a notebook,
whose cells run in order in one kernel; or all that looks at the website. Units that take long come
first, so that the processes end together.

pytest-xdist has groups for this (``--dist loadgroup``), but 3.8 writes them where pytest 9.2 does
not read them any more, and says nothing (https://github.com/pytest-dev/pytest-xdist/issues/1386).
"""

import fnmatch
from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

WEBSITE = "tests/site"
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


def unit(test: str) -> str:
    """Name the unit of work that a test belongs to; tests of one run in one process, in order.

    Args:
        test: Id of the test, such as ``chapters/02_x.ipynb::cell 3``.
    """
    file = test.split("::", 1)[0]
    return WEBSITE if file.startswith(f"{WEBSITE}/") else file


def rank(name: str, long: Sequence[str] = LONG) -> int:
    """Return the place of a unit: its index among those that are long, the end for all others."""
    fitting = (place for place, pattern in enumerate(long) if fnmatch.fnmatch(name, pattern))
    return next(fitting, len(long))


class Units(LoadScopeScheduling):
    """Hands out units of work in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        """Keep the order; by default the unit with the most tests would come first."""
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Units:
    """Share tests by units, however many processes there are."""
    return Units(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put long units first where several processes share them."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(unit(item.nodeid)))
