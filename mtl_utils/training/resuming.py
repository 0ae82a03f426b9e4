"""The checkpoints of one run: what they hold, and whether a file belongs to the run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from accelerate import Accelerator  # type: ignore[import-untyped]
from accelerate.utils import gather_object  # type: ignore[import-untyped]
from torch import nn as torch_nn
from torch.optim import Optimizer

from mtl_utils.training.checkpoints import (
    CheckpointError,
    CheckpointWarning,
    load_checkpoint,
    save_checkpoint,
)
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.processes import on_first_process
from mtl_utils.training.randomness import generator_states, restore_generators

#: Settings that change no weight, so that a run may go on with others.
_HARMLESS = ("checkpoint_every",)

#: What has changed nothing before the first validation: until then a slip of the pen can be mended.
_OF_JUDGING = ("metric", "mode")


class Stateful(Protocol):
    """What can be put into a checkpoint."""

    def state_dict(self) -> Any:
        """Return its state."""
        ...

    def load_state_dict(self, state_dict: Any) -> Any:
        """Put its state back."""
        ...


class RunCheckpoint:
    """The checkpoint of a run.

    Args:
        path: The file.
        parts: What the run consists of, by name.
        fingerprint: What tells this run from others, by name; plain values.
        accelerator: Knows the processes. The first one reads and writes for all.
    """

    def __init__(
        self,
        path: Path,
        parts: Mapping[str, Stateful],
        fingerprint: Mapping[str, Any],
        accelerator: Accelerator,
    ) -> None:
        self.path, self.parts, self.fingerprint = path, dict(parts), dict(fingerprint)
        self.accelerator = accelerator

    def save(self) -> None:
        """Write; every process must call it. A file that cannot be written is only warned of."""
        generators = gather_object([generator_states(self.accelerator.device)])
        if not self.accelerator.is_main_process:
            return
        state = {name: part.state_dict() for name, part in self.parts.items()}
        state |= {"fingerprint": self.fingerprint, "generators": generators}
        try:
            save_checkpoint(self.path, state)
        except CheckpointError as error:
            # Hours of training are worth more than a chance to resume them.
            warnings.warn(f"{error} Training goes on.", CheckpointWarning, stacklevel=2)

    def resume(self) -> bool:
        """Put everything back as the file says; every process must call it.

        Returns:
            Whether there was a file.

        Raises:
            CheckpointError: If it cannot be read or belongs to another run.
        """
        state = on_first_process(self.accelerator, self._read)
        if state is None:
            return False
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        # With more processes than before, those that are new keep the seeds they have.
        rank = self.accelerator.process_index
        if rank < len(state["generators"]):
            restore_generators(state["generators"][rank], self.accelerator.device)
        return True

    def _read(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        state = load_checkpoint(self.path)
        found = state.get("fingerprint", {})
        differences = [
            f"{name} is {_short(found.get(name))} there and {_short(value)} here"
            for name, value in self.fingerprint.items()
            if found.get(name) != value and (name not in _OF_JUDGING or _was_judged(state))
        ]
        if differences:
            raise CheckpointError(
                f"The checkpoint {self.path} belongs to another run: {'; '.join(differences)}. "
                "Repeat the call that wrote it, give another path, or delete the file to start "
                "afresh."
            )
        return state


def run_fingerprint(
    config: TrainerConfig,
    model: torch_nn.Module,
    balancer: torch_nn.Module,
    optimizer: Optimizer,
    **others: Any,
) -> dict[str, Any]:
    """Return what tells a run from others.

    Args:
        config: How it trains.
        model: The model: names, types and shapes of its parameters count.
        balancer: The balancer: its class counts.
        optimizer: The optimizer: the settings of its groups count.
        **others: Further plain values.

    Returns:
        Plain values by name.
    """
    settings = {f"config.{n}": v for n, v in asdict(config).items() if n not in _HARMLESS}
    shapes = {n: f"{p.dtype} {list(p.shape)}" for n, p in model.named_parameters()}
    names = [name for name, _ in model.named_parameters()]
    kind = type(balancer)
    return {
        **settings,
        "parameters": names,
        **shapes,
        "balancer": f"{kind.__module__}.{kind.__qualname__}",
        "parameter groups": [_group(group) for group in optimizer.param_groups],
        **others,
    }


def _was_judged(state: Mapping[str, Any]) -> bool:
    progress = state.get("progress", {})
    return progress.get("best") is not None or progress.get("waited", 0) > 0


def _group(group: Mapping[str, Any]) -> list[Any]:
    parameters: Sequence[Any] = group["params"]
    return [len(parameters), group["initial_lr"], group["weight_decay"], list(group["betas"])]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
