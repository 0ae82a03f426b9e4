"""An exported language model at work: it scores texts, and continues them token by token."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from mtl_utils import training
from mtl_utils.arguments import check_flag, check_path, shown
from mtl_utils.data.vocabulary import Vocabulary
from mtl_utils.deployment.export.checking import open_session
from mtl_utils.deployment.export.places import check_files
from mtl_utils.deployment.export.writer_graphs import NEXT
from mtl_utils.files import read_json
from mtl_utils.models.given import check_token_ids, listed_sentences
from mtl_utils.models.language_model import State
from mtl_utils.nn import decoding
from mtl_utils.nn.recurrent import check_ids

CONTENT, GRAPH, INT8_GRAPH = "language_model.json", "model.onnx", "model.int8.onnx"

#: What the graph reads, ids ``[B, T]`` and the state ``[N, B, D]`` before them, and what it says.
READ, STATE, WRITTEN = "input_ids", ("hidden", "cell"), "logits"


@dataclass(frozen=True)
class OnnxLanguageModel:
    """A language model that :func:`export_language_model` wrote, run by onnxruntime.

    Make one with :meth:`load`.

    Args:
        content: What ``language_model.json`` holds.
        vocabulary: The tokens; ``None`` where the model was exported without them.
        session: The session of onnxruntime.
    """

    content: dict[str, Any] = field(repr=False)
    vocabulary: Vocabulary | None
    session: Any = field(repr=False)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, int8: bool = False) -> Self:
        """Read a model; every file is compared with its digest first.

        Args:
            folder: The folder.
            int8: Whether to run the graph whose weights are in eight bits.

        Raises:
            FileNotFoundError: If there is no such model, or none of eight bits.
            ValueError: If a file is another than was exported, or the path is empty.
            TypeError: If an argument is not of its kind.
            ImportError: If onnxruntime is not installed.
        """
        check_path("folder", folder)
        check_flag("int8", int8)
        place, graph = Path(folder), INT8_GRAPH if int8 else GRAPH
        if not (place / CONTENT).is_file():
            raise FileNotFoundError(
                f"There is no exported language model in folder {str(folder)!r}"
            )
        content = read_json(place / CONTENT)
        check_files(place, [graph], content["sha256"], int8)
        known = content["vocabulary"]
        vocabulary = None if known is None else Vocabulary(tuple(known))
        return cls(content, vocabulary, open_session(place / graph))

    def score(self, input_ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Score the next token after every prefix, as the model does when it is called.

        Args:
            input_ids: Token ids ``[B, T]``, at least one. A text that is padded on the right has
                its scores all the same, and no state to go on from.
            state: The state after the tokens before, ``None`` at the start.

        Returns:
            Logits ``[B, T, V]``, and the state after the last token.

        Raises:
            ValueError: If ``input_ids`` is not ``[B, T]`` or empty, an id is outside the
                vocabulary, or the state is of other sizes.
            TypeError: If an argument is not of its kind.
        """
        check_token_ids("input_ids", input_ids)
        if input_ids.numel() == 0:
            raise ValueError(
                f"input_ids {list(input_ids.shape)} have no token to read; begin a text with the "
                "id of <eos> or <bos>, as in training"
            )
        check_ids(input_ids.cpu(), self.content["vocab_size"])
        size = (self.content["num_layers"], len(input_ids), self.content["width"])
        given = (torch.zeros(size),) * 2 if state is None else _checked(state, size)
        feeds = {READ: input_ids.long().cpu().numpy()}
        feeds |= {name: part.numpy() for name, part in zip(STATE, given, strict=True)}
        names = [WRITTEN, *(NEXT + name for name in STATE)]
        logits, hidden, cell = map(torch.from_numpy, self.session.run(names, feeds))
        return logits, (hidden, cell)

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> float:
        """Measure the model on sentences, each read on its own after an opening ``<eos>``.

        It is the :func:`mtl_utils.training.perplexity` of the model's
        :func:`mtl_utils.training.sentence_loss`.

        Args:
            sentences: Sequences of tokens; a string is one of characters.

        Returns:
            The perplexity per predicted token, the ``<eos>`` of each sentence included.

        Raises:
            ValueError: If there is no sentence, or the model has no vocabulary.
            TypeError: If there is a single string for many, or a token is none.
        """
        known = self.vocabulary
        if known is None:
            raise ValueError(
                "The model was exported without a vocabulary and reads ids alone: use score, or "
                "give LSTMLanguageModel its vocabulary= and export it again"
            )
        rows = listed_sentences(sentences)
        losses = [self._losses([known.eos_id, *known.encode(r), known.eos_id]) for r in rows]
        if not losses:
            raise ValueError("There is no sentence to measure the model on; sentences is []")
        return training.perplexity(float(torch.cat(losses).mean()))

    def _losses(self, ids: list[int]) -> Tensor:
        """Return the loss of each token but the first, in nats, padding left out."""
        logits, _ = self.score(torch.tensor([ids[:-1]]))
        targets = torch.tensor(ids[1:])
        losses = -logits[0].double().log_softmax(dim=-1).gather(1, targets[:, None])[:, 0]
        padding = self.content["padding_id"]
        return losses if padding is None else losses[targets != padding]

    def sample(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop_id: int | None = None,
        forbidden_ids: Sequence[int] = (),
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Continue prompts; see :func:`mtl_utils.nn.sample` for the arguments.

        Args:
            input_ids: Prompts ``[B, T]``, at least one token each.
            max_new_tokens: Upper bound on the number of tokens drawn per row.
            temperature: See :func:`mtl_utils.nn.filter_logits`; 0 is greedy.
            top_k: See :func:`mtl_utils.nn.filter_logits`.
            top_p: See :func:`mtl_utils.nn.filter_logits`.
            stop_id: A row is finished once it has drawn this id.
            forbidden_ids: Ids that are never drawn.
            generator: Source of randomness, on the CPU; torch's own if ``None``.

        Returns:
            Prompts and continuations ``[B, T + N]``.

        Raises:
            TypeError: If an argument is not of its kind.
            ValueError: If a setting is outside its range.
        """
        return decoding.sample(
            self.score,
            input_ids,
            max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            stop_id=stop_id,
            forbidden_ids=forbidden_ids,
            generator=generator,
        )


def _checked(state: Any, size: tuple[int, ...]) -> list[Tensor]:
    """Return a state as the graph reads it."""
    two = isinstance(state, tuple | list) and len(state) == 2
    if not two or not all(isinstance(part, Tensor) for part in state):
        raise TypeError(f"state must be the two tensors that score returned, got {shown(state)}")
    wrong = next((part for part in state if tuple(part.shape) != size), None)
    if wrong is not None:
        raise ValueError(
            f"state must be two tensors {list(size)}, for as many texts as there are now, got one "
            f"of {list(wrong.shape)}"
        )
    return [part.float().cpu().contiguous() for part in state]
