"""Training one unit of a contender in stages: on other tasks first, on pseudo-labels, by means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn as torch_nn

from mtl_utils.data import BatchLoader, Example, Tokenizer
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.experiments.contenders import Unit
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.settings_read import reads
from mtl_utils.experiments.text_set import TextSet
from mtl_utils.experiments.text_sets import examples, load
from mtl_utils.experiments.text_training import (
    groups_of,
    loaders_of,
    main_scores,
    measure,
    model_of,
    tokenizer_of,
)
from mtl_utils.experiments.unit_training import (
    OF_TEXTS,
    Compared,
    Judge,
    Trained,
    balancer_of_unit,
    compared_on,
    fit_judged,
    judged_columns,
    learnt,
    of_unit,
)
from mtl_utils.models import MultiTaskModel
from mtl_utils.tasks import MaskedLanguageModeling
from mtl_utils.training import JointBatches, Loader, Trainer, TrainerConfig
from mtl_utils.transfer import adapted, pseudo_labelled, set_prototypes

_WORDS = "words"

ROUTES: Mapping[str, set[str]] = {
    "joint": set(),
    "then": {"share", "first"},
    "words": set(),
    "pseudo-labels": {"share", "confidence"},
    "prototypes": set(),
}
"""By kind of route what else its settings have."""


def _names_of_route(settings: Mapping[str, Any]) -> set[str]:
    return {"kind", *ROUTES.get(settings.get("kind", ""), ())}


_READ = OF_TEXTS.and_others(
    *("rows_seed", "weights_seed", "tokenizer_seed"), route=_names_of_route, beside=(_WORDS,)
)

_POOL = 2000
"""Most texts without labels that are read: those of the training rows that were not drawn."""


@dataclass(frozen=True)
class _Staged:
    """What a unit is trained of.

    Args:
        settings: Of the unit.
        unit: Its tasks, one of which is judged.
        sets: Its data sets.
        tokenizer: Of all units.
        seed: Of the run.
        workspace: Where checkpoints are.
    """

    settings: dict[str, Any]
    unit: Unit
    sets: list[TextSet]
    tokenizer: Tokenizer
    seed: int
    workspace: Path

    @property
    def target(self) -> str:
        """The task that is judged."""
        return self.unit.judged[0]

    @property
    def route(self) -> Mapping[str, Any]:
        """How it is trained; see :func:`train_in_stages`."""
        route: Mapping[str, Any] = self.settings["route"]
        return route

    def model(self) -> MultiTaskModel:
        """Make the model of all tasks."""
        torch.manual_seed(self.settings.get("weights_seed", self.seed))
        return model_of(self.settings, self.sets, self.tokenizer.vocab_size)

    def loaders(self, tasks: tuple[str, ...], split: str = "train") -> dict[str, BatchLoader]:
        """Return the batches of some tasks, each data set with one of them."""
        settings = {**self.settings, "tasks": list(tasks)}
        wanted = [
            (text_set, part)
            for text_set, part in zip(self.sets, self.settings["data"], strict=True)
            if set(tasks) & set(text_set.kinds)
        ]
        settings["data"] = [part for _, part in wanted]
        sets = [text_set for text_set, _ in wanted]
        made = loaders_of(settings, sets, self.tokenizer, split, self.seed)
        names = [next(task for task in tasks if task in text_set.kinds) for text_set in sets]
        return dict(zip(names, made, strict=True))

    def unlabelled(self) -> list[Example]:
        """Return texts of the judged task's data set that were not drawn, without their labels.

        Where tags stand is known of a text without looking at them: where words begin.
        """
        number = next(n for n, text_set in enumerate(self.sets) if self.target in text_set.kinds)
        name, size, _ = self.settings["data"][number]
        count = len(load(name, None, self.seed).splits["train"])
        more = min(count, (size or count) + _POOL)
        rows = load(name, more, self.settings.get("rows_seed", self.seed)).splits["train"]
        rest = examples(rows[size or count :], self.tokenizer, [self.target])
        return [_without_label(example, self.target) for example in rest]

    def stage(self, model: MultiTaskModel, train: Mapping[str, Loader], steps: int) -> None:
        """Train without measuring; the last weights are kept."""
        model.train()
        chosen = {**self.settings["training"]}
        chosen["warmup_steps"] = min(chosen.get("warmup_steps", 0), steps // 4)
        Trainer(
            model,
            TrainerConfig(**chosen, epochs=1, seed=self.seed),
            balancer=balancer_of_unit(self.settings, Unit(tuple(model.tasks)), self.seed),
            checkpoint=self.workspace / f"{self.unit.name}-first.pt",
            parameter_groups=groups_of(self.settings, model),
            progress=False,
            shares_every=None,
        ).fit(JointBatches(list(train.values()), num_batches=steps))


@reads(_READ)
def train_in_stages(
    settings: Config,
    unit: Unit,
    seed: int,
    workspace: Path,
    reference: Mapping[str, float] | None = None,
    test: bool = True,
) -> Trained:
    """Train one model for the judged task of a unit along a route.

    Args:
        settings: As :func:`unit_training.train_unit` takes them, and ``route``. Its ``kind`` is
            ``"joint"``: all tasks at once; ``"then"``: the tasks named ``first`` (all if there are
            none named) for a ``share`` of the steps, and then the judged task alone;
            ``"words"``: hidden words of texts without labels beside it; ``"pseudo-labels"``: the
            judged task alone for a ``share`` of the steps, then on its rows and on what the model
            says of other texts with at least the ``confidence``; ``"prototypes"``: as joint,
            measured by the means of the judged task's classes. ``rows_seed`` and ``weights_seed``
            stand in the place of the seed for the draw of rows and for the first weights.
        unit: Its tasks, one of which is judged.
        seed: Of everything else.
        workspace: Where checkpoints are.
        reference: See :func:`unit_training.train_unit`.
        test: Likewise.

    Returns:
        What was learnt, measured with the weights of the best validation. The history is that of
        the last stage.

    Raises:
        ValueError: If there is no such route, or it begins with tasks that are not the unit's; if
            more than one task is judged; or if there are settings that nothing reads, or weights of
            no task.
    """
    route = settings["route"]
    if route["kind"] not in ROUTES or len(unit.judged) != 1:
        raise ValueError(
            f"Expected one of the routes {tuple(ROUTES)} and one judged task, got {route} and "
            f"{unit}"
        )
    if strangers := set(route.get("first") or ()) - set(unit.tasks):
        raise ValueError(f"first must name tasks of {unit.tasks}, got {sorted(strangers)}")
    own = of_unit(settings, unit, seed)
    rows_seed = own.get("rows_seed", seed)
    sets = [load(name, size, rows_seed) for name, size, _ in own["data"]]
    tokenizer = tokenizer_of(settings, own.get("tokenizer_seed", seed))
    staged = _Staged(own, unit, sets, tokenizer, seed, workspace)
    (validation,) = staged.loaders(unit.judged, "validation").values()
    judge = Judge([validation], unit.judged, reference or {staged.target: 1.0})
    model, history, scores, texts = _trained(staged, judge)
    compared: Compared = {}
    if test:
        number = next(n for n, text_set in enumerate(sets) if staged.target in text_set.kinds)
        (loader,) = staged.loaders(unit.judged, "test").values()
        compared = compared_on(model, Unit(unit.judged), {own["data"][number][0]: loader})
    return learnt(model, history, scores, compared, texts)


def _trained(staged: _Staged, judge: Judge) -> Any:
    """Return the trained model, its history and scores, and how many texts it read."""
    kind, settings = staged.route["kind"], staged.settings
    model = staged.model()
    if kind == "joint":
        return _last(staged, model, judge, staged.loaders(staged.unit.tasks), settings["steps"])
    if kind == "prototypes":
        train = staged.loaders(staged.unit.tasks)
        labelled = list(train[staged.target].examples)
        by_means = _PrototypeJudge(judge, staged.target, labelled)
        found = _last(staged, model, by_means, train, settings["steps"])
        set_prototypes(model, staged.target, labelled)
        return found
    if kind == "words":
        return _last(staged, model, judge, _with_words(staged, model), settings["steps"])
    before = round(settings["steps"] * staged.route["share"])
    first = tuple(staged.route.get("first") or staged.unit.tasks)
    train = staged.loaders((staged.target,) if kind == "pseudo-labels" else first)
    staged.stage(model, train, before)
    read = before * sum(loader.batch_size or 0 for loader in train.values())
    alone = adapted(model, staged.target)
    rows = staged.loaders((staged.target,))
    if kind == "pseudo-labels":
        rows = {staged.target: _with_pseudo_labels(staged, alone, rows[staged.target])}
    *found, texts = _last(staged, alone, judge, rows, settings["steps"] - before)
    return *found, texts + read


def _last(staged: _Staged, model: MultiTaskModel, judge: Any, train: Any, steps: int) -> Any:
    """Train the last stage, which is measured on validation."""
    number = staged.settings["validations"]
    settings = {**staged.settings, "steps": steps // number * number}
    unit = Unit(tuple(model.tasks), staged.unit.judged)
    batches = list(train.values())
    groups = groups_of(settings, model)
    history, scores = fit_judged(
        model, settings, unit, staged.seed, staged.workspace, judge, batches, groups
    )
    # Batches in which words are hidden are as large as those that they are made of.
    sizes = [getattr(loader, "loader", loader).batch_size or 0 for loader in batches]
    return model, history, scores, settings["steps"] * sum(sizes)


def _with_words(staged: _Staged, model: MultiTaskModel) -> dict[str, Loader]:
    """Give the model the task of hidden words, and return its batches with those of the others."""
    tokenizer = staged.tokenizer
    special = (tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id)
    task = MaskedLanguageModeling(
        _WORDS, tokenizer.vocab_size, tokenizer.unk_id, special_ids=special
    )
    model.add_task(task)
    never = {*special, tokenizer.unk_id}
    texts = [
        replace(
            example,
            first_pieces=None,
            labels={_WORDS: [MISSING_LABEL if i in never else i for i in example.input_ids]},
        )
        for example in staged.unlabelled()
    ]
    train = staged.loaders(staged.unit.tasks)
    size = train[staged.target].batch_size
    words = task.trained_on(BatchLoader(texts, batch_size=size, seed=staged.seed), staged.seed)
    return {**train, _WORDS: words}


def _with_pseudo_labels(staged: _Staged, teacher: MultiTaskModel, rows: BatchLoader) -> BatchLoader:
    """Return rows with labels and what the teacher is sure of, about as many of each."""
    pool = staged.unlabelled()
    found = pseudo_labelled(teacher, staged.target, pool, staged.route["confidence"]).examples
    own = [replace(example, first_pieces=None) for example in rows.examples]
    said = [replace(example, first_pieces=None) for example in found]
    times = max(1, round(len(said) / len(own)))
    return BatchLoader([*own * times, *said], batch_size=rows.batch_size, seed=staged.seed)


def _without_label(example: Example, task: str) -> Example:
    label = example.labels[task]
    starts = None
    if not isinstance(label, int | float):
        starts = [place for place, tag in enumerate(label) if tag != MISSING_LABEL]
    return replace(example, labels={}, first_pieces=starts)


@dataclass(frozen=True)
class _PrototypeJudge:
    """Measures a task by the means of its classes, and leaves its trained head as it was.

    Args:
        judge: Measures.
        task: Name of the task.
        examples: Its training examples.
    """

    judge: Judge
    task: str
    examples: list[Example]

    def __call__(self, model: MultiTaskModel) -> dict[str, float]:
        """Measure a model."""
        layer = model.heads[self.task].output
        assert isinstance(layer, torch_nn.Module)
        kept = {name: value.clone() for name, value in layer.state_dict().items()}
        set_prototypes(model, self.task, self.examples)
        scores = main_scores(measure(model, self.judge.loaders), [self.task])
        layer.load_state_dict(kept)
        return judged_columns(scores, self.judge.reference)
