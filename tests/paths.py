"""Where the project's files lie, and what it says of itself in `pyproject.toml`."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "outputs" / "reference"
"""The kept runs that the docs quote."""

SOURCES = sorted([*(ROOT / "advx").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")])


def pythons() -> list[str]:
    """The versions of Python that the package supports."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    asked = tomllib.loads(text)["project"]["requires-python"]
    first, last = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", asked).groups()
    return [f"3.{minor}" for minor in range(int(first), int(last))]
