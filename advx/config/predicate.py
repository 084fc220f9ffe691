"""What a claim's predicate says, read completely before anything is trained.

A predicate compares rows by name::

    `maxout -> relu` < `maxout -> tanh`, `maxout -> maxout`     below every item on the right
    -1.39 < `k = 1`.value < -1.38                               between the two
    `relu`.clean_error_rate > 9e1                               a metric, and a number
    `relu`.error_rate[epsilon=0.1, clipped] < 5                 a size, and the rest of its setting
    `relu` - `tanh` < 1                                         a difference; `+` is a sum

An item is a row in backticks, with `.metric` unless its `error_rate` is meant, or a number; or two
of them with ` + ` or ` - ` between. What stands in brackets has any order; without brackets neither
a size nor a setting is meant.
"""

import math
import re
from dataclasses import dataclass

from advx.config.cells import Cell, setting

EXAMPLE = "`relu`.clean_error_rate < 5, `tanh`.clean_error_rate"
"""A valid predicate, for error messages."""

ROW = re.compile(r"`([^`]+)`(?:\.(\w+))?(?:\[([^\]]*)\])?")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")
PART = re.compile(r"\w+(?:=[^\s=]+(?: [^\s=]+)*)?")
"""Of what stands in brackets: a name, or a key with its value."""

SIGN = re.compile(r"\s+([-+])\s+")


class PredicateError(ValueError):
    """A predicate that cannot be read: where it breaks, and what was expected there."""


@dataclass(frozen=True)
class Term:
    """A measured cell, or a number; `sign` is 1 where it is added, −1 where it is taken away."""

    text: str
    cell: Cell | None
    number: float = math.nan
    sign: int = 1


@dataclass(frozen=True)
class Item:
    """One thing compared: a term, or the sum of two."""

    text: str
    terms: tuple[Term, ...]

    @property
    def number(self) -> bool:
        """Whether it is a number and nothing else."""
        return len(self.terms) == 1 and self.terms[0].cell is None

    def value(self, values: dict[str, float]) -> float:
        """Its value where the rows have these, by text."""
        return sum(
            term.sign * (term.number if term.cell is None else values[term.text])
            for term in self.terms
        )


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
    def cells(self) -> dict[str, Cell]:
        """What is measured, by its text, from left to right."""
        return {
            term.text: term.cell
            for item in self.items
            for term in item.terms
            if term.cell is not None
        }

    @property
    def comparisons(self) -> list[tuple[Item, Item]]:
        """What is compared with what: the item that should be the smaller one stands first."""
        pairs = [
            (left, right)
            for (left, *_), side in zip(self.sides, self.sides[1:], strict=False)
            for right in side
        ]
        return pairs if self.sign == "<" else [(right, left) for left, right in pairs]

    def gaps(self, values: dict[str, float]) -> list[float]:
        """How far each comparison is from its border, positive where it is true.

        Args:
            values: of the rows, by text.
        """
        return [_gap(low.value(values), high.value(values)) for low, high in self.comparisons]


def _gap(low: float, high: float) -> float:
    """`high` minus `low`; 0 where both are the same, but for the last bits of a difference."""
    return 0.0 if low == high else round(high - low, 9)


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
            spaces = ", or + or - between spaces" if text[position] in "+-" else ""
            raise _broken(text, position, f"< or > is needed{spaces}")
        if sign not in ("", found.group()):
            raise _broken(text, position, f"only {sign} may follow {sign}")
        if len(side) > 1:
            raise _broken(text, position, "only the last side may be a list")
        sign = found.group()
        position += 1
    if len(sides) < 2:
        raise _broken(text, position, "< or > is needed")
    made = Predicate(text, sign, tuple(sides))
    if not made.cells:
        raise _broken(text, position, "it compares no row; rows stand in backticks")
    for low, high in made.comparisons:
        if not any(term.cell for item in (low, high) for term in item.terms):
            pair = f"{low.text} < {high.text}" if sign == "<" else f"{high.text} > {low.text}"
            raise PredicateError(f"at {pair!r}: it compares two numbers, and no row")
        if low.terms == high.terms:
            raise PredicateError(f"at {low.text!r}: it is compared with itself")
    return made


def _items(text: str, position: int) -> tuple[list[Item], int]:
    """Items with commas between them, and the position of what follows.

    One number only: of several the tightest says all, and "17,5" is a decimal comma.
    """
    items: list[Item] = []
    while True:
        position = _past_space(text, position)
        item, after = _item(text, position)
        number = next((other.text for other in items if other.number), None)
        if item.number and number is not None:
            comma = number.lstrip("+-").isdigit() and item.text.isdigit()
            meant = f"{number}.{item.text}, with a point? A" if comma else "a"
            needed = f"two numbers in one list: {meant} list says no more than its tightest number"
            raise _broken(text, position, needed)
        items.append(item)
        position = _past_space(text, after)
        if text[position : position + 1] != ",":
            return items, position
        position += 1


def _item(text: str, position: int) -> tuple[Item, int]:
    """The item that begins at `position`, and where it ends."""
    first = _term(text, position)
    end = position + len(first.text)
    if not (found := SIGN.match(text, end)):
        return Item(first.text, (first,)), end
    second = _term(text, found.end(), -1 if found.group(1) == "-" else 1)
    end = found.end() + len(second.text)
    return Item(text[position:end], (first, second)), end


def _term(text: str, position: int, sign: int = 1) -> Term:
    """The term that begins at `position`."""
    if found := ROW.match(text, position):
        row, metric, bracket = found.groups()
        if text[found.end() : found.end() + 1] == "@":
            raise _broken(
                text, found.end(), "sizes and settings stand in brackets: [epsilon=0.1, clipped]"
            )
        try:
            epsilon, others = (None, "") if bracket is None else _bracket(bracket)
        except ValueError as error:
            raise _broken(text, found.start(3) - 1, str(error)) from error
        return Term(found.group(), Cell(row, metric or "error_rate", epsilon, others), sign=sign)
    if (found := NUMBER.match(text, position)) and math.isfinite(float(found.group())):
        return Term(found.group(), None, float(found.group()), sign)
    raise _broken(text, position, "a row in backticks or a number is needed")


def _bracket(text: str) -> tuple[float | None, str]:
    """The epsilon and the setting of "epsilon=0.1, clipped".

    Raises:
        ValueError: what is wrong with it.
    """
    epsilon, names = None, []
    for part in map(str.strip, text.split(",")):
        key, _, value = part.partition("=")
        if key != "epsilon" and PART.fullmatch(part):
            names.append(part)
        elif key == "epsilon" and epsilon is None and NUMBER.fullmatch(value):
            epsilon = float(value)
        else:
            raise ValueError("in brackets stand epsilon=NUMBER, names and key=value pairs")
    return epsilon, setting(*names)


def _past_space(text: str, position: int) -> int:
    return position + len(text[position:]) - len(text[position:].lstrip())


def _broken(text: str, position: int, needed: str) -> PredicateError:
    rest = text[position:]
    return PredicateError(f"at {rest!r}: {needed}" if rest else f"at its end: {needed}")
