"""Greedy and beam search against loops, enumeration, a beam on lists, and transformers.

The models are random: the logits after a prefix are drawn from a generator that the prefix seeds,
so that every prefix has its own and a wrong state shows.
"""

import itertools
import math
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.nn import Hypothesis, beam_search, greedy_search, select_rows

EOS, BOS = 1, 0
seeds = st.integers(0, 2**31)
penalties = st.sampled_from([0.0, 0.3, 1.0, 2.0])


class Model:
    """Logits that depend on the whole prefix, or on its length and last token (a Markov chain)."""

    def __init__(self, seed, vocab_size=4, markov=False, scale=2.0):
        self.vocab_size, self.markov = vocab_size, markov

        @cache
        def logits(prefix):
            return np.random.default_rng([seed, *prefix]).normal(size=vocab_size) * scale

        self.logits = logits

    def log_probabilities(self, prefix):
        logits = self.logits((len(prefix), prefix[-1]) if self.markov else prefix)
        return logits - np.log(np.exp(logits).sum())

    def step(self, input_ids, state):
        """Read one token a row; the state is the prefix, or its length for a Markov chain."""
        assert input_ids.shape[1] == 1
        if self.markov:
            state = torch.ones_like(input_ids) if state is None else state + 1
            keys = torch.cat([state, input_ids], dim=1)
        else:
            state = input_ids if state is None else torch.cat([state, input_ids], dim=1)
            keys = state
        rows = [self.logits(tuple(row)) for row in keys.tolist()]
        return torch.tensor(np.array(rows)).view(len(rows), 1, self.vocab_size), state


def search(model, bos_ids, *, eos_id=EOS, max_length=4, **settings):
    return beam_search(
        model.step, None, torch.tensor(bos_ids), eos_id=eos_id, max_length=max_length, **settings
    )


def greedy(model, bos_ids, *, eos_id=EOS, max_length=4, **settings):
    return greedy_search(
        model.step, None, torch.tensor(bos_ids), eos_id=eos_id, max_length=max_length, **settings
    )


def check(found, expected):
    """Compare hypotheses: tokens exactly, numbers closely."""
    assert [h.ids for h in found] == [h.ids for h in expected]
    assert [h.finished for h in found] == [h.finished for h in expected]
    for name in ("log_probability", "score"):
        numbers = [getattr(h, name) for h in expected]
        assert [getattr(h, name) for h in found] == pytest.approx(numbers, abs=1e-9)


def probability(model, bos, ids, finished):
    """Return the log-probability of a sequence, token by token."""
    written = (*ids, EOS) if finished else ids
    prefixes = [(bos, *written[:position]) for position in range(len(written))]
    return sum(
        float(model.log_probabilities(p)[token]) for p, token in zip(prefixes, written, strict=True)
    )


# Greedy search


@settings(max_examples=40)
@given(seeds, st.booleans(), st.integers(1, 7), st.lists(st.integers(0, 4), max_size=5))
def test_greedy_equals_a_loop_on_each_row_alone(seed, markov, max_length, bos_ids):
    model, forbidden = Model(seed, 5, markov), (0, 3)

    def loop(bos):
        ids, total = [], 0.0
        while len(ids) < max_length:
            scores = model.log_probabilities((bos, *ids))
            token = max((t for t in range(5) if t not in forbidden), key=lambda t: scores[t])
            total += scores[token]
            if token == EOS:
                return Hypothesis(tuple(ids), total, total, True)
            ids.append(token)
        return Hypothesis(tuple(ids), total, total, False)

    expected = [loop(bos) for bos in bos_ids]
    bos_ids = torch.tensor(bos_ids, dtype=torch.long)
    settings = {"eos_id": EOS, "max_length": max_length, "forbidden_ids": forbidden}
    check(greedy_search(model.step, None, bos_ids, **settings), expected)


def counting(written):
    """A step that counts its calls and writes given rows."""
    rows, calls = torch.tensor(written), []

    def step(input_ids, state):
        position = len(calls)
        calls.append((input_ids[:, 0].tolist(), state))
        return torch.nn.functional.one_hot(rows[:, [position]], 6).double() * 9, position + 1

    return step, calls


def test_greedy_feeds_each_token_once_and_stops_when_all_rows_have_ended():
    step, calls = counting([[4, 1, 2, 5, 5], [3, 2, 1, 5, 5]])
    bos_ids = torch.tensor([0, 2])
    found = greedy_search(step, "start", bos_ids, eos_id=1, max_length=9)
    assert [h.ids for h in found] == [(4,), (3, 2)]
    # After its end a row is fed the id of the end; its log-probability does not move any more.
    assert calls == [([0, 2], "start"), ([4, 3], 1), ([1, 2], 2)]
    one = 9 - math.log(math.e**9 + 5)
    assert [h.log_probability for h in found] == pytest.approx([2 * one, 3 * one])


# Beam search


def enumerate_all(model, bos, max_length, penalty, forbidden=()):
    """Return every sequence there is, best first."""
    tokens = [t for t in range(model.vocab_size) if t not in (EOS, *forbidden)]
    sequences = [
        (ids, finished)
        for size in range(max_length + 1)
        for ids in itertools.product(tokens, repeat=size)
        for finished in ([True] if size < max_length else [False])
    ]
    found = []
    for ids, finished in sequences:
        total = probability(model, bos, ids, finished)
        score = total / (len(ids) + finished) ** penalty
        found.append(Hypothesis(ids, total, score, finished))
    return sorted(found, key=lambda h: -h.score)


@settings(max_examples=15)
@given(seeds, st.booleans(), st.integers(1, 4), penalties)
def test_a_wide_beam_finds_every_sequence_in_the_right_order(seed, markov, max_length, penalty):
    model = Model(seed, markov=markov)
    for found, bos in zip(
        search(model, [0, 2], max_length=max_length, beam_size=130, length_penalty=penalty),
        [0, 2],
        strict=True,
    ):
        expected = enumerate_all(model, bos, max_length, penalty)
        assert math.fsum(math.exp(h.log_probability) for h in found) == pytest.approx(1)
        check(found, expected)


@settings(max_examples=10)
@given(seeds, penalties)
def test_ids_that_are_forbidden_are_never_written(seed, penalty):
    model = Model(seed, 5)
    settings = {"forbidden_ids": (0, 3), "length_penalty": penalty}
    (found,) = search(model, [2], beam_size=40, **settings)
    check(found, enumerate_all(model, 2, 4, penalty, forbidden=(0, 3)))
    for hypothesis in search(model, [2], beam_size=3, **settings)[0]:
        assert not {0, 3} & set(hypothesis.ids)


def beam_on_lists(model, bos, max_length, beam_size, penalty):
    """One sentence, lists of tuples: of the candidates of each length, the ends among the first
    beam_size are finished, and the first beam_size that are no ends go on."""
    beam, finished = [((), 0.0)], []
    for length in range(1, max_length + 1):
        candidates = sorted(
            (
                ((*ids, token), total + float(score))
                for ids, total in beam
                for token, score in enumerate(model.log_probabilities((bos, *ids)))
            ),
            key=lambda candidate: -candidate[1],
        )
        for ids, total in candidates[:beam_size]:
            if ids[-1] == EOS:
                finished.append(Hypothesis(ids[:-1], total, total / length**penalty, True))
        beam = [c for c in candidates if c[0][-1] != EOS][:beam_size]
    for ids, total in beam:
        finished.append(Hypothesis(ids, total, total / max_length**penalty, False))
    return sorted(finished, key=lambda h: -h.score)[:beam_size]


@settings(max_examples=60)
@given(
    seeds,
    st.booleans(),
    st.integers(2, 6),
    st.integers(1, 7),
    st.integers(1, 5),
    penalties,
    st.sampled_from([0.5, 2.0, 5.0]),
)
def test_a_narrow_beam_equals_one_on_lists(
    seed, markov, vocab_size, max_length, beam_size, penalty, scale
):
    """The reference never stops early, so this also shows that stopping early loses nothing."""
    model = Model(seed, vocab_size, markov, scale)
    rows = search(
        model, [0, 1, 0], max_length=max_length, beam_size=beam_size, length_penalty=penalty
    )
    for found, bos in zip(rows, [0, 1, 0], strict=True):
        check(found, beam_on_lists(model, bos, max_length, beam_size, penalty))
        assert len({(h.ids, h.finished) for h in found}) == len(found)
        for h in found:
            assert len(h.ids) + h.finished <= max_length
            assert h.finished or len(h.ids) == max_length
            assert h.log_probability == pytest.approx(probability(model, bos, h.ids, h.finished))
            count = len(h.ids) + h.finished
            assert h.score == pytest.approx(h.log_probability / count**penalty)


@settings(max_examples=20)
@given(seeds, st.permutations(range(5)), st.integers(1, 4), penalties)
def test_a_row_is_searched_as_if_it_were_alone(seed, order, beam_size, penalty):
    """Rows end at different times, and leave the others their own state."""
    model = Model(seed, 5, scale=4.0)
    settings = {"max_length": 6, "beam_size": beam_size, "length_penalty": penalty}
    together = search(model, order, **settings)
    for bos, found in zip(order, together, strict=True):
        assert found == search(model, [bos], **settings)[0]


@settings(max_examples=30)
@given(seeds, st.booleans(), st.integers(1, 7))
def test_a_beam_of_one_that_ranks_by_probability_is_greedy(seed, markov, max_length):
    model = Model(seed, 5, markov)
    settings = {"max_length": max_length, "forbidden_ids": (0,)}
    found = search(model, [0, 2, 3], beam_size=1, length_penalty=0.0, **settings)
    check([row[0] for row in found], greedy(model, [0, 2, 3], **settings))


def test_searching_stops_when_nothing_can_be_overtaken():
    """Token 1 ends with probability 0.9 at every step; ranked by probability, one step decides."""
    logits = torch.tensor([0.05, 0.9, 0.05]).log()
    calls = []

    def step(input_ids, state):
        calls.append(len(input_ids))
        return logits.expand(len(input_ids), 1, 3), state

    settings = {"eos_id": 1, "max_length": 50}
    bos_ids = torch.tensor([0, 0])
    beam_search(step, None, bos_ids, beam_size=1, length_penalty=0.0, **settings)
    assert calls == [2]
    # At length 1 the second best is an end of two tokens.
    calls.clear()
    found = beam_search(step, None, bos_ids, beam_size=2, length_penalty=0.0, **settings)
    assert calls == [4, 4]
    assert [h.ids for h in found[0]] == [(), (0,)]
    assert found[0][1].log_probability == pytest.approx(math.log(0.05 * 0.9))


def test_rows_that_are_decided_are_not_computed_any_more():
    """The token fed first says whether a row ends at once or never."""
    calls = []

    def step(input_ids, state):
        calls.append(input_ids[:, 0].tolist())
        ends = input_ids == 2
        logits = torch.where(ends[..., None], torch.tensor([-50.0, 0, -50]), 0.0)
        return torch.where(ends[..., None], logits, torch.tensor([0.0, -50, -50])), state

    found = beam_search(
        step, None, torch.tensor([2, 0, 2]), eos_id=1, max_length=3, beam_size=1, length_penalty=0.0
    )
    assert calls == [[2, 0, 2], [0], [0]]
    assert [row[0].ids for row in found] == [(), (0, 0, 0), ()]
    assert [row[0].finished for row in found] == [True, False, True]


def test_a_length_penalty_of_one_ranks_by_the_mean():
    """Ending costs ln 2 at once, or nearly nothing after a step of ln 2: half as much a token."""
    table = torch.tensor([[-40, math.log(0.5), math.log(0.5)], [0, 0, 0], [-40, 0, -40]])

    def step(input_ids, state):
        return table[input_ids], state

    start = (step, None, torch.tensor([0]))
    settings = {"eos_id": 1, "max_length": 5, "beam_size": 3}
    by_mean = beam_search(*start, **settings, length_penalty=1.0)[0]
    assert by_mean[0].ids == (2,)
    assert by_mean[0].score == pytest.approx(-math.log(2) / 2)
    assert by_mean[1].score == pytest.approx(-math.log(2))


@pytest.mark.parametrize("beam_size", [1, 2, 5])
def test_a_vocabulary_that_only_ends(beam_size):
    def step(input_ids, state):
        return torch.zeros(len(input_ids), 1, 1), state

    found = beam_search(step, None, torch.tensor([0]), eos_id=0, max_length=4, beam_size=beam_size)
    assert found == [[Hypothesis((), 0.0, 0.0, True)]]


def test_no_rows():
    nothing = torch.zeros(0, dtype=torch.long)
    settings = {"eos_id": EOS, "max_length": 4}
    assert beam_search(Model(0).step, None, nothing, **settings) == []
    assert greedy_search(Model(0).step, None, nothing, **settings) == []


@pytest.mark.parametrize("searched", [greedy_search, beam_search])
def test_half_precision_is_summed_in_single(searched):
    """0.1 nats a token over 200 tokens, which bfloat16 could not add up."""
    logits = torch.tensor([[math.exp(-0.1), 0.0, 1 - math.exp(-0.1)]]).log().bfloat16()

    def step(input_ids, state):
        return logits.expand(len(input_ids), 1, 3), state

    found = searched(step, None, torch.tensor([0]), eos_id=1, max_length=200)[0]
    best = found if searched is greedy_search else found[0]
    each = float(logits.float().log_softmax(-1)[0, 0])
    assert best.log_probability == pytest.approx(200 * each, rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beam_size": 0}, "beam_size must be at least 1, got 0"),
        ({"max_length": 0}, "max_length must be at least 1, got 0"),
        ({"length_penalty": -0.5}, "length_penalty must be finite and at least 0, got -0.5"),
        ({"length_penalty": math.nan}, "length_penalty must be finite and at least 0, got nan"),
    ],
)
def test_settings_outside_their_range(settings, message):
    with pytest.raises(ValueError, match=message):
        search(Model(0), [0], **settings)


def test_greedy_needs_a_length():
    with pytest.raises(ValueError, match="max_length must be at least 1, got 0"):
        greedy(Model(0), [0], max_length=0)


# States


class Pair(NamedTuple):
    left: torch.Tensor
    right: tuple


def test_rows_of_a_state():
    rows = torch.tensor([2, 0, 0, 1])
    one, two = torch.arange(3), torch.arange(6).view(3, 2)
    picked = select_rows(Pair(one, (two, None)), rows)
    assert isinstance(picked, Pair)
    assert picked.left.tolist() == [2, 0, 0, 1]
    assert picked.right[0].tolist() == [[4, 5], [0, 1], [0, 1], [2, 3]]
    assert picked.right[1] is None
    with pytest.raises(TypeError, match="tensors and tuples, got list"):
        select_rows([one], rows)


def test_a_state_of_another_form_brings_its_own_way_to_pick_rows():
    model = Model(3, 5)

    def step(input_ids, state):
        logits, prefixes = model.step(input_ids, state.get("prefixes"))
        return logits, {"prefixes": prefixes}

    def select(state, rows):
        return {name: value[rows] for name, value in state.items()}

    settings = {"eos_id": EOS, "max_length": 6, "beam_size": 3}
    bos_ids = torch.tensor([0, 2])
    found = beam_search(step, {}, bos_ids, select=select, **settings)
    assert found == beam_search(model.step, None, bos_ids, **settings)


# transformers


@pytest.fixture(scope="module")
def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    sizes = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 16, "vocab_size": 12}
    rates = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "initializer_range": 0.5}
    special = {"bos_token_id": None, "eos_token_id": 1, "tie_word_embeddings": False}
    model = GPT2LMHeadModel(GPT2Config(**sizes, **rates, **special)).eval()
    return model.requires_grad_(False)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("beam_size", [2, 4])
@pytest.mark.parametrize("max_length", [1, 3, 8])
def test_equals_generate_of_transformers(gpt2, beam_size, length_penalty, max_length):
    """The best of ``generate(early_stopping="never")`` is ours, with its score.

    Definitions agree: the length counts the tokens written, the end included and the prompt not;
    forbidden ids lose their mass and the others gain none; only the first ``num_beams`` candidates
    may end. One thing differs, which shows below the best alone: at the limit transformers keeps
    what is unfinished among the first ``num_beams`` candidates, and we keep ``beam_size`` of the
    unfinished besides the ends, so that our lower ranks may be better.
    """

    def step(input_ids, state):
        prefixes = input_ids if state is None else torch.cat([state, input_ids], dim=1)
        return gpt2(prefixes, use_cache=False).logits[:, -1:], prefixes

    bos_ids = torch.arange(2, 10)
    found = beam_search(
        step,
        None,
        bos_ids,
        eos_id=1,
        max_length=max_length,
        beam_size=beam_size,
        length_penalty=length_penalty,
        forbidden_ids=(0, 11),
    )
    generated = gpt2.generate(
        bos_ids[:, None],
        attention_mask=torch.ones(8, 1, dtype=torch.long),
        num_beams=beam_size,
        length_penalty=length_penalty,
        max_new_tokens=max_length,
        early_stopping="never",
        do_sample=False,
        suppress_tokens=[0, 11],
        eos_token_id=1,
        pad_token_id=0,
        return_dict_in_generate=True,
        output_scores=True,
        num_return_sequences=beam_size,
    )
    best = [row[0] for row in found]
    for row, hypothesis in zip(generated.sequences[::beam_size, 1:].tolist(), best, strict=True):
        size = row.index(1) if 1 in row else max_length
        assert (hypothesis.ids, hypothesis.finished) == (tuple(row[:size]), 1 in row)
    theirs = generated.sequences_scores.view(8, beam_size)
    ours = torch.tensor([[hypothesis.score for hypothesis in row] for row in found])
    torch.testing.assert_close(ours[:, 0], theirs[:, 0])
    assert (ours >= theirs - 1e-5).all()
    if max_length == 8 and length_penalty <= 1:  # the limit decides some rows and not others
        assert {hypothesis.finished for hypothesis in best} == {True, False}


@pytest.mark.parametrize("search", [greedy_search, beam_search])
def test_scores_that_are_no_numbers_are_named(search):
    def step(ids, state):
        return torch.full((len(ids), 1, 4), math.nan), state

    with pytest.raises(FloatingPointError, match="not numbers"):
        search(step, None, torch.tensor([2]), eos_id=3, max_length=2)
