"""The columns of the registered data sets, each with its meaning, for entries to share."""

from __future__ import annotations

from mtl_utils.corpora.entry import Column
from mtl_utils.corpora.labels import INFERENCE, UNIVERSAL_NER_TAGS, UNIVERSAL_POS_TAGS

__all__ = [
    "INFERENCE_COLUMNS",
    "INFERENCE_LABEL",
    "INFERENCE_PAIR",
    "ROW",
    "SENTENCE_PAIR",
    "SICK_COLUMNS",
    "TOKENS",
    "UNER_UD_COLUMNS",
    "UNIVERSAL_DEPENDENCIES_COLUMNS",
    "UNIVERSAL_NER_COLUMNS",
    "label",
    "tags",
    "text",
]


def text(name: str, meaning: str) -> Column:
    """A column of texts."""
    return Column(name, "string", meaning)


def texts(name: str, meaning: str, nullable: bool = False) -> Column:
    """A column of lists of texts, one item per token."""
    return Column(name, "string", meaning, sequence=True, nullable=nullable)


def label(
    name: str, names: tuple[str, ...], meaning: str, unlabelled: tuple[str, ...] = ()
) -> Column:
    """A column of class ids; -1 is allowed in the splits named ``unlabelled``."""
    return Column(name, "label", meaning, names=names, unlabelled=unlabelled)


def tags(name: str, names: tuple[str, ...], meaning: str) -> Column:
    """A column of lists of class ids, one item per token."""
    return Column(name, "label", meaning, names=names, sequence=True)


ROW = Column("idx", "int32", "number of the example within its split")
IDX = text("idx", "sentence id")
TOKENS = texts("tokens", "the words")
SENTENCE_TEXT = text("text", "the sentence before it was split into words")
ENTITIES = tags("ner_tags", UNIVERSAL_NER_TAGS, "entity tags, IOB2: people, organisations, places")

INFERENCE_PAIR = (
    text("premise", "the sentence taken as true"),
    text("hypothesis", "the sentence judged against it"),
)
INFERENCE_LABEL = "whether the hypothesis follows from the premise, may be true, or is false"
INFERENCE_COLUMNS = (*INFERENCE_PAIR, label("label", INFERENCE, INFERENCE_LABEL))

UNIVERSAL_NER_COLUMNS = (
    IDX,
    SENTENCE_TEXT,
    TOKENS,
    ENTITIES,
    texts("annotator", "who annotated the word, '-' where nobody marked it"),
)

SYNTAX_START = (
    texts("lemmas", "dictionary forms"),
    tags("upos", UNIVERSAL_POS_TAGS, "universal part-of-speech tags"),
)

UNIVERSAL_DEPENDENCIES_COLUMNS = (
    IDX,
    SENTENCE_TEXT,
    texts("tokens", "the words, with a row for each multiword token ('_' in upos)"),
    *SYNTAX_START,
    texts("xpos", "part-of-speech tags of the treebank's own set", nullable=True),
    texts("feats", "morphological features, a Python dictionary as text, or 'None'"),
    texts("head", "position of the governing word, 0 for the root, as text"),
    texts("deprel", "dependency relations"),
    texts("deps", "enhanced dependencies, a Python list as text"),
    texts("misc", "further annotation, a Python dictionary as text, or 'None'"),
)

UNER_UD_COLUMNS = (
    IDX,
    text("parallel_id", "sentence id of Universal Dependencies, equal for PUD's translations"),
    SENTENCE_TEXT,
    TOKENS,
    *SYNTAX_START,
    texts("xpos", "part-of-speech tags of the treebank's own set, 'None' where it has none"),
    texts("feats", "morphological features in CoNLL-U notation, '_' where there are none"),
    Column("head", "int32", "position of the governing word, 0 for the root", sequence=True),
    texts("deprel", "dependency relations"),
    ENTITIES,
)

SICK_COLUMNS = (
    text("id", "pair id"),
    text("sentence_A", "the sentence taken as true"),
    text("sentence_B", "the sentence judged against it"),
    label("label", INFERENCE, "whether B follows from A, may be true, or is false"),
    Column("relatedness_score", "float32", "mean rating of relatedness", bounds=(1.0, 5.0)),
    text("entailment_AB", "relation from A to B, in words"),
    text("entailment_BA", "relation from B to A, in words"),
    text("sentence_A_original", "the sentence that A was made from"),
    text("sentence_B_original", "the sentence that B was made from"),
    text("sentence_A_dataset", "where A's original comes from"),
    text("sentence_B_dataset", "where B's original comes from"),
)

SENTENCE_PAIR = (text("sentence1", "first sentence"), text("sentence2", "second sentence"))
