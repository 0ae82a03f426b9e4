"""Every registered data set over its real local copy, against independent readings of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from mtl_utils import corpora
from mtl_utils.corpora import BrokenFileError, DataError
from mtl_utils.corpora.digests import DIGESTS
from mtl_utils.experiments import Place, data_sets, records

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not os.environ.get("MTL_DATA_DIR"),
        reason="real data: MTL_DATA_DIR is not set to a folder of local copies",
    ),
]

LANGUAGES = ("de", "en", "es", "fr", "ru", "zh")
COPIES = [
    *(("xnli", language) for language in LANGUAGES),
    *(
        (name, c)
        for name in ("universal_ner", "universal_dependencies", "uner_ud")
        for c in ("en_ewt", "en_pud", "de_pud", "zh_pud")
    ),
    *(
        ("universal_ner", c)
        for c in ("pt_pud", "sv_pud", "zh_gsdsimp", "da_ddt", "sv_talbanken", "pt_bosque")
    ),
    *(("glue", task) for task in ("cola", "mnli_matched", "mrpc", "rte", "stsb")),
    *(("cross_ner", domain) for domain in ("politics", "science", "music", "literature", "ai")),
    *(("xtreme", f"tatoeba.{language}") for language in ("fra", "deu", "spa", "cmn")),
    ("multi30k", "default"),
    ("multi30k", "en-fr"),
    ("snips", "default"),
    ("snli", "plain_text"),
    ("snli_cad", "original"),
    ("snli_cad", "all_combined"),
    ("sick", "default"),
    ("trec", "default"),
    ("sst2", "default"),
    ("rotten_tomatoes", "default"),
    ("wikitext", "wikitext-2-v1"),
    ("tiny_shakespeare", "default"),
]


def folder_of(name: str) -> Path:
    folder = Path(os.environ["MTL_DATA_DIR"]) / name
    if not folder.is_dir():
        pytest.skip(f"real data: MTL_DATA_DIR holds no copy of {name}")
    return folder


def card_of(name: str, config: str) -> dict[str, Any]:
    """What the copy's own data card says of one configuration."""
    card = folder_of(name) / "README.md"
    if not card.is_file():
        pytest.skip(f"real data: the copy of {name} has no data card to compare with")
    described = yaml.safe_load(card.read_text(encoding="utf-8").split("---")[1])["dataset_info"]
    configs = described if isinstance(described, list) else [described]
    return next(entry for entry in configs if entry["config_name"] == config)


def names_on_card(feature: dict[str, Any]) -> list[str] | None:
    kind = feature.get("sequence", feature.get("dtype"))
    if isinstance(kind, dict) and "class_label" in kind:
        return list(kind["class_label"]["names"].values())
    return None


@pytest.mark.parametrize(("name", "config"), COPIES)
def test_rows_columns_and_label_names_are_those_of_the_card(name: str, config: str) -> None:
    card = card_of(name, config)
    loaded = corpora.load(name, config)
    assert {split: part.num_rows for split, part in loaded.items()} == {
        split["name"]: split["num_examples"] for split in card["splits"]
    }
    for part in loaded.values():
        assert list(part.features) == [feature["name"] for feature in card["features"]]
        for described in card["features"]:
            feature = part.features[described["name"]]
            item = getattr(feature, "feature", feature)
            assert getattr(item, "names", None) == names_on_card(described)


@pytest.mark.parametrize(("name", "config"), COPIES)
def test_cells_are_those_pandas_reads_by_name_and_by_folder(name: str, config: str) -> None:
    folder = folder_of(name)
    by_name, by_folder = corpora.load(name, config), corpora.load(folder, config)
    assert list(by_name) == list(by_folder)
    for split in by_name:
        expected = pd.read_parquet(folder / config / f"{split}-00000-of-00001.parquet")
        assert by_name[split].features == by_folder[split].features
        for loaded in (by_name, by_folder):
            pd.testing.assert_frame_equal(
                loaded[split].to_pandas(), expected, check_dtype=False, check_exact=True
            )


@pytest.mark.parametrize("config", ["en_ewt", "en_pud", "de_pud", "zh_pud"])
def test_our_join_equals_the_supplied_one_cell_by_cell(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplied = folder_of("uner_ud")
    for name in ("universal_ner", "universal_dependencies"):  # a folder without the joined copy
        (tmp_path / name).symlink_to(folder_of(name), target_is_directory=True)
    monkeypatch.setenv("MTL_DATA_DIR", str(tmp_path))
    joined = corpora.load("uner_ud", config)
    for split in corpora.entry("uner_ud").config(config).rows:
        expected = pd.read_parquet(supplied / config / f"{split}-00000-of-00001.parquet")
        assert len(expected) == joined[split].num_rows
        assert list(expected) == list(joined[split].features)
        for column in expected:
            expected_cells = [
                cell if isinstance(cell, str) else cell.tolist() for cell in expected[column]
            ]
            assert joined[split][column][:] == expected_cells, column


def test_hidden_labels_are_where_the_entries_declare_them() -> None:
    folder_of("sst2")
    assert set(corpora.load("sst2")["test"]["label"][:]) == {-1}
    assert set(corpora.load("glue", "mrpc")["test"]["label"][:]) == {0, 1}
    assert set(corpora.load("glue", "stsb")["test"]["label"][:]) == {-1.0}


def test_default_configurations_have_copies() -> None:
    folder_of("snips")
    assert [name for name in corpora.names() if not corpora.has_copy(name)] == []
    assert corpora.has_copy("uner_ud", "en_pud")
    assert not corpora.has_copy("xnli", "sw")


RECORDED = records.read(records.repository() / "book" / "results" / "data_sets.jsonl")


@pytest.mark.parametrize("record", RECORDED, ids=lambda record: "-".join(record["config"].values()))
def test_the_counts_on_the_data_page_are_those_of_the_data(record: dict[str, Any]) -> None:
    folder_of(record["config"]["data"])
    assert data_sets.run(record["config"], 0, Place(Path(), Path())) == record["metrics"]


def counts_of(name: str, config: str) -> dict[str, int]:
    return next(r["metrics"] for r in RECORDED if [*r["config"].values()] == [name, config])


def test_what_others_counted_is_what_is_recorded() -> None:
    assert counts_of("universal_ner", "en_ewt")["test_exact"] == 94
    assert counts_of("snips", "default")["test_exact"] == 26
    assert counts_of("glue", "cola")["test_exact"] == 19
    assert counts_of("trec", "default")["test_exact"] == 10
    sick, captions = counts_of("sick", "default"), counts_of("multi30k", "default")
    assert (sick["test_exact"], sick["test_any_order"], sick["test_any_text"]) == (0, 35, 4787)
    assert [captions[f"test_{name}"] for name in ("exact", "any_order", "any_text")] == [0, 0, 0]
    assert [captions[f"train_repeats_{language}"] for language in ("en", "de")] == [9, 25]


def test_the_caveat_on_broken_tags_is_what_is_counted() -> None:
    broken = {
        (*record["config"].values(), name): count
        for record in RECORDED
        for name, count in record["metrics"].items()
        if name.endswith("_broken_tags") and count
    }
    assert broken == {
        ("universal_ner", "da_ddt", "train_broken_tags"): 6,
        ("universal_ner", "da_ddt", "test_broken_tags"): 1,
    }
    caveats = " ".join(corpora.caveats_table("universal_ner")["caveat"])
    assert "da_ddt has 7 tags I- that continue no entity of their type (6 in train, 1" in caveats


@pytest.mark.parametrize(("name", "config"), COPIES)
def test_every_split_of_a_copy_has_a_digest_on_record(name: str, config: str) -> None:
    """Loading compares them; this notices one that is missing, or a split that is gone."""
    known = {key for key in DIGESTS if key.startswith(f"{name}/{config}/")}
    files = (folder_of(name) / config).glob("*.parquet")
    assert known == {f"{name}/{config}/{path.name.split('-')[0]}" for path in files}


def test_no_flipped_bit_of_a_real_file_is_read_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (folder_of("trec") / "default").iterdir():
        copy = tmp_path / "trec" / "default" / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setenv("MTL_DATA_DIR", str(tmp_path))
    expected = {split: rows.to_dict() for split, rows in corpora.load("trec").items()}
    test = tmp_path / "trec" / "default" / "test-00000-of-00001.parquet"
    content, refused = test.read_bytes(), 0
    for number in range(100):
        damaged = bytearray(content)
        damaged[number * len(content) // 100] ^= 1 << number % 8
        test.write_bytes(damaged)
        try:
            assert corpora.load("trec")["test"].to_dict() == expected["test"]
        except DataError:
            refused += 1
    assert refused > 50  # the others are in what nobody reads, such as statistics


def test_equal_questions_of_trec_stay_on_one_side() -> None:
    folder_of("trec")
    trec, shared = corpora.load("trec"), {}
    for texts in ((), None):
        carved = corpora.carve_validation(trec, texts=texts)
        train = set(carved["train"]["text"][:])
        shared[texts] = sum(text in train for text in carved["validation"]["text"][:])
    assert shared == {(): 12, None: 0}


def test_every_fine_label_of_trec_has_its_share() -> None:
    folder_of("trec")
    trec, missing = corpora.load("trec"), {}
    for stratify in (None, "fine_label"):
        carved = corpora.carve_validation(trec, stratify=stratify)
        labels = {split: set(rows["fine_label"][:]) for split, rows in carved.items()}
        missing[stratify] = len(labels["train"] - labels["validation"])
        assert labels["train"] == set(trec["train"]["fine_label"][:])
    assert missing[None] > 0
    assert missing["fine_label"] == 0


def test_a_validation_split_is_carved_for_trec() -> None:
    folder_of("trec")
    carved = corpora.carve_validation(corpora.load("trec"))
    assert {split: part.num_rows for split, part in carved.items()} == {
        "train": 4907,
        "validation": 545,
        "test": 500,
    }


def test_a_real_file_cut_short_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (folder_of("trec") / "default").iterdir():
        copy = tmp_path / "trec" / "default" / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes()[: 10_000 if path.name.startswith("train") else None])
    monkeypatch.setenv("MTL_DATA_DIR", str(tmp_path))
    with pytest.raises(BrokenFileError, match=r"train-00000-of-00001\.parquet cannot be read"):
        corpora.load("trec")
