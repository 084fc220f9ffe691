"""How near training comes to the hardware's limit; the nearest-neighbor attack's memory.

    advx run experiment=benchmark_training

Each model's training step, as the floating-point rate of its matrix products, divided by the rate
of a large matrix product measured right beside it. Timings differ from run to run: unlike any
other experiment's, this one's `results.csv` is not the same twice. `profile.txt` shows where the
rest of the time goes.
"""

from typing import Any

import torch

from advx.attacks.fgsm import FGSM
from advx.config.build import build
from advx.data.dataset import Split
from advx.evaluation.benchmark import (
    peak_memory,
    product_rate,
    profile_table,
    seconds_of,
    step_operations,
)
from advx.evaluation.transfer import craft
from advx.models.smoothed_nearest_neighbor import SmoothedNearestNeighbor
from advx.run import Run
from advx.training.obtain import construct


def main(
    run: Run,
    models: dict[str, Any],
    defense: dict[str, Any],
    updates: int,
    repeats: int,
    attacked: int,
    remembered: int,
) -> None:
    """Measure every model of the bag, then the attack's peak memory.

    Args:
        run: the run to measure on.
        models: the bag of models, by name.
        defense: the training loss.
        updates: parameter updates in one measurement.
        repeats: measurements of each model; one row each.
        attacked: test images in the memory measurement.
        remembered: training images in the memory measurement.
    """
    profiles = []
    for name in models:
        trainer, loss = build(run.config["trainer"]), build(defense)
        model = construct(run.recipe(name, 0), run.data).to(run.device)
        indices = torch.arange(updates * trainer.batch_size) % len(run.data.train)
        batches = Split(run.data.train.images[indices], run.data.train.labels[indices])
        optimiser = trainer.optimiser(model)
        first = batches.images[: trainer.batch_size], batches.labels[: trainer.batch_size]
        operations = step_operations(model, loss, *first)

        def epoch(args: tuple[Any, ...] = (model, loss, batches, optimiser)) -> None:
            trainer.one_epoch(*args, seed=0, epoch=1)  # noqa: B023

        epoch()
        for repeat in range(repeats):
            before = product_rate(run.device)
            seconds = seconds_of(epoch, run.device)
            limit = (before + product_rate(run.device)) / 2
            rate = operations * updates / seconds
            run.record(name, "share_of_matrix_product", rate / limit, seed=repeat, unit="ratio")
            run.record(name, "rate", rate / 1e9, seed=repeat, unit="GFLOP/s")
            run.record(name, "step", 1e3 * seconds / updates, seed=repeat, unit="ms")
        profiles.append(f"{name}\n{profile_table(epoch)}")
    (run.folder / "profile.txt").write_text("\n".join(profiles))
    peak, before = peak_memory(attack_nearest_neighbors, attacked, remembered)
    row = f"smoothed_nearest_neighbor, {attacked} x {remembered}"
    run.record(row, "peak_memory", peak, seed=None, unit="MiB",
               note=f"whole process; {before:.0f} MiB of it before the data were made")  # fmt: skip
    run.finish()


def attack_nearest_neighbors(attacked: int, remembered: int) -> None:
    """FGSM on smoothed nearest neighbor with images of noise: memory does not depend on them."""
    model = SmoothedNearestNeighbor(input_shape=(1, 28, 28), classes=10)
    model.remember(torch.rand(remembered, 1, 28, 28), torch.arange(remembered) % 10)
    craft(
        FGSM(epsilon=0.25),
        model,
        Split(torch.rand(attacked, 1, 28, 28), torch.arange(attacked) % 10),
    )
