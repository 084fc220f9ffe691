"""Virtual adversarial training, section 1.3.1: learning from unlabelled digits.

    advx run experiment=virtual_adversarial_training                  # digits that need no download
    advx run experiment=virtual_adversarial_training scale=chapter    # MNIST, 100 labels and more

The procedure of Miyato et al. 2015: a rectifier network with batch normalisation is trained on a
few labelled digits, and its prediction is made smooth along the virtual adversarial direction at
every digit, labelled or not. The length of the perturbation, and the distance ξ at which its
direction is sought (none: the exact second order), are chosen on the validation set, with the first
seed and the fewest labels. Beside it the same network on the labelled digits alone.
"""

import math
from pathlib import Path
from typing import Any

from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Panel
from advx.figures.style import ADVERSARIAL, OURS, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.recipe import Recipe
from advx.types import NonNegative, Positive, PositiveInt

CLEAN = "clean_error_rate"

KINDS = {
    "virtual adversarial": ("virtual\nadversarial", OURS),
    "labelled only": ("labeled\nonly", ADVERSARIAL),
}
"""The networks: what the figure calls them, and their color."""


def main(
    run: Run,
    models: dict[str, Any],
    virtual: dict[str, Any],
    labels: list[PositiveInt | None],
    lengths: list[NonNegative],
    xis: list[Positive | None],
    fgsm: dict[str, Any],
    attacked_epsilons: list[NonNegative],
) -> None:
    """Test error with and without the unlabelled digits, for every number of labels.

    Args:
        run: the run to measure on.
        models: the bag with the one network.
        virtual: the defence.
        labels: numbers of labelled examples; None for all.
        lengths: L2 lengths of the perturbation to choose from.
        xis: distances at which its direction is sought to choose from; None for the exact one.
        fgsm: the attack whose error is measured beside the clean one.
        attacked_epsilons: its sizes, for the figure and the rows.
    """
    (name,) = models
    n = len(run.data.test)

    def recipe(count: int | None, seed: int, **change: Any) -> Recipe:
        trainer = run.config["trainer"] | {"labelled": count}
        return run.recipe(name, seed, trainer=trainer, defense=virtual | change)

    fewest = min(labels, key=lambda count: math.inf if count is None else count)
    choices = [{"epsilon": length, "xi": xi} for length in lengths for xi in xis]
    with run.progress(models=2 * len(labels) * len(run.seeds) + len(choices) - 1):
        best = choose(run, choices, [recipe(fewest, run.seeds[0], **c) for c in choices])
        counts = {}
        for count in labels:
            shown = "all" if count is None else f"{count}"
            counts[shown] = len(run.data.train) if count is None else count
            changes = (best, {"epsilon": 0.0, "weight": 0.0})
            for kind, change in zip(KINDS, changes, strict=True):
                row = f"{kind}, {shown} labels"
                for seed in run.seeds:
                    network = recipe(count, seed, **change)
                    run.record(row, CLEAN, run.error_rate(network), seed=seed, n=n)
                    for epsilon in attacked_epsilons:
                        rate = run.error_rate(network, fgsm | {"epsilon": epsilon})
                        run.record(row, f"fgsm_error_rate@{epsilon:g}", rate, seed=seed, n=n)
    draw(run.folder, Numbers(run.results.rows), counts, attacked_epsilons, run.heading())
    run.finish()


def choose(
    run: Run, choices: list[dict[str, float | None]], networks: list[Recipe]
) -> dict[str, float | None]:
    """The choice with the smallest validation error, the first of equals; all are recorded."""
    if len(choices) == 1:
        return choices[0]

    errors = []
    for choice, network in zip(choices, networks, strict=True):
        error = run.validation_error(network)
        xi = "exact" if choice["xi"] is None else f"xi {choice['xi']:g}"
        run.record(f"length {choice['epsilon']:g}, {xi}", "validation_error_rate", error,
                   seed=run.seeds[0], n=len(run.data.validation))  # fmt: skip
        errors.append(math.inf if math.isnan(error) else error)
    return choices[errors.index(min(errors))]


def draw(
    folder: Path,
    found: Numbers,
    counts: dict[str, int],
    epsilons: list[float],
    provenance: str,
) -> None:
    """Clean error against the number of labels, and error under one step against ε.

    Args:
        folder: the run's.
        found: its numbers.
        counts: numbers of labeled examples, by what they are called.
        epsilons: sizes of the perturbation.
        provenance: what ran.
    """
    clean = Panel("clean test examples", x="labeled examples", logarithmic="xy", limits=None,
                  ticks={f"{count:,}" + " (all)" * (shown == "all"): count
                         for shown, count in counts.items()})  # fmt: skip
    attacked = [Panel(f"one step, {_thousands(shown)} labels") for shown in counts]
    every = []
    for dash, (kind, (label, color)) in enumerate(KINDS.items()):
        cells = [(f"{kind}, {shown} labels", CLEAN) for shown in counts]
        clean.curves.append(
            Curve(label, list(counts.values()), found.over_seeds(cells), color, dash)
        )
        for shown, panel in zip(counts, attacked, strict=True):
            row = f"{kind}, {shown} labels"
            cells = [(row, CLEAN)]
            cells += [(row, f"fgsm_error_rate@{e:g}") for e in epsilons]
            panel.curves.append(
                Curve(label, [0.0, *epsilons], found.over_seeds(cells), color, dash)
            )
            every += cells
    panels = [clean, *attacked] if len(counts) > 1 else attacked
    for panel in panels:
        panel.basis = found.basis(every)
    fewest = min(counts, key=lambda shown: counts[shown])
    virtual, plain = (f"{kind}, {fewest} labels" for kind in KINDS)
    middle = sorted(epsilons)[len(epsilons) // 2]
    attack = f"fgsm_error_rate@{middle:g}"
    clean_rates, attacked_rates = (
        [percentage(found.mean(row, metric)) for row in (virtual, plain)]
        for metric in (CLEAN, attack)
    )
    finding = (
        f"With {_thousands(fewest)} labels the error is {clean_rates[0]} with virtual adversarial "
        f"training, {clean_rates[1]} without; after one step of ε = {size(middle)}, "
        f"{' and '.join(attacked_rates)}"
    )
    strips = [Strip(panels[k : k + 2], 1.9) for k in range(0, len(panels), 2)]
    curve_figure(folder, "virtual_adversarial_training", strips, finding=finding,
                 provenance=provenance)  # fmt: skip


def _thousands(count: str) -> str:
    return f"{int(count):,}" if count.isdigit() else count
