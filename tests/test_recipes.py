"""The recipes run as they stand on their page, one after the other."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "book" / "recipes.md"


def blocks(text: str) -> dict[str, str]:
    """Return the Python blocks of a page by their headings."""
    parts = re.split(r"^## (.+)$", text, flags=re.M)
    titled = zip(parts[1::2], parts[2::2], strict=True)
    found = {
        title: re.findall(r"^```python\n(.*?)^```$", body, re.M | re.S) for title, body in titled
    }
    assert all(len(code) == 1 for code in found.values()), "a recipe has one block"
    return {title: code[0] for title, code in found.items()}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the whole page prints, run in one process."""
    recipes = blocks(PAGE.read_text("utf-8"))
    code = "\n".join(f"print({title!r})\n{block}" for title, block in recipes.items())
    folder = tmp_path_factory.mktemp("recipes")
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert (folder / "my-model" / "README.md").exists()
    assert (folder / "curves.png").stat().st_size > 10_000
    return done.stdout


def test_every_recipe_runs(said: str) -> None:
    titles = list(blocks(PAGE.read_text("utf-8")))
    assert len(titles) == 13
    places = [said.index(title) for title in titles]
    assert places == sorted(places)


def test_what_they_say(said: str) -> None:
    assert "'topic_accuracy'" in said
    assert "'relation_accuracy'" in said
    assert re.search(r"'names': \['", said)
    number, labelled = re.search(r"Long texts\n(\d+) (\d+)", said).groups()  # type: ignore[union-attr]
    assert number == labelled
    assert "'stars': " in said
    read, found = map(int, re.search(r"(\d+) texts read, (\d+) found", said).groups())  # type: ignore[union-attr]
    assert (read, found) == (32, 4 * 32)
    assert re.search(r"Several languages\n\[\{'topic': '(news|nouvelles)'\}\]", said)
    assert re.search(r"^epoch 1/4  train_loss .*validation_loss .*topic_accuracy", said, re.M)
