"""A task more or less: old outputs stay to the last bit, and nothing of a removed one is stored."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import (
    EVENT,
    GROWING,
    NAMES,
    PIECES,
    TEXTS,
    TOPIC,
    encoder,
    fitted,
    hard,
    made,
    part_for,
)

from mtl_utils import models
from mtl_utils.models import BiLSTMFramework, MultiTaskModel, TextModel
from mtl_utils.sharing import CrossStitch, TaskAdapters, TaskLoRA

families = pytest.mark.parametrize("family", GROWING)


def logits(model: TextModel, task: str) -> torch.Tensor:
    rows = [{"text": text, "label": "x"} for text in TEXTS]
    reader = hard(TOPIC)
    batch = next(iter(reader.loader(rows, shuffle=False)))
    with torch.no_grad():
        hidden = model.sharing(batch, [task]).hidden[task]
        return model.head(task)(hidden, batch)


@families
def test_what_was_said_before_is_said_after_to_the_last_bit(family: str, tmp_path: Path) -> None:
    model = fitted(made(family), "topic", "names")
    before = {task: logits(model, task) for task in ("topic", "names")}
    model.add_task(EVENT, part_for(family, model))
    for task, expected in before.items():
        assert torch.equal(logits(model, task), expected)
    assert logits(model, "event").shape == (len(TEXTS), 3)
    model.save(tmp_path)
    found = TextModel.load(tmp_path)
    assert list(found.tasks) == ["topic", "names", "event"]
    for task in found.tasks:
        assert torch.equal(logits(found, task), logits(model, task))
    fitted(model, "event")  # its parts are trained, wherever they are
    assert not torch.equal(logits(model, "event"), logits(found, "event"))


@families
def test_only_new_parts_move_where_the_rest_is_frozen(family: str) -> None:
    model = fitted(made(family), "topic", "names")
    model.requires_grad_(False)
    before = {task: logits(model, task) for task in ("topic", "names")}
    model.add_task(EVENT, part_for(family, model))
    new = model.task_parameters("event")
    moving = [p for p in model.parameters() if p.requires_grad]
    assert {id(p) for p in moving} <= {id(p) for p in new}
    fitted(model, "event")
    for task, expected in before.items():
        assert torch.equal(logits(model, task), expected)


@families
def test_a_removed_task_leaves_no_part_and_no_label(family: str, tmp_path: Path) -> None:
    model = made(family)
    model.add_task(EVENT, part_for(family, model))
    fitted(model, "topic", "names", "event")
    before = {task: logits(model, task) for task in ("topic", "names")}
    own = {id(p) for p in model.task_parameters("event")}
    size = sum(p.numel() for p in model.parameters())
    lost = sum(p.numel() for p in model.parameters() if id(p) in own)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.remove_task("event")
    assert lost
    assert sum(p.numel() for p in model.parameters()) == size - lost
    for task, expected in before.items():
        assert torch.equal(logits(model, task), expected)
    model.save(tmp_path, data={"topic": "five texts"})
    for name in ("model.json", "README.md"):
        text = (tmp_path / name).read_text()
        assert "event" not in text
        assert not any(label in text for label in EVENT.labels)
    found = TextModel.load(tmp_path)
    assert list(found.tasks) == ["topic", "names"]
    assert all(torch.equal(logits(found, task), before[task]) for task in before)


def test_the_vocabulary_stays_and_the_card_lists_what_is_left(tmp_path: Path) -> None:
    model = hard(TOPIC, EVENT)
    model.remove_task("event")
    model.save(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert "1 task over" in card
    assert "| topic |" in card
    assert TextModel.load(tmp_path).tokenizer.vocab_size == PIECES.vocab_size


def test_modes_and_frozen_parts_stay_as_they_were() -> None:
    frozen_one = encoder()
    frozen_one.freeze()
    model = TextModel(TaskAdapters(frozen_one, ["topic"], 3), [TOPIC], PIECES).train()
    model.sharing.layers[1].requires_grad_(False)
    frozen = {n for n, p in model.sharing.named_parameters() if not p.requires_grad}
    modes = {name: part.training for name, part in model.sharing.named_modules()}
    model.add_task(EVENT)
    assert frozen
    assert frozen <= {n for n, p in model.sharing.named_parameters() if not p.requires_grad}
    now = {name: part.training for name, part in model.sharing.named_modules()}
    assert {name: now[name] for name in modes} == modes


def test_an_encoder_that_is_not_copied_stays_the_same_object() -> None:
    kept = encoder()
    model = TextModel(TaskLoRA(kept, ["topic"], 2), [TOPIC], PIECES)
    sharing = model.sharing
    model.add_task(EVENT)
    assert model.sharing is sharing
    assert model.sharing.encoder is kept


def test_new_parts_have_the_precision_of_the_others() -> None:
    model = TextModel(TaskAdapters(encoder(), ["topic"], 3), [TOPIC], PIECES).double()
    model.add_task(EVENT)
    assert {p.dtype for p in model.parameters()} == {torch.float64}


def test_taking_away_draws_nothing() -> None:
    model = TextModel(TaskAdapters(encoder(), ["topic", "event"], 3), [TOPIC, EVENT], PIECES)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    model.remove_task("event")
    assert torch.equal(torch.rand(4), expected)


def test_a_task_that_is_refused_leaves_no_parts() -> None:
    class Headless:
        name, causal = "headless", False

        def head(self, width: int) -> Any:
            raise ValueError("no head")

        def metrics(self, predictions: Any, references: Any) -> dict[str, float]:
            return {}

    model = MultiTaskModel(TaskAdapters(encoder(), ["topic"], 3), [TOPIC])
    size = sum(p.numel() for p in model.parameters())
    with pytest.raises(ValueError, match="no head"):
        model.add_task(Headless())
    assert model.sharing.task_names == ["topic"]
    assert sum(p.numel() for p in model.parameters()) == size


def test_parts_that_are_needed_or_not_used_are_named() -> None:
    with pytest.raises(KeyError, match="branches for each; give add_task what 'event'"):
        made("branched").add_task(EVENT)
    with pytest.raises(ValueError, match="leave part out"):
        made("adapters").add_task(EVENT, encoder())
    with pytest.raises(ValueError, match="leave part out"):
        made("hard").add_task(EVENT, encoder())


def test_a_way_of_sharing_that_mixes_tasks_says_so() -> None:
    def stitched() -> TextModel:
        encoders = {name: encoder() for name in ("topic", "names")}
        return TextModel(CrossStitch(encoders), [TOPIC, NAMES], PIECES)

    with pytest.raises(ValueError, match="is of all tasks together"):
        stitched().add_task(EVENT, encoder())
    model = stitched()
    with pytest.warns(UserWarning, match="Parts of 'names' stay in the model"):
        model.remove_task("names")
    assert list(model.tasks) == ["topic"]
    assert model.sharing.task_names == ["topic", "names"]


def test_a_model_that_makes_its_sharing_itself_is_read_as_it_was(tmp_path: Path) -> None:
    model = BiLSTMFramework(PIECES, ("O", "B-A", "I-A"), width=8, max_length=5)
    model.add_task(TOPIC)
    model.remove_task("language")
    model.save(tmp_path)
    assert list(models.load(tmp_path).tasks) == list(model.tasks)
