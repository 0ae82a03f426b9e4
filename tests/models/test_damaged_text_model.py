"""What a stored text model is made of, damaged: refused, and nothing is run or read elsewhere."""

from __future__ import annotations

import builtins
import copy
import io
import os
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from mtl_utils.data import BytePairTokenizer
from mtl_utils.models import TextModel
from mtl_utils.nn import PretrainedEncoder
from mtl_utils.saving.stored_model import read_model, write_model
from mtl_utils.sharing import HardSharing
from mtl_utils.tasks import Classification, Tagging

Change = Callable[[dict[str, Any]], Any]


@cache
def _model() -> TextModel:
    torch.manual_seed(0)
    pieces = BytePairTokenizer.train(["we see a sea"], 270)
    sizes = {"vocab_size": pieces.vocab_size, "hidden_size": 8, "intermediate_size": 8}
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 16}
    encoder = PretrainedEncoder({"model_type": "bert", **sizes, **layers})
    tasks = [Classification("topic", ("x", "y"), "mean"), Tagging("names", ("O", "B-A"))]
    return TextModel(HardSharing(encoder), tasks, pieces).eval()


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


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was opened, connected to or run while a test loads a model."""
    met: list[str] = []

    def note(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def noting(*args: Any, **kwargs: Any) -> Any:
            met.append(f"{name} {args[0] if args else ''}")
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, noting)

    _model().predict(["a"])  # so that whatever is imported late has been
    for owner, name in (
        *((builtins, "open"), (io, "open"), (os, "open"), (os, "system"), (os, "listdir")),
        *((socket, "getaddrinfo"), (socket, "create_connection"), (socket, "socket")),
        *((os, "posix_spawn"), (os, "fork"), (builtins, "eval"), (builtins, "exec")),
    ):
        note(owner, name)
    return met


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
