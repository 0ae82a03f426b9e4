"""Task embeddings: the mean squared gradient of single texts."""

import copy

import pytest
import torch
from tiny_relations import Given, batch_of, model_of

from mtl_utils.data import Batch
from mtl_utils.relations import cosines, task_embeddings


def by_backward(model, batches, task):
    """Square the gradient of each text, one plain backward pass after the other."""
    twin, total, count = copy.deepcopy(model).eval(), 0.0, 0
    for batch in batches:
        for row in range(len(batch)):
            if (batch.labels[task][row] == -100).all():
                continue
            twin.zero_grad()
            place = torch.tensor([row])
            one = Batch(batch.inputs.rows(place), {task: batch.labels[task][place]})
            twin(one).by_task[task].backward()
            total += torch.cat([p.grad.flatten() for p in twin.shared_parameters()]).square()
            count += 1
    return total / count


def test_embeddings_are_means_of_squared_gradients_of_texts():
    model, batches = model_of(), [batch_of(1), batch_of(2, rows=2)]
    batches[0].labels["a"][1] = -100  # this text has no label of that task
    batches[1].labels["b"][:] = -100
    found = task_embeddings(model, Given(*batches))
    assert list(found) == ["a", "b", "c"]
    for task, embedding in found.items():
        torch.testing.assert_close(embedding, by_backward(model, batches, task))
        first = task_embeddings(model, Given(*batches), max_batches=1)[task]
        torch.testing.assert_close(first, by_backward(model, batches[:1], task))
    assert (cosines(torch.stack([*found.values()])) >= 0).all()


def test_tensors_are_averaged_one_by_one():
    model, data = model_of(), Given(batch_of(1))
    whole, short = (task_embeddings(model, data, by_tensor=flag) for flag in (False, True))
    sizes = [parameter.numel() for parameter in model.shared_parameters()]
    for task in whole:
        means = [part.mean() for part in whole[task].split(sizes)]
        torch.testing.assert_close(short[task], torch.stack(means))


def test_how_texts_are_batched_does_not_matter():
    model, batch = model_of(), batch_of(1)
    rows = [torch.tensor([row]) for row in range(len(batch))]
    singles = [
        Batch(batch.inputs.rows(row), {task: value[row] for task, value in batch.labels.items()})
        for row in rows
    ]
    whole, parts = task_embeddings(model, Given(batch)), task_embeddings(model, Given(*singles))
    for task in whole:
        torch.testing.assert_close(whole[task], parts[task])


def test_the_same_task_twice_has_the_same_embedding():
    model, batch = model_of(), batch_of(1)
    model.heads["b"].load_state_dict(model.heads["b"].state_dict())
    one = task_embeddings(model, Given(batch))
    again = task_embeddings(model, Given({"b": batch, "a": batch}))
    assert list(again) == ["a", "b"]
    assert torch.equal(one["b"], again["b"])
    assert all(p.grad is None for p in model.parameters())
    assert cosines(torch.stack([one["b"], again["b"]]))[0, 1].item() == pytest.approx(1)
