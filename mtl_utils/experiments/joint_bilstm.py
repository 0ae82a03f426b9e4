"""Chapter 04: one BiLSTM for tags, translation and language against one for each, tuned alike."""

from __future__ import annotations

from mtl_utils.experiments.ablations import Ablation
from mtl_utils.experiments.comparison import Comparison
from mtl_utils.experiments.contenders import Contender
from mtl_utils.experiments.contrasts import Contrast
from mtl_utils.experiments.experiment import Config
from mtl_utils.experiments.framework_training import METRICS, train_framework

FEW = "1,000 sentences"


def _settings(sentences: int) -> Config:
    return {
        "sentences": sentences,
        "tasks": list(METRICS),
        "max_tokens": 1000,
        "width": 64,
        "dropout": 0.2,
        "scale": "text",
        "measured": 300,
        "steps": 1000,
        "validations": 5,
        "training": {"optimizer": "adam", "learning_rate": 0.01, "warmup_steps": 50},
    }


CONTRASTS = tuple(
    Contrast("joint", "separate", f"{task}_{metric}") for task, metric in METRICS.items()
)

COMPARISON = Comparison(
    name="joint_bilstm_atlas",
    description="One BiLSTM for tags, translation and language of Atlas, or one for each.",
    settings={FEW: _settings(1000)},
    contenders=(
        Contender(
            "joint",
            trials=(
                {"weights": {"language": 0.3}},
                {"weights": {"language": 0.05}},
                {"weights": {"tags": 3.0}},
            ),
        ),
        Contender(
            "separate", "apart", trials=({"dropout": 0.0}, {"dropout": 0.1}, {"dropout": 0.4})
        ),
    ),
    rates=(0.001, 0.003, 0.01, 0.03, 0.1),
    seeds=(0, 1, 2, 3, 4),
    contrasts={FEW: CONTRASTS},
    withdrawn={FEW: (Contrast("joint", "separate", "tags_f1"),)},  # the third ablation undoes it
    ablations=(
        Ablation("without language", "joint", {}, ("tags", "translation")),
        Ablation("without tags", "joint", {}, ("translation", "language")),
        Ablation("a third of the step size", "joint", {"training.learning_rate": 0.01}),
    ),
    train=train_framework,
    priority=28,
    minutes=3,
)
COMPARISONS = (COMPARISON,)
EXPERIMENTS = COMPARISON.experiments()
