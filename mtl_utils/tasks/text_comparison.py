"""Written texts against references, as the tokenizer of a task can write them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from mtl_utils.arguments import check_several
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.tasks.text_scores import (
    TextScores,
    checked_references,
    choose_tokenization,
    warn_of_missing_spaces,
)


@dataclass(frozen=True)
class TextComparison:
    """How texts are compared; see :class:`mtl_utils.tasks.Translation` for the settings.

    Args:
        tokenizer: Of what is written.
        lowercase: Whether case is ignored.
        tokenize: How BLEU finds words; that of the language if ``None``.
        language: Code of the language, where it is known.
        normalise: Whether both sides are brought into the form that the tokenizer can write.
    """

    tokenizer: Tokenizer
    lowercase: bool
    tokenize: str | None
    language: str | None
    normalise: bool

    def measure(
        self,
        predictions: Sequence[Sequence[int] | str],
        references: Sequence[str | Sequence[str]],
    ) -> dict[str, float]:
        """Compute BLEU and chrF.

        Args:
            predictions: Each as token ids or as text.
            references: For each one text, or several.

        Raises:
            ValueError: If there are none, or not as many of one as of the other.
            TypeError: If something is no text.
        """
        rows = checked_references(references)
        if isinstance(predictions, str):
            raise TypeError(f"Expected predictions, got a single string: {predictions!r:.60}")
        check_several("predictions", predictions, "texts, or of ids of each")
        if len(predictions) == 0 or len(predictions) != len(rows):
            raise ValueError(
                f"Expected as many predictions as references and at least one, got "
                f"{len(predictions)} and {len(rows)}. Several references of a prediction stand in "
                f"a list of their own: predictions {predictions!r:.60}, references "
                f"{references!r:.60}"
            )
        written = [
            found if isinstance(found, str) else self.tokenizer.decode(found)
            for found in predictions
        ]
        scores = self._scores()
        warn_of_missing_spaces(scores.tokenization, rows)
        expected = [[self._compared(text) for text in row] for row in rows]
        return scores.measure([self._compared(text) for text in written], expected)

    def signature(self, references: Sequence[str | Sequence[str]] | None) -> dict[str, str]:
        """Say how texts are compared, as sacreBLEU does.

        Args:
            references: What is compared with; one reference each if ``None``.
        """
        rows = [[""]] if references is None else checked_references(references)
        scores = self._scores()

        def seen(text: str) -> str:
            return " ".join((text.lower() if scores.lowercase else text).split())

        changed = any(seen(text) != seen(self._compared(text)) for row in rows for text in row)
        return scores.signatures(rows, changed)

    def _scores(self) -> TextScores:
        lowers = self.normalise and self.tokenizer.normalise("A") == "a"
        return TextScores(
            choose_tokenization(self.tokenize, self.language), self.lowercase or lowers
        )

    def _compared(self, text: str) -> str:
        """Return a text as it is compared; once more would change nothing."""
        if not self.normalise:
            return text
        return unicodedata.normalize("NFC", self.tokenizer.normalise(text))
