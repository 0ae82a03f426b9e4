"""Words of diagrams: how text is broken, and the alternative text, read back into relations."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise, product
from typing import Any

import pytest
from drawn_diagrams import DIAGRAMS, LONG, SHORT
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils import diagrams
from mtl_utils.diagrams.lettering import broken, spoken, width_of

KINDS = {"Arrows": "forward", "Dashed": "gradient", "A dashed": "reversed"}
Relation = tuple[str, str, str]


def _read(alt: str) -> set[Relation]:
    """Read relations off an alternative text: from, to, kind."""
    found: set[Relation] = set()
    sentences = re.findall(r"(Arrows lead|Dashed arrows|A dashed arrow)((?:“[^”]*”|[^.“])*)\.", alt)
    for begin, rest in sentences:
        kind = next(kind for start, kind in KINDS.items() if begin.startswith(start))
        for clause in re.findall(r"(?:“[^”]*”|[^;“])+", rest):
            stations: list[list[str]] = []
            for word in re.findall(r"“[^”]*”|\b(?:from|through|to)\b", clause):
                if word.startswith("“"):
                    stations[-1].append(word[1:-1])
                else:
                    stations.append([])
            for before, after in pairwise(stations):
                found |= {(*pair, kind) for pair in product(before, after)}
    return found


def _described(diagram: diagrams.Diagram) -> set[Relation]:
    labels = {box.name: spoken(box.label) for box in diagram.boxes}
    for frame in diagram.frames:
        labels[frame.name] = frame.caption or labels[frame.boxes[0]]
    return {(labels[a.start], labels[a.end], a.kind) for a in diagram.arrows}


@pytest.mark.parametrize("name", DIAGRAMS)
def test_the_words_tell_every_relation_and_no_other(name: str) -> None:
    assert _read(DIAGRAMS[name].alt) == _described(DIAGRAMS[name])


@pytest.mark.parametrize("name", DIAGRAMS)
def test_the_words_name_every_box_and_frame_without_markup(name: str) -> None:
    diagram = DIAGRAMS[name]
    named = Counter(re.findall("“([^”]*)”", diagram.alt))
    for label, count in Counter(spoken(box.label) for box in diagram.boxes).items():
        assert named[label] >= count, label
    for frame in diagram.frames:
        inside = [spoken(b.label) for b in diagram.boxes if b.name in frame.boxes]
        title = f"“{frame.caption}”" if frame.caption else "without a caption"
        told = re.search(f"A frame {title} holds ((?:“[^”]*”|[^.“])*)\\.", diagram.alt)
        assert told is not None
        assert frame.caption == "" or Counter(re.findall("“([^”]*)”", told[1])) == Counter(inside)
    assert not set(diagram.alt) & set("$\\{}^_\n") - set(
        "_" if "named_entity" in diagram.alt else ""
    )
    assert diagram.alt.endswith(".")


_NAMES = st.sampled_from("abcde")
_ARROWS = st.builds(
    diagrams.Arrow,
    _NAMES,
    st.sampled_from("fghij"),
    st.sampled_from(("forward", "gradient", "reversed")),
) | st.builds(lambda start, step: diagrams.Arrow(start, chr(ord(start) + step)), _NAMES, st.just(1))


@settings(max_examples=60, deadline=None)
@given(st.lists(_ARROWS, unique=True))
def test_any_arrows_are_told(arrows: list[diagrams.Arrow]) -> None:
    boxes = tuple(diagrams.Box(n, n, "layer", (i, 0)) for i, n in enumerate("abcdefghij"))
    back = tuple(diagrams.Arrow(a.end, a.start, a.kind) for a in arrows[::2])
    diagram = diagrams.Diagram("letters", boxes, (*arrows, *back), (1,))
    assert _read(diagram.alt) == _described(diagram)


def test_an_added_arrow_or_box_changes_the_words() -> None:
    diagram = diagrams.hard_sharing(SHORT)
    more = (*diagram.arrows, diagrams.Arrow("text", "head 0"))
    changed = diagrams.Diagram(diagram.subject, diagram.boxes, more, diagram.columns)
    assert _read(changed.alt) - _read(diagram.alt) == {("text x", "topic head", "forward")}
    lone = diagrams.Box("lone", "alone", "note", (9, 0))
    changed = diagrams.Diagram("a", (*diagram.boxes, lone), diagram.arrows, diagram.columns)
    assert "Beside them stands “alone”." in changed.alt


def test_words_of_hard_sharing_are_a_sentence_to_be_read_aloud() -> None:
    assert diagrams.hard_sharing(["topic", "entities"]).alt == (
        "Diagram of hard sharing between 2 tasks, topic and entities. Arrows lead from “text x” "
        "through “shared encoder θs” to “topic head” and “entities head”; from “topic head” to "
        "“L1”; from “entities head” to “L2”. Dashed arrows bring gradients back from “L1” to "
        "“topic head”; from “L2” to “entities head”; from “topic head” and “entities head” to "
        "“shared encoder θs”."
    )


def test_in_a_hierarchy_gradients_run_down_and_never_up() -> None:
    found = _read(diagrams.hierarchical_sharing(SHORT).alt)
    layers = ["embeddings h0", "layer 1", "layer 2", "layer 3"]
    for lower, upper in pairwise(layers):
        assert (lower, upper, "forward") in found
        assert (upper, lower, "gradient") in found
        assert (lower, upper, "gradient") not in found
    for layer, task in zip(layers[1:], SHORT, strict=True):
        assert {end for start, end, _ in found if start == f"{task} head"} >= {layer}
    read = _read(diagrams.hierarchical_sharing(SHORT, shortcuts=True).alt)
    assert {end for start, end, _ in read if start == layers[0]} == set(layers[1:])


def test_of_three_tasks_the_language_model_alone_reads_nothing_of_the_encoder() -> None:
    arrows = {(a.start, a.end) for a in diagrams.bilstm_framework().arrows}
    reached = {"h"}
    while more := {end for start, end in arrows if start in reached} - reached:
        reached |= more
    assert {name for name in reached if name == "tagger" or name.startswith("head")} == {
        "tagger",
        "head 1",
    }
    for task, read in ((1, {"s 1", "c", "p 1"}), (2, {"s 2", "p 2"})):
        assert {start for start, end in arrows if end == f"d {task}"} == read


def test_a_balancer_reads_every_loss_and_sends_back_one_gradient() -> None:
    drawn = diagrams.loss_balancing(SHORT)
    arrows = {(a.start, a.end, a.kind) for a in drawn.arrows}
    readers = {start for start, end, _ in arrows if end == "balancer"}
    assert readers == {f"loss {number}" for number in range(len(SHORT))}
    assert [a for a in arrows if a[1] == "shared"] == [("gradient", "shared", "gradient")]
    assert {end for start, end, _ in arrows if start == "balancer"} == {"total"}


@pytest.mark.parametrize("draw", [diagrams.cross_stitch, diagrams.sluice_network])
def test_mixtures_read_both_encoders_and_are_read_by_both(draw: Any) -> None:
    arrows = {(a.start, a.end) for a in draw(["topic", "entities"]).arrows}
    for task in (0, 1):
        for place in (1, 2):
            assert (f"layer {place} {task}", f"stitch {place}") in arrows
        assert ("stitch 1", f"layer 2 {task}") in arrows
    sluice = draw is diagrams.sluice_network
    reader = "mixture" if sluice else "head"
    for task in (0, 1):
        assert ("stitch 2", f"{reader} {task}") in arrows
        assert (("stitch 1", f"{reader} {task}") in arrows) is sluice  # of all layers, or the last


def test_each_task_has_its_own_gate_over_all_experts() -> None:
    arrows = {(a.start, a.end) for a in diagrams.mixture_of_experts(["topic", "entities"]).arrows}
    for task in (0, 1):
        read = {start for start, end in arrows if end == f"mixture {task}"}
        assert read == {"experts", f"gate {task}"}


def test_no_gate_of_a_task_sees_experts_of_the_other() -> None:
    arrows = {(a.start, a.end) for a in diagrams.layered_extraction(["topic", "entities"]).arrows}
    names = {end for _, end in arrows}
    for level in (1, 2):
        for task in "12":
            read = {start for start, end in arrows if end == f"mixture {task} {level}"}
            assert read == {f"expert {task} {level}", f"expert s {level}"}
    of_all = {start for start, end in arrows if end == "mixture s 1"}
    assert of_all == {"expert 1 1", "expert s 1", "expert 2 1"}
    assert "mixture s 2" not in names  # at the last level nothing reads it
    assert {start for start, end in arrows if end == "expert s 2"} == {"mixture s 1"}


def test_what_is_added_for_a_task_goes_into_its_own_sum() -> None:
    adapters = {(a.start, a.end) for a in diagrams.task_adapters(["topic", "entities"]).arrows}
    factors = {(a.start, a.end) for a in diagrams.low_rank_additions(["topic", "entities"]).arrows}
    for task in (0, 1):
        assert {s for s, end in adapters if end == f"sum {task}"} == {f"up {task}", f"kept {task}"}
        assert {s for s, end in factors if end == f"sum {task}"} == {f"outer {task}", "matrix"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (r"penalty $\Omega = \lambda\, \Vert\theta_k - \bar\theta\Vert^2$", None),
        ("loss\nof $L_{12}$", "loss of L12"),
        ("● ○ ● ○ given", "2 of 4 labels given"),
        (r"a price in \$ and \$", "a price in $ and $"),
        ("part_of_speech", "part_of_speech"),
        (r"$\nabla_{\theta_s} L$", "∇θs L"),
        (r"$\phi$, then up", "φ, then up"),
    ],
)
def test_mathematics_is_spoken(written: str, said: str | None) -> None:
    assert spoken(written) == (said or "penalty Ω = λ ‖θk - their mean‖²")


def test_a_name_with_dollars_is_no_mathematics() -> None:
    diagram = diagrams.hard_sharing(["$x^2$", "a_b"])
    assert "“$x^2$ head”" in diagram.alt
    texts = [text.get_text() for text in diagram.draw().axes[0].texts]
    assert r"\$x^2\$ head" in texts


@settings(max_examples=60, deadline=None)
@given(st.text("ab -_/é", min_size=1).filter(str.strip), st.floats(40, 200))
def test_lines_are_narrow_enough_and_lose_nothing(text: str, width: float) -> None:
    text = " ".join(text.split())
    lines = broken(text, width)
    assert all(width_of(line) <= width for line in lines)
    assert "".join("".join(lines).split()).replace("-", "") == text.replace(" ", "").replace(
        "-", ""
    )


@pytest.mark.parametrize("text", ["topic head", "a b c", *LONG])
def test_text_that_fits_is_one_line(text: str) -> None:
    assert broken(text, width_of(text) + 1) == (text,)


def test_lines_are_balanced_and_break_where_words_do() -> None:
    assert broken("one gradient for all the tasks", 130) == ("one gradient", "for all the tasks")
    assert broken("named_entity_recognition", 100) == ("named_entity_", "recognition")
    assert broken("a\nb", 500) == ("a", "b")
    whole = r"$\Sigma_k\, \lambda_k L_k$"
    assert broken(f"total {whole}", 60) == ("total", whole)


def test_the_gradient_of_the_giver_alone_makes_the_step_that_the_receiver_judges() -> None:
    found = _read(diagrams.lookahead_affinity(["topic", "entities"]).alt)
    assert {start for start, _, kind in found if kind == "gradient"} == {
        "L1",
        "topic head",
        "shared part θs",
    }
    after = "θs - η g1: after one step"
    assert ("shared part θs", after, "gradient") in found
    assert {end for start, end, _ in found if start == after} == {"entities head again"}


def test_a_trellis_holds_what_enumeration_finds() -> None:
    emissions, steps = [[2, 1], [0, 1], [2, 0]], [[1, -1], [-1, 1]]
    diagram = diagrams.trellis(["Bank", "of", "America"], ["I", "O"], emissions, steps)
    labels = {box.name: spoken(box.label) for box in diagram.boxes}
    for place, end in product(range(3), range(2)):
        scores = {
            path: sum(emissions[t][j] for t, j in enumerate(path))
            + sum(steps[i][j] for i, j in pairwise(path))
            for path in product(range(2), repeat=place + 1)
            if path[-1] == end
        }
        best = max(scores, key=lambda path: scores[path])
        total = math.log(sum(map(math.exp, scores.values())))
        came = f" from {'IO'[best[-2]]}" if place else ""
        wanted = f"{'IO'[end]}: {emissions[place][end]} best {scores[best]}{came} sum {total:.2f}"
        assert labels[f"{place} {end}"] == wanted
    coloured = {box.name for box in diagram.boxes if box.role == 0}
    assert coloured == {"0 0", "1 0", "2 0"}
    assert {(a.start, a.end) for a in diagram.arrows if a.role == 0} == {
        ("0 0", "1 0"),
        ("1 0", "2 0"),
    }
