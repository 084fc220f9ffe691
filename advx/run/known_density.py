"""The density that a run's data are drawn from, where it is known."""

from advx.errors import ConfigError
from advx.evaluation.divergence import Mixture
from advx.run.run import Run


def known_density(run: Run) -> Mixture:
    """The density that the data are drawn from.

    Raises:
        ConfigError: it is not known.
    """
    if run.data.name != "line":
        raise ConfigError(
            f"dataset={run.data.name}: a known density on a line is needed; valid: dataset=line"
        )
    line = run.source.config
    return Mixture(tuple(line["means"]), line["deviation"])
