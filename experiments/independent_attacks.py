"""The trained defenses under other people's attacks: do ours miss anything?

    advx run experiment=independent_attacks                  # 5,000 digits that need no download
    advx run experiment=independent_attacks scale=chapter

The same networks as `experiment=defenses`, attacked by `strongest`, by foolbox's PGD and by
torchattacks' AutoAttack (Croce and Hein 2020), all with the same ε and images kept in [0, 1].
`theirs_minus_ours` is a difference of error rates; `missed` is the share of the examples that a
library breaks and `strongest` does not. Needs the optional packages: pip install "advx[oracles]".
"""

import importlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.attacks.own import AnyAttack
from advx.config.cells import Cells
from advx.config.config import Config
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import craft, mistakes
from advx.run import Run
from advx.training.recipe import dependencies
from advx.types import Positive, PositiveInt


def cells(
    defenses: dict[str, Config],
    first_seed_defenses: dict[str, Config],
    epsilons: list[float],
    autoattack: bool,
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    attacks = ["strongest", *others(autoattack)]
    metrics = [*(RATE.format(who) for who in attacks), "theirs_minus_ours", "missed"]
    yield Cells([*defenses, *first_seed_defenses], metrics, epsilons)


def others(autoattack: bool) -> dict[str, Callable[..., AnyAttack]]:
    """The libraries' attacks, by name."""
    return {"foolbox_pgd": foolbox_pgd} | ({"autoattack": auto_attack} if autoattack else {})


RATE = "{}_error_rate"
"""The metric of an attack."""


def main(
    run: Run,
    models: dict[str, Config],
    defenses: dict[str, Config],
    first_seed_defenses: dict[str, Config],
    autoencoder_trainer: Config,
    strongest: Config,
    epsilons: list[Positive],
    examples: PositiveInt,
    foolbox_steps: PositiveInt,
    autoattack: bool,
) -> None:
    """Error rates of every defense under each library's attack.

    Args:
        run: the run to measure on.
        models: the one network, by name.
        defenses: the defenses attacked with every seed, by name.
        first_seed_defenses: those attacked with the first seed alone.
        autoencoder_trainer: the trainer of `denoising_autoencoder`.
        strongest: our attack's node, clipped to [0, 1].
        epsilons: sizes of the perturbation, in the max norm.
        examples: test examples attacked.
        foolbox_steps: gradient steps of foolbox's PGD.
        autoattack: whether to run AutoAttack too, which takes most of the time.
    """
    refuse(strongest)
    (name,) = models
    examples = min(examples, len(run.data.test))
    trainers = {"denoising_autoencoder": autoencoder_trainer}
    first = run.seeds[0]
    networks = {
        (row, seed): run.model(name, seed, defense=defense, trainer=trainers.get(row))
        for seed in run.seeds
        for row, defense in (defenses | (first_seed_defenses if seed == first else {})).items()
    }
    trainings = sum(1 + len(dependencies(network.recipe)) for network in networks.values())
    with run.progress(models=trainings):
        for (row, seed), network in networks.items():
            clean = run.test(examples)
            for epsilon in epsilons:
                ours = run.attack(strongest.with_(epsilon=epsilon), network)
                results = {
                    "strongest": run.measure(misclassified, network, ours, clean, epsilon=epsilon)
                }
                for library, attack in others(autoattack).items():
                    search = run.derive(attack, epsilon=epsilon, steps=foolbox_steps)
                    results[library] = run.measure(
                        misclassified, network, search, clean, epsilon=epsilon
                    )
                compare(run, row, epsilon, seed, examples, results)
    run.finish()


def refuse(strongest: Config) -> None:
    """Refuse a run without the libraries, or with an attack that they could not be compared with.

    Raises:
        ConfigError: one of the two.
    """
    for package in ("foolbox", "torchattacks"):
        try:
            importlib.import_module(package)
        except ImportError:
            raise ConfigError(
                f"experiment=independent_attacks: needs {package}, which is not installed; "
                'pip install "advx[oracles]"'
            ) from None
    if strongest.get("clip") != [0.0, 1.0]:
        raise ConfigError(
            f"strongest.clip={strongest.get('clip')}: the other libraries keep images in [0, 1]; "
            "valid: [0, 1]"
        )


def compare(
    run: Run, row: str, epsilon: float, seed: int, n: int, results: "dict[str, Misclassified]"
) -> None:
    """The rows of one network and size: each attack's error rate, and what ours misses."""
    rates = {who: percent(broken) for who, broken in results.items()}
    ours, *theirs = rates.values()
    worst = math.nan if any(map(math.isnan, theirs)) else max(theirs)
    by_attack = {RATE.format(who): rate for who, rate in rates.items()}
    run.table.add(row, by_attack, epsilon=epsilon, seed=seed, n=n)
    difference = worst - ours
    run.table.add(row, theirs_minus_ours=difference, epsilon=epsilon, seed=seed, unit="points")
    run.table.add(row, missed=missed(*results.values()), epsilon=epsilon, seed=seed, n=n)


@dataclass(frozen=True)
class Misclassified:
    """What an attack breaks.

    Attributes:
        places: of the examples that fall.
        of: examples that were given a class; 0 where nothing is known.
    """

    places: list[int]
    of: int


@measurement(version=1)
def misclassified(
    model: nn.Module, attack: AnyAttack, clean: Split, *, epsilon: float
) -> Misclassified:
    """The examples that an attack breaks on the network.

    Args:
        model: the network attacked.
        attack: from images and labels to adversarial images.
        clean: n examples.
        epsilon: the size that it must keep, in the max norm.

    Returns:
        The places; of no examples where the attack leaves the ball: a point outside of it proves
        nothing.
    """
    with evaluating(model):
        moved = craft(attack, model, clean)
    if (moved.images - clean.images).abs().max().item() > epsilon + 1e-6:
        return Misclassified([], 0)
    wrong, defined = mistakes(model, moved)
    return Misclassified(wrong.nonzero().squeeze(1).tolist(), int(defined.sum()))


def percent(results: Misclassified) -> float:
    """The error rate, in percent; NaN of no examples."""
    return 100 * len(results.places) / results.of if results.of > 0 else math.nan


def missed(ours: Misclassified, *theirs: Misclassified) -> float:
    """Percent of the examples that any of `theirs` breaks and `ours` does not; NaN of none."""
    if not all(results.of > 0 for results in (ours, *theirs)):
        return math.nan
    anyones = {place for results in theirs for place in results.places}
    return 100 * len(anyones - set(ours.places)) / ours.of


@measurement(version=1)
def foolbox_pgd(*, epsilon: float, steps: int) -> AnyAttack:
    """foolbox's projected gradient descent on the cross-entropy, random start."""
    import foolbox

    def attack(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        torch.manual_seed(0)
        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=x.device)
        search = foolbox.attacks.LinfPGD(steps=steps, rel_stepsize=2.5 / steps)
        return search(wrapped, x, y, epsilons=epsilon)[1]

    return attack


@measurement(version=1)
def auto_attack(*, epsilon: float, steps: int) -> AnyAttack:
    """torchattacks' AutoAttack, its standard version, which has its own numbers of steps."""
    import torchattacks

    def attack(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        classes = model(x[:1]).shape[1]
        return torchattacks.AutoAttack(model, eps=epsilon, n_classes=classes, seed=0)(x, y)

    return attack
