"""The table ``[languages]``: a model by file is the one by hand, whatever is wrong is named."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from asked import refused

from mtl_utils import corpora, data, models, nn, sharing, tasks
from mtl_utils.commands import main
from mtl_utils.commands.building import build
from mtl_utils.commands.data_files import load_all
from mtl_utils.commands.languages import with_names
from mtl_utils.commands.messages import Refused
from mtl_utils.commands.run_file import ENCODERS, read_run_file
from mtl_utils.commands.sharings import SHARINGS, WHOLE
from mtl_utils.commands.using import loaded
from mtl_utils.deployment import OnnxModel
from mtl_utils.models import TextModel
from mtl_utils.training import TrainerConfig

PLACES = ("Paris", "Rome", "Oslo", "Lima", "Ghent")
WORDS = {"en": ("we go to", "we eat in"), "da": ("vi rejser til", "vi spiser i")}
TASKS = """\
[tasks.topic]
kind = "classification"
data = "topics"
label = "topic"

[tasks.mood]
kind = "classification"
data = "moods"
label = "mood"
"""
SMALL = """
[encoder]
width = 8
[tokenizer]
vocab_size = 300
[training]
epochs = 2
learning_rate = 0.02
batch_size = 8
"""
TABLE = '[languages]\ncolumn = "lang"\n'
ADAPTERS = f'{TABLE}kind = "adapters"\nbottleneck = 4\n'


def rows_of(column: str, languages: tuple[str, ...], numbers: range) -> list[dict[str, str]]:
    made = []
    for number in numbers:
        language, label = languages[number % len(languages)], number // 2 % 2
        text = f"{WORDS[language][label]} {PLACES[number % 5]} {number}"
        made.append({"text": text, column: ("travel", "food")[label], "lang": language})
    return made


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_run(folder: Path, tables: str = TABLE, small: str = SMALL) -> Path:
    """Write topics in two languages and moods in one of them, and a file."""
    for split, numbers in (("train", range(24)), ("dev", range(24, 32)), ("test", range(32, 40))):
        write(folder / f"topics/{split}.csv", rows_of("topic", ("en", "da"), numbers))
        write(folder / f"moods/{split}.csv", rows_of("mood", ("en",), numbers))
    path = folder / "run.toml"
    path.write_text(f"{TASKS}{tables}{small}", "utf-8")
    return path


def trained(folder: Path, tables: str) -> TextModel:
    assert main(["train", str(write_run(folder, tables)), "--quiet"]) == 0
    return loaded(folder / "runs/run", [])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, and the run that they give with adapters."""
    folder = tmp_path_factory.mktemp("place")
    trained(folder, ADAPTERS)
    return folder


def by_hand(folder: Path, kind: str, names: list[str]) -> TextModel:
    """Return the model that a file of the table trains, made and trained without the file."""
    sets = {name: corpora.load(folder / f"{name}s") for name in ("topic", "mood")}
    texts = [text for splits in sets.values() for text in splits["train"]["text"]]
    tokenizer = data.BytePairTokenizer.train(texts, 300, False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        embedding = None
        if kind == "embedding":
            embedding = nn.LanguageEmbedding(tokenizer.vocab_size, 8, len(names))
        reader: nn.Encoder = nn.BiLSTMEncoder(tokenizer.vocab_size, 8, 1, embedding=embedding)
        if kind == "adapters":
            reader = sharing.LanguageAdapters(reader, names, 4)
        made = [tasks.Classification(name, ("food", "travel"), "mean", label=name) for name in sets]
        model = TextModel(
            sharing.HardSharing(reader), made, tokenizer, language="lang", languages=names
        )
    model.fit(
        {name: splits["train"] for name, splits in sets.items()},
        {name: splits["validation"] for name, splits in sets.items()},
        config=TrainerConfig(epochs=2, learning_rate=0.02, seed=0),
        batch_size=8,
        progress=False,
    )
    return model


@pytest.mark.parametrize(
    ("kind", "table", "names"),
    [
        ("embedding", f"{TABLE}names = ['sv', 'en', 'da']\n", ["sv", "en", "da"]),
        ("adapters", ADAPTERS, ["da", "en"]),
    ],
)
def test_a_file_trains_the_model_that_is_made_by_hand(
    tmp_path: Path, kind: str, table: str, names: list[str]
) -> None:
    model = trained(tmp_path, table)
    hand = by_hand(tmp_path, kind, names)
    assert model.beside.languages == tuple(names)
    expected = hand.state_dict()
    assert model.state_dict().keys() == expected.keys()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, expected[name], msg=name)
    rows = corpora.load({"test": tmp_path / "topics/test.csv"})["test"]
    found = json.loads((tmp_path / "runs/run/metrics.json").read_text("utf-8"))["test"]
    assert hand.evaluate({"topic": rows})["topic_accuracy"] == found["topic_accuracy"]
    said = hand.predict(rows, ["topic"], probabilities=True)
    assert model.predict(rows, ["topic"], probabilities=True) == said
    assert hand.predict(rows["text"][:], ["topic"], languages="en", probabilities=True) != said


def test_the_resolved_file_trains_the_same_model(place: Path, tmp_path: Path) -> None:
    resolved = place / "runs/run/resolved.toml"
    assert tomllib.loads(resolved.read_text("utf-8"))["languages"] == {
        **{"column": "lang", "names": ["da", "en"], "kind": "adapters"},
        **{"freeze": False, "bottleneck": 4, "activation": "gelu"},
    }
    assert main(["train", str(resolved), "--quiet", "--output", str(tmp_path / "again")]) == 0
    again = models.load(tmp_path / "again/model")
    for name, value in models.load(place / "runs/run/model").state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_a_frozen_encoder_learns_by_its_adapters_alone(tmp_path: Path) -> None:
    file = read_run_file(write_run(tmp_path, f"{ADAPTERS}freeze = true\n"))
    encoder = build(file, load_all(file)).model.sharing.encoder
    learnt = {name for name, p in encoder.named_parameters() if p.requires_grad}
    assert learnt
    assert all(".adapters." in name for name in learnt)


@pytest.mark.parametrize("encoder", ["bilstm", "lstm", "transformer"])
@pytest.mark.parametrize("table", [TABLE, ADAPTERS])
def test_every_encoder_of_ones_own_has_languages(tmp_path: Path, encoder: str, table: str) -> None:
    small = SMALL.replace("width = 8", f"width = 8\nkind = '{encoder}'")
    file = read_run_file(write_run(tmp_path, table, small))
    model = build(file, load_all(file)).model
    assert isinstance(model.sharing.encoder, ENCODERS[encoder]) == (table == TABLE)
    rows = load_all(file)["topic"]["test"]
    assert len(model.predict(rows, ["topic"])) == len(rows)


@pytest.mark.parametrize("kind", SHARINGS)
@pytest.mark.parametrize("table", [TABLE, ADAPTERS])
def test_a_way_of_sharing_has_languages_or_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, table: str
) -> None:
    more = {"branched": "num_shared_layers = 1", "hierarchical": "depth = {topic = 1, mood = 1}"}
    small = f"[sharing]\nkind = '{kind}'\n{more.get(kind, '')}\n{SMALL}"
    path = write_run(tmp_path, table, small)
    if table == ADAPTERS and kind not in WHOLE:
        said = refused(capsys, "train", path)
        assert '[languages]: kind = "adapters" stands between the layers' in said
        assert f"[sharing] kind = '{kind}'" in said
        return
    file = read_run_file(path)
    splits = load_all(file)
    model = build(file, splits).model
    rows = splits["topic"]["train"]
    model.fit({"topic": rows}, config=TrainerConfig(max_steps=1, epochs=1), progress=False)
    model.save(tmp_path / "model")
    again = models.load(tmp_path / "model")
    assert again.beside == model.beside
    assert again.predict(rows, ["topic"]) == model.predict(rows, ["topic"])


def test_pretrained_encoders_have_adapters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = f"[encoder]\nkind = 'pretrained'\nname_or_folder = '{tmp_path}'\n"
    said = refused(capsys, "train", write_run(tmp_path, TABLE, small))
    assert '[languages]: kind = "embedding"' in said
    assert 'give kind = "adapters"' in said
    assert read_run_file(write_run(tmp_path, ADAPTERS, small)).languages["bottleneck"] == 4


WRONG = {
    "column": (TABLE.replace('lang"', 'language"'), "has no column 'language'; did you mean"),
    "no column": ("[languages]\n", "[languages] needs the key 'column'"),
    "kind": (f"{TABLE}kind = 'vectors'\n", "[languages]: kind = 'vectors' is not known"),
    "key": (f"{TABLE}bottleneck = 4\n", "[languages] has no key 'bottleneck'"),
    "activation": (f"{ADAPTERS}activation = 'swish'\n", "[languages]: "),
    "bottleneck": (ADAPTERS.replace("4", "0"), "[languages]: "),
    "names twice": (f"{TABLE}names = ['en', 'en']\n", "[languages]: names must be different"),
    "names": (f"{TABLE}names = ['en']\n", "[languages]: [tasks.topic], split 'train', row 1"),
    "unfit": (f"{ADAPTERS}names = ['en', 'da', 'a.b']\n", "[languages]: "),
    "no table": ("languages = 3\n", "languages must be"),
}


@pytest.mark.parametrize(("table", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_in_the_table_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, message: str
) -> None:
    path = write_run(tmp_path, table)
    if table.startswith("languages"):
        path.write_text(f"{table}{TASKS}", "utf-8")
    assert message in refused(capsys, "train", path)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("split", ["dev", "test"])
def test_an_unknown_language_is_refused_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], split: str
) -> None:
    path = write_run(tmp_path)
    rows = rows_of("mood", ("en",), range(8))
    rows[3]["lang"] = "swe"
    write(tmp_path / f"moods/{split}.csv", rows)
    said = refused(capsys, "train", path)
    name = {"dev": "validation"}.get(split, split)
    assert f"[tasks.mood], split '{name}', row 3 (counted from 0) has the language 'swe'" in said
    rows[3]["lang"] = ""
    write(tmp_path / f"moods/{split}.csv", rows)
    assert "row 3 (counted from 0) has no language in 'lang'" in refused(capsys, "train", path)


@pytest.mark.parametrize("cell", [3, ["en"], {"code": "en"}])
def test_what_is_no_name_of_a_language_is_refused(cell: Any) -> None:
    rows = datasets.Dataset.from_dict({"lang": [cell, cell]})
    table = {"column": "lang", "names": None, "kind": "embedding"}
    with pytest.raises(Refused, match=r"row 0 \(counted from 0\) has .*3|en.*expected the name"):
        with_names(table, {"topic": {"train": rows}})


def test_a_language_may_stand_within_a_cell() -> None:
    rows = datasets.Dataset.from_list([{"about": {"lang": name}} for name in ("sv", "en", "sv")])
    table = {"column": "about.lang", "names": None, "kind": "embedding"}
    assert with_names(table, {"topic": {"train": rows}})["names"] == ("en", "sv")


def test_the_data_that_have_no_column_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(tmp_path)
    for split in ("train", "dev", "test"):
        rows = rows_of("mood", ("en",), range(8))
        kept = [{key: row[key] for key in ("text", "mood")} for row in rows]
        write(tmp_path / f"moods/{split}.csv", kept)
    said = refused(capsys, "train", path)
    assert "[languages]: [tasks.mood], split 'train', has no column 'lang'" in said


def test_rows_and_lines_are_read_in_their_language(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, test = place / "runs/run", place / "topics/test.csv"
    model = loaded(run, [])
    rows = corpora.load({"test": test})["test"]
    capsys.readouterr()
    assert main(["evaluate", str(run), str(test), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == model.evaluate({"topic": rows})
    out = tmp_path / "out.csv"
    assert main(["predict", str(run), str(test), "--task", "topic", "--output", str(out)]) == 0
    said = [found["topic"] for found in model.predict(rows, ["topic"])]
    assert [row["topic"] for row in csv.DictReader(out.open(encoding="utf-8"))] == said
    raw = tmp_path / "raw.txt"
    raw.write_text("\n".join(rows["text"]), "utf-8")
    capsys.readouterr()
    words = ["--task", "topic", "--probabilities", "--language"]
    assert main(["predict", str(run), str(raw), *words, "da"]) == 0
    lines = [
        json.loads(line)["predictions"]["topic"] for line in capsys.readouterr().out.splitlines()
    ]
    texts = rows["text"][:]
    found = model.predict(texts, ["topic"], languages="da", probabilities=True)
    assert lines == [one["topic"] for one in found]


def test_what_cannot_be_read_in_a_language_is_refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, raw, table = place / "runs/run", tmp_path / "raw.txt", tmp_path / "other.csv"
    raw.write_text("we go to Rome\n", "utf-8")
    assert "give --language da|en" in refused(capsys, "predict", run, raw)
    said = refused(capsys, "predict", run, raw, "--language", "dk")
    assert "--language = 'dk' is not known" in said
    write(table, [{"text": "we go to Rome", "topic": "food"}])
    for command in ("predict", "evaluate"):
        assert "has no column 'lang'" in refused(capsys, command, run, table)
    write(table, [{"text": "we go to Rome", "topic": "food", "lang": "swe"}])
    for command in ("predict", "evaluate"):
        assert "No language named 'swe'" in refused(capsys, command, run, table)
    said = refused(capsys, "predict", run, table, "--language", "en")
    assert "for raw texts" in said
    assert "no request says" in refused(capsys, "serve", run)
    pytest.importorskip("onnxruntime")
    assert main(["export", str(run), str(tmp_path / "exported")]) == 0
    exported, texts = OnnxModel.load(tmp_path / "exported"), ["we go to Rome", "Rome"]
    for language in ("en", "da"):
        found = exported.predict(texts, languages=language)
        assert found == loaded(run, []).predict(texts, languages=language)


def test_a_model_of_no_language_is_told_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(tmp_path, "")
    raw = tmp_path / "raw.txt"
    raw.write_text("we go to Rome\n", "utf-8")
    said = refused(capsys, "predict", tmp_path / "runs/run", raw, "--language", "en")
    assert "--language en: the model is told no language" in said


def test_each_task_alone_knows_all_languages_of_the_joint_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Moods are Danish in the test rows alone, where topics know the language."""
    path = write_run(tmp_path)
    write(tmp_path / "moods/test.csv", rows_of("mood", ("da",), range(8)))
    assert main(["train", str(path), "--quiet", "--compare-separate"]) == 0
    assert "mood" in capsys.readouterr().out
    alone = tmp_path / "runs/run/comparison/mood-0/resolved.toml"
    assert tomllib.loads(alone.read_text("utf-8"))["languages"]["names"] == ["da", "en"]


def test_a_diagnosis_and_a_search_read_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = """
[tuning]
trials = 2
sampler = "random"
[tuning.space]
"languages" = [
    {column = "lang", kind = "embedding"},
    {column = "lang", kind = "adapters", bottleneck = 2},
]
"""
    path = write_run(tmp_path, TABLE, f"{SMALL}{search}")
    write(tmp_path / "moods/dev.csv", rows_of("mood", ("da",), range(8)))
    assert main(["tune", str(path)]) == 0
    best = read_run_file(tmp_path / "runs/run-tuning/best.toml")
    assert best.languages["column"] == "lang"
    longer = SMALL.replace("epochs = 2", "epochs = 3")
    assert main(["diagnose", str(write_run(tmp_path, ADAPTERS, longer)), "--quiet"]) == 0
    said = refused(capsys, "tune", _searched(tmp_path, '"languages.column" = ["lang"]'))
    assert "cannot be searched" in said


def _searched(folder: Path, space: str) -> Path:
    return write_run(folder, TABLE, f"{SMALL}[tuning]\n[tuning.space]\n{space}\n")


def test_a_first_file_offers_a_column_of_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path)
    assert main(["init", str(tmp_path / "topics")]) == 0
    said = capsys.readouterr().out
    assert "\n# [languages] " in said
    assert '\n# column = "lang"\n' in said
    offered = said.replace("# [languages]", "[languages]").replace("# column", "column")
    path = tmp_path / "first.toml"
    path.write_text(offered.replace("# kind", "kind"), "utf-8")
    assert read_run_file(path).languages["column"] == "lang"


def test_the_table_of_the_page_is_one_that_a_file_may_have(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "book/command_line.md").read_text("utf-8")
    text = next(t for t in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "[languages]" in t)
    file = read_run_file(write_run(tmp_path, text))
    assert tomllib.loads(text)["languages"].items() <= file.languages.items()
