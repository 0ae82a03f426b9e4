"""The CRF against enumeration of every sequence in log space, and against pytorch-crf."""

import itertools
import math

import pytest
import torch
import torchcrf
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.nn import LinearChainCRF, viterbi
from mtl_utils.nn.crf import LARGEST_EXPONENT, chain_marginals

EXACT = {"atol": 1e-9, "rtol": 1e-9}
seeds = st.integers(0, 2**31)
lengths_of_rows = st.lists(st.integers(0, 4), min_size=1, max_size=4)
sizes = st.integers(1, 3)
# Within what is multiplied out, and beyond it.
scales = st.sampled_from([0.1, 2.0, 3 * LARGEST_EXPONENT])


def make(num_tags=3, seed=0, scale=2.0, **constraints):
    generator = torch.Generator().manual_seed(seed)
    crf = LinearChainCRF(num_tags, **constraints).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            draw = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(draw * scale)
    return crf


def some_batch(lengths, num_tags=3, seed=0, scale=2.0, padding=0):
    """Return emissions, tags and mask; tags are -100 at padding, where emissions are nan."""
    generator = torch.Generator().manual_seed(seed)
    longest = max(lengths, default=0) + padding
    mask = torch.arange(longest) < torch.tensor(lengths).unsqueeze(1)
    shape = (len(lengths), longest, num_tags)
    emissions = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
    tags = torch.randint(num_tags, shape[:2], generator=generator)
    emissions = emissions.masked_fill(~mask.unsqueeze(2), torch.nan)
    return emissions, tags.masked_fill(~mask, -100), mask


def rows_of(emissions, tags, mask):
    """Yield each row without padding."""
    for row in range(len(mask)):
        length = int(mask[row].sum())
        yield emissions[row, :length], tags[row, :length].tolist()


def score(crf, emissions, tags):
    """Add up one sequence term by term."""
    if not tags:
        return emissions.sum()
    total = crf.start[tags[0]] + crf.end[tags[-1]]
    total = total + sum(emissions[t, tag] for t, tag in enumerate(tags))
    return total + sum(crf.transitions[a, b] for a, b in itertools.pairwise(tags))


def is_allowed(crf, tags):
    if not tags:
        return True
    steps = all(crf.allowed[a, b] for a, b in itertools.pairwise(tags))
    return bool(steps and crf.allowed_start[tags[0]] and crf.allowed_end[tags[-1]])


def sequences(crf, length, allowed_only=False):
    every = itertools.product(range(crf.num_tags), repeat=length)
    return [list(tags) for tags in every if not allowed_only or is_allowed(crf, tags)]


def log_partition(crf, emissions, allowed_only=False):
    scores = [score(crf, emissions, s) for s in sequences(crf, len(emissions), allowed_only)]
    return torch.stack(scores).logsumexp(0)


def log_likelihoods(crf, batch, allowed_only=False):
    return torch.stack(
        [score(crf, e, tags) - log_partition(crf, e, allowed_only) for e, tags in rows_of(*batch)]
    )


def random_constraints(num_tags, seed):
    """Masks that leave a sequence of every length: the first tag may always stay."""
    generator = torch.Generator().manual_seed(seed)
    start, end, steps = (
        torch.rand(shape, generator=generator) < 0.5
        for shape in [(num_tags,), (num_tags,), (num_tags, num_tags)]
    )
    start[0] = end[0] = steps[0, 0] = True
    return {"allowed_start": start, "allowed": steps, "allowed_end": end}


# Against enumeration.


@settings(max_examples=60)
@given(lengths_of_rows, sizes, scales, seeds)
def test_scores_and_partition_are_those_of_enumeration(lengths, num_tags, scale, seed):
    crf, batch = make(num_tags, seed, scale), some_batch(lengths, num_tags, seed, scale)
    emissions, tags, mask = batch
    scores = [score(crf, e, t) for e, t in rows_of(*batch)]
    partitions = [log_partition(crf, e) for e, _ in rows_of(*batch)]
    torch.testing.assert_close(crf.score(emissions, tags, mask), torch.stack(scores), **EXACT)
    torch.testing.assert_close(crf.log_partition(emissions, mask), torch.stack(partitions), **EXACT)
    found = crf.log_likelihood(emissions, tags, mask)
    torch.testing.assert_close(found, log_likelihoods(crf, batch), **EXACT)
    assert found.shape == (len(lengths),)
    assert not found[~mask.any(dim=1)].any()  # exactly 0 for a row without tokens


@settings(max_examples=40)
@given(lengths_of_rows, sizes, scales, seeds)
def test_gradients_are_those_of_enumeration(lengths, num_tags, scale, seed):
    crf, batch = make(num_tags, seed, scale), some_batch(lengths, num_tags, seed, scale)
    weigh = torch.arange(1.0, len(lengths) + 1, dtype=torch.float64)  # each row differently

    def gradients(function):
        leaf = batch[0].clone().requires_grad_()
        wanted = [leaf, *crf.parameters()]
        total = (function(leaf) * weigh).sum()
        return torch.autograd.grad(total, wanted, materialize_grads=True)

    found = gradients(lambda leaf: crf.log_likelihood(leaf, *batch[1:]))
    expected = gradients(lambda leaf: log_likelihoods(crf, (leaf, *batch[1:])))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **EXACT)
    assert not found[0][~batch[2]].any()


@settings(max_examples=40)
@given(lengths_of_rows, seeds, st.sampled_from([0.3, 1.0, 2.5]), scales)
def test_constrained_and_tempered_marginals_are_those_of_enumeration(
    lengths, seed, temperature, scale
):
    allowed = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 1]]).bool()
    start = torch.tensor([True, True, False])
    crf, batch = make(3, seed, scale, allowed_start=start, allowed=allowed), some_batch(lengths)
    expected = torch.zeros(batch[0].shape, dtype=torch.float64)
    for row, (emissions, _) in enumerate(rows_of(*batch)):
        found = [
            (score(crf, emissions, tags).item() / temperature, tags)
            for tags in itertools.product(range(3), repeat=len(emissions))
            if tags and start[tags[0]] and all(allowed[a, b] for a, b in itertools.pairwise(tags))
        ]
        best = max((value for value, _ in found), default=0.0)
        total = math.fsum(math.exp(value - best) for value, _ in found)
        for value, tags in found:
            for t, tag in enumerate(tags):
                expected[row, t, tag] += math.exp(value - best) / total
    found = crf.marginals(batch[0], batch[2], constrained=True, temperature=temperature)
    torch.testing.assert_close(found, expected, **EXACT)
    masked = (
        crf.start.masked_fill(~start, -torch.inf),
        crf.transitions.masked_fill(~allowed, -torch.inf),
        crf.end,
    )
    if temperature == 1.0:
        found = chain_marginals(batch[0], batch[2], *masked)
        torch.testing.assert_close(found, expected, **EXACT)


@settings(max_examples=40)
@given(lengths_of_rows, sizes, scales, seeds)
def test_marginals_are_those_of_enumeration(lengths, num_tags, scale, seed):
    crf, batch = make(num_tags, seed, scale), some_batch(lengths, num_tags, seed, scale)
    expected = torch.zeros(batch[0].shape, dtype=torch.float64)
    for row, (emissions, _) in enumerate(rows_of(*batch)):
        total = log_partition(crf, emissions)
        for tags in sequences(crf, len(emissions)):
            probability = (score(crf, emissions, tags) - total).exp()
            for t, tag in enumerate(tags):
                expected[row, t, tag] += probability.item()
    emissions, _, mask = batch
    torch.testing.assert_close(crf.marginals(emissions, mask), expected, **EXACT)
    with torch.no_grad():
        torch.testing.assert_close(crf.marginals(emissions, mask), expected, **EXACT)
    with torch.inference_mode():
        torch.testing.assert_close(crf.marginals(emissions * 1, mask | mask), expected, **EXACT)
    assert all(parameter.grad is None for parameter in crf.parameters())


@settings(max_examples=60)
@given(lengths_of_rows, sizes, scales, seeds, st.booleans())
def test_decoding_finds_the_best_allowed_sequence(lengths, num_tags, scale, seed, constrained):
    constraints = random_constraints(num_tags, seed) if constrained else {}
    crf = make(num_tags, seed, scale, **constraints)
    batch = some_batch(lengths, num_tags, seed, scale)
    found = crf.decode(batch[0], batch[2])
    expected = [
        max(sequences(crf, len(e), True), key=lambda tags, e=e: score(crf, e, tags).item())
        for e, _ in rows_of(*batch)
    ]
    assert found == expected
    assert all(isinstance(tag, int) for row in found for tag in row)


@settings(max_examples=40)
@given(lengths_of_rows, sizes, scales, seeds)
def test_training_among_the_allowed_sequences(lengths, num_tags, scale, seed):
    constraints = random_constraints(num_tags, seed)
    crf = make(num_tags, seed, scale, **constraints, constrain_training=True)
    emissions, _, mask = some_batch(lengths, num_tags, seed, scale)
    tags = torch.full(mask.shape, -100)
    for row, found in enumerate(crf.decode(emissions, mask)):
        tags[row, : len(found)] = torch.tensor(found)
    leaf = emissions.clone().requires_grad_()
    likelihoods = crf.log_likelihood(leaf, tags, mask)
    expected = log_likelihoods(crf, (emissions, tags, mask), allowed_only=True)
    torch.testing.assert_close(likelihoods, expected, **EXACT)
    likelihoods.sum().backward()
    assert leaf.grad.isfinite().all()
    for name, given_mask in (("start", "allowed_start"), ("transitions", "allowed")):
        gradient = getattr(crf, name).grad
        assert gradient is None or gradient.isfinite().all()
        assert gradient is None or not gradient[~getattr(crf, given_mask)].any()
    unconstrained = make(num_tags, seed, scale, **constraints)
    plain = unconstrained.log_likelihood(emissions, tags, mask)
    torch.testing.assert_close(plain, log_likelihoods(crf, (emissions, tags, mask)), **EXACT)
    assert (plain <= likelihoods + 1e-9).all()


def test_probabilities_of_all_sequences_sum_to_one():
    crf, (emissions, _, mask) = make(), some_batch([4])
    every = torch.tensor(sequences(crf, 4))
    copies = (emissions.expand(len(every), -1, -1), every, mask.expand(len(every), -1))
    assert crf.log_likelihood(*copies).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_by_hand():
    crf = LinearChainCRF(2)
    with torch.no_grad():
        crf.start.copy_(torch.tensor([1.0, 0.0]))
        crf.end.copy_(torch.tensor([0.0, 3.0]))
        crf.transitions.copy_(torch.tensor([[0.0, 5.0], [0.0, 0.0]]))
    emissions, mask = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]]), torch.ones(1, 2).bool()
    assert crf.score(emissions, torch.tensor([[0, 1]]), mask).item() == 1 + 1 + 5 + 2 + 3
    # 00: 2, 01: 12 (the step pays 5), 10: 0, 11: 5
    total = math.log(sum(map(math.exp, [2, 12, 0, 5])))
    assert crf.log_partition(emissions, mask).item() == pytest.approx(total)
    assert crf.decode(emissions, mask) == [[0, 1]]


def test_an_untrained_field_is_a_softmax_at_each_position():
    emissions, tags, mask = some_batch([3, 1, 4])
    crf = LinearChainCRF(3)
    logs = emissions.log_softmax(dim=2).gather(2, tags.clamp(min=0).unsqueeze(2)).squeeze(2)
    expected = logs.masked_fill(~mask, 0).sum(dim=1)
    torch.testing.assert_close(crf.log_likelihood(emissions, tags, mask), expected, **EXACT)
    rows = emissions.nan_to_num().argmax(dim=2).tolist()
    assert crf.decode(emissions, mask) == [rows[0][:3], rows[1][:1], rows[2][:4]]


# Against pytorch-crf.


def reference(crf):
    other = torchcrf.CRF(crf.num_tags, batch_first=True).to(crf.start.dtype)
    with torch.no_grad():
        other.start_transitions.copy_(crf.start)
        other.transitions.copy_(crf.transitions)
        other.end_transitions.copy_(crf.end)
    return other


@settings(max_examples=20)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(1, 12), scales, seeds)
def test_equals_pytorch_crf(lengths, num_tags, scale, seed):
    crf = make(num_tags, seed, scale)
    emissions, tags, mask = some_batch(lengths, num_tags, seed)
    other = reference(crf)
    ours, theirs = (emissions.nan_to_num().requires_grad_() for _ in range(2))
    found = crf.log_likelihood(ours, tags, mask)
    expected = other(theirs, tags.clamp(min=0), mask, reduction="none")
    torch.testing.assert_close(found, expected, **EXACT)
    found.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, **EXACT)
    names = {"start": "start_transitions", "transitions": "transitions", "end": "end_transitions"}
    for name, their_name in names.items():
        gradient = getattr(other, their_name).grad  # None where no row has a second token
        ours_then = getattr(crf, name).grad
        torch.testing.assert_close(
            ours_then, torch.zeros_like(ours_then) if gradient is None else gradient, **EXACT
        )
    assert crf.decode(ours, mask) == other.decode(theirs, mask)


# Padding and order.


@settings(max_examples=30)
@given(lengths_of_rows, seeds, st.integers(0, 3), st.data())
def test_neither_padding_nor_order_changes_anything(lengths, seed, padding, data):
    crf, batch = make(seed=seed), some_batch(lengths, seed=seed)
    order = data.draw(st.permutations(range(len(lengths))))
    emissions, tags, mask = (tensor[order] for tensor in batch)
    more = (len(lengths), padding)
    emissions = torch.cat([emissions, torch.full((*more, 3), torch.inf)], dim=1)
    tags = torch.cat([tags, torch.full(more, 7**9)], dim=1)
    mask = torch.cat([mask, torch.zeros(more, dtype=torch.bool)], dim=1)
    expected = crf.log_likelihood(*batch)[order]
    torch.testing.assert_close(crf.log_likelihood(emissions, tags, mask), expected, **EXACT)
    before, after = crf.marginals(batch[0], batch[2]), crf.marginals(emissions, mask)
    torch.testing.assert_close(after[:, : before.shape[1]], before[order], **EXACT)
    assert not after[~mask].any()
    decoded = crf.decode(batch[0], batch[2])
    assert crf.decode(emissions, mask) == [decoded[index] for index in order]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_nothing_to_score(shape):
    crf, emissions = LinearChainCRF(4), torch.randn(*shape, 4, requires_grad=True)
    tags, mask = torch.full(shape, -100), torch.zeros(shape, dtype=torch.bool)
    likelihood = crf.log_likelihood(emissions, tags, mask)
    assert likelihood.tolist() == [0] * shape[0]
    likelihood.sum().backward()
    assert not emissions.grad.any()
    # Zero rather than absent: several processes wait for the gradient of every parameter.
    assert not any(parameter.grad.any() for parameter in crf.parameters())
    assert crf.decode(emissions, mask) == [[]] * shape[0]
    assert not crf.marginals(emissions, mask).any()


# Numbers far from zero.


@pytest.mark.parametrize("scale", [1e2, 1e4])
def test_single_precision_and_large_scores(scale):
    emissions, _, mask = some_batch([40, 25], num_tags=5, scale=1.0)
    emissions = emissions.nan_to_num() * scale
    exact = make(5)
    with torch.no_grad():
        for parameter in exact.parameters():
            parameter.mul_(scale / 2)
    # Rounded first, so that both start from the same numbers.
    emissions = emissions.float().double()
    rounded = make(5).float()
    for p, q in zip(rounded.parameters(), exact.parameters(), strict=True):
        p.data.copy_(q.data)
        q.data.copy_(p.data)
    tags = torch.tensor([(row + [0] * 40)[:40] for row in exact.decode(emissions, mask)])
    tags[:, ::7] = 1  # not the best
    expected = exact.log_likelihood(emissions, tags, mask)
    leaf = emissions.float().requires_grad_()
    found = rounded.log_likelihood(leaf, tags, mask)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-3)
    found.sum().backward()
    assert leaf.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in rounded.parameters())
    # Ties aside the mass is on one sequence, and its marginals say so.
    single, double = rounded.marginals(leaf, mask), exact.marginals(emissions, mask)
    torch.testing.assert_close(single, double.float(), rtol=0, atol=1e-2)
    assert rounded.decode(leaf, mask) == exact.decode(emissions, mask)


@pytest.mark.parametrize("step", [-LARGEST_EXPONENT, -1e4])
def test_a_way_that_only_one_bad_tag_opens(step):
    """The best tag so far may not be where the sentence goes on from."""
    crf = LinearChainCRF(2)
    with torch.no_grad():
        crf.transitions.copy_(torch.tensor([[0.0, step], [step, 0.0]]))
    emissions = torch.tensor([[[0.0, -1e3], [-1e4, 0.0], [-1e4, 0.0]]])
    mask = torch.ones(1, 3).bool()
    assert crf.log_partition(emissions, mask).item() == pytest.approx(max(step, -1e3))


def test_an_almost_certain_sequence_keeps_a_likelihood_below_one():
    crf = LinearChainCRF(3)
    emissions = torch.full((1, 50, 3), 1e4)
    emissions[..., 0] += 5.0
    tags, mask = torch.zeros(1, 50, dtype=torch.long), torch.ones(1, 50).bool()
    expected = 50 * math.log(math.exp(5) / (math.exp(5) + 2))
    assert crf.log_likelihood(emissions, tags, mask).item() == pytest.approx(expected, rel=1e-4)


def test_a_long_text():
    emissions, tags, mask = some_batch([3000], scale=5.0)
    crf = make().float()
    exact = make().log_likelihood(emissions, tags, mask)
    found = crf.log_likelihood(emissions.float(), tags, mask)
    torch.testing.assert_close(found, exact.float(), rtol=1e-4, atol=0)
    # Scores that would add up to 10 millions, where single precision only tells ones apart.
    lifted = (emissions + 4096).float()
    assert crf.decode(lifted, mask) == make().decode(lifted.double(), mask)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_worked_on_in_single(dtype):
    emissions, tags, mask = some_batch([4, 2])
    low, crf = emissions.nan_to_num().to(dtype), make().float()
    expected = crf.log_likelihood(low.float(), tags, mask)
    with torch.autocast("cpu", torch.bfloat16):
        found = crf.log_likelihood(low, tags, mask)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)
    assert crf.decode(low, mask) == crf.decode(low.float(), mask)
    zeros = torch.zeros(3)
    assert viterbi(low, mask, zeros, torch.zeros(3, 3), zeros) == viterbi(
        low.float(), mask, zeros, torch.zeros(3, 3), zeros
    )


def test_it_can_be_differentiated_twice():
    crf, (emissions, tags, mask) = make(2, scale=0.5), some_batch([3, 2], num_tags=2)
    leaf = emissions.nan_to_num().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda e: crf.log_likelihood(e, tags, mask), (leaf,))


# Constraints.


def test_the_state_holds_the_three_parameters_alone():
    crf = make(**random_constraints(3, 0))
    assert set(crf.state_dict()) == {"start", "transitions", "end"}
    assert crf.transitions.shape == (3, 3)
    assert not any(parameter.any() for parameter in LinearChainCRF(3).parameters())
    assert "forbidden_transitions=0" in repr(LinearChainCRF(3))


def test_a_constraint_that_is_changed_later_changes_nothing():
    allowed = torch.ones(2, 2, dtype=torch.bool)
    crf = LinearChainCRF(2, allowed=allowed)
    allowed.zero_()
    assert crf.allowed.all()


def test_no_allowed_sequence_of_that_length():
    allowed = torch.tensor([[False, True], [False, False]])  # 0 then 1 and no more
    crf = LinearChainCRF(2, allowed=allowed, constrain_training=True)
    emissions, mask = torch.zeros(2, 3, 2), torch.tensor([[True] * 2 + [False], [True] * 3])
    assert crf.decode(emissions[:1], mask[:1]) == [[0, 1]]
    with pytest.raises(ValueError, match=r"No sequence of 3 tags is allowed \(row 1\)"):
        crf.decode(emissions, mask)
    with pytest.raises(ValueError, match="Every sequence of tags of row 1, 3 tokens long"):
        crf.log_partition(emissions, mask)
    nothing = torch.zeros(2, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match="No sequence of 2 tags"):
        LinearChainCRF(2, allowed=nothing).decode(emissions[:1], mask[:1])


def test_training_on_a_forbidden_sequence():
    allowed = torch.tensor([[True, False], [True, True]])
    emissions, mask = torch.zeros(1, 2, 2), torch.ones(1, 2, dtype=torch.bool)
    strict = LinearChainCRF(2, allowed=allowed, constrain_training=True)
    with pytest.raises(ValueError, match="The sequence of tags of row 0, 2 tokens long, is forb"):
        strict.log_likelihood(emissions, torch.tensor([[0, 1]]), mask)
    lax = LinearChainCRF(2, allowed=allowed)
    likelihood = lax.log_likelihood(emissions, torch.tensor([[0, 1]]), mask)
    assert likelihood.item() == pytest.approx(-math.log(4))
    three = strict.log_likelihood(emissions, torch.tensor([[1, 1]]), mask)
    assert three.item() == pytest.approx(-math.log(3))


# Bad arguments.


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, "num_tags must be at least 1, got 0", {"num_tags": 0}),
        (ValueError, r"allowed_start \[2\], got \[3\]", {"allowed_start": torch.ones(3).bool()}),
        (ValueError, r"allowed \[2, 2\], got \[2\]", {"allowed": torch.ones(2).bool()}),
        (TypeError, "boolean allowed, got torch.float32", {"allowed": torch.ones(2, 2)}),
        (
            ValueError,
            r"allowed_end of shape \[2\] forbids all 2 tags",
            {"allowed_end": torch.zeros(2).bool()},
        ),
        (
            ValueError,
            r"allowed_start of shape \[2\] forbids all",
            {"allowed_start": torch.zeros(2).bool()},
        ),
    ],
)
def test_settings_that_cannot_be(error, message, arguments):
    with pytest.raises(error, match=message):
        LinearChainCRF(**{"num_tags": 2, **arguments})


@pytest.mark.parametrize(
    ("error", "message", "change"),
    [
        (
            ValueError,
            r"emissions must have size 3 .* shape \[2, 3, 4\]",
            {"emissions": torch.ones(2, 3, 4)},
        ),
        (ValueError, r"emissions .* \[B, T, 3\], got .* \[2, 3\]", {"emissions": torch.ones(2, 3)}),
        (ValueError, r"a mask \[2, 3\], got \[2, 2\]", {"mask": torch.ones(2, 2).bool()}),
        (TypeError, "boolean mask, got torch.float32", {"mask": torch.ones(2, 3)}),
        (ValueError, "padding before a token", {"mask": torch.tensor([[False, True, True]] * 2)}),
        (ValueError, r"tags must be .* \[B, T\], got .* \[2\]", {"tags": torch.zeros(2).long()}),
        (TypeError, "tags must be an integer tensor .*float32", {"tags": torch.zeros(2, 3)}),
        (ValueError, "Tag 3 does not exist: 3 tags are 0 to 2", {"tags": torch.full((2, 3), 3)}),
        (ValueError, "Tag -100 does not exist", {"tags": torch.full((2, 3), -100)}),
    ],
)
def test_arguments_that_do_not_fit(error, message, change):
    arguments = {
        "emissions": torch.zeros(2, 3, 3),
        "tags": torch.zeros(2, 3, dtype=torch.long),
        "mask": torch.ones(2, 3, dtype=torch.bool),
    } | change
    crf = LinearChainCRF(3)
    with pytest.raises(error, match=message):
        crf.log_likelihood(**arguments)
    if "tags" not in change:
        with pytest.raises(error, match=message):
            crf.decode(arguments["emissions"], arguments["mask"])


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_decoding_what_is_no_number(wrong, position):
    emissions, mask = torch.zeros(2, 3, 2), torch.ones(2, 3, dtype=torch.bool)
    emissions[1, position, 1] = wrong
    with pytest.raises(ValueError, match="The scores of row 1 are no numbers"):
        LinearChainCRF(2).decode(emissions, mask)
    emissions[1, position, 1] = -torch.inf  # a way to forbid a tag at a position
    assert LinearChainCRF(2).decode(emissions, mask) == [[0, 0, 0]] * 2


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        (r"of 3 tags, but end has the shape \[1\]", {"end": torch.zeros(1)}),
        (r"end must be .* \[C\], got one of shape \[\]", {"end": torch.tensor(0.0)}),
        (r"transitions has the shape \[1, 3\]", {"transitions": torch.zeros(1, 3)}),
        (r"transitions must be .* \[C, C\], got .* \[3\]", {"transitions": torch.zeros(3)}),
        (r"of 3 tags, but start has the shape \[1\]", {"start": torch.zeros(1)}),
        (r"start must be .* \[C\], got .* \[\]", {"start": torch.tensor(0.0)}),
        (r"start must be .* \[C\], got .* \[3, 3\]", {"start": torch.zeros(3, 3)}),
    ],
)
def test_scores_of_a_search_that_would_be_stretched(message, wrong):
    scores = {"start": torch.zeros(3), "transitions": torch.zeros(3, 3), "end": torch.zeros(3)}
    mask = torch.ones(2, 4, dtype=torch.bool)
    assert viterbi(torch.zeros(2, 4, 3), mask, **scores) == [[0] * 4] * 2
    with pytest.raises(ValueError, match=message):
        viterbi(torch.zeros(2, 4, 3), mask, **{**scores, **wrong})
