"""One small model of every kind that can be saved, and what to ask it, for several tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from mtl_utils import models
from mtl_utils.data import BytePairTokenizer, Example, Vocabulary, collate
from mtl_utils.nn import BiLSTMEncoder, PretrainedEncoder, TransformerDecoder, TransformerEncoder
from mtl_utils.sharing import BranchedSharing, HardSharing
from mtl_utils.tasks import Classification, MultiLabel, Regression, Tagging

PIECES = BytePairTokenizer.train(["we see a sea"], 270)
WORDS = [["we", "see"], ["a", "sea", "we", "see"], ["see"]]
TEXTS = [" ".join(words) for words in WORDS]
TAGS = ("O", "B-A", "I-A")
BATCH = collate([Example([5, 6, 7], {}), Example([8, 9], {})])
BERT = {
    "model_type": "bert",
    **{"vocab_size": PIECES.vocab_size, "hidden_size": 8, "intermediate_size": 8},
    **{"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 16},
}


def _lengths(max_length: int = 5) -> dict[str, int]:
    return {"width": 8, "max_length": max_length}


def text_model() -> models.TextModel:
    """Return a text model over a pretrained encoder's configuration."""
    tasks = [Classification("topic", ("x", "y"), "mean"), Tagging("names", TAGS)]
    return models.TextModel(HardSharing(PretrainedEncoder(BERT)), tasks, PIECES)


def three_tasks() -> models.ThreeTaskModel:
    """Return a model of three tasks over an encoder that was cut."""
    sharing = BranchedSharing.from_encoder(
        BiLSTMEncoder(PIECES.vocab_size, 8, 2), ["classification", "tags", "inference"], 1
    )
    poolings = {"pooling": "mean", "pair_pooling": "compare"}
    return models.ThreeTaskModel(sharing, ("x", "y"), TAGS, tokenizer=PIECES, **poolings)


def transformer(**options: Any) -> models.MultiTaskTransformer:
    """Return the book's second system, with a CRF."""
    labels = {"classes": ("x", "y"), "tags": TAGS}
    options = {"tokenizer": PIECES, "max_length": 40, "crf": True, **options}
    return models.MultiTaskTransformer(2, 3, PIECES.vocab_size, 8, 1, 2, **labels, **options)


def several() -> models.MultiTaskModel:
    """Return a model of tasks that is no text model."""
    tasks = [
        Regression("score", mean=3.0, spread=2.0),
        MultiLabel("kinds", ("long", "named")),
        Tagging("names", TAGS, crf=True),
    ]
    return models.MultiTaskModel(HardSharing(BiLSTMEncoder(12, 8)), tasks)


def vaswani() -> models.Seq2Seq:
    """Return a translator with an encoder and a decoder of its own."""
    decoder = partial(TransformerDecoder, num_layers=1, num_heads=2)
    encoder = TransformerEncoder(PIECES.vocab_size, 8, 1, 2)
    return models.Seq2Seq(PIECES, PIECES, encoder=encoder, decoder=decoder, max_length=5)


def with_a_task() -> models.Tagger:
    """Return a tagger to which a task was added."""
    tagger = models.Tagger.from_sentences(WORDS, TAGS, width=8, character_width=4)
    tagger.add_task(Tagging("parts", ("N", "V", "D"), crf=True))
    return tagger


def without_a_task() -> models.BiLSTMFramework:
    """Return a framework from which a task was taken."""
    framework = models.BiLSTMFramework(PIECES, TAGS, **_lengths())
    framework.remove_task("language")
    return framework


def _ask_texts(model: Any) -> Any:
    return model.predict(TEXTS, ["topic", "names"], probabilities=True)


def _ask_three(model: Any) -> Any:
    return model.analyse(WORDS, TEXTS), model.predict(TEXTS, probabilities=True)


def _ask_batch(model: Any) -> Any:
    return model.predict(BATCH)


def _ask_tagger(model: Any) -> Any:
    batch = collate([model.example(words) for words in WORDS])
    scores = {
        name: model.head(name).probabilities(model.sharing(batch, [name]).hidden[name], batch)
        for name in model.tasks
    }
    return model.tag(WORDS), scores


def _ask_framework(model: Any) -> Any:
    found = [model.tag(WORDS), model.translate(WORDS), [s.tolist() for s in model.read(WORDS)]]
    if "language" in model.tasks:
        generator = torch.Generator().manual_seed(0)
        found.append(model.continue_text("we", 6, generator=generator))
    return found


def _ask_translator(model: Any) -> Any:
    align = model.align("we see", "a sea")
    return model.translate(TEXTS), align.weights.tolist(), align.log_probabilities.tolist()


def _ask_language(model: Any) -> Any:
    return model(torch.tensor([[1, 2, 3]]))[0].tolist()


def _ask_counts(model: Any) -> Any:
    rows = [model.distribution(words).tolist() for words in ([], ["<bos>"], ["we"], ["a", "sea"])]
    return rows, model.cross_entropy(WORDS), model.discounts, model.num_ngrams


Kind = tuple[Callable[[], Any], Callable[[Any], Any]]

#: By name: what makes the model, and what it is asked.
KINDS: dict[str, Kind] = {
    "TextModel": (text_model, _ask_texts),
    "ThreeTaskModel": (three_tasks, _ask_three),
    "MultiTaskTransformer": (transformer, _ask_three),
    "MultiTaskModel": (several, _ask_batch),
    "BiLSTMFramework": (
        partial(models.BiLSTMFramework, PIECES, TAGS, **_lengths()),
        _ask_framework,
    ),
    "BiLSTMFramework with fewer tasks": (without_a_task, _ask_framework),
    "Tagger": (
        partial(models.Tagger.from_sentences, WORDS, TAGS, width=8, character_width=4),
        _ask_tagger,
    ),
    "Tagger with more tasks": (with_a_task, _ask_tagger),
    "Seq2Seq": (partial(models.Seq2Seq, PIECES, PIECES, **_lengths()), _ask_translator),
    "Seq2Seq of Transformers": (vaswani, _ask_translator),
    "LSTMLanguageModel": (
        partial(models.LSTMLanguageModel, 9, 8, 2, vocabulary=Vocabulary.from_tokens("abcde")),
        _ask_language,
    ),
    "NGramLanguageModel": (
        lambda: models.NGramLanguageModel(3, discounts="modified").fit(WORDS * 3),
        _ask_counts,
    ),
}


def made(name: str) -> Any:
    """Make a model of a kind, always with the same weights, in evaluation mode."""
    torch.manual_seed(0)
    model = KINDS[name][0]()
    return model.eval() if isinstance(model, torch.nn.Module) else model
