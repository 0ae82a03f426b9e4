"""Models whose files say what they should not: refused by name, at once, and from nowhere else."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest
import torch
from transformers import BertConfig, BertModel

from mtl_utils.data import PretrainedTokenizer, Vocabulary, WordTokenizer
from mtl_utils.files import write_json
from mtl_utils.models import MultiTaskTransformer, PretrainedTextModel
from mtl_utils.nn import PretrainedEncoder
from mtl_utils.saving.blueprint import Builder
from mtl_utils.saving.construction import no_more_parameters
from mtl_utils.saving.stored_model import read_model, write_model

SETTINGS = {"num_classes": 2, "num_entities": 3, "vocab_size": 12, "hidden_size": 8}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "danube"]


def multitask():
    tokenizer = WordTokenizer(Vocabulary.from_tokens("abcdefgh"))
    return MultiTaskTransformer(
        **SETTINGS, num_layers=2, num_heads=2, max_length=30, tokenizer=tokenizer
    ).eval()


def word_piece():
    import tokenizers
    from tokenizers import models, pre_tokenizers, processors

    made = tokenizers.Tokenizer(
        models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PretrainedTokenizer(made.to_str(), names)


def as_before(folder):
    """Write a model as it was written when each kind had its own way."""
    content, weights = read_model(folder)
    parts = content.pop("parts")
    settings = {name: Builder(parts).of(v) for name, v in content["settings"].items()}
    (content["tokenizer"],) = parts[content["settings"]["tokenizer"]["part"]].values()
    del settings["tokenizer"]
    if "name_or_folder" in settings:
        content["encoder"] = settings.pop("name_or_folder")
    else:
        del settings["crf"]
    write_model(folder, {**content, "settings": settings}, weights)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=20, hidden_size=8, max_position_embeddings=20, **sizes)
    BertModel(config).save_pretrained(folder)
    model = PretrainedTextModel(folder, ["a", "b"], ["O", "B-X", "I-X"], tokenizer=word_piece())
    model.save(folder / "saved")
    as_before(folder / "saved")
    return folder / "saved"


@pytest.fixture
def folder(tmp_path):
    multitask().save(tmp_path)
    as_before(tmp_path)
    return tmp_path


def changed(source, target, change, **options):
    """Copy a model and change what it says of itself; the digest is right."""
    content = json.loads((source / "model.json").read_text("utf-8"))
    del content["digest"]
    change(content)
    target.mkdir(exist_ok=True)
    for path in source.glob("weights-*"):
        (target / path.name).write_bytes(path.read_bytes())
    write_json(target / "model.json", content)
    return target


def setting(name, value):
    return lambda content: content["settings"].update({name: value})


def configured(name, value):
    return lambda content: content["encoder"].update({name: value})


def entry(name, value):
    return lambda content: content.update({name: value})


def refuse(model, folder, message=""):
    start = time.process_time()
    with pytest.raises(ValueError, match=f"(?s){message}") as caught:
        model.load(folder)
    assert time.process_time() - start < 10
    text = str(caught.value)
    assert text.startswith(f"{folder} holds no usable {model.__name__}: ")
    assert len(text.removeprefix(f"{folder} holds no usable {model.__name__}: ")) > 10


SETTINGS_THAT_CANNOT_BE = [
    *(("num_heads", value) for value in (0, -1, 3, "2", None, 2.5, [2], float(10**300), 10**400)),
    *(("num_layers", value) for value in (0, 1, 3, -1, "2", 20_000, 10**9, 10**400, None, [1])),
    *(("vocab_size", value) for value in (11, 13, 10**9, 10**15, "12", None)),
    *(("hidden_size", value) for value in (0, 4, 10**6, 10**12, "8", {})),
    *(("max_length", value) for value in (0, -1, 10**9, 10**30, "30", None)),
    *(("feedforward_width", value) for value in (0, 5, 10**12, "32")),
    *(("classes", value) for value in ([], ["a"], "ab", 3, [1, 2], ["a", "a"])),
    *(("tags", value) for value in ([], ["O"], 3, ["O", "O", "B-X"])),
    *(("dropout", value) for value in (1, -0.1, "0.1", None)),
    *(("positions", value) for value in ("learned", "none", 3, None)),
    *(("unknown", 3), ("tokenizer", None), ("activation", "none")),
]


@pytest.mark.parametrize(("name", "value"), SETTINGS_THAT_CANNOT_BE)
def test_settings_that_cannot_be(folder, tmp_path, name, value):
    refuse(MultiTaskTransformer, changed(folder, tmp_path / "new", setting(name, value)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("settings"), "'settings' is missing"),
        (lambda c: c.pop("tokenizer"), "'tokenizer' is missing"),
        (lambda c: c["settings"].pop("num_layers"), ""),
        (lambda c: c["settings"].pop("max_length"), "'max_length' is missing"),
        (entry("settings", [1]), r"'settings' in model.json must be an object, got \[1\]"),
        (entry("settings", None), "'settings' in model.json must be an object"),
        (entry("tokenizer", "bert-base-uncased"), "'tokenizer' in model.json must be an object"),
        (entry("tokenizer", {}), "not those of a WordTokenizer"),
        (entry("tokenizer", {"tokens": "abc", "lowercase": False}), "not those of a WordTok"),
        (entry("tokenizer", {"tokens": [1], "lowercase": False}), "not those of a WordTok"),
        (lambda c: c["tokenizer"].update(lowercase=1), "not those of a WordTokenizer"),
        (lambda c: c["tokenizer"].update(merges=[["a"]]), "not those of byte pairs"),
        (lambda c: c["tokenizer"].update(merges=[]), "of the 256 bytes are not in the vocab"),
    ],
)
def test_parts_that_are_not_what_they_should_be(folder, tmp_path, change, message):
    refuse(MultiTaskTransformer, changed(folder, tmp_path / "new", change), message)


def test_what_is_declared_too_large_is_refused_before_it_is_made(folder, tmp_path, bert):
    for source, model, change in [
        (folder, MultiTaskTransformer, setting("num_layers", 20_000)),
        (folder, MultiTaskTransformer, setting("vocab_size", 10**8)),
        (bert, PretrainedTextModel, configured("num_hidden_layers", 20_000)),
        (bert, PretrainedTextModel, configured("vocab_size", 10**8)),
    ]:
        new = changed(source, tmp_path / "new", change)
        start = time.process_time()
        with pytest.raises(ValueError, match="declare more than there are weights for"):
            model.load(new)
        assert time.process_time() - start < 5
        for path in new.iterdir():
            path.unlink()


def test_only_what_is_made_while_loading_is_counted():
    few = [torch.zeros(2)]
    made = []
    with no_more_parameters(few, 1):
        other = threading.Thread(target=lambda: made.append(torch.nn.Linear(50, 50)))
        other.start()
        other.join()
        with pytest.raises(ValueError, match=r"the weight \[50, 50\] of a Linear is too much"):
            torch.nn.Linear(50, 50)
    with no_more_parameters(few, 1):
        torch.nn.Linear(2, 1, bias=False)
        with pytest.raises(ValueError, match=r"the weight \[1, 1\] of a Linear is too much"):
            torch.nn.Linear(1, 1, bias=False)
    assert len(made) == 1
    torch.nn.Linear(50, 50)


@pytest.mark.parametrize(
    "change",
    [
        *(entry("encoder", value) for value in ("bert-base-uncased", "/tmp", None, [], {})),
        *(configured("model_type", value) for value in ("no such", None, 3, ["bert"])),
        *(configured("num_hidden_layers", value) for value in (0, 1, 3, "2", -1, 10**30)),
        *(configured("num_attention_heads", value) for value in (0, 3, "2")),
        *(configured("hidden_size", value) for value in (0, 10, "8", 10**12)),
        configured("max_position_embeddings", 10**12),
        configured("hidden_act", "no such"),
        entry("tokenizer", "bert-base-uncased"),
        entry("tokenizer", {"definition": 3, "roles": {}}),
        entry("tokenizer", {"definition": "{}", "roles": {}}),
        entry("tokenizer", {"definition": "bert-base-uncased", "roles": {}}),
        lambda c: c["tokenizer"].update(roles=[]),
        lambda c: c["tokenizer"].update(roles={"sep_token": 3}),
        lambda c: c["tokenizer"].update(roles={"sep_token": "no such"}),
        lambda c: c["tokenizer"].update(more=1),
        setting("max_length", 10**9),
        setting("pooling", "no such"),
        setting("local_files_only", "no"),
        setting("pretrained", {}),
        setting("revision", 3),
        setting("tokenizer", None),
    ],
)
def test_pretrained_models_that_cannot_be(bert, tmp_path, change):
    refuse(PretrainedTextModel, changed(bert, tmp_path / "new", change))


OFFLINE = """
import json, os, socket, sys, threading
from pathlib import Path

asked = []
def refused(*arguments, **options):
    asked.append(arguments)
    raise OSError("no network here")
socket.getaddrinfo = socket.socket.connect = socket.create_connection = refused

from mtl_utils.models import PretrainedTextModel
from mtl_utils.files import write_json

folder = Path(sys.argv[1])
source = (folder / "model.json").read_text("utf-8")

def attempt(change):
    content = json.loads(source)
    del content["digest"]
    change(content)
    write_json(folder / "model.json", content)
    try:
        PretrainedTextModel.load(folder)
    except ValueError:
        return "refused"
    return "loaded"

code = {"AutoModel": "somebody/model--modeling.Model", "AutoConfig": "somebody/model--config.C"}
print(attempt(lambda c: None))
print(attempt(lambda c: c.update(encoder="somebody/model")))
print(attempt(lambda c: c.update(tokenizer="somebody/model")))
print(attempt(lambda c: c["encoder"].update(auto_map=code)))
print(attempt(lambda c: c["encoder"].update(auto_map=code, trust_remote_code=True)))
print(attempt(lambda c: c["encoder"].update(_name_or_path="somebody/model", auto_map=code)))
print(attempt(lambda c: c["encoder"].update(auto_map=code, model_type="somebody")))
print(attempt(lambda c: c["settings"].update(trust_remote_code=True)))
print(len(asked), threading.active_count())
"""


def test_nothing_is_looked_up_elsewhere(bert, tmp_path):
    target = changed(bert, tmp_path / "new", lambda content: None)
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(target)],
        env=environment,
        input="y\n" * 10,  # were somebody asked, the answer is yes
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *outcomes, asked = done.stdout.splitlines()
    expected = ["loaded", "refused", "refused", "loaded", "loaded", "loaded", "refused", "refused"]
    assert outcomes == expected
    assert asked == "0 1"


def test_a_configuration_leads_nowhere_else():
    config = BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        name_or_path="somebody/model",
        auto_map={"AutoModel": "somebody/model--modeling.Model"},
    ).to_dict()
    assert "auto_map" in config
    encoder = PretrainedEncoder(config)
    found = encoder.configuration
    assert "somebody" not in json.dumps(found)
    assert {name: found[name] for name in ("vocab_size", "hidden_size")} == {
        "vocab_size": 20,
        "hidden_size": 8,
    }
    with pytest.raises(ValueError, match="names its kind under 'model_type', got None"):
        PretrainedEncoder({"vocab_size": 20})


def test_a_model_that_the_last_release_saved_is_loaded(folder):
    model = multitask()
    model.save(folder)
    as_before(folder)
    path = folder / "model.json"
    content = json.loads(path.read_text("utf-8"))
    del content["digest"]
    content["format"] = "mtl_utils model 1"
    path.write_text(json.dumps(content, indent=1), "utf-8")
    loaded = MultiTaskTransformer.load(folder)
    ids = torch.tensor([[2, 4, 5, 3]])
    assert all(map(torch.equal, loaded(ids), model(ids)))
    assert loaded.tokenizer == model.tokenizer


def test_every_tensor_keeps_its_precision_in_whatever_order_a_file_has_them(tmp_path):
    model = multitask()
    model.sharing.to(torch.bfloat16)
    model.head("tags").to(torch.float64)
    expected = model.state_dict()
    assert {torch.bfloat16, torch.float32, torch.float64} <= {t.dtype for t in expected.values()}
    model.save(tmp_path)
    for _ in range(25):  # the order is another one every time
        found = MultiTaskTransformer.load(tmp_path).state_dict()
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            assert found[name].dtype == tensor.dtype
            assert torch.equal(found[name], tensor)
