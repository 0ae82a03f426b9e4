"""The multi-task Transformer: three logits from one pass, losses that keep to themselves."""

import json
import math

import another_process
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from mtl_utils import atlas
from mtl_utils.data import Batch, BatchLoader, Example, Vocabulary, WordTokenizer, collate
from mtl_utils.models import MultiTaskModel, MultiTaskTransformer, TransformerLogits
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import to_spans
from mtl_utils.training import Trainer, TrainerConfig, evaluate_losses

TASKS = ["classification", "tags", "inference"]
EXACT = {"atol": 1e-9, "rtol": 1e-9}
PAD, BOS, EOS = 0, 2, 3


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Keep models this small from waiting for other threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def rows():
    """Twelve pairs of Atlas with all labels."""
    return atlas.load_inference(200)["train"].select(range(12))


def tiny(seed=0, **options):
    """A model of bare ids."""
    torch.manual_seed(seed)
    options = {"dropout": 0.0, "max_length": 40, **options}
    return MultiTaskTransformer(4, 5, 20, 8, 2, 2, **options).double()


def of_atlas(rows, seed=0, **options):
    torch.manual_seed(seed)
    texts = [*rows["tokens"], *rows["hypothesis"]]
    sizes = {"hidden_size": 32, "num_layers": 1, "num_heads": 2}
    options = {**sizes, "dropout": 0.0, "scale": "token", **options}
    model = MultiTaskTransformer.from_texts(
        texts, atlas.TOPICS, atlas.NER_TAGS, vocab_size=400, **options
    )
    return model.double()


def examples_of(model, rows):
    return model.examples(
        rows["tokens"],
        rows["hypothesis"],
        classification=rows["topic"],
        tags=rows["ner_tags"],
        inference=rows["label"],
    )


def encoder_calls(model, run):
    calls = []
    handle = model.sharing.encoder.register_forward_hook(lambda *call: calls.append(call[2]))
    made = run()
    handle.remove()
    return calls, made


# Logits.


def test_three_logits_from_one_pass():
    model = tiny()
    ids = torch.randint(4, 20, (3, 7), generator=torch.Generator().manual_seed(0))
    calls, logits = encoder_calls(model, lambda: model(ids))
    assert isinstance(logits, TransformerLogits)
    assert [list(part.shape) for part in logits] == [[3, 4], [3, 7, 5], [3, 3]]
    (hidden,) = calls
    for part, task, states in zip(logits, TASKS, (hidden[:, 0], hidden, hidden[:, 0]), strict=True):
        output = model.heads[task].output
        torch.testing.assert_close(part, states @ output.weight.T + output.bias, **EXACT)


def test_it_is_a_multi_task_model_over_one_encoder():
    model = tiny()
    assert isinstance(model, MultiTaskModel)
    assert isinstance(model.sharing, HardSharing)
    assert list(model.tasks) == TASKS
    assert model.classification.labels == ("class_0", "class_1", "class_2", "class_3")
    assert model.tagging.labels == ("tag_0", "tag_1", "tag_2", "tag_3", "tag_4")
    assert model.inference.labels == atlas.INFERENCE_LABELS
    with torch.device("meta"):
        large = MultiTaskTransformer(2, 3, 100)
    layers = large.sharing.encoder.stack.layers
    assert (large.sharing.width, len(layers)) == (768, 12)
    assert layers[0].attention.num_heads == 12


pairs = st.lists(
    st.tuples(
        st.lists(st.integers(4, 19), max_size=5),
        st.one_of(st.none(), st.lists(st.integers(4, 19), max_size=5)),
    ),
    min_size=1,
    max_size=4,
)


def as_example(first, second, **labels):
    if second is None:
        return Example([BOS, *first, EOS], labels)
    segments = [0] * (len(first) + 2) + [1] * (len(second) + 1)
    return Example([BOS, *first, EOS, *second, EOS], labels, segments)


@settings(max_examples=20)
@given(pairs, st.integers(0, 3), st.randoms())
def test_neither_padding_nor_the_order_of_rows_changes_the_logits(drawn, extra, random):
    model = tiny()
    with torch.no_grad():
        torch.nn.init.normal_(model.sharing.encoder.segments.weight)  # tells the texts apart
    examples = [as_example(*pair) for pair in drawn]
    alone = [model(collate([example]).inputs.input_ids) for example in examples]
    order = list(range(len(examples)))
    random.shuffle(order)
    inputs = collate([examples[index] for index in order]).inputs
    together = model(torch.cat([inputs.input_ids, torch.zeros(len(order), extra).long()], dim=1))
    for row, index in enumerate(order):
        length = len(examples[index].input_ids)
        for part, one in zip(together, alone[index], strict=True):
            found = part[row][:length] if part.dim() == 3 else part[row]
            torch.testing.assert_close(found, one[0], **EXACT)
    # What a batch says of mask and segments is what the ids say.
    if inputs.segment_ids is not None:
        for part, other in zip(model.logits(inputs), model(inputs.input_ids), strict=True):
            torch.testing.assert_close(part, other, **EXACT)
    given_all = model(inputs.input_ids, inputs.mask, inputs.segment_ids)
    torch.testing.assert_close(given_all.tags, model(inputs.input_ids).tags, **EXACT)


def test_any_ids_are_read_also_padding_between_tokens():
    model = tiny()
    ids = torch.tensor([[5, PAD, 7, PAD], [PAD] * 4, [EOS, BOS, EOS, 1]])
    assert all(part.isfinite().all() for part in model(ids))
    torch.testing.assert_close(model(ids).tags[0, :3], model(ids[:1, :3]).tags[0], **EXACT)


# Atlas: one pass over a pair serves all three tasks.


def test_one_pass_over_a_pair_serves_all_heads_as_if_they_were_run_separately(rows):
    model = of_atlas(rows).eval()
    batch = collate(examples_of(model, rows))
    calls, losses = encoder_calls(model, lambda: model(batch))
    assert len(calls) == 1
    logits = model(batch.inputs.input_ids)
    for task, part in zip(TASKS, logits, strict=True):
        calls, alone = encoder_calls(
            model, lambda task=task: model(Batch(batch.inputs, {task: batch.labels[task]}))
        )
        assert len(calls) == 1
        torch.testing.assert_close(alone.by_task[task], losses.by_task[task], **EXACT)
        head = model.head(task)
        torch.testing.assert_close(head(calls[0], batch), part, **EXACT)
        expected = functional.cross_entropy(part.flatten(0, -2), batch.labels[task].flatten())
        torch.testing.assert_close(losses.by_task[task], expected, **EXACT)
        assert losses.counts[task] == (batch.labels[task] != -100).sum()
    words = sum(map(len, rows["tokens"]))
    assert losses.counts["tags"] == words  # nothing of the hypothesis, one label a word
    assert losses.counts["inference"] == losses.counts["classification"] == len(rows)


def test_a_loss_moves_the_encoder_and_its_own_head_alone(rows):
    model = of_atlas(rows)
    losses = model(collate(examples_of(model, rows)))
    for task in TASKS:
        model.zero_grad()
        losses.by_task[task].backward(retain_graph=True)
        moved = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
        heads = {name for name in moved if name.startswith("heads.")}
        assert heads == {f"heads.{task}.output.weight", f"heads.{task}.output.bias"}
        assert any(name.startswith("sharing.encoder.stack") for name in moved)
        assert "sharing.encoder.segments.weight" in moved


def test_a_missing_label_costs_nothing_and_moves_nothing(rows):
    model = of_atlas(rows).eval()
    examples = examples_of(model, rows)
    single = model.example(["Unlabelled", "words"])
    with_more = model(collate([*examples, single]))
    for task, loss in model(collate(examples)).by_task.items():
        torch.testing.assert_close(with_more.by_task[task], loss, **EXACT)
    batch = collate(examples)
    for task in TASKS:
        missing = Batch(batch.inputs, {task: torch.full_like(batch.labels[task], -100)})
        model.zero_grad()
        loss = model(missing).by_task[task]
        loss.backward()
        assert loss.item() == 0
        assert not any(p.grad is not None and p.grad.any() for p in model.parameters())


# Training.


@pytest.fixture(scope="module")
def trained(rows):
    """A model that knows twelve pairs by heart."""
    model = of_atlas(rows)
    examples = examples_of(model, rows)
    config = TrainerConfig(epochs=60, learning_rate=0.01)
    trainer = Trainer(
        model,
        config,
        evaluate=lambda m: m.evaluate(examples),
        metric="tags_f1",
        mode="max",
        progress=False,
    )
    history = trainer.fit(BatchLoader(examples, batch_size=12))
    assert history["tags_f1"].iloc[-1] == 1
    return model


def test_twelve_pairs_are_learned_by_heart(trained, rows):
    premises, hypotheses = [list(words) for words in rows["tokens"]], list(rows["hypothesis"])
    topics = [atlas.TOPICS[index] for index in rows["topic"]]
    tags = [[atlas.NER_TAGS[index] for index in row] for row in rows["ner_tags"]]
    relations = [atlas.INFERENCE_LABELS[index] for index in rows["label"]]
    assert trained.infer(premises, hypotheses) == relations
    calls, found = encoder_calls(trained, lambda: trained.analyse(premises, hypotheses))
    assert len(calls) == 1
    assert [row.classification for row in found] == topics
    assert [row.tags for row in found] == tags
    assert [row.inference for row in found] == relations
    metrics = trained.evaluate(examples_of(trained, rows))
    assert {metrics[f"{task}_accuracy"] for task in TASKS} == {1.0}
    losses = evaluate_losses(trained, BatchLoader(examples_of(trained, rows), batch_size=5))
    assert max(losses.values()) < 0.1


# Saved in one process, loaded in another.

LOAD = """
import sys, torch
from mtl_utils.models import MultiTaskTransformer
torch.set_num_threads(1)
model = MultiTaskTransformer.load(sys.argv[1])
ids = torch.load(sys.argv[2])
torch.save([*model(ids)], sys.argv[3])
print(model.tag([["Anna", "in", "Paris"]]), model.classify(["Anna"]), model.training)
"""


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_another_process_gives_the_same_logits_to_the_last_bit(trained, rows, tmp_path, dtype):
    model = of_atlas(rows, positions="learned", norm_first=False, activation="gelu").to(dtype)
    if dtype == torch.float64:
        model = trained
    model.eval()
    model.save(tmp_path / "model")
    ids = collate(examples_of(model, rows)).inputs.input_ids
    torch.save(ids, tmp_path / "ids.pt")
    places = [str(tmp_path / name) for name in ("model", "ids.pt", "logits.pt")]
    done = another_process.run(LOAD, *places)
    assert done.returncode == 0, done.stderr
    found = torch.load(tmp_path / "logits.pt")
    for part, expected in zip(found, model(ids), strict=True):
        assert part.dtype == dtype
        assert torch.equal(part, expected)
    said = (model.tag([["Anna", "in", "Paris"]]), model.classify(["Anna"]), False)
    assert done.stdout.split("\n")[0] == " ".join(map(str, said))


def test_models_without_or_with_another_tokenizer_are_saved_too(tmp_path):
    words = WordTokenizer(Vocabulary.from_tokens("abc"), lowercase=True)
    for tokenizer in (None, words):
        model = tiny(tokenizer=tokenizer, tags=["O", "B-X", "I-X", "B-Y", "I-Y"], smoothing=0.1)
        model.save(tmp_path)
        before = torch.random.get_rng_state()
        loaded = MultiTaskTransformer.load(tmp_path)
        assert torch.equal(torch.random.get_rng_state(), before)
        assert loaded.tokenizer == tokenizer
        assert loaded.tasks == model.tasks
        assert loaded.max_length == 40
    assert loaded.tag([["A", "z"]]) == model.tag([["a", "?"]])


def test_a_folder_with_another_model(tmp_path):
    model = tiny()
    model.save(tmp_path)
    path = tmp_path / "model.json"
    digest = json.loads(path.read_text("utf-8"))["digest"]
    content = path.read_text("utf-8").replace(f'"digest": "{digest}",', "")
    content = content.replace("model 2", "model 1")  # which had no digest
    for old, new, message in [
        ("MultiTaskTransformer", "Tagger", "holds a 'Tagger', not a MultiTaskTransformer"),
        (
            '"hidden_size": 8',
            '"hidden_size": 4',
            "holds no usable MultiTaskTransformer.*size mism",
        ),
        ('"hidden_size": 8', '"hidden_size": 10', "declare more than there are weights for"),
        ('"settings"', '"set"', "holds no usable MultiTaskTransformer: 'settings' is missing"),
    ]:
        path.write_text(content.replace(old, new), "utf-8")
        with pytest.raises(ValueError, match=f"(?s){message}"):
            MultiTaskTransformer.load(tmp_path)


# What is refused.


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            ValueError,
            "41 tokens is longer than the 40 positions",
            lambda m: m(torch.ones(1, 41).long()),
        ),
        (
            ValueError,
            "Token id 20 is outside the vocabulary of 20",
            lambda m: m(torch.tensor([[20]])),
        ),
        (ValueError, "Token id -1 is outside", lambda m: m(torch.tensor([[-1]]))),
        (
            ValueError,
            "at least one text of at least one token",
            lambda m: m(torch.ones(0, 4).long()),
        ),
        (TypeError, "Expected integer input_ids", lambda m: m(torch.ones(1, 4))),
        (
            ValueError,
            "Target 4 is not a class",
            lambda m: m(collate([as_example([5], None, classification=4)])),
        ),
        (
            ValueError,
            "Target 3 is not a class",
            lambda m: m(collate([as_example([5], [6], inference=3)])),
        ),
        (
            ValueError,
            "The inputs have no segment ids",
            lambda m: m(collate([as_example([5], None, inference=1)])),
        ),
        (ValueError, "A batch has no rows", lambda m: m(empty())),
        (ValueError, "A batch has no rows", lambda m: m({"tags": empty()})),
        (KeyError, "No task named 'ner'", lambda m: m(collate([as_example([5], None, ner=1)]))),
        (
            KeyError,
            "No task named 'ner'",
            lambda m: m.predict(collate([as_example([5], None)]), ["ner"]),
        ),
        (ValueError, "The model has no tokenizer", lambda m: m.classify(["a"])),
    ],
)
def test_what_cannot_be_read(error, message, call):
    with pytest.raises(error, match=message):
        call(tiny())


def empty():
    batch = collate([as_example([5], None, tags=[0, 0, 0])])
    return Batch(batch.inputs.rows(torch.tensor([]).long()), {"tags": batch.labels["tags"][:0]})


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ("Expected 4 names of classes, got 2", {"classes": ["a", "b"]}),
        ("Expected 5 names of tags, got 1", {"tags": ["O"]}),
        ("none twice", {"classes": ["a", "b", "a", "c"]}),
        (
            "The tokenizer has 30 ids, but vocab_size is 20",
            {"tokenizer": WordTokenizer(Vocabulary.from_tokens("abcdefghijklmnopqrstuvwxyz"))},
        ),
        ("positions must be one of", {"positions": "none"}),
    ],
)
def test_settings_that_are_refused(message, options):
    with pytest.raises(ValueError, match=message):
        tiny(**options)


@pytest.mark.parametrize("sizes", [(0, 5, 20), (4, 0, 20), (4, 5, 0)])
def test_sizes_below_one(sizes):
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        MultiTaskTransformer(*sizes, 8, 1, 2)


def test_texts_are_not_a_single_string():
    with pytest.raises(TypeError, match=r"got the string 'one text'; use \[text\]"):
        MultiTaskTransformer.from_texts("one text", ["a"], ["O"])


def test_an_untrained_model_is_about_as_unsure_as_it_can_be_and_tags_validly(rows):
    model = of_atlas(rows).eval()
    losses = model(collate(examples_of(model, rows))).by_task
    for task, count in zip(TASKS, (6, 11, 3), strict=True):
        assert losses[task].item() == pytest.approx(math.log(count), rel=0.5)
    for tags in model.tag(rows["tokens"]):
        assert sum(s.end - s.start for s in to_spans(tags)) == sum(tag != "O" for tag in tags)


def test_texts_without_any_label_cost_a_training_nothing(rows):
    """With a batch size of 1 half of the batches have no label at all."""
    model = of_atlas(rows)
    labelled = examples_of(model, rows)
    unlabelled = model.examples(rows["tokens"], rows["hypothesis"])
    loader = BatchLoader([*labelled, *unlabelled], batch_size=1)
    known = evaluate_losses(model, BatchLoader(labelled, batch_size=1))
    assert evaluate_losses(model, loader) == pytest.approx(known)
    history = Trainer(model, TrainerConfig(epochs=1), progress=False).fit(loader)
    assert math.isfinite(history["train_loss"].iloc[-1])


def test_validation_data_without_a_label_are_refused(rows):
    model = of_atlas(rows)
    silent = [Example(e.input_ids, {"classification": -100}) for e in examples_of(model, rows)]
    trainer = Trainer(model, TrainerConfig(epochs=1), progress=False)
    with pytest.raises(ValueError, match="No example of the validation data has a label"):
        trainer.fit(
            BatchLoader(examples_of(model, rows), batch_size=6), BatchLoader(silent, batch_size=6)
        )


def test_a_model_in_bfloat16_tags_too(rows):
    model = of_atlas(rows).bfloat16()
    for words, tags in zip(rows["tokens"], model.tag(rows["tokens"]), strict=True):
        assert len(tags) == len(words)
        assert sum(s.end - s.start for s in to_spans(tags)) == sum(tag != "O" for tag in tags)


def test_errors_of_many_texts_say_which(rows):
    model = of_atlas(rows)
    with pytest.raises(ValueError, match="Expected one label a word") as caught:
        model.examples([["Ada"], ["left", "Rome"]], tags=[["O"], ["O"]])
    assert caught.value.__notes__ == ["This was text 1, counted from 0: ['left', 'Rome']"]
    with pytest.raises(ValueError, match="2 texts, but 1 of another"):
        model.examples(["Ada", "left"], classification=[0])
    with pytest.raises(TypeError, match="list of texts as hypotheses, got the string 'cd'"):
        model.examples(["a", "b"], "cd")


def test_what_is_no_example_and_no_loader(rows):
    model = of_atlas(rows)
    with pytest.raises(TypeError, match=r"Expected examples.*got dict {'text': 'a'}"):
        BatchLoader([{"text": "a"}], batch_size=1)
    with pytest.raises(TypeError, match=r"Expected a loader such as BatchLoader.*got list"):
        Trainer(model, TrainerConfig(epochs=1), progress=False).fit(examples_of(model, rows))
