"""Label smoothing, section 1.2.7: 1.28% / 99.97% errors become 1.17% / 33.0%.

    advx run experiment=label_smoothing                  # 5,000 digits that ship with a package
    advx run experiment=label_smoothing scale=chapter    # MNIST, the chapter's network

The procedure: train the maxout network with hard and with smoothed targets; attack each with the
fast gradient sign method, ε = .25, along (a) its own training cost, as Equation 1.3 says, and
(b) the cost of the hard label; and (c) with the strongest of several attacks. With smoothed targets
(a) makes a confidently classified example more confident: facts that the chapter's 33.0% may hide.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from advx.config.cells import Cell, Cells, setting
from advx.config.config import Config
from advx.evaluation.robustness import errors_by_stage, first_gradient_zero_rate
from advx.evaluation.slopes import input_slope, margins, median_margin, weight_norm
from advx.evaluation.transfer import error_rate
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Mark, Panel
from advx.figures.style import ADVERSARIAL, NEUTRAL, OURS, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.crafting import refuse_targeted
from advx.run.model import Model
from advx.types import NonNegativeInt, PositiveInt, SizesFromZero

ROWS = ("hard targets", "smoothed targets")

STEPS: dict[str, dict[str, object]] = {
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

UNITS = {
    "weight_norm": "L2 norm",
    "input_slope": "log-odds per unit of max norm",
    "median_margin": "logits",
}
"""What explains the errors."""


def cells(fgsm: Config, epsilons: list[float], published_seeds: int) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    for schedule in ["", "published_schedule"] if published_seeds else [""]:
        every = [setting(step, schedule) for step in STEPS]
        unclipped = [
            setting(step, schedule)
            for step, change in STEPS.items()
            if not fgsm.with_(**change)["clip"]
        ]
        yield Cells(ROWS, ["clean_error_rate", "strongest_error_rate"], settings=[schedule])
        yield Cells(ROWS, ["fgsm_error_rate"], settings=every)
        yield Cells(ROWS, ["fgsm_zero_gradient_rate"], settings=unclipped)
    yield Cells(ROWS, [*UNITS])
    for metric, step in DRAWN:
        yield Cells(ROWS, [metric], epsilons, [setting(step, "curve")])


def main(
    run: Run,
    models: dict[str, Config],
    hard: Config,
    smoothed: Config,
    fgsm: Config,
    strongest: Config,
    epsilons: SizesFromZero,
    curve_examples: PositiveInt,
    published_trainer: Config,
    published_seeds: NonNegativeInt,
) -> None:
    """Errors of both networks, what explains them, and the curves over ε.

    Args:
        run: the run to measure on.
        models: the one network.
        hard: the defense without smoothing.
        smoothed: the defense with smoothing.
        fgsm: the fast gradient sign method.
        strongest: the worst of several attacks.
        epsilons: where the curves are measured.
        curve_examples: test examples in the curves.
        published_trainer: the authors' own schedule.
        published_seeds: number of seeds trained with it.
    """
    refuse_targeted(fgsm, "fgsm")
    (name,) = models
    defenses = dict(zip(ROWS, (hard, smoothed), strict=True))
    with run.progress(models=2 * (len(run.seeds) + published_seeds)):
        for seed in run.seeds:
            for row, defense in defenses.items():
                network = run.model(name, seed, defense=defense)
                errors(run, row, network, fgsm, strongest)
                explanation(run, row, network)
                curves(run, row, network, fgsm, strongest, epsilons, curve_examples)
        for seed in run.seeds[:published_seeds]:
            for row, defense in defenses.items():
                network = run.model(name, seed, defense=defense, trainer=published_trainer)
                errors(run, row, network, fgsm, strongest, "published_schedule")
    seed = run.seeds[0]
    spread = {
        row: run.measure(margins, run.model(name, seed, defense=defense), run.test())
        for row, defense in defenses.items()
    }
    known = {row: values.cpu().numpy() for row, values in spread.items() if values is not None}
    draw(run, list(defenses), known, epsilons, fgsm["epsilon"])
    run.finish()


def errors(
    run: Run, row: str, network: Model, fgsm: Config, strongest: Config, schedule: str = ""
) -> None:
    """The network's errors on clean and on adversarial test examples.

    Args:
        run: the run to measure on.
        row: what the network is called.
        network: the network.
        fgsm: the fast gradient sign method.
        strongest: the worst of several attacks.
        schedule: the setting that names the training, where it is not the usual one.
    """
    add = partial(run.table.add, row, seed=network.seed, n=len(run.test()))
    add(clean_error_rate=run.measure(error_rate, network, run.test()), setting=schedule)
    for step, change in STEPS.items():
        attack, under = fgsm.with_(**change), setting(step, schedule)
        rate = run.measure(error_rate, network, run.craft(attack, network))
        add(fgsm_error_rate=rate, setting=under)
        if not attack["clip"]:
            pointed = run.attack(attack, network)
            gone = run.measure(first_gradient_zero_rate, network, pointed, run.test())
            add(fgsm_zero_gradient_rate=gone, setting=under)
    worst = run.measure(errors_by_stage, network, run.attack(strongest, network), run.test())
    add(strongest_error_rate=worst.all, setting=schedule)


def explanation(run: Run, row: str, network: Model) -> None:
    """The chapter's: smoothing leads to smaller weights and smaller slopes."""
    run.table.add(
        row,
        weight_norm=run.measure(weight_norm, network),
        input_slope=run.measure(input_slope, network, run.test()),
        median_margin=run.measure(median_margin, network, run.test()),
        unit=UNITS,
        seed=network.seed,
    )


def curves(
    run: Run,
    row: str,
    network: Model,
    fgsm: Config,
    strongest: Config,
    epsilons: list[float],
    examples: int,
) -> None:
    """The error against ε along each direction."""
    test = run.test(examples)
    for metric, step in DRAWN:
        for epsilon in epsilons:
            if metric == "strongest_error_rate":
                attack = run.attack(strongest.with_(epsilon=epsilon), network)
                rate = run.measure(errors_by_stage, network, attack, test).all
            else:
                sized = fgsm.with_(**STEPS[step], epsilon=epsilon)
                adversarial = run.craft(sized, network, examples)
                rate = run.measure(error_rate, network, adversarial)
            run.table.add(
                row,
                {metric: rate},
                epsilon=epsilon,
                setting=setting(step, "curve"),
                seed=network.seed,
                n=len(test),
            )


def draw(
    run: Run,
    rows: list[str],
    spread: dict[str, np.ndarray],
    epsilons: list[float],
    epsilon: float,
) -> None:
    """Error against ε along each direction, and how far apart the logits are.

    Args:
        run: the run, with its numbers.
        rows: the networks.
        spread: margins of clean test examples, (n,), by network, with the first seed.
        epsilons: where the curves were measured.
        epsilon: where the whole test set was, and the chapter's figures are.
    """
    numbers = run.numbers()
    panels = [against_epsilon(numbers, row, epsilons, epsilon) for row in rows]
    panels[0].y = "error rate (%)"
    counted = max((len(values) for values in spread.values()), default=0)
    margin = Panel(
        "margin of the correct class, clean test examples",
        distributions=spread,
        basis=f"seed {run.seeds[0]}, {counted:,} test examples",
        y="density\n(peak = 1)",
        x="logit of the correct class − largest other",
    )
    title = numbers.basis([(row, "fgsm_error_rate") for row in rows], seen="mean")
    curve_figure(
        run.folder,
        "label_smoothing",
        [Strip(panels, 2.3), *([Strip([margin], 1.4)] if spread else [])],
        finding=finding(numbers, rows, epsilon),
        provenance=f"{run.heading()}. Title: {title}",
    )


def against_epsilon(numbers: Numbers, row: str, epsilons: list[float], epsilon: float) -> Panel:
    """A network's error along each direction, with the chapter's figure."""
    panel = Panel(row, y="")
    for dash, ((metric, step), (label, color)) in enumerate(DRAWN.items()):
        drawn = [Cell(row, metric, e, setting(step, "curve")) for e in epsilons]
        panel.curves.append(Curve(label, epsilons, numbers.over_seeds(drawn), color, dash))
        panel.basis = numbers.basis(drawn)
    chapter = numbers.chapter(row, "fgsm_error_rate")
    if chapter is not None:
        panel.marks.append(Mark(f"chapter {chapter:g}%", epsilon, chapter))
    return panel


def finding(numbers: Numbers, rows: list[str], epsilon: float) -> str:
    """What one step and the strongest attack reach, in one sentence."""
    step, strongest = (
        [percentage(numbers.mean(row, f"{attack}_error_rate")) for row in rows]
        for attack in ("fgsm", "strongest")
    )
    worst = f"{strongest[0]} with both" if len(set(strongest)) == 1 else " and ".join(strongest)
    return (
        f"One step of ε = {size(epsilon)} gives {step[0]} error with {rows[0]}, {step[1]} with "
        f"{rows[1]}; the strongest attack gives {worst}"
    )
