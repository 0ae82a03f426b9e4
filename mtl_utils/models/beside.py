"""What stands beside a text in its row: a picture, and the language that it is in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mtl_utils.arguments import check_several, check_sizes, check_strings, check_text, shown
from mtl_utils.data.examples import Example
from mtl_utils.data.missing import is_missing
from mtl_utils.data.pictures import Pixels, picture_pixels
from mtl_utils.sharing import LanguageAdapters, Sharing
from mtl_utils.tasks.text_task import NO_CELL, Row, cell_of


@dataclass(frozen=True)
class Beside:
    """What stands beside one text.

    Args:
        picture: Its numbers; ``None`` where there is none.
        language_id: Number of its language; ``None`` where nothing asks.
    """

    picture: Pixels | None = None
    language_id: int | None = None

    def added_to(self, example: Example) -> Example:
        """Return an example with what stands beside its text.

        Args:
            example: The example.
        """
        return replace(example, picture=self.picture, language_id=self.language_id)


@dataclass(frozen=True)
class BesideColumns:
    """The columns of a row that are read beside its texts.

    Args:
        picture: Column that holds a picture; ``None`` where none is read.
        language: Column that holds the name of a language; ``None`` where none is read.
        languages: Names of the languages, in the order of their ids.
        picture_size: Height and width that pictures are scaled to; ``None`` leaves them as they
            are.
    """

    picture: str | None = None
    language: str | None = None
    languages: tuple[str, ...] = ()
    picture_size: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are read."""
        return tuple(name for name in (self.picture, self.language) if name is not None)

    def of(self, row: Row) -> Beside:
        """Return what stands beside the texts of a row.

        Args:
            row: The row.

        Raises:
            TypeError: If what stands there is no picture, or no name of a language.
            ValueError: If a picture has another shape, or the language is missing.
            KeyError: If there is no such language.
        """
        picture = NO_CELL if self.picture is None else cell_of(row, self.picture)
        pixels = None if picture is NO_CELL else self._pixels(picture)
        language = None if self.language is None else self._id(cell_of(row, self.language))
        return Beside(pixels, language)

    def check(self, pictures: Any, languages: Any) -> None:
        """Refuse what is given with texts and not read.

        Args:
            pictures: Pictures, or ``None``.
            languages: Languages, or ``None``.

        Raises:
            ValueError: If the model reads nothing of the kind.
        """
        for given, name, column in (
            (pictures, "picture", self.picture),
            (languages, "language", self.language),
        ):
            if given is not None and column is None:
                raise ValueError(
                    f"The model reads no {name}s; make it with {name}=, the column that holds "
                    f"them, or leave {name}s out: {shown(given)}"
                )

    def given(self, pictures: Any, languages: Any, number: int) -> list[Beside]:
        """Return what stands beside texts that are given by themselves.

        Args:
            pictures: A picture or ``None`` for each text; ``None`` where there are none.
            languages: Name of the language of all texts, or one for each.
            number: How many texts there are.

        Returns:
            As many.

        Raises:
            ValueError: If numbers differ, a language is missing, or the model reads nothing of the
                kind.
            TypeError: If something is no picture or no name.
            KeyError: If there is no such language.
        """
        self.check(pictures, languages)
        pixels = map(self._pixels, _one_each("pictures", pictures, number))
        if self.language is None:
            return [Beside(each) for each in pixels]
        if isinstance(languages, str):
            languages = [languages] * number
        ids = map(self._id, _one_each("languages", languages, number))
        return [Beside(*both) for both in zip(pixels, ids, strict=True)]

    def _pixels(self, picture: Any) -> Pixels | None:
        return picture_pixels(picture, self.picture_size)

    def _id(self, name: Any) -> int:
        if name is NO_CELL or is_missing(name):
            raise ValueError(
                f"The model reads the language of every text, and one has none; the column is "
                f"{self.language!r}, in predict the argument languages, and it has {self._listed}"
            )
        check_text("language", name)
        if name not in self.languages:
            raise KeyError(
                f"No language named {name!r}; the model has {self._listed}. Read a language "
                "without training texts as one of these."
            )
        return self.languages.index(name)

    @property
    def _listed(self) -> list[str]:
        return list(self.languages)


def _one_each(name: str, given: Iterable[Any] | None, number: int) -> list[Any]:
    if given is None:
        return [None] * number
    check_several(name, given, f"{name}, one a text", sized=False)
    found = list(given)
    if len(found) != number:
        raise ValueError(f"Expected one of {name} for each text, got {len(found)} for {number}")
    return found


def beside_columns(
    sharing: Sharing,
    picture: str | None,
    language: str | None,
    languages: Sequence[str] | None,
    picture_size: int | None = None,
) -> BesideColumns:
    """Return the columns that a model is to read beside texts, checked.

    Args:
        sharing: Its way of sharing; adapters by language know the names of the languages.
        picture: Column of pictures, or ``None``.
        language: Column of languages, or ``None``.
        languages: Names of the languages in the order of their ids; those of the adapters if
            ``None``.
        picture_size: Height and width that pictures are scaled to, or ``None``.

    Raises:
        ValueError: If languages have no column or no names, two have the same name, adapters have
            others, or there is a size below 1 or of no pictures.
        TypeError: If something is no text, or the size no whole number.
    """
    if picture_size is not None:
        check_sizes(picture_size=picture_size)
        if picture is None:
            raise ValueError(
                f"picture_size={picture_size} is that of pictures, and no column of them is to be "
                "read; name it with picture="
            )
    for name, column in (("picture", picture), ("language", language)):
        if column is not None:
            check_text(name, column)
    if languages is not None:
        check_strings("languages", languages, distinct=True)
    if language is None:
        if languages is not None:
            raise ValueError(
                f"languages are named and no column is to be read: {shown(languages)}. Name it "
                "with language=."
            )
        return BesideColumns(picture, picture_size=picture_size)
    named = _names(sharing, language, languages)
    return BesideColumns(picture, language, named, picture_size)


def _names(sharing: Sharing, column: str, given: Sequence[str] | None) -> tuple[str, ...]:
    adapters = [part for part in sharing.modules() if isinstance(part, LanguageAdapters)]
    known = adapters[0].languages if adapters else None
    named = known if given is None else tuple(given)
    if not named:
        raise ValueError(
            f"languages must name what the column {column!r} holds, in the order of the ids that "
            "the encoder knows; only adapters by language have names of their own"
        )
    for part in adapters:
        if part.languages != named:
            raise ValueError(
                f"languages must be those of the adapters, {list(part.languages)}, got "
                f"{list(named)}"
            )
    return named
