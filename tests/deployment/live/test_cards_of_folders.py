"""Cards in the folders of the pages speak of what is there, and their code runs."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from mtl_utils import deployment

pytest.importorskip("onnxruntime")

LIVE = Path(__file__).parents[3] / "book/_static/live"
DESCRIPTIONS = [*LIVE.rglob("export.json"), *LIVE.rglob("writer.json")]
CARDS = sorted(description.parent / "README.md" for description in DESCRIPTIONS)
IDS = [str(card.parent.relative_to(LIVE)) for card in CARDS]


@pytest.mark.parametrize("card", CARDS, ids=IDS)
def test_files_of_a_card_are_there(card: Path) -> None:
    rows = re.findall(r"^\| (\S+) \| ([\d,]+) \| `([0-9a-f]{64})` \|$", card.read_text(), re.M)
    assert rows
    for name, size, digest in rows:
        data = (card.parent / name).read_bytes()
        assert (f"{len(data):,}", hashlib.sha256(data).hexdigest()) == (size, digest)


@pytest.mark.parametrize("card", CARDS, ids=IDS)
def test_code_of_a_card_runs_in_its_folder(card: Path) -> None:
    found = re.search(r"^```python\n(.*?)^```", card.read_text("utf-8"), re.M | re.S)
    if found is None:  # those of models that write show none
        assert (card.parent / "writer.json").is_file()
        return
    code = found[1].replace('"this folder"', repr(str(card.parent)))
    assert code != found[1]
    names: dict[str, object] = {}
    exec(code, names)
    assert isinstance(names["model"], deployment.OnnxModel)
