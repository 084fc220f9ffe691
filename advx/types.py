"""Types with their valid range, shared by every public signature.

A signature is the schema of its configuration node: `advx.config.check` reads these annotations
and refuses a value outside the range before anything runs.
"""

from typing import Annotated, Literal

from pydantic import Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1)]
KeepProbability = Annotated[float, Field(gt=0, le=1)]
PositiveInt = Annotated[int, Field(ge=1)]
NonNegativeInt = Annotated[int, Field(ge=0)]

Shape = tuple[int, ...]
"""Shape of one example, without the batch axis: (channels, height, width)."""

NormName = Literal["linf", "l2"]
"""The max norm or the Euclidean norm, taken over all axes but the first."""
