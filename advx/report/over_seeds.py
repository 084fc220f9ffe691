"""A run's numbers by row and metric, over the seeds: what its figure is drawn from."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from advx.report.results import Row

Cell = tuple[str, str]
"""A row and a metric."""


class Numbers:
    """The rows of a run, by what they are of.

    Args:
        rows: of one experiment, in any order of seeds.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows: dict[Cell, list[Row]] = {}
        for row in rows:
            self._rows.setdefault((row.row, row.metric), []).append(row)

    def __contains__(self, cell: Cell) -> bool:
        return cell in self._rows

    @property
    def cells(self) -> list[Cell]:
        """Every row and metric, in the order in which they were measured."""
        return list(self._rows)

    def mean(self, row: str, metric: str) -> float:
        """Over the seeds that gave a number; NaN where none did."""
        known = [r.value for r in self._rows.get((row, metric), []) if math.isfinite(r.value)]
        return sum(known) / len(known) if known else math.nan

    def chapter(self, row: str, metric: str) -> float | None:
        """The chapter's figure; None where it has none."""
        return next((r.chapter for r in self._rows.get((row, metric), [])), None)

    def seeds(self, cells: Iterable[Cell]) -> list[int | None]:
        """Of any of these cells, in order."""
        found = {r.seed for cell in cells for r in self._rows.get(cell, [])}
        return sorted(found, key=lambda seed: -1 if seed is None else seed)

    def over_seeds(self, cells: Sequence[Cell]) -> np.ndarray:
        """The numbers of some cells, (seeds, cells); NaN where a seed has none."""
        made = np.full((max(1, len(self.seeds(cells))), len(cells)), np.nan)
        for place, seed in enumerate(self.seeds(cells)):
            for column, cell in enumerate(cells):
                for row in self._rows.get(cell, []):
                    if row.seed == seed:
                        made[place, column] = row.value
        return made

    def basis(self, cells: Sequence[Cell], *, seen: str = "mean and range") -> str:
        """What some numbers were measured on, in words: seeds and examples.

        Args:
            cells: which.
            seen: what a reader sees of several seeds.
        """
        seeds = [str(seed) for seed in self.seeds(cells) if seed is not None]
        counts = sorted({r.n for cell in cells for r in self._rows.get(cell, []) if r.n})
        words = []
        if seeds:
            words.append(f"seed {seeds[0]}" if len(seeds) == 1 else
                         f"{seen} of seeds {', '.join(seeds)}")  # fmt: skip
        if counts:
            shown = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
            words.append(f"{shown} test examples")
        return ", ".join(words)
