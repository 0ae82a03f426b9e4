"""Atlas as data sets: routing sentences to splits, noise, and the dial for task relatedness."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from typing import Any

from datasets import (
    ClassLabel,
    Dataset,
    DatasetDict,
    Features,
    Image,
    Sequence,
    Translation,
    Value,
)

from mtl_utils.arguments import check_flag, check_number, check_whole
from mtl_utils.atlas.derivation import Narrator, hold_out, replace_names
from mtl_utils.atlas.drawing import NameSource
from mtl_utils.atlas.grammar import grammar
from mtl_utils.atlas.inference import PairMaker
from mtl_utils.atlas.labels import (
    INFERENCE_LABELS,
    NER_TAGS,
    POS_TAGS,
    TOPICS,
    to_iob2,
)
from mtl_utils.atlas.names import lexicon
from mtl_utils.atlas.noise import add_noise
from mtl_utils.atlas.pictured import (
    LARGEST_PICTURED_SIZE,
    MEANINGS,
    Pictured,
    pictured_sentences,
    topics_of_clauses,
)
from mtl_utils.atlas.realisation import Derivation, Sentence, realise
from mtl_utils.atlas.sketches import draw_picture, encoded_picture

SMALLEST_SIZE = 10
"""One sentence for validation, one for test."""

LARGEST_SIZE = 500_000
"""Up to here the generator has been seen to write distinct sentences without slowing down."""

HELD_OUT_SHARE = 0.5
"""Probability that a name in a validation or test sentence is one that training never sees."""

_SPLITS = ("train", "validation", "test")
Row = dict[str, Any]
_WrittenPair = tuple[Derivation, Sentence, str, str]


def load(
    size: int,
    seed: int = 0,
    *,
    noise: float = 0.0,
    ambiguity: float = 0.3,
    relatedness: float = 1.0,
    pictures: bool = False,
    picture_error: float = 0.1,
) -> DatasetDict:
    """Write the laboratory corpus.

    One stream of sentences, fixed by ``seed`` and ``ambiguity``, is routed to the splits by a hash
    of each sentence, so that splits share none and every split of a smaller corpus is the beginning
    of the same split of a larger one.

    Args:
        size: Sentences in all, from 10 to 500,000: 80% training, 10% validation, 10% test.
        seed: Which sentences are written and which names are held out.
        noise: Probability, in [0, 1], that an annotation of the training split is wrong: that an
            entity has the wrong type or is missed, a token the wrong part of speech, a sentence
            the wrong topic or event. Texts, translations and other splits are untouched.
        ambiguity: Probability, in [0, 1], that a name which can be ambiguous is, such as
            Washington.
        relatedness: Share, in [0, 1], of the clause templates whose topic follows from what they
            say. The topics of the others are exchanged among them: still a function of the text,
            and about as frequent, but no longer one for each event, which has some four templates.
        pictures: Whether to write other sentences, each about one name that may be several things,
            such as *Jordan signed a treaty*, beside a picture of what is meant. All names are
            in all splits, styles of drawing are not. ``ambiguity`` is then the probability that the
            words leave open what the name is; all that it can be is equally likely.
            :func:`best_scores` says what can be reached.
        picture_error: Probability, in [0, 1], that a picture shows something else, each as likely.

    Returns:
        Splits ``train``, ``validation`` and ``test`` with columns ``text``, ``tokens``,
        ``ner_tags``, ``pos_tags``, ``topic``, ``event`` and ``translation``; with pictures also
        ``picture`` (32 by 32 pixels), ``meaning``, ``shown`` (what the picture shows) and
        ``style``.

    Raises:
        TypeError: If ``size`` or ``seed`` is no whole number, or a knob no number.
        ValueError: If ``size`` or a knob is out of range; with pictures 50,000 sentences are most.
    """
    _check(size, seed, noise=noise, ambiguity=ambiguity, relatedness=relatedness)
    check_flag("pictures", pictures)
    check_number("picture_error", picture_error, least=0, most=1)
    if pictures:
        return _load_pictured(size, seed, noise, ambiguity, relatedness, picture_error)
    topics = _topics(seed, relatedness, _topics_of_templates())
    rows = _route(size, _sentences(seed, ambiguity))
    features = Features(
        {
            "text": Value("string"),
            **_label_features(),
            "translation": Translation(languages=["en", "fr"]),
        }
    )
    splits = {
        split: [_sentence_row(derivation, sentence, topics) for derivation, sentence in drawn]
        for split, drawn in rows.items()
    }
    return _dataset(splits, features, noise, seed)


def load_inference(
    size: int,
    seed: int = 0,
    *,
    noise: float = 0.0,
    ambiguity: float = 0.3,
    relatedness: float = 1.0,
    paraphrase: float = 1.0,
) -> DatasetDict:
    """Write pairs of premise and hypothesis, with all labels of the premise.

    Args:
        size: Pairs in all, from 10 to 500,000: 80% training, 10% validation, 10% test. The splits
            share neither premises nor hypotheses.
        seed: Which pairs are written and which names are held out.
        noise: As for :func:`load`; the inference label is wrong with this probability too.
        ambiguity: As for :func:`load`.
        relatedness: As for :func:`load`.
        paraphrase: Share, in [0, 1], of the premises that tell their event in other words than the
            hypothesis, some of them in longer sentences. The other premises keep the words of the
            hypothesis as far as their label allows, so that what differs is what decides: the dial
            for how hard inference is. Labels follow from the facts at any value.

    Returns:
        Splits ``train``, ``validation`` and ``test`` with columns ``premise``, ``hypothesis``,
        ``label`` (entailment, neutral, contradiction) and the premise's ``tokens``, ``ner_tags``,
        ``pos_tags``, ``topic`` and ``event``.

    Raises:
        TypeError: If ``size`` or ``seed`` is no whole number, or a knob no number.
        ValueError: If ``size`` or a knob is out of range.
    """
    _check(
        size,
        seed,
        noise=noise,
        ambiguity=ambiguity,
        relatedness=relatedness,
        paraphrase=paraphrase,
    )
    topics = _topics(seed, relatedness, _topics_of_templates())
    rows = _route(size, _pairs(seed, ambiguity, paraphrase))
    features = Features(
        {
            "premise": Value("string"),
            "hypothesis": Value("string"),
            "label": ClassLabel(names=list(INFERENCE_LABELS)),
            **_label_features(),
        }
    )
    splits = {split: [_pair_row(pair, topics) for pair in drawn] for split, drawn in rows.items()}
    return _dataset(splits, features, noise, seed)


def _check(size: int, seed: int, **knobs: float) -> None:
    check_whole("size", size)
    check_whole("seed", seed)
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise ValueError(
            f"size counts all sentences, 80% of them training, and must be from {SMALLEST_SIZE} to "
            f"{LARGEST_SIZE:,}; got {size}"
        )
    for name, value in knobs.items():
        check_number(name, value, least=0, most=1)


def _load_pictured(
    size: int, seed: int, noise: float, ambiguity: float, relatedness: float, picture_error: float
) -> DatasetDict:
    """Write sentences with pictures; see :func:`load`."""
    if size > LARGEST_PICTURED_SIZE:
        raise ValueError(
            f"size must be at most {LARGEST_PICTURED_SIZE:,} where there are pictures, got {size:,}"
        )
    topics = _topics(seed, relatedness, topics_of_clauses())
    stream = pictured_sentences(seed, ambiguity, picture_error, _split_of)
    splits = {
        split: [_pictured_row(made, split, topics) for made in drawn]
        for split, drawn in _route(size, stream).items()
    }
    features = Features(
        {
            "text": Value("string"),
            **_label_features(),
            "translation": Translation(languages=["en", "fr"]),
            "picture": Image(),
            "meaning": ClassLabel(names=list(MEANINGS)),
            "shown": ClassLabel(names=list(MEANINGS)),
            "style": Value("string"),
        }
    )
    return _dataset(splits, features, noise, seed)


def _pictured_row(made: Pictured, split: str, topics: list[str]) -> Row:
    pixels, style = draw_picture(made.shown, split, made.picture_seed)
    return {
        **_sentence_row(made.derivation, made.sentence, topics),
        "picture": encoded_picture(pixels),
        "meaning": made.meaning,
        "shown": made.shown,
        "style": style,
    }


def _topics_of_templates() -> list[str]:
    return [event.topic for event in grammar().events for _ in event.clauses]


def _topics(seed: int, relatedness: float, topics: list[str]) -> list[str]:
    """Return the topic of each clause template, exchanged among a share of ``1 - relatedness``."""
    topics = list(topics)
    rng = random.Random(f"{seed}-topics")
    order = list(range(len(topics)))
    rng.shuffle(order)
    exchanged = order[: round((1 - relatedness) * len(order))]
    moved = [topics[number] for number in exchanged]
    rng.shuffle(moved)
    for number, topic in zip(exchanged, moved, strict=True):
        topics[number] = topic
    return topics


def _narrators(seed: int, ambiguity: float, purpose: str) -> dict[str, Narrator]:
    rng = random.Random(f"{seed}-{purpose}")
    names = lexicon(seed)
    return {split: Narrator(NameSource(names, split, ambiguity, rng)) for split in _SPLITS}


def _split_of(text: str) -> str:
    """Return the split that a sentence belongs to, whatever the size of the corpus."""
    return {0: "test", 1: "validation"}.get(zlib.crc32(text.encode()) % 10, "train")


def _sentences(seed: int, ambiguity: float) -> Iterator[tuple[str, tuple[Derivation, Sentence]]]:
    narrators = _narrators(seed, ambiguity, "sentences")
    seen: set[str] = set()
    while True:
        derivation = narrators["train"].derivation()
        sentence = realise(derivation)
        split = _split_of(sentence.text)
        if split != "train":
            derivation = hold_out(derivation, narrators[split].source, HELD_OUT_SHARE)
            sentence = realise(derivation)
        if sentence.text not in seen:
            seen.add(sentence.text)
            yield split, (derivation, sentence)


def _pairs(seed: int, ambiguity: float, paraphrase: float) -> Iterator[tuple[str, _WrittenPair]]:
    narrators = _narrators(seed, ambiguity, "pairs")
    makers = {split: PairMaker(narrator, paraphrase) for split, narrator in narrators.items()}
    premises: set[str] = set()
    owner: dict[str, str] = {}  # every text, premise or hypothesis, belongs to one split
    while True:
        maker = makers["train"]
        clause = maker.hypothesis()
        split = _split_of(realise(maker.alone(clause)).text)
        if split != "train":
            clause = replace_names(clause, narrators[split].source, HELD_OUT_SHARE)
        pair = makers[split].pair(clause)
        premise, hypothesis = realise(pair.premise), realise(pair.hypothesis).text
        texts = (premise.text, hypothesis)
        if premise.text in premises or any(owner.get(text, split) != split for text in texts):
            continue
        premises.add(premise.text)
        owner.update(dict.fromkeys(texts, split))
        yield split, (pair.premise, premise, hypothesis, pair.label)


def _route(size: int, stream: Iterator[tuple[str, Any]]) -> dict[str, list[Any]]:
    tenth = size // 10
    wanted = {"train": size - 2 * tenth, "validation": tenth, "test": tenth}
    rows: dict[str, list[Any]] = {split: [] for split in _SPLITS}
    missing = size
    for split, item in stream:
        if len(rows[split]) < wanted[split]:
            rows[split].append(item)
            missing -= 1
            if not missing:
                break
    return rows


def _label_features() -> dict[str, Any]:
    return {
        "tokens": Sequence(Value("string")),
        "ner_tags": Sequence(ClassLabel(names=list(NER_TAGS))),
        "pos_tags": Sequence(ClassLabel(names=list(POS_TAGS))),
        "topic": ClassLabel(names=list(TOPICS)),
        "event": ClassLabel(names=grammar().event_names),
    }


def _labels(derivation: Derivation, sentence: Sentence, topics: list[str]) -> Row:
    return {
        "tokens": sentence.tokens,
        "spans": sentence.spans,
        "pos_tags": sentence.pos_tags,
        "topic": topics[derivation.clause.template.number],
        "event": derivation.clause.event.name,
    }


def _sentence_row(derivation: Derivation, sentence: Sentence, topics: list[str]) -> Row:
    return {
        "text": sentence.text,
        **_labels(derivation, sentence, topics),
        "translation": {"en": sentence.text, "fr": sentence.french},
    }


def _pair_row(pair: _WrittenPair, topics: list[str]) -> Row:
    premise, sentence, hypothesis, label = pair
    return {
        "premise": sentence.text,
        "hypothesis": hypothesis,
        "label": label,
        **_labels(premise, sentence, topics),
    }


def _dataset(
    splits: dict[str, list[Row]], features: Features, noise: float, seed: int
) -> DatasetDict:
    """Make the training labels noisy, and columns of rows."""
    add_noise(splits["train"], noise, random.Random(f"{seed}-noise"))
    return DatasetDict(
        {
            split: Dataset.from_dict(_columns(rows, features), features)
            for split, rows in splits.items()
        }
    )


def _columns(rows: list[Row], features: Features) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for column, feature in features.items():
        if column == "ner_tags":
            ids = {tag: number for number, tag in enumerate(NER_TAGS)}
            columns[column] = [
                [ids[tag] for tag in to_iob2(row["spans"], len(row["tokens"]))] for row in rows
            ]
        elif column == "pos_tags":
            ids = {tag: number for number, tag in enumerate(POS_TAGS)}
            columns[column] = [[ids[tag] for tag in row[column]] for row in rows]
        elif isinstance(feature, ClassLabel):
            columns[column] = feature.str2int([row[column] for row in rows])
        else:
            columns[column] = [row[column] for row in rows]
    return columns
