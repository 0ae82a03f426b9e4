"""A Transformer's decoder that tasks share: translation through the encoder, language alone."""

import math

import pytest
import torch

from mtl_utils.data import Batch, Example, Vocabulary, WordTokenizer, collate
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import TransformerDecoder, TransformerEncoder
from mtl_utils.sharing import SharedDecoder
from mtl_utils.tasks import LanguageModeling, Tagging, Translation

WORDS = WordTokenizer(Vocabulary.from_tokens("abcdefg"))
VOCABULARY, WIDTH, LIMIT = WORDS.vocab_size, 8, 5
PAD, BOS, EOS = WORDS.pad_id, WORDS.bos_id, WORDS.eos_id
TASKS = TAGS, WRITTEN, CONTINUED = ("tags", "fr", "lm")
EXACT = {"atol": 1e-9, "rtol": 1e-9}


def share(**options):
    encoder = TransformerEncoder(VOCABULARY, WIDTH, 1, 2, dropout=0.0)
    options = {"dropout": 0.0, "embedding": encoder.embedding, "output": False, **options}
    decoder = TransformerDecoder(VOCABULARY, WIDTH, 2, 2, **options)
    return SharedDecoder(encoder, decoder, bos_id=BOS, written=[WRITTEN], continued=[CONTINUED])


def make(seed=0):
    torch.manual_seed(seed)
    scale = {"scale": "token"}
    tasks = [
        Tagging(TAGS, ("O", "X", "Y"), **scale),
        Translation(WRITTEN, WORDS, smoothing=0.0, max_length=LIMIT, own_decoder=False, **scale),
        LanguageModeling(CONTINUED, VOCABULARY, **scale),
    ]
    return MultiTaskModel(share(), tasks).double().eval()


def some_examples(count=5, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(low, high, size):
        return torch.randint(low, high, (size,), generator=generator).tolist()

    found = []
    for _ in range(count):
        size, longer = draw(2, 6, 2)
        ids = [BOS, *draw(4, VOCABULARY, size), EOS]
        labels = {
            TAGS: [-100, *draw(0, 3, size), -100],
            WRITTEN: [*draw(4, VOCABULARY, longer), EOS],
            CONTINUED: [*ids[1:], -100],
        }
        found.append(Example(ids, labels))
    return found


def scores_by_hand(model, task, state, fed):
    """Feed one token after the other; log-probabilities ``[V]`` after each."""
    head, found = model.head(task), []
    for token in fed:
        hidden, state = model.sharing.decoder.read(torch.tensor([[token]]), state)
        found.append(head.output(hidden)[0, 0].log_softmax(0))
    return found


def test_losses_are_those_of_one_token_after_another():
    model, examples = make(), some_examples()
    losses = model(collate(examples))
    totals = {WRITTEN: [], CONTINUED: []}
    decoder = model.sharing.decoder
    for example in examples:
        inputs = collate([example]).inputs
        target, ids = example.labels[WRITTEN], example.input_ids
        state = decoder.start(model.sharing.encoder(inputs), inputs.mask)
        for task, scores, following in (
            (WRITTEN, scores_by_hand(model, WRITTEN, state, [BOS, *target[:-1]]), target),
            (CONTINUED, scores_by_hand(model, CONTINUED, decoder.start_alone(1), ids), ids[1:]),
        ):
            pairs = zip(scores, following, strict=task == WRITTEN)
            totals[task] += [-score[token] for score, token in pairs]
    for task, numbers in totals.items():
        torch.testing.assert_close(losses.by_task[task], torch.stack(numbers).mean(), **EXACT)
        assert losses.counts[task] == len(numbers)


def test_every_parameter_has_a_gradient_and_a_loss_moves_no_head_of_another():
    model = make()
    losses = model(collate(some_examples()))
    listed = [*model.shared_parameters(), *(p for t in TASKS for p in model.task_parameters(t))]
    assert sorted(map(id, listed)) == sorted(map(id, model.parameters()))
    for task in TASKS:
        model.zero_grad()
        losses.by_task[task].backward(retain_graph=True)
        heads = {
            name.split(".")[1]
            for name, p in model.heads.named_parameters("heads")
            if p.grad is not None
        }
        assert heads == {task}
        moved = [p.grad is not None for p in model.sharing.decoder.layers.parameters()]
        # A language model has no source to attend to.
        assert (all(moved), any(moved)) == (task == WRITTEN, task != TAGS)
    sum(losses.by_task.values()).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_predictions_are_those_of_a_greedy_search_by_hand_whatever_the_padding():
    model, examples = make(1), some_examples(8, seed=1)
    with torch.no_grad():
        for parameter in model.heads[WRITTEN].parameters():
            parameter.mul_(6)  # so that sentences differ and end
        model.heads[WRITTEN].output.bias[EOS] += 1
    found = model.predict(Batch(collate(examples).inputs))
    decoder, output = model.sharing.decoder, model.head(WRITTEN).output
    expected = []
    for example in examples:
        inputs = collate([example]).inputs
        state, written = decoder.start(model.sharing.encoder(inputs), inputs.mask), [BOS]
        while len(written) <= LIMIT:
            hidden, state = decoder(torch.tensor([[written[-1]]]), state)
            scores = output(hidden)[0, 0].detach()
            scores[[PAD, BOS]] = -math.inf
            if int(scores.argmax()) == EOS:
                break
            written.append(int(scores.argmax()))
        expected.append(written[1:])
    assert found[WRITTEN] == expected
    assert len(set(map(tuple, expected))) > 1
    alone = [model.predict(Batch(collate([e]).inputs)) for e in examples]
    for row, numbers in zip(found[CONTINUED], alone, strict=True):
        assert row == pytest.approx(numbers[CONTINUED][0], abs=1e-9)


def test_a_decoder_without_an_output_layer_has_no_weights_of_one():
    decoder = share().decoder
    assert not [name for name, _ in decoder.named_parameters() if name.startswith("output")]
    assert torch.equal(decoder.norm.weight, torch.ones(WIDTH))
    state = decoder.start_alone(1)
    ids = torch.tensor([[BOS, 5]])
    assert torch.equal(decoder(ids, state)[0], decoder.read(ids, state)[0])
    with pytest.raises(ValueError, match=r"has an output layer.*output=False"):
        share(output=True)
