"""A finished run's rows judged again, by the claims that its experiment lists now.

A claim is a sentence about rows that are there: when its words or its predicate are mended, nothing
has to be measured again.
"""

import math
import re
from pathlib import Path
from typing import Any

from advx.config.chapter import departures
from advx.config.compose import resolved
from advx.report.conclusions import Conclusions, conclude, write_conclusions
from advx.report.finished import manifest_of, table_of, title_of
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
        ConfigError: a claim that is listed now cannot be read.
    """
    manifest = manifest_of(folder)
    config = manifest["config"]
    now = resolved([f"experiment={config['experiment']}", f"scale={config['scale']}"])
    config = {k: v for k, v in config.items() if k not in LISTED}
    config |= {key: now[key] for key in LISTED if key in now}
    results = results_of(folder, config)
    drawn = conclude(results, config, departures(config))
    write_results(folder, results)
    _, dash, ran = title_of(folder).partition(DASH)
    write_conclusions(folder, drawn, f"{config['title']}{dash}{ran}", manifest.get("remarks", []))
    return drawn


def results_of(folder: Path, config: dict[str, Any]) -> Results:
    """The rows of a finished run, with the figures and notes that `config` lists.

    Raises:
        Unfinished: `results.csv` or `summary.csv` is not there or not whole.
    """
    listed = {(row["row"], row["metric"]): row for row in config.get("rows") or []}
    made = Results(config["experiment"])
    columns = ("row", "metric", "seed", "value", "unit", "n")
    table = table_of(folder, RESULTS, columns, dtype=str).fillna("")
    for row in table.to_dict("records"):
        about = listed.get((row["row"], row["metric"]), {})
        made.add(
            Row(
                made.experiment,
                row["row"],
                row["metric"],
                int(row["seed"]) if row["seed"] else None,
                float(row["value"]) if row["value"] else math.nan,
                row["unit"],
                int(row["n"]) if row["n"] else None,
                about.get("chapter"),
                about.get("published"),
                about.get("source", ""),
            ),
            about.get("note", ""),
        )
    summary = table_of(folder, "summary.csv", ("row", "metric", "note"), dtype=str).fillna("")
    for row in summary.to_dict("records"):  # what the experiment's code noted
        where = row["row"], row["metric"]
        about = listed.get(where, {})
        note = COUNTED.sub("", row["note"])
        if note and "note" not in about and "published" not in about:
            made.notes[where] = note
    return made
