"""A tiny model in double precision, and loaders of given batches."""

import torch

from mtl_utils.data import Batch, Inputs
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging

LABELS = {"a": ("x", "y", "z"), "b": ("w", "x", "y", "z"), "c": ("x", "y")}


def model_of(seed=0, dropout=0.3):
    """Two tasks that label tokens and one that labels texts, on one encoder."""
    torch.manual_seed(seed)
    tasks = [Tagging("a", LABELS["a"]), Tagging("b", LABELS["b"]), Classification("c", LABELS["c"])]
    return MultiTaskModel(HardSharing(BiLSTMEncoder(20, 8, dropout=dropout)), tasks).double()


def batch_of(seed=0, tasks="abc", rows=4):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(20, (rows, 5), generator=generator)
    labels = {}
    for task in tasks:
        size = (rows,) if task == "c" else (rows, 5)
        labels[task] = torch.randint(len(LABELS[task]), size, generator=generator)
    return Batch(Inputs(ids, torch.ones_like(ids, dtype=torch.bool)), labels)


def missing(batch, task):
    """Say of all labels of a task that they are missing."""
    return Batch(batch.inputs, {**batch.labels, task: torch.full_like(batch.labels[task], -100)})


class Given:
    """A loader of given batches, the same in each epoch."""

    def __init__(self, *batches):
        self.given, self.num_batches = batches, len(batches)

    def batches(self, epoch, start=0, rank=0, world_size=1):
        yield from self.given[start:]

    def digest(self):
        return str(self.num_batches)
