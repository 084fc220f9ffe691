"""The rows of a run, written as they are measured."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from advx.config.cells import Cell
from advx.config.claims import listed_cell
from advx.config.documents import ListedRow
from advx.report.percentages import unit_of
from advx.report.results import Results, Row, append_result, write_results


class Measured(Protocol):
    """A dataclass of numbers; each field is a metric."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


class Table:
    """Collects numbers, with the chapter's figure where the YAML lists one.

    A number without a seed is the same for all of them: it is added once.

    Args:
        experiment: its name.
        listed: the `rows` of its YAML.
        folder: where `results.csv` grows.
    """

    def __init__(self, experiment: str, listed: list[ListedRow], folder: Path) -> None:
        self.results = Results(experiment)
        self.folder = folder
        self._listed = {listed_cell(each): each for each in listed}
        self._added: set[tuple[Cell, int | None]] = set()

    def add(
        self,
        row: str,
        results: Mapping[str, float] | Measured | None = None,
        *,
        seed: int | None,
        n: int | Mapping[str, int] | None = None,
        epsilon: float | None = None,
        setting: str = "",
        unit: str | Mapping[str, str] | None = None,
        note: str = "",
        **metrics: float,
    ) -> None:
        """Add the numbers of one row.

        Args:
            row: what was measured: a model, a pair "maxout -> relu".
            results: numbers by metric, or a dataclass of them.
            seed: of the training behind it; None where another seed would change nothing.
            n: the examples behind it; of all metrics, or by metric.
            epsilon: size of the perturbation.
            setting: protocol names and `key=value` pairs, sorted and joined by `+`.
            unit: of all metrics, or by metric; one without is in percent, a share of the n examples
                but for those in `advx.report.percentages`.
            note: stands beside its line in the summary.
            metrics: more numbers, by metric.

        Raises:
            TypeError: `results` is neither a dictionary nor a dataclass.
        """
        for metric, value in (_by_metric(results) | metrics).items():
            units = unit if isinstance(unit, str) else (unit or {}).get(metric, unit_of(metric))
            count = n[metric] if isinstance(n, Mapping) else n
            cell = Cell(row, metric, epsilon, setting)
            if seed is None and (cell, None) in self._added:
                continue
            self._added.add((cell, seed))
            listed = self._listed.get(cell)
            number = Row.of(self.results.experiment, cell, seed, value, units, count, listed)
            self.results.add(number, note or ("" if listed is None else listed.get("note", "")))
            if len(self.results.rows) == 1:
                write_results(self.folder, self.results)
            else:
                append_result(self.folder, number)


def _by_metric(results: Mapping[str, float] | Measured | None) -> dict[str, float]:
    if results is None:
        return {}
    if isinstance(results, Mapping):
        return dict(results)
    if dataclasses.is_dataclass(results) and not isinstance(results, type):
        return dataclasses.asdict(results)
    raise TypeError(
        f"run.table.add: a {type(results).__name__} names no metric; write error_rate={results!r}, "
        "or give a dictionary or a dataclass of numbers"
    )
