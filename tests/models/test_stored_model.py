"""A model as a folder: whole or not at all, and nothing but what was written is read."""

import hashlib
import json
import os
import random
import threading
from functools import partial

import another_process
import pytest
import torch

from mtl_utils.files import write_json
from mtl_utils.saving.stored_model import read_model, write_model

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
    """Change what the file says, with a digest that is right."""
    content = json.loads((folder / "model.json").read_text("utf-8")) | entries
    content.pop("digest")
    write_json(folder / "model.json", content)


def damage(folder):
    (path,) = folder.glob("*.safetensors")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def replace_by_folder(folder):
    (path,) = folder.glob("*.safetensors")
    path.unlink()
    path.mkdir()


def strip_digest(folder):
    content = json.loads((folder / "model.json").read_text("utf-8"))
    del content["digest"]
    (folder / "model.json").write_text(json.dumps(content), "utf-8")


def right_digest_of_something_else(folder):
    data = b"no weights"
    name = f"weights-{hashlib.sha256(data).hexdigest()[:16]}.safetensors"
    (folder / name).write_bytes(data)
    change(folder, weights=name)


def named(name, folder):
    change(folder, weights=name)


WEIGHTS = "weights-0123456789abcdef.safetensors"
NOT_IN_THE_FOLDER = [
    *("", "model.json", "weights-mine.safetensors", f"../{WEIGHTS}", f"/tmp/{WEIGHTS}"),
    *(f"./{WEIGHTS}", f"{WEIGHTS}/", f"{WEIGHTS}\n", WEIGHTS.upper(), f"..\\{WEIGHTS}"),
    *(None, 3, [WEIGHTS], {"name": WEIGHTS}),
]


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
        (ValueError, "is damaged", damage),
        (ValueError, "is no file", replace_by_folder),
        (ValueError, "nested too deep", lambda f: (f / "model.json").write_text("[" * 100_000)),
        (ValueError, "holds no model", lambda f: change(f, format=["mtl_utils model 2"])),
        (ValueError, "lacks the digest", strip_digest),
        (ValueError, "holds no weights", right_digest_of_something_else),
        *(
            (ValueError, r"names no file of weights in its folder: .* got", partial(named, name))
            for name in NOT_IN_THE_FOLDER
        ),
    ],
)
def test_what_cannot_be_read(folder, error, message, harm):
    harm(folder)
    with pytest.raises(error, match=message):
        read_model(folder)


def test_not_one_flipped_bit_is_read(folder):
    (weights,) = folder.glob("*.safetensors")
    generator = random.Random(4)
    for path in (folder / "model.json", weights):
        whole = path.read_bytes()
        for position in {generator.randrange(8 * len(whole)) for _ in range(400)}:
            data = bytearray(whole)
            data[position // 8] ^= 1 << position % 8
            path.write_bytes(data)
            with pytest.raises(ValueError, match=path.name):
                read_model(folder)
        for data in (b"", whole[:-1], whole[: len(whole) // 2], whole + b" "):
            path.write_bytes(data)
            with pytest.raises(ValueError, match=path.name):
                read_model(folder)
        path.write_bytes(whole)
    assert_holds(folder, "øld", OLD)


def test_a_model_of_the_last_release_is_read(folder):
    strip_digest(folder)
    path = folder / "model.json"
    path.write_text(path.read_text("utf-8").replace("model 2", "model 1"), "utf-8")
    assert_holds(folder, "øld", OLD)
    write_model(folder, {"name": "new"}, NEW)
    assert_holds(folder, "new", NEW)
    assert len(list(folder.iterdir())) == 2


# Nothing but its own files.


def test_only_weights_that_it_wrote_are_deleted(folder):
    mine = ["weights-mine.safetensors", "weights-.safetensors", f"{WEIGHTS}.bak", WEIGHTS.upper()]
    mine += [WEIGHTS, "weights-0123456789abcdef.safetensors.tmp", f"old-{WEIGHTS}"]
    for name in mine:
        (folder / name).write_text("mine")
    (orphan,) = (path for path in folder.glob("w*") if path.stat().st_size > 10)
    orphan_name, data = orphan.name, orphan.read_bytes()
    write_model(folder, {"name": "new"}, NEW)
    assert not orphan.exists()
    orphan.write_bytes(data)  # as a process that was killed leaves it
    write_model(folder, {"name": "new"}, NEW)
    assert not (folder / orphan_name).exists()
    assert {(folder / name).read_text() for name in mine} == {"mine"}
    assert len(list(folder.iterdir())) == len(mine) + 2
    assert_holds(folder, "new", NEW)


def test_weights_behind_a_link_that_leads_out_are_not_read(folder, tmp_path):
    (weights,) = folder.glob("*.safetensors")
    weights.rename(tmp_path / weights.name)
    weights.symlink_to(tmp_path / weights.name)
    with pytest.raises(ValueError, match="leads out of its folder"):
        read_model(folder)
    # Nor are they written through: the name is not the caller's choice.
    before = (tmp_path / weights.name).read_bytes()
    write_model(folder, {"name": "øld"}, OLD)
    assert not weights.is_symlink()
    assert (tmp_path / weights.name).read_bytes() == before
    assert_holds(folder, "øld", OLD)


def test_a_folder_that_is_a_link(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    assert_holds(tmp_path / "link", "øld", OLD)
    write_model(tmp_path / "link", {"name": "new"}, NEW)
    assert (tmp_path / "link").is_symlink()
    assert_holds(folder, "new", NEW)


def test_a_model_json_that_is_a_link_stays_one(folder, tmp_path):
    (folder / "model.json").rename(tmp_path / "kept.json")
    (folder / "model.json").symlink_to(tmp_path / "kept.json")
    assert_holds(folder, "øld", OLD)
    write_model(folder, {"name": "new"}, NEW)
    assert (folder / "model.json").is_symlink()
    assert_holds(folder, "new", NEW)


# Several processes.


def test_a_reader_beside_a_writer_reads_one_model_whole(folder):
    stop = threading.Event()

    def work():
        while not stop.is_set():
            write_model(folder, {"name": "new"}, NEW)
            write_model(folder, {"name": "øld"}, OLD)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        found, reads = set(), 0
        while reads < 100 or len(found) < 2:  # on a busy machine the writer may wait for long
            content, weights = read_model(folder)
            found.add((content["name"], len(weights)))
            reads += 1
    finally:
        stop.set()
        writer.join()
    assert found == {("new", 1), ("øld", 2)}


def test_the_weights_may_go_between_two_reads(folder, monkeypatch):
    """The moment at which a writer is done is chosen here."""
    read, writes = type(folder).read_bytes, iter([("new", NEW), ("øld", OLD)])

    def overtaken(path):
        if path.suffix == ".safetensors":
            for name, weights in writes:
                write_model(folder, {"name": name}, weights)
                break
        return read(path)

    monkeypatch.setattr(type(folder), "read_bytes", overtaken)
    assert_holds(folder, "øld", OLD)


FORKS = """
import os, random, signal, sys, time, torch
from pathlib import Path
from mtl_utils.saving.stored_model import read_model, write_model

def write(folder, first, times):
    pid = os.fork()
    if pid:
        return pid
    for number in range(first, first + times):
        write_model(folder, {"name": number}, {"w": torch.full((3000,), float(number))})
    os._exit(0)

def check(folder):
    content, weights = read_model(folder)
    assert set(weights["w"].tolist()) == {float(content["name"])}

torch.set_num_threads(1)
folder = Path(sys.argv[1])
write_model(folder, {"name": 1}, {"w": torch.full((3000,), 1.0)})

running = [write(folder, first, 30) for first in (0, 1000)]
while running:
    check(folder)
    pid, status = os.waitpid(running[0], os.WNOHANG)
    assert status == 0
    if pid:
        running.remove(pid)
assert len(os.listdir(folder)) == 2, os.listdir(folder)

generator, leftovers = random.Random(11), 0
for kill in range(25):
    pid = write(folder, 1000 * kill, 10**6)
    time.sleep(0.002 + generator.random() * 0.1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    check(folder)
    leftovers += len(os.listdir(folder)) - 2
    assert len(os.listdir(folder)) <= 4, os.listdir(folder)
print(leftovers)
"""


def test_two_writers_take_turns_and_kills_at_random_moments_leave_a_model(tmp_path):
    done = another_process.run(FORKS, tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0  # some kills were in the middle
    write_model(tmp_path, {"name": "new"}, NEW)
    assert len(list(tmp_path.iterdir())) == 2
    assert_holds(tmp_path, "new", NEW)
