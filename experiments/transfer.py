"""Any crafting model, any target, any attack: the cell of a transfer table, for sweeps.

    advx run -m experiment=transfer model@crafting=maxout,relu model@target=tanh,nearest_neighbor \\
        attack.epsilon=0.1,0.25
"""

from collections.abc import Iterator
from functools import partial

from advx.config.cells import Cells
from advx.config.config import Config
from advx.data.dataset import one_of_each_class
from advx.evaluation.robustness import targeted_success_rate
from advx.evaluation.transfer import error_rate
from advx.figures.digits import transfer_figure
from advx.figures.style import called, percentage
from advx.run import Run
from advx.run.model import Model, seed_of
from advx.types import PositiveInt


def cells(
    crafting: Config, target: Config, defense: Config, crafting_defense: Config
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    source, shown = names((crafting, crafting_defense), (target, defense))
    pair = [row.format(source, shown) for row in ROWS]
    yield Cells(pair, ["error_rate"])
    yield Cells(pair, ["targeted_success_rate"], always=False)  # where the attack aims
    yield Cells(list(dict.fromkeys([shown, source])), ["clean_error_rate"])


Trained = tuple[Config, Config]
"""A model, and the defense that it is trained with."""

ROWS = ("{0} -> {1}", "{0} -> itself")
"""What is measured: the target, and the crafting model itself."""


def names(source: Trained, target: Trained) -> tuple[str, str]:
    """What the crafting model and the target are called: apart where only their names agree."""
    crafts = source[0].get("name") or "crafting"
    answers = target[0].get("name") or "target"
    if crafts != answers or source == target:
        return crafts, answers
    return f"{crafts} (crafting)", f"{answers} (target)"


def main(
    run: Run,
    crafting: Config,
    target: Config,
    attack: Config,
    defense: Config,
    crafting_defense: Config,
    figure_examples: PositiveInt,
) -> None:
    """Error rates of `target` and `crafting` on the examples crafted on `crafting`.

    Args:
        run: the run to measure on.
        crafting: the model that the attack sees.
        target: the model that is attacked.
        attack: the attack.
        defense: what the target was trained with.
        crafting_defense: what the crafting model was trained with.
        figure_examples: test examples in the figure, crafted with the first seed.
    """
    pairs = [
        (
            run.model(crafting, seed, defense=crafting_defense, path="crafting"),
            run.model(target, seed, defense=defense, path="target"),
        )
        for seed in run.seeds
    ]
    called_here = names((crafting, crafting_defense), (target, defense))
    with run.progress(models=2 * len(pairs)):
        for source, shown in pairs if seed_of(*pairs[0]) is not None else pairs[:1]:
            transfer(run, source, shown, called_here, attack)
    run.attempt(lambda: draw(run, *pairs[0], called_here, attack, figure_examples))
    run.finish()


def transfer(
    run: Run, source: Model, target: Model, called_here: tuple[str, str], attack: Config
) -> None:
    """The rows of one seed."""
    add = partial(run.table.add, seed=seed_of(source, target), n=len(run.test()))
    adversarial = run.craft(attack, source)  # refused before anything is trained
    for row, model in zip(ROWS, (target, source), strict=True):
        row = row.format(*called_here)
        add(row, error_rate=run.measure(error_rate, model, adversarial))
        if adversarial.attack.value.receives == "target_classes":
            classes = run.crafting.target_classes
            rate = run.measure(targeted_success_rate, model, adversarial, classes)
            add(row, targeted_success_rate=rate)
    for name, model in dict(zip(called_here[::-1], (target, source), strict=True)).items():
        clean = run.measure(error_rate, model, run.test())
        add(name, clean_error_rate=clean)
        run.remarks.of_guessing(name, clean, run.data.classes)


def draw(
    run: Run,
    source: Model,
    target: Model,
    called_here: tuple[str, str],
    attack: Config,
    examples: int,
) -> None:
    """The figure: digit, perturbation and adversarial digit, with both models' predictions."""
    shown = one_of_each_class(run.data.test.labels, examples)
    crafted = run.craft(attack, source).value.take(shown)
    shown_as = f"{target.name} (target)", f"{source.name} (crafting)"
    numbers = run.numbers()
    rates = {
        name: numbers.mean(row.format(*called_here), "error_rate")
        for name, row in zip(shown_as, ROWS, strict=True)
    }
    transfer_figure(
        run.folder,
        run.data.test.take(shown),
        crafted,
        dict(zip(shown_as, (target.value, source.value), strict=True)),
        rates=rates,
        finding=(
            f"Of examples crafted on {called(source.name)}, {called(target.name)} gets "
            f"{percentage(rates[shown_as[0]])} wrong, their own model "
            f"{percentage(rates[shown_as[1]])}"
        ),
        provenance=run.heading(),
    )
