"""Every way of sharing on every encoder: the contract that the model and the trainer rely on."""

import copy

import pytest
import torch
from tiny_families import FAMILIES
from tiny_sharing import (
    ALL,
    EXACT,
    ONE_EACH,
    TASKS,
    all_encoders,
    apart,
    batch_of,
    bilstm,
    gradient,
    longer,
    model_of,
    moved,
    names_of,
    total,
)

from mtl_utils.data import Batch
from mtl_utils.nn import LSTMEncoder
from mtl_utils.sharing import (
    PLE,
    BranchedSharing,
    CrossStitch,
    HyperAdapters,
    MMoE,
    SharedPrivate,
    SluiceNetwork,
    SoftSharing,
    TaskAdapters,
)

families = pytest.mark.parametrize("family", FAMILIES)
with_parts = pytest.mark.parametrize(
    "family", [name for name in FAMILIES if name not in ("hard", "experts")]
)


def make(family, encoder):
    torch.manual_seed(0)
    return model_of(FAMILIES[family](encoder))


@families
@all_encoders
@pytest.mark.parametrize("rows", [ALL, ONE_EACH], ids=["aligned", "disjoint"])
def test_trains_predicts_is_saved_and_copied(family, encoder, rows, tmp_path):
    model, batch = make(family, encoder), batch_of(rows)
    twin = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)  # a tiny BERT is very curved
    before = total(model(batch)).item()
    for _ in range(2):
        optimizer.zero_grad()
        total(model(batch)).backward()
        optimizer.step()
    after = model(batch)
    if family != "shared-private":  # where the adversary and the shared encoder disagree
        assert total(after).item() < before
    assert total(twin(batch)).item() == before
    torch.save(model.state_dict(), tmp_path / "model.pt")
    twin.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert total(twin(batch)).item() == total(after).item()
    unlabelled = Batch(batch.inputs)
    found = twin.predict(unlabelled)
    assert list(found) == list(TASKS)
    lengths = batch.inputs.mask.sum(dim=1).tolist()
    assert all([len(tags) for tags in rows] == lengths for rows in found.values())
    assert model.predict(batch) == found
    assert model.predict(unlabelled, ["ner"]) == {"ner": found["ner"]}


@families
@all_encoders
def test_every_parameter_is_shared_or_of_one_task(family, encoder):
    model = make(family, encoder)
    groups = [model.shared_parameters(), *(model.task_parameters(task) for task in TASKS)]
    listed = [id(parameter) for group in groups for parameter in group]
    assert sorted(listed) == sorted(id(parameter) for parameter in model.parameters())


@families
@all_encoders
@pytest.mark.parametrize("rows", [ALL, ONE_EACH], ids=["aligned", "disjoint"])
def test_a_loss_moves_what_is_shared_and_its_own_parts_alone(family, encoder, rows):
    model, batch = make(family, encoder), batch_of(rows)
    losses = model(batch)
    allowed = names_of(model, model.shared_parameters())
    for task, loss in losses.by_task.items():
        own = names_of(model, model.task_parameters(task))
        found = moved(model, loss)
        assert found <= allowed | own
        assert {name for name in own if "heads" in name} <= found
        if family in ("soft", "trace norm", "covariance"):
            assert found & allowed == set()
            assert any("encoders" in name for name in found)
        else:
            assert found & allowed


@families
@all_encoders
@pytest.mark.parametrize(
    "rows",
    [ALL, ONE_EACH, [{"pos"}, {"pos", "ner"}, set(), {"ner"}]],
    ids=["all", "one each", "some"],
)
def test_one_batch_for_all_equals_one_batch_a_task(family, encoder, rows):
    model, batch = make(family, encoder), batch_of(rows)
    together, separate = model(batch), model(apart(batch))
    torch.testing.assert_close(together.by_task, separate.by_task, **EXACT)
    torch.testing.assert_close(together.penalty, separate.penalty, **EXACT)
    torch.testing.assert_close(
        gradient(model, total(together)), gradient(model, total(separate)), **EXACT
    )


@families
@all_encoders
@pytest.mark.parametrize("filler", [0, 5])
def test_padding_changes_nothing(family, encoder, filler):
    model, batch = make(family, encoder), batch_of()
    padded = longer(batch, 2, filler)
    losses, found = model(batch), model(padded)
    torch.testing.assert_close(found.by_task, losses.by_task, **EXACT)
    torch.testing.assert_close(found.penalty, losses.penalty, **EXACT)
    torch.testing.assert_close(
        gradient(model, total(found)), gradient(model, total(losses)), **EXACT
    )
    assert model.predict(padded) == model.predict(batch)


@with_parts
@all_encoders
def test_a_task_that_the_way_of_sharing_was_not_made_for(family, encoder):
    sharing, batch = FAMILIES[family](encoder), batch_of()
    message = r"No task named 'fr'; this way of sharing was made for \['pos', 'ner', 'chunk'\]"
    for use in (
        lambda: sharing(batch, ["pos", "fr"]),
        lambda: sharing.causal("fr"),
        lambda: sharing.task_parameters("fr"),
        lambda: model_of(sharing, ["pos", "fr"]),
    ):
        with pytest.raises(KeyError, match=message):
            use()


@families
@all_encoders
def test_losses_and_gradients_are_finite(family, encoder):
    model = make(family, encoder)
    losses = model(batch_of())
    assert list(losses.by_task) == list(TASKS)
    assert all(loss.isfinite() for loss in [*losses.by_task.values(), losses.penalty])
    assert all(g.isfinite().all() for g in gradient(model, total(losses)).values())


def test_only_the_tasks_that_are_asked_for_are_computed():
    batch = batch_of()
    for family in FAMILIES:
        shared = make(family, bilstm).sharing(batch, ["chunk", "pos"])
        assert list(shared.hidden) == ["chunk", "pos"]
        assert shared.penalty.shape == ()


@families
@all_encoders
def test_no_task_and_no_text(family, encoder):
    model, batch = make(family, encoder), batch_of()
    assert model.sharing(batch, []).hidden == {}
    rows = torch.tensor([], dtype=torch.long)
    labels = {task: value[rows] for task, value in batch.labels.items()}
    none = Batch(batch.inputs.rows(rows), labels)
    losses = model(none)
    assert not any(losses.by_task.values())
    assert all(value.isfinite().all() for value in gradient(model, total(losses)).values())
    assert model.predict(none) == {task: [] for task in TASKS}


def test_names_of_tasks_are_gone_through_once_and_have_an_order():
    makers = (
        lambda names: BranchedSharing.from_encoder(bilstm(), names, 1),
        lambda names: CrossStitch.from_encoder(bilstm(), names),
        lambda names: MMoE.from_encoder(bilstm(), names, 2),
        lambda names: PLE.from_encoder(bilstm(), names),
        lambda names: TaskAdapters(bilstm(), names),
    )
    batch = batch_of()
    for make_of in makers:
        for names in ((task for task in TASKS), dict.fromkeys(TASKS).keys()):
            assert list(make_of(names).double()(batch, TASKS).hidden) == list(TASKS)
        with pytest.raises(TypeError, match=r"strings in a list or tuple, got \{'pos'\}"):
            make_of({"pos"})
    with pytest.raises(TypeError, match="strings in a list or tuple, got set"):
        SoftSharing({task: bilstm() for task in TASKS}, {"lstm"})


@pytest.mark.parametrize("name", ["copy", "get"])
def test_a_name_that_parameters_of_tasks_cannot_have(name):
    message = rf"tasks=\['{name}', 'ner'\] needs another name: PyTorch says"
    with pytest.raises(ValueError, match=message):
        HyperAdapters(bilstm(), [name, "ner"])
    with pytest.raises(ValueError, match=message):
        SluiceNetwork({name: bilstm(), "ner": bilstm()})
    assert TaskAdapters(bilstm(), [name, "ner"]).task_names == [name, "ner"]


def one_way():
    return LSTMEncoder(9, 4)


def test_states_are_causal_where_all_their_parts_are():
    def causal(sharing):
        return [sharing.causal(task) for task in ("pos", "ner")]

    mixed = {"pos": one_way(), "ner": bilstm()}
    layers = {task: encoder.cut(0)[1] for task, encoder in mixed.items()}
    assert causal(SoftSharing(mixed, ["embedding"])) == [True, False]
    assert causal(BranchedSharing(one_way(), layers)) == [True, False]
    assert causal(BranchedSharing(bilstm(), layers)) == [False, False]
    assert causal(SharedPrivate(one_way(), mixed)) == [True, False]
    assert causal(SharedPrivate(bilstm(), mixed)) == [False, False]


def test_parameters_that_two_tasks_have_in_common_are_shared():
    embedding = torch.nn.Embedding(9, 4)
    first, second = (LSTMEncoder(9, 4, embedding=embedding) for _ in range(2))
    sharing = SoftSharing({"pos": first, "ner": second}, ["lstm"])
    assert [id(p) for p in sharing.shared_parameters()] == [id(embedding.weight)]
    for task, encoder in (("pos", first), ("ner", second)):
        own = {id(parameter) for parameter in sharing.task_parameters(task)}
        assert own == {id(parameter) for parameter in encoder.lstm.parameters()}


one = bilstm()
WRONG_PARTS = [
    ([one], TypeError, "as a mapping from names of tasks, got list"),
    ({}, ValueError, "Expected one .* a task, got none"),
    ({"pos": one, "ner": one}, ValueError, r"\['pos', 'ner'\] were given the same .*deepcopy"),
    ({"pos": one, "ner": bilstm(6)}, ValueError, r"same width, got {'pos': 4, 'ner': 6}"),
    ({"a.b": one}, ValueError, "A task needs another name: PyTorch says"),
]


@pytest.mark.parametrize(("parts", "error", "message"), WRONG_PARTS)
@pytest.mark.parametrize(
    "family",
    [
        lambda parts: SoftSharing(parts, ["lstm"]),
        lambda parts: SharedPrivate(bilstm(), parts),
        lambda parts: BranchedSharing(bilstm(), parts),
    ],
)
def test_parts_that_are_refused(family, parts, error, message):
    with pytest.raises(error, match=message):
        family(parts)
