"""What stored models are made of, damaged: refused, and nothing is run or read elsewhere."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sacrebleu  # noqa: F401  by a task that translates, in whichever test comes first
import torch
from model_kinds import KINDS, made

from mtl_utils import models
from mtl_utils.models import TextModel
from mtl_utils.saving.stored_model import read_model, write_model

Change = Callable[[dict[str, Any]], Any]


def _model() -> Any:
    return made("TextModel")


def _part(content: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(p for p in content["parts"] if p.get("class") == kind)
    return found


def _setting(**changes: Any) -> Change:
    return lambda content: content["settings"].update(changes)


def _given(kind: str, **changes: Any) -> Change:
    return lambda content: _part(content, kind)["with"].update(changes)


def _of_class(name: str, **arguments: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        _part(content, "nn.PretrainedEncoder").update({"class": name, "with": arguments})

    return change


def _tokenizer(part: dict[str, Any]) -> Change:
    def change(content: dict[str, Any]) -> None:
        content["parts"].append(part)
        content["settings"]["tokenizer"] = {"part": len(content["parts"]) - 1}

    return change


def _configured(**changes: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        pairs = _part(content, "nn.PretrainedEncoder")["with"]["name_or_folder"]["mapping"]
        pairs[:] = [pair for pair in pairs if pair[0] not in changes]
        pairs.extend([name, value] for name, value in changes.items())

    return change


REFUSED: dict[str, Change] = {
    "no parts": lambda c: c.pop("parts"),
    "empty parts": lambda c: c["parts"].clear(),
    "parts that are none": lambda c: c.update(parts=[1]),
    "no settings": lambda c: c.pop("settings"),
    "settings that are none": lambda c: c.update(settings=[]),
    "a setting too much": _setting(own=["os"]),
    "no tasks": _setting(tasks=[]),
    "a part before the first": _setting(tasks=[{"part": -1}]),
    "a part that is a truth value": _setting(tasks=[{"part": 10**9}]),
    "a path for a tokenizer": _setting(tokenizer="/etc/passwd"),
    "a task for a tokenizer": _setting(tokenizer={"part": 0}),
    "no sharing": _setting(sharing=None),
    "a mapping of half a pair": _setting(sharing={"mapping": [[1]]}),
    "a number that is none": _setting(sharing={"float": "1e5"}),
    "a length below 1": _setting(max_length=-1),
    "another way of long": _setting(long="os.system"),
    "a class of one's own": _of_class("own.Popen", args="true"),
    "a class of Python": _of_class("os.system", command="true"),
    "a class inside another": _of_class("nn.pretrained.os"),
    "a function for a class": _of_class("nn.packaged_encoder"),
    "an encoder by name": _of_class("nn.PretrainedEncoder", name_or_folder="bert-base-uncased"),
    "an encoder by path": _of_class("nn.PretrainedEncoder", name_or_folder="/etc"),
    "cuts that are none": lambda c: _part(c, "nn.PretrainedEncoder").update(cuts=3),
    "a tokenizer by path": _tokenizer({"pretrained tokenizer": {"name": "/etc/passwd"}}),
    "a definition by path": _tokenizer(
        {"pretrained tokenizer": {"definition": "/etc/passwd", "roles": {}}}
    ),
    "a function of Python": _tokenizer({"function": "os.system"}),
    "a function for a tokenizer": _tokenizer({"function": "nn.packaged_encoder"}),
    "a part of no kind": _tokenizer({"code": "print()"}),
    "a vocabulary of numbers": _tokenizer({"vocabulary": [1]}),
    "labels that weights do not have": _given("tasks.Tagging", labels={"tuple": ["O"]}),
    "a name that is taken": _given("tasks.Classification", name="__class__"),
    "a model of no kind": _configured(model_type="nothing"),
    "an activation of no kind": _configured(hidden_act="os.system"),
    "a type of no kind": _configured(dtype="os.system"),
    "layers without weights": _configured(num_hidden_layers=10**6),
    "a width without weights": _configured(hidden_size=10**6),
}

#: Leads nowhere: it is left out, and the model is what it was.
IGNORED: dict[str, Change] = {
    "code beside the model": _configured(auto_map={"mapping": [["AutoModel", "evil--x.Y"]]}),
    "a kernel to download": _configured(attn_implementation="kernels-community/flash-attn"),
    "another kernel to download": _configured(_attn_implementation="kernels-community/x"),
    "a path of its own": _configured(_name_or_path="/etc/passwd"),
    "a backbone to download": _configured(backbone="microsoft/resnet-50", trust_remote_code=True),
}


def _changed(folder: Path, change: Change) -> None:
    _model().save(folder)
    content, weights = read_model(folder)
    content = copy.deepcopy(content)
    change(content)
    write_model(folder, content, weights)


def _elsewhere(met: list[str], folder: Path) -> list[str]:
    return [entry for entry in met if not entry.partition(" ")[2].startswith(str(folder))]


@pytest.mark.parametrize("name", REFUSED)
def test_damaged_content_is_refused(name: str, tmp_path: Path, watched: list[str]) -> None:
    _changed(tmp_path, REFUSED[name])
    watched.clear()
    with pytest.raises(ValueError, match=r"holds no usable TextModel: \S"):
        TextModel.load(tmp_path)
    assert _elsewhere(watched, tmp_path) == []


@pytest.mark.parametrize("name", IGNORED)
def test_what_leads_out_of_the_folder_is_not_followed(
    name: str, tmp_path: Path, watched: list[str]
) -> None:
    _changed(tmp_path, IGNORED[name])
    watched.clear()
    found = TextModel.load(tmp_path)
    assert _elsewhere(watched, tmp_path) == []
    assert watched  # what is in the folder was read
    assert found.predict(["we see"]) == _model().predict(["we see"])


# --- every kind -----------------------------------------------------------------------------------

#: Of whatever kind a model is.
OF_ANY: dict[str, Change] = {
    "no parts": lambda c: c.pop("parts"),
    "empty parts": lambda c: c["parts"].clear(),
    "parts that are none": lambda c: c.update(parts=[1]),
    "parts that are one another": lambda c: c.update(parts=[{"part": 0}] * len(c["parts"])),
    "no settings": lambda c: c.pop("settings"),
    "settings that are none": lambda c: c.update(settings=[]),
    "a setting too much": _setting(own=["os"]),
    "changes that are none": lambda c: c.update(changes=[]),
    "changes of nothing known": lambda c: c.update(changes={"heads": ["os.system"]}),
    "no tasks left": lambda c: c.update(changes={"tasks": []}),
    "a path for tasks": lambda c: c.update(changes={"tasks": "/etc/passwd"}),
}

#: Given in place of a setting; none of them fits anything.
NO_SETTINGS: tuple[Any, ...] = (
    *("/etc/passwd", {"part": 10**9}, -1, 10**12, {"function": "os.system"}),
)


def _refuse(name: str, change: Change, folder: Path, watched: list[str]) -> None:
    made(name).save(folder)
    content, weights = read_model(folder)
    content = copy.deepcopy(content)
    change(content)
    write_model(folder, content, weights)
    watched.clear()
    with pytest.raises(ValueError, match=r"holds no usable \w+: \S"):
        models.load(folder)
    assert _elsewhere(watched, folder) == []


@pytest.mark.parametrize("damage", OF_ANY)
@pytest.mark.parametrize("name", KINDS)
def test_damage_to_any_kind(name: str, damage: str, tmp_path: Path, watched: list[str]) -> None:
    _refuse(name, OF_ANY[damage], tmp_path, watched)


@pytest.mark.parametrize("name", KINDS)
def test_settings_that_fit_nothing(name: str, tmp_path: Path, watched: list[str]) -> None:
    made(name).save(tmp_path)
    content, weights = read_model(tmp_path)
    taken = set()
    for setting in content["settings"]:
        for value in NO_SETTINGS:
            changed = {**content, "settings": {**content["settings"], setting: value}}
            write_model(tmp_path, changed, weights)
            watched.clear()
            with contextlib.suppress(ValueError):
                models.load(tmp_path)
                taken.add(setting)
            assert _elsewhere(watched, tmp_path) == []
    # Lengths may be any, a column may have any name, and what is not looked at may be anything: an
    # encoder was given.
    unused = {"width", "num_layers"} if name == "Seq2Seq of Transformers" else set()
    assert taken <= {"max_length", "k", "picture"} | unused


@pytest.mark.parametrize("name", KINDS)
def test_weights_of_something_else(name: str, tmp_path: Path) -> None:
    made(name).save(tmp_path)
    content, weights = read_model(tmp_path)
    first = next(n for n, t in weights.items() if t.dim() and not n.endswith("_extra_state"))
    tensor = weights[first]
    for changed in (
        {},
        {n: t for n, t in weights.items() if n != first},
        {**weights, "more": torch.ones(2)},
        {**weights, "buffer:more": torch.ones(2)},
        {**weights, first: tensor[:-1].clone()},
        {**weights, first: tensor[None].clone()},
    ):
        write_model(tmp_path, content, changed)
        with pytest.raises(ValueError, match=r"holds no usable \w+: \S"):
            models.load(tmp_path)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("codes.2", lambda t: t.flip(0)),
        ("codes.2", lambda t: t + 10**6),
        ("codes.2", lambda t: t - 10**6),
        ("codes.1", lambda t: t.double()),
        ("counts.1", lambda t: -t),
        ("counts.2", lambda t: t.to(torch.int32)),
        ("codes.3", lambda t: torch.cat([t[:1] - 1, t[1:]])),
    ],
)
def test_counts_that_no_text_has(table: str, change: Callable[..., Any], tmp_path: Path) -> None:
    made("NGramLanguageModel").save(tmp_path)
    content, weights = read_model(tmp_path)
    write_model(tmp_path, content, {**weights, table: change(weights[table])})
    with pytest.raises(ValueError, match="holds no usable NGramLanguageModel: "):
        models.load(tmp_path)


@pytest.mark.parametrize(
    "decoder",
    [
        {"maker": "nn.PretrainedEncoder", "positions": ["bert-base-uncased"], "with": {}},
        {"maker": "nn.TransformerDecoder", "positions": [], "with": {"num_layers": 10**6}},
        {"maker": "nn.packaged_encoder", "positions": [], "with": {}},
        {"maker": "own.Popen", "positions": ["true"], "with": {}},
        {"maker": "tasks.Tagging", "positions": [], "with": {}},
        {"maker": "os.system", "positions": ["true"], "with": {}},
        {"function": "nn.packaged_encoder"},
        {"class": "nn.TransformerDecoder", "with": {}},
    ],
)
def test_what_makes_a_decoder_makes_nothing_else(
    decoder: Any, tmp_path: Path, watched: list[str]
) -> None:
    def change(content: dict[str, Any]) -> None:
        content["parts"][content["settings"]["decoder"]["part"]] = decoder

    _refuse("Seq2Seq of Transformers", change, tmp_path, watched)
