"""A model as a folder: whole or not at all, and nothing but what was written is read."""

import json
import os

import pytest
import torch

from mtl_utils.models.stored_model import read_model, write_model

OLD = {"w": torch.arange(6.0).view(2, 3), "half": torch.ones(2, dtype=torch.bfloat16)}
NEW = {"w": torch.zeros(4, dtype=torch.float64)}


def assert_holds(folder, name, weights):
    content, found = read_model(folder)
    assert content == {"name": name}
    assert set(found) == set(weights)
    for key, tensor in weights.items():
        assert found[key].dtype == tensor.dtype
        assert torch.equal(found[key], tensor)


@pytest.fixture
def folder(tmp_path):
    write_model(tmp_path / "made" / "here", {"name": "øld"}, OLD)
    return tmp_path / "made" / "here"


def test_what_was_written_is_read(folder):
    assert_holds(folder, "øld", OLD)
    assert_holds(str(folder), "øld", OLD)
    write_model(folder, {"name": "øld"}, OLD)  # the same again
    assert_holds(folder, "øld", OLD)


def test_a_new_model_replaces_the_old_one_and_leaves_no_files(folder):
    (folder / "notes.txt").write_text("mine")
    write_model(folder, {"name": "new"}, NEW)
    assert_holds(folder, "new", NEW)
    kinds = sorted(path.suffix for path in folder.iterdir())
    assert kinds == [".json", ".safetensors", ".txt"]


def test_a_view_and_a_part_of_a_tensor_are_written_as_what_they_are(tmp_path):
    table = torch.arange(12.0).view(3, 4)
    weights = {"t": table.T, "row": table[1], "p": torch.nn.Parameter(table[:, 1])}
    write_model(tmp_path, {"name": "views"}, weights)
    assert_holds(tmp_path, "views", {key: tensor.detach() for key, tensor in weights.items()})


@pytest.mark.parametrize("step", [0, 1])
def test_a_failure_at_any_step_leaves_the_old_model(folder, monkeypatch, step):
    moves = iter(range(2))
    replace = os.replace

    def failing(source, target):
        if next(moves) == step:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match="No space left"):
        write_model(folder, {"name": "new"}, NEW)
    monkeypatch.undo()
    assert_holds(folder, "øld", OLD)
    assert not list(folder.glob("*.tmp"))
    write_model(folder, {"name": "new"}, NEW)
    assert len(list(folder.iterdir())) == 2  # what the failure left behind is gone
    assert_holds(folder, "new", NEW)


def test_what_does_not_fit_into_json_leaves_the_old_model(folder):
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_model(folder, {"name": object()}, NEW)
    assert_holds(folder, "øld", OLD)


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        write_model(tmp_path / "file", {}, NEW)


def change(folder, **entries):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | entries), "utf-8")


def damage(folder):
    (path,) = folder.glob("*.safetensors")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("error", "message", "harm"),
    [
        (
            FileNotFoundError,
            "No model in .*Write one with save",
            lambda f: (f / "model.json").unlink(),
        ),
        (ValueError, "is not JSON", lambda f: (f / "model.json").write_text("{")),
        (
            ValueError,
            "holds no model; expected what save wrote",
            lambda f: (f / "model.json").write_text("[]"),
        ),
        (ValueError, "holds no model", lambda f: change(f, format="mtl_utils model 9")),
        (FileNotFoundError, "Copy the whole folder", lambda f: [p.unlink() for p in f.glob("w*")]),
        (FileNotFoundError, "Copy the whole folder", lambda f: change(f, weights="")),
        (ValueError, "is damaged", damage),
        (ValueError, "is damaged", lambda f: change(f, weights="model.json")),
    ],
)
def test_what_cannot_be_read(folder, error, message, harm):
    harm(folder)
    with pytest.raises(error, match=message):
        read_model(folder)
