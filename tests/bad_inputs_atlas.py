"""Bad inputs of the laboratory corpus and its labels."""

from __future__ import annotations

from bad_input_cases import INF, NAN, EntryPoint, Within

from mtl_utils import atlas

NOT_KNOBS = (-0.1, 1.1, NAN, INF, -INF, "0.1", "much", None, True, [0.1])
NOT_SPANS = (
    *(None, 3, "ab", b"ab", [3], ["abc"], [(0, 1)], [(0, 1, 3)], [(0, 1, "")], [(0, 1, None)]),
    *([("0", 1, "PER")], [(0, 1.5, "PER")], [(0, None, "PER")], [(True, 2, "PER")]),
    *([(1, 1, "PER")], [(0, 4, "PER")], [(-1, 1, "PER")], {(0, 1, "PER"): 1}),
    Within([(0, 2, "PER"), (1, 2, "ORG")], "(1, 2, ORG)"),
)
NOT_TAGS = (
    *(None, 3, "O", b"O", [3], [None], [["O"]], ["I-PER"], ["B"], ["B-"], ["-PER"], ["X-PER"]),
    *([""], ["PER"], ["b-PER"], {"O": 1}),
    Within(["B-PER", "I-ORG"], "I-ORG"),
    Within(["O", "S-PER"], "S-PER"),
)

ENTRY_POINTS = [
    *(
        EntryPoint(
            f"atlas.{load.__name__}",
            load,
            lambda: {"size": 10},
            {
                "size": (0, -1, 9, 500_001, 10**12, 10.0, "100", None, True, NAN, [10]),
                "seed": (1.5, "0", None, True, NAN, [0]),
                **dict.fromkeys(knobs, NOT_KNOBS),
            },
        )
        for load, knobs in (
            (atlas.load, ("noise", "ambiguity", "relatedness")),
            (atlas.load_inference, ("noise", "ambiguity", "relatedness", "paraphrase")),
        )
    ),
    EntryPoint(
        "atlas.to_iob2",
        atlas.to_iob2,
        lambda: {"spans": [(0, 1, "PER")], "length": 3},
        {"spans": NOT_SPANS, "length": (0, -1, 1.5, "3", None, True, NAN, [3])},
        called={"spans": "spans|span"},
    ),
    EntryPoint(
        "atlas.from_iob2",
        atlas.from_iob2,
        lambda: {"tags": ["B-PER", "I-PER", "O"]},
        {"tags": NOT_TAGS},
        called={"tags": "tags|tag|token"},
    ),
]
