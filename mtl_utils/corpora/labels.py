"""Label names of the registered data sets, in id order."""

from __future__ import annotations

__all__ = [
    "CROSS_NER_TAGS",
    "INFERENCE",
    "SNIPS_INTENTS",
    "SNIPS_SLOT_TAGS",
    "TREC_COARSE",
    "TREC_FINE",
    "UNIVERSAL_NER_TAGS",
    "UNIVERSAL_POS_TAGS",
]


def _names(text: str) -> tuple[str, ...]:
    """Names written apart by blanks."""
    return tuple(text.split())


INFERENCE = ("entailment", "neutral", "contradiction")

UNIVERSAL_NER_TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")

# "_" is the tag of a multiword row ("don't" before "do" and "n't"), not a part of speech.
UNIVERSAL_POS_TAGS = _names(
    "NOUN PUNCT ADP NUM SYM SCONJ ADJ PART DET CCONJ PROPN PRON X _ ADV INTJ VERB AUX"
)

TREC_COARSE = ("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM")

TREC_FINE = _names(
    """
    ABBR:abb ABBR:exp
    ENTY:animal ENTY:body ENTY:color ENTY:cremat ENTY:currency ENTY:dismed ENTY:event ENTY:food
    ENTY:instru ENTY:lang ENTY:letter ENTY:other ENTY:plant ENTY:product ENTY:religion ENTY:sport
    ENTY:substance ENTY:symbol ENTY:techmeth ENTY:termeq ENTY:veh ENTY:word
    DESC:def DESC:desc DESC:manner DESC:reason
    HUM:gr HUM:ind HUM:title HUM:desc
    LOC:city LOC:country LOC:mount LOC:other LOC:state
    NUM:code NUM:count NUM:date NUM:dist NUM:money NUM:ord NUM:other NUM:period NUM:perc NUM:speed
    NUM:temp NUM:volsize NUM:weight
    """
)

SNIPS_INTENTS = (
    "AddToPlaylist",
    "BookRestaurant",
    "GetWeather",
    "PlayMusic",
    "RateBook",
    "SearchCreativeWork",
    "SearchScreeningEvent",
)

# Slots that are never longer than one word in the data have no I- tag.
_SNIPS_ONE_WORD_SLOTS = (
    "best_rating",
    "condition_description",
    "condition_temperature",
    "party_size_number",
    "rating_unit",
    "rating_value",
    "year",
)

_SNIPS_SLOTS = _names(
    """
    album artist best_rating city condition_description condition_temperature country cuisine
    current_location entity_name facility genre geographic_poi location_name movie_name movie_type
    music_item object_location_type object_name object_part_of_series_type object_select
    object_type party_size_description party_size_number playlist playlist_owner poi rating_unit
    rating_value restaurant_name restaurant_type served_dish service sort spatial_relation state
    timeRange track year
    """
)

_CROSS_NER_TYPES = _names(
    """
    academicjournal album algorithm astronomicalobject award band book chemicalcompound
    chemicalelement conference country discipline election enzyme event field literarygenre
    location magazine metrics misc musicalartist musicalinstrument musicgenre organisation person
    poem politicalparty politician product programlang protein researcher scientist song task
    theory university writer
    """
)


def _iob2(types: tuple[str, ...], only_begin: tuple[str, ...] = ()) -> tuple[str, ...]:
    """IOB2 tags of entity types: O, then B- and I- of each, without I- where it never occurs."""
    tags = ["O"]
    for entity_type in types:
        tags.append(f"B-{entity_type}")
        if entity_type not in only_begin:
            tags.append(f"I-{entity_type}")
    return tuple(tags)


SNIPS_SLOT_TAGS = _iob2(_SNIPS_SLOTS, only_begin=_SNIPS_ONE_WORD_SLOTS)
CROSS_NER_TAGS = _iob2(_CROSS_NER_TYPES)
