"""A model that writes as two graphs: one reads a sentence, the other writes a token.

The search is a loop, which stays outside the graphs as that of a CRF does. Both graphs have one
sentence, which has no padding, so that nothing in them depends on the data.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch import nn as torch_nn

from mtl_utils.data.batch import Batch
from mtl_utils.deployment.export.encoder_forms import encoder_form
from mtl_utils.deployment.export.graph import head_output, unchecked_inputs, write_traced
from mtl_utils.nn import AdditiveAttention, AttentionDecoder, SelfAttentiveDecoder
from mtl_utils.nn.fusion import PictureFusion
from mtl_utils.sharing import LanguageAdapters

READ = "input_ids"
"""What the first graph reads: ids ``[1, T]``."""

TOKEN = "token"
"""What the second graph reads beside memory and state: the token before, ``[1, 1]``."""

NEXT = "next_"
"""Before the name of a part of the state: what it is after the token."""

_FAR = -1e9  # finite: where there is nothing else, the softmax gives 1 and no nan

LOOKED = "weights"
"""The output of the second graph that says where it looked, ``[1, T]``."""


class WriterForm(torch_nn.Module):
    """A decoder as graphs have it: what it starts from, and one step.

    Attributes:
        memory: Names of what stays the same while a sentence is written.
        state: Names of what changes with each token.
        grows: Of the state, what grows by a row with each token.
        writes: Names of the logits that a step gives.
    """

    memory: tuple[str, ...]
    state: tuple[str, ...]
    grows: tuple[str, ...] = ()
    writes: tuple[str, ...]

    def begin(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Return memory and state before the first token.

        Args:
            hidden: The states of the encoder ``[1, T, D]``.
        """
        raise NotImplementedError

    def forward(self, token: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """Write a token.

        Args:
            token: The token before, ``[1, 1]``.
            *given: Memory and state.

        Returns:
            Logits ``[1, V]`` of each that it writes, weights ``[1, T]``, and the state after.
        """
        raise NotImplementedError


class AttentionWriterForm(WriterForm):
    """The form of an :class:`mtl_utils.nn.AttentionDecoder`.

    Args:
        name: Of the logits.
        decoder: The decoder; left as it is.

    Raises:
        TypeError: If it is another, or does not attend.
    """

    memory, state = ("memory", "keys"), ("lower", "upper")

    def __init__(self, name: str, decoder: Any) -> None:
        super().__init__()
        attention = getattr(decoder, "attention", None)
        if type(decoder) is not AttentionDecoder or type(attention) is not AdditiveAttention:
            raise TypeError(
                f"A decoder of the kind {type(decoder).__name__} with {type(attention).__name__} "
                "cannot be exported; expected an AttentionDecoder with AdditiveAttention"
            )
        self.decoder: Any = plain(decoder)
        self.writes = (name,)

    def begin(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Return memory and state before the first token.

        Args:
            hidden: The states of the encoder ``[1, T, D]``.
        """
        started = torch.tanh(self.decoder.bridge(hidden.mean(dim=1)))  # [1, 4 D]
        lower, upper = started.unflatten(1, (2, 2, self.decoder.width)).unbind(dim=1)
        return hidden, self.decoder.attention.keys(hidden), lower, upper

    def forward(self, token: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """Write a token.

        Args:
            token: The token before, ``[1, 1]``.
            *given: Memory ``[1, T, M]``, keys ``[1, T, D]``, and the states of both LSTMs
                ``[1, 2, D]``.

        Returns:
            Logits ``[1, V]``, weights ``[1, T]``, and the states after the token.
        """
        memory, keys, lower, upper = given
        decoder = self.decoder
        embedded = decoder.embedding(token) * decoder.embedding_scale  # [1, 1, E]
        read, lower = lstm_step(decoder.lower, embedded, lower)
        weights = attention_scores(decoder.attention, read, keys).softmax(dim=-1)  # [1, T]
        context = weights.unsqueeze(1) @ memory  # [1, 1, M]
        written, upper = lstm_step(decoder.upper, torch.cat([read, context], dim=-1), upper)
        hidden = decoder.readout(torch.cat([written, context, embedded], dim=-1))
        return decoder.output(hidden)[:, 0], weights, lower, upper


class SelfAttentiveWriterForm(WriterForm):
    """The form of an :class:`mtl_utils.nn.SelfAttentiveDecoder` and an output layer.

    What was written starts with a row of zeros, which is looked at only where there is nothing
    else: a graph cannot give a tensor without rows to every runtime.

    Args:
        name: Of the logits.
        decoder: The decoder; left as it is.
        output: The output layer; left as it is.

    Raises:
        TypeError: If it is another decoder.
    """

    memory, state = ("memory", "keys"), ("lstm", "written", "written_keys")
    grows = ("written", "written_keys")

    def __init__(self, name: str, decoder: Any, output: torch_nn.Module) -> None:
        super().__init__()
        if type(decoder) is not SelfAttentiveDecoder:
            raise TypeError(
                f"A decoder of the kind {type(decoder).__name__} cannot be exported; expected a "
                "SelfAttentiveDecoder"
            )
        self.decoder: Any = plain(decoder)
        self.output, self.writes = plain(output), (name,)

    def begin(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Return memory and state before the first token.

        Args:
            hidden: The states of the encoder ``[1, T, D]``.
        """
        started = torch.tanh(self.decoder.bridge(hidden.mean(dim=1)))  # [1, 2 D]
        nothing = hidden[:, :1] * 0.0
        lstm = started.unflatten(1, (2, self.decoder.width))
        return hidden, self.decoder.attention.keys(hidden), lstm, nothing, nothing + 0.0

    def forward(self, token: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """Write a token.

        Args:
            token: The token before, ``[1, 1]``.
            *given: Memory and keys ``[1, T, D]``, the state of the LSTM ``[1, 2, D]``, and what was
                written, as states and as keys ``[1, U, D]``, the row of zeros first.

        Returns:
            Logits ``[1, V]``, weights ``[1, T]``, and the state after the token.
        """
        memory, keys, lstm, written, written_keys = given
        decoder = self.decoder
        read, lstm = lstm_step(decoder.lstm, decoder.embedding(token), lstm)
        weights = attention_scores(decoder.attention, read, keys).softmax(dim=-1)  # [1, T]
        context = weights.unsqueeze(1) @ memory
        own = attention_scores(decoder.self_attention, read, written_keys)  # [1, U]
        own = torch.cat([own[:, :1] * 0.0 + _FAR, own[:, 1:]], dim=1).softmax(dim=-1)
        past = own.unsqueeze(1) @ written
        hidden = decoder.combine(torch.cat([read, context, past], dim=-1))
        written = torch.cat([written, read], dim=1)
        written_keys = torch.cat([written_keys, decoder.self_attention.keys(read)], dim=1)
        return self.output(hidden)[:, 0], weights, lstm, written, written_keys


def lstm_step(lstm: torch_nn.LSTM, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Run an LSTM of one layer over one token.

    Args:
        lstm: The LSTM.
        inputs: ``[1, 1, E]``.
        state: Hidden and cell state ``[1, 2, D]``.

    Returns:
        Its output ``[1, 1, D]`` and the state after it.
    """
    hidden, cell = (part.unsqueeze(0) for part in state.unbind(dim=1))
    output, (hidden, cell) = lstm(inputs, (hidden, cell))
    return output, torch.stack([hidden[0], cell[0]], dim=1)


def attention_scores(attention: AdditiveAttention, query: Tensor, keys: Tensor) -> Tensor:
    """Score one query against each position.

    Args:
        attention: The attention.
        query: ``[1, 1, D]``.
        keys: ``[1, T, A]``.

    Returns:
        ``[1, T]``.
    """
    scores: Tensor = attention.score(torch.tanh(attention.from_query(query) + keys))
    return scores.squeeze(-1)


class ReaderForm(torch_nn.Module):
    """The encoder, what a decoder starts from, and the tasks that label what was read.

    Args:
        encoder: The encoder; left as it is.
        writer: The form of the decoder.
        heads: Heads that score words of the sentence, by name.

    Raises:
        TypeError: If the encoder is of a kind that cannot be exported, or reads more than a text.
    """

    def __init__(
        self, encoder: Any, writer: WriterForm, heads: Mapping[str, torch_nn.Module] | None = None
    ) -> None:
        super().__init__()
        for part in encoder.modules():
            if isinstance(part, LanguageAdapters | PictureFusion):
                raise TypeError(
                    f"A model that writes over {type(part).__name__} cannot be exported: its graph "
                    "reads a sentence, and is told neither language nor picture"
                )
        self.encoder, self.writer = encoder_form(plain(encoder)), writer
        self.width: int = encoder.width
        self.heads = torch_nn.ModuleDict({name: plain(h) for name, h in (heads or {}).items()})

    def forward(self, input_ids: Tensor) -> tuple[Tensor, ...]:
        """Read a sentence.

        Args:
            input_ids: ``[1, T]``.

        Returns:
            Memory and state before the first token, and emissions ``[1, T, C]`` of each head.
        """
        mask = torch.ones_like(input_ids).bool()
        inputs = unchecked_inputs(input_ids, mask, torch.zeros_like(input_ids))
        hidden = self.encoder(inputs)
        said = [head_output(head, hidden, Batch(inputs)) for head in self.heads.values()]
        return (*self.writer.begin(hidden), *said)


def plain(module: Any) -> Any:
    """Copy a module as it is exported: on the processor, in single precision, without dropout.

    Args:
        module: The module.
    """
    return copy.deepcopy(module).cpu().float().eval()


def write_reader(form: ReaderForm, path: Path) -> None:
    """Write the graph that reads a sentence of any length.

    Args:
        form: What reads.
        path: The file.
    """
    writer = form.writer
    axes = {name: {1: "length"} for name in (READ, *writer.memory, *form.heads)}
    names = [*writer.memory, *writer.state, *form.heads]
    write_traced(form, (torch.zeros(1, 7, dtype=torch.long),), path, [READ], names, axes)


def write_writer(form: WriterForm, path: Path, width: int) -> None:
    """Write the graph that writes one token.

    Args:
        form: What writes.
        path: The file.
        width: Size of the states that it looks at, D.
    """
    token = torch.zeros(1, 1, dtype=torch.long)
    with torch.no_grad():
        given = form.begin(torch.linspace(-1, 1, 7 * width).view(1, 7, width))
    read = [TOKEN, *form.memory, *form.state]
    axes = {name: {1: "length"} for name in (*form.memory, LOOKED)}
    axes |= {prefix + name: {1: f"{prefix}steps"} for name in form.grows for prefix in ("", NEXT)}
    names = [*form.writes, LOOKED, *(NEXT + name for name in form.state)]
    write_traced(form, (token, *given), path, read, names, axes)
