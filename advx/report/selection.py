"""Which runs a report is of: the latest of each experiment, scale and version, of some folders.

A folder that is itself a run's is taken as it is. Of a folder that holds runs, the latest finished
run of each experiment at each scale by each version of advx is taken; older ones are counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from advx.errors import ConfigError
from advx.report.finished import (
    MARKS,
    Unfinished,
    manifest_of,
    run_folders,
    summary_of,
    title_of,
)

SCALES = ("chapter", "quick", "smoke")
"""In the order in which they are shown; others come last."""

UNKNOWN = "unknown"
"""The scale or version of a run that does not say it."""


@dataclass(frozen=True)
class Found:
    """A finished run.

    Attributes:
        folder: where it is.
        name: its experiment's; of a run without a readable manifest, its folder's.
        title: what ran, the first line of its `summary.md`.
        scale, version: at which, and of advx.
    """

    folder: Path
    name: str
    title: str
    scale: str
    version: str

    @property
    def group(self) -> tuple[str, str]:
        """Scale and version: what is never mixed into one table with another."""
        return self.scale, self.version

    @property
    def key(self) -> tuple[str, str, str]:
        """Of the runs with the same one, only the latest is reported."""
        return self.name, self.scale, self.version


@dataclass
class Selection:
    """What some folders hold.

    Attributes:
        runs: the runs to report, in the order of their names.
        unfinished: the others, each a line with its folder and what is amiss.
        older: how many finished runs a later one takes the place of.
    """

    runs: list[Found] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    older: int = 0


def select(folders: Sequence[Path], columns: Sequence[str]) -> Selection:
    """The runs of some folders.

    Args:
        folders: runs, or folders with runs in them.
        columns: what a finished run's `summary.csv` has.

    Raises:
        ConfigError: one of them does not exist.
    """
    made, named, latest = Selection(), [], {}
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            what = "a file" if folder.exists() else "no such folder"
            raise ConfigError(f"folder={folder}: {what}; valid: a run, or a folder that holds runs")
        is_run = any((folder / mark).exists() for mark in MARKS)
        for each in [folder] if is_run else run_folders(folder):
            if each.resolve() in seen:
                continue
            seen.add(each.resolve())
            try:
                found = found_in(each, folder, columns)
            except Unfinished as error:
                made.unfinished.append(str(error))
                continue
            if is_run:
                named.append(found)
            else:  # a later one takes the place of an earlier one
                made.older += found.key in latest
                latest[found.key] = found
    made.runs = sorted([*named, *latest.values()], key=lambda run: (run.key, run.folder))
    return made


def found_in(folder: Path, root: Path, columns: Sequence[str]) -> Found:
    """A finished run.

    Raises:
        Unfinished: it is not.
    """
    summary_of(folder, columns, dtype=str)
    title = title_of(folder)
    try:
        manifest = manifest_of(folder)
    except Unfinished:
        inside = folder.relative_to(root).parts
        return Found(folder, inside[0] if inside else folder.name, title, UNKNOWN, UNKNOWN)
    config = manifest["config"]
    versions = manifest.get("versions")
    version = versions.get("advx", UNKNOWN) if isinstance(versions, dict) else UNKNOWN
    return Found(folder, str(config["experiment"]), title, str(config["scale"]), str(version))


def scale_place(group: tuple[str, str]) -> tuple[int, str]:
    """The order of scales and versions."""
    scale, version = group
    return (SCALES.index(scale) if scale in SCALES else len(SCALES)), version
