"""Batch normalization's statistics of evaluation, computed again from given images.

The running averages of training mix all that a network was shown: for a discriminator these are
data, generated images and a few labeled ones, with noise inside the network besides. In evaluation
it is shown data alone, without noise, and the averages are those of something else.
"""

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
