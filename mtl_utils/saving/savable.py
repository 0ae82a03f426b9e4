"""One way to save and to load, for every model of the package."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self, TypeVar

from torch import Tensor

from mtl_utils.arguments import check_path
from mtl_utils.nn.rebuilding import Rebuildable, Recipe, RemembersArguments
from mtl_utils.saving.blueprint import (
    checked_classes,
    content_of,
    is_ours,
    own_names,
    settings_of,
)
from mtl_utils.saving.cards import Card, checked_notes, write_card
from mtl_utils.saving.construction import afresh, no_more_parameters
from mtl_utils.saving.sameness import (
    checked_weights,
    lasting_buffers,
    own_classes,
    refuse_others,
    take_weights,
)
from mtl_utils.saving.stored_model import CONTENT_FILE, read_model, write_model

Model = TypeVar("Model", bound="Savable")


class Savable(RemembersArguments):
    """A model that is written to a folder and read again.

    A class that inherits from it, and from :class:`torch.nn.Module`, remembers what it was made
    with, and has nothing to do.
    """

    #: How many times as many parameters as it has may be needed to make it: encoders that were cut
    #: are made whole first, one for each task.
    _spare: ClassVar[int] = 64
    #: What a card shows of how it is used.
    _used_as: ClassVar[str] = ""

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        data: Mapping[str, str] | None = None,
        scores: Mapping[str, float] | None = None,
    ) -> None:
        """Write the model, so that the folder is never half new.

        The folder holds ``model.json``, the weights in the format of safetensors, and a card,
        ``README.md``, which says what the model is for people.

        Args:
            folder: Where to; it is made if it is missing, and a model in it is replaced.
            data: For the card: what each task was trained on.
            scores: For the card: what it was measured at.

        Raises:
            OSError: If it cannot be written; a model that was there is untouched.
            TypeError: If a part of the model cannot be stored: a module that is not this package's
                and inherits neither from its encoders nor from its ways of sharing, or a function
                of one's own; or if ``data`` and ``scores`` are not given by name.
            ValueError: If the folder is the empty string, or a model that is made of the same parts
                would not be the same.
            RuntimeError: If it has nothing to be saved yet, as a model that counts and has not.
        """
        check_path("folder", folder)
        data, scores = checked_notes(data, scores)
        content, weights = self._stored()
        card = Card(self._facts(data), self._used_as, own_names(content), self._asked)
        write_model(folder, content, weights)
        write_card(folder, card.text(scores))

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, own: Iterable[type] = ()) -> Self:
        """Read a model that :meth:`save` wrote: without a network, or code from the files.

        :func:`mtl_utils.models.load` reads a model of any kind.

        Args:
            folder: The folder.
            own: Your own classes that it was made with: tasks, encoders, ways of sharing.

        Returns:
            The model on the CPU, in the precision it was saved in, in evaluation mode and with
            nothing frozen; it gives what the saved one gave, to the last bit.

        Raises:
            FileNotFoundError: If there is no model in the folder.
            ValueError: If a file is damaged, or holds something else or a model of another kind, or
                a class of your own is missing in ``own``.
            TypeError: If an argument is not of its kind.
        """

        def chosen(kind: Any) -> type[Self]:
            if isinstance(kind, str) and kind in names_of(cls):
                return cls
            other = isinstance(kind, str) and kind.isidentifier()
            raise ValueError(
                f"{folder} holds a {kind!r:.60}, not a {cls.__name__}; read it with "
                f"{f'{kind}.load(folder), or ' if other else ''}models.load(folder)"
            )

        return load_model(folder, chosen, own)

    def _stored(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return what the model is made of, as JSON can hold it, and its tensors by name."""
        raise NotImplementedError

    @classmethod
    def _restored(
        cls, content: Mapping[str, Any], weights: Mapping[str, Tensor], own: Sequence[type]
    ) -> Self:
        """Make a model of what :meth:`_stored` returned; anything may be raised if it is damaged.

        Args:
            content: What the model is made of.
            weights: Its tensors by name.
            own: Classes that are not this package's.
        """
        raise NotImplementedError

    def _facts(self, data: Mapping[str, str]) -> list[str]:
        """Return what a card says of the model, line by line.

        Args:
            data: What each task was trained on.
        """
        return [f"{type(self).__name__}."]

    @property
    def _asked(self) -> Mapping[str, Any]:
        """The tasks by name, if it has any."""
        return {}

    def _recipe_now(self) -> Recipe:
        """Return how it can be made again as it is by now."""
        return self.recipe

    @classmethod
    def _made(cls, settings: dict[str, Any], changes: dict[str, Any]) -> Self:
        """Make a model, with whatever weights.

        Args:
            settings: What it is made with.
            changes: What was changed since then, by name.
        """
        if changes:
            raise ValueError(f"nothing is known of the changes {list(changes)!r:.80}")
        return cls(**settings)


class SavableModule(Savable, Rebuildable):
    """A module that is written to a folder and read again.

    A class that inherits from it remembers what it was made with, and has nothing to do: it is
    saved if its arguments are plain values, parts and tasks of this package, or classes of your
    own that inherit from them.
    """

    def _stored(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        own = own_classes(self)
        content = self._content()
        weights = checked_weights(self.state_dict())
        with afresh():
            made = type(self)._of_content(content, own)
            refuse_others(self, made, weights)
            made._take(weights)
        return content, weights | lasting_buffers(self, made, weights)

    @classmethod
    def _restored(
        cls, content: Mapping[str, Any], weights: Mapping[str, Tensor], own: Sequence[type]
    ) -> Self:
        made = cls._of_content(content, own)
        made._take(weights)
        return made

    def _content(self) -> dict[str, Any]:
        """Return what the model is made of, as JSON can hold it."""
        return content_of(stored_name(type(self)), self._recipe_now())

    @classmethod
    def _of_content(cls, content: Mapping[str, Any], own: Sequence[type]) -> Self:
        """Make a model of what :meth:`_content` returned, with whatever weights."""
        return cls._made(*settings_of(content, own))

    def _take(self, weights: Mapping[str, Tensor]) -> None:
        """Take over weights, their precision and what buffers there are beside them."""
        take_weights(self, weights)
        self.eval()


def load_model(
    folder: str | os.PathLike[str], chosen: Callable[[Any], type[Model]], own: Iterable[type]
) -> Model:
    """Read a model that :meth:`Savable.save` wrote.

    Args:
        folder: The folder.
        chosen: Returns the class of a model by the name that is stored.
        own: Classes that are not this package's.

    Returns:
        The model on the CPU, in the precision it was saved in and in evaluation mode.

    Raises:
        FileNotFoundError: If there is no model in the folder.
        ValueError: If a file is damaged, or holds something else.
        TypeError: If an argument is not of its kind.
    """
    classes = checked_classes(own)
    with afresh():
        content, weights = read_model(folder)
        kind = chosen(content.get("model"))
        try:
            # Content that declares more than there are weights for is refused before that is made,
            # which may take minutes. What was changed later is made twice.
            spare = kind._spare + ("changes" in content)
            with no_more_parameters(weights.values(), spare):
                return kind._restored(content, weights, classes)
        except Exception as error:  # content that does not fit together may raise anything
            raise ValueError(
                f"{folder} holds no usable {kind.__name__}: {_reason(error)}"
            ) from error


def stored_name(kind: type) -> str:
    """Return the name of the class of a model in its file.

    Args:
        kind: The class.

    Returns:
        Its name alone if it is this package's.
    """
    return kind.__name__ if is_ours(kind) else f"own.{kind.__qualname__}"


def names_of(kind: type) -> set[str]:
    """Return the names that stand for a class of models in files.

    Args:
        kind: The class. Earlier versions did not say of one's own whose it is.
    """
    return {stored_name(kind), kind.__name__}


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing in {CONTENT_FILE}"
    return str(error) or type(error).__name__
