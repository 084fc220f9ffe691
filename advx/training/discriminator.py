"""A discriminator alone, against examples that do not answer: the inner problem of the game."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from advx.games.losses import discriminator_loss

Sampler = Callable[[int], Tensor]
"""From a number of examples to so many of them, (n, *shape)."""


def train_discriminator(
    discriminator: nn.Module,
    real: Sampler,
    fake: Sampler,
    *,
    steps: int,
    rate: float,
    batch_size: int,
    final_rate: float | None = None,
) -> list[float]:
    """Train `discriminator` in place to tell `real` from `fake`, by Adam.

    Args:
        discriminator: examples (n, *shape) to logits (n, 1).
        real: draws data.
        fake: draws what is to be told apart from it.
        steps: updates.
        rate: learning rate of the first update.
        batch_size: examples of either kind in one update.
        final_rate: that of the last, reached geometrically; None for the same.

    Returns:
        The loss of every update, in nats.
    """
    optimizer = torch.optim.Adam(discriminator.parameters(), rate, betas=(0.9, 0.999))
    last = rate if final_rate is None else final_rate
    losses = []
    discriminator.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (last / rate) ** (step / max(1, steps - 1))
        cost = discriminator_loss(
            discriminator(real(batch_size)).squeeze(1), discriminator(fake(batch_size)).squeeze(1)
        )
        optimizer.zero_grad(set_to_none=True)
        cost.backward()
        optimizer.step()
        losses.append(cost.detach())
    discriminator.eval()
    return torch.stack(losses).tolist()
