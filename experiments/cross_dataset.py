"""Cross-model and cross-dataset generalisation, section 1.2.1: does another training set help?

    advx run experiment=cross_dataset                  # digits that ship with a package
    advx run experiment=cross_dataset scale=chapter    # MNIST

The procedure of Szegedy et al. 2014b: split the training set into two disjoint halves; craft on the
maxout network of the first; show the examples to networks of the same and of other architectures,
trained on the first half and on the second. The targets start from another seed, so that the same
architecture on the same half is another network too. Examples are crafted in one step, and, as by
the authors, by L-BFGS and then stretched to one length; noise of that length stands beside them.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from advx.attacks import norms
from advx.data.dataset import Split
from advx.evaluation.transfer import error_rate
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Panel
from advx.figures.style import ADVERSARIAL, NEUTRAL, OURS, called, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.recipe import DataPart, Recipe
from advx.types import NonNegative, Positive, PositiveInt

HALVES: tuple[DataPart, DataPart] = ("first half", "second half")

DRAWN = {HALVES[0]: ("same half", OURS), HALVES[1]: ("other half", ADVERSARIAL)}
"""The halves in the figure: what they are to the crafting network, and their color."""


def main(
    run: Run,
    models: dict[str, Any],
    crafting: str,
    fgsm: dict[str, Any],
    epsilons: list[NonNegative],
    lbfgs: dict[str, Any],
    noise: dict[str, Any],
    stretched_to: Positive,
    examples: PositiveInt,
) -> None:
    """Error of every architecture, trained on either half, on examples crafted on the first.

    Args:
        run: the run to measure on.
        models: the crafting model and the others, by name.
        crafting: the name of the model that the examples are crafted on.
        fgsm: the fast gradient sign method's node.
        epsilons: its sizes.
        lbfgs: the attack whose perturbations are stretched.
        noise: the control, in the L2 norm.
        stretched_to: L2 length of the stretched perturbations and of the noise.
        examples: test examples that L-BFGS is run on.
    """
    n, few = len(run.data.test), min(examples, len(run.data.test))
    with run.progress(models=(1 + 2 * len(models)) * len(run.seeds)):
        for seed in run.seeds:
            source = replace(run.recipe(crafting, seed), part=HALVES[0])
            own = {epsilon: run.error_rate(source, fgsm | {"epsilon": epsilon})
                   for epsilon in epsilons}  # fmt: skip
            run.record(f"{crafting} -> itself", "clean_error_rate", run.error_rate(source),
                       seed=seed, n=n)  # fmt: skip
            for epsilon, rate in own.items():
                run.record(f"{crafting} -> itself", f"error_rate@{epsilon:g}", rate, seed=seed, n=n)
            victims = {f"{name}, {half}": replace(run.recipe(name, seed + 1), part=half)
                       for name in models for half in HALVES}  # fmt: skip
            for name, victim in victims.items():
                row = f"{crafting} -> {name}"
                run.record(row, "clean_error_rate", run.error_rate(victim), seed=seed, n=n)
            for epsilon in epsilons:  # every attack once for all of them
                node = fgsm | {"epsilon": epsilon}
                for name, victim in victims.items():
                    rate = run.error_rate(victim, node, crafting=source)
                    run.record(
                        f"{crafting} -> {name}", f"error_rate@{epsilon:g}", rate, seed=seed, n=n
                    )
            for metric, node in (("stretched_error_rate", lbfgs), ("noise_error_rate", noise)):
                for name, victim in victims.items():
                    rate = stretched(run, source, victim, node, stretched_to, examples)
                    run.record(f"{crafting} -> {name}", metric, rate, seed=seed, n=few)
    draw(run.folder, Numbers(run.results.rows), list(models), crafting, epsilons, run.heading())
    run.finish()


def stretched(
    run: Run, source: Recipe, victim: Recipe, node: dict[str, Any], size: float, examples: int
) -> float:
    """The victim's error on the attack's perturbations of the source, brought to one length; kept.

    An example that the attack gave up, or left because it is wrong already, is not moved.
    """

    def measure() -> float:
        clean = run.tested(examples)
        moved = run.crafted(node, source, examples).images
        images = clean.images + brought_to(moved - clean.images, size)
        return error_rate(run.trained(victim).module, Split(images, clean.labels))

    content = {"models": [run.key(source), run.key(victim)], "attack": node, "of": "stretched",
               "length": size}  # fmt: skip
    return run.measured(content, measure, examples)


def brought_to(perturbation: Tensor, size: float) -> Tensor:
    """Perturbations (n, *shape) of L2 length `size`; one that is zero stays."""
    length = norms.length(perturbation, "l2")
    factor = size / length.where(length > 0, 1)
    return perturbation * factor.view(-1, *[1] * (perturbation.dim() - 1))


def draw(
    folder: Path,
    found: Numbers,
    models: list[str],
    crafting: str,
    epsilons: list[float],
    provenance: str,
) -> None:
    """Error against ε of every architecture, trained on either half.

    Args:
        folder: the run's.
        found: its numbers.
        models: the architectures.
        crafting: that of the network that the examples were crafted on, on the first half.
        epsilons: sizes of the perturbation; 0, the clean error, is added.
        provenance: what ran.
    """

    def drawn(panel: Panel, row: str, label: str, color: str, dash: int, named: bool) -> None:
        cells = [(row, "clean_error_rate"), *((row, f"error_rate@{e:g}") for e in epsilons)]
        values = found.over_seeds(cells)
        panel.curves.append(Curve(label, [0.0, *epsilons], values, color, dash, named=named))
        panel.basis = found.basis(cells)

    panels = []
    for name in models:
        panel = Panel(called(name), names="inside", y="" if panels else "error rate (%)")
        if name == crafting:
            drawn(panel, f"{crafting} -> itself", "itself", NEUTRAL, 2, True)
        for dash, (half, (label, color)) in enumerate(DRAWN.items()):
            named = name != crafting or len(models) == 1  # one name more has no room there
            drawn(panel, f"{crafting} -> {name}, {half}", label, color, dash, named)
        panels.append(panel)
    largest = max(epsilons)
    rates = [[found.mean(f"{crafting} -> {name}, {half}", f"error_rate@{largest:g}")
              for name in models] for half in HALVES]  # fmt: skip
    ranges = [f"{percentage(min(each))} to {percentage(max(each))}" for each in rates]
    finding = (
        f"Networks trained on the {HALVES[1]} err on {ranges[1]} of the examples (ε = "
        f"{size(largest)}) that were crafted on the {HALVES[0]}, others of that half on {ranges[0]}"
    )
    strips = [Strip(panels[k : k + 4], 1.9) for k in range(0, len(panels), 4)]
    curve_figure(folder, "cross_dataset", strips, finding=finding, provenance=provenance)
