"""What it costs to bring D to its optimum after every change of G, on a line. Section 1.4.1."""

from dataclasses import dataclass

import torch
from torch.nn.functional import softplus

from advx.config.config import Config
from advx.evaluation.directed_model import DirectedModel, standard_normal
from advx.evaluation.divergence import LOG4, Mixture
from advx.evaluation.ideal_discriminator import grid_for
from advx.evaluation.measurement import measurement
from advx.games.losses import discriminator_loss, generator_loss
from advx.training.construct import seeded
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
    truth = data.log_density(grid.x)
    p = truth.exp() * grid.width
    rounds, unreached, done = 0, 0, 0
    with seeded(seed):
        model, discriminator = (
            DirectedModel(units=search.units),
            game.build().discriminator.double(),
        )
        ours = torch.optim.Adam(model.parameters(), search.rate)
        theirs = torch.optim.Adam(discriminator.parameters(), search.rate)
        while done < search.budget:
            if not once:
                with torch.no_grad():
                    log_q = model.log_density(grid.x)
                q, best = log_q.exp() * grid.width, 2 * grid.divergence(truth, log_q) - LOG4
            for update in range(1, search.most + 1):
                with torch.no_grad():
                    fake = model(standard_normal(batch), standard_normal(batch))
                real = data.samples(batch).double()
                logits = discriminator(torch.cat([real, fake[:, None]])).squeeze(1)
                theirs.zero_grad(set_to_none=True)
                discriminator_loss(logits[:batch], logits[batch:]).backward()
                theirs.step()
                done += 1
                if once:
                    break
                with torch.no_grad():
                    output = discriminator(grid.x[:, None]).squeeze(1)
                value = -(p * softplus(-output) + q * softplus(output)).sum().item()
                if best - value < search.tolerance:
                    break
                unreached += update == search.most
            fake = model(standard_normal(batch), standard_normal(batch))
            ours.zero_grad(set_to_none=True)
            generator_loss(discriminator(fake[:, None]).squeeze(1), "minimax").backward()
            ours.step()
            rounds += 1
    with torch.no_grad():
        divergence = grid.divergence(truth, model.log_density(grid.x))
    return CostMetrics(done / rounds, 100 * unreached / rounds, divergence)
