"""Label smoothing, section 1.2.7: 1.28% / 99.97% errors become 1.17% / 33.0%.

    advx run experiment=label_smoothing                  # 5,000 digits that ship with a package
    advx run experiment=label_smoothing scale=chapter    # MNIST, the chapter's network

The procedure: train the maxout network with hard and with smoothed targets; attack each with the
fast gradient sign method, ε = .25, along (a) its own training cost, as Equation 1.3 says, and
(b) the cost of the hard label; and (c) with the strongest of several attacks. With smoothed targets
(a) makes a confidently classified example more confident: facts that the chapter's 33.0% may hide.
"""

from typing import Any

from advx.evaluation.slopes import input_slope, margins, weight_norm
from advx.figures.curves import Curve, Mark, Panel, error_figure
from advx.run import Run
from advx.training.obtain import Recipe
from advx.types import NonNegative, NonNegativeInt, PositiveInt

ATTACKS = {
    "training cost": ("fgsm_error_rate", {"objective": "training_cost"}),
    "hard-label cost": ("fgsm_error_rate@hard_label_cost", {"objective": "log_odds"}),
    "float32 cross-entropy": (
        "fgsm_error_rate@float32_cross_entropy",
        {"objective": "cross_entropy"},
    ),
    "training cost, clipped": (
        "fgsm_error_rate@clipped",
        {"objective": "training_cost", "clip": [0.0, 1.0]},
    ),
}
"""What the fast gradient sign method climbs: the metric, and the change to the attack's node."""


def main(
    run: Run,
    models: dict[str, Any],
    hard: dict[str, Any],
    smoothed: dict[str, Any],
    fgsm: dict[str, Any],
    strongest: dict[str, Any],
    epsilons: list[NonNegative],
    curve_examples: PositiveInt,
    published_trainer: dict[str, Any],
    published_seeds: NonNegativeInt,
) -> None:
    """Errors of both networks, what explains them, and the curves over ε.

    Args:
        run: the run to measure on.
        models: the bag with the one network.
        hard: the defence without smoothing.
        smoothed: the defence with smoothing.
        fgsm: the fast gradient sign method's node.
        strongest: the strong attack's node.
        epsilons: where the curves are measured, with the first seed.
        curve_examples: test examples in the curves.
        published_trainer: the authors' own schedule.
        published_seeds: number of seeds trained with it.
    """
    (name,) = models
    defenses = {"hard targets": hard, "smoothed targets": smoothed}

    def recipe(row: str, seed: int, **parts: Any) -> Recipe:
        return run.recipe(name, seed, defense=defenses[row], **parts)

    with run.progress(models=2 * (len(run.seeds) + published_seeds)):
        for seed in run.seeds:
            for row in defenses:
                errors(run, row, recipe(row, seed), fgsm, strongest)
                explanation(run, row, recipe(row, seed))
        for seed in run.seeds[:published_seeds]:
            for row in defenses:
                published = recipe(row, seed, trainer=published_trainer)
                errors(run, row, published, fgsm, strongest, "@published_schedule")
    run.attempt(
        lambda: draw(
            run, {row: recipe(row, run.seeds[0]) for row in defenses},
            fgsm, strongest, epsilons, curve_examples,
        )
    )  # fmt: skip
    run.finish()


def errors(
    run: Run,
    row: str,
    network: Recipe,
    fgsm: dict[str, Any],
    strongest: dict[str, Any],
    reading: str = "",
) -> None:
    """The network's errors on clean and on adversarial test examples."""
    known = {"seed": network.seed, "n": len(run.data.test)}
    run.record(row, "clean_error_rate" + reading, run.error_rate(network), **known)
    for metric, change in ATTACKS.values():
        attack = fgsm | change
        run.record(row, metric + reading, run.error_rate(network, attack), **known)
        if not attack["clip"]:
            gone = run.vanished_share(network, attack)
            metric = metric.replace("error_rate", "vanished_gradients")
            run.record(row, metric + reading, gone, **known)
    worst = run.broken_by(network, strongest)["all"]
    run.record(row, "strongest_error_rate" + reading, worst, **known)


def explanation(run: Run, row: str, network: Recipe) -> None:
    """The chapter's: smoothing leads to smaller weights and smaller slopes."""

    def measure() -> dict[str, float]:
        module = run.trained(network).module
        return {
            "weight_norm": weight_norm(module),
            "input_slope": input_slope(module, run.data.test),
            "median_margin": margins(module, run.data.test).median().item(),
        }

    content = {"models": [run.key(network)], "of": "explanation"}
    found = run.measured(content, measure, missing={})
    units = {"weight_norm": "L2 norm", "input_slope": "log-odds per unit of max norm",
             "median_margin": "logits"}  # fmt: skip
    for metric, value in found.items():
        run.record(row, metric, value, seed=network.seed, unit=units[metric])


def draw(
    run: Run,
    networks: dict[str, Recipe],
    fgsm: dict[str, Any],
    strongest: dict[str, Any],
    epsilons: list[float],
    examples: int,
) -> None:
    """Error against ε along each direction, and how far apart the logits are."""
    examples = min(examples, len(run.data.test))
    curves = []
    for colour, (row, network) in enumerate(networks.items()):
        for style, attack in enumerate(("training cost", "hard-label cost", "strongest")):
            rates = []
            for epsilon in epsilons:
                if attack == "strongest":
                    node = strongest | {"epsilon": epsilon}
                    rate = run.broken_by(network, node, examples)["all"]
                    metric = "strongest_error_rate"
                else:
                    metric, change = ATTACKS[attack]
                    node = fgsm | change | {"epsilon": epsilon}
                    rate = run.error_rate(network, node, examples=examples)
                run.record(
                    f"{row}, epsilon {epsilon:g}", metric, rate, seed=network.seed, n=examples
                )
                rates.append(rate)
            curves.append(Curve(f"{row}: {attack}", epsilons, rates, colour, style))
    marks = [
        Mark(f"{r['chapter']:g}% in the chapter", 0.25, r["chapter"], colour)
        for colour, row in enumerate(networks)
        for r in run.config.get("rows") or []
        if (r["row"], r["metric"]) == (row, "fgsm_error_rate") and r.get("chapter") is not None
    ]
    spread = {
        row: margins(run.trained(network).module, run.data.test).cpu().numpy()
        for row, network in networks.items()
    }
    panels = [
        Panel("error of the attacked network", curves, marks),
        Panel("margin of the correct class, clean test examples", distributions=spread,
              axis="logit of the correct class − largest other"),
    ]  # fmt: skip
    error_figure(run.folder, "label_smoothing", panels, title=run.heading())
