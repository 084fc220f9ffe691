"""What can be chosen, read from the YAML files."""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

NO_CHOICES = ("__pycache__", "at", "hydra")
"""Folders of a configuration that hold no choices of advx's."""


def choices(*folders: Path) -> dict[str, list[str]]:
    """Names in every configuration group: those of advx, and of configuration folders besides."""
    found: dict[str, set[str]] = {}
    for root in (files("advx.conf"), *folders):
        for group in root.iterdir():
            if group.is_dir() and group.name not in NO_CHOICES:
                for name in _names(group, nested=group.name == "experiment"):
                    found.setdefault(group.name, set()).add(name)
    return {group: sorted(found[group]) for group in sorted(found)}


@cache
def labels() -> frozenset[str]:
    """What advx's own choices call themselves in rows: the `name` in their YAML files."""
    folders = [each for each in files("advx.conf").iterdir() if each.name not in NO_CHOICES]
    found = set()
    while folders:
        folder = folders.pop()
        if folder.is_dir():
            folders += folder.iterdir()
        elif folder.name.endswith(".yaml"):
            found |= set(re.findall(r"^name: *(\S+)", folder.read_text(encoding="utf-8"), re.M))
    return frozenset(found)


def _names(group: Traversable, *, nested: bool) -> Iterator[str]:
    """Names of a group's files, and where nested, of those in its folders as `FOLDER/NAME`."""
    for file in group.iterdir():
        if file.name.endswith(".yaml"):
            yield file.name.removesuffix(".yaml")
        elif nested and file.is_dir():
            yield from (f"{file.name}/{name}" for name in _names(file, nested=True))
