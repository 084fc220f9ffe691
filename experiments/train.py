"""Train all models and keep them in the store, where every experiment finds them.

advx run experiment=train scale=chapter seeds=[0,1,2]
"""

import math
from collections.abc import Iterator

from advx.config.cells import Cells
from advx.config.config import Config
from advx.evaluation.transfer import error_rate
from advx.run import Run
from advx.run.facts import epochs, validation_error


def cells(models: dict[str, Config]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield Cells([*models], ["clean_error_rate"])
    yield Cells([*models], ["validation_error_rate", "epochs"], always=False)  # of none diverged


def main(run: Run, models: dict[str, Config], defense: Config) -> None:
    """Train every model on every seed; report its errors and the epochs it took.

    Args:
        run: the run to measure on.
        models: by name.
        defense: the training loss.
    """
    with run.progress(models=len(models) * len(run.seeds)):
        for seed in run.seeds:
            for name in models:
                model = run.model(name, seed, defense=defense)
                error = run.measure(error_rate, model, run.test())
                run.table.add(name, clean_error_rate=error, seed=seed, n=len(run.test()))
                if math.isnan(error):  # it diverged
                    continue
                validation = run.measure(validation_error, model.training)
                n = len(run.data.validation)
                run.table.add(name, validation_error_rate=validation, seed=seed, n=n)
                trained_for = run.measure(epochs, model.training)
                run.table.add(name, epochs=trained_for, seed=seed, unit="epochs")
    run.finish()
