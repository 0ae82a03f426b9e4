"""The translation task: its loss step by step, its searches, and sacreBLEU's own numbers."""

import functools
import math

import pytest
import sacrebleu
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.data import BytePairTokenizer, Example, Vocabulary, WordTokenizer, collate
from mtl_utils.nn import AttentionDecoder, TransformerDecoder, beam_search
from mtl_utils.tasks import Translation

WIDTH, PAD, BOS, EOS = 6, 0, 2, 3
TRANSFORMER = functools.partial(TransformerDecoder, num_layers=2, num_heads=3)
decoders = pytest.mark.parametrize("decoder", [None, TRANSFORMER])
WORDS = WordTokenizer(Vocabulary.from_tokens("abcdefg"))
EXACT = {"atol": 1e-12, "rtol": 1e-12}
labels = st.lists(st.integers(4, 10), max_size=5).map(lambda ids: [*ids, EOS])


def make(seed=0, **settings):
    torch.manual_seed(seed)
    settings = {"dropout": 0.0, "max_length": 7, **settings}
    return Translation("fr", WORDS, scale="token", **settings).head(WIDTH).double().eval()


def some_batch(rows, seed=0):
    """Return hidden states with padding, and a batch whose rows have labels or ``None``."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(1, 5, (len(rows),), generator=generator).tolist()
    examples = [
        Example([5] * size, {} if row is None else {"fr": row})
        for size, row in zip(sizes, rows, strict=True)
    ]
    batch = collate(examples)
    shape = (*batch.inputs.mask.shape, WIDTH)
    return torch.randn(shape, generator=generator, dtype=torch.float64), batch


def of_row(hidden, batch, row):
    """Return the states of one sentence without padding."""
    return hidden[[row], : int(batch.inputs.mask[row].sum())]


def log_probability(head, memory, ids):
    """Return the log-probability of a sentence, feeding one token after the other."""
    mask = torch.ones(1, memory.shape[1], dtype=torch.bool)
    state, fed, total = head.decoder.start(memory, mask), BOS, 0.0
    for token in ids:
        logits, state = head.decoder(torch.tensor([[fed]]), state)
        total = total + logits[0, 0].log_softmax(-1)[token]
        fed = token
    return total


@pytest.mark.parametrize(
    "tokenizer",
    [
        WORDS,
        BytePairTokenizer.train(["a b a b", "le chien dort", "le chat dort"], 280),
        WordTokenizer(Vocabulary.from_tokens(["a", "b"]), lowercase=True),
    ],
)
@pytest.mark.parametrize("text", ["", "a", "a b a", "b b b b b"])
def test_a_label_is_the_sentence_and_its_end(tokenizer, text):
    label = Translation("fr", tokenizer).label(text)
    assert label == [*tokenizer.encode(text), EOS]
    assert tokenizer.decode(label) == text


@settings(max_examples=40)
@given(st.lists(st.none() | labels, min_size=1, max_size=4).filter(any))
def test_the_teacher_shows_what_comes_before(rows):
    head = make()
    _, batch = some_batch(rows)
    given = batch.labels["fr"].clone()
    shown = head.read_by_teacher(given)
    assert torch.equal(given, batch.labels["fr"])  # not changed in place
    for row, ids in zip(shown.tolist(), rows, strict=True):
        assert row == [BOS, *(ids or []), *[PAD] * len(row)][: len(row)]


@decoders
@settings(max_examples=20)
@given(
    rows=st.lists(st.none() | labels, min_size=1, max_size=4).filter(any),
    seed=st.integers(0, 2**31),
)
def test_the_loss_is_the_mean_of_log_probabilities_step_by_step(decoder, rows, seed):
    head = make(seed, decoder=decoder)
    hidden, batch = some_batch(rows, seed)
    loss = head.loss(head(hidden, batch), batch)
    count = sum(len(ids) for ids in rows if ids)
    expected = [
        log_probability(head, of_row(hidden, batch, row), ids)
        for row, ids in enumerate(rows)
        if ids
    ]
    torch.testing.assert_close(loss, -sum(expected) / count, **EXACT)
    assert head.count(batch).item() == count


def test_a_missing_label_costs_nothing_and_moves_nothing():
    head = make()
    hidden, batch = some_batch([[4, 5, EOS], None, [6, EOS]])
    hidden.requires_grad_()
    head.loss(head(hidden, batch), batch).backward()
    assert not hidden.grad[1].any()
    assert hidden.grad[0, 0].any()

    head.zero_grad()
    nothing = type(batch)(batch.inputs, {"fr": torch.full((3, 4), -100)})
    loss = head.loss(head(hidden, nothing), nothing)
    loss.backward()
    assert loss.item() == 0
    assert not any(p.grad.any() for p in head.parameters())
    assert head.count(nothing).item() == 0


def test_smoothing_is_for_training_alone():
    head = make(smoothing=0.3)
    hidden, batch = some_batch([[4, 5, EOS], None, [6, EOS]])
    logits, target = head(hidden, batch), batch.labels["fr"].flatten()
    for smoothing in (0.0, 0.3):
        head.train(smoothing > 0)
        expected = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), target, label_smoothing=smoothing
        )
        torch.testing.assert_close(head.loss(logits, batch), expected, **EXACT)


def greedy_loop(head, memory, limit):
    mask = torch.ones(1, memory.shape[1], dtype=torch.bool)
    state, ids = head.decoder.start(memory, mask), [BOS]
    while len(ids) <= limit:
        logits, state = head.decoder(torch.tensor([[ids[-1]]]), state)
        scores = logits[0, 0].clone()
        scores[[PAD, BOS]] = -math.inf  # written by no one
        if int(scores.argmax()) == EOS:
            break
        ids.append(int(scores.argmax()))
    return ids[1:]


def spread_out(head, seed):
    """Make the outputs depend on the weights strongly, so that sentences differ and end."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.8)
        head.decoder.output.bias[EOS] += 2
        head.decoder.output.bias[[PAD, BOS]] += 3
    return head


@decoders
def test_predictions_equal_a_greedy_loop(decoder):
    lengths = set()
    for seed in range(24):
        head = spread_out(make(decoder=decoder), seed)
        hidden, batch = some_batch([None] * 5, seed)
        found = head.predict(hidden, batch)
        expected = [greedy_loop(head, of_row(hidden, batch, row), 7) for row in range(5)]
        assert found == expected
        lengths |= set(map(len, found))
        shorter = [found.ids for found in head.search(hidden, batch.inputs.mask, max_length=2)]
        assert [list(ids) for ids in shorter] == [ids[:2] for ids in expected]
    assert len(lengths) > 2  # some end soon, some never


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_beam_is_searched_where_the_task_or_the_caller_asks(length_penalty):
    settings = {"beam_size": 3, "length_penalty": length_penalty}
    by_task, by_call = spread_out(make(**settings), 2), spread_out(make(), 2)
    hidden, batch = some_batch([None] * 5)
    mask = batch.inputs.mask
    expected = [
        beam_search(
            by_call.decoder,
            by_call.decoder.start(of_row(hidden, batch, row), mask[[row], : int(mask[row].sum())]),
            torch.tensor([BOS]),
            eos_id=EOS,
            max_length=7,
            forbidden_ids=(PAD, BOS),
            **settings,
        )[0][0]
        for row in range(5)
    ]
    assert by_task.predict(hidden, batch) == [list(h.ids) for h in expected]
    found = by_call.search(hidden, mask, **settings)
    assert [h.ids for h in found] == [h.ids for h in expected]
    for row, hypothesis in enumerate(found):
        written = [*hypothesis.ids, *[EOS] * hypothesis.finished]
        total = float(log_probability(by_call, of_row(hidden, batch, row), written).detach())
        assert hypothesis.log_probability == pytest.approx(total)
        assert hypothesis.score == pytest.approx(total / len(written) ** length_penalty)
        assert not {PAD, BOS, EOS} & set(hypothesis.ids)
    assert by_task.predict(hidden, batch) != by_call.predict(hidden, batch)  # greedy by default


@pytest.mark.parametrize("lowercase", [False, True])
def test_metrics_are_those_of_sacrebleu(lowercase):
    references = ["Le chien dort .", "Un chat noir", "Il pleut à Paris aujourd'hui", ""]
    written = ["le chien dort .", "Un CHAT noir", "il pleut sur Paris", "oui"]
    tokenizer = BytePairTokenizer.train([*references, *written], 300)
    task = Translation("fr", tokenizer, lowercase=lowercase)
    found = task.metrics([tokenizer.encode(text) for text in written], references)

    def lower(texts):
        return [text.lower() for text in texts] if lowercase else texts

    bleu = sacrebleu.corpus_bleu(written, [references], lowercase=lowercase)
    chrf = sacrebleu.corpus_chrf(lower(written), [lower(references)])
    assert found == {"bleu": pytest.approx(bleu.score), "chrf": pytest.approx(chrf.score)}
    assert 0 < found["bleu"] < 100 > found["chrf"] > 0
    labels = [task.label(text) for text in references[:3]]
    assert task.metrics(labels, references[:3]) == pytest.approx({"bleu": 100, "chrf": 100})


def test_metrics_of_nothing():
    task = Translation("fr", WORDS)
    assert task.metrics([[], []], ["a b c d", "e"]) == {"bleu": 0, "chrf": 0}
    for predictions, references in ([], []), ([[4]], ["a", "b"]), ([[4], [4]], ["a"]):
        with pytest.raises(ValueError, match="as many predictions as references and at least one"):
            task.metrics(predictions, references)


def test_sizes_of_the_decoder():
    sizes = {}
    both = {"width": 10, "embedding_width": 4}
    for chosen in ({}, {"width": 10}, {"embedding_width": 4}, both):
        decoder = make(**chosen).decoder
        memory_width = decoder.attention.from_memory.in_features
        sizes[tuple(chosen)] = (decoder.width, decoder.embedding.embedding_dim, memory_width)
    assert sizes == {
        (): (6, 6, 6),
        ("width",): (10, 10, 6),
        ("embedding_width",): (6, 4, 6),
        ("width", "embedding_width"): (10, 4, 6),
    }
    for wrong in ("width", "embedding_width"):
        with pytest.raises(ValueError, match=f"{wrong} must be at least 1, got 0"):
            make(**{wrong: 0})


def test_a_task_can_make_another_decoder():
    assert isinstance(make().decoder, AttentionDecoder)
    head = make(decoder=TRANSFORMER)
    assert isinstance(head.decoder, TransformerDecoder)
    assert (head.decoder.width, head.decoder.vocab_size) == (WIDTH, WORDS.vocab_size)
    narrow = make(decoder=lambda vocab_size, width: TransformerDecoder(vocab_size, 4, 1, 2, width))
    assert (narrow.decoder.width, narrow.decoder.memory_width) == (4, WIDTH)
    with pytest.raises(ValueError, match="with own_decoder=False the head has none"):
        Translation("fr", WORDS, own_decoder=False, decoder=TRANSFORMER)


def test_weights_of_the_decoder_keep_their_names():
    assert {name.split(".")[1] for name in make().state_dict()} == {
        *("embedding", "bridge", "lower", "attention", "upper", "readout", "output")
    }


def test_a_task_says_what_it_is():
    task = Translation("fr", WORDS)
    assert (task.name, task.causal) == ("fr", False)
    assert make().task == "fr"
