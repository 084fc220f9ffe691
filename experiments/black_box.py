"""The black-box attack of section 1.2.1: a target that only answers with classes.

    advx run experiment=black_box                  # digits that ship with a package
    advx run experiment=black_box scale=chapter    # MNIST

The procedure of Papernot et al. 2016a: the attacker has a few digits of their own and asks the
target for their classes; trains a small substitute network on the answers; moves the digits along
its slope and asks about those too, again and again; crafts on the substitute in one step; and shows
the result to the target. Targets are networks, nearest neighbor and scikit-learn's models. Beside
each: noise of the same size, and the same attack by someone who has the target itself.
"""

from typing import Any

import torch

from advx.attacks.substitute import SubstituteTraining
from advx.config.build import build
from advx.config.build import target as class_of
from advx.errors import ConfigError
from advx.evaluation.oracle import LabelOracle
from advx.evaluation.transfer import craft, error_rate, predictions
from advx.evaluation.undefined import answered
from advx.figures.curves import Curve, Panel, error_figure
from advx.models.base import is_differentiable
from advx.run import Run
from advx.training.obtain import Recipe
from advx.types import NonNegative, PositiveInt


def main(
    run: Run,
    models: dict[str, Any],
    trainers: dict[str, Any],
    substitute: dict[str, Any],
    training: dict[str, Any],
    fgsm: dict[str, Any],
    noise: dict[str, Any],
    own_digits: PositiveInt,
    epsilons: list[NonNegative],
    curve_epsilon: NonNegative,
    examples: PositiveInt,
    variants: dict[str, dict[str, Any]],
    varied_target: str,
) -> None:
    """Every target's error after every round of questions.

    Args:
        run: the run to measure on.
        models: the targets, by name.
        trainers: trainers of those that have one of their own.
        substitute: the substitute network's node.
        training: the node of `SubstituteTraining`.
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
    if curve_epsilon not in epsilons:
        raise ConfigError(f"curve_epsilon={curve_epsilon}: not in epsilons; valid: {epsilons}")
    most = max([own_digits, *(v.get("own_digits", 0) for v in variants.values())])
    if most > len(run.data.validation):
        raise ConfigError(
            f"own_digits={most}: dataset={run.data.name} has {len(run.data.validation):,} "
            "validation examples; valid: at most so many"
        )
    examples = min(examples, len(run.data.test))
    settings = {"own_digits": own_digits, "substitute": substitute, "training": training}
    curves: dict[str, list[list[float]]] = {}
    with run.progress(models=len(models) * len(run.seeds)):
        for seed in run.seeds:
            for name in models:
                own = {"trainer": trainers[name]} if name in trainers else {}
                target = run.recipe(name, seed, **own)
                known = {"seed": seed, "n": examples}
                clean = run.error_rate(target, examples=examples)
                run.record(name, "clean_error_rate", clean, **known)
                rounds = asked(run, target, seed, settings, fgsm, epsilons, curve_epsilon, examples)
                report(run, name, rounds, known)
                white_box = is_differentiable(class_of(models[name]))
                for epsilon in epsilons:
                    size = {"epsilon": epsilon}
                    rate = run.error_rate(target, noise | size, examples=examples)
                    run.record(name, f"noise_error_rate@{epsilon:g}", rate, **known)
                    if white_box:
                        rate = run.error_rate(target, fgsm | size, examples=examples)
                        run.record(name, f"white_box_error_rate@{epsilon:g}", rate, **known)
                if seed == run.seeds[0]:
                    curves[name] = curve(rounds, curve_epsilon)
                if name == varied_target:
                    for variant, change in variants.items():
                        changed = altered(settings, change)
                        rounds = asked(
                            run, target, seed, changed, fgsm, epsilons, curve_epsilon, examples
                        )
                        report(run, f"{name}, {variant.replace('_', ' ')}", rounds, known)
    draw(run, curves, curve_epsilon)
    run.finish()


def altered(settings: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The settings with a variant's own digits and substitute, and its changes of the training."""
    own = {key: change[key] for key in ("own_digits", "substitute") if key in change}
    training = {key: value for key, value in change.items() if key not in own}
    return settings | own | {"training": settings["training"] | training}


def asked(
    run: Run,
    target: Recipe,
    seed: int,
    settings: dict[str, Any],
    fgsm: dict[str, Any],
    epsilons: list[float],
    curve_epsilon: float,
    examples: int,
) -> list[dict[str, float]]:
    """What the target's answers are good for after every round of questions; kept.

    Returns:
        For every round the number of queries; in percent of the test examples those that the
        substitute gives another class than the target, and the target's errors on the examples
        crafted on the substitute, at `curve_epsilon` and after the last round at every size.
    """

    def measure() -> list[dict[str, float]]:
        module, clean = run.trained(target).module, run.tested(examples)
        said = predictions(module, clean.images)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build(settings["substitute"]).to(run.device)
            validation = run.data.validation
            mine = torch.randperm(len(validation))[: settings["own_digits"]]
        training: SubstituteTraining = build(settings["training"])
        oracle = LabelOracle(module)
        found = []
        images = validation.take(mine).images
        for number, _ in enumerate(training.train(network, oracle, images, seed)):
            answers = predictions(network, clean.images)
            agreed = answered(network, answers) & answered(module, said)
            other = 100 * (answers != said)[agreed].double().mean().item()
            result = {"queries": float(oracle.queries), "disagreement": other}
            for epsilon in epsilons if number == training.rounds else [curve_epsilon]:
                moved = craft(build(fgsm | {"epsilon": epsilon}), network, clean)
                result[f"error_rate@{epsilon:g}"] = error_rate(module, moved)
            found.append(result)
        return found

    content = {"models": [run.key(target)], "attack": fgsm, "of": "black box", "seed": seed,
               "epsilons": epsilons, "curve_epsilon": curve_epsilon, **settings}  # fmt: skip
    return run.measured(content, measure, examples, missing=[])


def report(run: Run, row: str, rounds: list[dict[str, float]], known: dict[str, int]) -> None:
    """The last round under the target's name, the ones before under their number of queries."""
    for number, result in enumerate(rounds):
        here = row if number == len(rounds) - 1 else f"{row} after {result['queries']:.0f} queries"
        for metric, value in result.items():
            unit = "queries" if metric == "queries" else "percent"
            run.record(here, metric, value, unit=unit, **known)


def curve(rounds: list[dict[str, float]], epsilon: float) -> list[list[float]]:
    """Queries, the target's errors and the substitute's disagreement, one number a round."""
    metrics = ("queries", f"error_rate@{epsilon:g}", "disagreement")
    return [[result[metric] for result in rounds] for metric in metrics]


def draw(run: Run, curves: dict[str, list[list[float]]], epsilon: float) -> None:
    """Both against the number of queries, with the first seed."""
    panels = []
    titles = {1: f"the target's error, crafted on the substitute, ε = {epsilon:g}",
              2: "the substitute's disagreement with the target"}  # fmt: skip
    for which, title in titles.items():
        drawn = [Curve(name, values[0], values[which], index, index // 7)
                 for index, (name, values) in enumerate(curves.items())]  # fmt: skip
        panels.append(
            Panel(title, drawn, axis="queries", logarithmic=True, height="test examples (%)")
        )
    error_figure(run.folder, "black_box", panels, title=run.heading())
