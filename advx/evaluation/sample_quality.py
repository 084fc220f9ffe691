"""How good generated examples are: measures that need no downloaded network.

    Fréchet distance          between Gaussians fitted to features of real and generated examples
                              (Heusel et al. 2017); on a classifier trained here it is called the
                              Fréchet classifier distance
    precision, recall         shares of generated and real examples inside the other's manifold
                              (Kynkäänniemi et al. 2019)
    density, coverage         the same with balls around real examples only (Naeem et al. 2020)
    two-sample accuracy       of a fresh classifier on examples that it has not seen (Lopez-Paz and
                              Oquab 2017): at 50% it cannot discriminate them

Each has a floor, the same number for real examples against other real ones.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from advx.errors import ConfigError
from advx.evaluation.distances import PRECISION, distances

CHUNK = 1_000
"""Rows of a distance matrix at once."""


NEIGHBORS = 5
"""How far an example's ball reaches: to this one of its own kind."""

TREES = 100
"""Of the classifier that tries to discriminate generated from real examples."""


@dataclass(frozen=True)
class Manifolds:
    """How far the manifolds of real and of generated examples cover each other.

    Attributes:
        precision: percent of the generated examples inside some real example's ball.
        recall: percent of the real examples inside some generated example's ball.
        density: how many real balls hold a generated example, over the number of neighbors.
        coverage: percent of the real examples whose ball holds a generated example.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def refuse_unusable(examples: dict[str, Tensor], fewest: int, what: str) -> None:
    """Refuse examples (n, m), by what they are called, of which nothing can be measured.

    Raises:
        ConfigError: fewer than `fewest`, which `what` needs, or NaN or infinity among them.
    """
    for name, x in examples.items():
        if len(x) < fewest:
            raise ConfigError(
                f"{len(x)} {name} examples: {what} needs more; valid: from {fewest} examples"
            )
        odd = (~x.isfinite()).flatten(1).any(1).nonzero()
        if len(odd):
            raise ConfigError(
                f"{len(odd)} of {len(x)} {name} examples hold NaN or infinity, the first of them "
                f"in row {int(odd[0])}: {what} needs finite numbers"
            )


def random_rows(x: Tensor, count: int, *, seed: int = 0) -> Tensor:
    """`count` different rows of x (n, ...), at random: rows may come in an order of classes."""
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:count]
    return x[rows.to(x.device)]


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½) of features (n, m) and (k, m).

    The root's trace is that of a symmetric matrix, (Σ_a^½ Σ_b Σ_a^½)^½, by eigenvalues in float64.

    Raises:
        ConfigError: fewer examples than features, when the covariances would be singular, or NaN.
    """
    what = f"a Fréchet distance over {a.shape[1]} features"
    refuse_unusable({"first": a, "second": b}, a.shape[1] + 1, what)
    a, b = a.double(), b.double()
    mean = (a.mean(0) - b.mean(0)).square().sum()
    first, second = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    middle = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0)
    return (mean + first.trace() + second.trace() - 2 * middle.sqrt().sum()).item()


def manifolds(real: Tensor, fake: Tensor, *, neighbors: int = NEIGHBORS) -> Manifolds:
    """Precision, recall, density and coverage of features (n, m) and (k, m).

    Every example's ball reaches to its `neighbors`-th nearest of its own kind.

    Raises:
        ConfigError: too few examples for so many neighbors, or NaN.
    """
    what = f"a ball that reaches to neighbor number {neighbors}"
    refuse_unusable({"real": real, "generated": fake}, neighbors + 1, what)
    radius_real, radius_fake = (radii(x, neighbors) * (1 + PRECISION) for x in (real, fake))
    in_real = torch.zeros(len(fake), dtype=torch.int64, device=fake.device)
    recalled, covered = [], []
    for first in range(0, len(real), CHUNK):
        distance = distances(real[first : first + CHUNK], fake)
        inside = distance <= radius_real[first : first + CHUNK, None]
        in_real += inside.sum(0)
        covered.append(inside.any(1))
        recalled.append((distance <= radius_fake).any(1))
    return Manifolds(
        precision=100 * (in_real > 0).double().mean().item(),
        recall=100 * torch.cat(recalled).double().mean().item(),
        density=in_real.double().mean().item() / neighbors,
        coverage=100 * torch.cat(covered).double().mean().item(),
    )


def radii(x: Tensor, neighbors: int) -> Tensor:
    """Distance of every row of x (n, m) to its `neighbors`-th nearest other row, (n,) float64.

    Raises:
        ConfigError: there are not so many others, or NaN.
    """
    refuse_unusable(
        {"given": x}, neighbors + 1, f"a ball that reaches to neighbor number {neighbors}"
    )
    radii = [distances(part, x).kthvalue(neighbors + 1, dim=1).values for part in x.split(CHUNK)]
    return torch.cat(radii)


def two_sample_accuracy(
    real: Tensor, fake: Tensor, *, trees: int = TREES, seed: int = 0
) -> tuple[float, int]:
    """How often a fresh classifier discriminates unseen real from generated examples, in percent.

    Gradient-boosted trees on features (n, m) each; trained on one half, scored on the other.

    Returns:
        The accuracy and the number of examples it was scored on.

    Raises:
        ConfigError: not two examples of either kind, or NaN.
    """
    refuse_unusable({"real": real, "generated": fake}, 2, "a half to train on and one to score")
    n = min(len(real), len(fake)) // 2 * 2
    x = (
        torch.cat([random_rows(part, n, seed=seed) for part in (real, fake)])
        .flatten(1)
        .cpu()
        .numpy()
    )
    y = np.repeat([1, 0], n)
    seen = np.tile(np.arange(n) % 2 == 0, 2)
    from sklearn.ensemble import HistGradientBoostingClassifier

    classifier = HistGradientBoostingClassifier(max_iter=trees, random_state=seed)
    classifier.fit(x[seen], y[seen])
    return 100 * float((classifier.predict(x[~seen]) == y[~seen]).mean()), int((~seen).sum())
