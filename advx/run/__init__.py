"""What an experiment is handed, and the parts that it is made of."""

from advx.run.checks import check, check_models
from advx.run.run import Run

__all__ = ["Run", "check", "check_models"]
