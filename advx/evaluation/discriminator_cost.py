"""What it costs to bring D to its optimum after every change of G, on a line. Section 1.4.1."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from advx.config.config import Config
from advx.evaluation.directed_model import DirectedModel, standard_normal
from advx.evaluation.divergence import LOG4, Mixture
from advx.evaluation.ideal_discriminator import Grid, grid_for
from advx.evaluation.measurement import measurement
from advx.games.losses import discriminator_loss, generator_loss
from advx.randomness import seeded
from advx.types import Positive, PositiveInt

CELLS = 500
"""Of the grid, at which D is compared with D* after every update."""


@dataclass(frozen=True)
class CostMetrics:
    """A game in which D is trained until it is nearly ideal, before every update of G.

    Attributes:
        updates: of D for one of G, a mean.
        unreached: percent of the rounds in which the most allowed were not enough.
        divergence: JSD of G to the data at the end, in nats.
    """

    updates: float
    unreached: float
    divergence: float


@dataclass(frozen=True)
class CostSearch:
    """How a directed model plays against a discriminator that is trained.

    Attributes:
        units: terms of the model's f.
        budget: updates of D in all; the round that is under way is finished.
        batch: samples of either kind in an update.
        rate: Adam's learning rate, of both.
        tolerance: how far the value may stay below the one with D*, in nats, where D counts as
            nearly ideal.
        most: updates of D for one of G.
    """

    units: PositiveInt
    budget: PositiveInt
    batch: PositiveInt
    rate: Positive
    tolerance: Positive
    most: PositiveInt


@measurement(version=1)
def trained_discriminator(
    game: Config, data: Mixture, seed: int, search: CostSearch, once: bool
) -> CostMetrics:
    """Play with a directed model as G, on the minimax loss.

    Args:
        game: whose discriminator plays.
        data: its density.
        seed: of the first parameters and of the samples.
        search: how they are trained.
        once: update D a single time for each update of G, however far from ideal it is.
    """
    batch = search.batch
    grid = grid_for(data, 0.0, count=CELLS)
    log_p = data.log_density(grid.x)
    rounds, unreached, done = 0, 0, 0
    with seeded(seed):
        model = DirectedModel(units=search.units)
        discriminator = game.build().discriminator.double()
        ours = torch.optim.Adam(model.parameters(), search.rate)
        theirs = torch.optim.Adam(discriminator.parameters(), search.rate)
        while done < search.budget:
            with torch.no_grad():
                log_q = None if once else model.log_density(grid.x)
            for _ in range(search.most):
                with torch.no_grad():
                    fake = model(standard_normal(batch), standard_normal(batch))
                real = data.samples(batch).double()
                logits = discriminator(torch.cat([real, fake[:, None]])).squeeze(1)
                theirs.zero_grad(set_to_none=True)
                discriminator_loss(logits[:batch], logits[batch:]).backward()
                theirs.step()
                done += 1
                if log_q is None:
                    break
                with torch.no_grad():
                    output = discriminator(grid.x[:, None]).squeeze(1)
                if below_best(grid, log_p, log_q, output) < search.tolerance:
                    break
            else:
                unreached += 1
            fake = model(standard_normal(batch), standard_normal(batch))
            ours.zero_grad(set_to_none=True)
            generator_loss(discriminator(fake[:, None]).squeeze(1), "minimax").backward()
            ours.step()
            rounds += 1
    with torch.no_grad():
        divergence = grid.divergence(log_p, model.log_density(grid.x))
    return CostMetrics(done / rounds, 100 * unreached / rounds, divergence)


def below_best(grid: Grid, log_p: Tensor, log_q: Tensor, logits: Tensor) -> float:
    """How far the value of the game stays below that with D*, in nats, by integration.

    Args:
        grid: of the line.
        log_p, log_q: logarithms of both densities (cells,).
        logits: of D (cells,).
    """
    terms = log_p.exp() * softplus(-logits) + log_q.exp() * softplus(logits)
    return 2 * grid.divergence(log_p, log_q) - LOG4 + terms.sum().item() * grid.width
