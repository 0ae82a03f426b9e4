"""Translation: write a target sentence while attending to a source sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mtl_utils.arguments import (
    check_callable,
    check_flag,
    check_probability,
    check_sizes,
    check_text,
)
from mtl_utils.data.tokenization import Tokenizer, check_tokenizer
from mtl_utils.nn.search_limits import check_length_penalty
from mtl_utils.objectives.losses import check_smoothing
from mtl_utils.objectives.scales import DEFAULT_SCALE, Scale, check_scale
from mtl_utils.tasks.text_comparison import TextComparison
from mtl_utils.tasks.text_scores import check_settings
from mtl_utils.tasks.text_task import check_columns
from mtl_utils.tasks.writing import MakeDecoder, WritingTask


@dataclass(frozen=True)
class Translation(WritingTask):
    """Translate into a language.

    A label is the target sentence as ids that end in ``<eos>``; see :meth:`WritingTask.label`.

    Args:
        name: Under which a batch has its labels.
        tokenizer: Of the target language.
        width: Size of the decoder's states; that of the encoder if ``None``.
        embedding_width: Size of the target embeddings; ``width`` if ``None``.
        dropout: Of the decoder.
        smoothing: Label smoothing while training.
        beam_size: Of the search; 1 searches greedily.
        length_penalty: See :func:`mtl_utils.nn.beam_search`.
        max_length: Longest translation that is written, in tokens.
        lowercase: Whether the metrics ignore case, as they do where the tokenizer lower-cases.
        attention: Whether the decoder attends; see :class:`mtl_utils.nn.AttentionDecoder`.
        own_decoder: Whether the head is a decoder. If not, it is an output layer over the states of
            a decoder that the way of sharing owns (:class:`mtl_utils.sharing.SharedDecoder`), and
            ``width``, ``embedding_width``, ``dropout`` and ``attention`` are that decoder's.
        decoder: Makes the decoder, called with the size of the target vocabulary and the width of
            the encoder. ``width``, ``embedding_width``, ``dropout`` and ``attention`` are its own.
        tokenize: How BLEU finds words: ``"13a"``, ``"intl"``, ``"zh"``, ``"char"`` or another
            tokenization of sacreBLEU. That of the language if ``None``.
        language: Code of the target language, such as ``"de"`` or ``"zh-CN"``: Chinese, Japanese,
            Korean and languages without spaces have words of their own for BLEU.
        normalise: Whether the metrics compare texts as the tokenizer can write them, through
            :meth:`mtl_utils.data.Tokenizer.normalise` and Unicode's form NFC, and not with the
            references as they are given.
        scale: What the loss is divided by, see :data:`mtl_utils.objectives.Scale`. C is the size
            of the target vocabulary.
        text: Name of the column of source sentences.
        written: Name of the column of target sentences.

    Raises:
        ValueError: If there is a ``decoder`` and ``own_decoder`` is false, sacreBLEU has no such
            tokenization, the language is not given as a code, or a number is outside its range.
        TypeError: If ``tokenize`` or ``language`` is neither a string nor ``None``, the tokenizer
            is none, or another setting is of another type.
    """

    name: str
    tokenizer: Tokenizer
    width: int | None = None
    embedding_width: int | None = None
    dropout: float = 0.1
    smoothing: float = 0.1
    beam_size: int = 1
    length_penalty: float = 1.0
    max_length: int = 100
    lowercase: bool = False
    attention: bool = True
    own_decoder: bool = True
    decoder: MakeDecoder | None = None
    tokenize: str | None = None
    language: str | None = None
    normalise: bool = True
    causal = False
    scale: Scale = field(default=DEFAULT_SCALE, kw_only=True)
    text: str = field(default="source", kw_only=True)
    written: str = field(default="target", kw_only=True)

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_tokenizer(self.tokenizer)
        widths = {"width": self.width, "embedding_width": self.embedding_width}
        check_sizes(**{name: width for name, width in widths.items() if width is not None})
        check_sizes(beam_size=self.beam_size, max_length=self.max_length)
        for name in ("lowercase", "attention", "own_decoder", "normalise"):
            check_flag(name, getattr(self, name))
        if self.decoder is not None:
            wanted = "a function of the vocabulary's size and the memory's width"
            check_callable("decoder", self.decoder, wanted)
        if self.decoder is not None and not self.own_decoder:
            raise ValueError(
                "decoder makes the decoder of the head, but with own_decoder=False the head has "
                "none: the way of sharing owns it"
            )
        check_settings(self.tokenize, self.language)
        check_smoothing(self.smoothing)
        check_probability("dropout", self.dropout)
        check_scale(self.scale)
        check_columns(text=self.text, written=self.written)
        check_length_penalty(self.length_penalty, self.max_length)

    def metrics(
        self,
        predictions: Sequence[Sequence[int] | str],
        references: Sequence[str | Sequence[str]],
    ) -> dict[str, float]:
        """Compute BLEU (Papineni et al., 2002) and chrF (Popović, 2015) with sacreBLEU.

        How the texts were compared is said by :meth:`signature`, which belongs beside the numbers.

        Args:
            predictions: Each translation, as token ids or as text.
            references: For each the target sentence as text, or several in a list.

        Returns:
            ``bleu`` and ``chrf``, both from 0 to 100.

        Raises:
            ValueError: If there are none, not as many of one as of the other, or a prediction has
                an empty list of references.
            TypeError: If a reference is no text, or a prediction neither text nor ids.
            IndexError: If the tokenizer has no such id.
            ImportError: If ``tokenize`` needs what is not installed.
        """
        return self._comparison.measure(predictions, references)

    def signature(self, references: Sequence[str | Sequence[str]] | None = None) -> dict[str, str]:
        """Say how :meth:`metrics` compares texts, as sacreBLEU does (Post, 2018).

        Args:
            references: What predictions are compared with; one reference each if ``None``.

        Returns:
            The signatures of ``bleu`` and ``chrf``, such as
            ``nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:2.6.0``. Where references were
            changed in more than case and spaces, ``text:normalised`` stands there too; otherwise
            sacreBLEU computes the same numbers from the references as they are.

        Raises:
            ValueError: If a prediction has an empty list of references.
            TypeError: If a reference is no text.
            ImportError: If ``tokenize`` needs what is not installed.
        """
        return self._comparison.signature(references)

    @property
    def _comparison(self) -> TextComparison:
        return TextComparison(
            self.tokenizer, self.lowercase, self.tokenize, self.language, self.normalise
        )
