"""A frozen encoder that remembers what it has read."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mtl_utils.arguments import check_flag, check_sizes
from mtl_utils.data.batch import Inputs
from mtl_utils.data.content import tensor_digest, text_digest
from mtl_utils.nn.encoder import Encoder, EncoderLayers, check_encoder, check_inputs
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.nn.rebuilding import Recipe, note_cut

_GIBIBYTE = 2**30


class CacheFullWarning(UserWarning):
    """A cache of states holds as much as it may, and further texts are read every time."""


class CachedEncoder(Encoder):
    r"""Reads each text once, and gives the same states again whenever the text comes back.

    A frozen encoder gives a text the same states in every epoch. Where heads alone are trained, all
    epochs after the first cost next to nothing. It stands wherever an encoder does, in any way of
    sharing; what is read is told by its content: ids, segments, characters and first pieces up to
    the end of the text, its language, and the picture beside it.

    States are computed in evaluation mode and in the encoder's own precision, and kept in the
    memory of the CPU: :math:`4 D` bytes a token in single precision, so that a gibibyte holds
    700,000 tokens of width 384. What no longer fits is read every time, and a warning says so once.
    Nothing is ever replaced, since an epoch that is longer than the memory would else find nothing
    of what it needs; :meth:`clear` makes room for other data.

    If weights of the encoder change, as by ``load_state_dict``, or it moves to another device, all
    is forgotten. Changes through ``parameter.data`` alone are not noticed; call :meth:`clear` then.

    Args:
        encoder: A frozen encoder.
        max_bytes: How much memory the states may take.
        alone: Whether to read each text by itself instead of together with others, from which its
            states differ by rounding. That takes two to four times as long on a CPU, and makes a
            training that is resumed the same to the last bit: the states are then not kept any
            more, and others come together.
        freeze: Whether to freeze the encoder, instead of refusing one that is not.

    Attributes:
        hits: How many texts were found.
        misses: How many were read.

    Raises:
        ValueError: If the encoder has parameters that are trained, or ``max_bytes`` is below 1.
        TypeError: If it is no encoder, or a setting is of another type.
    """

    def __init__(
        self,
        encoder: Encoder,
        max_bytes: int = _GIBIBYTE,
        *,
        alone: bool = False,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        check_encoder("encoder", encoder)
        check_sizes(max_bytes=max_bytes)
        check_flag("alone", alone)
        check_flag("freeze", freeze)
        if freeze:
            encoder.freeze()
        self.encoder = encoder
        self.max_bytes, self.alone = max_bytes, alone
        self.width, self.causal, self.max_length = encoder.width, encoder.causal, encoder.max_length
        self._check_frozen()
        self.train(self.training)

    # What is only remembered is no part of the module: neither stored nor copied, nor compared when
    # a training goes on.
    @functools.cached_property
    def _memory(self) -> _Memory:
        return _Memory(self.max_bytes)

    @property
    def hits(self) -> int:
        """How many texts were found."""
        return self._memory.hits

    @property
    def misses(self) -> int:
        """How many texts were read."""
        return self._memory.misses

    @property
    def recipe(self) -> Recipe:
        """How to make it again: of an encoder that was made anew, which nobody has frozen."""
        return replace(self._recipe, arguments={**self._recipe.arguments, "freeze": True})

    def forward(self, inputs: Inputs) -> Tensor:
        """Look texts up, and read those that are new; see :meth:`Encoder.forward`.

        Args:
            inputs: B texts of at most T tokens.

        Returns:
            Hidden states ``[B, T, D]``, zero at padding, without a gradient.

        Raises:
            ValueError: If the encoder has been thawed, or as the encoder does.
            TypeError: If they are no :class:`mtl_utils.data.Inputs`.
        """
        check_inputs(inputs)
        self._check_frozen()
        weights = [*self.encoder.parameters(), *self.encoder.buffers()]
        self._memory.check(weights, inputs.input_ids.device)
        lengths = inputs.mask.sum(dim=1).tolist()
        keys = _keys(inputs, lengths)
        found = self._memory.find(keys)
        new = {key: row for row, key in enumerate(keys) if key not in found}
        if new:
            read = self._read(inputs, list(new.values()), lengths)
            found |= self._memory.keep(dict(zip(new, read, strict=True)))
        states = pad_sequence([found[key] for key in keys] or [self._empty], batch_first=True)
        batch, time = inputs.input_ids.shape
        hidden = states.new_zeros(batch, time, self.width)
        hidden[:, : states.shape[1]] = states
        return hidden.to(inputs.input_ids.device)

    def clear(self) -> None:
        """Forget all states."""
        vars(self).pop("_memory", None)

    @property
    def num_layers(self) -> int:
        """Number of layers of the encoder, L.

        Raises:
            AttributeError: If it does not say.
        """
        return int(self.encoder.num_layers)  # type: ignore[arg-type]

    def cut(self, num_layers: int) -> tuple[CachedEncoder, EncoderLayers]:
        """Cut above some layers; see :meth:`Encoder.cut`.

        Args:
            num_layers: How many layers stay with the embeddings.

        Returns:
            The lower part with a memory of its own, and the layers above, as frozen as they are
            here, which remember nothing. To train the layers above, cut first, freeze what is below
            and give that to a cached encoder.

        Raises:
            ValueError: If there are not as many layers.
            TypeError: If the encoder cannot be cut.
        """
        lower, upper = self.encoder.cut(num_layers)
        below = CachedEncoder(lower, self.max_bytes, alone=self.alone)
        note_cut(self, num_layers, below, upper)
        return below, upper

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode.

        Args:
            mode: Whether the rest of the model is to train.
        """
        return super().train(False)

    def _apply(self, function: Callable[..., Any], recurse: bool = True) -> Self:
        self._memory.doubt()
        return super()._apply(function, recurse)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        self._memory.doubt()
        super()._load_from_state_dict(*arguments)

    def __getstate__(self) -> dict[str, Any]:
        """Return the module without its memory, for copies and pickles."""
        return {name: value for name, value in vars(self).items() if name != "_memory"}

    @torch.no_grad()
    def _read(self, inputs: Inputs, rows: Sequence[int], lengths: Sequence[int]) -> list[Tensor]:
        """Return the states ``[T_b, D]`` of some rows, as many as each has tokens."""
        groups = [[row] for row in rows] if self.alone else [list(rows)]
        found: list[Tensor] = []
        kind = inputs.input_ids.device.type
        # Half precision that a training uses elsewhere must not stay in what is kept.
        with evaluation_mode(self.encoder), torch.autocast(kind, enabled=False):
            for group in groups:
                longest = max(lengths[row] for row in group)
                if longest == 0:
                    found += [self._empty] * len(group)
                    continue
                places = torch.tensor(group, device=inputs.input_ids.device)
                states = self.encoder(inputs.rows(places).columns(longest)).cpu()
                pairs = zip(states, group, strict=True)
                found += [one[: lengths[row]].clone() for one, row in pairs]
        return found

    @property
    def _empty(self) -> Tensor:
        """The states of a text without tokens ``[0, D]``."""
        parameter = next(self.encoder.parameters(), torch.zeros(()))
        return torch.zeros(0, self.width, dtype=parameter.dtype)

    def _check_frozen(self) -> None:
        trained = [name for name, p in self.encoder.named_parameters() if p.requires_grad]
        if trained:
            raise ValueError(
                f"encoder has {len(trained)} parameters that are trained, such as {trained[0]!r}, "
                f"so the states of a text change: {type(self.encoder).__name__} must be frozen. "
                "Call its freeze() first, or give freeze=True."
            )


class _Memory:
    """States by what was read, and the weights that they were computed with.

    Args:
        max_bytes: How much memory the states may take.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.hits = self.misses = 0
        self._states: dict[bytes, Tensor] = {}
        self._bytes = 0
        self._full = False
        self._signature: Any = None
        self._digest = ""

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Tensor]:
        """Return the states that there are.

        Args:
            keys: What is asked for, one a row.
        """
        found = {key: self._states[key] for key in keys if key in self._states}
        hits = sum(key in found for key in keys)
        self.hits += hits
        self.misses += len(keys) - hits
        return found

    def keep(self, states: dict[bytes, Tensor]) -> dict[bytes, Tensor]:
        """Keep states as far as there is room, and return them all.

        Args:
            states: By what was read.
        """
        for key, each in states.items():
            size = each.numel() * each.element_size() + len(key)
            if self._bytes + size > self.max_bytes:
                self._say_full()
                continue
            self._states[key] = each
            self._bytes += size
        return states

    def doubt(self) -> None:
        """Compare the content of the weights when they are used next."""
        self._signature = None

    def check(self, weights: Sequence[Tensor], device: torch.device) -> None:
        """Forget everything if the weights are others, or the device is.

        Args:
            weights: Parameters and buffers of the encoder.
            device: Where it computes.
        """
        marks = [(id(w), w.data_ptr(), 0 if w.is_inference() else w._version) for w in weights]
        signature = (str(device), marks)
        if signature == self._signature:
            return
        digest = text_digest(" ".join([str(device), *map(tensor_digest, weights)]))
        if digest != self._digest:
            self._states, self._bytes, self._full = {}, 0, False
        self._signature, self._digest = signature, digest

    def _say_full(self) -> None:
        if self._full:
            return
        self._full = True
        warnings.warn(
            f"The states of {len(self._states)} texts take the {self.max_bytes} bytes that "
            "CachedEncoder may use: further texts are read every time. Give it more max_bytes, or "
            "call clear() if other data came before.",
            CacheFullWarning,
            stacklevel=2,
        )


def _keys(inputs: Inputs, lengths: Sequence[int]) -> list[bytes]:
    """Return what each row reads, up to the end of its text, as bytes."""
    given = (inputs.input_ids, inputs.segment_ids, inputs.first_pieces, inputs.character_ids)
    arrays = [None if each is None else each.cpu().long().numpy() for each in given]
    languages = None if inputs.language_ids is None else inputs.language_ids.cpu().long().numpy()
    pictures = None if inputs.pictures is None else inputs.pictures.cpu().contiguous().numpy()
    present = [] if inputs.has_picture is None else inputs.has_picture.tolist()
    keys = []
    for row, length in enumerate(lengths):
        parts = [b"" if each is None else _content(each[row, :length]) for each in arrays]
        if languages is not None:
            parts.append(languages[row].tobytes())
        if pictures is not None and present[row]:  # without any, keys are those of text alone
            parts.append(pictures[row].tobytes())
        keys.append(b"|".join([repr([len(part) for part in parts]).encode(), *parts]))
    return keys


def _content(row: NDArray[np.int64]) -> bytes:
    """Return ids as bytes; how many columns characters have depends on the other rows."""
    if row.ndim > 1:
        used = np.flatnonzero(row.any(axis=0))
        row = row[:, : used.max() + 1 if len(used) else 0]
    return row.tobytes()
