"""Every way of sharing on every encoder is saved, read again, and resumed."""

import functools

import pytest
import torch
from tiny_families import FAMILIES
from tiny_sharing import ALL, TASKS, all_encoders, batch_of

from mtl_utils.models import MultiTaskModel
from mtl_utils.tasks import Tagging
from mtl_utils.training import Trainer, TrainerConfig

families = pytest.mark.parametrize("family", FAMILIES)


def make(family, encoder, seed=0):
    @functools.wraps(encoder)
    def dropping():
        return encoder(dropout=0.3).float()

    torch.manual_seed(seed)
    sharing = FAMILIES[family](dropping)
    return MultiTaskModel(sharing, [Tagging(task, ("a", "b", "c")) for task in TASKS])


class Batches:
    """The same three batches in every epoch."""

    num_batches = 3
    interrupted = False

    def batches(self, epoch, start=0, rank=0, world_size=1):
        if epoch and self.interrupted:
            raise KeyboardInterrupt
        yield from [batch_of(ALL, seed) for seed in range(3)][start:]

    def digest(self):
        return "three batches"


def trained(model, path, epochs):
    config = TrainerConfig(epochs=epochs, learning_rate=0.01, schedule="constant")
    Trainer(model, config, checkpoint=path, progress=False).fit(Batches())
    return model


@families
@all_encoders
def test_what_is_read_is_what_was_saved(family, encoder, tmp_path):
    model = make(family, encoder)
    with torch.no_grad():  # additions that begin at 0 say something too
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save(tmp_path)
    found, batch = MultiTaskModel.load(tmp_path), batch_of()
    assert type(found.sharing) is type(model.sharing)
    model.eval()
    expected, losses = model(batch), found(batch)
    assert all(torch.equal(losses.by_task[task], expected.by_task[task]) for task in TASKS)
    assert torch.equal(losses.penalty, expected.penalty)
    for task in TASKS:
        pairs = (one.sharing.task_parameters(task) for one in (model, found))
        assert all(torch.equal(*pair) for pair in zip(*pairs, strict=True))


@families
@all_encoders
def test_an_interrupted_run_ends_as_one_that_was_not(family, encoder, tmp_path, monkeypatch):
    expected = trained(make(family, encoder), tmp_path / "whole.pt", 2).state_dict()
    monkeypatch.setattr(Batches, "interrupted", True)
    with pytest.raises(KeyboardInterrupt):
        trained(make(family, encoder), tmp_path / "run.pt", 2)
    monkeypatch.undo()
    model = make(family, encoder)
    first = {name: value.clone() for name, value in model.state_dict().items()}
    found = trained(model, tmp_path / "run.pt", 2).state_dict()
    assert any(not torch.equal(value, first[name]) for name, value in found.items())
    assert all(torch.equal(found[name], value) for name, value in expected.items())
