"""The trained defenses under other people's attacks: do ours miss anything?

    advx run experiment=independent_attacks                  # 5,000 digits that need no download
    advx run experiment=independent_attacks scale=chapter

The same networks as `experiment=defenses`, attacked by `strongest`, by foolbox's PGD and by
torchattacks' AutoAttack (Croce and Hein 2020), all with the same ε and images kept in [0, 1].
Another library's attack joins them by its name:

    advx run experiment=independent_attacks +attack@libraries.deepfool=foreign \\
        libraries.deepfool.call=foolbox.attacks:LinfDeepFoolAttack

`theirs_minus_ours` is a difference of error rates; `missed` is the share of the examples that a
library breaks and `strongest` does not. Needs the optional packages: pip install "advx[oracles]".
"""

import importlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

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
from advx.types import PositiveInt, Sizes


def cells(
    defenses: dict[str, Config],
    epsilons: list[float],
    foolbox_steps: int,
    autoattack: bool,
    libraries: dict[str, Config] | None = None,
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    attacks = ["strongest", *others(foolbox_steps, autoattack), *(libraries or {})]
    metrics = [*(RATE.format(who) for who in attacks), "theirs_minus_ours", "missed"]
    yield Cells([*defenses], metrics, epsilons)


def others(foolbox_steps: int, autoattack: bool) -> dict[str, Config]:
    """The libraries' attacks, by name.

    Args:
        foolbox_steps: of foolbox's PGD, on the cross-entropy from a random start; they are of one
            size, and 2.5 radii long together.
        autoattack: whether AutoAttack is among them, the standard version, which has its own steps.
    """
    steps = {"steps": foolbox_steps, "rel_stepsize": 2.5 / foolbox_steps}
    attacks = {"foolbox_pgd": foreign("foolbox.attacks:LinfPGD", **steps)}
    return attacks | ({"autoattack": foreign("torchattacks:AutoAttack")} if autoattack else {})


def foreign(call: str, **arguments: float) -> Config:
    """Another library's attack."""
    return Config(
        {"_target_": "advx.attacks.foreign.Foreign", "call": call, "arguments": arguments}
    )


RATE = "{}_error_rate"
"""The metric of an attack."""


def main(
    run: Run,
    models: dict[str, Config],
    defenses: dict[str, Config],
    autoencoder_trainer: Config,
    strongest: Config,
    epsilons: Sizes,
    examples: PositiveInt,
    foolbox_steps: PositiveInt,
    autoattack: bool,
    libraries: dict[str, Config] | None = None,
) -> None:
    """Error rates of every defense under each library's attack.

    Args:
        run: the run to measure on.
        models: the one network, by name.
        defenses: the defenses attacked, by name.
        autoencoder_trainer: the trainer of `denoising_autoencoder`.
        strongest: our attack's node, clipped to [0, 1].
        epsilons: sizes of the perturbation, in the max norm.
        examples: test examples attacked.
        foolbox_steps: gradient steps of foolbox's PGD.
        autoattack: whether to run AutoAttack too, which takes most of the time.
        libraries: further attacks to compare with, by name.
    """
    refuse(strongest)
    (name,) = models
    examples = min(examples, len(run.data.test))
    trainers = {"denoising_autoencoder": autoencoder_trainer}
    networks = {
        (row, seed): run.model(name, seed, defense=defense, trainer=trainers.get(row))
        for seed in run.seeds
        for row, defense in defenses.items()
    }
    attacks = {"strongest": strongest, **others(foolbox_steps, autoattack), **(libraries or {})}
    trainings = sum(1 + len(dependencies(network.recipe)) for network in networks.values())
    with run.progress(models=trainings):
        for (row, seed), network in networks.items():
            clean = run.test(examples)
            for epsilon in epsilons:
                results = {
                    who: run.measure(
                        misclassified,
                        network,
                        run.attack(attack.with_(epsilon=epsilon), network),
                        clean,
                        epsilon=epsilon,
                    )
                    for who, attack in attacks.items()
                }
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
        The places; of no examples where the attack leaves the ball, as a point outside of it proves
        nothing (`Foreign` gives back the original images instead).
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
