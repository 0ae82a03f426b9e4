"""Several processes: the losses of the whole batch, and what the first process decides for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from accelerate.state import AcceleratorState  # type: ignore[import-untyped]
from accelerate.utils import (  # type: ignore[import-untyped]
    DistributedDataParallelKwargs,
    DistributedType,
    InitProcessGroupKwargs,
    broadcast,
    broadcast_object_list,
    parse_flag_from_env,
)
from torch import Tensor

from mtl_utils.data.batch import Batch
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.multitask.parts import grouped
from mtl_utils.objectives.base import Losses
from mtl_utils.training.lost import LONGEST_WAIT

Batches = Batch | Mapping[str, Batch]
Result = TypeVar("Result")

_UNSUPPORTED = (
    DistributedType.FSDP,
    DistributedType.DEEPSPEED,
    DistributedType.MEGATRON_LM,
    DistributedType.XLA,
)


def make_accelerator(mixed_precision: str) -> Accelerator:
    """Make what places models and batches, averages gradients and scales losses.

    Args:
        mixed_precision: ``"no"``, ``"bf16"`` or ``"fp16"``.

    Raises:
        ValueError: If this machine cannot do it, or accelerate was started for something else.
    """
    state = AcceleratorState._shared_state
    # One process may train several models in turn, and accelerate keeps the first precision.
    if state and state.get("_mixed_precision") != mixed_precision:
        AcceleratorState._reset_state()
    accelerator = Accelerator(
        mixed_precision=mixed_precision,
        kwargs_handlers=[
            # A batch may lack a task, and then its head has no gradient.
            DistributedDataParallelKwargs(find_unused_parameters=True),
            InitProcessGroupKwargs(timeout=LONGEST_WAIT),
        ],
    )
    if parse_flag_from_env("ACCELERATE_USE_FSDP") and accelerator.device.type == "cpu":
        raise ValueError(
            "accelerate was started to shard models (ACCELERATE_USE_FSDP), and on processors it "
            "keeps a whole copy in every process without saying so. Unset it, or shard the model "
            "with training.shard_model, which does so on processors too."
        )
    if accelerator.distributed_type in _UNSUPPORTED:
        raise ValueError(
            "Trainer runs on one device or with DistributedDataParallel, not with "
            f"{accelerator.distributed_type.value}. Use `accelerate launch --multi_gpu`, or "
            "training.shard_model in a loop of your own."
        )
    if accelerator.gradient_accumulation_steps != 1:
        raise ValueError(
            "Trainer accumulates gradients itself, by TrainerConfig(accumulate=...), but "
            "accelerate was started with "
            f"gradient_accumulation_steps={accelerator.gradient_accumulation_steps}. Set it to 1."
        )
    if mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise ValueError('mixed_precision="fp16" needs a GPU; use "bf16" or "no" on a CPU')
    return accelerator


@dataclass(frozen=True)
class BatchLosses:
    """The losses of a whole batch as numbers, the same in every process.

    Args:
        sums: By task, the sum over what is counted.
        counts: By task, how many are counted.
        penalty: The penalty of the whole batch.
    """

    sums: dict[str, float]
    counts: dict[str, float]
    penalty: float

    @property
    def means(self) -> dict[str, float]:
        """By task, the mean over what is counted, 0 where nothing is."""
        return {task: total / (self.counts[task] or 1.0) for task, total in self.sums.items()}

    def __add__(self, other: BatchLosses) -> BatchLosses:
        """Return those of two parts of a batch together."""

        def added(one: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
            return {task: one.get(task, 0.0) + more.get(task, 0.0) for task in {**one, **more}}

        sums, counts = added(self.sums, other.sums), added(self.counts, other.counts)
        return BatchLosses(sums, counts, self.penalty + other.penalty)


@dataclass(frozen=True)
class Totals:
    """What the losses of one step are means over, where its rows come in several batches.

    Args:
        counts: By task, how many labels are counted in all batches and processes.
        penalty_counts: Of the parts of a penalty that are means over texts, how many texts.
        parts: How many batches there are.
    """

    counts: Mapping[str, float]
    penalty_counts: Mapping[str, float]
    parts: int


def totals_of(
    batches: Sequence[Batches], model: MultiTaskModel, accelerator: Accelerator
) -> Totals | None:
    """Count what the losses of a step will be means over.

    Args:
        batches: Its batches, the same tasks in every process.
        model: Its heads and its way of sharing know what they count.
        accelerator: Knows the processes.

    Returns:
        ``None`` where there is a single batch, which is the whole itself.
    """
    if len(batches) < 2:
        return None
    found: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for each in batches:
        for sums, counts in zip(found, _counts(each, model), strict=True):
            for task, count in counts.items():
                sums[task] = sums.get(task, 0.0) + float(count)
    if accelerator.num_processes > 1:
        found = tuple(dict(sorted(sums.items())) for sums in found)  # type: ignore[assignment]
        numbers = torch.tensor([n for sums in found for n in sums.values()], dtype=torch.float64)
        if accelerator.device.type == "mps":
            numbers = numbers.float()
        summed = iter(accelerator.reduce(numbers.to(accelerator.device), reduction="sum").tolist())
        found = tuple({task: next(summed) for task in sums} for sums in found)  # type: ignore[assignment]
    return Totals(*found, len(batches))


def _counts(batches: Batches, model: MultiTaskModel) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return what losses and parts of a penalty will be means over, without computing them."""
    counts: dict[str, Tensor] = {}
    penalty_counts: dict[str, Tensor] = {}
    for batch, tasks in grouped(batches, model):
        counts |= {task: model.head(task).count(batch) for task in tasks}
        penalty_counts |= model.sharing.penalty_counts(batch, tasks)
    return counts, penalty_counts


def whole_batch(
    losses: Losses, accelerator: Accelerator, totals: Totals | None = None
) -> tuple[Losses, BatchLosses]:
    r"""Turn the losses of the rows at hand into those of the whole batch.

    The mean of the processes' means is not the mean over the batch where they count different
    numbers of labels. With :math:`c_r` counted in process r of R, the local loss times
    :math:`R c_r / \sum_q c_q` has, averaged over the processes as gradients will be, the gradient
    of the mean over the whole batch. Its value is replaced by that mean, so that balancers that
    look at losses see the same numbers everywhere. So it is with the parts of a penalty that are
    means over texts; what else a penalty has is the same in all processes.

    Where the rows of a step come in several batches, one after the other, it is the same with
    batches in the place of processes: the sum then goes over both, a loss has the value of its part
    of the whole, and what a penalty has else is divided among the batches.

    Args:
        losses: The losses of the rows of this process.
        accelerator: Knows the processes.
        totals: What the whole counts, where these rows are one of several batches.

    Returns:
        The losses to back-propagate, and their numbers, fetched from the device at once.
    """
    precise = torch.float32 if accelerator.device.type == "mps" else torch.float64
    several = accelerator.num_processes > 1
    in_parts = several or totals is not None
    tasks, parts = list(losses.by_task), list(losses.penalty_by_task) if in_parts else []
    means = [losses.by_task[task] for task in tasks] + [losses.penalty_by_task[t] for t in parts]
    device = losses.penalty.device
    counts = torch.stack(
        [losses.counts[task].to(device, precise) for task in tasks]
        + [losses.penalty_counts[task].to(device, precise) for task in parts]
    )
    rest = losses.penalty - sum(losses.penalty_by_task[task] for task in parts)
    local = torch.stack([mean.detach().to(precise) for mean in means]) * counts
    table = torch.cat([local, counts, rest.detach().to(precise)[None]])
    if in_parts:
        world_size = accelerator.num_processes
        if several:
            table = accelerator.reduce(table, reduction="sum")
            table[-1] /= world_size
        sums, wholes = table[:-1].view(2, len(means)).unbind()
        if totals is not None:
            numbers = [totals.counts[task] for task in tasks]
            numbers += [totals.penalty_counts[task] for task in parts]
            wholes = torch.tensor(numbers, dtype=precise, device=device)
            rest = rest / totals.parts
            table[-1] /= totals.parts
        wholes = wholes.masked_fill(wholes == 0, 1)  # sums of weights may be below 1
        scaled = [
            _with_value(mean * factor.to(mean.dtype), value)
            for mean, factor, value in zip(
                means, counts * world_size / wholes, sums / wholes, strict=True
            )
        ]
        losses = replace(
            losses,
            by_task=dict(zip(tasks, scaled, strict=False)),
            penalty=sum(scaled[len(tasks) :], start=_with_value(rest, table[-1])),
            penalty_by_task=dict(zip(parts, scaled[len(tasks) :], strict=True)),
        )
        table[-1] += (sums / wholes)[len(tasks) :].sum()
    found = table.tolist()
    return losses, BatchLosses(
        dict(zip(tasks, found, strict=False)),
        dict(zip(tasks, found[len(means) :], strict=False)),
        found[-1],
    )


def _with_value(scalar: Tensor, value: Tensor) -> Tensor:
    """Return a scalar with the gradient of one and the value of another, to the last bit."""
    return (scalar - scalar.detach()) + value.to(scalar.dtype)


def same_everywhere(tensors: Iterable[Tensor], accelerator: Accelerator) -> None:
    """Give every process the first one's parameters or buffers.

    Args:
        tensors: Those of what accelerate does not wrap; for a module that it does, it does this.
        accelerator: Knows the processes.
    """
    if accelerator.num_processes == 1:
        return
    for tensor in tensors:
        broadcast(tensor.data)


def on_first_process(accelerator: Accelerator, function: Callable[[], Result]) -> Result:
    """Call a function in the first process and return its result in all.

    Args:
        accelerator: Knows the processes.
        function: What to call; its result must be picklable.

    Raises:
        Exception: What the function raised, in the first process.
        RuntimeError: If it raised, in the others, which would else wait for ever.
    """
    if accelerator.num_processes == 1:
        return function()
    outcome: list = [None, None]
    failure: Exception | None = None
    if accelerator.is_main_process:
        try:
            outcome[0] = function()
        except Exception as error:
            failure = error
            outcome[1] = f"{type(error).__name__}: {error}"
    broadcast_object_list(outcome)
    if failure is not None:
        raise failure
    if outcome[1] is not None:
        raise RuntimeError(f"The first process failed: {outcome[1]}")
    result: Result = outcome[0]
    return result
