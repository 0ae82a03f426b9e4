"""The run of chapter 19 on tiny data: what is asked, and that unknown words are not asked about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from mtl_utils import data, interpretation
from mtl_utils.experiments import Place, shared_features

TINY = {"trained_on": "topic", "size": 200, "epochs": 1}
SMALL = {"WIDTH": 8, "LAYERS": 1, "HEADS": 2, "PROBED": 30, "DELETED": 12, "DRAWS": 2}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[Any, ...]]]:
    """What the run asks of the package, by name of the question."""
    for name, value in SMALL.items():
        monkeypatch.setattr(shared_features, name, value)
    calls: dict[str, list[tuple[Any, ...]]] = {"selectivity": [], "deletion_curve": []}
    for name, seen in calls.items():
        real = getattr(interpretation, name)

        def spy(*given: Any, _real: Any = real, _seen: list[Any] = seen, **settings: Any) -> Any:
            _seen.append(given)
            return _real(*given, **settings)

        monkeypatch.setattr(interpretation, name, spy)
    return calls


def test_words_read_as_unknown_are_neither_probed_nor_deleted(
    asked: dict[str, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    found = shared_features.run(TINY, 0, Place(tmp_path / "workspace", tmp_path))
    json.dumps(found)
    unknown = data.Vocabulary.from_tokens([]).unk_id
    assert len(asked["selectivity"]) == 4  # names and parts, of embeddings and of one layer
    for train, test in asked["selectivity"]:
        assert unknown not in train[2]
        assert unknown not in test[2]
        assert len(train[0]) == len(train[1]) == len(train[2])
        assert len(test[0]) == len(test[1]) == len(test[2])
    assert len(asked["deletion_curve"]) == 2  # by gradients, and by chance
    for _, inputs, _, scores, filler in asked["deletion_curve"]:
        assert filler == unknown
        known = inputs.mask & (inputs.input_ids != unknown)
        assert (inputs.mask & ~known).any()  # there is something to leave out
        assert torch.isneginf(scores[inputs.mask & ~known]).all()
        assert scores[known].isfinite().all()


def test_a_louder_model_sums_the_losses_of_words(
    asked: dict[str, list[tuple[Any, ...]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, real = [], interpretation.task_losses

    def spy(model: Any, rows: Any) -> dict[str, float]:
        losses.append(real(model, rows))
        return losses[-1]

    monkeypatch.setattr(interpretation, "task_losses", spy)
    whole = {}
    for kind in ("both", shared_features.LOUDER):
        place = Place(tmp_path / kind, tmp_path)
        found = shared_features.run({**TINY, "trained_on": kind}, 0, place)
        assert {f"similarity to {other}" for other in shared_features.TRAINED_ON} <= set(found)
        whole[kind], losses[:] = losses[0], []
    assert whole["both"]["names"] < whole[shared_features.LOUDER]["names"] / 4
