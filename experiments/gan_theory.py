"""What is proved of the game, and what is left of it in practice. Section 1.4.1.

    advx run experiment=gan_theory                  # mixtures of Gaussians on a line
    advx run experiment=gan_theory scale=chapter    # five seeds, longer

The procedure, on densities that are known:
1. Train a discriminator against a generator that is fixed: does it become D*, and is the value
   −log 4 where the two densities agree?
2. Ask both generator losses for their gradients where D is confident: which factor makes them
   vanish?
3. Train networks with 1, 5, 20 … updates of D for one of G: how near does G come, and does the
   bound that it lowers stay a bound worth lowering?
4. The same with discriminators from too weak to strong, and with a generator that begins where D
   can be confident at once.
5. Compare the gradient of self-contrastive estimation with that of the likelihood.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from advx.config.cells import Cells, metrics_of
from advx.config.config import Config
from advx.data.dataset import Split
from advx.evaluation.divergence import (
    LOG4,
    Mixture,
    jensen_shannon,
    sample_shares,
)
from advx.evaluation.divergence import cells as integration_cells
from advx.evaluation.estimation import METHODS, contrastive_gradients
from advx.evaluation.fixed_generator import (
    POINTS,
    REACH,
    FixedGame,
    FixedGameMetrics,
    discriminator_alone,
)
from advx.evaluation.measurement import measurement
from advx.evaluation.samples import adversarial, generated_examples
from advx.figures import theory as figure
from advx.figures.saved import save_and_draw
from advx.games.losses import GeneratorLossName, game_value
from advx.run import Run
from advx.run.known_density import known_density
from advx.training.load_or_train import TrainedGame
from advx.types import Positive, PositiveInt

BINS = 100
"""Cells of the histograms of generated samples."""

FAR_LOSSES: tuple[GeneratorLossName, ...] = ("minimax", "non_saturating")
"""What G minimizes where it begins far from the data."""

FIXED, ESTIMATE = "generator {}", "{}, n = {}"
UPDATES, WIDTH, AFAR = "k = {}", "D of {} units", "from afar, {}, k = {}"
"""Rows: of fixed generators and of estimates; of games, by the updates of D for one of G, by D's
width, and by the loss and the updates."""

UNITS = {
    "value": "nats",
    "optimal_value": "nats",
    "divergence": "nats",
    "gap": "nats",
    "printed_factor_minimax": "factor",
    "logit_factor_minimax": "factor",
    "logit_factor_non_saturating": "factor",
    "gradient_minimax": "per unit of x",
    "gradient_non_saturating": "per unit of x",
    "cosine": "cosine",
    "length": "ratio",
}
"""The others are percentages."""


def cells(
    generators: dict[str, list[float]],
    discriminator_steps: list[int],
    discriminator_units: list[int],
    sample_counts: list[int],
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    fixed = [FIXED.format(name) for name in (*generators, "far")]
    yield Cells(fixed, metrics_of(FixedGameMetrics))
    games = [UPDATES.format(k) for k in discriminator_steps]
    games += [WIDTH.format(width) for width in discriminator_units]
    games += [AFAR.format(name, k) for name, _, k in from_afar(discriminator_steps)]
    yield Cells(games, metrics_of(GameMetrics))
    estimates = [ESTIMATE.format(kind, n) for kind in METHODS for n in sample_counts]
    yield Cells(estimates, ["cosine", "length"])


def from_afar(steps: list[int]) -> Iterator[tuple[str, GeneratorLossName, int]]:
    """The games in which G begins far away: a loss as rows have it, the loss, updates of D."""
    for loss in FAR_LOSSES:
        for k in steps[:3:2]:
            yield loss.replace("_", "-"), loss, k


def main(
    run: Run,
    game: Config,
    generators: dict[str, list[float]],
    fixed_generator_updates: PositiveInt,
    fixed_generator_batch_size: PositiveInt,
    far: Positive,
    discriminator_steps: list[PositiveInt],
    discriminator_units: list[PositiveInt],
    samples: PositiveInt,
    sample_counts: list[PositiveInt],
) -> None:
    """The five parts.

    Args:
        run: the run to measure on, on dataset=line.
        game: the two networks.
        generators: fixed generators by name: mean and standard deviation of a Gaussian; [] is one
            that draws from the data's own density.
        fixed_generator_updates: updates of a discriminator that is trained alone.
        fixed_generator_batch_size: examples of either kind in one of them.
        far: mean of a Gaussian generator that makes nothing like the data, and where the games from
            afar begin.
        discriminator_steps: updates of D for one of G.
        discriminator_units: widths of D's hidden layers.
        samples: generated for a histogram.
        sample_counts: examples in one estimate of a gradient.
    """
    data = known_density(run)
    fixed = {name: Mixture((at[0],), at[1]) if at else data for name, at in generators.items()}
    fixed["far"] = Mixture((far,), data.deviation)
    games = variants(game, discriminator_steps, discriminator_units, far)
    alone: dict[tuple[str, int], FixedGame] = {}
    together: dict[tuple[str, int], GameOutcome] = {}
    with run.progress(models=len(games) * len(run.seeds)):
        for seed in run.seeds:
            for name, generator in fixed.items():
                parts = (
                    game,
                    data,
                    generator,
                    seed,
                    fixed_generator_updates,
                    fixed_generator_batch_size,
                )
                measured = alone[name, seed] = run.measure(discriminator_alone, *parts)
                row = FIXED.format(name)
                run.table.add(row, measured.metrics, seed=seed, n=POINTS, unit=UNITS)
            for name, networks in games.items():
                trained = run.game(networks, seed)
                made = run.derive(generated_examples, trained, samples)
                outcome = run.measure(game_outcome, trained, made, run.data.test, data)
                together[name, seed] = outcome
                run.table.add(name, outcome.metrics, seed=seed, n=samples, unit=UNITS)
            add_estimates(run, sample_counts, seed)
    curves = {name: alone[name, run.seeds[0]].curves for name in generators}
    draw(run, curves, together, panels(discriminator_steps, discriminator_units, far))
    run.finish()


def variants(game: Config, steps: list[int], units: list[int], far: float) -> dict[str, Config]:
    """The games that are trained, by their rows."""
    made = {UPDATES.format(k): game.with_(discriminator_steps=k) for k in steps}
    for width in units:
        made[WIDTH.format(width)] = game.with_(discriminator_units=[width, width])
    for name, loss, k in from_afar(steps):
        afar = game.with_(offset=far, discriminator_steps=k, loss=loss)
        made[AFAR.format(name, k)] = afar
    return made


def add_estimates(run: Run, counts: list[int], seed: int) -> None:
    """Self-contrastive and noise-contrastive gradients beside the likelihood's."""
    for each in run.measure(contrastive_gradients, counts, seed):
        run.table.add(
            ESTIMATE.format(each.method, each.samples),
            cosine=each.cosine,
            length=each.length,
            seed=seed,
            n=each.samples,
            unit=UNITS,
        )


@dataclass(frozen=True)
class GameMetrics:
    """How near a generator comes, and what the value of the game says of it.

    Attributes:
        divergence: JSD of the generator to the data, in nats.
        gap: how far the value with D stays below that with D*, in nats.
        relaxed: percent of the times between two snapshots in which the value fell while the
            divergence rose, of those in which it fell.
        confidence: percent of the examples of which D was confident after the last epoch.
    """

    divergence: float
    gap: float
    relaxed: float
    confidence: float


@dataclass(frozen=True)
class GameOutcome:
    """The numbers, and the divergence at every snapshot, in nats."""

    metrics: GameMetrics
    over_time: list[float]


@measurement(version=2)
def game_outcome(
    trained: TrainedGame,
    made: Tensor,
    test: Split,
    data: Mixture,
    reach: float = REACH,
    bins: int = BINS,
) -> GameOutcome:
    """How near a game's generator comes to the data.

    Args:
        trained: the game.
        made: generated points (n, 1).
        test: the test points.
        data: their density.
        reach: standard deviations beyond the outermost mean that the histograms go to.
        bins: their cells.
    """
    game, margin = adversarial(trained), reach * data.deviation
    low, high = data.centers.min().item() - margin, data.centers.max().item() + margin
    edges, _ = integration_cells(low, high, bins)
    truth = data.shares(edges)

    def distance(points: Tensor) -> float:
        return jensen_shannon(truth, sample_shares(points.flatten().cpu(), edges))

    over_time = [distance(shot) for shot in trained.snapshots]
    with torch.no_grad():
        value = game_value(game.discriminate(test.images), game.discriminate(made))
    epochs = trained.snapshot_epochs[1:]
    values = torch.tensor([-trained.history[epoch - 1]["discriminator_loss"] for epoch in epochs])
    fell, rose = values.diff() < 0, torch.tensor(over_time[1:]).diff() > 0
    divergence = distance(made)
    metrics = GameMetrics(
        divergence=divergence,
        gap=-LOG4 + 2 * divergence - value.item(),
        relaxed=100 * (fell & rose).sum().item() / max(1, int(fell.sum())),
        confidence=100 * trained.history[-1]["confidence"],
    )
    return GameOutcome(metrics, over_time)


def panels(steps: list[int], units: list[int], far: float) -> dict[str, dict[str, str]]:
    """The figure's panels of games: by title, what the games' lines are called."""
    afar = {AFAR.format(name, k): f"{name}, {k}" for name, _, k in from_afar(steps)}
    return {
        "k updates of D for one of G": {UPDATES.format(k): UPDATES.format(k) for k in steps},
        "units in each of D's two layers": {WIDTH.format(w): f"{w} units" for w in units},
        f"G begins near x = {far:g}: loss, k": afar,
    }


def draw(
    run: Run,
    curves: dict[str, dict[str, np.ndarray]],
    outcomes: dict[tuple[str, int], GameOutcome],
    games: dict[str, dict[str, str]],
) -> None:
    """D beside D*, the factors of both losses, and divergence over time.

    Args:
        run: the run.
        curves: of the fixed generators, by name.
        outcomes: of the games that were trained, by name and seed.
        games: the panels.
    """
    arrays = {
        f"{kind}_{name}": curve for name, each in curves.items() for kind, curve in each.items()
    }
    for name, seed in outcomes:
        over_time = outcomes[name, seed].over_time
        if seed == run.seeds[0] and over_time:
            arrays[f"divergence_{name}"] = np.array(over_time, np.float32)
        ends = [outcomes[name, each].metrics.divergence for each in run.seeds]
        arrays[f"ends_{name}"] = np.array(ends, np.float32)
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        generators=list(curves),
        games=games,
        most=math.log(2),
        provenance=run.heading(),
    )
