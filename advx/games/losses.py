"""What the two networks of a generative adversarial game minimize (section 1.4.1).

With D = σ(s), s the discriminator's logit, the value of the game is

    V(D, G) = E_data log D(x) + E_z log(1 − D(G(z)))

The discriminator minimizes −V. The generator minimizes one of

    minimax          E log(1 − D(G(z)))       gradient in s: −D
    non-saturating   −E log D(G(z))           gradient in s: −(1 − D)
    blended          (1 − b) · non-saturating + b · minimax

All from logits: where D rounds to 0 or 1 in float32, no logarithm overflows and no gradient is
lost. Source: Goodfellow et al. (2014a), equation 1 and section 3.
"""

from typing import Literal

from torch import Tensor
from torch.nn.functional import softplus

GeneratorLossName = Literal["minimax", "non_saturating", "blended"]


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """−V: real examples are to get D = 1, generated ones D = 0.

    Args:
        real: logits (n,) of data.
        fake: logits (m,) of generated examples.

    Returns:
        A scalar, in nats; log 4 for a discriminator that answers 1/2.
    """
    return softplus(-real).mean() + softplus(fake).mean()


def generator_loss(
    fake: Tensor, name: GeneratorLossName = "non_saturating", *, blend: float = 0.5
) -> Tensor:
    """What the generator minimizes.

    Args:
        fake: logits (m,) of generated examples.
        name: which of the three above.
        blend: b, the minimax loss's share in `blended`.

    Returns:
        A scalar, in nats.
    """
    if name == "minimax":
        return minimax(fake)
    if name == "non_saturating":
        return non_saturating(fake)
    return (1 - blend) * non_saturating(fake) + blend * minimax(fake)


def minimax(fake: Tensor) -> Tensor:
    """E log(1 − D) of logits (m,)."""
    return -softplus(fake).mean()


def non_saturating(fake: Tensor) -> Tensor:
    """−E log D of logits (m,)."""
    return softplus(-fake).mean()


def game_value(real: Tensor, fake: Tensor) -> Tensor:
    """V(D, G) from logits (n,) of data and (m,) of generated examples; −log 4 at the optimum."""
    return -discriminator_loss(real, fake)
