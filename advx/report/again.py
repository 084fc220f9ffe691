"""A finished run's rows judged again, by the claims that its experiment lists now.

A claim is a sentence about rows that are there: when its words or its predicate are mended, nothing
has to be measured again.
"""

import math
import re
import shlex
from collections import Counter
from pathlib import Path

from advx.config import renamed
from advx.config.cells import Cell
from advx.config.chapter import departures, differences
from advx.config.claims import CELL_KEYS, listed_cell
from advx.config.compose import resolved
from advx.config.documents import Composed, Manifest
from advx.errors import ConfigError, reason
from advx.report.conclusions import Conclusions, conclude, write_conclusions
from advx.report.finished import Unfinished, cells_of, manifest_of, summary_of, table_of, title_of
from advx.report.results import RESULTS, Results, Row, write_results

LISTED = ("title", "rows", "claims", "deviations")
"""Keys that change no number: what an experiment's YAML says of its rows."""

DASH = " — "
"""Between the title of a run and what it ran on."""

COUNTED = re.compile(r"(^|; )\d+ seed\(s\) \w.*$")
"""The part of a note that the summary adds itself."""


def judge_again(folder: Path) -> Conclusions:
    """Write a run's `claims.csv` and `summary.*` anew; in `results.csv` only published figures.

    Raises:
        Unfinished: it is not the folder of a whole run.
        ConfigError: the run is not what its experiment's YAML says, so that the claims listed there
            may speak of other rows; or a claim cannot be read.
    """
    manifest = manifest_of(folder)
    summary = summary_of(folder, (*CELL_KEYS, "seeds", "note"), dtype=str).fillna("")
    config = listed_now(folder, manifest)
    results = results_of(folder, config)
    counted = Counter(row.cell for row in results.rows)
    lines = [renamed.cell(cell, config) for cell in cells_of(summary)]
    if counted != dict(zip(lines, map(int, summary.seeds), strict=True)):
        raise Unfinished(folder, "results.csv and summary.csv do not have the same rows")
    noted = dict(zip(lines, summary.note, strict=True))
    results.notes |= noted_by_code(noted, manifest["config"], config)
    drawn = conclude(results, config, departures(config))
    _, dash, ran = title_of(folder).rpartition(DASH)
    write_results(folder, results)
    write_conclusions(folder, drawn, f"{config['title']}{dash}{ran}", manifest.get("remarks", []))
    return drawn


def listed_now(folder: Path, manifest: Manifest) -> Composed:
    """The configuration of a run, with the title, rows, claims and deviations of its YAML today.

    Raises:
        ConfigError: it was run with other settings than its experiment's at that scale.
    """
    config = manifest["config"]
    try:
        now = resolved([f"experiment={config['experiment']}", f"scale={config['scale']}"])
    except Exception as error:  # Hydra's, for an experiment that is not among advx's own
        raise ConfigError(
            f"judge={folder}: its experiment cannot be read ({reason(error).splitlines()[0]}); "
            "valid: the run of an experiment that advx list names"
        ) from error
    unlisted = {key: value for key, value in config.items() if key not in LISTED}
    changed = differences(unlisted, {key: value for key, value in now.items() if key not in LISTED})
    words = shlex.split(manifest.get("command", ""))
    changed += [word for word in words if re.match(rf"[+~]*({'|'.join(LISTED)})\b", word)]
    if changed:
        raise ConfigError(
            f"judge={folder}: run with {changed[0]}, which its experiment's YAML does not have; "
            "valid: a run of an experiment at one of its scales, with nothing else changed"
        )
    return unlisted | {key: now[key] for key in LISTED if key in now}


def noted_by_code(noted: dict[Cell, str], then: Composed, now: Composed) -> dict[Cell, str]:
    """Notes of a summary that stand neither in the run's configuration nor in today's."""
    listed = [
        {listed_cell(row): row.get("note", "") for row in config.get("rows") or []}
        for config in (then, now)
    ]
    found = {cell: COUNTED.sub("", note) for cell, note in noted.items()}
    return {
        cell: note
        for cell, note in found.items()
        if note and all(note != notes.get(cell) for notes in listed)
    }


def results_of(folder: Path, config: Composed) -> Results:
    """The rows of a finished run, with the figures and notes that `config` lists.

    Raises:
        Unfinished: `results.csv` is not there or not whole, or has a number that is none.
    """
    listed = {listed_cell(row): row for row in config.get("rows") or []}
    made = Results(config["experiment"])
    columns = (*CELL_KEYS, "seed", "value", "unit", "n")
    table = table_of(folder, RESULTS, columns, dtype=str, numbers=("epsilon",)).fillna("")
    for given, line in zip(cells_of(table), table.itertuples(), strict=True):
        cell = renamed.cell(given, config)
        about = listed.get(cell)
        try:
            seed, n = (int(text) if text else None for text in (line.seed, line.n))
            value = float(line.value) if line.value else math.nan
        except ValueError as error:
            raise Unfinished(folder, f"{RESULTS} cannot be read ({reason(error)})") from error
        row = Row.of(made.experiment, cell, seed, value, line.unit, n, about)
        made.add(row, about.get("note", "") if about else "")
    return made
