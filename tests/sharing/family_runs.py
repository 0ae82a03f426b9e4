"""Every way of sharing, trained by one process or two."""

import torch
from tiny_families import FAMILIES
from tiny_sharing import batch_of, bilstm, model_of

from mtl_utils.data import MISSING_LABEL, Batch
from mtl_utils.training import Trainer, TrainerConfig
from mtl_utils.training.processes import make_accelerator

#: The second process gets far fewer labels than the first, and of one task none.
ROWS = ({"pos", "ner"}, {"pos", "ner", "chunk"}, {"pos"}, {"ner"}, {"pos", "chunk"}, {"ner"})
#: How evenly experts are used is a product of means over a batch: two halves are no whole.
UNEVEN = ("experts", "MMoE", "PLE")


class Halves:
    """Three batches; two processes get the first four rows and the last two."""

    num_batches = 3

    def batches(self, epoch, start=0, rank=0, world_size=1):
        for index in range(start, self.num_batches):
            batch = batch_of(ROWS, seed=10 * epoch + index)
            if world_size == 1:
                yield batch
                continue
            rows = torch.arange(4) if rank == 0 else torch.arange(4, 6)
            labels = {task: value[rows] for task, value in batch.labels.items()}
            yield Batch(batch.inputs.rows(rows), labels)

    def digest(self):
        return "halves"


def counts():
    """Return the labels by task that each process has in the first batch."""
    return [
        {
            task: int((labels != MISSING_LABEL).sum())
            for task, labels in next(iter(Halves().batches(0, 0, rank, 2))).labels.items()
        }
        for rank in range(2)
    ]


def run(family, balanced=True):
    torch.manual_seed(0)
    sharing = FAMILIES[family](bilstm)
    if not balanced:
        sharing.balance_strength = 0.0
    model = model_of(sharing)
    config = TrainerConfig(epochs=2, learning_rate=0.01)
    history = Trainer(model, config, progress=False).fit(Halves())
    return {
        "weights": {name: value.clone() for name, value in model.state_dict().items()},
        "history": history.drop(columns="seconds").to_dict("list"),
    }


def runs():
    found = {family: run(family, family not in UNEVEN) for family in FAMILIES}
    return found | {f"{family}, balanced": run(family) for family in UNEVEN}


def main(folder):
    """Do the runs as one of two processes; write what came out."""
    torch.set_num_threads(1)
    accelerator = make_accelerator("no")
    results = {"processes": accelerator.num_processes, **runs()}
    torch.save(results, folder / f"process{accelerator.process_index}.result")
    torch.distributed.destroy_process_group()
