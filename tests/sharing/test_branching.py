"""Cutting encoders between layers, and branching there."""

import copy

import pytest
import torch
from tiny_sharing import (
    EXACT,
    LAYERS,
    TASKS,
    VOCABULARY,
    WIDTH,
    all_encoders,
    batch_of,
    bilstm,
    gradient,
    model_of,
    moved,
    pretrained,
    total,
    transformer,
)

from mtl_utils.nn import ProjectedEncoder
from mtl_utils.sharing import BranchedSharing, HardSharing

cuts = pytest.mark.parametrize("num_shared", range(LAYERS + 1))


@all_encoders
@cuts
def test_the_parts_one_after_the_other_are_the_encoder(encoder, num_shared):
    torch.manual_seed(0)
    whole, inputs = encoder(), batch_of().inputs
    state = torch.get_rng_state()
    lower, upper = whole.cut(num_shared)
    assert torch.equal(torch.get_rng_state(), state)
    expected = whole(inputs)
    torch.testing.assert_close(upper(lower(inputs), inputs.mask), expected, **EXACT)
    assert (lower.width, upper.width) == (WIDTH, WIDTH)
    assert (lower.causal, upper.causal) == (whole.causal, whole.causal)
    with torch.no_grad():  # copies
        for parameter in (*lower.parameters(), *upper.parameters()):
            parameter.zero_()
    assert torch.equal(whole(inputs), expected)


@all_encoders
def test_a_part_can_be_cut_again(encoder):
    whole, inputs = encoder(num_layers=3), batch_of().inputs
    lower, upper = whole.cut(2)
    lowest, middle = lower.cut(1)
    hidden = middle(lowest(inputs), inputs.mask)
    torch.testing.assert_close(upper(hidden, inputs.mask), whole(inputs), **EXACT)


@all_encoders
@pytest.mark.parametrize("num_shared", [0, LAYERS])
def test_dropout_is_that_of_the_encoder(encoder, num_shared):
    """Where one of the parts has no layers, even its random numbers are the same."""
    whole, inputs = encoder(dropout=0.5), batch_of().inputs
    lower, upper = whole.cut(num_shared)
    torch.manual_seed(1)
    expected = whole(inputs)
    torch.manual_seed(1)
    torch.testing.assert_close(upper(lower(inputs), inputs.mask), expected, **EXACT)
    assert not torch.equal(whole(inputs), expected)


def test_units_are_dropped_between_layers_that_were_cut():
    whole, inputs = bilstm(dropout=0.5), batch_of().inputs
    lower, upper = whole.cut(1)
    hidden = lower.eval()(inputs)
    found = [upper(hidden, inputs.mask) for _ in range(2)]
    assert not torch.equal(*found)
    upper.eval()
    torch.testing.assert_close(upper(hidden, inputs.mask), whole.eval()(inputs), **EXACT)


@all_encoders
@cuts
def test_frozen_layers_and_their_mode_are_kept(encoder, num_shared):
    whole = encoder(dropout=0.5).requires_grad_(False).eval()
    for part in whole.cut(num_shared):
        assert not any(parameter.requires_grad for parameter in part.parameters())
        assert not any(module.training for module in part.modules())


@all_encoders
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_sharing_all_layers_is_hard_sharing(encoder, dropout):
    torch.manual_seed(0)
    encoder_of_all, batch = encoder(dropout=dropout), batch_of()
    sharing = BranchedSharing.from_encoder(encoder_of_all, TASKS, LAYERS)
    branched = model_of(sharing)
    hard = model_of(HardSharing(copy.deepcopy(encoder_of_all)))
    hard.heads.load_state_dict(branched.heads.state_dict())
    losses = []
    for model in (branched, hard):
        torch.manual_seed(1)
        losses.append(model(batch))
    torch.testing.assert_close(losses[0].by_task, losses[1].by_task, **EXACT)
    torch.testing.assert_close(losses[0].features, losses[1].features, **EXACT)
    found = gradient(branched, total(losses[0]))
    expected = gradient(hard, total(losses[1]))
    assert len(found) == len(expected)
    for name, value in expected.items():
        renamed = name.replace("sharing.encoder.", "sharing.trunk.")
        torch.testing.assert_close(found[renamed], value, **EXACT)
    assert all(sharing.task_parameters(task) == [] for task in TASKS)


def layer_size(encoder):
    """Count the parameters of one layer by hand."""
    if encoder is bilstm:
        half = WIDTH // 2
        return 2 * 4 * (half * WIDTH + half * half + 2 * half)
    inner = 6
    attention = 4 * (WIDTH * WIDTH + WIDTH)
    return attention + 2 * WIDTH * inner + inner + WIDTH + 2 * 2 * WIDTH


@all_encoders
@cuts
@pytest.mark.parametrize("num_tasks", [1, 3])
def test_the_number_of_parameters(encoder, num_shared, num_tasks):
    sharing = BranchedSharing.from_encoder(encoder(), TASKS[:num_tasks], num_shared)
    # Segments; a BERT has positions that are learnt, and normalises before its layers.
    more = {bilstm: 0, transformer: 2 * WIDTH, pretrained: (2 + 12 + 2) * WIDTH}
    embeddings = VOCABULARY * WIDTH + more[encoder]
    norm = 2 * WIDTH if encoder is transformer else 0
    all_shared = num_shared == LAYERS
    shared = embeddings + num_shared * layer_size(encoder) + all_shared * norm
    own = (LAYERS - num_shared) * layer_size(encoder) + (not all_shared) * norm
    assert sum(p.numel() for p in sharing.shared_parameters()) == shared
    for task in TASKS[:num_tasks]:
        assert sum(p.numel() for p in sharing.task_parameters(task)) == own
    assert sum(p.numel() for p in sharing.parameters()) == shared + num_tasks * own


@all_encoders
def test_with_no_layer_shared_only_embeddings_are(encoder):
    torch.manual_seed(0)
    model = model_of(BranchedSharing.from_encoder(encoder(), TASKS, 0))
    for task, loss in model(batch_of()).by_task.items():
        parts = {name.split(".")[1] + "." + name.split(".")[2] for name in moved(model, loss)}
        embeddings = {
            bilstm: {"trunk.embedding"},
            transformer: {"trunk.embedding", "trunk.segments"},
            pretrained: {"trunk.model"},
        }[encoder]
        assert parts - embeddings == {f"branches.{task}", f"{task}.output"}
        assert embeddings <= parts


@all_encoders
@cuts
def test_the_trunk_is_run_once_a_batch_and_its_states_are_the_features(encoder, num_shared):
    sharing, batch = BranchedSharing.from_encoder(encoder(), TASKS, num_shared), batch_of()
    calls = []
    sharing.trunk.register_forward_hook(lambda *call: calls.append(call[2]))
    shared = sharing(batch, TASKS)
    assert len(calls) == 1
    assert shared.features is calls[0]
    assert shared.penalty.item() == 0
    for hidden in shared.hidden.values():  # branches begin alike
        torch.testing.assert_close(hidden, shared.hidden[TASKS[0]], **EXACT)


@all_encoders
@pytest.mark.parametrize("num_shared", [-1, LAYERS + 1])
def test_a_number_of_layers_that_there_are_not(encoder, num_shared):
    message = f"of 2 layers can be cut after 0 to 2 of them, got num_layers={num_shared}"
    with pytest.raises(ValueError, match=message):
        BranchedSharing.from_encoder(encoder(), TASKS, num_shared)


def test_an_encoder_that_cannot_be_cut():
    with pytest.raises(TypeError, match=r"ProjectedEncoder cannot be cut.*a trunk and branches"):
        BranchedSharing.from_encoder(ProjectedEncoder(bilstm()), TASKS, 1)


@pytest.mark.parametrize(
    ("tasks", "error", "message"),
    [
        ("pos", TypeError, "Expected names of tasks as tasks, got the string 'pos'"),
        (["pos", "pos"], ValueError, r"different names, got tasks=\['pos', 'pos'\]"),
        ([], ValueError, "Expected one branch a task, got none"),
    ],
)
def test_names_that_are_refused(tasks, error, message):
    with pytest.raises(error, match=message):
        BranchedSharing.from_encoder(bilstm(), tasks, 1)
