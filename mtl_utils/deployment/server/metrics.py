"""Counts and latencies of a server, as the text that Prometheus reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

#: Type of the text of :meth:`ServerMetrics.text`.
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)

Labels = tuple[tuple[str, str], ...]


@dataclass
class Histogram:
    """Counts of values by the bounds that they do not exceed.

    Args:
        bounds: Upper bounds of the bins, rising.
    """

    bounds: Sequence[float]
    counts: list[int] = field(init=False)  # one more, for what is above all bounds
    total: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count a value.

        Args:
            value: The value.
        """
        self.counts[sum(bound < value for bound in self.bounds)] += 1
        self.total += value

    def lines(self, name: str) -> Iterator[str]:
        """Yield the lines of the text, whose counts add up from bin to bin.

        Args:
            name: Name of what was measured.
        """
        yield f"# TYPE {name} histogram"
        bounds = [*map(repr, self.bounds), "+Inf"]
        for bound, count in zip(bounds, accumulate(self.counts), strict=True):
            yield f'{name}_bucket{{le="{bound}"}} {count}'
        yield f"{name}_sum {self.total!r}"
        yield f"{name}_count {sum(self.counts)}"


@dataclass
class ServerMetrics:
    """What a server counts from its start."""

    requests: Counter[Labels] = field(default_factory=Counter)
    predictions: Counter[Labels] = field(default_factory=Counter)
    texts: int = 0
    open_requests: int = 0
    seconds: Histogram = field(default_factory=lambda: Histogram(_SECONDS))
    batch_texts: Histogram = field(default_factory=lambda: Histogram(_SIZES))
    batch_requests: Histogram = field(default_factory=lambda: Histogram(_SIZES))

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered or refused.

        Args:
            path: Where it came; unknown paths under one name, since there may be any number.
            status: What it got.
            seconds: How long it took, waiting included. Of requests for predictions that got them:
                refusals are quick, and many of them would make a slow model look fast.
        """
        self.requests[(("path", path), ("status", str(status)))] += 1
        if path == "/predict" and status == 200:
            self.seconds.observe(seconds)

    def count_batch(self, requests: int, texts: int) -> None:
        """Count a batch.

        Args:
            requests: How many requests shared it.
            texts: How many texts it has.
        """
        self.batch_requests.observe(requests)
        self.batch_texts.observe(texts)

    def count_predictions(
        self, rows: Sequence[Mapping[str, Any]], thresholds: Mapping[str, float] | None = None
    ) -> None:
        """Count texts, and which labels were given, task by task: of tags, one a word.

        Args:
            rows: What each task says of each text. Numbers are not counted; of probabilities the
                label that has the highest.
            thresholds: Above which probability a label is given, of tasks that give several.
        """
        thresholds = thresholds or {}
        self.texts += len(rows)
        for row in rows:
            for task, said in row.items():
                names = _labels(said, thresholds.get(task))
                self.predictions.update((("task", task), ("label", name)) for name in names)

    def text(self, waiting: int) -> str:
        """Return everything.

        Args:
            waiting: How many requests wait now.
        """
        lines = [
            *_counter("mtl_requests_total", self.requests),
            "# TYPE mtl_texts_total counter",
            f"mtl_texts_total {self.texts}",
            *_counter("mtl_predictions_total", self.predictions),
            *self.seconds.lines("mtl_predict_seconds"),
            *self.batch_texts.lines("mtl_batch_texts"),
            *self.batch_requests.lines("mtl_batch_requests"),
            "# TYPE mtl_open_requests gauge",
            f"mtl_open_requests {self.open_requests}",
            "# TYPE mtl_waiting_requests gauge",
            f"mtl_waiting_requests {waiting}",
        ]
        return "\n".join(lines) + "\n"


def _labels(said: Any, threshold: float | None) -> list[str]:
    """Return the labels in what a task says of a text."""
    if isinstance(said, str):
        return [said]
    if isinstance(said, Mapping):
        if threshold is not None:
            return [name for name, chance in said.items() if chance >= threshold]
        return [max(said, key=said.__getitem__)] if said else []
    if isinstance(said, list):
        return [name for word in said for name in _labels(word, None)]
    return []


def _counter(name: str, counts: Counter[Labels]) -> Iterator[str]:
    yield f"# TYPE {name} counter"
    for labels, count in sorted(counts.items()):
        written = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels)
        yield f"{name}{{{written}}} {count}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
