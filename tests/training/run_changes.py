"""Changes that make another run, each with what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from labelled_runs import (
    Scorer,
    alternating,
    examples,
    hard,
    joint,
    loader,
    model,
    only,
    partial,
    relabelled,
    scores,
    shared_private,
    soft,
    tasks,
)
from parallel_runs import GeometricBalancer

from mtl_utils.objectives import EqualWeights, FixedWeights
from mtl_utils.sharing import trace_norm

Changes = dict[str, Any]


def weights(**by_task: float) -> Callable[[], FixedWeights]:
    return lambda: FixedWeights({"tags": 1.0, "topic": 1.0, "relation": 0.5, **by_task})


def of_tasks(**settings: Any) -> Callable[[], Any]:
    return lambda: model(given=tasks(**settings))


def changed(change: Callable[[Any], None]) -> Callable[[], Any]:
    return lambda: model(change=change)


def with_options(**options: Any) -> Changes:
    return {"groups": lambda m: [{"params": list(m.parameters()), **options}]}


def halves(swapped: bool) -> Callable[[Any], list[dict[str, Any]]]:
    """Return two groups of equal size and shapes, of the tags' and the topics' output layers."""

    def groups(trained: Any) -> list[dict[str, Any]]:
        one, other = (list(trained.heads[task].parameters()) for task in ("tags", "topic"))
        known = {id(p) for p in (*one, *other)}
        rest = [p for p in trained.parameters() if id(p) not in known]
        return [{"params": p} for p in ([other, one, rest] if swapped else [one, other, rest])]

    return groups


def freeze(trained: Any) -> None:
    trained.sharing.encoder.stack.requires_grad_(False)


def set_max_norm(trained: Any) -> None:
    trained.sharing.encoder.embedding.max_norm = 1.0


def set_constant(value: Any) -> Callable[[Any], None]:
    return lambda trained: setattr(trained.sharing, "constant", value)


def set_buffer(value: float, persistent: bool) -> Callable[[Any], None]:
    def change(trained: Any) -> None:
        trained.sharing.register_buffer("table", torch.tensor([value]), persistent=persistent)

    return change


def hook(module: Any, inputs: Any, output: Any) -> None:
    """Look at an output."""


DATA_CHANGES: dict[str, tuple[Changes, Changes, str]] = {
    "a corrected label": ({}, {"train": lambda: loader(relabelled())}, "training data.examples is"),
    "the first label": ({}, {"train": lambda: loader(relabelled(0))}, "training data.examples is"),
    "rows in another order": (
        {},
        {"train": lambda: loader(examples()[::-1])},
        "training data.examples is",
    ),
    "a row less": ({}, {"train": lambda: loader(examples()[:-1])}, "training data.examples is '9,"),
    "batch size": (
        {},
        {"train": lambda: loader(batch_size=3)},
        "training data.batch_size is 2 there and 3 here",
    ),
    "budget": (
        {},
        {"train": lambda: loader(batch_size=None, max_tokens=20)},
        "training data.max_tokens is None there and 20 here",
    ),
    "order of batches": (
        {},
        {"train": lambda: loader(seed=1)},
        "training data.seed is 0 there and 1 here",
    ),
    "no order": ({}, {"train": lambda: loader(shuffle=False)}, "training data.shuffle is True"),
    "padding": ({}, {"train": lambda: loader(pad_id=1)}, "training data.pad_id is 0 there"),
    "validation data": (
        {},
        {"validation": lambda: loader(examples(9, 4), shuffle=False)},
        "validation data.examples is",
    ),
    "no validation data": (
        {"metric": "topic_accuracy"},
        {"metric": "topic_accuracy", "validation": lambda: None},
        "validation data is 'batches' there and None here",
    ),
    "another kind of loader": ({}, {"train": joint}, "training data.kind is 'BatchLoader' there"),
    "turns": (
        {"train": alternating},
        {"train": lambda: alternating(turns=[2, 1])},
        "training data.turns is '[1, 1]' there and '[2, 1]' here",
    ),
    "length of an epoch": (
        {"train": joint},
        {"train": lambda: joint(num_batches=4)},
        "training data.num_batches is 5 there and 4 here",
    ),
    "a part": (
        {"train": alternating},
        {"train": lambda: alternating(only("tags"), only("topic", examples(2, 4)))},
        "training data.part 2: examples is",
    ),
    "a setting of a part": (
        {"train": alternating},
        {"train": lambda: alternating(only("tags", seed=3), only("topic", examples(1, 4)))},
        "training data.part 1: seed is 0 there and 3 here",
    ),
    "parts in another order": (
        {"train": alternating},
        {"train": lambda: alternating(only("topic", examples(1, 4)), only("tags"))},
        "training data.part 1: examples is",
    ),
}

MODEL_CHANGES: dict[str, tuple[Changes, Changes, str]] = {
    "dropout": (
        {},
        {"model": lambda: model(sharing=lambda: hard(dropout=0.3))},
        "model.sharing.encoder.dropout.p is 0.1 there and 0.3 here",
    ),
    "token dropout": (
        {},
        {"model": lambda: model(sharing=lambda: hard(token_dropout=0.2))},
        "model.sharing.encoder.token_dropout.p is 0.0 there and 0.2 here",
    ),
    "heads of attention": (
        {},
        {"model": lambda: model(sharing=lambda: hard(num_heads=4))},
        "attention.num_heads is 2 there and 4 here",
    ),
    "place of the norm": (
        {},
        {"model": lambda: model(sharing=lambda: hard(norm_first=False))},
        "norm_first is True there and False here",
    ),
    "activation": (
        {},
        {"model": lambda: model(sharing=lambda: hard(activation="gelu"))},
        "activation is 'relu' there and 'gelu' here",
    ),
    "smoothing": (
        {},
        {"model": of_tasks(topic={"smoothing": 0.1})},
        "model.tasks.topic.smoothing is 0.0 there and 0.1 here",
    ),
    "scale of a loss": (
        {},
        {"model": of_tasks(tags={"scale": "token"})},
        "model.tasks.tags.scale is 'text' there and 'token' here",
    ),
    "dropout of a task": (
        {},
        {"model": of_tasks(tags={"dropout": 0.1})},
        "model.tasks.tags.dropout is 0.0 there and 0.1 here",
    ),
    "CRF": ({}, {"model": of_tasks(tags={"crf": True})}, "model.tasks.tags.crf is False there"),
    "constraints": (
        {},
        {"model": of_tasks(tags={"constrained": False})},
        "model.tasks.tags.constrained is True there and False here",
    ),
    "labels in another order": (
        {},
        {"model": of_tasks(topic={"labels": ("b", "a", "c")})},
        """model.tasks.topic.labels is '["a", "b", "c"]' there and '["b", "a", "c"]' here""",
    ),
    "pooling of pairs": (
        {},
        {"model": of_tasks(relation={"pooling": "compare"})},
        "model.tasks.relation.pooling is 'first' there and 'compare' here",
    ),
    "order of tasks": (
        {},
        {"model": lambda: model(given=tasks()[::-1])},
        """order of model.heads is '["tags", "topic", "relation"]' there""",
    ),
    "a task less": (
        {"train": joint, "validation": joint},
        {"train": joint, "validation": joint, "model": lambda: model(given=tasks()[:2])},
        "model.tasks.relation is 'mtl_utils.tasks.classification.PairClassification' there and "
        "absent here",
    ),
    "frozen layers": ({}, {"model": changed(freeze)}, ", frozen' here"),
    "max_norm": (
        {},
        {"model": changed(set_max_norm)},
        "model.sharing.encoder.embedding.max_norm is None there and 1.0 here",
    ),
    "type of numbers": (
        {},
        {"model": lambda: model().double()},
        "weight is 'torch.float32 [12, 8]' there and 'torch.float64 [12, 8]' here",
    ),
    "a hook": (
        {},
        {"model": changed(lambda m: m.sharing.register_forward_hook(hook) and None)},
        "model.sharing.forward_hooks.0 is absent there",
    ),
    "a constant": (
        {"model": changed(set_constant(np.arange(3)))},
        {"model": changed(set_constant(np.arange(3) + 1))},
        "model.sharing.constant is 'torch.int64 [3], digest",
    ),
    "a buffer that is not saved": (
        {"model": changed(set_buffer(1.0, persistent=False))},
        {"model": changed(set_buffer(2.0, persistent=False))},
        "model.sharing.table is 'torch.float32 [1], digest",
    ),
    "a buffer that is saved": (
        {"model": changed(set_buffer(1.0, persistent=True))},
        {"model": changed(set_buffer(2.0, persistent=True))},
        "the first weights of the model are others (sharing.table)",
    ),
    "first weights": (
        {},
        {"model": lambda: model(seed=2)},
        "the first weights of the model are others (sharing.encoder.embedding.weight, ",
    ),
    "another way of sharing": (
        {},
        {"model": lambda: model(sharing=soft)},
        "model.sharing is 'mtl_utils.sharing.hard.HardSharing' there",
    ),
    "strength of soft sharing": (
        {"model": lambda: model(sharing=soft)},
        {"model": lambda: model(sharing=lambda: soft(strength=0.1))},
        "model.sharing.strength is 1.0 there and 0.1 here",
    ),
    "penalty of soft sharing": (
        {"model": lambda: model(sharing=soft)},
        {"model": lambda: model(sharing=lambda: soft(penalty=trace_norm))},
        "model.sharing.penalty is 'mtl_utils.sharing.soft.squared_distance' there",
    ),
    "strength of the adversary": (
        {"model": lambda: model(sharing=shared_private)},
        {"model": lambda: model(sharing=lambda: shared_private(adversary_strength=0.5))},
        "model.sharing.adversary_strength is 0.05 there and 0.5 here",
    ),
    "strength of orthogonality": (
        {"model": lambda: model(sharing=shared_private)},
        {"model": lambda: model(sharing=lambda: shared_private(orthogonality_strength=0.0))},
        "model.sharing.orthogonality_strength is 0.01 there and 0.0 here",
    ),
}

TRAINING_CHANGES: dict[str, tuple[Changes, Changes, str]] = {
    "weights of losses": (
        {},
        {"balancer": weights(tags=100.0)},
        "balancer.weights.tags is 1.0 there and 100.0 here",
    ),
    "another balancer": (
        {},
        {"balancer": EqualWeights},
        "balancer is 'mtl_utils.objectives.weighting.FixedWeights' there",
    ),
    "first state of the balancer": (
        {"balancer": lambda: GeometricBalancer(0.5)},
        {"balancer": lambda: GeometricBalancer(0.6)},
        "the first weights of the balancer are others (exponent)",
    ),
    **{
        name: ({}, {name: value}, f"config.{name} is ")
        for name, value in {
            "learning_rate": 0.01,
            "optimizer": "adam",
            "betas": (0.8, 0.999),
            "weight_decay": 0.1,
            "clip_norm": None,
            "schedule": "constant",
            "warmup_steps": 3,
            "patience": 1,
            "seed": 1,
            "validate_every": 2,
        }.items()
    },
    "precision": ({}, {"mixed_precision": "bf16"}, "config.mixed_precision is 'no' there"),
    "metric": (
        {},
        {"metric": "topic_accuracy"},
        "metric is 'validation_loss' there and 'topic_accuracy' here",
    ),
    "mode": (
        {"metric": "score", "mode": "min", "evaluate": partial},
        {"metric": "score", "mode": "max", "evaluate": partial},
        "mode is 'min' there and 'max' here",
    ),
    "eps": ({}, with_options(eps=1e-3), "optimizer group 1.eps is 1e-08 there and 0.001 here"),
    "a rate of a group": (
        with_options(lr=0.1),
        with_options(lr=0.2),
        "optimizer group 1.initial_lr is 0.1 there and 0.2 here",
    ),
    "amsgrad": ({}, with_options(amsgrad=True), "optimizer group 1.amsgrad is False there"),
    "equal groups of other parameters": (
        {"groups": halves(swapped=False)},
        {"groups": halves(swapped=True)},
        "optimizer place of model.heads.tags.output.weight is 'group 1, place 1' there and "
        "'group 2, place 1' here",
    ),
    "parameters in another order": (
        with_options(),
        {"groups": lambda m: [{"params": list(m.parameters())[::-1]}]},
        "optimizer place of model.",
    ),
}

EVALUATE_CHANGES: dict[str, tuple[Changes, Changes, str]] = {
    "no evaluate": ({}, {"evaluate": lambda: None}, "evaluate is 'labelled_runs.scores.<locals>"),
    "another threshold": (
        {},
        {"evaluate": lambda: scores(examples(8, 4), 0.7)},
        "evaluate.threshold is 0.5 there and 0.7 here",
    ),
    "other rows": (
        {},
        {"evaluate": lambda: scores(examples(9, 4))},
        "evaluate.rows is '4 examples, digest",
    ),
    "another function": (
        {"evaluate": partial},
        {"evaluate": lambda: Scorer(0.5)},
        "evaluate is 'functools.partial of labelled_runs.score_above' there and "
        "'labelled_runs.Scorer' here",
    ),
    "an argument that was bound": (
        {"evaluate": lambda: partial(threshold=0.1)},
        {"evaluate": lambda: partial(threshold=0.2)},
        "evaluate.threshold is 0.1 there and 0.2 here",
    ),
    "a setting of an object": (
        {"evaluate": lambda: Scorer(0.1)},
        {"evaluate": lambda: Scorer(0.2)},
        "evaluate.threshold is 0.1 there and 0.2 here",
    ),
    "a setting of a method's object": (
        {"evaluate": lambda: Scorer(0.1).score},
        {"evaluate": lambda: Scorer(0.2).score},
        "evaluate.self.threshold is 0.1 there and 0.2 here",
    ),
    "two functions without a name": (
        {"evaluate": lambda: lambda trained: {"score": 1.0}},
        {"evaluate": lambda: lambda trained: {"score": 2.0}},
        "evaluate.code is 'digest",
    ),
    "a default": (
        {"evaluate": lambda: lambda trained, score=1.0: {"score": score}},
        {"evaluate": lambda: lambda trained, score=2.0: {"score": score}},
        "evaluate.default of score is 1.0 there and 2.0 here",
    ),
}

CHANGES = DATA_CHANGES | MODEL_CHANGES | TRAINING_CHANGES | EVALUATE_CHANGES
