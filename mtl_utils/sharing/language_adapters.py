"""Adapters by language: an encoder whose small networks are chosen by the language of each text."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mtl_utils.data.batch import Inputs
from mtl_utils.nn.encoder import Encoder, check_inputs
from mtl_utils.nn.language_embeddings import check_languages
from mtl_utils.sharing.adapters import TaskAdapters


class LanguageAdapters(Encoder):
    """An encoder with an adapter for each language after each layer (Pfeiffer et al., 2020).

    They are the adapters of :class:`TaskAdapters`, chosen by the language of a text instead of by
    a task. Bapna & Firat (2019) have such adapters after each layer, one for each pair of languages
    that is translated; one for each language is the choice of MAD-X (Pfeiffer et al., 2020). They
    are part of the encoder: all tasks read what they return, and any way of sharing stands above
    them. Texts of several languages are read in one pass. At first the adapters add nothing. To
    train them alone, call ``encoder.freeze()`` before (Pfeiffer et al., 2020, who have adapters of
    tasks above those of languages within each layer; here those of tasks, or heads, stand above the
    whole encoder).

    A language without training texts has no adapter; read it with the id of another.

    Args:
        encoder: The shared encoder; copied, it stays as it is.
        languages: Names of the languages, in the order of their ids.
        bottleneck: Size in between, R.
        activation: ``"relu"`` or ``"gelu"``.

    Attributes:
        width: Size of a hidden state, D.
        languages: Names of the languages.

    Raises:
        ValueError: If the encoder has no layers, there is no language, two have the same name, a
            name is not fit for a module, R is below 1, or there is no such activation.
        TypeError: If ``encoder`` is no encoder or cannot be cut between its layers, or a setting
            is of another type.
    """

    def __init__(
        self,
        encoder: Encoder,
        languages: Sequence[str],
        bottleneck: int = 64,
        *,
        activation: str = "gelu",
    ) -> None:
        super().__init__()
        self.adapters = TaskAdapters(encoder, languages, bottleneck, activation=activation)
        self.languages = tuple(self.adapters.task_names)
        self.width, self.max_length = encoder.width, encoder.max_length
        self.causal = self.adapters.causal(self.languages[0])

    def forward(self, inputs: Inputs) -> Tensor:
        """Encode a batch; see :meth:`mtl_utils.nn.Encoder.forward`.

        Args:
            inputs: B texts of at most T tokens, with their languages.

        Returns:
            Hidden states ``[B, T, D]``, those of each text with the adapters of its language.

        Raises:
            ValueError: If there are no languages, or one does not exist.
            TypeError: If they are no :class:`mtl_utils.data.Inputs`.
        """
        check_inputs(inputs)
        ids = check_languages(inputs, len(self.languages))
        return self.adapters.encode(inputs, [self.languages[index] for index in ids.tolist()])

    def extra_repr(self) -> str:
        """Say which languages there are."""
        return f"languages={list(self.languages)}"
