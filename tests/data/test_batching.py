import math
from collections import Counter
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtl_utils import corpora
from mtl_utils.data import (
    MISSING_LABEL,
    BatchLoader,
    BytePairTokenizer,
    Example,
    collate,
    endless,
)

CLASSES = st.integers(0, 9)


@st.composite
def examples_of_tasks(draw, smallest=0, tasks=("topic", "tags", "fr")):
    """An example with some of three kinds of labels: a class, a tag a token, a translation."""
    size = draw(st.integers(smallest, 7))
    ids = draw(st.lists(st.integers(4, 99), min_size=size, max_size=size))
    labels = {}
    if "topic" in tasks and draw(st.booleans()):
        labels["topic"] = draw(CLASSES)
    if "tags" in tasks and draw(st.booleans()):
        labels["tags"] = draw(st.lists(CLASSES, min_size=size, max_size=size))
    if "fr" in tasks and draw(st.booleans()):
        labels["fr"] = draw(st.lists(CLASSES, max_size=9))
    return Example(ids, labels)


many = st.lists(examples_of_tasks(), min_size=1, max_size=20)
limits = st.one_of(
    st.fixed_dictionaries({"max_tokens": st.integers(1, 80)}),
    st.fixed_dictionaries({"batch_size": st.integers(1, 7)}),
)


def pairs_of(lengths):
    """Examples whose ids and labels say which example they are from."""
    return [
        Example([index + 1] * inputs, {"fr": [index] * labels})
        for index, (inputs, labels) in enumerate(lengths)
    ]


def random_pairs(count, seed=0):
    generator = np.random.default_rng(seed)
    return pairs_of(generator.integers(1, 30, (count, 2)).tolist())


def same(left, right):
    """Whether two batches are equal to the last number."""
    assert left.labels.keys() == right.labels.keys()
    tensors = [(left.labels[task], right.labels[task]) for task in left.labels]
    for name in ("input_ids", "mask", "segment_ids", "character_ids"):
        tensors.append((getattr(left.inputs, name), getattr(right.inputs, name)))
    return all(a is b is None or torch.equal(a, b) for a, b in tensors)


# One example.


def test_length_counts_what_can_be_padded():
    assert Example([1, 2, 3]).length == (3, 0)
    assert Example([1, 2], {"topic": 5}).length == (2, 0)
    assert Example([], {"tags": [], "fr": [1, 2, 3], "de": (1,)}).length == (0, 3)
    assert Example(torch.tensor([1, 2]), {"fr": np.array([1]), "y": torch.tensor(3)}).length == (
        2,
        1,
    )


def test_segments_are_one_a_token():
    with pytest.raises(ValueError, match="got 1 for 2"):
        Example([5, 6], segment_ids=[0])


# Collating.


def test_a_batch_worked_by_hand():
    batch = collate(
        [
            Example([5, 6, 7], {"topic": 2, "tags": [0, 1, 2], "fr": [8, 9, 8, 3]}),
            Example([5], {"tags": [1]}),
            Example([6, 6], {"topic": 0, "fr": [3]}),
        ],
        pad_id=9,
    )
    assert batch.inputs.input_ids.tolist() == [[5, 6, 7], [5, 9, 9], [6, 6, 9]]
    assert batch.inputs.mask.tolist() == [[True] * 3, [True, False, False], [True, True, False]]
    assert batch.inputs.segment_ids is None
    assert list(batch.labels) == ["topic", "tags", "fr"]
    assert batch.labels["topic"].tolist() == [2, -100, 0]
    assert batch.labels["tags"].tolist() == [[0, 1, 2], [1, -100, -100], [-100] * 3]
    assert batch.labels["fr"].tolist() == [[8, 9, 8, 3], [-100] * 4, [3, -100, -100, -100]]
    tensors = (batch.inputs.input_ids, *batch.labels.values())
    assert {tensor.dtype for tensor in tensors} == {torch.int64}


def test_tags_reach_as_far_as_the_longest_text_even_if_it_has_none():
    batch = collate([Example([5, 6], {"tags": [1, 2], "fr": [3]}), Example([5, 6, 7, 8])])
    assert batch.labels["tags"].tolist() == [[1, 2, -100, -100], [-100] * 4]
    assert batch.labels["fr"].tolist() == [[3], [-100]]


def test_texts_that_are_all_empty_make_one_column_without_tokens():
    batch = collate([Example([], {"tags": []}), Example([], {"topic": 3, "fr": []})], pad_id=4)
    assert batch.inputs.input_ids.tolist() == [[4], [4]]
    assert batch.inputs.mask.tolist() == [[False], [False]]
    assert batch.labels["tags"].tolist() == batch.labels["fr"].tolist() == [[-100], [-100]]
    assert batch.labels["topic"].tolist() == [-100, 3]


def test_a_single_text_among_pairs_is_the_first_segment():
    batch = collate([Example([5, 6, 7], segment_ids=[0, 1, 1]), Example([8])])
    assert batch.inputs.segment_ids.tolist() == [[0, 1, 1], [0, 0, 0]]


def test_arrays_and_tensors_are_as_good_as_lists():
    lists = [Example([5, 6], {"y": 1, "fr": [3]}), Example([7], {"y": 0, "fr": [2, 1]})]
    others = [
        Example(np.array([5, 6], np.int16), {"y": np.int32(1), "fr": torch.tensor([3])}),
        Example(torch.tensor([7]), {"y": torch.tensor(0), "fr": (2, 1)}),
    ]
    assert same(collate(lists), collate(others))


def test_characters_worked_by_hand():
    batch = collate(
        [
            Example([5, 6, 7], {"tags": [0, 1, 2]}, character_ids=[[1, 2], [3, 4, 5], []]),
            Example([8, 9]),
            Example([9], character_ids=[[6]]),
        ],
        pad_id=4,
    )
    assert batch.inputs.character_ids.tolist() == [
        [[1, 2, 0], [3, 4, 5], [0, 0, 0]],
        [[0, 0, 0]] * 3,
        [[6, 0, 0], [0, 0, 0], [0, 0, 0]],
    ]
    assert batch.inputs.character_ids.dtype == torch.int64
    assert collate([Example([5])]).inputs.character_ids is None
    assert collate([Example([], character_ids=[])]).inputs.character_ids.tolist() == [[[0]]]
    assert collate([Example([5], character_ids=[[]])]).inputs.character_ids.tolist() == [[[0]]]


words = st.lists(st.lists(st.integers(1, 99), max_size=5), max_size=4)


@given(st.lists(st.none() | words, min_size=1, max_size=5))
def test_characters_are_recovered_from_a_batch(rows):
    examples = [Example([1] * len(row or []), character_ids=row) for row in rows]
    characters = collate(examples).inputs.character_ids
    if all(row is None for row in rows):
        assert characters is None
        return
    for row, expected in zip(characters.tolist(), rows, strict=True):
        found = [[character for character in token if character] for token in row]
        assert found == (expected or []) + [[]] * (len(row) - len(expected or []))
        assert all(0 not in token[: len(f)] for token, f in zip(row, found, strict=True))
    longest = max((len(token) for row in rows for token in row or []), default=0)
    assert characters.shape[2] == max(1, longest)


def test_arrays_of_characters():
    lists = Example([5, 6], character_ids=[[1, 2], [3]])
    arrays = Example([5, 6], character_ids=np.array([[1, 2], [3, 0]]))
    tensors = Example([5, 6], character_ids=[torch.tensor([1, 2]), np.array([3], np.int16)])
    assert same(collate([lists]), collate([arrays]))
    assert same(collate([lists]), collate([tensors]))


def test_characters_are_one_sequence_a_token():
    with pytest.raises(ValueError, match="one list of characters an input id, got 1 for 2"):
        Example([5, 6], character_ids=[[1]])


def test_a_batch_does_not_share_memory_with_its_examples():
    ids = np.array([5, 6])
    collate([Example(ids, {"fr": ids})]).inputs.input_ids.zero_()
    assert ids.tolist() == [5, 6]


@given(many)
def test_the_mask_recovers_what_was_collated(examples):
    batch = collate(examples)
    inputs = batch.inputs
    assert inputs.input_ids.shape[1] == max(1, *(len(example.input_ids) for example in examples))
    assert set(batch.labels) == {task for example in examples for task in example.labels}
    for row, example in enumerate(examples):
        assert inputs.input_ids[row][inputs.mask[row]].tolist() == example.input_ids
        assert not inputs.input_ids[row][~inputs.mask[row]].any()
        for task, labels in batch.labels.items():
            given = example.labels.get(task, [])
            expected = given if isinstance(given, list) else [given]
            found = labels[row].reshape(-1)
            assert found[found != MISSING_LABEL].tolist() == expected
            assert found[: len(expected)].tolist() == expected
    if "tags" in batch.labels:
        assert batch.labels["tags"].shape == inputs.input_ids.shape


@pytest.mark.parametrize(
    ("error", "message", "examples"),
    [
        (ValueError, "examples of a batch, at least one, got none", []),
        (
            ValueError,
            r"labels of 'y' are integers in some examples \(3\) and sequences in others \(\[4\]\)",
            [Example([1], {"y": [4]}), Example([1], {"y": 3})],
        ),
        (TypeError, r"integer input_ids, got float 1\.5", [Example([2, 1.5])]),
        (TypeError, r"integer input_ids, got float 1\.0", [Example(torch.ones(2))]),
        (TypeError, "integer input_ids, got str 'a'", [Example(["a"])]),
        (TypeError, "integer input_ids, got bool True", [Example([True])]),
        (TypeError, "integer input_ids, got NoneType None", [Example([1, None])]),
        (TypeError, r"flat sequence of integers, got \[\[1\], \[2\]\]", [Example([[1], [2]])]),
        (
            TypeError,
            r"flat sequence of integers, got \[\[1\], \[2, 3\]\]",
            [Example([[1], [2, 3]])],
        ),
        (ValueError, "hold 9223372036854775808, which does not fit into int64", [Example([2**63])]),
        (ValueError, "hold 9223372036854775808, which", [Example([1, 2**63])]),
        (ValueError, "hold -1000000000000000000000", [Example([-(10**21)])]),
        (ValueError, "labels of 'y' hold 1000", [Example([1], {"y": 10**30})]),
        (TypeError, "labels of 'y', got str 'sport'", [Example([1], {"y": "sport"})]),
        (TypeError, r"labels of 'y', got float 0\.5", [Example([1], {"y": [0.5, 1]})]),
        (TypeError, "integer segment_ids, got float", [Example([1], segment_ids=[0.0])]),
        (TypeError, "integer character_ids, got str 'b'", [Example([1], character_ids=[["b"]])]),
        (TypeError, "a sequence for each token, got 'b'", [Example([1], character_ids=["b"])]),
        (TypeError, "a sequence for each token, got 3", [Example([1], character_ids=[3])]),
        (TypeError, "integer character_ids, got float", [Example([1], character_ids=[[1.5]])]),
    ],
)
def test_errors_of_collate(error, message, examples):
    with pytest.raises(error, match=message):
        collate(examples)


def test_the_largest_numbers_fit():
    limits = [-(2**63), 2**63 - 1]
    assert collate([Example([5], {"y": limits})]).labels["y"].tolist() == [limits]
    assert collate([Example(np.array([7], np.uint64))]).inputs.input_ids.tolist() == [[7]]


# Planning.


@given(many, limits, st.booleans(), st.integers(0, 3), st.integers(-5, 2**40))
def test_every_example_comes_exactly_once_an_epoch(examples, limit, shuffle, epoch, seed):
    loader = BatchLoader(examples, **limit, shuffle=shuffle, seed=seed)
    plan = loader.plan(epoch)
    assert sorted(index for batch in plan for index in batch) == list(range(len(examples)))
    assert all(plan)
    assert len(plan) == loader.num_batches == len(loader) == len(loader.plan(epoch + 1))
    if not shuffle:
        assert [index for batch in plan for index in batch] == list(range(len(examples)))


@given(many, st.integers(1, 80), st.booleans(), st.integers(0, 3))
def test_the_budget_counts_padding(examples, max_tokens, shuffle, epoch):
    for batch in BatchLoader(examples, max_tokens=max_tokens, shuffle=shuffle).batches(epoch):
        sequences = [labels.shape[1] for labels in batch.labels.values() if labels.dim() == 2]
        positions = batch.inputs.input_ids.numel() + len(batch) * max(sequences, default=0)
        assert positions <= max_tokens or len(batch) == 1


def test_batches_are_as_large_as_the_budget_allows():
    examples = pairs_of([(2, 3)] * 7)
    for max_tokens, sizes in ((10, [2, 2, 2, 1]), (14, [2, 2, 2, 1]), (15, [3, 3, 1]), (99, [7])):
        plan = BatchLoader(examples, max_tokens=max_tokens, shuffle=False).plan()
        assert [len(batch) for batch in plan] == sizes
    # The longest input and the longest labels may be of two examples: (4 + 4) * 2 positions.
    two = pairs_of([(4, 1), (1, 4)])
    assert BatchLoader(two, max_tokens=15, shuffle=False).plan() == [[0], [1]]
    assert BatchLoader(two, max_tokens=16, shuffle=False).plan() == [[0, 1]]


def test_labels_that_are_no_tokens_take_no_room():
    """As where each text has a 0 or 1 for each of 40 labels."""
    kinds = [Example([5] * 3, {"kinds": [0] * 40, "tags": [1] * 3}) for _ in range(8)]
    for tasks, sizes in (((), [1] * 8), (("kinds",), [4, 4])):
        loader = BatchLoader(kinds, max_tokens=24, shuffle=False, uncounted=tasks)
        assert [len(batch) for batch in loader.plan()] == sizes
    alone = [Example([5] * 3, {"kinds": [0] * 40}) for _ in range(8)]
    loader = BatchLoader(alone, max_tokens=24, shuffle=False, uncounted=["kinds"])
    assert loader.plan() == [list(range(8))]
    assert loader.digest()["uncounted"] == "['kinds']"
    by_rows = [BatchLoader(kinds, batch_size=3, uncounted=t) for t in ((), ("kinds",))]
    assert by_rows[0].plan(1) == by_rows[1].plan(1)
    assert by_rows[0].digest() == by_rows[1].digest()


def test_an_example_beyond_the_budget_is_a_batch_of_its_own():
    examples = pairs_of([(1, 1), (50, 50), (1, 1)])
    assert BatchLoader(examples, max_tokens=8, shuffle=False).plan() == [[0], [1], [2]]
    shuffled = BatchLoader(examples, max_tokens=8).plan()
    assert sorted(map(sorted, shuffled)) == [[0, 2], [1]]


@given(st.lists(st.integers(0, 9), min_size=1), st.integers(1, 7))
def test_batches_of_a_number_of_rows_are_full_but_one(lengths, batch_size):
    examples = [Example([1] * length) for length in lengths]
    sizes = [len(b) for b in BatchLoader(examples, batch_size=batch_size).plan(2)]
    full, rest = divmod(len(lengths), batch_size)
    assert Counter(sizes) == Counter([batch_size] * full + [rest] * bool(rest))
    in_order = BatchLoader(examples, batch_size=batch_size, shuffle=False).plan()
    assert in_order == [
        list(range(start, min(start + batch_size, len(lengths))))
        for start in range(0, len(lengths), batch_size)
    ]


@pytest.mark.parametrize("limit", [{"max_tokens": 300}, {"batch_size": 16}])
def test_batches_hold_examples_of_similar_length(limit):
    examples = [Example([1] * size) for size in np.random.default_rng(0).integers(1, 99, 400)]
    plan = BatchLoader(examples, **limit).plan()
    ranges = sorted(
        (min(sizes), max(sizes)) for sizes in ([examples[i].length[0] for i in b] for b in plan)
    )
    assert all(end <= start for (_, end), (start, _) in pairwise(ranges))
    means = [np.mean([examples[i].length[0] for i in batch]) for batch in plan]
    assert means != sorted(means)


def test_the_plan_depends_on_seed_and_epoch_alone():
    examples = random_pairs(300)
    loader = BatchLoader(examples, max_tokens=200, seed=3)
    plans = [loader.plan(epoch) for epoch in (0, 1, 2)]
    torch.manual_seed(99)
    np.random.seed(99)
    assert plans[::-1] == [loader.plan(epoch) for epoch in (2, 1, 0)]
    state = torch.get_rng_state()
    assert BatchLoader(examples, max_tokens=200, seed=3).plan(1) == plans[1]
    assert torch.equal(torch.get_rng_state(), state)
    assert plans[0] != plans[1] != plans[2]


def test_no_two_seeds_and_epochs_share_a_plan():
    examples = random_pairs(100)
    plans = {
        str(BatchLoader(examples, batch_size=9, seed=seed).plan(epoch))
        for seed in (-1, 0, 1, 2**32, 2**32 + 1)
        for epoch in range(5)
    }
    assert len(plans) == 25


def test_equals_meet_others_in_every_epoch():
    examples = [Example([index]) for index in range(100)]
    loader = BatchLoader(examples, batch_size=10)
    mates = [{frozenset(batch) for batch in loader.plan(epoch)} for epoch in range(5)]
    assert len(set.union(*mates)) == 50


# Loading.


@given(many, limits, st.booleans(), st.integers(0, 2))
def test_batches_are_those_of_the_plan(examples, limit, shuffle, epoch):
    loader = BatchLoader(examples, **limit, shuffle=shuffle, pad_id=3)
    for indices, batch in zip(loader.plan(epoch), loader.batches(epoch), strict=True):
        expected = collate([examples[index] for index in indices], pad_id=3)
        assert torch.equal(batch.inputs.input_ids, expected.inputs.input_ids)
        known = {task for example in examples for task in example.labels}
        assert batch.labels.keys() == (expected.labels.keys() or known)
        for row, index in enumerate(indices):
            for task, labels in examples[index].labels.items():
                found = batch.labels[task][row].reshape(-1)
                assert found[found != MISSING_LABEL].tolist() == np.ravel(labels).tolist()


def test_iterating_is_the_first_epoch():
    loader = BatchLoader(random_pairs(50), max_tokens=200)
    assert len(list(loader)) == len(loader)
    assert all(same(a, b) for a, b in zip(loader, loader.batches(0), strict=True))


@given(count=st.integers(1, 7), start=st.integers(0, 3), steps=st.integers(0, 20))
def test_endless_batches_are_those_of_one_epoch_after_another(count, start, steps):
    loader = BatchLoader([Example([4 + n]) for n in range(count)], batch_size=2, seed=3)
    epochs = [batch for epoch in range(start, start + 21) for batch in loader.batches(epoch)]
    found = list(islice(endless(loader, start), steps))
    assert [batch.inputs.input_ids.tolist() for batch in found] == [
        batch.inputs.input_ids.tolist() for batch in epochs[:steps]
    ]


def test_endless_reading_ends_where_an_epoch_breaks_its_promise():
    class Drying:
        num_batches = 2

        def batches(self, epoch):
            return iter(BatchLoader([Example([4])] * (2 - epoch), batch_size=1))

    stream = endless(Drying())
    assert len(list(islice(stream, 3))) == 3
    with pytest.raises(ValueError, match=r"Epoch 1 of the data must have 2 batches.* had 1"):
        next(stream)

    class Empty(Drying):
        num_batches = 0

    with pytest.raises(ValueError, match="loader must have at least one batch, got 0"):
        endless(Empty())


def test_one_token_a_label_is_known_from_the_whole_data_set():
    # The only translation of its batch is as long as its text by chance, and stays as it is.
    chance = Example([5, 6], {"fr": [1, 2]})
    longer = [Example([5, 6, 7]), Example([5], {"fr": [1, 2, 3, 4]})]
    batch = next(BatchLoader([chance, *longer], batch_size=2, shuffle=False).batches())
    assert batch.labels["fr"].tolist() == [[1, 2], [-100, -100]]
    tagged = [Example([5, 6], {"tags": [1, 2]}), Example([5, 6, 7])]
    (batch,) = BatchLoader(tagged, batch_size=2, shuffle=False)
    assert batch.labels["tags"].tolist() == [[1, 2, -100], [-100] * 3]


@given(st.integers(1, 40), st.integers(0, 3), st.data())
def test_resuming_gives_the_batches_that_were_left(count, epoch, data):
    loader = BatchLoader(random_pairs(count), max_tokens=150)
    start = data.draw(st.integers(0, loader.num_batches))
    rest = list(loader.batches(epoch, start))
    expected = list(loader.batches(epoch))[start:]
    assert all(same(a, b) for a, b in zip(rest, expected, strict=True))


@given(many, limits, st.integers(1, 5), st.integers(0, 2))
def test_processes_share_the_rows_of_every_batch(examples, limit, world_size, epoch):
    loader = BatchLoader(examples, **limit)
    shards = [loader.batches(epoch, 0, rank, world_size) for rank in range(world_size)]
    for whole, *parts in zip(loader.batches(epoch), *shards, strict=True):
        rows = range(len(whole))
        for rank, part in enumerate(parts):
            assert part.labels.keys() == whole.labels.keys()
            mine = list(rows[rank::world_size])
            if mine:
                assert torch.equal(part.inputs.input_ids, whole.inputs.input_ids[mine])
                assert torch.equal(part.inputs.mask, whole.inputs.mask[mine])
                assert all(torch.equal(part.labels[t], whole.labels[t][mine]) for t in part.labels)
                continue
            assert torch.equal(part.inputs.input_ids, whole.inputs.input_ids[:1])
            for task, labels in part.labels.items():
                assert labels.shape == whole.labels[task][:1].shape
                assert (labels == MISSING_LABEL).all()


def test_every_label_counts_in_one_process_only():
    examples = [Example([index + 4], {"topic": index}) for index in range(10)]
    loader = BatchLoader(examples, batch_size=3)
    counted = Counter(
        label
        for rank in range(4)
        for batch in loader.batches(1, 0, rank, 4)
        for label in batch.labels["topic"].tolist()
    )
    # 3 batches of 3 leave one of 4 processes without a row, the batch of 1 leaves three.
    assert counted == {**dict.fromkeys(range(10), 1), MISSING_LABEL: 6}


def test_segments_go_to_the_processes_too():
    examples = [Example([5, 6], segment_ids=[0, 1]), Example([7])]
    loader = BatchLoader(examples, batch_size=2, shuffle=False)
    segments = [next(loader.batches(0, 0, rank, 3)).inputs.segment_ids for rank in range(3)]
    assert [part.tolist() for part in segments] == [[[0, 1]], [[0, 0]], [[0, 1]]]


def test_characters_go_to_the_processes_too():
    examples = [Example([5, 6], character_ids=[[1], [2, 3]]), Example([7])]
    loader = BatchLoader(examples, batch_size=2, shuffle=False)
    parts = [next(loader.batches(0, 0, rank, 3)).inputs.character_ids for rank in range(3)]
    first, second = [[1, 0], [2, 3]], [[0, 0], [0, 0]]
    assert [part.tolist() for part in parts] == [[first], [second], [first]]


# Padding.


@given(many, limits)
def test_the_padding_share_is_that_of_the_batches(examples, limit):
    loader = BatchLoader(examples, **limit)
    positions = filled = 0
    for batch in loader.batches(1):
        positions += batch.inputs.mask.numel()
        filled += int(batch.inputs.mask.sum())
        for labels in batch.labels.values():
            positions += labels.numel() if labels.dim() == 2 else 0
            filled += int((labels != MISSING_LABEL).sum()) if labels.dim() == 2 else 0
    assert loader.padding_share(1) == pytest.approx(1 - filled / positions)


def test_padding_worked_by_hand():
    examples = pairs_of([(1, 4), (3, 2)])
    assert BatchLoader(examples, batch_size=2).padding_share() == pytest.approx(4 / 14)
    assert BatchLoader(examples, batch_size=1).padding_share() == 0
    assert BatchLoader([Example([])], batch_size=1).padding_share() == 1


def test_sorting_by_length_saves_most_of_the_padding():
    examples = random_pairs(2000)
    sorted_share = BatchLoader(examples, max_tokens=1000).padding_share()
    in_order_share = BatchLoader(examples, max_tokens=1000, shuffle=False).padding_share()
    assert sorted_share < 0.15 < 0.4 < in_order_share


@pytest.mark.real_data
def test_padding_of_translations_is_little():
    train = corpora.load("multi30k")["train"]
    german, english = list(train["de"]), list(train["en"])
    tokenizer = BytePairTokenizer.train([*german, *english], 6000)
    assert tokenizer.vocab_size == 6000
    sources, targets = tokenizer.encode_batch(german), tokenizer.encode_batch(english)
    assert [tokenizer.decode(ids) for ids in sources] == [tokenizer.normalise(t) for t in german]
    pairs = zip(sources, targets, strict=True)
    loader = BatchLoader([Example(a, {"en": [*b, 3]}) for a, b in pairs], max_tokens=4096)
    assert loader.padding_share() < 0.03  # measured: 0.021, and 0.51 in the order of the file


# Bad arguments.


@pytest.mark.parametrize(
    ("message", "examples", "limits"),
    [
        ("no examples", [], {"batch_size": 2}),
        ("Give either max_tokens, .* or batch_size", [Example([1])], {}),
        ("max_tokens=5 and batch_size=2", [Example([1])], {"max_tokens": 5, "batch_size": 2}),
        ("max_tokens must be at least 1, got 0", [Example([1])], {"max_tokens": 0}),
        ("batch_size must be at least 1, got -1", [Example([1])], {"batch_size": -1}),
    ],
)
def test_errors_of_a_loader(message, examples, limits):
    with pytest.raises(ValueError, match=message):
        BatchLoader(examples, **limits)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("start must be between 0 and the 2 batches of an epoch, got 3", {"start": 3}),
        ("start must be between 0 and the 2 batches of an epoch, got -1", {"start": -1}),
        ("got rank 2 of 2", {"rank": 2, "world_size": 2}),
        ("got rank -1 of 2", {"rank": -1, "world_size": 2}),
        ("got rank 0 of 0", {"world_size": 0}),
    ],
)
def test_errors_of_batches_come_before_the_first_batch(message, arguments):
    loader = BatchLoader([Example([1]), Example([2])], batch_size=1)
    with pytest.raises(ValueError, match=message):
        loader.batches(**arguments)
    assert list(loader.batches(0, 2)) == []


def test_a_batch_without_any_label_says_so_for_every_task():
    """Labels that are missing at random are missing in some whole batches."""
    labelled = Example([1, 2], {"topic": 1, "tags": [0, 1], "fr": [5]})
    loader = BatchLoader([labelled, Example([3, 4, 5])], batch_size=1, shuffle=False)
    _, batch = loader
    assert {task: labels.tolist() for task, labels in batch.labels.items()} == {
        "topic": [-100],
        "tags": [[-100] * 3],
        "fr": [[-100]],
    }
    unlabelled = BatchLoader([Example([3, 4, 5])], batch_size=1)
    assert next(iter(unlabelled)).labels == {}


@pytest.mark.parametrize(
    ("error", "message", "change"),
    [
        (TypeError, "got generator <generator .*; list", {"examples": (e for e in [Example([1])])}),
        (TypeError, "got Example", {"examples": Example([1])}),
        (TypeError, "batch_size must be a whole number at least 1, got float", {"batch_size": 2.5}),
        (
            TypeError,
            "batch_size must be a whole number at least 1, got float nan",
            {"batch_size": math.nan},
        ),
        (
            TypeError,
            "batch_size must be a whole number at least 1, got str '2'",
            {"batch_size": "2"},
        ),
        (TypeError, "batch_size must be a whole number at least 1, got bool", {"batch_size": True}),
        (TypeError, "pad_id must be a whole number from 0 to .*, got NoneType", {"pad_id": None}),
        (ValueError, "pad_id must be from 0 to .*, got -1", {"pad_id": -1}),
        (TypeError, "seed must be a whole number, got NoneType", {"seed": None}),
    ],
)
def test_wrong_settings_of_a_loader(error, message, change):
    with pytest.raises(error, match=message):
        BatchLoader(**{"examples": [Example([1])], "batch_size": 1, **change})
