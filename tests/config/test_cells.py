"""What names a number: equal however it is written, and read back from how it is shown."""

import itertools

import pytest

from advx.config.cells import Cell, Cells, parts_of, setting
from advx.config.predicate import parse


@pytest.mark.parametrize(
    ("names", "pairs", "text"),
    [
        ((), {}, ""),
        (("", "clipped", ""), {}, "clipped"),
        (("published_schedule", "clipped"), {}, "clipped+published_schedule"),
        (("b+a", "a"), {"steps": 10, "c": 0.1 + 0.2}, "a+b+c=0.3+steps=10"),
        ((), {"share": 0.145, "class": "all"}, "class=all+share=0.145"),
    ],
)
def test_a_setting_is_sorted_and_has_each_part_once(names, pairs, text) -> None:
    made = setting(*names, **pairs)
    assert made == text
    assert setting(made) == made
    assert parts_of(made) == sorted(parts_of(made))


def test_cells_are_equal_whatever_the_order_and_the_last_bits() -> None:
    assert Cell("r", "m", 0.1 + 0.2, "b+a") == Cell("r", "m", 0.3, "a+b")
    assert Cell("r", "m", 1) == Cell("r", "m", 1.0)
    assert len({Cell("r", "m", e) for e in (None, 0.0, 1e-7, 2e-7)}) == 4


@pytest.mark.parametrize("epsilon", [None, 0.0, 0.1, 1e-7, 28.0])
@pytest.mark.parametrize("given", ["", "clipped", "b=c d+a", "class=T-shirt/top+clipped"])
def test_a_predicate_reads_a_cell_as_it_is_shown(epsilon, given) -> None:
    cell = Cell("a -> b, 3", "error_rate", epsilon, given)
    assert [*parse(f"{cell} > 1").cells.values()] == [cell]
    assert [*parse(f"0 < {cell} - {cell}, `x`").cells.values()] == [cell, Cell("x", "error_rate")]


def test_a_product_has_every_combination_once() -> None:
    rows, metrics, epsilons, settings = ("a", "b"), ["m", "n"], [None, 0.1], ["", "clipped"]
    made = list(Cells(rows, metrics, epsilons, settings))
    assert made == list(
        itertools.starmap(Cell, itertools.product(rows, metrics, epsilons, settings))
    )
    assert len(set(made)) == 16
    assert list(Cells(["a"], ["m"])) == [Cell("a", "m")]
