"""Batch normalization where the running averages of training are not what is wanted.

They mix all that a network was shown: for a discriminator these are data, generated images and a
few labeled ones, with noise inside the network besides. In evaluation it is shown data alone,
without noise, and the averages are those of something else. In training it answers each minibatch,
real or generated, by that minibatch's own statistics.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

ENOUGH = 10_000
"""Images, at most, that are worth a pass."""

LAYERS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@torch.no_grad()
def recompute_statistics(network: nn.Module, images: Tensor) -> None:
    """Set the statistics of all batch normalization inside to those of `images`.

    They are taken in a single pass, so that each layer sees what the layers below give in
    evaluation. All other layers are as in evaluation; every layer's mode is left as it was.

    Args:
        network: whatever it holds besides.
        images: (n, *shape), two or more; they go through the network at once.
    """
    layers = [m for m in network.modules() if isinstance(m, LAYERS) and m.track_running_stats]
    if not layers:
        return
    modes = {module: module.training for module in network.modules()}
    momenta = [layer.momentum for layer in layers]
    network.eval()
    for layer in layers:
        layer.train()
        layer.reset_running_stats()
        layer.momentum = None  # the average of all passes, here of one
    network(images)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    for module, training in modes.items():
        module.training = training


@contextmanager
def minibatch_statistics(network: nn.Module) -> Iterator[None]:
    """Normalize by what is shown, as in training; all else stays in the mode that it is in.

    Neither the running averages nor the count of minibatches move.

    Args:
        network: whatever it holds besides.
    """
    layers = [m for m in network.modules() if isinstance(m, LAYERS)]
    before = [(layer.training, layer.track_running_stats) for layer in layers]
    try:
        for layer in layers:
            layer.training, layer.track_running_stats = True, False
        yield
    finally:
        for layer, (training, tracks) in zip(layers, before, strict=True):
            layer.training, layer.track_running_stats = training, tracks
