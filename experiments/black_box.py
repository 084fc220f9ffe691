"""The black-box attack of section 1.2.1: a target that only answers with classes.

    advx run experiment=black_box                  # digits that ship with a package
    advx run experiment=black_box scale=chapter    # MNIST

The procedure of Papernot et al. 2016a: the attacker has a few digits of their own and asks the
target for their classes; trains a small substitute network on the answers; moves the digits along
its slope and asks about those too, again and again; crafts on the substitute in one step; and shows
the result to the target. Targets are networks, nearest neighbor and scikit-learn's models. Beside
each: noise of the same size, and the same attack by someone who has the target itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from advx.attacks.substitute import SubstituteTraining
from advx.config.cells import Cells, setting
from advx.config.config import Config
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.measurement import measurement
from advx.evaluation.oracle import LabelOracle
from advx.evaluation.transfer import craft, error_rate, predictions
from advx.evaluation.undefined import answered
from advx.figures.black_box import black_box_figure
from advx.figures.style import called
from advx.models.base import is_differentiable
from advx.run import Run
from advx.run.crafting import refuse_targeted
from advx.run.model import Model
from advx.types import NonNegative, PositiveInt, SizesFromZero


@dataclass(frozen=True)
class Attacker:
    """How someone who sees only the target's classes goes about it.

    Attributes:
        own_digits: first questions, from the validation set.
        substitute: the substitute network.
        training: of it, a `SubstituteTraining`.
    """

    own_digits: int
    substitute: Config
    training: Config

    def with_(self, change: Mapping[str, Any]) -> "Attacker":
        """The same with other digits or another substitute, and changes of the training."""
        own = {key: change[key] for key in ("own_digits", "substitute") if key in change}
        training = {key: value for key, value in change.items() if key not in own}
        return replace(self, **own, training=self.training.with_(**training))


def cells(
    models: dict[str, Config],
    training: Config,
    own_digits: int,
    epsilons: list[float],
    curve_epsilon: float,
    variants: dict[str, dict[str, Any]],
    varied_target: str,
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield Cells([*models], ["clean_error_rate"])
    yield Cells([*models], ["noise_error_rate"], epsilons)
    direct = [name for name, model in models.items() if is_differentiable(model.target)]
    yield Cells(direct, ["white_box_error_rate"], epsilons)
    usual = {"own_digits": own_digits, "rounds": training["rounds"]}
    asked = dict.fromkeys(models, usual)
    if varied_target in models:
        ways = {varied(varied_target, way): usual | change for way, change in variants.items()}
        asked |= ways
    for row, way in asked.items():
        before = [setting(queries=way["own_digits"] * 2**k) for k in range(way["rounds"])]
        yield Cells([row], ["queries", "disagreement"], settings=["", *before])
        yield Cells([row], ["error_rate"], epsilons)
        yield Cells([row], ["error_rate"], [curve_epsilon], before)


def varied(target: str, way: str) -> str:
    """The row of a target and another way of asking it."""
    return f"{target}, {way.replace('_', ' ')}"


def main(
    run: Run,
    models: dict[str, Config],
    trainers: dict[str, Config],
    substitute: Config,
    training: Config,
    fgsm: Config,
    noise: Config,
    own_digits: PositiveInt,
    epsilons: SizesFromZero,
    curve_epsilon: NonNegative,
    examples: PositiveInt,
    variants: dict[str, dict[str, Config | Any]],
    varied_target: str,
) -> None:
    """Every target's error after every round of questions.

    Args:
        run: the run to measure on.
        models: the targets, by name.
        trainers: trainers of those that have one of their own.
        substitute: the substitute network.
        training: of it, a `SubstituteTraining`.
        fgsm: the attack on the substitute.
        noise: the control of the same size.
        own_digits: the attacker's first questions, from the validation set.
        epsilons: sizes of the perturbation after the last round.
        curve_epsilon: the one among them that is measured after every round.
        examples: test examples that the targets are shown.
        variants: other ways of asking, by name: changes of `training`, or another `substitute` or
            number of `own_digits`.
        varied_target: the target that they are tried on.
    """
    refuse_targeted(fgsm, "fgsm")
    usual = Attacker(own_digits, substitute, training)
    ways = {way.replace("_", " "): usual.with_(change) for way, change in variants.items()}
    check(run, epsilons, curve_epsilon, [usual, *ways.values()])
    asked = partial(ask, run, fgsm=fgsm, epsilons=epsilons, curve_epsilon=curve_epsilon)
    with run.progress(models=len(models) * len(run.seeds)):
        for seed in run.seeds:
            for name in models:
                target, test = run.model(name, seed, trainer=trainers.get(name)), run.test(examples)
                clean = run.measure(error_rate, target, test)
                run.table.add(name, clean_error_rate=clean, seed=seed, n=len(test))
                asked(name, target, usual, test)
                compare(run, name, target, noise, fgsm, epsilons, examples)
                if name == varied_target:
                    for way, attacker in ways.items():
                        asked(varied(name, way), target, attacker, test)
    black_box_figure(
        run.folder,
        run.numbers(),
        list(models),
        varied_target=varied_target,
        kinds=kinds(usual, ways),
        epsilon=curve_epsilon,
        provenance=run.heading(),
    )
    run.finish()


def check(run: Run, epsilons: list[float], curve_epsilon: float, attackers: list[Attacker]) -> None:
    """Refuse a size that is not measured, and more digits than there are.

    Raises:
        ConfigError: the first of them.
    """
    if curve_epsilon not in epsilons:
        raise ConfigError(f"curve_epsilon={curve_epsilon}: not in epsilons; valid: {epsilons}")
    most = max(attacker.own_digits for attacker in attackers)
    if most > len(run.data.validation):
        raise ConfigError(
            f"own_digits={most}: dataset={run.data.name} has {len(run.data.validation):,} "
            "validation examples; valid: at most so many"
        )


def kinds(usual: Attacker, ways: dict[str, Attacker]) -> dict[str, str]:
    """What kind of substitute the usual way "" has, and every other way with another one."""
    others = {way: attacker.substitute for way, attacker in ways.items()}
    return {"": kind(usual.substitute)} | {
        way: "" if substitute == usual.substitute else kind(substitute)
        for way, substitute in others.items()
    }


def kind(substitute: Config) -> str:
    """What kind of network a substitute is."""
    if "channels" in substitute:
        return "convolutional"
    return "fully connected" if "units" in substitute else called(substitute["name"])


def ask(
    run: Run,
    row: str,
    target: Model,
    attacker: Attacker,
    test: Split,
    *,
    fgsm: Config,
    epsilons: list[float],
    curve_epsilon: float,
) -> None:
    """The last round without a setting, the ones before under their number of queries."""
    rounds = run.measure(
        rounds_of_questions,
        target,
        test,
        run.data.validation,
        own_digits=attacker.own_digits,
        substitute=attacker.substitute,
        training=attacker.training,
        attack=fgsm,
        epsilons=epsilons,
        curve_epsilon=curve_epsilon,
        seed=target.seed,
    )
    for number, results in enumerate(rounds):
        last = number == len(rounds) - 1
        under = "" if last else setting(queries=f"{results.queries:.0f}")
        add = partial(run.table.add, row, setting=under, seed=target.seed, n=len(test))
        add(queries=results.queries, disagreement=results.disagreement, unit={"queries": "queries"})
        for epsilon, rate in zip(results.epsilons, results.error_rates, strict=True):
            add(error_rate=rate, epsilon=epsilon)


@dataclass(frozen=True)
class Round:
    """What the target's answers are good for after a round of questions.

    Attributes:
        queries: images asked about so far.
        disagreement: percent of the test examples that the substitute gives another class than
            the target.
        epsilons: sizes of the perturbation.
        error_rates: the target's, in percent, on the examples crafted on the substitute with each.
    """

    queries: float
    disagreement: float
    epsilons: list[float]
    error_rates: list[float]


@measurement(version=1)
def rounds_of_questions(
    target: nn.Module,
    examples: Split,
    validation: Split,
    *,
    own_digits: int,
    substitute: Config,
    training: Config,
    attack: Config,
    epsilons: list[float],
    curve_epsilon: float,
    seed: int,
) -> list[Round]:
    """Learn the target from its answers, and try every round's substitute.

    Args:
        target: answers with classes.
        examples: that are attacked.
        validation: where the attacker's own digits come from.
        own_digits: how many they have.
        substitute: the network that learns.
        training: of it, a `SubstituteTraining`.
        attack: on the substitute.
        epsilons: its sizes after the last round.
        curve_epsilon: its size after the others.
        seed: decides the digits, the substitute's initial weights and the order of examples.

    Raises:
        ConfigError: too many of the logits are NaN.
    """
    classes = predictions(target, examples.images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = substitute.build().to(examples.images.device)
        images = validation.take(torch.randperm(len(validation))[:own_digits]).images
    learning: SubstituteTraining = training.build()
    oracle, rounds = LabelOracle(target), []
    for number, _ in enumerate(learning.train(network, oracle, images, seed)):
        answers = predictions(network, examples.images)
        known = answered(network, answers) & answered(target, classes)
        other = 100 * (answers != classes)[known].double().mean().item()
        sizes = epsilons if number == learning.rounds else [curve_epsilon]
        rates = [
            error_rate(target, craft(attack.with_(epsilon=size).build(), network, examples))
            for size in sizes
        ]
        rounds.append(Round(float(oracle.queries), other, sizes, rates))
    return rounds


def compare(
    run: Run,
    row: str,
    target: Model,
    noise: Config,
    fgsm: Config,
    epsilons: list[float],
    examples: int,
) -> None:
    """What noise reaches, and someone who has the target itself where it has a gradient."""
    attacks = {"noise": noise}
    if is_differentiable(target.config.target):
        attacks["white_box"] = fgsm
    for epsilon in epsilons:
        for name, attack in attacks.items():
            adversarial = run.craft(attack.with_(epsilon=epsilon), target, examples)
            run.table.add(
                row,
                {f"{name}_error_rate": run.measure(error_rate, target, adversarial)},
                epsilon=epsilon,
                seed=target.seed,
                n=len(run.test(examples)),
            )
