"""Train the bag of models and keep them in the store, where every experiment finds them.

advx run experiment=train scale=chapter seeds=[0,1,2]
"""

from typing import Any

from advx.run import Run


def main(run: Run, models: dict[str, Any], defense: dict[str, Any]) -> None:
    """Train every model on every seed; report its errors and the epochs it took.

    Args:
        run: the run to measure on.
        models: the bag of models, by name.
        defense: the training loss.
    """
    with run.progress(models=len(models) * len(run.seeds)):
        for seed in run.seeds:
            for name in models:
                recipe = run.recipe(name, seed, defense=defense)
                error = run.error_rate(recipe)
                run.record(name, "clean_error_rate", error, seed=seed, n=len(run.data.test))
                if error == error:
                    made = run.trained(recipe)
                    run.record(name, "validation_error_rate", made.validation_error,
                               seed=seed, n=len(run.data.validation))  # fmt: skip
                    run.record(name, "epochs", made.epochs, seed=seed, unit="epochs")
    run.finish()
