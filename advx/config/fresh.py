"""A user's own modules run as their files stand, never from bytecode that an older file left.

Python takes bytecode for that of a source of the same size and time. A file that was changed within
the clock's tick, or copied with its time, would run as it was and be stored as it is.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

from advx.config.sources import is_installed


class FreshLoader(SourceFileLoader):
    """Compiles a source file each time, and writes no bytecode."""

    def path_stats(self, path: str) -> dict[str, float]:
        """Without them there is no bytecode to compare, and none is written."""
        raise OSError


class FreshFinder(MetaPathFinder):
    """Finds what Python would; source files outside the installed packages are compiled anew."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or name.partition(".")[0] == "advx":
            return spec
        loader = spec.loader
        if type(loader) is SourceFileLoader and not is_installed(Path(loader.path)):
            spec.loader = FreshLoader(loader.name, loader.path)
            spec.cached = None
        return spec


FINDER = FreshFinder()


def compile_own_sources() -> None:
    """From now on in this process."""
    if FINDER not in sys.meta_path:
        place = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else 0
        sys.meta_path.insert(place, FINDER)
