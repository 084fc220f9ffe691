"""Generated pictures as a classifier that was trained here sees them."""

import math

import torch
from torch import Tensor, nn

from advx.config.check import nearest as closest
from advx.data.dataset import Dataset
from advx.errors import ConfigError, Diverged
from advx.evaluation.distances import EXACT
from advx.evaluation.modes import mode_measures
from advx.evaluation.sample_quality import (
    drawn,
    frechet_distance,
    manifolds,
    parzen,
    two_sample_accuracy,
)
from advx.evaluation.transfer import BATCH, probabilities
from advx.evaluation.undefined import answered
from advx.models.call import logits_in, predicted

MANIFOLD = 5_000
"""Examples of either kind for precision, recall, density and coverage, at most."""


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
    found = torch.cat(seen)
    return found.to(torch.promote_types(found.dtype, torch.float32))


def quality(classifier: nn.Module, layer: str, data: Dataset, fake: Tensor) -> dict[str, float]:
    """Pictures beside the test pictures: `sample_quality` on features, and the classes they are of.

    Args:
        classifier: whose features and classes.
        layer: whose output is the features.
        data: whose test pictures, and whose training labels for the share of every class.
        fake: generated pictures (m, *shape), or training pictures for the floor.

    Returns:
        frechet_classifier_distance; precision, recall, coverage in percent and density;
        two_sample_accuracy in percent; classes: how many there are; class_kl: KL(generated ‖ data)
        over the classes in nats; sure: percent classified with p > .9.

    Raises:
        Diverged: pictures with NaN.
        ConfigError: too few pictures of either kind.
    """
    if not fake.isfinite().all():
        raise Diverged("generated pictures hold NaN or infinity")
    a, b = (features(classifier, layer, x) for x in (data.test.images, fake))
    shares = torch.bincount(data.train.labels, minlength=data.classes) / len(data.train)
    p = probabilities(classifier, fake)
    said = predicted(p)
    known = answered(classifier, said)
    modes = mode_measures(said[known].cpu(), shares.cpu())
    accuracy, _ = two_sample_accuracy(a, b)
    return {
        "frechet_classifier_distance": frechet_distance(a, b),
        **manifolds(drawn(a, MANIFOLD), drawn(b, MANIFOLD)),
        "two_sample_accuracy": accuracy,
        "classes": modes["modes"],
        "class_kl": modes["reverse_kl"],
        "sure": 100 * (p.amax(1) > 0.9)[known].double().mean().item(),
    }


def parzen_likelihood(data: Dataset, centres: Tensor, sigmas: list[float]) -> dict[str, float]:
    """Log likelihood of the test pictures under a Parzen window at centres (n, *shape).

    Its width is chosen among `sigmas` on 1,000 validation pictures.

    Returns:
        parzen and parzen_standard_error in nats, parzen_sigma.
    """
    mean, error, sigma = parzen(
        centres.flatten(1), drawn(data.validation.images, 1000).flatten(1),
        data.test.images.flatten(1), torch.tensor(sigmas, dtype=torch.float64),
    )  # fmt: skip
    return {"parzen": mean, "parzen_standard_error": error, "parzen_sigma": sigma}


UNKNOWN = {"frechet_classifier_distance": math.nan, "two_sample_accuracy": math.nan}
"""Of a game that diverged: it stays a row."""

UNITS = {
    "parzen": "nats",
    "parzen_standard_error": "nats",
    "parzen_sigma": "of the range",
    "warnings_at_the_end": "warnings",
    "frechet_classifier_distance": "squared features",
    "density": "ratio",
    "classes": "classes",
    "class_kl": "nats",
}
"""Of what is measured of generated pictures; the others are percent."""


def nearest(images: Tensor, pool: Tensor) -> Tensor:
    """Indices (n,) of the nearest pictures of a pool (m, *shape) to images (n, *shape), in L2."""
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
