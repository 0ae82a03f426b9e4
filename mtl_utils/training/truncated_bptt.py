"""Training a recurrent language model on a stream with truncated back-propagation through time."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from tqdm.auto import tqdm

from mtl_utils.arguments import (
    check_choice,
    check_flag,
    check_kind,
    check_number,
    check_seed,
    check_several,
    check_sizes,
    check_tensor,
    check_whole,
)
from mtl_utils.data.batching import BatchLoader
from mtl_utils.data.examples import Example
from mtl_utils.data.vocabulary import Vocabulary
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.training import schedules
from mtl_utils.training.history import History
from mtl_utils.training.stream_model import StreamModel

Schedule = Literal["cosine", "plateau", "constant"]


@dataclass(frozen=True)
class TruncatedBPTTConfig:
    """How to train on a stream.

    Args:
        epochs: Passes over the training stream.
        batch_size: Number of pieces, B, that the stream is cut into and that are read in parallel.
        chunk_length: Tokens, T, after which gradients stop flowing back.
        learning_rate: Highest step size of AdamW.
        weight_decay: Decoupled weight decay of AdamW (Loshchilov & Hutter, 2019).
        clip_norm: Upper bound on the norm of the gradient (Pascanu et al., 2013).
        schedule: ``"cosine"`` falls to zero over all steps, ``"plateau"`` divides the step size by
            4 after each epoch without a better validation loss, ``"constant"`` does neither.
        warmup_steps: Steps over which the step size rises linearly from zero.
        patience: Stop after so many epochs without a better validation loss; ``None`` never does.
        seed: Of dropout, and of nothing else: the caller seeds the initial weights.

    Raises:
        ValueError: If a setting is outside its range.
        TypeError: If one that must be a number is none.
    """

    epochs: int = 10
    batch_size: int = 32
    chunk_length: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    schedule: Schedule = "cosine"
    warmup_steps: int = 0
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(epochs=self.epochs, batch_size=self.batch_size, chunk_length=self.chunk_length)
        check_number("learning_rate", self.learning_rate, above=0)
        check_number("clip_norm", self.clip_norm, above=0)
        check_number("weight_decay", self.weight_decay, least=0)
        check_choice("schedule", self.schedule, get_args(Schedule))
        check_whole("warmup_steps", self.warmup_steps, least=0)
        if self.patience is not None:
            check_sizes(patience=self.patience)
        check_seed("seed", self.seed)


def sentence_stream(
    sentences: Sequence[Sequence[str]], vocabulary: Vocabulary, seed: int | None = None
) -> Tensor:
    """Write sentences one after the other, each closed by ``<eos>``, after one opening ``<eos>``.

    Args:
        sentences: Tokenised sentences.
        vocabulary: Maps tokens to ids.
        seed: Shuffles the sentences; ``None`` keeps their order.

    Returns:
        Token ids ``[N]``, ready for :func:`train_language_model`.

    Raises:
        TypeError: If a sentence is a string or its tokens are not, or ``vocabulary`` is none.
        ValueError: If ``seed`` is negative, or not below 2⁶³.
    """
    sentences = _tokenised(sentences, vocabulary)
    if seed is not None:
        check_seed("seed", seed)
    order: Sequence[int] = range(len(sentences))
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(sentences), generator=generator).tolist()
    ids = [vocabulary.eos_id]
    for index in order:
        ids += [*vocabulary.encode(sentences[index]), vocabulary.eos_id]
    return torch.tensor(ids)


def stream_chunks(
    stream: Tensor, batch_size: int, chunk_length: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut a stream into B contiguous pieces and read them side by side, T tokens at a time.

    Row b of each chunk continues row b of the chunk before, so that the state of the model can be
    carried over. Up to B - 1 tokens at the end of the stream, which do not fill a row, are left
    out; no other token is, and the last chunk may be shorter.

    Args:
        stream: Token ids ``[N]``.
        batch_size: Number of pieces, B.
        chunk_length: Longest chunk, T.

    Yields:
        Inputs and targets ``[B, T]``; the targets are the inputs one position later.

    Raises:
        ValueError: If the stream is not ``[N]`` or has fewer than two tokens for each piece, or a
            number is below 1.
        TypeError: If the stream is no tensor of integers, or a number no whole one.
    """
    check_tensor("stream", stream, "[N]", "integer")
    check_sizes(batch_size=batch_size, chunk_length=chunk_length)
    length = (len(stream) - 1) // batch_size
    if length < 1:
        raise ValueError(
            f"A stream of {len(stream)} tokens cannot be cut into {batch_size} pieces with an "
            "input and a target each; use a smaller batch_size or more text"
        )
    inputs = stream[: batch_size * length].view(batch_size, length)
    targets = stream[1 : batch_size * length + 1].view(batch_size, length)
    for start in range(0, length, chunk_length):
        piece = slice(start, start + chunk_length)
        yield inputs[:, piece], targets[:, piece]


@torch.no_grad()
def stream_loss(
    model: StreamModel, stream: Tensor, batch_size: int = 1, chunk_length: int = 256
) -> float:
    """Measure a model on a stream, without dropout, carrying the state along.

    Args:
        model: The language model.
        stream: Token ids ``[N]``; the first is read and not predicted.
        batch_size: Number of pieces read in parallel. 1 is exact; more is faster, and each piece
            but the first starts without its context.
        chunk_length: Tokens read at a time; it does not change the result.

    Returns:
        Mean negative log-likelihood in nats per token.

    Raises:
        ValueError: As :func:`stream_chunks`.
        TypeError: Likewise, or if the model is no :class:`StreamModel`.
    """
    _check_model(model)
    check_tensor("stream", stream, "[N]", "integer")
    device = next(model.parameters()).device
    total, count, state = 0.0, 0, None
    with evaluation_mode(model):
        for inputs, targets in stream_chunks(stream.to(device), batch_size, chunk_length):
            loss, state = model.loss(inputs, targets, state)
            total += float(loss) * targets.numel()
            count += targets.numel()
    return total / count


@torch.no_grad()
def sentence_loss(
    model: StreamModel,
    sentences: Sequence[Sequence[str]],
    vocabulary: Vocabulary,
    batch_size: int = 64,
) -> float:
    """Measure a model on sentences, each read on its own after an opening ``<eos>``.

    This is what an n-gram model is given, which never looks beyond the sentence.

    Args:
        model: The language model.
        sentences: Tokenised sentences.
        vocabulary: Maps tokens to ids.
        batch_size: Sentences read in parallel; it does not change the result.

    Returns:
        Mean negative log-likelihood in nats per token, the ``<eos>`` of each sentence included.

    Raises:
        ValueError: If there is no sentence, or ``batch_size`` is below 1.
        TypeError: If a sentence is a string or its tokens are not, or another argument is not of
            its kind.
    """
    _check_model(model)
    sentences = _tokenised(sentences, vocabulary)
    check_sizes(batch_size=batch_size)
    if not sentences:
        raise ValueError("There is no sentence to measure the model on; sentences is []")
    device = next(model.parameters()).device
    eos = vocabulary.eos_id
    rows = sorted((vocabulary.encode(sentence) for sentence in sentences), key=len)
    examples = [Example([eos, *row], {"next": [*row, eos]}) for row in rows]
    total, count = 0.0, 0
    with evaluation_mode(model):
        for batch in BatchLoader(examples, batch_size=batch_size, pad_id=eos, shuffle=False):
            batch = batch.to(device)
            loss, _ = model.loss(batch.inputs.input_ids, batch.labels["next"])
            counted = int(batch.inputs.mask.sum())
            total += float(loss) * counted
            count += counted
    return total / count


def train_language_model(
    model: StreamModel,
    train_stream: Tensor,
    validation_stream: Tensor,
    config: TruncatedBPTTConfig | None = None,
    *,
    progress: bool = True,
) -> History:
    """Train on a contiguous stream with truncated back-propagation through time.

    Chunks of the stream are read in order (Mikolov et al., 2010; Zaremba et al., 2014). The state
    at the end of a chunk starts the next one, cut off from its gradient: the model remembers
    further back than it learns to. The weights with the best validation loss are kept.

    Args:
        model: Trained in place, on the device it is on.
        train_stream: Token ids ``[N]``.
        validation_stream: Token ids ``[N]``, measured after each epoch.
        config: How to train.
        progress: Whether to show a progress bar.

    Returns:
        One row an epoch with ``epoch``, ``step``, ``train_loss`` and ``validation_loss`` (nats per
        token; the first is measured with dropout while the weights change), ``learning_rate`` and
        ``seconds`` since the start.

    Raises:
        ValueError: If a stream is too short for ``batch_size``.
        FloatingPointError: If the loss stops being a finite number; the message names the step.
        TypeError: If an argument is not of its kind.
    """
    _check_model(model)
    check_tensor("train_stream", train_stream, "[N]", "integer")
    check_tensor("validation_stream", validation_stream, "[N]", "integer")
    check_kind("config", config, (TruncatedBPTTConfig, NoneType), "a TruncatedBPTTConfig")
    check_flag("progress", progress)
    config = config or TruncatedBPTTConfig()
    device = next(model.parameters()).device
    train_stream = train_stream.to(device)
    steps = sum(1 for _ in stream_chunks(train_stream, config.batch_size, config.chunk_length))
    run = _Run(model, config, total_steps=steps * config.epochs)
    best, best_weights, waited = math.inf, copy.deepcopy(model.state_dict()), 0
    history: list[dict[str, float]] = []
    began = time.perf_counter()
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        tqdm(total=run.total_steps, disable=not progress, leave=False, unit="step") as bar,
    ):
        torch.manual_seed(config.seed)
        for epoch in range(1, config.epochs + 1):
            train_loss = run.epoch(train_stream, bar)
            batch_size = min(config.batch_size, max(1, len(validation_stream) // 64))
            validation_loss = stream_loss(model, validation_stream, batch_size)
            row = {
                "epoch": epoch,
                "step": run.step,
                "train_loss": train_loss,
                "validation_loss": validation_loss,
                "learning_rate": run.learning_rate,
                "seconds": time.perf_counter() - began,
            }
            history.append(row)
            bar.set_postfix(train=f"{train_loss:.3f}", validation=f"{validation_loss:.3f}")
            if validation_loss < best:
                best, best_weights, waited = validation_loss, copy.deepcopy(model.state_dict()), 0
                continue
            waited += 1
            run.reduce_on_plateau()
            if config.patience is not None and waited >= config.patience:
                break
    model.load_state_dict(best_weights)
    return History(history)


def _check_model(model: StreamModel) -> None:
    check_kind("model", model, StreamModel, "an LSTMLanguageModel")


def _tokenised(sentences: Sequence[Sequence[str]], vocabulary: Vocabulary) -> list[Sequence[str]]:
    """Return sentences as a list; refuse texts that nobody cut into tokens."""
    check_kind("vocabulary", vocabulary, Vocabulary, "a Vocabulary")
    check_several("sentences", sentences, "tokenised sentences", sized=False)
    rows = list(sentences)
    for place, row in enumerate(rows):
        check_several(f"sentences[{place}]", row, "tokens")
    return rows


class _Run:
    """The moving parts of one training run: optimizer, schedule and step counter."""

    def __init__(self, model: StreamModel, config: TruncatedBPTTConfig, total_steps: int) -> None:
        self.model, self.config, self.total_steps = model, config, total_steps
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.step = 0
        self.plateau_factor = 1.0

    @property
    def learning_rate(self) -> float:
        """Step size of the step at hand."""
        config = self.config
        shape: schedules.ScheduleName = "cosine" if config.schedule == "cosine" else "constant"
        factor = schedules.factor(shape, self.step, self.total_steps, config.warmup_steps)
        return config.learning_rate * self.plateau_factor * factor

    def reduce_on_plateau(self) -> None:
        """Take note of an epoch without improvement."""
        if self.config.schedule == "plateau":
            self.plateau_factor /= 4

    def epoch(self, stream: Tensor, bar: tqdm) -> float:
        """Read the stream once; return the mean training loss."""
        self.model.train()
        total, count = 0.0, 0
        state: Any | None = None
        for inputs, targets in stream_chunks(
            stream, self.config.batch_size, self.config.chunk_length
        ):
            loss, state = self.model.loss(inputs, targets, state)
            state = (state[0].detach(), state[1].detach())
            total += self._update(loss) * targets.numel()
            count += targets.numel()
            bar.update()
        return total / count

    def _update(self, loss: Tensor) -> float:
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(
                f"The training loss became {value} at step {self.step + 1} (learning rate "
                f"{self.learning_rate:.2g}). Lower learning_rate or clip_norm, or add warmup_steps."
            )
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.step += 1
        return value
