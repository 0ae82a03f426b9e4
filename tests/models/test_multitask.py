"""The multi-task model: whose loss moves what, whatever the batches look like.

Two decoders and a language model on one causal encoder; all numbers in double precision.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.data import Batch, Example, Inputs, Vocabulary, WordTokenizer, collate
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import LSTMEncoder
from mtl_utils.objectives import EqualWeights
from mtl_utils.sharing import HardSharing, Shared
from mtl_utils.tasks import LanguageModeling, Translation

VOCABULARY, WIDTH = 20, 6
TASKS = ("lm", "fr", "de")
EXACT = {"atol": 1e-12, "rtol": 1e-12}
# For each row the tasks that it has labels for.
labelled = st.lists(st.sets(st.sampled_from(TASKS)), min_size=1, max_size=5)


def tasks_of(dropout=0.0):
    words = WordTokenizer(Vocabulary.from_tokens("abcde"))
    translations = [Translation(name, words, dropout=dropout, max_length=4) for name in TASKS[1:]]
    return [LanguageModeling("lm", VOCABULARY), *translations]


def make(seed=0, dropout=0.0, sharing=HardSharing):
    torch.manual_seed(seed)
    encoder = LSTMEncoder(VOCABULARY, WIDTH, dropout=dropout)
    return MultiTaskModel(sharing(encoder), tasks_of(dropout)).double()


def examples_of(rows, seed=0):
    """Make a random example for each row, with the labels of some tasks."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low, high):
        size = int(torch.randint(1, 5, (), generator=generator))
        return torch.randint(low, high, (size,), generator=generator).tolist()

    found = []
    for names in rows:
        ids = draw(4, VOCABULARY)
        labels = {
            "lm": LanguageModeling("lm", VOCABULARY).label(ids),
            "fr": [*draw(4, 9), 3],
            "de": [*draw(4, 9), 3],
        }
        found.append(Example(ids, {name: labels[name] for name in TASKS if name in names}))
    return found


ALL = [set(TASKS)] * 4


def gradient(model, loss):
    """Return the gradient of a scalar by the name of the parameter; zero where there is none."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
    return dict(zip(names, found, strict=True))


def moved(gradients):
    """Return the heads that a gradient moves, and "shared" for the encoder."""
    names = {name for name, value in gradients.items() if value.any()}
    return {name.split(".")[1] if name.startswith("heads.") else "shared" for name in names}


@pytest.mark.parametrize("task", TASKS)
def test_a_loss_moves_the_encoder_and_its_own_head_alone(task):
    model = make()
    losses = model(collate(examples_of(ALL)))
    gradients = gradient(model, losses.by_task[task])
    assert moved(gradients) == {"shared", task}
    own = {id(p) for p in model.task_parameters(task)}
    for name, parameter in model.named_parameters():
        assert (id(parameter) in own) == name.startswith(f"heads.{task}.")


@settings(max_examples=20)
@given(labelled.filter(any), st.integers(0, 2**31))
def test_a_row_without_a_label_changes_nothing(rows, seed):
    """Each task's loss and gradient are those of the rows that have its label."""
    model, examples = make(seed), examples_of(rows, seed)
    losses = model(collate(examples))
    for task in TASKS:
        kept = [example for example in examples if task in example.labels]
        if not kept:
            assert task not in losses.by_task
            continue
        alone = model(collate([Example(e.input_ids, {task: e.labels[task]}) for e in kept]))
        torch.testing.assert_close(losses.by_task[task], alone.by_task[task], **EXACT)
        torch.testing.assert_close(losses.counts[task], alone.counts[task])
        torch.testing.assert_close(
            gradient(model, losses.by_task[task]), gradient(model, alone.by_task[task]), **EXACT
        )


def test_a_row_without_any_label_has_no_gradient():
    model = make()
    examples = [*examples_of(ALL), Example([1, 2, 3], {})]  # ids that no other row has
    losses = model(collate(examples))
    total = sum(losses.by_task.values())
    found = gradient(model, total)["sharing.encoder.embedding.weight"]
    assert not found[1:4].any()
    assert found[4:].any()


@pytest.mark.parametrize("task", TASKS)
def test_a_batch_in_which_every_label_is_missing(task):
    model, batch = make(), collate(examples_of(ALL))
    missing = {task: torch.full_like(batch.labels[task], -100)}
    losses = model(Batch(batch.inputs, {**batch.labels, **missing}))
    assert losses.by_task[task].item() == 0
    assert losses.counts[task].item() == 0
    assert moved(gradient(model, losses.by_task[task])) == set()
    others = model(batch)
    for other in set(TASKS) - {task}:
        assert losses.by_task[other].item() == others.by_task[other].item()


@settings(max_examples=15)
@given(labelled.filter(any), st.integers(0, 2**31))
def test_one_batch_for_all_equals_one_batch_a_task(rows, seed):
    model, examples = make(seed), examples_of(rows, seed)
    aligned = model(collate(examples))
    apart = model(
        {
            task: collate([Example(e.input_ids, {task: e.labels[task]}) for e in kept])
            for task in reversed(TASKS)
            if (kept := [e for e in examples if task in e.labels])
        }
    )
    assert set(aligned.by_task) == set(apart.by_task)
    totals = []
    for losses in (aligned, apart):
        total = sum(losses.by_task.values())
        totals.append((total.detach(), gradient(model, total)))
        model.zero_grad()
        EqualWeights().backward(losses, model)
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                torch.testing.assert_close(parameter.grad, totals[-1][1][name], **EXACT)
    torch.testing.assert_close(*totals, **EXACT)


def encoder_calls(model, batches):
    calls = []
    handle = model.sharing.encoder.register_forward_hook(lambda *call: calls.append(call[2]))
    losses = model(batches)
    handle.remove()
    return calls, losses


def test_tasks_that_are_given_the_same_batch_share_one_pass():
    model, examples = make(), examples_of(ALL)
    batch, twin = collate(examples), collate(examples)

    def again():
        return Batch(batch.inputs, batch.labels)

    expected = model(batch)
    for batches, passes in [
        (batch, 1),
        (dict.fromkeys(TASKS, batch), 1),
        ({"lm": batch, "fr": twin, "de": batch}, 2),
        ({"lm": batch, "fr": twin, "de": again()}, 3),
        ({"de": batch}, 1),
    ]:
        calls, losses = encoder_calls(model, batches)
        assert len(calls) == passes
        # The shared representation of the batch, where there is one batch.
        assert losses.features is (calls[0] if passes == 1 else None)
        for task, loss in losses.by_task.items():
            torch.testing.assert_close(loss, expected.by_task[task], **EXACT)
    assert list(losses.by_task) == list(losses.counts) == ["de"]


@settings(max_examples=20)
@given(labelled.filter(any), st.lists(st.integers(0, 2), min_size=5, max_size=5))
def test_means_of_shards_weighted_by_counts_are_the_mean_of_the_whole(rows, assignment):
    model, batch = make(), collate(examples_of(rows))
    whole = model(batch)
    shards = []
    for shard in set(assignment[: len(rows)]):
        chosen = torch.tensor([i for i in range(len(rows)) if assignment[i] == shard])
        inputs = Inputs(batch.inputs.input_ids[chosen], batch.inputs.mask[chosen])
        labels = {task: labels[chosen] for task, labels in batch.labels.items()}
        shards.append(model(Batch(inputs, labels)))
    for task, loss in whole.by_task.items():
        total = sum(losses.counts[task] for losses in shards)
        assert total == whole.counts[task]
        parts = [losses.by_task[task] * losses.counts[task] for losses in shards]
        mean = sum(parts) / total.clamp(min=1)
        torch.testing.assert_close(mean, loss, **EXACT)
        torch.testing.assert_close(gradient(model, mean), gradient(model, loss), **EXACT)


def test_every_parameter_is_shared_or_of_one_task():
    model = make()
    groups = [model.shared_parameters(), *(model.task_parameters(task) for task in TASKS)]
    assert all(groups)
    listed = [id(parameter) for group in groups for parameter in group]
    assert sorted(listed) == sorted(id(parameter) for parameter in model.parameters())
    assert {id(p) for p in groups[0]} == {id(p) for p in model.sharing.encoder.parameters()}


class Penalised(HardSharing):
    """Adds the squared norm of its parameters."""

    def forward(self, batch, tasks):
        shared = super().forward(batch, tasks)
        penalty = sum((parameter**2).sum() for parameter in self.parameters())
        return Shared(shared.hidden, shared.features, penalty)


def test_a_penalty_is_added_once():
    model, examples = make(sharing=Penalised), examples_of(ALL)
    norm = sum((parameter**2).sum() for parameter in model.shared_parameters())
    for batches in (
        collate(examples),
        {task: collate(examples) for task in TASKS},
    ):
        losses = model(batches)
        torch.testing.assert_close(losses.penalty, norm, **EXACT)
    assert make()(collate(examples)).penalty.item() == 0


def test_hard_sharing_gives_every_task_the_same_states():
    model, batch = make(), collate(examples_of(ALL))
    shared = model.sharing(batch, ["lm", "de"])
    expected = model.sharing.encoder(batch.inputs)
    assert list(shared.hidden) == ["lm", "de"]
    for hidden in (*shared.hidden.values(), shared.features):
        torch.testing.assert_close(hidden, expected, **EXACT)
    assert shared.penalty.item() == 0


def test_predictions_are_those_of_the_heads_without_dropout():
    model, batch = make(dropout=0.5), collate(examples_of(ALL))
    unlabelled = Batch(batch.inputs)
    found = model.predict(unlabelled)
    assert model.training
    assert all(module.training for module in model.modules())
    assert list(found) == list(TASKS)
    model.eval()
    with torch.no_grad():
        hidden = model.sharing.encoder(batch.inputs)
        for task in TASKS:
            assert found[task] == model.heads[task].predict(hidden, unlabelled)
            assert len(found[task]) == 4
    assert model.predict(unlabelled, ["de"]) == {"de": found["de"]}
    assert model.predict(batch) == found
    assert not model.training


def test_a_frozen_encoder_stays_as_it_was_put():
    model = make(dropout=0.5)
    model.sharing.encoder.eval()
    model.predict(collate(examples_of(ALL)))
    assert model.training
    assert model.heads.training
    assert not any(module.training for module in model.sharing.encoder.modules())


def test_predicting_puts_the_mode_back_after_an_error():
    model = make()
    ids = torch.tensor([[VOCABULARY]])
    with pytest.raises(ValueError, match="outside the vocabulary"):
        model.predict(Batch(Inputs(ids, torch.ones_like(ids, dtype=torch.bool))))
    assert model.training


@pytest.mark.parametrize(
    "use",
    [
        lambda model, batch: model(Batch(batch.inputs, {"ner": batch.labels["lm"]})),
        lambda model, batch: model({"ner": batch}),
        lambda model, batch: model.predict(batch, ["fr", "ner"]),
        lambda model, batch: model.head("ner"),
        lambda model, batch: model.task_parameters("ner"),
    ],
)
def test_a_task_that_the_model_does_not_have(use):
    with pytest.raises(KeyError, match=r"No task named 'ner'; the model has \['lm', 'fr', 'de'\]"):
        use(make(), collate(examples_of(ALL)))


def test_a_batch_without_the_labels_of_its_task():
    model, batch = make(), collate(examples_of([{"lm", "de"}] * 3))
    with pytest.raises(KeyError, match=r"The batch of 'fr' has labels of \['lm', 'de'\] only"):
        model({"lm": batch, "fr": batch})


def test_nothing_to_compute():
    model, batch = make(), collate(examples_of([set()]))
    for nothing in (batch, {}):
        with pytest.raises(ValueError, match="no batch, or a batch without labels"):
            model(nothing)


def test_tasks_need_names_of_their_own():
    encoder = LSTMEncoder(VOCABULARY, WIDTH)
    for wrong in ([], [*tasks_of(), tasks_of()[1]]):
        with pytest.raises(ValueError, match="at least one task, and tasks need different names"):
            MultiTaskModel(HardSharing(encoder), wrong)


@pytest.mark.parametrize("name", ["ner.conll", "type", ""])
def test_a_name_that_pytorch_refuses(name):
    encoder = LSTMEncoder(VOCABULARY, WIDTH)
    with pytest.raises(ValueError, match="A task needs another name: PyTorch says"):
        MultiTaskModel(HardSharing(encoder), [LanguageModeling(name, VOCABULARY)])


def test_what_is_written_is_not_compared_with_ids():
    with pytest.raises(NotImplementedError, match="writes text, which is measured as text"):
        make().evaluate(examples_of([{"fr"}]))


def test_a_language_model_is_measured_by_its_loss():
    model = make().eval()
    examples = examples_of([{"lm"}] * 4)
    losses = model(collate(examples))
    per_token = (
        losses.by_task["lm"] * losses.counts["lm"] / sum(len(e.input_ids) - 1 for e in examples)
    )
    loss = per_token.item()
    assert model.evaluate(examples)["lm_perplexity"] == pytest.approx(math.exp(loss), rel=1e-5)


class Lacking:
    """What has a part of a task, and not another."""

    name, causal = "lacking", False

    def head(self, width):
        return torch.nn.Linear(width, 2)

    def metrics(self, predictions, references):
        return {}


@pytest.mark.parametrize(
    ("message", "call"),
    [
        (
            r"a way of sharing such as HardSharing\(encoder\), got LSTMEncoder",
            lambda model: MultiTaskModel(LSTMEncoder(5, 4), tasks_of()),
        ),
        ("a list of tasks, got Lacking", lambda model: MultiTaskModel(model.sharing, Lacking())),
        (
            r"must return a tasks.Head.*returned Linear",
            lambda m: MultiTaskModel(m.sharing, [Lacking()]),
        ),
        (
            "str is no task, since it has no name",
            lambda model: MultiTaskModel(model.sharing, ["lm"]),
        ),
        ("Expected a data.Batch.*got list", lambda model: model([batch_of()])),
        (
            "Expected a data.Batch.*got a tensor",
            lambda model: model(torch.zeros(1, 1).long()),
        ),
        ("Expected a data.Batch.*got list", lambda model: model({"lm": [batch_of()]})),
        (
            r"Expected a data.Batch.*got Inputs; make one with Batch\(inputs\)",
            lambda model: model.predict(batch_of().inputs),
        ),
        (r"got 'lm'; use \['lm'\]", lambda model: model.predict(batch_of(), "lm")),
    ],
)
def test_what_is_not_of_its_kind_is_refused(message, call):
    with pytest.raises(TypeError, match=message):
        call(make())


def batch_of():
    return collate(examples_of([TASKS]))
