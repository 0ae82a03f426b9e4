"""Rows as people have them: labels that are missing, named, nested, and texts of nothing."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
import torch

from mtl_utils.data import BytePairTokenizer, EncodedText, encode_text, named_labels
from mtl_utils.models import TextModel
from mtl_utils.nn import BiLSTMEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import (
    Classification,
    MaskedLanguageModeling,
    MultiLabel,
    PairClassification,
    Regression,
    Tagging,
)
from mtl_utils.training import TrainerConfig

PIECES = BytePairTokenizer.train(["we see a sea", "Ada met Bob in Paris"], 280)
TOPIC = Classification("topic", ("x", "y"), "mean")
NAMES = Tagging("names", ("O", "B-A", "I-A"))
CRF = Tagging("crf", ("O", "B-A", "I-A"), True)
PLAIN = Tagging("plain", ("u", "v"))
SCORE = Regression("score", pooling="mean")
KINDS = MultiLabel("kinds", ("p", "q"), pooling="mean")
RELATION = PairClassification("relation", ("s", "t", "u", "v", "w"), "compare")


def model(*tasks: Any, **options: Any) -> TextModel:
    torch.manual_seed(0)
    sharing = HardSharing(BiLSTMEncoder(PIECES.vocab_size, 8))
    return TextModel(sharing, tasks or (TOPIC, NAMES, CRF, PLAIN, SCORE, KINDS), PIECES, **options)


# --- labels ---------------------------------------------------------------------------------------


def test_rows_may_lack_columns_that_others_have() -> None:
    """Whichever row it is: the first one speaks for no other."""
    full = {"text": "a", "label": "y", "value": 2.0}
    bare = {"text": "a", "value": 2.0}
    for rows, places in (([bare, full], [1]), ([full, bare], [0]), ([bare, bare, full], [2])):
        made = model(TOPIC, SCORE).examples(rows)
        assert [place for place, e in enumerate(made) if "topic" in e.labels] == places
        assert [e.labels["score"] for e in made] == [2.0] * len(rows)
    assert model(TOPIC).examples([{"x": 1}, full], ["topic"])[0].labels == {"topic": 1}
    with pytest.raises(KeyError, match=r"have \['text', 'value'\]: \['label'\] is missing"):
        model(TOPIC, SCORE).examples([bare], ["topic"])


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, pd.NA, pd.NaT, "absent"])
def test_a_label_may_be_missing_in_every_spelling(missing: Any) -> None:
    known = {"text": "a", "label": "y", "value": -1.0, "labels": [], "tokens": ["a"]}
    known["tags"] = ["B-A"]
    columns = {"label", "value", "labels", "tags"}
    rows = [known]
    for column in sorted(columns):
        row = {k: v for k, v in known.items() if k != column}
        rows.append(row if isinstance(missing, str) else row | {column: missing})
    tasks = {"topic": "label", "score": "value", "kinds": "labels", "names": "tags"}
    made = model(TOPIC, SCORE, KINDS, NAMES)
    for task, column in tasks.items():
        found = made.examples(rows, [task])
        assert len(found) == len(rows) - 1, column
    assert [e.labels["score"] for e in made.examples(rows, ["score"])] == [-1.0] * 4


def test_a_text_whose_words_have_no_label_has_none() -> None:
    rows = [
        {"tokens": ["a", "b"], "tags": [None, None]},
        {"tokens": ["a", "b"], "tags": [-100, -100]},
        {"tokens": [], "tags": []},
        {"tokens": ["a", "b"], "tags": [None, "B-A"]},
    ]
    made = model(NAMES).examples(rows)
    assert len(made) == 1
    assert [label for label in made[0].labels["names"] if label != -100] == [1]
    measured = model(NAMES, CRF).evaluate(rows)
    assert measured == model(NAMES, CRF).evaluate(rows[3:])


def test_labels_are_read_by_name_wherever_they_stand_and_however_they_are_formatted() -> None:
    of_label = datasets.ClassLabel(names=["y", "x"])  # ids mean the opposite of the task's
    features = datasets.Features({"text": datasets.Value("string"), "label": of_label})
    made = datasets.Dataset.from_list(
        [{"text": "a", "label": 0}, {"text": "b", "label": 1}], features=features
    )
    for style in (None, "numpy", "torch", "pandas", "arrow"):
        found = model(TOPIC).examples(made.with_format(style))
        assert [e.labels["topic"] for e in found] == [1, 0], style
    inner = {"deep": {"label": of_label, "tags": datasets.List(of_label)}}
    nested = datasets.Dataset.from_list(
        [{"text": "a", "meta": {"deep": {"label": 0, "tags": [0, -1]}}}, {"text": "b"}],
        features=datasets.Features({"text": datasets.Value("string"), "meta": inner}),
    )
    named = named_labels(nested["meta"])
    assert named[0] == {"deep": {"label": "y", "tags": ["y", None]}}
    task = Classification("topic", ("x", "y"), "mean", label="meta.deep.label")
    assert [e.labels for e in model(task).examples(nested)] == [{"topic": 1}]


def test_labels_have_any_names() -> None:
    labels = ["", " ", "a b", "B-x", "O", "top-level", "naïve|pipe", "数", *map(str, range(492))]
    task = Classification("topic", tuple(labels), "mean")
    rows = [{"text": "a", "label": label} for label in labels]
    one = model(task)
    assert [e.labels["topic"] for e in one.examples(rows)] == list(range(500))
    assert set(one.predict(["a"], probabilities=True)[0]["topic"]) == set(labels)
    plain = Tagging("tags", ("top-level", "a b", ""), scheme="plain")
    found = model(plain).examples([{"tokens": ["a", "b"], "tags": ["", "top-level"]}])
    assert [label for label in found[0].labels["tags"] if label != -100] == [2, 0]


# --- rows that are none ---------------------------------------------------------------------------


def test_what_is_no_table_of_rows_is_refused() -> None:
    one = model(TOPIC)
    row = {"text": "a", "label": "x"}
    for wrong in (3, [("text", "a"), ("label", "x")], None):
        with pytest.raises(TypeError, match=r"Expected rows.*as row 1, counted from 0"):
            one.examples([row, wrong])
    for empty in ([], pd.DataFrame({"text": [], "label": []}), datasets.Dataset.from_list([])):
        with pytest.raises(ValueError, match=r"Expected rows.*got none"):
            one.examples(empty)
    with pytest.raises(TypeError, match=r"Expected rows.*got generator"):
        one.examples(row for row in [row])
    twice = pd.DataFrame([["a", "b", "x"]], columns=["text", "text", "label"])
    with pytest.raises(ValueError, match="the column 'text' twice"):
        one.examples(twice)


def test_predictions_are_asked_of_nothing_and_of_rows_with_holes() -> None:
    one = model()
    for empty in ([], iter(()), pd.DataFrame({"text": []}), datasets.Dataset.from_list([])):
        assert one.predict(empty) == []
    with pytest.raises(KeyError, match="reads the column 'text'") as caught:
        one.predict([{"text": "a"}, {"tokens": ["a"]}], ["topic"])
    assert "text 1, counted from 0" in caught.value.__notes__[0]
    with pytest.raises(ValueError, match="half of one") as raised:
        one.predict(["a", "\ud800"])
    assert "text 1, counted from 0" in raised.value.__notes__[0]
    with pytest.raises(ValueError, match="1 texts and 2 second"):
        model(RELATION).predict(["a"], second=["a", "b"])


# --- texts of nothing -----------------------------------------------------------------------------


def test_a_text_without_words_has_no_tags() -> None:
    """Not those of its special tokens."""
    one = model(TOPIC, NAMES, CRF, PLAIN)
    texts: list[Any] = ["", "  ", [], "Ada met Bob", "\n"]
    assert one.predict(texts) == [one.predict([text])[0] for text in texts]
    for probabilities in (False, True):
        found = one.predict(texts, probabilities=probabilities)
        for task in ("names", "crf", "plain"):
            assert [len(said[task]) for said in found] == [0, 0, 0, 3, 0]
    windows = model(NAMES, max_length=6, long="windows")
    long = "Ada met Bob in Paris and she saw a sea"
    found = windows.predict([long, "", long])
    assert [len(said["names"]) for said in found] == [10, 0, 10]


def test_what_was_given_as_words_is_known_without_any() -> None:
    assert encode_text(PIECES, []).example().first_pieces == []
    assert encode_text(PIECES, "").example().first_pieces is None
    assert encode_text(PIECES, ["a"]).as_words
    assert EncodedText([1, 5, 2], [None, 0, None], None, 1, 0).as_words


def test_a_warning_counts_texts_that_are_cut_not_readings_of_them() -> None:
    one = model(TOPIC, SCORE, KINDS, max_length=6, long="windows")
    separate = Classification("words", ("x", "y"), "mean", text="tokens")
    with pytest.warns(UserWarning, match="1 of 3 texts"):
        one.predict(["a", "Ada met Bob in Paris and she saw a sea", ""])
    one.add_task(separate)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one.predict(["a"])


@pytest.mark.parametrize("task", [NAMES, CRF, Tagging("crf", ("O", "B-A", "I-A"), True, False)])
def test_what_is_measured_is_what_is_predicted_where_words_have_no_label(task: Tagging) -> None:
    """The words without a label are part of the sequence that is labelled."""
    generator = torch.Generator().manual_seed(2)
    rows = []
    for number in range(40):
        tags = ["B-A" if float(x) > 0.5 else "O" for x in torch.rand(6, generator=generator)]
        words = [f"{'ab'[number % 2]}{place}" for place in range(6)]
        rows.append({"tokens": words, "tags": [*tags[:2], None, *tags[2:4], None]})
    one = model(task)
    with torch.no_grad():  # so that the label of a word depends on that of the one before it
        if one.head(task.name).crf is not None:
            one.head(task.name).crf.transitions.copy_(
                torch.tensor([[-5.0, 5.0, -9.0], [5.0, -5.0, 0.0], [0.0, 0.0, 0.0]])
            )
    said = [row[task.name] for row in one.predict(rows)]
    if task is CRF:
        assert said[0] == ["O", "B-A"] * 3
        alternating = [{"tokens": ["a"] * 6, "tags": ["O", "B-A", None, "B-A", "O", None]}]
        assert one.evaluate(alternating)["crf_accuracy"] == 1
    expected = task.metrics(said, [row["tags"] for row in rows])
    measured = one.evaluate(rows)
    assert measured == {f"{task.name}_{name}": value for name, value in expected.items()}
    assert measured == one.evaluate(one.examples(rows))
    bare = [replace(example, first_pieces=None) for example in one.examples(rows)]
    mixed = [*one.examples(rows), *bare]
    pairs = one.compare(mixed)[task.name]
    assert pairs == one.compare(mixed[:40])[task.name] + one.compare(bare)[task.name]


@dataclass(frozen=True)
class _Nameless(Classification):
    """A task whose head has probabilities and no names."""

    def head(self, width: int) -> Any:
        made = super().head(width)
        del made.labels
        return made


def test_probabilities_without_names_are_numbers() -> None:
    said = model(_Nameless("topic", ("x", "y"), "mean")).predict(["a"], probabilities=True)
    assert sum(said[0]["topic"]) == pytest.approx(1, abs=1e-5)


# --- names that are taken, data sets without labels -----------------------------------------------


def test_a_task_does_not_hide_what_the_history_says_of_all() -> None:
    rows = [{"text": "a", "label": "x"}] * 4
    for name in ("loss", "penalty"):
        with pytest.raises(ValueError, match=f"The task '{name}' would hide train_{name}"):
            model(Classification(name, ("x", "y"), "mean")).fit(rows, progress=False)


def test_metrics_of_two_tasks_do_not_have_one_name() -> None:
    one = Classification("a", ("x", "y"), "mean")
    other = Tagging("a_macro", ("O", "B-A"))  # its f1 would be a_macro_f1, which is that of a
    rows = [{"text": "a", "label": "x", "tokens": ["a"], "tags": ["B-A"]}]
    both = model(one, other)
    for data in (rows, both.examples(rows), {"a": rows, "a_macro": list(rows)}):
        with pytest.raises(ValueError, match="Two metrics are called 'a_macro_f1'"):
            both.evaluate(data)
    both.long, both.max_length = "windows", 50
    with pytest.raises(ValueError, match="Two metrics are called 'a_macro_f1'"):
        both.evaluate(rows)


def test_only_what_has_labels_is_measured() -> None:
    rows = [{"text": "a", "label": None, "tokens": ["a", "b"], "tags": ["B-A", None]}]
    none = [{"text": "a", "label": "x", "tokens": ["a", "b"], "tags": [None, None]}]
    for options in ({}, {"max_length": 50, "long": "windows"}):
        one = model(TOPIC, NAMES, **options)
        assert {name.split("_")[0] for name in one.evaluate(rows)} == {"names"}
        assert {name.split("_")[0] for name in one.evaluate(none)} == {"topic"}
        with pytest.raises(ValueError, match="No row has a label"):
            one.evaluate([rows[0] | {"tags": None}])


def test_examples_that_are_given_for_a_task_are_measured_for_it_alone() -> None:
    rows = [{"text": "a", "label": "x", "value": 1.0}, {"text": "b", "label": "y", "value": 2.0}]
    one = model(TOPIC, SCORE)
    made = one.examples(rows)
    assert {name.split("_")[0] for name in one.evaluate({"score": made})} == {"score"}
    assert one.evaluate({"score": made, "topic": made}) == one.evaluate(rows)


def test_a_task_without_columns_is_not_added() -> None:
    class Bare:
        name, causal = "bare", False

        def head(self, width: int) -> Any:
            return TOPIC.head(width)

        def metrics(self, predictions: Any, references: Any) -> dict[str, float]:
            return {}

    one = model(TOPIC)
    with pytest.raises(TypeError, match="Bare says nothing of columns"):
        one.add_task(Bare())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no task"):
        one.add_task(None)  # type: ignore[arg-type]
    assert list(one.tasks) == ["topic"] == list(one.heads)


# --- arguments that would change nothing, or not what they say ------------------------------------

FEW = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}] * 2
QUICK: dict[str, Any] = {"config": TrainerConfig(epochs=1), "progress": False}


def test_no_argument_of_fit_is_ignored() -> None:
    for sampling in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="sampling must be"):
            model(TOPIC).fit(FEW, sampling=sampling, **QUICK)
    loader = model(TOPIC).loader(FEW, batch_size=2)
    for name, given in (("batch_size", 3), ("max_tokens", 99), ("sampling", "size")):
        with pytest.raises(ValueError, match=f"{name}=.* changes nothing"):
            model(TOPIC).fit(loader, **{name: given}, **QUICK)
    assert len(model(TOPIC).fit(loader, FEW, batch_size=3, **QUICK)) == 1
    with pytest.raises(KeyError, match="''"):
        model(TOPIC).fit(FEW, FEW, metric="", mode="max", **QUICK)
    for data in ({}, {"topic": FEW, "nothing": FEW}):
        with pytest.raises((KeyError, ValueError), match="topic"):
            model(TOPIC).fit(data, **QUICK)
        with pytest.raises((KeyError, ValueError), match="topic"):
            model(TOPIC).evaluate(data)


@dataclass(frozen=True)
class _Scored(Classification):
    """A task with a metric whose name does not tell which way it is better."""

    def metrics(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"verdict": float(len(predictions))}


def test_a_metric_may_need_to_be_told_which_way_it_is_better() -> None:
    one = model(_Scored("topic", ("x", "y"), "mean"))
    with pytest.raises(ValueError, match='Give mode="min"'):
        one.fit(FEW, FEW, metric="topic_verdict", **QUICK)
    history = one.fit(FEW, FEW, metric="topic_verdict", mode="max", **QUICK)
    assert history["topic_verdict"].tolist() == [4.0]


def test_tasks_are_named_in_a_list() -> None:
    for call in (model(TOPIC).examples, model(TOPIC).predict):
        with pytest.raises(TypeError, match="tasks must be a list of names, got int 3"):
            call(FEW, 3)
        with pytest.raises(ValueError, match="tasks must name at least one task"):
            call(FEW, [])
        with pytest.raises(KeyError, match="No task named 3"):
            call(FEW, [3])


def test_training_texts_are_not_cut_silently() -> None:
    long = {"text": "Ada met Bob in Paris and she saw a sea", "label": "x"}
    one = model(TOPIC, max_length=6, long="windows")
    with pytest.warns(UserWarning, match="1 of 5 texts"):
        one.examples([*FEW, long])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one.examples(FEW)
        assert len(one.examples([long], truncate=True)[0].input_ids) == 6


def test_two_tasks_do_not_hide_tokens_of_the_same_texts() -> None:
    """One would be asked for what the other hid, or read its text whole."""
    first, second = (MaskedLanguageModeling(n, PIECES.vocab_size, 1, share=0.5) for n in "ab")
    both = model(first, second, TOPIC)
    given = [{"text": "we see a sea", "label": "x"}, {"text": "Ada met Bob", "label": "y"}]
    with pytest.raises(ValueError, match=r"\['a', 'b'\] each hide tokens of the same texts"):
        both.loader(given)
    loader = both.loader({"a": given, "b": list(given), "topic": list(given)})
    for batches in loader.batches():
        assert set(batches) == {"a", "b", "topic"}
        for task in ("a", "b"):
            hidden = batches[task].labels[task] != -100
            read = batches[task].inputs.input_ids[hidden]
            assert (read == batches[task].labels[task][hidden]).float().mean() < 0.5
    assert {"a_accuracy", "b_accuracy", "topic_accuracy"} <= set(both.evaluate(given))


def test_labels_of_several_kinds_take_no_room_in_a_batch() -> None:
    kinds = MultiLabel("kinds", tuple(f"kind {n}" for n in range(90)), pooling="mean")
    rows = [{"text": "we see a sea", "labels": ["kind 3"]} for _ in range(8)]
    one = model(kinds)
    length = len(one.examples(rows)[0].input_ids)
    plan = one.loader(rows, max_tokens=4 * (length + 1), shuffle=False).plan()
    assert [len(batch) for batch in plan] == [4, 4]


@dataclass(frozen=True)
class _Counted(MaskedLanguageModeling):
    """Counts what is measured."""

    def metrics(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"count": float(sum(map(len, references)))}


def test_hidden_tokens_are_measured_where_the_task_reads_them() -> None:
    """Not in the words of another task, which are another text to the encoder."""
    hidden = _Counted("hidden", PIECES.vocab_size, 4, share=0.5)
    rows = [
        {"text": "we see a sea", "tokens": ["Ada", "met", "Bob"], "tags": ["B-A", "O", "B-A"]},
        {"text": "Ada met Bob in Paris", "tokens": ["a", "sea"], "tags": ["O", "O"]},
    ]
    both, alone = model(hidden, NAMES), model(hidden)
    assert both.evaluate(rows)["hidden_count"] == alone.evaluate(rows)["hidden_count"] > 0
