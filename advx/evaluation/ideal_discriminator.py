"""The game with D* = p / (p + q) in the discriminator's place, which is known on a line.

In the space of distributions q is a probability for each cell of a grid. G's loss has the
derivative log(1 − D) or −log D in q, and a step down it (of the exponentiated gradient, so that q
stays a distribution) is

    minimax          q ← q (1 − D*)^−η / Z
    non-saturating   q ← q D*^η / Z

With η = 1 the first is the mean of p and q. In the space of parameters q is the density of a
directed model, and its samples are moved along the gradient of the loss, D* being held fixed.
Source: section 1.4.1; Goodfellow et al. (2014a), proposition 2.
"""

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from advx.evaluation.directed_model import DirectedModel, quantiles, standard_normal
from advx.evaluation.divergence import Mixture, cells, jensen_shannon
from advx.evaluation.measurement import measurement
from advx.games.losses import generator_loss
from advx.randomness import seeded
from advx.types import Positive, PositiveInt

LossName = Literal["minimax", "non_saturating"]

CELLS = 2_000
"""Of the grid."""

REACH = 6.0
"""Standard deviations beyond the outermost mean that the grid goes to."""

ROUNDING = 1e-9
"""Nats by which a divergence may rise without having risen."""

NOTHING = 1e-12
"""Nats below which a divergence is the rounding of its sum."""


@dataclass(frozen=True)
class Grid:
    """Equal cells of the line.

    Attributes:
        x: their middles (cells,), float64.
        width: of each.
    """

    x: Tensor
    width: float

    def shares(self, log_density: Tensor) -> Tensor:
        """Probability of every cell, and last of all that lies outside: (cells + 1,)."""
        inside = log_density.exp() * self.width
        return torch.cat([inside, (1 - inside.sum()).clamp(min=0)[None]])

    def divergence(self, log_p: Tensor, log_q: Tensor) -> float:
        """JSD of two densities, given their logarithms (cells,), in nats."""
        return jensen_shannon(self.shares(log_p), self.shares(log_q))


def grid_for(data: Mixture, other: float, deviation: float = 1.0, count: int = CELLS) -> Grid:
    """A grid that holds the data, and a generator about `other` with this standard deviation."""
    margin = REACH * max(data.deviation, deviation)
    low = min(*data.means, other) - margin
    high = max(*data.means, other) + margin
    _, middles = cells(low, high, count)
    return Grid(middles, (high - low) / count)


@dataclass(frozen=True)
class DescentMetrics:
    """Where a generator ends that plays against the ideal discriminator.

    Attributes:
        divergence: JSD to the data after the last round, in nats.
        rose: percent of the looks at it in which it was larger than in the one before.
    """

    divergence: float
    rose: float


@dataclass(frozen=True)
class Descent:
    """The numbers, and what they are of.

    Attributes:
        metrics: the numbers.
        over_time: divergences before the first round and after those of `rounds`, in nats.
        rounds: after which it was looked at.
        center: the model's f at equally likely values of z; empty without a model.
    """

    metrics: DescentMetrics
    over_time: list[float]
    rounds: list[int]
    center: list[float]


def descent_of(over_time: list[float], rounds: list[int], center: Sequence[float] = ()) -> Descent:
    """The numbers of a game, from its divergences; arguments as above."""
    over_time = [each if each > NOTHING else 0.0 for each in over_time]
    steps = torch.tensor(over_time, dtype=torch.float64).diff()
    rose = 100 * (steps > ROUNDING).double().mean().item()
    return Descent(DescentMetrics(over_time[-1], rose), over_time, rounds, list(center))


@measurement(version=2)
def over_distributions(
    data: Mixture, start: float | None, loss: LossName, seed: int, rounds: int, rate: float
) -> Descent:
    """Play in the space of distributions.

    Args:
        data: its density.
        start: mean of a Gaussian, as wide as a mode of the data, that G begins with; None for a
            random probability in every cell.
        loss: what G minimizes.
        seed: of a random start.
        rounds: of D* and one step of G.
        rate: η.
    """
    grid = grid_for(data, 0.0 if start is None else start)
    p = _normalized(data.log_density(grid.x))
    with seeded(seed):
        if start is None:
            q = torch.rand(len(grid.x), dtype=torch.float64).log()
        else:
            q = Mixture((start,), data.deviation).log_density(grid.x)
    q = _normalized(q)
    over_time = [jensen_shannon(p.exp(), q.exp())]
    for _ in range(rounds):
        q = stepped(p, q, loss, rate)
        over_time.append(jensen_shannon(p.exp(), q.exp()))
    return descent_of(over_time, list(range(1, rounds + 1)))


def stepped(log_p: Tensor, log_q: Tensor, loss: LossName, rate: float) -> Tensor:
    """A step of G against D*: logarithms (cells,) of the new q."""
    both = torch.logaddexp(log_p, log_q)
    slope = log_q - both if loss == "minimax" else both - log_p  # log(1 − D*), −log D*
    return _normalized(log_q - rate * slope)


def _normalized(log_shares: Tensor) -> Tensor:
    return log_shares - log_shares.logsumexp(0)


@dataclass(frozen=True)
class ModelUpdates:
    """How a directed model is trained against D*.

    Attributes:
        units: terms of its f.
        rounds: of D* and one update, by Adam.
        batch: samples in an update.
        rate: Adam's first learning rate, which falls to 0 as a half cosine.
        looks: at the divergence, evenly over the rounds.
    """

    units: PositiveInt
    rounds: PositiveInt
    batch: PositiveInt
    rate: Positive
    looks: PositiveInt = 100


@measurement(version=1)
def over_parameters(
    data: Mixture, start: float, loss: LossName, seed: int, updates: ModelUpdates
) -> Descent:
    """Play with a directed model as G, moved along gradients of its samples.

    Args:
        data: its density.
        start: where the model's samples lie at the beginning.
        loss: what G minimizes.
        seed: of the first parameters and of the samples.
        updates: of the model.
    """
    rounds, batch, looks = updates.rounds, updates.batch, updates.looks
    grid = grid_for(data, start)
    truth = data.log_density(grid.x)
    with seeded(seed):
        model = DirectedModel(units=updates.units, offset=start)
        optimizer = torch.optim.Adam(model.parameters(), updates.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, rounds)
        over_time, looked = [_divergence(model, grid, truth)], []
        for done in range(1, rounds + 1):
            x = model(standard_normal(batch), standard_normal(batch))
            optimizer.zero_grad(set_to_none=True)
            generator_loss(ideal_logits(data, model, x), loss).backward()
            optimizer.step()
            schedule.step()
            if done * looks // rounds > (done - 1) * looks // rounds:
                over_time.append(_divergence(model, grid, truth))
                looked.append(done)
    with torch.no_grad():
        return descent_of(over_time, looked, model.center(quantiles()).tolist())


def ideal_logits(data: Mixture, model: DirectedModel, x: Tensor) -> Tensor:
    """Logits (n,) of D* at x (n,), with gradients in x alone: D* is held fixed."""
    fixed = copy.deepcopy(model).requires_grad_(False)
    return data.log_density(x) - fixed.log_density(x)


def _divergence(model: DirectedModel, grid: Grid, truth: Tensor) -> float:
    with torch.no_grad():
        return grid.divergence(truth, model.log_density(grid.x))


def farthest_centers(ends: Sequence[Descent]) -> float:
    """Largest root mean square difference between the f of two games, over z, in units of x.

    Args:
        ends: of `over_parameters`.
    """
    centers = [torch.tensor(end.center, dtype=torch.float64) for end in ends]
    pairs = itertools.combinations(centers, 2)
    return max(((a - b).square().mean().sqrt().item() for a, b in pairs), default=0.0)
