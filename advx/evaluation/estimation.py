"""Self-contrastive estimation beside noise-contrastive estimation and maximum likelihood.

A model with an explicit density p_θ plays the discriminator, D = p_θ / (p_θ + p_g). It maximises

    V(θ) = E_data log D(x) + E_g log(1 − D(x))

With p_g a fixed noise density that is noise-contrastive estimation. With p_g a copy of p_θ, which
has no gradient of its own, D is 1/2 everywhere and

    ∇V = ½ (E_data ∇log p_θ − E_g ∇log p_θ)

whose second term is zero in expectation: half the gradient of the log likelihood. Source:
Goodfellow (2014), section 3.
"""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, logsigmoid

from advx.evaluation.divergence import mixture_density

DATA = (torch.tensor([-1.5, 2.0]), 0.7)
"""Means and deviation of the data's mixture."""

START = {"weight": [0.5, -0.5], "mean": [-0.5, 1.0], "log_scale": [0.2, -0.1]}
"""Parameters of the model, a mixture of two Gaussians that is not the data's."""


def log_density(x: Tensor, theta: Tensor) -> Tensor:
    """log p_θ at x (n,) of a mixture; θ is (3, modes): logits, means, logarithms of deviations."""
    logits, mean, log_scale = theta
    z = (x[:, None] - mean) / log_scale.exp()
    each = -0.5 * z.square() - log_scale - 0.5 * torch.log(torch.tensor(2 * torch.pi))
    return torch.logsumexp(logits.log_softmax(0) + each, 1)


def model_samples(theta: Tensor, count: int) -> Tensor:
    """(count,) from p_θ."""
    logits, mean, log_scale = theta
    mode = torch.multinomial(logits.softmax(0), count, replacement=True)
    return mean[mode] + log_scale.exp()[mode] * torch.randn(count, dtype=theta.dtype)


def gradients(theta: Tensor, data: Tensor, noise: Tensor, log_noise: object = None) -> Tensor:
    """∇V of samples of the data (n,) and of p_g (m,).

    Args:
        theta: (3, modes).
        data, noise: samples of either.
        log_noise: the function log p_g; None for a copy of the model.
    """
    theta = theta.detach().requires_grad_()
    copied = theta.detach()

    def logit(x: Tensor) -> Tensor:
        other = log_noise(x) if callable(log_noise) else log_density(x, copied)
        return log_density(x, theta) - other

    value = logsigmoid(logit(data)).mean() + logsigmoid(-logit(noise)).mean()
    return torch.autograd.grad(value, theta)[0].flatten()


def contrastive_gradients(counts: list[int], seed: int) -> dict[str, dict[str, float]]:
    """Cosine with the likelihood's gradient, and length over its length, by number of samples.

    The likelihood's gradient is the integral over the data's density.
    """
    theta = torch.tensor([START[k] for k in ("weight", "mean", "log_scale")], dtype=torch.float64)
    grid = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    weight = mixture_density(grid, *DATA)
    weight /= weight.sum()
    parameters = theta.clone().requires_grad_()
    likelihood = (log_density(grid, parameters) * weight).sum()
    exact = torch.autograd.grad(likelihood, parameters)[0].flatten()
    wide = (torch.zeros(1), 3.0)
    found = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for count in counts:
            means, deviation = DATA
            data = means[torch.randint(2, (count,))] + deviation * torch.randn(count).double()
            noise = wide[1] * torch.randn(count).double()
            estimates = {
                "self-contrastive": gradients(theta, data, model_samples(theta, count)),
                "noise-contrastive": gradients(
                    theta, data, noise, lambda x: mixture_density(x, *wide).log()
                ),
            }
            for name, estimate in estimates.items():
                found[f"{name}, n = {count}"] = {
                    "cosine": cosine_similarity(estimate, exact, dim=0).item(),
                    "length": (estimate.norm() / exact.norm()).item(),
                }
    return found
