"""Bad inputs of pictures: drawn, encoded, fused with text, aligned with it, found again."""

from __future__ import annotations

import torch
from bad_input_cases import (
    INF,
    NAN,
    NOT_CHOICES,
    NOT_FLAGS,
    NOT_OPTIONAL_SIZES,
    NOT_PROBABILITIES,
    NOT_SHARES,
    NOT_SIZES,
    NOT_TENSORS,
    EntryPoint,
    Within,
)

from mtl_utils import atlas, data, nn, objectives, tasks

NOT_SEEDS = (-1, 1.5, "0", None, True, [0])
NOT_NAMES = (None, 3, b"alignment", ["alignment"], True)
NOT_MODULES = (None, 3, "module", torch.nn.Linear)
TASK = tasks.Contrastive("alignment", width=4)
EXAMPLES = [data.Example([1, 2], {"alignment": 1})]


def _text() -> nn.TransformerEncoder:
    return nn.TransformerEncoder(9, 8, 1, 2)


def _fusion(kind: type, **others: tuple[object, ...]) -> EntryPoint:
    not_texts = NOT_MODULES if kind is not nn.EarlyFusion else (*NOT_MODULES, nn.LSTMEncoder(9, 8))
    return EntryPoint(
        f"nn.{kind.__name__}",
        kind,
        lambda: {"text": _text(), "pictures": nn.ConvolutionalPictures(8)},
        {
            "text": not_texts,
            "pictures": (*NOT_MODULES, torch.nn.Flatten()),
            "picture_dropout": NOT_PROBABILITIES,
            **others,
        },
    )


ENTRY_POINTS = [
    EntryPoint(
        "atlas.load with pictures",
        atlas.load,
        lambda: {"size": 10, "pictures": True},
        {"size": (0, 9, None), "pictures": NOT_FLAGS, "picture_error": NOT_SHARES},
    ),
    EntryPoint(
        "atlas.best_scores",
        atlas.best_scores,
        dict,
        {"ambiguity": NOT_SHARES, "picture_error": NOT_SHARES},
    ),
    EntryPoint(
        "atlas.draw_picture",
        atlas.draw_picture,
        lambda: {"meaning": "person", "split": "train", "seed": 0},
        {"meaning": NOT_CHOICES, "split": NOT_CHOICES, "seed": NOT_SEEDS},
    ),
    EntryPoint(
        "data.picture_pixels",
        data.picture_pixels,
        lambda: {"cell": None},
        {
            "cell": (3, "picture.png", b"png", [1, 2], torch.zeros(4, 4, 3)),
            "size": NOT_OPTIONAL_SIZES,
        },
        called={"cell": "picture"},
    ),
    EntryPoint(
        "nn.ConvolutionalPictures",
        nn.ConvolutionalPictures,
        lambda: {"width": 8},
        {"width": (*NOT_SIZES, 6), "num_layers": (*NOT_SIZES, 9), "channels": NOT_SIZES},
    ),
    EntryPoint(
        "nn.ConvolutionalPictures.forward",
        nn.ConvolutionalPictures(8).forward,
        lambda: {"pictures": torch.zeros(1, 3, 8, 8)},
        {
            "pictures": (
                *NOT_TENSORS,
                Within(torch.zeros(1, 3, 8, 8).byte(), torch.uint8),
                Within(torch.zeros(1, 1, 8, 8), [1, 1, 8, 8]),
                Within(torch.zeros(3, 8, 8), [3, 8, 8]),
            )
        },
    ),
    EntryPoint(
        "nn.PretrainedPictures",
        nn.PretrainedPictures,
        lambda: {"module": torch.nn.Conv2d(3, 4, 4, 4), "module_width": 4, "width": 8},
        {
            "module": NOT_MODULES,
            "module_width": NOT_SIZES,
            "width": NOT_SIZES,
            "mean": (None, 3, "0.5", Within([NAN] * 3, NAN), Within(["0.5"] * 3, "0.5"), [0.5]),
            "std": (None, 3, "0.5", Within([0.0] * 3, 0.0), Within([INF] * 3, INF), [0.5]),
            "frozen": NOT_FLAGS,
        },
    ),
    _fusion(nn.EarlyFusion),
    _fusion(nn.LateFusion),
    _fusion(nn.CrossAttentionFusion, num_heads=(*NOT_SIZES, 3), dropout=NOT_PROBABILITIES),
    EntryPoint(
        "objectives.contrastive_loss",
        objectives.contrastive_loss,
        lambda: {"logits": torch.zeros(2, 2), "groups": torch.tensor([0, 1])},
        {
            "logits": (
                *NOT_TENSORS,
                Within(torch.zeros(2, 3), [2, 3]),
                Within(torch.zeros(2), [2]),
                Within(torch.zeros(2, 2).long(), torch.int64),
            ),
            "groups": (
                *NOT_TENSORS[1:],
                Within(torch.zeros(2), torch.float32),
                Within(torch.tensor([0]), 1),
            ),
        },
    ),
    EntryPoint(
        "tasks.Contrastive",
        tasks.Contrastive,
        lambda: {"name": "alignment"},
        {
            "name": NOT_NAMES,
            "width": NOT_SIZES,
            "temperature": (0.0, 1.5, -1.0, NAN, "0.1", None, True),
            "pooling": NOT_CHOICES,
            "text": NOT_NAMES,
            "picture": NOT_NAMES,
        },
    ),
    EntryPoint(
        "tasks.ContrastiveHead",
        tasks.ContrastiveHead,
        lambda: {"task": TASK, "width": 4},
        {"task": (None, "alignment", tasks.Contrastive), "width": NOT_SIZES},
    ),
    EntryPoint(
        "tasks.Contrastive.metrics",
        TASK.metrics,
        lambda: {"predictions": [[1.0], [1.0]], "references": [2, 3]},
        {
            "predictions": (None, 3, "ab", Within([[1.0]], 1)),
            "references": (
                *(None, 3, "ab", [2, 4], [1, 3]),
                Within([2], 1),
                Within(["a", "b"], "a"),
                Within([-1, 2], -1),
                Within([0.5, 1], 0.5),
            ),
        },
    ),
    EntryPoint(
        "tasks.ContrastiveBatches",
        tasks.ContrastiveBatches,
        lambda: {"loader": data.BatchLoader(EXAMPLES, batch_size=1), "task": "alignment"},
        {"loader": (None, 3, EXAMPLES), "task": NOT_NAMES},
    ),
    EntryPoint(
        "tasks.parted",
        tasks.parted,
        lambda: {"examples": EXAMPLES, "task": "alignment"},
        {"examples": (None, 3, "ab", [3], [None]), "task": NOT_NAMES},
    ),
    EntryPoint(
        "tasks.retrieval_ranks",
        tasks.retrieval_ranks,
        lambda: {"similarity": torch.zeros(2, 2), "relevant": torch.eye(2).bool()},
        {
            "similarity": (*NOT_TENSORS, Within(torch.zeros(2, 3), [2, 3])),
            "relevant": (*NOT_TENSORS, Within(torch.eye(2), torch.float32)),
        },
    ),
    EntryPoint(
        "tasks.retrieval_scores",
        tasks.retrieval_scores,
        lambda: {"ranks": torch.tensor([1, 2])},
        {
            "ranks": (*NOT_TENSORS, Within(torch.zeros(2), torch.float32), torch.zeros(0).long()),
            "at": (None, 3, "5", [0], [1.5], [None]),
        },
    ),
]
