"""The command `advx` in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ADVX = [str(Path(sys.executable).with_name("advx"))]


def advx(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ADVX + list(arguments),
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
