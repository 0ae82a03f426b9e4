"""Any tasks over any way of sharing: rows in, labels by name out, stored and made again."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import another_process
import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from mtl_utils import atlas
from mtl_utils.data import BytePairTokenizer, Example, collate
from mtl_utils.models import MultiTaskModel, TextModel, ThreeTaskModel
from mtl_utils.nn import BiLSTMEncoder, LSTMEncoder, ProjectedEncoder, TransformerEncoder
from mtl_utils.sharing import BranchedSharing, HardSharing, SharedPrivate, SoftSharing, trace_norm
from mtl_utils.tasks import (
    Classification,
    Head,
    LanguageModeling,
    MaskedLanguageModeling,
    MultiLabel,
    PairClassification,
    Regression,
    Tagging,
    TextTask,
    Translation,
)
from mtl_utils.training import TrainerConfig

ATLAS = atlas.load(60)
PAIRS = atlas.load_inference(60)
TRAIN = ATLAS["train"]
PIECES = BytePairTokenizer.train(TRAIN["text"], 300)
TOPICS = TRAIN.features["topic"].names
TAGS = TRAIN.features["ner_tags"].feature.names
RELATIONS = PAIRS["train"].features["label"].names

TOPIC = Classification("topic", TOPICS, "mean", text="text", label="topic")
NAMES = Tagging("names", TAGS, tags="ner_tags")
RELATION = PairClassification("relation", RELATIONS, "compare")
LENGTH = Regression("length", value="length", pooling="mean", mean=10.0, spread=4.0)
KINDS = MultiLabel("kinds", ("long", "named"), labels_column="kinds", pooling="mean")


def encoder(width: int = 8, seed: int = 0) -> BiLSTMEncoder:
    torch.manual_seed(seed)
    return BiLSTMEncoder(PIECES.vocab_size, width, 2)


def model(*tasks: Any, **options: Any) -> TextModel:
    torch.manual_seed(0)
    kinds = tasks or (TOPIC, NAMES, RELATION, LENGTH, KINDS)
    return TextModel(HardSharing(encoder()), kinds, PIECES, **options).eval()


def rows(number: int = 6) -> list[dict[str, Any]]:
    """Rows with labels of all tasks of single texts, by name."""
    made = []
    for row in TRAIN.select(range(number)):
        tags = [TAGS[tag] for tag in row["ner_tags"]]
        named = ["named"] if any(tag != "O" for tag in tags) else []
        made.append(
            {
                "text": row["text"],
                "tokens": row["tokens"],
                "ner_tags": tags,
                "topic": TOPICS[row["topic"]],
                "length": float(len(row["tokens"])),
                "kinds": [*named, *(["long"] if len(tags) > 9 else [])],
            }
        )
    return made


# --- rows to examples -----------------------------------------------------------------------------


def test_tasks_find_their_columns_and_equal_texts_are_read_once() -> None:
    read = model(TOPIC, LENGTH, KINDS).examples(rows(3))
    assert [set(example.labels) for example in read] == [{"topic", "length", "kinds"}] * 3
    assert read[0].input_ids[1:-1] == PIECES.encode(TRAIN[0]["text"])
    # Words may have other pieces than the text: then they are another example.
    both = model(TOPIC, NAMES).examples(rows(3))
    assert [set(example.labels) for example in both] == [{"topic"}, {"names"}] * 3
    of_words = Classification("topic", TOPICS, "mean", text="tokens", label="topic")
    together = model(of_words, NAMES).examples(rows(3))
    assert [set(example.labels) for example in together] == [{"topic", "names"}] * 3
    assert together[0].first_pieces is not None


def test_labels_of_features_are_read_by_name() -> None:
    turned = Classification("topic", TOPICS[::-1], "mean", label="topic")
    found = model(turned).examples(TRAIN.select(range(5)))
    given = TRAIN.select(range(5))["topic"]
    assert [e.labels["topic"] for e in found] == [len(TOPICS) - 1 - label for label in given]


def test_every_kind_of_table_gives_the_same_examples() -> None:
    listed = rows(4)
    tables = (datasets.Dataset.from_list(listed), pd.DataFrame(listed))
    reader = model(TOPIC, NAMES, LENGTH, KINDS)
    for table in tables:
        assert reader.examples(table) == reader.examples(listed)


def test_what_has_no_label_is_left_out() -> None:
    some = [*rows(2), {**rows(1)[0], "topic": None, "length": float("nan")}]
    assert len(model(TOPIC, LENGTH).examples(some)) == 2
    without = [{**row, "topic": None} for row in rows(2)]
    with pytest.raises(ValueError, match="None of the 2 rows has a label of"):
        model(TOPIC).examples(without)


def test_columns_in_columns() -> None:
    french = Translation("french", PIECES, text="translation.en", written="translation.fr")
    made = model(french).examples(TRAIN.select(range(2)))
    assert made[0].labels["french"] == french.label(TRAIN[0]["translation"]["fr"])


def test_wrong_columns_are_named() -> None:
    with pytest.raises(ValueError, match=r"columns \['a'\].*no task finds its own.*'topic'"):
        model(TOPIC).examples([{"a": 1}])
    with pytest.raises(KeyError, match=r"needs the columns.*'topic'. is missing"):
        model(TOPIC).examples([{"text": "a"}], ["topic"])
    with pytest.raises(KeyError, match="No task named 'x'"):
        model(TOPIC).examples(rows(1), ["x"])
    with pytest.raises(TypeError, match="one split of a data set"):
        model(TOPIC).examples(ATLAS)
    with pytest.raises(TypeError, match="'tokens' must hold a list of words"):
        model(NAMES).examples([{"tokens": "A b", "ner_tags": ["O", "O"]}])
    with pytest.raises(KeyError, match="'weather' is not a label of 'topic'") as caught:
        model(TOPIC).examples([*rows(1), {"text": "a", "topic": "weather"}])
    assert "text 1, counted from 0" in caught.value.__notes__[0]


# --- losses, predictions, metrics -----------------------------------------------------------------


def test_losses_are_those_of_pytorch_over_the_columns() -> None:
    trained = model(TOPIC, LENGTH)
    given = rows(5)
    batch = collate(trained.examples(given))
    losses = trained(batch).by_task
    hidden = trained.sharing(batch, ["topic"]).hidden["topic"]
    outputs = {name: trained.head(name)(hidden, batch) for name in trained.tasks}
    expected = functional.cross_entropy(
        outputs["topic"], torch.tensor([TOPICS.index(row["topic"]) for row in given])
    )
    torch.testing.assert_close(losses["topic"], expected)
    scaled = (torch.tensor([row["length"] for row in given]) - 10) / 4
    torch.testing.assert_close(
        losses["length"], functional.mse_loss(outputs["length"].reshape(-1), scaled)
    )


def test_predictions_do_not_depend_on_company() -> None:
    together = model()
    texts = [*TRAIN["text"][:7], "Ada met Bob."]
    found = together.predict(texts)
    assert [set(said) for said in found] == [{"topic", "names", "length", "kinds"}] * 8
    for name in found[0]:
        alone = together.predict(texts, [name])
        for said, by_itself in zip(found, alone, strict=True):
            if name == "length":
                assert said[name] == pytest.approx(by_itself[name], abs=1e-5)
            else:
                assert said[name] == by_itself[name]
    assert len(found[-1]["names"]) == 4  # Ada, met, Bob and the full stop


def test_predictions_from_rows_and_pairs() -> None:
    one = model()
    some = PAIRS["test"].select(range(4))
    from_rows = one.predict(some, ["relation"])
    from_texts = one.predict(list(some["premise"]), ["relation"], second=list(some["hypothesis"]))
    assert from_rows == from_texts
    assert {said["relation"] for said in from_rows} <= set(RELATIONS)
    with pytest.raises(ValueError, match="'relation' is of pairs of texts; give second"):
        one.predict(["a"], ["relation"])
    with pytest.raises(ValueError, match="of pairs of texts; give second"):
        model(RELATION).predict(["a"])
    with pytest.raises(TypeError, match="Expected a list of texts"):
        one.predict("a text")
    assert one.predict([]) == []


def test_probabilities_have_names_and_agree_with_predictions() -> None:
    one = model(TOPIC, NAMES, KINDS, LENGTH)
    texts = list(TRAIN["text"][:3])
    for said, best in zip(one.predict(texts, probabilities=True), one.predict(texts), strict=True):
        assert sum(said["topic"].values()) == pytest.approx(1, abs=1e-5)
        assert max(said["topic"], key=said["topic"].__getitem__) == best["topic"]
        assert [len(word) for word in said["names"]] == [len(TAGS)] * len(best["names"])
        assert [label for label, p in said["kinds"].items() if p > 0.5] == best["kinds"]
        assert said["length"] == pytest.approx(best["length"], abs=1e-5)


def test_metrics_are_those_of_the_tasks_on_what_is_predicted() -> None:
    one, given = model(TOPIC, NAMES, LENGTH, KINDS), rows(8)
    measured = one.evaluate(given)
    said = one.predict(given)
    for name, column in (("topic", "topic"), ("names", "ner_tags"), ("length", "length")):
        scores = one.tasks[name].metrics(
            [row[name] for row in said], [row[column] for row in given]
        )
        assert {f"{name}_{k}": v for k, v in scores.items()}.items() <= measured.items()
    assert measured == one.evaluate(one.examples(given))
    assert measured == one.evaluate(dict.fromkeys(one.tasks, given))


def test_long_sentences_are_measured_in_windows() -> None:
    words = [word for row in rows(6) for word in row["tokens"]]
    tags = [tag for row in rows(6) for tag in row["ner_tags"]]
    long = model(NAMES, max_length=24, long="windows")
    whole = [{"tokens": words, "ner_tags": tags}]
    said = long.predict(whole)[0]["names"]
    assert len(said) == len(words)
    expected = NAMES.metrics([said], [tags])
    assert long.evaluate(whole) == {f"names_{k}": v for k, v in expected.items()}
    assert len(long.predict([" ".join(words)], probabilities=True)[0]["names"]) > 24
    with pytest.raises(ValueError, match="longer than the 24"):
        model(NAMES, max_length=24).predict(whole)


def test_what_is_written_is_measured_as_text() -> None:
    french = Translation(
        "french", PIECES, max_length=5, text="translation.en", written="translation.fr"
    )
    writer = model(french, TOPIC)
    some = TRAIN.select(range(3))
    measured = writer.evaluate(some)
    said = [row["french"] for row in writer.predict(some)]
    assert all(isinstance(text, str) for text in said)
    expected = french.metrics(said, [row["translation"]["fr"] for row in some])
    assert measured["french_bleu"] == expected["bleu"]
    assert "topic_accuracy" in measured


def test_a_text_is_its_own_label() -> None:
    torch.manual_seed(0)
    causal = HardSharing(LSTMEncoder(PIECES.vocab_size, 8))
    lm = TextModel(causal, [LanguageModeling("lm", PIECES.vocab_size)], PIECES).eval()
    measured = lm.evaluate(rows(3))
    batch = collate(lm.examples(rows(3)))
    logits = lm.head("lm")(lm.sharing(batch, ["lm"]).hidden["lm"], batch)
    loss = functional.cross_entropy(logits.flatten(0, 1), batch.labels["lm"].flatten())
    assert measured["lm_perplexity"] == pytest.approx(loss.exp().item(), rel=1e-4)


def test_hidden_tokens_are_learnt_beside_other_tasks() -> None:
    special = PIECES.special_tokens
    mlm = MaskedLanguageModeling(
        "mlm", PIECES.vocab_size, 1, special_ids=(*special.start, *special.end)
    )
    one, given = model(mlm, TOPIC), rows(24)
    once = [dict(batches) for batches in one.loader(given, batch_size=8, shuffle=False).once()]
    assert all(set(batches) == {"mlm", "topic"} for batches in once)
    hidden = once[0]["mlm"].labels["mlm"] != -100
    assert 0.05 < hidden.sum() / once[0]["mlm"].inputs.mask.sum() < 0.3
    assert (once[0]["topic"].inputs.input_ids == 1).sum() == 0
    history = one.fit(given, given, config=CONFIG, batch_size=8, progress=False)
    assert np.isfinite(history[["train_mlm", "validation_mlm", "mlm_accuracy"]]).all(axis=None)
    measured = one.evaluate(given)
    assert 0 <= measured["mlm_accuracy"] <= 1
    assert measured["topic_accuracy"] == model_like(one, TOPIC).evaluate(given)["topic_accuracy"]


def model_like(other: TextModel, *tasks: Any) -> TextModel:
    """A model of some tasks with the weights of another."""
    made = model(*tasks)
    made.load_state_dict({k: v for k, v in other.state_dict().items() if k in made.state_dict()})
    return made


# --- training -------------------------------------------------------------------------------------

CONFIG = TrainerConfig(epochs=2, learning_rate=0.01)


@pytest.mark.parametrize(
    "sampling",
    [
        *("joint", "turns", "size", "sqrt", "uniform", 5.0),
        *("annealed", "uncertainty", "learning_progress", {"kind": "size", "limit": 1}),
    ],
)
def test_data_sets_of_several_kinds_are_learnt_together(sampling: Any) -> None:
    one = model()
    before = copy.deepcopy(one.state_dict())
    train = {"topic": TRAIN, "names": TRAIN, "relation": PAIRS["train"], "length": rows(20)}
    history = one.fit(train, sampling=sampling, config=CONFIG, batch_size=8, progress=False)
    assert np.isfinite(history["train_loss"]).all()
    moved = {name for name, weight in one.state_dict().items() if not weight.equal(before[name])}
    assert {name.split(".")[1] for name in moved if name.startswith("heads.")} >= {"topic", "names"}
    assert not any(name.startswith("heads.kinds") for name in moved)
    assert not one.training


def test_the_best_weights_by_a_metric_are_kept_and_a_cut_run_goes_on(tmp_path: Path) -> None:
    data = {"train": rows(30), "validation": rows(40)[30:]}
    settings: dict[str, Any] = {"config": CONFIG, "batch_size": 8, "progress": False}
    one = model(TOPIC, NAMES)
    history = one.fit(data["train"], data["validation"], metric="topic_accuracy", **settings)
    assert one.evaluate(data["validation"])["topic_accuracy"] == history["topic_accuracy"].max()
    again = model(TOPIC, NAMES)
    kept = {**settings, "checkpoint": tmp_path / "run.pt"}
    again.fit(data["train"], data["validation"], metric="topic_accuracy", **kept)
    read = model(TOPIC, NAMES)
    second = read.fit(data["train"], data["validation"], metric="topic_accuracy", **kept)
    for mine, other in zip(one.state_dict().values(), read.state_dict().values(), strict=True):
        assert mine.equal(other)
    assert second["topic_accuracy"].tolist() == history["topic_accuracy"].tolist()
    with pytest.raises(KeyError, match="topic_f1"):
        model(TOPIC).fit(data["train"], data["validation"], metric="topic_f1", **settings)


def test_heads_may_have_a_step_size_of_their_own() -> None:
    one = model(TOPIC)
    frozen = copy.deepcopy(one.sharing.state_dict())
    config = TrainerConfig(epochs=1, learning_rate=1e-12)
    one.fit(rows(16), config=config, head_learning_rate=0.1, progress=False)
    assert all(torch.allclose(w, frozen[k], atol=1e-9) for k, w in one.sharing.state_dict().items())
    assert not torch.allclose(
        one.heads["topic"].state_dict()["output.weight"],
        model(TOPIC).heads["topic"].state_dict()["output.weight"],
    )


def test_shares_of_the_gradient_are_measured_as_often_as_asked() -> None:
    found = {}
    for every in (1, 2, 50, 0, None):
        config = TrainerConfig(max_steps=2, epochs=1)
        settings: dict[str, Any] = {"config": config, "batch_size": 8, "progress": False}
        found[every] = model(TOPIC, NAMES).fit(rows(16), **settings, shares_every=every)
    shares = ["topic_share", "names_share"]
    for every in (1, 2):
        assert found[every][shares].sum(axis=1).tolist() == pytest.approx([1.0])
    assert found[1]["topic_share"][0] != found[2]["topic_share"][0]  # the mean of two, and one
    for every in (50, 0, None):
        assert not {*shares} & {*found[every].columns}
    assert found[1]["train_loss"].tolist() == found[0]["train_loss"].tolist()


# --- stored and made again ------------------------------------------------------------------------


def _sharings() -> dict[str, Any]:
    tasks = ("topic", "names")
    torch.manual_seed(1)
    transformer = TransformerEncoder(PIECES.vocab_size, 8, 3, 2, max_length=250)
    table = torch.nn.Embedding(PIECES.vocab_size, 8)
    return {
        "hard": HardSharing(encoder()),
        "hard, Transformer": HardSharing(transformer),
        "hard, projected": HardSharing(ProjectedEncoder(encoder())),
        "branched": BranchedSharing.from_encoder(encoder(), tasks, 1),
        "branched, Transformer": BranchedSharing.from_encoder(transformer, tasks, 2),
        "soft": SoftSharing({t: encoder() for t in tasks}, ["lstm"], trace_norm, 0.5),
        "soft, copies": SoftSharing(
            dict.fromkeys(tasks) | {"topic": encoder(), "names": copy.deepcopy(encoder())},
            ["embedding"],
        ),
        "soft, one table": SoftSharing(
            {t: BiLSTMEncoder(PIECES.vocab_size, 8, embedding=table) for t in tasks}, ["lstm"]
        ),
        "shared and private": SharedPrivate(encoder(), {t: encoder(seed=2) for t in tasks}),
    }


@pytest.mark.parametrize("name", list(_sharings()))
def test_every_way_of_sharing_is_stored(name: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    first = TextModel(_sharings()[name], [TOPIC, NAMES], PIECES, max_length=220).eval()
    first.save(tmp_path)
    second = TextModel.load(tmp_path)
    assert second.state_dict().keys() == first.state_dict().keys()
    for mine, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert mine.equal(other)
    assert len(list(first.parameters())) == len(list(second.parameters()))
    texts = list(TRAIN["text"][:4])
    assert first.predict(texts, probabilities=True) == second.predict(texts, probabilities=True)
    assert second.max_length == 220
    assert repr(first.sharing) == repr(second.sharing)
    batch = collate(first.examples(rows(4)))
    assert first(batch).penalty.equal(second(batch).penalty)


def test_all_kinds_are_stored_with_their_settings(tmp_path: Path) -> None:
    french = Translation("french", PIECES, max_length=4, beam_size=2)
    kinds = [TOPIC, NAMES, RELATION, LENGTH, KINDS, french]
    first = model(*kinds, long="windows", max_length=200)
    first.save(tmp_path, data={"topic": "Atlas | made"}, scores={"topic_accuracy": 0.25})
    second = TextModel.load(tmp_path)
    for name, task in first.tasks.items():
        if name != "french":
            assert second.tasks[name] == task
    assert second.tasks["french"].beam_size == 2
    assert (second.long, second.max_length) == ("windows", 200)
    texts = list(TRAIN["text"][:2])
    assert first.predict(texts) == second.predict(texts)
    card = (tmp_path / "README.md").read_text("utf-8")
    assert "| topic | Classification | text |" in card
    assert "Atlas \\| made" in card
    assert "| topic_accuracy | 0.25 |" in card


def test_a_stored_model_answers_in_another_process(tmp_path: Path) -> None:
    first = model(TOPIC, NAMES)
    first.save(tmp_path)
    code = (
        "import json, sys\nfrom mtl_utils.models import TextModel\n"
        "print(json.dumps(TextModel.load(sys.argv[1]).predict(['Ada met Bob.'])))"
    )
    done = another_process.run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == first.predict(["Ada met Bob."])


class Twice(BiLSTMEncoder):
    """An encoder of one's own."""


@dataclass(frozen=True)
class Shouts(TextTask):
    """A kind of task of one's own: is a text loud?"""

    name: str = "shouts"
    text: str = "text"
    label: str = "loud"
    causal = False

    def head(self, width: int) -> Head:
        return ShoutsHead(self.name, width)

    def target(self, row: Any, encoded: Any) -> int:
        return int(self.reference(row))

    def named(self, predictions: Any) -> list[bool]:
        return [bool(value) for value in predictions]

    def metrics(self, predictions: Any, references: Any) -> dict[str, float]:
        right = [bool(p) == bool(r) for p, r in zip(predictions, references, strict=True)]
        return {"accuracy": sum(right) / len(right)}


class ShoutsHead(Head):
    def __init__(self, task: str, width: int) -> None:
        super().__init__(task)
        self.output = torch.nn.Linear(width, 1)

    def forward(self, hidden: Any, batch: Any) -> Any:
        return self.output(hidden[:, 0]).squeeze(1)

    def loss(self, outputs: Any, batch: Any) -> Any:
        known = batch.labels[self.task] >= 0
        targets = batch.labels[self.task].float().clamp(min=0)
        losses = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
        return (losses * known).sum() / known.sum().clamp(min=1)

    def predict(self, hidden: Any, batch: Any) -> list[bool]:
        return (self(hidden, batch) > 0).tolist()

    def compare(self, hidden: Any, batch: Any) -> list[Any]:
        labels = batch.labels[self.task].tolist()
        found = self.predict(hidden, batch)
        return [(f, x) if x >= 0 else None for f, x in zip(found, labels, strict=True)]


def test_a_kind_of_ones_own_does_all_that_others_do(tmp_path: Path) -> None:
    loud = [
        {"text": f"{text} {'!' * (i % 2)}", "loud": i % 2} for i, text in enumerate(TRAIN["text"])
    ]
    torch.manual_seed(0)
    one = TextModel(HardSharing(Twice(PIECES.vocab_size, 8)), [Shouts(), TOPIC], PIECES)
    one.fit({"shouts": loud, "topic": TRAIN}, {"shouts": loud}, config=CONFIG, progress=False)
    assert set(one.predict(["a"])[0]) == {"shouts", "topic"}
    assert 0 <= one.evaluate({"shouts": loud})["shouts_accuracy"] <= 1
    one.save(tmp_path)
    with pytest.raises(ValueError, match=r"class of your own, (Twice|Shouts).*own=\["):
        TextModel.load(tmp_path)
    read = TextModel.load(tmp_path, own=[Twice, Shouts])
    assert read.predict(["a", "b !"]) == one.predict(["a", "b !"])
    assert type(read.sharing.encoder) is Twice


def _widen(content: dict[str, Any]) -> None:
    encoder = next(p for p in content["parts"] if p.get("class") == "nn.BiLSTMEncoder")
    encoder["with"]["width"] = 10**5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["parts"][0].update({"class": "os.system"}), "there is no 'os.system'"),
        (lambda c: c["parts"][0].update({"class": "tasks.convert_tags"}), "nothing that a model"),
        (
            lambda c: c["parts"][0].update(
                {"class": "nn.PretrainedEncoder", "with": {"name_or_folder": "/somewhere"}}
            ),
            "more than its configuration",
        ),
        (lambda c: c["settings"].update({"sharing": {"part": 99}}), "no part 99"),
        (lambda c: c["settings"].update({"sharing": {"nothing": 1}}), "stands for nothing"),
        (lambda c: c["settings"].pop("tasks"), "tasks"),
        (lambda c: c["parts"][1]["with"].update({"encoder": {"part": 1}}), "a part of itself"),
        (_widen, "than there are weights for"),
    ],
)
def test_content_that_is_not_a_model_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    from mtl_utils.saving.stored_model import read_model, write_model

    first = model(TOPIC)
    first.save(tmp_path)
    content, weights = read_model(tmp_path)
    change(content)
    write_model(tmp_path, content, weights)
    with pytest.raises(ValueError, match=message):
        TextModel.load(tmp_path)


def test_what_cannot_be_read_again_is_not_written(tmp_path: Path) -> None:
    changed = model(TOPIC)
    changed.sharing.encoder.embedding = torch.nn.Embedding(PIECES.vocab_size + 1, 8)
    with pytest.raises(ValueError, match=r"cannot be stored.*other weights"):
        changed.save(tmp_path)
    own = model(
        Translation("fr", PIECES, decoder=lambda vocabulary, width: None or _decoder(width))
    )
    with pytest.raises(TypeError, match=r"a function of your own.*weights alone") as caught:
        own.save(tmp_path)
    assert "given as decoder" in caught.value.__notes__[0]
    assert list(tmp_path.iterdir()) == []


def _decoder(width: int) -> Any:
    from mtl_utils.nn import AttentionDecoder

    return AttentionDecoder(PIECES.vocab_size, width, width)


def test_the_model_of_three_tasks_is_stored_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = ThreeTaskModel(
        HardSharing(encoder()),
        TOPICS,
        TAGS,
        tokenizer=PIECES,
        pooling="mean",
        pair_pooling="compare",
        crf=True,
    ).eval()
    first.save(tmp_path)
    second = ThreeTaskModel.load(tmp_path)
    words = [list(row["tokens"]) for row in rows(3)]
    assert second.tag(words) == first.tag(words)
    assert second.classify(words) == first.classify(words)
    assert second.tagging == first.tagging
    with pytest.raises(ValueError, match="holds a 'ThreeTaskModel', not a TextModel"):
        TextModel.load(tmp_path)


# --- tasks that come and go -----------------------------------------------------------------------


def test_a_task_is_added_to_a_stored_model_and_taken_away(tmp_path: Path) -> None:
    model(TOPIC).save(tmp_path)
    one = TextModel.load(tmp_path)
    before = one.predict(["a"])
    one.add_task(NAMES)
    assert one.predict(["a"], ["topic"]) == before
    one.fit({"topic": TRAIN, "names": TRAIN}, config=CONFIG, progress=False)
    one.save(tmp_path)
    assert set(TextModel.load(tmp_path).tasks) == {"topic", "names"}
    one.remove_task("topic")
    assert set(one.predict(["a"])[0]) == {"names"}
    with pytest.raises(ValueError, match="'names' is the only task"):
        one.remove_task("names")
    with pytest.raises(ValueError, match="has a task 'names' already"):
        one.add_task(NAMES)
    with pytest.raises(KeyError, match="No task named 'topic'"):
        one.remove_task("topic")
    branched = BranchedSharing.from_encoder(encoder(), ["topic"], 1)
    with pytest.raises(KeyError, match="made for"):
        TextModel(branched, [TOPIC], PIECES).add_task(NAMES)


def test_tasks_without_columns_are_refused() -> None:
    class Bare:
        name, causal = "bare", False

        def head(self, width: int) -> Head:
            return ShoutsHead("bare", width)

        def metrics(self, predictions: Any, references: Any) -> dict[str, float]:
            return {}

    MultiTaskModel(HardSharing(encoder()), [Bare()])
    with pytest.raises(TypeError, match="Bare says nothing of columns"):
        TextModel(HardSharing(encoder()), [Bare()], PIECES)  # type: ignore[list-item]
    assert isinstance(model(TOPIC).examples(rows(1))[0], Example)
