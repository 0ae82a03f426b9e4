"""The grammar: labels, translations and facts, right by construction, checked from outside."""

import random
import re
from itertools import combinations

import pytest

from mtl_utils import atlas
from mtl_utils.atlas import french, tables
from mtl_utils.atlas.derivation import Narrator
from mtl_utils.atlas.drawing import NameSource
from mtl_utils.atlas.grammar import Slot, WordClass, grammar
from mtl_utils.atlas.inference import PairMaker, fact, facts, relation
from mtl_utils.atlas.labels import ENTITY_TYPES, POS_TAGS, TOPICS
from mtl_utils.atlas.names import POOLS, Name, lexicon, proper
from mtl_utils.atlas.realisation import realise


def narrator(seed=0, pool="train", ambiguity=0.3):
    return Narrator(NameSource(lexicon(0), pool, ambiguity, random.Random(seed)))


@pytest.fixture(scope="module")
def drawn():
    source = narrator()
    derivations = [source.derivation() for _ in range(3000)]
    return [(derivation, realise(derivation)) for derivation in derivations]


def column(filename, *places):
    return {row[place] for row in tables.rows(filename) for place in places}


def test_events_cover_the_topics():
    events = grammar().events
    assert len(events) == 24
    assert all(len(grammar().by_topic(topic)) == 4 for topic in TOPICS)
    assert sum(len(event.clauses) for event in events) >= 96


def test_every_word_class_exists():
    templates = [clause for event in grammar().events for clause in event.clauses]
    templates += [frame.template for frame in grammar().frames]
    for template in templates:
        sides = [
            {element.name for element in side if isinstance(element, WordClass)}
            for side in (template.english, template.french)
        ]
        assert sides[1] <= sides[0]
        assert sides[0] <= set(grammar().words)


def test_spans_are_the_names_that_were_drawn(drawn):
    for _, sentence in drawn:
        for (start, end, label), name in zip(sentence.spans, sentence.names, strict=True):
            words = sentence.tokens[start:end]
            if start == 0:
                assert words[0].lower() == name.tokens[0].lower()
            else:
                assert tuple(words) == name.tokens
            assert label == name.label


def test_places_have_the_type_of_the_lexicon(drawn):
    """A second look that uses only the data files, where a name can be but one thing."""
    rows = tables.rows("ambiguous.tsv")
    ambiguous = {row[0] for row in rows}
    types = {text.removeprefix("the "): "GPE" for text in column("countries.tsv", 0)}
    types |= dict.fromkeys(column("natural.tsv", 0), "LOC")
    types |= dict.fromkeys(column("countries.tsv", 4), "MISC")
    types = {text: kind for text, kind in types.items() if text not in ambiguous}
    seen = set()
    for _, sentence in drawn:
        for start, end, label in sentence.spans:
            text = " ".join(sentence.tokens[start:end])
            if text in types and text != "New Zealand":  # also an adjective
                assert label == types[text], sentence.text
                seen.add(label)
    assert seen == {"GPE", "LOC", "MISC"}


def test_every_capital_inside_a_sentence_is_explained(drawn):
    """No name is missed: what has a capital is in a span, or a day, a month or a first word."""
    calendar = set(column("values.tsv", 1))
    calendar = {word.split("/")[0] for words in calendar for word in words.split()}
    for _, sentence in drawn:
        inside = {i for start, end, _ in sentence.spans for i in range(start, end)}
        for position, token in enumerate(sentence.tokens[1:], start=1):
            if token[0].isupper() and position not in inside:
                assert token in calendar, sentence.text


def test_translations_carry_the_same_entities(drawn):
    for _, sentence in drawn:
        written = sentence.french.lower()
        for name in sentence.names:
            forms = {name.french, name.feminine, french.plural(name.french)} - {""}
            assert any(form.lower() in written for form in forms), (name, sentence.french)


def test_translations_carry_the_same_numbers(drawn):
    for _, sentence in drawn:
        numbers = [re.sub(r"[ ,]", "", n) for n in re.findall(r"\d[\d,-]*", sentence.text)]
        assert sorted(numbers) == sorted(
            re.findall(r"\d+(?:-\d+)?", re.sub(r"(\d) (?=\d{3})", r"\1", sentence.french))
        )


def test_french_elides_and_contracts(drawn):
    for _, sentence in drawn:
        assert not re.search(r"\b(de|que) [aeiouéèêâîô]", sentence.french), sentence.french
        assert not re.search(r"\b(de|à) (le|les) ", sentence.french), sentence.french
        assert "  " not in sentence.french


def test_english_articles(drawn):
    for _, sentence in drawn:
        assert not re.search(r"\b[Aa] [AEIOUaeiou]", sentence.text), sentence.text


def test_tags_are_universal_and_names_are_no_verbs(drawn):
    for _, sentence in drawn:
        assert set(sentence.pos_tags) <= set(POS_TAGS)
        assert sentence.pos_tags[-1] == "PUNCT"
        for start, end, label in sentence.spans:
            assert label in ENTITY_TYPES
            assert "VERB" not in sentence.pos_tags[start:end]


def test_a_word_form_has_one_tag_unless_it_is_listed():
    """`words.tsv` is a function from words to tags, so no word is tagged by accident."""
    words = [row[0] for row in tables.rows("words.tsv")]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("english", "french_name", "article", "expected"),
    [
        ("France", "France", "la", ("la France", "de la France", "à la France", "en France")),
        ("Japan", "Japon", "le", ("le Japon", "du Japon", "au Japon", "au Japon")),
        ("Iran", "Iran", "l'", ("l'Iran", "de l'Iran", "à l'Iran", "en Iran")),
        (
            "United States",
            "États-Unis",
            "les",
            ("les États-Unis", "des États-Unis", "aux États-Unis", "aux États-Unis"),
        ),
        ("Cuba", "Cuba", "", ("Cuba", "de Cuba", "à Cuba", "à Cuba")),
        ("Israel", "Israël", "", ("Israël", "d'Israël", "à Israël", "en Israël")),
    ],
)
def test_french_forms_of_countries(english, french_name, article, expected):
    country = proper("country", english, french_name, article=article)
    assert tuple(french.render(country, form) for form in ("", "de", "a", "in")) == expected


def test_french_forms_of_cities():
    oslo = proper("city", "Oslo")
    assert [french.render(oslo, form) for form in ("", "de", "in")] == ["Oslo", "d'Oslo", "à Oslo"]
    with pytest.raises(ValueError, match="no French form 'dative'"):
        french.render(oslo, "dative")


def test_pools_share_no_open_name():
    pools = lexicon(0).pools
    for first, second in combinations(POOLS, 2):
        for kind in ("cities", "natural", "rivers", "surnames", "companies", "first_names"):
            assert not set(getattr(pools[first], kind)) & set(getattr(pools[second], kind))
    assert all(len(pools[pool].surnames) > 50 for pool in POOLS)


def test_cities_lie_in_countries_of_the_lexicon():
    countries = {text.removeprefix("the ") for text in column("countries.tsv", 0)}
    assert {c.removeprefix("the ") for c in column("cities.tsv", 2)} <= countries
    for names in lexicon(0).ambiguous.by_kind.values():
        assert all(name.country in countries | {""} for name in names)


def test_more_than_200_000_sentences_are_reachable():
    """A closed-form count of one event alone: acquisitions in the plainest frame."""
    companies = len(lexicon(0).pools["train"].companies)
    event = next(event for event in grammar().events if event.name == "acquisition")
    plain = [clause for clause in event.clauses if "nation" not in clause.kinds]
    assert companies * (companies - 1) * len(plain) > 200_000


def test_many_sentences_are_distinct():
    source = narrator(1)
    texts = {realise(source.derivation()).text for _ in range(30_000)}
    assert len(texts) > 29_000


# Inference


of_any_wording = pytest.mark.parametrize("paraphrase", [1.0, 0.0])


def pairs(count=1500, pool="train", paraphrase=1.0):
    maker = PairMaker(narrator(2, pool), paraphrase)
    return [maker.pair(maker.hypothesis()) for _ in range(count)]


@of_any_wording
def test_each_label_follows_from_the_facts(paraphrase):
    labels = set()
    for pair in pairs(paraphrase=paraphrase):
        labels.add(pair.label)
        assert relation(facts(pair.premise), fact(pair.hypothesis.clause)) == pair.label
    assert labels == {"entailment", "neutral", "contradiction"}


def stated(clause):
    """Everything a clause says, as strings of the written names: an independent reading."""
    return {role: f"{name.kind}={name.english}" for role, name in clause.names.items()}


@of_any_wording
def test_entailed_hypotheses_say_nothing_new(paraphrase):
    countries = dict(row[::2] for row in tables.rows("cities.tsv"))
    checked = 0
    for pair in pairs(paraphrase=paraphrase):
        if pair.label != "entailment":
            continue
        premise, claim = stated(pair.premise.clause), stated(pair.hypothesis.clause)
        for role, value in claim.items():
            known = premise.get(role)
            if known == value or pair.hypothesis.clause.event.symmetric:
                continue
            city = known.removeprefix("city=")
            assert value == f"country={countries[city].removeprefix('the ')}"
            checked += 1
    assert checked > 5


@of_any_wording
def test_contradicted_hypotheses_clash_in_a_value(paraphrase):
    for pair in pairs(paraphrase=paraphrase):
        if pair.label != "contradiction":
            continue
        premise, claim = stated(pair.premise.clause), stated(pair.hypothesis.clause)
        outcomes = {pair.premise.clause.template.outcome, pair.hypothesis.clause.template.outcome}
        clash = [role for role in claim if role in premise and premise[role] != claim[role]]
        assert clash or len(outcomes) == 2


def test_neutral_hypotheses_claim_more_than_is_said():
    for pair in pairs():
        if pair.label != "neutral":
            continue
        premise, claim = stated(pair.premise.clause), stated(pair.hypothesis.clause)
        unsaid = [role for role in claim if premise.get(role) != claim[role]]
        assert unsaid


def simple_fact(**details):
    source = narrator(3)
    event = next(event for event in grammar().events if event.name == "match")
    names = {"winner": proper("team", "Lyon"), "loser": proper("team", "Oslo"), **details}
    return fact(source.tell(event, event.clauses[0], names, ()))


def test_relation_by_hand():
    monday = Name("weekday", ("Monday",), ("PROPN",), "lundi")
    tuesday = Name("weekday", ("Tuesday",), ("PROPN",), "mardi")
    lyon = proper("city", "Lyon", country="France")
    france = proper("country", "France", article="la")
    swapped = {"winner": proper("team", "Oslo"), "loser": proper("team", "Lyon")}
    plain, on_monday = simple_fact(), simple_fact(day=monday)
    assert relation([on_monday], plain) == "entailment"
    assert relation([plain], on_monday) == "neutral"
    assert relation([simple_fact(day=tuesday)], on_monday) == "contradiction"
    assert relation([simple_fact(place=lyon)], simple_fact(place=france)) == "entailment"
    assert relation([simple_fact(place=france)], simple_fact(place=lyon)) == "neutral"
    assert relation([simple_fact(**swapped)], plain) == "contradiction"
    assert relation([simple_fact(winner=proper("team", "Rome"))], plain) == "neutral"
    assert relation([], plain) == "neutral"


@of_any_wording
def test_hypotheses_are_drawn_before_their_labels(paraphrase):
    """The same hypotheses come whatever the label: each label can be made for each of them."""
    maker = PairMaker(narrator(4), paraphrase)
    for _ in range(100):
        clause = maker.hypothesis()
        labels = {maker.pair(clause).label for _ in range(40)}
        assert labels == {"entailment", "neutral", "contradiction"}


def test_slots_know_their_kinds():
    known = set(lexicon(0).values) | set(lexicon(0).patterns)
    source = narrator(5).source
    for event in grammar().events:
        for clause in event.clauses:
            for element in clause.english:
                if isinstance(element, Slot):
                    kind = clause.kinds[element.role]
                    assert kind in known or source.draw(kind).tokens


def test_french_participles_agree_where_the_article_hides_the_gender():
    corpus = atlas.load(6000)
    french = " ".join(row["fr"] for split in corpus.values() for row in split["translation"])
    for right, wrong in (
        (r"\bmédaille \w+ est revenue\b", r"\bmédaille \w+ est revenu\b"),
        (r"\bprix \w+ est revenu\b", r"\bprix \w+ est revenue\b"),
        (r"l'amendement \w+ a été \w+é par", r"l'amendement \w+ a été \w+ée par"),
        (r"\bloi sur l'eau a été \w+ée par", r"\bloi sur l'eau a été \w+é par"),
        (r"\bl'Elbe est sortie\b", r"\bl'Elbe est sorti\b"),
    ):
        assert re.search(right, french, re.IGNORECASE), right
        assert not re.search(wrong, french, re.IGNORECASE), wrong
