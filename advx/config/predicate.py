"""What a claim's predicate says, read completely before anything is trained.

A predicate compares rows by name::

    `maxout -> relu` < `maxout -> tanh`, `maxout -> maxout`     below every item on the right
    -1.39 < `k = 1`.value < -1.38                               between the two
    `relu`.clean_error_rate > 9e1                               a metric, and a number

An item is a row in backticks, with `.metric` unless its `error_rate` is meant, or a number.
"""

import math
import re
from dataclasses import dataclass

EXAMPLE = "`relu`.clean_error_rate < 5, `tanh`.clean_error_rate"
"""A valid predicate, for error messages."""

ROW = re.compile(r"`([^`]+)`(?:\.(\w+(?:@[\w.+-]*\w)*))?")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")


class PredicateError(ValueError):
    """A predicate that cannot be read: where it breaks, and what was expected there."""


@dataclass(frozen=True)
class Item:
    """One thing compared: a metric of a row, or a number."""

    text: str
    row: str | None
    metric: str
    number: float = math.nan


@dataclass(frozen=True)
class Predicate:
    """`sides` stand in a row, `sign` ("<" or ">") between each two; only the last is a list."""

    text: str
    sign: str
    sides: tuple[tuple[Item, ...], ...]

    @property
    def items(self) -> list[Item]:
        """Everything compared, each once, from left to right."""
        return list(dict.fromkeys(item for side in self.sides for item in side))

    @property
    def rows(self) -> list[Item]:
        """The items that are measured."""
        return [item for item in self.items if item.row is not None]

    def holds(self, values: dict[Item, float]) -> bool:
        """Whether every comparison is true of these values."""
        return all(
            values[low] < values[high] if self.sign == "<" else values[low] > values[high]
            for (low, *_), side in zip(self.sides, self.sides[1:], strict=False)
            for high in side
        )


def parse(text: str) -> Predicate:
    """Read a predicate to its last character.

    Raises:
        PredicateError: where it breaks.
    """
    sides, position = [], 0
    sign = ""
    while True:
        side, position = _items(text, position)
        sides.append(tuple(side))
        if position == len(text):
            break
        found = re.match(r"[<>](?![<>=])", text[position:])
        if found is None:
            raise _broken(text, position, "< or > is needed")
        if sign not in ("", found.group()):
            raise _broken(text, position, f"only {sign} may follow {sign}")
        if len(side) > 1:
            raise _broken(text, position, "only the last side may be a list")
        sign = found.group()
        position += 1
    if len(sides) < 2:
        raise _broken(text, position, "< or > is needed")
    made = Predicate(text, sign, tuple(sides))
    if not made.rows:
        raise _broken(text, position, "it compares no row; rows stand in backticks")
    return made


def _items(text: str, position: int) -> tuple[list[Item], int]:
    """Items with commas between them, and the position of what follows.

    One number only: of several the tightest says all, and "17,5" is a decimal comma.
    """
    items: list[Item] = []
    while True:
        position = _past_space(text, position)
        item = _item(text, position)
        number = next((other.text for other in items if other.row is None), None)
        if item.row is None and number is not None:
            comma = number.lstrip("+-").isdigit() and item.text.isdigit()
            meant = f"{number}.{item.text}, with a point? A" if comma else "a"
            needed = f"two numbers in one list: {meant} list says no more than its tightest number"
            raise _broken(text, position, needed)
        items.append(item)
        position = _past_space(text, position + len(item.text))
        if text[position : position + 1] != ",":
            return items, position
        position += 1


def _item(text: str, position: int) -> Item:
    """The item that begins at `position`."""
    if found := ROW.match(text, position):
        row, metric = found.groups()
        return Item(found.group(), row, metric or "error_rate")
    if (found := NUMBER.match(text, position)) and math.isfinite(float(found.group())):
        return Item(found.group(), None, "", float(found.group()))
    raise _broken(text, position, "a row in backticks or a number is needed")


def _past_space(text: str, position: int) -> int:
    return position + len(text[position:]) - len(text[position:].lstrip())


def _broken(text: str, position: int, needed: str) -> PredicateError:
    rest = text[position:]
    return PredicateError(f"at {rest!r}: {needed}" if rest else f"at its end: {needed}")
