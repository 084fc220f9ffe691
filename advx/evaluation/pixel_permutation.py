"""An unknown permutation of pixels, recovered from images that are no pairs (section 1.4.5).

    two linear autoencoders     one of images, one of permuted images of other examples
    codes                       axes by falling variance, each with a positive third moment
    pixels                      matched one to one where mean and decoder's row agree best
    rounds                      the second decoder rotated onto the first over the pixels matched so
                                far, with more components in every stage; matched again

The best linear autoencoder is known in closed form: the principal components. A permutation of the
pixels permutes the rows of its decoder and leaves the distribution of its codes as it is, so that
two codes of the same distribution belong to the same image. Axes with distinct variances and skewed
codes are determined by that distribution alone. The task is that of Sutskever et al. (2015), who
use an adversary's cost; there is none here.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from advx.evaluation.measurement import measurement
from advx.types import NonNegativeInt, PositiveInt

VARYING = 0.05
"""Standard deviation, of the images' range, from which a pixel counts; the others look the same."""


def decoder(images: Tensor, components: PositiveInt) -> Tensor:
    """The best linear autoencoder's decoder, scaled to codes of variance 1.

    Args:
        images: (n, pixels) float64.
        components: of the code.

    Returns:
        (pixels, components), by falling variance; every code's third moment is positive.
    """
    away = images - images.mean(0)
    values, vectors = torch.linalg.eigh(away.T @ away / len(away))
    vectors = vectors.flip(1)[:, :components]
    skewed = (away @ vectors).pow(3).mean(0)
    scale = values.flip(0)[:components].clamp(min=0).sqrt()
    return vectors * torch.where(skewed < 0, -scale, scale)


def matched_pixels(first: Tensor, second: Tensor) -> Tensor:
    """Rows of second (d, k) matched one to one with those of first (d, k), as near as possible.

    What counts is the sum of the distances, not of their squares: a few pixels that are far off
    then do not move the others.

    Returns:
        (d,) int64, for every row of the first its row of the second.
    """
    from scipy.optimize import linear_sum_assignment

    distances = torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
    return torch.from_numpy(linear_sum_assignment(distances.cpu().numpy())[1])


@measurement(version=1)
def recovered_permutation(
    images: Tensor, others: Tensor, components: Sequence[PositiveInt], rounds: NonNegativeInt
) -> Tensor:
    """Where every pixel has gone.

    Args:
        images: (n, *shape).
        others: of other examples, (m, *shape), their pixels permuted alike.
        components: of the autoencoders, one stage after the other; the first ones are matched as
            they are before they are rotated onto each other.
        rounds: of rotating and matching, in every stage.

    Returns:
        (pixels,) int64: pixel i of the images is pixel `result[i]` of the permuted ones.
    """
    flat = [each.flatten(1).double() for each in (images, others)]
    means = [each.mean(0)[:, None] for each in flat]
    most = [decoder(each, max(components)) for each in flat]
    first = [each[:, : components[0]] for each in most]
    place = matched_pixels(*(torch.cat(each, 1) for each in zip(means, first, strict=True)))
    for count in components:
        ours, theirs = (each[:, :count] for each in most)
        for _ in range(rounds):
            left, _, right = torch.linalg.svd(theirs[place].T @ ours)
            turned = torch.cat([means[1], theirs @ left @ right], 1)
            place = matched_pixels(torch.cat([means[0], ours], 1), turned)
    return place


@measurement(version=1)
def by_mean_and_deviation(images: Tensor, others: Tensor) -> Tensor:
    """The same from each pixel alone: its mean and its standard deviation."""
    alone = [
        torch.stack([each.flatten(1).double().mean(0), each.flatten(1).double().std(0)], 1)
        for each in (images, others)
    ]
    return matched_pixels(*alone)


def varying_pixels(images: Tensor) -> Tensor:
    """Which pixels (pixels,) bool of images (n, *shape) vary."""
    return images.flatten(1).double().std(0) >= VARYING


@measurement(version=1)
def pixels_recovered(place: Tensor, order: Tensor, images: Tensor) -> float:
    """Percent of the pixels that vary, whose place in the permuted images was found.

    Args:
        place: (pixels,), as `recovered_permutation` gives it.
        order: (pixels,): pixel j of the permuted images was pixel `order[j]`.
        images: (n, *shape), as they are.
    """
    right = order.cpu()[place.cpu()] == torch.arange(len(place))
    return 100 * right[varying_pixels(images).cpu()].double().mean().item()


def permuted(images: Tensor, order: Tensor) -> Tensor:
    """Images (n, *shape) whose pixel j was pixel `order[j]`."""
    return images.flatten(1)[:, order.to(images.device)].view(images.shape)
