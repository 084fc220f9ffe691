"""Attributes added and taken away along one direction of an autoencoder's codes (section 1.4.5).

    v  = mean code of training images with the attribute − mean code of those without
    x' = Dec(μ(x) + v) for a test image without it, Dec(μ(x) − v) for one with it

Whether the attribute has changed, and whether others have that nobody asked about, is read off by
a classifier of images (the evaluator). A change counts only where the evaluator reads the attribute
off the unedited reconstruction as it is in the image: an autoencoder that loses glasses has not
taken them off. Source: Larsen et al. (2015), section 4.2.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from advx.data.dataset import Dataset
from advx.errors import ConfigError
from advx.evaluation.measurement import measurement
from advx.evaluation.sample_quality import refuse_unusable
from advx.evaluation.transfer import BATCH, predictions
from advx.evaluation.undefined import percent
from advx.games.vae import VAE
from advx.training.load_or_train import TrainedGame


def attributes_of(data: Dataset) -> dict[str, Tensor]:
    """By name, which classes have an attribute: (classes,) bool.

    A class's name lists its attributes, separated by commas ("long hair, glasses"); what every
    class has is none. Where no name lists two, the classes are not made of attributes.
    """
    parts = [{part.strip() for part in name.split(",")} for name in data.class_names]
    names = sorted(set.union(*parts)) if parts else []
    classes = {name: torch.tensor([name in each for each in parts]) for name in names}
    combined = any(len(each) > 1 for each in parts)
    return {k: has for k, has in classes.items() if combined and not has.all()}


def refuse_unknown_attributes(data: Dataset, attributes: list[str]) -> None:
    """Refuse attributes that the data do not have.

    Raises:
        ConfigError: the first one, and those that there are.
    """
    known = attributes_of(data)
    for name in attributes:
        if name not in known:
            valid = "; ".join(known) or "none, its classes name no attributes (dataset=faces does)"
            raise ConfigError(
                f"attributes={attributes}: dataset={data.name} has no attribute {name!r}; "
                f"valid: {valid}"
            )


@dataclass(frozen=True)
class EditRates:
    """What edits of one attribute do to test images, in percent of them.

    Attributes:
        flip_rate: its reconstruction shows the attribute as the image has it, and its edit the
            other way.
        unasked_change_rate: the edit differs from the reconstruction in another attribute.
        reconstructed_rate: its reconstruction shows the attribute as the image has it.
    """

    flip_rate: float
    unasked_change_rate: float
    reconstructed_rate: float


def autoencoder(trained: TrainedGame) -> VAE:
    """The game, which is one with an encoder and a decoder."""
    return cast(VAE, trained.game)


@torch.no_grad()
def codes(game: VAE, images: Tensor) -> Tensor:
    """Means of q(z | x), (n, latent), of images (n, *shape)."""
    return torch.cat([game.encode(x).mean for x in images.split(BATCH)])


@torch.no_grad()
def decoded(game: VAE, z: Tensor) -> Tensor:
    """Images (n, *shape) of codes (n, latent)."""
    return torch.cat([game.generate(part) for part in z.split(BATCH)])


def mean_difference(z: Tensor, has: Tensor) -> Tensor:
    """Mean of the codes (n, latent) with an attribute minus the mean of those without, (latent,).

    Args:
        z: codes.
        has: (n,) bool, whose images have it.

    Raises:
        ConfigError: none has it, or all do.
    """
    what = "a direction between images with an attribute and images without"
    refuse_unusable({"with it": z[has], "without it": z[~has]}, 1, what)
    return z[has].mean(0) - z[~has].mean(0)


def edited(game: VAE, data: Dataset, attribute: str, images: Tensor, labels: Tensor) -> Tensor:
    """Images (n, *shape) with an attribute added where it is missing and taken away where it is.

    Args:
        game: whose codes.
        data: whose training images give the direction.
        attribute: one of `attributes_of(data)`.
        images: to be edited, (n, *shape).
        labels: their classes, (n,).
    """
    has = attributes_of(data)[attribute].to(labels.device)
    along = mean_difference(codes(game, data.train.images), has[data.train.labels])
    sign = 1 - 2 * has[labels].to(along.dtype)
    return decoded(game, codes(game, images) + sign[:, None] * along)


@measurement(version=1)
def edit_rates(
    trained: TrainedGame, evaluator: nn.Module, data: Dataset, attribute: str
) -> EditRates:
    """How often edits of test images change what they should, and what they should not.

    Args:
        trained: an autoencoder.
        evaluator: classifies images, in evaluation mode.
        data: its training images give the direction, its test images are edited.
        attribute: that is changed.

    Raises:
        ConfigError: the data have no such attribute.
    """
    refuse_unknown_attributes(data, [attribute])
    game, test = autoencoder(trained), data.test
    attributes = {k: has.to(test.labels.device) for k, has in attributes_of(data).items()}
    plain = predictions(evaluator, decoded(game, codes(game, test.images)))
    after = predictions(evaluator, edited(game, data, attribute, test.images, test.labels))
    has = attributes.pop(attribute)
    right = has[plain] == has[test.labels]
    changed = has[after] != has[plain]
    unasked = torch.zeros_like(right)
    for other in attributes.values():
        if not torch.equal(other, ~has):  # the same attribute by its other name
            unasked |= other[after] != other[plain]
    read = torch.minimum(plain, after)  # no class where either is none
    return EditRates(
        flip_rate=percent(evaluator, right & changed, read),
        unasked_change_rate=percent(evaluator, unasked, read),
        reconstructed_rate=percent(evaluator, right, read),
    )
