"""The framework as its users meet it: it tags, translates and continues texts, and learns all."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.data import BatchLoader, BytePairTokenizer, Vocabulary, WordTokenizer, collate
from mtl_utils.models import BiLSTMFramework
from mtl_utils.nn import beam_search
from mtl_utils.objectives import FixedWeights, minimum_risk_loss
from mtl_utils.tasks import iob2_constraints
from mtl_utils.training import Trainer, TrainerConfig

PAD, UNK, BOS, EOS = range(4)
LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
TASKS = ["tags", "translation", "language"]
CORPUS = [
    ("Anna Smith sleeps .", "B-PER I-PER O O", "Anna Smith dort ."),
    ("Bob lives in New York .", "B-PER O O B-LOC I-LOC O", "Bob habite à New York ."),
    ("It rains in Strasbourg today .", "O O O B-LOC O O", "Il pleut à Strasbourg aujourd'hui ."),
    ("The children play .", "O O O O", "Les enfants jouent ."),
    ("Anna meets Bob Smith in Paris .", "B-PER O B-PER I-PER O B-LOC O", "Anna voit Bob à Paris ."),
    ("Paris sleeps .", "B-LOC O O", "Paris dort ."),
    ("No .", "O O", "Non ."),
    ("Two cats eat cake .", "O O O O O", "Deux chats mangent un gâteau ."),
]
WORDS = [words.split() for words, _, _ in CORPUS]
TAGS = [tags.split() for _, tags, _ in CORPUS]
TRANSLATIONS = [translation for _, _, translation in CORPUS]
STRANGE = [
    [],
    [""],
    ["猫", "は", "寝ている"],
    ["🦄", "👩\u200d👩\u200d👧", "!"],
    ["<eos>", "<pad>", "Smith"],
    ["a" * 60, "Zanzibar"],
]
SENTENCES = [*WORDS, *STRANGE]
WEIGHTS = {"tags": 1.0, "translation": 2.0, "language": 0.1}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Keep models this small from waiting for other threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


#: Of the losses that are computed by hand below.
SCALE = {"tags": "token", "translation": "token", "language": "text"}


def make(seed=0, labels=LABELS, **settings):
    tokenizer = BiLSTMFramework.train_tokenizer(WORDS, TRANSLATIONS, 330)
    torch.manual_seed(seed)
    defaults = {"width": 32, "max_length": 30, "scale": SCALE}
    return BiLSTMFramework(tokenizer, labels, **{**defaults, **settings}).double()


def tiny(seed=0, **settings):
    """A framework over two words, small enough to write all that it can write."""
    words = WordTokenizer(Vocabulary.from_tokens(["a", "b"]))
    torch.manual_seed(seed)
    defaults = {"width": 6, "dropout": 0.0, "max_length": 3, "scale": SCALE}
    return BiLSTMFramework(words, ["X", "Y"], **{**defaults, **settings}).double()


def everything(model):
    """The corpus with all its labels."""
    return [model.example(*labelled) for labelled in zip(WORDS, TAGS, TRANSLATIONS, strict=True)]


@pytest.fixture(scope="module")
def trained():
    """A framework that knows eight sentences by heart, and a text of the other language."""
    model = make(dropout=0.1)
    examples = [*everything(model), model.text("Les chats dorment .")]
    config = TrainerConfig(epochs=70, learning_rate=0.02, optimizer="adam")
    balancer = FixedWeights(WEIGHTS)
    Trainer(model, config, balancer=balancer, progress=False).fit(
        BatchLoader(examples, batch_size=len(examples))
    )
    return model.eval()


def memory_of(model, words):
    inputs = collate([model.example(words)]).inputs
    return model.sharing.encoder(inputs), inputs.mask


def next_by_hand(model, words, read):
    """Log-probabilities of the token of a translation that follows, nothing kept."""
    decoder, output = model.sharing.decoder, model.head("translation").output
    hidden, _ = decoder(torch.tensor([read]), decoder.start(*memory_of(model, words)))
    return output(hidden)[0, -1].log_softmax(-1)


def written_by_hand(model, words, ids, end=True):
    """Log-probability of a translation, one token after another."""
    total, read = torch.zeros((), dtype=torch.float64), [BOS]
    for token in [*ids, EOS] if end else ids:
        total = total + next_by_hand(model, words, read)[token]
        read.append(token)
    return total


def continued_by_hand(model, ids):
    """Log-probabilities of the token that follows, nothing kept."""
    decoder, output = model.sharing.decoder, model.head("language").output
    hidden = decoder(torch.tensor([ids]), decoder.start_alone(1))[0]
    return output(hidden)[0, -1].log_softmax(-1)


# What is learned.


def test_eight_sentences_are_learned_by_heart(trained):
    assert trained.tag(WORDS) == TAGS
    assert trained.translate(WORDS) == TRANSLATIONS
    assert trained.translate(WORDS, beam_size=4) == TRANSLATIONS
    ids = [[*map(int, trained.tokenizer.encode(text))] for text in TRANSLATIONS]
    assert (
        trained.predict(collate([trained.example(words) for words in WORDS]))["translation"] == ids
    )


@pytest.mark.parametrize("beginning", ["Two", "The", "It", "Bob", "No", "Les"])
def test_texts_of_both_languages_are_continued_from_their_first_word(trained, beginning):
    texts = [*map(" ".join, WORDS), "Les chats dorment ."]
    (expected,) = [text for text in texts if text.startswith(beginning)]
    assert trained.continue_text(beginning, top_k=1) == expected


@settings(max_examples=12)
@given(st.permutations(SENTENCES), st.sampled_from([1, 40, 4096]), st.sampled_from([1, 3]))
def test_neither_order_nor_batches_change_a_prediction(trained, sentences, max_tokens, beam_size):
    sentences = sentences[:6]
    tags = trained.tag(sentences, max_tokens=max_tokens)
    assert tags == [trained.tag([words])[0] for words in sentences]
    assert [len(row) for row in tags] == [len(words) for words in sentences]
    texts = trained.translate(sentences, beam_size=beam_size, max_tokens=max_tokens)
    alone = [trained.translate([words], beam_size=beam_size)[0] for words in sentences]
    assert texts == alone


def test_the_same_sentence_twice(trained):
    sentences = [WORDS[6], [], WORDS[0], WORDS[6], WORDS[0]]
    for predict, expected in ((trained.tag, TAGS), (trained.translate, TRANSLATIONS)):
        first, second, third, fourth, fifth = predict(sentences)
        assert first == fourth == expected[6]
        assert third == fifth == expected[0]
        assert second == predict([[]])[0]


def test_nothing_and_empty_sentences(trained):
    assert trained.tag([]) == trained.translate([]) == []
    assert trained.tag(([], [])) == [[], []]
    assert trained.tag([()]) == [[]]
    (text,) = trained.translate([[]])
    (found,) = trained.candidates(collate([trained.example([])]))
    assert text == trained.tokenizer.decode(found[0].ids)


def test_predictions_leave_the_mode_and_ignore_dropout():
    model = make(dropout=0.5).train()
    model.heads["translation"].eval()  # frozen by its owner
    modes = [module.training for module in model.modules()]
    batch = collate([model.example(words) for words in SENTENCES])

    def predictions():
        return [
            model.tag(SENTENCES),
            [states.tolist() for states in model.read(SENTENCES)],
            model.translate(SENTENCES[:4]),
            model.translate(SENTENCES[:4], beam_size=3),
            model.candidates(batch, 2),
            model.continue_text("No", 8, temperature=0),
            model.predict(batch, ["tags", "translation"]),
        ]

    found = predictions()
    assert [module.training for module in model.modules()] == modes
    model.eval()
    assert predictions() == found
    assert not any(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


# Tagging.


@pytest.mark.parametrize("labels", [LABELS, ("NOUN", "VERB", "X")])
def test_tags_are_the_best_sequence_over_first_pieces(labels):
    """Found by trying every sequence, from states that are computed by hand."""
    model = make(seed=0, labels=labels).eval()
    model.heads["tags"].output.weight.data *= 30
    start, following = torch.ones(len(labels)).bool(), torch.ones(len(labels), len(labels)).bool()
    if "O" in labels:
        start, following = iob2_constraints(labels)
    sentences = [["Strasbourg", "Zanzibar", "No", "🦄"], ["Two", "Marrakesh", ".", "is"], ["Qatar"]]
    free = []
    for words in sentences:
        pieces = [model.tokenizer.encode(word) for word in words]
        assert max(map(len, pieces)) > 2
        ids = [BOS, *itertools.chain(*pieces), EOS]
        first = [1 + sum(map(len, pieces[:place])) for place in range(len(words))]
        inputs = collate([model.text(ids[1:-1])]).inputs
        assert inputs.input_ids.tolist() == [ids]
        with torch.no_grad():
            scores = model.heads["tags"].output(model.sharing.encoder(inputs))[0, first]
        possible = [
            sequence
            for sequence in itertools.product(range(len(labels)), repeat=len(words))
            if start[sequence[0]] and all(following[a, b] for a, b in itertools.pairwise(sequence))
        ]
        best = max(
            possible, key=lambda s: sum(float(row[c]) for row, c in zip(scores, s, strict=True))
        )
        assert model.tag([words]) == [[labels[index] for index in best]]
        free.append(scores.argmax(1).tolist() == list(best))
    assert all(free) == ("O" not in labels)  # where it mattered, the constraint was looked at


@settings(max_examples=25)
@given(
    st.integers(0, 10**6),
    st.lists(st.lists(st.text(max_size=6) | st.sampled_from(WORDS[4]), max_size=6), max_size=4),
)
def test_tags_are_valid_iob2_whatever_the_weights(seed, sentences):
    labels = ("I-LOC", "B-PER", "I-PER", "O", "B-LOC")
    model = make(seed, labels, width=4)
    start, following = iob2_constraints(labels)
    found = model.tag(sentences)
    assert [len(tags) for tags in found] == [len(words) for words in sentences]
    for tags in found:
        ids = [labels.index(tag) for tag in tags]
        assert all(start[index] for index in ids[:1])
        assert all(following[a, b] for a, b in itertools.pairwise(ids))


@pytest.mark.parametrize("max_tokens", [1, 60, 4096])
def test_what_is_read_of_a_word_is_the_state_of_its_first_piece(trained, max_tokens):
    found = trained.read(SENTENCES, max_tokens=max_tokens)
    for words, states in zip(SENTENCES, found, strict=True):
        first = [1 + place for place in trained.tokenizer.encode_words(words).first_pieces]
        with torch.no_grad():
            expected = memory_of(trained, words)[0][0, first]
        torch.testing.assert_close(states, expected, atol=1e-12, rtol=0)
        assert not states.requires_grad
    translator = make(tasks=["translation"])
    translator.load_state_dict(trained.state_dict(), strict=False)
    assert translator.training
    for states, others in zip(translator.read(SENTENCES), found, strict=True):
        torch.testing.assert_close(states, others, atol=1e-12, rtol=0)


# Examples.


def test_an_example_by_hand():
    model = make()
    encode = model.tokenizer.encode
    two, strasbourg, full_stop = encode("Two"), encode("Strasbourgs"), encode(".")
    assert len(strasbourg) > 1
    ids = [BOS, *two, *strasbourg, *full_stop, EOS]
    tags = [LABELS.index("O"), LABELS.index("B-LOC"), LABELS.index("O")]
    pieces = (two, strasbourg, full_stop)
    aligned = [[tag, *[-100] * (len(word) - 1)] for tag, word in zip(tags, pieces, strict=True)]
    example = model.example(["Two", "Strasbourgs", "."], ["O", "B-LOC", "O"], "Deux à .")
    assert example.input_ids == ids
    assert example.labels == {
        "language": [*ids[1:], -100],
        "tags": [-100, *itertools.chain(*aligned), -100],
        "translation": [*encode("Deux à ."), EOS],
    }
    assert model.example(["Two"]).labels == {"language": [*two, EOS, -100]}
    empty = model.example([], [], "")
    assert empty.input_ids == [BOS, EOS]
    assert empty.labels == {"language": [EOS, -100], "tags": [-100, -100], "translation": [EOS]}


def test_a_text_by_hand():
    model = make()
    ids = model.tokenizer.encode("Il pleut .")
    expected = model.text("Il pleut .")
    assert expected.input_ids == [BOS, *ids, EOS]
    assert expected.labels == {"language": [*ids, EOS, -100]}
    assert model.text(ids) == expected
    assert model.example(["Il", "pleut", "."]) == expected
    assert model.text("").input_ids == [BOS, EOS]


@pytest.mark.parametrize(
    "tasks", [[name] for name in TASKS] + [["language", "tags"], ["translation", "language"]]
)
def test_labels_are_those_of_the_tasks_of_the_model(tasks):
    model = make(tasks=tasks)
    assert list(model.tasks) == [name for name in TASKS if name in tasks]
    full = make().example(WORDS[0], TAGS[0], TRANSLATIONS[0])
    example = model.example(WORDS[0], TAGS[0], TRANSLATIONS[0])
    assert example.input_ids == full.input_ids
    assert example.labels == {name: full.labels[name] for name in tasks}
    losses = model(collate([example]))
    assert set(losses.by_task) == set(tasks)


def test_the_tokenizer_is_of_both_languages():
    tokenizer = BiLSTMFramework.train_tokenizer(iter(WORDS), iter(TRANSLATIONS), 330)
    joined = [*map(" ".join, WORDS), *TRANSLATIONS]
    assert tokenizer == BytePairTokenizer.train(joined, 330)
    for language in (joined[:8], joined[8:]):
        assert tokenizer != BytePairTokenizer.train(language, 330)


# What is missing or wrong.


def test_a_task_that_was_left_out_is_missed():
    tagger, translator = make(tasks=("tags",)), make(tasks=("translation",))
    batch = collate([tagger.example(["No"])])
    calls = [
        ("translation", lambda: tagger.translate([["No"]])),
        ("translation", lambda: tagger.translate([])),
        ("translation", lambda: tagger.candidates(batch)),
        ("translation", lambda: tagger.score(batch, [[[4]]])),
        ("language", lambda: tagger.continue_text("No")),
        ("language", lambda: translator.continue_text("No")),
        ("tags", lambda: translator.tag([["No"]])),
        ("tags", lambda: translator.tag([])),
    ]
    for task, call in calls:
        with pytest.raises(KeyError, match=f"No task named '{task}'; the model has"):
            call()


def test_a_baseline_is_the_framework_without_the_others(trained):
    for task in ("tags", "translation"):
        baseline = make(seed=5, tasks=[task]).eval()
        missing, _ = baseline.load_state_dict(trained.state_dict(), strict=False)
        assert not missing
        predict = baseline.tag if task == "tags" else baseline.translate
        assert predict(WORDS) == (TAGS if task == "tags" else TRANSLATIONS)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, "words, a list of strings, got a single string", lambda m: m.tag(["a b"])),
        (TypeError, "words, a list of strings, got a single string", lambda m: m.tag("a b")),
        (TypeError, "got a single string: 'a b'", lambda m: m.translate(["a b"])),
        (TypeError, "got a single string", lambda m: m.translate("a b")),
        (TypeError, "got a single string: 'a b'", lambda m: m.example("a b", ["O", "O"])),
        (TypeError, "Expected a string, got int: 3", lambda m: m.tag([["a", 3]])),
        (TypeError, "Expected a string, got list", lambda m: m.translate([[["a"]]])),
        (ValueError, "got 1 labels for 2 words", lambda m: m.example(["a", "b"], ["O"])),
        (ValueError, "got 3 labels for 2 words", lambda m: m.example(["a", "b"], ["O"] * 3)),
        (KeyError, "'B-X' is not a label of 'tags'", lambda m: m.example(["a"], ["B-X"])),
        (ValueError, "beam_size must be at least 1", lambda m: m.translate([["a"]], beam_size=0)),
        (
            ValueError,
            "length_penalty must be finite and at least 0",
            lambda m: m.translate([["a"]], beam_size=2, length_penalty=-1.0),
        ),
        (ValueError, "top_k must be at least 1", lambda m: m.continue_text("a", top_k=0)),
        (ValueError, "max_tokens must be at least 1", lambda m: m.tag([["a"]], max_tokens=0)),
    ],
)
def test_what_is_no_sentence_and_no_setting(trained, error, message, call):
    with pytest.raises(error, match=message):
        call(trained)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tasks": ("tags", "parsing")}, r"at least one task of \['tags', 'trans"),
        ({"tasks": ()}, "at least one task"),
        ({"width": 7}, "width must be even"),
        ({"width": 0}, "width must be at least 1"),
        ({"num_layers": 0}, "num_layers must be at least 1"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\)"),
        ({"labels": ("O", "I-PER")}, "I-PER can never occur"),
        ({"labels": ("O", "O")}, "none twice"),
    ],
)
def test_settings_outside_their_range(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


# Translating.


@pytest.mark.parametrize(("beam_size", "penalty"), [(1, 1.0), (3, 0.0), (3, 1.0), (5, 2.0)])
def test_candidates_are_those_of_a_search_that_keeps_nothing(beam_size, penalty):
    """The step is run over the whole beginning each time, from the memory of its row."""
    model = make(seed=1, max_length=6).eval()
    batch = collate([model.example(words) for words in SENTENCES])
    decoder, output = model.sharing.decoder, model.head("translation").output

    def step(ids, state):
        memory, mask, read = state
        read = torch.cat([read, ids], dim=1)
        hidden, _ = decoder(read, decoder.start(memory, mask))
        return output(hidden), (memory, mask, read)

    with torch.no_grad():
        memory = model.sharing.encoder(batch.inputs)
    none = torch.empty(len(batch), 0, dtype=torch.long)
    expected = beam_search(
        step,
        (memory, batch.inputs.mask, none),
        torch.full((len(batch),), BOS),
        eos_id=EOS,
        max_length=6,
        beam_size=beam_size,
        length_penalty=penalty,
        forbidden_ids=(PAD, BOS),
    )
    found = model.candidates(batch, beam_size, penalty)
    assert [[h.ids for h in row] for row in found] == [[h.ids for h in row] for row in expected]
    assert [len(row) for row in found] == [beam_size] * len(batch)
    for row, wanted in zip(found, expected, strict=True):
        for hypothesis, other in zip(row, wanted, strict=True):
            assert hypothesis.log_probability == pytest.approx(other.log_probability, abs=1e-9)
            assert hypothesis.finished == other.finished
            if beam_size > 1:
                assert hypothesis.score == pytest.approx(other.score, abs=1e-9)


def sequences(length):
    """All that the tiny framework can write in so many tokens."""
    return [
        list(ids) for n in range(length + 1) for ids in itertools.product((UNK, 4, 5), repeat=n)
    ]


def test_a_wide_beam_finds_everything():
    model = tiny(seed=3).eval()
    model.heads["translation"].output.bias.data[[PAD, BOS]] = -1e9
    rows = [["a"], [], ["b", "a", "c"]]
    found = model.candidates(collate([model.example(words) for words in rows]), 64, 0.0)
    for words, hypotheses in zip(rows, found, strict=True):
        finished = {h.ids: h.log_probability for h in hypotheses if h.finished}
        unfinished = {h.ids: h.log_probability for h in hypotheses if not h.finished}
        assert sorted(map(list, finished)) == sorted(sequences(2))
        assert sorted(map(list, unfinished)) == sorted(ids for ids in sequences(3) if len(ids) == 3)
        for kind, end in ((finished, True), (unfinished, False)):
            for ids, log_probability in kind.items():
                by_hand = written_by_hand(model, words, ids, end).item()
                assert log_probability == pytest.approx(by_hand, abs=1e-9)
        assert math.fsum(math.exp(h.log_probability) for h in hypotheses) == pytest.approx(1)
        scores = [hypothesis.score for hypothesis in hypotheses]
        assert scores == sorted(scores, reverse=True)


def test_translations_are_the_texts_of_the_best_candidates():
    model = make(seed=4, max_length=9)
    batch = collate([model.example(words) for words in SENTENCES])
    for size, penalty in ((1, 1.0), (3, 0.0), (3, 1.0)):
        best = [row[0] for row in model.candidates(batch, size, penalty)]
        texts = model.translate(SENTENCES, beam_size=size, length_penalty=penalty)
        assert texts == [model.tokenizer.decode(hypothesis.ids) for hypothesis in best]
        assert all(len(hypothesis.ids) <= 9 for hypothesis in best)


# Scoring.


CANDIDATES = [[[4, 5, 4], []], [], [[UNK]], [[5], [5, 5], [4], [5]]]
ROWS = [["a", "b", "a"], ["b"], [], ["b", "c"]]


def test_scores_are_those_of_one_token_after_another():
    model = tiny().eval()
    batch = collate([model.example(words) for words in ROWS])
    scores = model.score(batch, CANDIDATES)
    assert scores.shape == (4, 4)
    for words, row, found in zip(ROWS, CANDIDATES, scores.tolist(), strict=True):
        by_hand = [written_by_hand(model, words, ids).item() for ids in row]
        assert found[: len(row)] == pytest.approx(by_hand, abs=1e-12)
        assert found[len(row) :] == [-math.inf] * (4 - len(row))


def test_scores_of_what_a_search_found_are_its_log_probabilities(trained):
    batch = collate([trained.example(words) for words in SENTENCES])
    for beam_size in (1, 4):
        found = trained.candidates(batch, beam_size)
        scores = trained.score(batch, [[h.ids for h in row] for row in found])
        assert sum(h.finished for row in found for h in row) >= len(WORDS) * beam_size
        for row, hypotheses, words in zip(scores, found, SENTENCES, strict=True):
            for score, hypothesis in zip(row.tolist(), hypotheses, strict=True):
                expected = hypothesis.log_probability
                if not hypothesis.finished:  # what is scored has an end
                    rest = written_by_hand(trained, words, hypothesis.ids)
                    unended = written_by_hand(trained, words, hypothesis.ids, end=False)
                    expected += (rest - unended).item()
                assert score == pytest.approx(expected, abs=1e-9)


def test_scores_have_the_gradient_of_their_definition():
    model = tiny()
    batch = collate([model.example(words) for words in ROWS])
    scores = model.score(batch, CANDIDATES)
    factors = torch.linspace(-1, 2, scores.numel()).double().view_as(scores)
    present = scores != -torch.inf
    parameters = dict(model.named_parameters())
    found = torch.autograd.grad(
        (scores[present] * factors[present]).sum(), parameters.values(), allow_unused=True
    )
    pairs = zip(ROWS, CANDIDATES, factors, strict=True)
    total = sum(
        factor * written_by_hand(model, words, ids)
        for words, row, weights in pairs
        for ids, factor in zip(row, weights, strict=False)
    )
    expected = torch.autograd.grad(total, parameters.values(), allow_unused=True)
    for name, one, other in zip(parameters, found, expected, strict=True):
        assert (one is None) == (other is None) == name.startswith(("heads.tags", "heads.lang"))
        if one is not None:
            torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)
    assert max(float(g.abs().max()) for g in found if g is not None) > 0.01


@pytest.mark.parametrize(
    ("message", "candidates"),
    [
        ("each of 2 rows and at least one in all, got 1 rows with 1", [[[4]]]),
        ("each of 2 rows and at least one in all, got 3 rows with 3", [[[4]]] * 3),
        ("each of 2 rows and at least one in all, got 2 rows with 0", [[], []]),
    ],
)
def test_candidates_are_needed_for_every_row(message, candidates):
    model = tiny()
    with pytest.raises(ValueError, match=message):
        model.score(collate([model.example(["a"]), model.example(["b"])]), candidates)


def test_the_risk_of_everything_is_the_expected_cost():
    """Its gradient is the expectation of (cost - risk) times that of the log-probability."""
    model, rows = tiny(seed=5), [["a"], ["b", "a"], ["c"]]
    candidates = [sequences(2), sequences(1), []]  # of different numbers, none of the last
    costs = torch.rand(3, len(candidates[0]), generator=torch.Generator().manual_seed(0)).double()
    costs.requires_grad_()
    batch = collate([model.example(words) for words in rows])
    parameters = [
        p for n, p in model.named_parameters() if not n.startswith(("heads.t", "heads.l"))
    ]
    parameters += list(model.heads["translation"].parameters())
    risk = minimum_risk_loss(model.score(batch, candidates), costs)
    found = torch.autograd.grad(risk, parameters)
    expected, surrogate = [], 0.0
    for words, row, prices in zip(rows[:2], candidates[:2], costs.detach(), strict=False):
        logs = torch.stack([written_by_hand(model, words, ids) for ids in row])
        chances = logs.detach().exp() / logs.detach().exp().sum()
        prices = prices[: len(row)]
        expected.append((chances * prices).sum().item())
        surrogate = surrogate + (chances * (prices - expected[-1]) * logs).sum() / 2
    assert risk.item() == pytest.approx(sum(expected) / 2, abs=1e-12)
    for one, other in zip(found, torch.autograd.grad(surrogate, parameters), strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)
    assert max(float(gradient.abs().max()) for gradient in found) > 1e-3


# Continuing texts.


@pytest.mark.parametrize("text", ["", "a", "b a c b"])
@pytest.mark.parametrize("seed", range(4))
def test_with_one_token_to_choose_from_the_best_is_taken(text, seed):
    model = tiny(seed).eval()
    model.heads["language"].output.bias.data[[PAD, BOS]] += 2  # never written, however likely
    model.heads["language"].output.weight.data *= 3
    ids = [BOS, *model.tokenizer.encode(text)]
    for _ in range(7):
        scores = continued_by_hand(model, ids)
        scores[[PAD, BOS]] = -math.inf
        ids.append(int(scores.argmax()))
        if ids[-1] == EOS:
            break
    expected = model.tokenizer.decode(ids)
    assert model.continue_text(text, 7, top_k=1) == expected
    assert model.continue_text(text, 7, temperature=0) == expected
    assert model.continue_text(text, 7, top_p=1e-9) == expected
    assert len(expected.split()) <= len(text.split()) + 7


def test_the_end_is_where_the_model_ends():
    model = tiny()
    bias = model.heads["language"].output.bias.data
    bias[EOS] = -1e9
    assert [len(model.continue_text("a b", n).split()) for n in (0, 1, 9)] == [2, 3, 11]
    bias[EOS] = 1e9
    assert model.continue_text("a b") == "a b"
    assert model.continue_text() == ""


def test_a_generator_is_all_the_randomness():
    model = tiny()
    model.heads["language"].output.bias.data[EOS] = -1e9

    def continuation(seed):
        return model.continue_text("a", 12, generator=torch.Generator().manual_seed(seed))

    torch.manual_seed(7)
    state = torch.get_rng_state()
    found = [continuation(seed) for seed in range(5)]
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(9)
    assert [continuation(seed) for seed in range(5)] == found
    assert len(set(found)) == 5
    torch.manual_seed(7)
    own = model.continue_text("a", 12)
    torch.manual_seed(7)
    assert model.continue_text("a", 12) == own != model.continue_text("a", 12)


def test_samples_come_as_often_as_they_should():
    model = tiny(seed=6).eval()
    model.heads["language"].output.bias.data[[PAD, BOS]] = -1e9
    chances = continued_by_hand(model, [BOS, 4]).exp().tolist()
    generator = torch.Generator().manual_seed(0)
    drawn = [model.continue_text("a", 1, generator=generator) for _ in range(800)]
    for text, token in (("a", EOS), ("a a", 4), ("a b", 5), ("a <unk>", UNK)):
        share, chance = drawn.count(text) / len(drawn), chances[token]
        assert share == pytest.approx(chance, abs=4 * (chance * (1 - chance) / len(drawn)) ** 0.5)


# Saving and training.


def test_a_saved_model_predicts_the_same(trained, tmp_path):
    torch.save(trained.state_dict(), tmp_path / "weights.pt")
    other = make(seed=9)
    batch = collate([trained.example(words) for words in SENTENCES])

    def predictions(model):
        generator = torch.Generator().manual_seed(0)
        return (
            model.tag(SENTENCES),
            model.translate(SENTENCES),
            model.candidates(batch, 3),
            model.continue_text("The", temperature=3.0, generator=generator),
        )

    before, expected = predictions(other), predictions(trained)
    assert all(one != two for one, two in zip(before, expected, strict=True))
    assert other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert predictions(other) == expected
    assert other.sharing.decoder.embedding is other.sharing.encoder.encoder.embedding


def test_losses_are_those_of_each_sentence_by_itself():
    model = make(seed=1, smoothing=0.3).eval()
    text = model.text("Les chats dorment .")
    losses = model(collate([*everything(model)[:3], text, model.example(WORDS[3], TAGS[3])]))
    tags, translations, languages = [], [], []
    with torch.no_grad():
        for words, names, target in zip(WORDS[:4], TAGS[:4], TRANSLATIONS[:4], strict=True):
            first = [1 + place for place in model.tokenizer.encode_words(words).first_pieces]
            scores = model.heads["tags"].output(memory_of(model, words)[0])[0, first]
            tags += [
                row[LABELS.index(t)] for t, row in zip(names, scores.log_softmax(1), strict=True)
            ]
            if words is not WORDS[3]:
                ids = model.tokenizer.encode(target)
                translations.append((written_by_hand(model, words, ids), len(ids) + 1))
        for example in (*map(model.example, WORDS[:4]), text):
            ids = example.input_ids
            steps = [continued_by_hand(model, ids[:n])[ids[n]] for n in range(1, len(ids))]
            languages.append(sum(steps))
    expected = {
        "tags": -sum(tags) / len(tags),
        "translation": -sum(total for total, _ in translations) / sum(n for _, n in translations),
        "language": -sum(languages) / len(languages),
    }
    assert losses.by_task.keys() == expected.keys()
    for task, loss in losses.by_task.items():
        assert loss.item() == pytest.approx(expected[task].item(), rel=1e-10)
    counts = {task: int(count) for task, count in losses.counts.items()}
    assert counts == {
        "tags": len(tags),
        "translation": sum(n for _, n in translations),
        "language": 5,
    }


def test_translations_alone_are_smoothed_while_training():
    model = make(seed=1, smoothing=0.3, dropout=0.0)
    batch = collate(everything(model)[:2])
    smoothed, plain = model.train()(batch).by_task, model.eval()(batch).by_task
    spread = []  # what every token costs, the true one or not
    for words, text in zip(WORDS[:2], TRANSLATIONS[:2], strict=True):
        ids = [BOS, *model.tokenizer.encode(text)]
        spread += [-next_by_hand(model, words, ids[: n + 1]).mean() for n in range(len(ids))]
    expected = 0.7 * plain["translation"] + 0.3 * sum(spread) / len(spread)
    torch.testing.assert_close(smoothed["translation"], expected)
    for task in ("tags", "language"):
        torch.testing.assert_close(smoothed[task], plain[task])


def test_settings_reach_every_part():
    model = make(dropout=0.4, num_layers=3)
    dropouts = {n: m.p for n, m in model.named_modules() if isinstance(m, torch.nn.Dropout)}
    assert set(dropouts.values()) == {0.4}
    assert dropouts.keys() >= {"heads.tags.dropout", "sharing.decoder.dropout"}
    state = "\n".join(model.state_dict())
    assert "weight_ih_l2" in state
    assert "weight_ih_l3" not in state


def test_the_joint_gradient_is_the_weighted_sum_of_those_of_the_tasks():
    model = make(dropout=0.0)
    batch = collate([*everything(model)[:4], model.text("Les chats dorment .")])
    weights = {"tags": 0.7, "translation": 1.9, "language": 0.01}
    parameters = dict(model.named_parameters())
    alone = {}
    for task in TASKS:
        loss = model({task: batch}).by_task[task]
        found = torch.autograd.grad(loss, parameters.values(), allow_unused=True)
        alone[task] = dict(zip(parameters, found, strict=True))
    FixedWeights(weights).backward(model(batch), model)
    for name, parameter in parameters.items():
        terms = [weights[t] * alone[t][name] for t in TASKS if alone[t][name] is not None]
        torch.testing.assert_close(parameter.grad, sum(terms), atol=1e-13, rtol=1e-10)

    def moved(task):
        return {name for name, gradient in alone[task].items() if gradient is not None}

    own = {task: {n for n in parameters if n.startswith(f"heads.{task}.")} for task in TASKS}
    shared = {id(p) for p in model.shared_parameters()}
    assert {n for n, p in parameters.items() if id(p) in shared} == parameters.keys() - set().union(
        *own.values()
    )
    embedding = {"sharing.encoder.encoder.embedding.weight"}
    encoder = {n for n in parameters if n.startswith("sharing.encoder.")}
    decoder = {n for n in parameters if n.startswith("sharing.decoder.")}
    assert embedding < encoder
    assert moved("tags") == encoder | own["tags"]
    assert moved("translation") == encoder | decoder | own["translation"]
    assert moved("language") == decoder | own["language"] | embedding  # it has no source
