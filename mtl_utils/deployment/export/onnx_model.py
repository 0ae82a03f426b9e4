"""An exported model at work: the labels of the text model, without PyTorch computing any."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from mtl_utils.arguments import (
    check_flag,
    check_kind,
    check_names,
    check_path,
    check_several,
    check_sizes,
    shown,
)
from mtl_utils.data.pictures import Pixels, stacked_pictures
from mtl_utils.data.splitting import split_words
from mtl_utils.data.tokenization import Tokenizer
from mtl_utils.deployment.export.checking import open_session
from mtl_utils.deployment.export.decoding import labels_of, probabilities_of
from mtl_utils.deployment.export.graph import CHARACTERS, INPUTS, LANGUAGES, PICTURES
from mtl_utils.deployment.export.places import check_files
from mtl_utils.deployment.export.spelling import Spelling
from mtl_utils.deployment.export.text_model import CONTENT, FORMAT, GRAPH, INT8_GRAPH
from mtl_utils.deployment.export.tokenizer_files import FILE as TOKENIZER
from mtl_utils.deployment.export.tokenizer_files import tokenizer_of
from mtl_utils.files import read_json
from mtl_utils.models.beside import Beside, BesideColumns
from mtl_utils.models.rows import chosen_tasks
from mtl_utils.models.text_reading import TextReader, listed, numbered, paired
from mtl_utils.nn.pictures import check_pictures
from mtl_utils.tasks.text_task import Text


class Ids(NamedTuple):
    """What a graph is given of a text or a pair.

    Args:
        ids: The ids of its pieces.
        segments: Which of the two texts each belongs to.
        characters: The characters of each; empty where words are not spelt.
        language: Number of its language; 0 where nothing asks.
        picture: Place of its picture among those that were given; -1 where it has none.
    """

    ids: tuple[int, ...]
    segments: tuple[int, ...]
    characters: tuple[tuple[int, ...], ...] = ()
    language: int = 0
    picture: int = -1


_CONTENT = {"tasks": dict, "tokenizer": dict, "long": str, "sha256": dict}
"""What must be in the description of a model, as JSON holds it."""


@dataclass(frozen=True)
class _Reading:
    """A text as it is read: in one part, or in windows that overlap."""

    parts: tuple[Ids, ...]
    words: tuple[tuple[int, ...], ...] | None  # of each part, where the words begin


@dataclass(frozen=True)
class OnnxModel:
    """A model that :func:`export_onnx` wrote, run by onnxruntime.

    Make one with :meth:`load`.

    Args:
        tasks: What is known of each task, by name.
        tokenizer: Turns texts into pieces.
        max_length: The longest text or pair that is read, special tokens included.
        long: What becomes of longer ones; see :class:`mtl_utils.models.TextModel`.
        session: The session of onnxruntime.
        spelling: How words are read by a model that was a
            :class:`mtl_utils.models.Tagger`; ``None`` otherwise.
        beside: Whether the model is told the language of each text, and which there are, and
            whether it reads a picture beside each.
    """

    tasks: dict[str, dict[str, Any]]
    tokenizer: Tokenizer = field(repr=False)
    max_length: int | None
    long: str
    session: Any = field(repr=False)
    spelling: Any = field(default=None, repr=False)
    beside: Any = field(default_factory=BesideColumns, repr=False)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, int8: bool = False) -> Self:
        """Read a model; every file is compared with its digest first.

        Args:
            folder: The folder.
            int8: Whether to run the graph whose weights are in eight bits.

        Raises:
            FileNotFoundError: If there is no exported model, or no graph of eight bits.
            ValueError: If a file is damaged, or of another format, or the path is empty.
            TypeError: If an argument is not of its kind.
            ImportError: If onnxruntime is not installed.
        """
        check_path("folder", folder)
        check_flag("int8", int8)
        place, graph = Path(folder), INT8_GRAPH if int8 else GRAPH
        if not (place / CONTENT).is_file():
            raise FileNotFoundError(f"There is no exported model in folder {str(folder)!r}")
        content = read_json(place / CONTENT)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"{place / CONTENT} is of another format; expected {FORMAT}")
        _check_content(content, place / CONTENT)
        check_files(place, (graph, TOKENIZER), content["sha256"], int8)
        tokenizer = tokenizer_of((place / TOKENIZER).read_text("utf-8"), content["tokenizer"])
        session = open_session(place / graph)
        spelling = Spelling.of(content["spelling"]) if content.get("spelling") else None
        longest, long = content.get("max_length"), content["long"]
        beside = BesideColumns()
        if known := content.get("language"):
            beside = replace(beside, language=known["column"], languages=tuple(known["names"]))
        if known := content.get("picture"):
            beside = replace(beside, picture=known["column"], picture_size=known["size"])
        return cls(content["tasks"], tokenizer, longest, long, session, spelling, beside)

    def predict(
        self,
        texts: Iterable[Text],
        tasks: Sequence[str] | None = None,
        *,
        second: Iterable[Text] | None = None,
        pictures: Iterable[Any] | None = None,
        languages: str | Iterable[str] | None = None,
        probabilities: bool = False,
        one_pass: bool = False,
        max_tokens: int = 4096,
    ) -> list[dict[str, Any]]:
        """Predict labels by name, the same that the text model predicts.

        Args:
            texts: Texts, each a string or a sequence of words.
            tasks: Names of the tasks; if ``None``, all that can read what is given.
            second: The second text of each pair.
            pictures: The picture beside each text, or ``None`` where there is none: pictures of PIL
                or arrays ``[H, W, C]`` of ``uint8``; those of a batch are of one size, unless the
                model scales them.
            languages: Name of the language of all texts, or of each, where the model is told it.
            probabilities: Whether to return those of all labels instead of the best label.
            one_pass: Whether all tasks are to read the pair, its first text as words, as
                ``analyse`` of :class:`mtl_utils.models.MultiTaskTransformer` does; otherwise each
                reads what its text model gives it, tasks of single texts the first text alone.
            max_tokens: How many pieces, padding included, are read at a time.

        Returns:
            For each text a mapping from tasks to what they say.

        Raises:
            ValueError: If a text is too long and ``long`` is ``"error"``, or numbers of texts
                differ, or no task reads what is given, or languages or pictures are given to a
                model that reads none, or no languages to one that does, or pictures are of shapes
                that it does not read.
            KeyError: If a task or a language is unknown.
            TypeError: If a single string was given for many texts, or an argument is not of its
                kind.
        """
        check_flag("probabilities", probabilities)
        check_flag("one_pass", one_pass)
        check_sizes(max_tokens=max_tokens)
        if second is None:
            pairs: list[tuple[Text, Text | None]] = [(text, None) for text in listed(texts)]
        else:
            pairs = list(paired(texts, second, ("texts", "second")))
        chosen = self._chosen(tasks, second, one_pass)
        how = {"reads_words": True, "pair": True} if one_pass else {}
        beside = self.beside.given(pictures, languages, len(pairs))
        readings = {name: self._readings(self.tasks[name] | how, pairs, beside) for name in chosen}
        needed = {ids for rows in readings.values() for row in rows for ids in row.parts}
        outputs = self._run(needed, chosen, max_tokens, [each.picture for each in beside])
        say = probabilities_of if probabilities else labels_of
        return [
            {
                name: say(self.tasks[name], _outputs(readings[name][place], outputs, name))
                for name in chosen
            }
            for place in range(len(pairs))
        ]

    def _chosen(
        self, asked: Sequence[str] | None, second: Iterable[Text] | None, one_pass: bool
    ) -> list[str]:
        names = list(chosen_tasks(self.tasks, asked))
        of_pairs = [name for name in names if self.tasks[name]["pair"]]
        if second is not None and not of_pairs and not one_pass:
            raise ValueError(
                f"None of the tasks {names} is of pairs of texts; leave second out: {shown(second)}"
            )
        if second is not None or not of_pairs:
            return names
        if asked is not None or len(of_pairs) == len(names):
            raise ValueError(f"The tasks {of_pairs} are of pairs of texts; give second, one a text")
        return [name for name in names if name not in of_pairs]

    def _readings(
        self,
        task: Mapping[str, Any],
        pairs: Sequence[tuple[Text, Text | None]],
        beside: Sequence[Beside],
    ) -> list[_Reading]:
        reader = TextReader(self.tokenizer, self.max_length, self.long)
        found, num_cut = [], 0
        for place, ((text, other), each) in enumerate(zip(pairs, beside, strict=True)):
            other = other if task["pair"] else None
            with numbered(place, text):
                if task["reads_words"]:
                    words = [w.text for w in split_words(text)] if isinstance(text, str) else text
                    reading, cut = self._of_words(reader, words, other), 0
                else:
                    encoded = reader.encoded(text, other)
                    ids = _ids(encoded.input_ids, encoded.segment_ids)
                    reading, cut = _Reading((ids,), None), encoded.num_cut
            picture = -1 if each.picture is None else place
            language = each.language_id or 0
            parts = (part._replace(language=language, picture=picture) for part in reading.parts)
            found.append(replace(reading, parts=tuple(parts)))
            num_cut += bool(cut)
        reader.warn_of_cut(num_cut, len(pairs))
        return found

    def _of_words(self, reader: TextReader, words: Sequence[str], other: Text | None) -> _Reading:
        if self.spelling is not None:
            read, characters = self.spelling.read(self.tokenizer, words)
            found = Ids(tuple(read), (0,) * len(read), characters)
            # A graph reads something even where there is no word.
            nothing = Ids((self.tokenizer.pad_id,), (0,), ((),))
            return _Reading((found if words else nothing,), (tuple(range(len(read))),))
        if self.long == "windows" and self.max_length is not None:
            (windows,) = reader.windows([(words, other)])
            if len(windows) > 1:
                parts = tuple(_ids(w.input_ids, w.segment_ids) for w in windows)
                return _Reading(parts, tuple(tuple(w.positions) for w in windows))
        encoded = reader.encoded(words, other)
        ids = _ids(encoded.input_ids, encoded.segment_ids)
        return _Reading((ids,), (tuple(encoded.first_pieces),))

    def _run(
        self,
        texts: Iterable[Ids],
        names: Sequence[str],
        max_tokens: int,
        pixels: Sequence[Pixels | None],
    ) -> dict[Ids, dict[str, Any]]:
        """Run the graph on batches of texts of like length, each text once."""
        known = {given.name: given.shape for given in self.session.get_inputs()}
        found: dict[Ids, dict[str, Any]] = {}
        for batch in _batches(sorted(texts, key=lambda text: (len(text[0]), text)), max_tokens):
            feeds = _feeds(batch, self.tokenizer.pad_id)
            if PICTURES[0] in known:
                seen = [pixels[text.picture] if text.picture >= 0 else None for text in batch]
                feeds |= _pictures(seen, known[PICTURES[0]])
            given = {name: feeds[name] for name in feeds.keys() & known.keys()}
            outputs = self.session.run(names, given)
            for row, text in enumerate(batch):
                found[text] = {n: out[row] for n, out in zip(names, outputs, strict=True)}
        return found


def _check_content(content: Mapping[str, Any], path: Path) -> None:
    """Refuse a file that lacks what a model is made of."""
    for name, kind in _CONTENT.items():
        if not isinstance(content.get(name), kind):
            found = shown(content[name]) if name in content else "nothing"
            raise ValueError(
                f"{path} is damaged: {name!r} must be there as {kind.__name__}, got {found}. "
                "Export the model again"
            )


def _ids(ids: Sequence[int], segments: Sequence[int] | None) -> Ids:
    return Ids(tuple(ids), (0,) * len(ids) if segments is None else tuple(segments))


def _batches(texts: Sequence[Ids], max_tokens: int) -> Iterator[Sequence[Ids]]:
    """Yield texts of rising length, as many at a time as the budget allows."""
    starts = [0]
    for place, (ids, *_) in enumerate(texts):
        if place > starts[-1] and (place + 1 - starts[-1]) * len(ids) > max_tokens:
            starts.append(place)
    yield from (texts[a:b] for a, b in pairwise([*starts, len(texts)]) if b > a)


def _feeds(batch: Sequence[Ids], pad: int) -> dict[str, Any]:
    shape = len(batch), max(len(text.ids) for text in batch)
    longest = max((len(word) for text in batch for word in text.characters), default=0)
    ids, mask, segments = np.full(shape, pad), np.zeros(shape, int), np.zeros(shape, int)
    characters = np.zeros((*shape, max(1, longest)), int)
    for row, (of_row, segments_of_row, words, *_) in enumerate(batch):
        ids[row, : len(of_row)], mask[row, : len(of_row)] = of_row, 1
        segments[row, : len(of_row)] = segments_of_row
        for place, word in enumerate(words):
            characters[row, place, : len(word)] = word
    languages = np.array([text.language for text in batch])
    given = (part.astype(np.int64) for part in (ids, mask, segments, characters, languages))
    return dict(zip((*INPUTS, CHARACTERS, LANGUAGES), given, strict=True))


def _pictures(pixels: Sequence[Pixels | None], shape: Sequence[Any]) -> dict[str, Any]:
    """Return the pictures of a batch for a graph that reads a shape ``[B, C, H, W]``."""
    pictures, present = stacked_pictures(pixels)
    if pictures is None or present is None:  # a graph is given something, which it does not read
        free = [side if isinstance(side, int) else 4 for side in shape[1:]]
        pictures, present = torch.zeros(len(pixels), *free), torch.zeros(len(pixels))
    check_pictures(pictures, shape[1], smallest=1)
    return dict(zip(PICTURES, (pictures.numpy(), present.long().numpy()), strict=True))


def _outputs(reading: _Reading, outputs: Mapping[Ids, Mapping[str, Any]], name: str) -> Any:
    """Return what the graph gave for a text: at its words, where these have labels."""
    found = [outputs[ids][name] for ids in reading.parts]
    if reading.words is None:
        return found[0]
    if np.ndim(found[0]) < 2:
        return found[0]
    kept = [out[list(at)] for out, at in zip(found, reading.words, strict=True)]
    return np.concatenate(kept)


def measured(
    model: OnnxModel, tasks: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Measure an exported model on rows of a data set, as its text model is measured.

    Args:
        model: The model.
        tasks: The tasks, as the text model has them, by name.
        rows: Rows with the columns that they name.

    Returns:
        Scores, each under the name of its task, such as ``topic_accuracy``.

    Raises:
        KeyError: If a task is not the model's, or a row lacks its columns.
        ValueError: If there is nothing to measure.
        TypeError: If an argument is not of its kind.
    """
    check_kind("model", model, OnnxModel, "an OnnxModel")
    check_names("tasks", tasks, "tasks")
    check_several("rows", rows, "rows, mappings from columns to cells")
    scores: dict[str, float] = {}
    for name, task in tasks.items():
        if name not in model.tasks:
            raise KeyError(f"No task named {name!r}; the model has {list(model.tasks)}")
        labelled = [row for row in rows if task.reference(row) is not None]
        if not labelled:
            raise ValueError(f"No row has a label of {name!r}; there is nothing to measure")
        pairs = [task.read(row) for row in labelled]
        second = [other for _, other in pairs if other is not None]
        pictures, languages = (
            None if column is None else [row.get(column) for row in labelled]
            for column in (model.beside.picture, model.beside.language)
        )
        beside: dict[str, Any] = {
            "second": second or None,
            "pictures": pictures,
            "languages": languages,
        }
        said = model.predict([text for text, _ in pairs], [name], **beside)
        references = [task.reference(row) for row in labelled]
        found = task.metrics([one[name] for one in said], references)
        scores |= {f"{name}_{metric}": value for metric, value in found.items()}
    return scores
