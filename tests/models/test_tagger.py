"""The tagger as its users meet it: any words, any order, trained, saved and loaded."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils import atlas
from mtl_utils.data import BatchLoader, Vocabulary, collate
from mtl_utils.models import Tagger
from mtl_utils.nn import WordCharacterEmbedding
from mtl_utils.tasks import to_spans
from mtl_utils.training import Trainer, TrainerConfig

LABELS = atlas.NER_TAGS
STRANGE = [
    [],
    ["猫", "は", "寝ている"],
    ["🦄", "👩\u200d👩\u200d👧", "!"],
    [""],
    ["<pad>", "<unk>", "</s>"],
    ["a" * 500, "Zanzibar", "X"],
    ["قطة", "3,141", "İstanbul"],
]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Keep models this small from waiting for other threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def sentences():
    """Twenty sentences of Atlas with the names of their tags."""
    rows = atlas.load(200)["train"].select(range(20))
    words = [list(tokens) for tokens in rows["tokens"]]
    return words, [[LABELS[index] for index in tags] for tags in rows["ner_tags"]]


def make(words, seed=0, **settings):
    torch.manual_seed(seed)
    defaults = {"width": 32, "character_width": 8, "dropout": 0.0}
    return Tagger.from_sentences(words, LABELS, **{**defaults, **settings}).double()


def learn(model, batch, steps=80):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        model(batch).by_task["tags"].backward()
        optimizer.step()
    return model


@pytest.fixture(scope="module")
def trained(sentences):
    model = make(sentences[0])
    return learn(model, collate(model.examples(*sentences)))


@pytest.mark.parametrize(
    "settings", [{"crf": False}, {"character_width": 0}, {"word_dropout": 0.1}]
)
def test_twenty_sentences_are_learned_by_heart(sentences, settings):
    words, tags = sentences
    model = make(words, **settings)
    learn(model, collate(model.examples(words, tags)))
    assert model.tag(words) == tags
    metrics = model.tagging.metrics(model.tag(words), tags)
    assert metrics["f1"] == metrics["accuracy"] == 1


def test_with_a_crf_too(trained, sentences):
    assert trained.tag(sentences[0]) == sentences[1]
    assert trained.head("tags").crf.transitions.abs().max() > 0.1


@settings(max_examples=10)
@given(st.data(), st.sampled_from([1, 40, 4096]))
def test_neither_order_nor_batches_change_the_tags(trained, sentences, data, max_tokens):
    order = data.draw(st.permutations([*sentences[0][:6], *STRANGE]))
    together = trained.tag(order, max_tokens=max_tokens)
    assert together == [trained.tag([words])[0] for words in order]
    assert [len(tags) for tags in together] == [len(words) for words in order]
    for tags in together:  # valid, whatever was read
        assert sum(s.end - s.start for s in to_spans(tags)) == sum(tag != "O" for tag in tags)


def test_nothing_to_tag(trained):
    assert trained.tag([]) == []
    assert trained.tag([[], []]) == [[], []]


def test_characters_tell_unknown_words_apart(sentences):
    words = sentences[0]
    with_characters, without = make(words), make(words, character_width=0)
    assert isinstance(with_characters.sharing.encoder.embedding, WordCharacterEmbedding)
    unknown = [["Qqqq"], ["7777"]]
    for model, differs in ((with_characters, True), (without, False)):
        model.eval()
        hidden = model.sharing(collate([model.example(u) for u in unknown]), ["tags"]).hidden
        one, other = hidden["tags"]
        assert torch.equal(one, other) != differs


def test_an_example_by_hand():
    model = Tagger(
        Vocabulary.from_tokens(["the", "year", "0000"]),
        Vocabulary.from_tokens("Tabehr123"),
        LABELS,
        width=8,
        character_width=2,
    )
    example = model.example(["The", "year", "1832", "Ω", "<pad>"], ["O", "O", "B-MISC", "O", "O"])
    the, year, digits = (model.tokenizer.vocabulary.id(w) for w in ("the", "year", "0000"))
    assert example.input_ids == [the, year, digits, 1, 1]
    characters = model.characters
    assert example.character_ids[0] == [characters.id(c) for c in "The"]
    assert example.character_ids[2] == [characters.id("1"), 1, *map(characters.id, "32")]
    assert example.character_ids[3] == [1]
    assert example.labels == {"tags": [0, 0, LABELS.index("B-MISC"), 0, 0]}
    assert model.example([]).input_ids == []
    assert model.example(["The"]).labels == {}


def test_a_long_word_is_read_from_both_ends(trained):
    word = "a" * 100 + "ing"
    (read,) = trained.example([word]).character_ids
    assert len(read) == 40
    assert read[-3:] == [trained.characters.id(c) for c in "ing"]


def test_words_that_are_seen_once_are_unknown_with_min_count():
    model = Tagger.from_sentences([["a", "b", "A"], ["c"]], LABELS, min_count=2)
    assert list(model.tokenizer.vocabulary)[4:] == ["a"]
    assert set(list(model.characters)[4:]) == set("abAc")


def test_trained_by_the_trainer_and_saved(sentences, tmp_path):
    words, tags = sentences
    model = make(words).float()
    loader = BatchLoader(model.examples(words, tags), max_tokens=200)
    config = TrainerConfig(epochs=2, learning_rate=0.01)
    history = Trainer(model, config, progress=False).fit(loader, loader)
    assert history["train_loss"].iloc[1] < history["train_loss"].iloc[0]
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other = make(words, seed=1).float()
    other.load_state_dict(torch.load(tmp_path / "weights.pt"))
    assert other.tag(words) == model.tag(words)


def test_a_checkpoint_is_of_a_run_with_the_same_characters():
    model = Tagger.from_sentences([["a", "b"]], LABELS)
    loaders = [BatchLoader([model.example(w)], batch_size=1) for w in (["X"], ["a", "X"], ["b"])]
    assert len({loader.digest()["examples"] for loader in loaders}) == 3
    upper, lower = (BatchLoader([model.example([w])], batch_size=1) for w in "Aa")
    assert next(iter(upper)).inputs.input_ids.equal(next(iter(lower)).inputs.input_ids)
    assert upper.digest() != lower.digest()


def test_a_sentence_without_tags_costs_nothing(trained, sentences):
    examples = [trained.example(sentences[0][0], sentences[1][0]), trained.example(["a", "b"])]
    trained.eval()
    alone, both = (trained(collate(e)).by_task["tags"] for e in (examples[:1], examples))
    torch.testing.assert_close(alone, both)


# Bad arguments.


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, "sentence as a list, got the string 'a b'", lambda m: m.tag(["a b"])),
        (TypeError, "sentences as a list, got the string 'a b'", lambda m: m.tag("a b")),
        (TypeError, "Expected words, which are strings, got 3", lambda m: m.tag([["a", 3]])),
        (ValueError, "got 1 tags for 2 words", lambda m: m.example(["a", "b"], ["O"])),
        (KeyError, "'B-X' is not a label of 'tags'", lambda m: m.example(["a"], ["B-X"])),
        (TypeError, "as a list, got the string", lambda m: m.from_sentences(["a b"], LABELS)),
        (
            ValueError,
            "word_dropout=0.5 makes words unknown",
            lambda m: m.from_sentences([["a"]], LABELS, character_width=0, word_dropout=0.5),
        ),
    ],
)
def test_what_is_no_sentence(trained, error, message, call):
    with pytest.raises(error, match=message):
        call(trained)
