"""Set-up, source display and shape checks of the notebooks."""

import ast
import collections
import os
import random
import subprocess
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path

import datasets
import matplotlib as mpl
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils import notebook, plots


@pytest.fixture
def restored() -> Iterator[None]:
    """Put back what setup() changes for the whole process."""
    threads = torch.get_num_threads()
    environment = dict(os.environ)
    random_states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    with mpl.rc_context(), warnings.catch_warnings():
        yield
    torch.set_num_threads(threads)
    os.environ.clear()
    os.environ.update(environment)
    random.setstate(random_states[0])
    np.random.set_state(random_states[1])
    torch.set_rng_state(random_states[2])
    datasets.enable_progress_bars()


def _draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


@pytest.mark.usefixtures("restored")
class TestSetup:
    def test_the_seed_decides_every_generator(self) -> None:
        draws = {}
        for seed in (0, 1):
            notebook.setup(seed)
            draws[seed] = _draw()
            notebook.setup(seed)
            assert _draw() == draws[seed]
        assert all(a != b for a, b in zip(draws[0], draws[1], strict=True))

    def test_returns_a_device_that_holds_tensors(self) -> None:
        device = notebook.setup()
        assert torch.zeros(2, device=device).sum() == 0

    def test_prints_nothing(self, capfd: pytest.CaptureFixture[str]) -> None:
        notebook.setup()
        assert capfd.readouterr() == ("", "")

    def test_sets_the_style_and_hides_progress_bars(self) -> None:
        notebook.setup()
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(plots.PALETTE)
        assert not datasets.is_progress_bar_enabled()

    @pytest.mark.skipif(torch.cuda.is_available(), reason="threads are set on a CPU only")
    def test_threads_are_fixed_unless_the_reader_chose(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        torch.set_num_threads(1)
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        notebook.setup()
        assert torch.get_num_threads() == 1
        monkeypatch.delenv("OMP_NUM_THREADS")
        notebook.setup()
        assert torch.get_num_threads() == notebook.CPU_THREADS

    def test_other_warnings_stay_visible(self) -> None:
        notebook.setup()
        with warnings.catch_warnings(record=True) as seen:
            warnings.warn("IProgress not found. Please update", stacklevel=1)
            warnings.warn("something to know", UserWarning, stacklevel=1)
        assert [str(warning.message) for warning in seen] == ["something to know"]

    @pytest.mark.parametrize("seed", [-1, 2**32])
    def test_a_seed_out_of_range_is_refused(self, seed: int) -> None:
        with pytest.raises(ValueError, match=f"seed is {seed}"):
            notebook.setup(seed)


def _without_package(monkeypatch: pytest.MonkeyPatch, installed: list[str]) -> list[list[str]]:
    """Make mtl_utils look missing; return the list that pip's calls are written to."""
    import importlib.metadata
    import importlib.util

    calls: list[list[str]] = []
    distribution = collections.namedtuple("distribution", "name")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(
        importlib.metadata, "distributions", lambda: [distribution(name) for name in installed]
    )
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"1.0+{name}")
    monkeypatch.setattr(subprocess, "run", lambda command, check: calls.append(command))
    return calls


class TestSetupCell:
    def test_is_python_that_every_supported_version_reads(self) -> None:
        for version in ((3, 11), (3, 12), (3, 13)):
            ast.parse(notebook.SETUP_CELL, feature_version=version)
        assert len(notebook.SETUP_CELL.splitlines()) <= 30
        assert "\n%" not in notebook.SETUP_CELL
        assert "\n!" not in notebook.SETUP_CELL

    @pytest.mark.usefixtures("restored")
    def test_installs_nothing_where_the_package_is_there(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was called"))
        names: dict[str, object] = {}
        exec(notebook.SETUP_CELL, names)
        assert isinstance(names["device"], torch.device)
        assert names["notebook"] is notebook

    def test_a_copy_without_a_repository_says_what_to_do(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = _without_package(monkeypatch, [])
        cell = _with_repository("OWNER" + "/REPOSITORY")
        with pytest.raises(RuntimeError, match=r"does not know its repository.*REPOSITORY above"):
            exec(cell, {})
        assert calls == []

    @pytest.mark.usefixtures("restored")
    def test_what_is_there_is_pinned_where_it_stands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = _without_package(monkeypatch, ["torch", "ipython", "pandas"])
        exec(_with_repository("someone/book"), {})
        assert calls == [
            [
                *[sys.executable, "-m", "pip", "install", "--quiet"],
                "mtl_utils @ git+https://github.com/someone/book",
                *["torch==1.0+torch", "ipython==1.0+ipython"],
            ]
        ]


def _with_repository(name: str) -> str:
    lines = notebook.SETUP_CELL.splitlines()
    (index,) = [i for i, line in enumerate(lines) if line.startswith("REPOSITORY = ")]
    return "\n".join([*lines[:index], f'REPOSITORY = "{name}"', *lines[index + 1 :]])


SAMPLE = '''
import functools


class Shelf:
    """A class docstring."""

    size: int = 3  # a comment that stays

    def double(self) -> int:
        """Say twice.

        A longer part.
        """

        return 2 * self.size

    def todo(self):
        """Only this."""


def decorated(function):
    @functools.wraps(function)
    def wrapper():
        return function()

    return wrapper


@decorated
def ticks():
    """Hold ```fences```."""
    return "x"
'''

BARE = """\
# sample_module.py
class Shelf:
    size: int = 3  # a comment that stays

    def double(self) -> int:
        return 2 * self.size

    def todo(self):
        ..."""


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    (tmp_path / "sample_module.py").write_text(SAMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    import sample_module  # type: ignore[import-not-found]

    yield sample_module
    del sys.modules["sample_module"]


class TestShow:
    def test_docstrings_can_be_left_out(self, sample: types.ModuleType) -> None:
        bare = notebook.source(sample.Shelf, docstring=False)
        assert bare == BARE
        ast.parse(bare)

    def test_shows_everything_else_as_it_was_written(self, sample: types.ModuleType) -> None:
        full = notebook.source(sample.Shelf)
        assert '"""A class docstring."""' in full
        assert full.splitlines()[0] == "# sample_module.py"
        assert full.splitlines()[1:3] == ["class Shelf:", '    """A class docstring."""']

    def test_a_method_loses_its_indentation(self, sample: types.ModuleType) -> None:
        code = notebook.source(sample.Shelf.double, docstring=False)
        assert code == "# sample_module.py\ndef double(self) -> int:\n    return 2 * self.size"

    def test_a_decorated_function_is_unwrapped(self, sample: types.ModuleType) -> None:
        assert "def ticks():" in notebook.source(sample.ticks)

    def test_output_is_one_markdown_and_plain_bundle(
        self, sample: types.ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shown: list[dict[str, str]] = []
        monkeypatch.setattr(notebook, "display", lambda bundle, raw: shown.append(bundle))
        notebook.show(sample.ticks, sample.Shelf, docstring=True)
        assert [sorted(bundle) for bundle in shown] == [["text/markdown", "text/plain"]] * 2
        for bundle, item in zip(shown, (sample.ticks, sample.Shelf), strict=True):
            assert bundle["text/plain"] == notebook.source(item)
        first, *_, last = shown[0]["text/markdown"].splitlines()
        assert (first, last) == ("````python", "````"), "the fence must outlast the fences inside"
        assert shown[1]["text/markdown"].splitlines()[0] == "```python"

    @pytest.mark.parametrize("item", [len, 3, "text", np.ndarray])
    def test_what_has_no_source_is_refused(self, item: object) -> None:
        with pytest.raises(TypeError, match=r"show\(\) was given"):
            notebook.show(item)  # type: ignore[arg-type]


class TestCheckShape:
    @pytest.mark.parametrize(
        ("shape", "dims", "sizes"),
        [
            ((4, 7, 16), ("B T D",), {"B": 4, "T": 7}),
            ((4, 7, 16), ("B", "T", "D"), {"D": 16}),
            ((4, 7, 16), (4, 7, None), {}),
            ((4, 7, 16), ("B 7 _",), {}),
            ((4, 7, 7), ("B T T",), {}),
            ((4, 7, 16), ("... D",), {"D": 16}),
            ((16,), ("... D",), {"D": 16}),
            ((2, 3), ("...",), {}),
            ((), (), {}),
        ],
    )
    def test_returns_what_fits(
        self, shape: tuple[int, ...], dims: tuple[str | int | None, ...], sizes: dict[str, int]
    ) -> None:
        tensor = torch.zeros(shape)
        assert notebook.check_shape(tensor, *dims, **sizes) is tensor
        array = np.zeros(shape)
        assert notebook.check_shape(array, *dims, **sizes) is array

    @pytest.mark.parametrize(
        ("shape", "dims", "sizes", "message"),
        [
            (
                (4, 8, 16),
                ("B T D",),
                {"B": 4, "T": 7},
                r"shape \[B=4, T=7, D\], but was given \[4, 8, 16\]: dimension 1 \(T\) is 8, not 7",
            ),
            ((4, 7, 8), ("B T T",), {}, r"dimension 2 \(T\) is 8, not 7"),
            ((4, 7), ("B T D",), {}, "2 dimensions instead of 3"),
            ((4, 7, 1), ("B T",), {}, "3 dimensions instead of 2"),
            ((), ("... D",), {}, "0 dimensions instead of 1"),
            ((4, 5), ("... D",), {"D": 4}, r"dimension 1 \(D\) is 5, not 4"),
            ((4, 5), (4, 4), {}, r"dimension 1 \(4\) is 5, not 4"),
            ((4, 5), ("B 4",), {}, r"dimension 1 \(4\) is 5, not 4"),
            ((1,), (), {}, "1 dimensions instead of 0"),
        ],
    )
    def test_refuses_what_does_not(
        self,
        shape: tuple[int, ...],
        dims: tuple[str | int, ...],
        sizes: dict[str, int],
        message: str,
    ) -> None:
        with pytest.raises(ValueError, match=message):
            notebook.check_shape(torch.zeros(shape), *dims, **sizes)

    def test_a_size_without_a_dimension_is_a_slip(self) -> None:
        with pytest.raises(ValueError, match="a size for W"):
            notebook.check_shape(torch.zeros(2, 3), "B T", W=3)

    @given(st.lists(st.integers(0, 3), max_size=4), st.lists(st.integers(0, 3), max_size=4))
    def test_numbers_accept_exactly_the_equal_shape(
        self, given_shape: list[int], asked: list[int]
    ) -> None:
        tensor = np.zeros(given_shape)
        if given_shape == asked:
            assert notebook.check_shape(tensor, *asked) is tensor
            return
        with pytest.raises(ValueError, match="Expected the shape"):
            notebook.check_shape(tensor, *asked)


def test_what_is_there_is_not_installed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook.subprocess, "run", lambda *a, **k: pytest.fail("pip was asked"))
    notebook.install("torch>=99", "seqeval")
    assert (notebook.packaged_encoder() / "config.json").is_file()


@pytest.mark.parametrize("dependencies", [True, False])
def test_what_is_missing_is_installed_by_this_python(
    monkeypatch: pytest.MonkeyPatch, dependencies: bool
) -> None:
    asked: list[list[str]] = []

    def run(command: list[str]) -> types.SimpleNamespace:
        asked.append(command)
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(notebook.subprocess, "run", run)
    notebook.install("no-such-package[extra]>=2", "torch", dependencies=dependencies)
    options = ["--quiet"] if dependencies else ["--quiet", "--no-deps"]
    wanted = ["-m", "pip", "install", *options, "no-such-package[extra]>=2"]
    assert asked == [[sys.executable, *wanted]]


@pytest.mark.parametrize(
    ("requirement", "error"), [("", ValueError), ("--upgrade", ValueError), (3, TypeError)]
)
def test_what_is_no_requirement_is_refused(requirement, error) -> None:
    with pytest.raises(error, match="requirement"):
        notebook.install(requirement)


def test_what_pip_cannot_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = types.SimpleNamespace(returncode=1)
    monkeypatch.setattr(notebook.subprocess, "run", lambda command: failed)
    with pytest.raises(RuntimeError, match="could not install no-such-package>=2"):
        notebook.install("torch", "no-such-package>=2")
