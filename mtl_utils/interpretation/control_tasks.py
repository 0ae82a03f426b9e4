"""Control tasks: what a probe learns by heart, so that it is not taken for what states know."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtl_utils.arguments import check_seed, check_several, check_tensor
from mtl_utils.interpretation.probes import check_pairs, fit_probe


def control_labels(word_types: Sequence[Hashable], labels: Tensor, *, seed: int = 0) -> Tensor:
    """Give every word type a label of its own at random (Hewitt & Liang, 2019).

    A probe can only learn it by heart, type by type. Labels are drawn with the frequencies that
    they have among the words, so that both tasks look alike to who does not see the words. Types
    are drawn in the order of their first occurrence: the same words and seed give the same labels.

    Args:
        word_types: What word stands in each place, N of them, such as its form or its id. Give
            those of training and test together, so that a type has the same label in both.
        labels: The labels of the task that is controlled, ids ``[N]``.
        seed: Seed of the draw.

    Returns:
        Ids ``[N]``.

    Raises:
        TypeError: If something is not several words, no tensor of integers, or no whole number.
        ValueError: If numbers differ, there is nothing, or an id is negative.
    """
    check_several("word_types", word_types, "words")
    check_tensor("labels", labels, "[N]", "integer")
    check_seed("seed", seed)
    if len(word_types) != len(labels) or not len(labels):
        raise ValueError(
            f"Expected word_types and labels of one number, at least one, got {len(word_types)} "
            f"words {word_types!r:.40} for labels {list(labels.shape)}"
        )
    if int(labels.min()) < 0:
        raise ValueError(
            f"labels must be ids from 0, got {int(labels.min())} in {list(labels.shape)}"
        )
    number: dict[Hashable, int] = {}
    places = torch.tensor([number.setdefault(word, len(number)) for word in word_types])
    frequencies = labels.bincount().double().cpu()
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(frequencies, len(number), replacement=True, generator=generator)
    return drawn[places].to(labels.device)


@dataclass(frozen=True)
class Selectivity:
    """How much better a probe does on a task than on its control.

    Args:
        accuracy: Of the task, from 0 to 1.
        control: Accuracy of the control task.
        known: Accuracy of the control task on words whose type occurs in training: elsewhere its
            label is a draw that nothing announces.
    """

    accuracy: float
    control: float
    known: float

    @property
    def value(self) -> float:
        """The accuracy of the task less that of the control (Hewitt & Liang, 2019)."""
        return self.accuracy - self.control


def selectivity(
    train: tuple[Tensor, Tensor, Sequence[Hashable]],
    test: tuple[Tensor, Tensor, Sequence[Hashable]],
    *,
    strength: float = 1e-3,
    seed: int = 0,
) -> Selectivity:
    """Fit one probe to a task and one to its control, and compare them on other texts.

    Leave out words that are read as unknown: as one word type they have one label in the control,
    which costs it nothing, and many in the task.

    Args:
        train: States ``[N, D]``, labels ``[N]`` and the word types.
        test: The same of other texts.
        strength: See :func:`fit_probe`; the same for both.
        seed: Seed of the control task.

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If shapes do not fit, or a setting is outside its range.
    """
    for name, part in (("train", train), ("test", test)):
        check_several(name, part, "states, labels and word types")
        if len(part) != 3:
            raise ValueError(f"{name} must be states, labels and word types, got {part!r:.60}")
        check_pairs(part[0], part[1])
    (states, labels, words), (others, wanted, other_words) = train, test
    size = 1 + int(max(labels.max(), wanted.max()))
    drawn = control_labels([*words, *other_words], torch.cat([labels, wanted]), seed=seed)
    fit = {"num_labels": size, "strength": strength}
    probe = fit_probe(states, labels, **fit)  # type: ignore[arg-type]
    control = fit_probe(states, drawn[: len(labels)], **fit)  # type: ignore[arg-type]
    right = control.log_probabilities(others).argmax(dim=1) == drawn[len(labels) :]
    seen = set(words)
    known = torch.tensor([word in seen for word in other_words], device=right.device)
    of_known = float(right[known].double().mean()) if bool(known.any()) else float("nan")
    return Selectivity(probe.accuracy(others, wanted), float(right.double().mean()), of_known)
