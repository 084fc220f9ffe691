"""Adversarial training, section 1.3: what it resists, and what breaks it.

    advx run experiment=adversarial_training                  # digits that ship with a package
    advx run experiment=adversarial_training scale=chapter    # MNIST, 240 maxout units a layer
    advx run experiment=adversarial_training scale=chapter models.maxout.units=[1600,1600]

The procedure: train the maxout network plainly, on fast-gradient-sign examples of ε = .25, and, as
controls, on noise of the same max norm; attack each with one step and with gradient descent, at
ε = .25 and ε = .1. Then search harder: more steps, more starts. The chapter's four numbers are 18,
97, 22 and, without the defence, 79%.
"""

import re
from typing import Any

from advx.evaluation.transfer import mean_confidence_on_mistakes
from advx.figures.curves import Curve, Mark, Panel, error_figure
from advx.run import Run
from advx.training.obtain import Recipe
from advx.types import NonNegative, NonNegativeInt, PositiveInt

TRAINED = "adversarially trained"
PLAIN = "plain"


def main(
    run: Run,
    models: dict[str, Any],
    defenses: dict[str, Any],
    fgsm: dict[str, Any],
    iterative: dict[str, Any],
    strongest: dict[str, Any],
    epsilons: list[NonNegative],
    curve_epsilons: list[NonNegative],
    search_steps: list[PositiveInt],
    search_restarts: list[PositiveInt],
    search_examples: PositiveInt,
    published_trainer: dict[str, Any],
    published_seeds: NonNegativeInt,
) -> None:
    """Errors of every network, transfer between them, and how hard the search must be.

    Args:
        run: the run to measure on.
        models: the bag with the one network.
        defenses: `adversarial` and `plain`, and any controls, by name.
        fgsm: the fast gradient sign method's node.
        iterative: the iterated attack's node.
        strongest: the strong attack's node.
        epsilons: sizes of the perturbation in the table.
        curve_epsilons: sizes of the perturbation in the figure, with the first seed.
        search_steps: numbers of gradient steps in the search for the best perturbation.
        search_restarts: numbers of starts, with the iterated attack's own number of steps.
        search_examples: test examples in the search and in the figure.
        published_trainer: the authors' own schedule.
        published_seeds: number of seeds trained with it.
    """
    (name,) = models
    shown = {"adversarial": TRAINED}  # the others are called by their names
    rows = {shown.get(key, key.replace("_", " ")): key for key in defenses}

    def networks(seed: int, **parts: Any) -> dict[str, Recipe]:
        return {
            row: run.recipe(name, seed, defense=defenses[key], **parts) for row, key in rows.items()
        }

    with run.progress(models=len(rows) * len(run.seeds) + 2 * published_seeds):
        for seed in run.seeds:
            each = networks(seed)
            for row, network in each.items():
                errors(run, row, network, fgsm, iterative, epsilons)
            strong(run, TRAINED, each[TRAINED], strongest, epsilons)
            transfer(run, each[PLAIN], each[TRAINED], fgsm)
            difference(run, each[PLAIN], each[TRAINED])
            for row in (TRAINED, PLAIN):
                search(run, row, each[row], iterative | {"epsilon": min(epsilons)},
                       search_steps, search_restarts, search_examples)  # fmt: skip
        for seed in run.seeds[:published_seeds]:
            each = networks(seed, trainer=published_trainer)
            for row in (TRAINED, PLAIN):
                errors(run, row, each[row], fgsm, iterative, epsilons, "@published_schedule")
    run.attempt(
        lambda: draw(run, networks(run.seeds[0]), fgsm, iterative, curve_epsilons, search_examples,
                     search_steps)
    )  # fmt: skip
    run.finish()


def errors(
    run: Run,
    row: str,
    network: Recipe,
    fgsm: dict[str, Any],
    iterative: dict[str, Any],
    epsilons: list[float],
    reading: str = "",
) -> None:
    """Errors on clean digits, under one step and under gradient descent, also kept in [0, 1]."""
    known = {"seed": network.seed, "n": len(run.data.test)}
    run.record(row, "clean_error_rate" + reading, run.error_rate(network), **known)
    gone = run.vanished_share(network, fgsm)
    run.record(row, "vanished_gradients" + reading, gone, **known)
    for attack, node in (("fgsm", fgsm), ("iterative", iterative)):
        for epsilon in epsilons:
            at = node | {"epsilon": epsilon}
            metric = f"{attack}_error_rate@{epsilon:g}{reading}"
            run.record(row, metric, run.error_rate(network, at), **known)
            clipped = run.error_rate(network, at | {"clip": [0.0, 1.0]})
            run.record(row, f"{metric}@clipped", clipped, **known)
            if attack == "fgsm":
                metric = f"fgsm_confidence_on_mistakes@{epsilon:g}{reading}"
                run.record(row, metric, confidence(run, network, at), **known)


def confidence(run: Run, network: Recipe, attack: dict[str, Any]) -> float:
    """Mean probability of the predicted class where it is wrong, in percent."""

    def measure() -> float:
        return mean_confidence_on_mistakes(
            run.trained(network).module, run.crafted(attack, network)
        )

    content = {"models": [run.key(network)], "attack": attack, "of": "confidence on mistakes"}
    return run.measured(content, measure)


def strong(
    run: Run, row: str, network: Recipe, strongest: dict[str, Any], epsilons: list[float]
) -> None:
    """Errors under the worst of several attacks, and what only the gradient-free search finds."""
    known = {"seed": network.seed, "n": len(run.data.test)}
    for epsilon in epsilons:
        broken = run.broken_by(network, strongest | {"epsilon": epsilon})
        run.record(row, f"strongest_error_rate@{epsilon:g}", broken["all"], **known)
        run.record(row, f"gradient_free_only@{epsilon:g}", broken["gradient_free"], **known)


def transfer(run: Run, plain: Recipe, trained: Recipe, fgsm: dict[str, Any]) -> None:
    """Examples of one network shown to the other."""
    for source, victim, row in (
        (plain, trained, f"{PLAIN} -> {TRAINED}"),
        (trained, plain, f"{TRAINED} -> {PLAIN}"),
    ):
        rate = run.error_rate(victim, fgsm, crafting=source)
        run.record(row, f"fgsm_error_rate@{fgsm['epsilon']:g}", rate,
                   seed=plain.seed, n=len(run.data.test))  # fmt: skip


def difference(run: Run, plain: Recipe, trained: Recipe) -> None:
    """Whether the clean error falls: the two networks of one seed, paired."""
    points = run.error_rate(trained) - run.error_rate(plain)
    run.record(f"{TRAINED} − {PLAIN}", "clean_error_rate_difference", points, seed=plain.seed,
               unit="points")  # fmt: skip


def search(
    run: Run,
    row: str,
    network: Recipe,
    attack: dict[str, Any],
    steps: list[int],
    restarts: list[int],
    examples: int,
) -> None:
    """The error that gradient descent reaches with more steps, and with more starts."""
    examples = min(examples, len(run.data.test))
    metric = f"iterative_error_rate@{attack['epsilon']:g}"
    kinds = [(f"{n} steps", {"steps": n}) for n in steps]
    kinds += [(f"{n} starts", {"restarts": n}) for n in restarts]
    for kind, change in kinds:
        rate = run.error_rate(network, attack | change, examples=examples)
        run.record(f"{row}, {kind}", metric, rate, seed=network.seed, n=examples)


def draw(
    run: Run,
    networks: dict[str, Recipe],
    fgsm: dict[str, Any],
    iterative: dict[str, Any],
    epsilons: list[float],
    examples: int,
    steps: list[int],
) -> None:
    """Error against ε for every network and both attacks; error against the number of steps."""
    examples = min(examples, len(run.data.test))
    curves = []
    for colour, (row, network) in enumerate(networks.items()):
        for style, (attack, node) in enumerate((("fgsm", fgsm), ("iterative", iterative))):
            if attack == "iterative" and row not in (TRAINED, PLAIN):
                continue
            rates = []
            for epsilon in epsilons:
                rate = run.error_rate(network, node | {"epsilon": epsilon}, examples=examples)
                run.record(f"{row}, epsilon {epsilon:g}", f"{attack}_error_rate", rate,
                           seed=network.seed, n=examples)  # fmt: skip
                rates.append(rate)
            curves.append(Curve(f"{row}: {attack}", epsilons, rates, colour, style))
    marks = [
        Mark(
            f"{r['chapter']:g}% in the chapter ({named.group(1)})",
            float(named.group(2)), r["chapter"], list(networks).index(r["row"]),
        )
        for r in run.config.get("rows") or []
        if r.get("chapter") is not None and r["row"] in networks
        and (named := re.fullmatch(r"([a-z]+)_error_rate@(\d+\.?\d*)", r["metric"]))
    ]  # fmt: skip
    found = {(r.row, r.seed): r.value for r in run.results.rows}
    searched = [
        Curve(row, [float(n) for n in steps],
              [found[f"{row}, {n} steps", run.seeds[0]] for n in steps], colour)
        for colour, row in enumerate((TRAINED, PLAIN))
    ]  # fmt: skip
    panels = [
        Panel("error of the attacked network", curves, marks),
        Panel(f"harder search, ε = {min(run.config['epsilons']):g}", searched,
              axis="gradient steps", logarithmic=True),
    ]  # fmt: skip
    error_figure(run.folder, "adversarial_training", panels, title=run.heading())
