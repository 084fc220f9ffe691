"""Any crafting model, any target, any attack: the cell of a transfer table, for sweeps.

    advx run -m experiment=transfer model@crafting=maxout,relu model@target=tanh,nearest_neighbor \\
        attack.epsilon=0.1,0.25
"""

from typing import Any

from advx.data.dataset import one_of_each_class
from advx.figures.digits import transfer_figure
from advx.figures.style import called, percentage
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.recipe import Recipe
from advx.types import PositiveInt


def main(
    run: Run,
    crafting: dict[str, Any],
    target: dict[str, Any],
    attack: dict[str, Any],
    defense: dict[str, Any],
    crafting_defense: dict[str, Any],
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
    n = len(run.data.test)
    itself = f"{crafting['name']} -> itself"
    row = f"{crafting['name']} -> {target['name']}"

    def recipes(seed: int) -> tuple[Recipe, Recipe]:
        return (
            run.recipe(crafting, seed, defense=crafting_defense, path="crafting"),
            run.recipe(target, seed, defense=defense, path="target"),
        )

    def draw() -> None:
        source, victim = recipes(run.seeds[0])
        shown = one_of_each_class(run.data.test.labels, figure_examples)
        crafted = run.crafted(attack, source).take(shown)
        names = [f"{target['name']} (target)", f"{crafting['name']} (crafting)"]
        models = {names[0]: run.trained(victim).module, names[1]: run.trained(source).module}
        clean = run.data.test.take(shown)
        found = Numbers(run.results.rows)
        rates = {name: found.mean(line, "error_rate")
                 for name, line in zip(names, (row, itself), strict=True)}  # fmt: skip
        finding = (
            f"Of examples crafted on {called(crafting['name'])}, {called(target['name'])} gets "
            f"{percentage(rates[names[0]])} wrong, their own model {percentage(rates[names[1]])}"
        )
        transfer_figure(run.folder, clean, crafted, models, rates=rates, finding=finding,
                        provenance=run.heading())  # fmt: skip

    with run.progress(models=2 * len(run.seeds)):
        for seed in run.seeds:
            source, victim = recipes(seed)
            random = source.random or victim.random
            if not random and seed != run.seeds[0]:
                continue
            search = run.attack(attack, source)  # refused before anything is trained
            known = {"seed": seed if random else None, "n": n}
            for name, model in ((row, victim), (itself, source)):
                rate = run.error_rate(model, attack, crafting=source)
                run.record(name, "error_rate", rate, **known)
                if getattr(search, "targeted", False):
                    rate = run.targeted_success_rate(model, attack, crafting=source)
                    run.record(name, "targeted_success_rate", rate, **known)
            run.record(target["name"], "clean_error_rate", run.error_rate(victim), **known)
    run.attempt(draw)
    run.finish()
