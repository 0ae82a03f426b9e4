import dataclasses

import pytest
import torch

from mtl_utils.data import MISSING_LABEL, Batch, Inputs

IDS = torch.tensor([[5, 6, 7], [8, 0, 0]])
MASK = torch.tensor([[True, True, True], [True, False, False]])
SEGMENTS = torch.tensor([[0, 0, 1], [0, 0, 0]])
CHARACTERS = torch.tensor([[[1, 2], [3, 0], [4, 5]], [[6, 0], [0, 0], [0, 0]]])
LABELS = {
    "topic": torch.tensor([2, MISSING_LABEL]),
    "tags": torch.tensor([[1, 0, 1], [2, MISSING_LABEL, MISSING_LABEL]]),
}


def test_a_missing_label_is_what_pytorch_ignores():
    assert torch.nn.CrossEntropyLoss().ignore_index == MISSING_LABEL


def test_a_batch_counts_its_rows():
    assert len(Batch(Inputs(IDS, MASK), LABELS)) == 2
    assert len(Batch(Inputs(IDS[:1], MASK[:1]))) == 1
    assert Batch(Inputs(IDS, MASK)).labels == {}
    assert Inputs(IDS, MASK).segment_ids is None


def test_to_moves_every_tensor_and_leaves_the_original():
    batch = Batch(Inputs(IDS, MASK, SEGMENTS, CHARACTERS), LABELS)
    moved = batch.to("meta")
    inputs = moved.inputs
    tensors = [inputs.input_ids, inputs.mask, inputs.segment_ids, inputs.character_ids]
    assert {tensor.device.type for tensor in [*tensors, *moved.labels.values()]} == {"meta"}
    assert moved.labels.keys() == LABELS.keys()
    assert moved.labels["tags"].shape == (2, 3)
    assert batch.inputs.input_ids is IDS
    assert batch.labels["topic"] is LABELS["topic"]


def test_to_keeps_values_and_kinds():
    moved = Batch(Inputs(IDS, MASK, SEGMENTS, CHARACTERS), LABELS).to(torch.device("cpu"))
    assert moved.inputs.input_ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert moved.inputs.mask.tolist() == MASK.tolist()
    assert moved.inputs.mask.dtype == torch.bool
    assert moved.inputs.segment_ids.tolist() == [[0, 0, 1], [0, 0, 0]]
    assert moved.inputs.character_ids.tolist() == CHARACTERS.tolist()
    assert moved.labels["topic"].tolist() == [2, -100]
    assert Inputs(IDS, MASK).to("cpu").segment_ids is None
    assert Inputs(IDS, MASK).to("cpu").character_ids is None


def test_rows_are_picked_of_every_tensor():
    picked = Inputs(IDS, MASK, SEGMENTS, CHARACTERS).rows(torch.tensor([1, 0, 1]))
    for found, tensor in (
        (picked.input_ids, IDS),
        (picked.mask, MASK),
        (picked.segment_ids, SEGMENTS),
        (picked.character_ids, CHARACTERS),
    ):
        assert torch.equal(found, tensor[[1, 0, 1]])
    assert Inputs(IDS, MASK).rows(torch.tensor([0])).character_ids is None


def test_languages_are_moved_picked_and_never_cut():
    inputs = Inputs(IDS, MASK, language_ids=torch.tensor([1, 0], dtype=torch.int8))
    assert inputs.language_ids.dtype == torch.int64  # as an embedding takes them
    assert inputs.to("meta").language_ids.device.type == "meta"
    assert inputs.rows(torch.tensor([1, 0, 1])).language_ids.tolist() == [0, 1, 0]
    assert inputs.columns(1).language_ids.tolist() == [1, 0]
    assert inputs.columns(1).input_ids.tolist() == [[5], [8]]


def test_batches_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Inputs(IDS, MASK).mask = MASK
    with pytest.raises(dataclasses.FrozenInstanceError):
        Batch(Inputs(IDS, MASK)).labels = {}


@pytest.mark.parametrize(
    ("error", "message", "inputs"),
    [
        (ValueError, r"got shape \[3\].*input_ids\[None\]", (IDS[0], MASK[0])),
        (TypeError, "Expected integer input_ids, got torch.float32", (IDS.float(), MASK)),
        (TypeError, "Expected integer input_ids, got torch.bool", (MASK, MASK)),
        (TypeError, r"boolean mask, got torch.int64; use mask.bool\(\)", (IDS, MASK.long())),
        (ValueError, r"mask \[1, 3\] and input_ids \[2, 3\]", (IDS, MASK[:1])),
        (ValueError, r"segment_ids \[2, 2\] and input_ids \[2, 3\]", (IDS, MASK, SEGMENTS[:, 1:])),
        (ValueError, "padding on the right", (IDS.flip(1), MASK.flip(1))),
        (ValueError, r"L\] for input_ids \[2, 3\], got \[2, 3\]", (IDS, MASK, None, IDS)),
        (ValueError, r"got \[1, 3, 2\]", (IDS, MASK, None, CHARACTERS[:1])),
        (TypeError, "integer character_ids, got torch.float32", (IDS, MASK, None, IDS.float())),
        (ValueError, r"language_ids \[B\].*got \[3\]", (IDS, MASK, None, None, None, IDS[0])),
    ],
)
def test_errors_of_inputs(error, message, inputs):
    with pytest.raises(error, match=message):
        Inputs(*inputs)


@pytest.mark.parametrize("labels", [torch.tensor([1, 2, 3]), torch.tensor(1)])
def test_labels_have_a_row_for_every_row(labels):
    with pytest.raises(ValueError, match=r"'topic' have shape .* but the batch has 2 rows"):
        Batch(Inputs(IDS, MASK), {"topic": labels})
