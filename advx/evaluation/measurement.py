"""What makes a plain function a measurement: a name and a version, which its stored values carry.

    @measurement(version=1)
    def error_rate(model: nn.Module, examples: Split) -> float: ...

The function stays what it was. A run that is asked for `run.measure(error_rate, model, examples)`
derives the key of the value from the function's name, its version and every argument, defaults
included; so whatever changes the value must be an argument, constants too.
"""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def measurement(*, version: int) -> Callable[[Function], Function]:
    """Mark a function of the top level of a module as a measurement.

    Args:
        version: raised by hand whenever the function comes to mean something else.

    Raises:
        TypeError: the function has values that are no arguments (a closure), or takes any others.
    """

    def mark(function: Function) -> Function:
        name = f"{function.__module__}.{function.__qualname__}"
        inside = "<locals>" in function.__qualname__
        if inside or getattr(inspect.unwrap(function), "__closure__", None):
            raise TypeError(f"{name}: a measurement is a function of a module's top level")
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                raise TypeError(f"{name}: *{parameter.name} cannot be part of a key")
        function.version = version  # type: ignore[attr-defined]
        return function

    return mark


def version_of(function: Callable[..., Any]) -> int:
    """The version that `measurement` gave the function.

    Raises:
        TypeError: it is no measurement.
    """
    version = getattr(function, "version", None)
    if version is None:
        name = getattr(function, "__qualname__", repr(function))
        raise TypeError(f"{name}: no measurement; put @measurement(version=1) above it")
    return int(version)
