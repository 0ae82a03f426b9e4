"""Prototypes: a class is the mean of its examples, and a text belongs to the nearest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mtl_utils.arguments import (
    check_fits,
    check_kind,
    check_module,
    check_number,
    check_several,
    check_sizes,
    check_tensor,
)
from mtl_utils.data.batch import Batch, has_label
from mtl_utils.data.batching import predict_by_length
from mtl_utils.data.examples import Example
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.tasks import ClassificationHead, TaggingHead
from mtl_utils.tasks.output_layer import write_layer

#: Score of a class without an example in a layer of prototypes: such a class is never the best, and
#: sums over classes stay finite.
ABSENT = -1e4


def class_means(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return the mean of the features of each class (Snell et al., 2017).

    Args:
        features: ``[N, D]``.
        labels: Classes ``[N]``; :data:`~mtl_utils.data.MISSING_LABEL` is not counted.
        num_classes: Number of classes, C.

    Returns:
        Prototypes ``[C, D]``; nan where a class has no example.

    Raises:
        ValueError: If shapes do not fit, or a label is no class.
        TypeError: If an argument is not of its kind.
    """
    _check_features(features, labels)
    check_sizes(num_classes=num_classes)
    counted = has_label(labels)
    features, labels = features[counted], labels[counted]
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise ValueError(
            f"labels must be from 0 to {num_classes - 1}, got {int(labels.min())} to "
            f"{int(labels.max())}, in a tensor of shape {list(labels.shape)}"
        )
    members = functional.one_hot(labels, num_classes).to(features.dtype)  # [N, C]
    return (members.T @ features) / members.sum(dim=0).unsqueeze(1)


def prototype_logits(features: Tensor, prototypes: Tensor, sharpness: float = 1.0) -> Tensor:
    r"""Score classes by the squared distance to their prototypes, :math:`-\tau\,|x - c_k|^2`.

    Args:
        features: ``[N, D]``.
        prototypes: ``[C, D]``; nan where a class has none.
        sharpness: What distances are multiplied by, :math:`\tau`. It does not change which class is
            best.

    Returns:
        Logits ``[N, C]``; minus infinity for a class without a prototype.

    Raises:
        ValueError: If shapes do not fit, or ``sharpness`` is not above 0.
        TypeError: If an argument is not of its kind.
    """
    check_tensor("features", features, "[N, D]", "floating-point")
    check_tensor("prototypes", prototypes, "[C, D]", "floating-point")
    check_fits("prototypes", prototypes, 1, features.shape[1])
    check_number("sharpness", sharpness, above=0)
    known = ~prototypes.isnan().any(dim=1)
    filled = prototypes.nan_to_num(0.0)
    distances = (features.unsqueeze(1) - filled).square().sum(dim=-1)  # [N, C]
    return (-sharpness * distances).masked_fill(~known, -torch.inf)


def prototype_layer(prototypes: Tensor, sharpness: float = 1.0) -> tuple[Tensor, Tensor]:
    r"""Write prototypes as the weights of a linear layer.

    Since :math:`-|x - c|^2 = 2 c^\top x - |c|^2 - |x|^2` and the last term is the same for all
    classes, :math:`2 \tau c_k` and :math:`-\tau |c_k|^2` give the same probabilities (Snell et al.,
    2017).

    Args:
        prototypes: ``[C, D]``; nan where a class has none.
        sharpness: See :func:`prototype_logits`.

    Returns:
        Weights ``[C, D]`` and biases ``[C]``. A class without a prototype has the weights 0 and
        the bias :data:`ABSENT`.

    Raises:
        ValueError: If there is not a row for each class, or ``sharpness`` is not above 0.
        TypeError: If an argument is not of its kind.
    """
    check_tensor("prototypes", prototypes, "[C, D]", "floating-point")
    check_number("sharpness", sharpness, above=0)
    absent = prototypes.isnan().any(dim=1)
    filled = prototypes.masked_fill(absent.unsqueeze(1), 0.0)
    bias = -sharpness * filled.square().sum(dim=1)
    return 2 * sharpness * filled, bias.masked_fill(absent, ABSENT)


def episode_loss(features: Tensor, labels: Tensor, sharpness: float = 1.0) -> Tensor:
    """Return the loss of a batch in which each row is classified by the others.

    A prototypical episode splits its rows into support and queries (Snell et al., 2017). Here every
    row is a query once, against the means of the classes without it, so that an ordinary batch is
    an episode and none of its rows is lost to the support.

    Args:
        features: ``[N, D]``.
        labels: Classes ``[N]``, any whole numbers; :data:`~mtl_utils.data.MISSING_LABEL` is not
            counted. So is not a row that is alone in its class.
        sharpness: See :func:`prototype_logits`.

    Returns:
        The mean cross-entropy in nats, a scalar; exactly 0, with zero gradient, where no row is
        counted.

    Raises:
        ValueError: If shapes do not fit, or ``sharpness`` is not above 0.
        TypeError: If an argument is not of its kind.
    """
    _check_features(features, labels)
    check_number("sharpness", sharpness, above=0)
    counted = has_label(labels)
    features, labels = features[counted], labels[counted]
    names, places = labels.unique(return_inverse=True)
    sizes = places.bincount(minlength=len(names))
    means = class_means(features, places, max(1, len(names)))
    others = sizes[places].unsqueeze(1)  # [N, 1]
    without = (others * means[places] - features) / (others - 1).clamp(min=1)
    logits = prototype_logits(features, means, sharpness)
    own = -sharpness * (features - without).square().sum(dim=1)
    rows = torch.arange(len(places), device=places.device)
    logits = logits.index_put((rows, places), own)
    kept = sizes[places] > 1
    if not bool(kept.any()):
        return features.sum() * 0.0
    return functional.cross_entropy(logits[kept], places[kept])


def set_prototypes(
    model: MultiTaskModel,
    task: str,
    examples: Sequence[Example],
    sharpness: float = 1.0,
    *,
    max_tokens: int = 4096,
) -> Tensor:
    """Write the prototypes of a task into its head, in place of what was trained there.

    The head stays a linear layer, so that everything else works as before: evaluation, prediction,
    saving, and training on from there. Without any step of training it is a classifier by the
    nearest class mean.

    Args:
        model: The model, whose head of the task is changed.
        task: Name of a classification, or of a tagging without a CRF.
        examples: Examples with labels of the task.
        sharpness: See :func:`prototype_logits`.
        max_tokens: How many tokens, padding included, are read at a time.

    Returns:
        The prototypes ``[C, D]``; nan where a label has no example.

    Raises:
        KeyError: If there is no such task.
        ValueError: If there are no examples, none has a label of the task, or ``sharpness`` is not
            above 0.
        TypeError: If the head of the task has no such layer, or an argument is not of its kind.
    """
    check_module("model", model, MultiTaskModel)
    head = model.head(task)
    if not isinstance(head, ClassificationHead | TaggingHead) or (
        isinstance(head, TaggingHead) and head.crf is not None
    ):
        raise TypeError(
            f"task must be a classification, or a tagging without a CRF, whose scores are a linear "
            f"layer; got {task!r} with {type(head).__name__}"
        )
    features, labels = task_features(model, task, examples, max_tokens=max_tokens)
    prototypes = class_means(features, labels, len(head.labels))
    weight, bias = prototype_layer(prototypes, sharpness)
    write_layer(head.output, weight, bias)
    return prototypes


@torch.no_grad()
def task_features(
    model: MultiTaskModel, task: str, examples: Sequence[Example], *, max_tokens: int = 4096
) -> tuple[Tensor, Tensor]:
    """Return what the output layer of a task reads of examples, and their labels.

    Args:
        model: The model.
        task: Name of a classification or tagging.
        examples: Examples; those without a label of the task are left out.
        max_tokens: How many tokens, padding included, are read at a time.

    Returns:
        Features ``[N, D]``, without dropout, and labels ``[N]``: of a tagging one for each word.

    Raises:
        KeyError: If there is no such task.
        ValueError: If there are no examples, or none has a label of the task.
        TypeError: If the task is of another kind, or these are no examples.
    """
    check_module("model", model, MultiTaskModel)
    head = model.head(task)
    if not isinstance(head, ClassificationHead | TaggingHead):
        raise TypeError(
            f"task must be a classification or a tagging, got {task!r} with {type(head).__name__}"
        )
    check_several("examples", examples, "Examples")
    for place, example in enumerate(examples):
        check_kind(f"examples[{place}]", example, Example, "an Example")
    labelled = [example for example in examples if task in example.labels]
    if not labelled:
        raise ValueError(f"examples must have labels of {task!r}, got {len(examples)} without")
    device = next(model.parameters()).device

    def read(batch: Batch) -> list[tuple[Tensor, Tensor]]:
        batch = batch.to(device)
        hidden, labels = model.sharing(batch, [task]).hidden[task], batch.labels[task]
        if isinstance(head, ClassificationHead):
            pooled = head.pool(hidden, batch.inputs)
            return list(zip(pooled.unsqueeze(1), labels.unsqueeze(1), strict=True))
        return list(zip(hidden, labels, strict=True))

    with evaluation_mode(model):
        rows = predict_by_length(labelled, read, max_tokens)
    features = torch.cat([states for states, _ in rows])
    labels = torch.cat([found for _, found in rows])
    counted = has_label(labels)
    return features[counted], labels[counted]


def _check_features(features: Tensor, labels: Tensor) -> None:
    check_tensor("features", features, "[N, D]", "floating-point")
    check_tensor("labels", labels, "[N]", "integer")
    check_fits("labels", labels, 0, features.shape[0])
