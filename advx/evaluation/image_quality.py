"""Generated images as a classifier that was trained here sees them."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advx.config.check import nearest as closest
from advx.data.dataset import Dataset
from advx.errors import ConfigError, Diverged
from advx.evaluation.distances import EXACT
from advx.evaluation.measurement import measurement
from advx.evaluation.modes import mode_measures
from advx.evaluation.sample_quality import (
    NEIGHBORS,
    TREES,
    frechet_distance,
    manifolds,
    random_rows,
    two_sample_accuracy,
)
from advx.evaluation.transfer import BATCH, predictions, probabilities
from advx.evaluation.undefined import answered
from advx.models.call import logits_in, predicted

MANIFOLD = 5_000
"""Examples of either kind for precision, recall, density and coverage, at most."""

CONFIDENT = 0.9
"""Probability from which a classifier counts as confident of an image's class."""

UNITS = {
    "parzen": "nats",
    "parzen_standard_error": "nats",
    "parzen_sigma": "of the range",
    "warnings_at_the_end": "warnings",
    "frechet_classifier_distance": "squared features",
    "density": "ratio",
    "gradient_energy": "percent of the data's",  # no share: noise has more than the data
    "classes": "classes",
    "class_kl": "nats",
}
"""Of what is measured of generated images; the others are percent."""


@dataclass(frozen=True)
class ImageQuality:
    """Images beside the test images.

    Attributes:
        frechet_classifier_distance: between Gaussians fitted to a classifier's features.
        precision, recall, density, coverage: on the same features, see `Manifolds`.
        two_sample_accuracy: of a fresh classifier that discriminates the two, in percent.
        classes: how many classes the images are of.
        class_kl: KL(images ‖ data) over the classes, in nats.
        confident_rate: percent of the images to which the classifier gives a class with a high
            probability.
    """

    frechet_classifier_distance: float
    precision: float
    recall: float
    density: float
    coverage: float
    two_sample_accuracy: float
    classes: float
    class_kl: float
    confident_rate: float


@torch.no_grad()
def features(classifier: nn.Module, layer: str, images: Tensor) -> Tensor:
    """The output of a named layer for images (n, *shape), (n, m).

    Args:
        classifier: in evaluation mode.
        layer: as in `classifier.named_modules()`.
        images: the images.

    Raises:
        ConfigError: no such layer.
    """
    seen: list[Tensor] = []
    names = dict(classifier.named_modules())
    if layer not in names:
        raise ConfigError(
            f"layer={layer}: not of the classifier; {closest(layer, filter(None, names))}"
        )
    hook = names[layer].register_forward_hook(
        # a copy: a layer that works in place may follow
        lambda _module, _inputs, output: seen.append(
            logits_in(output, classifier).flatten(1).clone()
        )
    )
    try:
        for x in images.split(BATCH):
            classifier(x.clone())
    finally:
        hook.remove()
    outputs = torch.cat(seen)
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))


@measurement(version=2)
def image_quality(
    classifier: nn.Module,
    layer: str,
    data: Dataset,
    images: Tensor,
    manifold_examples: int = MANIFOLD,
    neighbors: int = NEIGHBORS,
    trees: int = TREES,
    confident: float = CONFIDENT,
) -> ImageQuality:
    """Images beside the test images: on a classifier's features, and by the classes it gives them.

    Args:
        classifier: whose features and classes.
        layer: whose output is the features.
        data: whose test images, and whose training labels for the share of every class.
        images: generated images (m, *shape), or real ones for the floor.
        manifold_examples: of either kind for precision, recall, density and coverage, at most.
        neighbors: how far an example's ball reaches for these.
        trees: of the classifier that discriminates the two kinds.
        confident: probability above which an image counts for `confident_rate`.

    Raises:
        Diverged: images with NaN.
        ConfigError: too few images of either kind.
    """
    if not images.isfinite().all():
        raise Diverged("generated images hold NaN or infinity")
    real, fake = (features(classifier, layer, x) for x in (data.test.images, images))
    shares = torch.bincount(data.train.labels, minlength=data.classes) / len(data.train)
    p = probabilities(classifier, images)
    classes = predicted(p)
    known = answered(classifier, classes)
    modes = mode_measures(classes[known].cpu(), shares.cpu())
    accuracy, _ = two_sample_accuracy(real, fake, trees=trees)
    covered = manifolds(
        random_rows(real, manifold_examples),
        random_rows(fake, manifold_examples),
        neighbors=neighbors,
    )
    return ImageQuality(
        frechet_classifier_distance=frechet_distance(real, fake),
        **vars(covered),
        two_sample_accuracy=accuracy,
        classes=modes.modes,
        class_kl=modes.reverse_kl,
        confident_rate=100 * (p.amax(1) > confident)[known].double().mean().item(),
    )


@dataclass(frozen=True)
class ClassRates:
    """How often images are of the class that they were generated for, in percent.

    Attributes:
        overall: of all images.
        by_class: of those of each class, in its order.
    """

    overall: float
    by_class: list[float]


@measurement(version=1)
def class_rates(classifier: nn.Module, images: Tensor, classes: Tensor) -> ClassRates:
    """How often a classifier gives images (n, *shape) the classes (n,) that they are meant to be.

    Raises:
        ConfigError: too many images get no class at all; few are left out.
    """
    predicted = predictions(classifier, images).cpu()
    right, known = (predicted == classes).double(), answered(classifier, predicted)
    by_class = [right[known & (classes == k)] for k in range(int(classes.max()) + 1)]
    return ClassRates(
        100 * right[known].mean().item(), [100 * each.mean().item() for each in by_class]
    )


def nearest(images: Tensor, pool: Tensor) -> Tensor:
    """Indices (n,) of the nearest images of a pool (m, *shape) to images (n, *shape), in L2."""
    best = torch.full((len(images),), float("inf"), device=images.device)
    place = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    flat = images.flatten(1)
    for first in range(0, len(pool), 10 * BATCH):
        part = pool[first : first + 10 * BATCH].flatten(1)
        distance, row = torch.cdist(flat, part, compute_mode=EXACT).min(1)  # a few images only
        nearer = distance < best
        best = torch.where(nearer, distance, best)
        place = torch.where(nearer, row + first, place)
    return place
