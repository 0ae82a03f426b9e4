import math

import pytest
import torch
from torch.nn import functional

from mtl_utils.data.vocabulary import Vocabulary
from mtl_utils.models import LSTMLanguageModel
from mtl_utils.training import (
    TruncatedBPTTConfig,
    sentence_loss,
    sentence_stream,
    stream_chunks,
    stream_loss,
    train_language_model,
)


@pytest.fixture(autouse=True)
def one_thread():
    """Keep models this small from waiting for other threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make(vocab_size=11, width=8, seed=0, **settings):
    torch.manual_seed(seed)
    return LSTMLanguageModel(vocab_size, width, **settings)


def ids(*shape, vocab_size=11, seed=0):
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("position", [0, 3, 8])
def test_a_later_token_never_changes_earlier_logits(num_layers, position):
    model = make(num_layers=num_layers).eval()
    before = ids(2, 9)
    after = before.clone()
    after[:, position] = (after[:, position] + 1) % 11
    first, second = model(before)[0], model(after)[0]
    assert torch.equal(first[:, :position], second[:, :position])
    assert not torch.allclose(first[:, position:], second[:, position:])


@pytest.mark.parametrize("cut", [1, 4, 8])
def test_carrying_the_state_equals_one_long_pass(cut):
    model = make(num_layers=2).eval()
    tokens = ids(3, 9)
    whole, end = model(tokens)
    first, state = model(tokens[:, :cut])
    second, carried = model(tokens[:, cut:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(carried, end)


@pytest.mark.parametrize("tie_weights", [True, False])
@pytest.mark.parametrize(("vocab_size", "width"), [(65, 256), (9000, 128), (200, 16)])
def test_the_first_loss_is_that_of_the_uniform_distribution(vocab_size, width, tie_weights):
    model = make(vocab_size, width, tie_weights=tie_weights)
    tokens = ids(16, 33, vocab_size=vocab_size)
    loss, _ = model.loss(tokens[:, :-1], tokens[:, 1:])
    assert loss.item() == pytest.approx(math.log(vocab_size), rel=0.05)


def test_tied_weights_are_the_same_parameters():
    tied, free = make(), make(tie_weights=False)
    assert tied.output.weight is tied.embedding.weight
    sizes = [sum(p.numel() for p in model.parameters()) for model in (tied, free)]
    assert sizes[1] - sizes[0] == 11 * 8


def test_padding_is_not_counted():
    model = make(padding_id=0).eval()
    tokens, targets = ids(2, 6), ids(2, 6, seed=1).clamp(min=1)
    padded = targets.clone()
    padded[0, 4:] = 0
    padded[1, 5] = -100
    logits = model(tokens)[0].detach()
    counted = [(0, t) for t in range(4)] + [(1, t) for t in range(5)]
    expected = -sum(
        float(functional.log_softmax(logits[row, t], 0)[targets[row, t]]) for row, t in counted
    ) / len(counted)
    loss, _ = model.loss(tokens, padded)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_a_loss_over_nothing_is_zero_and_moves_nothing():
    model = make()
    loss, _ = model.loss(ids(2, 3), torch.full((2, 3), -100))
    loss.backward()
    assert loss.item() == 0
    assert all(not p.grad.any() for p in model.parameters())


def test_sampling_does_not_depend_on_how_the_prompt_was_read():
    model = make(dropout=0.5)
    tokens = model.sample(ids(2, 4), 6, temperature=0)
    assert model.training  # put back
    model.eval()
    for end in range(4, 10):
        assert torch.equal(model(tokens[:, :end])[0][:, -1].argmax(-1), tokens[:, end])


def test_shapes_and_settings_are_checked():
    with pytest.raises(ValueError, match="width must be at least 1"):
        LSTMLanguageModel(5, 0)
    with pytest.raises(ValueError, match=r"dropout must lie in \[0, 1\)"):
        LSTMLanguageModel(5, 4, dropout=1.0)
    with pytest.raises(ValueError, match="padding_id must be an id below 5"):
        LSTMLanguageModel(5, 4, padding_id=5)
    with pytest.raises(ValueError, match=r"input_ids must be an integer tensor \[B, T\]"):
        make()(torch.tensor([1, 2]))
    with pytest.raises(ValueError, match="one position later"):
        make().loss(ids(2, 3), ids(2, 4))


def test_chunks_cover_the_stream_in_order():
    chunks = list(stream_chunks(torch.arange(24), batch_size=3, chunk_length=3))
    inputs = torch.cat([chunk for chunk, _ in chunks], dim=1)
    targets = torch.cat([chunk for _, chunk in chunks], dim=1)
    assert [tuple(chunk.shape) for chunk, _ in chunks] == [(3, 3), (3, 3), (3, 1)]
    assert inputs.flatten().tolist() == list(range(21))
    assert torch.equal(targets, inputs + 1)
    whole = list(stream_chunks(torch.arange(5), batch_size=1, chunk_length=9))
    assert whole[0][0].tolist() == [[0, 1, 2, 3]]


def test_a_stream_that_is_too_short():
    with pytest.raises(ValueError, match="smaller batch_size"):
        next(stream_chunks(torch.arange(3), batch_size=3, chunk_length=2))
    with pytest.raises(
        ValueError, match=r"stream must be an integer tensor \[N\], got one of shape"
    ):
        next(stream_chunks(torch.zeros(2, 2), batch_size=1, chunk_length=2))


def test_the_loss_of_a_stream_is_that_of_one_pass():
    model, stream = make(dropout=0.5), ids(50)
    expected, _ = make(dropout=0.0).loss(stream[None, :-1], stream[None, 1:])
    for chunk_length in (1, 7, 100):
        loss = stream_loss(model, stream, chunk_length=chunk_length)
        assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert model.training


def test_the_loss_of_sentences_is_that_of_each_alone():
    sentences = [list("abc"), list("c"), [], list("bbacabz")]
    vocabulary = Vocabulary.from_tokens("abc")
    model = make(len(vocabulary))
    total, count = 0.0, 0
    for sentence in sentences:
        row = torch.tensor([[3, *vocabulary.encode(sentence), 3]])
        total += model.eval().loss(row[:, :-1], row[:, 1:])[0].item() * (len(sentence) + 1)
        count += len(sentence) + 1
    for batch_size in (1, 3, 64):
        loss = sentence_loss(model, sentences, vocabulary, batch_size)
        assert loss == pytest.approx(total / count, rel=1e-5)
    with pytest.raises(ValueError, match="no sentence"):
        sentence_loss(model, [], vocabulary)


def test_sentences_become_a_stream():
    vocabulary = Vocabulary.from_tokens("aab")
    assert sentence_stream([list("ab"), list("b")], vocabulary).tolist() == [3, 4, 5, 3, 5, 3]
    sentences = [[word] * n for n, word in enumerate("abba" * 5)]
    shuffled = sentence_stream(sentences, vocabulary, seed=1)
    assert torch.equal(shuffled, sentence_stream(sentences, vocabulary, seed=1))
    assert not torch.equal(shuffled, sentence_stream(sentences, vocabulary))
    assert torch.equal(shuffled.sort()[0], sentence_stream(sentences, vocabulary).sort()[0])


def pattern(repeats):
    return torch.tensor([1, 2, 3, 4, 5, 3, 2, 6] * repeats)


def test_training_learns_a_pattern_and_repeats_itself():
    config = TruncatedBPTTConfig(epochs=8, batch_size=4, chunk_length=8, learning_rate=0.03)
    runs = []
    for _ in range(2):
        model = make(7, 16)
        history = train_language_model(model, pattern(60), pattern(10), config, progress=False)
        runs.append((model.state_dict(), history.drop(columns="seconds")))
    history = runs[0][1]
    assert list(history.columns) == [
        "epoch",
        "step",
        "train_loss",
        "validation_loss",
        "learning_rate",
    ]
    assert history["validation_loss"].iloc[-1] < 0.3 < 0.9 < history["train_loss"].iloc[0]
    assert history.equals(runs[1][1])
    assert all(torch.equal(runs[0][0][name], runs[1][0][name]) for name in runs[0][0])


def test_each_chunk_starts_from_the_state_before_and_cuts_its_gradient(monkeypatch):
    model = make(7, 4)
    given, returned = [], []
    inner = model.loss

    def loss(input_ids, targets, state=None):
        given.append((model.training, state))
        value, state = inner(input_ids, targets, state)
        returned.append(state)
        return value, state

    monkeypatch.setattr(model, "loss", loss)
    config = TruncatedBPTTConfig(epochs=2, batch_size=2, chunk_length=8)
    train_language_model(model, pattern(6), pattern(2), config, progress=False)
    training = [index for index, (flag, _) in enumerate(given) if flag]
    assert [given[i][1] is None for i in training] == [True, False, False] * 2
    for index in (i for i in training if given[i][1] is not None):
        for carried, end in zip(given[index][1], returned[index - 1], strict=True):
            assert torch.equal(carried, end)
            assert not carried.requires_grad


def test_gradients_are_clipped():
    def moved(clip_norm):
        model = make(7, 4)
        before = model.output.bias.detach().clone()
        config = TruncatedBPTTConfig(
            epochs=1, batch_size=2, clip_norm=clip_norm, schedule="constant", patience=None
        )
        train_language_model(model, pattern(6), pattern(6), config, progress=False)
        return float((model.output.bias.detach() - before).abs().max())

    assert moved(1.0) > 1e-3
    assert moved(1e-12) < 1e-6  # so small that Adam's epsilon outweighs the gradient


def test_the_random_state_outside_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    config = TruncatedBPTTConfig(epochs=1, batch_size=2)
    model = make(7, 4)
    torch.manual_seed(5)
    train_language_model(model, pattern(5), pattern(5), config, progress=False)
    assert torch.equal(torch.rand(1), expected)


def test_the_best_weights_are_kept_and_training_stops_early():
    # Validation follows another pattern: learning the training text soon makes it worse.
    config = TruncatedBPTTConfig(
        epochs=40, batch_size=2, chunk_length=8, learning_rate=0.02, patience=2, schedule="plateau"
    )
    model = make(7, 16, dropout=0.0)
    validation = pattern(10).flip(0)
    history = train_language_model(model, pattern(20), validation, config, progress=False)
    losses = history["validation_loss"]
    assert len(history) < 40
    assert losses.idxmin() == len(history) - 3
    assert stream_loss(model, validation, 1) == pytest.approx(losses.min(), rel=0.05)
    assert stream_loss(model, validation, 2) < losses.iloc[-1]


def test_the_schedules():
    def rates(**settings):
        config = TruncatedBPTTConfig(
            epochs=4, batch_size=1, chunk_length=100, learning_rate=0.08, **settings
        )
        history = train_language_model(make(7, 4), pattern(5), pattern(5), config, progress=False)
        return history["learning_rate"].tolist()

    assert rates(schedule="constant") == [0.08] * 4
    assert rates(schedule="cosine") == pytest.approx(
        [0.04 * (1 + math.cos(math.pi * done / 4)) for done in (1, 2, 3, 4)]
    )
    assert rates(schedule="constant", warmup_steps=4) == pytest.approx([0.04, 0.06, 0.08, 0.08])


def test_a_loss_that_is_not_a_number_names_the_step():
    model = make(7, 4)
    with torch.no_grad():
        model.output.bias[3] = math.nan
    config = TruncatedBPTTConfig(epochs=1, batch_size=1, schedule="constant")
    with pytest.raises(FloatingPointError, match=r"became nan at step 1 .*learning_rate"):
        train_language_model(model, pattern(5), pattern(5), config, progress=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"chunk_length": 0}, "chunk_length must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be finite and greater than 0, got 0.0"),
        ({"weight_decay": -1.0}, "weight_decay must be finite and at least 0, got -1.0"),
        ({"schedule": "linear"}, "schedule must be one of"),
        ({"patience": 0}, "patience must be at least 1"),
    ],
)
def test_training_settings_outside_their_range(settings, message):
    with pytest.raises(ValueError, match=message):
        TruncatedBPTTConfig(**settings)
