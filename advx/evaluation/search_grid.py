"""Every search of gradient steps that a paper may have meant, by settings; how near it comes.

A search is a number of steps with their length, what it does otherwise, and which point counts
(`searches.py`). Its name is a setting: `steps=40+path=1+clipped+counted=best`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from advx.config.cells import parts_of, setting

COUNTED = ("", "counted=best", "counted=any", "fgsm", "counted=best+fgsm", "counted=any+fgsm")
"""The settings of the numbers of `Found`, in order; without one the last point counts."""

CHANGES: dict[str, dict[str, Any]] = {
    "objective=cross_entropy": {"objective": "cross_entropy"},
    "clipped": {"clip": (0.0, 1.0)},
    "random_start": {"random_start": True},
}
"""What a search may do otherwise, by setting; all combinations are tried."""

ALONG_THE_GRADIENT: dict[str, dict[str, Any]] = {"along=gradient": {"direction": "gradient"}}
"""Steps along the gradient, not its sign: tried alone."""

NO_CHANGE: dict[str, dict[str, Any]] = {"": {}}

Table = dict[str, list[float]]
"""By the setting of a search, the error of each of the chapter's figures, in percent."""


class Figure(NamedTuple):
    """A number of the chapter.

    Attributes:
        defense: of the network, by name.
        epsilon: radius of the ball.
        error: the network's, in percent.
    """

    defense: str
    epsilon: float
    error: float


@dataclass(frozen=True)
class Steps:
    """So many steps, each `length` long: in ε where `relative`, else in the max norm.

    `kind` says how the length was chosen; `setting` names both.
    """

    kind: str
    count: int
    length: float
    relative: bool = True

    @property
    def setting(self) -> str:
        return setting(self.kind, steps=self.count)

    @property
    def words(self) -> str:
        """How long the steps are, for a figure: `2.5 ε together`, `each ε`, `each .01`."""
        key, _, value = self.kind.partition("=")
        if value == "epsilon":
            return "each ε"
        length = f"{float(value):g}".removeprefix("0")
        return f"each {length}" if key == "step" else f"{length} ε together".removeprefix("1 ")

    def size(self, epsilon: float) -> float:
        """The length of a step, in the max norm."""
        return self.length * epsilon if self.relative else self.length


def every_length(
    steps: Sequence[int], path_lengths: Sequence[float], step_sizes: Sequence[float]
) -> list[Steps]:
    """Steps that are so many ε long together, steps of ε, and steps of one size whatever ε is."""
    made = []
    for count in steps:
        made += [Steps(setting(path=float(p)), count, p / count) for p in path_lengths]
        made += [Steps("step=epsilon", count, 1.0)]
        made += [Steps(setting(step=float(s)), count, s, relative=False) for s in step_sizes]
    return made


def combinations() -> dict[str, dict[str, Any]]:
    """All that searches do otherwise, by setting; the first nothing."""
    made = {}
    for chosen in product((False, True), repeat=len(CHANGES)):
        names = [name for name, some in zip(CHANGES, chosen, strict=True) if some]
        made[setting(*names)] = {
            key: value for each in names for key, value in CHANGES[each].items()
        }
    return made | ALONG_THE_GRADIENT


def settings(
    lengths: Sequence[Steps], changes: Iterable[str] = ("",), counted: Sequence[str] = ("",)
) -> list[str]:
    """Searches of every length with every change, whichever point counts."""
    return [setting(n.setting, *rest) for n, *rest in product(lengths, changes, counted)]


def few_changes(lengths: Sequence[Steps]) -> list[str]:
    """Searches with one change at most: in what they do, or in which point counts."""
    once = [each for each in COUNTED if len(parts_of(each)) == 1]
    return settings(lengths, ["", *CHANGES, *ALONG_THE_GRADIENT, *once])


def distance(figures: Sequence[Figure], errors: Sequence[float]) -> float:
    """Points between the chapter's figure and the error, of the farthest; NaN if one is."""
    pairs = zip(figures, errors, strict=True)
    return float(np.max([abs(error - figure.error) for figure, error in pairs]))


def nearest_first(figures: Sequence[Figure], tables: Sequence[Table]) -> list[str]:
    """All searches, by their distance from the chapter's figures, the mean over the tables."""

    def far(search: str) -> tuple[bool, float]:
        mean = sum(distance(figures, table[search]) for table in tables) / len(tables)
        return math.isnan(mean), mean

    return sorted(tables[0], key=far)


def in_words(search: str) -> str:
    """A search's name for readers: "40 steps of ε each, clipped"."""
    values = dict(part.partition("=")[::2] for part in parts_of(search))
    steps, path, each = (values.pop(key, "") for key in ("steps", "path", "step"))
    whole = "ε" if path == "1" else f"{path} ε"
    length = f"of {each.replace('epsilon', 'ε')} each" if each else f"of {whole} together"
    named = f"{steps} step{'s' * (steps != '1')} {length}"
    others = (f"{key} {value}".strip().replace("_", " ") for key, value in values.items())
    return ", ".join([named, *others])
