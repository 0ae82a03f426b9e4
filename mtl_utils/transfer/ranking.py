"""Asking for a task by its prompt: which of its labels is the most probable continuation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtl_utils.arguments import check_kind, check_several
from mtl_utils.data import Example, collate, encode_text
from mtl_utils.data.batch import MISSING_LABEL
from mtl_utils.models import TextModel
from mtl_utils.nn.evaluation_mode import evaluation_mode
from mtl_utils.tasks import Classification, TranslationHead
from mtl_utils.tasks.text_task import Row
from mtl_utils.transfer.tasks_as_text import TextForm


@torch.no_grad()
def rank_labels(
    model: TextModel, writing: str, form: TextForm, rows: Sequence[Row]
) -> list[dict[str, float]]:
    """Score every label of a task as what a model would write, without asking it to write.

    So is a task evaluated of which a model may have read no row, and whose labels it need not have
    written before (Sanh et al., 2022; Brown et al., 2020): what it writes by itself may be no
    label at all, but one of them is always the most probable. Long labels have lower probabilities;
    nothing is done about it here.

    Args:
        model: A model that writes text.
        writing: Name of its task that does, such as a :class:`mtl_utils.tasks.Translation` with a
            decoder of its own.
        form: A classification as text.
        rows: Rows of that classification; their labels are not looked at.

    Returns:
        For each row the log-probability of every label, in nats, by its name.

    Raises:
        KeyError: If the model has no such task, or a row lacks a column.
        ValueError: If a text is too long.
        TypeError: If the task writes no text, the form is none of a classification, or these are
            no rows.
    """
    check_kind("model", model, TextModel, "a TextModel")
    head = model.head(writing)
    if not isinstance(head, TranslationHead):
        raise TypeError(
            f"writing must be a task with a decoder of its own, such as tasks.Translation; got "
            f"{writing!r} with {type(head).__name__}"
        )
    check_kind("form", form, TextForm, "a TextForm")
    check_kind("form.task", form.task, Classification, "a Classification")
    check_several("rows", rows, "rows")
    if model.tokenizer is None:
        raise TypeError("model must have a tokenizer to read texts, got tokenizer=None")
    names = tuple(form.task.labels)
    labels = [head.settings.label(form.words.get(name, name)) for name in names]
    device = next(model.parameters()).device
    found = []
    with evaluation_mode(model):
        for row in rows:
            text = encode_text(model.tokenizer, form.source(row), max_length=model.max_length)
            examples = [Example(text.input_ids, {writing: label}) for label in labels]
            batch = collate(examples, model.tokenizer.pad_id).to(device)
            hidden = model.sharing(batch, [writing]).hidden[writing]
            scores = _log_probabilities(head(hidden, batch), batch.labels[writing])
            found.append(dict(zip(names, scores.tolist(), strict=True)))
    return found


def _log_probabilities(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the sum over tokens ``[B]`` for logits ``[B, U, V]`` and targets ``[B, U]``."""
    counted = targets != MISSING_LABEL
    chosen = targets.masked_fill(~counted, 0).unsqueeze(-1)
    each = logits.log_softmax(dim=-1).gather(-1, chosen).squeeze(-1)
    return each.masked_fill(~counted, 0.0).sum(dim=1)
