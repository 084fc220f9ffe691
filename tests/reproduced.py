"""One `advx reproduce scale=smoke` for all tests that read what it leaves."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.paths import ROOT
from tests.processes import ADVX


def asked(session: pytest.Session) -> Iterator[str]:
    """The experiments whose runs the chosen tests read."""
    for item in session.items:
        if "reproduced" in getattr(item, "fixturenames", ()):
            for value in item.callspec.params.values():
                yield from value if isinstance(value, tuple) else [value]


def runs(session: pytest.Session, temporary: pytest.TempPathFactory) -> Path:
    """The folder of the runs: that of `ADVX_REPRODUCED`, else they run now.

    All processes of the tests share them. One that fails is left to the test that reads it.
    """
    given = os.environ.get("ADVX_REPRODUCED")
    if given:
        return ROOT / given
    base = temporary.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "reproduced"
    with FileLock(base / "reproduced.lock"):
        if not folder.exists():
            folder.mkdir()
            names = ",".join(sorted(set(asked(session))))
            command = [*ADVX, "reproduce", "scale=smoke", "--only", names]
            subprocess.run(command, cwd=folder, check=False)
    return folder / "outputs" / "reproduce" / "smoke"
