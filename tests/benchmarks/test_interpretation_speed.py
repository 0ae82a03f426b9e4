"""What attributions cost beside Captum's, and probes beside a pass and a fit each."""

import time

import pytest
import side_by_side
import torch

from mtl_utils.data import Batch, Example, Inputs
from mtl_utils.interpretation import (
    Target,
    collect_states,
    fit_probe,
    integrated_gradients,
    probe_scores,
)
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import TransformerEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging

VOCABULARY, WIDTH, LENGTH, STEPS, REPEATS = 2000, 128, 24, 50, 9
TARGETS = [Target("topic", 1), Target("tone", 2), Target("tags", 1, position=5)]
BATCH_SIZES = (16, 25, 50, None)


def model() -> MultiTaskModel:
    torch.manual_seed(0)
    tasks = [
        Classification("topic", ["x", "y", "z"], pooling="mean"),
        Classification("tone", ["x", "y", "z"], pooling="mean"),
        Tagging("tags", ["a", "b", "c"]),
    ]
    return MultiTaskModel(HardSharing(TransformerEncoder(VOCABULARY, WIDTH, 4, 4)), tasks).eval()


def captum(trained: MultiTaskModel, inputs: Inputs, target: Target, size: int | None) -> object:
    """Captum on the vectors, with the convergence delta that ours comes with."""
    attr = pytest.importorskip("captum.attr")
    encoder = trained.sharing.encoder
    table = encoder.embedding
    end = table(inputs.input_ids).detach()

    def score(vectors: torch.Tensor) -> torch.Tensor:
        rows = len(vectors)
        batch = Batch(Inputs(inputs.input_ids.expand(rows, -1), inputs.mask.expand(rows, -1)))
        embedded = vectors * WIDTH**0.5 + encoder.positions(LENGTH) + encoder.segments.weight[0]
        hidden = encoder.stack(embedded, batch.inputs.mask)
        outputs = trained.head(target.task)(hidden, batch)
        return outputs if target.position is None else outputs[:, target.position]

    return attr.IntegratedGradients(score).attribute(
        end,
        baselines=torch.zeros_like(end),
        target=target.label,
        n_steps=STEPS,
        internal_batch_size=size,
        return_convergence_delta=True,
    )


def best_size(trained: MultiTaskModel, inputs: Inputs) -> int | None:
    times = side_by_side.seconds(
        {str(n): lambda n=n: captum(trained, inputs, TARGETS[0], n) for n in BATCH_SIZES},
        3,
        min,
        time.process_time,
    )
    return min(BATCH_SIZES, key=lambda size: times[str(size)])


def test_attribution_costs_no_more_than_captums_and_three_tasks_less_than_three_calls() -> None:
    trained = model()
    ids = torch.randint(1, VOCABULARY, (1, LENGTH))
    inputs = Inputs(ids, ids > 0)
    with side_by_side.threads(1):
        size = best_size(trained, inputs)
        found = side_by_side.seconds(
            {
                "one": lambda: integrated_gradients(trained, inputs, TARGETS[:1], steps=STEPS),
                "captum": lambda: captum(trained, inputs, TARGETS[0], size),
                "three": lambda: integrated_gradients(trained, inputs, TARGETS, steps=STEPS),
                "captum, three": lambda: [captum(trained, inputs, t, size) for t in TARGETS],
            },
            REPEATS,
            min,
            time.process_time,
        )
    one, three = found["one"] / found["captum"], found["three"] / found["captum, three"]
    print(f"\nattribution: {one:.2f} of Captum at batches of {size}, three tasks {three:.2f}")
    assert one <= 1.1  # measured: 0.89 to 0.96
    assert three <= 0.75  # measured: 0.51 to 0.56


def test_probes_of_all_layers_and_tasks_cost_a_pass_and_their_fits() -> None:
    trained = model()
    generator = torch.Generator().manual_seed(0)

    def draw(limit: int, size: int) -> list[int]:
        return torch.randint(1, limit, (size,), generator=generator).tolist()

    rows = [
        Example(draw(VOCABULARY, 16), {"topic": n % 3, "tone": n % 2, "tags": draw(3, 16)})
        for n in range(300)
    ]
    states = collect_states(trained, rows)
    pairs = [states.of(task, layer) for task in states.tasks for layer in states.layers]

    def whole_pass() -> None:
        trained.compare(rows)

    def apart() -> None:
        whole_pass()
        for pair in pairs:
            fit_probe(*pair)

    def ours() -> None:
        read = collect_states(trained, rows)
        probe_scores(read, read)

    with side_by_side.threads(1):
        name = "probes of all layers and tasks; a pass and a fit each"
        found = 1 / side_by_side.ratio(name, ours, apart, 3, min, time.process_time)
    assert found <= 1.3  # measured: 1.2 to 1.45 beside other work, the more the shorter the fits
