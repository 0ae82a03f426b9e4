"""The checkpoints of one run: what they hold, and whether a file belongs to the run."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from accelerate import Accelerator  # type: ignore[import-untyped]
from accelerate.utils import gather_object  # type: ignore[import-untyped]
from tqdm.auto import tqdm

from mtl_utils.training import schedules
from mtl_utils.training.checkpoints import (
    CheckpointError,
    CheckpointWarning,
    checked_parts,
    load_checkpoint,
    save_checkpoint,
)
from mtl_utils.training.configuration import TrainerConfig
from mtl_utils.training.fingerprint import (
    Fingerprint,
    FingerprintWarning,
    differences,
    weights_digests,
)
from mtl_utils.training.processes import on_first_process
from mtl_utils.training.progress import Progress, all_stopped
from mtl_utils.training.randomness import generator_states, restore_generators

OnOtherRun = Literal["refuse", "restart"]

#: Parts whose tensors, as they are when a run begins, tell it from others.
_WITH_WEIGHTS = ("model", "balancer")

#: What has changed nothing before the first validation: until then a slip of the pen can be mended.
_OF_JUDGING = ("metric", "mode", "evaluate", "validation data", "task metrics")


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
        parts: What the run consists of, by name, with ``model``, ``balancer`` and ``progress``; the
            first weights are those that they have now.
        fingerprint: What else tells this run from others, by name.
        accelerator: Knows the processes. The first one reads and writes for all.
        config: How the run trains.
        total_steps: How many steps it is to have.
        on_other_run: What to do if the file belongs to another run.
    """

    def __init__(
        self,
        path: Path,
        parts: Mapping[str, Stateful],
        fingerprint: Fingerprint,
        accelerator: Accelerator,
        config: TrainerConfig,
        total_steps: int,
        on_other_run: OnOtherRun = "refuse",
    ) -> None:
        self.path, self.parts, self.fingerprint = path, dict(parts), dict(fingerprint)
        self.accelerator, self.config, self.total_steps = accelerator, config, total_steps
        self.on_other_run = on_other_run
        self._before_the_end: dict[str, Any] | None = None
        self._first_weights: dict[str, dict[str, str]] = {}
        # Of shards the whole is put together by all.
        states = {name: self.parts[name].state_dict() for name in _WITH_WEIGHTS}
        if accelerator.is_main_process:
            self._first_weights = {name: weights_digests(each) for name, each in states.items()}

    def save(self) -> None:
        """Write; every process must call it. A file that cannot be written is only warned of."""
        generators = gather_object([generator_states(self.accelerator.device)])
        state = {name: part.state_dict() for name, part in self.parts.items()}
        if not self.accelerator.is_main_process:
            return
        state |= {
            "fingerprint": self.fingerprint,
            "first weights": self._first_weights,
            "before the end": self._before_the_end,
            "generators": generators,
        }
        try:
            save_checkpoint(self.path, state)
        except CheckpointError as error:
            # Hours of training are worth more than a chance to resume them.
            warnings.warn(f"{error} Training goes on.", CheckpointWarning, stacklevel=2)

    def before_the_end(self, progress: Progress) -> None:
        """Keep what a longer run would go on from; every process must call it.

        A run may end where a longer one would neither end its epoch nor validate. What it does
        there must leave no trace in that one.

        Args:
            progress: How far the run has come.
        """
        generators = gather_object([generator_states(self.accelerator.device)])
        self._before_the_end = {"progress": progress.snapshot(), "generators": generators}

    def resume(self) -> bool:
        """Put everything back as the file says; every process must call it.

        Returns:
            Whether there was a file of this run.

        Raises:
            CheckpointError: If it cannot be read, belongs to another run, or has gone further than
                this one is to go.
        """
        state = on_first_process(self.accelerator, self._read)
        if state is None:
            return False
        with checked_parts(self.path):
            self._tell_of_processes(len(state["generators"]))
            for name, part in self.parts.items():
                part.load_state_dict(state[name])
            self._first_weights = state["first weights"]
            # With more processes than before, those that are new keep the seeds they have.
            rank = self.accelerator.process_index
            if rank < len(state["generators"]):
                restore_generators(state["generators"][rank], self.accelerator.device)
        return True

    def _tell_of_processes(self, before: int) -> None:
        """Say what another number of processes cannot keep, in the first one."""
        now = self.accelerator.num_processes
        if before == now or not self.accelerator.is_main_process:
            return
        say(
            f"{self.path} was written by {_processes(before)}, and {_processes(now)} "
            f"{'goes' if now == 1 else 'go'} on with it. Weights, optimiser, balancer, order of "
            "the data and steps are those of the same run; what each process draws for itself, "
            "as dropout, is not."
        )

    def _read(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        state = load_checkpoint(self.path)
        with checked_parts(self.path):
            needed = (*self.parts, "fingerprint", "first weights", "before the end", "generators")
            lacking = next((name for name in needed if name not in state), None)
            if lacking is not None:
                raise KeyError(lacking)
            why = self._why_not(state)
        if why and self.on_other_run == "restart":
            say(f"The checkpoint {self.path} {why} It is replaced by a new run.")
            return None
        if why:
            raise CheckpointError(
                f"The checkpoint {self.path} {why} Repeat the call that wrote it, give another "
                "path, or delete the file to start afresh, as "
                'Trainer(..., on_other_run="restart") does by itself.'
            )
        with checked_parts(self.path):
            state = self._going_on(state)
            done = state["progress"]["step"]
        say(
            f"{self.path} holds this run, finished after {done} steps: it is read, nothing is "
            "trained."
            if state["progress"]["finished"]
            else f"{self.path} holds this run up to step {done} of {self.total_steps}: it goes on."
        )
        return state

    def _why_not(self, state: Mapping[str, Any]) -> str:
        """Say in words why this run cannot go on from a checkpoint; nothing if it can."""
        found = differences(state["fingerprint"], self.fingerprint, self._mendable(state))
        if found:
            about_length = self._about_length(state)
            return f"belongs to another run: {'; '.join(found)}.{about_length}"
        for part in _WITH_WEIGHTS:
            other = self._other_weights(part, state)
            if other:
                return (
                    f"belongs to another run: the first weights of the {part} are others "
                    f"({other}). Make it anew as it was made for that run, after the same "
                    "torch.manual_seed; a notebook must run the cell that makes it again. What the "
                    "run left will do too: give it to load_state_dict, as "
                    f'load_checkpoint(path)["{part}"].'
                )
        return self._too_far(state["progress"])

    def _mendable(self, state: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of what may be another than when the checkpoint was written."""
        if not _was_judged(state["progress"]):
            return _OF_JUDGING
        if not state["progress"]["validating"]:
            return ()
        # The last session ended within evaluate, which may have been at fault.
        changed = differences(state["fingerprint"], self.fingerprint)
        of_evaluate = [text for text in changed if text.startswith("evaluate")]
        if of_evaluate:
            warnings.warn(
                f"{self.path} was written before a validation that did not end, and evaluate is "
                f"another now: {'; '.join(of_evaluate)}. It goes on with the one at hand; earlier "
                "validations were those of the one before.",
                FingerprintWarning,
                stacklevel=2,
            )
        return ("evaluate",)

    def _about_length(self, state: Mapping[str, Any]) -> str:
        length, schedule = "config.steps of the whole schedule", self.config.schedule
        if state["fingerprint"].get(length) == self.fingerprint.get(length):
            return ""
        if not schedules.depends_on_total(schedule):
            return ""
        return (
            f" The schedule {schedule!r} ends with the last step, so that with another number of "
            'epochs or steps it is another one from the first on; "constant" and "inverse_sqrt" '
            "can be prolonged."
        )

    def _other_weights(self, part: str, state: Mapping[str, Any]) -> str:
        """Name tensors that are neither as the run began nor as it left them."""
        here, there = self._first_weights[part], state["first weights"][part]
        if here == there:
            return ""
        left = [state[part]]
        if part == "model":
            kept = (state, state["before the end"] or {})
            left += [each.get("progress", {}).get("best_weights") for each in kept]
        if any(here == weights_digests(weights) for weights in left if weights is not None):
            return ""
        names = [name for name in here if here[name] != there.get(name)]
        shown = ", ".join(names[:3])
        return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown

    def _too_far(self, progress: Mapping[str, Any]) -> str:
        done, asked = progress["step"], self.total_steps
        if done > asked:
            return (
                f"has done {done} steps, and this call asks for {asked}, which it cannot go "
                f"back to. Ask for {done} steps or more."
            )
        at_an_end = progress["batch"] == 0 and not progress["finished"]
        if done == asked and at_an_end and not self._validated(progress):
            return (
                f"has done {done} steps of a longer run without the validation that this one "
                "ends with. Ask for more steps."
            )
        return ""

    def _validated(self, progress: Mapping[str, Any]) -> bool:
        return (progress["epoch"] - 1) % self.config.validate_every == 0

    def _going_on(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the state that this run goes on from, which may be longer than that one was."""
        if self.total_steps > state["progress"]["step"] and state["before the end"] is not None:
            state = state | state["before the end"]
        progress, patience = state["progress"], self.config.patience
        stopped = patience is not None and progress["waited"] >= patience
        stopped = stopped or all_stopped(progress)
        ended = progress["step"] >= self.total_steps and progress["batch"] == 0
        return state | {"progress": progress | {"finished": stopped or ended}}


def _processes(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"


def _was_judged(progress: Mapping[str, Any]) -> bool:
    return progress["best"] is not None or progress["waited"] > 0


def say(text: str) -> None:
    """Tell the reader something; bars stay where they are.

    Args:
        text: One line.
    """
    tqdm.write(text, file=sys.stderr)
