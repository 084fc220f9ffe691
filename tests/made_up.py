"""Rows and run folders that no run has written."""

from pathlib import Path

from advx.report.results import Results, Row


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
