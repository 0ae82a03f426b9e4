"""What the tagger of chapter 03's page learns from: sentences of Universal NER, and more names."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from mtl_utils import atlas, corpora
from mtl_utils.data import BytePairTokenizer, Example, encode_text
from mtl_utils.deployment.live.other_names import Tagged, names_by_type, with_other_names
from mtl_utils.deployment.live.typed_words import as_typed, words_of_tokens
from mtl_utils.tasks import Tagging

ENGLISH = ("en_ewt", "en_pud")
"""Configurations whose sentences are read; of the first the validation split chooses."""

OTHERS = ("da_ddt", "de_pud", "pt_bosque", "pt_pud", "sv_pud", "sv_talbanken")
"""Configurations of which the names alone are read: their letters are those of English."""

_ATLAS_TYPES = {"PER": "PER", "ORG": "ORG", "GPE": "LOC", "LOC": "LOC"}
_SPELLINGS = (0.5, 0.25)  # shares of the merges that are left to spell a word otherwise


class Sentence(NamedTuple):
    """A sentence split as a reader's is.

    Attributes:
        words: Its words.
        tags: Tags in IOB2, one a word.
        parts: Parts of speech, one a word.
    """

    words: list[str]
    tags: list[str]
    parts: list[str]


def english(split: str) -> list[Sentence]:
    """Read the English sentences of Universal NER with their parts of speech.

    Args:
        split: ``"train"``, to which the translations of PUD are added, ``"validation"`` or
            ``"test"``, which are those of the English Web Treebank alone.
    """
    found = list(_sentences(corpora.load("uner_ud", ENGLISH[0])[split]))
    if split != "train":
        return found
    return [*found, *_sentences(corpora.load("uner_ud", ENGLISH[1])["test"])]


def _sentences(rows: Any) -> Iterator[Sentence]:
    tag_names = rows.features["ner_tags"].feature.names
    part_names = rows.features["upos"].feature.names
    for row in rows:
        words, tags = as_typed(
            row["text"], row["tokens"], [tag_names[tag] for tag in row["ner_tags"]]
        )
        places = [at for _, at, _ in words_of_tokens(row["text"], row["tokens"])]
        parts = [part_names[row["upos"][at]] for at in places]
        if words:
            yield Sentence(words, tags, parts)


def names_to_choose(sentences: Iterable[Sentence], atlas_size: int) -> dict[str, Any]:
    """Collect names by type: of English, of other languages and of Atlas.

    Args:
        sentences: The English sentences.
        atlas_size: How many sentences of Atlas are generated to take names from.
    """
    tagged: list[Tagged] = [(sentence.words, sentence.tags) for sentence in sentences]
    for config in OTHERS:
        splits = corpora.load("universal_ner", config)
        rows = splits["train" if "train" in splits else "test"]
        names = rows.features["ner_tags"].feature.names
        for row in rows:
            tags = [names[tag] for tag in row["ner_tags"]]
            tagged.append(as_typed(row["text"], row["tokens"], tags))
    generated = atlas.load(atlas_size)["train"]
    for row in generated:
        tags = [_as_here(atlas.NER_TAGS[tag]) for tag in row["ner_tags"]]
        tagged.append(as_typed(row["text"], row["tokens"], tags))
    return names_by_type(tagged)


def _as_here(tag: str) -> str:
    """Write a tag of Atlas with the types of Universal NER, which has countries as places."""
    prefix, _, kind = tag.partition("-")
    return f"{prefix}-{_ATLAS_TYPES[kind]}" if kind in _ATLAS_TYPES else "O"


class Varied:
    """Makes examples of sentences, with other names in them and words spelled in smaller pieces.

    A frequent word is one piece and learnt as a whole, and a reader's word may be none of these;
    so some words are spelled with fewer merges while training, as in BPE-dropout (Provilkov et al.,
    2020), here with whole levels of merges, which makes the same training again.

    Args:
        tokenizer: The tokenizer.
        tasks: The tagging tasks by name, ``"tags"`` and perhaps ``"parts"``.
        names: By type the names to choose from.
        shares: Of names that are exchanged, and of words that are spelled otherwise.
        draw: Draws which.
    """

    def __init__(
        self,
        tokenizer: BytePairTokenizer,
        tasks: dict[str, Tagging],
        names: dict[str, Any],
        shares: tuple[float, float],
        draw: random.Random,
    ) -> None:
        merges = tokenizer.merges
        self.tokenizer, self.tasks, self.names, self.draw = tokenizer, tasks, names, draw
        self.exchanged, self.respelled = shares
        self.others = [
            BytePairTokenizer(tokenizer.vocabulary, merges[: int(share * len(merges))])
            for share in _SPELLINGS
        ]

    def example(self, sentence: Sentence) -> Example:
        """Make an example.

        Args:
            sentence: A sentence.
        """
        words, tags, places = with_other_names(
            sentence.words, sentence.tags, self.names, self.exchanged, self.draw
        )
        parts = ["PROPN" if at is None else sentence.parts[at] for at in places]
        return example_of(self.tokenizer, self.tasks, words, {"tags": tags, "parts": parts}, self)

    def spelled(self, word: str) -> list[int]:
        """Spell a word, at times with fewer merges.

        Args:
            word: The word.
        """
        used = self.tokenizer
        if self.draw.random() < self.respelled:
            used = self.others[self.draw.randrange(len(self.others))]
        return list(used.encode_words([word]).ids)


def example_of(
    tokenizer: BytePairTokenizer,
    tasks: dict[str, Tagging],
    words: Sequence[str],
    labels: dict[str, list[str]],
    varied: Varied | None = None,
) -> Example:
    """Make an example of words.

    Args:
        tokenizer: The tokenizer.
        tasks: The tasks by name.
        words: A sentence.
        labels: By task a label a word; those of other tasks are left out.
        varied: What spells words otherwise, if anything does.
    """
    ids, firsts = list(tokenizer.special_tokens.start), []
    if varied is None:
        encoded = encode_text(tokenizer, words)
        ids, firsts = encoded.input_ids, encoded.first_pieces
    else:
        for word in words:
            firsts.append(len(ids))
            ids += varied.spelled(word)
        ids += tokenizer.special_tokens.end
    found = {}
    for name, task in tasks.items():
        aligned = [-100] * len(ids)
        for first, label in zip(firsts, task.ids_of(labels[name]), strict=True):
            aligned[first] = label
        found[name] = aligned
    return Example(ids, found, first_pieces=firsts)
