"""The second system of the book: one Transformer that classifies, tags and infers."""

# Annotations are evaluated here: the pages of the API show those of a NamedTuple as they are.
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self, overload

from torch import Tensor

from mtl_utils.arguments import (
    check_flag,
    check_probability,
    check_sizes,
    check_tensor,
    check_whole,
    shown,
)
from mtl_utils.data.batch import Batch, Inputs
from mtl_utils.data.byte_pairs import BytePairTokenizer
from mtl_utils.data.raw_inputs import inputs_of
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.data.tokenizer_content import tokenizer_of
from mtl_utils.models.given import check_label_names, check_tokenizer, check_tokens
from mtl_utils.models.text_reading import Text, listed
from mtl_utils.models.three_tasks import TASKS, ThreeTaskModel
from mtl_utils.nn import TransformerEncoder
from mtl_utils.objectives.base import Losses
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale
from mtl_utils.saving.stored_model import part
from mtl_utils.sharing import HardSharing


class TransformerLogits(NamedTuple):
    """What the three heads make of one pass of the encoder.

    Args:
        classification: From the first token, ``[B, C]``.
        tags: From every token, ``[B, T, E]``; without meaning at padding.
        inference: What is said of the pair, ``[B, 3]``; without meaning where the text is none.
    """

    classification: Tensor
    tags: Tensor
    inference: Tensor


class MultiTaskTransformer(ThreeTaskModel):
    """One Transformer encoder, and three tasks that read the same pass of it.

    ``"classification"`` labels a text from the state of its first token, ``"tags"`` labels each
    word from the state of its first piece, and ``"inference"`` says from the first token of a pair
    (Devlin et al., 2019), or from a comparison token by token, whether a premise entails a
    hypothesis. A :class:`MultiTaskModel` over
    :class:`~mtl_utils.sharing.HardSharing`: called with a batch, or with one a task, it returns
    losses, and :class:`mtl_utils.training.Trainer` can train it; called with token ids, it returns
    the logits of all three tasks.

    Args:
        num_classes: Number of classes, C.
        num_entities: Number of tags, E: with ``O`` and two tags a type of entity, 2 n + 1.
        vocab_size: Number of tokens, V.
        hidden_size: Size of embeddings and states, D.
        num_layers: Number of layers.
        num_heads: Number of heads; it divides D.
        classes: Names of the classes; ``"class_0"``, ``"class_1"``, ... if ``None``.
        tags: Names of the tags; ``"tag_0"``, ``"tag_1"``, ... if ``None``. Where they are IOB2
            tags, predictions keep to that scheme.
        tokenizer: Needed for everything that starts from text.
        feedforward_width: Size of the hidden layer at each position; 4 D if ``None``.
        dropout: Probability of dropping a unit or a weight, in the encoder and before each head.
        token_dropout: Probability of reading a token as unknown while training; see
            :class:`mtl_utils.nn.TokenDropout`.
        crf: Whether to score whole sequences of tags; see :class:`mtl_utils.tasks.Tagging`.
        pair_pooling: What speaks for a pair: ``"first"``, its first token, or ``"align"``, the two
            texts compared token by token; see :class:`mtl_utils.tasks.PairClassification`.
        smoothing: Label smoothing of all tasks while training.
        max_length: Number of positions: the longest text or pair, special tokens included.
        positions: ``"sinusoidal"`` or ``"learned"``.
        norm_first: See :class:`mtl_utils.nn.Residual`.
        activation: ``"relu"`` or ``"gelu"``.
        long: What becomes of texts that are longer than ``max_length``; see :class:`TextModel`.
        scale: Of the losses, see :data:`mtl_utils.objectives.Scale`.

    Raises:
        ValueError: If a size is below 1, a number of names is not that of the labels, the tokenizer
            has more ids than V, or as :class:`mtl_utils.nn.TransformerEncoder`,
            :class:`mtl_utils.tasks.Classification` and :class:`mtl_utils.tasks.Tagging`.
        TypeError: If an argument is not of its kind.
    """

    _spare = 1

    def __init__(
        self,
        num_classes: int,
        num_entities: int,
        vocab_size: int,
        hidden_size: int = 768,
        num_layers: int = 12,
        num_heads: int = 12,
        *,
        classes: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        tokenizer: Tokenizer | None = None,
        feedforward_width: int | None = None,
        dropout: float = 0.1,
        token_dropout: float = 0.0,
        smoothing: float = 0.0,
        max_length: int = 512,
        positions: str = "sinusoidal",
        norm_first: bool = True,
        activation: str = "relu",
        long: str = "error",
        crf: bool = False,
        pair_pooling: str = "first",
        scale: Scale = DEFAULT_SCALE,
    ) -> None:
        check_sizes(
            num_classes=num_classes,
            num_entities=num_entities,
            vocab_size=vocab_size,
            hidden_size=hidden_size,
        )
        check_probability("token_dropout", token_dropout)
        if tokenizer is not None:
            check_tokenizer("tokenizer", tokenizer)
        options: dict[str, Any] = {
            "feedforward_width": feedforward_width,
            "dropout": dropout,
            "token_dropout": token_dropout,
            "max_length": max_length,
            "positions": positions,
            "norm_first": norm_first,
            "activation": activation,
        }
        if tokenizer is not None and tokenizer.vocab_size > vocab_size:
            raise ValueError(
                f"The tokenizer has {tokenizer.vocab_size} ids, but vocab_size is {vocab_size}; "
                "make it at least as large"
            )
        encoder = TransformerEncoder(vocab_size, hidden_size, num_layers, num_heads, **options)
        super().__init__(
            HardSharing(encoder),
            _names("classes", classes, "class", num_classes),
            _names("tags", tags, "tag", num_entities),
            tokenizer=tokenizer,
            max_length=max_length,
            pair_pooling=pair_pooling,
            crf=crf,
            smoothing=smoothing,
            dropout=dropout,
            long=long,
            scale=scale,
        )

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[Text],
        classes: Sequence[str],
        tags: Sequence[str],
        *,
        vocab_size: int = 4000,
        lowercase: bool = False,
        **settings: Any,
    ) -> Self:
        """Make a model with a tokenizer that learns its pieces from training texts.

        Args:
            texts: The training texts, hypotheses included, each a string or a sequence of words.
            classes: Names of the classes.
            tags: Names of the tags.
            vocab_size: Number of pieces, V; fewer if the texts have not that many.
            lowercase: Whether case is ignored.
            **settings: See :class:`MultiTaskTransformer`.

        Raises:
            ValueError: As :class:`MultiTaskTransformer` and
                :meth:`mtl_utils.data.BytePairTokenizer.train`.
            TypeError: If a single string was given for many texts.
        """
        check_label_names("classes", classes)
        check_label_names("tags", tags)
        check_whole("vocab_size", vocab_size)
        check_flag("lowercase", lowercase)
        rows = listed(texts)
        for place, text in enumerate(rows):
            check_tokens(f"texts[{place}]", text)
        joined = (text if isinstance(text, str) else " ".join(text) for text in rows)
        tokenizer = BytePairTokenizer.train(joined, vocab_size, lowercase)
        return cls(
            len(classes),
            len(tags),
            tokenizer.vocab_size,
            classes=classes,
            tags=tags,
            tokenizer=tokenizer,
            **settings,
        )

    @overload
    def forward(
        self, input_ids: Tensor, mask: Tensor | None = None, segment_ids: Tensor | None = None
    ) -> TransformerLogits: ...

    @overload
    def forward(self, input_ids: Batch | Mapping[str, Batch]) -> Losses: ...

    def forward(
        self,
        input_ids: Tensor | Batch | Mapping[str, Batch],
        mask: Tensor | None = None,
        segment_ids: Tensor | None = None,
    ) -> TransformerLogits | Losses:
        """Score texts or pairs, or compute the losses of a batch with labels.

        Args:
            input_ids: Token ids ``[B, T]``, padded on the right; or a batch, or one a task, see
                :meth:`MultiTaskModel.forward`.
            mask: ``[B, T]``, True where there is a token; all but the ``<pad>`` that end a row if
                ``None``. A batch has its own.
            segment_ids: ``[B, T]``, 0 in the premise and 1 in the hypothesis; the hypothesis is
                what follows the first ``<eos>`` if ``None``. A batch has its own.

        Returns:
            For token ids the logits ``[B, C]``, ``[B, T, E]`` and ``[B, 3]``, from one pass of the
            encoder and in the model's mode; for a batch its losses.

        Raises:
            ValueError: If there is no row or no token, T is larger than the number of positions, an
                id is outside the vocabulary, a label is not a class, or pairs have no segment ids.
            KeyError: If a task is unknown, or a batch lacks the labels of its task.
            TypeError: If ids are not integers or the mask is not boolean.
        """
        if isinstance(input_ids, Tensor):
            if mask is not None:
                check_tensor("mask", mask, "[B, T]", "boolean")
            if segment_ids is not None:
                check_tensor("segment_ids", segment_ids, "[B, T]")
            return self.logits(inputs_of(input_ids, mask, segment_ids))
        if not isinstance(input_ids, Batch | Mapping):
            raise TypeError(
                "input_ids must be a tensor of token ids [B, T], a batch, or one a task, got "
                f"{shown(input_ids)}"
            )
        batches = [input_ids] if isinstance(input_ids, Batch) else input_ids.values()
        if any(isinstance(batch, Batch) and len(batch) == 0 for batch in batches):
            raise ValueError("A batch has no rows. Leave empty batches out.")
        return super().forward(input_ids)

    def logits(self, inputs: Inputs) -> TransformerLogits:
        """Score texts or pairs for all tasks, with one pass of the encoder, in the model's mode.

        Args:
            inputs: B texts or pairs of at most T tokens, with segment ids.

        Raises:
            ValueError: As :meth:`forward`.
        """
        batch = Batch(inputs)
        hidden = self.sharing(batch, TASKS).hidden
        return TransformerLogits(*(self.head(task)(hidden[task], batch) for task in TASKS))

    @classmethod
    def _of_content(cls, content: Mapping[str, Any], own: Sequence[type]) -> Self:
        if "parts" in content:
            return super()._of_content(content, own)
        # As it was written before all models were written in one way.
        stored, settings = content["tokenizer"], part(content, "settings")
        settings["max_length"]
        tokenizer = None if stored is None else tokenizer_of(part(content, "tokenizer"))
        return cls(**settings, tokenizer=tokenizer)


def _names(what: str, names: Sequence[str] | None, kind: str, count: int) -> tuple[str, ...]:
    """Return the names of labels, numbered ones where none are given."""
    if names is None:
        return tuple(f"{kind}_{index}" for index in range(count))
    check_label_names(what, names)
    if len(names) != count:
        raise ValueError(f"Expected {count} names of {what}, got {len(names)}: {tuple(names)}")
    return tuple(names)
