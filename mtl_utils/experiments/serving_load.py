"""Chapter 23: one model for all tasks against one per task, with many asking at a time."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from mtl_utils import atlas
from mtl_utils.data import BytePairTokenizer, PretrainedTokenizer
from mtl_utils.deployment.server.batches import RequestBatches
from mtl_utils.deployment.server.limits import ServerLimits
from mtl_utils.experiments.experiment import Config, Experiment, Place
from mtl_utils.models import TextModel
from mtl_utils.nn import (
    PretrainedEncoder,
    TransformerEncoder,
    count_parameters,
    packaged_encoder,
)
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.tasks.text_task import TextTask

ONE, SEVERAL = "one model", "a model per task"
WARM = 16
"""Requests that are answered first, and not counted."""

Text = list[str]


def run(config: Config, seed: int, place: Place) -> dict[str, Any]:
    """Answer requests of a number of clients, each of which asks again as soon as it was answered.

    A request is a sentence of Atlas, of which topic, event and entities are wanted. The models are
    not trained, which changes no cost. Each has a thread that gathers requests into batches, as
    the server does; what HTTP costs is left out.

    Args:
        config: ``deployed``, ``encoder``, ``clients`` and ``requests``.
        seed: Of the sentences and weights.
        place: Not needed: a run is short.

    Returns:
        ``requests_per_second``; ``latency_ms``, the median, and ``latency_ms_95``, that of one in
        twenty; ``processor_ms`` and ``batch`` in the mean of a request and of a batch;
        ``memory_mb``, by how much the process has grown where Linux tells; and ``parameters``.
    """
    corpus = atlas.load(2000, seed)["test"]
    sentences = [list(tokens) for tokens in corpus["tokens"]]
    texts = [sentences[number % len(sentences)] for number in range(WARM + config["requests"])]
    before, processor = _resident_mb(), time.process_time
    torch.manual_seed(seed)
    tasks: list[TextTask] = [
        Classification("topic", atlas.TOPICS, "mean", text="tokens"),
        Classification("event", corpus.features["event"].names, "mean", text="tokens"),
        Tagging("entities", atlas.NER_TAGS),
    ]
    groups = [tasks] if config["deployed"] == ONE else [[task] for task in tasks]
    models = [_model(config["encoder"], group, sentences).eval() for group in groups]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        answer_all(models, texts[:WARM], config["clients"])
        began, worked = time.perf_counter(), processor()
        latencies, sizes = answer_all(models, texts[WARM:], config["clients"])
        seconds, worked = time.perf_counter() - began, processor() - worked
    finally:
        torch.set_num_threads(threads)
    after = _resident_mb()
    return {
        "requests_per_second": len(latencies) / seconds,
        "latency_ms": 1000 * statistics.median(latencies),
        "latency_ms_95": 1000 * statistics.quantiles(latencies, n=20)[-1],
        "processor_ms": 1000 * worked / len(latencies),
        "batch": statistics.mean(sizes),
        "memory_mb": None if before is None or after is None else after - before,
        "parameters": sum(count_parameters(model) for model in models),
    }


def answer_all(
    models: Sequence[TextModel], texts: Sequence[Text], clients: int
) -> tuple[list[float], list[int]]:
    """Answer texts, each by all models, for clients that ask for one at a time.

    Args:
        models: Each answers every text.
        texts: What is asked, in this order.
        clients: How many ask at a time.

    Returns:
        The seconds that each text took, and the sizes of all batches.
    """
    return asyncio.run(_answer_all(models, texts, clients))


async def _answer_all(
    models: Sequence[TextModel], texts: Sequence[Text], clients: int
) -> tuple[list[float], list[int]]:
    sizes: list[int] = []
    latencies: list[float] = []
    taken = iter(texts)
    batches = [_batches(model, sizes) for model in models]

    async def client(asked: Iterator[Text]) -> None:
        for text in asked:
            began = time.perf_counter()
            await asyncio.gather(*(one.ask(None, [text]) for one in batches))
            latencies.append(time.perf_counter() - began)

    for one in batches:
        one.start()
    await asyncio.gather(*(client(taken) for _ in range(clients)))
    for one in batches:
        await one.stop()
    return latencies, sizes


def _batches(model: TextModel, sizes: list[int]) -> RequestBatches:
    limits = ServerLimits()
    return RequestBatches(
        lambda kind, items: model.predict(items),
        max_batch=limits.max_batch,
        max_wait=limits.max_wait_ms / 1000,
        max_waiting=limits.max_waiting,
        told=lambda requests, texts: sizes.append(texts),
    )


def _model(encoder: str, tasks: Sequence[TextTask], sentences: Sequence[Text]) -> TextModel:
    if encoder == "packaged":
        folder = packaged_encoder()
        pieces = PretrainedTokenizer.from_pretrained(folder)
        return TextModel(HardSharing(PretrainedEncoder(folder)), tasks, pieces)
    vocabulary = BytePairTokenizer.train([" ".join(words) for words in sentences], 1000)
    small = TransformerEncoder(vocabulary.vocab_size, 48, 2, 4, dropout=0.0, max_length=128)
    return TextModel(HardSharing(small), tasks, vocabulary)


def _resident_mb() -> float | None:
    """Memory that the process holds, where Linux says it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


EXPERIMENTS = (
    Experiment(
        name="serving_load",
        description="One model for three tasks or three models, by how many ask at a time.",
        configs=tuple(
            {"encoder": encoder, "deployed": deployed, "clients": clients, "requests": requests}
            for encoder, requests in (("small", 1000), ("packaged", 300))
            for clients in (1, 8, 32)
            for deployed in (ONE, SEVERAL)
        ),
        seeds=(0, 1, 2),
        run=run,
        priority=1,
        minutes=0.2,
    ),
)
