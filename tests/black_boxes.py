"""Classifiers that answer in unusual ways, and what every attack is given on them."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advx.attacks.feature import Feature
from advx.attacks.fgsm import FGSM
from advx.attacks.random_noise import RandomNoise
from advx.attacks.rubbish import Rubbish
from advx.attacks.virtual_adversarial import VirtualAdversarial
from advx.errors import AdvxError
from tests.attack_cases import ATTACKS, Case

SHAPE = (1, 6, 6)


CLASSES = 5


class Net(nn.Module):
    """A small classifier; the subclasses change how it answers, not what."""

    def __init__(self, classes: int = CLASSES, width: int = 24) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(36, width), nn.ReLU(), nn.Linear(width, classes)
        )

    def forward(self, x: Tensor) -> Any:
        return self.layers(x)


class InPlace(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x.sub_(0.5).mul_(2).div_(2).add_(0.5))


class Moved(Net):
    """The same function without a change in place."""

    def forward(self, x: Tensor) -> Any:
        return self.layers((x - 0.5) * 2 / 2 + 0.5)


class Tuple(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x), "attention"


class Dictionary(Net):
    def forward(self, x: Tensor) -> Any:
        return {"loss": None, "logits": self.layers(x)}


class Object(Net):
    def forward(self, x: Tensor) -> Any:
        return SimpleNamespace(logits=self.layers(x))


class Transposed(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x).t().contiguous().t()


class Bfloat16(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x).bfloat16()


class Double(Net):
    def __init__(self) -> None:
        super().__init__()
        self.double()

    def forward(self, x: Tensor) -> Any:
        return self.layers(x.double())


class Single(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x.float())


class Counting(Net):
    """Counts its calls in a buffer, and in another one that it replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Any:
        self.calls += 1
        self.seen = self.seen + len(x)
        return self.layers(x)


class Noisy(Net):
    """Has a training flag of its own, and a part that has one."""

    def __init__(self) -> None:
        super().__init__()
        self.noisy, self.part = True, Part()

    def train(self, mode: bool = True) -> "Noisy":
        super().train(mode)
        self.noisy = mode
        return self

    def forward(self, x: Tensor) -> Any:
        assert not self.noisy
        assert not self.part.noisy
        return self.layers(x)


class Part(nn.Module):
    noisy = True

    def train(self, mode: bool = True) -> "Part":
        super().train(mode)
        self.noisy = mode
        return self


class Gap(Net):
    """Undefined outside of the images' range."""

    def forward(self, x: Tensor) -> Any:
        outside = ((x - 0.5).abs() > 0.5).flatten(1).any(1)
        return torch.where(outside[:, None], torch.nan, self.layers(x))


class Viewing(Net):
    """Fails on an empty batch, as `view` does with a size left open."""

    def forward(self, x: Tensor) -> Any:
        return self.layers(x.view(x.size(0), -1))


class Undefined(Net):
    def forward(self, x: Tensor) -> Any:
        return self.layers(x) * torch.nan


class Scaled(Net):
    scale = 1.0

    def forward(self, x: Tensor) -> Any:
        return self.scale * self.layers(x)


FREE = (RandomNoise, VirtualAdversarial)
"""Attacks that are given no labels."""


UNSEEN = (FGSM, Feature, RandomNoise, Rubbish, VirtualAdversarial)
"""Attacks that do not look at what the model says of their result."""


each = pytest.mark.parametrize("name", ATTACKS)


gradient = pytest.mark.parametrize("name", [n for n, c in ATTACKS.items() if c.gradient])


labeled = pytest.mark.parametrize(
    "name", [n for n, c in ATTACKS.items() if c.receives != "guide_images" and c.make not in FREE]
)


def made(kind: Callable[[], Any]) -> Any:
    """A network of a kind, with the same parameters every time."""
    model = kind()
    torch.manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape) / 3)
    return model.eval()


def given(case: Case, images: Tensor) -> Tensor:
    """What the attack is given beside the images: mostly classified as labeled, some not."""
    with torch.no_grad():
        said = made(Net)(images.float()).argmax(1)
    labels = torch.where(torch.arange(len(images)) % 5 == 4, (said + 1) % CLASSES, said)
    return case.beside(images, labels, CLASSES)


def one_line(error: pytest.ExceptionInfo[AdvxError], word: str) -> None:
    assert word in str(error.value)
    assert "\n" not in str(error.value)


class Apply(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)
