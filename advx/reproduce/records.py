"""What a `reproduce` leaves beside the runs: how long each took, its networks, what failed.

`times.csv`, `networks.csv` and `machine.csv` have the form of the project's own timings
(`costs.py`): copied to `outputs/reference/SCALE/`, they take their place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advx.report.finished import manifest_of
from advx.report.results import csv_text
from advx.reproduce.costs import MACHINE, NETWORKS, TIMES, read_rows, slower_than, tables
from advx.reproduce.jobs import Job
from advx.text_files import write_text

FAILURES = "failures.csv"


@dataclass(frozen=True)
class Failure:
    """An experiment that did not reach its end.

    Attributes:
        experiment: its name.
        line: why, in one line.
        log: what it printed.
    """

    experiment: str
    line: str
    log: Path


class Records:
    """The files of one folder.

    Args:
        root: the folder of all runs of a scale.
        store: the folder of the store.
        yardstick: seconds of the yardstick on this machine, now.
    """

    def __init__(self, root: Path, store: Path, yardstick: float) -> None:
        self.root = root
        self.store = store
        self.yardstick = yardstick

    def trained(self) -> set[str]:
        """Keys of the finished networks in the store."""
        return {path.parent.name for path in (self.store / "models").glob("*/meta.json")}

    def seconds(self) -> dict[str, float]:
        """What each experiment takes here, of one core, from an empty store.

        That is what it took, unless the machine has another speed by now.
        """
        slower = slower_than(self.root, self.yardstick)
        return {name: slower * cost.seconds for name, cost in tables(self.root).items()}

    def begin(self) -> None:
        """Note how fast the machine is, where no earlier command has."""
        if not (self.root / MACHINE).exists():
            line = [round(self.yardstick, 4)]
            write_text(self.root / MACHINE, csv_text(["yardstick"], [line]))

    def add(self, job: Job, seconds: float, trained: set[str]) -> None:
        """Note how long a finished run took.

        Args:
            job: which.
            seconds: of this machine.
            trained: keys of the networks that were in the store before.
        """
        networks = {
            key: facts.get("seconds") or 0.0
            for key, facts in manifest_of(job.folder)["store_keys"].items()
            if (self.store / "models" / key).is_dir()
        }
        seconds += sum(spent for key, spent in networks.items() if key in trained)
        line = [job.name, round(seconds, 1), _size(job.folder)]
        self._put(TIMES, ["experiment", "seconds", "bytes"], job.name, [line])
        lines = [
            [job.name, key, round(spent, 2), _size(self.store / "models" / key)]
            for key, spent in sorted(networks.items())
        ]
        self._put(NETWORKS, ["experiment", "key", "seconds", "bytes"], job.name, lines)

    def _put(self, file: str, header: list[str], experiment: str, lines: list[list[Any]]) -> None:
        """Write an experiment's lines in place of those that it had."""
        others = [
            [row.get(column, "") for column in header]
            for row in read_rows(self.root / file)
            if row["experiment"] != experiment
        ]
        ordered = sorted([*others, *lines], key=lambda line: str(line[0]))
        write_text(self.root / file, csv_text(header, ordered))

    def failed(self, failures: Sequence[Failure]) -> None:
        """Write which experiments failed; no file where none did."""
        path = self.root / FAILURES
        if not failures:
            path.unlink(missing_ok=True)
            return
        lines = [[each.experiment, each.line, each.log] for each in failures]
        write_text(path, csv_text(["experiment", "line", "log"], lines))


def _size(folder: Path) -> int:
    """Bytes of the files in a folder, but for hidden ones, which do not stay."""
    found = (path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
    return sum(path.stat().st_size for path in found)
