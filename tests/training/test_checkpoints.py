"""Checkpoints: whole or not at all, ours or refused."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from subprocess import run

import pytest
import torch
from hang_guard import HANG_SECONDS

from mtl_utils.training import CheckpointError, checkpoints, load_checkpoint, save_checkpoint

STATE = {
    "model": {"weight": torch.arange(6.0).view(2, 3)},
    "step": 7,
    "best": None,
    "rows": [{"loss": 0.5, "text": "é"}],
    "pair": (1, 2.5),
}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "run.pt"
    save_checkpoint(path, STATE)
    loaded = load_checkpoint(path)
    assert torch.equal(loaded.pop("model")["weight"], STATE["model"]["weight"])
    assert loaded == {name: value for name, value in STATE.items() if name != "model"}
    assert os.listdir(path.parent) == ["run.pt"]


@pytest.mark.parametrize("previous", [True, False])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, previous: bool
) -> None:
    path = tmp_path / "run.pt"
    if previous:
        save_checkpoint(path, {"step": 1})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CheckpointError) as caught:
            save_checkpoint(path, {"step": 2})
    message = str(caught.value)
    assert str(path) in message
    assert "No space left on device" in message
    assert "bytes are free" in message
    assert ("is untouched" in message) == previous
    assert os.listdir(tmp_path) == (["run.pt"] if previous else [])
    if previous:
        assert load_checkpoint(path) == {"step": 1}


def test_a_write_that_fails_in_the_middle(tmp_path: Path) -> None:
    """The system itself stops the write: torch reports that in a way of its own."""
    script = """
import os, resource, sys, torch
from mtl_utils.training import CheckpointError, load_checkpoint, save_checkpoint
path = sys.argv[1]
save_checkpoint(path, {"step": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_checkpoint(path, {"step": 2, "weight": torch.zeros(100_000)})
except CheckpointError as error:
    print(error)
assert load_checkpoint(path) == {"step": 1}
assert os.listdir(os.path.dirname(path)) == ["run.pt"]
save_checkpoint(path, {"step": 3})
assert load_checkpoint(path) == {"step": 3}
"""
    command = [sys.executable, "-c", script, str(tmp_path / "run.pt")]
    done = run(command, capture_output=True, text=True, check=False, timeout=HANG_SECONDS)
    assert done.returncode == 0, done.stderr
    assert "Could not write the checkpoint" in done.stdout
    assert "is untouched" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_the_new_file_takes_the_place_of_the_old_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    save_checkpoint(path, {"step": 1})
    old = path.read_bytes()
    with path.open("rb") as reader:  # who has the old file open must never see the new one in it
        save_checkpoint(path, {"step": 2, "more": torch.zeros(1000)})
        assert reader.read() == old
    assert load_checkpoint(path)["step"] == 2


def test_a_move_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / "run.pt", {"step": 1})

    def denied(source: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", denied)
    with pytest.raises(CheckpointError, match=r"Permission denied.*is untouched"):
        save_checkpoint(tmp_path / "run.pt", {"step": 2})
    assert os.listdir(tmp_path) == ["run.pt"]
    assert load_checkpoint(tmp_path / "run.pt") == {"step": 1}


def test_an_interrupt_while_writing_leaves_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path / "run.pt", {"step": 1})

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(tmp_path / "run.pt", {"step": 2})
    assert os.listdir(tmp_path) == ["run.pt"]
    assert load_checkpoint(tmp_path / "run.pt") == {"step": 1}


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CheckpointError, match="There is no previous checkpoint"):
        save_checkpoint(tmp_path / "file" / "run.pt", {})


def test_a_state_that_could_not_be_loaded_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"state\['rows'\]\[0\] is a set"):
        save_checkpoint(tmp_path / "run.pt", {"rows": [{1, 2}]})
    assert os.listdir(tmp_path) == []


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint here") as caught:
        load_checkpoint(tmp_path / "run.pt")
    assert caught.value.errno == errno.ENOENT
    assert str(tmp_path / "run.pt") in str(caught.value)


@pytest.mark.parametrize("kept", [0, 3, 10, 100, 1000, -1])
def test_a_truncated_file(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "run.pt"
    save_checkpoint(path, STATE)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="is truncated") as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


class Custom:
    """Something that only its own code can read."""


def test_files_of_others(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    torch.save({"model": {}}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of mtl_utils"):
        load_checkpoint(path)
    torch.save({"model": Custom()}, path)
    with pytest.raises(CheckpointError, match="omething else wrote it"):
        load_checkpoint(path)
    path.write_text("epoch,loss\n1,0.5\n")
    with pytest.raises(CheckpointError, match="omething else wrote it"):
        load_checkpoint(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(CheckpointError, match="Could not read"):
        load_checkpoint(path)


def test_a_file_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_VERSION", 2)
    save_checkpoint(tmp_path / "run.pt", {})
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"has version 2, .* reads version 1"):
        load_checkpoint(tmp_path / "run.pt")
