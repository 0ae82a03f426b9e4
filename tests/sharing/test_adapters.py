"""Adapters between layers, those that a network makes, and matrices of low rank."""

import copy

import pytest
import torch
from tiny_sharing import (
    EXACT,
    LAYERS,
    TASKS,
    WIDTH,
    all_encoders,
    batch_of,
    bilstm,
    gradient,
    model_of,
    moved,
    names_of,
    pretrained,
    transformer,
)
from torch import nn
from torch.nn import functional

from mtl_utils.data import Batch
from mtl_utils.nn import (
    CachedEncoder,
    Encoder,
    LSTMEncoder,
    NoLayers,
    ProjectedEncoder,
    TransformerEncoder,
)
from mtl_utils.sharing import HardSharing, HyperAdapters, TaskAdapters, TaskLoRA

FAMILIES = {
    "adapters": lambda encoder: TaskAdapters(encoder, TASKS, 3),
    "hyper-adapters": lambda encoder: HyperAdapters(encoder, TASKS, 3, embedding_size=6),
    "LoRA": lambda encoder: TaskLoRA(encoder, TASKS, 2),
}
families = pytest.mark.parametrize("family", FAMILIES)
ON = {bilstm: ["lstm"], transformer: ["attention", "inner"], pretrained: ["query", "value"]}


def whole(encoder, **settings):
    torch.manual_seed(0)
    return encoder(**settings)


def stirred(family, encoder, **settings):
    """Make a way of sharing whose additions are no longer 0."""
    sharing = FAMILIES[family](whole(encoder, **settings)).double()
    with torch.no_grad():
        for name, parameter in sharing.named_parameters():
            if not name.startswith(("encoder", "embeddings", "layers")):
                parameter.normal_(std=0.3)
    return sharing


@families
@all_encoders
def test_at_first_every_task_reads_what_the_encoder_says(family, encoder):
    made, batch = whole(encoder), batch_of()
    expected = made(batch.inputs)
    found = FAMILIES[family](made).double()(batch, TASKS).hidden
    for task in TASKS:
        if family == "LoRA":
            assert torch.equal(found[task], expected)
        torch.testing.assert_close(found[task], expected, **EXACT)


@all_encoders
@pytest.mark.parametrize("family", ["adapters", "hyper-adapters"])
def test_adapters_written_out(family, encoder):
    sharing, batch = stirred(family, encoder), batch_of()
    found, mask = sharing(batch, TASKS).hidden, batch.inputs.mask
    for task in TASKS:
        hidden = sharing.embeddings(batch.inputs)
        for place, layer in enumerate(sharing.layers):
            down, down_bias, up, up_bias = (
                weight[0] for weight in sharing.adapter_weights([task], place)
            )
            hidden = layer(hidden, mask)
            hidden = hidden + functional.gelu(hidden @ down + down_bias) @ up + up_bias
        torch.testing.assert_close(found[task][mask], hidden[mask], **EXACT)
    assert not torch.allclose(found["pos"][mask], found["ner"][mask])


def test_an_adapter_is_two_linear_layers_of_pytorch():
    sharing, batch = stirred("adapters", transformer, num_layers=1), batch_of()
    adapter = sharing.adapters["ner"][0]
    network = nn.Sequential(adapter.down, nn.GELU(), adapter.up)
    plain = whole(transformer, num_layers=1)(batch.inputs)
    found = sharing(batch, ["ner"]).hidden["ner"]
    mask = batch.inputs.mask
    torch.testing.assert_close(found[mask], (plain + network(plain))[mask], **EXACT)


def test_a_network_makes_the_adapters_of_a_task_and_a_layer():
    sharing = stirred("hyper-adapters", transformer)
    first, _, second = sharing.projector
    for place in range(LAYERS):
        found = sharing.adapter_weights(TASKS, place)
        for row, task in enumerate(TASKS):
            vector = torch.cat([sharing.task_vectors[task], sharing.layer_vectors[place]])
            mean = second.weight @ (first.weight @ vector + first.bias).relu() + second.bias
            for name, shape in (("down", (WIDTH, 3)), ("up", (3, WIDTH)), ("up_bias", (1, WIDTH))):
                linear = sharing.makers[name][0]
                expected = (linear.weight @ mean + linear.bias).view(shape)
                torch.testing.assert_close(getattr(found, name)[row], expected, **EXACT)
    with torch.no_grad():
        sharing.task_vectors["pos"].copy_(sharing.task_vectors["ner"])
    hidden = sharing(batch_of(), TASKS).hidden
    torch.testing.assert_close(hidden["pos"], hidden["ner"], **EXACT)


@families
@all_encoders
def test_texts_of_different_tasks_are_read_in_one_batch(family, encoder):
    sharing, batch = stirred(family, encoder), batch_of()
    of_rows = ["chunk", "pos", "chunk", "ner"]
    mixed, each = sharing.encode(batch.inputs, of_rows), sharing(batch, TASKS).hidden
    for row, task in enumerate(of_rows):
        kept = batch.inputs.mask[row]
        torch.testing.assert_close(mixed[row][kept], each[task][row][kept], **EXACT)
    with pytest.raises(ValueError, match="tasks must be 4 names, one for each text, got"):
        sharing.encode(batch.inputs, ["pos"])
    with pytest.raises(KeyError, match="No task named 'fr'"):
        sharing.encode(batch.inputs, ["fr"] * 4)


@families
@all_encoders
def test_no_text_of_any_task(family, encoder):
    sharing, inputs = stirred(family, encoder), batch_of().inputs
    assert sharing.encode(inputs.rows(torch.tensor([], dtype=torch.long)), []).shape[0] == 0


class Twice(Encoder):
    """The same matrix in two layers, and that of the embeddings in a third."""

    def __init__(self):
        super().__init__()
        self.width, self.table = WIDTH, nn.Embedding(9, WIDTH)
        self.one, self.other = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, 9)
        self.other.weight, self.out.weight = self.one.weight, self.table.weight

    def forward(self, inputs):
        hidden = self.other(self.one(self.table(inputs.input_ids)).tanh())
        return hidden + self.out(hidden)[..., :WIDTH]


@pytest.mark.parametrize("on", [None, ["one"], ["other"]])
def test_a_matrix_that_two_layers_have_is_added_to_once(on):
    torch.manual_seed(0)
    encoder, inputs = Twice().double(), batch_of().inputs
    sharing = TaskLoRA(encoder, ["pos", "ner"], 2, 3.0, on=on)
    assert sharing.adapted == ("one.weight",)
    for parameter in sharing.additions.parameters():
        nn.init.normal_(parameter)
    found = sharing(Batch(inputs), ["pos", "ner"]).hidden
    for task in ("pos", "ner"):
        factors = sharing.additions[task]
        by_hand = copy.deepcopy(encoder)
        assert by_hand.other.weight is by_hand.one.weight
        with torch.no_grad():
            by_hand.one.weight += 1.5 * factors.outer[0] @ factors.inner[0]
        torch.testing.assert_close(found[task], by_hand(inputs), **EXACT)
        torch.testing.assert_close(sharing.merged(task)(inputs), found[task], **EXACT)
    mixed = sharing.encode(inputs, ["ner", "pos", "ner", "ner"])
    torch.testing.assert_close(mixed[1], found["pos"][1], **EXACT)
    torch.testing.assert_close(mixed[[0, 2, 3]], found["ner"][[0, 2, 3]], **EXACT)


@families
@all_encoders
def test_a_loss_moves_the_additions_of_its_own_task_alone(family, encoder):
    model, batch = model_of(stirred(family, encoder)), batch_of()
    for task, loss in model(batch).by_task.items():
        found = moved(model, loss)
        for other in TASKS:
            own = names_of(model, model.sharing.task_parameters(other))
            assert own
            assert own <= found if other == task else not own & found
        assert names_of(model, model.sharing.shared_parameters()) & found


@families
@all_encoders
def test_of_a_frozen_encoder_the_additions_alone_are_trained(family, encoder):
    made, batch = whole(encoder, dropout=0.5), batch_of()
    made.freeze()
    model = model_of(FAMILIES[family](made)).train()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    own = {n for task in TASKS for n in names_of(model, model.task_parameters(task))}
    makers = {n for n in trained if any(p in n for p in ("makers", "projector", "layer_vectors"))}
    assert trained == own | makers
    losses = model(batch)  # without dropout
    again = model(batch)
    torch.testing.assert_close(losses.by_task, again.by_task, atol=0, rtol=0)
    sum(losses.by_task.values()).backward()


def adapted_by_hand(sharing, task):
    """Add alpha / R times B A to each matrix of a copy."""
    encoder = copy.deepcopy(sharing.encoder)
    parameters = dict(encoder.named_parameters())
    factors = sharing.additions[task]
    with torch.no_grad():
        for name, inner, outer in zip(sharing.adapted, factors.inner, factors.outer, strict=True):
            for row in range(len(outer)):
                for rank in range(sharing.rank):
                    parameters[name][row] += (
                        sharing.alpha / sharing.rank * outer[row, rank] * inner[rank]
                    )
    return encoder


@all_encoders
@pytest.mark.parametrize("chosen", [False, True])
def test_what_is_added_is_a_product_of_factors(encoder, chosen):
    on = ON[encoder] if chosen else None
    sharing, batch = TaskLoRA(whole(encoder), TASKS, 2, 3.0, on=on).double(), batch_of()
    full = batch.inputs.rows(torch.tensor([0]))
    with torch.no_grad():
        for parameter in sharing.additions.parameters():
            parameter.normal_(std=0.3)
    found = sharing(batch, TASKS).hidden
    for task in TASKS:
        expected = adapted_by_hand(sharing, task)
        torch.testing.assert_close(found[task], expected(batch.inputs), **EXACT)
        merged = sharing.merged(task)
        assert torch.equal(merged(batch.inputs), found[task])
        # without padding LSTMs go another way
        alone = full.columns(int(full.mask.sum()))
        torch.testing.assert_close(sharing.encode(alone, [task]), expected(alone), **EXACT)
    assert not torch.allclose(found["pos"], found["ner"])
    plain = whole(encoder)
    assert torch.equal(sharing.encoder(batch.inputs), plain(batch.inputs))  # left as it was


@all_encoders
def test_which_matrices_are_added_to(encoder):
    names = TaskLoRA(encoder(), ["a"]).adapted
    parameters = dict(encoder().named_parameters())
    assert all(parameters[name].dim() == 2 for name in names)
    assert not any("embedding" in name or "segments" in name for name in names)
    per_layer = {bilstm: 4, transformer: 6, pretrained: 6}[encoder]
    assert len(names) == per_layer * LAYERS
    some = TaskLoRA(encoder(), ["a"], on=ON[encoder]).adapted
    assert len(some) == {bilstm: 8, transformer: 10, pretrained: 4}[encoder]


def test_the_gradient_of_a_factor_is_the_other_times_that_of_the_matrix():
    sharing, batch = stirred("LoRA", transformer), batch_of()
    merged = sharing.merged("ner")
    weight = torch.randn_like(merged(batch.inputs))
    of_matrices = gradient(merged, (merged(batch.inputs) * weight).sum())
    found = gradient(sharing, (sharing(batch, ["ner"]).hidden["ner"] * weight).sum())
    factors, scale = sharing.additions["ner"], sharing.alpha / sharing.rank
    for place, name in enumerate(sharing.adapted):
        inner, outer = factors.inner[place], factors.outer[place]
        path = f"additions.ner.{{}}.{place}"
        expected = scale * of_matrices[name] @ inner.T
        torch.testing.assert_close(found[path.format("outer")], expected, **EXACT)
        expected = scale * outer.T @ of_matrices[name]
        torch.testing.assert_close(found[path.format("inner")], expected, **EXACT)


@all_encoders
def test_a_mixed_batch_is_one_pass_where_layers_are_linear(encoder):
    sharing, batch = stirred("LoRA", encoder), batch_of()
    of_rows, calls = ["chunk", "pos", "chunk", "ner"], []
    sharing.encoder.register_forward_hook(lambda *call: calls.append(call))
    mixed = sharing.encode(batch.inputs, of_rows)
    assert len(calls) == (3 if encoder is bilstm else 1)
    weight = torch.randn_like(mixed).masked_fill(~batch.inputs.mask.unsqueeze(-1), 0.0)
    found = gradient(sharing, (mixed * weight).sum())
    each = sharing(batch, TASKS).hidden
    separate = torch.stack([each[task][row] for row, task in enumerate(of_rows)])
    expected = gradient(sharing, (separate * weight).sum())
    torch.testing.assert_close(found, expected, **EXACT)


def test_layers_that_are_not_called_on_texts_are_added_to_task_by_task():
    class Odd(TransformerEncoder):
        """Calls a layer on one vector a text."""

        def forward(self, inputs):
            hidden = super().forward(inputs)
            return hidden + self.stack.layers[0].attention.query(hidden[:, :1].flatten(1))[:, None]

    torch.manual_seed(0)
    sharing = TaskLoRA(Odd(9, WIDTH, 1, 2, dropout=0.3).double(), TASKS, 2, on=["query"])
    with torch.no_grad():
        for parameter in sharing.additions.parameters():
            parameter.normal_()
    batch, of_rows = batch_of(), ["chunk", "pos", "chunk", "ner"]
    sharing.eval()
    mixed, each = sharing.encode(batch.inputs, of_rows), sharing(batch, TASKS).hidden
    for row, task in enumerate(of_rows):
        kept = batch.inputs.mask[row]
        torch.testing.assert_close(mixed[row][kept], each[task][row][kept], **EXACT)
    assert not any(module._forward_hooks for module in sharing.modules())


@all_encoders
def test_rank_0_is_hard_sharing(encoder):
    made, batch = whole(encoder), batch_of()
    sharing = TaskLoRA(made, TASKS, 0)
    expected = HardSharing(made)(batch, TASKS).hidden
    found = sharing(batch, TASKS).hidden
    assert all(torch.equal(found[task], expected[task]) for task in TASKS)


def test_states_are_causal_where_those_of_the_encoder_are():
    for make in FAMILIES.values():
        assert make(LSTMEncoder(9, 4)).causal("pos")
        assert not make(bilstm()).causal("pos")


def test_a_cached_encoder_can_be_adapted_between_its_layers():
    cached, batch = CachedEncoder(whole(bilstm), freeze=True), batch_of()
    found = TaskAdapters(cached, TASKS, 3).double()(batch, TASKS).hidden["ner"]
    torch.testing.assert_close(found, whole(bilstm)(batch.inputs), **EXACT)


NONE = bilstm()
NONE.lstm = NoLayers()


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda: TaskAdapters(ProjectedEncoder(bilstm()), TASKS), TypeError, "cannot be taken"),
        (lambda: HyperAdapters(NONE, TASKS), ValueError, "at least one layer above"),
        (lambda: TaskAdapters(bilstm(), ["a.b"]), ValueError, "needs another name"),
        (lambda: HyperAdapters(bilstm(), ["a.b"]), ValueError, "needs another name"),
        (lambda: TaskLoRA(bilstm(), []), ValueError, "at least one name of a task"),
        (
            lambda: TaskLoRA(CachedEncoder(bilstm(), freeze=True), TASKS),
            TypeError,
            "encoder must be one whose weights may change",
        ),
        (
            lambda: TaskLoRA(bilstm(), TASKS, on=["query"]),
            ValueError,
            r"got 'query'; the encoder has \['lstm.weight_ih_l0'",
        ),
        (lambda: TaskLoRA(bilstm(), TASKS, on=["embedding"]), ValueError, "got 'embedding'"),
        (lambda: TaskLoRA(NONE, TASKS), ValueError, "encoder must have matrices"),
    ],
)
def test_what_is_refused(use, error, message):
    with pytest.raises(error, match=message):
        use()
