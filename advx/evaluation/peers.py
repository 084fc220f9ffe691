"""Other libraries' attacks in the form of ours, with equal parameters, for benchmarks."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advx.attacks.libraries import foolbox_images
from advx.config.config import Config

Contender = Callable[[nn.Module, Tensor, Tensor], Tensor]


def foolbox_attack(make: Callable[[Any], Any], epsilon: float | None = None) -> Contender:
    """A foolbox attack, made once its package is there, on its own wrapping of the network."""

    def attack(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        import foolbox

        made: Tensor = foolbox_images(make(foolbox.attacks), model, x, y, epsilon)
        return made

    return attack


def torchattacks_attack(make: Callable[[Any, nn.Module], Any]) -> Contender:
    """A torchattacks attack."""

    def attack(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        import torchattacks

        return make(torchattacks, model)(x, y)

    return attack


def art_attack(make: Callable[[Any, Any, int], Any], *, targeted: bool = False) -> Contender:
    """An attack of the adversarial-robustness-toolbox, from and to numpy as it wants them."""

    def attack(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        from art.attacks import evasion
        from art.estimators.classification import PyTorchClassifier

        logging.getLogger("art").setLevel(logging.WARNING)
        classes = model(x[:1]).shape[1]
        wrapped = PyTorchClassifier(
            model,
            nn.CrossEntropyLoss(),
            tuple(x.shape[1:]),
            classes,
            clip_values=(0.0, 1.0),
            device_type="gpu" if x.is_cuda else "cpu",
        )
        labels = F.one_hot(y, classes).cpu().numpy() if targeted else y.cpu().numpy()
        adversarial = make(evasion, wrapped, len(x)).generate(x.cpu().numpy(), labels)
        return torch.from_numpy(np.asarray(adversarial)).to(x)

    return attack


def from_true_labels(attack: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """torchattacks' JSMA is given the true label and aims at the one after it."""
    return lambda x, targets: attack(x, targets - 1)


def plain_loop(epsilon: float, size: float, steps: int) -> Contender:
    """The shortest PGD that can be written: what the network itself costs."""

    def attack(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        moved = (x + epsilon * (2 * torch.rand_like(x) - 1)).clamp(0, 1)
        for _ in range(steps):
            moved.requires_grad_(True)
            (slope,) = torch.autograd.grad(F.cross_entropy(model(moved), y, reduction="sum"), moved)
            moved = (moved.detach() + size * slope.sign()).clamp(x - epsilon, x + epsilon)
            moved = moved.clamp(0, 1)
        return moved

    return attack


def one_at_a_time(ours: Config) -> Contender:
    """The same search over λ with SciPy's L-BFGS-B, image by image."""

    def attack(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        return torch.stack(
            [smallest_with_scipy(model, x, t, ours) for x, t in zip(images, targets, strict=True)]
        )

    return attack


def smallest_with_scipy(model: nn.Module, image: Tensor, target: Tensor, ours: Config) -> Tensor:
    """The nearest point that the model gives the class `target`; the image where none is found."""
    x, label = image.flatten().double(), target.view(1)
    weight, works, fails = ours["weight"], 0.0, np.inf
    from scipy import optimize

    best, nearest = image, np.inf

    def cost(point: np.ndarray) -> tuple[float, np.ndarray]:
        z = torch.tensor(point, dtype=image.dtype, requires_grad=True)
        distance = (z - x.to(image.dtype)).square().sum()
        value = F.cross_entropy(model(z.view(1, *image.shape)), label) + weight * distance
        (slope,) = torch.autograd.grad(value, z)
        return value.item(), slope.double().numpy()

    options = {"maxfun": ours["evaluations"], "maxcor": ours["history"]}
    for _ in range(ours["searches"]):
        end = optimize.minimize(
            cost,
            x.numpy(),
            jac=True,
            method="L-BFGS-B",
            bounds=[ours["clip"]] * len(x),
            options=options,
        )
        candidate = torch.tensor(end.x, dtype=image.dtype).view_as(image)
        if model(candidate[None]).argmax(1).item() == target.item():
            works = weight
            distance = (candidate - image).norm().item()
            best, nearest = (candidate, distance) if distance < nearest else (best, nearest)
        else:
            fails = weight
        weight = weight * 10 if fails == np.inf else weight / 10
        weight = weight if fails == np.inf or works == 0 else (works * fails) ** 0.5
    return best


PEERS: dict[str, dict[str, Callable[[Config], Contender]]] = {
    "fgsm": {
        "foolbox": lambda ours: foolbox_attack(
            lambda kinds: kinds.LinfFastGradientAttack(), ours["epsilon"]
        ),
        "torchattacks": lambda ours: torchattacks_attack(
            lambda kinds, model: kinds.FGSM(model, eps=ours["epsilon"])
        ),
        "art": lambda ours: art_attack(
            lambda kinds, model, n: kinds.FastGradientMethod(
                model, eps=ours["epsilon"], batch_size=n
            )
        ),
    },
    "pgd": {
        "plain loop": lambda ours: plain_loop(ours["epsilon"], ours["step_size"], ours["steps"]),
        "foolbox": lambda ours: foolbox_attack(
            lambda kinds: kinds.LinfPGD(abs_stepsize=ours["step_size"], steps=ours["steps"]),
            ours["epsilon"],
        ),
        "torchattacks": lambda ours: torchattacks_attack(
            lambda kinds, model: kinds.PGD(
                model, eps=ours["epsilon"], alpha=ours["step_size"], steps=ours["steps"]
            )
        ),
        "art": lambda ours: art_attack(
            lambda kinds, model, n: kinds.ProjectedGradientDescentPyTorch(
                model,
                eps=ours["epsilon"],
                eps_step=ours["step_size"],
                max_iter=ours["steps"],
                num_random_init=1,
                batch_size=n,
                verbose=False,
            )
        ),
    },
    "pgd_stopping": {
        "plain loop": lambda ours: plain_loop(ours["epsilon"], ours["step_size"], ours["steps"]),
    },
    "deepfool": {
        "foolbox": lambda ours: foolbox_attack(
            lambda kinds: kinds.L2DeepFoolAttack(
                steps=ours["steps"], candidates=None, overshoot=0.02
            )
        ),
        "torchattacks": lambda ours: torchattacks_attack(
            lambda kinds, model: kinds.DeepFool(model, steps=ours["steps"], overshoot=0.02)
        ),
        "art": lambda ours: art_attack(
            lambda kinds, model, n: kinds.DeepFool(
                model,
                max_iter=ours["steps"],
                epsilon=0.02,
                nb_grads=10,
                batch_size=n,
                verbose=False,
            )
        ),
    },
    "jsma": {
        "torchattacks": lambda ours: torchattacks_attack(
            lambda kinds, model: from_true_labels(
                kinds.JSMA(model, theta=ours["theta"], gamma=ours["share"])
            )
        ),
        "art": lambda ours: art_attack(
            lambda kinds, model, n: kinds.SaliencyMapMethod(
                model, theta=ours["theta"], gamma=ours["share"], batch_size=n, verbose=False
            ),
            targeted=True,
        ),
    },
    "lbfgs": {"scipy": lambda ours: one_at_a_time(ours)},
}
"""Who contends, by contest: functions of our attack's configuration, for equal parameters."""
