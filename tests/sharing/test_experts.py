"""Mixtures of experts: the limits that are known, and mixtures written out token by token."""

import pytest
import torch
from tiny_sharing import (
    EXACT,
    LAYERS,
    ONE_EACH,
    TASKS,
    WIDTH,
    all_encoders,
    batch_of,
    bilstm,
    model_of,
    moved,
    names_of,
    pretrained,
    transformer,
)
from torch import nn

from mtl_utils.data import Batch
from mtl_utils.nn import EncoderLayers, FeedForwardLayers, LSTMEncoder, ProjectedEncoder
from mtl_utils.sharing import (
    PLE,
    HardSharing,
    MixtureOfExperts,
    MMoE,
    load_balance,
)


def whole(encoder, **settings):
    torch.manual_seed(0)
    return encoder(**settings)


def networks(number=4):
    torch.manual_seed(1)
    return [FeedForwardLayers(WIDTH, 6).double() for _ in range(number)]


def weigh(states, gate):
    """Weigh experts for one token, as the equation has it."""
    logits = gate.linear.weight @ states
    if gate.top_k is not None:
        least = logits.sort(descending=True).values[gate.top_k - 1]
        logits = torch.where(logits >= least, logits, torch.tensor(-torch.inf).double())
    return logits.exp() / logits.exp().sum()


@all_encoders
@pytest.mark.parametrize(
    "family",
    [
        lambda encoder: MixtureOfExperts.from_encoder(encoder, 1),
        lambda encoder: MMoE.from_encoder(encoder, TASKS, 1, 2),
        lambda encoder: PLE.from_encoder(encoder, TASKS, num_task_experts=0),
        lambda encoder: PLE.from_encoder(encoder, TASKS, num_levels=2, num_task_experts=0),
    ],
    ids=["experts", "MMoE", "CGC", "PLE"],
)
def test_one_expert_is_hard_sharing(encoder, family):
    encoder_of_all, batch = whole(encoder), batch_of()
    sharing = family(encoder_of_all).double()
    found = sharing(batch, TASKS).hidden
    expected = HardSharing(encoder_of_all)(batch, TASKS).hidden
    torch.testing.assert_close(dict(found), dict(expected), **EXACT)
    model, hard = model_of(sharing), model_of(HardSharing(encoder_of_all))
    hard.heads.load_state_dict(model.heads.state_dict())
    pairs = []
    for one in (model, hard):
        scalar = sum(one(batch).by_task.values())
        shared = [p for n, p in one.sharing.named_parameters() if "gate" not in n]
        grads = torch.autograd.grad(scalar, shared, materialize_grads=True)
        pairs.append(sum(g.square().sum() for g in grads))
    torch.testing.assert_close(*pairs, **EXACT)


@all_encoders
@pytest.mark.parametrize("top_k", [None, 1, 2])
def test_every_task_reads_its_own_mixture(encoder, top_k):
    batch = batch_of()
    sharing = MMoE.from_encoder(whole(encoder), TASKS, 3, top_k=top_k).double()
    found = sharing(batch, TASKS)
    assert found.features is None
    states, mask = sharing.trunk(batch.inputs), batch.inputs.mask
    made = [expert(states, mask) for expert in sharing.experts]
    assert not torch.allclose(made[0], made[1])  # drawn, not copied
    gates = sharing.gates(batch)
    for task in TASKS:
        for row, token in mask.nonzero().tolist():
            weights = weigh(states[row, token], sharing.task_gates[task])
            torch.testing.assert_close(gates[task][row, token], weights, **EXACT)
            expected = sum(w * m[row, token] for w, m in zip(weights, made, strict=True))
            torch.testing.assert_close(found.hidden[task][row, token], expected, **EXACT)


@pytest.mark.parametrize("per", ["token", "text"])
@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_experts_that_are_sent_some_tokens_say_what_all_would(per, top_k):
    trunk, experts, batch = whole(transformer), networks(), batch_of()
    sharing = MMoE(trunk, experts, TASKS, per=per, top_k=top_k).double()
    model = model_of(sharing)
    losses = model(batch)
    routed = sharing(batch, TASKS).hidden
    grads = torch.autograd.grad(sum(losses.by_task.values()), list(model.parameters()))
    for expert in experts:
        expert.pointwise = False  # then each reads everything
    dense = sharing(batch, TASKS).hidden
    torch.testing.assert_close(dict(routed), dict(dense), **EXACT)
    again = torch.autograd.grad(sum(model(batch).by_task.values()), list(model.parameters()))
    torch.testing.assert_close(grads, again, **EXACT)


class AtEachPosition(EncoderLayers):
    """Layers of one's own that keep to what is said of layers: states are [B, T, D]."""

    causal = pointwise = True
    width = WIDTH

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH).double()

    def forward(self, hidden, mask):
        batch, length, width = hidden.shape
        assert mask.shape == (batch, length)
        return self.linear(hidden.reshape(-1, width)).view(hidden.shape)


def test_experts_of_ones_own_read_texts():
    trunk, batch = whole(transformer), batch_of()
    sharing = MMoE(trunk, [AtEachPosition() for _ in range(3)], TASKS, top_k=1).double()
    found, states, mask = sharing(batch, TASKS).hidden, trunk(batch.inputs), batch.inputs.mask
    for task in TASKS:
        chosen = (states @ sharing.task_gates[task].linear.weight.T).argmax(dim=-1)
        for row, token in mask.nonzero().tolist():
            expected = sharing.experts[chosen[row, token]].linear(states[row, token])
            torch.testing.assert_close(found[task][row, token], expected, **EXACT)


def test_experts_read_only_the_tokens_that_take_them():
    trunk, experts, batch, seen = whole(transformer), networks(), batch_of(), []
    for expert in experts:
        expert.network.register_forward_hook(lambda *call: seen.append(call[1][0][..., 0].numel()))
    MixtureOfExperts(trunk, experts, top_k=1).double()(batch, TASKS)
    assert sum(seen) == batch.inputs.mask.sum()


def test_keeping_all_experts_is_keeping_all_weights():
    trunk, experts, batch = whole(bilstm), networks(), batch_of()
    torch.manual_seed(2)
    every = MixtureOfExperts(trunk, experts, top_k=4).double()
    torch.manual_seed(2)
    plain = MixtureOfExperts(trunk, experts).double()
    torch.testing.assert_close(every(batch, TASKS).features, plain(batch, TASKS).features, **EXACT)


def test_gates_of_a_text_read_the_mean_of_its_tokens():
    sharing, batch = MMoE(whole(bilstm), networks(), TASKS, per="text").double(), batch_of()
    gates, states = sharing.gates(batch), sharing.trunk(batch.inputs)
    for task in TASKS:
        assert gates[task].shape == (len(batch), 4)
        for row, kept in enumerate(batch.inputs.mask):
            mean = states[row][kept].mean(dim=0)
            torch.testing.assert_close(
                gates[task][row], weigh(mean, sharing.task_gates[task]), **EXACT
            )


def by_hand(weights, probabilities):
    """Switch's penalty, or with all experts kept Shazeer's, over rows ``[N, E]``."""
    number, size = weights.shape
    total = 0.0
    for expert in range(size):
        share = 0.0
        for row in weights.tolist():
            kept = sum(weight > 0 for weight in row)
            share += row[expert] if kept == size else (row[expert] > 0) / kept
        total += size * share / number * probabilities[:, expert].mean().item()
    return total


@pytest.mark.parametrize("top_k", [None, 1, 2])
def test_the_balance_of_experts_counted_by_hand(top_k):
    torch.manual_seed(0)
    logits, counted = torch.randn(2, 5, 4).double(), torch.rand(2, 5) > 0.3
    probabilities = weights = logits.softmax(dim=-1)
    if top_k is not None:
        least = logits.sort(descending=True).values[..., top_k - 1 : top_k]
        weights = logits.masked_fill(logits < least, -torch.inf).softmax(dim=-1)
    found = load_balance(weights, probabilities, counted)
    expected = by_hand(weights[counted], probabilities[counted])
    assert found.item() == pytest.approx(expected, rel=1e-12)
    if top_k is None:
        importance = probabilities[counted].sum(dim=0)
        variation = importance.std(correction=0) / importance.mean()
        assert found.item() == pytest.approx(1 + variation.square().item(), rel=1e-12)


def test_the_limits_of_balance():
    counted = torch.ones(8, dtype=torch.bool)
    one_hot = torch.eye(4).repeat(2, 1)
    assert load_balance(one_hot, one_hot, counted) == 1
    collapsed = one_hot[:1].expand(8, 4)
    assert load_balance(collapsed, collapsed, counted) == 4
    logits = torch.randn(8, 4, requires_grad=True)
    none = load_balance(one_hot, logits.softmax(dim=-1), ~counted)
    assert none == 0
    assert not torch.autograd.grad(none, logits)[0].any()


def test_the_penalty_makes_collapsed_gates_even():
    torch.manual_seed(0)
    trunk, batch = whole(bilstm), batch_of(ONE_EACH)
    sharing = MixtureOfExperts(trunk, networks(), top_k=1, balance_strength=1.0).double()
    with torch.no_grad():  # everything goes to the first expert
        trunk.embedding.weight.abs_()
        sharing.gate.linear.weight[0] += 1.0
    optimizer = torch.optim.SGD(sharing.gate.parameters(), lr=0.5)
    first = sharing(batch, TASKS).penalty.item()
    for _ in range(60):
        optimizer.zero_grad()
        sharing(batch, TASKS).penalty.backward()
        optimizer.step()
    assert sharing(batch, TASKS).penalty.item() < first


@pytest.mark.parametrize("per", ["token", "text"])
def test_penalties_are_means_over_the_texts_of_each_task(per):
    batch = batch_of(ONE_EACH)
    sharing = MMoE(whole(bilstm), networks(), TASKS, per=per, balance_strength=0.5).double()
    shared, gates = sharing(batch, TASKS), sharing.gates(batch)
    for place, task in enumerate(TASKS):
        rows = slice(2 * place, 2 * place + 2)
        mask = batch.inputs.mask[rows]
        weights = gates[task][rows] if per == "text" else gates[task][rows][mask]
        expected = 0.5 * by_hand(weights, weights)
        assert shared.penalty_by_task[task].item() == pytest.approx(expected, rel=1e-12)
        assert shared.penalty_counts[task].item() == len(weights)
    torch.testing.assert_close(sum(shared.penalty_by_task.values()), shared.penalty, **EXACT)
    assert sharing(Batch(batch.inputs), TASKS).penalty.item() == 0
    without = MMoE(whole(bilstm), networks(), TASKS).double()
    assert without(batch, TASKS).penalty_counts == {}


def ple_by_hand(sharing, batch):
    """Compute x_k^J for each task with loops over levels, tasks and experts."""
    mask = batch.inputs.mask
    read = sharing.trunk(batch.inputs)
    own, common = dict.fromkeys(TASKS, read), read
    for place, level in enumerate(sharing.levels):
        shared_made = [expert(common, mask) for expert in level.shared]
        own_made = {t: [expert(own[t], mask) for expert in level.own[t]] for t in TASKS}
        following = {}
        for task in TASKS:
            gate = (own[task] @ level.gates[task].linear.weight.T).softmax(dim=-1)
            experts = own_made[task] + shared_made
            following[task] = sum(gate[..., n, None] * e for n, e in enumerate(experts))
        if place < len(sharing.levels) - 1:
            gate = (common @ level.shared_gate.linear.weight.T).softmax(dim=-1)
            experts = [e for task in TASKS for e in own_made[task]] + shared_made
            common = sum(gate[..., n, None] * e for n, e in enumerate(experts))
        own = following
    return own


@all_encoders
@pytest.mark.parametrize("num_levels", [1, 2])
def test_levels_of_experts_written_out(encoder, num_levels):
    batch, settings = batch_of(), {"num_shared_experts": 2, "num_task_experts": 2}
    sharing = PLE.from_encoder(whole(encoder), TASKS, num_levels=num_levels, **settings).double()
    assert len(sharing.levels) == num_levels
    found, expected = sharing(batch, TASKS).hidden, ple_by_hand(sharing, batch)
    mask = batch.inputs.mask
    for task in TASKS:
        torch.testing.assert_close(found[task][mask], expected[task][mask], **EXACT)
        shapes = [list(weights.shape) for weights in sharing.gates(batch)[task]]
        assert shapes == [[*mask.shape, 4]] * num_levels
    only = sharing(batch, ["ner"]).hidden["ner"]
    torch.testing.assert_close(only, found["ner"], **EXACT)


@pytest.mark.parametrize("num_levels", [1, 2, 3])
def test_experts_of_a_task_at_the_last_level_are_its_own(num_levels):
    encoder = whole(bilstm, num_layers=3)
    model = model_of(PLE.from_encoder(encoder, TASKS, num_levels=num_levels))
    last = num_levels - 1
    for task, loss in model(batch_of()).by_task.items():
        found = moved(model, loss)
        for other in TASKS:
            for level in range(num_levels):
                reached = other == task or level < last
                prefix = f"sharing.levels.{level}.own.{other}."
                assert any(name.startswith(prefix) for name in found) == reached
                gate = f"sharing.levels.{level}.gates.{other}.linear.weight"
                assert (gate in found) == (other == task or level < last - 1)


@pytest.mark.parametrize("num_task_experts", [0, 1])
@pytest.mark.parametrize("num_levels", [1, 2, 3])
def test_what_one_task_alone_moves_is_its_own(num_levels, num_task_experts):
    settings = {"num_levels": num_levels, "num_task_experts": num_task_experts}
    encoder = whole(bilstm, num_layers=3)
    model = model_of(PLE.from_encoder(encoder, TASKS, num_shared_experts=2, **settings))
    found = {task: moved(model, loss) for task, loss in model(batch_of()).by_task.items()}
    for task in TASKS:
        others = set().union(*(found[other] for other in TASKS if other != task))
        assert names_of(model, model.task_parameters(task)) == found[task] - others


def test_states_are_causal_where_gates_do_not_read_the_whole_text():
    one_way = LSTMEncoder(9, 4, 2)
    assert MMoE.from_encoder(one_way, ["a"], 2).causal("a")
    assert not MMoE.from_encoder(one_way, ["a"], 2, per="text").causal("a")
    assert PLE.from_encoder(one_way, ["a"]).causal("a")
    assert not PLE.from_encoder(one_way, ["a"], per="text").causal("a")
    assert not MixtureOfExperts.from_encoder(bilstm(), 2).causal("a")
    assert MixtureOfExperts(one_way, [FeedForwardLayers(4)]).causal("a")


@pytest.mark.parametrize("encoder", [bilstm, pretrained])
def test_the_encoder_is_left_as_it_was(encoder):
    made = whole(encoder)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    sharing = PLE.from_encoder(made, TASKS, num_levels=LAYERS)
    with torch.no_grad():
        for parameter in sharing.parameters():
            parameter.zero_()
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_networks_at_each_position():
    torch.manual_seed(0)
    layers, hidden = FeedForwardLayers(WIDTH, 6).double(), torch.randn(2, 3, WIDTH).double()
    mask = torch.tensor([[True, True, False], [True, True, True]])
    inner, outer = layers.network.inner, layers.network.outer
    expected = hidden + (hidden @ inner.weight.T + inner.bias).relu() @ outer.weight.T + outer.bias
    found = layers(hidden.masked_fill(~mask.unsqueeze(-1), torch.nan), mask)
    torch.testing.assert_close(found[mask], expected[mask], **EXACT)
    assert not found[~mask].any()


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda: MMoE(bilstm(), [], TASKS), ValueError, "experts must be at least one"),
        (lambda: MMoE(bilstm(), networks(2), []), ValueError, "at least one name of a task"),
        (lambda: MMoE(bilstm(), networks(2), ["a.b"]), ValueError, "needs another name"),
        (lambda: MMoE(bilstm(), networks(1) * 2, TASKS), ValueError, "got one twice"),
        (
            lambda: MixtureOfExperts(bilstm(), networks(2), top_k=3),
            ValueError,
            "top_k must be from 1 to 2, got 3",
        ),
        (
            lambda: MixtureOfExperts.from_encoder(ProjectedEncoder(bilstm()), 2),
            TypeError,
            "ProjectedEncoder cannot be taken apart",
        ),
        (
            lambda: MixtureOfExperts.from_encoder(bilstm(), 2, 3),
            ValueError,
            "num_expert_layers must be from 1 to 2, got 3",
        ),
        (
            lambda: PLE.from_encoder(bilstm(), TASKS, num_levels=3),
            ValueError,
            "num_levels must be from 1 to 2, got 3",
        ),
        (
            lambda: PLE(bilstm(), [networks(1)], {"a": [[], []]}),
            ValueError,
            r"own\['a'\] must have as many levels as shared, 1, got 2",
        ),
        (
            lambda: PLE(bilstm(6), [networks(1)], {"a": [[]]}),
            ValueError,
            "must have the width of the trunk, 6, got 4",
        ),
    ],
)
def test_what_is_refused(use, error, message):
    with pytest.raises(error, match=message):
        use()
