"""How near training and attacks come to the hardware's limit; the nearest-neighbor attack's memory.

    advx run experiment=benchmark_training

Each model's training step and iterated attack, as the floating-point rate of its matrix products,
divided by the rate of a large matrix product measured right beside it; and the cost of adversarial
training over that of a plain step, beside the ratio of their operations. Timings differ from run to
run: unlike any other experiment's, this one's `results.csv` is not the same twice. `profile.txt`
shows where the rest of the time goes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from advx.attacks.fgsm import FGSM
from advx.config.build import build
from advx.config.cells import Cells
from advx.config.config import Config
from advx.data.dataset import Dataset, Split
from advx.evaluation.benchmark import (
    operations_of,
    peak_memory,
    product_rate,
    profile_table,
    seconds_of,
    step_operations,
)
from advx.evaluation.transfer import craft
from advx.models.smoothed_nearest_neighbor import SmoothedNearestNeighbor
from advx.run import Run
from advx.text_files import write_text
from advx.training.loop import one_epoch
from advx.training.trainer import ClassifierTask

PLAIN, ADVERSARIAL, ATTACK = "{}", "{}, adversarial training", "{}, iterated attack"
"""Rows of a model."""

MEMORY = "smoothed_nearest_neighbor, {} x {}"
"""The row of so many attacked and remembered images."""


def cells(models: dict[str, Config], attacked: int, remembered: int) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    plain, adversarial, attack = (
        [row.format(name) for name in models] for row in (PLAIN, ADVERSARIAL, ATTACK)
    )
    yield Cells([*plain, *adversarial, *attack], ["share_of_matrix_product", "rate"])
    yield Cells([*plain, *adversarial], ["step"])
    yield Cells(adversarial, ["cost_over_plain", "operations_over_plain"])
    yield Cells([MEMORY.format(attacked, remembered)], ["peak_memory"])


def main(
    run: Run,
    models: dict[str, Config],
    defense: dict[str, Any],
    adversarial: dict[str, Any],
    attack: dict[str, Any],
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
        adversarial: the loss of adversarial training, compared with it.
        attack: the iterated attack whose rate is measured.
        updates: parameter updates in one measurement.
        repeats: measurements of each model; one row each.
        attacked: test images in the memory measurement.
        remembered: training images in the memory measurement.
    """
    profiles = []
    for name in models:
        trainer = build(run.config["trainer"])
        indices = torch.arange(updates * trainer.batch_size) % len(run.data.train)
        batches = Split(run.data.train.images[indices], run.data.train.labels[indices])
        steps = {
            row.format(name): training_step(run, name, build(loss), batches)
            for row, loss in ((PLAIN, defense), (ADVERSARIAL, adversarial))
        }
        step, craft_all = steps[name], attack_pass(run, name, attack, batches)
        for repeat in range(repeats):
            for row, work in (*steps.items(), (ATTACK.format(name), craft_all)):
                before = product_rate(run.device)
                work.seconds = seconds_of(work, run.device)
                limit = (before + product_rate(run.device)) / 2
                rate = work.operations / work.seconds
                run.table.add(row, share_of_matrix_product=rate / limit, seed=repeat, unit="ratio")
                run.table.add(row, rate=rate / 1e9, seed=repeat, unit="GFLOP/s")
                if work is not craft_all:
                    run.table.add(row, step=1e3 * work.seconds / updates, seed=repeat, unit="ms")
            row = ADVERSARIAL.format(name)
            other = steps[row]
            run.table.add(
                row, cost_over_plain=other.seconds / step.seconds, seed=repeat, unit="ratio"
            )
            ratio = other.operations / step.operations
            run.table.add(row, operations_over_plain=ratio, seed=repeat, unit="ratio")
        profiles.append(f"{name}\n{profile_table(step)}")
    write_text(run.folder / "profile.txt", "\n".join(profiles))
    peak, before = peak_memory(attack_nearest_neighbors, attacked, remembered)
    row = MEMORY.format(attacked, remembered)
    run.table.add(
        row,
        peak_memory=peak,
        seed=None,
        unit="MiB",
        note=f"whole process; {before:.0f} MiB of it before the data were made",
    )
    run.finish()


@dataclass
class Work:
    """Something to time, with the floating-point operations of its matrix products."""

    call: Callable[[], Any]
    operations: int
    seconds: float = 0.0

    def __call__(self) -> Any:
        return self.call()


def training_step(run: Run, name: str, loss: Any, batches: Split) -> Work:
    """The updates of one pass over `batches`, warmed up."""
    trainer = build(run.config["trainer"])
    model = run.model(name, 0).untrained()
    batched = Dataset(run.data.name, run.data.classes, batches, batches, batches)
    task = ClassifierTask(trainer, model, loss, batched, seed=0)
    size = trainer.batch_size
    first = batches.images[:size], batches.labels[:size]
    operations = step_operations(model, loss, *first) * (len(batches) // size)
    work = Work(lambda: one_epoch(task, seed=0, epoch=1), operations)
    work()
    return work


def attack_pass(run: Run, name: str, attack: dict[str, Any], batches: Split) -> Work:
    """The attack on a freshly made model, warmed up."""
    model = run.model(name, 0).untrained()
    crafting = build(attack)
    some = Split(batches.images[:2000], batches.labels[:2000])
    work = Work(lambda: craft(crafting, model, some), 0)
    work.operations = operations_of(work)
    return work


def attack_nearest_neighbors(attacked: int, remembered: int) -> None:
    """FGSM on smoothed nearest neighbor with images of noise: memory does not depend on them."""
    model = SmoothedNearestNeighbor(input_shape=(1, 28, 28), classes=10)
    model.fit(torch.rand(remembered, 1, 28, 28), torch.arange(remembered) % 10)
    craft(
        FGSM(epsilon=0.25),
        model,
        Split(torch.rand(attacked, 1, 28, 28), torch.arange(attacked) % 10),
    )
