"""The lists of `docs/` that advx reads: there in a clone, beside its modules in a wheel."""

from pathlib import Path

import advx
from advx.errors import DataError
from advx.report.chapter_map import listed

STATEMENTS, CHAPTER, HEADLINES, DISPUTED = (
    "statements.csv",
    "chapter.csv",
    "headlines.csv",
    "disputed.csv",
)


def lines_of(name: str) -> list[dict[str, str]]:
    """The lines of a list of `docs/`, by its head.

    Raises:
        DataError: it is in neither place.
    """
    inside = Path(advx.__file__).parent
    for folder in (inside / "docs", inside.parent / "docs"):
        if (folder / name).is_file():
            return listed(folder / name)
    raise DataError(f"docs={name}: not in this installation of advx; valid: install it again")
