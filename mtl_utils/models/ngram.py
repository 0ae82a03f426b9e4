"""Count-based n-gram language models: Kneser-Ney, add-k and maximum likelihood."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from torch import Tensor

from mtl_utils.arguments import (
    check_choice,
    check_fits,
    check_flag,
    check_number,
    check_text,
    check_whole,
)
from mtl_utils.data.vocabulary import BOS, Vocabulary
from mtl_utils.models import given
from mtl_utils.models.ngram_counts import CountTable, Ids, Stream, count_ngrams
from mtl_utils.models.ngram_estimates import (
    Discounts,
    Floats,
    Level,
    check_discounts,
    context_rows,
    levels_of,
    scored,
)
from mtl_utils.models.stored_ngram import tables_of, weights_of
from mtl_utils.nn import decoding
from mtl_utils.saving import Savable
from mtl_utils.saving.blueprint import content_of, settings_of
from mtl_utils.saving.savable import stored_name

Smoothing = Literal["kneser-ney", "add-k", "none"]


class NGramLanguageModel(Savable):
    r"""A language model that reads the last ``order - 1`` tokens and counts.

    ``smoothing="kneser-ney"`` is interpolated Kneser-Ney (Kneser & Ney, 1995; Chen & Goodman,
    1999):

    .. math::
        p(w \mid h) = \frac{\max(a(hw) - D, 0)}{\sum_v a(hv)}
            + \frac{D \cdot |\{v : a(hv) > 0\}|}{\sum_v a(hv)}\, p(w \mid h')

    where :math:`h'` is the context :math:`h` without its first token. The adjusted count :math:`a`
    is the count itself at the full order and for n-grams that start with ``<bos>``, and the number
    of different tokens seen before the n-gram otherwise. After a context that was never seen,
    :math:`p(w \mid h) = p(w \mid h')`. The recursion ends in the uniform distribution, so every
    token has a positive probability.

    ``smoothing="add-k"`` is :math:`(c(hw) + k) / (c(h) + kV)`, and ``"none"`` is the
    maximum-likelihood estimate :math:`c(hw) / c(h)`, taken as 0 for every token where the context
    was never seen. Both use the full order alone (a shorter context only where a sequence starts).

    Args:
        order: Length of the n-grams; 1 ignores the context, 0 is the uniform distribution.
        smoothing: The estimate.
        discounts: Of Kneser-Ney. ``"single"`` estimates one per order, ``n1 / (n1 + 2 n2)``, where
            ``n1`` and ``n2`` are the numbers of n-grams with the adjusted counts 1 and 2.
            ``"modified"`` estimates three, for the adjusted counts 1, 2 and 3 or more (Chen &
            Goodman, 1999). Where these numbers are too small to do so, 0.5 (or 0.5, 1, 1.5) stands
            in. A number in [0, 1] sets the discount of every order, a sequence those of the orders
            1, 2 and so on; a discount of 0 leaves nothing for unseen tokens.
        k: What add-k adds to each count.
        pad: Whether each sequence is a sentence, read from ``<bos>`` to ``<eos>``. ``False`` is for
            long streams, whose first tokens have a shorter context.
        vocabulary: The closed vocabulary; other tokens count as ``<unk>``. ``None`` takes every
            token of the training text.

    Raises:
        ValueError: If a setting is outside its range.
        TypeError: If an argument is not of its kind.
    """

    _used_as = "model.sample(40)"

    def __init__(
        self,
        order: int,
        smoothing: Smoothing = "kneser-ney",
        *,
        discounts: Discounts = "single",
        k: float = 1.0,
        pad: bool = True,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        check_whole("order", order)
        if order < 0:
            raise ValueError(f"order must be 0 (uniform), 1 (unigrams) or more, got {order}")
        check_choice("smoothing", smoothing, get_args(Smoothing))
        check_number("k", k, above=0)
        check_flag("pad", pad)
        if vocabulary is not None:
            given.check_vocabulary("vocabulary", vocabulary)
        check_discounts(discounts, order)
        self.order = order
        self.smoothing = smoothing
        self.k = k
        self.pad = pad
        self._discounts = discounts
        self._given_vocabulary = vocabulary
        self._state: tuple[Vocabulary, list[Level]] | None = None

    def fit(self, sentences: Iterable[Sequence[str]]) -> NGramLanguageModel:
        """Count the n-grams of a text.

        Args:
            sentences: Sequences of tokens: sentences with ``pad=True``, long streams otherwise. A
                sequence that is a string is read as its characters.

        Returns:
            The model itself.

        Raises:
            TypeError: If ``sentences`` is a single string.
        """
        sentences = given.listed_sentences(sentences)
        vocabulary = self._given_vocabulary or Vocabulary.from_tokens(
            token for sentence in sentences for token in sentence
        )
        tables = count_ngrams(
            Stream.join([self._encode(vocabulary, sentence) for sentence in sentences]),
            order=self.order,
            vocab_size=len(vocabulary),
            never_predicted=(vocabulary.pad_id, vocabulary.bos_id),
            start=vocabulary.bos_id,
        )
        self._count(vocabulary, tables)
        return self

    def _count(self, vocabulary: Vocabulary, tables: Sequence[CountTable]) -> None:
        levels = levels_of(tables, self.smoothing, self.k, self._discounts)
        self._state = vocabulary, levels

    def _stored(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        vocabulary, levels = self._fitted
        recipe = replace(self.recipe, changes={"vocabulary": vocabulary})
        return content_of(stored_name(type(self)), recipe), weights_of([v.table for v in levels])

    @classmethod
    def _restored(
        cls, content: Mapping[str, Any], weights: Mapping[str, Tensor], own: Sequence[type]
    ) -> Self:
        settings, changes = settings_of(content, own)
        made, vocabulary = cls(**settings), changes["vocabulary"]
        given.check_vocabulary("vocabulary", vocabulary)
        made._count(vocabulary, tables_of(weights, made.order, len(vocabulary), vocabulary.bos_id))
        return made

    def _facts(self, data: Mapping[str, str]) -> list[str]:
        return [f"{type(self).__name__}: order {self.order}, {self.smoothing}."]

    def _encode(self, vocabulary: Vocabulary, sentence: Sequence[str]) -> Ids:
        ids = vocabulary.encode(sentence)
        if self.pad:
            ids = [vocabulary.bos_id, *ids, vocabulary.eos_id]
        return np.array(ids, dtype=np.int64)

    @property
    def _fitted(self) -> tuple[Vocabulary, list[Level]]:
        if self._state is None:
            raise RuntimeError("This n-gram model has counted nothing yet: call fit(sentences)")
        return self._state

    @property
    def vocabulary(self) -> Vocabulary:
        """The closed vocabulary."""
        return self._fitted[0]

    @property
    def outcomes(self) -> int:
        """How many tokens can come next: all of the vocabulary but ``<pad>`` and ``<bos>``."""
        return len(self.vocabulary) - 2

    @property
    def discounts(self) -> list[tuple[float, float, float]]:
        """Discounts of the orders 1, 2, ... for the adjusted counts 1, 2, and 3 or more."""
        return [level.discounts for level in self._fitted[1]]

    @property
    def num_ngrams(self) -> list[int]:
        """Number of different n-grams seen, for the orders 1, 2, and so on."""
        return [len(level.table) for level in self._fitted[1]]

    def _uniform(self) -> Floats:
        result = np.full(len(self.vocabulary), 1.0 / self.outcomes)
        result[[self.vocabulary.pad_id, self.vocabulary.bos_id]] = 0.0
        return result

    def distribution(self, context: Sequence[str] = ()) -> Floats:
        """Return the probability of every token after a context.

        Args:
            context: The tokens before, of any length; the last ``order - 1`` are read. At the start
                of a sentence the context is ``["<bos>"]``; the empty context is an unknown one.

        Returns:
            Probabilities ``[V]`` in the order of :attr:`vocabulary`, 0 for ``<pad>`` and ``<bos>``.
            They sum to 1 (to 0 without smoothing where the context was never seen).

        Raises:
            TypeError: If an argument is not of its kind.
        """
        given.check_tokens("context", context)
        return self._distribution(self.vocabulary.encode(context))

    def _distribution(self, context: Sequence[int]) -> Floats:
        uniform = self._uniform()
        levels = self._fitted[1]
        if not levels:
            return uniform
        result = uniform
        for n, row in enumerate(context_rows(levels, context)):
            level = levels[n]
            lower = result if self.smoothing == "kneser-ney" else uniform
            result = level.unseen * lower if row < 0 else level.distribution(row, lower)
        return result

    def probability(self, word: str, context: Sequence[str] = ()) -> float:
        """Return the probability of a token after a context.

        Args:
            word: The token; one outside the vocabulary counts as ``<unk>``.
            context: See :meth:`distribution`.

        Returns:
            The probability.

        Raises:
            TypeError: If an argument is not of its kind.
        """
        check_text("word", word)
        return float(self.distribution(context)[self.vocabulary.id(word)])

    def token_log_probabilities(self, sentence: Sequence[str]) -> Floats:
        """Score each token of a sentence given the ones before it.

        Args:
            sentence: Tokens, without ``<bos>`` and ``<eos>``.

        Returns:
            Natural logarithms, one per token, and with ``pad=True`` one more for ``<eos>``.

        Raises:
            TypeError: If an argument is not of its kind.
        """
        given.check_tokens("sentence", sentence)
        return self._scores([sentence])

    def log_probability(self, sentence: Sequence[str]) -> float:
        """Score a sentence, including its end with ``pad=True``.

        Args:
            sentence: Tokens, without ``<bos>`` and ``<eos>``.

        Returns:
            Natural logarithm of the probability; ``-inf`` where it is 0.

        Raises:
            TypeError: If an argument is not of its kind.
        """
        return float(self.token_log_probabilities(sentence).sum())

    def cross_entropy(self, sentences: Iterable[Sequence[str]]) -> float:
        """Return the mean negative log-likelihood per predicted token.

        Args:
            sentences: Sequences of tokens; see :meth:`fit`.

        Returns:
            Nats per token, the end of each sentence counted with ``pad=True``.

        Raises:
            ValueError: If there is no token to predict.
            TypeError: If ``sentences`` is a single string.
        """
        sentences = given.listed_sentences(sentences)
        scores = self._scores(sentences)
        if len(scores) == 0:
            raise ValueError(
                "There is no token to predict in the text that was given: sentences is "
                f"{list(sentences)!r:.60}"
            )
        return float(-scores.mean())

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> float:
        """Return ``exp`` of the cross-entropy; infinite where a token has probability 0.

        Args:
            sentences: Sequences of tokens; see :meth:`fit`.

        Returns:
            The perplexity per predicted token.

        Raises:
            ValueError: If there is no token to predict.
            TypeError: If ``sentences`` is a single string.
        """
        return math.exp(self.cross_entropy(sentences))

    def _scores(self, sentences: Sequence[Sequence[str]]) -> Floats:
        vocabulary, levels = self._fitted
        stream = Stream.join([self._encode(vocabulary, sentence) for sentence in sentences])
        uniform = self._uniform()[stream.tokens]
        result = scored(levels, stream, uniform, self.smoothing == "kneser-ney")
        predicted = (stream.ages > 0) if self.pad else np.ones(len(result), dtype=bool)
        with np.errstate(divide="ignore"):
            return np.log(result[predicted])

    def step(self, input_ids: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read tokens and return the log-distribution of the next, for :func:`nn.sample`.

        Args:
            input_ids: Token ids ``[B, T]``.
            state: What this method returned for the tokens before, ``None`` at the start.

        Returns:
            Log-probabilities ``[B, 1, V]`` after the last token, and the context read so far.

        Raises:
            ValueError: If no token can follow (without smoothing, after an unseen context).
            TypeError: If an argument is not of its kind.
        """
        given.check_token_ids("input_ids", input_ids)
        if state is not None:
            given.check_token_ids("state", state)
            check_fits("state", state, 0, len(input_ids))
        context = input_ids if state is None else torch.cat([state, input_ids], dim=1)
        rows = np.stack([self._distribution(row) for row in context.tolist()])
        if not rows.any(axis=1).all():
            raise ValueError(
                "Without smoothing no token has a positive probability after an unseen context; "
                "start from a prompt of the training text or use smoothing='kneser-ney'"
            )
        kept = context[:, max(0, context.shape[1] - max(1, self.order - 1)) :]
        return torch.from_numpy(rows).log().unsqueeze(1), kept

    def sample(
        self,
        max_tokens: int,
        *,
        prompt: Sequence[str] = (),
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
    ) -> list[str]:
        """Draw a text; ``<unk>`` is never drawn.

        Args:
            max_tokens: Upper bound on the number of tokens drawn; with ``pad=True`` a sentence may
                end before.
            prompt: Tokens to continue.
            temperature: See :func:`mtl_utils.nn.filter_logits`.
            top_k: See :func:`mtl_utils.nn.filter_logits`.
            top_p: See :func:`mtl_utils.nn.filter_logits`.
            generator: Source of randomness; torch's own if ``None``.

        Returns:
            The prompt and what was drawn after it, without ``<bos>`` and ``<eos>``.

        Raises:
            ValueError: If a setting is outside its range, or there is no prompt with ``pad=False``.
            TypeError: If an argument is not of its kind.
        """
        vocabulary = self.vocabulary
        check_whole("max_tokens", max_tokens, least=0)
        given.check_tokens("prompt", prompt)
        if not self.pad and not prompt:
            raise ValueError("A model with pad=False knows no start of text: give it a prompt")
        start = vocabulary.encode([BOS, *prompt] if self.pad else prompt)
        drawn: Any = decoding.sample(
            self.step,
            torch.tensor([start]),
            max_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            stop_id=vocabulary.eos_id if self.pad else None,
            forbidden_ids=(vocabulary.unk_id,),
            generator=generator,
        )
        return [*prompt, *vocabulary.decode(drawn[0, len(start) :].tolist(), skip_special=True)]
