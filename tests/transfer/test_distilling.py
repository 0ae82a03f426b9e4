"""A student of several teachers: its losses, what it learns, and a training that was cut."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from mtl_utils.data import BytePairTokenizer
from mtl_utils.models import TextModel
from mtl_utils.nn import TransformerEncoder
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging
from mtl_utils.training import StopTraining, TrainerConfig
from mtl_utils.transfer import pseudo_labelled, taught

TEXTS = ["we see", "a sea", "bees see a sea", "bee", "we see bees", "a bee", "sea bees"]
PIECES = BytePairTokenizer.train(TEXTS, 270)
TOPIC = Classification("topic", ("x", "y"), "mean")
NAMES = Tagging("names", ("O", "A"))
TOPICS = [{"text": text, "label": "xy"["bee" in text]} for text in TEXTS]
SENTENCES = [
    {"tokens": text.split(), "tags": ["OA"[word.startswith("see")] for word in text.split()]}
    for text in TEXTS
]
ROWS = {"topic": TOPICS, "names": SENTENCES}


def made(*tasks: Any, seed: int = 0, width: int = 8) -> TextModel:
    torch.manual_seed(seed)
    encoder = TransformerEncoder(PIECES.vocab_size, width, 1, 2, dropout=0.0)
    return TextModel(HardSharing(encoder), tasks or (TOPIC, NAMES), PIECES).eval()


def config(**settings: Any) -> TrainerConfig:
    return TrainerConfig(**{"epochs": 2, "learning_rate": 0.02, "schedule": "constant", **settings})


@pytest.fixture(scope="module")
def teachers() -> dict[str, TextModel]:
    found = {}
    for seed, task in enumerate((TOPIC, NAMES), 1):
        model = made(task, seed=seed)
        model.fit({task.name: ROWS[task.name]}, config=config(epochs=40), progress=False)
        assert model.evaluate({task.name: ROWS[task.name]})[f"{task.name}_accuracy"] == 1.0
        found[task.name] = model
    return found


def by_hand(student: TextModel, teacher: TextModel, task: str, batch: Any, t: float) -> Any:
    sides = []
    for model in (student, teacher):
        hidden = model.sharing(batch, [task]).hidden[task]
        sides.append(model.head(task)(hidden, batch) / t)
    rows = functional.kl_div(sides[0].log_softmax(-1), sides[1].softmax(-1), reduction="none").sum(
        -1
    )
    if rows.dim() == 1:
        return t**2 * rows.mean()
    starts = batch.inputs.mask if batch.inputs.first_pieces is None else batch.inputs.first_pieces
    return t**2 * rows[starts].sum() / len(batch)  # on the default scale, a text


@pytest.mark.parametrize(("share", "t"), [(0.0, 1.0), (0.3, 2.0), (1.0, 4.0)])
def test_the_losses_are_mixed_task_by_task(
    teachers: dict[str, TextModel], share: float, t: float
) -> None:
    student = made()
    for task in ("topic", "names"):
        batch = next(iter(student.loader({task: ROWS[task]}, batch_size=5)))
        student.train()
        labels = student(batch).by_task[task]
        with taught(student, teachers, temperature=t, label_share=share):
            found = student(batch)
            student.eval()
            torch.testing.assert_close(student(batch).by_task[task], labels)
        expected = share * labels + (1 - share) * by_hand(student, teachers[task], task, batch, t)
        torch.testing.assert_close(found.by_task[task], expected)
        of_teacher = list(teachers[task].parameters())
        reached = torch.autograd.grad(found.by_task[task], of_teacher, allow_unused=True)
        assert all(gradient is None for gradient in reached)
        student.train()
        torch.testing.assert_close(student(batch).by_task[task], labels)  # and nothing stays
    assert "taught_steps" not in student.state_dict()


def test_texts_without_a_label_among_others_are_learnt_from_the_teacher(
    teachers: dict[str, TextModel],
) -> None:
    student = made().train()
    whole = student.loader(student.examples(TOPICS, ["topic"]), batch_size=7, shuffle=False)
    batch, bare = next(iter(whole)), next(iter(whole))
    bare.labels["topic"][::2] = -100  # type: ignore[index]
    with taught(student, teachers, label_share=0.0):
        losses = [student(each).by_task["topic"] for each in (batch, bare)]
    torch.testing.assert_close(*losses)


def test_a_task_without_a_teacher_learns_from_its_labels(teachers: dict[str, TextModel]) -> None:
    student = made().train()
    loader = student.loader({"topic": TOPICS, "names": SENTENCES}, batch_size=7)
    batches = next(iter(loader.batches(0)))
    plain = student(batches).by_task
    with taught(student, {"topic": teachers["topic"]}, label_share=0.0):
        mixed = student(batches).by_task
    assert list(mixed) == list(plain)
    torch.testing.assert_close(mixed["names"], plain["names"])
    assert float((mixed["topic"] - plain["topic"]).detach().abs()) > 1e-3


def test_the_share_moves_with_the_steps(teachers: dict[str, TextModel]) -> None:
    student = made().train()
    batch = next(iter(student.loader({"topic": TOPICS}, batch_size=7)))
    hard = student(batch).by_task["topic"].detach()
    soft = by_hand(student, teachers["topic"], "topic", batch, 1.0).detach()
    with taught(student, teachers, label_share=(0.0, 1.0), num_steps=5):
        met = [float(student(batch).by_task["topic"].detach()) for _ in range(6)]
    shares = [0, 0.25, 0.5, 0.75, 1, 1]
    assert met == pytest.approx([float(s * hard + (1 - s) * soft) for s in shares], rel=1e-5)


def test_a_student_of_texts_without_labels_says_what_its_teachers_say(
    teachers: dict[str, TextModel],
) -> None:
    student = made(seed=9)
    texts = {task: student.examples(ROWS[task], [task]) for task in ROWS}
    said = {t: pseudo_labelled(teachers[t], t, texts[t], 0.0).examples for t in teachers}
    assert all(len(said[task]) == len(TEXTS) for task in ROWS)
    with taught(student, teachers, label_share=0.0):
        student.fit(said, config=config(epochs=40), batch_size=7, progress=False)
    for task, teacher in teachers.items():
        rows = [row.get("text") or row["tokens"] for row in ROWS[task]]
        assert student.predict(rows, [task]) == teacher.predict(rows, [task])


def test_a_training_that_was_cut_goes_on_at_its_share(
    teachers: dict[str, TextModel], tmp_path: Path
) -> None:
    def fit(epochs: int, model: TextModel, *callbacks: Any, **settings: Any) -> None:
        with taught(model, teachers, label_share=(0.0, 1.0), num_steps=8):
            torch.manual_seed(1)
            model.fit(
                {"topic": TOPICS}, config=config(epochs=epochs), batch_size=4, progress=False,
                callbacks=callbacks, **settings,
            )  # fmt: skip

    def stop(row: Any) -> None:
        if row["epoch"] == 2:
            raise StopTraining

    whole, cut = made(), made()
    again = copy.deepcopy(cut)
    fit(4, whole)
    fit(4, cut, stop, checkpoint=tmp_path / "run.pt")
    fit(4, again, checkpoint=tmp_path / "run.pt")
    for name, weight in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], weight, msg=name)


def test_what_cannot_teach_is_refused(teachers: dict[str, TextModel]) -> None:
    student = made()

    def refused(error: type[Exception], match: str, given: Any, **settings: Any) -> None:
        with pytest.raises(error, match=match), taught(student, given, **settings):
            pass
        assert "taught_steps" not in student.state_dict()

    crf = made(Tagging("names", NAMES.labels, crf=True))
    refused(TypeError, "needs a head with a softmax", {"names": crf})
    refused(KeyError, "No task named 'names'", {"names": teachers["topic"]})
    turned = made(Classification("topic", ("y", "x"), "mean"))
    refused(ValueError, "the same in the same order", {"topic": turned})
    other = made(TOPIC)
    other.tokenizer = BytePairTokenizer.train(["another"], 270)
    refused(ValueError, "another tokenizer", {"topic": other})
    refused(ValueError, "give both or one number", teachers, label_share=(0.0, 1.0))
    refused(ValueError, "give both or one number", teachers, num_steps=4)
    refused(ValueError, "one task at least", {})
