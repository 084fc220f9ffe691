"""Virtual adversarial training, section 1.3.1: learning from unlabeled digits.

    advx run experiment=virtual_adversarial_training                  # digits that need no download
    advx run experiment=virtual_adversarial_training scale=chapter    # MNIST, 100 labels and more

The procedure of Miyato et al. 2015: a rectifier network with batch normalization is trained on a
few labeled digits, and its prediction is made smooth along the virtual adversarial direction at
every digit, labeled or not. The length of the perturbation, and the distance ξ at which its
direction is sought (none: the exact second order), are chosen on the validation set, with the first
seed and the fewest labels. Beside it the same network on the labeled digits alone.
"""

import math
from collections.abc import Iterator
from functools import partial

from advx.config.cells import Cell, Cells, setting
from advx.config.config import Config
from advx.evaluation.transfer import error_rate
from advx.figures.curves import Strip, curve_figure
from advx.figures.panels import Curve, Panel
from advx.figures.style import ADVERSARIAL, OURS, percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.facts import validation_error
from advx.run.model import Model
from advx.types import NonNegative, Positive, PositiveInt, SizesFromZero

CLEAN, STEP = "clean_error_rate", "fgsm_error_rate"

KINDS = {
    "virtual adversarial": ("virtual\nadversarial", OURS),
    "labeled only": ("labeled\nonly", ADVERSARIAL),
}
"""The networks: what the figure calls them, and their color."""


def cells(
    labels: list[int | None],
    lengths: list[float],
    xis: list[float | None],
    attacked_epsilons: list[float],
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    if len(lengths) * len(xis) > 1:
        choices = [choice(length, xi) for length in lengths for xi in xis]
        yield Cells(choices, ["validation_error_rate", "chosen"])
    settings = [setting(labels=called(count)) for count in labels]
    yield Cells([*KINDS], [CLEAN], settings=settings)
    yield Cells([*KINDS], [STEP], attacked_epsilons, settings)


def choice(length: float, xi: float | None) -> str:
    """The row of a perturbation's length and the distance at which its direction is sought."""
    return f"length {length:g}, " + ("exact" if xi is None else f"xi {xi:g}")


def main(
    run: Run,
    models: dict[str, Config],
    virtual: Config,
    labels: list[PositiveInt | None],
    lengths: list[NonNegative],
    xis: list[Positive | None],
    fgsm: Config,
    attacked_epsilons: SizesFromZero,
) -> None:
    """Test error with and without the unlabeled digits, for every number of labels.

    Args:
        run: the run to measure on.
        models: the one network.
        virtual: the defense.
        labels: numbers of labeled examples; None for all.
        lengths: L2 lengths of the perturbation to choose from.
        xis: distances at which its direction is sought to choose from; None for the exact one.
        fgsm: the attack whose error is measured beside the clean one.
        attacked_epsilons: its sizes, for the figure and the rows.
    """
    (name,) = models

    def network(count: int | None, seed: int, defense: Config) -> Model:
        trainer = run.models.trainer.with_(labeled=count)
        return run.model(name, seed, trainer=trainer, defense=defense)

    fewest = min(labels, key=lambda count: math.inf if count is None else count)
    choices = [virtual.with_(epsilon=length, xi=xi) for length in lengths for xi in xis]
    with run.progress(models=2 * len(labels) * len(run.seeds) + len(choices) - 1):
        best = choose(run, [network(fewest, run.seeds[0], choice) for choice in choices])
        defenses = dict(zip(KINDS, (best, virtual.with_(epsilon=0.0, weight=0.0)), strict=True))
        for count in labels:
            for kind, defense in defenses.items():
                under = setting(labels=called(count))
                for seed in run.seeds:
                    each = network(count, seed, defense)
                    errors(run, kind, each, fgsm, attacked_epsilons, under)
    counts = {called(c): len(run.data.train) if c is None else c for c in labels}
    draw(run, counts, attacked_epsilons)
    run.finish()


def called(count: int | None) -> str:
    """What a number of labels is called."""
    return "all" if count is None else f"{count}"


def choose(run: Run, networks: list[Model]) -> Config:
    """The defense of the network with the smallest validation error, the first of equals."""
    defenses = [Config(network.recipe.defense) for network in networks]
    if len(networks) == 1:
        return defenses[0]
    errors = []
    for network, defense in zip(networks, defenses, strict=True):
        error = run.measure(validation_error, network.training)
        run.table.add(
            choice(defense["epsilon"], defense["xi"]),
            validation_error_rate=error,
            seed=network.seed,
            n=len(run.data.validation),
        )
        errors.append(math.inf if math.isnan(error) else error)
    best = errors.index(min(errors))
    for place, defense in enumerate(defenses):  # without a seed: runs that chose otherwise differ
        row = choice(defense["epsilon"], defense["xi"])
        run.table.add(row, chosen=float(place == best), seed=None, unit="number")
    return defenses[best]


def errors(
    run: Run, row: str, network: Model, fgsm: Config, epsilons: list[float], labels: str
) -> None:
    """The network's errors on clean digits and after one step."""
    add = partial(run.table.add, row, setting=labels, seed=network.seed, n=len(run.test()))
    add({CLEAN: run.measure(error_rate, network, run.test())})
    for epsilon in epsilons:
        adversarial = run.craft(fgsm.with_(epsilon=epsilon), network)
        add({STEP: run.measure(error_rate, network, adversarial)}, epsilon=epsilon)


def draw(run: Run, counts: dict[str, int], epsilons: list[float]) -> None:
    """Clean error against the number of labels, and error under one step against ε.

    Args:
        run: the run, with its numbers.
        counts: numbers of labeled examples, by what they are called.
        epsilons: sizes of the perturbation.
    """
    results = run.numbers()
    clean = Panel(
        "clean test examples",
        x="labeled examples",
        logarithmic="xy",
        limits=None,
        ticks={
            f"{count:,}" + " (all)" * (shown == "all"): count for shown, count in counts.items()
        },
    )
    attacked = [Panel(f"one step, {_thousands(shown)} labels") for shown in counts]
    every = []
    for dash, (kind, (label, color)) in enumerate(KINDS.items()):
        drawn = [Cell(kind, CLEAN, None, setting(labels=shown)) for shown in counts]
        clean.curves.append(
            Curve(label, list(counts.values()), results.over_seeds(drawn), color, dash)
        )
        for shown, panel in zip(counts, attacked, strict=True):
            under = setting(labels=shown)
            drawn = [Cell(kind, CLEAN, None, under)]
            drawn += [Cell(kind, STEP, e, under) for e in epsilons]
            panel.curves.append(
                Curve(label, [0.0, *epsilons], results.over_seeds(drawn), color, dash)
            )
            every += drawn
    panels = [clean, *attacked] if len(counts) > 1 else attacked
    for panel in panels:
        panel.basis = results.basis(every)
    strips = [Strip(panels[k : k + 2], 1.9) for k in range(0, len(panels), 2)]
    curve_figure(
        run.folder,
        "virtual_adversarial_training",
        strips,
        finding=finding(results, counts, epsilons),
        provenance=run.heading(),
    )


def finding(results: Numbers, counts: dict[str, int], epsilons: list[float]) -> str:
    """What the fewest labels give with and without, in one sentence."""
    fewest = min(counts, key=lambda shown: counts[shown])
    middle = sorted(epsilons)[len(epsilons) // 2]
    clean, attacked = (
        [percentage(results.mean(kind, metric, epsilon, setting(labels=fewest))) for kind in KINDS]
        for metric, epsilon in ((CLEAN, None), (STEP, middle))
    )
    return (
        f"With {_thousands(fewest)} labels the error is {clean[0]} with virtual adversarial "
        f"training, {clean[1]} without; after one step of ε = {size(middle)}, "
        f"{' and '.join(attacked)}"
    )


def _thousands(count: str) -> str:
    return f"{int(count):,}" if count.isdigit() else count
