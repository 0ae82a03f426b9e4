"""Stamps of Tux Paint: found, scaled, split by description, or said how to get."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mtl_utils import corpora
from mtl_utils.corpora import stamps

COUNT = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Stamps of one colour each, every third described like the one before."""
    root = tmp_path / "data" / "tuxpaint_stamps"
    for number in range(COUNT):
        kind = corpora.STAMP_CLASSES[number % 3]
        place = root / kind / "deeper"
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.zeros((10, 20, 4), np.uint8)
        pixels[:, 5:] = (number * 4, 0, 255, 255)  # the left quarter lets light through
        Image.fromarray(pixels).save(place / f"s{number}.png")
        Image.fromarray(pixels).save(place / f"s{number}_mirror.png")  # has no description
        word = number - (number % 3 == 2)
        lines = [f"A thing {word}.", f"de.utf8=Ein Ding {word}.", "xx.utf8=", "[sound]"]
        (place / f"s{number}.txt").write_text("\n".join(lines), "utf-8")
    (root / "elsewhere").mkdir()
    Image.new("RGB", (4, 4)).save(root / "elsewhere" / "no.png")
    (root / "elsewhere" / "no.txt").write_text("Of no class.", "utf-8")
    return root


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MTL_DATA_DIR", raising=False)
    monkeypatch.setattr(stamps, "_DEBIAN", tmp_path / "nowhere")


def test_stamps_are_found_below_the_folder_of_copies(folder, monkeypatch) -> None:
    assert not corpora.has_stamps()
    monkeypatch.setenv("MTL_DATA_DIR", str(folder.parent))
    assert corpora.has_stamps()
    found = corpora.load_stamps(8)
    assert sum(len(rows) for rows in found.values()) == COUNT
    given = corpora.load_stamps(8, folder=folder)
    assert given["test"]["text"] == found["test"]["text"]


def test_equal_descriptions_are_in_one_split(folder) -> None:
    for seed in range(3):
        found = corpora.load_stamps(8, seed=seed, folder=folder)
        texts = [set(rows["text"]) for rows in found.values()]
        assert sum(map(len, texts)) == len(set().union(*texts)) == COUNT * 2 // 3
    shares = [len(rows) / COUNT for rows in found.values()]
    assert shares[0] > 0.5
    assert min(shares) > 0.02


def test_pictures_are_square_over_white_and_descriptions_by_language(folder) -> None:
    rows = corpora.load_stamps(8, ["de", "fr"], folder=folder)["train"]
    assert rows.column_names == ["text", "picture", "class", "file", "de", "fr"]
    for row in rows:
        pixels = np.asarray(row["picture"])
        assert pixels.shape == (8, 8, 3)
        assert (pixels[:2] == 255).all()  # twice as wide as high: nothing above
        assert (pixels[:, 0] == 255).all()  # nothing where light comes through
        number = int(Path(row["file"]).stem[1:])
        assert abs(int(pixels[4, 5, 0]) - number * 4) <= 3
        assert row["de"] == row["text"].replace("A thing", "Ein Ding")
        assert row["fr"] is None
        assert rows.features["class"].names[row["class"]] == row["file"].split("/")[0]


def test_where_there_are_none_the_error_says_how_to_get_them(tmp_path, monkeypatch) -> None:
    with pytest.raises(corpora.DataNotFoundError, match="apt install tuxpaint-stamps-default"):
        corpora.load_stamps()
    with pytest.raises(corpora.DataNotFoundError, match="GPL-2"):
        corpora.load_stamps(folder=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(corpora.LayoutError, match="too few stamps"):
        corpora.load_stamps(folder=tmp_path / "empty")


@pytest.mark.parametrize("wrong", [{"size": 0}, {"seed": -1}, {"languages": "en"}])
def test_other_arguments_are_refused(wrong, folder) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
        corpora.load_stamps(folder=folder, **wrong)


def test_a_stamp_without_a_description_is_named(folder) -> None:
    (folder / "animals" / "deeper" / "s0.txt").write_text("\nde.utf8=Ein Ding", "utf-8")
    with pytest.raises(corpora.LayoutError, match=r"s0\.txt must begin"):
        corpora.load_stamps(folder=folder)


@pytest.mark.real_data
def test_the_real_ones(monkeypatch) -> None:
    monkeypatch.undo()
    if not corpora.has_stamps():
        pytest.skip("tuxpaint-stamps-default is not installed")
    found = corpora.load_stamps(16, ["de", "ja"])
    assert sum(len(rows) for rows in found.values()) > 700
    assert all(None not in rows["de"] for rows in found.values())
    classes = {c for rows in found.values() for c in rows["class"]}
    assert len(classes) == len(corpora.STAMP_CLASSES)
