"""Perturbations that are chosen against a reader of one bit a pixel. Section 1.2.5.

Within ε in the max norm some pixels can be brought across a half, and no other matters. Where the
reader is nearest neighbor, whoever perturbs takes the training image of another class that differs
least in the pixels that are fixed, and copies its bits into those that are free. Other choices may
harm it more.
"""

import torch
from torch import Tensor

from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.evaluation.pixel_information import crossing
from advx.evaluation.transfer import predictions
from advx.evaluation.undefined import percent
from advx.models.binary_nearest_neighbor import BinaryNearestNeighbor, bits

BATCH = 500
"""Images compared with all training images at once; only memory depends on it."""


@measurement(version=1)
def changed_bits(examples: Split, moved: Split) -> float:
    """Pixels that are on the other side of a half after a perturbation, in percent."""
    changed = bits(examples.images) != bits(moved.images)
    return 100 * changed.double().mean().item()


@measurement(version=1)
def freely_changed_error_rate(
    reader: BinaryNearestNeighbor, examples: Split, epsilon: float, candidates: int
) -> float:
    """Mistakes in percent where the bits that can be changed are chosen against the reader.

    An example counts as soon as one of the changes succeeds, or none is needed.

    Args:
        reader: fitted.
        examples: n images in [0, 1].
        epsilon: of the perturbation, in the max norm.
        candidates: classes whose nearest image is copied, one after the other.
    """
    mistaken, predicted = [], []
    for images, labels in zip(
        examples.images.split(BATCH), examples.labels.split(BATCH), strict=True
    ):
        classes = predictions(reader, images)
        wrong = classes != labels
        for changed in changes(reader, images, labels, epsilon, candidates):
            wrong |= predictions(reader, changed) != labels
        mistaken.append(wrong)
        predicted.append(classes)
    return percent(reader, torch.cat(mistaken), torch.cat(predicted))


def changes(
    reader: BinaryNearestNeighbor, images: Tensor, labels: Tensor, epsilon: float, candidates: int
) -> list[Tensor]:
    """Images (m, *shape) within ε of `images`, one set a candidate, the nearest class first."""
    pixels = images.flatten(1)
    own = bits(pixels)
    free = crossing(pixels, epsilon)
    fixed = (~free).to(own.dtype)
    known = reader.images
    # |fixed ∧ (own ≠ t)|, but for a number of the image's: 0 and 1 are their own squares
    apart = (fixed - 2 * fixed * own) @ known.T  # (m, n)
    nearest = []
    for label, block in enumerate(apart.split(reader.counts, dim=1)):
        if not block.shape[1]:
            nearest.append((apart.new_full((len(apart),), torch.inf), torch.zeros_like(labels)))
            continue
        least, place = block.min(1)
        least = least.masked_fill(labels == label, torch.inf)
        nearest.append((least, place + sum(reader.counts[:label])))
    least, place = (torch.stack(part, 1) for part in zip(*nearest, strict=True))  # (m, classes)
    order = least.argsort(1)[:, : min(candidates, len(nearest) - 1)]
    made = []
    for chosen in order.T:
        copied = known[place[torch.arange(len(images)), chosen]]
        step = epsilon * torch.where(free, copied - own, 0)
        made.append((pixels + step).view_as(images))
    return made
