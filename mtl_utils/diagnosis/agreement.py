"""Whether gradients of two tasks agree because of the tasks, or because of the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from mtl_utils.arguments import check_several
from mtl_utils.data.batch import Batch
from mtl_utils.multitask import MultiTaskModel
from mtl_utils.relations.gradients import cosines, shared_parameters, task_gradients
from mtl_utils.relations.square import square


def row_agreement(model: MultiTaskModel, batches: Sequence[Batch]) -> pd.DataFrame:
    r"""Return how much better gradients of tasks agree on the same rows than on different ones.

    .. math:: \frac{1}{M} \sum_m \cos(g_i^m, g_j^m)
        - \frac{1}{M (M - 1)} \sum_{m \ne n} \cos(g_i^m, g_j^n)

    for tasks i and j and M batches. What two tasks want of any text, such as a colder softmax, is
    in both means and cancels; what is left is that the labels of a row ask for the same thing.

    Args:
        model: The model, which stays as it is.
        batches: At least two batches that have labels of several tasks each.

    Returns:
        ``[K, K]`` over the tasks of the model, symmetric; nan where two tasks have no labels in
        the same batch, or not in two, and on the diagonal.

    Raises:
        ValueError: If tasks share no parameter that is trained, or there are fewer than two
            batches.
        TypeError: If something is not of its kind.
    """
    shared_parameters(model)
    check_several("batches", batches, "batches")
    if len(batches) < 2:
        raise ValueError(f"batches must be at least two, got {len(batches)}: {batches!r:.60}")
    tasks = list(model.tasks)
    found = [task_gradients(model, batch) for batch in batches]
    rows = [(m, task) for m, of in enumerate(found) for task in of]
    between = cosines(torch.stack([found[m][task] for m, task in rows])).double().cpu().numpy()
    table = np.full((len(tasks), len(tasks)), np.nan)
    for i, one in enumerate(tasks):
        for j, other in enumerate(tasks):
            if i == j:
                continue
            pairs = {
                (m, n): between[rows.index((m, one)), rows.index((n, other))]
                for m, of in enumerate(found)
                for n, beside in enumerate(found)
                if one in of and other in beside
            }
            same = [cos for (m, n), cos in pairs.items() if m == n and np.isfinite(cos)]
            different = [cos for (m, n), cos in pairs.items() if m != n and np.isfinite(cos)]
            if same and different:
                table[i, j] = np.mean(same) - np.mean(different)
    return square(table, tasks)
