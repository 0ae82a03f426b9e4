"""Workflow files and CITATION.cff are valid against the published schemas, without network."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def check(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    return subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)


def test_workflows_are_valid() -> None:
    assert [path.name for path in WORKFLOWS] == [
        "book.yml",
        "colab.yml",
        "links.yml",
        "release.yml",
        "tests.yml",
    ]
    result = check("vendor.github-workflows", *WORKFLOWS)
    assert result.returncode == 0, result.stdout


def test_a_broken_workflow_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text("on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    stepz: []\n")
    assert check("vendor.github-workflows", broken).returncode != 0


def test_every_job_has_a_time_limit() -> None:
    result = check("custom.github-workflows-require-timeout", *WORKFLOWS)
    assert result.returncode == 0, result.stdout


def test_citation_is_valid() -> None:
    result = check("vendor.citation-file-format", ROOT / "CITATION.cff")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("minor", ["3.11", "3.12", "3.13"])
def test_the_matrix_covers_the_supported_versions(minor: str) -> None:
    tests = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8"))
    assert minor in tests["jobs"]["test"]["strategy"]["matrix"]["python-version"]
    assert f"Programming Language :: Python :: {minor}" in (ROOT / "pyproject.toml").read_text(
        "utf-8"
    )


def test_the_form_for_errata_is_valid() -> None:
    form = ROOT / ".github" / "ISSUE_TEMPLATE" / "erratum.yml"
    result = check("vendor.github-issue-forms", form)
    assert result.returncode == 0, result.stdout


def test_hooks_before_a_commit_check_what_lint_checks_with_the_same_versions() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    hooks = {hook["id"]: hook for hook in repository["hooks"]}
    pinned = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    for hook in hooks.values():
        assert set(hook.get("additional_dependencies", ())) <= set(pinned)
    lint = (ROOT / "Makefile").read_text("utf-8").split("\nlint:")[1].split("\n\n")[0]
    commands = {" ".join(hook["entry"].split()[:2]) for hook in hooks.values()}
    assert commands == {"ruff check", "ruff format", ".venv/bin/mypy"}
    for command in ("ruff check", "ruff format", "mypy"):
        assert command in lint
    assert lint.count("$(BIN)/") == len(hooks)


def test_what_a_release_needs_is_there() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    # A tag is set where the heading has become that of the version: these tests run there too.
    assert f"\n## {project['version']}" in changes or "\n## unreleased\n" in changes
    release = (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
    made = (ROOT / "Makefile").read_text("utf-8")
    assert "make pdf" in release
    assert "\npdf: book" in made
