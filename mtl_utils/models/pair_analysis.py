"""What a model says of a pair of texts."""

# Annotations are evaluated here: the pages of the API show those of a NamedTuple as they are.
from typing import NamedTuple


class PairAnalysis(NamedTuple):
    """All that a model says of a premise and a hypothesis.

    Args:
        classification: The class of the premise.
        tags: One tag for each word of the premise.
        inference: How the hypothesis relates to the premise.
    """

    classification: str
    tags: list[str]
    inference: str
