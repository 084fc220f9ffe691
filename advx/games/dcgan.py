"""The deep convolutional game (section 1.4.4).

    G: z → project to 4 × 4 (7 × 7 for 28 pixels) → fractionally strided 5 × 5 convolutions, each of
       which doubles the side and halves the channels → tanh
    D: strided 5 × 5 convolutions the other way, leaky ReLUs of slope .2 → one logit

Batch normalization everywhere but in G's last layer and D's first; weights start in N(0, .02²).
Inside, pixels are in [−1, 1]; outside, as everywhere, in [0, 1]. Source: Radford et al. (2015),
section 3.
"""

from itertools import chain

import torch
from torch import Tensor, nn

from advx.games.generative import GenerativeGame, NoiseName, UpdatesName
from advx.games.losses import GeneratorLossName
from advx.types import NonNegative, Positive, PositiveInt, Probability, Shape

SMALLEST = {28: 7, 32: 4, 64: 4}
"""Side of the image that z is projected to, by side of the images."""


def begin(module: nn.Module, deviation: float) -> None:
    """Draw a layer's weights from N(0, deviation²), or N(1, …) where it normalizes; no biases."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, deviation)
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, deviation)
    if isinstance(getattr(module, "bias", None), nn.Parameter):
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]


def widths_of(input_shape: Shape, filters: int) -> tuple[int, list[int]]:
    """Side of the smallest image, and the channels of every convolution from the pixels away.

    Raises:
        ValueError: images of another side than 28, 32 or 64.
    """
    _, height, width = input_shape if len(input_shape) == 3 else (0, 0, 0)
    if height != width or height not in SMALLEST:
        raise ValueError(f"dcgan: images of 28, 32 or 64 pixels are needed, not {input_shape}")
    doublings = (height // SMALLEST[height]).bit_length() - 1
    return SMALLEST[height], [filters * 2**k for k in range(doublings)]


def normalized(channels: int, wanted: bool) -> list[nn.Module]:
    """Batch normalization of so many channels, or nothing."""
    return [nn.BatchNorm2d(channels)] if wanted else []


def upward(
    input_shape: Shape, latent: int, *, filters: int, batch_norm: bool = True
) -> nn.Sequential:
    """G: z (n, latent) to images (n, *input_shape) in [−1, 1].

    Raises:
        ValueError: images of another side than 28, 32 or 64.
    """
    side, widths = widths_of(input_shape, filters)
    layers: list[nn.Module] = [
        nn.Linear(latent, widths[-1] * side**2, bias=not batch_norm),
        nn.Unflatten(1, (widths[-1], side, side)),
        *normalized(widths[-1], batch_norm),
        nn.ReLU(),
    ]
    for before, after in zip(widths[::-1], [*widths[-2::-1], input_shape[0]], strict=True):
        last = after == input_shape[0] and before == widths[0]
        bias = last or not batch_norm
        layers.append(
            nn.ConvTranspose2d(before, after, 5, 2, padding=2, output_padding=1, bias=bias)
        )
        layers += [nn.Tanh()] if last else [*normalized(after, batch_norm), nn.ReLU()]
    return nn.Sequential(*layers)


def downward(
    input_shape: Shape, outputs: int, *, filters: int, slope: float, batch_norm: bool = True
) -> dict[str, list[nn.Module]]:
    """D: images (n, *input_shape) in [−1, 1] to (n, outputs), as blocks of layers by name.

    Returns:
        `convolution1`, next to the pixels, and so on; then `output`.

    Raises:
        ValueError: images of another side than 28, 32 or 64.
    """
    side, widths = widths_of(input_shape, filters)
    blocks: dict[str, list[nn.Module]] = {}
    for before, after in zip([input_shape[0], *widths[:-1]], widths, strict=True):
        first = not blocks
        blocks[f"convolution{len(blocks) + 1}"] = [
            nn.Conv2d(before, after, 5, 2, padding=2, bias=first or not batch_norm),
            *normalized(after, batch_norm and not first),
            nn.LeakyReLU(slope),
        ]
    blocks["output"] = [nn.Flatten(), nn.Linear(widths[-1] * side**2, outputs)]
    return blocks


class DCGAN(GenerativeGame):
    """The convolutional game.

    Args:
        input_shape: shape of one image, (channels, side, side), the side 28, 32 or 64.
        latent: components of z.
        noise: p(z).
        filters: of the layer next to the pixels; twice as many in every layer further away.
        slope: of D's leaky ReLUs.
        deviation: of the initial weights.
        batch_norm_generator: false leaves batch normalization out of G.
        batch_norm_discriminator: false leaves it out of D.
        discriminator_steps: k, updates of D for one of G.
        updates: whether G's update answers that of D or goes along with it.
        loss: what G minimizes.
        blend: the minimax loss's share in `loss=blended`.

    Raises:
        ValueError: another side.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        latent: PositiveInt = 100,
        noise: NoiseName = "uniform",
        filters: PositiveInt = 64,
        slope: NonNegative = 0.2,
        deviation: Positive = 0.02,
        batch_norm_generator: bool = True,
        batch_norm_discriminator: bool = True,
        discriminator_steps: PositiveInt = 1,
        updates: UpdatesName = "alternating",
        loss: GeneratorLossName = "non_saturating",
        blend: Probability = 0.5,
    ) -> None:
        super().__init__(latent, noise, discriminator_steps, updates, loss, blend)
        self.generator = upward(
            input_shape, latent, filters=filters, batch_norm=batch_norm_generator
        )
        blocks = downward(
            input_shape, 1, filters=filters, slope=slope, batch_norm=batch_norm_discriminator
        )
        self.discriminator = nn.Sequential(*chain.from_iterable(blocks.values()))
        for module in self.modules():
            begin(module, deviation)

    def generate(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        return (self.generator(z) + 1) / 2

    def discriminate(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.discriminator(2 * x - 1).squeeze(1)

    @torch.no_grad()
    def features(self, x: Tensor) -> Tensor:
        """All of D's convolutions of images (n, *shape), pooled to at most 4 × 4: (n, m)."""
        found, here = [], 2 * x - 1
        for layer in self.discriminator:  # type: ignore[attr-defined]
            if isinstance(layer, nn.Flatten):
                break
            here = layer(here)
            if isinstance(layer, nn.LeakyReLU):
                side = min(4, here.shape[-1])
                found.append(nn.functional.adaptive_max_pool2d(here, side).flatten(1))
        return torch.cat(found, 1)
