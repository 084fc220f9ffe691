"""Self-contrastive estimation beside noise-contrastive estimation and maximum likelihood.

A model with an explicit density p_θ makes the discriminator, D = p_θ / (p_θ + p_g). It maximizes

    V(θ) = E_data log D(x) + E_g log(1 − D(x))

With p_g a fixed noise density that is noise-contrastive estimation. With p_g a copy of p_θ, which
has no gradient of its own, D is 1/2 everywhere and

    ∇V = ½ (E_data ∇log p_θ − E_g ∇log p_θ)

whose second term is zero in expectation: half the gradient of the log likelihood. Source:
Goodfellow (2014), section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, logsigmoid

from advx.evaluation.divergence import Mixture
from advx.evaluation.measurement import measurement
from advx.randomness import seeded

LogDensity = Callable[[Tensor], Tensor]
"""From points (n,) to the logarithms of a density there."""


@dataclass(frozen=True)
class Parameters:
    """Of the model, a mixture of Gaussians on the line: a number for each of its modes.

    Attributes:
        logits: of the modes' weights.
        means: of the modes.
        log_deviations: logarithms of their standard deviations.
    """

    logits: tuple[float, ...]
    means: tuple[float, ...]
    log_deviations: tuple[float, ...]

    def tensor(self) -> Tensor:
        """(3, modes) float64."""
        rows = [self.logits, self.means, self.log_deviations]
        return torch.tensor(rows, dtype=torch.float64)


DATA = Mixture((-1.5, 2.0), 0.7)
NOISE = 3.0
"""Standard deviation of the fixed noise, a Gaussian about 0."""

START = Parameters((0.5, -0.5), (-0.5, 1.0), (0.2, -0.1))
"""A model that is not the data's density."""


METHODS = ("self-contrastive", "noise-contrastive")


@dataclass(frozen=True)
class GradientEstimate:
    """An estimate of the gradient beside the likelihood's own.

    Attributes:
        method: how it was made.
        samples: of the data behind it, and as many of p_g.
        cosine: with the likelihood's gradient.
        length: over the length of the likelihood's gradient.
    """

    method: str
    samples: int
    cosine: float
    length: float


def log_density(x: Tensor, theta: Tensor) -> Tensor:
    """log p_θ at x (n,) of a mixture; θ is (3, modes), see `Parameters`."""
    logits, mean, log_deviation = theta
    z = (x[:, None] - mean) / log_deviation.exp()
    each = -0.5 * z.square() - log_deviation - 0.5 * torch.log(torch.tensor(2 * torch.pi))
    return torch.logsumexp(logits.log_softmax(0) + each, 1)


def model_samples(theta: Tensor, count: int) -> Tensor:
    """(count,) from p_θ."""
    logits, mean, log_deviation = theta
    mode = torch.multinomial(logits.softmax(0), count, replacement=True)
    return mean[mode] + log_deviation.exp()[mode] * torch.randn(count, dtype=theta.dtype)


def gradients(
    theta: Tensor, data: Tensor, noise: Tensor, log_noise: LogDensity | None = None
) -> Tensor:
    """∇V (3 · modes,) of samples of the data (n,) and of p_g (m,).

    Args:
        theta: (3, modes).
        data: samples of the data.
        noise: samples of p_g.
        log_noise: the function log p_g; None for a copy of the model.
    """
    theta = theta.detach().requires_grad_()
    copied = theta.detach()

    def logit(x: Tensor) -> Tensor:
        other = log_density(x, copied) if log_noise is None else log_noise(x)
        return log_density(x, theta) - other

    value = logsigmoid(logit(data)).mean() + logsigmoid(-logit(noise)).mean()
    return torch.autograd.grad(value, theta)[0].flatten()


def likelihood_gradient(theta: Tensor, data: Mixture) -> Tensor:
    """Gradient (3 · modes,) of E_data log p_θ, an integral over the line."""
    grid = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    weight = data.density(grid)
    weight /= weight.sum()
    theta = theta.clone().requires_grad_()
    likelihood = (log_density(grid, theta) * weight).sum()
    return torch.autograd.grad(likelihood, theta)[0].flatten()


@measurement(version=1)
def contrastive_gradients(
    counts: list[int],
    seed: int,
    data: Mixture = DATA,
    noise_deviation: float = NOISE,
    start: Parameters = START,
) -> list[GradientEstimate]:
    """Self-contrastive and noise-contrastive gradients beside the likelihood's.

    Args:
        counts: numbers of samples of the data, and of p_g.
        seed: of the samples.
        data: its density.
        noise_deviation: of p_g in noise-contrastive estimation, a Gaussian about 0.
        start: the model.

    Returns:
        for every number of samples the two estimates.
    """
    theta = start.tensor()
    exact = likelihood_gradient(theta, data)
    means, noise = data.centers, Mixture((0.0,), noise_deviation)
    results = []
    with seeded(seed):
        for count in counts:
            x = (
                means[torch.randint(len(means), (count,))]
                + data.deviation * torch.randn(count).double()
            )
            wide = noise.deviation * torch.randn(count).double()
            estimates = {
                METHODS[0]: gradients(theta, x, model_samples(theta, count)),
                METHODS[1]: gradients(theta, x, wide, lambda x: noise.density(x).log()),
            }
            for method, estimate in estimates.items():
                cosine = cosine_similarity(estimate, exact, dim=0).item()
                length = (estimate.norm() / exact.norm()).item()
                results.append(GradientEstimate(method, count, cosine, length))
    return results
