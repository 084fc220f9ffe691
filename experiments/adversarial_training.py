"""Adversarial training, section 1.3: what it resists, and what breaks it.

    advx run experiment=adversarial_training                  # digits that ship with a package
    advx run experiment=adversarial_training scale=chapter    # MNIST, 240 maxout units a layer
    advx run experiment=adversarial_training scale=chapter models.maxout.units=[1600,1600]

The procedure: train the maxout network plainly, on fast-gradient-sign examples of ε = .25, and, as
controls, on noise of the same max norm; attack each with one step and with gradient descent, at
ε = .25 and ε = .1. Then search harder: more steps, more starts. The chapter's four numbers are 18,
97, 22 and, without the defence, 79%.
"""

from pathlib import Path
from typing import Any

from advx.evaluation.transfer import mean_confidence_on_mistakes
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Mark, Panel
from advx.figures.style import ADVERSARIAL, NEUTRAL, OURS, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.recipe import Recipe
from advx.types import NonNegative, NonNegativeInt, PositiveInt

TRAINED = "adversarially trained"
PLAIN = "plain"

ATTACKS = {"fgsm": "one step", "iterative": "gradient descent"}
"""What the figure calls them."""

COLORS = {TRAINED: OURS, PLAIN: ADVERSARIAL}
LABELS = {TRAINED: "adversarially\ntrained", PLAIN: PLAIN}
"""In the figure; the controls are gray."""


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
        curve_epsilons: sizes of the perturbation in the figure.
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
            for row, network in each.items():
                curves(run, row, network, fgsm, iterative, curve_epsilons, search_examples)
        for seed in run.seeds[:published_seeds]:
            each = networks(seed, trainer=published_trainer)
            for row in (TRAINED, PLAIN):
                errors(run, row, each[row], fgsm, iterative, epsilons, "@published_schedule")
    draw(run.folder, Numbers(run.results.rows), list(rows), epsilons, curve_epsilons, search_steps,
         run.heading())  # fmt: skip
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


def curves(
    run: Run,
    row: str,
    network: Recipe,
    fgsm: dict[str, Any],
    iterative: dict[str, Any],
    epsilons: list[float],
    examples: int,
) -> None:
    """The error against ε under both attacks, of the controls under one step."""
    examples = min(examples, len(run.data.test))
    for attack, node in (("fgsm", fgsm), ("iterative", iterative)):
        if attack == "iterative" and row not in COLORS:
            continue
        for epsilon in epsilons:
            rate = run.error_rate(network, node | {"epsilon": epsilon}, examples=examples)
            run.record(f"{row}, epsilon {epsilon:g}", f"{attack}_error_rate", rate,
                       seed=network.seed, n=examples)  # fmt: skip


def draw(
    folder: Path,
    found: Numbers,
    rows: list[str],
    epsilons: list[float],
    curve_epsilons: list[float],
    steps: list[int],
    provenance: str,
) -> None:
    """Error against ε for every network and both attacks; error against the number of steps.

    Args:
        folder: the run's.
        found: its numbers.
        rows: the networks.
        epsilons: where the whole test set was measured, and the chapter's figures are.
        curve_epsilons: where the curves were.
        steps: numbers of gradient steps in the search.
        provenance: what ran.
    """
    panels = []
    for attack, title in ATTACKS.items():
        panel = Panel(title, y="" if panels else "error rate (%)")
        every = []
        for row in rows:
            cells = [(f"{row}, epsilon {e:g}", f"{attack}_error_rate") for e in curve_epsilons]
            if cells[0] not in found:
                continue
            every += cells
            for epsilon in epsilons:
                chapter = found.chapter(row, f"{attack}_error_rate@{epsilon:g}")
                if chapter is not None:
                    panel.marks.append(
                        Mark(f"chapter {chapter:g}%", epsilon, chapter, len(panel.curves))
                    )
            panel.curves.append(
                Curve(LABELS.get(row, f"trained on\n{row}"), curve_epsilons,
                      found.over_seeds(cells), COLORS.get(row, NEUTRAL), len(panel.curves))
            )  # fmt: skip
        panel.basis = found.basis(every)
        panels.append(panel)
    least, most = min(epsilons), max(epsilons)
    search = Panel(f"gradient descent with more steps, ε = {size(least)}", x="gradient steps",
                   logarithmic="x")  # fmt: skip
    every = []
    for row in (TRAINED, PLAIN):
        cells = [(f"{row}, {n} steps", f"iterative_error_rate@{least:g}") for n in steps]
        every += cells
        look = next(c for c in panels[0].curves if c.color == COLORS[row])
        search.curves.append(
            Curve(look.label, steps, found.over_seeds(cells), look.color, look.dash)
        )
    search.basis = found.basis(every)

    def rate(row: str, attack: str, epsilon: float) -> str:
        return percentage(found.mean(row, f"{attack}_error_rate@{epsilon:g}"))

    finding = (
        f"The {TRAINED} network's error is {rate(TRAINED, 'fgsm', most)} after one step of "
        f"ε = {size(most)} and {rate(TRAINED, 'iterative', most)} after gradient descent; within "
        f"ε = {size(least)} it is {rate(TRAINED, 'iterative', least)}, without the defense "
        f"{rate(PLAIN, 'iterative', least)}"
    )
    title = found.basis([(TRAINED, f"iterative_error_rate@{most:g}")], seen="mean")
    provenance += f". Title: {title}"
    strips = [Strip(panels, 2.3), Strip([search], 1.6)]
    curve_figure(folder, "adversarial_training", strips, finding=finding, provenance=provenance)
