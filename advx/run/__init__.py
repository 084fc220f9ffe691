"""What an experiment is handed, and the parts that it is made of."""

from advx.run.checks import check
from advx.run.old import Run

__all__ = ["Run", "check"]
