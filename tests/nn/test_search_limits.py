"""What a search or a sampler refuses, before it has written a token."""

import math

import numpy as np
import pytest
import torch

from mtl_utils.data import BytePairTokenizer, Example, Vocabulary, WordTokenizer, collate
from mtl_utils.nn import (
    AttentionDecoder,
    BiLSTMEncoder,
    LSTMEncoder,
    SelfAttentiveDecoder,
    TransformerDecoder,
    beam_search,
    filter_logits,
    greedy_search,
    sample,
)
from mtl_utils.sharing import SharedDecoder
from mtl_utils.tasks import Translation, TranslationOutput

VOCAB, EOS = 5, 1


def refusing(input_ids, state):
    raise AssertionError("the search has started")


def flat(input_ids, state):
    return torch.zeros(*input_ids.shape, VOCAB), state


def search(searched, step=refusing, bos_ids=None, **settings):
    bos_ids = torch.tensor([0, 2]) if bos_ids is None else bos_ids
    settings = {"eos_id": EOS, "max_length": 3, **settings}
    return searched(step, None, bos_ids, **settings)


def sampled(step, state, bos_ids, *, eos_id, max_length, **settings):
    return sample(step, bos_ids[:, None], max_length, stop_id=eos_id, **settings)


searches = pytest.mark.parametrize("searched", [greedy_search, beam_search])
all_three = pytest.mark.parametrize("searched", [greedy_search, beam_search, sampled])


@all_three
@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"forbidden_ids": [-1]},
            ValueError,
            r"id in forbidden_ids=\[-1\] must be at least 0, got -1",
        ),
        ({"forbidden_ids": [0, 1.0]}, TypeError, "whole number at least 0, got float 1.0"),
        ({"forbidden_ids": [True]}, TypeError, "whole number at least 0, got bool"),
        ({"forbidden_ids": "12"}, TypeError, "sequence of ids, got '12'"),
        ({"forbidden_ids": 3}, TypeError, "sequence of ids, got 3"),
        ({"max_length": 2.5}, TypeError, r"must be a whole number at least [01], got float 2.5"),
        ({"max_length": None}, TypeError, r"must be a whole number at least [01], got NoneType"),
        ({"max_length": -1}, ValueError, "must be at least [01], got -1"),
        ({"eos_id": -1}, ValueError, "_id must be at least 0, got -1"),
        ({"eos_id": 0.5}, TypeError, "_id must be a whole number"),
        (
            {"bos_ids": torch.zeros(2)},
            TypeError,
            "must be an integer tensor .* torch.float32",
        ),
        (
            {"bos_ids": torch.ones(2, dtype=torch.bool)},
            TypeError,
            "must be an integer tensor .* torch.bool",
        ),
    ],
)
def test_settings_are_refused_before_the_model_is_asked(searched, settings, error, message):
    with pytest.raises(error, match=message):
        search(searched, **settings)


@searches
def test_first_tokens_have_one_dimension(searched):
    with pytest.raises(ValueError, match=r"bos_ids \[B\], one a row, got shape \[2, 1\]"):
        search(searched, bos_ids=torch.zeros(2, 1, dtype=torch.long))
    with pytest.raises(TypeError, match=r"bos_ids must be an integer tensor .* got list"):
        search(searched, bos_ids=[0, 1])


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"beam_size": 2.0},
            TypeError,
            "beam_size must be a whole number at least 1, got float 2.0",
        ),
        ({"beam_size": True}, TypeError, "beam_size must be a whole number at least 1, got bool"),
        ({"length_penalty": 1e6}, ValueError, r"length_penalty=1000000.0 is too large.*3 \*\*"),
        ({"length_penalty": 10**6}, ValueError, "length_penalty=1000000 is too large"),
        ({"length_penalty": math.inf}, ValueError, "length_penalty must be finite"),
        (
            {"length_penalty": math.inf, "max_length": 1},
            ValueError,
            "length_penalty must be finite .* got inf",
        ),
        (
            {"length_penalty": "1"},
            TypeError,
            "length_penalty must be a number at least 0, got str '1'",
        ),
        (
            {"length_penalty": None},
            TypeError,
            "length_penalty must be a number at least 0, got NoneType None",
        ),
    ],
)
def test_settings_of_a_beam_are_refused_before_the_model_is_asked(settings, error, message):
    with pytest.raises(error, match=message):
        search(beam_search, **settings)


def test_numbers_of_numpy_are_numbers():
    settings = {"beam_size": np.int64(2), "max_length": np.int32(2), "forbidden_ids": np.array([3])}
    found = search(beam_search, flat, length_penalty=np.float32(1), **settings)
    assert found == search(beam_search, flat, beam_size=2, max_length=2, forbidden_ids=[3])
    assert search(beam_search, flat, length_penalty=50.0)[0][0].score > -1e-20


@all_three
def test_something_must_be_left_to_write(searched):
    with pytest.raises(ValueError, match="forbidden_ids holds all 5 tokens"):
        search(searched, flat, forbidden_ids=range(VOCAB))
    with pytest.raises(
        ValueError, match=r"forbidden_ids=\[0, 5\] holds 5, but the model scores 5 tokens"
    ):
        search(searched, flat, forbidden_ids=[0, 5])


@searches
def test_a_model_that_allows_only_what_is_forbidden_is_named(searched):
    def step(input_ids, state):
        return torch.tensor([0.0, *[-math.inf] * 4]).expand(len(input_ids), 1, VOCAB), state

    with pytest.raises(FloatingPointError, match="gives a probability is forbidden"):
        search(searched, step, forbidden_ids=[0])


def test_a_beam_leaves_a_dead_end_for_another_beginning():
    """After token 2, which is the better beginning, only the forbidden token is possible."""
    table = torch.full((VOCAB, VOCAB), -math.inf)
    table[0, 2], table[0, 3], table[2, 4], table[3, EOS] = 2.0, 1.0, 0.0, 0.0

    def step(input_ids, state):
        return table[input_ids], state

    table[[EOS, 4]] = 0.0
    (found,) = search(beam_search, step, torch.tensor([0]), beam_size=2, forbidden_ids=[4])
    assert [h.ids for h in found] == [(3,)]
    assert found[0].log_probability == pytest.approx(1 - math.log(math.e + math.e**2))


@searches
def test_the_shape_of_the_scores_is_checked(searched):
    with pytest.raises(ValueError, match=r"return logits \[\d+, T, V\], got \[\d+, 5\]"):
        search(searched, lambda ids, state: (torch.zeros(len(ids), VOCAB), state))


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"temperature": math.nan}, ValueError),
        ({"temperature": math.inf}, ValueError),
        ({"top_k": 2.5}, TypeError),
        ({"top_k": True}, TypeError),
        ({"top_p": math.nan}, ValueError),
    ],
)
def test_settings_of_sampling(settings, error):
    (name,) = settings
    with pytest.raises(error, match=f"{name} must"):
        filter_logits(torch.zeros(3), **settings)


# Positions


def transformer(**settings):
    torch.manual_seed(0)
    return TransformerDecoder(VOCAB, 4, 1, 2, max_length=6, **settings).eval()


MEMORY, MASK = torch.ones(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)


@searches
def test_a_decoder_needs_as_many_positions_as_tokens_may_be_written(searched):
    decoder, bos_ids = transformer(), torch.tensor([0, 0])
    start = decoder.start(MEMORY, MASK)
    never = {"eos_id": EOS, "forbidden_ids": [EOS]}
    found = searched(decoder, start, bos_ids, max_length=6, **never)
    best = found[0] if searched is greedy_search else found[0][0]
    assert len(best.ids) == 6  # all positions are used
    with pytest.raises(ValueError, match=r"max_length=7 tokens.*6 positions left.*max_length=6"):
        searched(decoder, start, bos_ids, max_length=7, **never)
    _, later = decoder(torch.zeros(2, 4, dtype=torch.long), start)
    assert decoder.positions_left(later) == 2
    searched(decoder, later, bos_ids, max_length=2, **never)
    with pytest.raises(ValueError, match="2 positions left"):
        searched(decoder, later, bos_ids, max_length=3, **never)


def test_recurrent_decoders_have_no_limit():
    recurrent = AttentionDecoder(VOCAB, 4, 4).eval()
    assert recurrent.positions_left(recurrent.start(MEMORY, MASK)) is None
    recurrent = SelfAttentiveDecoder(VOCAB, 4).eval()
    assert recurrent.positions_left(recurrent.start(MEMORY, MASK)) is None


@pytest.mark.parametrize("beam_size", [1, 2])
def test_a_translation_is_refused_before_it_is_begun(beam_size, monkeypatch):
    words = WordTokenizer(Vocabulary.from_tokens("abc"))

    def make(vocab_size, width):
        return TransformerDecoder(vocab_size, width, 1, 2, max_length=6)

    task = Translation("x", words, decoder=make, max_length=7, beam_size=beam_size)
    head = task.head(4).eval()
    batch = collate([Example([4, 5, 6]), Example([4, 5, 6])])
    monkeypatch.setattr(head.decoder, "read", refusing)
    with pytest.raises(ValueError, match="max_length=7 tokens cannot be written"):
        head.predict(MEMORY, batch)

    shared = Translation("x", words, own_decoder=False, max_length=7, beam_size=beam_size)
    sharing = SharedDecoder(
        LSTMEncoder(words.vocab_size, 4),
        TransformerDecoder(words.vocab_size, 4, 1, 2, max_length=6, output=False),
        bos_id=2,
        written=["x"],
    ).eval()
    output = shared.head(4)
    assert isinstance(output, TranslationOutput)
    with pytest.raises(ValueError, match="max_length=7 tokens cannot be written"):
        sharing.predict(batch, {"x": output})
    found = sharing.write(output, MEMORY, MASK, max_length=6)
    assert len(found) == 2
    recurrent = SharedDecoder(
        BiLSTMEncoder(words.vocab_size, 4),
        SelfAttentiveDecoder(words.vocab_size, 4),
        bos_id=2,
        written=["x"],
    ).eval()
    assert len(recurrent.predict(batch, {"x": output})["x"]) == 2


class OneSpecial(BytePairTokenizer):
    """As GPT-2 has it: one token stands for padding, beginning and end."""

    pad_id = bos_id = 3


def test_the_end_may_be_written_where_it_is_the_beginning_too():
    trained = BytePairTokenizer.train(["a b"], 262)
    tokenizer = OneSpecial(trained.vocabulary, trained.merges)
    assert tokenizer.eos_id == tokenizer.bos_id == 3
    head = Translation("x", tokenizer, dropout=0.0, max_length=4).head(4).eval()
    with torch.no_grad():
        head.decoder.output.bias[3] = 100.0
    (found, _) = head.search(MEMORY, MASK)
    assert found.ids == ()
    assert found.finished
