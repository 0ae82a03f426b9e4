"""Contrastive alignment: its loss, its batches, and how well each finds its partner."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from transformers.models.clip import modeling_clip

from mtl_utils import nn
from mtl_utils.data import Batch, BatchLoader, Example, Vocabulary, WordTokenizer, collate
from mtl_utils.models import TextModel
from mtl_utils.objectives import contrastive_loss
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import (
    Contrastive,
    ContrastiveBatches,
    Tagging,
    parted,
    retrieval_ranks,
    retrieval_scores,
)

WORDS = ["red", "green", "blue", "dark", "light"]
COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


def rows(count: int, seed: int = 0) -> list[dict]:
    random = np.random.default_rng(seed)
    made = []
    for place in range(count):
        colour = random.choice(list(COLOURS))
        shade = random.choice(["dark", "light"])
        pixels = np.full((8, 8, 3), COLOURS[colour], np.float64)
        pixels = pixels * (0.5 if shade == "dark" else 1.0) + random.normal(0, 10, (8, 8, 3))
        picture = np.clip(pixels, 0, 255).astype(np.uint8)
        made.append(
            {
                "text": [shade, colour],
                "tags": ["O", "B-C"],
                "picture": None if place % 5 == 4 else picture,
            }
        )
    return made


def model(*others) -> TextModel:
    torch.manual_seed(0)
    tokenizer = WordTokenizer(Vocabulary.from_tokens(WORDS))
    text = nn.TransformerEncoder(tokenizer.vocab_size, 16, 1, 2, dropout=0.0)
    encoder = nn.LateFusion(text, nn.ConvolutionalPictures(16, 2))
    return TextModel(HardSharing(encoder), [TASK, *others], tokenizer, picture="picture")


clip_loss = next(  # its name changed with version 5 of transformers
    getattr(modeling_clip, name)
    for name in ("image_text_contrastive_loss", "clip_loss")
    if hasattr(modeling_clip, name)
)
TASK = Contrastive("alignment", width=8)
TAGS = Tagging("tags", ("O", "B-C"), tokens="text", tags="tags")


def test_the_loss_is_that_of_clip_and_that_by_hand() -> None:
    logits = torch.randn(6, 6, generator=torch.Generator().manual_seed(0)) * 3
    torch.testing.assert_close(contrastive_loss(logits), clip_loss(logits))
    targets = torch.arange(6)
    by_hand = functional.cross_entropy(logits, targets) + functional.cross_entropy(
        logits.T, targets
    )
    torch.testing.assert_close(contrastive_loss(logits, torch.arange(6)), by_hand / 2)


def test_equal_captions_are_no_negatives() -> None:
    logits = torch.randn(4, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    groups = torch.tensor([7, 3, 7, 5])
    found = contrastive_loss(logits, groups)
    total = 0.0
    for matrix in (logits, logits.T):
        for row in range(4):
            kept = [c for c in range(4) if c == row or groups[c] != groups[row]]
            total += torch.logsumexp(matrix[row, kept], 0) - matrix[row, row]
    torch.testing.assert_close(found, total / 8)
    found.backward()
    assert logits.grad[0, 2] == 0
    assert logits.grad[2, 0] == 0
    assert logits.grad[0, 1] != 0


@given(st.integers(1, 8), st.integers(0, 100))
def test_chance_and_its_properties(size: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, size, generator=generator, dtype=torch.float64)
    assert float(contrastive_loss(torch.zeros(size, size))) == pytest.approx(math.log(size))
    order = torch.randperm(size, generator=generator)
    loss = float(contrastive_loss(logits))
    assert float(contrastive_loss(logits[order][:, order])) == pytest.approx(loss)
    assert float(contrastive_loss(logits.T)) == pytest.approx(loss)
    alike = torch.zeros(size, dtype=torch.long)
    assert float(contrastive_loss(logits, alike)) == 0.0
    assert loss >= 0.0


def test_no_pair_costs_nothing() -> None:
    logits = torch.zeros(0, 0, requires_grad=True)
    loss = contrastive_loss(logits)
    loss.backward()
    assert float(loss) == 0.0


def test_ranks_by_hand() -> None:
    similarity = torch.tensor([[0.9, 0.1, 0.5], [0.9, 0.1, 0.5], [0.3, 0.3, 0.3]])
    relevant = torch.eye(3, dtype=torch.bool)
    assert retrieval_ranks(similarity, relevant).tolist() == [1, 3, 3]  # what ties stands before
    relevant[1, 0] = True  # two answer the second
    assert retrieval_ranks(similarity, relevant).tolist() == [1, 1, 3]
    relevant[2] = False
    assert retrieval_ranks(similarity, relevant)[2] == 4
    scores = retrieval_scores(torch.tensor([1, 3, 3, 20]), at=(1, 5))
    assert scores == {"recall_at_1": 0.25, "recall_at_5": 0.75, "median_rank": 3.0}


def test_a_collapsed_encoder_finds_nothing() -> None:
    for value in (1.0, torch.nan):
        ranks = retrieval_ranks(torch.full((4, 4), value), torch.eye(4, dtype=torch.bool))
        assert (ranks >= 4).all()


def test_a_batch_becomes_texts_and_then_pictures() -> None:
    made = model(TAGS).examples(rows(10))
    loader = BatchLoader(made, batch_size=10, shuffle=False)
    (found,) = ContrastiveBatches(loader, "alignment").batches()
    whole, pairs = found["tags"], found["alignment"]
    assert set(whole.labels) == {"alignment", "tags"}
    assert len(whole) == 10  # texts of two columns are one reading
    inputs = pairs.inputs
    assert len(pairs) == 16  # a fifth has no picture
    assert inputs.has_picture.tolist() == [False] * 8 + [True] * 8
    assert (inputs.mask[8:].sum(1) == 1).all()
    assert not inputs.input_ids[8:].any()
    assert torch.equal(pairs.labels["alignment"][:8], pairs.labels["alignment"][8:])
    kept = whole.inputs.has_picture
    assert torch.equal(inputs.pictures[8:], whole.inputs.pictures[kept])
    assert torch.equal(inputs.input_ids[:8], whole.inputs.input_ids[kept])


def test_different_captions_of_unknown_words_are_told_apart() -> None:
    (picture,) = (row["picture"] for row in rows(1))
    captions = [["a", "walrus"], ["a", "zebra"], ["a", "walrus"], ("a", "walrus")]
    made = model().examples([{"text": text, "picture": picture} for text in captions])
    assert list(made[0].input_ids) == list(made[1].input_ids)  # both unknown
    walrus, zebra, again, as_tuple = (example.labels["alignment"] for example in made)
    assert walrus != zebra
    assert walrus == again == as_tuple
    strings = [TASK.target({"text": t, "picture": picture}, made[0]) for t in ("a b", "a b", "ab")]
    assert strings[0] == strings[1] != strings[2]


@pytest.mark.parametrize(
    "fusion", [nn.EarlyFusion, nn.LateFusion, nn.CrossAttentionFusion], ids=lambda f: f.__name__
)
def test_modality_dropout_leaves_a_picture_that_stands_alone(fusion: type) -> None:
    torch.manual_seed(0)
    text = nn.TransformerEncoder(len(WORDS) + 6, 16, 1, 2, dropout=0.0)
    dropped = {"dropout": 0.0} if fusion is nn.CrossAttentionFusion else {}
    encoder = fusion(text, nn.ConvolutionalPictures(16, 2), picture_dropout=0.99, **dropped)
    loader = BatchLoader(model().examples(rows(10)), batch_size=10, shuffle=False)
    (pairs,) = ContrastiveBatches(loader, "alignment").once()
    expected = encoder.eval()(pairs.inputs)
    found = encoder.train()(pairs.inputs)
    alone = pairs.inputs.has_picture
    torch.testing.assert_close(found[alone][:, 0], expected[alone][:, 0])


def test_neither_side_sees_the_other() -> None:
    built = model().eval()
    made = [example for example in built.examples(rows(10)) if example.picture is not None]
    (pairs,) = ContrastiveBatches(
        BatchLoader(made, batch_size=8, shuffle=False), "alignment"
    ).once()
    found = built.predict(pairs)["alignment"]
    swapped = [e.__class__(e.input_ids, e.labels, picture=made[-1].picture) for e in made]
    (others,) = ContrastiveBatches(
        BatchLoader(swapped, batch_size=8, shuffle=False), "alignment"
    ).once()
    again = built.predict(others)["alignment"]
    torch.testing.assert_close(torch.tensor(again[:8]), torch.tensor(found[:8]))
    torch.testing.assert_close(torch.tensor(again[8:]), torch.tensor([found[-1]] * 8))


def test_the_loss_of_a_model_is_that_of_its_vectors() -> None:
    built = model().eval()
    loader = BatchLoader(built.examples(rows(10)), batch_size=10, shuffle=False)
    (pairs,) = ContrastiveBatches(loader, "alignment").once()
    vectors = torch.tensor(built.predict(pairs)["alignment"])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(16))
    logits = vectors[:8] @ vectors[8:].T / 0.07
    labels = pairs.labels["alignment"]
    expected = contrastive_loss(logits, labels[:8])
    torch.testing.assert_close(built(pairs).by_task["alignment"], expected, atol=1e-4, rtol=1e-4)
    assert int(built.head("alignment").count(pairs)) == 8


def test_what_was_not_taken_apart_is_refused() -> None:
    built = model()
    batch = collate(built.examples(rows(4)))
    with pytest.raises(ValueError, match="a text beside their picture"):
        built(batch)
    loader = BatchLoader(built.examples(rows(4)), batch_size=4, shuffle=False)
    (pairs,) = ContrastiveBatches(loader, "alignment").once()
    wrong = Batch(pairs.inputs, {"alignment": pairs.labels["alignment"] + torch.arange(8)})
    with pytest.raises(ValueError, match="same order"):
        built(wrong)


def test_rows_without_any_picture_cost_nothing() -> None:
    built = model(TAGS)
    without = [{**row, "picture": None} for row in rows(4)]
    loader = BatchLoader(built.examples(without + rows(1)), batch_size=5, shuffle=False)
    (found,) = ContrastiveBatches(loader, "alignment").once()
    losses = built(found).by_task
    assert float(losses["alignment"]) == 0.0  # a single pair has no others
    assert float(losses["tags"]) > 0


def test_it_learns_beside_another_task_and_is_stored(tmp_path: Path) -> None:
    from mtl_utils.training import TrainerConfig

    built = model(TAGS)
    config = TrainerConfig(epochs=8, learning_rate=0.01)
    built.fit(rows(160), rows(40, 1), config=config, batch_size=16, progress=False)
    test = rows(40, 2)
    found = built.evaluate(test)
    assert found["alignment_recall_at_1"] > 0.75  # six kinds, any of the same kind counts
    assert found["alignment_text_to_picture_median_rank"] == 1
    assert found["tags_f1"] > 0.95
    built.save(tmp_path / "model")
    again = TextModel.load(tmp_path / "model")
    assert again.beside.picture == "picture"
    assert again.evaluate(test) == found
    made = built.examples(test)
    assert len(parted(made, "alignment")) == 64
    said = built.predict([row["text"] for row in test], pictures=[r["picture"] for r in test])
    assert [row["tags"] for row in said] == [row["tags"] for row in built.predict(test)]
    with pytest.raises(ValueError, match="one of pictures for each text"):
        built.predict([["red"]], pictures=[None, None])
    with pytest.raises(KeyError, match="picture"):
        built.examples([{"text": ["red"], "tags": ["O"]}])


def test_what_is_read_apart_is_of_the_language_of_its_pair() -> None:
    """A row of a picture alone asks an encoder of languages for a language too."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    pairs = [
        Example([5 + place, 6], {"alignment": place}, language_id=place, picture=pixels)
        for place in range(2)
    ]
    assert [each.language_id for each in parted(pairs, "alignment")] == [0, 1, 0, 1]
    loader = BatchLoader(pairs, batch_size=2, shuffle=False)
    (batch,) = ContrastiveBatches(loader, "alignment").batches()
    assert isinstance(batch, Batch)
    assert batch.inputs.language_ids is not None
    assert batch.inputs.language_ids.tolist() == [0, 1, 0, 1]
    assert batch.inputs.has_picture is not None
    assert batch.inputs.has_picture.tolist() == [False, False, True, True]
