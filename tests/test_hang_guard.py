"""No test waits for a process for less time than the guard against hanging does."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parent
WAITING = {"run", "wait", "communicate", "check_output", "check_call", "call", "join"}
CLOCKS = {"perf_counter", "monotonic"}


def limits(source: str) -> Iterator[str]:
    """Yield what a test waits for no longer than a number of seconds, and what reads the clock."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        numbers = [k for k in node.keywords if k.arg == "timeout"]
        if name in WAITING and any(isinstance(k.value, ast.Constant) for k in numbers):
            yield f"line {node.lineno}: {name}(timeout={ast.unparse(numbers[0].value)})"
        if name in CLOCKS:
            yield f"line {node.lineno}: {name}()"


def test_no_test_depends_on_how_fast_the_machine_is() -> None:
    notebooks = TESTS / "notebooks"
    allowed = {notebooks / "patient_kernel.py", notebooks / "test_kernels.py"}  # clocks are theirs
    found = {
        str(path.relative_to(TESTS)): list(limits(path.read_text("utf-8")))
        for path in sorted(TESTS.rglob("*.py"))
        if "benchmarks" not in path.parts and path not in allowed | {TESTS / "test_hang_guard.py"}
    }
    assert {path: lines for path, lines in found.items() if lines} == {}, (
        "wait for hang_guard.HANG_SECONDS; count steps, calls or sleeps instead of seconds"
    )


def test_limits_are_found() -> None:
    assert list(limits("subprocess.run(x, timeout=60)")) == ["line 1: run(timeout=60)"]
    assert list(limits("process.wait(timeout=HANG_SECONDS)")) == []
    assert list(limits("\nbegan = time.perf_counter()")) == ["line 2: perf_counter()"]
