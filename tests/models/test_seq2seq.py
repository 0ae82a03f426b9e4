"""The translator as its users meet it: any text, any order, saved and loaded, trained and read."""

import functools
import math

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.data import BatchLoader, BytePairTokenizer, Vocabulary, WordTokenizer, collate
from mtl_utils.models import Seq2Seq
from mtl_utils.nn import TransformerDecoder, TransformerEncoder

EOS = 3
PAIRS = {
    "A dog sleeps.": "Un chien dort.",
    "A cat sleeps.": "Un chat dort.",
    "A dog eats a cake in the garden.": "Un chien mange un gâteau dans le jardin.",
    "Two cats eat.": "Deux chats mangent.",
    "It rains in Paris today.": "Il pleut à Paris aujourd'hui.",
    "The children play.": "Les enfants jouent.",
    "The children play in the garden.": "Les enfants jouent dans le jardin.",
    "No.": "Non.",
}
SCRIPTS = ["猫は寝ている。", "قطة نائمة", "🦄👩\u200d👩\u200d👧"]
STRANGE = ["", " ", "\n\t", *SCRIPTS, "<eos> <pad>", "a" * 300, "Two cats."]
TEXTS = [*PAIRS, *STRANGE]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Keep models this small from waiting for other threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tokenizers():
    return BytePairTokenizer.train(list(PAIRS), 300), BytePairTokenizer.train(PAIRS.values(), 300)


def make(seed=0, width=24, **settings):
    torch.manual_seed(seed)
    return Seq2Seq(*tokenizers(), width=width, **{"max_length": 30, **settings}).double()


@pytest.fixture(scope="module")
def trained():
    """A translator that knows eight pairs by heart."""
    model = make(dropout=0.1, smoothing=0.1)
    batch = collate(model.examples(list(PAIRS), PAIRS.values()))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(80):
        optimizer.zero_grad()
        model(batch).by_task["translation"].backward()
        optimizer.step()
    return model


def test_eight_pairs_are_learned_by_heart(trained):
    batch = collate([trained.example(text) for text in PAIRS])
    predictions = trained.predict(batch)["translation"]
    metrics = trained.translation.metrics(predictions, list(PAIRS.values()))
    assert metrics == pytest.approx({"bleu": 100, "chrf": 100})
    assert trained.translate(list(PAIRS)) == list(PAIRS.values())
    assert trained.translate(list(PAIRS), beam_size=4) == list(PAIRS.values())


@settings(max_examples=10)
@given(st.permutations(TEXTS), st.sampled_from([1, 40, 4096]), st.sampled_from([1, 3]))
def test_neither_order_nor_batches_change_a_translation(trained, texts, max_tokens, beam_size):
    texts = texts[:6]
    together = trained.translate(texts, beam_size=beam_size, max_tokens=max_tokens)
    alone = [trained.translate([text], beam_size=beam_size)[0] for text in texts]
    assert together == alone


def test_the_same_text_twice(trained):
    first, second, third = trained.translate(["No.", "", "No."])
    assert first == third == "Non."
    assert second == trained.translate([""])[0]


def test_any_text_is_translated(trained):
    found = trained.translate(TEXTS)
    assert len(found) == len(TEXTS)
    assert all(isinstance(text, str) for text in found)
    assert len(set(found[: len(PAIRS)])) == len(PAIRS)
    for text, hypothesis in zip(TEXTS, found, strict=True):
        batch = collate([trained.example(text)])
        (searched,) = trained.search(batch)
        assert trained.target.decode(searched.ids) == hypothesis
        assert len(searched.ids) <= 30


def test_no_text_and_other_sequences(trained):
    assert trained.translate([]) == []
    assert trained.translate(()) == []
    expected = list(PAIRS.values())[:2]
    for texts in (tuple(PAIRS)[:2], pd.Series(list(PAIRS)[:2]), pd.Series(list(PAIRS)[:2]).array):
        assert trained.translate(texts) == expected
    assert trained.translate(pd.Series([], dtype=str)) == []


def test_a_string_is_no_list(trained):
    message = r"Expected a list of texts, got the string 'A dog.*\[text\]"
    with pytest.raises(TypeError, match=message):
        trained.translate("A dog sleeps.")


def test_ten_thousand_tokens(trained):
    text = "A dog eats a cake in the garden. " * 2000
    assert len(trained.source.encode(text)) > 10_000
    short = next(iter(PAIRS))
    found = trained.translate([text, short], max_length=3)
    assert found == [
        trained.translate([text], max_length=3)[0],
        trained.translate([short], max_length=3)[0],
    ]
    assert PAIRS[short].startswith(found[1])


def test_a_vocabulary_that_lacks_every_word():
    words = WordTokenizer(Vocabulary.from_tokens(["nothing", "of", "this"]))
    torch.manual_seed(0)
    model = Seq2Seq(words, words, width=8, max_length=5)
    texts = ["A dog sleeps.", "Un chien dort.", "A"]
    found = model.translate(texts)
    assert found[0] != "" or found[2] != ""
    same_length = model.translate(["x y z", "1 2 3"])  # unknown words are all the same
    assert same_length[0] == same_length[1] == model.translate(["<unk> <unk> <unk>"])[0]
    empty = WordTokenizer(Vocabulary.from_tokens([]))
    assert all(
        set(text.split()) <= {"<unk>"}
        for text in Seq2Seq(empty, empty, width=8, max_length=5).translate(texts)
    )


def test_searches_leave_the_mode_and_ignore_dropout():
    model = make(dropout=0.5)
    assert model.training
    found = [model.translate(TEXTS[:3], beam_size=size) for size in (1, 3)]
    alignment = model.align("No.", "Non.")
    assert all(module.training for module in model.modules())
    model.eval()
    assert found == [model.translate(TEXTS[:3], beam_size=size) for size in (1, 3)]
    assert torch.equal(alignment.weights, model.align("No.", "Non.").weights)
    assert not any(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_beam_finds_what_its_length_penalty_asks_for(trained):
    """What is kept at each length does not depend on the penalty; only the ranking does."""
    batch = collate([trained.example(text) for text in STRANGE])
    found = {}
    for penalty in (0.0, 1.0):
        found[penalty] = trained.search(batch, 4, penalty, max_length=12)
        texts = [trained.target.decode(hypothesis.ids) for hypothesis in found[penalty]]
        settings = {"beam_size": 4, "length_penalty": penalty, "max_length": 12}
        assert trained.translate(STRANGE, **settings) == texts
    for probable, dense in zip(found[0.0], found[1.0], strict=True):
        length = len(probable.ids) + probable.finished
        assert probable.score == probable.log_probability >= dense.log_probability
        assert dense.score >= probable.log_probability / length
    assert found[0.0] != found[1.0]


def test_an_alignment_adds_up(trained):
    for source, target in PAIRS.items():
        alignment = trained.align(source, target)
        read, written = trained.source.encode(source), trained.target.encode(target)
        assert alignment.source_tokens == [trained.source.tokens[i] for i in [*read, EOS]]
        assert alignment.target_tokens == [trained.target.tokens[i] for i in [*written, EOS]]
        assert alignment.weights.shape == (len(written) + 1, len(read) + 1)
        ones = torch.ones(len(written) + 1, dtype=torch.float64)
        torch.testing.assert_close(alignment.weights.sum(1), ones, atol=1e-12, rtol=0)
        # It is what greedy search writes, and its log-probability is the one that it reports.
        (hypothesis,) = trained.search(collate([trained.example(source)]))
        assert list(hypothesis.ids) == written
        assert hypothesis.finished
        total = float(alignment.log_probabilities.sum())
        assert total == pytest.approx(hypothesis.log_probability, abs=1e-9)


@pytest.mark.parametrize("target", ["", "Un chat mange 🦄.", "zzz"])
def test_an_alignment_of_any_other_translation(trained, target):
    source = "A dog sleeps."
    alignment = trained.align(source, target)
    trained.eval()
    batch = collate([trained.example(source, target)])
    with torch.no_grad():
        losses = trained(batch)
    total = -losses.by_task["translation"] * losses.counts["translation"]
    torch.testing.assert_close(alignment.log_probabilities.sum(), total)
    assert math.exp(float(total)) < 0.5  # not what it learned

    # Each row of the attention is where the decoder looked before it wrote that token.
    decoder = trained.head("translation").decoder
    with torch.no_grad():
        state = decoder.start(trained.sharing.encoder(batch.inputs), batch.inputs.mask)
        fed = 2
        for token, row in zip(batch.labels["translation"][0], alignment.weights, strict=True):
            decoded = decoder.decode(torch.tensor([[fed]]), state)
            torch.testing.assert_close(decoded.weights[0, 0], row, atol=1e-12, rtol=0)
            state, fed = decoded.state, int(token)
    trained.train()


def test_words_can_be_aligned_too():
    words = WordTokenizer(Vocabulary.from_tokens(["a", "b"]))
    alignment = Seq2Seq(words, words, width=8).align("a b x", "b")
    assert alignment.source_tokens == ["a", "b", "<unk>", "<eos>"]
    assert alignment.target_tokens == ["b", "<eos>"]


def test_a_saved_model_translates_the_same(trained, tmp_path):
    torch.save(trained.state_dict(), tmp_path / "weights.pt")
    other = make(seed=9)
    expected = trained.translate(TEXTS, beam_size=2)
    assert other.translate(TEXTS, beam_size=2) != expected
    assert other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert other.translate(TEXTS, beam_size=2) == expected
    decoder = other.head("translation").decoder
    assert decoder.output.weight is decoder.embedding.weight  # still tied


def test_examples_end_on_both_sides():
    model = make()
    source, target = "A dog sleeps.", "Un chien dort."
    example = model.example(source, target)
    assert example.input_ids == [*model.source.encode(source), EOS]
    assert example.labels == {"translation": [*model.target.encode(target), EOS]}
    assert model.example("").input_ids == [EOS]
    assert model.example("", "").labels == {"translation": [EOS]}
    assert model.example(source).labels == {}
    assert model.examples([source, ""], [target, ""]) == [example, model.example("", "")]
    with pytest.raises(ValueError, match="got 1 sources and 2 targets"):
        model.examples([source], [target, target])


def test_a_loader_of_pairs_gives_the_loss_of_the_pairs():
    model = make(dropout=0.0).eval().requires_grad_(False)
    examples = model.examples(list(PAIRS), PAIRS.values())
    whole = model(collate(examples))
    parts = [model(batch) for batch in BatchLoader(examples, max_tokens=60, seed=1)]
    counts = [int(losses.counts["translation"]) for losses in parts]
    assert len(parts) > 2
    assert sum(counts) == int(whole.counts["translation"])
    weighted = [c * p.by_task["translation"] for c, p in zip(counts, parts, strict=True)]
    torch.testing.assert_close(sum(weighted) / sum(counts), whole.by_task["translation"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 7}, "width must be even"),
        ({"width": 0}, "width must be at least 1"),
        ({"num_layers": 0}, "num_layers must be at least 1"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\)"),
    ],
)
def test_settings_outside_their_range(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_an_alignment_of_what_an_untrained_model_wrote():
    """Its pieces are not those that its text would be cut into."""
    model = make(seed=3)
    (hypothesis,) = model.search(collate([model.example("No.")]), max_length=12)
    alignment = model.align("No.", hypothesis.ids)
    assert alignment.target_tokens == [model.target.tokens[i] for i in [*hypothesis.ids, EOS]]
    steps = alignment.log_probabilities[: len(hypothesis.ids) + hypothesis.finished]
    assert float(steps.sum()) == pytest.approx(hypothesis.log_probability, abs=1e-9)


def transformer():
    torch.manual_seed(0)
    source, target = tokenizers()
    encoder = TransformerEncoder(source.vocab_size, 24, 1, 3, max_length=400)
    decoder = functools.partial(TransformerDecoder, num_layers=1, num_heads=3)
    return Seq2Seq(source, target, encoder=encoder, decoder=decoder, max_length=30).double()


def test_a_transformer_reads_and_writes_as_well():
    model = transformer()
    batch = collate(model.examples(list(PAIRS), PAIRS.values()))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(80):
        optimizer.zero_grad()
        model(batch).by_task["translation"].backward()
        optimizer.step()
    assert model.translate(list(PAIRS)) == list(PAIRS.values())
    assert model.translate(list(PAIRS), beam_size=4) == list(PAIRS.values())
    together = model.translate(STRANGE, beam_size=3)
    assert together == [model.translate([text], beam_size=3)[0] for text in STRANGE]
    source, target = next(iter(PAIRS.items()))
    alignment = model.align(source, target)
    assert alignment.weights.shape == (len(alignment.target_tokens), len(alignment.source_tokens))
    ones = torch.ones(len(alignment.target_tokens), dtype=torch.float64)
    torch.testing.assert_close(alignment.weights.sum(1), ones)
    (hypothesis,) = model.search(collate([model.example(source)]))
    total = float(alignment.log_probabilities.sum())
    assert total == pytest.approx(hypothesis.log_probability, abs=1e-9)
