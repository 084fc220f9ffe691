"""What an experiment takes, from runs that were timed: seconds of one core, networks, disk.

`outputs/reference` of the project holds them. At `scale=chapter` the manifests of the reference
runs say what training and crafting took; at the other scales `SCALE/times.csv` has the seconds of
each experiment from an empty store, and `SCALE/networks.csv` those of its networks, with their
sizes. Of reference runs that were made on a GPU the same two files in `chapter/` say what they take
on a core. `SCALE/machine.csv` says how fast that machine was, by a yardstick. A run of `advx
reproduce` leaves such files too (`advx/reproduce/records.py`).
"""

import csv
import logging
import math
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import advx
from advx.errors import reason
from advx.report.finished import Unfinished, manifest_of
from advx.report.spent import spent

log = logging.getLogger(__name__)

REFERENCE = Path(advx.__file__).parents[1] / "outputs" / "reference"
"""The timed runs; not there where advx was installed from a wheel."""

TIMES, NETWORKS, SIZES, MACHINE = "times.csv", "networks.csv", "sizes.csv", "machine.csv"

SCALES = ("smoke", "quick", "chapter")

UNTIMED = 300.0
"""Seconds of an experiment where nothing is known of any."""

TOO_FEW = 10.0
"""Seconds of training and crafting with which a manifest says nothing of how long a run takes."""

LEAST = 0.02
"""The share of its seconds that an experiment takes at least when all its networks are stored."""


@dataclass(frozen=True)
class Cost:
    """What one experiment takes.

    Attributes:
        seconds: of one core, from an empty store.
        networks: seconds that each of its networks took of them, by key.
        network_bytes: size of an entry in the store, on average.
        files_bytes: size of the run's folder.
        basis: how the seconds are known: "timed", or what the estimate rests on.
    """

    seconds: float
    networks: Mapping[str, float] = field(default_factory=dict)
    network_bytes: float = 0.0
    files_bytes: float = 0.0
    basis: str = "timed"

    def left(self, trained: Collection[str]) -> float:
        """Seconds where these networks are in the store."""
        saved = sum(seconds for key, seconds in self.networks.items() if key in trained)
        return max(self.seconds - saved, LEAST * self.seconds)

    def on(self, slower: float) -> "Cost":
        """The cost on a machine that takes so many times longer."""
        networks = {key: slower * seconds for key, seconds in self.networks.items()}
        return replace(self, seconds=slower * self.seconds, networks=networks)


def costs(
    names: Iterable[str],
    scale: str,
    *,
    untimed: Collection[str] = (),
    steady: Collection[str] = (),
    cuda: bool = False,
    yardstick: float | None = None,
    folder: Path = REFERENCE,
) -> dict[str, Cost]:
    """The cost of each of these experiments: timed, or estimated from what was.

    An experiment without a timing at this scale takes as many times longer than at another scale as
    the others do; without any it takes what the others take in the middle.

    Args:
        names: of experiments.
        scale: of the runs.
        untimed: names whose timing is of another configuration.
        steady: names of those that take as long at every scale.
        cuda: whether the runs may use CUDA.
        yardstick: seconds of the yardstick on this machine; None to take the timings as they are.
        folder: with the timed runs.
    """
    timed = {each: timings(each, folder, cuda=cuda, yardstick=yardstick) for each in SCALES}
    here = {name: cost for name, cost in timed[scale].items() if name not in untimed}
    others = {each: timed[each] for each in ("quick", "smoke") if each != scale}
    return {
        name: here.get(name) or _estimate(name, here, others, steady=name in steady)
        for name in names
    }


def timings(
    scale: str, folder: Path, *, cuda: bool = False, yardstick: float | None = None
) -> dict[str, Cost]:
    """The experiments that were timed at a scale, on a GPU only where runs may use one."""
    slower = slower_than(folder / scale, yardstick)
    if scale == "chapter":
        sizes = {
            row["experiment"]: float(row["bytes"])
            for row in read_rows(folder / scale / SIZES, ("bytes",))
        }
        found = {path.parent.name: path.parent for path in folder.glob("*/manifest.json")}
        made = {
            name: _of_reference(each, sizes.get(name, 0), slower, cuda=cuda)
            for name, each in found.items()
        }
        on_a_core = {name: cost.on(slower) for name, cost in tables(folder / scale).items()}
        return on_a_core | {name: cost for name, cost in made.items() if cost}
    return {name: cost.on(slower) for name, cost in tables(folder / scale).items()}


def slower_than(folder: Path, yardstick: float | None) -> float:
    """How many times longer this machine takes than the one of a folder's timings, as far as it is
    known."""
    there = yardstick_of(folder)
    return yardstick / there if yardstick and there else 1.0


def yardstick_of(folder: Path) -> float | None:
    """Seconds of the yardstick on the machine of a folder's timings; None where none are noted."""
    found = read_rows(folder / MACHINE, ("yardstick",))
    return float(found[0]["yardstick"]) if found else None


def tables(folder: Path) -> dict[str, Cost]:
    """The experiments of a folder's `times.csv`, with their networks in `networks.csv`."""
    networks: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in read_rows(folder / NETWORKS, ("seconds", "bytes")):
        networks[row["experiment"]].append(row)
    return {
        row["experiment"]: Cost(
            float(row["seconds"]),
            {each["key"]: float(each["seconds"]) for each in networks[row["experiment"]]},
            _mean(float(each["bytes"]) for each in networks[row["experiment"]]),
            float(row.get("bytes") or 0),
        )
        for row in read_rows(folder / TIMES, ("seconds",))
    }


def _of_reference(run: Path, network_bytes: float, slower: float, *, cuda: bool) -> Cost | None:
    """What a reference run's manifest says; None where it says nothing of time on this device.

    How many times longer a core takes says nothing of a GPU.
    """
    try:
        manifest = manifest_of(run)
    except Unfinished:
        return None
    some_on_gpu = spent(manifest).gpu > 0
    if some_on_gpu and not cuda:
        return None
    cores = 1 if some_on_gpu else manifest["threads"]
    seconds = sum(manifest["seconds"].values()) * cores
    networks = {k: (v.get("seconds") or 0) * cores for k, v in manifest["store_keys"].items()}
    size = sum(file.stat().st_size for file in run.iterdir() if file.is_file())
    if seconds < TOO_FEW:
        return None
    return Cost(seconds, networks, network_bytes, size).on(1.0 if some_on_gpu else slower)


def _estimate(
    name: str,
    here: Mapping[str, Cost],
    others: Mapping[str, Mapping[str, Cost]],
    *,
    steady: bool,
) -> Cost:
    """The cost of an experiment that was timed at other scales at most."""
    size = _mean(cost.network_bytes for cost in here.values())
    for other, there in others.items():
        common = here.keys() & there.keys()
        if name in there and (common or steady):
            longer = sum(here[n].seconds for n in common)
            times = 1.0 if steady else longer / sum(there[n].seconds for n in common)
            return Cost(there[name].seconds * times, {}, size, basis=f"from scale={other}")
    if here:
        middle = statistics.median(cost.seconds for cost in here.values())
        return Cost(middle, {}, size, basis="as the median")
    return Cost(UNTIMED, {}, basis="nothing was timed")


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def read_rows(path: Path, numbers: Collection[str] = ()) -> list[dict[str, str]]:
    """The lines of a CSV file; none where there is no file.

    Times are notes, and not results: a line that cannot be read is left out and said.

    Args:
        path: of the file; all but that of the machine have a column `experiment`.
        numbers: columns that hold one.
    """
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        log.warning("%s cannot be read (%s); its times are left out", path, reason(error))
        return []
    named = [] if path.name == MACHINE else ["experiment"]
    whole = [row for row in rows if all(row.get(c) for c in named) and _numbers(row, numbers)]
    if len(whole) < len(rows):
        log.warning("%s: %d damaged line(s) left out", path, len(rows) - len(whole))
    return whole


def _numbers(row: Mapping[str, str | None], columns: Iterable[str]) -> bool:
    """Whether every one of these columns holds a finite number."""
    try:
        return all(math.isfinite(float(row.get(column) or "nan")) for column in columns)
    except ValueError:
        return False
