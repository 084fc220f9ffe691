"""The folder of a run: one run at a time in it, and no file of an earlier one among the new."""

import copy
import json
import sys
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from advx.config.messages import one_line
from advx.errors import ConfigError
from advx.text_files import read_text

LOCK = ".lock"
EVERY_RUN = (
    "FAILED",
    "results.csv",
    "summary.csv",
    "summary.md",
    "claims.csv",
    "timing.csv",
    "manifest.json",
)
"""Files that every run writes; its manifest lists the others."""

_held: dict[Path, FileLock] = {}


class ClaimFolder(Callback):
    """Claims the folder before Hydra writes its own files there (`hydra.callbacks`)."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        _claim_of(config, "hydra.run.dir")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        _claim_of(config, "hydra.sweep.dir")


def _claim_of(config: DictConfig, key: str) -> None:
    """Claim what `key` names, or end here: Hydra makes a warning of a callback's exception."""
    hydra = HydraConfig.instance()
    before = hydra.cfg
    hydra.set_config(copy.deepcopy(config))  # the folder's name may speak of other settings
    try:
        claim(Path(OmegaConf.select(config, key)), key)  # and of the time, which it remembers
    except (ConfigError, OSError, OmegaConfBaseException) as error:
        print(f"advx: {one_line(error)}", file=sys.stderr)
        sys.exit(2)
    finally:
        hydra.cfg = before


def claim(folder: Path, key: str = "hydra.run.dir") -> None:
    """Make the folder and keep other processes out of it until `release`, or until this one ends.

    Args:
        folder: the run's.
        key: that named it, for the message.

    Raises:
        ConfigError: another process is at work there.
    """
    if folder.resolve() in _held:
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(
            f"{key}={folder}: another run is writing there; wait until it has ended, or name "
            "another folder"
        ) from None
    _held[folder.resolve()] = lock


def release(folder: Path | None = None) -> None:
    """Let others have the folder again, or all that are held."""
    for place in list(_held) if folder is None else [folder.resolve()]:
        if place in _held:
            _held.pop(place).release()


def clear(folder: Path) -> None:
    """Remove what an earlier run left in a claimed folder; nothing that is not a run's.

    Its results are kept in the store, and its log goes on.
    """
    try:
        listed = json.loads(read_text(folder / "manifest.json"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        listed = []
    for name in {*EVERY_RUN, *(n for n in listed if Path(n).name == n)}:
        (folder / name).unlink(missing_ok=True)
    for pattern in (".*.partial", "adversarial/[0-9]*_label*.png", "adversarial/.*.partial"):
        for left in folder.glob(pattern):
            left.unlink()


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """What tells whether a file was written anew, by the names of the folder's files."""
    found = {p.name: p.stat() for p in folder.glob("*") if p.is_file() and p.name[0] != "."}
    return {name: (stat.st_mtime_ns, stat.st_ino) for name, stat in found.items()}
