"""A classifier that sees whether a head has ears, also in images that are blurred or noisy.

It is trained on renders: every head with ears beside the same head without, so that nothing but
ears tells the two apart. Each minibatch is mirrored, blurred and made noisy at random, because
predictions are blurred, and an ear that is merely soft must not count as none.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, softplus

from advx.data.heads import Twins
from advx.evaluation.ears import real_frames
from advx.evaluation.measurement import measurement
from advx.randomness import seeded
from advx.types import NonNegative, PositiveInt

WIDEST = 1.0
"""Standard deviation of the strongest blur, in pixels of an image of side 32."""

NOISIEST = 0.05
"""Standard deviation of the strongest noise, in units of the images' range."""

HEADS = 64
"""In a minibatch, each of them twice."""


class EarProbe(nn.Sequential):
    """Images (n, channels, side, side) to logits (n,), positive for ears.

    Args:
        channels: of an image.
        side: a multiple of 8.
        filters: of the first layer, doubled in each of the next two.
    """

    def __init__(self, channels: int, side: int, filters: int = 24) -> None:
        layers: list[nn.Module] = []
        for near, far in ((channels, filters), (filters, 2 * filters), (2 * filters, 4 * filters)):
            layers += [nn.Conv2d(near, far, 4, 2, padding=1), nn.BatchNorm2d(far), nn.ReLU()]
        size = 4 * filters * (side // 8) ** 2
        super().__init__(*layers, nn.Flatten(), nn.Linear(size, 1), nn.Flatten(0))


@measurement(version=1)
def trained_probe(
    twins: Twins, epochs: PositiveInt, seed: int = 0, learning_rate: NonNegative = 2e-3
) -> EarProbe:
    """A probe trained on the last frames of twins, in evaluation mode, on their device.

    Args:
        twins: the heads.
        epochs: passes over them.
        seed: decides weights, order and augmentation.
        learning_rate: of Adam, at first; it falls to zero along a cosine.
    """
    frames = real_frames(twins)
    n, channels, side, _ = frames.eared.shape
    device = frames.eared.device
    steps = epochs * len(torch.arange(n).split(HEADS))
    with seeded(seed), torch.enable_grad():
        probe = EarProbe(channels, side).to(device).train()
        adam = torch.optim.Adam(probe.parameters(), lr=learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
        for _ in range(epochs):
            for rows in torch.randperm(n).to(device).split(HEADS):
                images = augmented(torch.cat([frames.eared[rows], frames.earless[rows]]))
                eared, earless = probe(images).chunk(2)
                adam.zero_grad()
                (softplus(-eared).mean() + softplus(earless).mean()).backward()
                adam.step()
                schedule.step()
    return probe.eval()


def augmented(images: Tensor) -> Tensor:
    """Images (n, ...) mirrored one by one, all blurred by one random width, and made noisy."""
    device = images.device
    mirrored = (torch.rand(len(images)) < 0.5).to(device)[:, None, None, None]
    images = torch.where(mirrored, images.flip(-1), images)
    images = blurred(images, WIDEST * images.shape[-1] / 32 * torch.rand(()).item())
    noise = NOISIEST * torch.rand(len(images), 1, 1, 1) * torch.randn(images.shape)
    return (images + noise.to(device)).clamp(0, 1)


def blurred(images: Tensor, deviation: float) -> Tensor:
    """Images (n, channels, height, width) under a Gaussian of this standard deviation, in pixels.

    The edge goes on outside; the Gaussian ends at three deviations.
    """
    reach = max(1, round(3 * deviation))
    at = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-at.square() / (2 * max(deviation, 1e-3) ** 2))
    kernel = kernel / kernel.sum()
    flat = images.flatten(0, 1)[:, None]
    for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
        tall = shape[2] == -1
        around = (0, 0, reach, reach) if tall else (reach, reach, 0, 0)
        flat = conv2d(pad(flat, around, mode="replicate"), kernel.view(shape))
    return flat.view(images.shape)
