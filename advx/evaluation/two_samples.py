"""Whether two samples come from one distribution: the energy distance, tested by permutations.

    E(x, y) = 2 mean |x − y| − mean |x − x'| − mean |y − y'|

over all pairs, those of an example with itself included. It is 0 for equal samples, and its
expectation is smallest where the distributions are the same: then (1/n + 1/m) E|Y − Y'|, which is
the floor here. In units of that floor it says how many times farther apart two samples are than
two of one distribution.

If the distributions are the same, every division of all examples into n and m is as likely as the
one that was made. The p-value is the share of divisions, drawn at random, whose statistic is at
least as large, the one that was made included: so a test that rejects below 5% is wrong in at most
5% of the cases, whatever the distribution. Source: Székely and Rizzo (2013); Phipson and Smyth
(2010) for the p-value.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from advx.evaluation.distances import distances
from advx.evaluation.sample_quality import refuse_unusable

PERMUTATIONS = 999
"""Divisions drawn beside the one that was made."""

AT_ONCE = 500
"""Divisions computed together; only memory depends on it."""


@dataclass(frozen=True)
class EnergyTest:
    """The outcome.

    Attributes:
        distance: E(x, y), in units of the examples.
        floor: its expectation for x from the distribution of y.
        p_value: from 1 / (permutations + 1) to 1.
    """

    distance: float
    floor: float
    p_value: float


def energy_test(
    x: Tensor, y: Tensor, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> EnergyTest:
    """Test whether examples x (n, d) come from the distribution of others, y (m, d).

    Args:
        x, y: the two samples.
        permutations: divisions drawn.
        seed: of their random numbers.

    Raises:
        ConfigError: fewer than two examples of either, or NaN.
    """
    refuse_unusable({"first": x, "second": y}, 2, "an energy distance")
    n, m = len(x), len(y)
    every = torch.cat([x, y.to(x)])
    apart = distances(every, every)
    made = torch.cat([apart.new_full((n,), 1 / n), apart.new_full((m,), -1 / m)])
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.stack([torch.randperm(n + m, generator=generator) for _ in range(permutations)])
    weights = torch.cat([made[None], made[drawn.to(made.device)]])
    # with these weights E is −wᵀ D w
    found = torch.cat([-((w @ apart) * w).sum(1) for w in weights.split(AT_ONCE)])
    least = found[0] * (1 - 1e-12)  # equal divisions count, whatever the rounding
    return EnergyTest(
        distance=found[0].item(),
        floor=(1 / n + 1 / m) * apart[n:, n:].sum().item() / (m * (m - 1)),
        p_value=(found >= least).double().mean().item(),
    )
