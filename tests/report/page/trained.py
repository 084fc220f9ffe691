"""Small networks of the kinds that the page computes with, as files and as PyTorch's modules."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from advx.data import mnist5k
from advx.defenses.adversarial_training import AdversarialTraining
from advx.defenses.label_smoothing import LabelSmoothing
from advx.defenses.none import NoDefense
from advx.models.maxout import MaxoutNetwork
from advx.models.softmax_regression import SoftmaxRegression
from advx.report.page.networks import ADVERSARIAL, MAXOUT, PLAIN, SMOOTHING, SOFTMAX, Network

SHAPE: dict[str, Any] = {"input_shape": (1, 28, 28), "classes": 10}
UNITS, PIECES = (23, 22), 3
"""Rows that four does not divide."""

MADE = {
    "softmax": (SOFTMAX, {"_target_": PLAIN}),
    "plain": (MAXOUT, {"_target_": PLAIN}),
    "smoothed": (MAXOUT, {"_target_": SMOOTHING, "smoothing": 0.1}),
    "adversarial": (MAXOUT, {"_target_": ADVERSARIAL, "epsilon": 0.25}),
}
"""Of each kind its model and defense, as a store says them."""

EPOCHS = 4


def module_of(target: str, units: tuple[int, ...] = UNITS, pieces: int = PIECES) -> nn.Module:
    """An untrained network."""
    if target == SOFTMAX:
        return SoftmaxRegression(**SHAPE)
    return MaxoutNetwork(**SHAPE, units=units, pieces=pieces, init_range=0.05)


def write_networks(folder: Path) -> None:
    """Train each of them for a few seconds, and write it as `advx store export --half` does."""
    data = mnist5k.load()
    for at, (target, defense) in enumerate(MADE.values()):
        torch.manual_seed(at)
        module = module_of(target)
        cost = {PLAIN: NoDefense, SMOOTHING: LabelSmoothing, ADVERSARIAL: AdversarialTraining}[
            defense["_target_"]
        ]()
        optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
        for _ in range(EPOCHS):
            for some in torch.randperm(len(data.train)).split(50):
                optimizer.zero_grad()
                cost(module, data.train.images[some], data.train.labels[some]).backward()
                optimizer.step()
        write_network(folder / f"{at}.safetensors", module, target, defense, seed=at)


def write_network(
    path: Path, module: nn.Module, target: str, defense: dict[str, Any], **told: object
) -> None:
    """A file of half precision that says what it is."""
    said = {"key": "0123456789abcdef", "dataset": "mnist5k"} | {k: str(v) for k, v in told.items()}
    said |= {"model": json.dumps({"_target_": target}), "defense": json.dumps(defense)}
    state = {name: value.detach().half() for name, value in module.state_dict().items()}
    save_file(state, path, {"advx": json.dumps(said)})


def dequantized(network: Network) -> nn.Module:
    """What the page computes with, as PyTorch's module."""
    units = tuple(len(layer.weights) // layer.pieces for layer in network.layers[:-1])
    module = module_of(MADE[network.kind][0], units, network.layers[0].pieces).eval()
    with torch.no_grad():
        for name, layer in zip(places(module), network.layers, strict=True):
            module.get_parameter(f"{name}.weight").copy_(torch.from_numpy(layer.dequantized))
            module.get_parameter(f"{name}.bias").copy_(torch.from_numpy(layer.bias))
    return module


def places(module: nn.Module) -> list[str]:
    """The names of its affine layers."""
    return [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
