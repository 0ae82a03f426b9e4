"""From a file to its parts: tables, types, data that tasks share, every way of sharing."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from tiny_runs import THREE, write_run

from mtl_utils.commands.building import build
from mtl_utils.commands.data_files import load_all
from mtl_utils.commands.keys import check_value, converted, expected
from mtl_utils.commands.run_file import RunFile, read_run_file
from mtl_utils.commands.toml_files import toml
from mtl_utils.nn import LSTMEncoder, PretrainedEncoder, TransformerEncoder, packaged_encoder
from mtl_utils.objectives import FixedWeights
from mtl_utils.sharing import (
    PLE,
    BranchedSharing,
    CovarianceSharing,
    CrossStitch,
    HardSharing,
    HierarchicalSharing,
    HyperAdapters,
    MixtureOfExperts,
    MMoE,
    SharedPrivate,
    SluiceNetwork,
    SoftSharing,
    TaskAdapters,
    TaskLoRA,
    trace_norm,
)
from mtl_utils.tasks import Classification, LanguageModeling


def read(folder: Path, text: str) -> RunFile:
    return read_run_file(write_run(folder, text))


def built(folder: Path, text: str) -> Any:
    file = read(folder, text)
    return build(file, load_all(file))


def test_what_is_written_is_read_again() -> None:
    content = {
        "seed": 3,
        "name": 'quotes " and \\ and \n\t\x00\x7f é 漢',
        "tasks": {"a b": {"k-1": [1, 2.5, True, "x"], "labels": ["O", "B-PER é"]}, "c": {"d": {}}},
        "table": {"rate": 1e-05, "much": 1e300, "inner": {"a b": {"c": [[0.9, 0.999]]}, "": 1}},
    }
    assert tomllib.loads(toml(content)) == content
    assert tomllib.loads(toml({"a": None, "b": {"c": None}})) == {"b": {}}
    assert tomllib.loads(toml({"a": math.inf})) == {"a": math.inf}
    with pytest.raises(TypeError, match="cannot hold"):
        toml({"a": object()})


@pytest.mark.parametrize(
    ("value", "kind", "fits"),
    [
        (1, int, True),
        (True, int, False),
        (1.0, int, False),
        (1, float, True),
        (True, float, False),
        ("1", float, False),
        (1, bool, False),
        (["a"], tuple[str, ...], True),
        ([1], tuple[str, ...], False),
        ("a", tuple[str, ...], False),
        ([0.9, 1], tuple[float, float], True),
        ([0.9], tuple[float, float], False),
        ({"a": 1}, dict[str, float], True),
        ({"a": "b"}, dict[str, float], False),
        ("no", Literal["no", "yes"], True),
        ("maybe", Literal["no", "yes"], False),
        (True, Literal[1], False),
        (3, str | float, True),
        ([], str | float, False),
        (3, int | None, True),
    ],
)
def test_a_value_has_the_type_of_its_argument(value: Any, kind: Any, fits: bool) -> None:
    if fits:
        check_value(value, kind, "[t]: key")
        return
    with pytest.raises(TypeError, match=r"^\[t\]: key must be .+, got "):
        check_value(value, kind, "[t]: key")


def test_types_are_said_in_words_and_values_are_as_code_has_them() -> None:
    assert expected(int | None) == "a whole number"
    assert expected(str | float) == "a text or a number"
    assert expected(tuple[str, ...]) == "a list of texts"
    assert expected(dict[str, float]) == "a table of names and numbers"
    assert expected(Literal["a", "b"]) == "one of 'a', 'b'"
    assert converted([1, 2], tuple[float, float]) == (1.0, 2.0)
    assert isinstance(converted(1, float | None), float)
    assert converted({"a": 1}, dict[str, float]) == {"a": 1.0}


def test_tasks_with_the_same_data_share_it(tmp_path: Path) -> None:
    topic = "kind = 'classification'\ndata = 'topics'\nlabel = 'topic'\n"
    other = topic.replace("'topics'", "'./topics'")
    names = "kind = 'tagging'\ndata = 'names'\n"
    file = read(tmp_path, f"[tasks.a]\n{topic}[tasks.b]\n{other}[tasks.c]\n{names}")
    data = load_all(file)
    assert data["a"] is data["b"]
    assert data["a"] is not data["c"]


def test_a_part_to_validate_on_is_taken_where_there_is_none(tmp_path: Path) -> None:
    text = "[tasks.a]\nkind = 'classification'\ndata = 'topics/train.csv'\nlabel = 'topic'\n"
    rows = {split: part.num_rows for split, part in load_all(read(tmp_path, text))["a"].items()}
    assert rows == {"train": 36, "validation": 4}
    half = load_all(read(tmp_path, f"validation = 0.5\n{text}"))["a"]
    assert half["validation"].num_rows == 20
    assert "validation" not in load_all(read(tmp_path, f"validation = 0.0\n{text}"))["a"]
    other = load_all(read(tmp_path, f"seed = 5\nvalidation = 0.5\n{text}"))["a"]
    assert other["validation"]["text"] == half["validation"]["text"]  # over seeds the same
    third = load_all(read(tmp_path, f"validation_seed = 5\nvalidation = 0.5\n{text}"))["a"]
    assert third["validation"]["text"] != half["validation"]["text"]


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("kind = 'hard'", HardSharing),
        ("kind = 'soft'\npenalty = 'trace_norm'\nstrength = 0.5", SoftSharing),
        ("kind = 'covariance'\nstrength = 0.5\nsmoothing = 0.2", CovarianceSharing),
        ("kind = 'branched'\nnum_shared_layers = 1", BranchedSharing),
        ("kind = 'shared_private'\nadversary_strength = 0.1", SharedPrivate),
        (
            "kind = 'hierarchical'\ndepth = {topic = 1, likeness = 2, names = 1}\n"
            "successive_strength = 0.5",
            HierarchicalSharing,
        ),
        ("kind = 'cross_stitch'\nown = 0.5", CrossStitch),
        ("kind = 'sluice'\nsubspaces = 4", SluiceNetwork),
        ("kind = 'experts'\nnum_experts = 2", MixtureOfExperts),
        ("kind = 'mmoe'\ntop_k = 2\nper = 'text'\nnoisy = true", MMoE),
        ("kind = 'ple'\nnum_levels = 2", PLE),
        ("kind = 'adapters'\nbottleneck = 3\nfreeze = true", TaskAdapters),
        ("kind = 'hyper_adapters'\nembedding_size = 3", HyperAdapters),
        ("kind = 'lora'\non = ['lstm']\nrank = 2\nfreeze = true", TaskLoRA),
    ],
)
def test_every_way_of_sharing_is_made(tmp_path: Path, table: str, kind: type) -> None:
    text = THREE.replace("width = 16", "width = 16\nnum_layers = 2")
    made = built(tmp_path, f"{text}\n[sharing]\n{table}\n").model.sharing
    assert type(made) is kind
    if type(made) is SoftSharing:
        assert (made.penalty, made.strength) == (trace_norm, 0.5)
        assert len(made.tied) == len(list(next(iter(made.encoders.values())).parameters()))
    if isinstance(made, CovarianceSharing):
        assert (made.strength, made.smoothing) == (0.5, 0.2)
        assert len(made.tied) == len(list(next(iter(made.encoders.values())).parameters()))
    if isinstance(made, SharedPrivate):
        assert made.adversary_strength == 0.1
        assert made.orthogonality_strength == 0.01
    if isinstance(made, HierarchicalSharing):
        assert made.depth == {"topic": 1, "likeness": 2, "names": 1}
        assert made.successive_strength == 0.5
    if isinstance(made, CrossStitch):  # encoders of their own, not copies
        first, second, _ = made.network.embeddings.values()
        assert not torch.equal(first.embedding.weight, second.embedding.weight)
    if isinstance(made, MMoE):
        assert len(made.experts) == 4
        assert {(gate.per, gate.top_k) for gate in made.task_gates.values()} == {("text", 2)}
    if isinstance(made, PLE):
        assert len(made.levels) == 2
    if isinstance(made, TaskAdapters | TaskLoRA):
        frozen = not any(p.requires_grad for p in made.shared_parameters())
        assert frozen == (type(made) is not HyperAdapters)
        assert all(p.requires_grad for p in made.task_parameters("topic"))


def test_every_task_needs_a_layer(tmp_path: Path) -> None:
    text = f"{THREE}[sharing]\nkind = 'hierarchical'\ndepth = {{topic = 1, names = 1}}\n"
    with pytest.raises(Exception, match=r"\[sharing\]: depth needs the key 'likeness'"):
        built(tmp_path, text)


def test_encoders_and_what_speaks_for_a_text(tmp_path: Path) -> None:
    bilstm = built(tmp_path, THREE)
    assert bilstm.model.tasks["topic"].pooling == "mean"
    assert bilstm.model.tasks["likeness"].pooling == "compare"
    small = "kind = 'transformer'\nwidth = 16\nnum_heads = 2\nnum_layers = 1"
    transformer = built(tmp_path, THREE.replace("width = 16", small))
    assert isinstance(transformer.model.sharing.encoder, TransformerEncoder)
    assert {transformer.model.tasks[t].pooling for t in ("topic", "likeness")} == {"first"}
    causal = built(tmp_path, THREE.replace("width = 16", f"{small}\ncausal = true"))
    assert causal.model.tasks["topic"].pooling == "mean"
    said = THREE.replace("label = ", "pooling = 'first'\nlabel = ")
    assert built(tmp_path, said).model.tasks["topic"].pooling == "first"


def test_a_language_model_reads_a_causal_encoder(tmp_path: Path) -> None:
    text = "[tasks.next]\nkind = 'language_modeling'\ndata = 'topics'\n[encoder]\nkind = 'lstm'\n"
    model = built(tmp_path, f"{text}width = 8\n").model
    assert isinstance(model.tasks["next"], LanguageModeling)
    assert isinstance(model.sharing.encoder, LSTMEncoder)
    assert model.tasks["next"].vocab_size == model.tokenizer.vocab_size


def test_a_pretrained_encoder_brings_tokenizer_poolings_and_steps(tmp_path: Path) -> None:
    try:
        folder = packaged_encoder()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    table = f"kind = 'pretrained'\nname_or_folder = '{folder}'"
    made = built(tmp_path, THREE.replace("width = 16", table).replace("learning_rate = 0.01", ""))
    assert isinstance(made.model.sharing.encoder, PretrainedEncoder)
    assert made.model.tasks["topic"].pooling == "first"
    assert made.file.training["learning_rate"] == 5e-5
    assert made.file.training["head_learning_rate"] == 1e-3


def test_weights_labels_and_options_reach_their_classes(tmp_path: Path) -> None:
    text = THREE.replace("label = ", "labels = ['travel', 'food', 'none']\ndropout = 0.5\nlabel = ")
    made = built(tmp_path, f"{text}\n[balancer]\nkind = 'fixed'\nweights = {{names = 2}}\n")
    topic = made.model.tasks["topic"]
    assert isinstance(topic, Classification)
    assert (topic.labels, topic.dropout) == (("travel", "food", "none"), 0.5)
    assert isinstance(made.balancer, FixedWeights)
    assert made.balancer.weights == {"topic": 1.0, "names": 2.0, "likeness": 1.0}
    assert made.model.tasks["likeness"].spread == pytest.approx(0.5)
