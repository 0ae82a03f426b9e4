"""Every kind of model, saved and read again: what it says, what it is, what cannot be stored."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import another_process
import pytest
import torch
from model_kinds import KINDS, PIECES, TAGS, TEXTS, WORDS, made, several, transformer
from torch import nn

from mtl_utils import models
from mtl_utils.data import BatchLoader, BytePairTokenizer, Example, Vocabulary, collate
from mtl_utils.nn import AttentionDecoder, LSTMEncoder, TransformerEncoder
from mtl_utils.saving.stored_model import read_model, write_model
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Head, Tagging, iob2_constraints
from mtl_utils.training import calibrate

MODULES = [name for name in KINDS if name != "NGramLanguageModel"]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keep models this small from waiting for other threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def assert_same(left: nn.Module, right: nn.Module) -> None:
    """Compare all tensors to the last bit, those beside the weights too."""
    pairs = [(left.state_dict(), right.state_dict())]
    pairs.append((dict(left.named_buffers()), dict(right.named_buffers())))
    for one, other in pairs:
        assert one.keys() == other.keys()
        for name, tensor in one.items():
            assert tensor.dtype == other[name].dtype
            assert torch.equal(tensor, other[name]), name


# --- what is read is what was saved ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", MODULES)
def test_every_kind_says_the_same_to_the_last_bit(
    name: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    model, ask = made(name).to(dtype), KINDS[name][1]
    model.train().save(tmp_path)
    assert model.training
    found = models.load(tmp_path)
    assert type(found) is type(model) is type(type(model).load(tmp_path))
    assert not any(module.training for module in found.modules())
    assert all(parameter.requires_grad for parameter in found.parameters())
    assert_same(found, model)
    assert ask(found) == ask(model.eval())
    assert list(getattr(found, "tasks", ())) == list(getattr(model, "tasks", ()))
    found.save(tmp_path)  # again, and over itself
    assert ask(models.load(tmp_path)) == ask(model)


@pytest.mark.parametrize("smoothing", ["kneser-ney", "add-k", "none"])
@pytest.mark.parametrize("order", [0, 1, 2, 4])
@pytest.mark.parametrize("pad", [True, False])
def test_counts_are_stored(smoothing: Any, order: int, pad: bool, tmp_path: Path) -> None:
    discounts = [0.5] * order if pad else "single"
    model = models.NGramLanguageModel(order, smoothing, k=0.3, pad=pad, discounts=discounts)
    with pytest.raises(RuntimeError, match="counted nothing yet"):
        model.save(tmp_path)
    model.fit([*WORDS, [], ["we", "see", "we", "see"]])
    model.save(tmp_path)
    found = models.load(tmp_path)
    assert type(found) is models.NGramLanguageModel
    assert found.vocabulary == model.vocabulary
    for one, other in zip(found._fitted[1], model._fitted[1], strict=True):
        for name in ("codes", "counts", "suffixes", "starts"):
            assert (getattr(one.table, name) == getattr(other.table, name)).all()
    assert KINDS["NGramLanguageModel"][1](found) == KINDS["NGramLanguageModel"][1](model)
    generators = [torch.Generator().manual_seed(1) for _ in range(2)]
    if smoothing == "kneser-ney":
        drawn = [
            m.sample(9, prompt=["we"], generator=g)
            for m, g in zip((model, found), generators, strict=True)
        ]
        assert drawn[0] == drawn[1]
    assert found.fit([["other"]]).vocabulary != model.vocabulary  # none was given, so it is free


def test_what_was_read_trains_on_like_what_was_saved(tmp_path: Path) -> None:
    model = made("Tagger with more tasks").train()
    examples = [
        Example(e.input_ids, {"tags": [0] * n, "parts": [1] * n}, character_ids=e.character_ids)
        for e in map(model.example, WORDS)
        for n in [len(e.input_ids)]
    ]
    model.save(tmp_path)
    with torch.inference_mode():  # of whoever loads; it is to be trained none the less
        found = models.load(tmp_path).train()
    for one in (model, found):
        optimizer = torch.optim.Adam(one.parameters(), lr=0.1)
        for step in range(3):
            torch.manual_seed(step)
            optimizer.zero_grad()
            sum(one(collate(examples)).by_task.values()).backward()
            optimizer.step()
    assert_same(found, model)


def test_tied_weights_are_tied_again_and_the_vocabulary_is_there(tmp_path: Path) -> None:
    model = made("LSTMLanguageModel")
    model.save(tmp_path)
    found = models.LSTMLanguageModel.load(tmp_path)
    assert found.output.weight is found.embedding.weight
    assert found.vocabulary == model.vocabulary
    free = models.LSTMLanguageModel(9, 8, tie_weights=False)
    free.save(tmp_path)
    found = models.load(tmp_path)
    assert found.output.weight is not found.embedding.weight
    free.output.weight = free.embedding.weight
    with pytest.raises(ValueError, match=r"'output.weight'\] are one parameter in it and several"):
        free.save(tmp_path)
    with pytest.raises(ValueError, match="The vocabulary has 4 tokens, and vocab_size is 9"):
        models.LSTMLanguageModel(9, 8, vocabulary=Vocabulary.from_tokens(()))


ELSEWHERE = """
import sys, torch
torch.set_default_dtype(torch.float64)
torch.set_default_device("meta")
from mtl_utils import models
from mtl_utils.data import *
before = torch.random.get_rng_state()
model = models.load(sys.argv[1])
assert torch.equal(before, torch.random.get_rng_state())
torch.set_default_device("cpu")
torch.set_default_dtype(torch.float32)
print(model.predict(["we see a sea"], probabilities=True))
"""


def test_another_process_another_folder_and_other_defaults(tmp_path: Path) -> None:
    model = transformer().eval()
    model.save(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    for path in [*(tmp_path / "there").iterdir(), tmp_path / "there"]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = another_process.run(ELSEWHERE, "there", cwd=tmp_path)
    (tmp_path / "there").chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(model.predict(["we see a sea"], probabilities=True))


def test_what_was_made_with_another_default_type_is_read_with_the_usual_one(tmp_path: Path) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        model = transformer().eval()
        model.save(tmp_path)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    found = models.load(tmp_path)
    assert_same(found, model)
    assert found.predict(TEXTS, probabilities=True) == model.predict(TEXTS, probabilities=True)


def test_sinusoids_that_were_rounded_stay_so(tmp_path: Path) -> None:
    model = transformer(crf=False).to(torch.bfloat16).to(torch.float32)
    fresh = dict(transformer(crf=False).named_buffers())
    assert any(not torch.equal(t, fresh[n]) for n, t in model.named_buffers() if "table" in n)
    model.save(tmp_path)
    assert_same(models.load(tmp_path), model)
    content, weights = read_model(tmp_path)
    (name,) = (name for name in weights if name.startswith("buffer:"))
    write_model(tmp_path, content, {**weights, name: weights[name][:3]})
    with pytest.raises(ValueError, match="no usable MultiTaskTransformer: there is no buffer"):
        models.load(tmp_path)


@pytest.mark.parametrize("name", ["TextModel", "MultiTaskTransformer"])
def test_a_temperature_is_stored(name: str, tmp_path: Path) -> None:
    model = made(name)
    rows = [
        {"text": t, "label": "x", "tokens": w, "tags": ["B-A"] * len(w)}
        for t, w in zip(TEXTS, WORDS, strict=True)
    ]
    task = next(iter(model.tasks))
    cold = model.predict(TEXTS, probabilities=True)
    found = calibrate(model, BatchLoader(model.examples(rows), batch_size=2))
    assert found[task] != 1.0
    assert model.predict(TEXTS, probabilities=True) != cold
    model.to(torch.bfloat16).save(tmp_path)
    again = models.load(tmp_path)
    assert_same(again, model)
    assert again.predict(TEXTS, probabilities=True) == model.predict(TEXTS, probabilities=True)
    calibrated = {n: float(again.head(n).temperature) for n in found}
    assert calibrated == pytest.approx(found, rel=0.01)


def test_tasks_that_were_given_as_a_view_are_copied() -> None:
    tasks = {"a": Classification("a", ["x", "y"]), "b": Classification("b", ["x", "y"])}
    sharing = HardSharing(LSTMEncoder(9, 4))
    model = models.MultiTaskModel(sharing, tasks.values())
    tasks["c"] = Classification("c", ["x"])  # after it was made
    assert_same(copy.deepcopy(model), model)
    assert list(copy.deepcopy(model).tasks) == ["a", "b"]


# --- which kind it is -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_class_refuses_other_kinds_and_names_the_one_to_use(name: str, tmp_path: Path) -> None:
    model = made(name)
    model.save(tmp_path)
    kind = type(model).__name__
    others = {type(made(other)) for other in ("Tagger", "NGramLanguageModel", "TextModel")}
    for other in others - {type(model)}:
        message = rf"holds a '{kind}', not a {other.__name__}; read it with {kind}.load\(folder\)"
        with pytest.raises(ValueError, match=message):
            other.load(tmp_path)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("os.system", r"holds a 'os.system'; expected a model, one of \['MultiTaskModel'"),
        (None, "holds a None; expected"),
        (["Tagger"], "expected a model"),
        ("Savable", "expected a model"),
        ("own.Mine", r"of a class of your own, Mine: give it, load\(folder, own=\[Mine\]\)"),
        ("own.__import__('os')", "expected a model"),
    ],
)
def test_what_is_no_model_is_no_model(kind: Any, message: str, tmp_path: Path) -> None:
    made("Tagger").save(tmp_path)
    content, weights = read_model(tmp_path)
    write_model(tmp_path, {**content, "model": kind}, weights)
    with pytest.raises(ValueError, match=message):
        models.load(tmp_path)
    with pytest.raises(ValueError, match="not a Tagger"):
        models.Tagger.load(tmp_path)


# --- what was changed, and what is one's own ------------------------------------------------------


def test_tasks_in_any_order(tmp_path: Path) -> None:
    model = made("Tagger with more tasks")
    model.remove_task("tags")
    model.add_task(Tagging("tags", ("A", "B", "C", "D")))
    model.save(tmp_path)
    found = models.load(tmp_path)
    assert list(found.tasks) == ["parts", "tags"]
    assert found.tasks == model.tasks
    assert found.tag(WORDS) == model.tag(WORDS)
    assert {tag for row in found.tag(WORDS) for tag in row} <= set("ABCD")
    found.remove_task("parts")
    found.save(tmp_path)
    assert list(models.load(tmp_path).tasks) == ["tags"]
    three = made("MultiTaskTransformer")
    three.remove_task("inference")
    three.save(tmp_path)
    found = models.load(tmp_path)
    assert found.predict(TEXTS, probabilities=True) == three.predict(TEXTS, probabilities=True)


class OwnHead(Head):
    """The sum of states, as a class."""

    def __init__(self, name: str, width: int, classes: int) -> None:
        super().__init__(name)
        self.output = nn.Linear(width, classes)

    def predict(self, hidden: Any, batch: Any) -> list[Any]:
        return self.output(hidden.sum(dim=1)).argmax(dim=-1).tolist()


@dataclass(frozen=True)
class Own:
    """A task of one's own that knows no columns."""

    name: str
    classes: int = 3
    causal = False

    def head(self, width: int) -> Head:
        return OwnHead(self.name, width, self.classes)

    def metrics(self, predictions: Any, references: Any) -> dict[str, float]:
        return {}


class Tagger(models.Tagger):
    """A class of one's own with the name of one of the package."""

    def __init__(self, words: Vocabulary, characters: Vocabulary, labels: Any, extra: int) -> None:
        super().__init__(words, characters, labels, width=8, character_width=0)
        self.extra = nn.Linear(extra, 2)


def test_classes_of_ones_own(tmp_path: Path) -> None:
    model = several().eval()
    model.add_task(Own("own", 5))
    model.save(tmp_path)
    with pytest.raises(
        ValueError, match=r"a class of your own, Own: give it, load\(folder, own=\["
    ):
        models.load(tmp_path)
    found = models.load(tmp_path, own=[Own])
    batch = collate([Example([5, 6, 7], {})])
    assert found.predict(batch) == model.predict(batch)
    assert "own=[Own]" in (tmp_path / "README.md").read_text("utf-8")
    words = Vocabulary.from_tokens(["we"])
    mine = Tagger(words, words, TAGS, extra=3).eval()
    mine.save(tmp_path)
    for wrong in (models.load, models.Tagger.load):
        with pytest.raises(ValueError, match=r"own\.Tagger|own=\[Tagger\]"):
            wrong(tmp_path)
    assert_same(models.load(tmp_path, own=[Tagger]), mine)
    assert type(Tagger.load(tmp_path)) is Tagger


def own_decoder(vocab_size: int, width: int) -> AttentionDecoder:
    return AttentionDecoder(vocab_size, 4, width)


class Shouts(BytePairTokenizer):
    """Would be read as what it inherits from."""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.Seq2Seq(PIECES, PIECES, 8, decoder=own_decoder), "functools.partial"),
        (
            lambda: models.Seq2Seq(PIECES, PIECES, 8, decoder=partial(own_decoder)),
            "cannot be stored as what makes a part",
        ),
        (
            lambda: models.Seq2Seq(Shouts(PIECES.vocabulary, PIECES.merges), PIECES, 8),
            "not a Shouts. Store the weights alone",
        ),
    ],
)
def test_functions_and_tokenizers_of_ones_own_are_refused(
    make: Any, message: str, tmp_path: Path
) -> None:
    made("Tagger").save(tmp_path)
    with pytest.raises(TypeError, match=message):
        make().save(tmp_path)
    assert type(models.load(tmp_path)) is models.Tagger  # what was there is untouched


def test_what_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    framework = made("BiLSTMFramework")
    framework.sharing.encoder.extra = nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"other weights. 2 are missing, such as .*extra.bias'"):
        framework.save(tmp_path)
    tagger = made("Tagger")
    tagger.heads["tags"].dropout = nn.Identity()
    with pytest.raises(ValueError, match=r"heads.tags.dropout is a Identity, and would be a Drop"):
        tagger.save(tmp_path)
    model = several()  # it is made with what it shares, so that this can be another
    model.sharing = HardSharing(LSTMEncoder(12, 8))
    model.save(tmp_path)
    assert_same(models.load(tmp_path), model)
    assert type(models.load(tmp_path).sharing.encoder) is LSTMEncoder


def test_a_copy_is_stored_and_what_was_given_may_change(tmp_path: Path) -> None:
    labels = list(TAGS)
    model = models.BiLSTMFramework(PIECES, labels, width=8, max_length=5).eval()
    labels.append("B-Z")
    copied = copy.deepcopy(model)
    copied.save(tmp_path)
    assert models.load(tmp_path).tag(WORDS) == model.tag(WORDS)
    generator = (task for task in [Classification("c", ("x", "y"), "mean")])
    model = models.MultiTaskModel(HardSharing(TransformerEncoder(9, 8, 1, 2)), generator)
    model.save(tmp_path)
    assert list(models.load(tmp_path).tasks) == ["c"]


# --- the card -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_card_says_how_it_is_used(name: str, tmp_path: Path) -> None:
    model = made(name)
    model.save(tmp_path)
    card = (tmp_path / "README.md").read_text("utf-8")
    assert f"{type(model).__name__}: " in card
    assert 'models.load("this folder")' in card
    for task in getattr(model, "tasks", ()):
        assert f"| {task} |" in card


def test_main_scores_and_those_of_types_stand_apart(tmp_path: Path) -> None:
    labels = ("O", *(f"{letter}-{n}" for n in range(300) for letter in "BI"))
    words = Vocabulary.from_tokens(["we"])
    model = models.Tagger(words, words, labels, width=8, character_width=0, crf=False)
    scores = {"test: tags_f1": 0.5, "tags_f1_7": 0.25, "test: tags_f1_12": 0.125, "f1_7": 1.0}
    model.save(tmp_path, data={"tags": "a | b"}, scores=scores)
    card = (tmp_path / "README.md").read_text("utf-8")
    main, _, types = card.partition("| F1 of | type | value |")
    assert "| test: tags_f1 | 0.5 |" in main
    assert "| f1_7 | 1 |" in main
    assert "f1_12" not in card
    assert "| tags | 7 | 0.25 |" in types
    assert "| test: tags | 12 | 0.125 |" in types
    assert "… (601)" in main
    assert "a \\| b" in main
    with pytest.raises(TypeError, match="scores"):
        model.save(tmp_path, scores={"tags_f1": "high"})


def test_tags_are_not_compared_with_one_another_before_there_are_weights_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made("Tagger").save(tmp_path)
    content, weights = read_model(tmp_path)
    labels = ["O", *(f"{letter}-{n}" for n in range(10_000) for letter in "BI")]
    content["settings"]["labels"] = labels
    write_model(tmp_path, content, weights)
    monkeypatch.setattr("mtl_utils.tasks.tagging.iob2_constraints", None)
    monkeypatch.setattr("mtl_utils.tasks.entity_labels.iob2_constraints", None)
    with pytest.raises(ValueError, match="declare more than there are weights for"):
        models.load(tmp_path)
    assert iob2_constraints(("O", "B-A", "I-A"))[1].tolist() == [
        [True, True, False],
        [True, True, True],
        [True, True, True],
    ]


# --- earlier versions -----------------------------------------------------------------------------

#: Saved, with what they predict, by the version before all models were saved in one way.
EARLIER = Path(__file__).parent / "earlier"


@pytest.mark.parametrize("name", [path.name for path in sorted(EARLIER.iterdir()) if path.is_dir()])
def test_a_model_of_an_earlier_version_says_what_it_said(name: str, tmp_path: Path) -> None:
    expected = json.loads((EARLIER / "expected.json").read_text("utf-8"))[name]
    texts = ["we see", "a sea we see", "the danube"]
    found = models.load(EARLIER / name)
    assert type(found).__name__ == name
    for model in (found, type(found).load(EARLIER / name)):
        for said, then in zip(model.predict(texts, probabilities=True), expected, strict=True):
            for task, now in said.items():
                for one, other in zip(_flat(now), _flat(then[task]), strict=True):
                    assert one == pytest.approx(other, rel=1e-4)
    found.save(tmp_path)
    again = models.load(tmp_path)
    assert_same(again, found)
    assert again.predict(texts, probabilities=True) == found.predict(texts, probabilities=True)
    assert (again.long, again.max_length) == (found.long, found.max_length)


def _flat(said: Any) -> list[float]:
    rows = said if isinstance(said, list) else [said]
    return [row[label] for row in rows for label in sorted(row)]
