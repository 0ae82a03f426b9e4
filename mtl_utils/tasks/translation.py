"""Translation: write a target sentence while attending to a source sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from sacrebleu.metrics import BLEU, CHRF
from torch import Tensor

from mtl_utils.data.batch import MISSING_LABEL, Batch
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.nn.decoder import AttentionDecoder
from mtl_utils.nn.search import Hypothesis, beam_search, greedy_search
from mtl_utils.objectives.losses import label_smoothing_loss
from mtl_utils.tasks.base import Head


@dataclass(frozen=True)
class Translation:
    """Translate into a language.

    A label is the target sentence as ids that end in ``<eos>``; see :meth:`label`.

    Args:
        name: Under which a batch has its labels.
        tokenizer: Of the target language.
        width: Size of the decoder's states; that of the encoder if ``None``.
        embedding_width: Size of the target embeddings; ``width`` if ``None``.
        dropout: Of the decoder.
        smoothing: Label smoothing while training.
        beam_size: Of the search; 1 searches greedily.
        length_penalty: See :func:`mtl_utils.nn.beam_search`.
        max_length: Longest translation that is written, in tokens.
        lowercase: Whether the metrics ignore case.
        attention: Whether the decoder attends; see :class:`mtl_utils.nn.AttentionDecoder`.
    """

    name: str
    tokenizer: Tokenizer
    width: int | None = None
    embedding_width: int | None = None
    dropout: float = 0.1
    smoothing: float = 0.1
    beam_size: int = 1
    length_penalty: float = 1.0
    max_length: int = 100
    lowercase: bool = False
    attention: bool = True
    causal = False

    def label(self, text: str) -> list[int]:
        """Return the label of a target sentence.

        Args:
            text: The target sentence.

        Returns:
            Its ids and that of ``<eos>``.
        """
        return [*self.tokenizer.encode(text), self.tokenizer.eos_id]

    def head(self, width: int) -> TranslationHead:
        """Make a new decoder.

        Args:
            width: Size of the encoder's states, D.
        """
        return TranslationHead(self, width)

    def metrics(
        self, predictions: Sequence[Sequence[int] | str], references: Sequence[str]
    ) -> dict[str, float]:
        """Compute BLEU (Papineni et al., 2002) and chrF (Popović, 2015) with sacreBLEU.

        Args:
            predictions: Each translation, as token ids or as text.
            references: Target sentences as text.

        Returns:
            ``bleu`` and ``chrf``, both from 0 to 100.

        Raises:
            ValueError: If there are none, or not as many of one as of the other.
        """
        if not predictions or len(predictions) != len(references):
            raise ValueError(
                f"Expected as many predictions as references and at least one, got "
                f"{len(predictions)} and {len(references)}"
            )
        written = [
            found if isinstance(found, str) else self.tokenizer.decode(found)
            for found in predictions
        ]
        expected = [list(references)]
        bleu = BLEU(lowercase=self.lowercase).corpus_score(written, expected)
        chrf = CHRF(lowercase=self.lowercase).corpus_score(written, expected)
        return {"bleu": float(bleu.score), "chrf": float(chrf.score)}


class TranslationHead(Head):
    """A decoder that attends to the encoder's states.

    Args:
        task: The task.
        memory_width: Size of the encoder's states, D.
    """

    def __init__(self, task: Translation, memory_width: int) -> None:
        super().__init__(task.name)
        self.settings = task
        self.decoder = AttentionDecoder(
            task.tokenizer.vocab_size,
            memory_width if task.width is None else task.width,
            memory_width,
            task.embedding_width,
            task.dropout,
            task.attention,
        )

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Score every target token given the source and the target tokens before it.

        Args:
            hidden: The encoder's states ``[B, T, D]``.
            batch: Holds the target sentences ``[B, U]``, which are read one position late (teacher
                forcing).

        Returns:
            Logits ``[B, U, V]``.
        """
        state = self.decoder.start(hidden, batch.inputs.mask)
        return self.decoder(self.read_by_teacher(batch.labels[self.task]), state)[0]

    def read_by_teacher(self, labels: Tensor) -> Tensor:
        """Shift target sentences to the right: what the decoder reads when it writes them.

        Args:
            labels: ``[B, U]``.

        Returns:
            ``[B, U]``: ``<bos>``, then all but the last; padding where a label is missing.
        """
        tokenizer = self.settings.tokenizer
        shifted = labels.roll(1, dims=1)
        shifted[:, 0] = tokenizer.bos_id
        return shifted.masked_fill(shifted == MISSING_LABEL, tokenizer.pad_id)

    def loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Return the mean label-smoothed loss per target token.

        While evaluating, smoothing is left out: what remains is the negative log-likelihood.

        Args:
            outputs: Logits ``[B, U, V]``.
            batch: Holds the target sentences.
        """
        smoothing = self.settings.smoothing if self.training else 0.0
        return label_smoothing_loss(outputs, batch.labels[self.task], smoothing)

    def search(
        self,
        hidden: Tensor,
        mask: Tensor,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        max_length: int | None = None,
    ) -> list[Hypothesis]:
        """Write translations.

        Args:
            hidden: The encoder's states ``[B, T, D]``.
            mask: ``[B, T]``, True where there is a token.
            beam_size: As in the task if ``None``; 1 searches greedily.
            length_penalty: As in the task if ``None``.
            max_length: As in the task if ``None``.

        Returns:
            The best hypothesis of each row.
        """
        task, tokenizer = self.settings, self.settings.tokenizer
        beam_size = task.beam_size if beam_size is None else beam_size
        state = self.decoder.start(hidden, mask)
        first = torch.full((len(hidden),), tokenizer.bos_id, device=hidden.device)
        forbidden = (tokenizer.pad_id, tokenizer.bos_id)
        limit = task.max_length if max_length is None else max_length
        if beam_size == 1:
            return greedy_search(
                self.decoder,
                state,
                first,
                eos_id=tokenizer.eos_id,
                max_length=limit,
                forbidden_ids=forbidden,
            )
        found = beam_search(
            self.decoder,
            state,
            first,
            eos_id=tokenizer.eos_id,
            max_length=limit,
            beam_size=beam_size,
            length_penalty=task.length_penalty if length_penalty is None else length_penalty,
            forbidden_ids=forbidden,
        )
        return [hypotheses[0] for hypotheses in found]

    def predict(self, hidden: Tensor, batch: Batch) -> list[list[int]]:
        """Write a translation of each row.

        Args:
            hidden: The encoder's states ``[B, T, D]``.
            batch: What they were computed from.

        Returns:
            Token ids without ``<bos>`` and ``<eos>``.
        """
        return [list(found.ids) for found in self.search(hidden, batch.inputs.mask)]
