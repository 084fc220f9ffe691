"""Runs that differ in nothing but their seeds, joined: `advx report --merge RUN… --into FOLDER`.

Rows are joined, not averaged: intervals, verdicts and claims follow from all of them together, as
if one run had had all the seeds. Claims mended between two runs are those of the one named last.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from advx.config.cells import Cell
from advx.config.chapter import departures, differences
from advx.config.documents import Composed, Manifest
from advx.errors import ConfigError
from advx.packages import LIBRARIES
from advx.report.again import DASH, LISTED, results_of
from advx.report.conclusions import Conclusions, conclude, write_conclusions
from advx.report.finished import Unfinished, manifest_of, summary_of, table_of, title_of
from advx.report.results import RESULTS, Results, Row, csv_text, write_results
from advx.run_folder import EVERY_RUN, claim, release
from advx.text_files import write_text

SENTENCES = tuple(key for key in LISTED if key != "rows")
"""Keys that may be mended between two runs: they change no number, and no figure beside one."""

COUNTING = ("advx", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "mlxtend")
"""Packages whose version may change a number."""


@dataclass(frozen=True)
class Finished:
    """A finished run, read back.

    Attributes:
        folder: where it lies.
        manifest: its `manifest.json`.
        results: its rows.
        timing: seconds by phase and row.
    """

    folder: Path
    manifest: Manifest
    results: Results
    timing: list[tuple[str, str, float]]

    @property
    def config(self) -> Composed:
        """The resolved configuration."""
        return self.manifest["config"]

    @property
    def seeds(self) -> list[int]:
        """Of its trainings."""
        return self.config["seeds"]


def read(folder: Path) -> Finished:
    """A finished run.

    Raises:
        Unfinished: the folder is not that of a whole run.
    """
    manifest = manifest_of(folder)
    summary_of(folder, ("row", "metric"), dtype=str)  # it did not fail
    refuse_damage(folder, manifest)
    timing = table_of(folder, "timing.csv", ("phase", "row", "seconds"), numbers=("seconds",))
    spent = [(str(t.phase), str(t.row), float(t.seconds)) for t in timing.itertuples()]
    results = results_of(folder, manifest["config"])
    refuse_other_rows(folder, manifest["config"], results)
    return Finished(folder, manifest, results, spent)


def refuse_damage(folder: Path, manifest: Manifest) -> None:
    """Refuse a manifest without what is joined, such as an older version's.

    Raises:
        Unfinished: the first key that is missing or of another kind.
    """
    config = manifest["config"]
    parts: list[tuple[str, Any, type, bool]] = [
        ("command", manifest.get("command"), str, True),
        ("seconds", manifest.get("seconds"), dict, True),
        ("store_keys", manifest.get("store_keys"), dict, True),
        ("versions", manifest.get("versions"), dict, False),
        ("remarks", manifest.get("remarks"), list, False),
        ("config.seeds", config.get("seeds"), list, True),
        ("config.device", config.get("device"), dict, True),
        ("config.title", config.get("title"), str, True),
    ]
    wrong = [
        path
        for path, part, kind, needed in parts
        if not isinstance(part, kind) and (needed or part is not None)
    ]
    seeds, networks = config.get("seeds"), manifest.get("store_keys")
    if not wrong and not (seeds and all(type(seed) is int for seed in seeds)):
        wrong.append("config.seeds")
    if not wrong and not all(isinstance(facts, dict) for facts in networks.values()):
        wrong.append("store_keys")
    if not wrong and not all(isinstance(s, int | float) for s in manifest["seconds"].values()):
        wrong.append("seconds")
    if wrong:
        raise Unfinished(folder, f"manifest.json has no {wrong[0]} that can be joined")


def refuse_other_rows(folder: Path, config: Composed, results: Results) -> None:
    """Refuse rows that are not those of the run that the manifest describes.

    Raises:
        Unfinished: rows of another experiment or seed, or one number twice.
    """
    named = table_of(folder, RESULTS, ("experiment",), dtype=str).experiment.unique()
    others = [name for name in named if name != config["experiment"]]
    if others:
        raise Unfinished(folder, f"{RESULTS} has rows of {others[0]}, not {config['experiment']}")
    counts = Counter((row.cell, row.seed) for row in results.rows)
    for (cell, seed), count in counts.items():
        if seed is not None and seed not in config["seeds"]:
            raise Unfinished(folder, f"{RESULTS} has rows of seed {seed}, its manifest has not")
        if count > 1:
            raise Unfinished(folder, f"{RESULTS} has {cell} of seed {seed} {count} times")


def merge(folders: Sequence[Path], into: Path) -> Conclusions:
    """Join runs in a new folder, or in that of one of them.

    Nothing is written before all is read and compared, and nothing of a run is replaced before
    all is written. Figures are not joined: those of the first run show its first seed.

    Args:
        folders: two runs or more; title, claims and deviations are those of the last one.
        into: where the joined run is written.

    Raises:
        Unfinished: one of them is not a whole run.
        ConfigError: they differ in more than their seeds, share a seed, or there is only one; or
            another run lies in `into`, or is writing there.
    """
    refuse_place(folders, into)
    if len(folders) < 2:
        raise ConfigError(f"merge={', '.join(map(str, folders))}: two runs at least are needed")
    runs = sorted((read(folder) for folder in folders), key=lambda run: min(run.seeds))
    first, *others = runs
    for other in others:
        refuse_difference(first, other)
    refuse_shared_seeds(runs)
    last = next(run.config for run in runs if run.folder == folders[-1])
    config = first.config | {key: last[key] for key in SENTENCES if key in last}
    config["seeds"] = sorted(seed for run in runs for seed in run.seeds)
    results = joined(runs)
    drawn = conclude(results, config, departures(config))
    _, dash, ran = title_of(first.folder).rpartition(DASH)
    words, named, _ = ran.rpartition(", seeds ")
    seeds = f"{words}{named}{', '.join(map(str, config['seeds']))}" if named else ran
    heading = f"{config['title']}{dash}{seeds}"
    timing = timing_of(runs)
    manifest = manifest_for(runs, config, timing, into)
    spent = [[phase, row, round(seconds, 3)] for (phase, row), seconds in timing.items()]
    claim(into, "into")
    try:
        with TemporaryDirectory(prefix=".joined-", dir=into) as name:
            written = Path(name)
            write_results(written, results)
            write_text(written / "timing.csv", csv_text(["phase", "row", "seconds"], spent))
            write_text(written / "manifest.json", json.dumps(manifest, indent=1) + "\n")
            write_conclusions(written, drawn, heading, manifest["remarks"])
            for path in sorted(written.iterdir()):
                path.replace(into / path.name)
    finally:
        release(into)
    return drawn


def refuse_place(folders: Sequence[Path], into: Path) -> None:
    """Refuse a folder that holds another run than those that are joined, or is none.

    Raises:
        ConfigError: it is.
    """
    valid = "valid: a new folder, or that of one of the runs"
    if into.exists() and not into.is_dir():
        raise ConfigError(f"into={into}: a file; {valid}")
    one_of_them = any(into.resolve() == folder.resolve() for folder in folders)
    if not one_of_them and any((into / name).exists() for name in EVERY_RUN):
        raise ConfigError(f"into={into}: another run lies there; {valid}")


def refuse_difference(first: Finished, other: Finished) -> None:
    """Refuse runs of different settings, data, code or packages, or of different weights of what
    they share, such as a classifier that reads for all seeds.

    Raises:
        ConfigError: the first difference.
    """
    pair = f"merge={first.folder}, {other.folder}"
    found = differences(numbers_of(other), numbers_of(first))  # not of seeds, and places of files
    machines = [(run.config["device"], run.manifest.get("device")) for run in (first, other)]
    if not found and machines[0] != machines[1]:
        found = [f"device={other.manifest.get('device')}, {other.config['device']}"]
    if found:
        raise ConfigError(
            f"{pair}: {found[0]} in the second one only; valid: runs that differ in nothing but "
            "their seeds"
        )
    for name in (*COUNTING, *LIBRARIES.values()):
        versions = [(run.manifest.get("versions") or {}).get(name) for run in (first, other)]
        unsaid = name not in COUNTING and None in versions  # it was imported in one of them only
        if versions[0] != versions[1] and not unsaid:
            raise ConfigError(f"{pair}: {name} {versions[0]} and {versions[1]}; valid: one version")
    for key, what in (("data", "data"), ("own_code", "own code")):
        both = [run.manifest.get(key) or {} for run in (first, other)]
        if both[0] != both[1]:
            raise ConfigError(f"{pair}: their {what} differ; valid: the same")
    here, there = (run.manifest["store_keys"] for run in (first, other))
    for key in here.keys() & there.keys():
        for fact in ("sha256", "validation_error_rate", "best_epoch"):
            values = here[key].get(fact), there[key].get(fact)
            if None not in values and values[0] != values[1]:
                raise ConfigError(
                    f"{pair}: {here[key]['model']} ({key}) was trained for each of them, and not "
                    f"to the same weights ({fact} {values[0]}, {values[1]}); valid: one store"
                )


def numbers_of(run: Finished) -> Composed:
    """The part of a run's configuration that its numbers rest on."""
    return {key: value for key, value in run.config.items() if key not in SENTENCES}


def refuse_shared_seeds(runs: Sequence[Finished]) -> None:
    """Refuse a seed that two runs have.

    Raises:
        ConfigError: which one.
    """
    counts = Counter(seed for run in runs for seed in run.seeds)
    for seed, count in counts.items():
        if count > 1:
            where = ", ".join(str(run.folder) for run in runs if seed in run.seeds)
            raise ConfigError(f"merge={where}: all have seed {seed}; valid: each seed once")


def joined(runs: Sequence[Finished]) -> Results:
    """The rows of all runs; those without a seed, which must agree, once.

    Raises:
        ConfigError: a number that rests on no seed differs.
    """
    results = Results(runs[0].results.experiment)
    alone: dict[Cell, Row] = {}
    for run in runs:
        for row in run.results.rows:
            if row.seed is not None:
                results.add(row)
            elif row.cell not in alone:
                alone[row.cell] = row
                results.add(row)
            elif repr(alone[row.cell].value) != repr(row.value):
                raise ConfigError(
                    f"merge={run.folder}: {row.cell} is {row.value:g}, which rests on no seed, but "
                    f"{alone[row.cell].value:g} in {runs[0].folder}; valid: the same"
                )
        results.notes |= run.results.notes
    return results


def timing_of(runs: Sequence[Finished]) -> dict[tuple[str, str], float]:
    """Seconds by phase and row; a network that several of the runs name was trained once."""
    timing: dict[tuple[str, str], float] = {}
    for run in runs:
        for phase, row, seconds in run.timing:
            earlier = timing.get((phase, row), 0.0)
            once = phase == "train"
            timing[phase, row] = max(earlier, seconds) if once else earlier + seconds
    return timing


def manifest_for(
    runs: Sequence[Finished],
    config: Composed,
    timing: Mapping[tuple[str, str], float],
    into: Path,
) -> Manifest:
    """The manifest of the joined run: what is the same, and what each of them adds."""
    first = runs[0].manifest
    manifests = [run.manifest for run in runs]
    seconds: dict[str, float] = {}
    keys: dict[str, Mapping[str, Any]] = {}
    for each in manifests:
        keys |= each["store_keys"]
    for (phase, _), spent in timing.items():
        seconds[phase] = seconds.get(phase, 0.0) + spent
    peaks = [each.get("peak_memory_mib") for each in manifests]
    words = " ".join(str(run.folder) for run in runs)
    remarks = [text for each in manifests for text in each.get("remarks", [])]
    return first | {
        "command": f"advx report --merge {words} --into {into}",
        "joined": [
            command for each in manifests for command in each.get("joined", [each["command"]])
        ],
        "config": config,
        "remarks": list(dict.fromkeys(remarks)),
        "store_keys": keys,
        "seconds": {phase: round(spent, 1) for phase, spent in seconds.items()},
        "peak_memory_mib": max((peak for peak in peaks if peak is not None), default=None),
    }
