"""Labels that are numbers with a point: how they are padded, counted, moved, digested."""

import datetime
import math

import numpy as np
import pandas as pd
import pytest
import torch

from mtl_utils.data import Batch, BatchLoader, Example, collate, has_label
from mtl_utils.sharing.texts import texts_of
from mtl_utils.tasks import Head

NAN = math.nan


def example(label, length=2):
    return Example([5] * length, {} if label is None else {"score": label})


def scores(*labels):
    return collate([example(label) for label in labels]).labels["score"]


def same(found, expected):
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    "labels",
    [
        (0.5, -0.1, -100.0),
        (np.float32(0.5), np.float64(-0.1), torch.tensor(-100.0)),
        (np.array(0.5), torch.tensor(-0.1, dtype=torch.float64), -1e2),
    ],
)
def test_numbers_stay_what_they_are(labels):
    same(scores(*labels), [0.5, -0.1, -100.0])


def test_a_number_is_missing_where_it_is_none_or_not_a_number():
    same(scores(None, 1.5, NAN, pd.NA, np.float32(NAN), torch.tensor(NAN)), [NAN, 1.5, *[NAN] * 4])


def test_integers_among_numbers_become_numbers():
    same(scores(2, 0.5, np.int64(3), torch.tensor(4)), [2.0, 0.5, 3.0, 4.0])
    # A batch of integers alone is still one of a task of numbers.
    loader = BatchLoader([example(2), example(0.5)], batch_size=1, shuffle=False)
    assert [batch.labels["score"].dtype for batch in loader] == [torch.float32] * 2


def test_integers_alone_stay_integers():
    assert scores(2, None, 3).tolist() == [2, -100, 3]


@pytest.mark.parametrize(
    ("error", "message", "labels"),
    [
        (TypeError, "labels of 'score' have 'good' in row 1", (0.5, "good")),
        (TypeError, "labels of 'score' have True in row 0", (True, 0.5)),
        (TypeError, "have 1j in row 1", (0.5, 1j)),
        (ValueError, "labels of 'score' have inf in row 1; expected a finite", (0.5, math.inf)),
        (ValueError, "expected a finite number", (0.5, 10**400)),
        (ValueError, r"have -1e\+39 in row 0", (-1e39, 0.5)),
        (ValueError, r"have -100 in row 1 .*Write None.*-100\.0 if it is a value", (0.5, -100)),
        (ValueError, r"numbers in some examples \(0.5\) and sequences in others", (0.5, [1, 2])),
        (TypeError, "datetime", (0.5, datetime.date(2026, 1, 1))),
    ],
)
def test_what_is_no_number(error, message, labels):
    with pytest.raises(error, match=message):
        scores(*labels)


def test_missing_numbers_are_not_counted():
    labels = torch.tensor([[1.5, NAN], [-100.0, 0.0]])
    assert has_label(labels).tolist() == [[True, False], [True, True]]
    assert has_label(torch.tensor([1, -100])).tolist() == [True, False]
    batch = collate([example(1.5), example(None), example(-100.0)])
    assert int(Head("score").count(batch)) == 2
    assert texts_of("score", batch).tolist() == [True, False, True]


def test_they_move_with_the_batch():
    moved = collate([example(1.5)]).to("meta").labels["score"]
    assert (moved.dtype, moved.device.type) == (torch.float32, "meta")


def test_a_batch_without_any_label_and_a_row_of_filler_have_missing_numbers():
    rows = [example(None), example(0.5), example(None)]
    batches = list(BatchLoader(rows, batch_size=1, shuffle=False))
    same(torch.cat([batch.labels["score"] for batch in batches]), [NAN, 0.5, NAN])
    (filler,) = BatchLoader(rows[:2], batch_size=2, shuffle=False).batches(rank=2, world_size=3)
    same(filler.labels["score"], [NAN])


def test_the_digest_of_data_knows_numbers():
    def digest(*labels):
        return BatchLoader([example(label) for label in labels], batch_size=1).digest()

    assert digest(0.5, 1.0) == digest(np.float64(0.5), torch.tensor(1.0))
    assert digest(0.5, 1.0) != digest(0.5, 1.5)
    assert digest(0.5, None) == digest(0.5, NAN) != digest(0.5, 0.0)


def test_a_batch_of_ones_own_may_have_them():
    inputs = collate([example(None)]).inputs
    assert Batch(inputs, {"score": torch.tensor([NAN])}).labels["score"].isnan().all()
