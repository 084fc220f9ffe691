"""What an autoencoder makes of images, how far off it is, and how sharp images are."""

import torch
from torch import Tensor

from advx.data.dataset import Dataset
from advx.evaluation.attribute_edits import autoencoder
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import BATCH
from advx.training.load_or_train import TrainedGame


@measurement(version=1)
@torch.no_grad()
def reconstructions(trained: TrainedGame, images: Tensor) -> Tensor:
    """Images (n, *shape) as an autoencoder makes them of their codes, or of the codes' means."""
    game = autoencoder(trained)
    return torch.cat([game.reconstruct(x) for x in images.split(BATCH)])


@measurement(version=1)
def rms_error(images: Tensor, others: Tensor) -> float:
    """Root mean squared difference of images (n, *shape), over all pixels, in gray levels."""
    return 255 * (images - others).double().square().mean().sqrt().item()


@measurement(version=1)
def mean_image_error(data: Dataset) -> float:
    """`rms_error` of test images if each is taken for the mean training image."""
    mean = data.train.images.mean(0)
    return rms_error(data.test.images, mean.expand_as(data.test.images))


@measurement(version=1)
def relative_gradient_energy(images: Tensor, real: Tensor) -> float:
    """Gradient energy of images (n, *shape) over that of others (m, *shape), in percent.

    Below 100 where edges are blurred or lost; noise is above.
    """
    return 100 * gradient_energy(images) / gradient_energy(real)


def gradient_energy(images: Tensor) -> float:
    """Mean squared difference of neighboring pixels, along rows plus along columns."""
    x = images.double()
    rows, columns = x.diff(dim=-2), x.diff(dim=-1)
    return (rows.square().mean() + columns.square().mean()).item()
