"""The black-box attack of section 1.2.1: a target that only answers with classes.

    advx run experiment=black_box                  # digits that ship with a package
    advx run experiment=black_box scale=chapter    # MNIST

The procedure of Papernot et al. 2016a: the attacker has a few digits of their own and asks the
target for their classes; trains a small substitute network on the answers; moves the digits along
its slope and asks about those too, again and again; crafts on the substitute in one step; and shows
the result to the target. Targets are networks, nearest neighbor and scikit-learn's models. Beside
each: noise of the same size, and the same attack by someone who has the target itself.
"""

from pathlib import Path
from typing import Any

import torch

from advx.attacks.substitute import SubstituteTraining
from advx.config.build import build
from advx.config.build import target as class_of
from advx.config.old_names import cell_of
from advx.errors import ConfigError
from advx.evaluation.oracle import LabelOracle
from advx.evaluation.transfer import craft, error_rate, predictions
from advx.evaluation.undefined import answered
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Panel
from advx.figures.style import ADVERSARIAL, CLEAN, NEUTRAL, OURS, SERIES, called, percentage, size
from advx.models.base import is_differentiable
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.obtain import Recipe
from advx.types import NonNegative, PositiveInt

IN_A_ROW = 4
"""Small panels of the figure."""

LEVELS = {
    "white_box_error_rate@{}": ("the target's\nown gradient", ADVERSARIAL, 1),
    "noise_error_rate@{}": ("noise", NEUTRAL, 2),
    "clean_error_rate": ("clean (ε = 0)", CLEAN, 3),
}
"""What the figure compares with: metric, what it is called, its color and its dash."""

SUBSTITUTES = ((OURS, 0), (SERIES[3], 3), (SERIES[5], 1))
"""Color and dash of the curves of different kinds of substitutes."""


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
                if name == varied_target:
                    for variant, change in variants.items():
                        changed = altered(settings, change)
                        rounds = asked(
                            run, target, seed, changed, fgsm, epsilons, curve_epsilon, examples
                        )
                        report(run, f"{name}, {variant.replace('_', ' ')}", rounds, known)
    kinds = {"": kind(substitute)} | {
        row.replace("_", " "): kind(change["substitute"]) if "substitute" in change else ""
        for row, change in variants.items()
    }
    draw(run.folder, Numbers(run.results.rows), list(models), varied_target, kinds, curve_epsilon,
         run.heading())  # fmt: skip
    run.finish()


def kind(substitute: dict[str, Any]) -> str:
    """What kind of network a node makes."""
    if "channels" in substitute:
        return "convolutional"
    return "fully connected" if "units" in substitute else called(substitute["name"])


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


def draw(
    folder: Path,
    found: Numbers,
    models: list[str],
    varied_target: str,
    kinds: dict[str, str],
    epsilon: float,
    provenance: str,
) -> None:
    """Every target's error against the number of queries, and what it is to be compared with.

    Args:
        folder: the run's.
        found: its numbers.
        models: the targets.
        varied_target: the one that the variants were tried on.
        kinds: by variant, "" for the usual way of asking: which kind of substitute, if it is
            another one.
        epsilon: size of the perturbation.
        provenance: what ran.
    """
    error = f"error_rate@{epsilon:g}"
    strips = []
    if varied_target in models:
        ways = {f"{varied_target}, {way}" if way else varied_target: kinds[way] for way in kinds}
        first = _panel(found, varied_target, error, every=2, x="queries")
        first.curves = [*_levels(found, varied_target, epsilon), *_ways(found, ways, error)]
        second = _panel(found, varied_target, error, every=2, x="queries", y="test examples (%)")
        second.curves = _ways(found, ways, "disagreement")
        second.title = "the substitute's disagreement with it"
        strips.append(Strip([first, second], 2.4))
        others = [way for way, other in kinds.items() if not other]
        provenance += f". Other ways of asking: {', '.join(others)}" if others else ""
    rest = [name for name in models if name != varied_target]
    for start in range(0, len(rest), IN_A_ROW):
        last = start + IN_A_ROW >= len(rest)
        row = []
        for name in rest[start : start + IN_A_ROW]:
            panel = _panel(found, name, error, every=3, x="queries" if last else "",
                           y="" if row else "error rate (%)", names="none")  # fmt: skip
            panel.curves = [_curve(found, name, error, "substitute", OURS, 0),
                            *_levels(found, name, epsilon)]  # fmt: skip
            row.append(panel)
        row[-1].names = "ends"
        strips.append(Strip(row, 1.5 if last else 1.3))
    target = varied_target if varied_target in models else models[0]
    curve_figure(folder, "black_box", strips, provenance=provenance,
                 finding=finding(found, target, kinds, error, epsilon))  # fmt: skip


def _asked(found: Numbers, row: str) -> list[str]:
    """A row's settings after every round of questions, in order."""
    rounds = [cell.setting for cell in found.cells if (cell.row, cell.metric) == (row, "queries")]
    return sorted(rounds, key=lambda setting: found.mean(row, "queries", setting=setting))


def _queries(found: Numbers, row: str) -> list[float]:
    """The numbers of queries after every round, in order."""
    return [found.mean(row, "queries", setting=setting) for setting in _asked(found, row)]


def _panel(found: Numbers, name: str, error: str, *, every: int, **look: Any) -> Panel:
    """An empty panel of a target; one round in `every` is named on the axis."""
    ticks = _queries(found, name)[::every]
    return Panel(called(name), basis=found.basis([(name, error)]), logarithmic="x",
                 ticks={f"{tick:,.0f}": tick for tick in ticks}, **look)  # fmt: skip


def _curve(
    found: Numbers, row: str, metric: str, label: str, color: str, dash: int, **look: Any
) -> Curve:
    """A number after every round of questions."""
    cells = [cell_of(row, metric, given=setting) for setting in _asked(found, row)]
    return Curve(label, _queries(found, row), found.over_seeds(cells), color, dash, **look)


def _levels(found: Numbers, name: str, epsilon: float) -> list[Curve]:
    """What a target's errors are to be compared with, as level lines."""
    queries = _queries(found, name)
    ends = [queries[0], queries[-1]] if queries else []
    made = []
    for metric, (label, color, dash) in LEVELS.items():
        cell = (name, metric.format(f"{epsilon:g}"))
        if cell in found:
            values = found.over_seeds([cell] * len(ends))
            made.append(Curve(label, ends, values, color, dash, points=False))
    return made


def _ways(found: Numbers, ways: dict[str, str], metric: str) -> list[Curve]:
    """One curve a way of asking; those with the usual substitute are gray, and named once."""
    made: list[Curve] = []
    grays = 0
    for row, kind_of in ways.items():
        if not _asked(found, row):
            continue
        if kind_of:
            color, dash = SUBSTITUTES[(len(made) - grays) % len(SUBSTITUTES)]
            made.append(_curve(found, row, metric, f"{kind_of}\nsubstitute", color, dash))
        else:
            label = row if grays else "other ways\nof asking"
            made.append(_curve(found, row, metric, label, NEUTRAL, 0, points=False,
                               named=not grays, width=0.8))  # fmt: skip
            grays += 1
    return made


def finding(found: Numbers, target: str, kinds: dict[str, str], error: str, epsilon: float) -> str:
    """What the target makes of every kind of substitute, and of noise."""
    parts: list[str] = []
    for way, other in kinds.items():
        cell = (f"{target}, {way}" if way else target, error)
        if other and cell in found:
            words = f"on a {other} one" if parts else f"when crafted on a {other} substitute"
            parts.append(f"{percentage(found.mean(*cell))} {words}")
    return (
        f"Examples of ε = {size(epsilon)} give the {called(target)} an error of "
        f"{', '.join(parts)}; noise gives {percentage(found.mean(target, f'noise_{error}'))}"
    )
