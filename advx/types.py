"""Types with their valid range, shared by every public signature.

A signature is the schema of its configuration node: `advx.config.check` reads these annotations
and refuses a value outside the range before anything runs.
"""

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field


def _no_switch(value: Any) -> Any:
    """The value; true and false, which Python takes for 1 and 0, are refused."""
    if isinstance(value, bool):
        raise ValueError("a switch; valid: a number")
    return value


def _no_fraction(value: Any) -> Any:
    """The value; a fraction such as 8/255 is refused with the number to write instead."""
    _no_switch(value)
    found = (
        re.fullmatch(r"\s*([-+\d.]+)\s*/\s*([\d.]+)\s*", value) if isinstance(value, str) else None
    )
    try:
        quotient = float(found[1]) / float(found[2]) if found else None
    except (ValueError, ZeroDivisionError):
        return value
    if quotient is not None:
        raise ValueError(f"a fraction is not computed; write {quotient:.4g}")
    return value


NO_SWITCH = BeforeValidator(_no_switch)
NO_FRACTION = BeforeValidator(_no_fraction)
"""Either stands last, so that bounds are checked of the number itself."""

Finite = Annotated[float, Field(allow_inf_nan=False), NO_FRACTION]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), NO_FRACTION]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), NO_FRACTION]
Probability = Annotated[float, Field(ge=0, le=1), NO_FRACTION]
KeepProbability = Annotated[float, Field(gt=0, le=1), NO_FRACTION]
Share = Annotated[float, Field(ge=0, lt=1), NO_FRACTION]
PositiveInt = Annotated[int, Field(ge=1), NO_SWITCH]
AtLeastTwo = Annotated[int, Field(ge=2), NO_SWITCH]
NonNegativeInt = Annotated[int, Field(ge=0), NO_SWITCH]

Item = TypeVar("Item")


def _not_empty(values: list[Item]) -> list[Item]:
    if not values:
        raise ValueError("empty; valid: one value or more")
    return values


Some = Annotated[list[Item], AfterValidator(_not_empty)]
"""A list that the experiment or its figure cannot do without: at least one value."""

Sizes = Some[Positive]
SizesFromZero = Some[NonNegative]
"""Of perturbations."""


def _increasing(bounds: tuple[float, float]) -> tuple[float, float]:
    if not bounds[0] < bounds[1]:
        raise ValueError("the lower bound must be below the upper one, e.g. [0, 1]")
    return bounds


Interval = Annotated[tuple[Finite, Finite], AfterValidator(_increasing)]
"""A lower and an upper bound."""

Shape = tuple[int, ...]
"""Shape of one example, without the batch axis: (channels, height, width)."""

NormName = Literal["linf", "l2"]
"""The max norm or the Euclidean norm, taken over all axes but the first."""

DistanceName = Literal["linf", "l2", "l1"]
"""The norms above, or the sum of the absolute values."""
