"""A discriminator alone, against examples that do not answer: the inner problem of the game."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from advx.games.losses import discriminator_loss

Sampler = Callable[[int], Tensor]
"""From a number of examples to so many of them, (n, *shape)."""


def train_critic(
    critic: nn.Module, real: Sampler, fake: Sampler, *, steps: int, rate: float, batch_size: int,
    final_rate: float | None = None,
) -> list[float]:  # fmt: skip
    """Train `critic` in place to tell `real` from `fake`, by Adam.

    Args:
        critic: examples (n, *shape) to logits (n, 1).
        real: draws data.
        fake: draws what is to be told from it.
        steps: updates.
        rate: learning rate of the first update.
        batch_size: examples of either kind in one update.
        final_rate: that of the last, reached geometrically; None for the same.

    Returns:
        The loss of every update, in nats.
    """
    optimiser = torch.optim.Adam(critic.parameters(), rate, betas=(0.9, 0.999))
    last = rate if final_rate is None else final_rate
    losses = []
    critic.train()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * (last / rate) ** (step / max(1, steps - 1))
        cost = discriminator_loss(
            critic(real(batch_size)).squeeze(1), critic(fake(batch_size)).squeeze(1)
        )
        optimiser.zero_grad(set_to_none=True)
        cost.backward()
        optimiser.step()
        losses.append(cost.detach())
    critic.eval()
    return torch.stack(losses).tolist()
