"""Functions, told apart by their names, their settings and, if they are one's own, their code."""

from __future__ import annotations

import dis
import functools
import inspect
import sys
import sysconfig
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from mtl_utils.data.content import text_digest

_PACKAGE = __name__.split(".")[0]
_FUNCTIONS = (
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.MethodWrapperType,
    types.MethodDescriptorType,
    functools.partial,
    functools._lru_cache_wrapper,
)


def origin(module: str) -> Literal["own", "package", "installed"]:
    """Say whose a module is: the user's own, this package's, or that of something installed.

    Args:
        module: Its full name.
    """
    if module.split(".")[0] == _PACKAGE:
        return "package"
    if module == "__main__":
        return "own"
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return "installed"
    path = Path(file).resolve()
    return "installed" if any(path.is_relative_to(folder) for folder in _folders()) else "own"


@functools.cache
def _folders() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({Path(sysconfig.get_path(name)).resolve() for name in names})


def kind_name(kind: type) -> str:
    """Return the full name of a class.

    Args:
        kind: The class.
    """
    return f"{kind.__module__}.{kind.__qualname__}"


def is_function(value: Any) -> bool:
    """Tell functions from other things that can be called.

    Args:
        value: Anything.
    """
    return isinstance(value, _FUNCTIONS) or inspect.isroutine(value)


def function_name(function: Any) -> str:
    """Return the full name of a function.

    Args:
        function: A function, a method, or a ``functools.partial`` of one.
    """
    if isinstance(function, functools.partial):
        return f"functools.partial of {_name_of_any(function.func)}"
    if isinstance(function, types.MethodType):
        return function_name(function.__func__)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', None) or 'builtins'}.{name}"


def _name_of_any(function: Any) -> str:
    return function_name(function) if is_function(function) else kind_name(type(function))


def settings(function: Any) -> dict[str, Any]:
    """Return what a function depends on, by name.

    Args:
        function: A function, a method, or a ``functools.partial`` of one.

    Returns:
        What was bound to it, defaults, variables of the functions around it and, of the user's own
        functions, global variables and a digest of the code.
    """
    if isinstance(function, functools.partial):
        given = {f"argument {place}": value for place, value in enumerate(function.args, 1)}
        return {"function": function.func, **given, **function.keywords}
    if isinstance(function, types.MethodType):
        return {"self": function.__self__, **settings(function.__func__)}
    wrapped = getattr(function, "__wrapped__", None)
    if not isinstance(function, types.FunctionType):
        bound = getattr(function, "__self__", None)
        hidden = bound is None or isinstance(bound, types.ModuleType | type)
        return ({} if hidden else {"self": bound}) | ({} if wrapped is None else {"of": wrapped})
    return {**_defaults(function), **_cells(function), **code_and_globals(function)}


def code_and_globals(function: Any) -> dict[str, Any]:
    """Return the digest of a function's code and its global variables, if it is the user's own.

    What is installed, and this package, is told by its names alone.

    Args:
        function: The function.
    """
    if not isinstance(function, types.FunctionType) or origin(function.__module__) != "own":
        return {}
    names = dict.fromkeys(_global_names(function.__code__))
    known = {name: function.__globals__[name] for name in names if name in function.__globals__}
    return {"code": _code_digest(function.__code__, function.__doc__), **known}


def _defaults(function: types.FunctionType) -> dict[str, Any]:
    given = inspect.signature(function, follow_wrapped=False).parameters.values()
    return {
        f"default of {parameter.name}": parameter.default
        for parameter in given
        if parameter.default is not inspect.Parameter.empty
    }


def _cells(function: types.FunctionType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found


def _global_names(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)


def _code_digest(code: types.CodeType, documentation: str | None) -> str:
    return f"digest {text_digest(_code_text(code, documentation))}"


def _code_text(code: types.CodeType, documentation: str | None = None) -> str:
    """Write code down without its places in a file, and without what only explains it."""
    constants = [_constant_text(c) for c in code.co_consts if c is None or c != documentation]
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return f"{code.co_code.hex()} {constants} {names}"


def _constant_text(constant: Any) -> str:
    if isinstance(constant, types.CodeType):
        return _code_text(constant)
    if isinstance(constant, frozenset):  # whose order is another one in every process
        return f"frozenset {sorted(map(repr, constant))}"
    return repr(constant)
