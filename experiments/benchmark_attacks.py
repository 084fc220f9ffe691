"""How fast the attacks are beside other libraries': same network, digits and parameters, one run.

    pip install -r requirements-peers.txt
    advx run experiment=benchmark_attacks                  # digits that ship with a package
    advx run experiment=benchmark_attacks scale=chapter    # MNIST

Every library attacks the same trained network, in the same batches; what it reaches stands beside
the time, so that nobody wins by doing less. Times are ratios of neighbouring measurements; the
seconds are in `timing.csv`. Unlike other experiments', these results are not the same twice.
Afterwards every attack's peak memory on 10,000 images, in a process of its own.
"""

import importlib.util
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from advx.attacks import norms
from advx.attacks.gradient import evaluating
from advx.attacks.own import as_attack
from advx.config.build import build
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.benchmark import peak_memory, seconds_of
from advx.evaluation.transfer import BATCH, craft, predictions
from advx.run import Run
from advx.types import PositiveInt

log = logging.getLogger(__name__)

Contender = Callable[[nn.Module, Tensor, Tensor], Tensor]

TARGETED = ("jsma", "lbfgs")
"""Contests in which the label given is the class to be reached: the one after the true one."""


def main(
    run: Run,
    models: dict[str, Any],
    attacks: dict[str, Any],
    examples: dict[str, PositiveInt],
    repeats: PositiveInt,
    memory_attacks: dict[str, Any],
    memory_images: PositiveInt,
) -> None:
    """One contest an attack, then the memory of all.

    Args:
        run: the run to measure on.
        models: the bag with the one network.
        attacks: ours: `fgsm`, `pgd`, `pgd_stopping`, `deepfool`, `jsma`, `lbfgs`.
        examples: test digits in each contest.
        repeats: timings of every contender, in turns; one row each.
        memory_attacks: the attacks whose peak memory is measured.
        memory_images: images of noise that they are given.
    """
    (name,) = models
    for contest in attacks:
        if contest not in PEERS or contest not in examples:
            raise ConfigError(
                f"attacks.{contest}: no such contest, or no examples.{contest}; "
                f"valid: {', '.join(PEERS)}"
            )
    installed = [p for p in ("foolbox", "torchattacks", "art") if importlib.util.find_spec(p)]
    if not installed:
        raise ConfigError(
            "experiment=benchmark_attacks: none of foolbox, torchattacks, "
            "adversarial-robustness-toolbox is installed; pip install -r requirements-peers.txt"
        )
    if len(installed) < 3:
        log.warning("only %s installed: the others stay out", ", ".join(installed))
    with run.progress(models=1):
        network = run.trained(run.recipe(name, run.seeds[0])).module
    for contest, node in attacks.items():
        contend(run, network, contest, node, examples[contest], repeats, installed)
    for attack, node in memory_attacks.items():
        network_node = run.config["models"][name]
        peak, _ = peak_memory(attack_noise, node, network_node, run.data.input_shape, memory_images)
        run.record(f"{attack}, {memory_images} images", "peak_memory", peak, seed=None, unit="MiB")
    run.finish()


def contend(
    run: Run,
    network: nn.Module,
    contest: str,
    node: dict[str, Any],
    examples: int,
    repeats: int,
    installed: list[str],
) -> None:
    """Time every contender in turns, and measure what each reaches."""
    clean, aims = digits(run, contest, examples)
    ours = build(node)
    contenders: dict[str, Contender] = {"advx": ours} | {
        library: peer(node)
        for library, peer in PEERS[contest].items()
        if library in (*installed, "plain loop", "scipy")
    }
    for attack in contenders.values():  # what only a first call costs is not timed
        with evaluating(network):
            attack(network, clean.images[:2], aims[:2])
    found: dict[str, Tensor] = {}

    def attacked(library: str) -> None:
        found[library] = in_batches(contenders[library], network, clean, aims)

    for repeat in range(repeats):
        spent = {}
        for library in contenders:
            log.info("%s: %s, %d of %d", contest, library, repeat + 1, repeats)
            with run.timed(contest, library), evaluating(network):
                spent[library] = seconds_of(lambda library=library: attacked(library), run.device)
        for library, seconds in spent.items():
            if library != "advx":
                run.record(f"{contest}: {library}", "time_over_advx", seconds / spent["advx"],
                           seed=repeat, unit="ratio")  # fmt: skip
        run.record(f"{contest}: advx", "per_second", len(clean) / spent["advx"], seed=repeat,
                   unit="examples")  # fmt: skip
    for library, images in found.items():
        reached(run, f"{contest}: {library}", network, clean, aims, images, contest in TARGETED)


def reached(
    run: Run, row: str, network: nn.Module, clean: Split, aims: Tensor, images: Tensor,
    targeted: bool,
) -> None:  # fmt: skip
    """The contender's success, and the mean size of what it succeeded with."""
    known = {"seed": None, "n": len(clean)}
    said = predictions(network, images)
    won = said == aims if targeted else said != clean.labels
    run.record(row, "success_rate", 100 * won.double().mean().item(), **known)
    if not won.any():
        return  # no success has no size
    away = images - clean.images
    for norm in ("l2", "linf"):
        size = norms.length(away, norm)[won].double().mean().item()
        run.record(row, f"mean_{norm}", size, unit=f"{norm} norm", **known)
    changed = 100 * (away.abs() > 1e-6).flatten(1)[won].double().mean().item()
    run.record(row, "mean_l0", changed, unit="percent of pixels", **known)


def digits(run: Run, contest: str, examples: int) -> tuple[Split, Tensor]:
    """The contest's digits, and the labels that its attacks are given.

    torchattacks' JSMA aims at the label plus 1, so the last class is left out for everybody.
    """
    clean = run.data.test
    if contest in TARGETED:
        clean = clean.take((clean.labels < run.data.classes - 1).nonzero().squeeze(1))
    clean = clean.take(clean.spaced(examples))
    return clean, clean.labels + 1 if contest in TARGETED else clean.labels


def in_batches(attack: Contender, network: nn.Module, clean: Split, aims: Tensor) -> Tensor:
    """The attack's images for all digits, as many at once for every library."""
    parts = zip(clean.images.split(BATCH), aims.split(BATCH), strict=True)
    return torch.cat([attack(network, x, y) for x, y in parts])


def attack_noise(
    node: dict[str, Any], network: dict[str, Any], shape: tuple[int, ...], count: int
) -> None:
    """The attack on a fresh network and images of noise: memory does not depend on them."""
    model, attack = build(network).eval(), as_attack(build(node))
    images = torch.rand(count, *shape)
    labels = model(images[:BATCH]).argmax(1).repeat(-(-count // BATCH))[:count]
    others = {"guide_images": images.flip(0), "target_classes": (labels + 1) % 10}
    craft(attack, model, Split(images, labels), others.get(attack.receives))


def foolbox_attack(make: Callable[[Any], Any], epsilon: float | None = None) -> Contender:
    """A foolbox attack, made once its package is there, on its own wrapping of the network."""

    def attack(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        import foolbox

        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=x.device)
        return make(foolbox.attacks)(wrapped, x, y, epsilons=epsilon)[1]

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
            model, nn.CrossEntropyLoss(), tuple(x.shape[1:]), classes, clip_values=(0.0, 1.0),
            device_type="gpu" if x.is_cuda else "cpu",
        )  # fmt: skip
        labels = F.one_hot(y, classes).cpu().numpy() if targeted else y.cpu().numpy()
        found = make(evasion, wrapped, len(x)).generate(x.cpu().numpy(), labels)
        return torch.from_numpy(np.asarray(found)).to(x)

    return attack


def from_true_labels(attack: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """torchattacks' JSMA is given the true label and aims at the one after it."""
    return lambda x, aims: attack(x, aims - 1)


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


def one_at_a_time(node: dict[str, Any]) -> Contender:
    """The same search over λ with SciPy's L-BFGS-B, image by image."""

    def attack(model: nn.Module, images: Tensor, aims: Tensor) -> Tensor:
        return torch.stack(
            [smallest_with_scipy(model, x, t, node) for x, t in zip(images, aims, strict=True)]
        )

    return attack


def smallest_with_scipy(
    model: nn.Module, image: Tensor, aim: Tensor, node: dict[str, Any]
) -> Tensor:
    """The nearest point that the model gives the class `aim`; the image where none is found."""
    x, label = image.flatten().double(), aim.view(1)
    weight, works, fails = node["weight"], 0.0, np.inf
    from scipy import optimize

    best, nearest = image, np.inf

    def cost(point: np.ndarray) -> tuple[float, np.ndarray]:
        z = torch.tensor(point, dtype=image.dtype, requires_grad=True)
        distance = (z - x.to(image.dtype)).square().sum()
        value = F.cross_entropy(model(z.view(1, *image.shape)), label) + weight * distance
        (slope,) = torch.autograd.grad(value, z)
        return value.item(), slope.double().numpy()

    options = {"maxfun": node["evaluations"], "maxcor": node["history"]}
    for _ in range(node["searches"]):
        end = optimize.minimize(
            cost, x.numpy(), jac=True, method="L-BFGS-B", bounds=[node["clip"]] * len(x),
            options=options,
        )  # fmt: skip
        found = torch.tensor(end.x, dtype=image.dtype).view_as(image)
        if model(found[None]).argmax(1).item() == aim.item():
            works = weight
            distance = (found - image).norm().item()
            best, nearest = (found, distance) if distance < nearest else (best, nearest)
        else:
            fails = weight
        weight = weight * 10 if fails == np.inf else weight / 10
        weight = weight if fails == np.inf or works == 0 else (works * fails) ** 0.5
    return best


PEERS: dict[str, dict[str, Callable[[dict[str, Any]], Contender]]] = {
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
"""Who contends, by contest: functions of our attack's node, for equal parameters."""
