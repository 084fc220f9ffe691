"""Adversarial training, section 1.3: what it resists, and what breaks it.

    advx run experiment=adversarial_training                  # digits that ship with a package
    advx run experiment=adversarial_training scale=chapter    # MNIST, 240 maxout units a layer
    advx run experiment=adversarial_training scale=chapter models.maxout.units=[1600,1600]

The procedure: train the maxout network plainly, on fast-gradient-sign examples of ε = .25, and, as
controls, on noise of the same max norm; attack each with one step and with gradient descent, at
ε = .25 and ε = .1. Then search harder: more steps, more starts. The chapter's four numbers are 18,
97, 22 and, without the defense, 79%.
"""

from collections.abc import Iterator
from functools import partial

from advx.config.cells import Cell, Cells, setting
from advx.config.config import Config
from advx.evaluation.robustness import errors_by_stage, first_gradient_zero_rate
from advx.evaluation.transfer import error_rate, mean_confidence_on_mistakes
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Mark, Panel
from advx.figures.style import ADVERSARIAL, NEUTRAL, OURS, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.crafting import refuse_targeted
from advx.run.model import Model
from advx.types import NonNegativeInt, PositiveInt, SizesFromZero

TRAINED = "adversarially trained"
PLAIN = "plain"

TRANSFERS = (f"{PLAIN} -> {TRAINED}", f"{TRAINED} -> {PLAIN}")
DIFFERENCE = f"{TRAINED} − {PLAIN}"

ATTACKS = {"fgsm": "one step", "iterative": "gradient descent"}
"""What the figure calls them."""

COLORS = {TRAINED: OURS, PLAIN: ADVERSARIAL}
LABELS = {TRAINED: "adversarially\ntrained", PLAIN: PLAIN}
"""In the figure; the controls are gray."""


def cells(
    defenses: dict[str, Config],
    fgsm: Config,
    epsilons: list[float],
    curve_epsilons: list[float],
    search_steps: list[int],
    search_restarts: list[int],
    published_seeds: int,
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    rows = [*named(defenses)]
    both = [f"{kind}_error_rate" for kind in ATTACKS]
    schedules = {"": rows} | ({"published_schedule": [*COLORS]} if published_seeds else {})
    for schedule, trained in schedules.items():
        yield Cells(trained, ["clean_error_rate", "zero_gradient_rate"], settings=[schedule])
        yield Cells(trained, both, epsilons, [schedule, setting("clipped", schedule)])
        yield Cells(trained, ["fgsm_confidence_on_mistakes"], epsilons, [schedule])
    yield Cells([TRAINED], ["strongest_error_rate", "gradient_free_only"], epsilons)
    yield Cells(TRANSFERS, ["fgsm_error_rate"], [fgsm["epsilon"]])
    yield Cells([DIFFERENCE], ["clean_error_rate_difference"])
    searches = [setting(steps=n) for n in search_steps]
    searches += [setting(starts=n) for n in search_restarts]
    yield Cells([*COLORS], ["iterative_error_rate"], [min(epsilons)], searches)
    yield Cells(rows, ["fgsm_error_rate"], curve_epsilons, ["curve"])
    yield Cells([*COLORS], ["iterative_error_rate"], curve_epsilons, ["curve"])


def named(defenses: dict[str, Config]) -> dict[str, str]:
    """The defenses' keys by their rows."""
    called = {"adversarial": TRAINED}  # the others are called by their names
    return {called.get(key, key.replace("_", " ")): key for key in defenses}


def main(
    run: Run,
    models: dict[str, Config],
    defenses: dict[str, Config],
    fgsm: Config,
    iterative: Config,
    strongest: Config,
    epsilons: SizesFromZero,
    curve_epsilons: SizesFromZero,
    search_steps: list[PositiveInt],
    search_restarts: list[PositiveInt],
    search_examples: PositiveInt,
    published_trainer: Config,
    published_seeds: NonNegativeInt,
) -> None:
    """Errors of every network, transfer between them, and how hard the search must be.

    Args:
        run: the run to measure on.
        models: the one network.
        defenses: `adversarial` and `plain`, and any controls, by name.
        fgsm: the fast gradient sign method.
        iterative: gradient descent.
        strongest: the worst of several attacks.
        epsilons: sizes of the perturbation in the table.
        curve_epsilons: sizes of the perturbation in the figure.
        search_steps: numbers of gradient steps in the search for the best perturbation.
        search_restarts: numbers of starts, with the iterated attack's own number of steps.
        search_examples: test examples in the search and in the figure.
        published_trainer: the authors' own schedule.
        published_seeds: number of seeds trained with it.
    """
    refuse_targeted(fgsm, "fgsm")
    (name,) = models
    rows = named(defenses)
    attacks = {"fgsm": fgsm, "iterative": iterative}
    longer = searches(iterative.with_(epsilon=min(epsilons)), search_steps, search_restarts)

    def networks(seed: int, trainer: Config | None = None) -> dict[str, Model]:
        return {
            row: run.model(name, seed, defense=defenses[key], trainer=trainer)
            for row, key in rows.items()
        }

    with run.progress(models=len(rows) * len(run.seeds) + 2 * published_seeds):
        for seed in run.seeds:
            each = networks(seed)
            for row, network in each.items():
                errors(run, row, network, attacks, epsilons)
            strong(run, TRAINED, each[TRAINED], strongest, epsilons)
            compare(run, each[PLAIN], each[TRAINED], fgsm)
            for row in (TRAINED, PLAIN):
                search(run, row, each[row], longer, search_examples)
            for row, network in each.items():
                curves(run, row, network, attacks, curve_epsilons, search_examples)
        for seed in run.seeds[:published_seeds]:
            each = networks(seed, published_trainer)
            for row in (TRAINED, PLAIN):
                errors(run, row, each[row], attacks, epsilons, "published_schedule")
    draw(run, list(rows), epsilons, curve_epsilons, search_steps)
    run.finish()


def errors(
    run: Run,
    row: str,
    network: Model,
    attacks: dict[str, Config],
    epsilons: list[float],
    schedule: str = "",
) -> None:
    """Errors on clean digits, under one step and under gradient descent, also kept in [0, 1].

    Args:
        run: the run to measure on.
        row: what the network is called.
        network: the network.
        attacks: `fgsm` and `iterative`.
        epsilons: sizes of the perturbation.
        schedule: the setting that names the training, where it is not the usual one.
    """
    add = partial(run.table.add, row, seed=network.seed, n=len(run.test()))
    add(clean_error_rate=run.measure(error_rate, network, run.test()), setting=schedule)
    step = run.attack(attacks["fgsm"], network)
    gone = run.measure(first_gradient_zero_rate, network, step, run.test())
    add(zero_gradient_rate=gone, setting=schedule)
    for kind, attack in attacks.items():
        for epsilon in epsilons:
            sized = attack.with_(epsilon=epsilon)
            adversarial = run.craft(sized, network)
            rate = run.measure(error_rate, network, adversarial)
            add({f"{kind}_error_rate": rate}, epsilon=epsilon, setting=schedule)
            if kind == "fgsm":
                confidence = run.measure(mean_confidence_on_mistakes, network, adversarial)
                add(fgsm_confidence_on_mistakes=confidence, epsilon=epsilon, setting=schedule)
            clipped = run.craft(sized.with_(clip=[0.0, 1.0]), network)
            rate = run.measure(error_rate, network, clipped)
            add({f"{kind}_error_rate": rate}, epsilon=epsilon, setting=setting("clipped", schedule))


def strong(run: Run, row: str, network: Model, strongest: Config, epsilons: list[float]) -> None:
    """Errors under the worst of several attacks, and what only the gradient-free search finds."""
    for epsilon in epsilons:
        attack = run.attack(strongest.with_(epsilon=epsilon), network)
        errors = run.measure(errors_by_stage, network, attack, run.test())
        run.table.add(
            row,
            strongest_error_rate=errors.all,
            gradient_free_only=errors.gradient_free,
            epsilon=epsilon,
            seed=network.seed,
            n=len(run.test()),
        )


def compare(run: Run, plain: Model, trained: Model, fgsm: Config) -> None:
    """Examples of one network shown to the other; whether the clean error falls, paired by seed."""
    pairs = ((plain, trained), (trained, plain))
    for row, (source, target) in zip(TRANSFERS, pairs, strict=True):
        run.table.add(
            row,
            fgsm_error_rate=run.measure(error_rate, target, run.craft(fgsm, source)),
            epsilon=fgsm["epsilon"],
            seed=plain.seed,
            n=len(run.test()),
        )
    before, after = (run.measure(error_rate, network, run.test()) for network in (plain, trained))
    run.table.add(
        DIFFERENCE,
        clean_error_rate_difference=after - before,
        seed=plain.seed,
        unit="points",
    )


def searches(attack: Config, steps: list[int], restarts: list[int]) -> dict[str, Config]:
    """The attack with more steps, and with more starts, by the setting that says so."""
    longer = {setting(steps=n): attack.with_(steps=n) for n in steps}
    return longer | {setting(starts=n): attack.with_(restarts=n) for n in restarts}


def search(run: Run, row: str, network: Model, kinds: dict[str, Config], examples: int) -> None:
    """The error that gradient descent reaches with more steps, and with more starts."""
    for kind, attack in kinds.items():
        adversarial = run.craft(attack, network, examples)
        run.table.add(
            row,
            iterative_error_rate=run.measure(error_rate, network, adversarial),
            epsilon=attack["epsilon"],
            setting=kind,
            seed=network.seed,
            n=len(run.test(examples)),
        )


def curves(
    run: Run,
    row: str,
    network: Model,
    attacks: dict[str, Config],
    epsilons: list[float],
    examples: int,
) -> None:
    """The error against ε under both attacks, of the controls under one step."""
    for kind, attack in attacks.items():
        if kind == "iterative" and row not in COLORS:
            continue
        for epsilon in epsilons:
            adversarial = run.craft(attack.with_(epsilon=epsilon), network, examples)
            rate = run.measure(error_rate, network, adversarial)
            run.table.add(
                row,
                {f"{kind}_error_rate": rate},
                epsilon=epsilon,
                setting="curve",
                seed=network.seed,
                n=len(run.test(examples)),
            )


def draw(
    run: Run,
    rows: list[str],
    epsilons: list[float],
    curve_epsilons: list[float],
    steps: list[int],
) -> None:
    """Error against ε for every network and both attacks; error against the number of steps.

    Args:
        run: the run, with its numbers.
        rows: the networks.
        epsilons: where the whole test set was measured, and the chapter's figures are.
        curve_epsilons: where the curves were.
        steps: numbers of gradient steps in the search.
    """
    numbers = run.numbers()
    panels = [
        against_epsilon(numbers, attack, rows, epsilons, curve_epsilons) for attack in ATTACKS
    ]
    panels[0].y = "error rate (%)"
    looks = {curve.color: curve for curve in panels[0].curves}
    searched = against_steps(numbers, looks, min(epsilons), steps)
    title = numbers.basis([Cell(TRAINED, "iterative_error_rate", max(epsilons))], seen="mean")
    curve_figure(
        run.folder,
        "adversarial_training",
        [Strip(panels, 2.3), Strip([searched], 1.6)],
        finding=finding(numbers, min(epsilons), max(epsilons)),
        provenance=f"{run.heading()}. Title: {title}",
    )


def against_epsilon(
    numbers: Numbers,
    attack: str,
    rows: list[str],
    epsilons: list[float],
    curve_epsilons: list[float],
) -> Panel:
    """Every network's error under one attack, with the chapter's figures."""
    panel, every = Panel(ATTACKS[attack], y=""), []
    for row in rows:
        drawn = [Cell(row, f"{attack}_error_rate", e, "curve") for e in curve_epsilons]
        if drawn[0] not in numbers:
            continue
        every += drawn
        for epsilon in epsilons:
            chapter = numbers.chapter(row, f"{attack}_error_rate", epsilon)
            if chapter is not None:
                mark = Mark(f"chapter {chapter:g}%", epsilon, chapter, len(panel.curves))
                panel.marks.append(mark)
        label, color = LABELS.get(row, f"trained on\n{row}"), COLORS.get(row, NEUTRAL)
        values = numbers.over_seeds(drawn)
        panel.curves.append(Curve(label, curve_epsilons, values, color, len(panel.curves)))
    panel.basis = numbers.basis(every)
    return panel


def against_steps(
    numbers: Numbers, looks: dict[str, Curve], epsilon: float, steps: list[int]
) -> Panel:
    """Both networks' error under gradient descent, in the looks of the panels before, by color."""
    title = f"gradient descent with more steps, ε = {size(epsilon)}"
    panel, every = Panel(title, x="gradient steps", logarithmic="x"), []
    for row in (TRAINED, PLAIN):
        drawn = [Cell(row, "iterative_error_rate", epsilon, setting(steps=n)) for n in steps]
        every += drawn
        look = looks[COLORS[row]]
        values = numbers.over_seeds(drawn)
        panel.curves.append(Curve(look.label, steps, values, look.color, look.dash))
    panel.basis = numbers.basis(every)
    return panel


def finding(numbers: Numbers, least: float, most: float) -> str:
    """What one step and gradient descent reach, in one sentence."""

    def rate(row: str, attack: str, epsilon: float) -> str:
        return percentage(numbers.mean(row, f"{attack}_error_rate", epsilon))

    return (
        f"The {TRAINED} network's error is {rate(TRAINED, 'fgsm', most)} after one step of "
        f"ε = {size(most)} and {rate(TRAINED, 'iterative', most)} after gradient descent; within "
        f"ε = {size(least)} it is {rate(TRAINED, 'iterative', least)}, without the defense "
        f"{rate(PLAIN, 'iterative', least)}"
    )
