"""Whether a model can read what a request gives it, asked before the request shares a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtl_utils.deployment.export.onnx_model import OnnxModel
from mtl_utils.deployment.server.limits import RefusedRequestError
from mtl_utils.deployment.server.requests import SHOWN, GivenText, PredictRequest
from mtl_utils.models import TextModel
from mtl_utils.models.text_reading import TextReader, TooManyTokensError, words_of

Kind = tuple[tuple[str, ...] | None, bool, bool]
"""What requests that share a batch have in common: tasks, pairs or not, probabilities or not."""


class RequestReading:
    """How the tasks of a model read.

    Args:
        model: The model.
        one_pass: Whether all tasks read texts as words.
    """

    def __init__(self, model: TextModel | OnnxModel, one_pass: bool) -> None:
        self.model, self.one_pass = model, one_pass
        self.ways: dict[str, tuple[bool, bool]] = {}  # whether words, and whether pairs
        self.thresholds: dict[str, float] = {}  # of tasks that give several labels to a text
        tasks = model.text_tasks if isinstance(model, TextModel) else model.tasks
        for name, task in tasks.items():
            if isinstance(task, Mapping):
                self.ways[name] = (task["reads_words"], task["pair"])
                threshold = task.get("threshold")
            else:
                self.ways[name] = (task.reads_words, len(task.inputs) > 1)
                threshold = getattr(task, "threshold", None)
            if threshold is not None:
                self.thresholds[name] = threshold

    def text(self, text: GivenText) -> GivenText:
        """Return a text as all tasks get it.

        Args:
            text: The text.
        """
        return list(words_of(text)) if self.one_pass else text

    def check_pairs(self, asked: PredictRequest) -> None:
        """Refuse second texts that nothing reads, and tasks that lack them.

        Args:
            asked: What is asked.

        Raises:
            RefusedRequestError: If so.
        """
        names = asked.tasks or list(self.ways)
        of_pairs = [name for name in names if self.ways[name][1]]
        if asked.second is not None and not of_pairs:
            raise RefusedRequestError(
                422,
                "unpaired",
                f"None of the tasks {names} is of pairs of texts",
                given=len(asked.second),
                expected="no second texts",
                where="second",
            )
        lacking = of_pairs if asked.tasks or len(of_pairs) == len(names) else []
        if asked.second is None and lacking:
            raise RefusedRequestError(
                422,
                "unpaired",
                f"The tasks {lacking} are of pairs of texts; give second",
                given="no second texts",
                expected=f"{len(asked.texts)}, one a text",
                where="second",
            )

    def check(self, kind: Kind, items: Sequence[tuple[GivenText, GivenText | None]]) -> None:
        """Refuse texts that cannot be read; called in the thread of the model, as tokenizers are.

        Args:
            kind: What is asked.
            items: Texts and their second texts.

        Raises:
            RefusedRequestError: If one is too long for the model, or cannot be read otherwise.
        """
        tasks, pairs, _ = kind
        ways = {self.ways[name] for name in tasks or self.ways}
        for place, (text, other) in enumerate(items):
            for as_words, of_pairs in sorted(ways):
                if of_pairs and not pairs:
                    continue
                self._check_text(place, self.text(text), other if of_pairs else None, as_words)

    def _check_text(
        self, place: int, text: GivenText, other: GivenText | None, as_words: bool
    ) -> None:
        try:
            self._read(text, other, as_words)
        except TooManyTokensError as error:
            what = "A text" if other is None else "A pair of texts"
            raise RefusedRequestError(
                422,
                "too_long",
                f"{what} is too long: {error.length} tokens, special ones included",
                given=error.length,
                expected=f"at most {error.limit} tokens",
                where=f"texts[{place}]",
            ) from None
        except (TypeError, ValueError) as error:
            raise RefusedRequestError(
                422,
                "not_read",
                f"A text cannot be read: {error}"[: 4 * SHOWN],
                given=f"{text!r:.{SHOWN}}",
                expected="a text that the tokenizer reads, of words that the model has room for",
                where=f"texts[{place}]",
            ) from error

    def _read(self, text: GivenText, other: GivenText | None, as_words: bool) -> None:
        """Read a text as ``predict`` does, up to its ids."""
        model = self.model
        reader = TextReader(model.tokenizer, model.max_length, model.long)
        read = words_of(text) if as_words else text
        if as_words and reader.in_windows and len(reader.windows([(read, other)])[0]) > 1:
            return
        reader.encoded(read, other)
