"""Where advx keeps what is not a result."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """Folder for what advx unpacks and downloads: $ADVX_CACHE, else the user's cache folder."""
    if "ADVX_CACHE" in os.environ:
        return Path(os.environ["ADVX_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "advx"
