"""Bad inputs of diagrams and of what they are made of."""

from __future__ import annotations

from typing import Any

from bad_input_cases import INF, NAN, NOT_CHOICES, NOT_FLAGS, NOT_TEXTS, EntryPoint, Within

from mtl_utils import diagrams

NOT_WRITTEN = (*NOT_TEXTS, "", "  ")
NOT_TASKS = (
    *(None, 3, "ab", {"a", "b"}, {"a": 0, "b": 1}, [], ["a"], ["a", "a"], list("abcdefg")),
    *(Within(["a", wrong], ["a", wrong]) for wrong in (None, 3, b"b")),
    *(Within(["a", wrong], wrong) for wrong in ("", "  ")),
)
NOT_PAIRS = (
    *(None, 3, "01", [0, 0], (0,), (0, 0, 0)),
    *(Within((1, wrong), wrong) for wrong in (-1, 1.5, "0", None, True, NAN)),
)
NOT_ROLES = (*NOT_CHOICES[:3], True, -1, 6, 1.5, NAN, ["shared"])
NOT_POSITIVE = (0, -1.0, NAN, INF, "1", None, True)

BOXES = (
    diagrams.Box("a", "first", "layer", (0, 0)),
    diagrams.Box("b", "second", "head", (0, 1)),
)
ARROWS = (diagrams.Arrow("a", "b"),)
FRAME = diagrams.Frame("f", "both", ("a", "b"))
DIAGRAM = diagrams.Diagram("two boxes", BOXES, ARROWS, (1, 1))


def _entry(kind: Any, good: dict[str, Any], /, **bad: Any) -> EntryPoint:
    return EntryPoint(f"diagrams.{kind.__name__}", kind, lambda: dict(good), bad)


def _box(**changed: Any) -> diagrams.Box:
    return diagrams.Box(**({"name": "c", "label": "c", "kind": "text", "at": (0, 0)} | changed))


PARTS = [
    _entry(
        diagrams.Box,
        {"name": "a", "label": "encoder", "kind": "layer", "at": (0, 0)},
        name=NOT_WRITTEN,
        label=NOT_WRITTEN,
        kind=NOT_CHOICES,
        at=NOT_PAIRS,
        span=(*NOT_PAIRS, Within((1, 0), 0)),
        role=NOT_ROLES,
        tight=NOT_FLAGS,
    ),
    _entry(
        diagrams.Arrow,
        {"start": "a", "end": "b"},
        start=NOT_WRITTEN,
        end=(*NOT_WRITTEN, "a"),
        kind=NOT_CHOICES,
        role=NOT_ROLES,
        bend=NOT_CHOICES,
    ),
    _entry(
        diagrams.Frame,
        {"name": "f", "caption": "both", "boxes": ("a", "b")},
        name=NOT_WRITTEN,
        caption=NOT_TEXTS,
        boxes=(None, 3, "ab", {"a"}, (), (3,), ("a", "a")),
        role=NOT_ROLES,
        below=NOT_FLAGS,
    ),
    _entry(
        diagrams.Diagram,
        {"subject": "two boxes", "boxes": BOXES, "arrows": ARROWS, "columns": (1, 1)},
        subject=NOT_WRITTEN,
        boxes=(
            *(None, 3, "a", list(BOXES), (), Within((*BOXES, "c"), "c")),
            Within((*BOXES, _box(name="a", at=(1, 0))), "a"),
            Within((*BOXES, _box()), "c"),
            Within((*BOXES, _box(at=(0, 2))), "c"),
        ),
        arrows=(
            *(None, 3, "a", list(ARROWS), Within(("c",), "c")),
            Within((diagrams.Arrow("a", "elsewhere"),), "elsewhere"),
            Within(ARROWS * 2, ARROWS[0]),
        ),
        columns=(None, 3, "ab", [1, 1], (), *(Within((1, w), w) for w in NOT_POSITIVE)),
        frames=(
            *(None, 3, "a", [FRAME], Within(("c",), "c")),
            Within((diagrams.Frame("f", "x", ("elsewhere",)),), "elsewhere"),
            Within((diagrams.Frame("a", "x", ("b",)),), "a"),
        ),
        gap=(0, 1, -1.0, NAN, INF, "1", None, True),
        row_gap=(-1.0, NAN, INF, "1", None, True),
    ),
    EntryPoint(
        "Diagram.draw",
        DIAGRAM.draw,
        dict,
        {"ax": (3, "ax", [None]), "dark": ("no", 0, 1.0, [True])},
    ),
    _entry(
        diagrams.draw_stacked,
        {"diagrams": [DIAGRAM]},
        diagrams=(None, 3, "ab", [], [3], DIAGRAM),
        dark=("no", 0, 1.0, [True]),
    ),
]
FAMILIES = [
    _entry(function, {"tasks": ["topic", "entities"]}, tasks=NOT_TASKS)
    for function in (
        diagrams.hard_sharing,
        diagrams.branched_sharing,
        diagrams.soft_sharing,
        diagrams.shared_private,
        diagrams.joint_losses,
        diagrams.loss_balancing,
        diagrams.combined_gradients,
        diagrams.questions_to_features,
        diagrams.text_and_picture,
        diagrams.sampled_stream,
        diagrams.transfer_routes,
        diagrams.shared_languages,
        diagrams.cross_stitch,
        diagrams.tasks_in_sequence,
        diagrams.search_loop,
    )
]
STRUCTURES = [
    _entry(
        diagrams.served_models,
        {"tasks": ["topic", "entities"]},
        tasks=NOT_TASKS,
        separate=NOT_FLAGS,
    ),
    _entry(
        diagrams.hierarchical_sharing,
        {"tasks": ["topic", "entities"]},
        tasks=NOT_TASKS,
        shortcuts=NOT_FLAGS,
    ),
    *(
        _entry(of_two, {"tasks": ["topic", "entities"]}, tasks=(*NOT_TASKS, ["a", "b", "c"]))
        for of_two in (
            diagrams.sluice_network,
            diagrams.mixture_of_experts,
            diagrams.layered_extraction,
            diagrams.task_adapters,
            diagrams.low_rank_additions,
            diagrams.lookahead_affinity,
        )
    ),
]
PARALLEL = _entry(
    diagrams.data_parallel,
    {"tasks": ["topic", "entities"]},
    tasks=NOT_TASKS,
    num_processes=(0, 1, 5, 1.5, "2", None, True),
    absent=(None, 3, "topic", [("names", 0)], [("topic", 2)], [3]),
)
PAIR = _entry(
    diagrams.pair_with_heads,
    {},
    topic=NOT_WRITTEN,
    tags=NOT_WRITTEN,
    inference=NOT_WRITTEN,
)
NOT_SCORES = (
    *(None, 3, "ab", {"a": 0}, [], [[1, 0]], [[1, 0], [1]], [[1, 0]] * 3, Within([1, 0], 1)),
    *(Within([[1, 0], [1, wrong]], wrong) for wrong in (NAN, INF, "1", None, True)),
)
TRELLIS = _entry(
    diagrams.trellis,
    {
        "words": ["Bank", "of"],
        "tags": ["I", "O"],
        "emissions": [[2, 1], [0, 1]],
        "transitions": [[1, -1], [-1, 1]],
    },
    words=(*(None, 3, "ab", {"a", "b"}, [], ["a"], list("abcde")), Within(["a", " "], " ")),
    tags=(*(None, 3, "ab", {"a", "b"}, [], ["a"], ["a", "a"], list("abcd")), Within(["a", ""], "")),
    emissions=NOT_SCORES,
    transitions=NOT_SCORES,
)
BLOCKS = _entry(diagrams.transformer_blocks, {}, norm_first=NOT_FLAGS)

ROWS = {"<bos>": {"a": 0.5, ".": 0.5}, "a": {"a": 0.5, ".": 0.5}}
TREE = _entry(
    diagrams.beam_tree,
    {"following": ROWS},
    following=(
        *(None, 3, "ab", [("a", 1.0)], {}, {"<bos>": 0.5}, {"<bos>": ["a"]}, {"<bos>": {}}),
        *({"<bos>": {"a": wrong}} for wrong in ("1", None, NAN, -0.5, 1.5)),
        *({"<bos>": {3: 0.5}}, {3: {"a": 1.0}}, {"<bos>": {"a": 0.5}}, {"<bos>": {".": 0.0}}),
        {token: dict.fromkeys("abcdefgh", 0.1) for token in ("<bos>", *"abcdefgh")},
    ),
    beam_size=(0, -1, 1.5, "2", None, True),
    steps=(0, -1, 1.5, "2", None, True),
    start=(*NOT_CHOICES[:3], "b"),
    end=NOT_TEXTS,
)
MODEL = _entry(diagrams.encoder_decoder, {}, attention=NOT_FLAGS, shortcut=NOT_FLAGS)

ENTRY_POINTS = [*PARTS, *FAMILIES, *STRUCTURES, PARALLEL, PAIR, TREE, MODEL, TRELLIS, BLOCKS]
