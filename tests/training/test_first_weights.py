"""A run begins with its first weights: models that are made anew, and models that are not."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from labelled_runs import (
    Cut,
    loader,
    model,
    partial,
    run,
)
from run_changes import Changes
from tiny_training import Stopped, same_weights

from mtl_utils.training import (
    CheckpointError,
    load_checkpoint,
)


def test_a_cell_that_is_run_again_reads_the_finished_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, path = model(), tmp_path / "run.pt"
    settings: Changes = {"model": lambda: trained, "schedule": "constant"}
    expected = run(path, **settings)
    assert capsys.readouterr().err == ""
    for _ in range(2):
        found = run(path, **settings)
        assert same_weights(found[0], expected[0])
        pd.testing.assert_frame_equal(found[1], expected[1], check_exact=True)
        assert capsys.readouterr().err == (
            f"{path} holds this run, finished after 10 steps: it is read, nothing is trained.\n"
        )
    longer = run(path, **settings, epochs=4)
    assert same_weights(longer[0], run(None, schedule="constant", epochs=4)[0])


def test_best_weights_that_are_not_the_last_are_what_a_run_leaves(tmp_path: Path) -> None:
    trained, path = model(), tmp_path / "run.pt"
    settings: Changes = {
        "model": lambda: trained,
        "evaluate": lambda: partial(threshold=1e9),  # never better than the first time
        "metric": "score",
        "mode": "min",
    }
    expected = run(path, **settings)
    state = load_checkpoint(path)
    assert not same_weights(state["progress"]["best_weights"], state["model"])
    assert same_weights(expected[0], state["progress"]["best_weights"])
    assert same_weights(run(path, **settings)[0], expected[0])
    trained.load_state_dict(state["model"])
    assert same_weights(run(path, **settings)[0], expected[0])


def test_a_model_that_was_trained_elsewhere_is_refused(tmp_path: Path) -> None:
    path, trained = tmp_path / "run.pt", model()
    run(path)
    run(None, model=lambda: trained, epochs=1)
    with pytest.raises(CheckpointError) as caught:
        run(path, model=lambda: trained)
    for part in (
        "the first weights of the model are others",
        "after the same torch.manual_seed",
        "a notebook must run the cell that makes it again",
    ):
        assert part in str(caught.value)


def test_a_model_that_was_interrupted_is_made_anew_or_given_what_the_file_holds(
    tmp_path: Path,
) -> None:
    path, trained = tmp_path / "run.pt", model()
    settings: Changes = {"model": lambda: trained, "checkpoint_every": 2}
    with pytest.raises(Stopped):
        run(path, **settings, train=lambda: Cut(loader(), 3))
    with pytest.raises(CheckpointError, match="Make it anew"):
        run(path, **settings)
    trained.load_state_dict(load_checkpoint(path)["model"])
    assert same_weights(run(path, **settings)[0], run(None)[0])
