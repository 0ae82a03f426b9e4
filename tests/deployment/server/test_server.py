"""The server: the answers of the model, whoever asks how, and errors that say what was wrong."""

from __future__ import annotations

import contextlib
import json
import math
import os
import reprlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import another_process
import pytest
import uvicorn
from exported_models import SECOND, TEXTS, byte_pairs, encoder_of, small_model
from hang_guard import HANG_SECONDS
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from mtl_utils import commands, deployment
from mtl_utils.deployment import OnnxModel, ServerLimits, create_app
from mtl_utils.models import TextModel
from mtl_utils.nn import ConvolutionalPictures, LateFusion
from mtl_utils.sharing import HardSharing, LanguageAdapters
from mtl_utils.tasks import Classification

LIMITS = ServerLimits(max_texts=6, max_length=200, max_body=2000, max_wait_ms=0.0)


@pytest.fixture(scope="module")
def model() -> TextModel:
    return small_model("transformer")


@pytest.fixture(scope="module")
def client(model: TextModel) -> Iterator[TestClient]:
    with TestClient(create_app(model, LIMITS), raise_server_exceptions=False) as made:
        yield made


def asked(client: TestClient, **body: Any) -> list[dict[str, Any]]:
    response = client.post("/predict", json=body)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["predictions"]
    return found


def alike(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    """Whether labels are the same, and numbers but for the rounding of another batch."""
    close = [{**row, "score": pytest.approx(row["score"], abs=1e-4)} for row in expected]
    return found == close


def refused(client: TestClient, content: Any, status: int, kind: str) -> dict[str, Any]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    response = client.post("/predict", content=body)
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"type", "message", "where", "given", "expected"}
    assert (error["type"], bool(error["message"]), bool(error["expected"])) == (kind, True, True)
    assert error["given"] is not None
    assert len(response.content) < 1000
    return error


def test_answers_are_those_of_the_model(client: TestClient, model: TextModel) -> None:
    assert asked(client, texts=TEXTS) == model.predict(TEXTS)
    assert asked(client, texts=TEXTS, second=SECOND) == model.predict(TEXTS, second=SECOND)
    some = ["relation", "names"]
    found = asked(client, texts=TEXTS, second=SECOND, tasks=some, probabilities=True)
    assert found == model.predict(TEXTS, some, second=SECOND, probabilities=True)
    words = [text.split() for text in TEXTS]
    assert asked(client, texts=words) == model.predict(words)


def test_an_exported_model_answers_too(model: TextModel, tmp_path: Path) -> None:
    deployment.export_onnx(model, tmp_path / "out")
    exported = OnnxModel.load(tmp_path / "out")
    with TestClient(create_app(exported, LIMITS)) as client:
        assert asked(client, texts=TEXTS) == exported.predict(TEXTS)
        assert client.get("/health").json()["tasks"] == list(model.tasks)


def test_a_model_that_asks_for_languages_is_not_served() -> None:
    encoder = encoder_of("transformer", byte_pairs().vocab_size)
    reader = LanguageAdapters(encoder, ["en", "ja"], bottleneck=4)
    topic = Classification("topic", ("a", "b"))
    model = TextModel(HardSharing(reader), [topic], byte_pairs(), language="language")
    with pytest.raises(ValueError, match="told the language"):
        create_app(model)


def test_a_model_that_reads_pictures_is_not_served() -> None:
    encoder = encoder_of("transformer", byte_pairs().vocab_size)
    reader = LateFusion(encoder, ConvolutionalPictures(12, 2))
    topic = Classification("topic", ("a", "b"))
    model = TextModel(HardSharing(reader), [topic], byte_pairs(), picture="picture")
    with pytest.raises(ValueError, match="a picture beside a text, which no request has"):
        create_app(model)


@pytest.mark.parametrize("one_pass", [False, True])
def test_one_pass_reads_every_text_once_for_all_tasks(model: TextModel, one_pass: bool) -> None:
    texts = ["Ada met Grace, in Paris.", "Rain."]
    read: list[int] = []
    hook = model.sharing.register_forward_hook(
        lambda module, given, out: read.append(len(given[0].inputs.input_ids))
    )
    with TestClient(create_app(model, LIMITS, one_pass=one_pass)) as client:
        found = asked(client, texts=texts)
    hook.remove()
    assert sum(read) == len(texts) * (1 if one_pass else 2)
    if one_pass:
        assert found == model.predict(
            [["Ada", "met", "Grace", ",", "in", "Paris", "."], ["Rain", "."]]
        )


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b'{"texts": ["\\ud800"]}', b"[" * 1500],
    ids=["nothing", "half", "no UTF-8", "half a pair", "deep"],
)
def test_what_is_no_json_is_bad(client: TestClient, content: bytes) -> None:
    refused(client, content, 400, "bad_json")


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ([], None),
        ("texts", None),
        ({}, "texts"),
        ({"texts": []}, "texts"),
        ({"texts": None}, "texts"),
        ({"texts": "a text"}, "texts"),
        ({"texts": ["a", 3]}, "texts[1]"),
        ({"texts": [math.nan]}, "texts[0]"),
        ({"texts": [["a", None]]}, "texts[0]"),
        ({"texts": [{"text": "a"}]}, "texts[0]"),
        ({"texts": ["a"], "second": "b"}, "second"),
        ({"texts": ["a"], "second": [None]}, "second[0]"),
        ({"texts": ["a"], "tasks": []}, "tasks"),
        ({"texts": ["a"], "tasks": "topic"}, "tasks"),
        ({"texts": ["a"], "tasks": [0]}, "tasks[0]"),
        ({"texts": ["a"], "probabilities": "yes"}, "probabilities"),
        ({"texts": ["a"], "probabilities": 1}, "probabilities"),
        ({"texts": ["a"], "text": "b"}, "text"),
        ({"texts": ["a"], "x" * 1500: 1}, "x" * 80),
        ({"texts": [{str(i): i for i in range(100)}]}, "texts[0]"),
        ({"texts": ["a"], "tasks": [["b"] * 300]}, "tasks[0]"),
    ],
)
def test_wrong_types_are_told_with_their_place(
    client: TestClient, content: Any, where: str | None
) -> None:
    error = refused(client, content, 422, "wrong_type")
    assert error["where"] == where


@pytest.mark.parametrize(
    ("content", "kind", "where", "given"),
    [
        ({"texts": ["a"] * 7}, "too_many_texts", "texts", 7),
        ({"texts": ["a", "b" * 201]}, "too_long", "texts[1]", 201),
        ({"texts": [["b" * 99] * 3]}, "too_long", "texts[0]", 300),
        ({"texts": ["a", [1] * 300]}, "too_long", "texts[1]", 300),
        ({"texts": [1] * 300}, "too_many_texts", "texts", 300),
        ({"texts": ["a"], "second": [1] * 300}, "unpaired", "second", 300),
        ({"texts": ["a"], "tasks": ["topic"] * 99}, "repeated_task", "tasks[1]", "topic"),
        ({"texts": ["a"], "second": ["b" * 201]}, "too_long", "second[0]", 201),
        ({"texts": ["a"], "second": ["b", "c"]}, "unpaired", "second", 2),
        ({"texts": ["a"], "tasks": ["topic", "no"]}, "unknown_task", "tasks[1]", "no"),
    ],
)
def test_what_is_too_much_or_unknown_is_told_with_the_limit(
    client: TestClient, content: Any, kind: str, where: str, given: Any
) -> None:
    error = refused(client, content, 422, kind)
    assert (error["where"], error["given"]) == (where, given)


@pytest.mark.parametrize(
    ("content", "kind", "where", "given", "expected"),
    [
        ({"texts": ["a", "x " * 95]}, "too_long", "texts[1]", 193, "at most 90 tokens"),
        ({"texts": ["x " * 50], "second": ["x " * 50]}, "too_long", "texts[0]", 103, "at most 90"),
        ({"texts": ["a"], "tasks": ["relation"]}, "unpaired", "second", "no second", "1, one"),
        ({"texts": ["a"], "second": ["b"], "tasks": ["topic"]}, "unpaired", "second", 1, "no "),
    ],
)
def test_what_the_model_cannot_read_is_told_with_its_place(
    client: TestClient, content: Any, kind: str, where: str, given: Any, expected: str
) -> None:
    error = refused(client, content, 422, kind)
    assert error["where"] == where
    assert str(error["given"]).startswith(str(given))
    assert error["expected"].startswith(expected)
    assert "max_length" not in error["message"]  # that is for who makes the model


def test_a_text_in_windows_is_taken_and_one_that_no_window_has_room_for_is_not() -> None:
    windowed, long = small_model("transformer", long="windows"), ["x " * 95]
    with TestClient(create_app(windowed, LIMITS)) as client:
        assert asked(client, texts=long, tasks=["names"]) == windowed.predict(long, ["names"])
        windowed.max_length = 2  # special tokens alone
        error = refused(client, {"texts": ["x", *long], "tasks": ["names"]}, 422, "not_read")
    assert (error["where"], error["given"]) == ("texts[0]", "'x'")


def test_a_text_that_is_too_long_costs_its_neighbours_nothing(
    model: TextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(model)
    monkeypatch.setattr(model, "predict", held)
    limits = ServerLimits(max_wait_ms=0.0)
    with running(create_app(model, limits)) as (_, address, _):
        waiting = [sent(address, body("first"))]
        assert held.begun.wait(HANG_SECONDS)
        for number, text in enumerate(["one", "x " * 95, "two", "three"], start=1):
            waiting.append(sent(address, body(text)))
            until(address, f"mtl_waiting_requests {number}")
        held.free.set()
        answers = [received(connection) for connection in waiting]
        for line in ("mtl_batch_texts_sum 4.0", "mtl_batch_requests_sum 4.0", "mtl_texts_total 4"):
            until(address, line)
        until(address, "mtl_batch_requests_count 2")
    assert [status for status, _ in answers] == [200, 200, 422, 200, 200]
    assert held.read == ["first", "one", "two", "three"]


@pytest.mark.parametrize("content", [
    b'{"texts": [' + b"1," * 499_000 + b"1]}",
    b'{"texts": ["a"], "tasks": [' + b"1," * 480_000 + b"1]}",
    b'{"texts": ["a"], "second": [' + b"{}," * 320_000 + b"1]}",
    b'{"texts": [[' + b"1," * 490_000 + b"1]]}",
    b'{"' + b'":1,"'.join(b"%d" % i for i in range(90_000)) + b'":1}',
    b'{"texts": ["a"], "' + b"k" * 990_000 + b'": 1}',
], ids=["texts", "tasks", "second", "words", "keys", "key"])  # fmt: skip
def test_a_large_body_is_looked_at_no_further_than_its_first_fault(
    model: TextModel, content: bytes
) -> None:
    from mtl_utils.deployment.server import requests
    from mtl_utils.deployment.server.limits import RefusedRequestError

    lines, counted = 0, (requests.__file__, reprlib.__file__)

    def count(frame: Any, event: str, _: Any) -> Any:
        nonlocal lines
        if frame.f_code.co_filename not in counted:
            return None  # what the collection of garbage calls now and then
        lines += event == "line"
        return count

    assert len(content) < ServerLimits().max_body
    before = sys.gettrace()
    try:
        sys.settrace(count)
        with pytest.raises(RefusedRequestError) as refusal:
            requests.parsed(content, ServerLimits(), list(model.tasks))
    finally:
        sys.settrace(before)
    assert 0 < lines < 500  # of Python: the parser itself is compiled
    assert len(json.dumps(refusal.value.content)) < 1000


def test_a_large_body_is_refused_whatever_its_header_says(client: TestClient) -> None:
    assert refused(client, b" " * 2001, 413, "too_large")["given"] == "2001"
    parts = (b" " * 500 for _ in range(5))  # without a length
    response = client.post("/predict", content=parts)
    assert response.json()["error"]["type"] == "too_large"
    just = b'{"texts": ["a"]}'
    assert client.post("/predict", content=just + b" " * (2000 - len(just))).status_code == 200


def test_other_paths_and_methods_are_told_what_there_is(client: TestClient) -> None:
    missing, wrong = client.get("/nothing"), client.get("/predict")
    slash = client.post("/predict/", json={"texts": ["a"]}, follow_redirects=False)
    assert (missing.status_code, wrong.status_code, slash.status_code) == (404, 405, 404)
    assert wrong.headers["Allow"] == "POST"
    for response in (missing, wrong, slash):
        assert "POST /predict" in response.json()["error"]["expected"]
    schema = client.get("/openapi.json").json()
    body = schema["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert set(body["schema"]["properties"]) == {"texts", "second", "tasks", "probabilities"}


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["texts", "tasks", "second", "x"]), inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_whatever_json_comes_it_is_answered_or_refused(client: TestClient, content: Any) -> None:
    response = client.post("/predict", content=json.dumps(content).encode())
    assert response.status_code in (200, 400, 413, 422)
    assert set(response.json()) in ({"predictions"}, {"error"})


@pytest.mark.parametrize("kind", [RuntimeError, IndexError, ValueError, NotImplementedError])
def test_what_fails_inside_is_no_secret_and_no_end_and_is_logged(
    model: TextModel,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    kind: type[Exception],
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise kind("a path of mine")

    with running(create_app(model, LIMITS)) as (_, address, _):
        with monkeypatch.context() as patched:
            patched.setattr(model, "predict", broken)
            status, said = received(sent(address, body("a")))
        assert (status, said["error"]["type"]) == (500, "internal")
        assert "path" not in json.dumps(said)
        found = received(sent(address, body(*TEXTS)))
        assert found == (200, {"predictions": model.predict(TEXTS)})
        until(address, 'mtl_requests_total{path="/predict",status="500"} 1')
    log = capfd.readouterr().err
    assert log.count(f"{kind.__name__}: a path of mine") == 1
    assert "Traceback" in log
    assert "in broken" in log


def test_metrics_count_requests_texts_and_labels(model: TextModel) -> None:
    names = ["topic", "names", "moods", "score"]
    with TestClient(create_app(model, LIMITS)) as client:
        found = asked(client, texts=TEXTS, tasks=names)
        likely = asked(client, texts=TEXTS, tasks=names, probabilities=True)
        client.post("/predict", content=b"{")
        for _ in range(2):
            client.get("/anything")
        response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    numbers = dict(line.rsplit(" ", 1) for line in response.text.splitlines() if line[0] != "#")
    assert numbers['mtl_requests_total{path="/predict",status="200"}'] == "2"
    assert numbers['mtl_requests_total{path="/predict",status="400"}'] == "1"
    assert numbers['mtl_requests_total{path="other",status="404"}'] == "2"
    assert numbers["mtl_predict_seconds_count"] == "2"  # those that were answered
    assert numbers['mtl_batch_texts_bucket{le="+Inf"}'] == "2"
    assert numbers["mtl_batch_texts_sum"] == "10.0"
    assert numbers["mtl_texts_total"] == "10"
    words = [max(tag, key=tag.get) for row in likely for tag in row["names"]]
    given = {
        "topic": 2 * [row["topic"] for row in found],
        "names": [tag for row in found for tag in row["names"]] + words,
        "moods": 2 * [mood for row in found for mood in row["moods"]],
    }
    assert given["moods"]
    for task, labels in given.items():
        counted = {
            name.split('label="')[1][:-2]: int(number)
            for name, number in numbers.items()
            if f'task="{task}"' in name
        }
        assert counted == {label: labels.count(label) for label in labels}
    assert "score" not in response.text


def test_an_exported_model_counts_the_labels_above_its_thresholds(
    model: TextModel, tmp_path: Path
) -> None:
    from mtl_utils.deployment.server.reading import RequestReading

    deployment.export_onnx(model, tmp_path / "out")
    exported = OnnxModel.load(tmp_path / "out")
    for made in (model, exported):
        reading = RequestReading(made, one_pass=False)
        assert reading.thresholds == {"moods": 0.4}
        assert reading.ways["names"] == (True, False)
        assert reading.ways["relation"] == (False, True)


def test_labels_with_any_character_stay_one_line() -> None:
    from mtl_utils.deployment.server.metrics import ServerMetrics

    metrics = ServerMetrics()
    metrics.count_predictions([{"t": 'a"b\\c\nd'}, {"t": 0.5}, {"t": {}}, {"t": None}])
    assert 'mtl_predictions_total{task="t",label="a\\"b\\\\c\\nd"} 1' in metrics.text(0).split("\n")


@given(st.lists(st.floats(0, 20), max_size=30))
def test_bins_of_a_histogram_add_up(values: list[float]) -> None:
    from mtl_utils.deployment.server.metrics import Histogram

    histogram = Histogram((0.1, 1.0, 10.0))
    for value in values:
        histogram.observe(value)
    lines = dict(line.rsplit(" ", 1) for line in histogram.lines("x") if line[0] != "#")
    for bound in ("0.1", "1.0", "10.0"):
        assert int(lines[f'x_bucket{{le="{bound}"}}']) == sum(v <= float(bound) for v in values)
    assert int(lines['x_bucket{le="+Inf"}']) == int(lines["x_count"]) == len(values)
    assert float(lines["x_sum"]) == pytest.approx(sum(values))


# --- a real server --------------------------------------------------------------------------------


class Held:
    """A model's ``predict`` that waits to be let go, and remembers what it read."""

    def __init__(self, model: TextModel) -> None:
        self.real, self.read = model.predict, list[str]()
        self.begun, self.free = threading.Event(), threading.Event()

    def __call__(self, texts: list[str], *given: Any, **named: Any) -> Any:
        self.read.extend(texts)
        self.begun.set()
        assert self.free.wait(HANG_SECONDS)
        return self.real(texts, *given, **named)


@contextlib.contextmanager
def running(app: Any) -> Iterator[tuple[uvicorn.Server, tuple[str, int], threading.Thread]]:
    """A server in a thread; who connects before it listens waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield server, address, thread
        finally:
            server.should_exit = True
            thread.join(HANG_SECONDS)
            assert not thread.is_alive()


def sent(address: tuple[str, int], content: bytes, head: str = "") -> socket.socket:
    connection = socket.create_connection(address, timeout=HANG_SECONDS)
    head = head or f"Content-Length: {len(content)}\r\n"
    start = f"POST /predict HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{head}\r\n"
    connection.sendall(start.encode() + content)
    return connection


def received(connection: socket.socket) -> tuple[int, Any]:
    with connection, connection.makefile("rb") as file:
        whole = file.read()
    head, _, body = whole.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def body(*texts: str, **other: Any) -> bytes:
    return json.dumps({"texts": texts, **other}).encode()


def until(address: tuple[str, int], line: str) -> None:
    """Ask for the metrics until they have a line."""
    while True:
        connection = socket.create_connection(address, timeout=HANG_SECONDS)
        with connection, connection.makefile("rb") as file:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            if line in file.read().decode().splitlines():
                return


def test_under_load_everybody_gets_what_the_model_says_of_their_texts(model: TextModel) -> None:
    texts = [f"{text[:60]} {number}" for number in range(8) for text in TEXTS]
    expected = {text: model.predict([text])[0] for text in texts}
    requests = [texts[i : i + 1 + i % 4] for i in range(len(texts))]
    limits = ServerLimits(max_batch=7, max_wait_ms=2.0)
    with running(create_app(model, limits)) as (_, address, _), ThreadPoolExecutor(8) as pool:

        def ask(number: int) -> tuple[int, Any]:
            if number % 5 == 4:  # among them some that are refused, on the way or by the model
                bad = body("a", tasks=["no"]) if number % 2 else body("x " * 95)
                return received(sent(address, bad))
            return received(sent(address, body(*requests[number])))

        answers = list(pool.map(ask, range(len(requests))))
        with socket.create_connection(address, timeout=HANG_SECONDS) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            numbers = connection.makefile("rb").read().decode()
    for number, (status, said) in enumerate(answers):
        if number % 5 == 4:
            assert status == 422
        else:
            assert status == 200
            assert alike(said["predictions"], [expected[text] for text in requests[number]])
    good = sum(number % 5 != 4 for number in range(len(requests)))
    assert f'mtl_requests_total{{path="/predict",status="200"}} {good}' in numbers


def test_a_client_that_goes_away_is_not_read_for_and_harms_nobody(
    model: TextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(model)
    expected = model.predict(["stays"])
    monkeypatch.setattr(model, "predict", held)
    with running(create_app(model, ServerLimits(max_wait_ms=0.0))) as (_, address, _):
        at_work = sent(address, body("goes while it is read"))
        assert held.begun.wait(HANG_SECONDS)
        waits = sent(address, body("goes before it is read"))
        until(address, "mtl_waiting_requests 1")
        half = sent(address, b'{"te', "Content-Length: 100\r\n")
        for connection in (at_work, waits, half):
            connection.close()
        until(address, 'mtl_requests_total{path="/predict",status="499"} 3')
        stays = sent(address, body("stays"))
        until(address, "mtl_waiting_requests 1")
        held.free.set()
        assert received(stays) == (200, {"predictions": expected})
    assert held.read == ["goes while it is read", "stays"]


def test_more_than_may_wait_are_told_to_come_again_and_a_stop_answers_what_waits(
    model: TextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(model)
    expected = model.predict(["one", "two"])
    monkeypatch.setattr(model, "predict", held)
    limits = ServerLimits(max_wait_ms=0.0, max_waiting=1)
    with running(create_app(model, limits)) as (server, address, thread):
        first = sent(address, body("one"))
        assert held.begun.wait(HANG_SECONDS)
        second = sent(address, body("two"))
        until(address, "mtl_waiting_requests 1")
        until(address, "mtl_open_requests 3")  # with the one that asks
        status, said = received(sent(address, body("three")))
        assert (status, said["error"]["type"]) == (503, "busy")
        server.should_exit = True
        held.free.set()
        for connection, wanted in ((first, expected[:1]), (second, expected[1:])):
            status, said = received(connection)
            assert status == 200
            assert alike(said["predictions"], wanted)
        thread.join(HANG_SECONDS)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(address).close()


def test_a_body_that_does_not_come_is_not_waited_for(
    model: TextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtl_utils.deployment.server import app as server_app

    monkeypatch.setattr(server_app, "BODY_SECONDS", 0.01)
    with running(create_app(model)) as (_, address, _):
        connection = sent(address, b'{"te', "Content-Length: 100\r\n")
        status, said = received(connection)
        assert (status, said["error"]["type"], said["error"]["given"]) == (
            408,
            "too_slow",
            "4 bytes",
        )


def test_a_server_holds_so_many_connections_and_no_more(
    model: TextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[uvicorn.Server] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda server: made.append(server))
    deployment.serve(model, port=0, limits=ServerLimits(max_waiting=7))
    assert made[0].config.limit_concurrency == 14


def test_a_body_without_end_is_cut_off(model: TextModel) -> None:
    limits = ServerLimits(max_body=1000)
    with running(create_app(model, limits)) as (_, address, _):
        connection = sent(address, b"", "Transfer-Encoding: chunked\r\n")
        for _ in range(3):  # and no end
            connection.sendall(b"1f4\r\n" + b" " * 500 + b"\r\n")
        status, said = received(connection)
        assert (status, said["error"]["type"]) == (413, "too_large")


_SERVING = """
import sys
from mtl_utils.commands import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_told_to_stop(
    model: TextModel, tmp_path: Path, number: signal.Signals
) -> None:
    model.save(tmp_path / "model")
    served = another_process.start(_SERVING, "serve", tmp_path / "model", "--port", 0)
    log = Path(served.said.name) / "stderr"
    while not log.is_file() or "running on" not in log.read_text("utf-8"):
        assert served.process.is_alive()
        time.sleep(0.05)
    port = int(log.read_text("utf-8").split("http://127.0.0.1:")[1].split()[0])
    found = received(sent(("127.0.0.1", port), body(*TEXTS)))
    assert found == (200, {"predictions": model.predict(TEXTS)})
    assert served.process.pid is not None
    os.kill(served.process.pid, number)
    done = served.wait()
    assert done.returncode in (0, -number)
    assert "Finished server process" in done.stderr


def test_the_command_says_in_a_line_what_it_cannot_do(
    model: TextModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.save(tmp_path / "model")
    (tmp_path / "writer").mkdir()
    (tmp_path / "writer" / "writer.json").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cases = {
            ("serve", str(tmp_path / "no")): "no model",
            ("serve", str(tmp_path / "writer")): "writes (writer.json), which is not served",
            ("serve", str(tmp_path / "model"), "--int8"): "export",
            ("serve", str(tmp_path / "model"), "--max-texts", "0"): "max_texts",
            ("serve", str(tmp_path / "model"), "--port", "70000"): "port",
            ("serve", str(tmp_path / "model"), "--port", str(taken.getsockname()[1])): "listen",
        }
        for words, said in cases.items():
            assert commands.main(list(words)) == 2
            assert said in capsys.readouterr().err.splitlines()[-1]
