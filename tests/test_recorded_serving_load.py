"""What is measured of models under load: every request is answered once, by all models."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from mtl_utils import atlas
from mtl_utils.experiments import serving_load
from mtl_utils.experiments.experiment import Place

TEXTS = [[f"word{number}", "."] for number in range(37)]


class Reader:
    """A model that notes what it reads, and never while it is reading."""

    def __init__(self) -> None:
        self.read: list[list[list[str]]] = []
        self._free = threading.Lock()

    def predict(self, texts: list[list[str]]) -> list[dict[str, str]]:
        assert self._free.acquire(blocking=False), "two batches at a time"
        self.read.append(list(texts))
        self._free.release()
        return [{"topic": text[0]} for text in texts]


@pytest.mark.parametrize("clients", [1, 4, 50])
def test_every_text_is_read_once_by_each_model_in_batches_of_at_most_the_clients(
    clients: int,
) -> None:
    models = [Reader(), Reader()]
    latencies, sizes = serving_load.answer_all(models, TEXTS, clients)
    assert len(latencies) == len(TEXTS)
    assert min(latencies) > 0
    for model in models:
        read = Counter(text[0] for batch in model.read for text in batch)
        assert read == Counter(text[0] for text in TEXTS)
    assert sorted(sizes) == sorted(len(batch) for model in models for batch in model.read)
    assert max(sizes) <= clients


@pytest.mark.parametrize("deployed", [serving_load.ONE, serving_load.SEVERAL])
def test_a_run_counts_its_requests_and_what_it_holds(deployed, tmp_path, monkeypatch) -> None:
    seen = []
    answer_all = serving_load.answer_all

    def noted(models, texts, clients):
        seen.append((models, list(texts), clients))
        return answer_all(models, texts, clients)

    monkeypatch.setattr(serving_load, "answer_all", noted)
    config = {"encoder": "small", "deployed": deployed, "clients": 2, "requests": 30}
    found = serving_load.run(config, 3, Place(tmp_path, tmp_path))
    (models, warm, _), (again, counted, clients) = seen
    assert again is models
    assert (len(warm), len(counted), clients) == (serving_load.WARM, 30, 2)
    asked = [name for model in models for name in model.tasks]
    assert sorted(asked) == ["entities", "event", "topic"]
    assert len(models) == {serving_load.ONE: 1, serving_load.SEVERAL: 3}[deployed]
    assert warm + counted == [list(t) for t in atlas.load(2000, 3)["test"]["tokens"]][:46]
    count = sum(p.numel() for model in models for p in model.parameters())
    assert found["parameters"] == count
    assert 1 <= found["batch"] <= 2
    assert 0 < found["latency_ms"] <= found["latency_ms_95"]


def test_configurations_differ_in_what_is_compared_alone() -> None:
    (experiment,) = serving_load.EXPERIMENTS
    pairs = {}
    for config in experiment.configs:
        rest = tuple(sorted((k, v) for k, v in config.items() if k != "deployed"))
        pairs.setdefault(rest, set()).add(config["deployed"])
    assert set(map(frozenset, pairs.values())) == {
        frozenset({serving_load.ONE, serving_load.SEVERAL})
    }
