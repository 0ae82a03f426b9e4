"""Merged weights by hand, weight by weight and by peft; and which models are refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft.utils import merge_utils
from small_models import (
    EVENT,
    GROWING,
    NAMES,
    PIECES,
    ROWS,
    TEXTS,
    TOPIC,
    encoder,
    fitted,
    hard,
    made,
    part_for,
)

from mtl_utils.continual import (
    TIES,
    Average,
    TaskArithmetic,
    disjoint_mean,
    elected_signs,
    merge_models,
    task_vector,
    trimmed,
)
from mtl_utils.data import BytePairTokenizer
from mtl_utils.models import TextModel
from mtl_utils.sharing import HardSharing, TaskAdapters

# Two changes of five weights: what is small goes, signs are elected, the rest is averaged.
CHANGES = torch.tensor([[3.0, -0.1, 2.0, -1.0, 0.2], [1.0, 4.0, -3.0, 0.1, -0.2]])


def test_ties_by_hand() -> None:
    left = trimmed(CHANGES, 0.6)  # three of five stay
    assert left.tolist() == [[3.0, 0.0, 2.0, -1.0, 0.0], [1.0, 4.0, -3.0, 0.0, 0.0]]
    signs = elected_signs(left)
    assert signs.tolist() == [1.0, 1.0, -1.0, -1.0, 0.0]
    assert disjoint_mean(left, signs).tolist() == [2.0, 4.0, -3.0, -1.0, 0.0]
    assert TIES(0.6, 0.5).combine(CHANGES).tolist() == [1.0, 2.0, -1.5, -0.5, 0.0]
    assert TaskArithmetic(0.5).combine(CHANGES)[0] == 2.0
    assert Average().combine(CHANGES)[2] == -0.5


def one_by_one(vectors: list[list[float]], keep: float) -> list[float]:
    """TIES weight by weight, in plain Python."""
    count = max(1, int(keep * len(vectors[0])))
    left = []
    for vector in vectors:
        least = sorted(map(abs, vector), reverse=True)[count - 1]
        left.append([v if abs(v) >= least else 0.0 for v in vector])
    merged = []
    for column in zip(*left, strict=True):
        total = sum(column)
        agreeing = [v for v in column if v * total > 0]
        merged.append(sum(agreeing) / len(agreeing) if agreeing else 0.0)
    return merged


lists = st.lists(
    st.lists(st.integers(-50, 50).map(float), min_size=6, max_size=6), min_size=1, max_size=4
)


@given(lists, st.floats(0.05, 1.0))
@settings(max_examples=60, deadline=None)
def test_ties_weight_by_weight(vectors: list[list[float]], keep: float) -> None:
    found = TIES(keep).combine(torch.tensor(vectors, dtype=torch.float64))
    assert found.tolist() == pytest.approx(one_by_one(vectors, keep), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_peft_merges_to_the_same(seed: int) -> None:
    vectors = torch.randn(3, 50, generator=torch.Generator().manual_seed(seed))
    ones = torch.ones(3)
    theirs = merge_utils.ties(list(vectors), ones, density=0.4)
    torch.testing.assert_close(TIES(0.4).combine(vectors), theirs)
    theirs = merge_utils.task_arithmetic(list(vectors), 0.3 * ones)
    torch.testing.assert_close(TaskArithmetic(0.3).combine(vectors), theirs)


@given(lists)
@settings(max_examples=30, deadline=None)
def test_what_holds_for_all_of_them(vectors: list[list[float]]) -> None:
    given_vectors = torch.tensor(vectors, dtype=torch.float64)
    average = Average().combine(given_vectors)
    torch.testing.assert_close(TaskArithmetic(1 / len(vectors)).combine(given_vectors), average)
    for how in (Average(), TaskArithmetic(0.3), TIES(0.5)):
        found = how.combine(given_vectors)
        torch.testing.assert_close(how.combine(given_vectors.flip(0)), found)
        torch.testing.assert_close(how.combine(2 * given_vectors), 2 * found)
    alike = given_vectors[:1].expand(3, -1)
    torch.testing.assert_close(TIES(1.0).combine(alike), alike[0])


# --- whole models ---------------------------------------------------------------------------------


def tuned(family: str = "hard") -> tuple[TextModel, TextModel, TextModel]:
    """A model, and two copies that were fine-tuned on a task each."""
    base = fitted(made(family), "topic", "names", epochs=1)
    pair = []
    for task in ("topic", "names"):
        pair.append(fitted(copy.deepcopy(base), task, epochs=1))
    return base, pair[0], pair[1]


def states(model: TextModel) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.shared_weights().items()}


@pytest.mark.parametrize("family", ["hard", "adapters", "branched"])
def test_shared_weights_are_merged_and_the_rest_is_kept_by_task(
    family: str, tmp_path: Path
) -> None:
    base, topic, names = tuned(family)
    merged = merge_models({"topic": topic, "names": names}, base, TaskArithmetic(0.4))
    origin, first, second = map(states, (base, topic, names))
    for name, weight in merged.shared_weights().items():
        moved = (first[name] - origin[name]) + (second[name] - origin[name])
        torch.testing.assert_close(weight, origin[name] + 0.4 * moved, atol=1e-6, rtol=1e-6)
    for task, owner in (("topic", topic), ("names", names)):
        pairs = zip(merged.task_parameters(task), owner.task_parameters(task), strict=True)
        assert all(torch.equal(*pair) for pair in pairs)
    average = merge_models({"topic": topic, "names": names})
    for name, weight in average.shared_weights().items():
        torch.testing.assert_close(weight, (first[name] + second[name]) / 2)
    merged.save(tmp_path)
    found = TextModel.load(tmp_path)
    assert found.predict(TEXTS[:2], probabilities=True) == merged.predict(
        TEXTS[:2], probabilities=True
    )
    assert found.starts == merged.starts


def test_a_model_merged_with_itself_is_itself_and_the_given_ones_stay() -> None:
    _, topic, _ = tuned()
    before = copy.deepcopy(topic.state_dict())
    merged = merge_models({"topic": topic, "names": topic})
    assert list(merged.tasks) == ["topic", "names"]
    for name, weight in merged.shared_weights().items():
        assert torch.equal(weight, states(topic)[name])
    assert all(torch.equal(value, before[name]) for name, value in topic.state_dict().items())


@pytest.mark.parametrize("family", GROWING)
def test_tasks_that_only_some_have_come_with_their_parts(family: str) -> None:
    base = fitted(made(family), "topic", "names", epochs=1)
    other = copy.deepcopy(base)
    other.add_task(EVENT, part_for(family, other))
    other.remove_task("names")
    fitted(other, "event", epochs=1)
    if not base.shared_weights():
        with pytest.raises(ValueError, match="share no weights"):
            merge_models({"event": other, "names": base})
        return
    if family == "hierarchical":  # the upper layer is that of one task in each, and would be shared
        with pytest.raises(ValueError, match="shares other weights than base does"):
            merge_models({"event": other, "names": base}, base, TaskArithmetic(1.0))
        return
    merged = merge_models({"event": other, "names": base}, base, TaskArithmetic(1.0))
    assert list(merged.tasks) == ["event", "names"]
    rows = {"event": ROWS["event"]}
    assert merged.evaluate(rows).keys() == other.evaluate(rows).keys()
    if family == "hard":  # nothing else moved its encoder, and its head came along
        texts = TEXTS[:2]
        first, second = (m.predict(texts, ["event"], probabilities=True) for m in (merged, other))
        for one, two in zip(first, second, strict=True):
            assert one["event"] == pytest.approx(two["event"], abs=1e-5)


def test_task_vectors_add_up() -> None:
    base, topic, _ = tuned()
    vector = task_vector(topic, base)
    origin = states(base)
    for name, weight in topic.shared_weights().items():
        torch.testing.assert_close(origin[name] + vector[name], weight.detach())


def test_other_starting_weights_are_refused() -> None:
    base, topic, _ = tuned()
    stranger = fitted(hard(seed=1), "names", epochs=1)
    with pytest.raises(ValueError, match=r"'names'.*starting weights differ"):
        merge_models({"topic": topic, "names": stranger})
    with pytest.raises(ValueError, match="starting weights differ from those of base"):
        merge_models({"topic": topic, "names": stranger}, base, TIES())
    with pytest.raises(ValueError, match="no record of the weights"):
        merge_models({"topic": topic, "names": hard(seed=1)})
    assert merge_models({"topic": topic, "names": base}, base, TIES())  # a model that did not move


def test_a_start_is_kept_with_the_model(tmp_path: Path) -> None:
    base = hard()
    base.save(tmp_path / "base")
    pair = {}
    for task in ("topic", "names"):
        model = fitted(TextModel.load(tmp_path / "base"), task, epochs=1)
        fitted(model, task, epochs=1)  # a second training begins elsewhere, and the first counts
        model.save(tmp_path / task)
        pair[task] = TextModel.load(tmp_path / task)
        assert pair[task].starts == model.starts
        assert len(model.starts) == 2
    assert (
        merge_models(pair, TextModel.load(tmp_path / "base"), TIES()).starts[0]
        == base.shared_digest()
    )


def test_a_loop_of_ones_own_says_where_it_begins() -> None:
    base = hard()
    model = copy.deepcopy(base)
    model.note_start()
    model.note_start()
    with torch.no_grad():
        next(iter(model.shared_weights().values())).add_(1.0)
    assert model.starts == (base.shared_digest(),)
    assert merge_models({"topic": model, "names": model}, base, TaskArithmetic())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width": 8}, "architectures differ, shared parameters"),
        ({"num_heads": 1}, "architectures differ, settings.*num_heads"),
        ({"num_layers": 1}, "architectures differ, shared parameters: only one has"),
    ],
)
def test_other_architectures_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        merge_models({"topic": hard(), "names": hard(**changed)})
    adapted = TextModel(TaskAdapters(encoder(), ["names"], 3), [NAMES], PIECES)
    with pytest.raises(ValueError, match="way of sharing: 'HardSharing' and 'TaskAdapters'"):
        merge_models({"topic": hard(), "names": adapted})


def test_dropout_is_no_architecture() -> None:
    base = hard()
    other = fitted(hard(dropout=0.3), "names", epochs=1)  # the same weights, by the same seed
    assert merge_models({"topic": base, "names": other}, base, TIES())


def test_other_tokenizers_are_refused() -> None:
    pieces = BytePairTokenizer.train(["no tea", "tea no more", "no tea no more"], PIECES.vocab_size)
    assert pieces.vocab_size == PIECES.vocab_size
    base = hard()
    torch.manual_seed(0)
    other = TextModel(HardSharing(encoder()), (TOPIC, NAMES), pieces)
    assert other.shared_digest() == base.shared_digest()
    with pytest.raises(ValueError, match="their tokenizers differ, with 266 and 266 pieces"):
        merge_models({"topic": base, "names": other}, base)


def test_what_is_missing_is_named() -> None:
    _, topic, names = tuned()
    with pytest.raises(ValueError, match="needs the base that they began with"):
        merge_models({"topic": topic, "names": names}, how=TIES())
    with pytest.raises(KeyError, match="and not that one"):
        merge_models({"event": topic})
