"""How a trainer trains: settings, checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Literal, get_args

from mtl_utils.arguments import check_betas, check_choice, check_number, check_seed, check_whole
from mtl_utils.training.schedules import ScheduleName

Optimizer = Literal["adamw", "adam"]
Precision = Literal["no", "bf16", "fp16", "auto"]


@dataclass(frozen=True)
class TrainerConfig:
    """How to train.

    Args:
        epochs: Passes over the training data.
        max_steps: Stop after so many steps, in the middle of an epoch if need be; ``None`` does
            not. The schedule ends there.
        learning_rate: Highest step size.
        optimizer: ``"adamw"`` (Loshchilov & Hutter, 2019) or ``"adam"`` (Kingma & Ba, 2015).
        betas: Decay of the running means of the gradient and of its square, in [0, 1).
        weight_decay: Decoupled from the gradient with ``"adamw"``, an L2 penalty with ``"adam"``.
        clip_norm: Upper bound on the norm of the gradient of the model (Pascanu et al., 2013);
            ``None`` sets none.
        schedule: ``"constant"``, ``"linear"``, ``"cosine"`` or ``"inverse_sqrt"``; see
            :mod:`mtl_utils.training.schedules`.
        warmup_steps: Steps over which the step size rises linearly from zero.
        patience: Stop after so many validations without a better one; ``None`` never does.
        mixed_precision: ``"no"``, ``"bf16"``, ``"fp16"`` (a GPU only), or ``"auto"``: ``"bf16"``
            where the device has instructions for it, which make a step faster, and ``"no"``
            elsewhere. Numbers then depend on the machine a little more than they do anyway.
        seed: Of dropout, and of nothing else: the caller seeds the initial weights. Below 2⁶³.
        validate_every: Epochs from one validation to the next; the last epoch always has one.
        checkpoint_every: Steps from one checkpoint to the next, beside the one after each epoch;
            ``None`` writes those alone.
        accumulate: Batches whose gradients make one step, where memory holds only one of them. The
            step is that of a single batch with all their rows: each loss is the mean over what it
            counts in all of them, and the gradient is clipped as a whole. Schedules, ``max_steps``
            and ``checkpoint_every`` count steps; the last step of an epoch may have fewer batches.
        task_patience: Stop training a task after so many validations without a better score of its
            own, while the others go on; ``None`` never does. See :class:`Trainer`.

    Raises:
        ValueError: If a setting is outside its range, or there is no such choice.
        TypeError: If one that must be a number is none.
    """

    epochs: int = 10
    max_steps: int | None = None
    learning_rate: float = 1e-3
    optimizer: Optimizer = "adamw"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip_norm: float | None = 1.0
    schedule: ScheduleName = "cosine"
    warmup_steps: int = 0
    patience: int | None = None
    mixed_precision: Precision = "no"
    seed: int = 0
    validate_every: int = 1
    checkpoint_every: int | None = None
    accumulate: int = 1
    task_patience: int | None = None

    def __post_init__(self) -> None:
        self._check_whole_numbers()
        check_betas("betas", self.betas)
        object.__setattr__(self, "betas", tuple(self.betas))  # a list, where it came from JSON
        check_number("learning_rate", self.learning_rate, above=0)
        if self.clip_norm is not None:
            check_number("clip_norm", self.clip_norm, above=0)
        check_number("weight_decay", self.weight_decay, least=0)
        choices = {
            "optimizer": get_args(Optimizer),
            "schedule": get_args(ScheduleName),
            "mixed_precision": get_args(Precision),
        }
        for name, allowed in choices.items():
            check_choice(name, getattr(self, name), allowed)

    def _check_whole_numbers(self) -> None:
        least = {
            "epochs": 1,
            "max_steps": 1,
            "warmup_steps": 0,
            "patience": 1,
            "validate_every": 1,
            "checkpoint_every": 1,
            "accumulate": 1,
            "task_patience": 1,
        }
        optional = ("max_steps", "patience", "task_patience", "checkpoint_every")
        for name, smallest in least.items():
            value = getattr(self, name)
            if value is None and name in optional:
                continue
            check_whole(name, value, least=smallest)
            object.__setattr__(self, name, index(value))  # a checkpoint holds no number of NumPy
        check_seed("seed", self.seed)
        object.__setattr__(self, "seed", index(self.seed))
