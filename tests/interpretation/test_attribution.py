"""Integrated gradients against a sum by hand, a polynomial, Captum, and what they promise."""

import pytest
import torch
from interpreted_models import TAGS, TOPIC, VOCABULARY, bilstm, shared_private, texts, transformer
from torch import nn as torch_nn

from mtl_utils.data import Batch, Inputs
from mtl_utils.interpretation import Target, integrated_gradients, without_words
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import Encoder
from mtl_utils.sharing import HardSharing

TARGETS = [
    Target("topic", "y"),
    Target("tags", [0, 1, 2], position=[6, 0, 4], score="log_probability"),
    Target("first"),
]


def by_hand(model, inputs, start, task, read, points):
    """Move the vectors along the line one point after the other, text by text."""
    encoder = model.sharing.encoder
    model.eval()
    end = encoder.embedding(inputs.input_ids).detach()
    given = {}
    handle = encoder.embedding.register_forward_hook(lambda *_: given["vectors"])
    total = torch.zeros_like(end)
    for point in range(points):
        at = start + (point + 0.5) / points * (end - start)
        given["vectors"] = at.requires_grad_()
        batch = Batch(inputs)
        outputs = model.head(task)(model.sharing(batch, [task]).hidden[task], batch)
        total += torch.autograd.grad(read(outputs).sum(), given["vectors"])[0] / points
    handle.remove()
    return ((end - start) * total).sum(-1).masked_fill(~inputs.mask, 0.0).detach()


@pytest.mark.parametrize("make", [transformer, bilstm])
@pytest.mark.parametrize("max_tokens", [20, 50, 5000])
def test_midpoints_are_the_sum_by_hand(make, max_tokens: int) -> None:
    model, inputs = make(), texts()
    found = integrated_gradients(
        model, inputs, TARGETS, steps=6, rule="midpoint", max_tokens=max_tokens
    )
    start = torch.zeros(*inputs.input_ids.shape, 16, dtype=torch.float64)
    expected = by_hand(model, inputs, start, "topic", lambda o: o[:, 1], 6)
    torch.testing.assert_close(found[0].scores, expected)
    rows, at, labels = torch.arange(3), torch.tensor([6, 0, 4]), torch.tensor([0, 1, 2])
    expected = by_hand(
        model, inputs, start, "tags", lambda o: o.log_softmax(-1)[rows, at, labels], 6
    )
    torch.testing.assert_close(found[1].scores, expected)


@pytest.mark.parametrize(
    ("make", "steps", "most"),
    [(transformer, 200, 3e-3), (bilstm, 40, 1e-6)],  # the one has corners, the other is smooth
)
def test_contributions_are_complete(make, steps: int, most: float) -> None:
    model, inputs = make(), texts()
    found = integrated_gradients(model, inputs, TARGETS, steps=steps)
    few = integrated_gradients(model, inputs, TARGETS, steps=1)
    for each, rough in zip(found, few, strict=True):
        assert float((each.output - each.baseline_output).abs().max()) > 0.02
        assert float(each.error.abs().max()) < most < float(rough.error.abs().max())


def test_several_tables_move_together() -> None:
    found = integrated_gradients(shared_private(), texts(), TARGETS[:2], steps=48)
    for each in found:
        assert float((each.output - each.baseline_output).abs().min()) > 1e-3
        assert float(each.error.abs().max()) < 1e-6


def test_the_predicted_label_is_explained_where_none_is_named() -> None:
    model, inputs = transformer(), texts()
    first = integrated_gradients(model, inputs, [Target("first")], steps=3)[0]
    assert first.labels is not None
    assert first.labels.tolist() == model.predict(Batch(inputs), ["first"])["first"]
    named = integrated_gradients(model, inputs, [Target("first", first.labels.tolist())], steps=3)[
        0
    ]
    torch.testing.assert_close(named.scores, first.scores)


def test_the_model_is_left_as_it_was() -> None:
    model = transformer()
    model.sharing.encoder.segments.weight.requires_grad_(False)
    before = {name: (p.requires_grad, p.grad) for name, p in model.named_parameters()}
    modes = [part.training for part in model.modules()]
    integrated_gradients(model, texts(), TARGETS, steps=2)
    assert {name: (p.requires_grad, p.grad) for name, p in model.named_parameters()} == before
    assert [part.training for part in model.modules()] == modes
    assert not model.sharing.encoder.embedding._forward_hooks


def test_padding_changes_nothing_and_has_nothing() -> None:
    model, inputs = transformer(), texts()
    found = integrated_gradients(model, inputs, TARGETS[:1], steps=4)[0]
    alone = Inputs(inputs.input_ids[1:2, :4], inputs.mask[1:2, :4])
    other = integrated_gradients(model, alone, TARGETS[:1], steps=4)[0]
    torch.testing.assert_close(found.scores[1, :4], other.scores[0])
    assert not found.scores[1, 4:].any()


class _Products(Encoder):
    """The state of a token is its vector times that of the first, unit by unit: degree 2."""

    def __init__(self) -> None:
        super().__init__()
        self.width = 16
        self.embedding = torch_nn.Embedding(VOCABULARY, 16)

    def forward(self, inputs: Inputs) -> torch.Tensor:
        vectors = self.embedding(inputs.input_ids)
        return vectors * vectors[:, :1]


def test_gauss_and_legendre_are_exact_for_polynomials() -> None:
    torch.manual_seed(0)
    model = MultiTaskModel(HardSharing(_Products()), [TOPIC, TAGS]).double()
    ids = torch.tensor([[3, 4, 5]])
    target = Target("tags", "b", position=2)
    found = integrated_gradients(model, Inputs(ids, ids > 0), [target], steps=1)[0]
    assert float(found.error.abs()) < 1e-12
    # Of a product of two different tokens each has half.
    weight = model.head("tags").output.weight[1]
    vectors = model.sharing.encoder.embedding(ids)[0]
    half = float((weight * vectors[0] * vectors[2]).sum().detach()) / 2
    torch.testing.assert_close(found.scores[0], torch.tensor([half, 0.0, half]).double())


def test_the_path_may_start_from_other_tokens() -> None:
    model, inputs = transformer(), texts()
    kept = int(inputs.input_ids[0, 0])
    baseline = without_words(inputs, 2, [kept])
    assert ((baseline.input_ids == 2) | ~inputs.mask | (inputs.input_ids == kept)).all()
    found = integrated_gradients(
        model, inputs, TARGETS[:1], baseline=baseline, steps=9, rule="midpoint"
    )[0]
    assert float(found.scores[0, 0].abs()) < 1e-12
    logits = model.eval().head("topic")(model.sharing.encoder(baseline), Batch(baseline))
    torch.testing.assert_close(found.baseline_output, logits[:, 1].detach())
    start = model.sharing.encoder.embedding(baseline.input_ids).detach()
    expected = by_hand(model, inputs, start, "topic", lambda o: o[:, 1], 9)
    torch.testing.assert_close(found.scores, expected)


@pytest.mark.parametrize(
    ("rule", "method"), [("gauss-legendre", "gausslegendre"), ("midpoint", "riemann_middle")]
)
def test_captum_says_the_same(rule: str, method: str) -> None:
    captum = pytest.importorskip("captum.attr")
    model, inputs = transformer().eval(), texts()
    found = integrated_gradients(model, inputs, TARGETS[:1], steps=7, rule=rule)[0]

    def logits(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        batch = Batch(Inputs(ids, mask))
        return model.head("topic")(model.sharing(batch, ["topic"]).hidden["topic"], batch)

    table = model.sharing.encoder.embedding
    explained = captum.LayerIntegratedGradients(logits, table)
    zeros = torch.zeros_like(inputs.input_ids)
    with torch.no_grad():
        table.weight[0] = 0.0
    theirs = explained.attribute(
        inputs.input_ids,
        baselines=zeros,
        additional_forward_args=inputs.mask,
        target=1,
        n_steps=7,
        method=method,
    )
    torch.testing.assert_close(found.scores, theirs.sum(-1))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Target("tags", 0), "position must say"),
        (Target("topic", 0, position=1), "position must be None"),
        (Target("tags", 0, position=5), "position must be that of a token"),
        (Target("topic", 3), "from 0 to 2"),
        (Target("topic", [0, 1]), "each of 3 texts"),
    ],
)
def test_targets_that_do_not_fit_are_refused(target: Target, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        integrated_gradients(transformer(), texts(), [target])
