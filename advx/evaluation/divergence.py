"""Known densities on a line, and how far a generator's is from one.

With D* = p / (p + q) the value of the game is V(D*, G) = −log 4 + 2 JSD(p ‖ q), JSD being the
Jensen–Shannon divergence in nats (Goodfellow et al. 2014a, theorem 1). Integrals are sums over a
fine grid; a generator's density is a histogram of its samples on the same cells.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

LOG4 = math.log(4)


def mixture_density(x: Tensor, means: Tensor, deviation: float) -> Tensor:
    """Density at x (n,) of equally likely Gaussians with these means (modes,), in float64."""
    z = (x.double()[:, None] - means.double()) / deviation
    scale = len(means) * deviation * math.sqrt(2 * math.pi)
    return (-0.5 * z.square()).exp().sum(1) / scale


def cells(low: float, high: float, count: int) -> tuple[Tensor, Tensor]:
    """Edges (count + 1,) and middles (count,) of equal cells, float64."""
    edges = torch.linspace(low, high, count + 1, dtype=torch.float64)
    return edges, (edges[1:] + edges[:-1]) / 2


def mixture_shares(edges: Tensor, means: Tensor, deviation: float) -> Tensor:
    """Probability of every cell, and last of all that lies outside: (cells + 1,), sums to 1."""
    z = (edges.double()[:, None] - means.double()) / (deviation * math.sqrt(2))
    below = (0.5 * (1 + torch.erf(z))).mean(1)
    inside = below.diff()
    return torch.cat([inside, (1 - inside.sum()).clamp(min=0)[None]])


def sample_shares(samples: Tensor, edges: Tensor) -> Tensor:
    """The same for samples (n,): their share in every cell, and outside."""
    place = torch.bucketize(samples.double(), edges, right=True) - 1
    count = len(edges) - 1
    outside = (place < 0) | (place >= count)
    counts = torch.bincount(torch.where(outside, count, place), minlength=count + 1)
    return counts.double() / len(samples)


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    """JSD of two discrete distributions (n,), in nats: 0 where they agree, log 2 where disjoint."""
    m = (p + q) / 2

    def kl(a: Tensor) -> float:
        used = a > 0
        return (a[used] * (a[used] / m[used]).log()).sum().item()

    return (kl(p) + kl(q)) / 2


def optimal_discriminator(p: Tensor, q: Tensor) -> Tensor:
    """D* = p / (p + q) from two densities (n,); 1/2 where both are zero."""
    total = p + q
    return torch.where(total > 0, p / total.clamp(min=torch.finfo(total.dtype).tiny), 0.5)


@dataclass(frozen=True)
class Mixture:
    """Equally likely Gaussians on the line.

    Attributes:
        means: of each.
        deviation: of all.
    """

    means: tuple[float, ...]
    deviation: float

    @property
    def centers(self) -> Tensor:
        """The means, (modes,) float32."""
        return torch.tensor(self.means)

    def density(self, x: Tensor) -> Tensor:
        """At x (n,), in float64."""
        return mixture_density(x, self.centers, self.deviation)

    def log_density(self, x: Tensor) -> Tensor:
        """Its logarithm at x (n,), in float64; finite far from every mode too."""
        z = (x.double()[:, None] - self.centers.double()) / self.deviation
        scale = len(self.means) * self.deviation * math.sqrt(2 * math.pi)
        return (-0.5 * z.square()).logsumexp(1) - math.log(scale)

    def shares(self, edges: Tensor) -> Tensor:
        """Probability of every cell, and last of all that lies outside: (cells + 1,)."""
        return mixture_shares(edges, self.centers, self.deviation)

    def samples(self, count: int) -> Tensor:
        """(count, 1) float32, by torch's own generator of random numbers."""
        modes = torch.randint(len(self.means), (count, 1))
        return self.centers[modes] + self.deviation * torch.randn(count, 1)
