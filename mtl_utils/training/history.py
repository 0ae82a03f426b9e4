"""The history of a training: a table, one row an epoch, that can be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import matplotlib.figure


class History(pd.DataFrame):
    """What a training measured, one row an epoch: a table of pandas with a picture of its own.

    Parts of it, such as columns, rows and what pandas computes from it, are pandas' own tables and
    columns: ``history["train_loss"].plot()`` is pandas' method. Its own :meth:`plot` stands in the
    place of that of the whole table, which is ``pandas.DataFrame(history).plot``.

    Args:
        rows: What pandas makes a table of.
        **options: As ``pandas.DataFrame`` takes them.
    """

    def __init__(self, rows: Any = None, **options: Any) -> None:
        super().__init__(rows, **options)  # type: ignore[call-arg]  # says a stub

    def plot(self) -> matplotlib.figure.Figure:  # type: ignore[override]  # see above
        """Draw losses by task, metrics, shares of the gradient, weights and the learning rate.

        Every task has one colour throughout. Epochs that were not measured are passed over.

        Returns:
            The figure, of which pyplot knows nothing: a notebook shows it where it is the last
            value of a cell, and ``figure.savefig(path)`` writes it.

        Raises:
            ValueError: If there is no epoch.
        """
        from mtl_utils.training.curves import draw_history

        return draw_history(self)
