"""Rows and run folders that no run has written."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from advx.config.documents import Claim
from advx.report.conclusions import conclude, write_conclusions
from advx.report.results import Results, Row, write_results
from advx.text_files import write_text


def results(**rows: list[float]) -> Results:
    made = Results("demo")
    for name, values in rows.items():
        for seed, value in enumerate(values):
            made.add(Row("demo", name, "error_rate", None, "", seed, value, n=1000))
    return made


HEADER = "experiment,row,metric,epsilon,setting,unit,chapter,mean,low,high,seeds,n,verdict,note\n"

LINE = "x,a,error_rate,0.1,clipped,percent,50,51.234,40,60,3,1000,near,\n"


def run_folder(folder: Path, **files: str | bytes | None) -> Path:
    """A finished run's folder with some files replaced, or left out where they are None."""
    folder.mkdir(parents=True)
    whole = {"summary.csv": HEADER + LINE, "summary.md": "Title\n\ntable\n", "results.csv": "row\n"}
    for name, content in (whole | {key.replace("_", "."): v for key, v in files.items()}).items():
        if content is not None:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def whole_run(
    folder: Path,
    experiment: str = "transfer_table",
    *,
    scale: str = "quick",
    version: str = "0.1.0",
    title: str = "Made up",
    rows: Iterable[Row] = (),
    claims: Sequence[Claim] = (),
    deviations: Sequence[str] = (),
    command: str = "advx run experiment=transfer_table",
) -> Path:
    """The folder of a finished run with these rows, as a run writes it."""
    made = Results(experiment)
    for row in rows or [Row(experiment, "a", "error_rate", None, "", s, 40.0 + s, n=1000)
                        for s in range(3)]:  # fmt: skip
        made.add(row)
    config = {
        "experiment": experiment,
        "scale": scale,
        "main": f"advx.experiments.{experiment}.main",
        "claims": list(claims),
        "deviations": list(deviations),
    }
    folder.mkdir(parents=True)
    write_results(folder, made)
    write_conclusions(folder, conclude(made, config, []), f"{title} — mnist5k, scale {scale}")
    manifest = {
        "command": command,
        "config": config,
        "versions": {"python": "3.11", "advx": version},
        "device": "cpu",
        "threads": 1,
        "seconds": {"train": 60.0},
    }
    write_text(folder / "manifest.json", json.dumps(manifest))
    return folder
