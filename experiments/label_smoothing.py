"""Label smoothing, section 1.2.7: 1.28% / 99.97% errors become 1.17% / 33.0%.

    advx run experiment=label_smoothing                  # 5,000 digits that ship with a package
    advx run experiment=label_smoothing scale=chapter    # MNIST, the chapter's network

The procedure: train the maxout network with hard and with smoothed targets; attack each with the
fast gradient sign method, ε = .25, along (a) its own training cost, as Equation 1.3 says, and
(b) the cost of the hard label; and (c) with the strongest of several attacks. With smoothed targets
(a) makes a confidently classified example more confident: facts that the chapter's 33.0% may hide.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from advx.config.cells import Cell, Cells, setting
from advx.evaluation.slopes import input_slope, margins, weight_norm
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Mark, Panel
from advx.figures.style import ADVERSARIAL, NEUTRAL, OURS, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.obtain import Recipe
from advx.types import NonNegative, NonNegativeInt, PositiveInt

ATTACKS: dict[str, dict[str, Any]] = {
    "": {"objective": "training_cost"},
    "objective=log_odds": {"objective": "log_odds"},
    "objective=cross_entropy": {"objective": "cross_entropy"},
    "clipped": {"objective": "training_cost", "clip": [0.0, 1.0]},
}
"""What the fast gradient sign method ascends, by setting: changes of the attack."""

DRAWN = {
    ("fgsm_error_rate", ""): ("one step,\ntraining cost", OURS),
    ("fgsm_error_rate", "objective=log_odds"): ("one step,\nhard-label cost", NEUTRAL),
    ("strongest_error_rate", ""): ("strongest\nattack", ADVERSARIAL),
}
"""Curves in the figure, by metric and setting: what they are called, and their color."""

ROWS = ("hard targets", "smoothed targets")

UNITS = {
    "weight_norm": "L2 norm",
    "input_slope": "log-odds per unit of max norm",
    "median_margin": "logits",
}
"""What explains the errors."""


def cells(fgsm: dict[str, Any], epsilons: list[float], published_seeds: int) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    for schedule in ["", "published_schedule"] if published_seeds else [""]:
        every = [setting(attack, schedule) for attack in ATTACKS]
        yield Cells(ROWS, ["clean_error_rate", "strongest_error_rate"], settings=[schedule])
        yield Cells(ROWS, ["fgsm_error_rate"], settings=every)
        unclipped = [
            setting(name, schedule)
            for name, change in ATTACKS.items()
            if not (fgsm | change)["clip"]
        ]
        yield Cells(ROWS, ["fgsm_vanished_gradients"], settings=unclipped)
    yield Cells(ROWS, [*UNITS])
    for metric, attack in DRAWN:
        yield Cells(ROWS, [metric], epsilons, [setting(attack, "curve")])


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
        epsilons: where the curves are measured.
        curve_examples: test examples in the curves.
        published_trainer: the authors' own schedule.
        published_seeds: number of seeds trained with it.
    """
    (name,) = models
    defenses = dict(zip(ROWS, (hard, smoothed), strict=True))

    def recipe(row: str, seed: int, **parts: Any) -> Recipe:
        return run.recipe(name, seed, defense=defenses[row], **parts)

    with run.progress(models=2 * (len(run.seeds) + published_seeds)):
        for seed in run.seeds:
            for row in defenses:
                errors(run, row, recipe(row, seed), fgsm, strongest)
                explanation(run, row, recipe(row, seed))
                curves(run, row, recipe(row, seed), fgsm, strongest, epsilons, curve_examples)
        for seed in run.seeds[:published_seeds]:
            for row in defenses:
                published = recipe(row, seed, trainer=published_trainer)
                errors(run, row, published, fgsm, strongest, "published_schedule")
    spread = {row: run.attempt(lambda row=row: clean_margins(run, recipe(row, run.seeds[0])))
              for row in defenses}  # fmt: skip
    spread = {row: values for row, values in spread.items() if values is not None}
    draw(run.folder, Numbers(run.results.rows), list(defenses), spread, run.seeds[0], epsilons,
         fgsm["epsilon"], run.heading())  # fmt: skip
    run.finish()


def errors(
    run: Run,
    row: str,
    network: Recipe,
    fgsm: dict[str, Any],
    strongest: dict[str, Any],
    schedule: str = "",
) -> None:
    """The network's errors on clean and on adversarial test examples."""
    known = {"seed": network.seed, "n": len(run.data.test)}
    clean = run.error_rate(network)
    run.record(row, "clean_error_rate", clean, setting=schedule, **known)
    for name, change in ATTACKS.items():
        attack, where = fgsm | change, setting(name, schedule)
        rate = run.error_rate(network, attack)
        run.record(row, "fgsm_error_rate", rate, setting=where, **known)
        if not attack["clip"]:
            gone = run.vanished_share(network, attack)
            run.record(row, "fgsm_vanished_gradients", gone, setting=where, **known)
    worst = run.broken_by(network, strongest)["all"]
    run.record(row, "strongest_error_rate", worst, setting=schedule, **known)


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
    for metric, value in found.items():
        run.record(row, metric, value, seed=network.seed, unit=UNITS[metric])


def curves(
    run: Run,
    row: str,
    network: Recipe,
    fgsm: dict[str, Any],
    strongest: dict[str, Any],
    epsilons: list[float],
    examples: int,
) -> None:
    """The error against ε along each direction."""
    examples = min(examples, len(run.data.test))
    for metric, attack in DRAWN:
        for epsilon in epsilons:
            if metric == "strongest_error_rate":
                node = strongest | {"epsilon": epsilon}
                rate = run.broken_by(network, node, examples)["all"]
            else:
                node = fgsm | ATTACKS[attack] | {"epsilon": epsilon}
                rate = run.error_rate(network, node, examples=examples)
            known = {"seed": network.seed, "n": examples, "epsilon": epsilon}
            run.record(row, metric, rate, setting=setting(attack, "curve"), **known)


def clean_margins(run: Run, network: Recipe) -> np.ndarray:
    """How far the correct class's logit is above the others, (n,); negative for a mistake."""
    return margins(run.trained(network).module, run.data.test).cpu().numpy()


def draw(
    folder: Path,
    found: Numbers,
    rows: list[str],
    spread: dict[str, np.ndarray],
    seed: int,
    epsilons: list[float],
    epsilon: float,
    provenance: str,
) -> None:
    """Error against ε along each direction, and how far apart the logits are.

    Args:
        folder: the run's.
        found: its numbers.
        rows: the networks.
        spread: margins of clean test examples, (n,), by network.
        seed: theirs.
        epsilons: where the curves were measured.
        epsilon: where the whole test set was, and the chapter's figures are.
        provenance: what ran.
    """
    panels = []
    for row in rows:
        panel = Panel(row, y="" if panels else "error rate (%)")
        for dash, ((metric, attack), (label, color)) in enumerate(DRAWN.items()):
            drawn = [Cell(row, metric, e, setting(attack, "curve")) for e in epsilons]
            panel.curves.append(Curve(label, epsilons, found.over_seeds(drawn), color, dash))
            panel.basis = found.basis(drawn)
        chapter = found.chapter(row, "fgsm_error_rate")
        if chapter is not None:
            panel.marks.append(Mark(f"chapter {chapter:g}%", epsilon, chapter))
        panels.append(panel)
    counted = max((len(values) for values in spread.values()), default=0)
    margin = Panel(
        "margin of the correct class, clean test examples", distributions=spread,
        basis=f"seed {seed}, {counted:,} test examples", y="density\n(peak = 1)",
        x="logit of the correct class − largest other",
    )  # fmt: skip
    step, strongest = (
        [percentage(found.mean(row, f"{attack}_error_rate")) for row in rows]
        for attack in ("fgsm", "strongest")
    )
    worst = f"{strongest[0]} with both" if len(set(strongest)) == 1 else " and ".join(strongest)
    finding = (
        f"One step of ε = {size(epsilon)} gives {step[0]} error with {rows[0]}, {step[1]} with "
        f"{rows[1]}; the strongest attack gives {worst}"
    )
    title = found.basis([(row, "fgsm_error_rate") for row in rows], seen="mean")
    provenance += f". Title: {title}"
    strips = [Strip(panels, 2.3), *([Strip([margin], 1.4)] if spread else [])]
    curve_figure(folder, "label_smoothing", strips, finding=finding, provenance=provenance)
