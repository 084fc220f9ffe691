"""A directed graphical model on the line, whose density and whose samples are both at hand.

    z ~ N(0, 1),   x | z ~ N(f(z), σ²),   f(z) = b + Σ a tanh(w z + c)

A sample is f(z) + σ e with e ~ N(0, 1), so that a loss of the samples has gradients in all
parameters (stochastic backpropagation). The density of x is an average over z. Source: section 1.4.
"""

import math

import torch
from torch import Tensor, nn

QUANTILES = 201
"""Equally likely values of z that an average over z is taken of."""


class DirectedModel(nn.Module):
    """Two random variables, the second of which is seen; all parameters are float64.

    Args:
        units: terms of f.
        offset: b at the beginning.
    """

    def __init__(self, *, units: int, offset: float = 0.0) -> None:
        super().__init__()
        self.outer = nn.Parameter(0.5 * torch.randn(units, dtype=torch.float64))
        self.inner = nn.Parameter(torch.randn(units, dtype=torch.float64))
        self.shift = nn.Parameter(torch.randn(units, dtype=torch.float64))
        self.offset = nn.Parameter(torch.tensor(offset, dtype=torch.float64))
        self.log_deviation = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def center(self, z: Tensor) -> Tensor:
        """f at z (n,): where x is expected, (n,)."""
        return self.offset + (self.outer * (self.inner * z[:, None] + self.shift).tanh()).sum(1)

    def forward(self, z: Tensor, noise: Tensor) -> Tensor:
        """Samples (n,) of standard Gaussian z and noise (n,)."""
        return self.center(z) + self.log_deviation.exp() * noise

    def log_density(self, x: Tensor) -> Tensor:
        """Logarithm of the density at x (n,), z being averaged over its `QUANTILES`."""
        standard = (x[:, None] - self.center(quantiles())) / self.log_deviation.exp()
        each = -0.5 * standard.square() - self.log_deviation - 0.5 * math.log(2 * math.pi)
        return each.logsumexp(1) - math.log(QUANTILES)


def quantiles(count: int = QUANTILES) -> Tensor:
    """The middles (count,) of equally likely intervals of a standard Gaussian, rising, float64."""
    middles = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return math.sqrt(2) * torch.erfinv(2 * middles - 1)


def standard_normal(count: int) -> Tensor:
    """(count,) float64, by torch's own generator of random numbers."""
    return torch.randn(count, dtype=torch.float64)
