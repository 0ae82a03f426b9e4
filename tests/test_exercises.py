"""The exercises: the machinery with made-up checks, and every check's known wrong answers."""

import importlib
import math
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from mtl_utils import exercises
from mtl_utils.exercises import CHECKS, Answer, Verdict, exercise

for _module in pkgutil.iter_modules(exercises.__path__, "mtl_utils.exercises."):
    importlib.import_module(_module.name)
REAL_CHECKS = dict(CHECKS)


@pytest.mark.parametrize("name", sorted(REAL_CHECKS))
def test_every_check_refuses_its_known_wrong_answers(name: str) -> None:
    found = REAL_CHECKS[name]
    for position, answer in enumerate(found.wrong):
        verdict = found.check(answer)
        assert verdict.state == "wrong", f"{name} accepts its wrong answer {position}: {verdict}"
        assert verdict.message


@pytest.mark.parametrize("name", sorted(REAL_CHECKS))
def test_every_check_can_be_called_by_its_name(name: str) -> None:
    check = REAL_CHECKS[name].check
    assert getattr(exercises, check.__name__, None) is check, (
        f"mtl_utils/exercises/__init__.py has to export {check.__name__}"
    )
    assert check.__name__ == f"check_{name}"
    assert check.__doc__


def test_every_check_is_silent_about_a_stub() -> None:
    for found in REAL_CHECKS.values():
        assert found.check(...).state == "unanswered", found.name
        assert not found.check(_stub).passed, found.name


def _stub(*_: Any, **__: Any) -> Any: ...


@pytest.fixture(autouse=True)
def _made_up_checks_stay_here() -> Iterator[None]:
    yield
    for name in set(CHECKS) - set(REAL_CHECKS):
        del CHECKS[name]


@pytest.fixture
def check_perplexity() -> Callable[[Any], Verdict]:
    @exercise("made-up", wrong=[lambda loss: 2**loss])
    def check(answer: Answer) -> None:
        answer.gives(0.0, expected=1.0)
        answer.gives(math.log(8), expected=8.0, hint="The loss is in nats.")

    return check


def test_a_right_answer(check_perplexity: Callable[[Any], Verdict]) -> None:
    verdict = check_perplexity(math.exp)
    assert verdict.passed
    assert repr(verdict) == "Exercise made-up: correct."


def test_a_wrong_answer_names_input_expectation_and_result(
    check_perplexity: Callable[[Any], Verdict],
) -> None:
    def double(loss: float) -> float:
        return 2**loss

    verdict = check_perplexity(double)
    assert verdict.state == "wrong"
    assert not verdict.passed
    assert repr(verdict).splitlines() == [
        "Exercise made-up: not right yet.",
        f"double({math.log(8)!r}): expected 8.0, got {2 ** math.log(8)!r}.",
        "Hint: The loss is in nats.",
    ]


def _unwritten(loss: float) -> float:
    raise NotImplementedError


@pytest.mark.parametrize("stub", [_stub, _unwritten, lambda loss: ..., None, ...])
def test_an_unanswered_stub(stub: Any, check_perplexity: Callable[[Any], Verdict]) -> None:
    verdict = check_perplexity(stub)
    assert verdict.state == "unanswered"
    assert not verdict.passed
    assert repr(verdict) == "Exercise made-up: not answered yet."


def test_an_answer_that_raises_is_wrong_not_an_error(
    check_perplexity: Callable[[Any], Verdict],
) -> None:
    def broken(loss: float) -> float:
        return [1.0][int(loss) + 1]

    verdict = check_perplexity(broken)
    assert verdict.state == "wrong"
    assert "broken(0.0) raised IndexError: list index out of range" in verdict.message


def test_a_value_where_a_function_is_asked_for(
    check_perplexity: Callable[[Any], Verdict],
) -> None:
    assert "Expected a function, but was given 3." in check_perplexity(3).message


def test_a_value_can_be_asked_for() -> None:
    @exercise("best_k", wrong=[4])
    def check(answer: Answer) -> None:
        answer.require(answer.value == 5, f"expected the best k, got {answer.value}.", "Plot it.")

    assert check(5).passed
    assert check(...).state == "unanswered"
    assert check(4).message == "expected the best k, got 4.\nHint: Plot it."


@pytest.mark.parametrize(
    ("answer", "state", "message"),
    [
        (lambda key: {}[key], "correct", ""),
        (lambda key: 3, "wrong", "expected KeyError, got 3"),
        (lambda key: 1 / 0, "wrong", "raised ZeroDivisionError (division by zero), expected KeyE"),
        (lambda key: None, "unanswered", ""),
        (lambda key: ..., "unanswered", ""),
    ],
)
def test_an_exception_can_be_asked_for(answer: Any, state: str, message: str) -> None:
    @exercise("refuses", wrong=[lambda key: 0])
    def check(answer: Answer) -> None:
        answer.refuses("a", error=KeyError, hint="No default.")

    verdict = check(answer)
    assert verdict.state == state
    assert message in verdict.message


def test_an_error_in_the_check_itself_is_not_swallowed() -> None:
    @exercise("faulty", wrong=[1])
    def check(answer: Answer) -> None:
        raise KeyError("the author's slip")

    with pytest.raises(KeyError):
        check(1)


SAME = [
    (0.1 + 0.2, 0.3),
    (np.float32(0.3), 0.3),
    (torch.tensor(2), 2),
    (torch.tensor([1.0, 2.0]), torch.tensor([1, 2])),
    (torch.tensor([True, False]), torch.tensor([True, False])),
    (torch.tensor([math.nan]), torch.tensor([math.nan])),
    (torch.ones(2, dtype=torch.bfloat16, requires_grad=True), torch.ones(2)),
    (np.eye(2), np.eye(2)),
    ([1.0, 1.0], torch.ones(2)),
    (np.eye(2), torch.eye(2)),
    (torch.eye(2), np.eye(2)),
    ([torch.tensor(1.0), 1], np.ones(2)),
    ([1, (2, 3)], [1, [2, 3]]),
    (torch.tensor([0.25, 0.75]), [0.25, 0.75]),
    (np.array([[1, 2], [3, 4]]), [[1, 2], (3, 4)]),
    (torch.tensor([1.0, 2.0]) / 3, [1 / 3, 2 / 3]),
    ({"a": 0.5}, {"a": 0.5}),
    ("text", "text"),
    (True, True),
    ({1, 2}, {2, 1}),
]
DIFFERENT = [
    (1.001, 1.0, "expected 1.0, got 1.001"),
    (1, True, "expected True, got 1"),
    (True, 1, "expected 1, got True"),
    ("1", 1, "expected 1, got '1'"),
    ([1, 2], [1, 2, 3], "expected [1, 2, 3], got [1, 2]"),
    ([1, [2, 4]], [1, [2, 3]], "at [1] at [1] expected 3, got 4"),
    ({"a": 1}, {"b": 1}, "expected {'b': 1}, got {'a': 1}"),
    ({"a": 1, "b": 2}, {"a": 1, "b": 3}, "at ['b'] expected 3, got 2"),
    (torch.ones(2), torch.ones(2, 1), "expected shape [2, 1], got [2]"),
    ([1.0, 2.0], torch.ones(2), "expected 1 at [1], got 2"),
    ([1.0], torch.ones(2), "expected Tensor of shape [2], got [1.0]"),
    ([[1.0], [1.0, 2.0]], torch.ones(2), "expected Tensor of shape [2], got [[1.0], [1.0, 2.0]]"),
    ("ones", torch.ones(2), "expected Tensor of shape [2], got 'ones'"),
    (torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 2.0]]), "expected 2 at [0, 1], got 3"),
    (torch.ones(2), 1.0, "expected 1.0, got tensor([1.0, 1.0])"),
    (math.nan, 1.0, "expected 1.0, got nan"),
    (torch.tensor([0.25, 0.5]), [0.25, 0.75], "at [1] expected 0.75, got tensor(0.5)"),
    (torch.tensor([1, 2]), [1, 2, 3], "expected [1, 2, 3], got tensor([1, 2])"),
    (torch.tensor(1), [1], "expected [1], got tensor(1)"),
    (np.array([True]), [1], "at [0] expected 1, got "),
]


def _verdict(got: Any, expected: Any) -> Verdict:
    @exercise("made_up", wrong=[_stub])
    def check(answer: Answer) -> None:
        answer.gives(expected=expected)

    verdict = check(lambda: got)
    del CHECKS["made_up"]
    return verdict


@pytest.mark.parametrize(("got", "expected"), SAME)
def test_results_that_agree(got: Any, expected: Any) -> None:
    assert _verdict(got, expected).passed


@pytest.mark.parametrize(("got", "expected", "message"), DIFFERENT)
def test_results_that_differ(got: Any, expected: Any, message: str) -> None:
    verdict = _verdict(got, expected)
    assert verdict.state == "wrong"
    assert message in verdict.message


@pytest.mark.parametrize("kind", [list, tuple, torch.tensor, np.array])
def test_probabilities_found_by_hand_may_be_of_any_kind(kind: Any) -> None:
    assert exercises.check_searches_by_hand(kind([0.18, 0.21, 0.225])).passed


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ([0.2, 0.21, 0.225], "greedy search"),
        ([0.18, 0.18, 0.225], "a beam of 2"),
        ([0.18, 0.21, "0.225"], "a beam of 3"),
        (0.18, "three probabilities"),
    ],
)
def test_feedback_on_searches_names_the_first_that_is_wrong(answer: Any, named: str) -> None:
    verdict = exercises.check_searches_by_hand(answer)
    assert verdict.state == "wrong"
    assert named in verdict.message


@pytest.mark.parametrize("kind", [list, tuple, torch.tensor, np.array])
def test_smoothed_probabilities_may_be_of_any_kind(kind: Any) -> None:
    assert exercises.check_kneser_ney_by_hand(kind([0.455, 0.080, 0.497])).passed
    verdict = exercises.check_kneser_ney_by_hand(kind([0.455, 0.0, 0.497]))
    assert "<eos> after the" in verdict.message


def test_a_message_does_not_list_a_large_tensor() -> None:
    @exercise("made_up", wrong=[_stub])
    def check(answer: Answer) -> None:
        answer.gives(torch.zeros(5, 5), expected=1.0)

    message = check(lambda given: given.sum()).message
    assert "tensor of shape [5, 5]" in message
    assert "0.0, 0.0" not in message


def test_long_values_are_cut() -> None:
    assert len(_verdict(list(range(10_000)), [1]).message) < 500


def test_a_check_without_a_wrong_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="names no wrong answer"):
        exercise("empty", wrong=[])


def test_a_name_is_used_once_but_may_be_reloaded() -> None:
    def define() -> Callable[[Any], Verdict]:
        @exercise("twice", wrong=[1])
        def check(answer: Answer) -> None:
            answer.gives(expected=1)

        return check

    define()
    define()
    with pytest.raises(ValueError, match="exists already"):
        exercise("twice", wrong=[1])(lambda answer: None)
