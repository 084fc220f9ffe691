"""The game with the ideal discriminator, and what follows from not having it. Section 1.4.1.

    advx run experiment=ideal_discriminator                  # mixtures of Gaussians on a line
    advx run experiment=ideal_discriminator scale=chapter    # five seeds, longer

The procedure, on a line where all densities are known:
1. Put D* = p / (p + q) in the discriminator's place. Does a generator that is any distribution come
   to the data, with either loss, from a random start and from one far away?
2. The same with the parameters of a directed graphical model, moved along gradients of its samples.
   Do the seeds end at the same parameters?
3. Fix the generator and let D hold an explicit density. Does D learn the data's?
4. How much nearer does a small change bring a generated point to D's decision boundary?
5. Train D until it is nearly ideal before every update of G. How many updates does that take, and
   are they worth it?
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field

from advx.config.cells import Cell, Cells, metrics_of
from advx.config.config import Config
from advx.evaluation.decision_boundary import Boundary, boundary_of_ideal, boundary_of_trained
from advx.evaluation.directed_model import quantiles
from advx.evaluation.discriminator_cost import CostMetrics, trained_discriminator
from advx.evaluation.divergence import Mixture
from advx.evaluation.explicit_density import ExplicitDensity, ExplicitMetrics, explicit_density
from advx.evaluation.ideal_discriminator import (
    Descent,
    DescentMetrics,
    LossName,
    ModelUpdates,
    farthest_centers,
    over_distributions,
    over_parameters,
)
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Panel
from advx.figures.style import NEUTRAL, SERIES
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.known_density import known_density
from advx.types import Positive, PositiveInt

LOSSES: dict[str, LossName] = {"minimax": "minimax", "non-saturating": "non_saturating"}
"""What G minimizes, as rows have it."""

DISTRIBUTIONS, PARAMETERS = "distributions, {}, {}", "parameters, {}, {}"
NEAR, RANDOM, AFAR = "from near", "random start", "from afar"
EXPLICIT, TRAINED, IDEAL = "noise-contrastive", "D after {} updates", "D*"
NEARLY, ONCE = "D nearly ideal", "one update of D"
BETWEEN = "two seeds"
"""Rows."""

UNITS = {
    "divergence": "nats",
    "center_distance": "units of x",
    "integral": "ratio",
    "boundary_distance": "units of x",
    "updates": "updates",
    "rounds_to_optimum": "rounds",
}


LEAST = 1e-6
"""The smallest divergence, in nats, and part of the way, in percent, that the figure shows."""

SHOWN = 7.0
"""How far from 0 the figure shows the density that D holds."""


def cells(seeds: list[int], discriminator_updates: list[int]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    games = [DISTRIBUTIONS.format(loss, start) for loss in LOSSES for start in (RANDOM, AFAR)]
    games += [PARAMETERS.format(loss, start) for loss in LOSSES for start in (NEAR, AFAR)]
    yield Cells(games, metrics_of(DescentMetrics))
    yield Cells(games[:4], ["rounds_to_optimum"])
    if len(seeds) > 1:
        yield Cells([BETWEEN], ["center_distance"])
    yield Cells([EXPLICIT], metrics_of(ExplicitMetrics))
    trained = [TRAINED.format(count) for count in discriminator_updates]
    yield Cells([*trained, IDEAL], metrics_of(Boundary))
    yield Cells([NEARLY, ONCE], metrics_of(CostMetrics))


def main(
    run: Run,
    game: Config,
    afar: Positive,
    rounds: PositiveInt,
    rate: Positive,
    within: Positive,
    directed: Config,
    explicit: Config,
    discriminator_updates: Annotated[list[PositiveInt], Field(min_length=1)],
    boundary: Config,
    cost: Config,
) -> None:
    """The five parts.

    Args:
        run: the run to measure on, on dataset=line.
        game: whose discriminator is trained in parts 4 and 5.
        afar: where a generator begins that makes nothing like the data.
        rounds: of D* and one step, in the space of distributions.
        rate: length η of such a step.
        within: divergence below which such a generator is at the optimum, in nats.
        directed: how the directed model of part 2 is trained, a `ModelUpdates`.
        explicit: how the explicit density is, an `ExplicitUpdates`.
        discriminator_updates: after how many updates D's boundary is looked for.
        boundary: how it is looked for, a `BoundarySearch`.
        cost: how part 5 is played, a `CostSearch`.
    """
    data = known_density(run)
    away = Mixture((afar,), data.deviation)
    games: dict[str, list[Descent]] = {}
    densities: list[ExplicitDensity] = []
    updates, training, search, play = (
        part.build() for part in (directed, explicit, boundary, cost)
    )
    for row, outcome in any_distribution(run, data, afar, None, rounds, rate):
        games[row] = [outcome]
        add(run, row, outcome, None, within)
    with run.progress(models=len(run.seeds)):
        for seed in run.seeds:
            with run.timed("play", f"seed {seed}"):
                for row, outcome in (
                    *any_distribution(run, data, None, seed, rounds, rate),
                    *directed_models(run, data, afar, seed, updates),
                ):
                    games.setdefault(row, []).append(outcome)
                    add(run, row, outcome, seed, within)
                densities.append(run.measure(explicit_density, data, seed, training))
                run.table.add(EXPLICIT, densities[-1].metrics, seed=seed, unit=UNITS)
                at_points = partial(run.table.add, seed=seed, n=search.points, unit=UNITS)
                for count in discriminator_updates:
                    looked = run.measure(boundary_of_trained, game, data, away, seed, count, search)
                    at_points(TRAINED.format(count), looked)
                at_points(IDEAL, run.measure(boundary_of_ideal, data, away, seed, search))
                for row in (NEARLY, ONCE):
                    played = run.measure(trained_discriminator, game, data, seed, play, row == ONCE)
                    run.table.add(row, played, seed=seed, unit=UNITS)
    ends = games[PARAMETERS.format("minimax", NEAR)]
    if len(ends) > 1:
        apart = farthest_centers(ends)
        run.table.add(BETWEEN, center_distance=apart, seed=None, unit=UNITS)
    draw(run, games, densities, discriminator_updates)
    run.finish()


def any_distribution(
    run: Run, data: Mixture, afar: float | None, seed: int | None, rounds: int, rate: float
) -> Iterator[tuple[str, Descent]]:
    """Part 1: rows, and the games against D*; from a seed's random start, or from afar."""
    for name, loss in LOSSES.items():
        outcome = run.measure(over_distributions, data, afar, loss, seed or 0, rounds, rate)
        yield DISTRIBUTIONS.format(name, RANDOM if afar is None else AFAR), outcome


def directed_models(
    run: Run, data: Mixture, afar: float, seed: int, updates: ModelUpdates
) -> Iterator[tuple[str, Descent]]:
    """Part 2 of a seed: rows, and the games against D*."""
    for name, loss in LOSSES.items():
        for start, at in ((NEAR, 0.0), (AFAR, afar)):
            outcome = run.measure(over_parameters, data, at, loss, seed, updates)
            yield PARAMETERS.format(name, start), outcome


def add(run: Run, row: str, game: Descent, seed: int | None, within: float) -> None:
    """The rows of a game against D*; where G is any distribution, how long it took as well."""
    run.table.add(row, game.metrics, seed=seed, unit=UNITS)
    if row.startswith(DISTRIBUTIONS.partition(",")[0]):
        near = (n for n, left in zip(game.rounds, game.over_time[1:], strict=True) if left < within)
        run.table.add(row, rounds_to_optimum=next(near, math.inf), seed=seed, unit=UNITS)


def draw(
    run: Run,
    games: dict[str, list[Descent]],
    densities: list[ExplicitDensity],
    discriminator_updates: list[int],
) -> None:
    """Divergences over the rounds, what the seeds' generators are, the density that D holds, and
    how near D's boundary is."""
    games_shown = [descents(games, DISTRIBUTIONS), descents(games, PARAMETERS)]
    others = [centers(games), explicit_panel(densities), nearness(run, discriminator_updates)]
    curve_figure(
        run.folder,
        "ideal_discriminator",
        [Strip(games_shown, height=2.3), Strip(others)],
        finding=finding(run.numbers()),
        provenance=run.heading(),
    )


def descents(games: dict[str, list[Descent]], kind: str) -> Panel:
    """JSD to the data over the rounds, of the games of one kind."""
    starts = [RANDOM if kind == DISTRIBUTIONS else NEAR, AFAR]
    curves = []
    for color, loss in enumerate(LOSSES):
        for dash, start in enumerate(starts):
            row = kind.format(loss, start)
            values = np.array([game.over_time[1:] for game in games[row]]).clip(LEAST)
            label, places = f"{loss}\n{start}", games[row][0].rounds
            curves.append(Curve(label, places, values, SERIES[color], dash, points=False))
    title = "G is any distribution" if kind == DISTRIBUTIONS else "G is a directed model"
    return Panel(
        f"{title}, D is D*",
        curves,
        x="rounds",
        y="JSD (nats), below 10⁻⁶ at the foot",
        ticks={f"{10**k:,}": 10**k for k in range(len(str(places[-1])))},
        limits=(LEAST, 2.0),
        logarithmic="xy",
    )


def centers(games: dict[str, list[Descent]]) -> Panel:
    """f of every seed, which began near: different functions, the same density."""
    z = quantiles().tolist()
    curves = [
        Curve(f"seed {k}", z, np.array(game.center), SERIES[k % len(SERIES)], k, points=False)
        for k, game in enumerate(games[PARAMETERS.format("minimax", NEAR)])
    ]
    title = "directed models, from near"
    return Panel(title, curves, names="inside", x="z", y="mean of x given z", limits=None)


def explicit_panel(densities: list[ExplicitDensity]) -> Panel:
    """The density that D has learned, of every seed, beside the data's."""
    x = densities[0].curves["x"]
    seen = np.abs(x) < SHOWN
    learned = np.array([density.curves["learned"][seen] for density in densities])
    truth, noise = (densities[0].curves[name][seen] for name in ("data", "noise"))
    places = x[seen].tolist()
    curves = [
        Curve("data", places, truth, NEUTRAL, 0, points=False, width=3.0),
        Curve("learned", places, learned, SERIES[0], 0, points=False),
        Curve("noise", places, noise, SERIES[1], 1, points=False),
    ]
    return Panel("density that D holds", curves, names="inside", x="x", y="density", limits=None)


def nearness(run: Run, discriminator_updates: list[int]) -> Panel:
    """How much of the way to D's boundary a small change covers, by D's updates."""
    results = run.numbers()
    shown = [Cell(TRAINED.format(count), "nearer") for count in discriminator_updates]
    way = results.over_seeds(shown).clip(LEAST)
    curve = Curve("D", discriminator_updates, way, SERIES[0])
    return Panel(
        "a small step of a sample",
        [curve],
        names="none",
        x="updates of D",
        y="of the way to D = 1/2 (%)",
        limits=None,
        logarithmic="xy",
        ticks={f"{count:,}": count for count in discriminator_updates},
    )


def finding(results: Numbers) -> str:
    """What came out, in one sentence."""

    def end(kind: str, loss: str, start: str) -> float:
        return results.mean(kind.format(loss, start), "divergence")

    any_start = max(end(DISTRIBUTIONS, "minimax", start) for start in (RANDOM, AFAR))
    near, far = (end(PARAMETERS, "minimax", start) for start in (NEAR, AFAR))
    return (
        "Against D* and on the minimax loss, a G that can be any distribution ends "
        f"{any_start:.2g} nats from the data; one with parameters {near:.2g} nats from near, "
        f"{far:.2g} from afar"
    )
