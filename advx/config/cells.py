"""What names a number: its row, its metric, the size of the perturbation, and the setting.

A setting is empty, or names of protocols and `key=value` pairs, sorted and joined by `+`:
`clipped`, `objective=log_odds`, `clipped+published_schedule`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

JOINT = "+"
"""Stands between the parts of a setting."""


@dataclass(frozen=True)
class Cell:
    """One number's place in a table.

    Equal cells are equal whatever the order in which the parts of their settings were given;
    `epsilon` counts to the six digits that a file holds.

    Attributes:
        row: what was measured ("maxout -> relu").
        metric: which number of it ("error_rate").
        epsilon: the size of the perturbation; None where there is none, or one that goes without
            saying.
        setting: whatever else varies.
    """

    row: str
    metric: str
    epsilon: float | None = None
    setting: str = ""

    def __post_init__(self) -> None:
        if self.epsilon is not None:
            object.__setattr__(self, "epsilon", float(f"{self.epsilon:g}"))
        object.__setattr__(self, "setting", setting(self.setting))

    def __str__(self) -> str:
        """As a predicate names it: `` `maxout`.error_rate[epsilon=0.1, clipped] ``."""
        size = [] if self.epsilon is None else [f"epsilon={self.epsilon:g}"]
        bracket = ", ".join([*size, *parts_of(self.setting)])
        return f"`{self.row}`.{self.metric}" + (f"[{bracket}]" if bracket else "")


def setting(*names: str, **pairs: object) -> str:
    """A setting from its parts, in any order: `setting("clipped", steps=10)`.

    Args:
        names: names of protocols, or whole settings.
        pairs: what has a value; floats are written without noise.
    """
    valued = [f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in pairs.items()]
    return JOINT.join(sorted({part for each in (*names, *valued) for part in parts_of(each)}))


def parts_of(text: str) -> list[str]:
    """The parts of a setting, none of a setting that is empty."""
    return [part for part in text.split(JOINT) if part]


def metrics_of(results: type[Any]) -> list[str]:
    """The metrics that a dataclass of results holds: the names of its fields."""
    return [field.name for field in fields(results)]


@dataclass(frozen=True)
class Cells:
    """Cells that an experiment makes: every row with every metric, size and setting.

    Attributes:
        rows, metrics, epsilons, settings: what is combined.
        always: False for what is there only where something happened ("Epochs in which …").
    """

    rows: Sequence[str]
    metrics: Sequence[str]
    epsilons: Sequence[float | None] = (None,)
    settings: Sequence[str] = ("",)
    always: bool = True

    def __iter__(self) -> Iterator[Cell]:
        for names in product(self.rows, self.metrics, self.epsilons, self.settings):
            yield Cell(*names)
