"""What is known of one task when a cause is named, and what has to be known to name it."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType

from mtl_utils.arguments import check_kind, check_number, check_text
from mtl_utils.diagnosis.causes import Cause
from mtl_utils.diagnosis.changes import Change


@dataclass(frozen=True)
class Evidence:
    """What was measured of one task. What was not is ``None``.

    Args:
        share: Its share of the gradient on shared parameters over an equal share: 1 where it is as
            loud as the mean of all tasks.
        equalised: The change of its loss on training rows where every task has the same share and
            nothing else is changed, half way through, in parts of the loss before any training.
        held_out: How much likelier a training row that was put aside is to cost more than a
            validation row than the other way round (:func:`excess`).
        longer: The change of its loss on validation rows by half as many steps again, in parts of
            that before any training.
        late: Which part of what training took from its loss on training rows came in the second
            half of the steps.
        unlearnt: Its loss on training rows at the end, in parts of that before any training.
        wider: How much worse the training rows are learnt by a model of twice the width in half of
            the steps, in parts of the loss before any training: below 0 where it learns them better
            for all that.
        beside: How much greater its loss on validation rows is beside the others, at the better of
            half way and the end, than alone with half of the steps, in parts of that before any
            training; each at the temperature that suits it.
        partner: The task whose gradients agree with its own least.
        partner_beside: What ``beside`` is of that task.
        agreement: How much better their gradients agree on the same row than on different ones: a
            difference of cosines (:func:`row_agreement`).

    Raises:
        TypeError: If something is not of its kind.
        ValueError: If a share is negative or something not finite.
    """

    share: float | None = None
    equalised: Change | None = None
    held_out: Change | None = None
    longer: Change | None = None
    late: float | None = None
    unlearnt: float | None = None
    wider: Change | None = None
    beside: Change | None = None
    partner: str | None = None
    partner_beside: Change | None = None
    agreement: float | None = None

    def __post_init__(self) -> None:
        for name in ("equalised", "held_out", "longer", "wider", "beside", "partner_beside"):
            check_kind(name, getattr(self, name), (Change, NoneType), "a Change")
        if self.share is not None:
            check_number("share", self.share, least=0)
        if self.unlearnt is not None:
            check_number("unlearnt", self.unlearnt, least=0)
        for name in ("late", "agreement"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name))
        if self.partner is not None:
            check_text("partner", self.partner)


@dataclass(frozen=True)
class Thresholds:
    """From where on evidence names a cause.

    Args:
        share: A share of the gradient below this part of an equal one is faint.
        equalised: A faint loss is drowned if equal shares lower it by at least this.
        held_out: Labels are noisy if rows put aside cost more by at least this.
        unlearnt: There is something to learn where this part of the loss of training rows is left.
        longer: Training was too short if so, and half as many steps again lower the loss of
            validation rows by this,
        late: and this part of what was learnt came in the second half, or more steps help more than
            twice the width.
        wider: There is too little width if there is something to learn, training was not too short,
            and twice the width in half of the steps lowers the loss of training rows by this.
        agreement: Tasks are unrelated if gradients agree on the same row by less than this more
            than on others,
        beside: neither is better beside the others by at least this,
        cost: and one is worse beside them by at least this.

    Raises:
        TypeError: If one is no number.
        ValueError: If one is not finite, or negative.
    """

    share: float = 0.3
    equalised: float = 0.02
    held_out: float = 0.25
    unlearnt: float = 0.4
    longer: float = 0.02
    late: float = 0.25
    wider: float = 0.05
    agreement: float = 0.2
    beside: float = 0.01
    cost: float = 0.015

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            check_number(name, value, least=0)


def cause_of(evidence: Evidence, thresholds: Thresholds | None = None) -> Cause | None:
    """Name what evidence speaks for, the first of :data:`CAUSES` that is shown.

    Args:
        evidence: Of one task.
        thresholds: From where on it speaks.

    Returns:
        The cause; ``None`` where nothing is shown, or nothing was measured.

    Raises:
        TypeError: If an argument is not of its kind.
    """
    check_kind("evidence", evidence, Evidence, "Evidence")
    check_kind("thresholds", thresholds, (Thresholds, NoneType), "Thresholds")
    limits = thresholds or Thresholds()
    if _drowned(evidence, limits):
        return "drowned loss"
    if _grows(evidence.held_out, limits.held_out):
        return "label noise"
    if (evidence.unlearnt or 0) >= limits.unlearnt:
        if _short(evidence, limits):
            return "under-training"
        if _falls(evidence.wider, limits.wider):
            return "too little width"
    if _unrelated(evidence, limits):
        return "unrelated task"
    return None


def _drowned(evidence: Evidence, limits: Thresholds) -> bool:
    faint = evidence.share is not None and evidence.share < limits.share
    return faint and _falls(evidence.equalised, limits.equalised)


def _short(evidence: Evidence, limits: Thresholds) -> bool:
    """Say whether steps are lacking: what is wider is also faster, so that both may help."""
    if not _falls(evidence.longer, limits.longer):
        return False
    late = evidence.late is not None and evidence.late >= limits.late
    return late or evidence.wider is None or _gain(evidence.longer) > _gain(evidence.wider)


def _gain(change: Change | None) -> float:
    return 0.0 if change is None else -change.mean


def _unrelated(evidence: Evidence, limits: Thresholds) -> bool:
    if evidence.beside is None or evidence.agreement is None:
        return False
    both = [of for of in (evidence.beside, evidence.partner_beside) if of is not None]
    if any(_falls(of, limits.beside) for of in both):
        return False
    costs = max(of.mean for of in both) >= limits.cost
    return costs and evidence.agreement < limits.agreement


def _falls(change: Change | None, by: float) -> bool:
    return change is not None and change.mean <= -by and change.greatest < 0


def _grows(change: Change | None, by: float) -> bool:
    return change is not None and change.mean >= by and change.least > 0
