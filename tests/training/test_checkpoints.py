"""Checkpoints: whole or not at all, ours or refused."""

from __future__ import annotations

import errno
import os
import random
import threading
from pathlib import Path
from types import MappingProxyType
from typing import Any

import another_process
import pytest
import torch

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
    done = another_process.run(script, tmp_path / "run.pt")
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


def test_files_of_other_versions(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    save_checkpoint(path, {})
    path.write_bytes(path.read_bytes().replace(b"checkpoint 2", b"checkpoint 9", 1))
    with pytest.raises(CheckpointError, match=r"has version '9', .* reads version 2.*to start afr"):
        load_checkpoint(path)
    # What mtl_utils wrote before checkpoints had digests.
    torch.save({"format": "mtl_utils checkpoint", "version": 1, "state": {"step": 1}}, path)
    with pytest.raises(
        CheckpointError, match=r"has version 1, .*the release that wrote it, or del"
    ):
        load_checkpoint(path)


def same(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


def test_not_one_flipped_bit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    generator = random.Random(3)
    weights = torch.randn(300, generator=torch.Generator().manual_seed(3))
    save_checkpoint(path, {**STATE, "weights": weights, "more": list(range(50))})
    whole = path.read_bytes()
    everywhere = [generator.randrange(8 * len(whole)) for _ in range(300)]
    in_the_head = range(8 * 80)
    at_the_end = range(8 * (len(whole) - 30), 8 * len(whole))
    for position in (*everywhere, *in_the_head, *at_the_end):
        data = bytearray(whole)
        data[position // 8] ^= 1 << position % 8
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=r"run\.pt"):
            load_checkpoint(path)
    path.write_bytes(whole)
    assert same(load_checkpoint(path)["weights"], weights)


def test_whatever_else_is_wrong_with_a_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    save_checkpoint(path, STATE)
    whole, generator = path.read_bytes(), random.Random(5)
    changed = [whole + more for more in (b"\0", b" ", whole)]
    changed += [whole[: generator.randrange(len(whole))] for _ in range(50)]
    changed += [whole[generator.randrange(1, len(whole)) :] for _ in range(20)]
    for _ in range(20):  # a block that the disk lost
        start = generator.randrange(len(whole) - 64)
        changed.append(whole[:start] + bytes(64) + whole[start + 64 :])
    changed += [b"", b"\n", b"mtl_utils checkpoint ", b"mtl_utils checkpoint 2\n", bytes(1000)]
    changed += [b"{}", b"PK\x03\x04", b"\x80\x02.", b"\x89PNG\r\n", whole.lower()]
    for data in changed:
        assert data != whole
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=r"run\.pt"):
            load_checkpoint(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.pt")
    with pytest.raises(CheckpointError, match="it is no file"):
        load_checkpoint(tmp_path / "run.pt")
    with pytest.raises(CheckpointError, match="a device or a pipe"):
        save_checkpoint(tmp_path / "run.pt", {})


def sealed(path: Path, content: Any) -> None:
    """Write what is no state as if it were one."""
    with path.open("w+b") as file:
        checkpoints._write(file, content)


def test_a_right_digest_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    sealed(path, {"a": 1})
    assert load_checkpoint(path) == {"a": 1}
    sealed(path, [1, 2])
    with pytest.raises(CheckpointError, match="holds a list"):
        load_checkpoint(path)
    sealed(path, {"object": Custom()})
    with pytest.raises(CheckpointError, match="Could not read"):
        load_checkpoint(path)


def test_what_would_not_be_read_is_not_written(tmp_path: Path) -> None:
    itself: dict[str, Any] = {}
    itself["again"] = itself
    with pytest.raises(TypeError, match="contains itself"):
        save_checkpoint(tmp_path / "run.pt", itself)
    with pytest.raises(TypeError, match=r"state\['a'\] is a mappingproxy"):
        save_checkpoint(tmp_path / "run.pt", {"a": MappingProxyType({})})
    assert os.listdir(tmp_path) == []


def test_writing_goes_on_below_a_reader(tmp_path: Path) -> None:
    """What is read is one of the checkpoints, whole, while another process writes."""
    path = tmp_path / "run.pt"
    save_checkpoint(path, {"w": torch.zeros(50_000)})

    def work() -> None:
        for step in range(60):
            save_checkpoint(path, {"w": torch.full((50_000,), float(step))})

    writer = threading.Thread(target=work)
    writer.start()
    reads = 0
    while writer.is_alive() or reads < 20:
        weights = load_checkpoint(path)["w"]
        assert bool((weights == weights[0]).all())
        reads += 1
    writer.join()
    assert load_checkpoint(path)["w"][0] == 59
