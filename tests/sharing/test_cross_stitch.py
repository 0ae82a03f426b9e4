"""Encoders that are mixed after each layer: the limits that are known, and a network by hand."""

import copy

import pytest
import torch
from tiny_sharing import (
    EXACT,
    LAYERS,
    ONE_EACH,
    TASKS,
    WIDTH,
    all_encoders,
    apart,
    batch_of,
    bilstm,
    gradient,
    model_of,
    moved,
    transformer,
)

from mtl_utils.data import Batch
from mtl_utils.nn import LSTMEncoder
from mtl_utils.sharing import CrossStitch, SluiceNetwork, SoftSharing

K = len(TASKS)


def one_each(encoder):
    torch.manual_seed(0)
    return {task: encoder() for task in TASKS}


@all_encoders
def test_at_the_identity_tasks_are_separate_to_the_last_bit(encoder):
    parts, batch = one_each(encoder), batch_of()
    sharing = CrossStitch(parts, own=1.0).double()
    assert torch.equal(sharing.weights(), torch.eye(K).double().expand(LAYERS, K, K))
    separate = SoftSharing(parts, [], strength=0)(batch, TASKS).hidden
    found = sharing(batch, TASKS).hidden
    layered = {}
    for task, part in parts.items():
        layered[task], layers = part.layers()
        layered[task] = layered[task](batch.inputs)
        for layer in layers:
            layered[task] = layer(layered[task], batch.inputs.mask)
    assert all(torch.equal(found[task], layered[task]) for task in TASKS)
    torch.testing.assert_close(dict(found), dict(separate), **EXACT)
    model = model_of(sharing)
    for task, loss in model(batch).by_task.items():
        own = {f"heads.{task}", f"embeddings.{task}", *(f"layers.{n}.{task}" for n in range(2))}
        for name in moved(model, loss) - {"sharing.network.stitches"}:
            assert any(part in name for part in own), name


@all_encoders
def test_at_equal_weights_all_tasks_read_the_average(encoder):
    parts, batch = one_each(encoder), batch_of()
    found = CrossStitch(parts, own=1 / K).double()(batch, TASKS).hidden
    taken = [part.layers() for part in parts.values()]
    read = [embeddings(batch.inputs) for embeddings, _ in taken]
    for place in range(LAYERS):
        states = [
            layers[place](hidden, batch.inputs.mask)
            for (_, layers), hidden in zip(taken, read, strict=True)
        ]
        read = [sum(states) / K] * K
    close = {"atol": 1e-7, "rtol": 1e-6}  # 1 / 3 was rounded to single precision
    for task in TASKS:
        torch.testing.assert_close(found[task], read[0], **close)
        assert torch.equal(found[task], found[TASKS[0]])


@all_encoders
def test_a_sluice_network_written_out(encoder):
    parts, batch, half = one_each(encoder), batch_of(), WIDTH // 2
    sharing = SluiceNetwork(parts, orthogonality_strength=0.3).double()
    with torch.no_grad():
        for parameter in (sharing.network.stitches, *sharing.mixtures.values()):
            parameter.normal_()
    alpha, beta, mask = sharing.weights(), sharing.layer_weights(), batch.inputs.mask
    assert alpha.shape == (LAYERS, K, 2, K, 2)
    assert beta.shape == (K, LAYERS)
    taken = [part.layers() for part in parts.values()]
    read = [embeddings(batch.inputs) for embeddings, _ in taken]
    expected, penalty = [0] * K, 0
    for place in range(LAYERS):
        made = [
            layers[place](hidden, mask) for (_, layers), hidden in zip(taken, read, strict=True)
        ]
        for states in made:
            for text, kept in zip(states, mask, strict=True):
                first, second = text[kept][:, :half], text[kept][:, half:]
                penalty = penalty + (first.T @ second).square().sum() / len(mask)
        pieces = [(states[..., :half], states[..., half:]) for states in made]
        read = [
            torch.cat(
                [
                    sum(alpha[place, k, s, j, r] * pieces[j][r] for j in range(K) for r in range(2))
                    for s in range(2)
                ],
                dim=-1,
            )
            for k in range(K)
        ]
        expected = [old + beta[k, place] * read[k] for k, old in enumerate(expected)]
    shared = sharing(batch, TASKS)
    for task, states in zip(TASKS, expected, strict=True):
        torch.testing.assert_close(shared.hidden[task], states, **EXACT)
    torch.testing.assert_close(shared.penalty, 0.3 * penalty, **EXACT)
    assert sharing(Batch(batch.inputs), TASKS).penalty.item() == 0


def test_a_sluice_network_of_one_subspace_that_reads_the_last_layer_is_cross_stitch():
    parts, batch = one_each(transformer), batch_of()
    stitched = CrossStitch(parts).double()
    sluice = SluiceNetwork(parts, subspaces=1).double()
    with torch.no_grad():
        for mixture in sluice.mixtures.values():
            mixture.copy_(torch.tensor([0.0, 1.0]))
    found, expected = sluice(batch, TASKS), stitched(batch, TASKS)
    torch.testing.assert_close(dict(found.hidden), dict(expected.hidden), **EXACT)
    assert found.penalty.item() == 0


def test_the_gradient_of_the_weights_is_how_much_the_states_agree():
    """For a scalar read off the states, dS/dalpha[k, j] = <dS/dh_k, h_j>."""
    parts, batch = {task: bilstm(num_layers=1) for task in TASKS}, batch_of()
    sharing = CrossStitch(parts).double()
    states = [part(batch.inputs) for part in parts.values()]
    weight = torch.randn_like(states[0])
    scalar = (sharing(batch, ["ner"]).hidden["ner"] * weight).sum()
    found = torch.autograd.grad(scalar, sharing.network.stitches)[0]
    expected = torch.zeros(1, K, K).double()
    expected[0, 1] = torch.stack([(weight * other).sum() for other in states])
    torch.testing.assert_close(found, expected, **EXACT)


def test_the_first_weights():
    sharing = CrossStitch(one_each(bilstm), own=0.8)
    expected = torch.full((K, K), 0.1).fill_diagonal_(0.8)
    torch.testing.assert_close(sharing.weights(), expected.expand(LAYERS, K, K))
    alone = CrossStitch({"pos": bilstm()})
    assert torch.equal(alone.weights(), torch.ones(LAYERS, 1, 1))
    sluice = SluiceNetwork(one_each(bilstm), own=0.5).network.stitches
    torch.testing.assert_close(sluice.sum(dim=-1), torch.ones(LAYERS, 2 * K))


def test_what_is_read_is_a_copy_of_the_weights():
    sharing = SluiceNetwork(one_each(bilstm))
    sharing.weights().zero_(), sharing.layer_weights().zero_()
    assert sharing.network.stitches.all()
    assert all(mixture.all() for mixture in sharing.mixtures.values())


def test_each_loss_moves_all_encoders_and_its_own_mixture_alone():
    model, batch = model_of(SluiceNetwork(one_each(bilstm))), batch_of()
    for task, loss in model(batch).by_task.items():
        found = moved(model, loss)
        for other in TASKS:
            assert (f"sharing.mixtures.{other}" in found) == (other == task)
            assert any(f"embeddings.{other}" in name for name in found)
    assert [id(p) for p in model.sharing.task_parameters("ner")] == [
        id(model.sharing.mixtures["ner"])
    ]
    assert CrossStitch(one_each(bilstm)).task_parameters("ner") == []


def test_penalties_of_batches_of_tasks_are_summed_once():
    model, batch = model_of(SluiceNetwork(one_each(bilstm))), batch_of(ONE_EACH)
    together, separate = model(batch), model(apart(batch))
    assert together.penalty.item() > 0
    torch.testing.assert_close(together.penalty, separate.penalty, **EXACT)
    torch.testing.assert_close(sum(together.penalty_by_task.values()), together.penalty, **EXACT)
    counts = {task: count.item() for task, count in together.penalty_counts.items()}
    assert counts == dict.fromkeys(TASKS, 2)


def test_copies_of_one_encoder():
    whole, batch = bilstm(), batch_of()
    sharing = CrossStitch.from_encoder(whole, TASKS, own=0.6).double()
    torch.testing.assert_close(
        sharing(batch, ["pos"]).hidden["pos"], whole(batch.inputs), atol=1e-7, rtol=1e-6
    )
    before = copy.deepcopy(whole.state_dict())
    with torch.no_grad():
        for parameter in sharing.parameters():
            parameter.zero_()
    assert all(torch.equal(value, before[name]) for name, value in whole.state_dict().items())


def test_states_are_causal_where_all_encoders_are():
    assert CrossStitch({"a": LSTMEncoder(9, 4), "b": LSTMEncoder(9, 4)}).causal("a")
    assert not CrossStitch({"a": LSTMEncoder(9, 4), "b": bilstm(num_layers=1)}).causal("a")


def test_gradients_are_those_of_finite_differences():
    model, batch = model_of(SluiceNetwork(one_each(bilstm))), batch_of()
    losses = model(batch)
    stitches, step = model.sharing.network.stitches, 1e-6
    found = gradient(model, losses.by_task["pos"] + losses.penalty)["sharing.network.stitches"]
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            stitches[0, 1, 2] += sign * step
            again = model(batch)
            values.append(again.by_task["pos"] + again.penalty)
            stitches[0, 1, 2] -= sign * step
    expected = (values[0] - values[1]) / (2 * step)
    torch.testing.assert_close(found[0, 1, 2], expected, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("family", [CrossStitch, SluiceNetwork])
def test_encoders_of_other_depths_are_refused(family):
    with pytest.raises(ValueError, match=r"same number of layers, got {'a': 2, 'b': 1}"):
        family({"a": bilstm(), "b": bilstm(num_layers=1)})


def test_subspaces_that_do_not_fit():
    with pytest.raises(ValueError, match="subspaces must divide the width of the encoders, 4; got"):
        SluiceNetwork(one_each(bilstm), subspaces=3)


def test_penalties_of_halves_weighted_by_their_texts_are_that_of_the_whole():
    sharing = SluiceNetwork(one_each(bilstm)).double()
    batch = batch_of(({"pos"}, {"pos", "ner"}, {"pos"}, {"chunk"}, set()))
    whole = sharing(batch, TASKS)
    halves = []
    for rows in (torch.tensor([0]), torch.tensor([1, 2, 3, 4])):
        labels = {task: value[rows] for task, value in batch.labels.items()}
        halves.append(sharing(Batch(batch.inputs.rows(rows), labels), TASKS))
    for task in TASKS:
        counts = torch.stack([half.penalty_counts[task] for half in halves])
        parts = torch.stack([half.penalty_by_task[task] for half in halves])
        expected = (counts * parts).sum() / whole.penalty_counts[task]
        assert counts.sum() == whole.penalty_counts[task] == {"pos": 3, "ner": 1, "chunk": 1}[task]
        torch.testing.assert_close(whole.penalty_by_task[task], expected, **EXACT)


@pytest.mark.parametrize("kind", [CrossStitch, SluiceNetwork])
def test_the_weight_on_others_is_counted_one_by_one(kind):
    sharing = kind(one_each(bilstm), own=0.6)
    pieces = sharing.network.num_pieces
    others = (0.4 / (K * pieces - 1)) * (K - 1) * pieces
    torch.testing.assert_close(sharing.weight_on_others(), torch.full((LAYERS, K), others))
    with torch.no_grad():
        sharing.stitches.normal_(generator=torch.Generator().manual_seed(0))
    found = sharing.weight_on_others()
    for layer, task in [(n, k) for n in range(LAYERS) for k in range(K)]:
        own = other = 0.0
        for row in range(task * pieces, (task + 1) * pieces):
            for column, weight in enumerate(sharing.stitches[layer, row].tolist()):
                if column // pieces == task:
                    own += abs(weight)
                else:
                    other += abs(weight)
        assert float(found[layer, task]) == pytest.approx(other / (own + other), rel=1e-5)
    assert not found.requires_grad


@pytest.mark.parametrize("kind", [CrossStitch, SluiceNetwork])
def test_strangers_have_no_weight_on_others(kind):
    sharing = kind(one_each(bilstm), own=1.0)
    assert torch.equal(sharing.weight_on_others(), torch.zeros(LAYERS, K))
