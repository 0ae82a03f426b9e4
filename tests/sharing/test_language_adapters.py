"""Adapters and vectors chosen by the language of a text."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_sharing import EXACT, WIDTH, batch_of, bilstm, transformer

from mtl_utils.data import Batch, Inputs
from mtl_utils.models import MultiTaskModel
from mtl_utils.nn import (
    BiLSTMEncoder,
    CachedEncoder,
    Encoder,
    LanguageEmbedding,
    PretrainedEncoder,
    TransformerEncoder,
)
from mtl_utils.sharing import HardSharing, LanguageAdapters, SoftPrompts, TaskAdapters
from mtl_utils.tasks import Tagging

LANGUAGES = ("en", "zh", "da")
encoders = pytest.mark.parametrize("make", [bilstm, transformer])


def inputs_in(*languages: int) -> Inputs:
    inputs = batch_of(seed=3).inputs.rows(torch.arange(len(languages)))
    return replace(inputs, language_ids=torch.tensor(languages))


def moved(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return module


@encoders
def test_adapters_add_nothing_at_first(make) -> None:  # type: ignore[no-untyped-def]
    encoder = make().float().eval()
    inputs = inputs_in(0, 1)
    found = LanguageAdapters(encoder, LANGUAGES, 3).eval()(inputs)
    torch.testing.assert_close(found[inputs.mask], encoder(inputs)[inputs.mask], **EXACT)


@encoders
def test_each_text_is_read_as_by_task_adapters_of_its_language(make) -> None:  # type: ignore[no-untyped-def]
    adapted = moved(LanguageAdapters(make().float(), LANGUAGES, 3)).eval()
    inputs = inputs_in(2, 0)
    by_task = adapted.adapters(Batch(inputs), LANGUAGES).hidden  # type: ignore[operator]
    found = adapted(inputs)
    for row, language in enumerate(("da", "en")):
        torch.testing.assert_close(found[row], by_task[language][row], **EXACT)
    assert not torch.allclose(by_task["da"], by_task["en"])


@encoders
def test_only_the_adapters_of_languages_that_are_read_learn(make) -> None:  # type: ignore[no-untyped-def]
    adapted = moved(LanguageAdapters(make().float(), LANGUAGES, 3))
    adapted(inputs_in(0, 2)).sum().backward()
    grown = {
        language: any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
        for language, part in adapted.adapters.adapters.items()  # type: ignore[union-attr, operator]
    }
    assert grown == {"en": True, "zh": False, "da": True}


def test_vectors_of_languages_by_hand() -> None:
    embedding = LanguageEmbedding(9, WIDTH, 2)
    inputs = Inputs(
        torch.tensor([[1, 2], [1, 0]]),
        torch.tensor([[True, True], [True, False]]),
        language_ids=torch.tensor([1, 0]),
    )
    torch.testing.assert_close(embedding(inputs), embedding.embedding(inputs.input_ids))
    moved(embedding)
    expected = embedding.embedding.weight[1] + embedding.languages.weight[1]  # type: ignore[union-attr, operator, index]
    torch.testing.assert_close(embedding(inputs)[0, 0], expected)


@pytest.mark.parametrize("kind", ["bilstm", "transformer"])
def test_an_encoder_reads_the_language_from_its_embedding(kind: str) -> None:
    embedding = LanguageEmbedding(20, 8, 2)
    torch.nn.init.normal_(embedding.languages.weight)
    encoder: Encoder = (
        BiLSTMEncoder(20, 8, embedding=embedding)
        if kind == "bilstm"
        else TransformerEncoder(20, 8, 1, 2, 8, embedding=embedding)
    ).eval()
    ids, mask = torch.tensor([[1, 2, 3]]), torch.ones(1, 3).bool()
    first, second = (encoder(Inputs(ids, mask, language_ids=torch.tensor([g]))) for g in (0, 1))
    assert not torch.allclose(first, second)


def test_tasks_share_adapters_of_languages_and_have_their_own_heads() -> None:
    adapted = LanguageAdapters(bilstm().float(), LANGUAGES, 3)
    model = MultiTaskModel(HardSharing(adapted), [Tagging(t, ("a", "b")) for t in ("x", "y")])
    inputs = inputs_in(1, 0)
    labels = {task: torch.where(inputs.mask, 0, -100) for task in ("x", "y")}
    losses = model(Batch(inputs, labels)).by_task
    assert set(losses) == {"x", "y"}


def test_adapters_of_languages_are_saved_and_read_again(tmp_path) -> None:  # type: ignore[no-untyped-def]
    embedding = LanguageEmbedding(20, 8, 3)
    adapted = LanguageAdapters(BiLSTMEncoder(20, 8, 2, embedding=embedding), LANGUAGES, 3)
    model = MultiTaskModel(HardSharing(adapted), [Tagging("x", ("a", "b"))])
    moved(model).eval()
    model.save(tmp_path)
    found = MultiTaskModel.load(tmp_path)
    ids = torch.tensor([[1, 2, 3], [4, 0, 0]])
    batch = Batch(Inputs(ids, ids > 0, language_ids=torch.tensor([2, 0])))
    first, second = (m.sharing(batch, ["x"]).hidden["x"] for m in (model, found.eval()))
    torch.testing.assert_close(first, second, **EXACT)
    assert found.sharing.encoder.languages == LANGUAGES  # type: ignore[union-attr]


def test_a_frozen_encoder_leaves_the_adapters_to_learn() -> None:
    encoder = bilstm()
    encoder.freeze()
    adapted = LanguageAdapters(encoder, LANGUAGES, 3)
    learnt = {name for name, p in adapted.named_parameters() if p.requires_grad}
    assert learnt
    assert all(name.startswith("adapters.adapters.") for name in learnt)


def test_a_cache_keeps_the_same_text_in_two_languages_apart() -> None:
    adapted = moved(LanguageAdapters(bilstm().float(), LANGUAGES, 3)).eval()
    cached = CachedEncoder(adapted, freeze=True)  # type: ignore[arg-type]
    ids = torch.tensor([[1, 2, 3]])
    texts = [Inputs(ids, ids > 0, language_ids=torch.tensor([g])) for g in (0, 1, 0)]
    first, second, again = map(cached, texts)
    assert not torch.allclose(first, second)
    assert torch.equal(first, again)
    assert (cached.hits, cached.misses) == (1, 2)


def test_prompts_and_adapters_of_tasks_hand_the_language_on() -> None:
    embedding = LanguageEmbedding(20, 8, 2)
    torch.nn.init.normal_(embedding.languages.weight)
    encoder = TransformerEncoder(20, 8, 1, 2, 8, embedding=embedding, dropout=0.0)
    ids = torch.tensor([[1, 2, 3]])
    batches = [Batch(Inputs(ids, ids > 0, language_ids=torch.tensor([g]))) for g in (0, 1)]
    for sharing in (SoftPrompts(encoder, ["a"], 2), TaskAdapters(encoder, ["a"], 2)):
        first, second = (sharing.eval()(batch, ["a"]).hidden["a"] for batch in batches)
        assert not torch.allclose(first, second)


def test_adapters_of_languages_stand_over_an_encoder_of_the_hub() -> None:
    from transformers import XLMRobertaConfig

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = XLMRobertaConfig(vocab_size=20, intermediate_size=8, **sizes)
    encoder = PretrainedEncoder(config.to_dict(), pretrained=False)
    adapted = moved(LanguageAdapters(encoder, LANGUAGES, 3)).eval()
    ids = torch.tensor([[5, 6, 7], [5, 6, 7]])
    found = adapted(Inputs(ids, ids > 1, language_ids=torch.tensor([2, 0])))
    assert found.shape == (2, 3, 8)
    assert not torch.allclose(found[0], found[1])


@pytest.mark.parametrize("make", [lambda: LanguageAdapters(bilstm().float(), LANGUAGES, 3), None])
def test_inputs_without_a_language_are_refused(make) -> None:  # type: ignore[no-untyped-def]
    reader = make() if make else LanguageEmbedding(9, WIDTH, 3)
    ids = torch.tensor([[1, 2]])
    with pytest.raises(ValueError, match="no language_ids"):
        reader(Inputs(ids, ids > 0))
    with pytest.raises(ValueError, match="Language 3 in language_ids does not exist: 3 languages"):
        reader(Inputs(ids, ids > 0, language_ids=torch.tensor([3])))
