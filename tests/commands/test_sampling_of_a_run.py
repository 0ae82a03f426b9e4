"""The key ``sampling`` of a file: a name, a temperature or a table, in training and when read."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_runs import THREE, write_run

from mtl_utils.commands.run_file import read_run_file
from mtl_utils.commands.toml_files import read_toml
from mtl_utils.commands.training import train


def with_sampling(given: str) -> str:
    """Return a file of three data sets, of which one is drawn a step."""
    return THREE.replace("[training]\n", f"[training]\nsampling = {given}\n")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("'annealed'", "annealed"),
        (
            "{kind = 'learning_progress', step_size = 0.1}",
            {"kind": "learning_progress", "step_size": 0.1},
        ),
        ("{kind = 'size', limit = 2}", {"kind": "size", "limit": 2}),
    ],
)
def test_a_run_draws_as_its_file_says(given: str, read: object, tmp_path: Path) -> None:
    path = write_run(tmp_path, with_sampling(given))
    file = read_run_file(path)
    assert file.training["sampling"] == read
    assert train(file, quiet=True)["validation"]
    assert read_toml(file.output / "resolved.toml")["training"]["sampling"] == read
    assert train(file, quiet=True)  # the same run, which is finished


def test_what_is_wrong_with_a_table_is_said(tmp_path: Path) -> None:
    path = write_run(tmp_path, with_sampling("{kind = 'size', limits = 2}"))
    with pytest.raises(Exception, match=r"no argument 'limits'.*limit"):
        train(read_run_file(path), quiet=True)
