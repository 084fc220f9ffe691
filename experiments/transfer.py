"""Any crafting model, any target, any attack: the cell of a transfer table, for sweeps.

    advx run -m experiment=transfer model@crafting=maxout,relu model@target=tanh,nearest_neighbor \\
        attack.epsilon=0.1,0.25
"""

from typing import Any

from advx.config.build import build
from advx.evaluation.transfer import craft, error_rate
from advx.run import Run


def main(
    run: Run,
    crafting: dict[str, Any],
    target: dict[str, Any],
    attack: dict[str, Any],
    defense: dict[str, Any],
    crafting_defense: dict[str, Any],
) -> None:
    """Error rate of `target` on the examples crafted on `crafting`, and both models' clean errors.

    Args:
        run: the run to measure on.
        crafting: the model that the attack sees.
        target: the model that is attacked.
        attack: the attack.
        defense: what the target was trained with.
        crafting_defense: what the crafting model was trained with.
    """
    test = run.data.test
    row = f"{crafting['name']} -> {target['name']}"
    with run.progress(models=2 * len(run.seeds)):
        for seed in run.seeds:
            source = run.recipe(crafting, seed, defense=crafting_defense, path="crafting")
            victim = run.recipe(target, seed, defense=defense, path="target")
            if seed != run.seeds[0] and not (source.random or victim.random):
                continue

            def rates(source: Any = source, victim: Any = victim) -> list[float]:
                models = run.trained(source).module, run.trained(victim).module
                adversarial = craft(build(attack), models[0], test)
                return [error_rate(models[1], adversarial), error_rate(models[0], adversarial),
                        error_rate(models[1], test)]  # fmt: skip

            values = run.attempt(rates, [float("nan")] * 3)
            known = seed if source.random or victim.random else None
            run.record(row, "error_rate", values[0], seed=known, n=len(test))
            run.record(
                f"{crafting['name']} -> itself", "error_rate", values[1], seed=known, n=len(test)
            )
            run.record(target["name"], "clean_error_rate", values[2], seed=known, n=len(test))
    run.finish()
