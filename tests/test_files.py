"""Files: whole or not at all, of one writer, through links, and never what was not written."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hang_guard import HANG_SECONDS

from mtl_utils import files
from mtl_utils.data import BytePairTokenizer, Vocabulary
from mtl_utils.files import read_json, remove_leftovers, whole_file, write_json
from mtl_utils.training import save_checkpoint

CONTENT = {"tokens": ["é", "b\r\n", "\ud800"], "number": 1e-12, "more": {"none": None, "no": False}}
SIGNED = files._SIGNED
TOKENIZER = BytePairTokenizer.train(["the mayor of the town"], 280)
SAVERS: dict[str, Callable[[Path], Any]] = {
    "whole_file": lambda path: write(path, b"new"),
    "vocabulary": lambda path: Vocabulary.from_tokens("abc").save(path),
    "byte pairs": TOKENIZER.save,
    "checkpoint": lambda path: save_checkpoint(path, {"step": 1}),
}


def write(path: Path, data: bytes, **options: bool) -> None:
    with whole_file(path, **options) as file:
        file.write(data)


def leftover(name: str) -> str:
    return f".{name}.0123456789abcdef.tmp"


# Writing.


def test_new_files_have_the_permissions_that_others_have_and_old_ones_keep_theirs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    for umask, expected in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        before = os.umask(umask)
        try:
            path.unlink(missing_ok=True)
            write(path, b"x")
            plain = tmp_path / f"plain {umask}"
            plain.write_bytes(b"x")
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == expected
        assert stat.S_IMODE(plain.stat().st_mode) == expected
    for mode in (0o600, 0o640, 0o666, 0o755):
        path.chmod(mode)
        write(path, b"y")
        assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("save", SAVERS.values(), ids=list(SAVERS))
@pytest.mark.parametrize("kind", ["absolute", "relative", "chain", "of the folder", "dangling"])
def test_what_a_link_points_to_is_written(
    tmp_path: Path, save: Callable[[Path], Any], kind: str
) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "file", tmp_path / "link"
    if kind != "dangling":
        target.write_bytes(b"old")
    if kind == "of the folder":
        (tmp_path / "folder").symlink_to("there")
        link = tmp_path / "folder" / "file"
    elif kind == "chain":
        (tmp_path / "second").symlink_to("there/file")
        link.symlink_to("second")
    else:
        link.symlink_to(target if kind == "absolute" else "there/file")
    save(link)
    assert target.is_file()
    assert not target.is_symlink()
    assert target.read_bytes() == link.read_bytes() != b"old"
    assert (tmp_path / "folder" if kind == "of the folder" else link).is_symlink()
    assert os.listdir(tmp_path / "there") == ["file"]


def test_a_link_of_a_name_that_was_not_given_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"not ours")
    (tmp_path / "link").symlink_to("other")
    write(tmp_path / "link", b"new", follow_links=False)
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_bytes() == b"new"
    assert (tmp_path / "other").read_bytes() == b"not ours"


def test_what_cannot_be_replaced_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match="folder"):
        write(tmp_path / "folder", b"x")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"a device or a pipe.*pipe"):
        write(tmp_path / "pipe", b"x")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Links here point to one another"):
        write(tmp_path / "a", b"x")
    with pytest.raises(FileNotFoundError, match=r"There is no such folder: '.*none'"):
        write(tmp_path / "none" / "file", b"x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "folder", "pipe"]


def test_a_write_protected_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    # Who runs the tests may be allowed everything, so the system's answer is given here.
    monkeypatch.setattr(os, "access", lambda target, mode: (Path(target), mode) != (path, os.W_OK))
    with pytest.raises(PermissionError, match="write-protected"):
        write(path, b"new")
    assert path.read_bytes() == b"old"


class Disk:
    """Stands for a disk that is full after some bytes."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data: bytes) -> int:
        written = self.file.write(data[: self.room])
        self.file.flush()
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(written)

    def __enter__(self) -> Disk:
        self.file.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.file.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@pytest.mark.parametrize("save", SAVERS.values(), ids=list(SAVERS))
@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_disk_that_fills_up_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[[Path], Any], part: float
) -> None:
    path = tmp_path / "file"
    save(path)
    room = int(path.stat().st_size * part)
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        fdopen = os.fdopen
        patch.setattr(os, "fdopen", lambda *given: Disk(fdopen(*given), room))
        with pytest.raises(OSError, match="No space left on device") as caught:
            save(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]
    save(path)
    assert path.read_bytes() != b"old"


def test_long_names(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127)  # 254 bytes, one less than there may be
    write(path, b"x")
    write(path, b"y")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


# Several writers, and killed ones.


def writers(path: Path, count: int, times: int) -> Iterator[threading.Thread]:
    for number in range(count):

        def work(number: int = number) -> None:
            for _ in range(times):
                with whole_file(path) as file:
                    for _ in range(4):
                        file.write(b"%d" % number * 5_000)
                        file.flush()

        yield threading.Thread(target=work)


def test_writers_at_the_same_time_never_mix(tmp_path: Path) -> None:
    path, failures = tmp_path / "file", []
    monkey = threading.excepthook
    threading.excepthook = failures.append
    try:
        threads = list(writers(path, count=4, times=15))
        for thread in threads:
            thread.start()
        seen = set()
        while any(thread.is_alive() for thread in threads):
            if path.exists():
                data = path.read_bytes()
                seen.add((len(data), len(set(data))))
            time.sleep(0.001)
        for thread in threads:
            thread.join()
    finally:
        threading.excepthook = monkey
    assert not failures
    assert seen <= {(20_000, 1)}
    assert os.listdir(tmp_path) == ["file"]


TWO = """
import sys
from mtl_utils.files import whole_file
for _ in range(40):
    with whole_file(sys.argv[1]) as file:
        for _ in range(4):
            file.write(sys.argv[2].encode() * 5_000)
            file.flush()
"""


def test_processes_at_the_same_time_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    started = [
        subprocess.Popen([sys.executable, "-c", TWO, str(path), letter]) for letter in ("a", "b")
    ]
    assert [process.wait(timeout=HANG_SECONDS) for process in started] == [0, 0]
    assert path.read_bytes() in (b"a" * 20_000, b"b" * 20_000)
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_being_written_is_no_leftover(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with whole_file(path) as first:
        first.write(b"first")
        write(path, b"second")
        assert path.read_bytes() == b"second"
        remove_leftovers(tmp_path, "file")
    assert path.read_bytes() == b"first"


def test_only_leftovers_of_the_file_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    (tmp_path / leftover("run.pt")).write_bytes(b"half")
    (tmp_path / "precious").write_bytes(b"mine")
    kept = [
        *("run.pt.tmp", ".run.pt.tmp", ".run.pt.0123.tmp", "run.pt.0123456789abcdef.tmp"),
        *(leftover("runXpt"), leftover("run.pt") + "~", leftover("run.pt").upper()),
    ]
    for name in kept:
        (tmp_path / name).write_bytes(b"mine")
    link = tmp_path / ".run.pt.fedcba9876543210.tmp"
    link.symlink_to("precious")
    folder = tmp_path / ".run.pt.00000000000000ff.tmp"
    folder.mkdir()
    write(path, b"new")
    assert not (tmp_path / leftover("run.pt")).exists()
    assert {(tmp_path / name).read_bytes() for name in kept} == {b"mine"}
    assert link.is_symlink()
    assert folder.is_dir()
    assert (tmp_path / "precious").read_bytes() == b"mine"


def test_a_link_named_like_the_old_temporary_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / "run.pt.tmp").symlink_to("precious")
    write(tmp_path / "run.pt", b"new")
    assert (tmp_path / "precious").read_bytes() == b"mine"


def test_without_locks_only_old_leftovers_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "fcntl", None)
    old, new = (tmp_path / f".file.{digit * 16}.tmp" for digit in "01")
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    write(tmp_path / "file", b"x")
    assert sorted(os.listdir(tmp_path)) == [new.name, "file"]
    assert (tmp_path / "file").read_bytes() == b"x"


FOREVER = """
import sys, time
from mtl_utils.files import whole_file
print("ready", flush=True)
for number in range(10**9):
    with whole_file(sys.argv[1]) as file:
        for _ in range(20):
            file.write(b"%d" % (number % 10) * 1000)
            file.flush()
"""


def test_kills_at_random_moments(tmp_path: Path) -> None:
    path, generator, leftovers = tmp_path / "file", random.Random(7), 0
    write(path, b"0" * 20_000)
    for _ in range(15):
        process = subprocess.Popen(
            [sys.executable, "-c", FOREVER, str(path)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(generator.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        data = path.read_bytes()
        assert (len(data), len(set(data))) == (20_000, 1)
        found = set(os.listdir(tmp_path)) - {"file"}
        assert len(found) <= 1  # each cleared away what the one before it had left
        leftovers += len(found)
    assert leftovers > 0
    write(path, b"x")
    assert os.listdir(tmp_path) == ["file"]


# JSON.


@pytest.mark.parametrize("indent", [None, 0, 1])
def test_json_comes_back(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "file.json"
    write_json(path, CONTENT, indent)
    assert SIGNED.match(path.read_bytes())
    content = read_json(path)
    assert len(content.pop("digest")) == 64
    assert content == CONTENT
    assert json.loads(path.read_text("utf-8")).keys() == {"digest", *CONTENT}
    # Ends of lines that a version control system rewrites are no damage.
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_json(path)["tokens"] == CONTENT["tokens"]


@pytest.mark.parametrize("indent", [None, 1])
def test_every_flipped_bit_is_seen(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "file.json"
    write_json(path, CONTENT, indent)
    whole = path.read_bytes()
    for position in range(8 * len(whole)):
        data = bytearray(whole)
        data[position // 8] ^= 1 << position % 8
        path.write_bytes(data)
        try:
            found = read_json(path)
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017
            continue
        # Where the word "digest" is hit, the reader misses it, or meets what it does not know.
        assert "digest" not in found
        assert len(found.keys() - CONTENT.keys()) == 1
    for data in (whole[:-1], whole[:-10], whole + b" ", whole + whole, whole[1:]):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"file\.json is (damaged|not JSON)"):
            read_json(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\xff\xfe", "codec can't decode"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": [-Infinity]}', "-Infinity is no number"),
        (b'{"a": 1e999}', "1e999 is too large"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "integer string conversion"),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "'b' stands twice"),
    ],
)
def test_what_is_no_json_or_could_mean_two_things(
    tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"file\.json is not JSON \(.*{message}"):
        read_json(path)


def test_what_json_cannot_hold_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "file", {"a": {1, 2}})
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "file", {"a": float("nan")})
    assert os.listdir(tmp_path) == []
