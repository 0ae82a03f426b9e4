"""The command that makes the folder of a live model again, from its words to what it prints."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mtl_utils.deployment import __main__ as command
from mtl_utils.deployment.__main__ import main
from mtl_utils.deployment.export.onnx_model import OnnxModel
from mtl_utils.deployment.export.onnx_writer import OnnxWriter
from mtl_utils.deployment.live import names_data, names_model, names_page
from mtl_utils.deployment.live.atlas_model import AtlasSizes
from mtl_utils.deployment.live.hand_written import read_sentences
from mtl_utils.deployment.live.names_data import Sentence
from mtl_utils.deployment.live.names_model import NamesSizes
from mtl_utils.deployment.live.pages import PAGES
from mtl_utils.deployment.live.translator_model import TranslatorSizes
from mtl_utils.files import read_json

pytest.importorskip("onnxruntime")

LIVE = Path(__file__).parents[3] / "book/_static/live"
TINY: dict[str, Any] = {
    "atlas": AtlasSizes(20, 20, 1, 1, 260, 4),
    "names": NamesSizes(1, 1, 1, vocab_size=280, width=8, num_layers=2),
    "translator": TranslatorSizes(sentences=20, epochs=1, vocab_size=300, width=8),
    "framework": TranslatorSizes(sentences=20, epochs=1, vocab_size=300, width=8),
}
ROWS = [
    Sentence(
        ["Ada", "left", "Oslo", "."], ["B-PER", "O", "B-LOC", "O"], ["PROPN", "X", "PROPN", "X"]
    ),
    Sentence(["Rain", "."], ["O", "O"], ["X", "X"]),
]
NAMES = {"PER": [("Bo",)], "LOC": [("New", "York")]}


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the sentences of the boxes alone, whose models are trained for a moment."""
    for path in LIVE.glob("*/*.txt"):
        if path.name != "words.txt":
            place = tmp_path / path.parent.name
            place.mkdir(exist_ok=True)
            place.joinpath(path.name).write_text(few(path), "utf-8")
    for name, page in PAGES.items():
        train = partial(page.train, TINY[name], progress=False)
        words = page.words if name == "names" else lambda: ["b", "a", "b"]
        monkeypatch.setitem(PAGES, name, replace(page, train=train, words=words))
    for module in (names_data, names_model, names_page):
        monkeypatch.setattr(module, "english", lambda split: ROWS * 10)
    for module in (names_model, names_page):
        monkeypatch.setattr(module, "names_to_choose", lambda sentences, size: NAMES)
    return tmp_path


def few(path: Path) -> str:
    return "\n".join(path.read_text("utf-8").splitlines()[:4]) + "\n"


def checked(folder: Path) -> dict[str, Any]:
    """Hold a folder against that of the book; return what is known of its model."""
    facts, kept = (read_json(place / "live.json") for place in (folder, LIVE / folder.name))
    assert [*facts] == [key for key in kept if key in facts]
    assert {*kept} - {*facts} <= {"separate"}
    assert facts["loads"] == kept["loads"]
    assert all((folder / file).is_file() for file in [*facts["loads"], "README.md"])
    return facts


def in_both(facts: dict[str, Any]) -> list[str]:
    scores = facts["scores"]
    return [
        f"{name}: {scores[name]:.3f}, in eight bits {scores[f'{name} int8']:.3f}"
        for name in facts["measures"]
    ]


def listed(scores: dict[str, float]) -> list[str]:
    return [f"{name}: {value:.3f}" for name, value in scores.items()]


@pytest.mark.parametrize("name", ["translator", "framework"])
def test_one_command_makes_a_folder_of_a_model_that_writes(name: str, live: Path, capsys) -> None:
    main([str(live / name)])
    assert capsys.readouterr().out.splitlines() == listed(checked(live / name)["scores"])
    assert OnnxWriter.load(live / name, int8=True).content["writes"] == "translation"


def test_one_command_makes_the_folder_of_all_tasks_and_one_those_per_task(
    live: Path, capsys, monkeypatch
) -> None:
    train = partial(command.train_separate_models, TINY["atlas"], progress=False)
    monkeypatch.setattr(command, "train_separate_models", train)
    main([str(live / "atlas")])
    facts = checked(live / "atlas")
    assert capsys.readouterr().out.splitlines() == in_both(facts)
    assert facts["fresh"]["sentences"] == facts["sentences"] == 4
    main([str(live / "atlas"), "--separate"])
    scores = checked(live / "atlas")["separate"]["scores"]
    assert capsys.readouterr().out.splitlines() == listed(scores)
    assert all(name.endswith(" int8") for name in scores)


def test_both_stages_of_the_names_are_one_command(live: Path, capsys, monkeypatch) -> None:
    fits: list[tuple[Any, ...]] = []
    fit = names_model._fit

    def noted(model, examples, held, how) -> None:
        kept = {m.p for m in model.modules() if type(m).__name__ == "Dropout"}
        fits.append(([*model.tasks], how, kept))
        fit(model, examples, held, how)

    monkeypatch.setattr(names_model, "_fit", noted)
    main([str(live / "names")])
    sizes = TINY["names"]
    assert fits == [
        (["tags", "parts"], (1, sizes.parts, 0, False), {sizes.dropout}),
        (["tags"], (1, 0.0, 0, False), {sizes.last_dropout}),
    ]
    assert capsys.readouterr().out.splitlines() == in_both(checked(live / "names"))
    assert [*OnnxModel.load(live / "names", int8=True).tasks] == ["tags"]
    words = (live / "names/words.txt").read_text("utf-8").split()
    assert words == sorted(["Ada", "left", "Oslo", ".", "Rain", "Bo", "New", "York"])


def test_a_saved_model_is_not_trained_again(live: Path, monkeypatch) -> None:
    model = PAGES["names"].train()
    model.save(live / "saved")
    monkeypatch.setitem(PAGES, "names", replace(PAGES["names"], train=pytest.fail))
    main([str(live / "names"), "--model", str(live / "saved")])
    words = [row["words"] for row in read_sentences(live / "names/sentences.txt")]
    found = OnnxModel.load(live / "names", int8=True).predict(words)
    assert [*map(len, (one["tags"] for one in found))] == [*map(len, words)]
    assert checked(live / "names")["sentences"] == len(words) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["else"], "like none of the boxes: atlas, names, translator, framework"),
        (["names", "--separate"], "the folder named atlas, and takes no --model"),
        (["atlas", "--separate", "--model", "x"], "the folder named atlas, and takes no --model"),
    ],
)
def test_what_is_no_box_is_refused(words: list[str], said: str, live: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        main([str(live / words[0]), *words[1:]])
    assert said in " ".join(capsys.readouterr().err.split())
