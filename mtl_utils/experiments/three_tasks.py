"""Chapter 04: one BiLSTM for tags, translation and language, on Atlas."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtl_utils import atlas
from mtl_utils.data import BatchLoader, BytePairTokenizer, Example
from mtl_utils.experiments.registry import Config, Experiment
from mtl_utils.models import BiLSTMFramework, MultiTaskModel
from mtl_utils.objectives import FixedWeights
from mtl_utils.tasks import to_spans
from mtl_utils.training import (
    AlternatingBatches,
    JointBatches,
    Loader,
    Trainer,
    TrainerConfig,
    evaluate_losses,
)

CORPUS = 12_500
"""Sentences of the corpus; the training split is the 10,000 from which each run takes its own."""

MEASURED = 300
"""Sentences of the validation split, and of the test split, on which every run is measured."""

SHOWN = 8
"""Test sentences whose translation is recorded."""

NAMES = tuple(atlas.NER_TAGS)


@dataclass(frozen=True)
class Labelled:
    """Sentences with everything that is known of them.

    Args:
        words: The words of each sentence.
        tags: One IOB2 tag a word.
        french: The translations.
        pos: One part of speech a word.
        topics: One topic a sentence.
    """

    words: list[list[str]]
    tags: list[list[str]]
    french: list[str]
    pos: list[list[int]]
    topics: list[int]

    def first(self, count: int) -> Labelled:
        """Return the first sentences.

        Args:
            count: How many.
        """
        return Labelled(*(values[:count] for values in vars(self).values()))


@functools.lru_cache(maxsize=1)
def corpus(seed: int) -> Mapping[str, Labelled]:
    """Return the splits of Atlas.

    Args:
        seed: Of the corpus.
    """
    splits = {}
    for split, rows in atlas.load(CORPUS, seed=seed).items():
        splits[split] = Labelled(
            [list(words) for words in rows["tokens"]],
            [[NAMES[index] for index in tags] for tags in rows["ner_tags"]],
            [row["fr"] for row in rows["translation"]],
            [list(row) for row in rows["pos_tags"]],
            list(rows["topic"]),
        )
    return splits


@functools.lru_cache(maxsize=1)
def tokenizer(seed: int) -> BytePairTokenizer:
    """Train the tokenizer of all contenders, on the text of the whole training split.

    Args:
        seed: Of the corpus.
    """
    train = corpus(seed)["train"]
    return BiLSTMFramework.train_tokenizer(train.words, train.french, 2000)


def examples_of(model: BiLSTMFramework, part: Labelled, labels: Sequence[str]) -> list[Example]:
    """Make examples that have the labels of some tasks.

    Args:
        model: The model that will read them.
        part: The sentences.
        labels: Names of the tasks. ``"french"`` stands for the translations as texts of their own,
            label-free, for the language model.
    """
    rows = list(zip(part.words, part.tags, part.french, strict=True))
    examples = [] if labels == ["french"] else [model.example(*row) for row in rows]
    examples = [
        Example(e.input_ids, {task: e.labels[task] for task in labels if task in e.labels})
        for e in examples
    ]
    return examples + [model.text(french) for french in part.french if "french" in labels]


def loader_of(model: BiLSTMFramework, config: Config, seed: int) -> Loader:
    """Put the data sets of a configuration together.

    Args:
        model: The model that will read them.
        config: One of this module's configurations. Each of its ``data`` is a number of sentences,
            the tasks whose labels they have, and the tokens of a batch.
        seed: Of the order.
    """
    train = corpus(seed)["train"]
    loaders = [
        BatchLoader(
            examples_of(model, train.first(size), labels),
            max_tokens=max_tokens,
            seed=seed,
        )
        for size, labels, max_tokens in config["data"]
    ]
    steps = config["steps"] // config["validations"]
    if config["alternating"]:
        return AlternatingBatches(loaders, num_batches=steps)
    return JointBatches(loaders, num_batches=steps)


@dataclass
class BestByTask:
    """Keeps, for each task, the weights with which it did best on validation.

    Args:
        part: The validation sentences.
        loader: The same for the losses.
    """

    part: Labelled
    loader: Loader
    best: dict[str, float] = field(default_factory=dict)
    weights: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    def __call__(self, model: MultiTaskModel) -> dict[str, float]:
        """Measure the model, and keep its weights for the tasks that improved.

        Args:
            model: The model.
        """
        assert isinstance(model, BiLSTMFramework)
        scores = {task: -loss for task, loss in evaluate_losses(model, self.loader).items()}
        if "tags" in model.tasks:
            scores["tags"] = tagging_scores(model, self.part)["f1"]
        for task, score in scores.items():
            if score > self.best.get(task, -torch.inf):
                self.best[task] = score
                state = model.state_dict()
                self.weights[task] = {name: value.clone() for name, value in state.items()}
        return {f"best_{task}": score for task, score in scores.items()}


def run(config: Config, seed: int, workspace: Path) -> dict[str, Any]:
    """Train one model, and measure each of its tasks where it did best on validation.

    Args:
        config: One of this module's configurations.
        seed: Of the corpus, weights, dropout and the order of batches.
        workspace: Not needed: a run takes minutes.

    Returns:
        On test: strict entity F1; BLEU and negative log-likelihood a token of the translation, and
        the share of names that are the same in French and arrive there; perplexity a token of the
        English text. How well linear probes read the encoder. Learning curves on validation.
    """
    splits = corpus(seed)
    torch.manual_seed(seed)
    model = BiLSTMFramework(tokenizer(seed), NAMES, config["width"], tasks=config["tasks"])
    validation = splits["validation"].first(MEASURED)
    held_out = examples_of(model, validation, config["tasks"])
    kept = BestByTask(validation, BatchLoader(held_out, max_tokens=4000))
    history = Trainer(
        model,
        TrainerConfig(**config["training"], epochs=config["validations"], seed=seed),
        balancer=FixedWeights(config["weights"]),
        evaluate=kept,
        metric=f"best_{config['tasks'][0]}",
        mode="max",
    ).fit(loader_of(model, config, seed))
    test = splits["test"].first(MEASURED)
    measured: dict[str, Any] = {}
    for task in config["tasks"]:
        model.load_state_dict(kept.weights[task])
        measured |= MEASURES[task](model, test)
        measured[f"{task}_curve"] = history[f"best_{task}"].round(4).tolist()
    model.load_state_dict(kept.weights[config["tasks"][0]])
    return measured | probes(model, splits["train"].first(1000), test)


def tagging_scores(model: BiLSTMFramework, part: Labelled) -> dict[str, float]:
    """Tag sentences and measure the tags.

    Args:
        model: The model.
        part: The sentences.
    """
    return model.tasks["tags"].metrics(model.tag(part.words), part.tags)


def measure_tags(model: BiLSTMFramework, part: Labelled) -> dict[str, Any]:
    """Measure entities: strict micro F1, of all and of each type.

    Args:
        model: The model.
        part: The sentences.
    """
    scores = tagging_scores(model, part)
    return {name: round(100 * v, 2) for name, v in scores.items() if name.startswith("f1")}


def measure_translation(model: BiLSTMFramework, part: Labelled) -> dict[str, Any]:
    """Measure translations, and how many names arrive in them.

    Args:
        model: The model.
        part: The sentences.
    """
    written = model.translate(part.words)
    scores = model.tasks["translation"].metrics(written, part.french)
    losses = evaluate_losses(model, _loader(model, part, "translation"))
    return {
        "bleu": round(scores["bleu"], 2),
        "chrf": round(scores["chrf"], 2),
        "translation_loss": round(losses["translation"], 4),
        **names_kept(part, written),
        "written": written[:SHOWN],
    }


def names_kept(part: Labelled, written: Sequence[str]) -> dict[str, float]:
    """Say how many names that are the same in both languages stand in the translations.

    Args:
        part: Sentences, whose true translations say which names are the same.
        written: Their translations.

    Returns:
        ``kept`` and ``kept_<type>``: shares in percent.
    """
    found: dict[str, list[bool]] = {"": []}
    rows = zip(part.words, part.tags, part.french, written, strict=True)
    for words, tags, french, translation in rows:
        for span in to_spans(tags):
            name = " ".join(words[span.start : span.end])
            if name in french:
                found[""].append(name in translation)
                found.setdefault(f"_{span.type}", []).append(name in translation)
    return {f"kept{k}": round(100 * sum(v) / len(v), 2) for k, v in sorted(found.items()) if v}


def measure_language(model: BiLSTMFramework, part: Labelled) -> dict[str, Any]:
    """Measure how well the English text is predicted.

    Args:
        model: The model.
        part: The sentences.
    """
    loader = _loader(model, part, "language")
    tokens = sum(len(example.input_ids) - 1 for example in loader.examples)
    loss = evaluate_losses(model, loader)["language"] * len(part.words) / tokens
    return {"language_loss": round(loss, 4)}


MEASURES = {
    "tags": measure_tags,
    "translation": measure_translation,
    "language": measure_language,
}


def probes(model: BiLSTMFramework, train: Labelled, test: Labelled) -> dict[str, float]:
    """Say how well a linear classifier reads labels off the encoder's states.

    Args:
        model: The model, which is not trained further.
        train: What the classifiers are trained on.
        test: What they are measured on.

    Returns:
        Accuracies in percent: entity tags and parts of speech of words, topics of sentences (from
        their mean state).
    """
    states = [model.read(part.words) for part in (train, test)]
    words = [torch.cat(rows) for rows in states]
    means = [torch.stack([row.mean(dim=0) for row in rows]) for rows in states]
    return {
        "probe_tags": _probe(words, _flat(train.tags), _flat(test.tags)),
        "probe_pos": _probe(words, _flat(train.pos), _flat(test.pos)),
        "probe_topic": _probe(means, train.topics, test.topics),
    }


def _flat(rows: Sequence[Sequence[Any]]) -> list[Any]:
    return [label for row in rows for label in row]


def _probe(states: Sequence[Tensor], labels: Sequence[Any], expected: Sequence[Any]) -> float:
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = (part.numpy() for part in states)
    classifier = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1.0))
    return round(100 * float(classifier.fit(train, labels).score(test, expected)), 2)


def _loader(model: BiLSTMFramework, part: Labelled, task: str) -> BatchLoader:
    return BatchLoader(examples_of(model, part, [task]), max_tokens=4000)


TRAINING = {"optimizer": "adam", "learning_rate": 0.01, "warmup_steps": 50}
WEIGHTS = {"tags": 1.0, "translation": 1.0, "language": 0.05}
ALL = ["tags", "translation", "language"]


def _config(method: str, size: int, tasks: Sequence[str], **settings: Any) -> Config:
    return {
        "method": method,
        "size": size,
        "tasks": list(tasks),
        "data": [[size, list(tasks), 2000]],
        "alternating": False,
        "weights": WEIGHTS,
        "width": 96,
        "steps": 400,
        "validations": 4,
        "training": TRAINING,
        **settings,
    }


def _low_data() -> list[Config]:
    """List the contenders for each number of labelled sentences."""
    everything = 10_000
    configs = []
    for size in (250, 1000, everything):
        configs += [_config(f"{task} alone", size, [task]) for task in ALL]
        configs += [_config("joint", size, ALL)]
    for size in (250, 1000):
        labelled = [size, ["tags", "translation"], 2000]
        text = [everything, ["language", "french"], 1000]
        configs += [_config("joint, more text", size, ALL, data=[labelled, text])]
        more = [[size, ["tags"], 1000], [everything, ["translation", "language"], 2000]]
        configs += [_config("tags, with much of the rest", size, ALL, data=more)]
    return configs


def _weights() -> list[Config]:
    """List the contenders with other weights, and with one task a step."""
    configs = [
        _config("joint", 1000, ALL, weights={**WEIGHTS, "tags": weight}) for weight in (0.1, 3.0)
    ]
    apart = [[1000, [task], 2000] for task in ALL]
    return [*configs, _config("alternating", 1000, ALL, data=apart, alternating=True, steps=1200)]


EXPERIMENTS = (
    Experiment(
        name="three_tasks_atlas",
        description="One BiLSTM for three tasks against one for each, by the number of sentences.",
        configs=tuple(_low_data()),
        seeds=(0, 1, 2, 3, 4),
        run=run,
    ),
    Experiment(
        name="three_tasks_weights",
        description="One BiLSTM for three tasks: the weight of the tags, and one task a step.",
        configs=tuple(_weights()),
        seeds=(0, 1, 2, 3, 4),
        run=run,
    ),
)
