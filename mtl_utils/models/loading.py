"""Reading a saved model of any kind."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from mtl_utils.models.bilstm_framework import BiLSTMFramework
from mtl_utils.models.language_model import LSTMLanguageModel
from mtl_utils.models.multitask_transformer import MultiTaskTransformer
from mtl_utils.models.ngram import NGramLanguageModel
from mtl_utils.models.pretrained_text_model import PretrainedTextModel
from mtl_utils.models.seq2seq import Seq2Seq
from mtl_utils.models.tagger import Tagger
from mtl_utils.models.text_model import TextModel
from mtl_utils.models.three_tasks import ThreeTaskModel
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.saving import Savable
from mtl_utils.saving.blueprint import checked_classes
from mtl_utils.saving.savable import load_model, names_of, stored_name

_KINDS: tuple[type[Savable], ...] = (
    *(MultiTaskModel, TextModel, ThreeTaskModel, MultiTaskTransformer, PretrainedTextModel),
    *(BiLSTMFramework, Tagger, Seq2Seq, LSTMLanguageModel, NGramLanguageModel),
)


def load(folder: str | os.PathLike[str], *, own: Iterable[type] = ()) -> Any:
    """Read a model of any kind that its ``save`` wrote, of this version or an earlier one.

    Nothing is looked up elsewhere, and no code from the files is run.

    Args:
        folder: The folder.
        own: Your own classes that it was made with: models, tasks, encoders, ways of sharing.

    Returns:
        A model of the class that was saved, on the CPU, in the precision it was saved in, in
        evaluation mode and with nothing frozen; it gives what the saved one gave, to the last bit.

    Raises:
        FileNotFoundError: If there is no model in the folder.
        ValueError: If a file is damaged, or holds something else, or a class of your own is missing
            in ``own``.
        TypeError: If an argument is not of its kind.
    """
    classes = checked_classes(own)

    def chosen(kind: Any) -> type[Savable]:
        for known in (k for k in classes if issubclass(k, Savable)):
            if isinstance(kind, str) and kind in names_of(known):
                return known
        for known in _KINDS:
            if kind == stored_name(known):
                return known
        name = kind.removeprefix("own.") if isinstance(kind, str) else ""
        if name == kind or not name.isidentifier():
            names = [known.__name__ for known in _KINDS]
            raise ValueError(f"{folder} holds a {kind!r:.60}; expected a model, one of {names}")
        raise ValueError(
            f"{folder} holds a model of a class of your own, {name}: give it, "
            f"load(folder, own=[{name}])"
        )

    return load_model(folder, chosen, classes)
