"""The n-gram model against an independent implementation written from the equations."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.data.vocabulary import Vocabulary
from mtl_utils.models import NGramLanguageModel
from mtl_utils.models.ngram_estimates import modified_discounts, single_discount

words = st.sampled_from("abcde")
corpora = st.lists(st.lists(words, max_size=8), max_size=8)
orders = st.integers(0, 4)
anything = st.lists(st.sampled_from([*"abcdez", "<bos>"]), max_size=5)
contexts = anything | st.lists(words, max_size=2).map(lambda words: ["<bos>", *words])


class FromTheEquations:
    """Interpolated Kneser-Ney with dictionaries and recursion; slow, and nothing shared."""

    def __init__(self, sentences, order, vocabulary, pad, discounts):
        self.order, self.outcomes = order, [t for t in vocabulary if t not in ("<pad>", "<bos>")]
        self.counts = Counter()
        for sentence in sentences:
            sentence = [w if w in vocabulary else "<unk>" for w in sentence]
            sentence = ["<bos>", *sentence, "<eos>"] if pad else sentence
            for n in range(1, order + 1):
                self.counts.update(tuple(sentence[i : i + n]) for i in range(len(sentence) - n + 1))
        self.adjusted = {gram: self._adjust(gram) for gram in self.counts if gram != ("<bos>",)}
        self.discounts = [self._discount(n, discounts) for n in range(1, order + 1)]

    def _adjust(self, gram):
        if len(gram) == self.order or gram[0] == "<bos>":
            return self.counts[gram]
        return len({longer[0] for longer in self.counts if longer[1:] == gram})

    def _discount(self, n, kind):
        if not isinstance(kind, str):
            return [kind] * 3
        values = [a for gram, a in self.adjusted.items() if len(gram) == n]
        n1, n2, n3, n4 = (values.count(count) for count in (1, 2, 3, 4))
        if kind == "single":
            return [n1 / (n1 + 2 * n2) if n1 and n2 else 0.5] * 3
        if not (n1 and n2 and n3 and n4):
            return [0.5, 1.0, 1.5]
        y = n1 / (n1 + 2 * n2)
        three = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        return three if all(0 < d <= i for i, d in enumerate(three, 1)) else [0.5, 1.0, 1.5]

    def probability(self, word, context):
        context = tuple(context)[max(0, len(context) - self.order + 1) :]
        if self.order == 0:
            return 1 / len(self.outcomes)
        return self._interpolated(word, context)

    def _interpolated(self, word, context):
        lower = self._interpolated(word, context[1:]) if context else 1 / len(self.outcomes)
        after = {
            gram[-1]: a
            for gram, a in self.adjusted.items()
            if len(gram) == len(context) + 1 and gram[:-1] == context and a > 0
        }
        total = sum(after.values())
        if total == 0:
            return lower
        three = self.discounts[len(context)]
        discount = {w: three[min(a, 3) - 1] for w, a in after.items()}
        kept = max(after.get(word, 0) - discount.get(word, 0), 0) / total
        taken = sum(min(a, discount[w]) for w, a in after.items())
        return kept + taken / total * lower


@settings(deadline=None, max_examples=150)
@given(
    corpora,
    orders,
    contexts,
    st.sampled_from(["single", "modified", 0.3, 1.0]),
    st.booleans(),
)
def test_equals_the_equations(corpus, order, context, discounts, pad):
    vocabulary = Vocabulary.from_tokens("abcd")  # "e" and "z" are unknown words
    model = NGramLanguageModel(order, discounts=discounts, pad=pad, vocabulary=vocabulary)
    model.fit(corpus)
    reference = FromTheEquations(corpus, order, vocabulary, pad, discounts)
    known = [w if w in vocabulary else "<unk>" for w in context]
    distribution = model.distribution(context)
    assert distribution.sum() == pytest.approx(1)
    assert distribution[[vocabulary.pad_id, vocabulary.bos_id]].tolist() == [0, 0]
    for word in reference.outcomes:
        expected = reference.probability(word, known)
        assert expected > 0 or discounts == 0
        assert distribution[vocabulary.id(word)] == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(
    corpora,
    corpora,
    orders,
    st.sampled_from(["kneser-ney", "add-k", "none"]),
    st.booleans(),
)
def test_scores_are_the_probabilities_one_by_one(corpus, text, order, smoothing, pad):
    vocabulary = Vocabulary.from_tokens("abcd")
    model = NGramLanguageModel(order, smoothing, pad=pad, vocabulary=vocabulary, k=0.1)
    model.fit(corpus)
    scores = []
    for sentence in text:
        full = ["<bos>", *sentence, "<eos>"] if pad else sentence
        first = 1 if pad else 0
        scores += [model.probability(full[i], full[:i]) for i in range(first, len(full))]
        assert model.token_log_probabilities(sentence).shape == (len(full) - first,)
    with np.errstate(divide="ignore"):
        logs = np.log(scores)
    assert model._scores(text) == pytest.approx(logs)
    if len(scores) > 0:
        assert model.perplexity(text) == pytest.approx(np.exp(-logs.mean()))


@settings(deadline=None)
@given(corpora, st.lists(words, max_size=4), st.sampled_from(["kneser-ney", "add-k"]))
def test_every_token_has_a_positive_probability_after_every_context(corpus, context, smoothing):
    model = NGramLanguageModel(3, smoothing, vocabulary=Vocabulary.from_tokens("abcde"))
    distribution = model.fit(corpus).distribution(context)
    assert distribution.sum() == pytest.approx(1)
    assert np.delete(distribution, [0, 2]).min() > 0


def test_hand_worked_kneser_ney():
    # The sentences "a b" and "a c". Bigrams: <bos> a (2), a b (1), a c (1), b </s> (1), c </s> (1).
    # Continuation counts: a 1 (after <bos>), b 1, c 1, <eos> 2 (after b and c); 5 bigram types.
    model = NGramLanguageModel(2, discounts=0.5).fit([["a", "b"], ["a", "c"]])
    uniform = 1 / 5  # a, b, c, <eos> and <unk>
    unigram = {"a": 0.5 / 5, "b": 0.5 / 5, "c": 0.5 / 5, "<eos>": 1.5 / 5, "<unk>": 0.0}
    unigram = {w: p + 0.5 * 4 / 5 * uniform for w, p in unigram.items()}
    assert sum(unigram.values()) == pytest.approx(1)
    for word, expected in unigram.items():
        assert model.probability(word) == pytest.approx(expected)
        assert model.probability(word, ["z"]) == pytest.approx(expected)  # unseen context
    assert model.probability("b", ["a"]) == pytest.approx(0.5 / 2 + 0.5 * 2 / 2 * unigram["b"])
    assert model.probability("a", ["<bos>"]) == pytest.approx(1.5 / 2 + 0.5 / 2 * unigram["a"])
    assert model.probability("a", ["b"]) == pytest.approx(0.5 * unigram["a"])
    assert model.probability("yak", ["a"]) == pytest.approx(0.5 * unigram["<unk>"])
    expected = math.log(
        (1.5 / 2 + 0.5 / 2 * unigram["a"])
        * (0.5 / 2 + 0.5 * unigram["b"])
        * (0.5 + 0.5 * unigram["<eos>"])
    )
    assert model.log_probability(["a", "b"]) == pytest.approx(expected)
    assert model.perplexity([["a", "b"]]) == pytest.approx(math.exp(-expected / 3))


def test_hand_worked_start_of_a_sentence():
    # Nothing comes before <bos>, so the bigram "<bos> a" keeps its count of 2 in a trigram model.
    model = NGramLanguageModel(3, discounts=0.5).fit([["a", "b"], ["a", "c"], ["b"]])
    for word, count in {"a": 2, "b": 1, "c": 0}.items():
        kept = max(count - 0.5, 0) / 3
        expected = kept + 0.5 * 2 / 3 * model.probability(word)
        assert model.probability(word, ["<bos>"]) == pytest.approx(expected)


def test_san_francisco_follows_one_word_only():
    # The example that motivates continuation counts: frequent, but after a single word.
    text = [["san", "francisco"]] * 5 + [[w, "glasses"] for w in "abcd"]
    model = NGramLanguageModel(2).fit(text)
    maximum_likelihood = NGramLanguageModel(1, "none").fit(text)
    assert maximum_likelihood.probability("francisco") > maximum_likelihood.probability("glasses")
    assert model.probability("francisco", ["new"]) < model.probability("glasses", ["new"])


def test_hand_worked_add_k_and_maximum_likelihood():
    sentences = [["a", "b"], ["a", "c"], ["a", "b"]]
    plain = NGramLanguageModel(2, "none").fit(sentences)
    assert plain.probability("b", ["a"]) == pytest.approx(2 / 3)
    assert plain.probability("a", ["a"]) == 0
    assert plain.probability("a", ["z"]) == 0
    assert plain.perplexity([["a", "a"]]) == math.inf
    assert plain.log_probability(["a", "b"]) == pytest.approx(math.log(2 / 3))
    smoothed = NGramLanguageModel(2, "add-k", k=0.5).fit(sentences)  # five outcomes
    assert smoothed.probability("b", ["a"]) == pytest.approx(2.5 / 5.5)
    assert smoothed.probability("a", ["a"]) == pytest.approx(0.5 / 5.5)
    assert smoothed.probability("a", ["z"]) == pytest.approx(1 / 5)


def test_the_uniform_model_has_perplexity_v():
    text = [list("abcab"), list("cc")]
    for model in (NGramLanguageModel(0), NGramLanguageModel(0, "none")):
        model.fit(text)
        assert model.outcomes == 5  # a, b, c, <eos> and <unk>
        assert model.perplexity(text) == pytest.approx(5)
    untrained = NGramLanguageModel(3, vocabulary=Vocabulary.from_tokens("abc")).fit([])
    assert untrained.perplexity(text) == pytest.approx(5)


def test_hand_worked_discounts():
    counts = np.array([1, 1, 1, 1, 2, 2, 3, 4, 9, 0])
    assert single_discount(counts) == (0.5, 0.5, 0.5)
    # Y = 4 / 8; 1 - 2 Y 2/4, 2 - 3 Y 1/2, 3 - 4 Y 1/1
    assert modified_discounts(counts) == pytest.approx((0.5, 1.25, 1.0))
    assert single_discount(np.array([3, 3])) == (0.5, 0.5, 0.5)
    assert modified_discounts(np.array([1, 2, 3])) == (0.5, 1.0, 1.5)


def test_a_stream_of_characters():
    text = "abracadabra " * 20
    model = NGramLanguageModel(6, pad=False).fit([text])
    assert model.perplexity([text]) < 1.5
    assert model.probability("c", " abra") > 0.9
    assert len(model.token_log_probabilities(text)) == len(text)
    assert model.num_ngrams[0] == 6


def test_samples_follow_the_model():
    sentences = [["a", "b"], ["a", "c"], ["b", "c", "a"]] * 3
    model = NGramLanguageModel(3).fit(sentences)
    generator = torch.Generator().manual_seed(0)
    firsts = Counter(tuple(model.sample(1, generator=generator)) for _ in range(600))
    start = model.distribution(["<bos>"])
    expected = start[model.vocabulary.id("a")] / (1 - start[model.vocabulary.unk_id])
    assert firsts[("a",)] / 600 == pytest.approx(expected, abs=0.08)
    assert model.sample(9, temperature=0, prompt=["b"]) == ["b", "c", "a"]
    again = [model.sample(9, generator=torch.Generator().manual_seed(3)) for _ in range(2)]
    assert again[0] == again[1]
    assert not {"<unk>", "<bos>", "<eos>"} & set(again[0])


def test_a_long_context_gives_the_same_next_token_as_the_whole_prompt():
    model = NGramLanguageModel(4, pad=False).fit(["to be or not to be that is the question " * 5])
    text = model.sample(60, prompt="to ", temperature=0)
    for end in range(10, 60):
        best = model.distribution(text[:end]).argmax()
        assert model.vocabulary.tokens[best] == text[end]


def test_refitting_forgets():
    model = NGramLanguageModel(2).fit([["a"]])
    model.fit([["b", "c"]])
    assert "a" not in model.vocabulary
    assert model.probability("c", ["b"]) > 0.4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": -1}, "order must be 0"),
        ({"order": 2, "smoothing": "laplace"}, "smoothing must be one of"),
        ({"order": 2, "smoothing": "add-k", "k": 0}, "k must be finite and greater than 0, got 0"),
        ({"order": 2, "discounts": "double"}, "discounts must be"),
        ({"order": 2, "discounts": [0.5]}, "Expected 2 discounts, one per order, got 1"),
        ({"order": 2, "discounts": 1.5}, r"discounts must lie in \[0, 1\], got 1.5"),
    ],
)
def test_settings_outside_their_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        NGramLanguageModel(**arguments)


def test_errors_of_use():
    model = NGramLanguageModel(2)
    with pytest.raises(RuntimeError, match="call fit"):
        model.probability("a")
    with pytest.raises(TypeError, match=r"Write \[text\]"):
        model.fit("a stream")
    model.fit([["a"]])
    with pytest.raises(TypeError, match="one string"):
        model.perplexity("a")
    with pytest.raises(ValueError, match="no token to predict"):
        model.perplexity([])
    with pytest.raises(ValueError, match="give it a prompt"):
        NGramLanguageModel(2, pad=False).fit(["abc"]).sample(3)
    with pytest.raises(ValueError, match="unseen context"):
        NGramLanguageModel(3, "none", pad=False).fit(["abc"]).sample(3, prompt="ca")
