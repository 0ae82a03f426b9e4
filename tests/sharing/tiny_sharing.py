"""Tiny encoders, three tagging tasks and batches for the ways of sharing; in double precision."""

import pytest
import torch
from transformers import BertConfig

from mtl_utils.data import Batch, Example, Inputs, collate
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import BiLSTMEncoder, PretrainedEncoder, TransformerEncoder
from mtl_utils.tasks import Tagging

VOCABULARY, WIDTH, LAYERS = 9, 4, 2
TASKS = ("pos", "ner", "chunk")
LABELS = ("a", "b", "c")
EXACT = {"atol": 1e-12, "rtol": 1e-12}
ALL = (set(TASKS),) * 4
ONE_EACH = tuple({task} for task in TASKS for _ in range(2))


def bilstm(width=WIDTH, dropout=0.0, num_layers=LAYERS):
    return BiLSTMEncoder(VOCABULARY, width, num_layers, dropout).double()


def transformer(width=WIDTH, dropout=0.0, num_layers=LAYERS):
    return TransformerEncoder(VOCABULARY, width, num_layers, 2, 6, dropout).double()


def pretrained(width=WIDTH, dropout=0.0, num_layers=LAYERS):
    """Make a tiny BERT as if it had been pretrained; its weights are drawn, not read."""
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        num_hidden_layers=num_layers,
        num_attention_heads=2,
        intermediate_size=6,
        max_position_embeddings=12,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    return PretrainedEncoder(config.to_dict(), pretrained=False).double()


encoders = pytest.mark.parametrize("encoder", [bilstm, transformer])
all_encoders = pytest.mark.parametrize("encoder", [bilstm, transformer, pretrained])
PARTS = {
    bilstm: ("embedding", "lstm"),
    transformer: ("embedding", "segments", "stack"),
    pretrained: ("model",),
}


def model_of(sharing, tasks=TASKS):
    return MultiTaskModel(
        sharing, [Tagging(task, LABELS, scale="token") for task in tasks]
    ).double()


def batch_of(rows=ALL, seed=0):
    """Make random sentences, with the labels of some tasks each."""
    generator = torch.Generator().manual_seed(seed)

    def draw(limit, size):
        return torch.randint(limit, (size,), generator=generator).tolist()

    examples = []
    for names in rows:
        size = 1 + draw(5, 1)[0]
        ids = draw(VOCABULARY, size)
        labels = {task: draw(len(LABELS), size) for task in TASKS}
        examples.append(Example(ids, {task: labels[task] for task in TASKS if task in names}))
    return collate(examples)


def apart(batch):
    """Give each task the rows that have its labels, as a batch of its own."""
    found = {}
    for task, labels in batch.labels.items():
        rows = (labels != -100).any(dim=1).nonzero().squeeze(1)
        if len(rows):
            found[task] = Batch(batch.inputs.rows(rows), {task: labels[rows]})
    return found


def longer(batch, extra, filler=0):
    """Add columns of padding, and write a token id into all padding."""
    ids, mask = batch.inputs.input_ids, batch.inputs.mask
    more = torch.zeros(len(batch), extra, dtype=torch.bool)
    ids = torch.cat([ids.masked_fill(~mask, filler), more + filler], dim=1)
    missing = torch.full((len(batch), extra), -100)
    labels = {task: torch.cat([value, missing], dim=1) for task, value in batch.labels.items()}
    return Batch(Inputs(ids, torch.cat([mask, more], dim=1)), labels)


def gradient(module, scalar):
    """Return the gradient of a scalar by the name of the parameter; zero where there is none."""
    names, parameters = zip(*module.named_parameters(), strict=True)
    if not scalar.requires_grad:
        return {n: torch.zeros_like(p) for n, p in zip(names, parameters, strict=True)}
    found = torch.autograd.grad(scalar, parameters, retain_graph=True, materialize_grads=True)
    return dict(zip(names, found, strict=True))


def total(losses):
    return sum(losses.by_task.values(), start=losses.penalty)


def moved(module, scalar):
    """Return the names of the parameters that a scalar moves."""
    return {name for name, value in gradient(module, scalar).items() if value.any()}


def names_of(module, parameters):
    wanted = {id(parameter) for parameter in parameters}
    return {name for name, parameter in module.named_parameters() if id(parameter) in wanted}
