"""Every diagram of the book, with few and many tasks, short and long names."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mtl_utils import diagrams

SHORT = ("topic", "entities", "inference")
LONG = (
    "natural language inference",
    "part-of-speech tagging",
    "named_entity_recognition",
    "hyperpartisanship",
    "Donaudampfschifffahrtsgesellschaft",
)
TOY = {
    "<bos>": {"A": 0.6, "B": 0.4, ".": 0.0},
    "A": {"A": 0.35, "B": 0.25, ".": 0.4},
    "B": {"A": 0.05, "B": 0.05, ".": 0.9},
}
STEPS = ((1, -1), (-1, 1))
FAMILIES: tuple[Callable[..., diagrams.Diagram], ...] = (
    diagrams.hard_sharing,
    diagrams.branched_sharing,
    diagrams.soft_sharing,
    diagrams.shared_private,
    diagrams.joint_losses,
    diagrams.loss_balancing,
    diagrams.combined_gradients,
    diagrams.data_parallel,
    diagrams.questions_to_features,
    diagrams.text_and_picture,
    diagrams.sampled_stream,
    diagrams.hierarchical_sharing,
    diagrams.cross_stitch,
    diagrams.transfer_routes,
    diagrams.shared_languages,
    diagrams.tasks_in_sequence,
    diagrams.search_loop,
    diagrams.served_models,
)
OF_TWO: tuple[Callable[..., diagrams.Diagram], ...] = (
    diagrams.lookahead_affinity,
    diagrams.sluice_network,
    diagrams.mixture_of_experts,
    diagrams.layered_extraction,
    diagrams.task_adapters,
    diagrams.low_rank_additions,
)


def _all() -> Iterator[tuple[str, diagrams.Diagram]]:
    yield "encoder_decoder", diagrams.encoder_decoder()
    yield "encoder_decoder, one vector", diagrams.encoder_decoder(attention=False)
    yield "encoder_decoder, shortcut", diagrams.encoder_decoder(shortcut=True)
    yield "bilstm_framework", diagrams.bilstm_framework()
    yield "lstm_cell", diagrams.lstm_cell()
    for beam_size, steps in ((1, 2), (2, 2), (1, 3)):
        yield f"beam_tree, {beam_size}, {steps}", diagrams.beam_tree(TOY, beam_size, steps)
    yield "changed_alone", diagrams.changed_alone()
    yield "transformer_blocks, pre", diagrams.transformer_blocks()
    yield "transformer_blocks, post", diagrams.transformer_blocks(norm_first=False)
    yield "trellis, 2 tags", diagrams.trellis(["Bank", "of"], ["I", "O"], [[2, 1], [0, 1]], STEPS)
    scores = [[0.5, -1.25, 2], [-30, 0, 1], [1, 1, 1], [7.125, -0.5, 0]]
    yield (
        "trellis, 3 tags",
        diagrams.trellis(
            ["A", "Newfoundland", "dog", "barks"], ["O", "B-MISC", "I-MISC"], scores, scores[:3]
        ),
    )
    yield "pair_with_heads", diagrams.pair_with_heads()
    yield "pair_with_heads, long", diagrams.pair_with_heads(*LONG[:2], LONG[4])
    yield "served_models, separate", diagrams.served_models(SHORT, separate=True)
    yield "served_models, separate, long", diagrams.served_models(LONG[:3], separate=True)
    yield "data_parallel, 4", diagrams.data_parallel(SHORT, 4, [("topic", 0), ("entities", 3)])
    yield "hard_sharing, 4 long", diagrams.hard_sharing(LONG[-4:])
    yield "shared_private, 4 long", diagrams.shared_private(LONG[-4:])
    for tasks in (SHORT, LONG):
        yield (
            f"hierarchical_sharing, {tasks[0]}, shortcuts",
            diagrams.hierarchical_sharing(tasks, shortcuts=True),
        )
        for of_two in OF_TWO:
            yield f"{of_two.__name__}, {tasks[0]}", of_two(tasks[-2:])
    for family in FAMILIES:
        yield f"{family.__name__}, short", family(SHORT)
        for count in (2, 5):
            yield f"{family.__name__}, {count} long", family(LONG[-count:])


DIAGRAMS = dict(_all())
