"""The configuration folders that a command line adds to advx's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser


def config_folder(words: Sequence[str]) -> str | None:
    """The folder that `--config-dir` names among a command line's words."""
    for flag, value in zip(words, [*words[1:], ""], strict=False):
        name, equals, given = flag.partition("=")
        if name in ("--config-dir", "-cd"):
            return given if equals else value
    return None


def search_path(config_dir: str | None, overrides: Sequence[str]) -> list[str]:
    """`hydra.searchpath` of a command line, its `--config-dir` put first; nothing for neither."""
    folders = _folders(config_dir, overrides)
    quoted = [f"'{folder.replace(chr(39), chr(92) + chr(39))}'" for folder in folders]
    return [f"hydra.searchpath=[{','.join(quoted)}]"] if folders else []


def own_folders(config_dir: str | None, overrides: Sequence[str]) -> list[Path]:
    """The same folders, without those that are parts of packages."""
    folders = _folders(config_dir, overrides)
    return [Path(each.removeprefix("file://")) for each in folders if "pkg://" not in each]


def _folders(config_dir: str | None, overrides: Sequence[str]) -> list[str]:
    there = config_dir and Path(config_dir).is_dir()  # Hydra itself tells where it is not
    folders = [f"file://{Path(str(config_dir)).resolve()}"] if there else []
    given = [word for word in overrides if word.partition("=")[0] == "hydra.searchpath"]
    for each in OverridesParser.create().parse_overrides(given):
        value: Any = each.value()
        folders += [str(folder) for folder in value] if isinstance(value, list) else []
    return folders
