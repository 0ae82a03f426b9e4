"""Multi-head attention: several weighted averages of a memory side by side."""

# Annotations are evaluated here: the pages of the API show those of a NamedTuple as they are.
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn import functional

from mtl_utils.arguments import check_fits, check_probability, check_sizes, check_tensor
from mtl_utils.nn.attention import masked_softmax
from mtl_utils.nn.dropout import Dropout
from mtl_utils.nn.masks import check_mask
from mtl_utils.nn.packing import Packing


class KeyValues(NamedTuple):
    """A memory as the heads see it, kept where it is attended to more than once.

    Args:
        keys: What queries are compared with, ``[B, H, T, D / H]``.
        values: What is averaged, ``[B, H, T, D / H]``.
    """

    keys: Tensor
    values: Tensor

    def compact(self) -> "KeyValues":
        """Return a copy that lies in memory in the order of its dimensions, for frequent use."""
        return KeyValues(self.keys.contiguous(), self.values.contiguous())

    def followed_by(self, newer: "KeyValues") -> "KeyValues":
        """Append positions; neither is changed.

        Where no gradient is kept, there is room for more behind the result, so that to append one
        position after the other takes time in proportion to their number, not to its square.

        Args:
            newer: ``[B, H, U, D / H]``.

        Returns:
            ``[B, H, T + U, D / H]``.
        """
        if self.keys.shape[2] == 0:
            return newer
        if torch.is_grad_enabled() or self.keys.dtype != newer.keys.dtype:
            pairs = zip(self, newer, strict=True)
            return KeyValues(*(torch.cat([old.to(new.dtype), new], dim=2) for old, new in pairs))
        return self._with_room(newer.keys.shape[2]).extended(newer)

    def _with_room(self, count: int) -> "_RoomyKeyValues":
        """Return the same positions where as many as ``count`` can be written behind them."""
        if isinstance(self, _RoomyKeyValues) and self.may_be_extended(count):
            return self
        length = self.keys.shape[2]
        shape = (*self.keys.shape[:2], 2 * (length + count), self.keys.shape[3])
        room = _Room(self.keys.new_empty(shape), self.values.new_empty(shape), length)
        room.keys[:, :, :length] = self.keys
        room.values[:, :, :length] = self.values
        return _RoomyKeyValues.first_of(room, length)


@dataclass
class _Room:
    """Memory for more positions than are written, which several states may begin in alike.

    Args:
        keys: ``[B, H, C, D / H]`` for C positions.
        values: ``[B, H, C, D / H]``.
        used: How many of the positions are written.
    """

    keys: Tensor
    values: Tensor
    used: int


class _RoomyKeyValues(KeyValues):
    """Keys and values that are the first positions of a room.

    Only the state that ends where the room is written to may go on in place: whoever else goes on
    from an earlier state gets a room of its own, so that a state never changes.
    """

    room: _Room | None = None  # rows picked from it, for example, have none

    @classmethod
    def first_of(cls, room: _Room, length: int) -> "_RoomyKeyValues":
        found = cls(room.keys[:, :, :length], room.values[:, :, :length])
        found.room = room
        return found

    def may_be_extended(self, count: int) -> bool:
        room, length = self.room, self.keys.shape[2]
        if room is None or room.used != length or length + count > room.keys.shape[2]:
            return False
        return not room.keys.is_inference() or torch.is_inference_mode_enabled()

    def extended(self, newer: KeyValues) -> "_RoomyKeyValues":
        room, length = self.room, self.keys.shape[2]
        assert room is not None
        room.used = length + newer.keys.shape[2]
        room.keys[:, :, length : room.used] = newer.keys
        room.values[:, :, length : room.used] = newer.values
        return self.first_of(room, room.used)


class MultiHeadAttention(torch_nn.Module):
    r"""Let each of H heads average the memory in its own way (Vaswani et al., 2017).

    .. math:: \alpha_h = \operatorname{softmax}\!\left(
            \frac{(Q W^Q_h)(M W^K_h)^\top}{\sqrt{D / H}}\right), \qquad
        \operatorname{attend}(Q, M) = [\alpha_1 M W^V_1; \dots; \alpha_H M W^V_H]\, W^O

    Dropout acts on the weights. The matrices start as Glorot & Bengio (2010) have it, biases at
    zero.

    Args:
        width: Size of queries and outputs, D.
        num_heads: Number of heads, H; it divides D.
        dropout: Probability of dropping a weight.
        memory_width: Size of a position of the memory, M; D if ``None``.

    Raises:
        ValueError: If a size is below 1, H does not divide D, or ``dropout`` is outside [0, 1).
        TypeError: If a setting is of another type.
    """

    def __init__(
        self, width: int, num_heads: int, dropout: float = 0.0, memory_width: int | None = None
    ) -> None:
        super().__init__()
        memory_width = width if memory_width is None else memory_width
        check_sizes(width=width, num_heads=num_heads, memory_width=memory_width)
        check_probability("dropout", dropout)
        if width % num_heads:
            raise ValueError(
                f"Each of num_heads={num_heads} heads has an equal part of the width, but "
                f"width={width} is not divisible by {num_heads}; change width or num_heads"
            )
        self.width, self.num_heads, self.head_width = width, num_heads, width // num_heads
        # Three matrices, not one for all: measured, that is as fast, and each has its name.
        self.query = torch_nn.Linear(width, width)
        self.key = torch_nn.Linear(memory_width, width)
        self.value = torch_nn.Linear(memory_width, width)
        self.output = torch_nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        for linear in (self.query, self.key, self.value, self.output):
            initialise(linear)

    def forward(
        self,
        query: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        causal: bool = False,
    ) -> Tensor:
        """Attend.

        Args:
            query: ``[B, U, D]``, U queries a row.
            memory: ``[B, T, M]``; the queries themselves if ``None`` (self-attention).
            mask: ``[B, T]``, True where there is something to attend to; or ``[B, U, T]``, where
                that differs from query to query. All if ``None``. Even what is not attended to
                must be finite.
            causal: Whether the last query is at the last position of the memory, the one before it
                at the last but one and so on, and none attends to later positions than its own.

        Returns:
            ``[B, U, D]``; zero for a query with nothing to attend to.

        Raises:
            ValueError: If the mask has another shape, or there are more causal queries than
                positions.
            TypeError: If the mask is not boolean.
        """
        check_tensor("query", query, "[B, U, D]", "floating-point")
        check_fits("query", query, 2, self.width)
        if memory is not None:
            check_tensor("memory", memory, "[B, T, M]", "floating-point")
            check_fits("memory", memory, 2, self.key.in_features)
        return self.attend(query, self.read(query if memory is None else memory), mask, causal)

    def read(self, memory: Tensor) -> KeyValues:
        """Return the memory as the heads see it, which is the same for every query.

        Args:
            memory: ``[B, T, M]``.

        Returns:
            Keys and values ``[B, H, T, D / H]``.
        """
        return KeyValues(self._split(self.key(memory)), self._split(self.value(memory)))

    def attend(
        self, query: Tensor, memory: KeyValues, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Attend to a memory that was read before; see :meth:`forward`.

        Args:
            query: ``[B, U, D]``.
            memory: From :meth:`read`.
            mask: ``[B, T]`` or ``[B, U, T]``, all if ``None``.
            causal: Whether no query attends to later positions than its own.

        Returns:
            ``[B, U, D]``; zero for a query with nothing to attend to.
        """
        if memory.keys.shape[2] == 0:
            return torch.zeros_like(query)
        heads = self._split(self.query(query))  # [B, H, U, D / H]
        allowed = allowed_pairs(mask, query.shape[1] if causal else None, memory.keys)
        square = causal and mask is None and query.shape[1] == memory.keys.shape[2]
        attended: Tensor = self.output(self._average(heads, memory, allowed, square))  # [B, U, D]
        return attended if mask is None else _without_lonely(attended, allowed)

    def attend_packed(self, tokens: Tensor, packing: Packing, causal: bool = False) -> Tensor:
        """Let each token attend to those of its own text, with no padding among them.

        Args:
            tokens: ``[N, D]``.
            packing: Where they are in the batch.
            causal: Whether no token attends to later ones.

        Returns:
            ``[N, D]``: what :meth:`forward` gives with the mask of the batch.
        """
        query, key, value = (
            self._split(packing.unpack(linear(tokens)))
            for linear in (self.query, self.key, self.value)
        )
        allowed = allowed_pairs(packing.mask, query.shape[2] if causal else None, key)
        context = self._average(query, KeyValues(key, value), allowed)
        attended: Tensor = self.output(packing.pack(context))
        return attended

    def _average(
        self, query: Tensor, memory: KeyValues, allowed: Tensor | None, causal: bool = False
    ) -> Tensor:
        """From queries ``[B, H, U, D / H]`` to what the heads found, side by side ``[B, U, D]``.

        ``causal`` says that ``allowed`` is a triangle, for which there are faster kernels.
        """
        dropout = self.dropout.p if self.training else 0.0
        if query.device.type == "cpu" and (dropout or query.shape[2] == 1):
            # PyTorch's kernel for the CPU has no dropout, and is slow where there is one query.
            weights = self.dropout(scaled_softmax(query, memory.keys, allowed))
            context = weights @ memory.values
        else:
            context = functional.scaled_dot_product_attention(
                query,
                *memory,
                attn_mask=None if causal else allowed,
                dropout_p=dropout,
                is_causal=causal,
            )
        return context.transpose(1, 2).flatten(2)

    def weights(
        self, query: Tensor, memory: KeyValues, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Return what the heads attend to, for plots; dropout aside.

        Args:
            query: ``[B, U, D]``.
            memory: From :meth:`read`.
            mask: ``[B, T]`` or ``[B, U, T]``, all if ``None``.
            causal: Whether no query attends to later positions than its own.

        Returns:
            ``[B, H, U, T]``, which sums to one over T, or is zero for a query with nothing to
            attend to.
        """
        allowed = allowed_pairs(mask, query.shape[1] if causal else None, memory.keys)
        return scaled_softmax(self._split(self.query(query)), memory.keys, allowed)

    def _split(self, vectors: Tensor) -> Tensor:
        """From ``[B, T, D]`` to ``[B, H, T, D / H]``."""
        return vectors.unflatten(-1, (self.num_heads, self.head_width)).transpose(1, 2)


def scaled_softmax(query: Tensor, keys: Tensor, allowed: Tensor | None) -> Tensor:
    """Return the weights of scaled dot-product attention.

    Args:
        query: ``[..., U, D]``.
        keys: ``[..., T, D]``.
        allowed: Broadcastable to ``[..., U, T]``, True where a query may attend; ``None`` where all
            may.

    Returns:
        ``[..., U, T]``.
    """
    scores = (query * query.shape[-1] ** -0.5) @ keys.transpose(-1, -2)
    return scores.softmax(dim=-1) if allowed is None else masked_softmax(scores, allowed)


def allowed_pairs(mask: Tensor | None, num_causal: int | None, keys: Tensor) -> Tensor | None:
    """Say which query may attend to which position.

    Args:
        mask: ``[B, T]`` or ``[B, U, T]``, True where there is something to attend to.
        num_causal: Number of queries, U, where none may attend to later positions than its own;
            ``None`` where that does not matter.
        keys: ``[B, H, T, D / H]``.

    Returns:
        Broadcastable to ``[B, H, U, T]``; ``None`` where all is allowed.

    Raises:
        ValueError: If the mask has another shape, or there are more causal queries than positions.
        TypeError: If the mask is not boolean.
    """
    batch_size, _, num_keys, _ = keys.shape
    if mask is not None:
        check_mask(mask)
        if mask.shape[:1] + mask.shape[-1:] != (batch_size, num_keys) or mask.dim() not in (2, 3):
            raise ValueError(
                f"Expected a mask [B, T] or [B, U, T] with B={batch_size} and T={num_keys}, got "
                f"{list(mask.shape)}"
            )
        mask = mask[:, None, None] if mask.dim() == 2 else mask[:, None]
    if num_causal is None or num_causal == 1:  # a single query is the last position
        return mask
    if num_causal > num_keys:
        raise ValueError(f"{num_causal} causal queries need as many positions, got {num_keys}")
    order = torch.ones(num_causal, num_keys, dtype=torch.bool, device=keys.device)
    order = order.tril(num_keys - num_causal)
    return order if mask is None else order & mask


def initialise(linear: torch_nn.Linear) -> None:
    """Start a layer as Glorot & Bengio (2010) have it, with no bias.

    Args:
        linear: Changed in place.
    """
    torch_nn.init.xavier_uniform_(linear.weight)
    torch_nn.init.zeros_(linear.bias)


def _without_lonely(attended: Tensor, allowed: Tensor | None) -> Tensor:
    """Set ``[B, U, D]`` to zero where a query had nothing to attend to."""
    if allowed is None:
        return attended
    lonely = ~allowed.any(dim=-1).squeeze(1)  # [B, U] or [B, 1]
    if lonely.device.type == "cpu" and not bool(lonely.any()):
        return attended
    return attended.masked_fill(lonely.unsqueeze(-1), 0.0)
