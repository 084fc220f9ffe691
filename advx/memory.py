"""How much memory this process has held at most."""

import math
import sys
from pathlib import Path

from advx.text_files import read_text

try:
    import resource
except ImportError:  # Windows has no such module
    resource = None  # type: ignore[assignment]


def resident_peak() -> float:
    """Peak resident memory of this process in MiB; NaN where the system does not tell (Windows).

    Linux keeps `ru_maxrss` across exec, where a child would start from its parent's peak; VmHWM
    starts anew.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in read_text(status).splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    if resource is None:
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)
