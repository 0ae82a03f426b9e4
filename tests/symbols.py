r"""Which symbols a formula in LaTeX uses.

The rule, in full:

* A **symbol** is a Latin or Greek letter. A typeface makes another letter of it: ``\mathsf{E}`` and
  ``\mathcal E`` are not ``E``. ``\varphi`` is not ``\phi``.
* **Decorations** make no new symbol: ``\bar h``, ``\hat h``, ``\tilde h``, arrows, primes, stars
  and other signs in the exponent stand for a relative of ``h`` (its mean, an estimate, a copy) and
  are read as ``h``.
* An **index** makes a symbol a family: ``c_k``, ``c_{k,r}`` and ``h^{(k)}`` (a superscript in round
  brackets is an index) are read as ``c_.`` and ``h_.``, whatever the index is. ``c`` without one is
  another symbol. Letters in an index and in an exponent are symbols in their own right.
* A **whole name** is a letter whose index is a label and no quantity, as the s of ``f_s`` for what
  is shared. The caller lists these (``\theta_s``, ``W^Q``); they are read in one piece, with or
  without decoration, and their label is no use of the letter.
* The index of a norm names the norm: the F of Frobenius is no symbol.
* Words (``\text``, ``\operatorname``, ``\mathrm``, tags), functions, relations, operators
  (``\nabla``, ``\partial``), spaces and brackets are no symbols, nor is Euler's number, an e with
  an exponent and no index.

A command that this file does not know is an error, so that no new macro hides a symbol.
"""

import re
from collections.abc import Collection, Generator

_GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi "
    "pi rho varrho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma "
    "Upsilon Phi Psi Omega ell"
)
GREEK = set(_GREEK.split())
STYLES = {"mathsf", "mathcal", "mathbb", "mathbf", "boldsymbol"}
DECORATIONS = {"bar", "hat", "tilde", "vec", "overline", "overrightarrow", "overleftarrow"}
WORDS = {"text", "textit", "texttt", "operatorname", "mathrm", "tag", "label", "begin", "end"}
_SILENT = (
    "log ln exp max min arg sin cos tanh softmax Pr sup inf lim det dim "
    "sum prod int frac tfrac dfrac sqrt lceil rceil lfloor rfloor langle rangle lvert rvert "
    "lVert rVert Vert vert mid left right big Big bigl bigr Bigl Bigr bigg biggl biggr underbrace "
    "quad qquad textstyle displaystyle nabla partial infty "
    "le ge ne neq approx propto sim in to gets leftarrow rightarrow mapsto Longrightarrow succ "
    "succeq prec ll gg cdot times circ odot pm mp top ast star dagger uparrow downarrow dots cdots "
    "ldots vdots ddots cup cap setminus subset subseteq forall exists emptyset"
)
SILENT = set(_SILENT.split())

Symbol = tuple[str, bool]
"""A letter and whether it has an index; for a whole name its text and ``False``."""

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]|[{}_^']|\S", re.DOTALL)


def written(symbol: Symbol) -> str:
    """Write a symbol as it is named in messages: ``c_.`` for a family."""
    return symbol[0] + ("_." if symbol[1] else "")


def symbols(formula: str, whole: Collection[str] = ()) -> set[Symbol]:
    """Return the symbols that a formula uses.

    Args:
        formula: LaTeX between the dollars.
        whole: Names to read in one piece, as :func:`name_of` writes them.

    Raises:
        ValueError: A command is not known here, or braces do not match.
    """
    tokens = _TOKEN.findall(re.sub(r"(?<!\\)%.*", "", formula))
    return set(_read(tokens, frozenset(whole)))


def named(formula: str, whole: Collection[str] = ()) -> Symbol:
    r"""Return the first letter of a formula, with its index: what ``J \in \mathbb{R}^K`` is about.

    Raises:
        ValueError: There is none.
    """
    tokens = _TOKEN.findall(formula)
    while tokens:
        letter, rest = _letter(tokens)
        if letter is not None:
            *_, own = _scripts(letter, rest, frozenset(whole))
            return own
        tokens = tokens[1:]
    raise ValueError(f"{formula!r} names no letter")


def name_of(formula: str) -> str:
    r"""Return the name of a single letter with at most one script, such as ``\theta_s``.

    Raises:
        ValueError: The formula is something else.
    """
    tokens = _TOKEN.findall(formula)
    letter, rest = _letter(tokens)
    if letter is None or (rest and rest[0] not in ("_", "^")):
        raise ValueError(f"{formula!r} is no letter with an index")
    if not rest:
        return letter
    script, left = _group(rest[1:])
    if left:
        raise ValueError(f"{formula!r} is more than a letter with one index")
    return letter + rest[0] + "".join(script)


def _group(tokens: list[str]) -> tuple[list[str], list[str]]:
    """Split off the first group in braces, or the first token, with its argument if it has one."""
    if not tokens:
        raise ValueError("a group is missing at the end of a formula")
    first = tokens[0]
    if first == "{":
        depth = 0
        for place, token in enumerate(tokens):
            depth += (token == "{") - (token == "}")
            if depth == 0:
                return tokens[1:place], tokens[place + 1 :]
        raise ValueError(f"a brace is not closed: {''.join(tokens)}")
    if first[0] == "\\" and first[1:] in STYLES | DECORATIONS | WORDS:
        inner, rest = _group(tokens[1:])
        return [first, "{", *inner, "}"], rest
    return [first], tokens[1:]


def _letter(tokens: list[str]) -> tuple[str | None, list[str]]:
    """Split off a letter, in its typeface and without its decorations; None if none is next."""
    first = tokens[0]
    if len(first) == 1 and first.isascii() and first.isalpha():
        return first, tokens[1:]
    if first[0] != "\\":
        return None, tokens
    if first[1:] in GREEK:
        return first, tokens[1:]
    if first[1:] in STYLES:
        inner, rest = _group(tokens[1:])
        return f"{first}{{{''.join(inner)}}}", rest
    if first[1:] in DECORATIONS:
        inner, rest = _group(tokens[1:])
        letter, more = _letter(inner) if inner else (None, inner)
        return (letter, rest) if letter and not more else (None, tokens)
    return None, tokens


def _read(tokens: list[str], whole: frozenset[str]) -> Generator[Symbol, None, None]:
    while tokens:
        letter, rest = _letter(tokens)
        if letter is None:
            tokens = yield from _skip(tokens, whole)
        else:
            tokens = yield from _scripts(letter, rest, whole)


def _skip(tokens: list[str], whole: frozenset[str]) -> Generator[Symbol, None, list[str]]:
    """Pass over what is no letter, and return what is left."""
    first, rest = tokens[0], tokens[1:]
    if first in ("\\rVert", "\\|") and rest[:1] == ["_"]:
        return _group(rest[1:])[1]
    if first[0] != "\\" or not first[1:].isalpha() or first[1:] in SILENT:
        return rest
    if first[1:] in WORDS:
        return _group([token for token in rest if token != "*"])[1] if rest else rest
    if first[1:] in DECORATIONS:
        inner, rest = _group(rest)
        yield from _read(inner, whole)
        return rest
    raise ValueError(f"the command {first} is not known to tests/symbols.py")


def _scripts(
    letter: str, tokens: list[str], whole: frozenset[str]
) -> Generator[Symbol, None, list[str]]:
    """Read the scripts of a letter, yield it and what they hold, and return what is left."""
    name, indexed, raised = letter, False, False
    while tokens and tokens[0] in ("_", "^", "'"):
        mark = tokens[0]
        if mark == "'":
            tokens = tokens[1:]
            continue
        script, tokens = _group(tokens[1:])
        if letter + mark + "".join(script) in whole:
            name = letter + mark + "".join(script)
            continue
        indexed = indexed or mark == "_" or (script[0] == "(" and script[-1] == ")")
        raised = raised or mark == "^"
        yield from _read(script, whole)
    if name != letter:
        yield name, False
    elif not (letter == "e" and raised and not indexed):
        yield letter, indexed
    return tokens
