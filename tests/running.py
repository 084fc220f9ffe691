"""Experiments in this process, on overrides, and the files that they write."""

import csv
from pathlib import Path

from advx.config.check import keywords
from advx.config.compose import composed
from advx.run import Run, check, check_models

CELL = ["row", "metric", "epsilon", "setting"]
FIGURES = ["chapter", "published", "source"]
RESULTS = ["experiment", *CELL, "seed", "value", "unit", "n", *FIGURES]
SUMMARY = ["experiment", *CELL, "unit", *FIGURES, "mean", "low", "high", "seeds", "n"]
SUMMARY += ["verdict", "note"]
CLAIMS = [
    "experiment",
    "claim",
    "says",
    "source",
    "predicate",
    "holds",
    "margin",
    "error",
    "seeds",
    "evidence",
]
MANIFEST = {
    "command",
    "config",
    "remarks",
    "versions",
    "platform",
    "device",
    "threads",
    "data",
    "store_keys",
    "seconds",
    "files",
    "recipe_version",
    "own_code",
    "peak_memory_mib",
}


def ran(folder: Path, overrides: list[str]) -> Run:
    """The run that these overrides make, over, with its files in `folder/out`."""
    config, main = composed(overrides)
    check(config, main)
    out = folder / "out"
    out.mkdir(exist_ok=True)
    run = Run(config, out, "advx run")
    check_models(run)
    main(run, **keywords(config, main))
    return run


def table(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file by its header."""
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def started(folder: Path, *overrides: str) -> tuple[Run, dict, object]:
    """A run of these overrides whose files and store lie under `folder`."""
    words = [*overrides, "scale=smoke", "device.threads=1", f"store={folder / 'store'}"]
    config, main = composed(words)
    check(config, main)
    out = folder / "out"
    out.mkdir(exist_ok=True)
    return Run(config, out, "advx run " + " ".join(overrides)), config, main


def lines(path: Path, header: list[str]) -> list[dict[str, str]]:
    """The same of a file that has this header."""
    with path.open(encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        assert reader.fieldnames == header
        return list(reader)
