"""An exported model that writes, at work: greedy search without PyTorch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mtl_utils.arguments import check_flag, check_path, check_strings, check_text
from mtl_utils.data.splitting import split_words
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.deployment.export.checking import open_session
from mtl_utils.deployment.export.decoding import labels_of
from mtl_utils.deployment.export.places import check_files
from mtl_utils.deployment.export.tokenizer_files import FILE as SOURCE
from mtl_utils.deployment.export.tokenizer_files import tokenizer_of
from mtl_utils.deployment.export.writer_graphs import LOOKED, NEXT, READ, TOKEN
from mtl_utils.files import read_json
from mtl_utils.nn.positions import check_length

Array = NDArray[Any]

CONTENT, TARGET = "writer.json", "target.json"
READER, WRITER = "reader", "writer"


def graph_file(name: str, int8: bool) -> str:
    """Return the name of the file of a graph.

    Args:
        name: :data:`READER` or :data:`WRITER`.
        int8: Whether its weights are in eight bits.
    """
    return f"{name}.int8.onnx" if int8 else f"{name}.onnx"


@dataclass(frozen=True)
class Written:
    """What was written of a sentence.

    Args:
        ids: Its tokens, without ``<eos>``.
        weights: Where the model looked as it wrote each, ``<eos>`` included: ``[U, T]``.
        outputs: What the heads say of the words of the sentence, by task.
        finished: Whether it ended in ``<eos>`` rather than at the limit.
    """

    ids: list[int]
    weights: Array
    outputs: dict[str, Any]
    finished: bool


@dataclass(frozen=True)
class OnnxWriter:
    """A model that :func:`export_translator` wrote, run by onnxruntime.

    Make one with :meth:`load`. :meth:`encode`, :meth:`read` and :meth:`step` are what :meth:`write`
    is made of, for a search of one's own.

    Args:
        content: What ``writer.json`` holds.
        source: Tokenizer of what is read.
        target: Tokenizer of what is written.
        reader: The session of the graph that reads.
        writer: The session of the graph that writes a token.
    """

    content: dict[str, Any]
    source: Tokenizer = field(repr=False)
    target: Tokenizer = field(repr=False)
    reader: Any = field(repr=False)
    writer: Any = field(repr=False)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, int8: bool = False) -> Self:
        """Read a model; every file is compared with its digest first.

        Args:
            folder: The folder.
            int8: Whether to run the graphs whose weights are in eight bits.

        Raises:
            FileNotFoundError: If there is no such model, or none of eight bits.
            ValueError: If a file is another than was exported, or the path is empty.
            TypeError: If an argument is not of its kind.
            ImportError: If onnxruntime is not installed.
        """
        check_path("folder", folder)
        check_flag("int8", int8)
        place = Path(folder)
        if not (place / CONTENT).is_file():
            raise FileNotFoundError(f"There is no exported translator in folder {str(folder)!r}")
        content = read_json(place / CONTENT)
        graphs = [graph_file(name, int8) for name in (READER, WRITER)]
        check_files(place, [SOURCE, TARGET, *graphs], content["sha256"], int8)
        source, target = (
            tokenizer_of((place / file).read_text("utf-8"), content[known])
            for file, known in ((SOURCE, "tokenizer"), (TARGET, "target"))
        )
        return cls(content, source, target, *(open_session(place / name) for name in graphs))

    def encode(self, text: str) -> tuple[list[int], list[int]]:
        """Return the ids of a sentence, and at which of them its words begin.

        Args:
            text: The sentence. Where the model reads words it is split into words first; otherwise
                it is read as it is, runs of white space as one space.
        """
        start, end = self.content["start"], self.content["end"]
        if not self.content["reads_words"]:
            return [*start, *self.source.encode(" ".join(text.split())), *end], []
        pieces = self.source.encode_words([word.text for word in split_words(text)])
        owners = pieces.word_ids
        firsts = [i for i, word in enumerate(owners) if i == 0 or owners[i - 1] != word]
        return [*start, *pieces.ids, *end], [len(start) + first for first in firsts]

    def write(self, text: str) -> Written:
        """Translate a sentence greedily, and label its words where the model does.

        Args:
            text: The sentence.

        Raises:
            TypeError: If it is no string.
            ValueError: If it is longer than the model reads.
        """
        check_text("text", text)
        ids, firsts = self.encode(text)
        memory = self.read(ids)
        outputs = {
            name: labels_of(task, memory[name][0, firsts])
            for name, task in self.content["tasks"].items()
        }
        written: list[int] = []
        weights: list[Array] = []
        token, state = self.content["bos"], memory
        for _ in range(self.content["max_length"]):
            logits, state = self.step(token, state)
            logits[self.content["forbidden"]] = -np.inf
            token = int(logits.argmax())
            weights.append(state[LOOKED][0])
            if token == self.content["eos"]:
                return Written(written, np.stack(weights), outputs, True)
            written.append(token)
        return Written(written, np.stack(weights), outputs, False)

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Translate sentences, one by one.

        Args:
            texts: The sentences.

        Raises:
            TypeError: If they are no strings, or a single one was given for many.
            ValueError: If one is longer than the model reads.
        """
        check_strings("texts", texts)
        return [self.target.decode(self.write(text).ids) for text in texts]

    def step(self, token: int, state: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """Write a token.

        Args:
            token: The token before.
            state: What was read, or what the call before returned.

        Returns:
            Logits ``[V]`` of the next token, and the state after.
        """
        named = [given.name for given in self.writer.get_inputs()]
        feeds = {name: state[name] for name in named if name != TOKEN}
        feeds[TOKEN] = np.array([[token]], dtype=np.int64)
        names = [output.name for output in self.writer.get_outputs()]
        found = dict(zip(names, self.writer.run(names, feeds), strict=True))
        after = {name.removeprefix(NEXT): value for name, value in found.items()}
        return found[self.content["writes"]][0], state | after

    def read(self, ids: list[int]) -> dict[str, Array]:
        """Read a sentence.

        Args:
            ids: Its ids.

        Returns:
            Memory and state before the first token, and the scores of each head.

        Raises:
            ValueError: If there are more than the model reads.
        """
        longest = self.content.get("longest")
        if longest is not None:
            check_length(len(ids), longest)
        names = [output.name for output in self.reader.get_outputs()]
        return dict(zip(names, self.reader.run(names, {READ: np.array([ids])}), strict=True))
