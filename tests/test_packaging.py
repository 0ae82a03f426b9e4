"""The wheel: builds, holds its data files, imports from elsewhere, declares what it needs.

The environment of the quick test is new and holds the wheel alone; what the wheel needs is lent to
it from the environment that runs the tests, so nothing is downloaded. ``MTL_FULL_INSTALL=1`` runs
the real thing as well: an empty environment, everything installed with ``-c requirements.txt``.
"""

import ast
import functools
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hang_guard import HANG_SECONDS
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mtl_utils"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT.get("optional-dependencies", {})
#: Extras of rooms that have others than one of their own name.
OF_ROOMS = {"deployment": ("export", "serve")}
PYTHONS = ("3.11", "3.12", "3.13")
SOURCES = sorted(PACKAGE.rglob("*.py"))

IMPORT_EVERYTHING = """\
import importlib, json, pkgutil, mtl_utils
names = [info.name for info in pkgutil.walk_packages(mtl_utils.__path__, "mtl_utils.")]
names = [name for name in names if not name.endswith("__main__")]
files = {name: importlib.import_module(name).__file__ for name in ["mtl_utils", *names]}
sentences = mtl_utils.atlas.load(20)["train"].num_rows
print(json.dumps({"files": files, "sentences": sentences, "version": mtl_utils.__version__}))
"""


def _run(command: Sequence[str | Path], folder: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel in a copy: a build folder left in the tree would lend it stale files."""
    tree = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tree / "mtl_utils", ignore=ignored)
    for name in ("pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]):
        shutil.copy(ROOT / name, tree)
    options = ["--wheel", "--no-isolation", "--outdir", str(tree / "dist")]
    _run([sys.executable, "-m", "build", *options], tree)
    (built,) = (tree / "dist").glob("*.whl")
    return built


def test_the_wheel_is_pure_and_holds_every_file(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "mtl_utils/py.typed" in expected
    assert any(name.startswith("mtl_utils/atlas/lexicon/") for name in expected)
    packed = {name for name in names if ".dist-info/" not in name}
    assert packed == expected
    assert any(name.endswith("licenses/LICENSE") for name in names)


def _environment(folder: Path, *, lend: bool) -> Path:
    """Make an empty environment; return its Python."""
    builder = venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt")
    builder.create(folder)
    context = builder.ensure_directories(folder)
    if lend:
        # A plain path entry: the .pth files in there, the editable install's among them, are
        # not read, and the environment's own packages come first.
        variables = {"base": str(folder), "platbase": str(folder)}
        own = Path(sysconfig.get_path("purelib", "venv", vars=variables))
        (own / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Path(context.env_exe)


def _install(python: Path, *arguments: str) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    _run([*pip, "install", "--quiet", *arguments], python.parent)


def _import_everything(python: Path, home: Path) -> None:
    found = json.loads(_run([python, "-I", "-c", IMPORT_EVERYTHING], home).splitlines()[-1])
    outside = {n: f for n, f in found["files"].items() if not Path(f).is_relative_to(home)}
    assert outside == {}, "imported from elsewhere"
    assert len(found["files"]) == len([path for path in SOURCES if path.name != "__main__.py"])
    assert found["sentences"] > 0
    assert found["version"] == PROJECT["version"]


def test_every_module_imports_from_the_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "environment"
    python = _environment(home, lend=True)
    _install(python, "--no-deps", "--no-index", str(wheel))
    _import_everything(python, home)
    assert "run" in _run([python, "-I", "-m", "mtl_utils.experiments", "--help"], tmp_path)


@pytest.mark.skipif(
    os.environ.get("MTL_FULL_INSTALL") != "1",
    reason="downloads everything: set MTL_FULL_INSTALL=1 to install into an empty environment",
)
def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "environment"
    python = _environment(home, lend=False)
    extras = ",".join(EXTRAS)
    wanted = f"{wheel}[{extras}]" if extras else str(wheel)
    _install(python, "-c", str(ROOT / "requirements.txt"), wanted)
    _import_everything(python, home)
    version = _run([python, "-I", "-c", "import torch; print(torch.__version__)"], tmp_path)
    assert version.strip().partition("+")[0] == str(_pins()["torch"])


# --- what is declared -----------------------------------------------------------------------------


def _pins() -> dict[str, str]:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in found}


def _declared(requirements: Sequence[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


@functools.cache  # reads the files of every installed package
def _distributions() -> Mapping[str, Sequence[str]]:
    return importlib.metadata.packages_distributions()


def _third_party(path: Path) -> set[str]:
    """Return the names of the distributions that a module imports."""
    distributions = _distributions()
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            modules.add(node.module.split(".")[0])
    foreign = modules - set(sys.stdlib_module_names) - {"mtl_utils"}
    return {canonicalize_name(distributions.get(module, [module])[0]) for module in foreign}


def test_every_import_is_declared() -> None:
    needed = _declared(PROJECT["dependencies"])
    wrong = []
    for path in SOURCES:
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        extras = [line for name in OF_ROOMS.get(room, (room,)) for line in EXTRAS.get(name, [])]
        missing = _third_party(path) - needed - _declared(extras)
        wrong += [f"{path.relative_to(ROOT)} imports {name}" for name in sorted(missing)]
    assert not wrong, "not among the dependencies in pyproject.toml:\n" + "\n".join(wrong)


def test_undeclared_imports_are_seen(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "import os, yaml\nfrom . import x\ndef f():\n    from sklearn.svm import SVC\n"
    )
    assert _third_party(module) == {"pyyaml", "scikit-learn"}


def test_the_pinned_environment_lies_in_the_declared_ranges() -> None:
    pins = _pins()
    lines = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        assert name in pins, f"requirements.txt does not pin {name}"
        assert requirement.specifier.contains(pins[name], prereleases=True), (
            requirement,
            pins[name],
        )


def test_ranges_are_loose() -> None:
    """Colab brings its own versions, and they stay."""
    for requirement in map(Requirement, PROJECT["dependencies"]):
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators <= {">=", "!="}, f"{requirement} leaves no room upwards"


def test_python_versions() -> None:
    supported = SpecifierSet(PROJECT["requires-python"])
    assert all(supported.contains(f"{version}.0") for version in PYTHONS)
    assert not supported.contains("3.10.9")
    for version in PYTHONS:
        assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]
    assert "Typing :: Typed" in PROJECT["classifiers"]


@pytest.mark.parametrize("version", PYTHONS)
def test_every_module_reads_as_every_supported_python(version: str) -> None:
    major, minor = map(int, version.split("."))
    for path in SOURCES:
        ast.parse(path.read_text("utf-8"), filename=str(path), feature_version=(major, minor))
