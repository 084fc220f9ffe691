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
from typing import Any

from advx.figures.curves import Curve, Panel, error_figure
from advx.run import Run
from advx.training.obtain import Recipe
from advx.types import NonNegative, Positive, PositiveInt


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
        chosen = {}
        for count in labels:
            shown = "all" if count is None else f"{count}"
            kinds = {
                f"virtual adversarial, {shown} labels": best,
                f"labelled only, {shown} labels": {"epsilon": 0.0, "weight": 0.0},
            }
            for row, change in kinds.items():
                chosen[row] = recipe(count, run.seeds[0], **change)
                for seed in run.seeds:
                    network = recipe(count, seed, **change)
                    run.record(row, "clean_error_rate", run.error_rate(network), seed=seed, n=n)
                    for epsilon in attacked_epsilons:
                        rate = run.error_rate(network, fgsm | {"epsilon": epsilon})
                        run.record(row, f"fgsm_error_rate@{epsilon:g}", rate, seed=seed, n=n)
    run.attempt(lambda: draw(run, chosen, attacked_epsilons))
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


def draw(run: Run, networks: dict[str, Recipe], epsilons: list[float]) -> None:
    """Error of the first seed's networks under the fast gradient sign method, against ε."""
    found = {(r.row, r.metric): r.value for r in run.results.rows if r.seed == run.seeds[0]}
    curves = [
        Curve(row, [0.0, *epsilons],
              [found[row, "clean_error_rate"]]
              + [found[row, f"fgsm_error_rate@{e:g}"] for e in epsilons], index // 2, index % 2)
        for index, row in enumerate(networks)
    ]  # fmt: skip
    panels = [Panel("error of the attacked network, one step along the log-odds", curves)]
    error_figure(run.folder, "virtual_adversarial_training", panels, title=run.heading())
