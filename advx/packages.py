"""What advx is made of, from its metadata."""

import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version

LIBRARIES = {"foolbox": "foolbox", "torchattacks": "torchattacks", "adv_lib": "adv-lib"}
"""Packages whose attacks a run may call, by the name that they are imported under."""


def packages() -> list[str]:
    """Names of the packages that advx needs, from its own metadata."""
    needed = [line for line in requires("advx") or [] if "extra ==" not in line]
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed]


def libraries() -> dict[str, str]:
    """Versions of the packages of other people's attacks that were imported, by name."""
    found = {}
    for name, package in LIBRARIES.items():
        if name in sys.modules:
            try:
                found[package] = version(package)
            except PackageNotFoundError:  # a module of that name beside the user's own
                continue
    return found
