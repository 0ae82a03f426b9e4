"""Word and character embeddings against loops over words, and inside the LSTM encoders."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.data import Example, Inputs, collate
from mtl_utils.nn import BiLSTMEncoder, CharacterCNN, LSTMEncoder, WordCharacterEmbedding

CHARACTERS, WORDS, WIDTH = 9, 11, 6
EXACT = {"atol": 1e-12, "rtol": 1e-12}
words_of = st.lists(st.lists(st.integers(1, CHARACTERS - 1), max_size=7), max_size=5)
sentences_of = st.lists(words_of, min_size=1, max_size=4)
kinds = pytest.mark.parametrize("kind", [LSTMEncoder, BiLSTMEncoder])


def make_cnn(seed=0, **settings):
    torch.manual_seed(seed)
    return CharacterCNN(CHARACTERS, 4, embedding_width=3, **settings).double().eval()


def make(seed=0, **settings):
    torch.manual_seed(seed)
    return WordCharacterEmbedding(WORDS, WIDTH, CHARACTERS, 2, 3, **settings).double().eval()


def inputs_of(sentences):
    """Words numbered by their number of characters."""
    return collate(
        [Example([len(word) for word in words], character_ids=words) for words in sentences]
    ).inputs


def padded(words, longest):
    return torch.tensor([word + [0] * (longest - len(word)) for word in words])


def by_loop(cnn, word):
    """Slide every filter over one word, zeros on both sides, and keep its greatest answer."""
    weight, bias = cnn.convolution.weight, cnn.convolution.bias  # [width, E, size]
    size = weight.shape[2]
    zeros = [torch.zeros(weight.shape[1], dtype=weight.dtype)] * (size // 2)
    vectors = torch.stack([*zeros, *cnn.embedding.weight[word], *zeros])
    windows = [vectors[start : start + size].t() for start in range(len(word))]
    return torch.stack([(weight * w).sum(dim=(1, 2)) + bias for w in windows]).amax(dim=0)


@settings(max_examples=30)
@given(words_of.filter(bool), st.integers(0, 3), st.sampled_from([1, 3, 5]))
def test_characters_are_read_as_by_a_loop_whatever_the_padding(words, padding, kernel_size):
    cnn = make_cnn(kernel_size=kernel_size)
    found = cnn(padded(words, max(map(len, words)) + padding))
    assert found.shape == (len(words), 4)
    for vector, word in zip(found, words, strict=True):
        if word:
            torch.testing.assert_close(vector, by_loop(cnn, word), **EXACT)
        else:
            assert not vector.any()


def test_padding_gets_no_gradient():
    cnn, words = make_cnn(), [[1, 2, 3], [], [4]]
    cnn(padded(words, 5)).sum().backward()
    gradient = {name: p.grad.clone() for name, p in cnn.named_parameters()}
    assert not gradient["embedding.weight"][0].any()
    cnn.zero_grad()
    sum(cnn(torch.tensor([word])).sum() for word in words if word).backward()
    for name, p in cnn.named_parameters():
        torch.testing.assert_close(p.grad, gradient[name], **EXACT)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0), (2, 3, 0), (2, 0, 4)])
def test_no_words_or_no_characters(shape):
    assert not make_cnn()(torch.zeros(shape, dtype=torch.long)).any()
    assert make_cnn()(torch.zeros(shape, dtype=torch.long)).shape == (*shape[:-1], 4)


@given(sentences_of)
def test_words_stand_beside_their_characters(sentences):
    embedding, inputs = make(), inputs_of(sentences)
    found = embedding(inputs)
    assert found.shape == (*inputs.mask.shape, WIDTH)
    torch.testing.assert_close(found[..., :4], embedding.words.weight[inputs.input_ids], **EXACT)
    for row, words in enumerate(sentences):
        for position, word in enumerate(words):
            if word:
                expected = by_loop(embedding.characters, word)
                torch.testing.assert_close(found[row, position, 4:], expected, **EXACT)


def test_words_become_unknown_in_training_alone():
    embedding = make(word_dropout=0.3)
    inputs = inputs_of([[[1] * 5] * 1000])
    plain = embedding(inputs)
    embedding.train()
    found = embedding(inputs)
    torch.testing.assert_close(found[..., 4:], plain[..., 4:])  # characters stay
    unknown = (found[0, :, :4] == embedding.words.weight[1]).all(dim=1)
    kept = (found[0, :, :4] == embedding.words.weight[5]).all(dim=1)
    assert (unknown ^ kept).all()
    assert 0.25 < unknown.double().mean() < 0.35
    embedding.eval()
    assert torch.equal(embedding(inputs), plain)


def test_characters_have_dropout_in_training_alone():
    cnn, words = make_cnn(dropout=0.5), torch.tensor([[1, 2, 3]])
    assert torch.equal(cnn(words), cnn(words))
    cnn.train()
    assert not torch.equal(cnn(words), cnn(words))


# In an encoder.


@kinds
@settings(max_examples=20)
@given(sentences_of)
def test_an_encoder_reads_what_its_embedding_gives(kind, sentences):
    torch.manual_seed(0)
    encoder = kind(WORDS, WIDTH, embedding=make()).double().eval()
    inputs = inputs_of(sentences)
    hidden = encoder(inputs)
    for row, words in enumerate(sentences):
        if words:
            alone = inputs_of([words])
            expected = encoder.lstm(encoder.embedding(alone))[0][0]
            torch.testing.assert_close(hidden[row, : len(words)], expected, **EXACT)
        assert not hidden[row, len(words) :].any()


@kinds
def test_without_one_an_encoder_is_what_it_was(kind):
    """Checkpoints go by these names, and seeds by this order."""
    torch.manual_seed(3)
    encoder = kind(WORDS, WIDTH)
    torch.manual_seed(3)
    expected = torch.nn.Embedding(WORDS, WIDTH).weight
    assert torch.equal(encoder.embedding.weight, expected)
    assert next(iter(encoder.state_dict())) == "embedding.weight"
    given = torch.nn.Embedding(WORDS, WIDTH)
    given.load_state_dict(encoder.embedding.state_dict())
    other = kind(WORDS, WIDTH, embedding=given)
    other.load_state_dict(encoder.state_dict())
    inputs = inputs_of([[[1], [2, 3]], [[4]]])
    assert torch.equal(other.eval()(inputs), encoder.eval()(inputs))


# Bad arguments.


@pytest.mark.parametrize(
    ("message", "make"),
    [
        ("num_characters must be at least 1, got 0", lambda: CharacterCNN(0, 4)),
        ("width must be at least 1, got 0", lambda: CharacterCNN(5, 0)),
        ("kernel_size must be odd", lambda: CharacterCNN(5, 4, kernel_size=2)),
        (r"dropout must lie in \[0, 1\), got 1", lambda: CharacterCNN(5, 4, dropout=1)),
        ("character_width of 1 to 5, got 6", lambda: WordCharacterEmbedding(5, 6, 5, 6)),
        ("character_width must be at least 1, got 0", lambda: WordCharacterEmbedding(5, 6, 5, 0)),
        (r"word_dropout must lie in", lambda: WordCharacterEmbedding(5, 6, 5, 2, word_dropout=2)),
        ("vectors of size 6, but width is 8", lambda: LSTMEncoder(WORDS, 8, embedding=make())),
        (
            "vectors of size 3, but width is 8",
            lambda: BiLSTMEncoder(WORDS, 8, embedding=torch.nn.Embedding(WORDS, 3)),
        ),
    ],
)
def test_settings_that_cannot_be(message, make):
    with pytest.raises(ValueError, match=message):
        make()


def test_inputs_without_characters():
    inputs = Inputs(torch.ones(1, 2).long(), torch.ones(1, 2).bool())
    with pytest.raises(ValueError, match="no character_ids, which this embedding reads"):
        make()(inputs)


@pytest.mark.parametrize("wrong", [-1, CHARACTERS])
def test_characters_that_do_not_exist(wrong):
    with pytest.raises(ValueError, match=rf"Character {wrong} does not exist: 9 characters"):
        make_cnn()(torch.tensor([[1, wrong]]))
