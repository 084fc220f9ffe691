"""Errors of Hydra and OmegaConf as one line: the key, the value seen, the valid choice."""

import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.errors import HydraException
from omegaconf._utils import get_yaml_loader
from omegaconf.errors import OmegaConfBaseException

from advx.config import renamed
from advx.config.check import nearest
from advx.config.choices import choices
from advx.config.compose import resolved
from advx.config.search_path import config_folder, own_folders
from advx.errors import FULL, AdvxError, reason
from advx.places import cache_dir

REFUSED = FULL | {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.EFBIG,
    errno.ENAMETOOLONG,
}
"""The system does not let a file be written where it should be."""


def one_line(error: BaseException, overrides: Sequence[str] = ()) -> str | None:
    """The message of an error that the user can mend; None for any other.

    Args:
        error: what was raised.
        overrides: the command line's words, to say what an unknown key or choice could have been.
    """
    if isinstance(error, AdvxError):
        return str(error)
    text = str(error)
    found = re.search(r"Could not find '([\w@.]+)/([^'/]+)'", text)
    if found:
        group, choice = found.groups()
        valid = _offered(overrides).get(group, [])
        return f"{group}={choice}: no such choice; {nearest(choice, valid)}"
    found = re.search(r"Could not override '([^']+)'", text)
    if found:
        key = found.group(1)
        now = renamed.group(key, [*renamed.KEYS])
        return _unknown_key(key, overrides) if now == key else f"{key} has a new name: {now}"
    if "Config group override must be a string" in text:
        known = _offered(overrides)
        for word in overrides:
            group, _, value = word.partition("=")
            offered = known.get(group.partition("@")[0])
            if offered and value not in offered:
                return f"{word}: no such choice; {nearest(value, offered)}"
        return " ".join(text.split())
    if "You must specify 'experiment'" in text or "Could not find 'experiment/'" in text:
        return f"experiment: not given; valid: {', '.join(_offered(overrides)['experiment'])}"
    found = re.search(r"Interpolation key '([^']+)' not found\s+full_key: (\S+)", text)
    if found:
        wanted, by = found.groups()
        removed = [w for w in overrides if w[:1] == "~" and f"{wanted}.".startswith(f"{w[1:]}.")]
        named = f"{removed[-1]}: " if removed else ""
        return f"{named}{by} takes its value from {wanted}, and there is none"
    merged = text.removeprefix("Error merging override ")
    if merged != text and isinstance(error.__cause__, OmegaConfBaseException):
        return f"{merged}: {str(error.__cause__).splitlines()[0]}"
    if isinstance(error, HydraException | OmegaConfBaseException):
        return " ".join(text.split())
    if isinstance(error, OSError):
        return _of_system(error, overrides)
    return None


def _offered(overrides: Sequence[str]) -> dict[str, list[str]]:
    """The choices of every group, with those of the command line's own folders."""
    return choices(*own_folders(config_folder(overrides), overrides))


def unreadable(error: Exception, config_dir: str | None, overrides: Sequence[str]) -> str | None:
    """Which YAML file of the user's own cannot be read, and why; None where all of them can.

    Hydra raises what its YAML reader raises, which does not always know the file.
    """
    folders = own_folders(config_dir, overrides)
    named = [word.partition("=")[2] for word in overrides if word.startswith("experiment=")]
    files = [file for folder in folders for file in sorted(folder.rglob("*.yaml"))]
    for file in sorted(files, key=lambda file: file.stem not in named):  # the one asked for first
        try:
            yaml.load(file.read_text(encoding="utf-8"), Loader=get_yaml_loader())
        except UnicodeDecodeError as wrong:
            return f"{file}: not UTF-8 ({reason(wrong)})"
        except yaml.YAMLError as wrong:
            because = reason(wrong).replace(' in "<unicode string>"', "")
            return f"{file}: no YAML ({because})"
        except OSError:
            continue
    return None


def _of_system(error: OSError, overrides: Sequence[str]) -> str:
    """Which file it was, and the key that names another place for it."""
    if error.errno not in REFUSED:
        return f"{error.filename}: {error.strerror}" if error.filename else reason(error)
    advice = "free some space there, or " if error.errno in FULL else ""
    named = [word.partition("=")[2] for word in overrides if word.startswith("store=")]
    places = {
        "store=…": Path((named or ["outputs/store"])[-1].strip("'\"")),
        "the environment variable ADVX_CACHE": cache_dir(),
    }
    if error.filename is None:  # of a library that does not say which
        keys = ", ".join(["hydra.run.dir=…", *places])
        return f"a file cannot be written: {error.strerror}; {advice}name writable folders ({keys})"
    file = Path(os.fsdecode(error.filename)).absolute()
    key = next((k for k, p in places.items() if file.is_relative_to(p.absolute())), None)
    return (
        f"{error.filename}: {error.strerror}; {advice}name a writable folder with "
        f"{key or 'hydra.run.dir=…'}"
    )


def _unknown_key(key: str, overrides: Sequence[str]) -> str:
    """What is wrong with an override of a key that the configuration does not have."""
    words = [w.partition("=") for w in overrides if "=" in w and not w.startswith("-")]
    shown = next((f"{key}={value}" for name, _, value in words if name == key), key)
    others = [  # a sweep's choices and Hydra's own settings do not change which keys there are
        f"{name}={value}"
        for name, _, value in words
        if name != key and "," not in value and not name.startswith("hydra")
    ]
    try:
        level: Any = resolved(others)
    except Exception:  # those are wrong as well: say only what is known
        return f"{shown}: no such key; advx run ... --cfg job shows all keys"
    for part in key.split("."):
        if not isinstance(level, dict):
            break
        if part not in level:
            return f"{shown}: no such key; {nearest(part, level)} (a new key: +{key}=…)"
        level = level[part]
    return f"{shown}: no such key; advx run ... --cfg job shows all keys"
