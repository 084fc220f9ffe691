"""Stand-ins for `advx run` in the processes of a `reproduce`: at once, and as the words say."""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from advx import __version__
from advx.config.compose import resolved
from tests.made_up import run_folder

LOG = "entered.txt"
"""In the working folder: a line when an experiment begins, and one when it ends."""


def _entered(words: list[str]) -> tuple[str, Path]:
    given = dict(word.split("=", 1) for word in words)
    with Path(LOG).open("a", encoding="utf-8") as stream:
        stream.write(f"begin {given['experiment']}\n")
    return given["experiment"], Path(given["hydra.run.dir"])


def finish(words: list[str]) -> None:
    """A whole run."""
    name, folder = _entered(words)
    print(f"this is {name}")
    config = resolved([word for word in words if not word.startswith("hydra.")])
    manifest = {
        "config": config,
        "versions": {"advx": __version__},
        "store_keys": {},
        "seconds": {},
        "files": ["figure.png"],
    }
    shutil.rmtree(folder, ignore_errors=True)
    run_folder(folder, manifest_json=json.dumps(manifest))
    for file in ("results.csv", "claims.csv", "timing.csv", "figure.png"):
        (folder / file).touch()
    with Path(LOG).open("a", encoding="utf-8") as stream:
        stream.write(f"end {name}\n")


def finish_slowly(words: list[str]) -> None:
    """A whole run that takes a moment."""
    _entered(words)
    time.sleep(0.5)
    finish(words)


def some_fail(words: list[str]) -> None:
    """Runs of which three end badly, each in its own way, as long as `mended` is not there."""
    name = dict(word.split("=", 1) for word in words)["experiment"]
    if not Path("mended").exists():
        if name == "linearity":
            print("advx: attack.epsilon=-1: too small", file=sys.stderr)
            sys.exit(2)
        if name == "norm_balls":
            raise RuntimeError("no such layer")
        if name == "rubbish":
            os.kill(os.getpid(), signal.SIGKILL)
    finish(words)


def sleep(words: list[str]) -> None:
    """A run that takes long."""
    _entered(words)
    time.sleep(600)
