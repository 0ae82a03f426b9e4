"""The language of a text, from a column of its row to the encoder that asks for it."""

from pathlib import Path

import datasets
import pandas as pd
import pytest
import torch

from mtl_utils import data, models, nn, sharing, tasks

LANGUAGES = ["en", "da"]
TEXTS = ["the old harbour", "a new bridge", "den gamle havn", "an old bridge"]
TOKENIZER = data.BytePairTokenizer.train(TEXTS, 300)


def rows_in(*languages: str) -> list[dict]:
    return [
        {"text": text, "topic": "sea" if "ha" in text else "road", "lang": language}
        for text, language in zip(TEXTS, languages, strict=True)
    ]


ROWS = rows_in("en", "en", "da", "en")


def adapted(**settings) -> models.TextModel:
    torch.manual_seed(0)
    encoder = nn.BiLSTMEncoder(TOKENIZER.vocab_size, 8, 1, dropout=0.0)
    reader = sharing.LanguageAdapters(encoder, LANGUAGES, bottleneck=4)
    for part in reader.adapters.adapters.parameters():
        torch.nn.init.normal_(part)
    return built(reader, **{"language": "lang", **settings})


def built(encoder: nn.Encoder, **settings) -> models.TextModel:
    topic = tasks.Classification("topic", ["sea", "road"], label="topic")
    words = tasks.Tagging("words", ["B-X", "I-X", "O"], tokens="text", tags="tags")
    return models.TextModel(sharing.HardSharing(encoder), [topic, words], TOKENIZER, **settings)


def topics(model: models.TextModel, texts, **given) -> torch.Tensor:
    found = model.predict(texts, ["topic"], probabilities=True, **given)
    return torch.tensor([list(said["topic"].values()) for said in found])


def of_hand(model: models.TextModel, languages: list[int]) -> torch.Tensor:
    examples = [
        data.Example(TOKENIZER.encode(text), language_id=number)
        for text, number in zip(TEXTS, languages, strict=True)
    ]
    marked = [
        data.Example([TOKENIZER.bos_id, *e.input_ids, TOKENIZER.eos_id], language_id=e.language_id)
        for e in examples
    ]
    with torch.no_grad():
        batch = data.collate(marked)
        hidden = model.eval().sharing(batch, ["topic"]).hidden["topic"]
        return torch.tensor(model.head("topic").probabilities(hidden, batch))


def test_each_text_is_read_in_the_language_of_its_row() -> None:
    model = adapted()
    expected = of_hand(model, [0, 0, 1, 0])
    torch.testing.assert_close(topics(model, ROWS), expected)
    assert (expected - of_hand(model, [0, 0, 0, 0]))[2].abs().max() > 1e-3
    assert [e.language_id for e in model.examples(ROWS, ["topic"])] == [0, 0, 1, 0]


def test_texts_are_given_with_one_language_or_one_each() -> None:
    model = adapted()
    torch.testing.assert_close(topics(model, TEXTS, languages="da"), of_hand(model, [1] * 4))
    several = topics(model, TEXTS, languages=iter(["en", "en", "da", "en"]))
    torch.testing.assert_close(several, of_hand(model, [0, 0, 1, 0]))


@pytest.mark.parametrize("kind", ["list", "table", "data set", "class labels"])
def test_rows_of_every_kind_have_their_languages(kind: str) -> None:
    model = adapted()
    expected = of_hand(model, [0, 0, 1, 0])
    made = datasets.Dataset.from_list(ROWS)
    kinds = {"list": ROWS, "table": pd.DataFrame(ROWS), "data set": made}
    kinds["class labels"] = made.cast_column("lang", datasets.ClassLabel(names=["da", "en"]))
    torch.testing.assert_close(topics(model, kinds[kind]), expected)
    truth = torch.tensor([int(row["topic"] == "road") for row in ROWS])
    right = (expected.argmax(1) == truth).double().mean().item()
    assert model.evaluate(kinds[kind])["topic_accuracy"] == pytest.approx(right)


def test_a_long_text_is_read_in_its_language_in_every_window() -> None:
    model = adapted(max_length=12, long="windows")
    sentence = [word for text in TEXTS * 3 for word in text.split()]
    in_danish = model.predict([sentence], ["words"], languages="da", probabilities=True)
    model.beside = adapted(languages=LANGUAGES).beside
    in_english = model.predict([sentence], ["words"], languages="en", probabilities=True)
    first, second = (
        torch.tensor([list(word.values()) for word in found[0]["words"]])
        for found in (in_danish, in_english)
    )
    assert len(first) == len(sentence)
    assert ((first - second).abs().amax(1) > 1e-4).all()


def test_languages_are_learnt_and_stored(tmp_path: Path) -> None:
    model = adapted()
    before = [p.clone() for p in model.sharing.encoder.adapters.adapters["da"].parameters()]
    english = rows_in("en", "en", "en", "en")
    model.fit({"topic": english}, batch_size=2, progress=False)
    after = list(model.sharing.encoder.adapters.adapters["da"].parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))  # never read
    model.fit({"topic": ROWS}, batch_size=2, progress=False)
    assert not all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    model.save(tmp_path / "model")
    again = models.load(tmp_path / "model")
    assert again.beside == model.beside
    torch.testing.assert_close(topics(again, ROWS), topics(model, ROWS))


def test_an_encoder_with_vectors_by_language_takes_names_from_the_model() -> None:
    embedding = nn.LanguageEmbedding(TOKENIZER.vocab_size, 8, 2)
    torch.nn.init.normal_(embedding.languages.weight)
    encoder = nn.BiLSTMEncoder(TOKENIZER.vocab_size, 8, 1, dropout=0.0, embedding=embedding)
    model = built(encoder, language="lang", languages=LANGUAGES)
    torch.testing.assert_close(topics(model, ROWS), of_hand(model, [0, 0, 1, 0]))
    with pytest.raises(ValueError, match="languages must name what the column 'lang' holds"):
        built(encoder, language="lang")


def test_languages_that_cannot_be_read_are_refused() -> None:
    model = adapted()
    with pytest.raises(KeyError, match="No language named 'sv'") as caught:
        model.predict(rows_in("en", "sv", "da", "en"), ["topic"])
    assert "This was text 1" in caught.value.__notes__[0]
    for missing in (None, float("nan")):
        with pytest.raises(ValueError, match="one has none"):
            model.examples(rows_in("en", "en", missing, "en"))
    with pytest.raises(ValueError, match="one has none"):
        model.predict(TEXTS)
    with pytest.raises(KeyError, match=r"reads languages from the column 'lang'.*\(language="):
        model.evaluate([{"text": "a", "topic": "sea"}])
    with pytest.raises(ValueError, match="one of languages for each text, got 1 for 4"):
        model.predict(TEXTS, languages=["en"])
    with pytest.raises(ValueError, match="languages in the column 'lang'; leave languages out"):
        model.predict(ROWS, ["topic"], languages="en")
    with pytest.raises(TypeError, match="language must be a string"):
        model.predict(TEXTS, languages=[0, 0, 1, 0])


def test_a_model_that_asks_for_no_language_refuses_them() -> None:
    encoder = nn.BiLSTMEncoder(TOKENIZER.vocab_size, 8, 1, dropout=0.0)
    with pytest.raises(ValueError, match="reads no languages; make it with language="):
        built(encoder).predict(TEXTS, languages="en")
    with pytest.raises(ValueError, match="no column is to be read"):
        built(encoder, languages=LANGUAGES)
    with pytest.raises(ValueError, match="must be different strings"):
        built(encoder, language="lang", languages=["en", "en"])


def test_names_must_be_those_of_the_adapters() -> None:
    with pytest.raises(ValueError, match="must be those of the adapters, \\['en', 'da'\\]"):
        adapted(languages=["da", "en"])
