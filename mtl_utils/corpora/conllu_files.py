"""CoNLL-U, the format of Universal Dependencies (Nivre et al., 2020)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from mtl_utils.arguments import check_choice, check_flag
from mtl_utils.corpora.errors import EmptySplitError
from mtl_utils.corpora.formats import TextFormat
from mtl_utils.corpora.own_schema import Schema
from mtl_utils.corpora.text_files import Rows, TextFile, check_entries, check_predictions

__all__ = ["ConlluFormat"]

#: Our name of each column of the format, in their order; the first holds ids.
_COLUMNS = ("", "tokens", "lemmas", "upos", "xpos", "feats", "heads", "deprels", "deps", "misc")
#: Where ``_`` is a value: a word or lemma ``_``, and a word that has no features.
_UNDERSCORE_IS_A_VALUE = ("tokens", "feats")
_HEAD, _MISC = _COLUMNS.index("heads"), _COLUMNS.index("misc")


class _Word(NamedTuple):
    line: int  # from 0
    cells: list[str]
    head: int | None


class _Sentence(NamedTuple):
    words: list[_Word]
    comments: dict[int, str]  # by line, from 0
    metadata: Mapping[str, str | None]
    first_line: int


@dataclass(frozen=True)
class ConlluFormat(TextFormat):
    """Ten columns a word, comments before each sentence (``.conllu``; Nivre et al., 2020).

    A row is a sentence: lists ``tokens``, ``lemmas``, ``upos``, ``xpos``, ``feats``, ``heads``
    (numbers), ``deprels``, ``deps`` and ``misc`` with one item per word, the texts ``text`` and
    ``sent_id``, and ``comments``, all comment lines without their ``#``. ``_`` is a missing value,
    except that a word or a lemma may be ``_`` and that ``_`` among ``feats`` says that there are
    none, as text. Ids and comments are read by the package ``conllu``.

    Args:
        multiword_tokens: What to do with the line of several words that are written as one (``1-2
            vámonos``): ``"drop"`` it, which leaves the words; ``"keep"`` it before them; or have it
            ``"instead"`` of them, which gives words as they are written, without annotation.
        empty_nodes: Whether to keep words that are not in the text (``8.1``).

    Raises:
        ValueError: If ``multiword_tokens`` is none of these.
        TypeError: If ``empty_nodes`` is neither True nor False.
    """

    extensions: ClassVar[tuple[str, ...]] = (".conllu",)

    multiword_tokens: str = "drop"
    empty_nodes: bool = False

    def __post_init__(self) -> None:
        """Check the fields."""
        check_choice("multiword_tokens", self.multiword_tokens, ("drop", "keep", "instead"))
        check_flag("empty_nodes", self.empty_nodes)

    def rows(self, file: TextFile) -> Rows:
        """Read a file.

        Args:
            file: The file.

        Raises:
            BrokenFileError: If a line has not ten cells, or an id or head is none; the error names
                it.
            EmptySplitError: If there are no words.
        """
        sentences = self._sentences(file)
        columns: dict[str, list[Any]] = {
            name: [[_value(name, word, place) for word in found.words] for found in sentences]
            for place, name in enumerate(_COLUMNS)
            if name
        }
        for name in ("text", "sent_id"):
            columns[name] = [found.metadata.get(name) for found in sentences]
        columns["comments"] = [
            [line.removeprefix("#").strip(" ") for line in found.comments.values()]
            for found in sentences
        ]
        return Rows(columns, [found.words[0].line + 1 for found in sentences])

    def rewrite(self, file: TextFile, predictions: Mapping[str, Sequence[Any]]) -> bytes:
        """Return a file with predictions put in.

        Labels of words replace a column of the format, or, under any other name, stand in its last
        column as ``name=label``. The label of a sentence is a comment, ``# name = label``.

        Args:
            file: The file.
            predictions: A list of labels, or one label, for each sentence, by column.

        Raises:
            AlignmentError: If there are more or fewer than sentences, or than words of one.
            BrokenFileError: If it is not in this format.
            TypeError: If an entry is neither a list of texts nor a text.
            ValueError: If a label cannot stand where it is to be.
        """
        sentences = self._sentences(file)
        check_predictions(file.path, predictions, len(sentences))
        lines = list(file.lines)
        for name, entries in predictions.items():
            if name in ("", "heads", "comments"):
                raise ValueError(f"predictions must be of labels, which {name!r} are not")
            for row, found in enumerate(sentences):
                line = found.words[0].line
                place = f"predictions[{name!r}][{row}] (line {line + 1} of {file.path})"
                if isinstance(entries[row], str):
                    _put_comment(lines, found, name, entries[row], place, file.line_end)
                    continue
                check_entries(place, entries[row], len(found.words))
                for word, label in zip(found.words, entries[row], strict=True):
                    lines[word.line] = _with_label(lines[word.line], name, label, place)
        return file.with_lines(lines)

    def schema(self, columns: Sequence[str]) -> Schema:
        """Say what the columns are: words, and what annotates them.

        Args:
            columns: All columns that were read.
        """
        labels = ("upos", "xpos", "feats", "deprels")
        return Schema("tokens", _COLUMNS[2:], dict.fromkeys(labels))

    def _sentences(self, file: TextFile) -> list[_Sentence]:
        found = [self._sentence(file, block) for block in _blocks(file)]
        if not found:
            raise EmptySplitError(f"{file.path}: found no words, expected at least one sentence.")
        return found

    def _sentence(self, file: TextFile, block: list[int]) -> _Sentence:
        comments = {number: line for number in block if (line := file.lines[number])[0] == "#"}
        cells = {n: _ten(file, n) for n in block if n not in comments}
        parsed = _parsed(file, comments, cells)
        words, replaced_until = [], 0
        for (number, own), token in zip(cells.items(), parsed, strict=True):
            identity = token["id"]
            word = _Word(number, own, token["head"])
            if isinstance(identity, int):
                if identity > replaced_until:
                    words.append(word)
            elif identity[1] == "." and self.empty_nodes:
                words.append(word)
            elif identity[1] == "-" and self.multiword_tokens != "drop":
                words.append(word)
                if self.multiword_tokens == "instead":
                    replaced_until = identity[2]
        if not words:
            raise file.error(block[0] + 1, "found a sentence without words, expected at least one.")
        return _Sentence(words, comments, parsed.metadata, block[0])


def _blocks(file: TextFile) -> Iterator[list[int]]:
    """Yield the lines of each sentence, its comments among them."""
    block: list[int] = []
    for number, line in enumerate([*file.lines, ""]):
        if line.strip(" \t"):
            block.append(number)
        elif block:
            if all(file.lines[n].startswith("#") for n in block):
                raise file.error(block[0] + 1, "found comments without a sentence after them.")
            yield block
            block = []


def _ten(file: TextFile, number: int) -> list[str]:
    cells = file.lines[number].split("\t")
    if len(cells) != len(_COLUMNS) or "" in cells:
        empty = " and an empty one" if "" in cells else ""
        raise file.error(
            number + 1,
            f"found {len(cells)} cells parted by tabs{empty} ({cells!r:.80}), expected the "
            f"{len(_COLUMNS)} of CoNLL-U, '_' where there is nothing.",
        )
    return cells


def _parsed(file: TextFile, comments: Mapping[int, str], cells: Mapping[int, list[str]]) -> Any:
    """Ids, heads and metadata. Texts are taken from the cells, of which ``conllu`` changes some."""
    import conllu  # when it is needed: most data are in other formats

    def kept(line: list[str], place: int) -> str:
        return line[place]

    parsers: dict[str, Any] = dict.fromkeys(("xpos", "feats", "deps", "misc"), kept)
    plain = [*comments.values(), *("\t".join(_squeezed(own)) for own in cells.values())]
    try:
        parsed = conllu.parse_token_and_metadata("\n".join(plain), field_parsers=parsers)
        wrong = [n for n, token in zip(cells, parsed, strict=True) if token["id"] is None]
        reason = "no id"
    except conllu.exceptions.ParseException as error:
        wrong, reason = [n for n, own in cells.items() if not _is_valid(own)], str(error)
    if wrong:
        number = wrong[0]
        raise file.error(
            number + 1, f"found {cells[number]!r:.80}, expected a word of CoNLL-U ({reason})."
        )
    return parsed


def _squeezed(cells: Sequence[str]) -> list[str]:
    """Without pairs of blanks, at which ``conllu`` parts cells as well."""
    return [re.sub(" +", " ", cell) for cell in cells]


def _is_valid(cells: Sequence[str]) -> bool:
    from conllu.exceptions import ParseException
    from conllu.parser import parse_id_value, parse_int_value

    try:
        parse_int_value(cells[_HEAD])
        return parse_id_value(cells[0]) is not None
    except ParseException:
        return False


def _value(name: str, word: _Word, place: int) -> str | int | None:
    if name == "heads":
        return word.head
    cell = word.cells[place]
    is_value = name in _UNDERSCORE_IS_A_VALUE or (name == "lemmas" and word.cells[1] == "_")
    return None if cell == "_" and not is_value else cell


def _with_label(line: str, name: str, label: str | None, place: str) -> str:
    text = "_" if label is None else label
    if not text or any(mark in text for mark in "\t\r\n"):
        raise ValueError(f"{place}: found the label {label!r:.60}, expected one without a tab.")
    cells = line.split("\t")
    if name in _COLUMNS:
        cells[_COLUMNS.index(name)] = text
        return "\t".join(cells)
    if "|" in text or any(mark in name for mark in "|=\t"):
        raise ValueError(
            f"{place}: found {name!r} and {text!r:.60}, expected neither '|' nor '=' in a name and "
            "no '|' in a label: they part the items of the last column."
        )
    items = [] if cells[_MISC] == "_" else cells[_MISC].split("|")
    places = [n for n, item in enumerate(items) if item.split("=", 1)[0] == name]
    if places:
        items[places[0]] = f"{name}={text}"
    elif label is not None:
        items.append(f"{name}={text}")
    cells[_MISC] = "|".join(items) or "_"
    return "\t".join(cells)


def _put_comment(
    lines: list[str], found: _Sentence, name: str, label: str, place: str, end: str
) -> None:
    if "\n" in label or "\r" in label or not label:
        raise ValueError(f"{place}: found {label!r:.60}, expected a label of one line.")
    pattern = re.compile(rf"(#\s*{re.escape(name)}\s*=\s*)(.*)")
    for number, line in found.comments.items():
        if match := pattern.fullmatch(line):
            if match[2].strip() != label:  # what was put after the line before now stays
                lines[number] = match[1] + label + lines[number][len(line) :]
            return
    comment = f"# {name} = {label}"
    if found.comments:
        lines[max(found.comments)] += f"{end}{comment}"
    else:
        lines[found.first_line] = f"{comment}{end}{lines[found.first_line]}"
