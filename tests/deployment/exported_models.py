"""Small models of every kind that is exported, with weights large enough to tell texts apart."""

from __future__ import annotations

from typing import Any

import tokenizers
import torch
from tokenizers import models as pieces
from tokenizers import pre_tokenizers, processors
from transformers import BertConfig, GPT2Config

from mtl_utils.data import BytePairTokenizer, PretrainedTokenizer, Vocabulary, WordTokenizer
from mtl_utils.models import TextModel
from mtl_utils.nn import (
    BiLSTMEncoder,
    Encoder,
    LSTMEncoder,
    PretrainedEncoder,
    ProjectedEncoder,
    TransformerEncoder,
)
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, MultiLabel, PairClassification, Regression, Tagging

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
TEXTS = [
    "Ada Lovelace met Grace Hopper in Paris, on Monday.",
    "Rain.",
    "",
    "The museum of Oslo opened at 10:30 – nobody came; not even “the guards”!",
    "東京で雨が降った。 ไม่มีช่องว่าง naïve café 🙂",
]
SECOND = ["Grace met Ada.", "It rained.", "Nothing.", "It was closed.", "It rained in Tokyo."]
WORDS = sorted({word for text in [*TEXTS, *SECOND] for word in text.split()})


def byte_pairs() -> BytePairTokenizer:
    return BytePairTokenizer.train([*TEXTS, *SECOND], 330)


def whole_words() -> WordTokenizer:
    return WordTokenizer(Vocabulary.from_tokens(WORDS[::2]))


def word_pieces() -> PretrainedTokenizer:
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghilmnoprstuvwy", "the", "ada"]
    known += [f"##{letter}" for letter in "abcdefghilmnoprstuvwy"]
    made = tokenizers.Tokenizer(
        pieces.WordPiece({piece: i for i, piece in enumerate(known)}, unk_token="[UNK]")
    )
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PretrainedTokenizer(made.to_str(), names)


def encoder_of(kind: str, vocab_size: int) -> Encoder:
    sizes = {"num_layers": 2, "dropout": 0.1}
    transformer = {**sizes, "num_heads": 2, "max_length": 90}
    if kind == "bilstm":
        return BiLSTMEncoder(vocab_size, 8, **sizes)
    if kind == "lstm":
        return LSTMEncoder(vocab_size, 8, **sizes)
    if kind == "projected":
        return ProjectedEncoder(BiLSTMEncoder(vocab_size, 8, num_layers=1))
    if kind == "transformer":
        return TransformerEncoder(vocab_size, 8, **transformer)
    if kind == "causal":
        options: dict[str, Any] = {"norm_first": False, "norm_embeddings": True}
        options |= {"positions": "learned", "activation": "gelu", "causal": True}
        return TransformerEncoder(vocab_size, 8, **transformer, **options)
    if kind == "gpt2":
        config: Any = GPT2Config(
            vocab_size=vocab_size, n_embd=8, n_layer=2, n_head=2, n_positions=90
        )
    else:
        config = BertConfig(
            vocab_size=vocab_size,
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=90,
        )
    return PretrainedEncoder(config.to_dict(), pretrained=False)


def small_model(kind: str, tasks: Any = None, **options: Any) -> TextModel:
    """A model of the tasks that are exported."""
    torch.manual_seed(3)
    made = {"bert": word_pieces, "bilstm": whole_words, "lstm": whole_words}
    tokenizer = options.pop("tokenizer", None) or made.get(kind, byte_pairs)()
    encoder = encoder_of(kind, tokenizer.vocab_size)
    model = TextModel(HardSharing(encoder), every_task() if tasks is None else tasks, tokenizer)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5).add_(0.3 * torch.randn_like(parameter))
    for name, value in options.items():
        setattr(model, name, value)
    return model.eval()


def every_task() -> list[Any]:
    return [
        Classification("topic", ("a", "b", "c"), "mean"),
        PairClassification("relation", ("yes", "no", "open"), "compare"),
        PairClassification("aligned", ("yes", "no"), "align"),
        MultiLabel("moods", ("x", "y", "z"), threshold=0.4),
        Regression("score", bounds=(0, 5), mean=2.0, spread=1.5),
        Regression("likeness", texts=("a", "b")),
        Tagging("plain", ("N", "V", "D"), scheme="plain"),
        Tagging("names", TAGS),
        Tagging("chained", TAGS, crf=True),
    ]
