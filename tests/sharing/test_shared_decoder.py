"""A shared encoder and decoder: whose loss moves what, and who sees what.

Tags, a translation and a language model on one BiLSTM and one decoder that have their embeddings in
common; all numbers in double precision.
"""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_utils.data import Batch, Example, Inputs, Vocabulary, WordTokenizer, collate
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import (
    BiLSTMEncoder,
    LSTMEncoder,
    ProjectedEncoder,
    SelfAttentiveDecoder,
    beam_search,
)
from mtl_utils.sharing import HardSharing, SharedDecoder
from mtl_utils.tasks import LanguageModeling, Tagging, Translation

WORDS = WordTokenizer(Vocabulary.from_tokens("abcdefg"))
VOCABULARY, WIDTH, LIMIT = WORDS.vocab_size, 4, 5
PAD, BOS, EOS = WORDS.pad_id, WORDS.bos_id, WORDS.eos_id
TASKS = TAGS, WRITTEN, CONTINUED = ("tags", "fr", "lm")
EXACT = {"atol": 1e-12, "rtol": 1e-12}
LABELS = ("O", "X", "Y")
# For each row the tasks that it has labels for.
labelled = st.lists(st.sets(st.sampled_from(TASKS)), min_size=1, max_size=5)
seeds = st.integers(0, 2**31)


def tasks_of(**settings):
    return [
        Tagging(TAGS, LABELS, scale="token"),
        Translation(
            WRITTEN,
            WORDS,
            max_length=LIMIT,
            scale="token",
            **{"own_decoder": False, **settings},
        ),
        LanguageModeling(CONTINUED, VOCABULARY, per="sequence"),
    ]


def share(encoder=BiLSTMEncoder, dropout=0.0, **settings):
    reader = encoder(VOCABULARY, WIDTH, dropout=dropout)
    decoder = SelfAttentiveDecoder(VOCABULARY, WIDTH, dropout, embedding=reader.embedding)
    settings = {"written": [WRITTEN], "continued": [CONTINUED], **settings}
    encoder = ProjectedEncoder(reader)
    return SharedDecoder(encoder, decoder, bos_id=BOS, pad_id=PAD, **settings)


def make(seed=0, dropout=0.0, tasks=None):
    torch.manual_seed(seed)
    return MultiTaskModel(share(dropout=dropout), tasks or tasks_of()).double()


def spread_out(model):
    """Make the outputs depend on the weights strongly, so that sentences differ and end."""
    bias = model.head(WRITTEN).output.bias
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
        bias[EOS] += 2
        bias[[PAD, BOS]] += 3
    return model


def examples_of(rows, seed=0):
    """Make a random example for each row, with the labels of some tasks."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low, high, size):
        return torch.randint(low, high, (size,), generator=generator).tolist()

    found = []
    for names in rows:
        size, longer = draw(3, 6, 2)
        ids = [BOS, *draw(4, VOCABULARY, size), EOS]
        labels = {
            TAGS: [-100, *draw(0, len(LABELS), size), -100],
            WRITTEN: [*draw(4, VOCABULARY, longer), EOS],
            CONTINUED: [*ids[1:], -100],
        }
        found.append(Example(ids, {name: labels[name] for name in TASKS if name in names}))
    return found


ALL = [set(TASKS)] * 4


def gradient(model, loss):
    """Return the gradient of a scalar by the name of the parameter; zero where there is none."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
    return dict(zip(names, found, strict=True))


def names_of(model, *prefixes):
    return {name for name, _ in model.named_parameters() if name.startswith(prefixes)}


def of_row(batch, row):
    """Return one row without padding and without labels."""
    size = int(batch.inputs.mask[row].sum())
    ids = batch.inputs.input_ids[[row], :size]
    return Inputs(ids, torch.ones_like(ids, dtype=torch.bool))


def log_probabilities(model, task, state, fed):
    """Feed one token after the other; log-probabilities ``[V]`` after each."""
    output, found = model.head(task).output, []
    for token in fed:
        hidden, state = model.sharing.decoder(torch.tensor([[token]]), state)
        found.append((output.weight @ hidden[0, 0] + output.bias).log_softmax(0))
    return found


def loss_by_hand(model, task, batch, row):
    """Return the log-probability of the labels of one row, and how many there are."""
    inputs, labels = of_row(batch, row), batch.labels[task][row].tolist()
    labels = labels[: len(inputs.input_ids[0])] if task != WRITTEN else labels
    counted = [(place, label) for place, label in enumerate(labels) if label != -100]
    sharing = model.sharing
    if not counted:
        return 0.0, 0
    if task == TAGS:
        output = model.head(TAGS).output
        states = sharing.encoder(inputs)[0]
        scores = [(output.weight @ state + output.bias).log_softmax(0) for state in states]
    elif task == CONTINUED:
        state = sharing.decoder.start_alone(1)
        scores = log_probabilities(model, task, state, inputs.input_ids[0].tolist())
    else:
        state = sharing.decoder.start(sharing.encoder(inputs), inputs.mask)
        known = [label for label in labels if label != -100]
        scores = log_probabilities(model, task, state, [BOS, *known[:-1]])
    return sum(scores[place][label] for place, label in counted), len(counted)


@settings(max_examples=10)
@given(labelled.filter(any), seeds)
def test_losses_are_sums_of_log_probabilities_row_by_row(rows, seed):
    """Means over tags and target tokens, and over texts for the language model."""
    model, batch = make(seed).eval(), collate(examples_of(rows, seed))
    losses = model(batch)
    assert losses.penalty.item() == 0
    for task, loss in losses.by_task.items():
        parts = [loss_by_hand(model, task, batch, row) for row in range(len(rows))]
        counts = [count > 0 if task == CONTINUED else count for _, count in parts]
        expected = -sum(total for total, _ in parts) / sum(counts)
        torch.testing.assert_close(loss, expected, **EXACT)
        assert losses.counts[task].item() == sum(counts)


# Whose loss moves what

EMBEDDING, READER = "sharing.encoder.encoder.embedding.", "sharing.encoder."
DECODER = "sharing.decoder."
MOVES = {
    TAGS: (READER, "heads.tags."),
    WRITTEN: (READER, DECODER, "heads.fr."),
    CONTINUED: (EMBEDDING, DECODER, "heads.lm."),
}
WITHOUT_SOURCE = (DECODER + "attention.", DECODER + "bridge.weight")  # nothing to attend to


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("together", [False, True])
def test_a_loss_moves_what_it_reads_and_its_own_head_alone(task, together):
    model, batch = make(), collate(examples_of(ALL))
    losses = model(batch if together else {task: batch})
    found = gradient(model, losses.by_task[task])
    expected = names_of(model, *MOVES[task])
    if task == CONTINUED:
        expected -= names_of(model, *WITHOUT_SOURCE)
    assert {name for name, value in found.items() if value.any()} == expected
    own = {id(parameter) for parameter in model.task_parameters(task)}
    heads = names_of(model, f"heads.{task}.")
    assert own == {id(p) for name, p in model.named_parameters() if name in heads}


def test_every_parameter_is_shared_or_of_one_task_and_shared_embeddings_are_listed_once():
    model = make()
    groups = [model.shared_parameters(), *(model.task_parameters(task) for task in TASKS)]
    listed = [id(parameter) for group in groups for parameter in group]
    assert sorted(listed) == sorted(id(parameter) for parameter in model.parameters())
    sharing = model.sharing
    both = {id(p) for part in (sharing.encoder, sharing.decoder) for p in part.parameters()}
    assert {id(parameter) for parameter in groups[0]} == both
    assert sharing.encoder.encoder.embedding.weight is sharing.decoder.embedding.weight


@pytest.mark.parametrize("task", TASKS)
def test_a_batch_in_which_every_label_is_missing(task):
    model, batch = make(), collate(examples_of(ALL))
    missing = {task: torch.full_like(batch.labels[task], -100)}
    losses = model(Batch(batch.inputs, {**batch.labels, **missing}))
    assert losses.by_task[task].item() == 0
    assert losses.counts[task].item() == 0
    assert not any(value.any() for value in gradient(model, losses.by_task[task]).values())
    others = model(batch)
    for other in set(TASKS) - {task}:
        assert losses.by_task[other].item() == others.by_task[other].item()


@settings(max_examples=15)
@given(labelled.filter(any), seeds)
def test_a_row_without_a_label_changes_nothing(rows, seed):
    """Each task's loss and gradient are those of the rows that have its label, alone."""
    model, examples = make(seed), examples_of(rows, seed)
    losses = model(collate(examples))
    for task in TASKS:
        kept = [example for example in examples if task in example.labels]
        if not kept:
            assert task not in losses.by_task
            continue
        alone = model(collate([Example(e.input_ids, {task: e.labels[task]}) for e in kept]))
        torch.testing.assert_close(losses.by_task[task], alone.by_task[task], **EXACT)
        assert losses.counts[task] == alone.counts[task]
        torch.testing.assert_close(
            gradient(model, losses.by_task[task]), gradient(model, alone.by_task[task]), **EXACT
        )


# Who sees what


@pytest.mark.parametrize("position", range(1, 6))
def test_the_language_model_does_not_see_later_tokens_and_the_others_do(position):
    """Labels up to a position; the input changes from there on, which tells the answer itself."""
    model = make()
    ids = torch.randint(4, VOCABULARY, (3, 6), generator=torch.Generator().manual_seed(0))
    changed = ids.clone()
    changed[:, position:] = 4 + (ids[:, position:] - 3) % (VOCABULARY - 4)
    assert (changed[:, position:] != ids[:, position:]).all()
    following = ids.roll(-1, dims=1)
    following[:, position:] = -100
    labels = {CONTINUED: following, TAGS: (ids % 3).where(following != -100, -100)}
    labels[WRITTEN] = following
    mask = torch.ones_like(ids, dtype=torch.bool)
    before, after = (model(Batch(Inputs(read, mask), labels)).by_task for read in (ids, changed))
    assert before[CONTINUED].item() == after[CONTINUED].item()
    assert before[TAGS].item() != after[TAGS].item()
    assert before[WRITTEN].item() != after[WRITTEN].item()
    earlier = changed.clone()
    earlier[:, 0] = 4 + (ids[:, 0] - 3) % (VOCABULARY - 4)
    assert model(Batch(Inputs(earlier, mask), labels)).by_task[CONTINUED] != after[CONTINUED]


def test_a_written_text_is_not_seen_before_its_turn():
    model, batch = make(), collate(examples_of(ALL))
    expected = model.sharing(batch, [WRITTEN]).hidden[WRITTEN]
    for position in range(expected.shape[1]):
        labels = batch.labels[WRITTEN].clone()
        labels[:, position] = 4 + (labels[:, position] + 1) % (VOCABULARY - 4)
        found = model.sharing(Batch(batch.inputs, {WRITTEN: labels}), [WRITTEN]).hidden[WRITTEN]
        assert torch.equal(found[:, : position + 1], expected[:, : position + 1])
        assert (found[:, position + 1 :] != expected[:, position + 1 :]).any(-1).all()


def test_what_the_model_says_of_its_states():
    sharing, one_way = share(), share(LSTMEncoder)
    assert [sharing.causal(task) for task in TASKS] == [False, False, True]
    assert [one_way.causal(task) for task in TASKS] == [True, False, True]
    assert [sharing.decodes(task) for task in TASKS] == [False, True, False]
    assert sharing.width == WIDTH


# Padding and the order of rows


def longer(batch, extra, filler):
    """Add columns of padding to inputs and labels, and write something into all padding."""
    ids, mask = batch.inputs.input_ids, batch.inputs.mask
    more = torch.zeros(len(batch), extra, dtype=torch.bool)
    ids = torch.cat([ids.masked_fill(~mask, filler), more + filler], dim=1)
    missing = torch.full((len(batch), extra), -100)
    labels = {task: torch.cat([value, missing], dim=1) for task, value in batch.labels.items()}
    return Batch(Inputs(ids, torch.cat([mask, more], dim=1)), labels)


def assert_same(found, expected):
    """Compare predictions: ids exactly, the numbers of the language model closely."""
    assert list(found) == list(expected)
    for task in found:
        if task != CONTINUED:
            assert found[task] == expected[task]
            continue
        for row, numbers in zip(found[task], expected[task], strict=True):
            assert row == pytest.approx(numbers, abs=1e-12)


@settings(max_examples=10)
@given(labelled.filter(any), seeds, st.integers(1, 3), st.integers(0, VOCABULARY - 1), st.randoms())
def test_neither_padding_nor_the_order_of_rows_changes_anything(rows, seed, extra, filler, random):
    model, batch = spread_out(make(seed)), collate(examples_of(rows, seed))
    order = list(range(len(rows)))
    random.shuffle(order)
    changed = longer(batch, extra, filler)
    labels = {task: value[order] for task, value in changed.labels.items()}
    changed = Batch(changed.inputs.rows(torch.tensor(order)), labels)
    losses, found = model(batch), model(changed)
    torch.testing.assert_close(found.by_task, losses.by_task, **EXACT)
    torch.testing.assert_close(found.counts, losses.counts)
    for task, loss in losses.by_task.items():
        expected = gradient(model, loss)
        torch.testing.assert_close(gradient(model, found.by_task[task]), expected, **EXACT)
    predicted = {task: [row[i] for i in order] for task, row in model.predict(batch).items()}
    assert_same(model.predict(changed), predicted)


# Predictions


@torch.no_grad()
def greedy_by_hand(model, inputs):
    decoder, output = model.sharing.decoder, model.head(WRITTEN).output
    state, written = decoder.start(model.sharing.encoder(inputs), inputs.mask), [BOS]
    while len(written) <= LIMIT:
        hidden, state = decoder(torch.tensor([[written[-1]]]), state)
        scores = output.weight @ hidden[0, 0] + output.bias
        scores[[PAD, BOS]] = -math.inf
        if int(scores.argmax()) == EOS:
            break
        written.append(int(scores.argmax()))
    return written[1:]


def test_predictions_without_labels_by_hand():
    lengths = set()
    for seed in range(5):
        model, batch = spread_out(make(seed)), collate(examples_of(ALL, seed))
        found = model.predict(Batch(batch.inputs))
        assert list(found) == list(TASKS)
        for row in range(len(batch)):
            inputs = of_row(batch, row)
            ids = inputs.input_ids[0].tolist()
            assert found[WRITTEN][row] == greedy_by_hand(model, inputs)
            state = model.sharing.decoder.start_alone(1)
            scores = log_probabilities(model, CONTINUED, state, ids[:-1])
            numbers = [float(s[i].detach()) for s, i in zip(scores, ids[1:], strict=True)]
            assert found[CONTINUED][row] == pytest.approx(numbers, abs=1e-12)
            output = model.head(TAGS).output
            tags = (model.sharing.encoder(inputs)[0] @ output.weight.T + output.bias).argmax(1)
            assert found[TAGS][row] == tags.tolist()
        lengths |= set(map(len, found[WRITTEN]))
        assert model.predict(batch) == found
        for task in TASKS:
            assert model.predict(batch, [task]) == {task: found[task]}
    assert len(lengths) > 2  # some end soon, some never


def test_predictions_are_without_dropout():
    model, batch = make(dropout=0.5), collate(examples_of(ALL))
    found = model.predict(batch)
    assert all(module.training for module in model.modules())
    model.eval()
    assert model.predict(batch) == found


def test_a_beam_is_searched_where_the_task_or_the_caller_asks():
    beam = {"beam_size": 3, "length_penalty": 0.5}
    model = spread_out(make(1, tasks=tasks_of(**beam))).eval()
    sharing, head = model.sharing, model.head(WRITTEN)
    batch = collate(examples_of(ALL, 1))
    expected = []

    def step(input_ids, state):
        hidden, state = sharing.decoder(input_ids, state)
        return head.output(hidden), state

    for row in range(len(batch)):
        inputs = of_row(batch, row)
        start = sharing.decoder.start(sharing.encoder(inputs), inputs.mask)
        limits = {"eos_id": EOS, "max_length": LIMIT, "forbidden_ids": (PAD, BOS), **beam}
        expected += beam_search(step, start, torch.tensor([BOS]), **limits)
    found = sharing.write(head, sharing.encoder(batch.inputs), batch.inputs.mask)
    assert [[h.ids for h in row] for row in found] == [[h.ids for h in row] for row in expected]
    for row, hypotheses in zip(found, expected, strict=True):
        assert [h.score for h in row] == pytest.approx([h.score for h in hypotheses], abs=1e-12)
    assert model.predict(batch)[WRITTEN] == [list(row[0].ids) for row in expected]

    memory = sharing.encoder(batch.inputs)
    greedy = sharing.write(head, memory, batch.inputs.mask, beam_size=1, max_length=2)
    by_hand = [greedy_by_hand(model, of_row(batch, row))[:2] for row in range(len(batch))]
    assert [list(row[0].ids) for row in greedy] == by_hand
    assert by_hand != [list(row[0].ids)[:2] for row in expected]


# How often the encoder runs


def encoder_calls(model, run):
    calls = []
    handle = model.sharing.encoder.register_forward_hook(lambda *call: calls.append(call[2]))
    made = run(model)
    handle.remove()
    return calls, made


def test_the_encoder_runs_once_a_batch_and_not_for_a_language_model_alone():
    model = make()
    batch, twin = collate(examples_of(ALL)), collate(examples_of(ALL))
    alone = Batch(batch.inputs, {CONTINUED: batch.labels[CONTINUED]})
    expected = model(batch)
    for batches, passes in [
        (batch, 1),
        (dict.fromkeys(TASKS, batch), 1),
        ({TAGS: batch, WRITTEN: twin, CONTINUED: batch}, 2),
        ({TAGS: batch, CONTINUED: twin}, 1),
        ({CONTINUED: batch}, 0),
        (alone, 0),
    ]:
        calls, losses = encoder_calls(model, lambda model, batches=batches: model(batches))
        assert len(calls) == passes
        for task, loss in losses.by_task.items():
            torch.testing.assert_close(loss, expected.by_task[task], **EXACT)
        # The shared representation of the batch, where there is one batch and it is read.
        one = len({id(b) for b in batches.values()} if isinstance(batches, dict) else [0]) == 1
        assert losses.features is (calls[0] if one and calls else None)
    for tasks, passes in (TASKS, 1), ([WRITTEN, TAGS], 1), ([CONTINUED], 0):
        calls, _ = encoder_calls(model, lambda model, tasks=tasks: model.predict(batch, tasks))
        assert len(calls) == passes


# What is refused


def test_encoder_and_decoder_need_the_same_width():
    encoder, decoder = LSTMEncoder(VOCABULARY, 6), SelfAttentiveDecoder(VOCABULARY, WIDTH)
    with pytest.raises(ValueError, match="states have size 6, the decoder's 4; make them equal"):
        SharedDecoder(encoder, decoder, bos_id=BOS)


@pytest.mark.parametrize("name", ["written", "continued"])
def test_a_string_is_no_list_of_tasks(name):
    with pytest.raises(TypeError, match=f"as {name}, got the string 'fr'"):
        share(**{name: "fr"})


def test_a_task_is_not_written_and_continued():
    with pytest.raises(ValueError, match=r"written or continued; both have \['b', 'c'\]"):
        share(written=["c", "a", "b"], continued=["b", "c", "d"])


NO_DECODER = "'fr' is an output layer over a decoder, and the way of sharing has no decoder for it"


@pytest.mark.parametrize(
    ("sharing", "task", "message"),
    [
        (
            lambda: HardSharing(BiLSTMEncoder(VOCABULARY, WIDTH)),
            Translation(WRITTEN, WORDS, own_decoder=False),
            NO_DECODER,
        ),
        (
            lambda: share(written=["de"]),
            Translation(WRITTEN, WORDS, own_decoder=False),
            NO_DECODER,
        ),
        (
            lambda: share(),
            Translation(WRITTEN, WORDS),
            "'fr' is made to read the encoder, and the way of sharing gives it the states of a dec",
        ),
        (
            lambda: share(written=[TAGS]),
            Tagging(TAGS, LABELS),
            "'tags' is made to read the encoder, and the way of sharing gives it the states of a d",
        ),
        (
            lambda: share(continued=[]),
            LanguageModeling(CONTINUED, VOCABULARY),
            "'lm' predicts the next token.*both directions",
        ),
    ],
)
def test_a_task_that_is_not_given_the_states_it_needs(sharing, task, message):
    with pytest.raises(ValueError, match=message):
        MultiTaskModel(sharing(), [task])


def test_a_translation_may_have_a_decoder_of_its_own_beside_the_shared_one():
    torch.manual_seed(0)
    own, shared = Translation("de", WORDS, dropout=0.0, max_length=LIMIT), tasks_of()[1]
    model = MultiTaskModel(share(), [own, shared]).double()
    batch = collate([Example(e.input_ids, {"de": e.labels[WRITTEN]}) for e in examples_of(ALL)])
    found = gradient(model, model(batch).by_task["de"])
    assert {n for n, v in found.items() if v.any()} == names_of(model, READER, "heads.de.")
    with torch.no_grad():
        expected = model.head("de").predict(model.sharing.encoder(batch.inputs), batch)
    assert model.predict(Batch(batch.inputs), ["de"]) == {"de": expected}


def test_a_language_model_may_read_an_encoder_that_is_causal():
    torch.manual_seed(0)
    task = LanguageModeling(CONTINUED, VOCABULARY)
    model = MultiTaskModel(share(LSTMEncoder, continued=[]), [task]).double()
    loss = model(collate(examples_of([{CONTINUED}] * 2))).by_task[CONTINUED]
    found = gradient(model, loss)
    assert {n for n, v in found.items() if v.any()} == names_of(model, READER, "heads.lm.")
