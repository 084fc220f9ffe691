"""How near training and attacks come to the hardware's limit; the nearest-neighbor attack's memory.

    advx run experiment=benchmark_training device.threads=1

Each network's training step is timed in turns with what it cannot do without: its matrix products
and the memory that it must move (`advx.evaluation.step_parts`). So are the same step in plain
PyTorch, and each part of the step alone. Beside them stand the rate of the matrix products in
training and in an iterated attack, over that of a large matrix product measured right beside it,
and the cost of adversarial training over that of a plain step, beside the ratio of their
operations. Timings differ from run to run: unlike any other experiment's, this one's `results.csv`
is not the same twice. `profile.txt` shows where the time of an update goes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from advx.attacks.fgsm import FGSM
from advx.config.cells import Cells
from advx.config.config import Config
from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError
from advx.evaluation.benchmark import (
    Work,
    operations_of,
    peak_memory,
    product_rate,
    profile_table,
    seconds_of,
    step_operations,
)
from advx.evaluation.plain_step import plain, plain_updates
from advx.evaluation.step_parts import limit_of, parts_of
from advx.evaluation.transfer import craft
from advx.models.smoothed_nearest_neighbor import SmoothedNearestNeighbor
from advx.run import Run
from advx.text_files import write_text
from advx.training.loop import one_epoch
from advx.training.optimizers import Momentum
from advx.training.trainer import ClassifierTask, Trainer

PARTS = ("minibatch", "dropout", "activation", "loss", "update", "column_norms")
"""Of a step, besides its matrix products; what is left is `rest`."""

PLAIN = "plain_pytorch"
"""Setting of the same step without what is faster here."""

ADVERSARIAL, ATTACK = "{}, adversarial training", "{}, iterated attack"
"""Rows of a model."""

MEMORY = "smoothed_nearest_neighbor, {} x {}"
"""The row of so many attacked and remembered images."""


def cells(models: dict[str, Config], attacked: int, remembered: int) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    adversarial, attack = ([row.format(name) for name in models] for row in (ADVERSARIAL, ATTACK))
    yield Cells([*models], ["step", "share_of_limit"], settings=["", PLAIN])
    yield Cells([*models], ["limit", "plain_over_step"])
    yield Cells([*models], ["part"], settings=[f"part={p}" for p in ("products", *PARTS, "rest")])
    yield Cells([*models, *adversarial, *attack], ["share_of_matrix_product", "rate"])
    yield Cells(adversarial, ["step", "cost_over_plain", "operations_over_plain"])
    yield Cells([MEMORY.format(attacked, remembered)], ["peak_memory"])


def main(
    run: Run,
    models: dict[str, Config],
    trainer: Config,
    defense: Config,
    adversarial: Config,
    attack: Config,
    updates: int,
    repeats: int,
    attacked: int,
    remembered: int,
) -> None:
    """Measure every network, then the attack's peak memory.

    Args:
        run: the run to measure on.
        models: the networks, by name.
        trainer: minibatches and optimizer.
        defense: the training loss.
        adversarial: the loss of adversarial training, compared with it.
        attack: the iterated attack whose rate is measured.
        updates: parameter updates in one measurement.
        repeats: measurements of each network; one row each.
        attacked: test images in the memory measurement.
        remembered: training images in the memory measurement.
    """
    profiles = []
    for name in models:
        training: Trainer = trainer.build()
        indices = torch.arange(updates * training.batch_size) % len(run.data.train)
        examples = run.data.train.take(indices)
        step = training_step(run, name, training, defense.build(), examples)
        compare_with_limit(run, name, training, defense, examples, step, repeats)
        other = training_step(run, name, training, adversarial.build(), examples)
        crafting = attack_pass(run, name, attack, examples)
        row = ADVERSARIAL.format(name)
        rows = {name: step, row: other, ATTACK.format(name): crafting}
        for repeat in range(repeats):
            seconds = record_rates(run, rows, repeat)
            run.table.add(row, step=1e3 * seconds[row] / updates, seed=repeat, unit="ms")
            run.table.add(
                row,
                cost_over_plain=seconds[row] / seconds[name],
                operations_over_plain=other.operations / step.operations,
                seed=repeat,
                unit="ratio",
            )
        profiles.append(f"{name}\n{profile_table(step.work)}")
    write_text(run.folder / "profile.txt", "\n".join(profiles))
    peak, before = peak_memory(attack_nearest_neighbors, attacked, remembered)
    note = f"whole process; {before:.0f} MiB of it before the data were made"
    row = MEMORY.format(attacked, remembered)
    run.table.add(row, peak_memory=peak, seed=None, unit="MiB", note=note)
    run.finish()


@dataclass(frozen=True)
class Counted:
    """Work with the floating-point operations of its matrix products."""

    work: Work
    operations: int


def training_step(run: Run, name: str, training: Trainer, loss: Any, examples: Split) -> Counted:
    """The updates of one pass over the examples, warmed up."""
    model = run.model(name, 0).untrained()
    data = Dataset(run.data.name, run.data.classes, examples, examples, examples)
    task = ClassifierTask(training, model, loss, data, seed=0)
    size = training.batch_size
    first = examples.images[:size], examples.labels[:size]
    operations = step_operations(model, loss, *first) * (len(examples) // size)
    step = Counted(lambda: one_epoch(task, seed=0, epoch=1), operations)
    step.work()
    return step


def compare_with_limit(
    run: Run,
    name: str,
    training: Trainer,
    defense: Config,
    examples: Split,
    step: Counted,
    repeats: int,
) -> None:
    """Time the step, its limit, the step in plain PyTorch and the step's parts, in turns."""
    loss, size = defense.build(), training.batch_size
    updates = len(examples) // size
    rule = training.optimizer
    if not isinstance(rule, Momentum):
        raise ConfigError(
            f"trainer.optimizer: {type(rule).__name__} has no plain step to be timed with; choose "
            "SGD or LinearDecay"
        )
    model, other = (run.model(name, 0).untrained() for _ in range(2))
    minibatch = examples.images[:size], examples.labels[:size]
    limit = limit_of(model, loss, *minibatch)
    parts = parts_of(model, *minibatch, examples.take(torch.arange(size)))
    works: dict[str, Work] = {
        "step": step.work,
        "plain": plain_updates(plain(other), loss, examples, rule, size),
        "limit": repeated(limit.whole, updates),
        "products": repeated(limit.products, updates),
    } | {part: repeated(parts[part], updates) for part in PARTS}
    for work in works.values():
        work()  # memory, threads
    for repeat in range(repeats):
        ms = {what: 1e3 * seconds_of(w, run.device) / updates for what, w in works.items()}
        for setting, whole in (("", ms["step"]), (PLAIN, ms["plain"])):
            share = ms["limit"] / whole
            run.table.add(name, step=whole, setting=setting, seed=repeat, unit="ms")
            run.table.add(name, share_of_limit=share, setting=setting, seed=repeat, unit="ratio")
        run.table.add(name, limit=ms["limit"], seed=repeat, unit="ms")
        run.table.add(name, plain_over_step=ms["plain"] / ms["step"], seed=repeat, unit="ratio")
        spent = {part: ms[part] for part in ("products", *PARTS)}
        for part, value in (spent | {"rest": ms["step"] - sum(spent.values())}).items():
            run.table.add(name, part=value, setting=f"part={part}", seed=repeat, unit="ms")


def record_rates(run: Run, rows: dict[str, Counted], repeat: int) -> dict[str, float]:
    """Add the rate of each row's matrix products; returns the rows' seconds."""
    seconds: dict[str, float] = {}
    before = product_rate(run.device)
    for row, counted in rows.items():
        seconds[row] = seconds_of(counted.work, run.device)
        after = product_rate(run.device)
        rate = counted.operations / seconds[row]
        share = 2 * rate / (before + after)
        run.table.add(row, share_of_matrix_product=share, seed=repeat, unit="ratio")
        run.table.add(row, rate=rate / 1e9, seed=repeat, unit="GFLOP/s")
        before = after
    return seconds


def repeated(work: Work, times: int) -> Callable[[], object]:
    """The same work several times; what it returns is let go at once, as a step lets it go."""

    def works() -> None:
        for _ in range(times):
            work()

    return works


def attack_pass(run: Run, name: str, attack: Config, examples: Split) -> Counted:
    """The attack on a freshly made network, warmed up."""
    model = run.model(name, 0).untrained()
    crafting = attack.build()
    some = Split(examples.images[:2000], examples.labels[:2000])

    def work() -> object:
        return craft(crafting, model, some)

    return Counted(work, operations_of(work))


def attack_nearest_neighbors(attacked: int, remembered: int) -> None:
    """FGSM on smoothed nearest neighbor with images of noise: memory does not depend on them."""
    model = SmoothedNearestNeighbor(input_shape=(1, 28, 28), classes=10)
    model.fit(torch.rand(remembered, 1, 28, 28), torch.arange(remembered) % 10)
    craft(
        FGSM(epsilon=0.25),
        model,
        Split(torch.rand(attacked, 1, 28, 28), torch.arange(attacked) % 10),
    )
