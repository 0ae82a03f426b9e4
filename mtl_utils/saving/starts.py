"""From which weights the trainings of a model began: what tells whether models can be merged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

from torch import nn as torch_nn

from mtl_utils.data.content import tensor_digest, text_digest
from mtl_utils.saving.savable import SavableModule
from mtl_utils.sharing.base import Sharing

_DIGITS = 16


class RemembersStarts(SavableModule):
    """A model that remembers the shared weights each of its trainings began with, by a digest.

    Copies of a model, and what was read from the same folder, begin with the same weights; so do
    models over the same pretrained encoder. What was trained from them says so as long as it is
    kept, saved and loaded.
    """

    sharing: Sharing
    _starts: tuple[str, ...] = ()

    @property
    def starts(self) -> tuple[str, ...]:
        """Digests of the shared weights that trainings began with, the first one first."""
        return self._starts

    def shared_weights(self) -> dict[str, torch_nn.Parameter]:
        """Return the parameters that more than one task may move, by name within the sharing."""
        shared = {id(parameter) for parameter in self.sharing.shared_parameters()}
        return {name: p for name, p in self.sharing.named_parameters() if id(p) in shared}

    def shared_digest(self) -> str:
        """Return a digest of the shared weights as they are: their names, shapes and numbers."""
        found = {name: tensor_digest(p) for name, p in self.shared_weights().items()}
        return text_digest(json.dumps(found, sort_keys=True))[:_DIGITS]

    def note_start(self) -> None:
        """Remember the shared weights as those that a training begins with.

        :class:`mtl_utils.training.Trainer` does it, and so does ``fit``. Call it before a loop of
        your own.
        """
        now = self.shared_digest()
        if now not in self._starts:
            self._starts = (*self._starts, now)

    def _content(self) -> dict[str, Any]:
        content = super()._content()
        return content | ({"starts": list(self._starts)} if self._starts else {})

    @classmethod
    def _of_content(cls, content: Mapping[str, Any], own: Sequence[type]) -> Self:
        made = super()._of_content(content, own)
        starts = content.get("starts", [])
        if not isinstance(starts, list) or not all(isinstance(start, str) for start in starts):
            raise ValueError(f"the starts of its trainings are no digests: {starts!r:.80}")
        made._starts = tuple(starts)
        return made
