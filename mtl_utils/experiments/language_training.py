"""Training one model for one task in several languages, and reading languages it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from mtl_utils.data import BatchLoader, Example, Tokenizer
from mtl_utils.experiments.contenders import Unit
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.settings_read import Reading, reads
from mtl_utils.experiments.text_set import Row, TextSet
from mtl_utils.experiments.text_sets import examples, load
from mtl_utils.experiments.text_training import encoder_of, names_of_encoder, tokenizer_of
from mtl_utils.experiments.unit_training import (
    FITTED,
    Trained,
    fit_judged,
    judged_columns,
    of_unit,
)
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder, Encoder, LanguageEmbedding
from mtl_utils.sharing import HardSharing, LanguageAdapters
from mtl_utils.tasks import Tagging

ENTITIES = "entities"
"""The one task, whatever the language; languages take the place of tasks in a comparison."""


@dataclass(frozen=True)
class Languages:
    """The data of some languages, read with one tokenizer.

    Args:
        settings: See :func:`train_languages`.
        tokenizer: The same for all units.
        seed: Of the draw of rows and of their order.
    """

    settings: Config
    tokenizer: Tokenizer
    seed: int

    def text_set(self, language: str) -> TextSet:
        """Return the rows of a language that is trained.

        Args:
            language: Its name.
        """
        own = of_unit(self.settings, Unit((language,)), self.seed)
        ((name, size, _),) = own["data"]
        return load(name, size, self.seed)

    def read(
        self, rows: TextSet, split: str, column: str, language: str, most: int | None = None
    ) -> list[Example]:
        """Turn rows into examples of the one task.

        Args:
            rows: The data set.
            split: Name of the split.
            column: What the data set calls the tags.
            language: Whose id the texts have.
            most: At most so many rows, evenly from all of them: the files are sorted by genre.
        """
        known = list(self.settings["all_languages"]).index(language)
        limit = self.settings.get("max_length")
        made = examples(evenly(rows.splits[split], most), self.tokenizer, [column], limit)
        return [
            replace(e, labels={ENTITIES: e.labels[column]}, language_id=known)
            for e in made
            if column in e.labels
        ]

    def loader(self, language: str, split: str) -> BatchLoader:
        """Make the loader of a language.

        Args:
            language: Its name.
            split: Name of the split; only that for training is shuffled by the seed.
        """
        rows = self.text_set(language)
        if split != "train":
            most = self.settings.get(f"max_{split}")
            made = self.read(rows, split, language, language, most)
            return BatchLoader(made, max_tokens=4096, seed=0)
        made = self.read(rows, split, language, language)
        return BatchLoader(made, batch_size=self.settings["batch"], seed=self.seed)

    def elsewhere(self, name: str, language: str) -> BatchLoader:
        """Make the loader of test sentences that are read with the id of a trained language.

        Args:
            name: Of the data set.
            language: Whose id the texts have.
        """
        rows = load(name)
        made = self.read(rows, "test", ENTITIES, language, self.settings.get("max_test"))
        return BatchLoader(made, max_tokens=4096, seed=0)


def evenly(rows: Sequence[Row], most: int | None) -> Sequence[Row]:
    """Take rows at equal distances.

    Args:
        rows: N rows.
        most: How many to take at most; all if ``None``.
    """
    if most is None or most >= len(rows):
        return rows
    return [rows[place * len(rows) // most] for place in range(most)]


def pieces_for(settings: Config, unit: Unit, seed: int) -> Tokenizer:
    """Make the tokenizer of a unit: the one of all languages, or one that read its own rows alone.

    Args:
        settings: See :func:`train_languages`.
        unit: The unit.
        seed: Of the run.
    """
    if not settings.get("own_pieces"):
        return tokenizer_of(settings, seed)
    own = of_unit(settings, unit, seed)
    return tokenizer_of({**own, "tokenizer_data": own["data"]}, seed)


def encoder_for(settings: Config, vocab_size: int) -> Encoder:
    """Make the encoder of all languages.

    Args:
        settings: Its ``encoder`` is as :func:`text_training.encoder_of` takes it; its
            ``by_language`` is ``"nothing"``, ``"embedding"`` (a BiLSTM then), or ``"adapters"``
            with ``bottleneck``; its ``all_languages`` are those that have an id.
        vocab_size: Number of ids, V.

    Raises:
        KeyError: If there is no such kind.
    """
    kind, languages = settings["by_language"], settings["all_languages"]
    if kind == "embedding":
        rest = {name: value for name, value in settings["encoder"].items() if name != "kind"}
        embedding = LanguageEmbedding(vocab_size, rest["width"], len(languages))
        return BiLSTMEncoder(vocab_size, **rest, embedding=embedding)
    encoder = encoder_of(settings["encoder"], vocab_size)
    if kind == "nothing":
        return encoder
    if kind == "adapters":
        return LanguageAdapters(encoder, languages, settings["bottleneck"])
    raise KeyError(f"by_language must be 'nothing', 'embedding' or 'adapters', got {kind!r}")


_READ = Reading(
    FITTED.names - {"weights", "balancer"},  # there is one task
    FITTED.within,
).and_others(
    *("data", "vocab_size", "tokenizer_data", "own_pieces", "batch"),
    *("all_languages", "by_language", "bottleneck", "elsewhere"),
    *("max_length", "max_validation", "max_test", "head_dropout", "scale", "crf"),
    encoder=names_of_encoder,
)


@reads(_READ)
def train_languages(
    settings: Config,
    unit: Unit,
    seed: int,
    workspace: Path,
    reference: Mapping[str, float] | None = None,
    test: bool = True,
) -> Trained:
    """Train one model for entities in the languages of a unit, which stand where tasks do.

    Weights, layers and head are shared by all languages; there is one head. What was killed goes on
    from its last validation.

    Args:
        settings: ``data`` lists ``[data set, training rows or None, rows a batch]``, each data set
            with one task that has the name of its language; ``tasks`` names the languages, and
            ``all_languages`` those that have an id. ``encoder`` and ``by_language`` are as
            :func:`encoder_for` takes them, ``vocab_size`` and ``tokenizer_data`` as
            :func:`text_training.tokenizer_of`; with ``own_pieces`` a unit learns them from all
            training rows of its own languages. A step reads ``batch`` rows of one language, drawn
            as ``sampling`` says. ``elsewhere`` gives by name the data sets that are only tested,
            ``["german", "uner_pud_de", ["english"]]``, and with the ids of which languages.
        unit: Its languages.
        seed: Of the draw of rows, weights, dropout and the order of batches.
        workspace: Where the checkpoint is.
        reference: By language the score that counts as 1 when weights are chosen; 1 if ``None``.
        test: Whether to measure on test data.

    Returns:
        What was learnt. The metrics of a language are those on its test, and
        ``<elsewhere>_f1`` of what was read with its id.

    Raises:
        ValueError: If there are settings that nothing reads.
    """
    languages = Languages(settings, pieces_for(settings, unit, seed), seed)
    torch.manual_seed(seed)
    labels = languages.text_set(unit.tasks[0]).labels[unit.tasks[0]]
    of_head = {
        "dropout": settings["head_dropout"],
        "scale": settings["scale"],
        "crf": settings.get("crf", False),
    }
    # Danish has tags that continue nothing; each counts as an entity here.
    task = Tagging(ENTITIES, labels, invalid="convert", **of_head)
    encoder = encoder_for(settings, languages.tokenizer.vocab_size)
    model = MultiTaskModel(HardSharing(encoder), [task])
    train = [languages.loader(language, "train") for language in unit.tasks]
    judge = _Judge(
        {language: languages.loader(language, "validation") for language in unit.judged},
        reference or dict.fromkeys(unit.judged, 1.0),
    )
    own = {**settings, "balancer": {"kind": "EqualWeights"}}  # of the one task, not of languages
    history, scores = fit_judged(model, own, unit, seed, workspace, judge, train)
    return Trained(
        history,
        scores,
        {},
        _measured(model, languages, unit.judged) if test else {},
        sum(parameter.numel() for parameter in model.parameters()),
        settings["steps"] * settings["batch"],
    )


@dataclass(frozen=True)
class _Judge:
    """Measures each language on validation, and the mean over languages of score over reference.

    Args:
        loaders: Validation examples by language.
        reference: By language the score that counts as 1.
    """

    loaders: Mapping[str, BatchLoader]
    reference: Mapping[str, float]

    def __call__(self, model: MultiTaskModel) -> dict[str, float]:
        """Measure a model."""
        scores = {name: _f1(model, loader) for name, loader in self.loaders.items()}
        return judged_columns(scores, {name: self.reference[name] for name in scores})


def _f1(model: MultiTaskModel, loader: BatchLoader) -> float:
    return model.evaluate(loader)[f"{ENTITIES}_f1"]


def _measured(
    model: MultiTaskModel, languages: Languages, judged: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Measure a model on the test of its languages, and on what was never trained."""
    blind = languages.settings["by_language"] == "nothing"
    known: dict[str, float] = {}
    found: dict[str, dict[str, float]] = {}
    for language in judged:
        of_language: dict[str, Any] = {"f1": _f1(model, languages.loader(language, "test"))}
        for other, name, read_as in languages.settings["elsewhere"]:
            if language not in read_as:
                continue
            key = name if blind else f"{name} as {language}"
            if key not in known:  # a model that asks for no language says the same for all
                known[key] = _f1(model, languages.elsewhere(name, language))
            of_language[f"{other}_f1"] = known[key]
        found[language] = of_language
    return found
