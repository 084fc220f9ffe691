"""A Laplacian pyramid of games on a run's data."""

import math

from advx.config.config import Config
from advx.errors import ConfigError
from advx.evaluation.image_quality import UNITS
from advx.evaluation.samples import AT_THE_END, warning_rates
from advx.run.model import Game
from advx.run.run import Run
from advx.training.recipe import DataPart

SHRINKING: dict[DataPart, int] = {
    "a quarter as large": 4,
    "half as large": 2,
    "training examples": 1,
}
"""The levels, from coarse to fine: on what part each is trained, and how much smaller it is."""


def refuse_other_sides(run: Run) -> None:
    """Refuse images that cannot be halved twice.

    Raises:
        ConfigError: a side that 4 does not divide.
    """
    sides = run.data.input_shape[1:]
    if any(side % 4 for side in sides):
        raise ConfigError(
            f"dataset={run.data.name}: images of {sides[0]} × {sides[1]} cannot be halved twice; "
            "valid: sides that 4 divides"
        )


def levels(
    run: Run, coarse: Config, coarse_trainer: Config, level: Config, seed: int
) -> list[Game]:
    """The levels' games, from coarse to fine.

    Args:
        run: the run.
        coarse: the coarsest level's game.
        coarse_trainer: its trainer; the run's own is that of the finer ones.
        level: the finer levels' games.
        seed: of all of them.
    """
    channels, height, width = run.data.input_shape
    games: list[Game] = []
    for part, factor in SHRINKING.items():
        shape = [channels, height // factor, width // factor]
        config, trainer = (level, None) if games else (coarse, coarse_trainer)
        game = config.with_(input_shape=shape)
        games.append(run.game(game, seed, trainer=trainer, part=part))
    return games


def add_warnings(run: Run, row: str, games: list[Game], seed: int) -> None:
    """Add to the table how many warnings stood at the end of the games' training."""
    rates = [run.measure(warning_rates, game) for game in games]
    count = sum(each.get(AT_THE_END, math.nan) for each in rates)
    run.table.add(row, {AT_THE_END: count}, seed=seed, n=len(games), unit=UNITS)
