"""Cross-model and cross-dataset generalization, section 1.2.1: does another training set help?

    advx run experiment=cross_dataset                  # digits that ship with a package
    advx run experiment=cross_dataset scale=chapter    # MNIST

The procedure of Szegedy et al. 2014b: split the training set into two disjoint halves; craft on the
maxout network of the first; show the examples to networks of the same and of other architectures,
trained on the first half and on the second. The targets start from another seed, so that the same
architecture on the same half is another network too. Examples are crafted in one step, and, as by
the authors, by L-BFGS and then stretched to one length; noise of that length stands beside them.
"""

from collections.abc import Iterator
from functools import partial

from torch import Tensor, nn

from advx.attacks import norms
from advx.config.cells import Cell, Cells
from advx.config.config import Config
from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import error_rate
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Panel
from advx.figures.style import ADVERSARIAL, NEUTRAL, OURS, called, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.model import Model
from advx.training.recipe import DataPart
from advx.types import Positive, PositiveInt, SizesFromZero

HALVES: tuple[DataPart, DataPart] = ("first half", "second half")

ITSELF, SHOWN = "{} -> itself", "{} -> {}, {}"
"""Rows: of the crafting network; of another architecture trained on a half."""

STRETCHED = ("stretched_error_rate", "noise_error_rate")
"""Under L-BFGS and under noise."""

DRAWN = {HALVES[0]: ("same half", OURS), HALVES[1]: ("other half", ADVERSARIAL)}
"""The halves in the figure: what they are to the crafting network, and their color."""


def cells(models: dict[str, Config], crafting: str, epsilons: list[float]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    shown = [SHOWN.format(crafting, name, half) for name in models for half in HALVES]
    every = [ITSELF.format(crafting), *shown]
    yield Cells(every, ["clean_error_rate"])
    yield Cells(every, ["error_rate"], epsilons)
    yield Cells(shown, STRETCHED)


def main(
    run: Run,
    models: dict[str, Config],
    crafting: str,
    fgsm: Config,
    epsilons: SizesFromZero,
    lbfgs: Config,
    noise: Config,
    stretched_to: Positive,
    examples: PositiveInt,
) -> None:
    """Error of every architecture, trained on either half, on examples crafted on the first.

    Args:
        run: the run to measure on.
        models: the crafting model and the others, by name.
        crafting: the name of the model that the examples are crafted on.
        fgsm: the fast gradient sign method.
        epsilons: its sizes.
        lbfgs: the attack whose perturbations are stretched.
        noise: the control, in the L2 norm.
        stretched_to: L2 length of the stretched perturbations and of the noise.
        examples: test examples that L-BFGS is run on.
    """
    with run.progress(models=(1 + 2 * len(models)) * len(run.seeds)):
        for seed in run.seeds:
            source = run.model(crafting, seed, part=HALVES[0])
            targets = {
                SHOWN.format(crafting, name, half): run.model(name, seed + 1, part=half)
                for name in models
                for half in HALVES
            }
            one_step(run, source, {ITSELF.format(crafting): source} | targets, fgsm, epsilons)
            for metric, attack in zip(STRETCHED, (lbfgs, noise), strict=True):
                adversarial = run.craft(attack, source, examples)
                clean = run.test(examples)
                for row, target in targets.items():
                    rate = run.measure(
                        stretched_error_rate, target, clean, adversarial, stretched_to
                    )
                    run.table.add(row, {metric: rate}, seed=seed, n=len(clean))
    draw(run, list(models), crafting, epsilons)
    run.finish()


def one_step(
    run: Run, source: Model, targets: dict[str, Model], fgsm: Config, epsilons: list[float]
) -> None:
    """Errors of the targets, by row, on clean digits and on those crafted on the source."""
    add = partial(run.table.add, seed=source.seed, n=len(run.test()))
    for row, target in targets.items():
        add(row, clean_error_rate=run.measure(error_rate, target, run.test()))
    for epsilon in epsilons:
        adversarial = run.craft(fgsm.with_(epsilon=epsilon), source)
        for row, target in targets.items():
            add(row, error_rate=run.measure(error_rate, target, adversarial), epsilon=epsilon)


@measurement(version=1)
def stretched_error_rate(
    model: nn.Module, clean: Split, adversarial: Split, length: float
) -> float:
    """A model's error on perturbations that were brought to one length, in percent.

    An example that the attack gave up, or left because it is wrong already, is not moved.

    Args:
        model: that predicts.
        clean: examples.
        adversarial: the same after an attack.
        length: of every perturbation, in the L2 norm.
    """
    moves = brought_to(adversarial.images - clean.images, length)
    return error_rate(model, Split(clean.images + moves, clean.labels))


def brought_to(perturbation: Tensor, length: float) -> Tensor:
    """Perturbations (n, *shape) of this length in the L2 norm; one that is zero stays."""
    before = norms.length(perturbation, "l2")
    factor = length / before.where(before > 0, 1)
    return perturbation * factor.view(-1, *[1] * (perturbation.dim() - 1))


def draw(run: Run, models: list[str], crafting: str, epsilons: list[float]) -> None:
    """Error against ε of every architecture, trained on either half.

    Args:
        run: the run, with its numbers.
        models: the architectures.
        crafting: that of the network that the examples were crafted on, on the first half.
        epsilons: sizes of the perturbation; 0, the clean error, is added.
    """
    results = run.numbers()

    def drawn(panel: Panel, row: str, label: str, color: str, dash: int, named: bool) -> None:
        points = [Cell(row, "clean_error_rate"), *(Cell(row, "error_rate", e) for e in epsilons)]
        values = results.over_seeds(points)
        panel.curves.append(Curve(label, [0.0, *epsilons], values, color, dash, named=named))
        panel.basis = results.basis(points)

    panels: list[Panel] = []
    for name in models:
        panel = Panel(called(name), names="inside", y="" if panels else "error rate (%)")
        if name == crafting:
            drawn(panel, ITSELF.format(crafting), "itself", NEUTRAL, 2, True)
        for dash, (half, (label, color)) in enumerate(DRAWN.items()):
            named = name != crafting or len(models) == 1  # one name more has no room there
            drawn(panel, SHOWN.format(crafting, name, half), label, color, dash, named)
        panels.append(panel)
    strips = [Strip(panels[k : k + 4], 1.9) for k in range(0, len(panels), 4)]
    curve_figure(
        run.folder,
        "cross_dataset",
        strips,
        finding=finding(results, models, crafting, max(epsilons)),
        provenance=run.heading(),
    )


def finding(results: Numbers, models: list[str], crafting: str, epsilon: float) -> str:
    """How networks of either half fare, in one sentence."""
    rates = [
        [results.mean(SHOWN.format(crafting, name, half), "error_rate", epsilon) for name in models]
        for half in HALVES
    ]
    ranges = [f"{percentage(min(each))} to {percentage(max(each))}" for each in rates]
    return (
        f"Networks trained on the {HALVES[1]} err on {ranges[1]} of the examples (ε = "
        f"{size(epsilon)}) that were crafted on the {HALVES[0]}, others of that half on {ranges[0]}"
    )
