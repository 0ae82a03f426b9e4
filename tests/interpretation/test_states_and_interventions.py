"""States of every layer against the encoder cut by hand, and blocks that change a model a while."""

import pandas as pd
import pytest
import torch
from interpreted_models import bilstm, examples, shared_private, texts, transformer

from mtl_utils.data import Batch, collate
from mtl_utils.interpretation import (
    Target,
    changed_states,
    collect_states,
    deletion_curve,
    fit_eraser,
    head_importance,
    integrated_gradients,
    layer_importance,
    mean_drop,
    probe_scores,
    task_losses,
    without_head,
    without_layer,
)
from mtl_utils.nn import CachedEncoder


@pytest.mark.parametrize("make", [transformer, bilstm])
def test_states_are_those_of_the_layers_in_the_order_of_the_texts(make) -> None:
    model, some = make(), examples(11)
    found = collect_states(model, some, max_tokens=20)
    assert found.layers == ["embeddings", "layer 1", "layer 2"]
    model.eval()
    encoder = model.sharing.encoder
    for depth, layer in enumerate(found.layers):
        lower = encoder.cut(depth)[0].eval()
        rows = [lower(collate([example]).inputs)[0] for example in some]
        torch.testing.assert_close(found.words[layer], torch.cat(rows))
        torch.testing.assert_close(found.texts[layer], torch.stack([row.mean(0) for row in rows]))
    assert found.word_labels["tags"].tolist() == [t for e in some for t in e.labels["tags"]]
    assert found.text_labels["topic"].tolist() == [e.labels["topic"] for e in some]
    lengths = [len(e.input_ids) for e in some]
    assert found.text_of_word.bincount().tolist() == lengths


def test_labels_that_are_missing_are_left_out() -> None:
    some = examples(6)
    del some[2].labels["topic"]
    some[3].labels["tags"][1] = -100
    found = collect_states(transformer(), some)
    states, labels = found.of("topic", "layer 1")
    assert len(states) == len(labels) == 5
    assert len(found.of("tags", "layer 1")[1]) == sum(len(e.input_ids) for e in some) - 1


def test_other_ways_of_sharing_show_what_each_task_reads() -> None:
    model, some = shared_private(), examples(5)
    found = collect_states(model, some)
    assert found.layers == ["topic", "tags"]
    assert found.words["topic"].shape == (sum(len(e.input_ids) for e in some), model.sharing.width)


def test_probes_of_all_layers_are_those_of_each() -> None:
    model, some = transformer(), examples(60)
    train, test = collect_states(model, some[:40]), collect_states(model, some[40:])
    table = probe_scores(train, test, tasks=["tags", "topic"])
    assert len(table) == 6
    assert (table["loss"] > 0).all()
    one = probe_scores(train, test, tasks=["tags"], layers=["layer 2"])
    pd.testing.assert_frame_equal(
        one, table[(table.task == "tags") & (table.layer == "layer 2")].reset_index(drop=True)
    )


def test_losses_are_those_of_all_texts_at_once() -> None:
    model, some = transformer(), examples(9)
    found = task_losses(model, some, max_tokens=16)
    model.eval()
    whole = model(collate(some)).by_task
    assert found == pytest.approx({task: loss.item() for task, loss in whole.items()})


@pytest.mark.parametrize("layer", [0, 1, 2, None])
def test_states_are_changed_within_a_block_alone(layer: int | None) -> None:
    model, some = transformer(), examples(9)
    before, encoder = task_losses(model, some), model.sharing.encoder
    with changed_states(model, lambda states: states, layer):
        assert task_losses(model, some) == pytest.approx(before)
    with changed_states(model, torch.zeros_like, layer):
        changed = task_losses(model, some)
        states = model.eval().sharing.encoder(texts())
    assert changed != pytest.approx(before)
    if layer in (2, None):
        assert not states.any()
    assert model.sharing.encoder is encoder
    assert task_losses(model, some) == before


def test_an_erased_last_layer_has_nothing_for_a_straight_line() -> None:
    model, some = transformer(), examples(60)
    states, labels = collect_states(model, some).of("tags", "layer 2")
    with changed_states(model, fit_eraser(states, labels)):
        erased, _ = collect_states(model, some).of("tags", "topic")
    centred = erased - erased.mean(0)
    one_hot = torch.nn.functional.one_hot(labels).double()
    assert float((centred.T @ (one_hot - one_hot.mean(0))).abs().max()) < 1e-8


def test_a_silent_head_is_a_head_whose_values_are_zero() -> None:
    model, some = transformer(), examples(9)
    attention = model.sharing.encoder.stack.layers[1].attention
    weight = attention.output.weight.detach().clone()
    with without_head(model, 2, 1):
        silent = task_losses(model, some)
    assert torch.equal(attention.output.weight, weight)
    with torch.no_grad():
        attention.value.weight[4:8] = 0.0
        attention.value.bias[4:8] = 0.0
    assert silent == pytest.approx(task_losses(model, some))


def test_without_a_layer_the_others_are_what_remains() -> None:
    model, some = transformer(layers=2), examples(9)
    layers = model.sharing.encoder.stack.layers
    with without_layer(model, 1):
        found = task_losses(model, some)
        assert list(model.sharing.encoder.stack.layers) == [layers[1]]
    assert model.sharing.encoder.stack.layers is layers
    first = layers[0]
    with torch.no_grad():  # a layer that adds nothing
        for linear in (first.attention.output, first.feedforward.outer):
            linear.weight.zero_()
            linear.bias.zero_()
    assert found == pytest.approx(task_losses(model, some))


def test_importance_is_the_growth_of_losses() -> None:
    model, some = transformer(), examples(9)
    whole = task_losses(model, some)
    heads, layers = head_importance(model, some), layer_importance(model, some)
    assert heads.shape == (8, 3)
    assert list(layers.index) == [1, 2]
    with without_head(model, 1, 3):
        assert heads.loc[(1, 3), "tags"] == task_losses(model, some)["tags"] - whole["tags"]
    with pytest.raises(TypeError, match="must share an nn"):
        head_importance(bilstm(), some)
    with pytest.raises(TypeError, match="must share one encoder"):
        head_importance(shared_private(), some)


def test_a_deletion_curve_is_the_model_asked_each_time() -> None:
    model, inputs = transformer(), texts()
    scores = torch.rand(3, 7, generator=torch.Generator().manual_seed(0))
    found = deletion_curve(model, inputs, Target("topic", 2), scores, 1, most=5, max_tokens=20)
    model.eval()
    for row in range(3):
        ids, length = inputs.input_ids[row].clone(), int(inputs.mask[row].sum())
        order = scores[row, :length].argsort(descending=True).tolist()
        for step in range(6):
            if 0 < step <= length:
                ids[order[step - 1]] = 1
            batch = Batch(type(inputs)(ids[None, :length], inputs.mask[row : row + 1, :length]))
            logits = model.head("topic")(model.sharing.encoder(batch.inputs), batch)
            torch.testing.assert_close(found[row, step], logits[0, 2].detach())
    assert mean_drop(found)[0] == pytest.approx(float((found[0, 0] - found[0, 1:]).mean()))


def test_kept_states_are_refused_with_what_to_do() -> None:
    model = transformer()
    model.sharing.encoder = CachedEncoder(model.sharing.encoder, freeze=True)
    with pytest.raises(TypeError, match="put the encoder that it holds"):
        integrated_gradients(model, texts(), [Target("first")])
