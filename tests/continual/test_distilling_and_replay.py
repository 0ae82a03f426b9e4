"""Old heads as teachers, old rows read again, and the numbers that say what was forgotten."""

from __future__ import annotations

import copy
import math
from collections import Counter

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import EVENT, NAMES, ROWS, TOPIC, config, fitted, hard, made

from mtl_utils import continual
from mtl_utils.continual import Distilled, Reservoir, penalised, replayed, softened_divergence
from mtl_utils.tasks import Tagging

numbers = st.lists(st.floats(-4, 4), min_size=3, max_size=3)


@given(st.lists(numbers, min_size=1, max_size=4), st.floats(0.5, 5.0), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_it_is_the_cross_entropy_of_li_and_hoiem_less_the_entropy_of_the_targets(
    rows: list[list[float]], temperature: float, seed: int
) -> None:
    teacher = torch.tensor(rows, dtype=torch.float64)
    student = torch.randn(teacher.shape, generator=torch.Generator().manual_seed(seed)).double()
    # As they write it: probabilities to the power 1/T, normalised again.
    q, p = (z.softmax(-1) ** (1 / temperature) for z in (teacher, student))
    q, p = q / q.sum(-1, keepdim=True), p / p.sum(-1, keepdim=True)
    cross, entropy = -(q * p.log()).sum(-1), -(q * q.log()).sum(-1)
    found = softened_divergence(student, teacher, temperature)
    assert float(found) == pytest.approx(float((cross - entropy).mean()), abs=1e-9)
    assert float(softened_divergence(teacher, teacher, temperature)) == pytest.approx(0.0, abs=1e-9)


def test_only_what_counts_counts() -> None:
    logits = torch.tensor([[[1.0, 0.0], [9.0, 0.0]]])
    targets = torch.tensor([[[0.0, 0.0], [0.0, 0.0]]])
    counted = torch.tensor([[True, False]])
    p = math.exp(0.5) / (math.exp(0.5) + 1)
    expected = -0.5 * math.log(2 * p) - 0.5 * math.log(2 * (1 - p))
    assert float(softened_divergence(logits, targets, 2.0, counted)) == pytest.approx(expected)
    assert float(softened_divergence(logits, targets, 2.0, ~counted & False)) == 0.0


@pytest.mark.parametrize("family", ["hard", "adapters"])
def test_the_term_compares_old_heads_on_new_rows(family: str) -> None:
    model = made(family)
    term = continual.taught_by(model, temperature=3.0, strength=0.5)
    model.add_task(EVENT)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    batch = next(iter(model.loader({"event": ROWS["event"]}, batch_size=5, shuffle=False)))
    found = term(model.train(), batch, model(batch))
    expected = torch.zeros(())
    for task in ("topic", "names"):
        sides = []
        for one in (model, term.teacher):
            hidden = one.sharing(batch, [task]).hidden[task]
            sides.append((one.head(task)(hidden, batch) / 3.0).softmax(-1))
        p, q = sides
        rows = (q * (q / p).log()).sum(-1)
        kept = batch.inputs.mask if rows.dim() == 2 else torch.ones_like(rows).bool()
        expected = expected + 0.5 * rows[kept].mean()
    torch.testing.assert_close(found, expected)
    assert found.requires_grad
    assert not any(p.requires_grad for p in term.teacher.parameters())


def test_old_tasks_that_have_labels_are_left_to_their_losses() -> None:
    model = hard(TOPIC, EVENT)
    term = continual.taught_by(model)
    with torch.no_grad():
        model.head("topic").output.weight.add_(1.0)  # type: ignore[operator, union-attr]
    batch = next(iter(model.loader({"topic": ROWS["topic"]}, batch_size=5)))
    assert float(term(model, batch, model(batch)).detach()) == 0.0  # that of events is as it was


def test_a_training_with_a_teacher_forgets_less_of_what_it_said() -> None:
    old = fitted(hard(TOPIC), "topic", epochs=6)

    def far(strength: float) -> float:
        model = copy.deepcopy(old)
        term = continual.taught_by(model, strength=strength)
        model.add_task(EVENT)
        torch.manual_seed(0)
        with penalised(model, term):
            model.fit({"event": ROWS["event"]}, config=config(epochs=8), progress=False)
        said = [row["topic"] for row in model.predict(texts, ["topic"], probabilities=True)]
        return sum(abs(a["x"] - b["topic"]["x"]) for a, b in zip(said, before, strict=True))

    texts = [row["text"] for row in ROWS["event"]]
    before = old.predict(texts, ["topic"], probabilities=True)
    assert far(20.0) < 0.5 * far(0.0)


def test_heads_without_a_softmax_teach_nothing() -> None:
    crf = Tagging("names", NAMES.labels, crf=True)
    with pytest.raises(TypeError, match="needs a head with a softmax"):
        Distilled(hard(crf))
    both = continual.taught_by(hard(TOPIC, crf))
    model = hard(TOPIC, crf)
    assert both._tasks(model) == ["topic"]


# --- replay ---------------------------------------------------------------------------------------


def test_every_row_is_kept_equally_often() -> None:
    times: Counter[int] = Counter()
    draws, capacity, rows = 3000, 3, 12
    for seed in range(draws):
        reservoir: Reservoir[int] = Reservoir(capacity, seed)
        reservoir.add(range(5))
        reservoir.add(range(5, rows))
        assert len(reservoir) == len(set(reservoir.rows)) == capacity
        times.update(reservoir.rows)
    expected = draws * capacity / rows
    chi_squared = sum((times[row] - expected) ** 2 / expected for row in range(rows))
    # Each row is in with probability 1/4, rows of a draw are negatively correlated; 11 degrees of
    # freedom have 31.3 as the quantile of one in a thousand, and these seeds are fixed.
    assert chi_squared / (1 - capacity / rows) < 31.3
    assert reservoir.seen == rows


@given(st.integers(1, 6), st.integers(0, 9), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_it_never_holds_more_nor_others(capacity: int, rows: int, seed: int) -> None:
    reservoir: Reservoir[int] = Reservoir(capacity, seed)
    reservoir.add(range(rows))
    assert len(reservoir) == min(capacity, rows)
    assert set(reservoir.rows) <= set(range(rows))


def test_old_rows_stand_beside_each_batch_of_new_ones() -> None:
    model = hard(TOPIC, NAMES, EVENT)
    reservoir: Reservoir = Reservoir(3)
    reservoir.add(model.examples(ROWS["topic"], ["topic"]))
    reservoir.add(model.examples(ROWS["names"], ["names"]))
    new = model.loader({"event": ROWS["event"]}, batch_size=1)
    loader = replayed(new, reservoir.rows, batch_size=2, pad_id=model.tokenizer.pad_id)
    assert loader.num_batches == new.num_batches == 5
    steps = list(loader.batches())
    assert all("event" in step and len(step["event"]) == 1 for step in steps)
    old = {id(step[task]): step[task] for step in steps for task in step if task != "event"}
    assert {len(batch) for batch in old.values()} <= {1, 2}
    assert {task for step in steps for task in step} > {"event"}
    assert all(len(step) > 1 for step in steps)
    model.fit(loader, config=config(), progress=False)


# --- what is forgotten ----------------------------------------------------------------------------

SCORES = pd.DataFrame(
    [[0.8, 0.3, 0.2], [0.9, 0.7, 0.4], [0.5, 0.6, 0.9]], ["a", "b", "c"], ["a", "b", "c"]
)


def test_the_numbers_by_hand() -> None:
    assert continual.average_score(SCORES) == pytest.approx((0.5 + 0.6 + 0.9) / 3)
    assert continual.backward_transfer(SCORES) == pytest.approx((-0.3 - 0.1) / 2)
    untrained = {"b": 0.25, "c": 0.3, "a": 9.0}
    assert continual.forward_transfer(SCORES, untrained) == pytest.approx((0.05 + 0.1) / 2)
    assert continual.forgetting(SCORES) == pytest.approx((0.4 + 0.1) / 2)  # a was best after b
    alone = {"a": 0.8, "b": 0.75, "c": 0.8}
    assert continual.intransigence(SCORES, alone) == pytest.approx((0.0 + 0.05 - 0.1) / 3)


@given(st.lists(st.floats(0, 1), min_size=9, max_size=9), st.floats(-0.5, 0.5))
@settings(max_examples=30, deadline=None)
def test_how_they_move_together(values: list[float], shift: float) -> None:
    table = pd.DataFrame([values[:3], values[3:6], values[6:]], list("abc"), list("abc"))
    assert continual.forgetting(table) >= -continual.backward_transfer(table) - 1e-12
    moved = table + shift
    for measure in (continual.backward_transfer, continual.forgetting):
        assert measure(moved) == pytest.approx(measure(table), abs=1e-9)
    assert continual.average_score(moved) == pytest.approx(
        continual.average_score(table) + shift, abs=1e-9
    )


def test_missing_numbers_matter_only_where_they_count() -> None:
    gaps = SCORES.copy()
    gaps.loc["a", "b"] = gaps.loc["a", "c"] = gaps.loc["b", "c"] = float("nan")
    assert continual.forgetting(gaps) == pytest.approx(continual.forgetting(SCORES))
    assert continual.backward_transfer(gaps) == pytest.approx(-0.2)
    with pytest.raises(ValueError, match="a number wherever one is needed"):
        continual.forward_transfer(gaps, {"b": 0.0, "c": 0.0})
    with pytest.raises(ValueError, match="2 tasks at least"):
        continual.forgetting(SCORES.loc[["a"], ["a"]])
    with pytest.raises(KeyError, match="must have a score of 'c'"):
        continual.forward_transfer(SCORES, {"b": 0.0})
