"""CrossNER's five domains as two files of one's own: sentences in CoNLL, their types in CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import torch

from mtl_utils import corpora
from mtl_utils.data import PretrainedTokenizer
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.text_training import (
    MEAN,
    BestWeights,
    main_scores,
    measure,
    train_jointly,
)
from mtl_utils.models import TextModel
from mtl_utils.nn import BiLSTMEncoder, PretrainedEncoder, packaged_encoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import MultiLabel, Tagging

DOMAINS = ("ai", "literature", "music", "politics", "science")
ENTITIES, TYPES = "entities", "types"

_BETWEEN = "|"
# "#" is a word in one of its sentences.
_CONLL = corpora.ConllFormat(comments=False)
_CSV = corpora.CsvFormat(lists={TYPES: _BETWEEN})


def write_files(folder: Path) -> None:
    """Write all domains of CrossNER as CoNLL, and the types of entity in each sentence as CSV.

    Args:
        folder: Where to: a folder ``conll`` and a folder ``csv``, with a file for each split.
    """
    parts = [_domain(name) for name in DOMAINS]
    for split in ("train", "validation", "test"):
        sentences, rows = [], [f"text,{TYPES}"]
        for part in parts:
            names = part[split].features["ner_tags"].feature.names
            for row in part[split]:
                tags = [names[number] for number in row["ner_tags"]]
                lines = (f"{word} {tag}" for word, tag in zip(row["tokens"], tags, strict=True))
                sentences.append("\n".join(lines))
                found = dict.fromkeys(tag[2:] for tag in tags if tag != "O")
                text = " ".join(row["tokens"]).replace('"', '""')
                rows.append(f'"{text}",{_BETWEEN.join(found)}')
        for kind, ending, content in (
            ("conll", "conll", "\n\n".join(sentences)),
            ("csv", "csv", "\n".join(rows)),
        ):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            (folder / kind / f"{split}.{ending}").write_text(f"{content}\n", encoding="utf-8")


def read_files(folder: Path) -> dict[str, datasets.DatasetDict]:
    """Read what :func:`write_files` wrote, as one reads files of one's own.

    Args:
        folder: The folder.

    Returns:
        A data set for each of the two tasks.
    """
    return {
        ENTITIES: corpora.load(folder / "conll", format=_CONLL),
        TYPES: corpora.load(folder / "csv", format=_CSV),
    }


def encoder_of(dropout: float) -> BiLSTMEncoder:
    """Make a BiLSTM over the frozen word embeddings of the packaged encoder.

    700 sentences are too few to learn embeddings from.

    Args:
        dropout: Probability of dropping a unit.
    """
    embeddings = PretrainedEncoder(packaged_encoder()).cut(0)[0].requires_grad_(False)
    return BiLSTMEncoder(
        embeddings.vocab_size, embeddings.width, dropout=dropout, embedding=embeddings
    )


def _domain(name: str) -> datasets.DatasetDict:
    return corpora.load("cross_ner", name)


def _drawn(rows: datasets.Dataset, count: int | None) -> datasets.Dataset:
    """Draw rows, the same in every run; the files are sorted by domain."""
    if count is None or count >= len(rows):
        return rows
    return rows.shuffle(seed=0).select(range(count))


def train_and_measure(config: Config, seed: int, folder: Path) -> dict[str, Any]:
    """Train one model on both files, and measure it with the weights that did best on average.

    Args:
        config: ``dropout`` of encoder and heads; ``batch`` rows of each file a step, ``steps`` of
            them, ``validations`` in between; at most ``max_validation`` and ``max_test`` rows of a
            file are measured; ``scale`` of both losses and their ``weights``; ``training`` are the
            other settings of the trainer.
        seed: Of weights, dropout and the order of batches.
        folder: Where the files are written.

    Returns:
        ``<task>_test`` and ``<task>_validation``, in percent: F1 of entities, micro F1 of types;
        learning curves, and seconds of training.
    """
    write_files(folder)
    data = read_files(folder)
    torch.manual_seed(seed)
    tokenizer = PretrainedTokenizer.from_pretrained(packaged_encoder())
    settings: dict[str, Any] = {"dropout": config["dropout"], "scale": config["scale"]}
    tasks = (
        Tagging(ENTITIES, corpora.label_names_of(data[ENTITIES], "tags"), **settings),
        MultiLabel(
            TYPES,
            corpora.label_names_of(data[TYPES], TYPES),
            labels_column=TYPES,
            pooling="mean",
            **settings,
        ),
    )
    model = TextModel(HardSharing(encoder_of(config["dropout"])), tasks, tokenizer)
    measured = {
        split: [
            model.loader({task: _drawn(rows[split], config[f"max_{split}"])}, shuffle=False)
            for task, rows in data.items()
        ]
        for split in ("validation", "test")
    }
    kept = BestWeights(measured["validation"])
    train = [
        model.loader({task: rows["train"]}, batch_size=config["batch"], seed=seed)
        for task, rows in data.items()
    ]
    trained = train_jointly(config, model, train, kept, seed)
    model.load_state_dict(kept.weights[MEAN])
    tested = main_scores(measure(model, measured["test"]), list(model.tasks))
    named = {"validation": kept.scores[MEAN], "test": tested}
    scores = {
        f"{task}_{kind}": round(100 * found[task], 2)
        for kind, found in named.items()
        for task in data
    }
    return {**scores, **trained}
