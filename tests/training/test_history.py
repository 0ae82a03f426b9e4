"""The history: a table as it was, with shares, and a picture of what was measured."""

from __future__ import annotations

import math
import pickle
from typing import Any

import another_process
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tiny_training import PatternLoader, TinyLoader, tiny_model

from mtl_utils.models import LSTMLanguageModel
from mtl_utils.plots import PALETTE
from mtl_utils.training import (
    History,
    Trainer,
    TrainerConfig,
    TruncatedBPTTConfig,
    train_language_model,
)

VALIDATION = TinyLoader(3, seed=9)
SCORES = {"tags_f1": 0.25, "tags_PER_f1": 0.5, "topic_accuracy": 0.75, "topic_f1": 0.5, "other": 1}


def fit(train: Any = None, **options: Any) -> tuple[History, Trainer]:
    shares = options.pop("shares_every", None)
    config = TrainerConfig(**{"epochs": 3, "learning_rate": 0.02, **options})
    settings: dict[str, Any] = {"shares_every": shares, "progress": False}
    trainer = Trainer(tiny_model(), config, evaluate=lambda model: dict(SCORES), **settings)
    return trainer.fit(train or TinyLoader(), VALIDATION), trainer


def panels(figure: Figure) -> dict[str, Axes]:
    return {axis.get_title(): axis for axis in figure.axes}


def drawn(axis: Axes) -> dict[str, tuple[list[float], list[float]]]:
    """Return the points of each line, by its label."""
    return {
        str(line.get_label()): (
            np.asarray(line.get_xdata()).tolist(),
            np.asarray(line.get_ydata()).tolist(),
        )
        for line in axis.get_lines()
    }


# A table.


def test_it_is_a_table_like_any_other() -> None:
    history, _ = fit()
    plain = pd.DataFrame(history)
    assert type(plain) is pd.DataFrame
    assert history.equals(plain)
    assert plain.equals(history)
    assert repr(history) == repr(plain)
    assert history.to_html() == plain.to_html()
    assert history.to_string() == plain.to_string()
    pd.testing.assert_frame_equal(history, plain)


def test_parts_of_it_are_tables_of_pandas() -> None:
    history, _ = fit()
    parts = [history[["epoch", "step"]], history.head(2), history.round(2), history.copy()]
    parts += [history.drop(columns="seconds"), history[history["epoch"] > 1], history.iloc[:1]]
    parts += [history.filter(like="train_"), history.set_index("epoch"), history.assign(x=1)]
    assert {type(part) for part in parts} == {pd.DataFrame}
    assert type(history["train_loss"]) is pd.Series
    assert type(history.iloc[0]) is pd.Series


def test_it_is_stored_and_comes_back() -> None:
    history, _ = fit()
    back = pickle.loads(pickle.dumps(history))
    assert type(back) is History
    pd.testing.assert_frame_equal(back, history, check_exact=True)
    assert len(back.plot().axes) == len(history.plot().axes)


def test_the_pictures_of_pandas_are_within_reach() -> None:
    history, _ = fit()
    with mpl.rc_context():
        mpl.use("Agg")
        axis = history["train_loss"].plot()
        whole = pd.DataFrame(history).plot(x="epoch", y="train_loss")
    for found in (axis, whole):
        np.testing.assert_array_equal(found.get_lines()[0].get_ydata(), history["train_loss"])


# Its picture.


def test_everything_that_was_measured_is_drawn() -> None:
    history, _ = fit(shares_every=2)
    found = panels(history.plot())
    assert list(found) == [
        *("training loss", "validation loss", "validation", "share of the gradient"),
        "learning rate",
    ]
    columns = {
        "training loss": {"train_loss": "all tasks", "train_tags": "tags", "train_topic": "topic"},
        "validation loss": {
            "validation_loss": "all tasks",
            "validation_tags": "tags",
            "validation_topic": "topic",
        },
        "validation": {name: name for name in ("tags_f1", "topic_f1", "topic_accuracy")},
        "share of the gradient": {"tags_share": "tags", "topic_share": "topic"},
    }
    for title, names in columns.items():
        lines = drawn(found[title])
        assert set(lines) == set(names.values())
        for column, label in names.items():
            assert lines[label] == ([1, 2, 3], history[column].tolist())
    (rate,) = drawn(found["learning rate"]).values()
    assert rate == ([1, 2, 3], history["learning_rate"].tolist())


def test_a_task_has_one_colour_of_the_book() -> None:
    found = panels(fit(shares_every=2)[0].plot())
    for axis in found.values():
        for line in axis.get_lines():
            label = str(line.get_label())
            task = next((t for t in ("tags", "topic") if label.startswith(t)), None)
            place = {"tags": 0, "topic": 1, None: -1}[task]
            assert line.get_color() == PALETTE[place]
    dashes = {str(line.get_label()): line.get_linestyle() for line in found["validation"].lines}
    assert dashes["topic_f1"] != dashes["topic_accuracy"]


def test_the_style_is_the_books_and_the_callers_stays() -> None:
    before = mpl.rcParams.copy()
    figure = fit()[0].plot()
    assert dict(mpl.rcParams) == dict(before)
    assert figure.get_facecolor() == (1, 1, 1, 1)
    assert figure.dpi == 144
    assert not figure.axes[0].spines["top"].get_visible()


def test_one_epoch_and_one_task() -> None:
    class OfTags(TinyLoader):
        def batch(self, epoch: int, index: int) -> Any:
            batch = super().batch(epoch, 0)
            batch.labels.pop("topic")
            return batch

    trainer = Trainer(tiny_model(), TrainerConfig(epochs=1), progress=False)
    figure = trainer.fit(OfTags()).plot()
    assert list(panels(figure)) == ["training loss", "learning rate"]
    lines = drawn(figure.axes[0])
    assert list(lines) == ["tags"]  # the sum over one task says nothing new
    assert lines["tags"][0] == [1]
    assert all(line.get_marker() == "o" for line in figure.axes[0].get_lines())


def test_epochs_that_were_not_measured_are_passed_over() -> None:
    history, _ = fit(epochs=5, validate_every=2)
    assert history["validation_loss"].isna().tolist() == [True, False, True, False, False]
    lines = drawn(panels(history.plot())["validation loss"])
    assert lines["tags"][0] == [2, 4, 5]
    assert all(math.isfinite(value) for _, values in lines.values() for value in values)


def test_it_says_which_tasks_were_stopped() -> None:
    history = fit(learning_rate=0.1, task_patience=1, epochs=8)[0]
    ends = {t: history.loc[history[f"{t}_stopped"] == 1, "epoch"] for t in ("tags", "topic")}
    labels = drawn(panels(history.plot())["training loss"])
    stopped = {f"{t}, stopped after epoch {e.iloc[0]}" for t, e in ends.items() if len(e)}
    assert stopped
    assert stopped <= set(labels)


def test_a_history_of_no_epoch_is_refused() -> None:
    with pytest.raises(ValueError, match="has no epoch to draw"):
        History().plot()


def test_names_of_tasks_that_begin_alike_are_told_apart() -> None:
    rows = [{"epoch": 1, "train_a": 1.0, "train_a_b": 2.0, "a_b_f1": 0.5, "a_f1": 0.25}]
    axis = panels(History(rows).plot())["validation"]
    colours = {str(line.get_label()): line.get_color() for line in axis.get_lines()}
    assert colours == {"a_b_f1": PALETTE[1], "a_f1": PALETTE[0]}


def test_it_is_drawn_without_a_display_and_without_pyplot() -> None:
    code = (
        "from mtl_utils.training import History; import io, sys\n"
        "assert 'matplotlib' not in sys.modules\n"  # which takes a second
        "figure = History([{'epoch': 1, 'train_loss': 1.0, 'train_a': 1.0}]).plot()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "figure.savefig(io.BytesIO(), format='png')\n"
        "assert figure._repr_png_().startswith(b'\\x89PNG')"  # what a notebook asks for
    )
    done = another_process.run(code)
    assert done.returncode == 0, done.stderr


def test_the_history_of_a_language_model_is_drawn_too() -> None:
    torch.manual_seed(0)
    stream = torch.randint(2, 9, (200,))
    config = TruncatedBPTTConfig(epochs=2, batch_size=4, chunk_length=10)
    history = train_language_model(LSTMLanguageModel(9, 8), stream, stream, config, progress=False)
    found = panels(history.plot())
    assert list(found) == ["training loss", "validation loss", "learning rate"]
    assert drawn(found["training loss"]) == {"all tasks": ([1, 2], history["train_loss"].tolist())}


# Shares.


def test_each_epoch_has_the_mean_of_its_shares() -> None:
    history, trainer = fit(shares_every=2)
    shares = trainer.shares
    assert len(shares) > 3
    for epoch, last in enumerate(history["step"], 1):
        own = shares[(shares["step"] > last - 6) & (shares["step"] <= last)]
        for task in ("tags", "topic"):
            mean = history.loc[history["epoch"] == epoch, f"{task}_share"].item()
            assert mean == pytest.approx(own[task].mean(), rel=1e-12)
    assert history.columns[-2:].tolist() == ["learning_rate", "seconds"]


def test_an_epoch_without_a_measurement_has_no_share() -> None:
    history, trainer = fit(shares_every=7)
    assert trainer.shares["step"].tolist() == [7, 14]
    assert history["tags_share"].isna().tolist() == [True, False, False]
    loader = PatternLoader([{"tags"}, {"tags", "topic"}], absent=True)
    assert "tags_share" not in fit(loader, shares_every=None)[0]
    assert "tags_share" not in fit(loader)[0]


def test_evaluate_must_not_hide_a_share() -> None:
    trainer = Trainer(
        tiny_model(), evaluate=lambda model: {"tags_share": 1.0}, shares_every=1, progress=False
    )
    with pytest.raises(ValueError, match=r"must not return \['tags_share'\]"):
        trainer.fit(TinyLoader(), VALIDATION)


@pytest.mark.parametrize(("tasks", "beside"), [(3, False), (9, True)])
def test_a_long_legend_hides_no_curve(tasks: int, beside: bool) -> None:
    losses = {f"train_{chr(97 + place)}": float(place) for place in range(tasks)}
    rows = [{"epoch": n, "step": n, "train_loss": 3.0, **losses} for n in (1, 2, 3)]
    figure = History(rows).plot()
    figure.draw_without_rendering()
    (axis,) = figure.axes
    legend = axis.get_legend()
    assert legend is not None
    box, drawn_in = legend.get_window_extent(), axis.get_window_extent()
    assert bool(box.x0 >= drawn_in.x1) is beside
    assert box.x1 <= figure.bbox.x1
    assert len(legend.get_texts()) == tasks + 1
