"""A run's numbers by cell, over the seeds: what its figure is drawn from."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from advx.config.cells import Cell
from advx.report.results import Row

Named = Cell | tuple[str, str]
"""A cell, or a row and a metric."""

PLACES = 9
"""Decimals of a mean: a run's own rows and those of its files have equal ones, and equal titles."""


class Numbers:
    """The rows of a run, by what they are of.

    Args:
        rows: of one experiment, in any order of seeds.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows: dict[Cell, list[Row]] = {}
        for row in rows:
            self._rows.setdefault(row.cell, []).append(row)

    def __contains__(self, cell: Named) -> bool:
        return bool(self._of(cell))

    def _of(self, cell: Named) -> list[Row]:
        return self._rows.get(cell if isinstance(cell, Cell) else Cell(*cell), [])

    @property
    def cells(self) -> list[Cell]:
        """Every cell, in the order in which they were measured."""
        return list(self._rows)

    def mean(self, row: str, metric: str, epsilon: float | None = None, setting: str = "") -> float:
        """Over the seeds that gave a number, without the noise of a sum; NaN where none did."""
        found = self._rows.get(Cell(row, metric, epsilon, setting), [])
        known = [r.value for r in found if math.isfinite(r.value)]
        return round(sum(known) / len(known), PLACES) if known else math.nan

    def chapter(
        self, row: str, metric: str, epsilon: float | None = None, setting: str = ""
    ) -> float | None:
        """The chapter's figure; None where it has none."""
        found = self._rows.get(Cell(row, metric, epsilon, setting), [])
        return next((r.chapter for r in found), None)

    def seeds(self, cells: Iterable[Named]) -> list[int | None]:
        """Of any of these cells, in order."""
        found = {r.seed for cell in cells for r in self._of(cell)}
        return sorted(found, key=lambda seed: -1 if seed is None else seed)

    def over_seeds(self, cells: Sequence[Named]) -> np.ndarray:
        """The numbers of some cells, (seeds, cells); NaN where a seed has none."""
        seeds = self.seeds(cells)
        made = np.full((max(1, len(seeds)), len(cells)), np.nan)
        for column, cell in enumerate(cells):
            for row in self._of(cell):
                made[seeds.index(row.seed), column] = row.value
        return made

    def basis(self, cells: Sequence[Named], *, seen: str = "mean and range") -> str:
        """What some numbers were measured on, in words: seeds and examples.

        Args:
            cells: which.
            seen: what a reader sees of several seeds.
        """
        seeds = [str(seed) for seed in self.seeds(cells) if seed is not None]
        counts = sorted({r.n for cell in cells for r in self._of(cell) if r.n})
        words = []
        if len(seeds) == 1:
            words.append(f"seed {seeds[0]}")
        elif seeds:
            words.append(f"{seen} of seeds {', '.join(seeds)}")
        if counts:
            shown = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
            words.append(f"{shown} test examples")
        return ", ".join(words)
