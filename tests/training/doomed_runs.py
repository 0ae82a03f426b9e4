"""Run by test_resuming.py: trains in processes that are killed, and writes down how it ends."""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tiny_training import InterruptedLoader, TinyLoader, tiny_model, weights_of

from mtl_utils.training import Trainer, TrainerConfig, load_checkpoint

CONFIG = TrainerConfig(epochs=4, learning_rate=0.02, checkpoint_every=4)
NEVER = 10**9
Session = Callable[[], None]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train(folder: Path, name: str, die_at: int = NEVER, kills: int = 0) -> None:
    """Train or go on training; die before some step of this session."""
    torch.set_num_threads(1)
    model = tiny_model()
    scores = []

    def evaluate(model: torch.nn.Module) -> dict[str, float]:
        # Uses up random numbers, as a sampler would.
        scores.append(float(torch.rand(())) + random.random())
        return {"score": scores[-1]}

    trainer = Trainer(
        model, CONFIG, evaluate=evaluate, checkpoint=folder / name / "run.pt", progress=False
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = trainer.fit(InterruptedLoader(die_at, die), TinyLoader(3, seed=9))
    result: dict[str, Any] = {
        "weights": weights_of(model),
        "history": history.to_dict("records"),
        "scores": history["score"].tolist(),
        "kills": kills,
        "warnings": [str(warning.message) for warning in caught],
        "files": sorted(os.listdir(folder / name)),
        "step of the file": load_checkpoint(folder / name / "run.pt")["progress"]["step"],
    }
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    torch.save(result, folder / f"{name}.result")


def survives(session: Session) -> bool:
    """Run a session in a process of its own."""
    pid = os.fork()
    if pid == 0:
        try:
            session()
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status != 0:
        sys.exit(f"a session ended with status {status}")
    return True


def die_in_write(point: str) -> None:
    """Have the process killed in its third write of a checkpoint (or its first one)."""
    index = 1 if point == "first-write" else 3
    original, calls = os.replace, []

    def doomed(temporary: Path, path: Path) -> None:
        calls.append(path)
        if len(calls) < index:
            return original(temporary, path)
        if point == "half-written":
            os.truncate(temporary, temporary.stat().st_size // 2)
        elif point == "after-move":
            original(temporary, path)
        elif point == "first-write":
            temporary.unlink()
        return die()

    os.replace = doomed


def die_often(folder: Path, name: str, generator: random.Random) -> None:
    """Die at random steps; every other session gets far enough to write a checkpoint."""
    for kills in range(100):
        die_at = generator.randint(1, 4) + 4 * (kills % 2)
        if survives(lambda die_at=die_at, kills=kills: train(folder, name, die_at, kills)):
            return


def main(folder: Path) -> None:
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(()))])  # imports for seconds, once for all
    assert survives(lambda: train(folder, "uninterrupted"))
    for number in range(4):
        die_often(folder, f"steps-{number}", random.Random(number))
    for point in ("half-written", "before-move", "after-move", "first-write"):

        def session(point: str = point) -> None:
            die_in_write(point)
            train(folder, point)

        assert not survives(session)
        assert survives(lambda point=point: train(folder, point, kills=1))
    assert not survives(lambda: train(folder, "full", die_at=9))

    def full() -> None:
        size = (folder / "full" / "run.pt").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, resource.RLIM_INFINITY))
        train(folder, "full")

    assert survives(full)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
