"""Texts and pairs over a pretrained encoder, read with the tokenizer it was pretrained with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from mtl_utils.data.pretrained_tokenizer import PretrainedTokenizer
from mtl_utils.models.three_tasks import ThreeTaskModel
from mtl_utils.nn import PretrainedEncoder
from mtl_utils.nn.rebuilding import Recipe
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale
from mtl_utils.saving.stored_model import part
from mtl_utils.sharing import HardSharing

#: What says where a model is read from that is not saved.
_ELSEWHERE = {"pretrained", "revision", "local_files_only"}


class PretrainedTextModel(ThreeTaskModel):
    """Fine-tune a pretrained encoder on all three tasks of a :class:`ThreeTaskModel`.

    Args:
        name_or_folder: See :class:`mtl_utils.nn.PretrainedEncoder`.
        classes: Names of the classes.
        tags: Names of the tags. Where they are IOB2 tags, predictions keep to that scheme.
        tokenizer: The one that the model was pretrained with; read from the same place if ``None``.
        max_length: The longest text or pair to read, special tokens included; as many as the
            encoder can read if ``None``.
        pooling: See :class:`mtl_utils.tasks.Classification`. If ``None``, ``"first"`` where the
            first token has seen the whole text, as ``[CLS]`` has; else ``"mean"``.
        pair_pooling: See :class:`mtl_utils.tasks.PairClassification`. If ``None``, ``"first"`` or
            ``"compare"``, likewise.
        crf: Whether to score whole sequences of tags; see :class:`mtl_utils.tasks.Tagging`.
        smoothing: Label smoothing of all tasks while training.
        dropout: Probability of dropping a unit before each head. The encoder's own is set by its
            configuration.
        long: What becomes of texts that are longer than ``max_length``; see :class:`TextModel`.
        scale: Of the losses, see :data:`mtl_utils.objectives.Scale`.
        pretrained: See :class:`mtl_utils.nn.PretrainedEncoder`.
        revision: Likewise.
        local_files_only: Likewise.

    Raises:
        OSError: If there is no such folder, and no such model on the Hub or no network.
        ValueError: As :class:`mtl_utils.nn.PretrainedEncoder` and the tasks; if the tokenizer has
            more ids than the encoder, or ``max_length`` is more than that can read.
        TypeError: If an argument is not of its kind.
    """

    _spare = 16  # decoders and poolers are made and thrown away

    def __init__(
        self,
        name_or_folder: str | os.PathLike[str] | Mapping[str, Any],
        classes: Sequence[str],
        tags: Sequence[str],
        *,
        tokenizer: PretrainedTokenizer | None = None,
        max_length: int | None = None,
        pooling: str | None = None,
        pair_pooling: str | None = None,
        crf: bool = False,
        smoothing: float = 0.0,
        dropout: float = 0.1,
        long: str = "error",
        scale: Scale = DEFAULT_SCALE,
        pretrained: bool = True,
        revision: str | None = None,
        local_files_only: bool = False,
    ) -> None:
        hub: dict[str, Any] = {"revision": revision, "local_files_only": local_files_only}
        encoder = PretrainedEncoder(name_or_folder, pretrained=pretrained, **hub)
        if tokenizer is None:
            if isinstance(name_or_folder, Mapping):
                raise ValueError("A configuration names no tokenizer; give one (tokenizer=)")
            tokenizer = PretrainedTokenizer.from_pretrained(name_or_folder, **hub)
        if tokenizer.vocab_size > encoder.vocab_size:
            raise ValueError(
                f"The tokenizer has {tokenizer.vocab_size} ids, but the encoder "
                f"{encoder.vocab_size}; give the tokenizer that it was pretrained with"
            )
        longest = encoder.max_length
        first = bool(tokenizer.special_tokens.start) and not encoder.causal
        options: dict[str, Any] = {
            "max_length": longest if max_length is None else max_length,
            "pooling": pooling or ("first" if first else "mean"),
            "pair_pooling": pair_pooling or ("first" if first else "compare"),
            "crf": crf,
            "smoothing": smoothing,
            "dropout": dropout,
            "long": long,
            "scale": scale,
        }
        super().__init__(HardSharing(encoder), classes, tags, tokenizer=tokenizer, **options)

    @property
    def encoder(self) -> PretrainedEncoder:
        """The encoder, for example to freeze layers of."""
        sharing = self.sharing
        assert isinstance(sharing, HardSharing)
        assert isinstance(sharing.encoder, PretrainedEncoder)
        return sharing.encoder

    def _recipe_now(self) -> Recipe:
        recipe = super()._recipe_now()
        given = {k: v for k, v in recipe.arguments.items() if k not in _ELSEWHERE}
        now = {"name_or_folder": self.encoder.configuration}
        pooling = {"pooling": self.classification.pooling, "pair_pooling": self.inference.pooling}
        return replace(recipe, arguments=given | pooling | now)

    @classmethod
    def _of_content(cls, content: Mapping[str, Any], own: Sequence[type]) -> Self:
        if "parts" in content:
            return super()._of_content(content, own)
        # As it was written before all models were written in one way.
        tokenizer = PretrainedTokenizer(**part(content, "tokenizer"))
        beside = {"name_or_folder": part(content, "encoder"), "tokenizer": tokenizer}
        return cls._made(dict(**part(content, "settings"), **beside), {})

    @classmethod
    def _made(cls, settings: dict[str, Any], changes: dict[str, Any]) -> Self:
        elsewhere = sorted(settings.keys() & _ELSEWHERE)
        if elsewhere:
            raise ValueError(f"{elsewhere[0]!r} is no setting of a model that was saved")
        # A name in place of a configuration would be looked up elsewhere.
        if not isinstance(settings["name_or_folder"], Mapping) or settings["tokenizer"] is None:
            raise ValueError("its encoder has no configuration, or it has no tokenizer")
        return super()._made(settings, changes)
