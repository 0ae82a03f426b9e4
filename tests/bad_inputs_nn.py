"""Bad inputs of layers, encoders, decoders and searches."""

from __future__ import annotations

from typing import Any

import torch
from bad_input_cases import (
    INF,
    NAN,
    NOT_CHOICES,
    NOT_COUNTS,
    NOT_FLAGS,
    NOT_OPTIONAL_SIZES,
    NOT_POSITIVE,
    NOT_PROBABILITIES,
    NOT_SIZES,
    NOT_TENSORS,
    EntryPoint,
)

from mtl_utils import nn
from mtl_utils.data import Inputs

FLOATS = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[True, True, False], [True, True, True]])
NOT_MASKS = (*NOT_TENSORS, MASK.float(), MASK.long(), torch.ones(2, 4).bool(), torch.ones(3).bool())
IDS = torch.tensor([[1, 2, 0], [3, 4, 1]])
NOT_IDS = (*NOT_TENSORS, IDS.float(), IDS[0])


def _inputs() -> Inputs:
    return Inputs(IDS, MASK)


def _constructor(kind: type, good: dict[str, Any], **bad: Any) -> EntryPoint:
    return EntryPoint(f"nn.{kind.__name__}", kind, lambda: dict(good), bad)


def _tiny_bert() -> dict[str, Any]:
    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2}
    return {"model_type": "bert", "vocab_size": 9, "intermediate_size": 4, **sizes}


def _frozen() -> nn.Encoder:
    encoder = nn.BiLSTMEncoder(5, 4)
    encoder.freeze()
    return encoder


_sizes: dict[str, Any] = {"vocab_size": 5, "width": 4}
_layers: dict[str, Any] = {"width": 4, "num_heads": 2}
_norms = {"norm_first": NOT_FLAGS, "activation": NOT_CHOICES}

CONSTRUCTORS = [
    *(
        _constructor(
            kind,
            _sizes,
            vocab_size=NOT_SIZES,
            width=NOT_SIZES,
            num_layers=NOT_SIZES,
            dropout=NOT_PROBABILITIES,
            embedding=(3, "words", torch.nn.Embedding(5, 6)),
        )
        for kind in (nn.LSTMEncoder, nn.BiLSTMEncoder)
    ),
    _constructor(
        nn.TransformerEncoder,
        {**_sizes, "num_layers": 1, "num_heads": 2},
        vocab_size=NOT_SIZES,
        width=(*NOT_SIZES, 3),
        num_layers=NOT_SIZES,
        num_heads=(*NOT_SIZES, 3),
        feedforward_width=NOT_OPTIONAL_SIZES,
        dropout=NOT_PROBABILITIES,
        max_length=NOT_SIZES,
        causal=NOT_FLAGS,
        positions=NOT_CHOICES,
        num_segments=NOT_SIZES,
        **_norms,
    ),
    _constructor(
        nn.TransformerStack,
        {**_layers, "num_layers": 1},
        width=(*NOT_SIZES, 3),
        num_layers=NOT_SIZES,
        num_heads=(*NOT_SIZES, 3),
        feedforward_width=NOT_OPTIONAL_SIZES,
        dropout=NOT_PROBABILITIES,
        causal=NOT_FLAGS,
        **_norms,
    ),
    *(
        _constructor(
            kind,
            _layers,
            width=(*NOT_SIZES, 3),
            num_heads=(*NOT_SIZES, 3),
            feedforward_width=NOT_OPTIONAL_SIZES,
            dropout=NOT_PROBABILITIES,
            activation_dropout=tuple(v for v in NOT_PROBABILITIES if v is not None),
            **_norms,
        )
        for kind in (nn.TransformerLayer, nn.TransformerDecoderLayer)
    ),
    _constructor(
        nn.TransformerDecoder,
        {**_sizes, "num_layers": 1, "num_heads": 2},
        vocab_size=NOT_SIZES,
        width=(*NOT_SIZES, 3),
        num_layers=NOT_SIZES,
        num_heads=(*NOT_SIZES, 3),
        memory_width=NOT_OPTIONAL_SIZES,
        feedforward_width=NOT_OPTIONAL_SIZES,
        dropout=NOT_PROBABILITIES,
        max_length=NOT_SIZES,
        positions=NOT_CHOICES,
        **_norms,
    ),
    _constructor(
        nn.MultiHeadAttention,
        _layers,
        width=(*NOT_SIZES, 3),
        num_heads=(*NOT_SIZES, 3),
        dropout=NOT_PROBABILITIES,
        memory_width=NOT_OPTIONAL_SIZES,
    ),
    _constructor(
        nn.AdditiveAttention,
        {"query_width": 4, "memory_width": 4, "width": 4},
        query_width=NOT_SIZES,
        memory_width=NOT_SIZES,
        width=NOT_SIZES,
    ),
    _constructor(
        nn.AttentionDecoder,
        {**_sizes, "memory_width": 4},
        vocab_size=NOT_SIZES,
        width=NOT_SIZES,
        memory_width=NOT_SIZES,
        embedding_width=NOT_OPTIONAL_SIZES,
        dropout=NOT_PROBABILITIES,
        attention=NOT_FLAGS,
    ),
    _constructor(
        nn.SelfAttentiveDecoder,
        _sizes,
        vocab_size=NOT_SIZES,
        width=NOT_SIZES,
        dropout=NOT_PROBABILITIES,
        embedding=(3, torch.nn.Embedding(5, 6)),
    ),
    _constructor(
        nn.CharacterCNN,
        {"num_characters": 5, "width": 4},
        num_characters=NOT_SIZES,
        width=NOT_SIZES,
        embedding_width=NOT_SIZES,
        kernel_size=(*NOT_SIZES, 2),
        dropout=NOT_PROBABILITIES,
    ),
    _constructor(
        nn.WordCharacterEmbedding,
        {**_sizes, "num_characters": 5, "character_width": 2},
        vocab_size=NOT_SIZES,
        width=NOT_SIZES,
        num_characters=NOT_SIZES,
        character_width=NOT_SIZES,
        character_embedding_width=NOT_SIZES,
        dropout=NOT_PROBABILITIES,
        word_dropout=NOT_PROBABILITIES,
    ),
    _constructor(
        nn.LanguageEmbedding,
        {**_sizes, "num_languages": 2},
        vocab_size=NOT_SIZES,
        width=NOT_SIZES,
        num_languages=NOT_SIZES,
        embedding=(3, "words", torch.ones(2, 2)),
    ),
    _constructor(
        nn.FeedForward,
        {"width": 4, "hidden_width": 8},
        width=NOT_SIZES,
        hidden_width=NOT_SIZES,
        dropout=NOT_PROBABILITIES,
        activation=NOT_CHOICES,
    ),
    _constructor(
        nn.Residual,
        {"width": 4, "dropout": 0.1, "norm_first": True},
        width=NOT_SIZES,
        dropout=NOT_PROBABILITIES,
        norm_first=NOT_FLAGS,
    ),
    *(
        _constructor(kind, {"width": 4, "max_length": 8}, width=NOT_SIZES, max_length=NOT_SIZES)
        for kind in (nn.LearnedPositions, nn.SinusoidalPositions)
    ),
    *(_constructor(kind, {}, p=NOT_PROBABILITIES) for kind in (nn.Dropout, nn.TokenDropout)),
    _constructor(
        nn.LinearChainCRF,
        {"num_tags": 3},
        num_tags=NOT_SIZES,
        allowed_start=("all", torch.ones(3), torch.ones(4).bool(), torch.zeros(3).bool()),
        allowed=("all", torch.ones(3, 3), torch.ones(3).bool()),
        allowed_end=("all", torch.ones(3), torch.ones(4).bool(), torch.zeros(3).bool()),
        constrain_training=NOT_FLAGS,
    ),
    _constructor(
        nn.ProjectedEncoder,
        {"encoder": nn.LSTMEncoder(5, 4)},
        encoder=(None, 3, torch.nn.Linear(2, 2)),
        shortcut=NOT_FLAGS,
    ),
    _constructor(nn.AlignedComparison, {"width": 4}, width=NOT_SIZES),
    _constructor(nn.Packing, {"mask": MASK}, mask=(*NOT_TENSORS, MASK.float(), MASK[0])),
]


def _encoder_calls() -> list[EntryPoint]:
    encoders = [
        nn.LSTMEncoder(5, 4),
        nn.BiLSTMEncoder(5, 4),
        nn.TransformerEncoder(5, 4, 1, 2, max_length=4),
    ]
    return [
        EntryPoint(
            f"{type(encoder).__name__}()(inputs)",
            encoder.forward,
            lambda: {"inputs": _inputs()},
            {"inputs": (None, 3, "text", IDS, [_inputs()])},
        )
        for encoder in encoders
    ]


_attention = nn.MultiHeadAttention(4, 2)
_additive = nn.AdditiveAttention(4, 4, 4)
_stack = nn.TransformerStack(4, 1, 2)
_crf = nn.LinearChainCRF(4)
_emissions = {"emissions": FLOATS, "mask": MASK}
_NOT_EMISSIONS = (*NOT_TENSORS, FLOATS[0], FLOATS[:, :, :2], FLOATS.long())
_NOT_TAGS = (*NOT_TENSORS, IDS.float(), IDS[:, :2], IDS.bool())

_aligned = nn.AlignedComparison(FLOATS.shape[-1])
_NOT_MASKS = (*NOT_TENSORS, MASK.float(), MASK[0], MASK[:, :2])

CALLS = [
    *(
        EntryPoint(
            f"AlignedComparison.{method.__name__}",
            method,
            lambda: {"hidden": FLOATS, "first": MASK, "second": ~MASK},
            {
                "hidden": (*NOT_TENSORS, FLOATS[0], FLOATS.long()),
                "first": _NOT_MASKS,
                "second": _NOT_MASKS,
            },
        )
        for method in (_aligned.forward, _aligned.alignment)
    ),
    EntryPoint(
        "nn.count_multiplications",
        nn.count_multiplications,
        lambda: {"forward": list},
        {"forward": (None, 3, "relu", [torch.relu])},
    ),
    EntryPoint(
        "nn.count_parameters",
        nn.count_parameters,
        lambda: {"module": torch.nn.Linear(2, 2)},
        {"module": (None, 3, "linear", [torch.nn.Linear(2, 2)])},
    ),
    EntryPoint(
        "nn.as_transformer_encoder",
        nn.as_transformer_encoder,
        lambda: {"pretrained": nn.PretrainedEncoder(_tiny_bert(), pretrained=False)},
        {"pretrained": (None, 3, "bert", torch.nn.Linear(2, 2), nn.BiLSTMEncoder(5, 4))},
    ),
    EntryPoint(
        "nn.CachedEncoder",
        nn.CachedEncoder,
        lambda: {"encoder": _frozen()},
        {
            "encoder": (None, 3, "encoder", torch.nn.Linear(2, 2), nn.BiLSTMEncoder(5, 4)),
            "max_bytes": NOT_SIZES,
            "alone": NOT_FLAGS,
            "freeze": NOT_FLAGS,
        },
    ),
    EntryPoint(
        "MultiHeadAttention.forward",
        _attention.forward,
        lambda: {"query": FLOATS, "mask": MASK},
        {
            "query": (*NOT_TENSORS, FLOATS[0], FLOATS[:, :, :3], FLOATS.long()),
            "memory": (3, "text", FLOATS[0], FLOATS[:, :, :3]),
            "mask": (*NOT_MASKS[1:],),
        },
    ),
    EntryPoint(
        "AdditiveAttention.forward",
        _additive.forward,
        lambda: {"query": FLOATS, "memory": FLOATS, "mask": MASK},
        {
            "query": (*NOT_TENSORS, FLOATS[0], FLOATS[:, :, :3]),
            "memory": (*NOT_TENSORS, FLOATS[0], FLOATS[:, :, :3]),
            "mask": NOT_MASKS,
        },
    ),
    EntryPoint(
        "nn.masked_softmax",
        nn.masked_softmax,
        lambda: {"scores": FLOATS[:, :, :3], "mask": MASK[:, None]},
        {
            "scores": (*NOT_TENSORS, IDS),
            "mask": (*NOT_TENSORS, MASK.float(), torch.ones(2, 5).bool()),
        },
    ),
    EntryPoint(
        "TransformerStack.forward",
        _stack.forward,
        lambda: {"hidden": FLOATS, "mask": MASK},
        {"hidden": (*NOT_TENSORS, FLOATS[0], FLOATS[:, :, :3]), "mask": NOT_MASKS},
    ),
    *(
        EntryPoint(
            f"LinearChainCRF.{name}",
            getattr(_crf, name),
            lambda: {**_emissions, "tags": torch.zeros_like(IDS)},
            {
                "emissions": _NOT_EMISSIONS,
                "tags": _NOT_TAGS,
                "mask": NOT_MASKS,
            },
        )
        for name in ("log_likelihood", "score")
    ),
    *(
        EntryPoint(
            f"LinearChainCRF.{name}",
            getattr(_crf, name),
            lambda: dict(_emissions),
            {"emissions": _NOT_EMISSIONS, "mask": NOT_MASKS},
        )
        for name in ("log_partition", "marginals", "decode")
    ),
    EntryPoint(
        "LinearChainCRF.marginals, settings",
        _crf.marginals,
        lambda: dict(_emissions),
        {"constrained": ("no", 0, 1.0, [True]), "temperature": NOT_POSITIVE},
    ),
    EntryPoint(
        "nn.viterbi",
        nn.viterbi,
        lambda: {
            **_emissions,
            "start": torch.zeros(4),
            "transitions": torch.zeros(4, 4),
            "end": torch.zeros(4),
        },
        {
            "emissions": _NOT_EMISSIONS,
            "mask": NOT_MASKS,
            "start": (*NOT_TENSORS, torch.zeros(3), torch.zeros(1), torch.zeros(4, 4)),
            "transitions": (*NOT_TENSORS, torch.zeros(4), torch.zeros(3, 4)),
            "end": (*NOT_TENSORS, torch.zeros(3), torch.zeros(1)),
        },
    ),
    EntryPoint(
        "nn.reverse_gradient",
        nn.reverse_gradient,
        lambda: {"values": FLOATS},
        {"values": NOT_TENSORS, "strength": ("1", None, NAN, INF, -1.0, [1.0])},
    ),
    *(
        EntryPoint(
            f"nn.{function.__name__}",
            function,
            lambda: {"logits": FLOATS},
            {
                "logits": (*NOT_TENSORS, IDS),
                "temperature": NOT_POSITIVE[1:],  # 0 is greedy
                "top_k": NOT_OPTIONAL_SIZES,
                "top_p": (0, -0.1, 1.5, NAN, "0.9", True, [0.9]),
            },
        )
        for function in (nn.filter_logits, nn.next_token_distribution)
    ),
]


def _step(ids: Any, state: Any) -> Any:
    return torch.zeros(len(ids), 1, 5), state


def _search() -> dict[str, Any]:
    return {
        "step": _step,
        "state": torch.zeros(2, 1),
        "bos_ids": torch.tensor([1, 1]),
        "eos_id": 2,
        "max_length": 3,
    }


_search_bad = {
    "step": (None, 3, "step"),
    "bos_ids": (*NOT_TENSORS, torch.tensor([1.0, 1.0]), torch.tensor(1), torch.tensor([[1, 1]])),
    "eos_id": (-1, 1.5, "2", None, 9),
    "max_length": NOT_SIZES,
    "forbidden_ids": (3, "2", [-1], [9], [1.5], [None]),
}
SEARCHES = [
    EntryPoint("nn.greedy_search", nn.greedy_search, _search, _search_bad),
    EntryPoint(
        "nn.beam_search",
        nn.beam_search,
        _search,
        {
            **_search_bad,
            "beam_size": NOT_SIZES,
            "length_penalty": (NAN, INF, "1", None, 1e6, -1.0, [1.0]),
        },
    ),
    EntryPoint(
        "nn.shift_right",
        nn.shift_right,
        lambda: {"labels": IDS, "bos_id": 1, "pad_id": 0},
        {
            "labels": NOT_IDS,
            "bos_id": NOT_COUNTS,
            "pad_id": NOT_COUNTS,
        },
    ),
    EntryPoint(
        "nn.select_rows",
        nn.select_rows,
        lambda: {"state": torch.zeros(2, 1), "rows": torch.tensor([0, 1])},
        {"rows": (*NOT_TENSORS, torch.tensor([0.5]))},
    ),
]

ENTRY_POINTS = [*CONSTRUCTORS, *_encoder_calls(), *CALLS, *SEARCHES]
