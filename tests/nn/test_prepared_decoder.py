"""The prepared step of greedy search against the decoder itself, and where there is none."""

import math
import random

import pytest
import torch

from mtl_utils.data import Vocabulary, WordTokenizer
from mtl_utils.nn import LSTMEncoder, TransformerDecoder, beam_search, greedy_search, select_rows
from mtl_utils.nn.prepared_decoder import PreparedDecoder
from mtl_utils.sharing import SharedDecoder
from mtl_utils.tasks import Translation

VOCAB, WIDTH, MEMORY, STEPS = 11, 12, 6, 9
EXACT = {"atol": 1e-12, "rtol": 1e-12}
PADDED = torch.tensor([[True] * 4, [True, True, False, False], [True, False, False, False]])
FULL = torch.ones_like(PADDED)
masks = pytest.mark.parametrize("mask", [PADDED, FULL])


def make(num_heads=3, spread=0.3, **settings):
    torch.manual_seed(0)
    settings = {"feedforward_width": 10, "max_length": 16, **settings}
    decoder = TransformerDecoder(VOCAB, WIDTH, 2, num_heads, MEMORY, **settings)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return decoder.double().eval()


def memory(rows=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, 4, MEMORY, generator=generator, dtype=torch.float64)


def tokens(rows=3, length=STEPS):
    return torch.randint(VOCAB, (rows, length), generator=torch.Generator().manual_seed(1))


@masks
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"positions": "learned", "norm_embeddings": True},
        {"output": False},
        {"num_heads": 1},
        {"num_heads": 12},
    ],
)
@torch.no_grad()
def test_every_step_is_what_the_decoder_computes(mask, norm_first, activation, settings):
    decoder = make(norm_first=norm_first, activation=activation, **settings)
    start, fed = decoder.start(memory(), mask), tokens()
    step = decoder.prepared(start, STEPS)
    assert isinstance(step, PreparedDecoder)
    found = torch.cat([step(fed[:, [i]], None)[0] for i in range(STEPS)], dim=1)
    torch.testing.assert_close(found, decoder(fed, start)[0], **EXACT)


@masks
@torch.no_grad()
def test_it_goes_on_from_what_was_written_and_leaves_the_state_as_it_is(mask):
    decoder, fed = make(), tokens(length=7)
    _, state = decoder(fed[:, :3], decoder.start(memory(), mask))
    whole = decoder(fed[:, 3:], state)[0]
    for _ in range(2):
        step = decoder.prepared(state, 4)
        found = torch.cat([step(fed[:, [i]], None)[0] for i in range(3, 7)], dim=1)
        torch.testing.assert_close(found, whole, **EXACT)
    rows = torch.tensor([2, 0, 2, 1])
    step = decoder.prepared(select_rows(state, rows), 1)
    found = step(fed[rows, 3:4], None)[0]
    torch.testing.assert_close(found, whole[rows, :1], **EXACT)


@masks
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_greedy_search_writes_the_same_with_it_and_without(mask, dtype):
    written = set()
    for seed in range(8):
        decoder = make(spread=0.8, norm_first=bool(seed % 2))
        # An output layer of its own: that of the embeddings mostly repeats the last token.
        torch.manual_seed(seed)
        decoder.output.weight = torch.nn.Parameter(torch.randn(VOCAB, WIDTH).double())
        decoder.to(dtype)

        def plainly(input_ids, state, decoder=decoder):
            return decoder(input_ids, state)

        start = decoder.start(memory(seed=seed).to(dtype), mask)
        settings = {"eos_id": 1, "max_length": STEPS, "forbidden_ids": (0, 2)}
        bos_ids = torch.tensor([2, 2, 2])
        found = greedy_search(decoder, start, bos_ids, **settings)
        expected = greedy_search(plainly, start, bos_ids, **settings)
        assert [h.ids for h in found] == [h.ids for h in expected]
        assert [h.finished for h in found] == [h.finished for h in expected]
        near = 1e-9 if dtype == torch.float64 else 1e-4
        scores = [h.score for h in expected]
        assert [h.score for h in found] == pytest.approx(scores, abs=near)
        written |= {h.ids for h in found}
    assert len(written) > 6


@torch.no_grad()
def test_changed_weights_are_seen_by_the_next_search():
    decoder = make()
    start, bos_ids = decoder.start(memory(), FULL), torch.tensor([2, 2, 2])
    settings = {"eos_id": 1, "max_length": 2}
    before = greedy_search(decoder, start, bos_ids, **settings)
    decoder.output.bias.data[7] += 100
    after = greedy_search(decoder, start, bos_ids, **settings)
    assert [h.ids for h in after] == [(7, 7)] * 3 != [h.ids for h in before]


class Halved(torch.nn.Linear):
    def forward(self, inputs):
        return super().forward(inputs) / 2


class Louder(TransformerDecoder):
    def read(self, input_ids, state):
        hidden, state = super().read(input_ids, state)
        return 2 * hidden, state


@torch.no_grad()
@pytest.mark.parametrize("name", ["training", "class", "hook", "hook before", "types", "method"])
def test_a_decoder_that_was_changed_is_not_prepared(name):
    decoder = make()
    start = decoder.start(memory(), FULL)
    linear = decoder.layers[1].feedforward.inner
    if name == "training":
        decoder.layers[0].self_residual.train()
    elif name == "class":
        decoder.layers[1].feedforward.inner = Halved(WIDTH, 10).double().eval()
    elif name == "hook":
        linear.register_forward_hook(lambda module, given, made: made / 2)
    elif name == "hook before":
        linear.register_forward_pre_hook(lambda module, given: (given[0] / 2,))
    elif name == "types":
        decoder.norm.float()
    elif name == "method":
        decoder.__class__ = Louder
    assert decoder.prepared(start, STEPS) is None


@torch.no_grad()
def test_what_is_not_prepared():
    decoder, bos_ids = make(), torch.tensor([2, 2, 2])
    start = decoder.start(memory(), FULL)
    with torch.enable_grad():
        assert decoder.prepared(start, STEPS) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert decoder.prepared(start, STEPS) is None
    lonely = PADDED.clone()
    lonely[1] = False
    settings = {"eos_id": 1, "max_length": STEPS, "forbidden_ids": (1,)}
    for state in (decoder.start(memory(), lonely), decoder.start_alone(3)):
        assert decoder.prepared(state, STEPS) is None
        assert len(greedy_search(decoder, state, bos_ids, **settings)) == 3
    assert make().bfloat16().prepared(start, STEPS) is None
    assert decoder.prepared(start, STEPS) is not None


@torch.no_grad()
def test_ids_outside_the_vocabulary_are_refused():
    decoder = make()
    step = decoder.prepared(decoder.start(memory(), FULL), STEPS)
    with pytest.raises(ValueError, match=f"{VOCAB}"):
        step(torch.full((3, 1), VOCAB), None)


def test_a_shared_decoder_is_prepared_with_the_output_layer_of_the_task():
    words = WordTokenizer(Vocabulary.from_tokens("abcdefg"))
    decoder = TransformerDecoder(words.vocab_size, WIDTH, 1, 3, output=False)
    sharing = SharedDecoder(
        LSTMEncoder(words.vocab_size, WIDTH), decoder, bos_id=2, written=["x"]
    ).eval()
    head = Translation("x", words, own_decoder=False, max_length=STEPS).head(WIDTH).eval()
    hidden, used = torch.randn(3, 4, WIDTH), []
    whole = PreparedDecoder.__call__

    def counted(self, input_ids, state):
        used.append(len(input_ids))
        return whole(self, input_ids, state)

    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(PreparedDecoder, "__call__", counted)
        found = sharing.write(head, hidden, PADDED)
        assert used
        patch.setattr(PreparedDecoder, "fits", staticmethod(lambda decoder, state: False))
        expected = sharing.write(head, hidden, PADDED)
    assert [rows[0].ids for rows in found] == [rows[0].ids for rows in expected]


# Keys and values with room for more


@torch.no_grad()
def test_a_state_never_changes_whoever_goes_on_from_it():
    """States are a tree: each continues its parent, and equals its text read at once."""
    decoder, random_numbers = make(), random.Random(0)
    start = decoder.start(memory(), PADDED)
    empty = torch.empty(3, 0, dtype=torch.long)
    tree = [(empty, start)]
    for number in range(60):
        before, state = random_numbers.choice(tree[-6:])
        if before.shape[1] > 12:
            continue
        new = tokens(length=3)[:, : random_numbers.randint(1, 3)].add(number).remainder(VOCAB)
        _, after = decoder(new, state)
        tree.append((torch.cat([before, new], dim=1), after))
    probe = torch.tensor([[3], [4], [5]])
    for text, state in tree:
        whole = decoder(torch.cat([text, probe], dim=1), start)[0][:, -1:]
        torch.testing.assert_close(decoder(probe, state)[0], whole, atol=1e-9, rtol=1e-9)
    assert max(text.shape[1] for text, _ in tree) > 8


def test_states_can_go_on_in_another_mode():
    decoder, fed = make(), tokens(length=6)
    with torch.inference_mode():
        _, state = decoder(fed[:, :2], decoder.start(memory(), PADDED))
        _, state = decoder(fed[:, 2:3], state)
    with torch.no_grad():
        found, state = decoder(fed[:, 3:4], state)
        expected = decoder(fed, decoder.start(memory(), PADDED))[0]
        torch.testing.assert_close(found, expected[:, 3:4], atol=1e-9, rtol=1e-9)
        _, state = decoder(fed[:, :3], decoder.start(memory(), PADDED))
        _, state = decoder(fed[:, 3:4], state)
    found, _ = decoder(fed[:, 4:], state)  # with a gradient
    torch.testing.assert_close(found, expected[:, 4:], atol=1e-9, rtol=1e-9)
    found.sum().backward()
    assert decoder.layers[0].self_attention.key.weight.grad is not None


@torch.no_grad()
def test_writing_takes_memory_in_proportion_to_what_is_written():
    decoder = make(max_length=200)
    _, state = decoder(tokens(length=1), decoder.start(memory(), FULL))
    places = set()
    for _ in range(150):
        _, state = decoder(tokens(length=1), state)
        places.add(state.layers[0].written.keys.data_ptr())
    assert len(places) <= math.log2(150) + 1


def test_beams_are_as_before():
    decoder = make(spread=0.8)
    start, bos_ids = decoder.start(memory(), PADDED), torch.tensor([2, 2, 2])
    settings = {"eos_id": 1, "max_length": STEPS, "forbidden_ids": (0,), "beam_size": 3}
    found = beam_search(decoder, start, bos_ids, **settings)

    def whole(input_ids, state):
        rows, prefix = state
        prefix = torch.cat([prefix, input_ids], dim=1)
        picked = select_rows(start, rows)
        return decoder(prefix, picked)[0][:, -1:], (rows, prefix)

    empty = torch.empty(3, 0, dtype=torch.long)
    expected = beam_search(whole, (torch.arange(3), empty), bos_ids, **settings)
    assert [[h.ids for h in row] for row in found] == [[h.ids for h in row] for row in expected]
    numbers = [h.score for row in expected for h in row]
    assert [h.score for row in found for h in row] == pytest.approx(numbers, abs=1e-9)
