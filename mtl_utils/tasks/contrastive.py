"""Contrastive alignment: bring a text and its picture together, and others of the batch apart."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch import nn as torch_nn
from torch.nn import functional

from mtl_utils.arguments import (
    check_choice,
    check_kind,
    check_number,
    check_several,
    check_sizes,
    check_text,
    check_whole,
)
from mtl_utils.data.batch import Batch, has_label
from mtl_utils.data.batching import BatchLoader
from mtl_utils.data.encoded_text import EncodedText
from mtl_utils.data.examples import Example
from mtl_utils.data.loading import Loader
from mtl_utils.objectives.contrastive import contrastive_loss
from mtl_utils.tasks.base import Head
from mtl_utils.tasks.contrastive_batches import ContrastiveBatches, of_picture_rows, parted
from mtl_utils.tasks.pooling import TEXT_POOLINGS
from mtl_utils.tasks.retrieval import retrieval_ranks, retrieval_scores
from mtl_utils.tasks.text_task import Row, TextTask, check_columns

LARGEST_SCALE = 100.0
"""How much a similarity is multiplied by at most (Radford et al., 2021)."""

_GROUP_BYTES = 7  # twice the number and one more still fit into int64


@dataclass(frozen=True)
class Contrastive(TextTask):
    r"""Say which picture of a batch belongs to which text, and back (Radford et al., 2021).

    Texts and pictures get vectors of length 1, and the loss is
    :func:`mtl_utils.objectives.contrastive_loss` of their similarities times :math:`e^\tau`, which
    is learnt: the other pairs of the batch are what a pair is told from. Pairs with the same text
    are not told apart.

    The encoder is that of the model, whatever reads texts and pictures: it reads each text without
    its picture and each picture without its text, so that neither gives the other away.
    :class:`ContrastiveBatches` makes such batches, and training does so by itself; other tasks on
    the same rows get a batch of their own.

    Args:
        name: Under which a batch has its labels, equal where two texts are.
        width: Size of the vectors that are compared.
        temperature: :math:`e^{-\tau}` before training.
        pooling: Which state speaks for all: ``"first"`` or ``"mean"``.
        text: Column of the text.
        picture: Column of the picture, that of the model; a row without one is left out.

    Raises:
        ValueError: If the width is below 1, there is no such pooling, or the temperature is not
            from 1 / 100 to 1.
        TypeError: If something is not of its kind.
    """

    name: str
    width: int = field(default=64, kw_only=True)
    temperature: float = field(default=0.07, kw_only=True)
    pooling: str = field(default="mean", kw_only=True)
    text: str = field(default="text", kw_only=True)
    picture: str = field(default="picture", kw_only=True)
    causal = False
    label_field = "picture"

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_sizes(width=self.width)
        check_number("temperature", self.temperature, least=1 / LARGEST_SCALE, most=1)
        check_choice("pooling", self.pooling, TEXT_POOLINGS)
        check_columns(text=self.text, picture=self.picture)

    def head(self, width: int) -> ContrastiveHead:
        """Make new linear layers for texts and for pictures.

        Args:
            width: Size of the hidden states, D.

        Raises:
            TypeError: If it is no whole number.
            ValueError: If it is below 1.
        """
        return ContrastiveHead(self, width)

    def target(self, row: Row, encoded: EncodedText) -> int | None:
        """Return a number that is the same for equal texts.

        Args:
            row: The row.
            encoded: Not needed: what the tokenizer does not know would make texts equal.

        Returns:
            The number; ``None`` where there is no picture.
        """
        if self.reference(row) is None:
            return None
        text = row[self.text]  # not its ids: two texts of unknown words are alike in those
        spelt = repr(text if isinstance(text, str) else list(text))
        digest = hashlib.sha256(spelt.encode()).digest()
        return int.from_bytes(digest[:_GROUP_BYTES], "little") // 4

    def trained_on(self, loader: BatchLoader, seed: int = 0) -> Loader:
        """Return batches in which texts and pictures are read apart.

        Args:
            loader: Batches of examples.
            seed: Not needed: nothing is drawn.
        """
        return ContrastiveBatches(loader, self.name)

    def measured_on(self, examples: Sequence[Example]) -> list[Example]:
        """Return each example twice: its text, and its picture.

        Args:
            examples: The examples.
        """
        return parted(examples, self.name)

    def metrics(
        self, predictions: Sequence[Sequence[float]], references: Sequence[int]
    ) -> dict[str, float]:
        """Find the picture of each text among all pictures, and the text of each picture.

        Args:
            predictions: The vector of each text and of each picture, of length 1.
            references: As many: twice the number of the text, and one more for its picture.

        Returns:
            ``recall_at_1``, the mean of both directions; then for each of ``text_to_picture`` and
            ``picture_to_text`` what :func:`retrieval_scores` returns, such as
            ``text_to_picture_median_rank``. Whatever has the same text is right.

        Raises:
            ValueError: If numbers differ, or there is no text or no picture.
            TypeError: If vectors are not several, or a reference is no whole number.
        """
        check_several("predictions", predictions, "vectors")
        check_several("references", references, "numbers")
        for code in references:
            check_whole("each of references", code, least=0)
        if len(predictions) != len(references):
            raise ValueError(
                f"Expected a vector of predictions for each of references, got {len(predictions)} "
                f"for {len(references)}"
            )
        codes = torch.tensor(list(references), dtype=torch.long)
        of_picture = codes % 2 == 1
        if not of_picture.any() or of_picture.all():
            raise ValueError(
                f"references must be of texts (even) and of pictures (odd), got {references!r:.60}"
            )
        vectors = torch.tensor([list(vector) for vector in predictions], dtype=torch.float64)
        similarity = vectors[~of_picture] @ vectors[of_picture].T
        same = (codes[~of_picture] // 2)[:, None] == codes[of_picture] // 2
        scores: dict[str, float] = {}
        for name, matrices in (
            ("text_to_picture", (similarity, same)),
            ("picture_to_text", (similarity.T, same.T)),
        ):
            found = retrieval_scores(retrieval_ranks(*matrices))
            scores |= {f"{name}_{metric}": value for metric, value in found.items()}
        firsts = [scores[f"{name}_recall_at_1"] for name in ("text_to_picture", "picture_to_text")]
        return {"recall_at_1": sum(firsts) / 2, **scores}


class ContrastiveHead(Head):
    """A linear layer for texts, one for pictures, and a temperature.

    A row with a picture is taken for a picture, and any other for a text.

    Args:
        task: The task.
        width: Size of the hidden states, D.

    Attributes:
        log_scale: What similarities are multiplied by, as its logarithm; a parameter.

    Raises:
        TypeError: If the task is of another class, or the width no whole number.
        ValueError: If the width is below 1.
    """

    def __init__(self, task: Contrastive, width: int) -> None:
        check_kind("task", task, Contrastive, "a Contrastive")
        check_sizes(width=width)
        super().__init__(task.name)
        self.pool = TEXT_POOLINGS[task.pooling].made(width)
        self.texts = torch_nn.Linear(width, task.width, bias=False)
        self.pictures = torch_nn.Linear(width, task.width, bias=False)
        self.log_scale = torch_nn.Parameter(torch.tensor(-math.log(task.temperature)))

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Return a vector of length 1 for each row.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            ``[B, P]``, with P the width of the task.
        """
        pooled = self.pool(hidden, batch.inputs)
        of_picture = of_picture_rows(batch.inputs).unsqueeze(1)
        vectors = torch.where(of_picture, self.pictures(pooled), self.texts(pooled))
        return functional.normalize(vectors, dim=-1)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return :func:`mtl_utils.objectives.contrastive_loss` of the pairs of a batch.

        Args:
            outputs: What :meth:`forward` returned, ``[B, P]``.
            batch: Texts and pictures apart, as :class:`ContrastiveBatches` makes it, with the
                labels ``[B]``.

        Returns:
            A scalar in nats, the mean over pairs and directions.

        Raises:
            ValueError: If a row has a text and a picture, or the n-th text and the n-th picture
                are no pair.
        """
        self._check_parted(batch)
        labels = batch.labels[self.task]
        counted, of_picture = has_label(labels), of_picture_rows(batch.inputs)
        texts, pictures = counted & ~of_picture, counted & of_picture
        groups = labels[texts]
        if not torch.equal(groups, labels[pictures]):
            raise ValueError(
                f"The {int(texts.sum())} texts and {int(pictures.sum())} pictures with a label of "
                f"{self.task!r} must be pairs in the same order, as ContrastiveBatches makes them"
            )
        scale = self.log_scale.clamp(max=math.log(LARGEST_SCALE)).exp()
        return contrastive_loss(scale * (outputs[texts] @ outputs[pictures].T), groups)

    def predict(self, hidden: Tensor, batch: Batch) -> list[list[float]]:
        """Return the vector of each row, of a text or of a picture.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from. A row with both a text and a picture gets a vector
                that has seen both, and is not to be compared with others.

        Returns:
            P numbers a row.
        """
        vectors: list[list[float]] = self(hidden, batch).tolist()
        return vectors

    def compare(self, hidden: Tensor, batch: Batch) -> list[tuple[list[float], int] | None]:
        """Put the vector of each row beside what it is of.

        Args:
            hidden: Hidden states ``[B, T, D]``.
            batch: What they were computed from, texts and pictures apart, with its labels ``[B]``.

        Returns:
            Vector and number, as the task's metrics take them; ``None`` where a row has no label.

        Raises:
            ValueError: If a row has a text and a picture.
        """
        self._check_parted(batch)
        labels = batch.labels[self.task]
        codes = (2 * labels + of_picture_rows(batch.inputs)).tolist()
        rows = zip(self.predict(hidden, batch), codes, has_label(labels).tolist(), strict=True)
        return [(vector, code) if known else None for vector, code, known in rows]

    def count(self, batch: Batch) -> Tensor:
        """Return the number of pairs.

        Args:
            batch: The batch.
        """
        return (has_label(batch.labels[self.task]) & of_picture_rows(batch.inputs)).sum()

    def _check_parted(self, batch: Batch) -> None:
        both = of_picture_rows(batch.inputs) & (batch.inputs.mask.sum(1) > 1)
        both &= has_label(batch.labels[self.task])
        if bool(both.any()):
            raise ValueError(
                f"{int(both.sum())} rows have a text beside their picture, which would tell the "
                f"head of {self.task!r} what belongs together. Give fit and evaluate rows, or make "
                "batches with tasks.ContrastiveBatches and examples with tasks.parted."
            )
