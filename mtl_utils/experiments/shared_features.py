"""Chapter 19: what features of one and of two tasks know, by measure, seed by seed."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping
from typing import Any

import torch

from mtl_utils import atlas, data, interpretation, nn, sharing, tasks
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.objectives import Scale
from mtl_utils.training import Trainer, TrainerConfig

LOUDER = "both, names louder"
TRAINED_ON: Mapping[str, tuple[str, ...]] = {
    "both": ("names", "topic"),
    LOUDER: ("names", "topic"),
    "names": ("names",),
    "topic": ("topic",),
}
"""The tasks of a model. The loss of names is a mean over words, or, louder, a sum."""

SIZE, WIDTH, LAYERS, HEADS, BATCH = 6_000, 64, 3, 4, 32
EPOCHS = 12
PROBED, DELETED, STRENGTH, DRAWS = 600, 300, 0.01, 5


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Train one model on Atlas, and put every question of the chapter to it.

    Args:
        config: ``trained_on``, a key of :data:`TRAINED_ON`; ``epochs``, and ``size`` of the corpus.
        seed: Of the weights and the order; the corpus is the same for all.
        place: Not needed: a run is short.

    Returns:
        Scores of the tasks; accuracy, control and compression of names and parts of speech by
        layer; similarity to models of another seed; falls of the log-probability under
        deletion by ranking; losses after erasures and after random ones.
    """
    torch.manual_seed(seed)
    corpus = atlas.load(config["size"])
    words = itertools.chain.from_iterable(corpus["train"]["tokens"])
    vocabulary = data.Vocabulary.from_tokens(words, min_count=2)
    sets = {name: _examples(corpus[name], vocabulary) for name in corpus}
    model = _trained(config, seed, sets, len(vocabulary))
    train = interpretation.collect_states(model, sets["train"][:PROBED])
    test = interpretation.collect_states(model, sets["test"][:PROBED])
    scores = model.evaluate(_of_tasks(sets["test"], model))
    found: dict[str, Any] = {name: score for name, score in scores.items() if "f1_" not in name}
    found |= _probes(train, test, sets, vocabulary.unk_id)
    found |= _erasures(model, train, sets["test"])
    if "topic" in model.tasks:
        found |= _deletions(model, sets["test"], vocabulary.unk_id, seed)
    found |= _similarity(config, seed, sets, len(vocabulary), test)
    return found


def _examples(rows: Any, vocabulary: data.Vocabulary) -> list[data.Example]:
    return [
        data.Example(
            vocabulary.encode(row["tokens"]),
            {"names": row["ner_tags"], "topic": row["topic"], "parts": row["pos_tags"]},
        )
        for row in rows
    ]


def _of_tasks(rows: list[data.Example], model: MultiTaskModel) -> list[data.Example]:
    """Leave out labels of what a model does not learn."""
    return [
        data.Example(row.input_ids, {name: row.labels[name] for name in model.tasks})
        for row in rows
    ]


def _trained(
    config: Config, seed: int, sets: Mapping[str, list[data.Example]], vocab_size: int
) -> MultiTaskModel:
    torch.manual_seed(seed)
    encoder = nn.TransformerEncoder(vocab_size, WIDTH, LAYERS, HEADS, token_dropout=0.1)
    scale: Scale = "text" if config["trained_on"] == LOUDER else "token"
    every: dict[str, tasks.Task] = {
        "names": tasks.Tagging("names", atlas.NER_TAGS, scale=scale),
        "topic": tasks.Classification("topic", atlas.TOPICS, pooling="mean"),
    }
    wanted = [every[name] for name in TRAINED_ON[config["trained_on"]]]
    model = MultiTaskModel(sharing.HardSharing(encoder), wanted)
    batches = {
        name: data.BatchLoader(
            _of_tasks(sets[name], model), batch_size=BATCH, seed=seed, shuffle=name == "train"
        )
        for name in ("train", "validation")
    }
    settings = TrainerConfig(epochs=config["epochs"], learning_rate=2e-3, seed=seed)
    Trainer(model, settings, progress=False, shares_every=0).fit(
        batches["train"], batches["validation"]
    )
    return model.eval()


def _probes(
    train: interpretation.States,
    test: interpretation.States,
    sets: Mapping[str, list[data.Example]],
    unknown: int,
) -> dict[str, float]:
    """Accuracy, control and compression of properties of known words, by layer.

    Words that are read as unknown are one word type, whose one random label costs the control
    nothing.
    """
    rows = (sets[name][:PROBED] for name in ("train", "test"))
    types = [torch.tensor([i for row in part for i in row.input_ids]) for part in rows]
    known = [part != unknown for part in types]
    words = [part[kept].tolist() for part, kept in zip(types, known, strict=True)]
    shares = (0.03, 0.1, 0.3, 1.0)
    found: dict[str, float] = {}
    for task in ("names", "parts"):
        for layer in train.layers:
            fitted, tested = (
                [each[kept] for each in part.of(task, layer)]
                for part, kept in zip((train, test), known, strict=True)
            )
            states, labels = fitted
            selectivity = interpretation.selectivity(
                (states, labels, words[0]), (tested[0], tested[1], words[1]), strength=STRENGTH
            )
            order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
            code = interpretation.online_code(
                states[order], labels[order], shares=shares, strength=STRENGTH
            )
            place = f"{task} at {layer}"
            found[f"accuracy, {place}"] = selectivity.accuracy
            found[f"selectivity, {place}"] = selectivity.value
            found[f"compression, {place}"] = code.compression
    return found


def _erasures(
    model: MultiTaskModel, train: interpretation.States, rows: list[data.Example]
) -> dict[str, float]:
    """By how much losses grow when a property is taken out of the last layer."""
    whole = interpretation.task_losses(model, rows)

    def lost(change: interpretation.Eraser) -> dict[str, float]:
        with interpretation.changed_states(model, change):
            losses = interpretation.task_losses(model, rows)
        return {task: losses[task] - whole[task] for task in whole}

    found: dict[str, float] = {}
    for task in ("names", "parts"):
        states, labels = train.of(task, train.layers[-1])
        eraser = interpretation.fit_eraser(states, labels)
        found |= {f"{t} loses without {task}": loss for t, loss in lost(eraser).items()}
        draws = [
            lost(interpretation.random_eraser(states, eraser.rank, seed=seed))
            for seed in range(DRAWS)
        ]
        for t in whole:
            found[f"{t} loses without as many at random as {task}"] = statistics.fmean(
                draw[t] for draw in draws
            )
    return found


def _deletions(
    model: MultiTaskModel, rows: list[data.Example], filler: int, seed: int
) -> dict[str, float]:
    """Mean fall of the log-probability of the topic, by ranking."""
    inputs = data.collate(rows[:DELETED]).inputs
    start = interpretation.without_words(inputs, filler)
    explained = interpretation.integrated_gradients(
        model, inputs, [interpretation.Target("topic")], baseline=start, steps=16
    )[0]
    generator = torch.Generator().manual_seed(seed)
    rankings = {
        "gradients": explained.scores,
        "chance": torch.rand(inputs.mask.shape, generator=generator),
    }
    target = interpretation.Target("topic", score="log_probability")
    found = {"completeness error": float(explained.error.abs().mean())}
    for name, scores in rankings.items():
        ranking = scores.masked_fill(inputs.input_ids == filler, -torch.inf)  # nothing to replace
        curve = interpretation.deletion_curve(model, inputs, target, ranking, filler, most=5)
        found[f"deletion by {name}"] = float(interpretation.mean_drop(curve).mean())
    return found


def _similarity(
    config: Config,
    seed: int,
    sets: Mapping[str, list[data.Example]],
    vocab_size: int,
    test: interpretation.States,
) -> dict[str, float]:
    """Similarity of the last layer to that of models of another seed: of its kind, or of all."""
    own = config["trained_on"]
    found = {}
    for kind in TRAINED_ON if len(TRAINED_ON[own]) > 1 else (own,):
        other = _trained({**config, "trained_on": kind}, seed + 100, sets, vocab_size)
        states = interpretation.collect_states(other, sets["test"][:PROBED])
        last = test.layers[-1]
        alike = interpretation.linear_cka(test.words[last], states.words[last], debiased=True)
        found[f"similarity to {kind}"] = alike
    return found


EXPERIMENTS = (
    Experiment(
        name="shared_features",
        description="What features of one and of two tasks know: probes with controls, "
        "similarity, deletion and erasure.",
        configs=tuple({"trained_on": kind, "size": SIZE, "epochs": EPOCHS} for kind in TRAINED_ON),
        seeds=(0, 1, 2, 3, 4),
        run=run,
        priority=3,
        minutes=5.0,
    ),
)
