"""What all tests share: the tools of the book on the path, real data skipped with its reason."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
# Modules that tests of several folders import, whichever folder is collected first.
SHARED = ("book/tools", "tests/notebooks", "tests/data", "tests/deployment", "tests/diagrams")
sys.path[:0] = [str(ROOT / folder) for folder in SHARED]

# Processes that share the cores have a thread each; set before any of them imports PyTorch.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Hooks of all tests.
from notebook_summary import pytest_terminal_summary  # noqa: E402, F401
from scheduling import (  # noqa: E402, F401
    pytest_collection_modifyitems,
    pytest_xdist_make_scheduler,
)

# A busy two-core machine is slow now and then, and a test must not pass by the luck of its draws.
settings.register_profile(
    "book",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("book")


@pytest.fixture(scope="session", autouse=True)
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep recorded runs out of the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTL_WORKSPACES", str(tmp_path_factory.mktemp("workspaces")))
        yield


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked ``real_data`` where there are no local copies, and say so."""
    if item.get_closest_marker("real_data") and not os.environ.get("MTL_DATA_DIR"):
        pytest.skip("real data: MTL_DATA_DIR is not set to a folder of local copies")
