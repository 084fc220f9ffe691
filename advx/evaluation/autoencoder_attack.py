"""An autoencoder under attack: how badly it gives back what it is shown."""

from dataclasses import dataclass

import torch
from torch import Tensor

from advx.attacks.base import Attack
from advx.attacks.gradient import evaluating
from advx.data.dataset import Split
from advx.defenses.denoising_autoencoder import Stacked
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import BATCH, craft


@dataclass(frozen=True)
class Reconstruction:
    """Root mean square of a pixel's error.

    Attributes:
        reconstruction_error: of the reconstruction against what the autoencoder was shown.
        error_against_clean: against the image as it was before.
    """

    reconstruction_error: float
    error_against_clean: float


@measurement(version=1)
@torch.no_grad()
def reconstruction(stacked: Stacked, attack: Attack, clean: Split) -> Reconstruction:
    """What an autoencoder makes of images after an attack on it.

    Args:
        stacked: a classifier behind the autoencoder; only the autoencoder is attacked.
        attack: is given the clean images in the labels' place.
        clean: n examples.
    """
    network = stacked.autoencoder
    with torch.enable_grad():
        shown = craft(attack, network, clean, clean.images).images
    with evaluating(network):
        made = torch.cat([network(x) for x in shown.split(BATCH)])
    return Reconstruction(_size(made - shown), _size(made - clean.images))


def _size(error: Tensor) -> float:
    return error.double().square().mean().sqrt().item()
