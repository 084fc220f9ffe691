"""A decoder: from a network's hidden representation back to the image it came from."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advx.attacks.gradient import hidden
from advx.evaluation.measurement import measurement
from advx.models.base import features
from advx.types import Positive, PositiveInt, Shape

BATCH = 1_000
"""Images represented at once; only memory depends on it."""


class Decoder(nn.Module):
    """One hidden layer of rectifiers between a representation and the pixels.

    Args:
        width: components of the representation.
        shape: of an image, (channels, height, width).
        units: of the hidden layer.
    """

    def __init__(self, width: PositiveInt, shape: Shape, units: PositiveInt = 1200) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(width),  # representations have no particular scale
            nn.Linear(width, units),
            nn.ReLU(),
            nn.Linear(units, features(shape)),
            nn.Sigmoid(),
            nn.Unflatten(1, tuple(shape)),
        )

    def forward(self, representation: Tensor) -> Tensor:
        """Representations (batch, width) to images (batch, *shape) in [0, 1]."""
        return self.layers(representation)


@torch.no_grad()
def represented(model: nn.Module, images: Tensor, layer: str) -> Tensor:
    """The output of a layer as flat vectors: images (n, *shape) to (n, width)."""
    return torch.cat([hidden(model, x, layer).flatten(1) for x in images.split(BATCH)])


@measurement(version=1)
def train_decoder(
    model: nn.Module,
    images: Tensor,
    layer: str,
    *,
    seed: int,
    epochs: PositiveInt = 10,
    batch_size: PositiveInt = 100,
    learning_rate: Positive = 0.001,
) -> Decoder:
    """A decoder of the model's layer, trained by Adam to give the images back.

    Args:
        model: the network whose representation is decoded; it is not changed.
        images: (n, *shape).
        layer: name of a submodule of the model.
        seed: decides the initial weights and the order of the images.
        epochs: passes over the images.
        batch_size: images in a minibatch.
        learning_rate: Adam's.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inputs = represented(model, images, layer)
        decoder = Decoder(inputs.shape[1], tuple(images.shape[1:])).to(images.device)
        optimizer = torch.optim.Adam(decoder.parameters(), learning_rate, fused=True)
        for _ in range(epochs):
            for rows in torch.randperm(len(images)).to(images.device).split(batch_size):
                if len(rows) == 1:
                    continue  # one example has no batch statistics
                cost = F.mse_loss(decoder(inputs[rows]), images[rows])
                optimizer.zero_grad(set_to_none=True)
                cost.backward()
                optimizer.step()
    return decoder.eval()
