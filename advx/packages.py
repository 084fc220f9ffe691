"""What advx is made of, from its metadata."""

import re
from importlib.metadata import requires


def packages() -> list[str]:
    """Names of the packages that advx needs, from its own metadata."""
    needed = [line for line in requires("advx") or [] if "extra ==" not in line]
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed]
